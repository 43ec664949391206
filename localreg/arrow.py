"""Between Arrow and Python without loading pandas.

Where it is installed, pyarrow imports pandas for `array`, `scalar`, `to_numpy`, `group_by`, `parquet.read_table` and
comparisons with a value, to see whether it was given something of it: a fifth of a second, for which a command at a
prompt, or the commit that writes a snapshot, would wait in vain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["array", "numbers"]

FEW = 100_000
"""Texts up to which they are appended one by one, at half a microsecond each."""


def array(values: Sequence[object] | npt.NDArray[Any], type: pa.DataType) -> pa.Array:
    """An array of texts, 64-bit integers or booleans; None is null among texts alone."""
    import pyarrow as pa

    if "pandas" in sys.modules:
        return pa.array(values, type)
    if type == pa.string():
        if len(values) > FEW:
            return pa.array(values, type)
        builder = pa.lib.StringBuilder()
        builder.append_values(values)
        return builder.finish()
    import numpy as np

    dtype: Any = np.uint64 if type == pa.uint64() else np.int64
    numbers = values if isinstance(values, np.ndarray) else np.fromiter(values, dtype, len(values))
    if type == pa.bool_():
        numbers = np.packbits(numbers.astype(np.bool_), bitorder="little")
    return pa.Array.from_buffers(type, len(values), [None, pa.py_buffer(numbers)])


def numbers(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """A column of numbers without nulls."""
    import numpy as np

    chunks = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.dtype(str(column.type)))
