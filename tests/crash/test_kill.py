"""Processes that are killed while they commit: at random moments, and at every system call in turn."""

from __future__ import annotations

import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import localreg
from localreg.log.entry import entry_path
from tests.crash.pipes import PATIENCE_S, read_line
from tests.crash.scenarios import SCENARIOS, Scenario, open_at, view

ROUNDS = 25
PROJECT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kills by signal"),
]


@contextmanager
def writer(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of `tests.crash.writers`, dead and reaped afterwards whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.writers", *arguments],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


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


def test_what_was_acknowledged_survives_the_kill_of_two_writers(tmp_path: Path) -> None:
    chance = random.Random(20260301)
    acknowledged: set[str] = set()
    commits = 0
    for turn in range(ROUNDS):
        wanted = chance.randrange(1, 25)
        with writer("forever", str(tmp_path), f"a{turn}") as one, writer("forever", str(tmp_path), f"b{turn}") as two:
            pipes = [pipe for pipe in (one.stdout, two.stdout) if pipe is not None]
            for _ in range(wanted):
                ready, _, _ = select.select(pipes, [], [], PATIENCE_S)
                assert ready, "the writers came to a standstill"
                acknowledged.update(read_line(ready[0]).split())
            one.kill()
            two.kill()
            for pipe in pipes:  # what they had said before they died
                while line := read_line(pipe):
                    assert line.endswith("\n")
                    acknowledged.update(line.split())
            assert (one.wait(), two.wait()) == (-signal.SIGKILL, -signal.SIGKILL)
        commits = check_round(tmp_path, acknowledged)
    assert commits > ROUNDS
    registry = localreg.open(tmp_path, actor="survivor")
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


def strace_refusal() -> str:
    """Why strace cannot be used here; "" if it can."""
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", str(PATIENCE_S)]) as sleeper:
        try:
            with strace(sleeper.pid, "fsync", 1):
                return ""
        except AssertionError as error:
            return f"strace cannot attach to a process here: {error}"
        finally:
            sleeper.kill()


@contextmanager
def strace(pid: int, calls: str, k: int) -> Iterator[None]:
    """Kill a process at its k-th call of some kinds, counted from now on."""
    command = ["strace", "-f", "-p", str(pid), "-o", os.devnull, "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:signal=KILL:when={k}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0) as tracer:
        try:
            told = read_line(tracer.stderr)
            assert re.search(r"Process \d+ attached", told), told
            yield
        finally:
            tracer.terminate()


@pytest.fixture(scope="module")
def _attachable() -> None:
    refusal = strace_refusal()
    if refusal:
        pytest.skip(refusal)


@pytest.mark.usefixtures("_attachable")
@pytest.mark.parametrize(("scenario", "calls"), KILLS, ids=[f"{scenario}-{calls}" for scenario, calls in KILLS])
def test_a_kill_at_any_system_call_leaves_the_old_state_or_the_new(
    tmp_path: Path, scenario: Scenario, calls: str
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
        with writer("once", str(folder), scenario.name) as process:
            assert read_line(process.stdout) == "ready\n"
            assert process.stdin is not None
            with strace(process.pid, calls, k):
                process.stdin.write(b"go\n")
                said = read_line(process.stdout)
                survived = process.wait(PATIENCE_S) == 0
        session = open_at(localreg.open(folder)._session.root, actor="bob")
        seen = view(session.state())
        place = expected.index(seen)  # never anything between
        assert session.state().head.commit == len(scenario.before) + place
        assert said == "" or place == len(scenario.steps), "what was acknowledged is not there"
        assert session.verify().ok
        localreg.open(folder).create_model("next")
        assert localreg.open(folder).commit == len(scenario.before) + place + 1
        assert localreg.open(folder).verify().ok
        if survived:
            assert k > 1, "no such call was made: nothing was tested"
            return
    pytest.fail(f"still killed at the call number {LONGEST} of {calls}")
