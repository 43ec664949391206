"""What must hold of annotations beyond their types, looked at on whole columns when they are written.

The rules stand with the annotations (`localreg.workflow.checks`); a column is searched for each of them at
once, and the values that break one are named with the objects that they stand in.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables import Fault, first_fault
from localreg.tables.hints import hints_of, peeled, union_members
from localreg.tables.schema import TAG
from localreg.workflow.checks import Checks, Rule, checks_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Rows = npt.NDArray[np.int64]

__all__ = ["impossible_values", "refuse_impossible_values"]

_WANTED = {
    Rule.NOT_BLANK: "not be blank",
    Rule.FINITE: "be a finite number",
    Rule.NOT_NEGATIVE: "not be negative",
}


def refuse_impossible_values(column: pa.Array, cls: type, *, named: Callable[[int], str]) -> None:
    """Refuse blank labels, scores and coordinates that are NaN or infinite, inverted boxes and the like.

    A score has no range: the decision function of a classifier may give any finite number.

    Args:
        column: objects of `cls`, as `struct_column` makes it.
        cls: their class.
        named: says for the message which the n-th object is.

    Raises:
        InvalidInputError: the first object with such a value, and its field, are named.
    """
    fault = first_fault(impossible_values(column, cls, cls.__name__))
    if fault is not None:
        raise InvalidInputError(f"{named(int(fault.rows[0]))}: {fault.told()}")


def impossible_values(column: pa.Array, cls: type, path: str) -> Iterator[Fault]:
    """All values that break a rule: blank labels, NaN in scores and coordinates, inverted boxes and the like.

    Args:
        column: objects of `cls`, as `struct_column` makes it.
        cls: their class.
        path: of the column, for messages.
    """
    import numpy as np

    if _is_checked(cls):
        yield from _faults(column, cls, path, np.arange(len(column)))


def _is_checked(hint: Any) -> bool:
    """Whether a rule holds of anything within a type."""
    hint = peeled(hint)[0]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return checks_of(hint) != Checks() or any(map(_is_checked, hints_of(hint).values()))
    return any(map(_is_checked, typing.get_args(hint)))


def _faults(column: pa.Array, hint: Any, path: str, rows: Rows) -> Iterator[Fault]:
    """The faults of each field; `rows` says which object each value stands in."""
    import pyarrow as pa
    import pyarrow.compute as pc

    hint = peeled(hint)[0]
    if not _is_checked(hint) or not len(column):
        return
    if pa.types.is_map(column.type):
        column = column.cast(pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])))
        values = pc.struct_field(column.flatten(), "value")
        yield from _faults(values, typing.get_args(hint)[1], f"{path}[…]", rows[pc.list_parent_indices(column)])
    elif pa.types.is_list(column.type):
        item = next(iter(typing.get_args(hint)), None)
        parents = pc.list_parent_indices(column).to_numpy()
        yield from _faults(column.flatten(), item, f"{path}[]", rows[parents])
    elif isinstance(hint, type) and dataclasses.is_dataclass(hint) and pa.types.is_struct(column.type):
        yield from _of_object(column, hint, path, rows)
    elif pa.types.is_struct(column.type) and column.type.get_field_index(TAG) == 0:
        for name, member in union_members(hint).items():
            yield from _faults(pc.struct_field(column, name), member, f"{path}", rows)
    elif pa.types.is_struct(column.type):
        for field, item in zip(column.type, typing.get_args(hint), strict=False):
            yield from _faults(pc.struct_field(column, field.name), item, f"{path}.{field.name}", rows)


def _of_object(column: pa.Array, cls: type, path: str, rows: Rows) -> Iterator[Fault]:
    import pyarrow.compute as pc

    checks, hints = checks_of(cls), hints_of(cls)
    fields = {field.name: pc.struct_field(column, field.name) for field in column.type if field.name in hints}
    for name, values in fields.items():
        for rule in checks.rules.get(name, ()):
            yield from _by_rule(values, rule, f"{path}.{name}", rows)
        yield from _faults(values, hints[name], f"{path}.{name}", rows)
    for name, least in checks.least.items():
        if name in fields:
            few = pc.less(pc.list_value_length(fields[name]), least)
            yield from _where(few, fields[name], f"{path}.{name}", f"have at least {least}", rows)
    for pairs, less, wanted in (
        (checks.ordered, pc.greater, "not be beyond"),
        (checks.increasing, pc.greater_equal, "be below"),
    ):
        for low, high in pairs:
            if low in fields and high in fields:
                yield from _by_order(fields[low], fields[high], less, f"{path}.{low}", f"{wanted} {high}", rows)


def _by_rule(values: pa.Array, rule: Rule, path: str, rows: Rows) -> Iterator[Fault]:
    """A rule on each value in a field, however deep it stands."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_struct(values.type):
        for field in values.type:
            yield from _by_rule(pc.struct_field(values, field.name), rule, f"{path}.{field.name}", rows)
    elif pa.types.is_list(values.type):
        parents = pc.list_parent_indices(values).to_numpy()
        yield from _by_rule(values.flatten(), rule, f"{path}[]", rows[parents])
    else:
        yield from _where(_breaks(values, rule), values, path, _WANTED[rule], rows)


def _breaks(values: pa.Array, rule: Rule) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if rule is Rule.NOT_BLANK and pa.types.is_string(values.type):
        return pc.equal(pc.utf8_trim_whitespace(values), "")
    if rule is Rule.FINITE and pa.types.is_floating(values.type):
        return pc.invert(pc.is_finite(values))
    if rule is Rule.NOT_NEGATIVE and pa.types.is_primitive(values.type):
        return pc.less(values, 0)
    return pa.nulls(len(values), pa.bool_())  # a subclass made something else of the field


def _by_order(
    low: pa.Array, high: pa.Array, broken: Callable[[pa.Array, pa.Array], pa.Array], path: str, wanted: str, rows: Rows
) -> Iterator[Fault]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if low.type != high.type:
        return
    if pa.types.is_struct(low.type):
        for field in low.type:
            lows, highs = pc.struct_field(low, field.name), pc.struct_field(high, field.name)
            yield from _where(broken(lows, highs), lows, f"{path}.{field.name}", f"{wanted}'s", rows)
    else:
        yield from _where(broken(low, high), low, path, wanted, rows)


def _where(bad: pa.Array, values: pa.Array, path: str, wanted: str, rows: Rows) -> Iterator[Fault]:
    import numpy as np
    import pyarrow.compute as pc

    if pc.index(bad, True).as_py() >= 0:
        positions = np.flatnonzero(bad.fill_null(False).to_numpy(zero_copy_only=False))
        yield Fault(rows[positions], path, values.take(positions), wanted)
