"""Progress bars: on a terminal, in a notebook, and nowhere else."""

from __future__ import annotations

import io
import sys
from types import ModuleType
from typing import Any

import pytest

from localreg import progress as module
from localreg.progress import Progress, line, progress


class Clock:
    """Time that goes on when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_tells_how_far_how_fast_and_how_long_still() -> None:
    assert line("m on s", 50, 200, 5.0, width=8) == "m on s  ██░░░░░░  50/200  10/s  0:15 left"
    assert line("m on s", 1, 4, 7200.0, width=4) == "m on s  █░░░  1/4  0.00014/s  6:00:00 left"
    assert line("m on s", 12345, 12345, 2.0, width=4) == "m on s  ████  12,345/12,345  6,172/s  0:02"
    assert line("m on s", 0, 10, 0.0, width=2) == "m on s  ░░  0/10  0/s  0:00"
    assert line("m on s", 0, 0, 1.0, width=2) == "m on s  ██  0/0  0/s  0:01"


def test_a_terminal_shows_one_line_that_is_written_over(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("m on s", 100) as shown:
        for _ in range(10):
            clock.now += 0.15
            shown.advance(10)
    drawn = terminal.getvalue().split("\r")
    assert drawn[0] == ""
    assert drawn[-1].rstrip().endswith("100/100  67/s  0:02")
    assert terminal.getvalue().endswith("\n")
    assert 3 < len(drawn) < 9  # redrawn a few times a second, not at each step
    assert len({len(each.rstrip("\n")) for each in drawn[1:]}) == 1  # each line covers the one before


def test_short_work_shows_no_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("m on s", 100) as shown:
        for _ in range(100):
            clock.now += 0.004
            shown.advance(1)
    assert terminal.getvalue() == ""


def test_no_terminal_shows_nothing(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        with progress("m on s", 2) as shown:
            clock.now += 5
            shown.advance(2)
        assert stream is None or stream.getvalue() == ""


def test_a_notebook_shows_one_output_that_is_replaced(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, str]] = []

    class Handle:
        def update(self, data: dict[str, str], *, raw: bool) -> None:
            assert raw
            shown.append(("update", data["text/plain"]))

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        shown.append(("display", data["text/plain"]))
        return Handle()

    ipython: Any = ModuleType("IPython")
    ipython.display = ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    with progress("m on s", 4) as bar:
        for _ in range(4):
            clock.now += 1
            bar.advance(1)
    assert [how for how, _ in shown] == ["display", "update", "update", "update", "update"]
    assert shown[-1][1].endswith("4/4  1/s  0:04")


def test_a_bar_that_was_never_drawn_is_not_closed(clock: Clock) -> None:
    class Bar:
        def show(self, text: str, done: int, total: int | None, seconds: float) -> None:
            raise AssertionError("too early")

        def close(self) -> None:
            raise AssertionError("it was never shown")

    shown = Progress("m on s", 3, Bar())
    shown.advance(1)
    shown.close()


def test_of_an_unknown_total_the_line_tells_what_is_done() -> None:
    assert line("net from the iterator", 120_000, None, 2.0) == "net from the iterator  120,000  60,000/s  0:02"
