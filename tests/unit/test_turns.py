"""When commits queue: not before a race was lost, not for ever, and with a growing pause where there is no queue."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import localreg
from localreg import Registry
from localreg.session.turns import IMPATIENCE, LONGEST_PAUSE_S, PATIENCE_S, QUEUED, Turns
from localreg.storage import LocalStore, LockQueue, MemoryStore, Turn


class Taken(Turn):
    def __init__(self, taken: bool) -> None:
        super().__init__()
        self.taken = taken


class Queue(LockQueue):
    """Says how long it was asked to wait, and gives a turn or not."""

    def __init__(self) -> None:
        self.comes = True
        self.patience: list[float] = []

    def take(self, patience_s: float, meanwhile: Callable[[], object]) -> Turn:
        meanwhile()
        self.patience.append(patience_s)
        return Taken(self.comes)


class Queueing(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.line = Queue()

    def queue(self) -> LockQueue:
        return self.line


def nothing() -> None:
    pass


def test_commits_queue_after_a_lost_race_and_no_longer_than_needed() -> None:
    store = Queueing()
    turns = Turns(store)
    assert not turns.take(0, 0, nothing).taken
    assert store.line.patience == []
    assert turns.take(1, 0, nothing).taken
    for _ in range(QUEUED - 1):
        assert turns.take(0, 0, nothing).taken
    assert not turns.take(0, 0, nothing).taken
    assert len(store.line.patience) == QUEUED


def test_who_waited_in_vain_waits_less_until_a_turn_comes_again() -> None:
    store = Queueing()
    store.line.comes = False
    turns = Turns(store, sleep=lambda _: None)
    turns.take(1, 0, nothing)
    turns.take(0, 0, nothing)
    store.line.comes = True
    turns.take(0, 0, nothing)
    turns.take(0, 0, nothing)
    assert store.line.patience == [PATIENCE_S, PATIENCE_S / IMPATIENCE, PATIENCE_S / IMPATIENCE**2, PATIENCE_S]


def test_without_a_queue_losers_step_back_for_a_random_time_that_grows_and_is_bounded() -> None:
    pauses: list[float] = []
    turns = Turns(MemoryStore(), sleep=pauses.append)
    for _ in range(50):
        turns.take(0, 0.0, nothing)
    assert pauses == []
    for _ in range(200):
        turns.take(1, 0.1, nothing)
    assert 0.1 < max(pauses) <= 0.2  # drawn from the whole of it: nearly 0 up to twice the round trip
    assert min(pauses) < 0.05
    pauses.clear()
    for losses in (2, 3, 20):
        turns.take(losses, 0.1, nothing)
    for pause, most in zip(pauses, (0.4, 0.8, LONGEST_PAUSE_S), strict=True):
        assert 0 <= pause <= most


def test_who_has_a_turn_does_not_step_back() -> None:
    turns = Turns(Queueing(), sleep=lambda _: pytest.fail("slept"))
    turns.take(3, 1.0, nothing)


def lock_file(registry: Registry) -> Path:
    return Path(registry._session.store.uri) / "tmp/queue.lock"


def lose_a_race(registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one commits in the moment between reading the state and publishing."""
    store = registry._session.store
    publish = store.put_if_absent

    with monkeypatch.context() as patch:

        def put_if_absent(path: str, data: bytes, **how: object) -> bool:
            patch.undo()
            other.create_model("won")
            return publish(path, data, **how)  # type: ignore[arg-type]

        patch.setattr(store, "put_if_absent", put_if_absent)
        registry.create_model("lost")


def test_a_writer_who_meets_nobody_takes_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, localreg; registry = localreg.open(sys.argv[1]); registry.create_model('a'); "
        "registry.create_model('b'); print('filelock' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
    assert not lock_file(localreg.open(tmp_path)).exists()


def test_who_lost_a_race_queues_from_then_on(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_a_race(registry, other, monkeypatch)
    assert lock_file(registry).exists()
    seen = []
    take = LockQueue.take

    def look(queue: LockQueue, patience_s: float, meanwhile: Callable[[], object]) -> Turn:
        turn = take(queue, patience_s, meanwhile)
        seen.append(turn.taken)
        return turn

    monkeypatch.setattr(LockQueue, "take", look)
    registry.create_model("next")
    other.create_model("of one who lost none")
    assert seen == [True]


@pytest.mark.skipif(os.name != "posix", reason="syncs folders")
def test_the_next_may_go_on_while_the_folder_is_synced(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_a_race(registry, other, monkeypatch)
    fsync, free = os.fsync, []
    queue = LocalStore(Path(registry._session.store.uri)).queue()
    assert queue is not None

    def look(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        with queue.take(0, nothing) as turn:
            free.append((kind, turn.taken))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    registry.create_model("next")
    assert free == [("file", False), ("folder", True)]


def test_a_turn_is_let_go_by_an_operation_that_is_refused(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_a_race(registry, other, monkeypatch)
    with pytest.raises(localreg.AlreadyExistsError):
        registry.create_model("won")
    queue = registry._session.store.queue()
    assert queue is not None
    assert queue.take(0, nothing).taken
