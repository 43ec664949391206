"""Checks of namespaces that run behind the pages, one at a time for each, and what came of the last."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localreg.errors import LocalregError
from localreg.registry import Registry

if TYPE_CHECKING:
    from localreg.log.verify import VerifyReport

__all__ = ["Verification", "Verifications"]


@dataclass(frozen=True)
class Verification:
    """One check of a namespace."""

    began_at: datetime
    commit: int
    """The newest when it began; later ones may have been looked at, too."""
    report: VerifyReport | None = None
    """None = it is running, or failed."""
    error: str | None = None
    """Why it could not be ended."""
    duration_s: float | None = None
    """None = it is running."""
    _clock: float = field(default_factory=time.monotonic, repr=False)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.duration_s is None

    @property
    def elapsed_s(self) -> float:
        """Seconds that it took, or has taken so far."""
        return time.monotonic() - self._clock if self.duration_s is None else self.duration_s


class Verifications:
    """What was checked since the server was started. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, Verification] = {}
        self._threads: dict[str, threading.Thread] = {}

    def last(self, namespace: str) -> Verification | None:
        """The check of a namespace that runs, or ended last; None = there was none."""
        with self._lock:
            return self._last.get(namespace)

    def start(self, registry: Registry) -> None:
        """Check a namespace in a thread of its own, unless one does so already.

        Args:
            registry: the namespace as it is now.
        """
        namespace, commit = registry.namespace_name, registry.commit
        with self._lock:
            last = self._last.get(namespace)
            if last is not None and last.is_running:
                return
            begun = self._last[namespace] = Verification(datetime.now(UTC), commit)
            # A daemon: whoever ends the server does not want to wait for the end of a check, which changes nothing.
            thread = threading.Thread(target=self._run, args=(registry, begun), name=f"verify {namespace}", daemon=True)
            self._threads[namespace] = thread
        thread.start()

    def wait(self, namespace: str) -> None:
        """Until the check of a namespace has ended, if one runs."""
        with self._lock:
            thread = self._threads.get(namespace)
        if thread is not None:
            thread.join()

    def _run(self, registry: Registry, begun: Verification) -> None:
        ended = begun
        try:
            ended = replace(ended, report=registry.verify())
        except LocalregError as error:
            ended = replace(ended, error=error.message)
        except Exception as error:  # a thread that dies in silence would seem to run for ever
            ended = replace(ended, error=f"{type(error).__name__}: {error}; please report it")
        with self._lock:
            self._last[registry.namespace_name] = replace(ended, duration_s=begun.elapsed_s)
