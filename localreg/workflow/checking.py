"""What must hold of annotations beyond their types, looked at on whole columns when they are written.

The rules stand with the annotations (`localreg.workflow.checks`); a column is searched for each of them at
once, and the values that break one are named with the objects that they stand in.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables import Fault, Node, first_fault
from localreg.tables.hints import hints_of, is_dataclass_type, peeled, union_members
from localreg.workflow.annotation import BoundingBox
from localreg.workflow.checks import VOCABULARY, Checks, Rule, checks_of

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


def refuse_impossible_values(
    column: pa.Array, node: Node, hint: type | None, path: str, *, named: Callable[[int], str]
) -> None:
    """Refuse blank labels, scores and coordinates that are NaN or infinite, inverted boxes and the like.

    A score has no range: the decision function of a classifier may give any finite number.

    Args:
        column: objects, as `struct_column` makes it.
        node: its schema.
        hint: their class; None = known by the schema alone, in which classes of our vocabulary stand by name, and boxes
            of others have two corners.
        path: of the column, for messages.
        named: says for the message which the n-th object is.

    Raises:
        InvalidInputError: the first object with such a value, and its field, are named.
    """
    fault = first_fault(impossible_values(column, node, hint, path))
    if fault is not None:
        raise InvalidInputError(f"{named(int(fault.rows[0]))}: {fault.told()}")


def impossible_values(column: pa.Array, node: Node, hint: type | None, path: str) -> Iterator[Fault]:
    """All such values; see `refuse_impossible_values`."""
    import numpy as np

    if _is_checked(node, hint):
        yield from _faults(column, node, hint, path, np.arange(len(column)))


def _checks(node: Node, hint: Any) -> Checks:
    """What must hold of a struct's values."""
    if hint is None:
        return _checks_by_schema(node)
    return checks_of(hint) if isinstance(hint, type) and is_dataclass_type(hint) else Checks()


def _checks_by_schema(node: Node) -> Checks:
    """Those of the class of our vocabulary of that name; of others, of a box if it has the corners of one.

    A confidence is a score by another name, as in `localreg.detection`.
    """
    cls = VOCABULARY.get(node.name or "")
    if cls is None and all(_is_point(node.field(name)) for name in ("top_left", "bottom_right")):
        cls = BoundingBox
    if cls is None:
        return Checks()
    checks = checks_of(cls)
    return replace(checks, rules={"confidence": (Rule.FINITE,), **checks.rules})


def _is_point(node: Node | None) -> bool:
    return node is not None and [field.name for field in node.fields] == ["x", "y"]


def _inner(node: Node, hint: Any) -> Iterator[tuple[str, Node, Any]]:
    """The nodes within a node, by field, each with the Python type of its values; None = unknown."""
    if node.type in ("list", "map") and node.items is not None:
        arguments = typing.get_args(hint)[int(node.type == "map") :]
        yield "", node.items, next(iter(arguments), None)
        return
    hints: Mapping[str, Any] = {}
    if node.type == "union" and hint is not None:
        hints = union_members(hint)
    elif node.type == "tuple":
        hints = dict(zip((field.name for field in node.fields), typing.get_args(hint), strict=False))
    elif is_dataclass_type(hint):
        hints = hints_of(hint)
    for field in node.fields:
        # Of a class, fields that it does not declare are nobody's to check.
        if hint is None or field.name in hints:
            yield field.name, field.node, hints.get(field.name)


def _is_checked(node: Node, hint: Any) -> bool:
    """Whether a rule holds of anything within a node."""
    hint = None if hint is None else peeled(hint)[0]
    if node.type == "struct" and _checks(node, hint) != Checks():
        return True
    return any(_is_checked(inner, each) for _, inner, each in _inner(node, hint))


def _faults(column: pa.Array, node: Node, hint: Any, path: str, rows: Rows) -> Iterator[Fault]:
    """The faults of each field; `rows` says which object each value stands in."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _is_checked(node, hint) or not len(column):
        return
    hint = None if hint is None else peeled(hint)[0]
    if node.type == "map":
        pairs = column.cast(pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])))
        ((_, inner, each),) = _inner(node, hint)
        values = pc.struct_field(pairs.flatten(), "value")
        yield from _faults(values, inner, each, f"{path}[…]", rows[pc.list_parent_indices(pairs)])
    elif node.type == "list":
        ((_, inner, each),) = _inner(node, hint)
        parents = pc.list_parent_indices(column).to_numpy()
        yield from _faults(column.flatten(), inner, each, f"{path}[]", rows[parents])
    elif pa.types.is_struct(column.type):
        if node.type == "struct":
            yield from _of_object(column, _checks(node, hint), path, rows)
        for name, inner, each in _inner(node, hint):
            own = path if node.type == "union" else f"{path}.{name}"
            yield from _faults(pc.struct_field(column, name), inner, each, own, rows)


def _of_object(column: pa.Array, checks: Checks, path: str, rows: Rows) -> Iterator[Fault]:
    import pyarrow.compute as pc

    names = {*checks.rules, *checks.least, *(name for pair in (*checks.ordered, *checks.increasing) for name in pair)}
    fields = {field.name: pc.struct_field(column, field.name) for field in column.type if field.name in names}
    for name, values in fields.items():
        for rule in checks.rules.get(name, ()):
            yield from _by_rule(values, rule, f"{path}.{name}", rows)
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
