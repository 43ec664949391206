"""Metric points: one value of a series, with the step and the wall clock that it belongs to.

A value is a number, a tensor, bytes or a text. What is logged at once is a line of JSON in a spool, and later a row for
each value in a part of table `metric_points`:

| column | type | |
|---|---|---|
| `key` | string | name of the series; `/` parts groups |
| `step` | int64 | null = none was given |
| `wallclock` | timestamp (µs, UTC) | null = none was given |
| `value` | double | of a number, which may be NaN or infinite; else null |
| `text`, `bytes` | string, binary | of such a value |
| `tensor` | struct (`dtype` string, `shape` list of int64, `data` binary) | rows first, little endian |
| `sequence` | int64 | order in which its writer logged it |
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tables.streamed import Streamed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["POINTS", "Loggable", "check_key", "line_of", "point_schema", "points_of", "rows_of", "tensor_of"]

Loggable: TypeAlias = Any
"""A number, a numpy array or nested lists of numbers, bytes, or a text."""

LONGEST = 500
"""Characters of a key."""
KINDS = "biufc"
"""Of arrays that are tensors: booleans, whole numbers, floats, complex."""
TEXT, BYTES, TENSOR = "s", "b", "t"
"""A value in a line is a JSON number, or an object with one of these keys."""


def points_of(metrics: Mapping[str, Loggable]) -> list[tuple[str, Any]]:
    """Name and value, as JSON can hold it, of each metric; groups by `/`.

    Raises:
        InvalidInputError: a name is no text, or a value is none of what can be logged; the name is told.
    """
    if not isinstance(metrics, Mapping):
        raise InvalidInputError(f"metrics are {shown_value(metrics)}; log names with values, such as {{'loss': 0.3}}")
    return list(_flat(metrics, ""))


def _flat(metrics: Mapping[str, Loggable], group: str) -> Iterator[tuple[str, Any]]:
    for name, value in metrics.items():
        key = check_key(name, group)
        if isinstance(value, Mapping):
            yield from _flat(value, f"{key}/")
        else:
            yield key, _told(value, key)


def check_key(name: object, group: str = "") -> str:
    """The name of a series in a group.

    Raises:
        InvalidInputError: it is no text, blank, or too long.
    """
    if not isinstance(name, str) or not name.strip() or len(group) + len(name) > LONGEST or not name.isprintable():
        raise InvalidInputError(
            f"the name of a metric is {shown_value(name)}; write a text of at most {LONGEST} visible characters"
        )
    return group + name


def _told(value: object, key: str) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, float | int):  # booleans, too
        return _number(value, key)
    if isinstance(value, str):
        return {TEXT: value}
    if isinstance(value, bytes | bytearray | memoryview):
        return {BYTES: b64encode(bytes(value)).decode()}
    array = _array(value, key)
    if array.ndim == 0:
        return _number(array.item(), key)
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return {TENSOR: [little.dtype.str, list(array.shape), b64encode(little.tobytes()).decode()]}


def _number(value: Any, key: str) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"metric {key!r} is {shown_value(value)}, which no float holds; log it as text, or as a tensor"
        ) from error


def _array(value: Any, key: str) -> np.ndarray:
    """An array of numbers; of one on another device what comes of it here."""
    import numpy as np

    for bring in ("detach", "cpu"):  # a tensor of PyTorch shows its numbers only without its gradient, and here
        value = getattr(value, bring)() if hasattr(value, bring) else value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(f"metric {key!r} is {shown_value(value)}: {error}; log lists of one length") from error
    if array.dtype.kind not in KINDS:
        raise InvalidInputError(
            f"metric {key!r} is {shown_value(value)}; log a number, an array or nested lists of numbers, bytes or text"
        )
    return array


def line_of(sequence: int, step: int | None, wallclock: int | None, points: Sequence[tuple[str, Any]]) -> bytes:
    """A line of a spool; `wallclock` in microseconds."""
    return json.dumps((sequence, step, wallclock, points), separators=(",", ":")).encode()


def point_schema() -> pa.Schema:
    """Of the rows of a part."""
    import pyarrow as pa

    tensor = pa.struct([("dtype", pa.string()), ("shape", pa.list_(pa.int64())), ("data", pa.binary())])
    return pa.schema(
        [
            ("key", pa.string()),
            ("step", pa.int64()),
            ("wallclock", pa.timestamp("us", "UTC")),
            ("value", pa.float64()),
            ("text", pa.string()),
            ("bytes", pa.binary()),
            ("tensor", tensor),
            ("sequence", pa.int64()),
        ]
    )


def rows_of(lines: Sequence[bytes]) -> pa.Table:
    """The rows of the lines of a spool; half a line, which a full disk left, is passed over."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in point_schema().names}
    for line in lines:
        try:
            sequence, step, wallclock, points = json.loads(line)
        except ValueError:
            continue
        for key, told in points:
            row = {"key": key, "step": step, "wallclock": wallclock, "sequence": sequence, **_columns(told)}
            for name, column in columns.items():
                column.append(row.get(name))
    arrays = [pa.array(columns[field.name], field.type) for field in point_schema()]
    return pa.Table.from_arrays(arrays, schema=point_schema())


def _columns(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {"value": float(told)}
    if TEXT in told:
        return {"text": told[TEXT]}
    if BYTES in told:
        return {"bytes": b64decode(told[BYTES])}
    dtype, shape, data = told[TENSOR]
    return {"tensor": {"dtype": dtype, "shape": shape, "data": b64decode(data)}}


POINTS = Streamed("metric_points", point_schema, rows_of, ("key", "step", "wallclock", "sequence"))
"""The bulk table."""


def tensor_of(told: Mapping[str, Any]) -> np.ndarray:
    """The array of a value of the column `tensor`."""
    import numpy as np

    return np.frombuffer(told["data"], np.dtype(told["dtype"])).reshape(told["shape"]).copy()
