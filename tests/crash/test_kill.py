"""Processes that are killed while they commit, at random moments; at system calls, see `test_syscalls`."""

from __future__ import annotations

import os
import random
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg.log.entry import entry_path
from tests.crash.forks import Program, forking
from tests.crash.pipes import PATIENCE_S
from tests.crash.scenarios import short_spans

ROUNDS = 25

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kills by signal"),
]


@pytest.fixture(autouse=True)
def _short_spans() -> Iterator[None]:
    with short_spans():
        yield


@pytest.fixture(scope="module")
def writers() -> Iterator[Program]:
    with forking("tests.crash.writers") as program:
        yield program


def check_round(folder: Path, acknowledged: set[str]) -> int:
    """What two killed writers leave behind; the number of commits."""
    session = localreg.open(folder, actor="checker")._session
    report = session.verify()
    assert report.ok, str(report)
    entries = list(session.entries())
    assert [entry.commit for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry.commit_id for entry in entries}) == len(entries)
    assert list(session.store.list("log")) == [entry_path(entry.commit) for entry in entries]
    made: list[str] = []
    for entry in entries:
        models = [event.name for event in entry.events if event.kind == "model"]
        cases = [event.name for event in entry.events if event.kind == "test_case"]
        assert len(models) in (0, 1, 3)
        if len(models) == 3:
            assert [name.rpartition("-")[0] for name in models] == [f"{entry.events[-1].message}-{x}-of" for x in "abc"]
        made += models + cases
    assert len(made) == len(set(made)), "a change was committed twice"
    assert acknowledged <= set(made), f"acknowledged, but lost: {sorted(acknowledged - set(made))}"
    state = session.state()
    assert {row.name for kind in ("model", "test_case") for row in state.children(kind)} == set(made)
    return len(entries)


def test_what_was_acknowledged_survives_the_kill_of_two_writers(tmp_path: Path, writers: Program) -> None:
    with forking("tests.crash.writers") as others:
        kill_two_in_turn(tmp_path, writers, others)


def kill_two_in_turn(folder: Path, writers: Program, others: Program) -> None:
    chance = random.Random(20260301)
    acknowledged: set[str] = set()
    commits = 0
    for turn in range(ROUNDS):
        wanted = chance.randrange(1, 25)
        two = writers.child(str(folder), f"a{turn}"), others.child(str(folder), f"b{turn}")
        with two[0] as one, two[1] as other:
            speaking = {child.voice: child for child in (one, other)}
            for _ in range(wanted):
                ready, _, _ = select.select(list(speaking), [], [], PATIENCE_S)
                assert ready, "the writers came to a standstill"
                acknowledged.update((speaking[ready[0]].line() or "").split())
            one.kill()
            other.kill()
            for child in (one, other):  # what they had said before they died
                acknowledged.update(word for line in child.rest() for word in line.split())
            assert (one.code, other.code) == (-signal.SIGKILL, -signal.SIGKILL)
        commits = check_round(folder, acknowledged)
    assert commits > ROUNDS
    registry = localreg.open(folder, actor="survivor")
    registry.create_model("survivor")
    assert registry.commit == commits + 1
    assert registry.verify().ok
