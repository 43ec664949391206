"""One of a workflow's three types as columns of a part, both ways.

A part holds the typed values as one struct column, and beside it, where there are any, two columns of JSON text:
`metadata` (the field of that name, if it is a dict) and `extra` (what objects say beyond their declared fields). Fields
that are vectors stand in a struct column of their own, `vectors`, which becomes a file beside the part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from localreg.canonical import canonical, checked_object, parse
from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tables import (
    JSON_FIELD,
    VECTORS,
    Node,
    StructCodec,
    arrow_type,
    extras_of,
    is_json_object,
    objects_of,
    put_extras,
    split_vectors,
    struct_column,
    vector_fields,
    without_vectors,
)
from localreg.tables import schema_of as schema_of_class
from localreg.tables.codecs import takes_extras
from localreg.tables.hints import hints_of
from localreg.tables.plain_codecs import VectorCodec, article
from localreg.workflow.checking import refuse_impossible_values

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EXTRA", "TypedColumn", "has_metadata", "schema_of"]

EXTRA = "extra"


def has_metadata(cls: type) -> bool:
    """Whether a class has a field `metadata` that is kept as a JSON object."""
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    return JSON_FIELD in fields and is_json_object(hints_of(cls)[JSON_FIELD])


def schema_of(cls: type) -> Node:
    """The schema of a class's struct column.

    Raises:
        InvalidInputError: see `localreg.tables.schema_of`.
    """
    return schema_of_class(cls, without=(JSON_FIELD,) if has_metadata(cls) else ())


class TypedColumn:
    """Objects of a class as the columns that a recorded schema asks for.

    Args:
        name: of the struct column.
        cls: the class.
        node: the recorded schema, which may be wider than the class.
    """

    def __init__(self, name: str, cls: type, node: Node) -> None:
        self.name = name
        self.cls = cls
        self.node = node

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.cls, self.node)

    @property
    def whole(self) -> TypedColumn:
        """The same for who computes: with vectors, which columns without classes leave out where people look."""
        return self

    @property
    def hint(self) -> type | None:
        """The class, if it says more than the schema: defaults, and what must hold of values."""
        return self.cls

    @cached_property
    def codec(self) -> StructCodec:
        """What turns objects into the struct column, and back."""
        return StructCodec(self.node, self.cls)

    @cached_property
    def _stored(self) -> StructCodec:
        return StructCodec(without_vectors(self.node), self.cls)

    @property
    def title(self) -> str:
        """What an object is called in messages."""
        return self.cls.__name__

    @property
    def wanted(self) -> str:
        """What an object must be, in messages."""
        return article(self.cls.__name__)

    def takes(self, kind: type[object]) -> bool:
        """Whether objects of a type are taken: the class, or one of that name, as a cell that ran again leaves it."""
        return issubclass(kind, self.cls) or any(base.__name__ == self.cls.__name__ for base in kind.__mro__)

    @property
    def type(self) -> pa.DataType:
        """The Arrow type of the struct column."""
        return arrow_type(self._stored.node)

    @cached_property
    def vectors(self) -> pa.DataType | None:
        """The Arrow type of the column of vectors beside it; None if there is none."""
        import pyarrow as pa

        fields = vector_fields(self.node)
        return pa.struct([(field.name, arrow_type(field.node)) for field in fields]) if fields else None

    @cached_property
    def has_vectors(self) -> bool:
        """Whether objects of the class hold any of the vectors: else they need not be read."""
        names = {field.name for field in vector_fields(self.node)}
        return bool(names) and (takes_extras(self.cls) or not names.isdisjoint(hints_of(self.cls)))

    @cached_property
    def has_metadata(self) -> bool:
        """Whether the class has a field that is kept as JSON."""
        return has_metadata(self.cls)

    def table(self, values: Sequence[object], named: Callable[[int], str]) -> pa.Table:
        """Objects as columns: the struct column, and `metadata` and `extra` where an object has something there.

        Args:
            values: the objects; None where there is none.
            named: says for a message which the n-th is.

        Raises:
            InvalidInputError: one of them cannot be stored as it is; it is named, with the field.
        """
        import pyarrow as pa

        column = struct_column(values, self.codec, what=self.title, named=named)
        refuse_impossible_values(column, self.node, self.hint, self.title, named=named)
        column, vectors = split_vectors(column, self.node)
        columns = {self.name: column}
        if vectors is not None:
            columns[VECTORS] = vectors
        if self.has_metadata:
            texts = [self._metadata(value, number, named) for number, value in enumerate(values)]
            if any(texts):
                columns[JSON_FIELD] = pa.array(texts, pa.string())
        if self.codec.can_have_extras and self.codec.has_extras(values):
            extras = [self._extras(value, number, named) for number, value in enumerate(values)]
            if any(extras):
                columns[EXTRA] = pa.array(extras, pa.string())
        return pa.table(columns)

    def _metadata(self, value: object, number: int, named: Callable[[int], str]) -> str | None:
        given = self._metadata_of(value)
        if given is None or given == self._nothing():
            return None
        return canonical(checked_object(given, what=f"metadata of {named(number)}"))

    def _metadata_of(self, value: object) -> object:
        return getattr(value, JSON_FIELD, None)

    def _nothing(self) -> object:
        """What a row without metadata has: the field's default, else an empty object."""
        field = next(field for field in dataclasses.fields(self.cls) if field.name == JSON_FIELD)
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        return {} if field.default is dataclasses.MISSING else field.default

    def _extras(self, value: object, number: int, named: Callable[[int], str]) -> str | None:
        extras = extras_of(value, self.node)
        if extras is None:
            return None
        extras.pop(JSON_FIELD, None) if self.has_metadata else None
        return canonical(checked_object(extras, what=f"extra fields of {named(number)}")) if extras else None

    def objects(self, rows: pa.Table) -> list[Any]:
        """The objects of rows, None where the struct column is null."""
        beside: dict[str, Sequence[object]] = {}
        if self.has_metadata:
            texts = rows[JSON_FIELD].to_pylist() if JSON_FIELD in rows.column_names else [None] * rows.num_rows
            beside[JSON_FIELD] = [self._nothing() if text is None else parse(text) for text in texts]
        if VECTORS in rows.column_names:
            chunks = rows[VECTORS].chunks
            for field in vector_fields(self.node):
                codec = VectorCodec(field.node)
                beside[field.name] = [vector for chunk in chunks for vector in codec.decode(chunk.field(field.name))]
        made = objects_of(rows[self.name], self._stored, **beside)
        if EXTRA in rows.column_names:
            for value, text in zip(made, rows[EXTRA].to_pylist(), strict=True):
                if text is not None:
                    self._put_extras(value, parse(text))
        return made

    def given(self, rows: pa.Table) -> list[Any]:
        """The same for an evaluator, which has to know their schema."""
        return self.objects(rows)

    def _put_extras(self, value: object, extras: Any) -> None:
        put_extras(value, extras)

    def of(self, value: object, what: str) -> object:
        """An object, checked to be of the class, or of a class of that name.

        Raises:
            InvalidInputError: it is something else.
        """
        if self.takes(type(value)):
            return value
        raise InvalidInputError(
            f"{what} holds {shown_value(value)} where {self.wanted} is wanted, as the workflow was defined"
        )
