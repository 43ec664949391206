"""Containers ↔ Arrow columns: lists, maps, tuples, unions. Columnar both ways, one pass over the values of each."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import chain, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from localreg.tables.hints import SETS, union_members
from localreg.tables.plain_codecs import Codec, MisfitError, NoneType, article, refuse_nones, types_of
from localreg.tables.schema import TAG, Node

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ListCodec", "MapCodec", "TupleCodec", "UnionCodec", "group"]

CodecOf: TypeAlias = Callable[[Node, Any], Codec]
"""Makes the codecs of what is inside: `localreg.tables.codecs.codec_of`."""


def _arguments(hint: Any, count: int) -> tuple[Any, ...]:
    return typing.get_args(hint)[:count] or (None,) * count


class ListCodec:
    """Lists, variadic tuples, sets, other sequences and numpy vectors of any length."""

    def __init__(self, node: Node, hint: Any, codec_of: CodecOf) -> None:
        self.node = node
        self._items = codec_of(cast(Node, node.items), None if _is_numpy(hint) else _arguments(hint, 1)[0])
        self._made = _list_maker(hint)
        self._is_set = typing.get_origin(hint) in SETS
        self.can_have_extras = self._items.can_have_extras

    def has_extras(self, values: Sequence[Any]) -> bool:
        """See `Codec`."""
        return self._items.has_extras(list(chain.from_iterable(value for value in values if value is not None)))

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import pyarrow as pa

        types = types_of(values)
        refuse_nones(values, types, self.node, path, absent, "a list")
        if types - {list, tuple, NoneType}:
            values = [self._listed(value, path) for value in values]
        offsets, total = [], 0
        for value in values:
            offsets.append(None if value is None else total)
            total += 0 if value is None else len(value)
        items = list(chain.from_iterable(value for value in values if value is not None))
        column = self._items.encode(items, f"{path}[]", 0)
        return pa.ListArray.from_arrays(pa.array([*offsets, total], pa.int32()), column)

    def _listed(self, value: Any, path: str) -> Any:
        """A value that is no plain list as one: numpy arrays, sets where a set is declared, other sequences."""
        if value is None:
            return None
        if type(value).__module__ == "numpy" and getattr(value, "ndim", 0) > 0:
            return value.tolist()
        if self._is_set and isinstance(value, Set):
            return _ordered(value)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
            raise MisfitError(f"{path} is {value!r}, of type {type(value).__name__}; it must be a list")
        return value

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        items = self._items.decode(column.flatten())
        lengths = column.value_lengths()
        if not column.null_count:
            return list(map(self._made, _cut(items, lengths.to_numpy(zero_copy_only=False).tolist())))
        cut = _cut(items, lengths.fill_null(0).to_pylist())
        return [
            self._made(each) if there else None for each, there in zip(cut, column.is_valid().to_pylist(), strict=True)
        ]


def _cut(items: list[Any], lengths: list[int]) -> list[list[Any]]:
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    return [items[begin:end] for begin, end in pairwise(ends)]


def _is_numpy(hint: Any) -> bool:
    return getattr(typing.get_origin(hint), "__module__", "") == "numpy"


def _list_maker(hint: Any) -> Callable[[list[Any]], Any]:
    if _is_numpy(hint):
        import numpy as np

        (dtype,) = typing.get_args(typing.get_args(hint)[-1])
        return lambda items: np.array(items, dtype)
    origin = typing.get_origin(hint)
    if origin is collections.abc.Set:
        return frozenset
    return origin if origin in (tuple, set, frozenset) else list


def _ordered(items: Set[Any]) -> list[Any]:
    """The items of a set, in an order that equal sets have in common."""
    # Numbers with NaN among them and sets have a `<` that is no order.
    if not any(isinstance(item, Set) or item != item for item in items):
        try:
            return sorted(items)
        except TypeError:
            pass
    return sorted(items, key=_shown)


def _shown(item: object) -> str:
    return f"{{{', '.join(map(_shown, _ordered(item)))}}}" if isinstance(item, Set) else repr(item)


class MapCodec:
    """Dicts."""

    def __init__(self, node: Node, hint: Any, codec_of: CodecOf) -> None:
        self.node = node
        keys, items = _arguments(hint, 2)
        self._keys, self._items = codec_of(cast(Node, node.keys), keys), codec_of(cast(Node, node.items), items)
        self.can_have_extras = self._items.can_have_extras

    def has_extras(self, values: Sequence[Any]) -> bool:
        """See `Codec`."""
        return self._items.has_extras([item for value in values if value is not None for item in value.values()])

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import pyarrow as pa

        types = types_of(values)
        refuse_nones(values, types, self.node, path, absent, "a dict")
        for odd in types - {dict, NoneType}:
            if not issubclass(odd, Mapping):
                shown = next(value for value in values if type(value) is odd)
                raise MisfitError(f"{path} is {shown!r}, of type {odd.__name__}; it must be a dict")
        offsets, total = [], 0
        for value in values:
            offsets.append(None if value is None else total)
            total += 0 if value is None else len(value)
        there = [value for value in values if value is not None]
        keys = self._keys.encode(list(chain.from_iterable(there)), f"a key of {path}", 0)
        items = self._items.encode(list(chain.from_iterable(value.values() for value in there)), f"{path}[…]", 0)
        return pa.MapArray.from_arrays(pa.array([*offsets, total], pa.int32()), keys, items)

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        import pyarrow as pa

        lengths = pa.compute.list_value_length(column.cast(_as_list(column.type))).fill_null(0).to_pylist()
        begin, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
        keys = self._keys.decode(column.keys.slice(begin, end - begin))
        items = self._items.decode(column.items.slice(begin, end - begin))
        cut = zip(_cut(keys, lengths), _cut(items, lengths), column.is_valid().to_pylist(), strict=True)
        return [dict(zip(names, values, strict=True)) if there else None for names, values, there in cut]


def _as_list(type: pa.MapType) -> pa.ListType:
    import pyarrow as pa

    return pa.list_(pa.struct([pa.field("key", type.key_type, nullable=False), pa.field("value", type.item_type)]))


def group(children: list[pa.Array], names: list[str], absent: list[bool]) -> pa.StructArray:
    """Columns as one struct column, null where `absent` says so; none is if it is empty."""
    import pyarrow as pa

    fields = [pa.field(name, child.type) for name, child in zip(names, children, strict=True)]
    mask = pa.array(absent, pa.bool_()) if any(absent) else None
    return pa.StructArray.from_arrays(children, fields=fields, mask=mask)


def _spread(column: pa.Array, made: Callable[[pa.Array], list[Any]]) -> list[Any]:
    """What is made of the values that are there, None in between."""
    if not column.null_count:
        return made(column)
    values = iter(made(column.drop_null()))
    return [next(values) if there else None for there in column.is_valid().to_pylist()]


class TupleCodec:
    """Tuples of a fixed length."""

    def __init__(self, node: Node, hint: Any, codec_of: CodecOf) -> None:
        self.node = node
        hints = _arguments(hint, len(node.fields))
        self._items = [codec_of(field.node, item) for field, item in zip(node.fields, hints, strict=True)]
        self._names = [field.name for field in node.fields]
        self.can_have_extras = any(item.can_have_extras for item in self._items)

    def has_extras(self, values: Sequence[Any]) -> bool:
        """See `Codec`."""
        there = [value for value in values if value is not None]
        return any(
            item.can_have_extras and item.has_extras(list(map(itemgetter(place), there)))
            for place, item in enumerate(self._items)
        )

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        types = types_of(values)
        count = len(self._items)
        wanted = f"a tuple of {count}"
        nones = refuse_nones(values, types, self.node, path, absent, wanted)
        if types - {list, tuple, NoneType}:
            values = [value.tolist() if type(value).__module__ == "numpy" else value for value in values]
        there = [value for value in values if value is not None] if nones else values
        self._refuse_others(there, path, wanted)
        if nones:
            nothing = (None,) * count
            values = [nothing if value is None else value for value in values]
        children = [
            item.encode(list(map(itemgetter(place), values)), f"{path}.{name}", nones)
            for place, (item, name) in enumerate(zip(self._items, self._names, strict=True))
        ]
        return group(children, self._names, [value is nothing for value in values] if nones else [])

    def _refuse_others(self, values: Sequence[Any], path: str, wanted: str) -> None:
        for odd in types_of(values):
            if not issubclass(odd, list | tuple):
                shown = next(value for value in values if type(value) is odd)
                raise MisfitError(f"{path} is {shown!r}, of type {odd.__name__}; it must be {wanted}")
        if set(map(len, values)) - {len(self._items)}:
            shown = next(value for value in values if len(value) != len(self._items))
            raise MisfitError(f"{path} is {shown!r}; it must be {wanted}")

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        return _spread(column, self._tuples)

    def _tuples(self, column: pa.Array) -> list[Any]:
        columns = [item.decode(column.field(place)) for place, item in enumerate(self._items)]
        return list(zip(*columns, strict=True))


class UnionCodec:
    """One of several types: a tag, and a column for each."""

    def __init__(self, node: Node, hint: Any, codec_of: CodecOf) -> None:
        self.node = node
        members = {} if hint is None else union_members(hint)
        self._members = {field.name: codec_of(field.node, members.get(field.name)) for field in node.fields}
        self.can_have_extras = any(member.can_have_extras for member in self._members.values())

    def has_extras(self, values: Sequence[Any]) -> bool:
        """See `Codec`."""
        return any(
            member.has_extras([value for value in values if type(value).__name__ == name])
            for name, member in self._members.items()
            if member.can_have_extras
        )

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import pyarrow as pa

        types = types_of(values)
        wanted = " or ".join(map(article, self._members))
        nones = refuse_nones(values, types, self.node, path, absent, wanted)
        given = self._tags(values, path, wanted)
        children = [pa.array(given, pa.string()).dictionary_encode()]
        for name, member in self._members.items():
            own = [value if tag == name else None for value, tag in zip(values, given, strict=True)]
            children.append(member.encode(own, f"{path}.{name}", len(values)))
        return group(children, [TAG, *self._members], [value is None for value in values] if nones else [])

    def _tags(self, values: Sequence[Any], path: str, wanted: str) -> list[str | None]:
        """The member that each value is, None for None."""
        tags: dict[type, str | None] = {NoneType: None}
        tags |= {cls: self._tag(cls, values, path, wanted) for cls in types_of(values) - {NoneType}}
        return [tags[type(value)] for value in values]

    def _tag(self, cls: type, values: Sequence[Any], path: str, wanted: str) -> str:
        shown = next(value for value in values if type(value) is cls)
        if cls.__module__ == "numpy" and hasattr(shown, "item"):
            cls = type(shown.item())
        name = next((base.__name__ for base in cls.__mro__ if base.__name__ in self._members), None)
        if name is None and issubclass(cls, int) and "float" in self._members:
            name = "float"  # as type checkers have it
        if name is None:
            raise MisfitError(f"{path} is {shown!r}, of type {cls.__name__}; it must be {wanted}")
        return name

    def decode(self, column: pa.Array) -> list[Any]:
        """See `Codec`."""
        return _spread(column, self._values)

    def _values(self, column: pa.Array) -> list[Any]:
        tags = column.field(TAG).to_pylist()
        members = {
            name: member.decode(column.field(name)) for name, member in self._members.items() if name in set(tags)
        }
        return [members[tag][row] for row, tag in enumerate(tags)]
