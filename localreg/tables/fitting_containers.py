"""Columns of containers of any origin → those of a recorded schema: see `localreg.tables.fitting`."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from localreg.errors import InvalidInputError
from localreg.tables.fitting_lists import as_sets, fields_as_pairs, floats_of_32_bits, is_number, with_doubles, without
from localreg.tables.fitting_place import Fitting, Place, either, note, nulls_of, refused
from localreg.tables.fitting_plain import decoded
from localreg.tables.hints import SETS, peeled, union_members
from localreg.tables.schema import TAG, Node, arrow_type

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["CONTAINERS"]

Fit: TypeAlias = "Callable[[pa.Array, Node, Place, Fitting], pa.Array]"
"""What fits the columns within: `localreg.tables.fitting`."""


def _is_listed(column: pa.Array) -> bool:
    import pyarrow as pa

    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(column.type) for is_kind in kinds)


def _items(column: pa.Array, absent: pa.Array | None) -> tuple[Indices, pa.Array]:
    """Where the items of each list begin, and one number more; and the items, those of nulls left out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if absent is not None:
        column = pc.if_else(absent, pa.scalar(None, column.type), column)
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), column.flatten()


def _inside(place: Place, begins: Indices, name: str, hint: Any, faulty: npt.NDArray[np.bool_]) -> Place:
    """The place of the items of lists; those that hold a fault are marked in `faulty`."""
    import numpy as np

    outer = place.rows

    def rows(positions: Indices) -> Indices:
        lists = np.searchsorted(begins, positions, side="right") - 1
        faulty[lists] = True
        return outer(lists)

    return replace(
        place,
        path=f"{place.path}{name}",
        hint=hint,
        rows=rows,
        absent=None,
        needed=True,
    )


def _argument(hint: Any, number: int) -> Any:
    arguments = typing.get_args(peeled(hint)[0]) if hint is not None else ()
    return arguments[number] if number < len(arguments) else None


def list_column(column: pa.Array, node: Node, place: Place, found: Fitting, fit: Fit) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if not _is_listed(column):
        raise refused(column, node, place.path)
    begins, items = _items(column, place.absent)
    if begins[-1] > np.iinfo(np.int32).max:
        raise InvalidInputError(f"{place.path} has {begins[-1]:,} items in one batch; give smaller batches")
    faulty = np.zeros(len(column), bool)
    inside = _inside(place, begins, "[]", _argument(place.hint, 0), faulty)
    made = fit(items, cast(Node, node.items), inside, found)
    absent = either(nulls_of(column), place.absent)
    hint = None if place.hint is None else peeled(place.hint)[0]
    if typing.get_origin(hint) in SETS:
        if faulty.any():
            absent = either(absent, pa.array(faulty))
            begins, made = without(begins, faulty, made)
        begins, made = as_sets(begins, made, replace(node, optional=True), hint)
    return pa.ListArray.from_arrays(pa.array(begins.astype(np.int32)), made, type=arrow_type(node), mask=absent)


def map_column(column: pa.Array, node: Node, place: Place, found: Fitting, fit: Fit) -> pa.Array:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_map(column.type):
        kinds = [("key", column.type.key_type), ("value", column.type.item_type)]
        begins, pairs = _items(column.cast(pa.list_(pa.struct(kinds))), place.absent)
        keys, items = (pc.struct_field(pairs, name) for name in ("key", "value"))
    elif pa.types.is_struct(column.type):
        begins, keys, items = fields_as_pairs(column, either(nulls_of(column), place.absent))
    else:
        raise refused(column, node, place.path, "; give a map, or a struct of its keys")
    faulty = np.zeros(len(column), bool)
    inside = (_inside(place, begins, name, _argument(place.hint, n), faulty) for n, name in enumerate(("{}", "[]")))
    keys = fit(keys, cast(Node, node.keys), next(inside), found)
    items = fit(items, cast(Node, node.items), next(inside), found)
    twice = with_doubles(begins, keys)
    note(column, pa.array(twice), place, found, "have each key once")
    absent, gone = either(nulls_of(column), place.absent), faulty | twice
    if gone.any():  # a map has neither nulls nor doubles among its keys
        absent = either(absent, pa.array(gone))
        begins, keys, items = without(begins, gone, keys, items)
    return pa.MapArray.from_arrays(pa.array(begins.astype(np.int32)), keys, items, mask=absent)


def tuple_column(column: pa.Array, node: Node, place: Place, found: Fitting, fit: Fit) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    null, count = nulls_of(column), len(node.fields)
    absent = either(place.absent, null)
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        wanted = [field.name for field in node.fields]
        if set(names) != set(wanted) and len(names) != count:
            raise refused(column, node, place.path)
        order = wanted if set(names) == set(wanted) else names
        items = [column.field(name) for name in order]
    elif _is_listed(column):
        begins, flat = _items(column, place.absent)
        wrong = np.diff(begins) != count
        if absent is not None:
            wrong &= ~absent.to_numpy(zero_copy_only=False)
        if wrong.any():
            note(column, pa.array(wrong), place, found, f"have {count} items")
            absent = either(absent, pa.array(wrong))
        places = pa.array(begins[:-1], mask=None if absent is None else absent.to_numpy(zero_copy_only=False))
        items = [flat.take(pa.compute.add(places, number)) for number in range(count)]
    else:
        raise refused(column, node, place.path)
    children = [
        fit(item, field.node, place.within(f".{field.name}", _argument(place.hint, number), absent=absent), found)
        for number, (item, field) in enumerate(zip(items, node.fields, strict=True))
    ]
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(node)), mask=absent)


def vector_column(column: pa.Array, node: Node, place: Place, found: Fitting, fit: Fit) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if not _is_listed(column) or not is_number(column.type.value_type):
        raise refused(column, node, place.path)
    begins, flat = _items(column, place.absent)
    absent = either(place.absent, nulls_of(column))
    gone = np.zeros(len(column), bool) if absent is None else absent.to_numpy(zero_copy_only=False).copy()
    nulls = flat.is_null().to_numpy(zero_copy_only=False)
    wrong = (np.diff(begins) != node.size) & ~gone
    holding = np.searchsorted(begins, np.flatnonzero(nulls), side="right") - 1
    wrong[holding] = True
    if wrong.any():
        note(column, pa.array(wrong), place, found, f"have {node.size} numbers")
    numbers = np.zeros((len(column), node.size), np.float32)
    good = np.flatnonzero(~gone & ~wrong)
    values = floats_of_32_bits(flat)
    beyond = np.isinf(values) & ~np.isinf(flat.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    holding = np.searchsorted(begins, np.flatnonzero(beyond), side="right") - 1
    large = np.zeros(len(column), bool)
    large[holding] = True
    if large.any():
        note(column, pa.array(large), place, found, "have numbers that floats of 32 bits can hold")
    if len(good) * node.size == len(values):
        numbers[good] = values.reshape(-1, node.size)
    else:
        numbers[good] = values[begins[good][:, None] + np.arange(node.size)]
    mask = pa.array(gone | wrong)
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), node.size, mask=mask)


# --- unions -----------------------------------------------------------------------------------------------------------


def union_column(column: pa.Array, node: Node, place: Place, found: Fitting, fit: Fit) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [field.name for field in node.fields]
    given = [field.name for field in column.type] if pa.types.is_struct(column.type) else []
    if TAG not in given or not set(given) <= {TAG, *names}:
        raise refused(column, node, place.path, f"; give a struct of {TAG!r} and {', '.join(map(repr, names))}")
    null = nulls_of(column)
    absent = either(place.absent, null)
    hints = {} if place.hint is None else union_members(peeled(place.hint)[0])
    tag = decoded(column.field(TAG)).cast(pa.string())
    note(tag, pc.invert(pc.is_in(tag, pa.array(names))), place.within(f".{TAG}", None, absent=absent), found, "be one")
    children: list[pa.Array] = [tag.dictionary_encode()]
    for field in node.fields:
        other = pc.fill_null(pc.not_equal(tag, field.name), True)
        elsewhere = other if absent is None else pc.or_(absent, other)
        if field.name not in given:
            note(tag, pc.equal(tag, field.name), place.within(f".{TAG}", None, absent=absent), found, "be given, too")
            children.append(pa.nulls(len(column), arrow_type(field.node)))
            continue
        inner = place.within(f".{field.name}", hints.get(field.name), absent=elsewhere)
        made = fit(column.field(field.name), field.node, inner, found)
        children.append(pc.if_else(elsewhere, pa.scalar(None, made.type), made))
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(node)), mask=null)


CONTAINERS: dict[str, Callable[[Any, Node, Place, Fitting, Fit], Any]] = {
    "list": list_column,
    "map": map_column,
    "tuple": tuple_column,
    "vector": vector_column,
    "union": union_column,
}
"""What makes a column of each type of container but structs."""
