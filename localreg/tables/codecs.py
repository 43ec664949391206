"""Dataclasses ↔ Arrow columns, one pass over the objects for each field; and the codec of any node."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from localreg.errors import InvalidInputError
from localreg.tables.container_codecs import CodecOf, ListCodec, MapCodec, TupleCodec, UnionCodec, group
from localreg.tables.hints import hints_of, is_dataclass_type, peeled
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
from localreg.tables.schema import Node

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["StructCodec", "codec_of", "note_extras", "takes_extras"]


def codec_of(node: Node, hint: Any = None, inner: CodecOf | None = None) -> Codec:
    """What turns values of a hint into a column of a node, and back.

    Args:
        node: as recorded; a struct may have more fields than the class, which are then null, or extras of it.
        hint: the Python type; None = what JSON would make of the column.
        inner: makes the codecs of what is inside; None = this.
    """
    hint, inner = peeled(hint)[0], inner or codec_of
    if node.type == "struct":
        return StructCodec(node, hint, inner)
    if node.type == "list":
        return ListCodec(node, hint, inner)
    if node.type == "map":
        return MapCodec(node, hint, inner)
    if node.type == "tuple":
        return TupleCodec(node, hint, inner)
    if node.type == "union":
        return UnionCodec(node, hint, inner)
    if node.type == "enum":
        return EnumCodec(node, hint)
    if node.type == "vector":
        return VectorCodec(node)
    return TextCodec(node, hint) if node.type in ("uuid", "decimal", "path", "time") else PlainCodec(node)


class StructCodec:
    """Dataclasses; without a class, dicts.

    Args:
        node: as recorded.
        cls: the class, None for dicts.
        inner: makes the codecs of the fields; None = `codec_of`.

    Attributes:
        node: as recorded.
        cls: the class, None for dicts.
    """

    def __init__(self, node: Node, cls: type | None, inner: CodecOf | None = None) -> None:
        self.node = node
        self.cls = cls if is_dataclass_type(cls) else None
        hints = {} if self.cls is None else hints_of(self.cls)
        self._declared = {} if self.cls is None else {field.name: field for field in dataclasses.fields(self.cls)}
        self._codecs = {field.name: (inner or codec_of)(field.node, hints.get(field.name)) for field in node.fields}
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
        return group(children, list(self._codecs), [value is None for value in values] if nones else [])

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
