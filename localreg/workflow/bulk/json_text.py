"""Columns → canonical JSON objects as text, whole columns at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localreg.canonical import canonical, checked_object, parse, quoted
from localreg.errors import LocalregError
from localreg.tables import Fault, Fitting

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["json_objects", "objects_of_columns"]

_PLAIN_FLOATS = 1e-5, 1e10
"""Between these Arrow writes a float as canonical JSON does, once a final `.0` is gone."""


def json_objects(column: pa.Array, path: str, found: Fitting) -> pa.Array:
    """A column of JSON objects, as text or as structs, as canonical text; null where there is none, or an empty one.

    Each distinct text is parsed.
    """
    import numpy as np
    import pyarrow as pa

    if pa.types.is_struct(column.type):
        made = objects_of_columns({field.name: column.field(field.name) for field in column.type})
        return pa.compute.if_else(column.is_valid(), made, None)
    if pa.types.is_map(column.type):
        return _by_value(column, path, found, dict)
    if not (
        pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or column.null_count == len(column)
    ):
        found.faults.append(Fault(np.arange(len(column)), path, column, "be a JSON object"))
        return pa.nulls(len(column), pa.string())
    codes = column.cast(pa.string()).dictionary_encode()
    texts = [_canonical(text) for text in codes.dictionary.to_pylist()]
    bad = pa.array([text is None for text in texts], pa.bool_()).take(codes.indices)
    positions = np.flatnonzero(bad.fill_null(False).to_numpy(zero_copy_only=False))
    if len(positions):
        found.faults.append(Fault(positions, path, column.take(positions), "be a JSON object"))
    return pa.array([text or None for text in texts], pa.string()).take(codes.indices)


def _canonical(text: str) -> str | None:
    """Canonical text, empty for an empty object; None if it is no object."""
    try:
        value = parse(text)
        return "" if value == {} else canonical(checked_object(value, what="it"))
    except (LocalregError, ValueError):
        return None


def _by_value(column: pa.Array, path: str, found: Fitting, made: Any) -> pa.Array:
    import pyarrow as pa

    texts = [None if value is None else canonical(made(value)) for value in column.to_pylist()]
    return pa.array([None if text == "{}" else text for text in texts], pa.string())


def objects_of_columns(columns: Mapping[str, pa.Array]) -> pa.Array:
    """Objects with a key for each column that is not null in their row; null where none is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pairs = []
    for key in sorted(columns, key=lambda key: key.encode("utf-16-be")):
        value = _json_values(columns[key])
        pairs.append(pc.binary_join_element_wise(pa.scalar(quoted(key)), value, ":"))
    # Of one column, "skip" would drop the rows that are null.
    inner = (
        pairs[0].fill_null("") if len(pairs) == 1 else pc.binary_join_element_wise(*pairs, ",", null_handling="skip")
    )
    made = pc.binary_join_element_wise(pa.scalar("{"), inner, pa.scalar("}"), "")
    return pc.if_else(pc.equal(inner, ""), pa.scalar(None, pa.string()), made)


def _json_values(column: pa.Array) -> pa.Array:
    """Values as canonical JSON; null where null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = column.cast(pa.string())
        odd = pc.match_substring_regex(column, r'["\\\x00-\x1f]')
        made = pc.binary_join_element_wise(pa.scalar('"'), column, pa.scalar('"'), "")
    elif pa.types.is_floating(kind):
        column = pc.add(column.cast(pa.float64()), 0.0)  # -0.0 is 0, too
        least, greatest = _PLAIN_FLOATS
        size = pc.abs(column)
        plain = pc.or_(pc.and_(pc.greater_equal(size, least), pc.less(size, greatest)), pc.equal(size, 0.0))
        odd = pc.invert(plain)
        made = pc.replace_substring_regex(column.cast(pa.string()), r"\.0$", "")
    else:
        odd, made = pa.array([True] * len(column)), pa.nulls(len(column), pa.string())
    return _with_odd(column, made, odd)


def _with_odd(column: pa.Array, made: pa.Array, odd: pa.Array) -> pa.Array:
    """The values for which there is no short way, one by one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    odd = pc.and_(odd.fill_null(True), column.is_valid())
    if not odd.true_count:
        return made
    texts = [canonical(value) for value in column.filter(odd).to_pylist()]
    return pc.replace_with_mask(made, odd, pa.array(texts, pa.string()))
