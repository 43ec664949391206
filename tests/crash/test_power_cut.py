"""The power goes while several processes write: what they had been told is done is there when it comes back.

A file system in a file is shut down without its journal: what it has not yet sent to the disk is lost. Of btrfs, which
cannot be shut down, the file is copied while all writers stand still, and the copy is what is left.
"""

from __future__ import annotations

import gc
import json
import random
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from tests.crash.forks import Child, Program, forking
from tests.crash.pipes import PATIENCE_S
from tests.crash.power_writers import ACTS, content
from tests.crash.scenarios import short_spans
from tests.mounts import Disk, loop_disk
from tests.thorough import THOROUGH

pytestmark = [pytest.mark.slow, pytest.mark.root]

DISKS = {"ext4": 256, "xfs": 512, "btrfs": 512}
"""Megabytes, most of them holes."""

ROUNDS = 25 if THOROUGH else 9
"""For each kind of disk and each of the two tests."""

IN_ONE_FOLDER = 5
"""Rounds after which writers begin with a new registry."""


@pytest.fixture(scope="module")
def writers() -> Iterator[dict[str, Program]]:
    """One program for each act: they write side by side."""
    with ExitStack() as stack:
        yield {act: stack.enter_context(forking("tests.crash.power_writers")) for act in ACTS}


@pytest.fixture(autouse=True)
def _short_spans() -> Iterator[None]:
    with short_spans():
        yield


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    kind = str(request.param)
    with loop_disk(tmp_path / "disk", kind, DISKS[kind]) as disk:
        yield disk


@dataclass
class Told:
    """What was acknowledged in one registry."""

    models: set[str] = field(default_factory=set)
    cases: set[str] = field(default_factory=set)
    artifacts: set[tuple[str, str]] = field(default_factory=set)
    events: set[tuple[str, int]] = field(default_factory=set)
    points: dict[str, int] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    snapshot: int = 0

    def take(self, what: str, *said: Any) -> None:
        """One line."""
        match what, said:
            case "model", (name,):
                self.models.add(name)
            case "case", (name,):
                self.cases.add(name)
            case "artifact", (owner, name):
                self.artifacts.add((owner, name))
            case "event", (owner, number):
                self.events.add((owner, number))
            case "points", (name, last):
                self.points[name] = last
            case "finished", (name, last):
                self.points[name] = last
                self.finished.add(name)
            case "snapshot", (commit,):
                self.snapshot = max(self.snapshot, commit)
            case "refused", _:
                pass
            case _:
                pytest.fail(f"a writer met the cut with {said}")


def write_until_cut(disk: Disk, children: list[Child], wanted: int, told: Told, chance: random.Random) -> None:
    """Let them write until so many things were acknowledged, and cut the power: what they still say is true as well."""
    speaking = {child.voice: child for child in children}
    for _ in range(wanted):
        ready, _, _ = select.select(list(speaking), [], [], PATIENCE_S)
        assert ready, "the writers came to a standstill"
        line = speaking[ready[0]].line()
        assert line is not None
        told.take(*json.loads(line))
    disk.cut([child.pid for child in children])
    if disk.fails_when_cut and chance.random() < 0.5:
        pass  # they meet the dead disk, and end by themselves
    else:
        for child in children:
            child.kill()
    for child in children:
        for line in child.rest():
            told.take(*json.loads(line))
        assert child.code in (0, -signal.SIGKILL)


def check(folder: Path, told: Told) -> None:
    """All of it is there, once, and the next writer goes on."""
    with localreg.open(folder, actor="survivor") as registry:
        report = registry.verify()
        assert report.ok, str(report)
        assert registry.commit >= told.snapshot
        state = registry._session.state()
        assert told.models <= {row.name for row in state.children("model")}
        assert told.cases <= {row.name for row in state.children("test_case")}
        for owner, name in told.artifacts:
            assert b"".join(registry.get_version(f"{owner}@1").get_artifact(name).stream()) == content(name)
        rows = registry.sql("SELECT m.name, e.metadata ->> 'n' AS n FROM events e JOIN models m ON m.id = e.owner_id")
        seen = [(row["name"], int(row["n"])) for row in rows.dicts()]
        assert len(seen) == len(set(seen))
        assert told.events <= set(seen)
        check_points(registry, told, live=True)
        registry.recover_experiments()
        check_points(registry, told, live=False)
        commit = registry.commit
        registry.create_model(f"survivor of {commit}")
        assert registry.commit == commit + 1
        assert registry.verify().ok
    gc.collect()  # nothing of it stays open: the disk is to be unmounted


def check_points(registry: Registry, told: Told, *, live: bool) -> None:
    for name, last in told.points.items():
        experiment = registry.get_experiment(name)
        seen = [row["value"] for row in experiment.points("x", live=live)]
        assert seen[:last] == [float(step) for step in range(1, last + 1)], name
        assert seen[last:] == [float(step) for step in range(last + 1, len(seen) + 1)], name
        assert experiment.info.status == "finished" or name not in told.finished


def cut_once(disk: Disk, writers: dict[str, Program], folder: Path, turn: int, told: Told, wanted: int) -> None:
    chance = random.Random(20261100 + turn)
    with ExitStack() as lives:
        begun = [lives.enter_context(each.child(act, str(folder), f"{act}{turn}")) for act, each in writers.items()]
        write_until_cut(disk, begun, wanted, told, chance)
    disk.unmount()
    disk.mount()


def test_a_power_cut_loses_nothing_that_was_acknowledged(disk: Disk, writers: dict[str, Program]) -> None:
    chance = random.Random(20261122)
    for turn in range(ROUNDS):
        if turn % IN_ONE_FOLDER == 0:
            folder, told = disk.folder / f"registry {turn}", Told()
        cut_once(disk, writers, folder, turn, told, chance.randrange(1, 60))
        check(folder, told)


def test_a_power_cut_after_the_first_things_that_are_acknowledged(disk: Disk, writers: dict[str, Program]) -> None:
    """New registries in new folders: whatever leads to an entry has to be durable with it."""
    for turn in range(ROUNDS):
        folder, told = disk.folder / f"group {turn}" / "registry", Told()
        act = list(ACTS)[turn % len(ACTS)]
        cut_once(disk, {act: writers[act]}, folder, turn, told, 1 + turn % 2)
        check(folder, told)
