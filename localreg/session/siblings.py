"""The sessions that one `localreg.open` has led to, one for each namespace."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.session.session import Session

__all__ = ["Siblings"]


class Siblings:
    """One session for each namespace: a second one would wait for the lease of the first.

    Attributes:
        lock: around looks for one that may have to be made.
    """

    def __init__(self, first: Session) -> None:
        self.lock = threading.RLock()
        self._first = weakref.ref(first)  # lest one that nobody uses lives until garbage is collected
        self._others: dict[str, Session] = {}

    def get(self, namespace: str) -> Session | None:
        """The session of a namespace, if there is one."""
        first = self._first()
        return first if first is not None and first.namespace == namespace else self._others.get(namespace)

    def add(self, session: Session) -> Session:
        """Keep one more."""
        self._others[session.namespace] = session
        return session

    def closed_with(self, session: Session) -> list[Session]:
        """Those that are closed with one: all others, if it is the first. They are let go of."""
        if self._first() is not session:
            return []
        with self.lock:
            others, self._others = self._others, {}
        return list(others.values())
