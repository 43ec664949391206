"""Comparisons that were asked for lately: parts of a page, and pages of samples, do not compare again.

Guarantees: a question is answered once, however many ask it at the same time; what was refused is asked again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from localreg.compare import Comparison

__all__ = ["Comparisons"]

MOST = 6
"""That are kept; of a million samples each may hold some hundred megabytes."""

Key: TypeAlias = Hashable


class _Kept:
    """One comparison, once it is there; its lock is held by whoever uses it."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.comparison: Comparison | None = None


class Comparisons:
    """Those of one server, the ones that were used last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    @contextmanager
    def used(self, key: Key, make: Callable[[], Comparison]) -> Iterator[Comparison]:
        """The comparison of a question, which nobody else uses within the block.

        Args:
            key: all that was asked, and of which commit.
            make: compares, if that was not done yet.
        """
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        with kept.lock:
            if kept.comparison is None:
                kept.comparison = make().remembering()
            yield kept.comparison
