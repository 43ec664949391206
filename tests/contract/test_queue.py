"""The queue of a folder's writers: who waits for whom, and that nobody waits for the dead, the stopped or a child."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest

from localreg.storage import LocalStore, LockQueue, Turn
from localreg.storage import queue as queue_module

PATIENCE_S = 30
PROJECT = Path(__file__).parents[2]

HOLD = r"""
import os, sys
from pathlib import Path
from localreg.storage import LocalStore
turn = LocalStore(Path(sys.argv[1])).queue().take(0, lambda: None)
assert turn.taken
os.write(1, b"held\n")
sys.stdin.readline()
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
posix = pytest.mark.skipif(os.name != "posix", reason="signals and permissions of POSIX")
# A fork beside threads is what one test is about; newer Pythons warn of it.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def nothing() -> None:
    pass


def queue(store: LocalStore) -> LockQueue:
    made = store.queue()
    assert made is not None
    return made


def take(store: LocalStore) -> Turn:
    """One look."""
    return queue(store).take(0, nothing)


@contextmanager
def held_elsewhere(store: LocalStore) -> Iterator[subprocess.Popen[str]]:
    """Another process has its turn."""
    command = [sys.executable, "-c", HOLD, store.uri]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@contextmanager
def child(act: Callable[[], None]) -> Iterator[None]:
    """A forked child that acts, and lives until the block ends; fails if it failed."""
    acted, over = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(PATIENCE_S)
            os.close(over[1])
            act()
            os.write(acted[1], b"x")
            os.read(over[0], 1)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(acted[1])
    try:
        assert os.read(acted[0], 1) == b"x", "the child failed"
        yield
    finally:
        for descriptor in (acted[0], *over):
            os.close(descriptor)
        os.waitpid(pid, 0)


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(queue_module, "time", clock)
    return clock


def test_one_has_its_turn_until_it_is_released(store: LocalStore) -> None:
    first = take(store)
    assert first.taken
    assert not take(store).taken
    first.release()
    with take(store) as second:
        assert second.taken
        first.release()  # again is fine, and takes nothing from others
        assert not take(store).taken
    assert take(store).taken


def test_threads_queue_like_processes(store: LocalStore) -> None:
    inside, most, done = 0, 0, []
    begin = threading.Barrier(4)

    def work() -> None:
        nonlocal inside, most
        own = queue(store)
        begin.wait(PATIENCE_S)
        for _ in range(10):
            with own.take(PATIENCE_S, nothing) as turn:
                inside += 1
                most = max(most, inside)
                done.append(turn.taken)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert done == [True] * 40
    assert most == 1


def test_scopes_have_queues_of_their_own(store: LocalStore) -> None:
    with take(store.scope("namespaces/vision")) as turn:
        assert turn.taken
        assert not take(store.scope("namespaces/vision")).taken
        assert take(store.scope("namespaces/speech")).taken


@posix
def test_a_stopped_holder_delays_others_by_the_bound_and_no_more(store: LocalStore, clock: Clock) -> None:
    with held_elsewhere(store) as process:
        process.send_signal(signal.SIGSTOP)
        own = queue(store)
        assert not own.take(0.25, nothing).taken
        assert sum(clock.pauses) == pytest.approx(0.25, abs=0.001)
        clock.pauses.clear()
        assert not own.take(0.01, nothing).taken
        assert sum(clock.pauses) < 0.01 + 0.001
        process.send_signal(signal.SIGCONT)


@posix
def test_a_killed_holder_holds_nothing(store: LocalStore) -> None:
    with held_elsewhere(store) as process:
        assert not take(store).taken
        process.kill()
        process.wait(PATIENCE_S)
        assert take(store).taken


def test_looks_are_rare_at_first_and_frequent_when_the_turn_is_due(store: LocalStore, clock: Clock) -> None:
    with take(store) as holder:
        own = queue(store)
        clock.pauses.clear()
        own.take(0.016, nothing)
        assert max(clock.pauses) <= queue_module.SHORTEST_POLL_S  # nothing was to be expected yet
        clock.pauses.clear()
        with own.take(0.016, nothing) as turn:
            assert not turn.taken
        holder.release()
        with own.take(0.25, nothing) as turn:
            assert turn.taken
    *waiting, last = clock.pauses
    assert waiting[:5] == pytest.approx([0.008, 0.004, 0.002, 0.001, 0.0005], rel=0.1)
    assert len(waiting) < 12
    assert last == pytest.approx(0.008, rel=0.1)  # also who has just had a turn lets others look first


def test_work_is_done_while_others_have_their_turns(store: LocalStore, clock: Clock) -> None:
    held = []
    with take(store):
        queue(store).take(0.01, lambda: held.append(take(store).taken))
    assert held
    assert not any(held)


def test_an_error_of_that_work_comes_through_and_holds_nothing(store: LocalStore) -> None:
    failures = iter([None, KeyboardInterrupt()])

    def fail() -> None:
        failure = next(failures)
        if failure is not None:
            raise failure

    before = descriptors()
    with pytest.raises(KeyboardInterrupt):
        queue(store).take(0.01, fail)
    assert descriptors() == before
    assert take(store).taken


# Forks


@needs_fork
def test_a_child_does_not_believe_that_it_has_the_turn_of_its_parent(store: LocalStore) -> None:
    with take(store) as turn:

        def act() -> None:
            assert not take(store).taken
            turn.release()  # not its own: nothing is let go
            assert not take(store).taken

        with child(act):
            assert not take(store).taken
        assert not take(store).taken
    assert take(store).taken


@needs_fork
def test_a_child_that_lives_on_holds_nothing_when_its_parent_lets_go(store: LocalStore) -> None:
    turn = take(store)
    with child(nothing):
        turn.release()
        assert take(store).taken


@posix
def test_a_copy_of_the_descriptor_somewhere_keeps_nothing(store: LocalStore) -> None:
    turn = take(store)
    copy = os.dup(turn._descriptor)  # as in a child between its fork and its first line
    try:
        turn.release()
        assert take(store).taken
    finally:
        os.close(copy)


@needs_fork
def test_a_child_that_lives_on_holds_nothing_when_its_parent_is_killed(store: LocalStore) -> None:
    program = HOLD.replace(
        "os.write(", "import signal\nif not os.fork():\n    os.write(1, b'child\\n')\n    signal.pause()\nos.write("
    )
    command = [sys.executable, "-c", program, store.uri]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert {process.stdout.readline(), process.stdout.readline()} == {"held\n", "child\n"}
            assert not take(store).taken
            process.kill()
            process.wait(PATIENCE_S)
            assert take(store).taken
        finally:
            os.killpg(process.pid, signal.SIGKILL)


# The lock file


def test_the_lock_file_shows_in_no_listing_of_the_store(store: LocalStore, tmp_path: Path) -> None:
    store.put("log/1", b"")
    take(store).release()
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["queue.lock"]
    assert list(store.list("")) == ["log/1"]
    assert store.folders("") == ["log"]


def test_the_lock_file_may_be_deleted_at_any_time(store: LocalStore, tmp_path: Path) -> None:
    own = queue(store)
    with own.take(0, nothing) as turn:
        (tmp_path / "tmp/queue.lock").unlink()
        with take(store) as other:
            assert turn.taken
            assert other.taken
            turn.release()
            assert not own.take(0, nothing).taken
    (tmp_path / "tmp/queue.lock").unlink()
    (tmp_path / "tmp").rmdir()
    assert own.take(0, nothing).taken


@posix
@pytest.mark.parametrize(("shared", "bits"), [("umask", 0o600), ("group", 0o660), ("all", 0o664)])
def test_the_lock_file_is_shared_as_all_others_are(tmp_path: Path, shared: str, bits: int) -> None:
    previous = os.umask(0o077)
    try:
        take(LocalStore(tmp_path, shared=shared)).release()
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "tmp/queue.lock").stat().st_mode) == bits


def test_a_store_without_a_staging_folder_has_no_queue(tmp_path: Path) -> None:
    assert LocalStore(tmp_path, staging="").queue() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EIO])
def test_a_share_without_locks_keeps_nobody_waiting(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, clock: Clock, number: int
) -> None:
    def refuse(descriptor: int, *, blocking: bool) -> bool:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    before = descriptors()
    assert not queue(store).take(0.25, nothing).taken
    assert sum(clock.pauses) < 0.001
    assert descriptors() == before


@posix
def test_a_lock_file_that_cannot_be_made_keeps_nobody_waiting(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    (Path(store.uri) / "tmp").touch()  # a file in the folder's place
    assert not queue(store).take(0.25, nothing).taken
    assert clock.pauses == []


def test_a_lock_whose_server_never_answers_is_asked_once_and_left_alone_until_it_does(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, answered, lock_descriptor = list[int](), threading.Event(), filelock.lock_descriptor

    def hang(descriptor: int, *, blocking: bool) -> bool:
        looks.append(descriptor)
        answered.wait(PATIENCE_S)
        return lock_descriptor(descriptor, blocking=blocking)

    opened = LockQueue(store._open_lock, may_hang=lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(filelock, "lock_descriptor", hang)
        assert not opened.take(0, nothing).taken
        assert not opened.take(0, nothing).taken
        assert len(looks) == 1
        hanging = opened._hanging
        assert hanging is not None
        answered.set()
        hanging.join(PATIENCE_S)
    with opened.take(0, nothing) as turn:
        assert turn.taken, "what was left to the question is let go with its answer"
        assert not LockQueue(store._open_lock, may_hang=lambda: True).take(0, nothing).taken


def test_a_share_whose_locks_may_hang_and_do_not_has_turns(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = LockQueue(store._open_lock, may_hang=lambda: True)
    for _ in range(2):
        with opened.take(0, nothing) as turn:
            assert turn.taken

    def refuse(descriptor: int, *, blocking: bool) -> bool:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    assert not opened.take(0, nothing).taken
    assert opened._hanging is None


def test_a_turn_that_is_dropped_is_let_go(store: LocalStore) -> None:
    take(store)
    assert take(store).taken


def test_a_queue_can_be_had_from_a_store_that_was_sent_to_another_process(store: LocalStore) -> None:
    assert take(pickle.loads(pickle.dumps(store))).taken


def descriptors() -> list[str]:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts descriptors in /proc")
    return os.listdir("/proc/self/fd")
