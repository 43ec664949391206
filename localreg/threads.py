"""Work done in threads, and taken up in its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_threads"]

GivenT = TypeVar("GivenT")
MadeT = TypeVar("MadeT")


def in_threads(work: Callable[[GivenT], MadeT], items: Iterable[GivenT], *, workers: int) -> Iterator[MadeT]:
    """What comes of each item, in order; one more than there are threads is on its way at once.

    Raises:
        Exception: what the work, or the next item, raises, once what came before it was taken up.
    """
    with ThreadPoolExecutor(workers, "localreg-work") as pool:
        waiting: deque[Future[MadeT]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
