"""Sets of layers: how they grow, what a reader makes of damaged, missing and stale ones."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

import localreg
from localreg import Registry
from localreg.errors import FormatError, IntegrityError, StorageError
from localreg.log import Change, Log, Provenance, State, fold, layer_writer, snapshot
from localreg.log import history as history_module
from localreg.log import log as log_module
from localreg.log.entry import compose, now
from localreg.log.history import History
from localreg.log.layer import Layer, layer_commit
from localreg.log.log import SNAPSHOT_EVERY
from localreg.log.snapshot import LayeredBase
from localreg.log.verify import verify
from localreg.names import new_id
from localreg.storage import LocalStore, Store
from tests.users import open_folder, without_privileges

REGISTRY = "cd" * 16


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return LocalStore(tmp_path)


@pytest.fixture
def log(store: Store) -> Log:
    return Log(store, REGISTRY, "default")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers and row groups of a few rows, a snapshot every fourth commit."""
    monkeypatch.setattr(snapshot, "SMALL", 4)
    monkeypatch.setattr(snapshot, "GROWTH", 2)
    monkeypatch.setattr(layer_writer, "GROUP", 3)
    monkeypatch.setattr(log_module, "SNAPSHOT_EVERY", 4)
    monkeypatch.setattr(history_module, "GROWTH", 2)


def grown(log: Log, commits: int, *, at_once: int = 1) -> State:
    """Commits of new models, each followed by what a session does."""
    state = log.load()
    for number in range(commits):
        ids = [new_id() for _ in range(at_once)]
        changes = [
            Change("model", "create", id, f"{number}-{place}", after={"id": id, "name": f"{number}-{place}"})
            for place, id in enumerate(ids)
        ]
        entry = log.publish(state.head, changes, Provenance("ana", "host"), new_id())
        assert entry is not None
        state = log.with_snapshot(fold(state, [entry]))
    return state


def layers(state: State) -> list[int]:
    assert isinstance(state.base, LayeredBase)
    return [layer.rows for layer in state.base.layers]


def refuse(commit: int) -> State:
    raise AssertionError(f"folded from the log up to {commit}")


def rows(state: State) -> dict[tuple[str, str], object]:
    return {(row.kind, row.id): row for row in state.rows()}


@pytest.mark.usefixtures("_small")
def test_a_set_has_few_layers_each_a_fraction_of_the_one_below(log: Log) -> None:
    most = 0
    state = log.load()
    for _ in range(16):
        state = grown_from(log, state, 4)
        sizes = layers(state)
        most = max(most, len(sizes))
        assert sum(sizes) == state.head.commit
        assert all(lower > max(4, 2 * upper) or upper <= 4 for lower, upper in itertools.pairwise(sizes))
    assert 2 <= most <= 5
    assert len(snapshot.paths(log.store)) <= 2 * most + 1, "two sets and no more"


def grown_from(log: Log, state: State, commits: int) -> State:
    for _ in range(commits):
        id = new_id()
        change = Change("model", "create", id, id, after={"id": id, "name": id})
        entry = log.publish(state.head, [change], Provenance("ana", "host"), new_id())
        assert entry is not None
        state = log.with_snapshot(fold(state, [entry]))
    return state


@pytest.mark.usefixtures("_small")
def test_of_all_that_is_merged_at_once_the_last_word_counts(log: Log) -> None:
    state = grown(log, 20)

    def updated(state: State, owner: str, models: int) -> State:
        changes = [
            Change("model", "update", row.id, row.name, before=row.record, after={**row.fields, "owner": owner})
            for row in state.children("model")[:models]
        ]
        entry = log.publish(state.head, changes, Provenance("ana", "host"), new_id())
        assert entry is not None
        return log.write_snapshot(fold(state, [entry]))

    state = updated(state, "first", 1)
    assert len(layers(state)) > 1
    state = updated(state, "second", 20)
    assert layers(state) == [20]
    assert {row.fields["owner"] for row in log.load().rows("model")} == {"second"}


@pytest.mark.usefixtures("_small")
def test_what_was_removed_leaves_no_trace_once_nothing_lies_below(log: Log) -> None:
    state = grown(log, 4)
    for number, row in enumerate(list(state.rows("model"))[:3] * 4):
        change = Change("model", "delete", row.id, row.name, before=row.record)
        entry = log.publish(state.head, [change], Provenance("ana", "host"), new_id())
        assert entry is not None
        state = log.with_snapshot(fold(state, [entry]))
        assert number or len(rows(state)) == 3
    assert isinstance(state.base, LayeredBase)
    assert layers(state) == [1]


@pytest.mark.usefixtures("_small")
def test_row_groups_neither_grow_nor_crumble_however_often_they_are_merged(log: Log) -> None:
    state = grown(log, 40, at_once=3)
    assert isinstance(state.base, LayeredBase)
    groups = [group.rows for group in state.base.layers[0].groups]
    assert sum(groups) > 30
    assert all(3 <= size < 6 for size in groups[:-1])


@pytest.mark.usefixtures("_small")
def test_a_commit_of_many_records_is_followed_by_a_snapshot_at_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "SNAPSHOT_ROWS", 10)
    assert grown(log, 1, at_once=10).base.commit == 1


def test_the_one_with_the_round_number_writes_and_others_only_when_it_is_overdue(log: Log) -> None:
    state = log.load()
    for number in range(1, log_module.SNAPSHOT_OVERDUE + 1):
        id = new_id()
        change = Change("model", "create", id, id, after={"id": id, "name": id})
        entry, data = compose(state.head, [change], Provenance("ana", "host"), new_id(), now())
        assert log.store.put_if_absent(f"log/{number:020d}.parquet", data)
        state = fold(state, [entry])
        if number % log_module.SNAPSHOT_EVERY:  # the others died after their commits
            state = log.with_snapshot(state)
            assert state.base.commit == 0, number
    assert grown_from(log, state, 1).base.commit == log_module.SNAPSHOT_OVERDUE + 1


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("lost", ["hint", "newest", "lowest", "all"])
def test_whatever_is_lost_the_state_is_the_same(log: Log, lost: str) -> None:
    before = rows(grown(log, 30))
    paths = snapshot.paths(log.store)
    gone = {"hint": [], "newest": paths[-1:], "lowest": paths[:1], "all": paths}[lost]
    for path in [*gone, *([snapshot.HINT] if lost in ("hint", "all") else [])]:
        log.store.delete(path)
    assert rows(log.load()) == before
    state = grown_from(log, log.load(), 9)
    assert state.base.commit > 30, "the next one is whole again"
    assert before.items() <= rows(log.load()).items()


@pytest.mark.skipif(os.name != "posix", reason="about POSIX permissions")
# Becoming nobody takes a fork, and newer Pythons warn of one beside the threads of libraries.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("obstacle", ["forbidden", "loop"])
@pytest.mark.parametrize("where", ["snapshots/latest.json", "snapshots", "history"])
@pytest.mark.usefixtures("_small")
def test_what_cannot_be_read_of_the_caches_is_done_without(
    where: str, obstacle: str, caplog: pytest.LogCaptureFixture
) -> None:
    with open_folder() as folder:
        log = Log(LocalStore(folder), REGISTRY, "default")
        newest = grown(log, 60)
        everything = [event.digest for entry in log.entries(log.origin) for event in entry.events]
        (folder / where).rename(folder / "away")
        if obstacle == "loop":
            (folder / where).symlink_to((folder / where).name)
        elif where.endswith(".json"):
            (folder / where).touch(mode=0)
        else:
            (folder / where).mkdir(mode=0)

        def read() -> None:
            again = Log(LocalStore(folder), REGISTRY, "default")
            state = again.load()
            assert rows(state) == rows(newest)
            assert rows(again.refresh(State(again.origin))) == rows(newest)
            assert len(rows(again.at(50, state))) == 50
            assert [event.digest for entry in again.past(again.origin, 60) for event in entry.events] == everything
            assert again.past_events(60).upto == 60
            assert verify(again, "default").ok
            told = [record.message for record in caplog.records]
            assert len(told) == 1, told
            assert where in told[0]

        without_privileges(read)
        (folder / where).rmdir() if (folder / where).is_dir() else (folder / where).unlink()
        (folder / "away").rename(folder / where)


def test_a_snapshot_that_cannot_be_written_is_not_tried_at_every_commit(
    log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_module, "SNAPSHOT_ROWS", 10)
    tried: list[int] = []

    def fail(_: Store, __: str, state: State, ___: object, *, key: object) -> State:
        tried.append(state.head.commit)
        raise StorageError("no room", code="disk_full")

    with monkeypatch.context() as full:
        full.setattr(snapshot, "save", fail)
        state = grown(log, 2 * SNAPSHOT_EVERY + 20)
    assert tried == [10, 10 + SNAPSHOT_EVERY, 10 + 2 * SNAPSHOT_EVERY]
    assert caplog.text.count("no snapshot at") == 3
    assert state.base.commit == 0
    after = 10 + 3 * SNAPSHOT_EVERY
    assert grown_from(log, state, after - state.head.commit).base.commit == after


@pytest.mark.usefixtures("_small")
def test_a_half_written_layer_is_passed_over(log: Log) -> None:
    state = grown(log, 30)
    path = state.base.path
    whole = log.store.get(path)
    assert whole is not None
    for length in {0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1}:
        log.store.put(path, whole[:length])
        loaded = log.load()
        assert rows(loaded) == rows(state)
        assert loaded.base.path != path


@pytest.mark.usefixtures("_small")
def test_a_layer_damaged_within_is_noticed_in_use_and_replaced_by_the_log(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    state = grown(log, 30)
    assert isinstance(state.base, LayeredBase)
    whole = log.store.get(state.base.path)
    assert whole is not None
    for place in range(4, state.base.layers[-1]._index_at + 24, 11):
        log.store.put(state.base.path, whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        loaded = log.load()
        assert rows(loaded) == rows(state), place
        assert all(loaded.get(kind, id) == row for (kind, id), row in rows(state).items()), place
        assert loaded.base.files() == [], "nothing for a query that looks at no checksums"
    assert "is damaged" in caplog.text
    caplog.set_level(logging.ERROR)
    assert rows(grown_from(log, log.load(), 4)).keys() >= rows(state).keys()
    assert log.load().base.files(), "the next snapshot is not built on it"


def test_a_query_on_a_damaged_layer_shows_what_the_log_says(registry: Registry) -> None:
    for number in range(70):
        registry.create_model(f"m{number}", metadata={"n": number})
    (path,) = Path(registry.uri, "namespaces/default/snapshots").glob("*.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x11
    path.write_bytes(bytes(data))
    assert [row["name"] for row in localreg.open(registry.uri).models("metadata.n = 17").dicts()] == ["m17"]


def seventy(registry: Registry) -> Path:
    """Models m0 to m69; the one file of their snapshot."""
    for number in range(70):
        registry.create_model(f"m{number}", metadata={"n": number})
    (path,) = Path(registry.uri, "namespaces/default/snapshots").glob("*.parquet")
    return path


def test_a_file_that_is_damaged_after_it_was_opened_gives_no_query_a_wrong_row(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """DuckDB reads the file, and no checksum in it."""
    path = seventy(registry)
    whole = path.read_bytes()
    expected = registry.models("metadata.n >= 0").dicts()
    for number, place in enumerate(range(4, len(whole), 997)):
        registry.close()
        path.write_bytes(whole)
        assert registry.get_model("m7").metadata == {"n": 7}  # the layer is open, and in memory
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        os.utime(path, ns=(0, number * 1_000))
        assert registry.models("metadata.n >= 0").dicts() == expected, place
    assert "is damaged" in caplog.text


def test_a_file_that_is_damaged_between_two_queries_gives_the_second_no_wrong_row(registry: Registry) -> None:
    path = seventy(registry)
    registry.close()
    expected = registry.models("metadata.n >= 0").dicts()
    data = path.read_bytes()
    for number, fault in enumerate((data[: len(data) // 2], data[:100], b"", data[:600] + b"?" + data[601:])):
        path.write_bytes(fault)
        os.utime(path, ns=(0, number * 1_000))
        assert registry.models("metadata.n >= 0").dicts() == expected
        registry.close()
        path.write_bytes(data)


def test_a_file_is_hashed_once_for_all_queries(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    path = seventy(registry)
    registry.close()
    hashed: list[object] = []
    check = Layer._check_content

    def counted(layer: Layer, file: BinaryIO) -> None:
        hashed.append(file)
        check(layer, file)

    monkeypatch.setattr(Layer, "_check_content", counted)
    for number in range(3):
        assert len(registry.models("metadata.n = 7")) == 1
        registry.create_model(f"after {number}")
    assert len(hashed) == 1
    os.utime(path, ns=(0, 0))
    assert len(registry.models("metadata.n = 7")) == 1
    assert len(hashed) == 2


@pytest.mark.usefixtures("_small")
def test_a_reader_whose_layers_were_cleaned_up_reads_on(log: Log) -> None:
    old = grown(log, 12)
    before = rows(old)
    newer = grown_from(log, old, 40)
    assert not set(snapshot.paths(log.store)) & {old.base.path}
    assert rows(old) == before
    assert all(old.get(kind, id) == row for (kind, id), row in before.items())
    assert old.base.files() == []
    assert len(rows(newer)) == 52


def bulk(registry: Registry, tag: str, count: int = 12) -> None:
    with registry.transaction():
        for number in range(count):
            registry.create_model(f"{tag}-{number}", metadata={"tag": tag})


def only_looked_up(state: State) -> None:
    """No query may load the records of the base into memory."""

    def loaded(kind: str | None = None) -> list[object]:
        raise AssertionError("the base was loaded")

    state.base.rows = loaded  # type: ignore[method-assign, assignment]


def test_a_reader_whose_layers_were_cleaned_up_goes_on_with_the_newer_ones(registry: Registry, other: Registry) -> None:
    """It would load all the records for each state until the tail has grown long."""
    bulk(registry, "base", 30)
    registry.get_model("base-3").delete()
    registry.snapshot()
    assert len(other.models()) == 29
    layers = other._session.committed().base.files()
    assert layers
    for tag in ("one", "two", "three"):
        registry.get_model("base-7").update(metadata={"tag": tag})
        bulk(registry, tag)
        registry.snapshot()
    registry.get_model("base-8").delete()
    assert not all(file.exists() for file in layers)
    assert other._session._state is not None
    only_looked_up(other._session._state)
    assert len(other.models()) == 64
    state = other._session.committed()
    assert state.base.commit == registry.commit - 1
    assert rows(state) == rows(registry._session.committed())
    assert other.find_model("base-8") is None
    assert len(other.models("metadata.tag = 'three'")) == 13


def test_a_reader_behind_a_bulk_commit_takes_up_its_snapshot(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(other.models()) == 0
    monkeypatch.setattr(log_module, "SNAPSHOT_ROWS", 10)
    bulk(registry, "base")
    registry.get_model("base-2").rename("renamed")
    with other.transaction():
        other.create_model("inside")
        assert len(other.models()) == 13
        assert other._session.committed().base.commit == 0
    bulk(registry, "more")
    assert len(other.models()) == 25
    state = other._session.committed()
    assert (state.base.commit, state.changed) == (registry.commit, 0)
    assert {row.name for row in state.children("model")} >= {"renamed", "inside", "base-1", "more-11"}
    assert state.find("model", "base-2") is None


@pytest.mark.usefixtures("_small")
def test_a_reader_of_the_past_does_not_move_to_what_came_after(registry: Registry) -> None:
    bulk(registry, "base")
    past = registry.frozen()
    for tag in ("one", "two", "three"):
        bulk(registry, tag)
        registry.snapshot()
    assert len(past.models()) == 12
    assert past._session.committed().head.commit == 1


@pytest.mark.usefixtures("_small")
def test_a_state_is_not_moved_onto_a_snapshot_of_commits_that_were_taken_back(log: Log) -> None:
    state = grown(log, 5)
    grown_from(log, state, 3)
    hint = snapshot.hinted(log.store)
    assert hint is not None
    assert layer_commit(hint) == 8
    for number in range(6, 9):
        log.store.delete(f"log/{number:020d}.parquet")
    for _ in range(3):
        id = new_id()
        change = Change("model", "create", id, id, after={"id": id, "name": id})
        entry = log.publish(state.head, [change], Provenance("ana", "host"), new_id())
        assert entry is not None
        state = fold(state, [entry])
    log.store.delete(state.base.path)
    assert log.based_on_files(state) is state
    with pytest.raises(IntegrityError, match="is another entry"):
        log.load()


@pytest.mark.usefixtures("_small")
def test_a_snapshot_of_another_log_is_passed_over(log: Log) -> None:
    grown(log, 12)
    stranger = Log(log.store, "ef" * 16, "default")
    assert snapshot.load(log.store, stranger.origin.digest, refuse) is None
    assert snapshot.load(log.store, log.origin.digest, refuse) is not None


@pytest.mark.usefixtures("_small")
def test_two_writers_of_one_snapshot_do_no_harm(log: Log) -> None:
    state = grown(log, 11)
    id = new_id()
    entry = log.publish(
        state.head,
        [Change("model", "create", id, id, after={"id": id, "name": id})],
        Provenance("ana", "host"),
        new_id(),
    )
    assert entry is not None
    twelve = fold(state, [entry])
    first, second = log.write_snapshot(twelve), log.write_snapshot(twelve)
    assert rows(first) == rows(second) == rows(log.load())
    assert len({path for path in snapshot.paths(log.store) if layer_commit(path) == 12}) == 1, "the same bytes"


@pytest.mark.usefixtures("_small")
def test_a_merge_is_given_up_when_its_sources_vanish_meanwhile(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redaction deletes the caches, and what a slow writer made of them would bring back what it removed."""
    state = grown(log, 8)
    put = log.store.put
    redacted = list(log.store.list("snapshots"))

    def put_after_a_redaction(path: str, data: bytes) -> None:
        for old in redacted:
            log.store.delete(old)
        put(path, data)

    newer = fold(state, [])
    for _ in range(3):
        id = new_id()
        change = Change("model", "create", id, id, after={"id": id, "name": id})
        entry = log.publish(newer.head, [change], Provenance("ana", "host"), new_id())
        assert entry is not None
        newer = fold(newer, [entry])
    monkeypatch.setattr(log.store, "put", put_after_a_redaction)
    with pytest.raises(StorageError, match="given up"):
        log.write_snapshot(newer)
    assert snapshot.paths(log.store) == []


@pytest.mark.usefixtures("_small")
def test_a_snapshot_that_another_writer_outran_is_no_warning(
    log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state = grown_from(log, grown(log, 4), 3)
    assert state.base.commit == 4
    put = log.store.put

    def outrun(path: str, data: bytes) -> None:
        for old in snapshot.paths(log.store):
            log.store.delete(old)
        put(path, data)

    monkeypatch.setattr(log.store, "put", outrun)
    caplog.set_level(logging.INFO)
    assert grown_from(log, state, 1).base.commit == 4
    assert caplog.text == ""


WITHOUT_PANDAS = """
import sys, localreg
registry = localreg.open(sys.argv[1])
for number in range(500):
    registry.create_model(f"m{number}", metadata={"n": number})
with registry.transaction():
    for number in range(100):
        registry.get_model(f"m{number}").update(metadata={"n": -number})
registry.get_model("m400").delete()
registry.snapshot()
again = localreg.open(sys.argv[1], read_only=True)
assert again.get_model("m7").metadata == {"n": -7}
assert again.find_model("m400") is None
assert again.at(commit=450).find_model("m400") is not None
assert len(again.diff(500).changed) == 99
print("pandas" in sys.modules, "pyarrow.dataset" in sys.modules)
"""


def test_neither_commits_nor_snapshots_load_pandas(tmp_path: Path) -> None:
    """The writer of the first snapshot would wait for it, a few hundred times as long as for any other commit."""
    command = [sys.executable, "-c", WITHOUT_PANDAS, str(tmp_path / "registry")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False False\n", "")


# --- history ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small")
def test_segments_stay_few(log: Log) -> None:
    grown(log, 120)
    assert len(log.history.cover(120)) <= 6
    assert log.history.cover(120)[-1].last == 120


@pytest.mark.usefixtures("_small")
def test_a_damaged_or_missing_segment_is_read_from_the_log(log: Log) -> None:
    grown(log, 40)
    whole = list(log.entries(log.origin))
    for segment in log.history.cover(40):
        data = log.store.get(segment.path)
        assert data is not None
        for damaged in (data[:-1], data[: len(data) // 2] + b"x" + data[len(data) // 2 + 1 :], b""):
            log.store.put(segment.path, damaged)
            assert list(log.past(log.origin, 40)) == whole
            past = log.past_events(40)
            assert len(past.tail) >= segment.events
        log.store.delete(segment.path)
        assert list(log.past(log.origin, 40)) == whole
        log.store.put(segment.path, data)


@pytest.mark.usefixtures("_small")
def test_segments_of_commits_that_were_rolled_back_are_not_believed(log: Log) -> None:
    grown(log, 12)
    for number in range(9, 13):
        log.store.delete(f"log/{number:020d}.parquet")
    for path in log.store.list("snapshots"):
        log.store.delete(path)
    grown(log, 3)
    assert list(log.past(log.origin, 11)) == list(log.entries(log.origin))


def test_history_of_another_log_is_passed_over(log: Log) -> None:
    grown(log, 64)
    stranger = History(log.store, Log(log.store, "ef" * 16, "default").origin)
    (segment,) = stranger.cover(64)
    with pytest.raises(FormatError):
        next(stranger.entries(segment))
