"""Entries, the chain of digests, publishing, snapshots: the log without a session around it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localreg.canonical import JsonValue, canonical, parse
from localreg.errors import (
    FormatError,
    IntegrityError,
    InvalidInputError,
    LocalregError,
    ReadOnlyError,
    StorageError,
    UnknownOutcomeError,
)
from localreg.log import Change, Entry, Head, Log, Provenance, State, fold
from localreg.log.entry import compose, entry_path, genesis, now, read
from localreg.log.layer import layer_commit
from localreg.log.log import SNAPSHOT_EVERY
from localreg.log.loss import GAP_PROBES
from localreg.log.parquet import decode, encode, last_digest
from localreg.log.patience import PAUSES_S
from localreg.log.publish import ATTEMPTS
from localreg.log.reader import FEW
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.storage import LocalStore, MemoryStore, Store
from localreg.testing import FaultyStore

REGISTRY = "ab" * 16
ORIGIN = genesis(REGISTRY, "default")
TIME = "2026-03-01T12:00:00.000000Z"
WHO = Provenance("ana", "host", "why")
FILE = FilePointer("data/t/o/p.parquet", "t", "o", 3, 700, "cd" * 32, {"first": 0})

CHANGES = [
    Change("model", "create", "1" * 32, "x", after={"id": "1" * 32, "name": "x", "lr": 1e-7, "deep": {"é": [1, None]}}),
    Change("model", "update", "1" * 32, 'y "\\ 🌱\u2028', "p", before={"lr": 0.1}, after={"lr": True}),
    Change("model", "delete", "1" * 32, "y", before={"lr": 1}),
    Change("test_run", "upload", "2" * 32, "s@1", files=(FILE, FILE), details={"note": "\ue000 \U00010000", "a": {}}),
]


def composed(head: Head = ORIGIN, changes: list[Change] = CHANGES, time: str = TIME) -> tuple[Entry, bytes]:
    return compose(head, changes, WHO, "c" * 32, time)


# Entries


def test_reading_is_the_inverse_of_composing() -> None:
    entry, data = composed()
    assert read(data, ORIGIN, name="x") == entry
    assert (entry.commit, entry.commit_id, len(entry.events)) == (1, "c" * 32, len(CHANGES))
    second, more = composed(entry.head, CHANGES[:1])
    assert read(more, entry.head, name="x") == second


@pytest.mark.parametrize(
    "provenance", [WHO, Provenance("", "", None), Provenance('"quoted" \\ é', "h\u2028", "two\nlines 🌱")]
)
def test_who_and_why_come_back_to_the_character(provenance: Provenance) -> None:
    entry, data = compose(ORIGIN, CHANGES, provenance, "c" * 32, TIME)
    again = read(data, ORIGIN, name="x")
    assert again == entry
    assert {(event.actor, event.host, event.message) for event in again.events} == {tuple(provenance)}


def test_what_an_event_does_to_the_state_follows_from_what_it_says() -> None:
    entry, _ = composed()
    assert [event.effect for event in entry.events] == ["put", "put", "remove", "none"]


def test_records_and_payloads_are_canonical_json() -> None:
    _, data = composed()
    for row in decode(data, name="x"):
        assert row.record == canonical(parse(row.record))
        assert row.payload == canonical(parse(row.payload))


def test_equal_changes_have_unequal_payloads_so_that_a_redacted_value_cannot_be_guessed() -> None:
    payloads = [row.payload for _ in range(3) for row in decode(composed()[1], name="x")]
    assert len(set(payloads)) == 3 * len(CHANGES)


def test_a_log_is_bound_to_its_registry_and_namespace() -> None:
    origins = {genesis(registry, name).digest for registry in (REGISTRY, "0" * 32) for name in ("default", "vision")}
    assert len(origins) == 4
    _, data = composed()
    with pytest.raises(IntegrityError) as caught:
        read(data, genesis(REGISTRY, "vision"), name="log/1")
    assert caught.value.code == "entry_swapped"


def fields_of_a_record() -> list[str]:
    record = parse(decode(composed()[1], name="x")[3].record)
    assert isinstance(record, dict)
    return sorted(record)


def changed(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value + "!"
    return value + 1 if isinstance(value, int) else []


@pytest.mark.parametrize("field", fields_of_a_record())
def test_the_chain_covers_every_field(field: str) -> None:
    _, data = composed()
    rows = decode(data, name="x")
    record = parse(rows[3].record)
    assert isinstance(record, dict)
    for altered in ({**record, field: changed(record[field])}, {k: v for k, v in record.items() if k != field}):
        forged = [*rows[:3], rows[3]._replace(record=canonical(altered))]
        with pytest.raises(IntegrityError, match="log/17") as caught:
            read(encode(forged), ORIGIN, name="log/17")
        assert caught.value.code == "entry_altered"


@pytest.mark.parametrize("field", ["before", "after", "message", "nonce"])
def test_the_record_covers_every_field_of_its_payload(field: str) -> None:
    _, data = composed()
    rows = decode(data, name="x")
    payload = parse(rows[0].payload)
    assert isinstance(payload, dict)
    altered = canonical({**payload, field: "something else"})
    with pytest.raises(IntegrityError, match="payload of event 1") as caught:
        read(encode([rows[0]._replace(payload=altered), *rows[1:]]), ORIGIN, name="x")
    assert caught.value.code == "entry_altered"


def test_a_payload_can_be_emptied_while_the_chain_holds() -> None:
    entry, data = composed()
    rows = [row._replace(payload="") for row in decode(data, name="x")]
    redacted = read(encode(rows), ORIGIN, name="x")
    assert redacted.head == entry.head
    for event, whole in zip(redacted.events, entry.events, strict=True):
        assert event.redacted
        assert (event.before, event.after, event.message) == (None, None, None)
        assert (event.effect, event.digest, event.name) == (whole.effect, whole.digest, whole.name)
        assert (event.files, event.details) == (whole.files, whole.details)
    row = fold(State(ORIGIN), [redacted]).get("test_run", "2" * 32)
    assert row is None
    two = [row._replace(payload="") for row in decode(composed(changes=CHANGES[:2])[1], name="x")]
    kept = fold(State(ORIGIN), [read(encode(two), ORIGIN, name="x")]).get("model", "1" * 32)
    assert kept is not None
    assert (kept.record, kept.fields["name"]) == (None, 'y "\\ 🌱\u2028')


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_events_cut_off_the_end_of_an_entry_are_told_though_each_digest_holds(kept: int) -> None:
    rows = decode(composed()[1], name="x")
    with pytest.raises(IntegrityError, match=f"log/17 .* written with 4 events and holds {kept}; restore") as caught:
        read(encode(rows[:kept]), ORIGIN, name="log/17")
    assert caught.value.code == "entry_altered"


def test_the_last_digest_is_read_without_a_check() -> None:
    entry, data = composed()
    assert last_digest(data) == entry.head.digest
    assert last_digest(data[:-1]) is None
    assert last_digest(encode([])) is None


def test_times_are_utc_with_microseconds_always() -> None:
    assert len(now()) == len(TIME)
    assert now()[-1] == "Z"


def test_the_time_of_the_log_never_runs_backwards() -> None:
    head = ORIGIN
    seen = []
    for minute in (10, 5, 20, 19):
        entry, data = composed(head, CHANGES[:1], f"2026-03-01T12:{minute:02d}:00.000000Z")
        assert read(data, head, name="x").head == entry.head
        assert entry.events[0].time == f"2026-03-01T12:{minute:02d}:00.000000Z"
        head = entry.head
        seen.append(head.time[14:16])
    assert seen == ["10", "10", "20", "20"]


# Publishing


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path)


@pytest.fixture
def log(store: Store) -> Log:
    return Log(store, REGISTRY, "default")


def create(name: str) -> Change:
    id = new_id()
    return Change("model", "create", id, name, after={"id": id, "name": name})


def publish(log: Log, name: str = "x", head: Head | None = None, commit_id: str | None = None) -> Entry | None:
    return log.publish(head or log.load().head, [create(name)], WHO, commit_id or new_id())


def names(log: Log) -> list[str]:
    return [row.name for row in log.load().children("model")]


def test_what_was_published_is_read_back(log: Log) -> None:
    entry = publish(log)
    assert entry is not None
    assert list(log.entries(log.origin)) == [entry]
    assert log.load().head == entry.head
    assert names(log) == ["x"]


def test_who_comes_second_gets_none_and_writes_nothing(log: Log) -> None:
    assert publish(log, "first", ORIGIN)
    assert publish(log, "second", ORIGIN) is None
    assert names(log) == ["first"]


class Answers:
    """Stands in for `put_if_absent`: does what it says, or does not, and answers as told."""

    def __init__(self, store: Store, act: bool, answer: bool | Exception) -> None:
        self._put, self._act, self._answer = store.put_if_absent, act, answer
        self.calls = 0

    def __call__(self, path: str, data: bytes, **how: Any) -> bool:
        self.calls += 1
        if self._act:
            self._put(path, data, **how)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def answers(log: Log, monkeypatch: pytest.MonkeyPatch, *, act: bool, answer: bool | Exception) -> Answers:
    double = Answers(log.store, act, answer)
    monkeypatch.setattr(log.store, "put_if_absent", double)
    return double


DOUBTFUL = StorageError("no answer", code="doubtful")


@pytest.mark.parametrize("answer", [False, DOUBTFUL, StorageError("failed")], ids=["exists", "doubtful", "failed"])
def test_what_landed_in_spite_of_a_bad_answer_is_a_success_and_lands_once(
    log: Log, monkeypatch: pytest.MonkeyPatch, answer: bool | Exception
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(log.store, "sync", synced.append)
    double = answers(log, monkeypatch, act=True, answer=answer)
    entry = publish(log)
    assert entry is not None
    assert [each.commit_id for each in log.entries(log.origin)] == [entry.commit_id]
    assert double.calls == 1
    assert synced == [entry_path(1)], "believed before it was durable"


def test_a_bad_answer_while_another_was_first_is_a_lost_race(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(log, "theirs", ORIGIN)
    answers(log, monkeypatch, act=False, answer=DOUBTFUL)
    assert publish(log, "mine", ORIGIN) is None
    assert names(log) == ["theirs"]


def test_a_put_of_which_nothing_is_heard_is_an_unknown_outcome_though_nothing_is_there(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still be under way."""
    double = answers(log, monkeypatch, act=False, answer=DOUBTFUL)
    with pytest.raises(UnknownOutcomeError) as caught:
        publish(log)
    assert double.calls == ATTEMPTS
    assert caught.value.commit == 1


@pytest.mark.parametrize(
    "later",
    [ReadOnlyError("token expired"), StorageError("full", code="disk_full"), StorageError("busy", code="busy"), False],
    ids=["read only", "disk full", "busy", "exists"],
)
def test_a_doubt_is_not_forgotten_for_a_later_answer(
    log: Log, monkeypatch: pytest.MonkeyPatch, later: bool | Exception
) -> None:
    put, under_way = log.store.put_if_absent, list[Callable[[], object]]()

    def answer(path: str, data: bytes, **how: Any) -> bool:
        if not under_way:
            under_way.append(lambda: put(path, data))
            raise DOUBTFUL
        if isinstance(later, Exception):
            raise later
        return later

    monkeypatch.setattr(log.store, "put_if_absent", answer)
    with pytest.raises(UnknownOutcomeError) as caught:
        publish(log, "late")
    under_way[0]()
    assert names(log) == ["late"]
    assert log.resolve(caught.value.commit_id, log.load(), commit=caught.value.commit) == 1


def test_an_entry_that_is_there_and_never_shows_is_looked_for_and_its_outcome_unknown(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    monkeypatch.setattr("localreg.log.patience.time", SimpleNamespace(sleep=paused.append))
    double = answers(log, monkeypatch, act=False, answer=False)
    with pytest.raises(UnknownOutcomeError, match="says that the entry is there, and does not show it") as caught:
        publish(log)
    assert len(paused) == len(PAUSES_S) == double.calls - 1
    assert all(longest_s / 2 <= pause_s <= longest_s for pause_s, longest_s in zip(paused, PAUSES_S, strict=True))
    assert log.resolve(caught.value.commit_id, log.load(), commit=caught.value.commit) is None


def test_a_store_that_takes_nothing_is_asked_a_few_times_and_the_outcome_is_certain(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = answers(log, monkeypatch, act=False, answer=StorageError("failed"))
    with pytest.raises(StorageError) as caught:
        publish(log)
    assert double.calls == ATTEMPTS
    assert caught.value.code == "storage", "nothing is there, and that was read: no doubt is left"
    assert log.store.get(entry_path(1)) is None


@pytest.mark.parametrize(
    "error", [StorageError("full", code="disk_full"), ReadOnlyError("locked")], ids=["disk full", "read only"]
)
def test_a_refusal_is_not_tried_again(log: Log, monkeypatch: pytest.MonkeyPatch, error: LocalregError) -> None:
    double = answers(log, monkeypatch, act=False, answer=error)
    with pytest.raises(type(error)) as caught:
        publish(log)
    assert caught.value is error
    assert double.calls == 1


@pytest.mark.parametrize(("unanswered", "landed"), [("get", True), ("get", False), ("sync", True)])
def test_an_outcome_that_nobody_can_read_is_unknown_and_names_its_commit(
    log: Log, monkeypatch: pytest.MonkeyPatch, unanswered: str, landed: bool
) -> None:
    with monkeypatch.context() as patch:
        answers(log, patch, act=landed, answer=DOUBTFUL)
        patch.setattr(log.store, unanswered, failing(StorageError("no answer either")))
        with pytest.raises(UnknownOutcomeError, match=entry_path(1)) as caught:
            publish(log, head=ORIGIN, commit_id="d" * 32)
    assert caught.value.commit_id == "d" * 32
    assert [entry.commit_id for entry in log.entries(log.origin)] == (["d" * 32] if landed else [])
    assert publish(log, "next") is not None
    assert len(names(log)) == 1 + landed


def failing(error: Exception) -> Callable[..., object]:
    def fail(*arguments: object, **how: object) -> object:
        raise error

    return fail


# Reading


def filled(log: Log, count: int) -> State:
    state = log.load()
    for number in range(count):
        entry = publish(log, f"model {number}", state.head)
        assert entry is not None
        state = fold(state, [entry])
    return state


def test_a_probe_of_a_quiet_log_is_one_look_for_the_next_entry() -> None:
    faulty = FaultyStore(MemoryStore(), fail_at=0, when="before")
    log = Log(faulty, REGISTRY, "default")
    state = filled(log, 3)
    before = len(faulty.calls)
    assert log.refresh(state) is state
    assert [(call.verb, call.path) for call in faulty.calls[before:]] == [("get", entry_path(4))]


def test_the_state_at_a_commit_that_is_not_there_is_refused(log: Log) -> None:
    state = filled(log, 3)
    assert log.at(0, state).head == ORIGIN
    assert log.at(3, state).head == state.head
    for commit in (-1, 4):
        with pytest.raises(InvalidInputError, match="the newest is 3") as caught:
            log.at(commit, state)
        assert caught.value.code == "no_such_commit"


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_entries_that_are_known_to_exist_and_are_missing_are_told(log: Log, gone: int) -> None:
    state = filled(log, 3)
    log.store.delete(entry_path(gone))
    with pytest.raises(IntegrityError, match=entry_path(gone)) as caught:
        list(log.entries(log.origin, upto=3))
    assert caught.value.code == "entry_missing"
    with pytest.raises(IntegrityError, match=entry_path(gone)):
        log.at(3, state)


# Snapshots


def snapshots(log: Log) -> list[str]:
    return [path for path in log.store.list("snapshots") if path.endswith(".parquet")]


def grown(log: Log, count: int) -> Iterator[State]:
    """Commits with their snapshots, as a session makes them."""
    state = log.load()
    for number in range(count):
        entry = publish(log, f"model {number}", state.head)
        assert entry is not None
        state = log.with_snapshot(fold(state, [entry]))
        yield state


def grown_on(log: Log, state: State, count: int) -> State:
    """The state after some more commits."""
    for number in range(count):
        entry = publish(log, f"further {number}", state.head)
        assert entry is not None
        state = log.with_snapshot(fold(state, [entry]))
    return state


def test_a_snapshot_is_written_when_the_tail_has_grown_long_and_two_are_kept() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    made: list[int] = []
    for state in grown(log, 4 * SNAPSHOT_EVERY + 1):
        commit = state.head.commit
        if commit % SNAPSHOT_EVERY == 0:
            made.append(commit)
        assert state.base.commit == (made[-1] if made else 0)
        assert list(map(layer_commit, snapshots(log))) == made[-2:]
    assert made == [64, 128, 192, 256]
    state = log.load()
    assert state.base.commit == 256
    assert len(state.children("model")) == 257


def test_a_state_is_loaded_from_the_snapshot_and_the_tail_alone() -> None:
    inner = MemoryStore()
    list(grown(Log(inner, REGISTRY, "default"), 66))
    faulty = FaultyStore(inner, fail_at=0, when="before")
    Log(faulty, REGISTRY, "default").load()
    read = sorted({call.path for call in faulty.calls if call.path.startswith("log/")})
    beyond = [66 + ahead for ahead in GAP_PROBES]
    assert read == [entry_path(number) for number in (64, 65, 66, 67, *beyond)]


@pytest.mark.parametrize("k", range(1, 5))
def test_a_snapshot_that_cannot_be_written_costs_a_warning_and_no_more(
    k: int, caplog: pytest.LogCaptureFixture
) -> None:
    inner = MemoryStore()
    log = Log(inner, REGISTRY, "default")
    state = filled(log, SNAPSHOT_EVERY)
    faulty = FaultyStore(inner, fail_at=k, when="before")
    with caplog.at_level(logging.WARNING, "localreg"):
        same = Log(faulty, REGISTRY, "default").with_snapshot(state)
    assert same.head == state.head
    assert {row.id for row in same.rows()} == {row.id for row in state.rows()}
    assert ("no snapshot" in caplog.text) == (k in (2, 3, 4)), (
        "the file, its hint, and reading it back; looking for another's and tidying up fail in silence"
    )
    assert {row.id for row in log.load().rows()} == {row.id for row in state.rows()}


def test_a_handle_that_lives_long_takes_over_the_snapshot_of_another() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    old = log.load()
    newest = list(grown(log, SNAPSHOT_EVERY + 3))[-1]
    state = log.refresh(old)
    assert (state.head, state.base.commit) == (newest.head, SNAPSHOT_EVERY)
    assert {row.id: row for row in state.rows()} == {row.id: row for row in newest.rows()}


def test_a_reader_that_fell_far_behind_goes_on_from_the_newest_snapshot() -> None:
    inner = MemoryStore()
    writer = Log(inner, REGISTRY, "default")
    first = next(iter(grown(writer, 1)))
    newest = grown_on(writer, first, 4 * SNAPSHOT_EVERY + 2)
    counted = FaultyStore(inner, fail_at=0, when="before")
    state = Log(counted, REGISTRY, "default").refresh(first)
    assert (state.head, state.base.commit) == (newest.head, 4 * SNAPSHOT_EVERY)
    assert {row.id: row for row in state.rows()} == {row.id: row for row in newest.rows()}
    read = [call.path for call in counted.calls if call.verb == "get" and call.path.startswith("log/")]
    stands, rest = 4 * SNAPSHOT_EVERY, range(4 * SNAPSHOT_EVERY + 1, newest.head.commit + 2)
    assert read == [entry_path(number) for number in (*range(2, 2 + FEW), stands, *rest)]


def test_a_snapshot_that_the_log_does_not_lead_to_is_no_shortcut() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    first = next(iter(grown(log, 1)))
    grown_on(log, first, 2 * SNAPSHOT_EVERY)
    log.store.delete(entry_path(2 * SNAPSHOT_EVERY))
    log.store.delete(entry_path(2 * SNAPSHOT_EVERY + 1))
    with pytest.raises(IntegrityError, match=r"is missing: .*snapshots/") as caught:
        log.refresh(first)
    assert caught.value.code == "entry_missing"


def test_a_snapshot_that_is_hinted_and_gone_is_no_shortcut() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    first = next(iter(grown(log, 1)))
    newest = grown_on(log, first, SNAPSHOT_EVERY + 2)
    for path in snapshots(log):
        log.store.delete(path)
    state = log.refresh(first)
    assert (state.head, state.base.commit) == (newest.head, 0)


def rolled_back(log: Log) -> Head:
    """Loses the last entries, the one that the snapshot shows included; where the log ends then."""
    states = list(grown(log, SNAPSHOT_EVERY + 3))
    for number in range(SNAPSHOT_EVERY - 1, SNAPSHOT_EVERY + 4):
        log.store.delete(entry_path(number))
    return states[SNAPSHOT_EVERY - 3].head


def delete_snapshots(log: Log) -> None:
    for path in log.store.list("snapshots"):
        log.store.delete(path)


def test_a_lost_end_that_a_snapshot_knows_of_is_told_and_not_written_over() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    end = rolled_back(log)
    with pytest.raises(
        IntegrityError, match=r"is missing: .*snapshots/0+64-[0-9a-f]+.parquet shows .* doctor --accept"
    ) as caught:
        log.load()
    assert caught.value.code == "entry_missing"
    delete_snapshots(log)
    assert log.load().head == end, "rolled back on purpose"


def test_another_entry_than_the_snapshot_knows_of_is_told_until_the_snapshot_is_deleted() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    end = rolled_back(log)
    for name in ("other", "history"):
        entry = publish(log, name, end)
        assert entry is not None
        end = entry.head
    newest = fold(State(log.origin), log.entries(log.origin))
    for act in (log.load, lambda: log.at(SNAPSHOT_EVERY, newest)):
        with pytest.raises(IntegrityError, match=r"is another entry: .* rolled back on purpose") as caught:
            act()
        assert caught.value.code == "entry_swapped"
    delete_snapshots(log)
    assert names(log)[-2:] == ["other", "history"]


def test_a_damaged_entry_under_a_snapshot_is_called_damaged_and_not_another() -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    list(grown(log, SNAPSHOT_EVERY))
    path = entry_path(SNAPSHOT_EVERY)
    data = log.store.get(path)
    assert data is not None
    log.store.put(path, data[:-1])
    with pytest.raises(FormatError, match=path) as caught:
        log.load()
    assert caught.value.code == "entry_torn"


def test_only_the_first_entry_may_make_the_folder_of_the_log(tmp_path: Path) -> None:
    log = Log(LocalStore(tmp_path), REGISTRY, "default")
    head = filled(log, 2).head
    (tmp_path / "log").rename(tmp_path / "away")
    with pytest.raises(StorageError, match="log is not there any more") as caught:
        publish(log, "third", head)
    assert caught.value.code == "registry_gone"
    assert not (tmp_path / "log").exists()
    (tmp_path / "away").rename(tmp_path / "log")
    assert publish(log, "third", head)


def test_the_clock_of_a_commit_is_read_when_it_is_published(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.log.publish.now", lambda: TIME)
    entry = publish(log)
    assert entry is not None
    assert entry.events[0].time == TIME
