"""A recorded workflow's types as columns of a part: what they hold comes as dicts, and for who computes goes as such.

To compute takes more than to look: vectors, which for people are left out; which member of a union a dict is, under the
key `type`; metadata in every dict, empty where nothing was said. What an evaluator is given knows its schema besides,
since there is no class that would say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from localreg.canonical import parse
from localreg.tables import JSON_FIELD, DictCodec, Node, StructCodec, objects_of, vector_fields, without_vectors
from localreg.workflow.typed import EXTRA, TypedColumn, schema_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecordedColumn", "RecordedDict", "field_of", "node_of", "put_into_dicts", "whole_column"]


class RecordedColumn(TypedColumn):
    """One of the types as dicts, without vectors: for people, and for tables that are read from files."""

    hint = None

    @cached_property
    def has_vectors(self) -> bool:
        """Never."""
        return False

    @cached_property
    def has_metadata(self) -> bool:
        """Whether the class had such a field is not recorded; unless it is one like any other."""
        return self.node.field(JSON_FIELD) is None

    @property
    def whole(self) -> TypedColumn:
        """As dicts with all that they hold; of inferences, nothing else may be in a dict."""
        return whole_column(self.name, self.cls, self.node, exact=self.name == "inference")

    @property
    def title(self) -> str:
        """The name of the class that was recorded."""
        return self.node.name or self.name

    @property
    def wanted(self) -> str:
        """Dicts, with the fields that there are."""
        return f"a dict with {', '.join(field.name for field in self.node.fields) or 'no keys'}"

    @cached_property
    def codec(self) -> StructCodec:
        """What turns dicts into the struct column, and back."""
        return StructCodec(self.node, None)

    @cached_property
    def _stored(self) -> StructCodec:
        return StructCodec(without_vectors(self.node), None)

    def objects(self, rows: pa.Table) -> list[Any]:
        """The dicts of rows, with what was said beside the fields; None where the struct column is null."""
        made = objects_of(rows[self.name], self._stored)
        for name in (JSON_FIELD, EXTRA):
            texts = rows[name].to_pylist() if name in rows.column_names else []
            for value, text in zip(made, texts, strict=False):
                if text is not None:
                    put_into_dicts(value, {JSON_FIELD: parse(text)} if name == JSON_FIELD else parse(text))
        return made


class _WholeColumn(RecordedColumn):
    """The same with vectors, and for writing: what is read can be written again."""

    exact = False

    @property
    def whole(self) -> TypedColumn:
        """This."""
        return self

    @cached_property
    def has_vectors(self) -> bool:
        """Whether there are any."""
        return bool(vector_fields(self.node))

    @cached_property
    def codec(self) -> StructCodec:
        """What turns dicts into the struct column, and back."""
        return DictCodec(self.node, exact=self.exact, beside=(JSON_FIELD,) if self.has_metadata else ())

    @cached_property
    def _stored(self) -> StructCodec:
        return DictCodec(without_vectors(self.node), exact=self.exact)

    def takes(self, kind: type[object]) -> bool:
        """Whether it is a kind of dict."""
        return issubclass(kind, Mapping)

    def objects(self, rows: pa.Table) -> list[Any]:
        """The dicts of rows, None where the struct column is null."""
        return TypedColumn.objects(self, rows)

    def given(self, rows: pa.Table) -> list[Any]:
        """The same for an evaluator: `RecordedDict`s."""
        return [None if value is None else RecordedDict(value, self.node) for value in self.objects(rows)]

    def _metadata_of(self, value: object) -> object:
        return value.get(JSON_FIELD) if isinstance(value, Mapping) else None

    def _nothing(self) -> object:
        return {}

    def _put_extras(self, value: object, extras: Any) -> None:
        put_into_dicts(value, extras)


class _ExactColumn(_WholeColumn):
    """The same, where a key that is no field is refused."""

    exact = True


def whole_column(name: str, cls: type, node: Node, *, exact: bool = False) -> TypedColumn:
    """The column of dicts that are computed with.

    Args:
        name: of the struct column.
        cls: base of what was recorded.
        node: the recorded schema.
        exact: whether a key that is no field is refused when dicts are written; else it is passed over.
    """
    return (_ExactColumn if exact else _WholeColumn)(name, cls, node)


# --- what evaluators are given ----------------------------------------------------------------------------------------


class RecordedDict(dict[str, Any]):
    """A test sample, ground truth or inference as a dict that knows its schema.

    Attributes:
        node: the schema.
    """

    __slots__ = ("node",)

    def __init__(self, fields: Mapping[str, Any], node: Node) -> None:
        super().__init__(fields)
        self.node = node


def node_of(value: object) -> Node:
    """The schema of what an evaluator is given.

    Raises:
        InvalidInputError: its class cannot be stored.
    """
    return value.node if isinstance(value, RecordedDict) else schema_of(type(value))


def field_of(value: object, name: str) -> Any:
    """A field of an object, or of a dict that stands for one; None if it has none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def put_into_dicts(value: Any, extra: Any) -> None:
    """Give values, as dicts and lists, what was said beyond their fields."""
    if isinstance(value, list) and isinstance(extra, list):
        for item, more in zip(value, extra, strict=False):
            put_into_dicts(item, more)
    elif isinstance(value, dict) and isinstance(extra, dict):
        for name, more in extra.items():
            if isinstance(value.get(name), dict | list):
                put_into_dicts(value[name], more)
            else:
                value[name] = more
