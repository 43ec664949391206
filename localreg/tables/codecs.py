"""Containers ↔ Arrow columns: lists, maps, tuples, structs, unions; and the codec of any node.

Columnar both ways: one pass over the objects for each field.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import chain, pairwise
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from localreg.errors import InvalidInputError
from localreg.tables.hints import SETS, hints_of, is_dataclass_type, peeled, union_members
from localreg.tables.plain_codecs import (
    Codec,
    EnumCodec,
    MisfitError,
    NoneType,
    PlainCodec,
    TextCodec,
    VectorCodec,
    article,
    refuse_nones,
    types_of,
)
from localreg.tables.schema import TAG, Node

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["StructCodec", "codec_of", "note_extras", "takes_extras"]


def codec_of(node: Node, hint: Any = None) -> Codec:
    """What turns values of a hint into a column of a node, and back.

    Args:
        node: as recorded; a struct may have more fields than the class, which are then null, or extras of it.
        hint: the Python type; None = what JSON would make of the column.
    """
    hint = peeled(hint)[0]
    if node.type == "struct":
        return StructCodec(node, hint)
    if node.type == "list":
        return _ListCodec(node, hint)
    if node.type == "map":
        return _MapCodec(node, hint)
    if node.type == "tuple":
        return _TupleCodec(node, hint)
    if node.type == "union":
        return _UnionCodec(node, hint)
    if node.type == "enum":
        return EnumCodec(node, hint)
    if node.type == "vector":
        return VectorCodec(node)
    return TextCodec(node, hint) if node.type in ("uuid", "decimal", "path", "time") else PlainCodec(node)


def _arguments(hint: Any, count: int) -> tuple[Any, ...]:
    return typing.get_args(hint)[:count] or (None,) * count


class _ListCodec:
    def __init__(self, node: Node, hint: Any) -> None:
        self.node = node
        self._items = codec_of(cast(Node, node.items), None if _is_numpy(hint) else _arguments(hint, 1)[0])
        self._made = _list_maker(hint)
        self._is_set = typing.get_origin(hint) in SETS
        self.can_have_extras = self._items.can_have_extras

    def has_extras(self, values: Sequence[Any]) -> bool:
        return self._items.has_extras(list(chain.from_iterable(value for value in values if value is not None)))

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
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


class _MapCodec:
    def __init__(self, node: Node, hint: Any) -> None:
        self.node = node
        keys, items = _arguments(hint, 2)
        self._keys, self._items = codec_of(cast(Node, node.keys), keys), codec_of(cast(Node, node.items), items)
        self.can_have_extras = self._items.can_have_extras

    def has_extras(self, values: Sequence[Any]) -> bool:
        return self._items.has_extras([item for value in values if value is not None for item in value.values()])

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
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


def _group(children: list[pa.Array], names: list[str], absent: list[bool]) -> pa.StructArray:
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


class _TupleCodec:
    def __init__(self, node: Node, hint: Any) -> None:
        self.node = node
        hints = _arguments(hint, len(node.fields))
        self._items = [codec_of(field.node, item) for field, item in zip(node.fields, hints, strict=True)]
        self._names = [field.name for field in node.fields]
        self.can_have_extras = any(item.can_have_extras for item in self._items)

    def has_extras(self, values: Sequence[Any]) -> bool:
        there = [value for value in values if value is not None]
        return any(
            item.can_have_extras and item.has_extras(list(map(itemgetter(place), there)))
            for place, item in enumerate(self._items)
        )

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
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
        return _group(children, self._names, [value is nothing for value in values] if nones else [])

    def _refuse_others(self, values: Sequence[Any], path: str, wanted: str) -> None:
        for odd in types_of(values):
            if not issubclass(odd, list | tuple):
                shown = next(value for value in values if type(value) is odd)
                raise MisfitError(f"{path} is {shown!r}, of type {odd.__name__}; it must be {wanted}")
        if set(map(len, values)) - {len(self._items)}:
            shown = next(value for value in values if len(value) != len(self._items))
            raise MisfitError(f"{path} is {shown!r}; it must be {wanted}")

    def decode(self, column: pa.Array) -> list[Any]:
        return _spread(column, self._tuples)

    def _tuples(self, column: pa.Array) -> list[Any]:
        columns = [item.decode(column.field(place)) for place, item in enumerate(self._items)]
        return list(zip(*columns, strict=True))


class _UnionCodec:
    def __init__(self, node: Node, hint: Any) -> None:
        self.node = node
        members = {} if hint is None else union_members(hint)
        self._members = {field.name: codec_of(field.node, members.get(field.name)) for field in node.fields}
        self.can_have_extras = any(member.can_have_extras for member in self._members.values())

    def has_extras(self, values: Sequence[Any]) -> bool:
        return any(
            member.has_extras([value for value in values if type(value).__name__ == name])
            for name, member in self._members.items()
            if member.can_have_extras
        )

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        import pyarrow as pa

        types = types_of(values)
        wanted = " or ".join(map(article, self._members))
        nones = refuse_nones(values, types, self.node, path, absent, wanted)
        tags = {cls: self._tag(cls, values, path, wanted) for cls in types - {NoneType}} | {NoneType: None}
        given = [tags[type(value)] for value in values]
        children = [pa.array(given, pa.string()).dictionary_encode()]
        for name, member in self._members.items():
            own = [value if tag == name else None for value, tag in zip(values, given, strict=True)]
            children.append(member.encode(own, f"{path}.{name}", len(values)))
        return _group(children, [TAG, *self._members], [value is None for value in values] if nones else [])

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
        return _spread(column, self._values)

    def _values(self, column: pa.Array) -> list[Any]:
        tags = column.field(TAG).to_pylist()
        members = {
            name: member.decode(column.field(name)) for name, member in self._members.items() if name in set(tags)
        }
        return [members[tag][row] for row, tag in enumerate(tags)]


class StructCodec:
    """Dataclasses; without a class, dicts.

    Attributes:
        node: as recorded.
        cls: the class, None for dicts.
    """

    def __init__(self, node: Node, cls: type | None) -> None:
        self.node = node
        self.cls = cls if is_dataclass_type(cls) else None
        hints = {} if self.cls is None else hints_of(self.cls)
        self._declared = {} if self.cls is None else {field.name: field for field in dataclasses.fields(self.cls)}
        self._codecs = {field.name: codec_of(field.node, hints.get(field.name)) for field in node.fields}
        self._optional = {name for name in self._declared if peeled(hints[name])[2]}
        self._holding = [name for name in self._declared.keys() & self._codecs if self._codecs[name].can_have_extras]
        self.can_have_extras = bool(self._holding) or (self.cls is not None and takes_extras(self.cls))

    # --- objects → column -------------------------------------------------------------------------------------------

    def encode(self, values: Sequence[Any], path: str, absent: int) -> pa.Array:
        """See `Codec`."""
        import pyarrow as pa

        types = types_of(values)
        wanted = "a dict" if self.cls is None else article(self.cls.__name__)
        nones = refuse_nones(values, types, self.node, path, absent, wanted)
        self._refuse_other_classes(values, types, path, wanted)
        if not self._codecs:
            return pa.array([None if value is None else True for value in values], pa.bool_())
        children = [
            codec.encode(self._column(values, name, nones, types), f"{path}.{name}", self._owed(name, values, nones))
            for name, codec in self._codecs.items()
        ]
        return _group(children, list(self._codecs), [value is None for value in values] if nones else [])

    def _owed(self, name: str, values: Sequence[Any], nones: int) -> int:
        """How many Nones a field may have; any number if the class does not declare it."""
        return nones if name in self._declared else len(values)

    def _column(self, values: Sequence[Any], name: str, nones: int, types: set[type]) -> list[Any]:
        if self.cls is None:
            return [value and value.get(name) for value in values]
        if name in self._declared:
            if not nones:
                return list(map(attrgetter(name), values))
            return [None if value is None else getattr(value, name) for value in values]
        if not any(map(takes_extras, types)):
            return [None] * len(values)
        return [None if value is None else vars(value).get(name) for value in values]

    def _refuse_other_classes(self, values: Sequence[object], types: set[type], path: str, wanted: str) -> None:
        for cls in types - {NoneType}:
            if self.cls is None:
                if not issubclass(cls, Mapping):
                    shown = next(value for value in values if type(value) is cls)
                    raise MisfitError(f"{path} is {shown!r}, of type {cls.__name__}; it must be {wanted}")
            elif cls is not self.cls:
                self._refuse_other_class(cls, values, path, wanted)

    def _refuse_other_class(self, cls: type, values: Sequence[object], path: str, wanted: str) -> None:
        assert self.cls is not None
        # By name: a notebook's cell that was run again leaves objects of the older class of that name.
        base = next((base for base in cls.__mro__ if base.__name__ == self.cls.__name__), None)
        if base is None or not (self._declared.keys() & self._codecs.keys()) <= _names(cls):
            shown = next(value for value in values if type(value) is cls)
            raise MisfitError(f"{path} is {shown!r}, of type {cls.__name__}; it must be {wanted}")
        lost = _names(cls) - _names(base)
        if lost:
            raise MisfitError(
                f"{path} is a {cls.__name__}, whose {', '.join(sorted(lost))} would be lost in a column of "
                f"{self.cls.__name__}; declare the field as {cls.__name__}"
            )

    def has_extras(self, values: Sequence[Any]) -> bool:
        """See `Codec`."""
        there = [value for value in values if value is not None]
        for cls in types_of(there):
            if _may_hold_extras(cls) and max(map(len, map(vars, there))) > len(dataclasses.fields(cls)):
                return True
        return any(self._codecs[name].has_extras(list(map(attrgetter(name), there))) for name in self._holding)

    # --- column → objects -------------------------------------------------------------------------------------------

    def decode(self, column: pa.Array, **beside: Sequence[object]) -> list[Any]:
        """See `Codec`.

        Args:
            column: as `encode` makes it, or with fewer fields.
            beside: values of further fields, one for each row.
        """
        if not column.null_count:
            return self._objects(column, beside)
        valid = column.is_valid().to_pylist()
        there = {name: [v for v, ok in zip(values, valid, strict=True) if ok] for name, values in beside.items()}
        objects = iter(self._objects(column.drop_null(), there))
        return [next(objects) if ok else None for ok in valid]

    def _objects(self, column: pa.Array, beside: Mapping[str, Sequence[object]]) -> list[Any]:
        import pyarrow as pa

        names = {field.name for field in column.type} if pa.types.is_struct(column.type) else set()
        columns: dict[str, Sequence[Any]] = {
            # What was written before the field was there is as null.
            name: codec.decode(column.field(name)) if name in names else [None] * len(column)
            for name, codec in self._codecs.items()
        }
        columns |= beside
        if self.cls is None:
            rows = zip(*columns.values(), strict=True) if columns else [()] * len(column)
            return [dict(zip(columns, row, strict=True)) for row in rows]
        own = {
            name: self._defaulted(name, columns[name])
            for name, field in self._declared.items()
            if field.init and name in columns
        }
        made = self._made(own, len(column))
        if takes_extras(self.cls):
            for name in columns.keys() - self._declared.keys():
                for each, value in zip(made, columns[name], strict=True):
                    if value is not None:
                        vars(each)[name] = value  # it was made just now, and nobody has seen it
        return made

    def _defaulted(self, name: str, values: Sequence[Any]) -> Sequence[Any]:
        """What was written before a field was there has its default, unless None is a value of it."""
        field = self._declared[name]
        if name in self._optional or not any(value is None for value in values):
            return values
        if field.default is not dataclasses.MISSING:
            return [field.default if value is None else value for value in values]
        if field.default_factory is not dataclasses.MISSING:
            factory = field.default_factory
            return [factory() if value is None else value for value in values]
        return values

    def _made(self, columns: dict[str, Sequence[Any]], count: int) -> list[Any]:
        assert self.cls is not None
        try:
            return self._constructed(columns, count)
        except Exception as error:  # what a user's own constructor, or pydantic's, raises
            lacking = [name for name, values in columns.items() if self._lacks(name, values)]
            advice = (
                f"give {lacking[0]} a default, or let it be None" if lacking else "load them with the class as it was"
            )
            reason = " ".join(str(error).split())[:300]
            raise InvalidInputError(
                f"what is stored cannot be made a {self.cls.__name__}: {type(error).__name__}: {reason}; {advice}"
            ) from error

    def _lacks(self, name: str, values: Sequence[Any]) -> bool:
        return name not in self._optional and any(value is None for value in values)

    def _constructed(self, columns: dict[str, Sequence[Any]], count: int) -> list[Any]:
        assert self.cls is not None
        if not columns:
            return [self.cls() for _ in range(count)]
        positional = [field.name for field in self._declared.values() if field.init and not field.kw_only]
        if list(columns) == positional[: len(columns)]:
            return list(map(self.cls, *columns.values()))
        rows = zip(*columns.values(), strict=True)
        return [self.cls(**dict(zip(columns, row, strict=True))) for row in rows]


def takes_extras(cls: type) -> bool:
    """Whether objects of a class keep keywords beyond their fields, in their `__dict__`."""
    config = getattr(cls, "__pydantic_config__", None)
    if isinstance(config, Mapping) and config.get("extra") == "allow":
        return True
    return bool(getattr(cls, "__localreg_extras__", False))


_holding: WeakSet[type] = WeakSet()


def note_extras(cls: type) -> None:
    """Tell that an object of an extensible class got an extra: of others nobody has to look into each object.

    The look makes each object's dict, which costs as much as making the object.
    """
    _holding.add(cls)


def _may_hold_extras(cls: type) -> bool:
    return cls in _holding if getattr(cls, "__localreg_extras__", False) else takes_extras(cls)


def _names(cls: type) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
