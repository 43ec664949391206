"""Processes that are killed while they commit: at random moments, and at every system call in turn."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg.log.entry import entry_path
from tests.crash.forks import Program, forking
from tests.crash.pipes import PATIENCE_S
from tests.crash.scenarios import SCENARIOS, Scenario, open_at, short_spans, view
from tests.crash.tracing import kill_at, strace, strace_refusal

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


# Killed at random


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
        two = writers.child("forever", str(folder), f"a{turn}"), others.child("forever", str(folder), f"b{turn}")
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


# Killed at each system call in turn

FIRST, TRANSACTION, TEST_RUN, SNAPSHOT = (SCENARIOS[place] for place in (0, 3, 4, 5))
RENAME, MKDIR, LINK, UNLINK = "rename,renameat,renameat2", "mkdir,mkdirat", "link,linkat", "unlink,unlinkat"
KILLS = [
    *((FIRST, calls) for calls in ["fsync", "write", LINK, UNLINK, MKDIR, "openat"]),
    *((TRANSACTION, calls) for calls in ["fsync", "write", LINK, UNLINK, "openat"]),
    *((TEST_RUN, calls) for calls in ["fsync", "write", LINK, MKDIR]),
    *((SNAPSHOT, calls) for calls in ["fsync", RENAME]),
]
LONGEST = 80
"""Calls of one kind in one scenario; a safeguard against a loop without end."""


@pytest.fixture(scope="module")
def _attachable() -> None:
    refusal = strace_refusal()
    if refusal:
        pytest.skip(refusal)


@pytest.mark.usefixtures("_attachable")
@pytest.mark.parametrize(("scenario", "calls"), KILLS, ids=[f"{scenario}-{calls}" for scenario, calls in KILLS])
def test_a_kill_at_any_system_call_leaves_the_old_state_or_the_new(
    tmp_path: Path, writers: Program, scenario: Scenario, calls: str
) -> None:
    template = tmp_path / "template"
    registry = localreg.open(template, actor="ana")
    for step in scenario.before:
        step(registry)
    expected = [view(registry._session.state())]
    shutil.copytree(template, tmp_path / "undisturbed")
    undisturbed = localreg.open(tmp_path / "undisturbed", actor="ana")
    for step in scenario.steps:
        step(undisturbed)
        expected.append(view(undisturbed._session.state()))
    for k in range(1, LONGEST):
        folder = tmp_path / str(k)
        shutil.copytree(template, folder)
        with writers.child("once", str(folder), scenario.name) as child:
            assert child.line() == "ready"
            with strace(child.pid, *kill_at(calls, k)):
                child.tell()
                said = child.rest()
        assert child.code in (0, -signal.SIGKILL)
        session = open_at(localreg.open(folder)._session.root, actor="bob")
        seen = view(session.state())
        place = expected.index(seen)  # never anything between
        assert session.state().head.commit == len(scenario.before) + place
        assert not said or place == len(scenario.steps), "what was acknowledged is not there"
        assert session.verify().ok
        localreg.open(folder).create_model("next")
        assert localreg.open(folder).commit == len(scenario.before) + place + 1
        assert localreg.open(folder).verify().ok
        if child.code == 0:
            assert k > 1, "no such call was made: nothing was tested"
            return
    pytest.fail(f"still killed at the call number {LONGEST} of {calls}")
