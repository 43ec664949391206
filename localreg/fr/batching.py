"""Results in batches, for those who cannot hold all rows as objects at once."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.names import check_whole
from localreg.query import Result

__all__ = ["batches"]

_HINT = "write how many rows a batch may have"


def batches(result: Result, batch_size: int) -> Iterator[Result]:
    """The rows of a result, so many at a time; 0 is taken as 1."""
    size = max(1, check_whole(batch_size, what="batch_size", hint=_HINT))
    rows = result.arrow()
    for begin in range(0, rows.num_rows, size):
        batch = rows.slice(begin, size)
        yield Result(lambda batch=batch: batch)  # type: ignore[misc]
