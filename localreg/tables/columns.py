"""Objects ↔ Arrow columns, following a schema. Columnar both ways: one pass over the objects for each field."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables.schema import Node, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["objects_of", "struct_column"]


def struct_column(values: Sequence[object], node: Node, *, what: str) -> pa.Array:
    """Objects as one column.

    Args:
        values: objects of the class that the schema was made of; None where there is none.
        node: their schema.
        what: what the values are, for messages.

    Raises:
        InvalidInputError: a value is not of its field's type; the field and the first such value are named.
    """
    return _column(values, node, what)


def _column(values: Sequence[Any], node: Node, path: str) -> pa.Array:
    import pyarrow as pa

    if node.type == "struct":
        children = [
            _column(
                [None if value is None else getattr(value, field.name) for value in values],
                field.node,
                f"{path}.{field.name}",
            )
            for field in node.fields
        ]
        absent = pa.array([value is None for value in values], pa.bool_())
        fields = [pa.field(field.name, child.type) for field, child in zip(node.fields, children, strict=True)]
        if not fields:
            return pa.array([None if value is None else {} for value in values], pa.struct([]))
        return pa.StructArray.from_arrays(children, fields=fields, mask=absent)
    if node.type == "list":
        assert node.items is not None
        offsets, total = [], 0
        for value in values:
            offsets.append(None if value is None else total)
            total += 0 if value is None else len(value)
        items = _column(
            list(chain.from_iterable(value for value in values if value is not None)), node.items, f"{path}[]"
        )
        return pa.ListArray.from_arrays(pa.array([*offsets, total], pa.int32()), items)
    _refuse_other_types(values, node, path)
    return pa.array(values, arrow_type(node))


_ACCEPTED: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def _refuse_other_types(values: Sequence[object], node: Node, path: str) -> None:
    accepted = _ACCEPTED[node.type]
    fine = {*accepted, *((type(None),) if node.optional or "." not in path else ())}
    # Looking at the set of types costs one pass in C; only odd ones (subclasses, numpy scalars) are looked at closer.
    for odd in set(map(type, values)) - fine:
        for number, value in enumerate(values):
            if type(value) is odd and not _fits(value, accepted, node.type):
                shown = "None" if value is None else f"{value!r}, a {odd.__name__}"
                raise InvalidInputError(f"{path} of number {number} is {shown}; it must be {node.type}")


def _fits(value: object, accepted: tuple[type, ...], name: str) -> bool:
    if isinstance(value, bool) and name != "bool":
        return False
    if isinstance(value, accepted):
        return True
    item = getattr(value, "item", None)  # a numpy scalar
    return type(value).__module__ == "numpy" and callable(item) and isinstance(item(), accepted)


def objects_of(array: pa.Array, node: Node, cls: type, **extra: Sequence[object]) -> list[Any]:
    """The objects that a column holds; fields that the class does not have are left out.

    Args:
        array: a column as `struct_column` makes it.
        node: the schema that it was written with.
        cls: the class to make objects of.
        extra: further fields, one value an object.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    hints = typing.get_type_hints(cls)
    wanted = {field.name for field in dataclasses.fields(cls)}
    names = [field.name for field in node.fields if field.name in wanted]
    columns: list[Iterable[object]] = [
        _values(array.field(field.name), field.node, hints[field.name]) for field in node.fields if field.name in wanted
    ]
    for name, values in extra.items():
        names.append(name)
        columns.append(values)
    rows: Iterable[tuple[object, ...]] = zip(*columns, strict=True) if columns else [()] * len(array)
    objects = [cls(**dict(zip(names, row, strict=True))) for row in rows]
    if not array.null_count:
        return objects
    return [made if there else None for made, there in zip(objects, array.is_valid().to_pylist(), strict=True)]


def _values(array: pa.Array, node: Node, hint: Any) -> list[Any]:
    hint = _class_of(hint)
    if node.type == "struct":
        return objects_of(array, node, hint)
    if node.type == "list":
        assert node.items is not None
        (item,) = typing.get_args(hint)[:1]
        items = _values(array.flatten(), node.items, item)
        made = tuple if typing.get_origin(hint) is tuple else list
        lengths = array.value_lengths().fill_null(0).to_pylist()
        ends = [0]
        for length in lengths:
            ends.append(ends[-1] + length)
        valid = array.is_valid().to_pylist()
        return [
            made(items[begin:end]) if there else None for (begin, end), there in zip(pairwise(ends), valid, strict=True)
        ]
    plain: list[Any] = array.to_pylist()
    return plain


def _class_of(hint: Any) -> Any:
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    is_optional = type(None) in typing.get_args(hint) and len(members) == 1
    return members[0] if is_optional else hint
