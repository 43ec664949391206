"""Arrow arrays from Python values, without loading pandas.

`pyarrow.array` imports pandas, where that is installed, to see whether it was given something of it: a fifth of a
second, which a command at a prompt would wait for in vain.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["array"]

FEW = 10_000
"""Values up to which they are appended one by one, at half a microsecond each."""


def array(values: Sequence[object], type: pa.DataType) -> pa.Array:
    """An array of texts, 64-bit integers or booleans; None is null among texts alone."""
    import pyarrow as pa

    if "pandas" in sys.modules or len(values) > FEW:
        return pa.array(values, type)
    if type == pa.string():
        builder = pa.lib.StringBuilder()
        builder.append_values(values)
        return builder.finish()
    import numpy as np

    numbers: Any = np.fromiter(values, np.int64, len(values))
    if type == pa.bool_():
        bits = np.packbits(numbers.astype(np.bool_), bitorder="little")
        return pa.Array.from_buffers(type, len(values), [None, pa.py_buffer(bits)])
    return pa.Array.from_buffers(type, len(values), [None, pa.py_buffer(numbers)])
