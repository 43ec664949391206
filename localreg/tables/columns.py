"""Objects ↔ Arrow columns, following a schema. Columnar both ways: one pass over the objects for each field.

Nothing is changed on the way: a value that its column could not give back is refused, with its field and owner named.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress, pairwise
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables.schema import Node, arrow_type, without_none

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["objects_of", "struct_column"]

NoneType = type(None)


class _MisfitError(Exception):
    """A value is not of its field's type."""


def struct_column(
    values: Sequence[object], node: Node, *, what: str, named: Callable[[int], str] | None = None
) -> pa.Array:
    """Objects as one column.

    Args:
        values: objects of the class that the schema was made of; None where there is none.
        node: their schema.
        what: what the values are, for messages.
        named: says for a message which the n-th value is, such as `test_samples[4]`.

    Raises:
        InvalidInputError: a value is not of its field's type; the field and the first such value are named.
    """
    absent = sum(value is None for value in values)
    try:
        return _column(values, node, what, absent)
    except _MisfitError as misfit:
        number, first = _first_misfit(values, node, what) or (0, misfit)
        raise InvalidInputError(f"{named(number) if named else f'number {number}'}: {first}") from first.__cause__


def _first_misfit(values: Sequence[object], node: Node, what: str) -> tuple[int, _MisfitError] | None:
    """The first value that cannot be stored: looked for one by one, once it is known that there is one."""
    for number, value in enumerate(values):
        try:
            _column([value], node, what, int(value is None))
        except _MisfitError as misfit:
            return number, misfit
    return None


def _column(values: Sequence[Any], node: Node, path: str, absent: int) -> pa.Array:
    """One node of the schema; so many Nones among the values as `absent` says are owed to what they would stand in."""
    nones = sum(value is None for value in values)
    if nones > absent and not node.optional:
        raise _MisfitError(f"{path} is None; it must be {_wanted(node)}")
    if node.type == "struct":
        return _structs(values, node, path, nones)
    return _lists(values, node, path) if node.type == "list" else _plain(values, node, path)


def _wanted(node: Node) -> str:
    return f"{'an' if node.type == 'int' else 'a'} {node.name if node.type == 'struct' else node.type}"


def _structs(values: Sequence[Any], node: Node, path: str, nones: int) -> pa.Array:
    import pyarrow as pa

    _refuse_other_classes(values, node, path)
    if not node.fields:
        return pa.array([None if value is None else True for value in values], arrow_type(node))
    children = [
        _column(
            [None if value is None else getattr(value, field.name) for value in values],
            field.node,
            f"{path}.{field.name}",
            nones,
        )
        for field in node.fields
    ]
    absent = pa.array([value is None for value in values], pa.bool_())
    fields = [pa.field(field.name, child.type) for field, child in zip(node.fields, children, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=absent)


def _refuse_other_classes(values: Sequence[object], node: Node, path: str) -> None:
    for cls in set(map(type, values)) - {NoneType}:
        base = next((base for base in cls.__mro__ if base.__name__ == node.name), None)
        if base is None or not {field.name for field in node.fields} <= _names(cls):
            shown = next(value for value in values if type(value) is cls)
            raise _MisfitError(f"{path} is {shown!r}, of type {cls.__name__}; it must be {_wanted(node)}")
        lost = _names(cls) - _names(base)
        if lost:
            raise _MisfitError(
                f"{path} is a {cls.__name__}, whose {', '.join(sorted(lost))} would be lost in a column of "
                f"{node.name}; declare the field as {cls.__name__}"
            )


def _names(cls: type) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()


def _lists(values: Sequence[Any], node: Node, path: str) -> pa.Array:
    import pyarrow as pa

    assert node.items is not None
    for cls in set(map(type, values)) - {list, tuple, NoneType}:
        shown = next(value for value in values if type(value) is cls)
        is_array = cls.__module__ == "numpy" and getattr(shown, "ndim", 0) > 0
        if not is_array and (not issubclass(cls, Sequence) or issubclass(cls, str | bytes | bytearray)):
            raise _MisfitError(f"{path} is {shown!r}, of type {cls.__name__}; it must be a list")
    offsets, total = [], 0
    for value in values:
        offsets.append(None if value is None else total)
        total += 0 if value is None else len(value)
    items = list(chain.from_iterable(value for value in values if value is not None))
    column = _column(items, node.items, f"{path}[]", 0)
    return pa.ListArray.from_arrays(pa.array([*offsets, total], pa.int32()), column)


def _plain(values: Sequence[object], node: Node, path: str) -> pa.Array:
    import pyarrow as pa

    _refuse_other_types(values, node, path)
    try:
        return pa.array(values, arrow_type(node))
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        # A whole number beyond 64 bits, or one that no float is equal to; half of a surrogate pair.
        shown = repr(values[0]) if len(values) == 1 else "a value"
        raise _MisfitError(f"{path} is {shown}, which cannot be stored exactly as {_wanted(node)}") from error


_ACCEPTED: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def _refuse_other_types(values: Sequence[object], node: Node, path: str) -> None:
    accepted = _ACCEPTED[node.type]
    # Looking at the set of types costs one pass in C; only odd ones (subclasses, numpy scalars) are looked at closer.
    for odd in set(map(type, values)) - {*accepted, NoneType}:
        for value in values:
            if type(value) is odd and not _fits(value, accepted, node.type):
                raise _MisfitError(f"{path} is {value!r}, of type {odd.__name__}; it must be {_wanted(node)}")


def _fits(value: object, accepted: tuple[type, ...], name: str) -> bool:
    if isinstance(value, bool) and name != "bool":
        return False
    if isinstance(value, accepted):
        return True
    item = getattr(value, "item", None)  # a numpy scalar
    return type(value).__module__ == "numpy" and callable(item) and _fits(item(), accepted, name)


def objects_of(array: pa.Array, node: Node, cls: type, **extra: Sequence[object]) -> list[Any]:
    """The objects that a column holds, None where there is none; fields that the class does not take are left out.

    Args:
        array: a column as `struct_column` makes it.
        node: the schema that it was written with.
        cls: the class to make objects of.
        extra: further fields, one value for each row.
    """
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count:
        valid = array.is_valid().to_pylist()
        there = {name: list(compress(values, valid)) for name, values in extra.items()}
        objects = iter(objects_of(array.drop_null(), node, cls, **there))
        return [next(objects) if is_there else None for is_there in valid]
    hints = typing.get_type_hints(cls)
    wanted = {field.name for field in dataclasses.fields(cls) if field.init}
    columns: dict[str, Iterable[object]] = {
        field.name: _values(array.field(field.name), field.node, hints[field.name])
        for field in node.fields
        if field.name in wanted
    }
    columns |= extra
    rows: Iterable[tuple[object, ...]] = zip(*columns.values(), strict=True) if columns else [()] * len(array)
    return [cls(**dict(zip(columns, row, strict=True))) for row in rows]


def _values(array: pa.Array, node: Node, hint: Any) -> list[Any]:
    hint = without_none(hint)[0]
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
