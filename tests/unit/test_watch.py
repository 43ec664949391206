"""Watching the log: every event once, in order, wherever the watcher is stopped; and no probe more than said."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import localreg
from localreg import AuditEvent, Position, Registry
from localreg.audit import watch
from localreg.audit.watch import GROWTH, JITTER, LOCAL, REMOTE, Pace
from localreg.errors import InvalidInputError, StorageError
from localreg.log import Change
from localreg.log.entry import entry_path
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.storage import MemoryStore, Store
from localreg.testing import FaultyStore

PROJECT = Path(__file__).parents[2]


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self, *acts: Callable[[], object]) -> None:
        self.now = 0.0
        self.naps: list[float] = []
        self._acts = list(acts)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Wait; what others do meanwhile is the next of the acts."""
        self.naps.append(seconds)
        self.now += seconds
        if self._acts:
            self._acts.pop(0)()


@pytest.fixture
def root() -> Store:
    return MemoryStore()


def opened(root: Store) -> Registry:
    file, _ = open_or_make(root, make=True)
    return Registry(Session(root, file, "default", actor="ana"))


@pytest.fixture
def registry(root: Store) -> Registry:
    """Three commits of 2, 1 and 3 events."""
    registry = opened(root)
    with registry.transaction():
        registry.create_model("one").create_version("1")
    registry.create_model("two")
    with registry.transaction("three at once"):
        registry.get_model("one").set_alias("production", "1")
        registry.get_model("two").update(metadata={"lr": 0.1})
        registry.get_model("two").rename("zwei")
    return registry


EVERYTHING = [Position(1, 1), Position(1, 2), Position(1, 3), Position(1, 4), Position(2, 1)]
EVERYTHING += [Position(3, 1), Position(3, 2), Position(3, 3)]


def seen(
    registry: Registry,
    since: int | tuple[int, int] | None = None,
    kinds: str | list[str] | None = None,
    timeout: float | None = 0.0,
    clock: Clock | None = None,
) -> Generator[AuditEvent, None, None]:
    clock = clock or Clock()
    return watch(registry._session, since=since, kinds=kinds, timeout=timeout, sleep=clock.sleep, clock=clock)


def positions(events: Iterator[AuditEvent]) -> list[Position]:
    return [event.position for event in events]


def test_an_event_says_what_the_log_says(registry: Registry) -> None:
    *_, alias, update, rename = registry.watch(0, timeout=0)
    assert (alias.kind, alias.action, alias.name, alias.before) == ("alias", "set_alias", "production", None)
    assert alias.details == {"version": "1"}
    assert alias.parent == registry.get_model("one").id
    assert update.before is not None
    assert update.after is not None
    assert (update.before["metadata"], update.after["metadata"]) == ({}, {"lr": 0.1})
    assert (rename.id, rename.name, rename.message) == (registry.get_model("zwei").id, "zwei", "three at once")
    assert (rename.actor, rename.files, rename.redacted) == ("ana", (), False)
    assert rename.time.tzinfo is UTC
    assert rename.time <= datetime.now(UTC)
    logged = [row["digest"] for row in registry.audit().dicts()]
    assert [event.digest for event in registry.watch(0, timeout=0)] == logged


def test_an_event_says_whose_and_what_changed_on_one_line(registry: Registry) -> None:
    model = registry.get_model("one")
    model.create_version("2")
    model.set_alias("production", "2")
    model.version("2").update(description="a\nb \u202e" + "x" * 500)
    model.delete(force=True)
    events = list(registry.watch(0, timeout=0))
    when = events[0].time.strftime("%Y-%m-%d %H:%M:%SZ")
    told = [str(event).replace(f"{event.time:%Y-%m-%d %H:%M:%SZ}", when) for event in events]
    assert told[3] == f"1.4  {when}  ana  create version 'one@1'", "its model was made by the same commit"
    assert told[5:9] == [
        f"3.1  {when}  ana  set_alias alias 'production': +version 1  (three at once)",
        f"3.2  {when}  ana  update model 'two': +metadata.lr 0.1  (three at once)",
        f"3.3  {when}  ana  rename model 'zwei': name two → zwei  (three at once)",
        f"4.1  {when}  ana  create model version '2'",
    ], "of a model that is gone by now"
    assert told[9] == f"5.1  {when}  ana  set_alias alias 'production': version 1 → 2"
    assert all(line.isprintable() and len(line) < 220 for line in told)
    assert [line.split("  ")[-1] for line in told[-4:]] == [
        "delete version 'one@1'",
        "delete alias 'one@production'",
        "delete version 'one@2'",
        "delete model 'one'",
    ], "which went with the same commit"


def test_an_event_names_what_its_record_lies_within(registry: Registry) -> None:
    logged = registry.audit().dicts()
    events = list(registry.watch(0, timeout=0))
    assert [event.parent_name for event in events] == [row["parent_name"] for row in logged]
    alias = next(event for event in events if event.kind == "alias")
    assert (alias.parent_name, alias.subject, alias.changes) == ("one", "alias 'one@production'", "+version 1")
    registry.get_model("one").rename("uno")
    (late,) = list(registry.watch(0, kinds="alias", timeout=0))
    assert late.subject == "alias 'uno@production'", "as it is called by now"


def test_a_watcher_knows_the_names_of_what_is_made_meanwhile(registry: Registry, root: Store) -> None:
    other = opened(root)
    acts = [
        lambda: other.create_model("late").create_version("1"),
        lambda: other.get_model("late").set_alias("staging", "1"),
    ]
    clock = Clock(*acts)
    found = [event.subject for event in seen(registry, kinds=["model_version", "alias"], timeout=9.0, clock=clock)]
    assert found == ["version 'late@1'", "alias 'late@staging'"]


def test_a_kind_that_there_is_not_is_refused_with_what_may_be_meant(registry: Registry) -> None:
    for wrong in ("aliass", ["model", "aliass"]):
        with pytest.raises(InvalidInputError, match="no kind of record 'aliass'; did you mean 'alias'"):
            registry.watch(kinds=wrong)
    with pytest.raises(InvalidInputError, match="no kind of record 'modle'; did you mean 'model'"):
        registry.audit(kind="modle")
    with pytest.raises(InvalidInputError, match="no kind of record 'modle'"):
        registry.all().audit(kind="modle")
    for known in ("alias", "test_run", "namespace", "feature", "test_suite_version"):
        assert registry.audit(kind=known) is not None
        assert list(registry.watch(kinds=known, timeout=0)) == []


def test_a_kind_of_a_later_release_may_be_asked_for_where_it_stands(registry: Registry) -> None:
    later = Change("stream", "create", "0" * 32, "s", after={"id": "0" * 32, "name": "s", "of": "floats"})
    registry._session.change(lambda changes: changes._add(later))
    assert [row["name"] for row in registry.audit(kind="stream")] == ["s"]
    assert [event.subject for event in registry.watch(0, kinds="stream", timeout=0)] == ["stream 's'"]


def test_since_a_commit_means_after_all_of_it_and_none_from_now(registry: Registry) -> None:
    assert positions(seen(registry, 0)) == EVERYTHING
    assert positions(seen(registry, 1)) == EVERYTHING[4:]
    assert positions(seen(registry, 3)) == []
    assert positions(seen(registry)) == []


def test_from_now_is_the_moment_of_the_call_and_not_of_the_first_look(registry: Registry, root: Store) -> None:
    events = seen(registry)
    opened(root).create_model("three")
    assert [event.name for event in events] == ["three"]


@pytest.mark.parametrize("place", range(len(EVERYTHING)))
def test_going_on_after_any_event_gives_exactly_the_rest(registry: Registry, place: int) -> None:
    with closing(seen(registry, 0)) as first:
        last = list(itertools.islice(first, place + 1))[-1]
    assert positions(seen(opened_again(registry), since=last.position)) == EVERYTHING[place + 1 :]
    # As it comes back from a file.
    kept = json.loads(json.dumps(last.position))
    assert positions(seen(registry, since=kept)) == EVERYTHING[place + 1 :]


def opened_again(registry: Registry) -> Registry:
    return opened(registry._session.root)


def test_only_some_kinds_and_the_position_stands_for_all(registry: Registry) -> None:
    assert positions(seen(registry, 0, kinds="alias")) == [Position(3, 1)]
    assert [event.kind for event in seen(registry, 0, kinds=["alias", "model_version"])] == ["model_version", "alias"]
    assert positions(seen(registry, (3, 1))) == [Position(3, 2), Position(3, 3)]
    assert positions(seen(registry, 0, kinds=[])) == []


def test_what_is_committed_while_waiting_comes_whole_and_in_order(registry: Registry, root: Store) -> None:
    other = opened(root)

    def two() -> None:
        with other.transaction():
            other.create_model("three")
            other.create_model("four")

    clock = Clock(lambda: None, two, lambda: other.create_model("five"))
    names = [event.name for event in seen(registry, timeout=10, clock=clock)]
    assert names == ["three", "four", "five"]


def test_it_ends_after_the_time_without_an_event_counted_from_the_last(registry: Registry, root: Store) -> None:
    other = opened(root)
    idle = [lambda: None] * 8
    clock = Clock(*idle, lambda: other.create_model("late"))
    events = seen(registry, timeout=3.0, clock=clock)
    assert next(events).name == "late"
    came = clock.now
    clock.now += 100  # the caller takes its time: that is not waiting
    asked = clock.now
    assert list(events) == []
    assert clock.now == pytest.approx(asked + 3.0)
    assert 0 < came < 3.0


def test_time_is_up_for_events_of_other_kinds_too(registry: Registry, root: Store) -> None:
    other = opened(root)
    numbers = itertools.count()
    clock = Clock(*[lambda: other.create_model(f"m{next(numbers)}")] * 1000)
    assert list(seen(registry, kinds="alias", timeout=1.0, clock=clock)) == []
    assert clock.now == pytest.approx(1.0)


class Hasty(Clock):
    """A clock by which every look takes a second."""

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_time_is_up_while_old_events_of_other_kinds_are_passed_over(registry: Registry) -> None:
    assert [event.name for event in seen(registry, 0, kinds="alias", timeout=3.0, clock=Hasty())] == ["production"]
    assert list(seen(registry, 0, kinds="alias", timeout=2.0, clock=Hasty())) == []
    assert [event.name for event in seen(registry, 0, kinds="alias", clock=Hasty())] == ["production"], "what is there"


def test_without_a_timeout_it_goes_on_waiting(registry: Registry, root: Store) -> None:
    other = opened(root)
    clock = Clock(*[lambda: None] * 500, lambda: other.create_model("at last"))
    assert next(seen(registry, timeout=None, clock=clock)).name == "at last"
    assert len(clock.naps) == 501


@pytest.mark.parametrize("remote", [False, True])
def test_probes_grow_rare_while_nothing_happens_and_frequent_again_when_it_does(
    remote: bool, root: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaultyStore, "remote", remote, raising=False)
    store = FaultyStore(root, fail_at=0, when="before")
    registry = opened(store)
    registry.create_model("one")
    pace = REMOTE if remote else LOCAL
    quiet = 40
    clock = Clock(*[lambda: None] * (quiet - 1), lambda: opened(root).create_model("two"), *[lambda: None] * 3)
    events = seen(registry, timeout=None, clock=clock)
    before = len(store.calls)
    next(events)
    probes = store.calls[before:]
    assert {call.verb for call in probes} == {"get"}
    assert len(probes) == quiet + 1, "one look for each wait"
    _assert_pace(clock.naps, pace)
    assert len(set(clock.naps[-10:])) > 1, "all watchers of a share would probe in step"
    del clock.naps[:]
    clock._acts.append(lambda: opened(root).create_model("three"))
    next(events)
    _assert_pace(clock.naps, pace)


def _assert_pace(naps: list[float], pace: Pace) -> None:
    for number, nap in enumerate(naps):
        due = min(pace.shortest * GROWTH**number, pace.longest)
        assert due * JITTER <= nap <= due


def test_a_failing_store_is_told_and_the_position_goes_on_from_there(root: Store) -> None:
    opened(root).create_model("one")
    store = FaultyStore(root, fail_at=0, when="before")
    registry = opened(store)
    events = seen(registry, 0, timeout=None)
    last = next(events)
    store._plan._fail_at = len(store.calls) + 1
    with pytest.raises(StorageError):
        list(events)
    assert [event.name for event in seen(opened(root), last.position)] == ["default", "one"]


@pytest.mark.parametrize(
    "wrong", [4, (4, 1), (2, 2), (3, 4), -1, True, 1.5, "3", (1, 2, 3), (1,), (1, -1), [2, "1"], (None, 1)]
)
def test_a_place_that_the_log_does_not_have_is_refused(registry: Registry, wrong: int | tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError, match="since"):
        list(registry.watch(wrong, timeout=0))


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), True, "3"])
def test_a_timeout_is_seconds(registry: Registry, wrong: float) -> None:
    with pytest.raises(InvalidInputError, match="timeout"):
        registry.watch(timeout=wrong)


@pytest.mark.parametrize("wrong", [3, [3], [None]])
def test_kinds_are_texts(registry: Registry, wrong: str) -> None:
    with pytest.raises(InvalidInputError, match="kinds"):
        registry.watch(kinds=wrong)


def test_the_past_cannot_be_watched(registry: Registry) -> None:
    for past in (registry.at(commit=2), registry.frozen()):
        with pytest.raises(InvalidInputError, match="nothing happens any more"):
            past.watch(0)


def test_a_lost_entry_is_told_and_not_passed_over(registry: Registry) -> None:
    registry._session.store.delete(entry_path(2))
    with pytest.raises(localreg.IntegrityError, match="missing"):
        registry.watch(2)


WRITER = """
import sys, localreg
registry = localreg.open(sys.argv[1], actor="writer")
for number in range(int(sys.argv[2])):
    with registry.transaction():
        for part in range(number % 3 + 1):
            registry.create_model(f"{number}.{part}")
"""

WATCHER = """
import json, os, sys, localreg
registry = localreg.open(sys.argv[1], actor="watcher")
since = tuple(json.loads(sys.argv[2]))
for event in registry.watch(since, kinds="model", timeout=60):
    os.write(1, json.dumps([*event.position, event.name]).encode() + b"\\n")
"""


@pytest.mark.slow
def test_a_watcher_that_is_killed_again_and_again_sees_each_event_of_another_process_once(tmp_path: Path) -> None:
    folder = str(tmp_path / "registry")
    localreg.open(folder)
    commits = 60
    expected = [f"{number}.{part}" for number in range(commits) for part in range(number % 3 + 1)]
    lines: list[tuple[int, int, str]] = []
    with subprocess.Popen([sys.executable, "-c", WRITER, folder, str(commits)], cwd=PROJECT) as writer:
        try:
            while len(lines) < len(expected):
                since = json.dumps(lines[-1][:2] if lines else (0, 0))
                lines += watched(folder, since, at_most=min(17, len(expected) - len(lines)))
        finally:
            writer.kill()
    assert [name for _, _, name in lines] == expected
    assert [line[:2] for line in lines] == sorted({line[:2] for line in lines})


def watched(folder: str, since: str, *, at_most: int) -> list[tuple[int, int, str]]:
    """What a watcher in a process of its own dealt with before it was killed."""
    command = [sys.executable, "-c", WATCHER, folder, since]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as watcher:
        try:
            assert watcher.stdout is not None
            lines = [watcher.stdout.readline() for _ in range(at_most)]
        finally:
            watcher.kill()
    return [tuple(json.loads(line)) for line in lines]
