"""Columns of any origin → columns of a recorded schema, whole arrays at a time.

What users bring (Arrow, pandas, Polars, files) has types of its own: 32-bit numbers, large strings, dictionaries,
lists where a tuple is wanted. `fit` takes every type that can say exactly what the schema's can, value by value where
that depends on the value, and tells which values it cannot take. Nothing is changed on the way: what its column could
not give back is a fault.

Within a struct, a plain value stands for a struct with one required field: `"cat"` for `Label(label="cat")`.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from localreg.errors import InvalidInputError
from localreg.tables.codecs import codec_of
from localreg.tables.faults import Fault
from localreg.tables.fitting_lists import as_sets, fields_as_pairs, floats_of_32_bits, is_number, with_doubles, without
from localreg.tables.fitting_plain import PLAIN, decoded
from localreg.tables.hints import SETS, hints_of, is_dataclass_type, peeled, union_members
from localreg.tables.schema import TAG, Node, arrow_type, described

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Fitting", "fit"]


@dataclass(eq=False)
class Fitting:
    """What came up while columns were fitted.

    Attributes:
        faults: values that their field cannot take.
        unknown: paths of fields within structs that the schema does not have, which were left out.
    """

    faults: list[Fault] = dataclasses.field(default_factory=list)
    unknown: set[str] = dataclasses.field(default_factory=set)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a column stands.

    Attributes:
        path: for messages.
        hint: the Python type of its values; None = unknown.
        rows: the rows in which values stand, by their positions in the column.
        absent: which values nobody will look at, since what they would stand in is null; None = none.
        needed: whether null is a fault where the schema does not say that it is a value.
    """

    path: str
    hint: Any
    rows: Callable[[Indices], Indices]
    absent: pa.Array | None = None
    needed: bool = True

    def within(self, name: str, hint: Any, *, absent: pa.Array | None, needed: bool = True) -> _Place:
        return replace(self, path=f"{self.path}{name}", hint=hint, absent=absent, needed=needed)


def fit(column: pa.Array, node: Node, path: str, found: Fitting, *, hint: Any = None) -> pa.Array:
    """A column as the schema has it; where a value does not fit, a fault is noted, and null stands there.

    Args:
        column: any Arrow array that is valid (`validate(full=True)`); one row for each value.
        node: what it is to be.
        path: of the column, for messages.
        found: where faults go.
        hint: the Python type of the values, whose defaults stand for what is not given; None = unknown.

    Raises:
        InvalidInputError: the column's type can say nothing that the schema's can.
    """
    return _fit(column, node, _Place(path, hint, lambda positions: positions), found)


def _fit(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import pyarrow as pa

    column = decoded(column)
    if column.null_count == len(column):  # whatever its type
        column = pa.nulls(len(column), arrow_type(node))
        _note_missing(column, node, place, found)
        return column
    _note_missing(column, node, place, found)
    if node.type in PLAIN:
        made, bad, wanted = PLAIN[node.type](column, node, place.path)
        if bad is not None:
            _note(column, bad, place, found, wanted)
        return made
    return _CONTAINERS[node.type](column, node, place, found)


def _note(column: pa.Array, bad: pa.Array, place: _Place, found: Fitting, wanted: str) -> None:
    """Note the values for which `bad` is true, unless nobody will look at them."""
    import numpy as np
    import pyarrow.compute as pc

    if place.absent is not None:
        bad = pc.and_not(bad, place.absent)
    positions = np.flatnonzero(bad.fill_null(False).to_numpy(zero_copy_only=False))
    if len(positions):
        found.faults.append(Fault(place.rows(positions), place.path, column.take(positions), wanted))


def _note_missing(column: pa.Array, node: Node, place: _Place, found: Fitting) -> None:
    import numpy as np
    import pyarrow.compute as pc

    if node.optional or not place.needed or not column.null_count:
        return
    missing = column.is_null()
    if place.absent is not None:
        missing = pc.and_not(missing, place.absent)
    positions = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
    if len(positions):
        found.faults.append(Fault(place.rows(positions), place.path, None, f"be {described(node)}"))


def _refused(column: pa.Array, node: Node, path: str, advice: str = "") -> InvalidInputError:
    return InvalidInputError(f"{path} is wanted as {described(node)}, and the column holds {column.type}{advice}")


def _either(one: pa.Array | None, other: pa.Array | None) -> pa.Array | None:
    import pyarrow.compute as pc

    if one is None or other is None:
        return one if other is None else other
    return pc.or_(one, other)


def _nulls(column: pa.Array) -> pa.Array | None:
    return column.is_null() if column.null_count else None


# --- structs --------------------------------------------------------------------------------------------------------


def _struct(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    cls = peeled(place.hint)[0] if place.hint is not None else None
    fields = _Fields(node, cls)
    null = _nulls(column)
    if not pa.types.is_struct(column.type):
        only = fields.only_required()
        if not node.fields and pa.types.is_boolean(column.type):
            return pc.if_else(column, True, None)
        if only is None or pa.types.is_map(column.type):
            raise _refused(column, node, place.path, "; give a struct")
        column = pa.StructArray.from_arrays([column], [only])
    if not node.fields:
        return pc.if_else(column.is_valid(), True, None) if null is None else pc.if_else(null, None, True)
    given = {field.name for field in column.type}
    found.unknown |= {f"{place.path}.{name}" for name in given - {field.name for field in node.fields}}
    absent = _either(place.absent, null)
    children = []
    for field in node.fields:
        inner = place.within(
            f".{field.name}", fields.hint(field.name), absent=absent, needed=fields.is_needed(field.name)
        )
        if field.name in given:
            children.append(fields.defaulted(field.name, _fit(column.field(field.name), field.node, inner, found)))
        else:
            children.append(fields.default(field.name, len(column), inner.path))
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(node)), mask=null)


class _Fields:
    """The fields of a struct, and what stands for those that are not given."""

    def __init__(self, node: Node, cls: Any) -> None:
        self._node = node
        self._declared = {each.name: each for each in dataclasses.fields(cls)} if is_dataclass_type(cls) else None
        self._hints = hints_of(cls) if is_dataclass_type(cls) else {}

    def hint(self, name: str) -> Any:
        return self._hints.get(name)

    def is_needed(self, name: str) -> bool:
        """Whether a value must be given: a field that the class does not know may always be null."""
        return self._declared is None or (name in self._declared and not self._has_default(name))

    def _has_default(self, name: str) -> bool:
        field = None if self._declared is None else self._declared.get(name)
        missing = dataclasses.MISSING
        return field is not None and (field.default is not missing or field.default_factory is not missing)

    def only_required(self) -> str | None:
        """The field that a plain value stands for; None unless exactly one is required."""
        names = [each.name for each in self._node.fields if not each.node.optional and self.is_needed(each.name)]
        return names[0] if len(names) == 1 else None

    def default(self, name: str, count: int, path: str) -> pa.Array:
        """What stands for a field that no row gives.

        Raises:
            InvalidInputError: it must be given.
        """
        import pyarrow as pa

        node = self._node.field(name)
        assert node is not None, "it is one of the fields"
        if not self._has_default(name):
            if not node.optional and self.is_needed(name):
                raise InvalidInputError(f"{path} is not given; it must be {described(node)}")
            return pa.nulls(count, arrow_type(node))
        return self._made(name).take(pa.array([0] * count, pa.int32()))

    def defaulted(self, name: str, column: pa.Array) -> pa.Array:
        """A field that some rows give."""
        node = self._node.field(name)
        assert node is not None, "it is one of the fields"
        if not column.null_count or node.optional or not self._has_default(name):
            return column
        import pyarrow as pa
        import pyarrow.compute as pc

        return pa.concat_arrays([column, self._made(name)]).take(
            pc.if_else(column.is_valid(), pa.array(range(len(column)), pa.int64()), len(column))
        )

    def _made(self, name: str) -> pa.Array:
        """The default as a column of one."""
        field, node = cast(Any, self._declared)[name], self._node.field(name)
        value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
        return codec_of(cast(Node, node), self._hints[name]).encode([value], name, 1)


# --- lists, maps, tuples, vectors -------------------------------------------------------------------------------------


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


def _inside(place: _Place, begins: Indices, name: str, hint: Any, faulty: npt.NDArray[np.bool_]) -> _Place:
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


def _list(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if not _is_listed(column):
        raise _refused(column, node, place.path)
    begins, items = _items(column, place.absent)
    if begins[-1] > np.iinfo(np.int32).max:
        raise InvalidInputError(f"{place.path} has {begins[-1]:,} items in one batch; give smaller batches")
    faulty = np.zeros(len(column), bool)
    inside = _inside(place, begins, "[]", _argument(place.hint, 0), faulty)
    made = _fit(items, cast(Node, node.items), inside, found)
    absent = _either(_nulls(column), place.absent)
    hint = None if place.hint is None else peeled(place.hint)[0]
    if typing.get_origin(hint) in SETS:
        if faulty.any():
            absent = _either(absent, pa.array(faulty))
            begins, made = without(begins, faulty, made)
        begins, made = as_sets(begins, made, replace(node, optional=True), hint)
    return pa.ListArray.from_arrays(pa.array(begins.astype(np.int32)), made, type=arrow_type(node), mask=absent)


def _map(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_map(column.type):
        kinds = [("key", column.type.key_type), ("value", column.type.item_type)]
        begins, pairs = _items(column.cast(pa.list_(pa.struct(kinds))), place.absent)
        keys, items = (pc.struct_field(pairs, name) for name in ("key", "value"))
    elif pa.types.is_struct(column.type):
        begins, keys, items = fields_as_pairs(column, _either(_nulls(column), place.absent))
    else:
        raise _refused(column, node, place.path, "; give a map, or a struct of its keys")
    faulty = np.zeros(len(column), bool)
    inside = (_inside(place, begins, name, _argument(place.hint, n), faulty) for n, name in enumerate(("{}", "[]")))
    keys = _fit(keys, cast(Node, node.keys), next(inside), found)
    items = _fit(items, cast(Node, node.items), next(inside), found)
    twice = with_doubles(begins, keys)
    _note(column, pa.array(twice), place, found, "have each key once")
    absent, gone = _either(_nulls(column), place.absent), faulty | twice
    if gone.any():  # a map has neither nulls nor doubles among its keys
        absent = _either(absent, pa.array(gone))
        begins, keys, items = without(begins, gone, keys, items)
    return pa.MapArray.from_arrays(pa.array(begins.astype(np.int32)), keys, items, mask=absent)


def _tuple(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    null, count = _nulls(column), len(node.fields)
    absent = _either(place.absent, null)
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        wanted = [field.name for field in node.fields]
        if set(names) != set(wanted) and len(names) != count:
            raise _refused(column, node, place.path)
        order = wanted if set(names) == set(wanted) else names
        items = [column.field(name) for name in order]
    elif _is_listed(column):
        begins, flat = _items(column, place.absent)
        wrong = np.diff(begins) != count
        if absent is not None:
            wrong &= ~absent.to_numpy(zero_copy_only=False)
        if wrong.any():
            _note(column, pa.array(wrong), place, found, f"have {count} items")
            absent = _either(absent, pa.array(wrong))
        places = pa.array(begins[:-1], mask=None if absent is None else absent.to_numpy(zero_copy_only=False))
        items = [flat.take(pa.compute.add(places, number)) for number in range(count)]
    else:
        raise _refused(column, node, place.path)
    children = [
        _fit(item, field.node, place.within(f".{field.name}", _argument(place.hint, number), absent=absent), found)
        for number, (item, field) in enumerate(zip(items, node.fields, strict=True))
    ]
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(node)), mask=absent)


def _vector(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if not _is_listed(column) or not is_number(column.type.value_type):
        raise _refused(column, node, place.path)
    begins, flat = _items(column, place.absent)
    absent = _either(place.absent, _nulls(column))
    gone = np.zeros(len(column), bool) if absent is None else absent.to_numpy(zero_copy_only=False).copy()
    nulls = flat.is_null().to_numpy(zero_copy_only=False)
    wrong = (np.diff(begins) != node.size) & ~gone
    holding = np.searchsorted(begins, np.flatnonzero(nulls), side="right") - 1
    wrong[holding] = True
    if wrong.any():
        _note(column, pa.array(wrong), place, found, f"have {node.size} numbers")
    numbers = np.zeros((len(column), node.size), np.float32)
    good = np.flatnonzero(~gone & ~wrong)
    values = floats_of_32_bits(flat)
    beyond = np.isinf(values) & ~np.isinf(flat.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    holding = np.searchsorted(begins, np.flatnonzero(beyond), side="right") - 1
    large = np.zeros(len(column), bool)
    large[holding] = True
    if large.any():
        _note(column, pa.array(large), place, found, "have numbers that floats of 32 bits can hold")
    if len(good) * node.size == len(values):
        numbers[good] = values.reshape(-1, node.size)
    else:
        numbers[good] = values[begins[good][:, None] + np.arange(node.size)]
    mask = pa.array(gone | wrong)
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), node.size, mask=mask)


# --- unions -----------------------------------------------------------------------------------------------------------


def _union(column: pa.Array, node: Node, place: _Place, found: Fitting) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [field.name for field in node.fields]
    given = [field.name for field in column.type] if pa.types.is_struct(column.type) else []
    if TAG not in given or not set(given) <= {TAG, *names}:
        raise _refused(column, node, place.path, f"; give a struct of {TAG!r} and {', '.join(map(repr, names))}")
    null = _nulls(column)
    absent = _either(place.absent, null)
    hints = {} if place.hint is None else union_members(peeled(place.hint)[0])
    tag = decoded(column.field(TAG)).cast(pa.string())
    _note(tag, pc.invert(pc.is_in(tag, pa.array(names))), place.within(f".{TAG}", None, absent=absent), found, "be one")
    children: list[pa.Array] = [tag.dictionary_encode()]
    for field in node.fields:
        other = pc.fill_null(pc.not_equal(tag, field.name), True)
        elsewhere = other if absent is None else pc.or_(absent, other)
        if field.name not in given:
            _note(tag, pc.equal(tag, field.name), place.within(f".{TAG}", None, absent=absent), found, "be given, too")
            children.append(pa.nulls(len(column), arrow_type(field.node)))
            continue
        inner = place.within(f".{field.name}", hints.get(field.name), absent=elsewhere)
        made = _fit(column.field(field.name), field.node, inner, found)
        children.append(pc.if_else(elsewhere, pa.scalar(None, made.type), made))
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(node)), mask=null)


_CONTAINERS: dict[str, Callable[[Any, Node, _Place, Fitting], Any]] = {
    "struct": _struct,
    "list": _list,
    "map": _map,
    "tuple": _tuple,
    "vector": _vector,
    "union": _union,
}
