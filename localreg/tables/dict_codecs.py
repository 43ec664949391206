"""Dicts ↔ columns of a recorded schema, for programs that have no classes: what one reads as dicts it can write again.

`StructCodec` without a class takes of dicts what it has fields for, which is enough to read. Here fields that are not
optional must be given, members of unions are told by a key `type`, and, where the dicts are to be stored, a key that
is no field is refused, however deep it stands: a mistyped one would be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from localreg.names import did_you_mean
from localreg.tables.codecs import StructCodec, codec_of
from localreg.tables.container_codecs import UnionCodec
from localreg.tables.plain_codecs import Codec, MisfitError
from localreg.tables.schema import TAG, Node

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DictCodec"]


class DictCodec(StructCodec):
    """Dicts, both ways.

    Args:
        node: as recorded.
        exact: whether keys that are no fields are refused; else they are passed over.
        beside: keys that are no fields, and fine all the same.
    """

    def __init__(self, node: Node, *, exact: bool, beside: Collection[str] = ()) -> None:
        super().__init__(node, None, partial(_codec_of, exact=exact))
        self._exact = exact
        self._names = {*self._codecs, *beside}

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        if self._exact:
            for value in values:
                if isinstance(value, Mapping) and not value.keys() <= self._names:
                    raise self._unknown(value, path)
        return super().encode(values, path, absent)

    def _owed(self, name: str, values: Sequence[Any], nones: int) -> int:
        return nones

    def _unknown(self, value: Mapping[Any, Any], path: str) -> MisfitError:
        key = next(key for key in value if key not in self._names)
        known = [field.name for field in self.node.fields]
        hint = did_you_mean(str(key), known) or f"; the fields are {', '.join(known) or 'none'}"
        return MisfitError(f"{path} has a key {key!r}, which is no field{hint}")


class _DictUnionCodec(UnionCodec):
    """One of several types, of which those with fields are dicts that name theirs by a key `type`.

    It may be left out where the other keys tell it.
    """

    def __init__(self, node: Node, hint: Any, *, exact: bool) -> None:
        super().__init__(node, hint, partial(_member_codec_of, exact=exact))
        self._structs = {field.name: field.node for field in node.fields if field.node.type == "struct"}

    def _tags(self, values: Sequence[Any], path: str, wanted: str) -> list[str | None]:
        others = [None if isinstance(value, Mapping) else value for value in values]
        tags = super()._tags(others, path, wanted)
        return [
            self._named(value, path, wanted) if isinstance(value, Mapping) else tag
            for value, tag in zip(values, tags, strict=True)
        ]

    def _named(self, value: Mapping[str, Any], path: str, wanted: str) -> str:
        """The member that a dict is."""
        said = value.get(TAG)
        if isinstance(said, str) and said in self._structs and self._structs[said].field(TAG) is None:
            return said
        fitting = [name for name, node in self._structs.items() if _fits(value, node)]
        if len(fitting) == 1:
            return fitting[0]
        told = f"{TAG!r} {said!r}" if TAG in value else f"keys {list(value)!r}"
        hint = did_you_mean(said, self._structs) if isinstance(said, str) else ""
        raise MisfitError(
            f"{path} is a dict with {told}, which does not say what it is{hint}; name it by {TAG!r}: {wanted}"
        )

    def _values(self, column: pa.Array) -> list[Any]:
        tags = column.field(TAG).to_pylist()
        told = {name for name, node in self._structs.items() if node.field(TAG) is None}
        return [
            {TAG: tag, **value} if tag in told else value
            for tag, value in zip(tags, super()._values(column), strict=True)
        ]


def _fits(value: Mapping[str, Any], node: Node) -> bool:
    names = {field.name for field in node.fields}
    return value.keys() <= names and all(field.node.optional or field.name in value for field in node.fields)


def _codec_of(node: Node, hint: Any = None, *, exact: bool) -> Codec:
    if node.type == "struct":
        return DictCodec(node, exact=exact)
    if node.type == "union":
        return _DictUnionCodec(node, hint, exact=exact)
    return codec_of(node, None, partial(_codec_of, exact=exact))


def _member_codec_of(node: Node, hint: Any = None, *, exact: bool) -> Codec:
    """Of a member of a union, whose dicts may hold the key that names it."""
    return DictCodec(node, exact=exact, beside=(TAG,)) if node.type == "struct" else _codec_of(node, exact=exact)
