"""One namespace at work: races, transactions, threads, forks, and where a registry is found."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.errors import (
    AlreadyExistsError,
    ConflictError,
    FormatError,
    InvalidInputError,
    LocalregError,
    NotFoundError,
    ReadOnlyError,
    StorageError,
    UnknownOutcomeError,
)
from localreg.log import Change, State
from localreg.log.entry import entry_path
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Changes, Session, preconditions
from localreg.session import session as session_module
from localreg.session.current import current_session
from localreg.session.location import find_location, open_or_make, root_store
from localreg.storage import MemoryStore, Store
from localreg.testing import FaultyStore

PATIENCE_S = 60

# A fork beside threads is what one test is about; newer Pythons warn of it.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture(params=["memory", "disk"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else root_store(str(tmp_path / "registry"))


def opened(root: Store, actor: str = "ana", namespace: str = "default") -> Registry:
    file, _ = open_or_make(root, make=True)
    return Registry(Session(root, file, namespace, actor=actor))


@pytest.fixture
def registry(root: Store) -> Registry:
    """A registry with the models `one` and `two`."""
    registry = opened(root)
    registry.create_model("one", metadata={"first": 1})
    registry.create_model("two")
    return registry


@pytest.fixture
def other(registry: Registry, root: Store) -> Registry:
    """Another process's handle on the same registry, as far as one process can have it."""
    return opened(root, "bob")


def names(registry: Registry) -> list[str]:
    return [row.name for row in registry._session.state().children("model")]


def before_publishing(monkeypatch: pytest.MonkeyPatch, registry: Registry, *acts: Callable[[], object]) -> list[str]:
    """Let others act in the moment between reading the state and publishing: one act for each attempt."""
    store = registry._session.store
    publish, left, attempts = store.put_if_absent, list(acts), list[str]()

    def put_if_absent(path: str, data: bytes, **how: Any) -> bool:
        attempts.append(path)
        if left:
            left.pop(0)()
        return publish(path, data, **how)

    monkeypatch.setattr(store, "put_if_absent", put_if_absent)
    return attempts


# Races


def test_a_lost_race_runs_the_change_again_on_what_the_winner_left(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = before_publishing(
        monkeypatch,
        registry,
        lambda: other.get_model("one").update(metadata={"theirs": 2}),
        lambda: other.get_model("one").tag("theirs"),
    )
    registry.get_model("one").update(metadata={"mine": 3})
    assert attempts == [entry_path(3), entry_path(4), entry_path(5)]
    for handle in (registry, other):
        assert handle.get_model("one").metadata == {"first": 1, "theirs": 2, "mine": 3}
        assert handle.get_model("one").tags == ["theirs"]
        assert handle.commit == 5
    assert registry.verify().ok


def test_a_change_that_the_winner_made_impossible_is_refused(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_publishing(monkeypatch, registry, lambda: other.create_model("new", metadata={"by": "bob"}))
    with pytest.raises(AlreadyExistsError, match="'new' exists already"):
        registry.create_model("new")
    assert registry.get_model("new").metadata == {"by": "bob"}
    assert registry.commit == 3


def test_a_change_that_the_winner_made_already_is_no_commit(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_publishing(monkeypatch, registry, lambda: other.get_model("one").tag("x"))
    registry.get_model("one").tag("x")
    assert registry.commit == 3


def test_an_id_stays_the_same_when_a_change_runs_again(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_publishing(monkeypatch, registry, lambda: other.create_model("theirs"))
    model = registry.create_model("mine")
    assert registry.get_model("mine").id == model.id
    ids: list[str] = []

    def operation(changes: Changes) -> None:
        ids.append(changes.new_id("alias", "x"))
        changes.note(changes.draft.children("model")[0], action="look")

    before_publishing(monkeypatch, registry, lambda: other.create_model("theirs too"))
    registry._session.change(operation)
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_what_landed_in_spite_of_a_failure_is_a_success_and_one_commit(root: Store) -> None:
    opened(root).create_model("old")
    for k in range(1, 20):
        store = FaultyStore(root, fail_at=k, when="after")
        try:
            opened(store).create_model(f"new {k}")
        except StorageError:
            assert "put_if_absent" not in store.calls[-1].verb
        if len(store.calls) >= k and store.calls[k - 1].verb == "put_if_absent":
            break
    else:
        pytest.fail("the commit was never reached")
    names = [event.name for entry in opened(root)._session.entries() for event in entry.events]
    assert names[-1] == f"new {k}"
    assert len(set(names)) == len(names)


def test_an_unknown_outcome_names_the_commit_and_the_handle_finds_out_by_itself(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = registry._session.store
    publish, get = store.put_if_absent, store.get
    silent = threading.Event()

    def put_if_absent(path: str, data: bytes, **how: Any) -> bool:
        publish(path, data, **how)
        silent.set()
        raise StorageError("no answer", code="doubtful")

    def get_if_answered(path: str, **how: object) -> bytes | None:
        if silent.is_set():
            raise StorageError("no answer")
        return get(path)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_if_absent", put_if_absent)
        patch.setattr(store, "get", get_if_answered)
        with pytest.raises(UnknownOutcomeError, match="whether it landed is unknown") as caught:
            registry.create_model("perhaps")
    assert registry.find_model("perhaps") is not None
    entries = list(registry._session.entries())
    assert entries[-1].commit_id == caught.value.commit_id
    registry.create_model("next")
    assert registry.commit == 4


# Transactions


def test_a_transaction_is_one_commit_with_its_message_on_every_event(registry: Registry) -> None:
    with registry.transaction("spring cleaning") as transaction:
        registry.create_model("three")
        registry.get_model("one").rename("uno")
        registry.get_model("two").delete()
        inside = transaction.commit
    assert (inside, transaction.commit, registry.commit) == (None, 3, 3)
    *_, entry = registry._session.entries()
    assert [(event.action, event.message) for event in entry.events] == [
        ("create", "spring cleaning"),
        ("rename", "spring cleaning"),
        ("delete", "spring cleaning"),
    ]


def test_reads_inside_see_the_transaction_s_own_writes_and_nobody_else_does(
    registry: Registry, other: Registry
) -> None:
    with registry.transaction():
        registry.create_model("three", metadata={"lr": 1})
        registry.get_model("one").update(metadata={"lr": 2})
        assert names(registry) == ["one", "two", "three"]
        assert registry.get_model("one").metadata["lr"] == 2
        assert [row["name"] for row in registry.models("metadata.lr = 1").dicts()] == ["three"]
        assert names(other) == ["one", "two"]
        assert "lr" not in other.get_model("one").metadata
    assert names(other) == ["one", "two", "three"]


def test_an_empty_transaction_is_no_commit(registry: Registry) -> None:
    with registry.transaction() as transaction:
        registry.get_model("one").update(metadata={"first": 1})
    assert transaction.commit is None
    assert registry.commit == 2


def test_an_exception_inside_leaves_nothing(registry: Registry) -> None:
    with pytest.raises(KeyError, match="mine"), registry.transaction():  # noqa: PT012 - the block is the subject
        registry.create_model("three")
        registry.get_model("one").rename("uno")
        raise KeyError("mine")
    assert names(registry) == ["one", "two"]
    assert registry.commit == 2
    registry.create_model("three")
    assert registry.commit == 3


def test_an_error_caught_inside_leaves_nothing_of_that_call_and_all_of_the_others(registry: Registry) -> None:
    def half_done(changes: Changes) -> None:
        row = changes.draft.find("model", "one")
        assert row is not None
        changes.delete(row)
        raise ConflictError("halfway")

    with registry.transaction():
        registry.create_model("three")
        with pytest.raises(AlreadyExistsError):
            registry.create_model("two")
        with pytest.raises(ConflictError, match="halfway"):
            registry._session.change(half_done)
        assert names(registry) == ["one", "two", "three"]
        registry.create_model("four")
    assert names(registry) == ["one", "two", "three", "four"]
    *_, entry = registry._session.entries()
    assert [(event.action, event.name) for event in entry.events] == [("create", "three"), ("create", "four")]
    assert registry.commit == 3


def test_a_record_that_another_changed_meanwhile_is_a_conflict_and_nothing_is_written(
    registry: Registry, other: Registry
) -> None:
    with pytest.raises(ConflictError, match="'one' was changed by another commit"), registry.transaction():  # noqa: PT012
        registry.create_model("three")
        registry.get_model("one").update(metadata={"mine": 1})
        other.get_model("one").update(metadata={"theirs": 1})
    assert names(registry) == ["one", "two"]
    assert registry.get_model("one").metadata == {"first": 1, "theirs": 1}
    assert registry.commit == 3


def test_a_record_that_another_deleted_meanwhile_is_a_conflict(registry: Registry, other: Registry) -> None:
    with pytest.raises(ConflictError, match="'two'"), registry.transaction():  # noqa: PT012 - the block is the subject
        registry.get_model("two").tag("x")
        other.get_model("two").delete()
    assert names(registry) == ["one"]


def test_a_record_that_is_deleted_here_and_changed_there_is_a_conflict(registry: Registry, other: Registry) -> None:
    with pytest.raises(ConflictError, match="'two'"), registry.transaction():  # noqa: PT012 - the block is the subject
        registry.get_model("two").delete()
        other.get_model("two").tag("keep me")
    assert registry.get_model("two").tags == ["keep me"]


def test_a_conflict_is_seen_also_after_a_second_lost_race(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named for a bug: only the first winner was looked at."""
    before_publishing(
        monkeypatch,
        registry,
        lambda: other.create_model("harmless"),
        lambda: other.get_model("one").update(metadata={"first": "theirs"}),
    )
    with pytest.raises(ConflictError, match="'one' was changed by another commit"), registry.transaction():
        registry.get_model("one").update(metadata={"first": "mine"})
    assert registry.get_model("one").metadata == {"first": "theirs"}
    assert registry.commit == 4


def test_changes_of_different_records_both_land(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_publishing(monkeypatch, registry, lambda: other.create_model("five"), lambda: other.create_model("six"))
    with registry.transaction() as transaction:
        registry.create_model("three")
        registry.get_model("one").update(metadata={"mine": 1})
        other.get_model("two").update(metadata={"theirs": 1})
        other.create_model("four")
    assert transaction.commit == 7
    assert names(other) == ["one", "two", "four", "five", "six", "three"]
    assert other.get_model("one").metadata == {"first": 1, "mine": 1}
    assert other.get_model("two").metadata == {"theirs": 1}
    assert registry.verify().ok


def test_a_name_that_another_took_meanwhile_refuses_the_whole_transaction(registry: Registry, other: Registry) -> None:
    with pytest.raises(AlreadyExistsError, match="'three'"), registry.transaction():  # noqa: PT012 - the block is it
        registry.create_model("before")
        registry.create_model("three")
        other.create_model("three")
    assert names(registry) == ["one", "two", "three"]


def test_transactions_do_not_nest(registry: Registry) -> None:
    with registry.transaction():
        registry.create_model("three")
        with pytest.raises(InvalidInputError, match="transactions do not nest"), registry.transaction():
            pytest.fail("it was opened")
        registry.create_model("four")
    assert registry.commit == 3
    with registry.transaction():
        registry.create_model("five")
    assert registry.commit == 4


def test_a_thread_that_is_started_inside_does_not_join(registry: Registry, other: Registry) -> None:
    with ThreadPoolExecutor(1) as pool, registry.transaction():
        registry.create_model("mine")
        pool.submit(lambda: registry.create_model("of the thread")).result(PATIENCE_S)
        assert names(other) == ["one", "two", "of the thread"]
        assert names(registry) == ["one", "two", "mine"]
        assert pool.submit(lambda: names(registry)).result(PATIENCE_S) == ["one", "two", "of the thread"]
    assert names(other) == ["one", "two", "of the thread", "mine"]
    assert registry.commit == 4


def test_another_namespace_does_not_join(registry: Registry) -> None:
    vision = registry.namespace("vision")
    with pytest.raises(KeyError), registry.transaction():  # noqa: PT012 - the block is the subject
        registry.create_model("three")
        vision.create_model("eye")
        raise KeyError
    assert names(vision) == ["eye"]
    assert names(registry) == ["one", "two"]


# Rules of a commit


def test_a_precondition_that_is_not_met_refuses_the_commit_and_sees_all_of_it(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, list[str], list[str]]] = []

    def refuse(before: State, after: State, changes: Sequence[Change]) -> None:
        seen.append((before.head.commit, [row.name for row in after.children("model")], [c.action for c in changes]))
        raise ConflictError("not on a Friday")

    monkeypatch.setattr(session_module, "preconditions", [*preconditions, refuse])
    with pytest.raises(ConflictError, match="not on a Friday"), registry.transaction():
        registry.create_model("three")
    assert seen == [(2, ["one", "two", "three"], ["create"])]
    assert names(registry) == ["one", "two"]
    assert registry._session.store.get(entry_path(3)) is None


def pointer(path: str) -> FilePointer:
    return FilePointer(path, "t", "0" * 32, 1, 1, "ab" * 32)


def bring(registry: Registry, path: str, action: str = "upload") -> None:
    def operation(changes: Changes) -> None:
        changes.note(changes.draft.children("model")[0], action=action, files=(pointer(path),))

    registry._session.change(operation)


def test_a_file_that_was_given_up_cannot_be_committed_any_more(registry: Registry, other: Registry) -> None:
    bring(registry, "data/t/o/fine.parquet")
    bring(other, "data/t/o/late.parquet", action="condemn")
    assert other._session.state().is_condemned("data/t/o/late.parquet")
    with pytest.raises(ConflictError, match=r"late\.parquet was given up") as caught:
        bring(registry, "data/t/o/late.parquet")
    assert caught.value.code == "file_condemned"
    assert registry.commit == 4


def test_a_file_that_is_given_up_while_it_is_being_committed_is_refused(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "data/t/o/late.parquet"
    before_publishing(monkeypatch, registry, lambda: bring(other, path, action="condemn"))
    with pytest.raises(ConflictError, match="was given up"):
        bring(registry, path)
    assert registry._session.state().get("file", path) is None


def test_a_read_only_handle_refuses_before_anything_is_done(registry: Registry) -> None:
    past = registry.at(commit=1)
    for act in (
        lambda: past.create_model("x"),
        lambda: past.get_model("one").tag("x"),
        lambda: past.transaction().__enter__(),
    ):
        with pytest.raises(ReadOnlyError, match="as of commit 1"):
            act()
    assert names(past) == ["one"]
    assert registry.commit == 2


# Reading


def test_a_handle_shows_the_commits_of_others_at_once_and_the_past_never_moves(
    registry: Registry, other: Registry
) -> None:
    past = registry.at(commit=2)
    other.create_model("three")
    assert names(registry) == ["one", "two", "three"]
    assert names(past) == ["one", "two"]
    assert [event.name for entry in past._session.entries() for event in entry.events][-1] == "two"


def test_a_read_of_a_quiet_registry_is_one_probe_and_one_of_the_past_none(root: Store) -> None:
    opened(root).create_model("one")
    store = FaultyStore(root, fail_at=0, when="before")
    registry = opened(store)
    past = registry.at(commit=1)
    before = len(store.calls)
    registry.find_model("one")
    assert [call.verb for call in store.calls[before:]] == ["get"]
    past.find_model("one")
    assert len(store.calls) == before + 1


def test_at_a_time_is_the_last_commit_that_was_not_later_whatever_the_clocks_said(
    root: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = opened(root)
    for minute, name in [(10, "a"), (5, "b"), (20, "c"), (20, "d")]:
        monkeypatch.setattr("localreg.log.publish.now", lambda minute=minute: f"2026-03-01T12:{minute:02d}:00.000000Z")
        registry.create_model(name)
    shown = {
        minute: names(registry.at(time=f"2026-03-01T12:{minute:02d}:00+00:00")) for minute in (4, 5, 9, 10, 19, 20, 30)
    }
    assert shown == {
        4: [],
        5: [],
        9: [],
        10: ["a", "b"],
        19: ["a", "b"],
        20: ["a", "b", "c", "d"],
        30: ["a", "b", "c", "d"],
    }
    assert names(registry.at(time="2026-03-01T13:15:00+01:00")) == ["a", "b"]


def test_at_takes_a_commit_or_a_time(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match="a commit or a time"):
        registry.at()
    with pytest.raises(InvalidInputError, match="a commit or a time"):
        registry.at(commit=1, time="2026-03-01T12:00:00+00:00")
    with pytest.raises(InvalidInputError, match="the newest is 2"):
        registry.at(commit=3)


def test_a_closed_handle_loads_again_what_it_needs(registry: Registry, other: Registry) -> None:
    with registry:
        assert len(registry.models()) == 2
    other.create_model("three")
    assert names(registry) == ["one", "two", "three"]
    assert len(registry.models()) == 3


# Genesis


def first_events(registry: Registry) -> list[tuple[str, str, str]]:
    first = next(registry._session.entries())
    return [(event.kind, event.action, event.name) for event in first.events]


def test_the_first_commit_says_that_registry_and_namespace_were_made(root: Store) -> None:
    registry = opened(root)
    assert registry.commit == 0
    registry.create_model("one")
    assert first_events(registry) == [
        ("registry", "create", registry.id),
        ("namespace", "create", "default"),
        ("model", "create", "one"),
    ]
    vision = registry.namespace("ai/vision")
    vision.create_model("eye")
    assert first_events(vision) == [("namespace", "create", "ai/vision"), ("model", "create", "eye")]
    assert len(list(registry._session.entries())) == 1


def test_a_namespace_that_a_dead_writer_left_without_a_commit_is_not_the_first(tmp_path: Path) -> None:
    """Named for a bug: its empty folder kept the making of the registry out of every log."""
    registry = localreg.open(tmp_path, actor="ana")
    (tmp_path / "namespaces/vision/tmp").mkdir(parents=True)
    registry.create_model("one")
    assert ("registry", "create", registry.id) in first_events(registry)


def test_opening_a_namespace_makes_none(root: Store) -> None:
    registry = opened(root)
    assert registry.namespace("vision").find_model("x") is None
    assert root.folders("namespaces") == []


# Threads, processes, forks


def test_threads_that_share_a_handle_lose_nothing(root: Store) -> None:
    registry = opened(root)
    threads, each = 8, 20
    barrier = threading.Barrier(threads)

    def work(me: int) -> None:
        barrier.wait(PATIENCE_S)
        for number in range(each):
            if number % 5 == 4:
                with registry.transaction(f"of {me}"):
                    registry.create_model(f"{me}-{number}-a")
                    registry.create_model(f"{me}-{number}-b")
            else:
                assert registry.create_model(f"{me}-{number}-a").name == f"{me}-{number}-a"

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, me) for me in range(threads)]:
            done.result(PATIENCE_S)
    wanted = {f"{me}-{number}-a" for me in range(threads) for number in range(each)}
    wanted |= {f"{me}-{number}-b" for me in range(threads) for number in range(4, each, 5)}
    assert sorted(names(registry)) == sorted(wanted)
    assert registry.commit == threads * each
    assert registry.verify().ok
    assert registry.verify().commits == threads * each


def test_threads_with_handles_of_their_own_lose_nothing(root: Store) -> None:
    opened(root)
    threads, each = 4, 15
    barrier = threading.Barrier(threads)

    def work(me: int) -> None:
        registry = opened(root, f"writer {me}")
        barrier.wait(PATIENCE_S)
        for number in range(each):
            registry.create_model(f"{me}-{number}")

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, me) for me in range(threads)]:
            done.result(PATIENCE_S)
    registry = opened(root)
    assert sorted(names(registry)) == sorted(f"{me}-{number}" for me in range(threads) for number in range(each))
    assert registry.commit == threads * each
    assert registry.verify().ok


def test_a_thread_meets_only_whole_states_while_another_commits(root: Store) -> None:
    registry = opened(root)
    ready, finished = threading.Event(), threading.Event()
    odd: list[int] = []

    def look() -> int:
        looks = 0
        while not finished.is_set():
            odd.extend(count for count in [len(names(registry))] if count % 3)
            looks += 1
            ready.set()
        return looks

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        assert ready.wait(PATIENCE_S)
        try:
            for number in range(30):
                with registry.transaction():
                    for part in "abc":
                        registry.create_model(f"{number}{part}")
        finally:
            finished.set()
        assert looking.result(PATIENCE_S) > 0
    assert odd == []
    assert len(names(registry)) == 90


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_parent_and_child_of_a_fork_both_go_on(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path, actor="ana")
    registry.create_model("before")
    assert len(registry.models()) == 1
    lock = registry._session._lock
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            assert let_go.wait(PATIENCE_S)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)  # as a thread that is committing while another forks
        assert held.wait(PATIENCE_S)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(PATIENCE_S)  # a child that waits for a lost lock dies of it
                for number in range(5):
                    registry.create_model(f"of the child {number}")
                with registry.transaction():
                    registry.get_model("before").tag("seen by the child")
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        let_go.set()
        holding.result(PATIENCE_S)
        for number in range(5):
            registry.create_model(f"of the parent {number}")
        assert os.waitpid(child, 0)[1] == 0
    whose = [name.rpartition(" ")[0] for name in names(registry)]
    assert sorted(whose) == ["", *["of the child"] * 5, *["of the parent"] * 5]
    assert registry.get_model("before").tags == ["seen by the child"]
    assert registry.commit == 12
    assert registry.verify().ok
    assert len(registry.models()) == 11


def make(folder: Path, rounds: int, barrier: Barrier, made: SimpleQueue[tuple[int, str]]) -> None:
    """One of the processes that make the same registries at the same moments."""
    for turn in range(rounds):
        barrier.wait(PATIENCE_S)  # breaks when another process has failed: none is left hanging
        registry = localreg.open(folder / str(turn), actor="racer")
        registry.create_model(new_id())
        made.put((turn, registry.id))


def test_processes_that_make_one_registry_at_once_open_the_same(tmp_path: Path) -> None:
    processes, rounds = 3, 12
    context = multiprocessing.get_context("spawn")
    barrier, made = context.Barrier(processes), context.SimpleQueue()
    running = [context.Process(target=make, args=(tmp_path, rounds, barrier, made)) for _ in range(processes)]
    for process in running:
        process.start()
    for process in running:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in running] == [0] * processes
    answers = [made.get() for _ in range(processes * rounds)]
    for turn in range(rounds):
        registry = localreg.open(tmp_path / str(turn))
        assert {id for other, id in answers if other == turn} == {registry.id}
        assert registry.commit == processes
        assert registry.verify().ok
        firsts = [event.kind for entry in registry._session.entries() for event in entry.events]
        assert firsts == ["registry", "namespace", "model", "model", "model"]


# Where a registry is


def test_a_memory_registry_is_shared_by_its_name() -> None:
    name = new_id()
    localreg.open(f"memory://{name}", actor="ana").create_model("x")
    again = localreg.open(f"memory://{name}", actor="bob")
    assert names(again) == ["x"]
    assert localreg.open(f"memory://{new_id()}").commit == 0
    with pytest.raises(NotFoundError):
        localreg.open(f"memory://{new_id()}", read_only=True)


def test_a_path_and_a_file_uri_are_the_same_place(tmp_path: Path) -> None:
    place = tmp_path / "with space é"
    made = localreg.open(place)
    for spelling in (str(place), place, place.as_uri(), f"{place}/"):
        assert localreg.open(spelling).id == made.id


def test_an_unknown_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalregError, match="gopher://"):
        localreg.open("gopher://x/y")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deep folder to stand in, with nothing in the environment."""
    deep = tmp_path / "project/src/deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    monkeypatch.delenv("LOCALREG_URI", raising=False)
    return deep


def test_without_anything_the_registry_is_here(nowhere: Path) -> None:
    assert find_location(None) == str(nowhere / ".localreg")
    localreg.open().create_model("x")
    assert (nowhere / ".localreg/localreg.json").is_file()
    assert names(localreg.open()) == ["x"]


def test_the_nearest_registry_upward_is_found(nowhere: Path, tmp_path: Path) -> None:
    localreg.open(tmp_path / ".localreg").create_model("far")
    assert names(localreg.open()) == ["far"]
    localreg.open(tmp_path / "project/.localreg").create_model("near")
    assert names(localreg.open()) == ["near"]
    (nowhere / ".localreg").mkdir()  # a folder of that name that is no registry is passed by
    assert names(localreg.open()) == ["near"]


def test_the_environment_goes_before_what_lies_upward_and_an_argument_before_all(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    localreg.open(tmp_path / ".localreg").create_model("upward")
    localreg.open(tmp_path / "named").create_model("named")
    localreg.open(tmp_path / "given").create_model("given")
    monkeypatch.setenv("LOCALREG_URI", str(tmp_path / "named"))
    assert names(localreg.open()) == ["named"]
    assert names(localreg.open(tmp_path / "given")) == ["given"]
    monkeypatch.setenv("LOCALREG_URI", "")
    assert names(localreg.open()) == ["upward"]


def test_a_handle_stays_where_it_was_opened_when_the_process_moves(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = localreg.open("relative")
    monkeypatch.chdir(tmp_path)
    registry.create_model("x")
    assert names(localreg.open(nowhere / "relative")) == ["x"]
    assert not (tmp_path / "relative").exists()


def test_reading_makes_nothing(nowhere: Path) -> None:
    with pytest.raises(NotFoundError, match="no registry at") as caught:
        localreg.open(read_only=True)
    assert caught.value.code == "no_registry"
    assert list(nowhere.iterdir()) == []


def test_a_folder_that_lost_its_registry_file_is_told_and_can_be_saved(tmp_path: Path) -> None:
    localreg.open(tmp_path / "old", actor="ana").create_model("x")
    (tmp_path / "old" / "localreg.json").unlink()
    with pytest.raises(NotFoundError, match=r"has lost its localreg\.json.*namespaces import FOLDER"):
        localreg.open(tmp_path / "old", read_only=True)
    with pytest.raises(FormatError, match=r"has lost its localreg\.json"):
        localreg.open(tmp_path / "old")
    new = localreg.open(tmp_path / "new")
    new.import_namespace(tmp_path / "old/namespaces/default")
    assert names(new) == ["x"]
    assert new.verify().ok


def test_the_actor_is_the_one_given_or_that_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALREG_ACTOR", "ci")
    assert localreg.open(tmp_path, actor="ana").actor == "ana"
    registry = localreg.open(tmp_path)
    registry.create_model("x")
    assert {event.actor for entry in registry._session.entries() for event in entry.events} == {"ci"}


# What a transaction is not


def test_a_call_in_a_context_that_outlived_the_block_commits_by_itself(registry: Registry, other: Registry) -> None:
    with registry.transaction():
        registry.create_model("inside")
        outliving = copy_context()
    outliving.run(registry.create_model, "later")
    assert names(other)[-2:] == ["inside", "later"]


LOOKS: dict[str, Callable[[State], Any]] = {
    "get": lambda state: state.get("model", "none"),
    "outline": lambda state: state.outline("model", "none"),
    "find": lambda state: state.find("model", "model-7"),
    "get_many": lambda state: list(state.get_many([("model", "none")])),
    "rows": lambda state: list(state.rows("model")),
    "children": lambda state: state.children("model"),
    "outlines": lambda state: state.outlines("model"),
    "names": lambda state: list(state.names("model")),
    "containing": lambda state: list(state.containing("model", "model")),
    "referring": lambda state: list(state.referring("model", "id")),
    "overlay": lambda state: list(state.overlay()),
    "draft": lambda state: state.draft(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_thread_of_a_transaction_sees_no_half_of_what_another_does(registry: Registry, look: str) -> None:
    """It would meet a dictionary that changes its size, too."""
    registry.create_model("before")
    with registry.transaction():
        registry.create_model("inside")
        seen = threading.Event()

        def read() -> None:
            LOOKS[look](registry._session.state())
            seen.set()

        thread = threading.Thread(target=copy_context().run, args=(read,))

        def operation(_: Changes) -> None:
            thread.start()
            assert not seen.wait(0.05)

        registry._session.change(operation)
        thread.join()
        assert seen.is_set()


@pytest.mark.parametrize("look", ["rows", "names", "containing", "referring", "overlay", "get_many"])
def test_what_a_transaction_is_looped_over_may_change_within_the_loop(registry: Registry, look: str) -> None:
    looks: dict[str, Callable[[State], Iterator[object]]] = {
        "rows": lambda state: state.rows("model"),
        "names": lambda state: state.names("model"),
        "containing": lambda state: state.containing("model", "inside"),
        "referring": lambda state: state.referring("model", "id"),
        "overlay": lambda state: state.overlay(),
        "get_many": lambda state: state.get_many([(row.kind, row.id) for row in state.children("model")]),
    }
    with registry.transaction():
        for number in range(3):
            registry.create_model(f"inside {number}")
        whole = list(looks[look](registry._session.state()))
        shown = looks[look](registry._session.state())
        first = next(shown)
        registry.create_model("later").create_version("1")
        assert [first, *shown] == whole


def test_a_thread_that_comes_to_a_transaction_as_it_ends_is_refused_and_not_forgotten(registry: Registry) -> None:
    with registry.transaction() as transaction:
        registry.create_model("inside")
    with pytest.raises(ConflictError, match="ended while another thread"):
        transaction.run(lambda changes: None)
    assert names(registry)[-1] == "inside"


def test_a_transaction_ends_after_what_another_thread_has_begun(registry: Registry) -> None:
    begun = threading.Event()

    def slow(changes: Changes) -> None:
        begun.set()
        assert not ended.wait(0.05)

    ended = threading.Event()
    with registry.transaction():
        thread = threading.Thread(target=copy_context().run, args=(registry._session.change, slow))
        thread.start()
        assert begun.wait(60)
    ended.set()
    thread.join()


def test_an_operation_that_failed_leaves_the_next_draft_guarded(registry: Registry) -> None:
    with registry.transaction() as transaction:
        registry.create_model("inside")

        def fail(changes: Changes) -> None:
            changes.note(changes.draft.children("model")[0], action="look")
            raise ValueError("halfway")

        lock = transaction.changes.draft.lock
        with pytest.raises(ValueError, match="halfway"):
            registry._session.change(fail)
        assert transaction.changes.draft.lock is lock


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_inside_a_transaction_is_no_part_of_it(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    with registry.transaction() as transaction:
        registry.create_model("of the parent")
        child = os.fork()
        if child == 0:
            registry.create_model("of the child")
            with suppress(ConflictError):
                transaction.close()
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert names(localreg.open(tmp_path / "registry")) == ["of the child", "of the parent"]


def test_content_that_another_commit_forestalled_is_a_conflict_and_not_dropped(
    registry: Registry, other: Registry
) -> None:
    registry.create_model("known")

    def lose() -> None:
        with registry.transaction():
            registry.create_model("x", metadata={"mine": 1}, exist_ok=True)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(other.create_model, "x").result()

    with pytest.raises(ConflictError, match="'x' was changed by another commit"):
        lose()


def test_a_transaction_that_changes_nothing_has_no_commit(registry: Registry, other: Registry) -> None:
    with registry.transaction() as transaction:
        registry.create_model("one", exist_ok=True)
        other.create_model("theirs")
    assert transaction.commit is None


def test_a_handle_on_the_same_namespace_joins_and_one_opened_anew_does_not(registry: Registry, other: Registry) -> None:
    def abandon() -> None:
        with registry.transaction():
            registry.namespace("default").create_model("joined")
            other.create_model("alone")
            raise KeyError("out")

    with pytest.raises(KeyError):
        abandon()
    assert names(registry)[-1] == "alone"
    assert registry.find_model("joined") is None


def test_another_namespace_of_the_past_is_shown_as_it_was_at_that_time(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    team = registry.namespace("team")
    team.create_model("early")
    registry.create_model("m")
    moment = registry.audit()[-1]["time"]
    team.create_model("late")
    past = registry.at(time=moment)
    assert [row["name"] for row in past.namespace("team").models()] == ["early"]
    assert past.namespace("team").read_only
    assert registry.at(commit=0).namespace("default").commit == 0
    with pytest.raises(InvalidInputError, match="means nothing in 'team'"):
        registry.at(commit=1).namespace("team")


def test_a_with_block_of_use_is_not_disturbed_by_another_thread(tmp_path: Path) -> None:
    ours, theirs = localreg.open(tmp_path / "a"), localreg.open(tmp_path / "b")
    with localreg.use(ours), ThreadPoolExecutor(1) as elsewhere:
        used = elsewhere.submit(lambda: localreg.use(theirs)).result()
        assert current_session() is ours._session
        assert elsewhere.submit(current_session).result() is theirs._session
        elsewhere.submit(lambda: used.__exit__(None, None, None)).result()


def test_a_frozen_handle_shows_one_commit_for_good_and_asks_the_store_nothing(root: Store) -> None:
    opened(root).create_model("one", metadata={"lr": 0.1})
    store = FaultyStore(root, fail_at=0, when="before")
    registry = opened(store)
    with registry.frozen() as frozen, registry.at(commit=1) as past:
        opened(root).create_model("two")
        before = len(store.calls)
        for handle in (frozen, past):
            for _ in range(3):
                assert handle.find_model("two") is None
                assert handle.get_model("one").metadata == {"lr": 0.1}
                assert handle.commit == 1
                assert len(handle.models(where="metadata.lr < 1")) == 1
        assert len(store.calls) == before
        assert names(registry) == ["one", "two"]
    assert names(frozen) == ["one"], "a block that ends lets go of connections, not of the commit"
    assert frozen.read_only
    with pytest.raises(ReadOnlyError, match="as of commit 1"):
        frozen.create_model("three")


def test_a_frozen_handle_shows_nothing_of_an_open_transaction(registry: Registry) -> None:
    with registry.transaction():
        registry.create_model("three")
        frozen = registry.frozen()
        assert names(frozen) == ["one", "two"]
    assert names(frozen) == ["one", "two"]


def test_a_message_within_a_transaction_is_refused(registry: Registry) -> None:
    with registry.transaction("the whole"), pytest.raises(InvalidInputError, match="message stands with the whole"):
        registry._session.change(lambda changes: None, message="a part")


@pytest.mark.parametrize("landed", [True, False])
def test_an_unknown_outcome_is_settled_by_one_read_of_the_number_that_the_error_names(
    root: Store, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    registry = opened(root)
    for number in range(20):
        registry.create_model(f"model {number}")
    store = registry._session.store
    publish = store.put_if_absent

    def fail(path: str, **how: Any) -> bytes:
        raise StorageError("still no answer")

    def put_if_absent(path: str, data: bytes, **how: Any) -> bool:
        if landed:
            publish(path, data, **how)
        monkeypatch.setattr(store, "get", fail)
        raise StorageError("no answer", code="doubtful")

    monkeypatch.setattr(store, "put_if_absent", put_if_absent)
    with pytest.raises(UnknownOutcomeError, match="commit=21") as caught:
        registry.create_model("doubtful")
    error = caught.value
    assert error.commit == 21
    opened(root).create_model("later")  # takes the number if nothing landed
    counted = FaultyStore(root, fail_at=0, when="before")
    other = opened(counted)
    newest = other.commit
    before = len(counted.calls)
    assert other.resolve(error.commit_id, commit=error.commit) == (21 if landed else None)
    assert len(counted.calls) - before == 2, "a probe of the tail, and the entry"
    assert other.resolve(error.commit_id) == (21 if landed else None)
    assert other.resolve(error.commit_id, commit=newest + 5) is None
    assert other.resolve(error.commit_id, commit=0) is None


def test_an_unknown_outcome_crosses_processes_whole() -> None:
    error = pickle.loads(pickle.dumps(UnknownOutcomeError("?", commit_id="ab", commit=7)))
    assert (error.commit_id, error.commit, str(error)) == ("ab", 7, "?")


def test_a_look_at_a_time_reads_no_further_than_that_time(root: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FaultyStore(root, fail_at=0, when="before")
    registry = opened(store)
    for minute in range(30):
        monkeypatch.setattr("localreg.log.publish.now", lambda minute=minute: f"2026-03-01T12:{minute:02d}:00.000000Z")
        registry.create_model(str(minute))
    before = len(store.calls)
    assert registry.at(time="2026-03-01T12:04:00+00:00").commit == 5
    read = {call.path for call in store.calls[before:] if "/log/" in call.path}
    assert not any(path.endswith(entry_path(7)) for path in read)


def test_a_namespace_that_is_opened_again_is_the_same_writer(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry", commit_mode="single-writer")
    x = registry.namespace("x")._session
    assert x is registry.namespace("x")._session
    assert registry.namespace("x").namespace("default")._session is registry._session
    assert x._lease is not None
    x._lease._settle_s = 0
    registry.namespace("x").create_model("a")
    lease = tmp_path / "registry/namespaces/x/lease.json"
    assert lease.exists()
    registry.namespace("x").create_model("b")
    registry.close()
    assert not lease.exists(), "who opened the first closes all"


def test_closing_a_namespace_closes_no_other(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    registry.create_model("a")
    registry.namespace("x").close()
    assert registry._session._state is not None


def test_a_registry_that_nobody_uses_is_let_go_of_at_once(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry")
    registry.create_model("a")
    session = weakref.ref(registry._session)
    gc.disable()
    try:
        del registry
        assert session() is None
    finally:
        gc.enable()


def test_a_lease_that_cannot_be_read_does_not_keep_a_registry_from_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = localreg.open(tmp_path / "registry", commit_mode="single-writer")
    assert registry._session._lease is not None
    registry._session._lease._settle_s = 0
    registry.create_model("a")

    def fail(path: str, **_: object) -> bytes:
        raise StorageError("unreachable")

    monkeypatch.setattr(registry._session.store, "get", fail)
    registry.close()
    assert registry._session._state is None
