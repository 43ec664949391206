"""What runs beside an experiment, in a thread of its own, until it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

__all__ = ["Companion"]

LOGGER = logging.getLogger("localreg")


class Companion:
    """Calls something every so often, and once more at the end.

    Whatever goes wrong is told in the log of Python, once for each kind: training goes on.

    Args:
        name: of the thread.
        act: what to call.
        every_s: how often.
        last: what to call at the end; None = the same.
    """

    def __init__(
        self, name: str, act: Callable[[], None], every_s: float, *, last: Callable[[], None] | None = None
    ) -> None:
        self._act = act
        self._last = last or act
        self._every_s = every_s
        self._ended = threading.Event()
        self._told: set[str] = set()
        self._thread = threading.Thread(target=self._run, name=f"localreg {name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._call(self._act)

    def _call(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            if type(error).__name__ not in self._told:
                self._told.add(type(error).__name__)
                LOGGER.warning("%s: %s", self._thread.name, error)

    def stop(self) -> None:
        """Call it for the last time."""
        self._ended.set()
        self._thread.join()
        self._call(self._last)
