"""What was read of a registry, kept until the registry changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, TypeVar, cast

from localreg.registry import Registry

__all__ = ["Kept"]

MOST = 8
"""Answers that are kept: 50 series of 10,000 points are 12 MB."""

Found = TypeVar("Found")


class Kept:
    """The last answers, by what was asked of which commit. Threads may ask at once."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._lock = Lock()

    def get(self, registry: Registry, what: Sequence[object], read: Callable[[Registry], Found]) -> Found:
        """What `read` finds, all of one commit.

        Args:
            registry: a namespace, at the moment that is looked at.
            what: tells it from what else is read there.
            read: asks the registry.
        """
        key = (registry.id, registry.namespace_name, registry.commit, *what)
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return cast("Found", self._found[key])
        with registry.frozen() as frozen:  # nobody commits between the look at the number and the reading
            found = read(frozen)
            key = (registry.id, registry.namespace_name, frozen.commit, *what)
        with self._lock:
            self._found[key] = found
            while len(self._found) > MOST:
                self._found.popitem(last=False)
        return found
