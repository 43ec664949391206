"""Columns → canonical JSON objects as text, whole columns at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localreg.canonical import canonical, checked_object, parse, quoted
from localreg.errors import InvalidInputError, LocalregError
from localreg.tables import Fault, Fitting

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["json_objects", "objects_of_columns"]

JSON_VALUES = "be what JSON can hold: texts, finite numbers, true, false, lists and objects of these"

_PLAIN_FLOATS = 1e-5, 1e10
"""Between these Arrow writes a float as canonical JSON does, once a final `.0` is gone."""


def json_objects(column: pa.Array, path: str, found: Fitting) -> pa.Array:
    """A column of JSON objects, as text or as structs, as canonical text; null where there is none, or an empty one.

    Each distinct text is parsed.
    """
    import numpy as np
    import pyarrow as pa

    if pa.types.is_struct(column.type):
        fields = {field.name: column.field(field.name) for field in column.type}
        made = objects_of_columns(fields, len(column), path, found)
        return pa.compute.if_else(column.is_valid(), made, None)
    if pa.types.is_map(column.type):
        made = _one_by_one(column, path, found, _object)
        return pa.compute.if_else(pa.compute.equal(made, "{}"), None, made)
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs) or not all(isinstance(key, str) for key in made):
        raise ValueError("keys that JSON objects cannot have")
    return made


def _canonical(text: str) -> str | None:
    """Canonical text, empty for an empty object; None if it is no object."""
    try:
        value = parse(text)
        return "" if value == {} else canonical(checked_object(value, what="it"))
    except (LocalregError, ValueError):
        return None


def _one_by_one(column: pa.Array, path: str, found: Fitting, made: Callable[[Any], Any]) -> pa.Array:
    """The canonical JSON of each value; what JSON has no room for is a fault, and null."""
    import numpy as np
    import pyarrow as pa

    texts: list[str | None] = []
    odd: list[int] = []
    for row, value in enumerate(column):
        try:
            texts.append(canonical(made(value.as_py())) if value.is_valid else None)
        except (InvalidInputError, ValueError, ArithmeticError):
            texts.append(None)
            odd.append(row)
    if odd:
        found.faults.append(Fault(np.array(odd), path, column.take(pa.array(odd)), JSON_VALUES))
    return pa.array(texts, pa.string())


def objects_of_columns(columns: Mapping[str, pa.Array], count: int, path: str, found: Fitting) -> pa.Array:
    """Objects with a key for each column that is not null in their row; null where none is.

    Args:
        columns: by key.
        count: of the rows.
        path: of the objects, for messages.
        found: where faults go.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    pairs = []
    for key in sorted(columns, key=lambda key: key.encode("utf-16-be")):
        value = _json_values(columns[key], f"{path}.{key}", found)
        pairs.append(pc.binary_join_element_wise(pa.scalar(f",{quoted(key)}"), value, ":").fill_null(""))
    if not pairs:
        return pa.nulls(count, pa.string())
    inner = pc.binary_join_element_wise(*pairs, "")
    made = pc.binary_join_element_wise(pa.scalar("{"), pc.utf8_slice_codeunits(inner, 1), pa.scalar("}"), "")
    return pc.if_else(pc.equal(inner, ""), pa.scalar(None, pa.string()), made)


def _json_values(column: pa.Array, path: str, found: Fitting) -> pa.Array:
    """Values as canonical JSON, those for which there is no short way one by one; null where null."""
    import numpy as np
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
    odd = pc.and_(odd.fill_null(True), column.is_valid())
    if not odd.true_count:
        return made
    inner = Fitting()
    texts = _one_by_one(column.filter(odd), path, inner, lambda value: value)
    rows = np.flatnonzero(odd.to_numpy(zero_copy_only=False))
    found.faults += [replace(fault, rows=rows[fault.rows]) for fault in inner.faults]
    return pc.replace_with_mask(made, odd, texts)
