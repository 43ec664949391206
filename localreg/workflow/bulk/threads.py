"""Batches, worked on in threads, and taken up in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["in_threads", "numbered"]

MadeT = TypeVar("MadeT")


def numbered(batches: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Each batch with the number of its first row."""
    first = 0
    for batch in batches:
        yield first, batch
        first += batch.num_rows


def in_threads(
    work: Callable[[int, pa.Table], MadeT], batches: Iterable[tuple[int, pa.Table]], *, workers: int
) -> Iterator[MadeT]:
    """What comes of each batch, in order; one more than there are threads is on its way at once.

    Raises:
        Exception: what the work, or reading the next batch, raises, once what came before it was taken up.
    """
    with ThreadPoolExecutor(workers, "localreg-batches") as pool:
        waiting: deque[Future[MadeT]] = deque()
        try:
            for first, batch in batches:
                waiting.append(pool.submit(work, first, batch))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
