"""A progress bar on a terminal or in a notebook, and nothing anywhere else."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "progress", "tell"]

SHOWN_AFTER_S = 0.5
"""Shorter work needs no bar."""
REDRAWN_S = 0.2


class Bar(Protocol):
    """What shows how far work has come."""

    def show(self, text: str, done: int, total: int | None, seconds: float) -> None:
        """Draw it anew."""
        ...

    def close(self) -> None:
        """Leave its last state standing."""
        ...


class Progress:
    """How far work has come.

    Args:
        what: is being done, in words.
        total: how many steps there are; None = unknown.
        bar: where to show it; None = nowhere.
    """

    def __init__(self, what: str, total: int | None, bar: Bar | None) -> None:
        self._what = what
        self._total = total
        self._bar = bar
        self._done = 0
        self._began = time.monotonic()
        self._drawn = self._began + SHOWN_AFTER_S - REDRAWN_S

    def advance(self, steps: int) -> None:
        """So many more steps are done."""
        self._done += steps
        now = time.monotonic()
        if self._bar is not None and now - self._drawn >= REDRAWN_S:
            self._drawn = now
            self._bar.show(self._what, self._done, self._total, now - self._began)

    def close(self) -> None:
        """Work has ended."""
        if self._bar is not None and self._drawn > self._began + SHOWN_AFTER_S - REDRAWN_S:
            self._bar.show(self._what, self._done, self._total, time.monotonic() - self._began)
            self._bar.close()


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Progress]:
    """A progress bar for a block, where a person may be looking."""
    shown = Progress(what, total, _bar())
    try:
        yield shown
    finally:
        shown.close()


def tell(message: str) -> None:
    """Tell a person who is looking, on a terminal or in a notebook, and the log of the program."""
    logging.getLogger("localreg").info("%s", message)
    if _bar() is not None:
        sys.stderr.write(f"localreg: {message}\n")


def line(what: str, done: int, total: int | None, seconds: float, width: int = 24) -> str:
    """The bar as a text, such as `yolo on plates  ████████      812/1797  1,203/s  0:01 left`."""
    rate = done / seconds if seconds > 0 else 0.0
    speed = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
    if total is None:
        return f"{what}  {done:,}  {speed}  {_duration(seconds)}"
    filled = width if total == 0 else min(width, width * done // total)
    left = _duration((total - done) / rate) + " left" if rate > 0 and done < total else _duration(seconds)
    return f"{what}  {'█' * filled}{'░' * (width - filled)}  {done:,}/{total:,}  {speed}  {left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bar() -> Bar | None:
    if "ipykernel" in sys.modules:
        return _NotebookBar()
    stream = sys.stderr
    return _TerminalBar() if stream is not None and stream.isatty() else None


class _TerminalBar:
    """One line on standard error, written over."""

    def show(self, text: str, done: int, total: int | None, seconds: float) -> None:
        import shutil

        columns = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{line(text, done, total, seconds)[:columns]:<{columns}}")
        sys.stderr.flush()

    def close(self) -> None:
        sys.stderr.write("\n")


class _NotebookBar:
    """One output of a cell, replaced."""

    def __init__(self) -> None:
        self._handle: object = None

    def show(self, text: str, done: int, total: int | None, seconds: float) -> None:
        from IPython import display  # type: ignore[import-not-found,unused-ignore]

        shown = {"text/plain": line(text, done, total, seconds)}
        if self._handle is None:
            self._handle = display.display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)  # type: ignore[attr-defined]

    def close(self) -> None:
        """It stands already."""
