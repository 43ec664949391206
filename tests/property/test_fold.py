"""Laws of the fold: state is the same however its log is cut, cached or read, and it is what a plain dict says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg.canonical import JsonObject, canonical
from localreg.log import (
    Change,
    Entry,
    Head,
    Log,
    PastEvents,
    Provenance,
    Row,
    State,
    fold,
    layer_index,
    layer_writer,
    snapshot,
)
from localreg.log import history as history_module
from localreg.log.entry import compose, entry_path, genesis, read
from localreg.log.history import events_table
from localreg.log.parquet import decode, encode
from localreg.query import Databases, Engine, Source
from localreg.query.tables import INTERNAL
from localreg.records.files import FilePointer
from localreg.storage import MemoryStore

REGISTRY = "ab" * 16
KINDS = ("model", "model_version")
IDS = tuple(f"{number:032x}" for number in range(4))
NAMES = ("x", "y", "é 🌱")
PARENTS = ("", IDS[0], IDS[1])
PATHS = ("data/t/a.parquet", "data/t/b.parquet", "data/t/c.parquet")


class Deed(NamedTuple):
    """What a generated event tries to do; it is left out if the names or files forbid it."""

    verb: Literal["put", "remove", "upload", "condemn", "note"]
    kind: str
    id: str
    name: str
    parent: str
    path: str
    value: int
    redacted: bool


DEEDS = st.builds(
    Deed,
    verb=st.sampled_from(["put", "put", "put", "remove", "upload", "condemn", "note"]),
    kind=st.sampled_from(KINDS),
    id=st.sampled_from(IDS),
    name=st.sampled_from(NAMES),
    parent=st.sampled_from(PARENTS),
    path=st.sampled_from(PATHS),
    value=st.integers(0, 9),
    redacted=st.sampled_from([False, False, False, True]),
)
HISTORIES = st.lists(st.lists(DEEDS, min_size=1, max_size=4), min_size=1, max_size=8)


class Plain(NamedTuple):
    """A record as the oracle has it."""

    parent: str
    name: str
    record: JsonObject | None
    created: tuple[int, int]
    updated: tuple[int, int]


Book = dict[tuple[str, str], Plain]


@dataclass
class History:
    """A generated log, with a plain dict beside it for each commit.

    Attributes:
        entries: as read back from their bytes.
        data: those bytes.
        books: what a plain dict says after 0, 1, 2… commits.
    """

    entries: list[Entry] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    books: list[Book] = field(default_factory=lambda: [{}])

    @property
    def head(self) -> Head:
        return self.entries[-1].head if self.entries else genesis(REGISTRY, "default")

    def commit(self, deeds: Sequence[Deed]) -> None:
        head, book = self.head, dict(self.books[-1])
        changes: list[Change] = []
        redacted: list[bool] = []
        for deed in deeds:
            place = (head.commit + 1, len(changes) + 1)
            change = _changed(book, deed, place)
            if change is not None:
                changes.append(change)
                redacted.append(deed.redacted)
        if not changes:
            return
        time = f"2026-03-01T00:00:{59 - head.commit:02d}.000000Z"  # a clock that runs backwards
        commit_id = f"{head.commit:032x}"
        _, data = compose(head, changes, Provenance("ana", "host", None), commit_id, time)
        rows = decode(data, name="x")
        data = encode([row._replace(payload="") if gone else row for row, gone in zip(rows, redacted, strict=True)])
        self.entries.append(read(data, head, name="x"))
        self.data.append(data)
        self.books.append(book)


def _changed(book: Book, deed: Deed, place: tuple[int, int]) -> Change | None:
    """Do the deed in the book, and give it as a change; None if it is not allowed."""
    key = (deed.kind, deed.id)
    old = book.get(key)
    match deed.verb:
        case "put":
            if any(
                (kind, row.parent, row.name) == (deed.kind, deed.parent, deed.name) and id != deed.id
                for (kind, id), row in book.items()
            ):
                return None
            record: JsonObject = {"id": deed.id, "name": deed.name, "value": deed.value}
            seen = None if deed.redacted else record
            book[key] = Plain(deed.parent, deed.name, seen, old.created if old else place, place)
            before: JsonObject | None = {"name": old.name} if old else None
            return Change(deed.kind, "put", deed.id, deed.name, deed.parent, before=before, after=record)
        case "remove":
            if old is None:
                return None
            del book[key]
            return Change(deed.kind, "delete", deed.id, old.name, old.parent, before={"name": old.name})
        case "note":
            return Change(deed.kind, "download", deed.id, deed.name, deed.parent, details={"value": deed.value})
        case "upload" | "condemn":
            return _filed(book, deed, place)


def _filed(book: Book, deed: Deed, place: tuple[int, int]) -> Change | None:
    if ("condemned_file", deed.path) in book:
        return None
    pointer = FilePointer(deed.path, "t", deed.id, deed.value, 7, "cd" * 32, {"first": deed.value})
    if deed.verb == "condemn":
        book.pop(("file", deed.path), None)
        book["condemned_file", deed.path] = Plain(deed.id, deed.path, pointer.to_json(), place, place)
        return Change("namespace", "condemn", deed.id, "default", files=(pointer,))
    old = book.get(("file", deed.path))
    book["file", deed.path] = Plain(deed.id, deed.path, pointer.to_json(), old.created if old else place, place)
    return Change(deed.kind, "upload", deed.id, deed.name, deed.parent, files=(pointer,))


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    for deeds in draw(HISTORIES):
        history.commit(deeds)
    return history


def book_of(state: State) -> Book:
    return {
        (row.kind, row.id): Plain(row.parent, row.name, row.record, row.created, row.updated) for row in state.rows()
    }


def everything(state: State) -> tuple[Head, dict[tuple[str, str], Row]]:
    return state.head, {(row.kind, row.id): row for row in state.rows()}


def cut(history: History, at: int) -> tuple[list[Entry], list[Entry]]:
    place = at % (len(history.entries) + 1)
    return history.entries[:place], history.entries[place:]


EMPTY = State(genesis(REGISTRY, "default"))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(histories(), st.integers(0, 8))
def test_folding_two_parts_is_folding_the_whole(history: History, at: int) -> None:
    first, second = cut(history, at)
    middle = fold(EMPTY, first)
    before = everything(middle)
    assert everything(fold(middle, second)) == everything(fold(EMPTY, history.entries))
    assert everything(middle) == before, "a state was changed by what was folded onto it"
    assert everything(EMPTY) == (genesis(REGISTRY, "default"), {})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(histories())
def test_every_look_up_agrees_with_a_plain_dict(history: History) -> None:
    state = EMPTY
    for book, entry in zip(history.books[1:], history.entries, strict=True):
        state = fold(state, [entry])
        assert_agrees(state, book)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(histories(), st.integers(0, 8))
def test_a_snapshot_and_its_tail_are_the_full_replay(history: History, at: int) -> None:
    first, second = cut(history, at)
    store = MemoryStore()
    origin = genesis(REGISTRY, "default").digest
    saved = snapshot.save(store, origin, fold(EMPTY, first), lambda: fold(EMPTY, first))
    loaded = snapshot.load(store, origin, lambda commit: fold(EMPTY, history.entries[:commit]))
    assert loaded is not None
    for base in (saved, loaded):
        assert base.base.commit == len(first)
        assert everything(base) == everything(fold(EMPTY, first))
        state = fold(base, second)
        assert everything(state) == everything(fold(EMPTY, history.entries))
        assert_agrees(base, history.books[len(first)])
        assert_agrees(state, history.books[-1])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(histories(), st.lists(st.integers(1, 8), max_size=3))
def test_the_state_at_a_commit_is_what_was_seen_then(history: History, snapshots: list[int]) -> None:
    store = MemoryStore()
    log = Log(store, REGISTRY, "default")
    seen = [everything(log.load())]
    for number, data in enumerate(history.data, 1):
        assert store.put_if_absent(entry_path(number), data)
        state = log.load()
        seen.append(everything(state))
        if number in snapshots:
            snapshot.save(store, log.origin.digest, state, partial(fold, state, ()))
    newest = log.load()
    for commit, then in enumerate(seen):
        assert everything(log.at(commit, newest)) == then
        assert then[0].commit == commit
        assert {key: row.record for key, row in then[1].items()} == {
            key: row.record for key, row in history.books[commit].items()
        }


@pytest.fixture(autouse=True, scope="module")
def _many_small_layers() -> Iterator[None]:
    """As few rows as these histories have would never make a second layer, row group or segment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "SMALL", 1)
        patch.setattr(snapshot, "GROWTH", 2)
        patch.setattr(layer_writer, "GROUP", 2)
        patch.setattr(history_module, "GROWTH", 2)
        patch.setattr(history_module, "BATCH", 2)
        yield


@settings(max_examples=60, deadline=None, derandomize=True)
@given(histories(), st.lists(st.integers(1, 8), max_size=6, unique=True))
def test_layers_upon_layers_show_what_the_whole_log_says(history: History, at: list[int]) -> None:
    assert_layers_agree(history, at)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(histories(), st.lists(st.integers(1, 8), max_size=6, unique=True))
def test_hashes_that_collide_mislead_nobody(history: History, at: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_index, "_key", lambda text: len(text) % 3)
        assert_layers_agree(history, at)


def assert_layers_agree(history: History, at: list[int]) -> None:
    """Snapshots after some commits show what the book says, by every way to look, and to a query."""
    store = MemoryStore()
    origin = genesis(REGISTRY, "default").digest
    state = EMPTY
    for number, entry in enumerate(history.entries, 1):
        state = fold(state, [entry])
        if number in at:
            state = snapshot.save(store, origin, state, refuse_to_rebuild)
        assert_agrees(state, history.books[number])
        loaded = snapshot.load(store, origin, refuse_to_rebuild, at_most=number)
        rest = history.entries[loaded.head.commit if loaded else 0 : number]
        assert everything(fold(loaded or EMPTY, rest)) == everything(state)
    assert shown_by_files(state) == shown_by_records(state)  # at the end alone: the beginning of a history is one, too


def refuse_to_rebuild(*_: object) -> State:
    raise AssertionError("a sound layer was taken for a damaged one")


def shown_by_files(state: State) -> set[tuple[str, str, str, str]]:
    """What a query finds."""
    databases = Databases()
    engine = Engine([Source(state, "default", MemoryStore(), lambda: PastEvents(0, [], []))], databases)
    with databases.lock:
        connection = engine.database({"models"}).connection
        rows = connection.execute(f"SELECT kind, parent, name, id FROM {INTERNAL}.records").fetchall()
    assert len(set(rows)) == len(rows)
    return set(rows)


def shown_by_records(state: State) -> set[tuple[str, str, str, str]]:
    return {row[:4] for row in state.rows()}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(histories(), st.lists(st.integers(1, 8), max_size=6, unique=True), st.integers(0, 8))
def test_segments_and_the_entries_after_them_are_the_log(history: History, at: list[int], after: int) -> None:
    log = Log(MemoryStore(), REGISTRY, "default")
    for number, data in enumerate(history.data, 1):
        assert log.store.put_if_absent(entry_path(number), data)
        if number in at:
            log.history.extend(log.entries, number, log.leads_to)
    last = len(history.entries)
    begin = min(after, last)
    head = history.entries[begin - 1].head if begin else log.origin
    assert list(log.past(head, last)) == history.entries[begin:]
    for upto in range(last + 1):
        assert list(log.past(log.origin, upto)) == history.entries[:upto]
        past = log.past_events(upto)
        rows = [row for file in past.files for row in pq.read_table(file).to_pylist() if row["commit"] <= upto]
        rows += events_table(past.tail).to_pylist()
        assert rows == events_table(history.entries[:upto]).to_pylist()
    made = [number for number in at if number <= last]
    assert [segment.last for segment in log.history.cover(last)][-1:] == sorted(made)[-1:]


def assert_agrees(state: State, book: Book) -> None:
    """Every way to look into a state says what the book says."""
    assert book_of(state) == book
    for kind in (*KINDS, "file", "condemned_file"):
        for parent in (*PARENTS, *PATHS):
            named = sorted(row.name for (of, _), row in book.items() if (of, row.parent) == (kind, parent))
            assert sorted(state.names(kind, parent)) == named
        for word in ('"x"', '"value":0'):
            found = {row.id for row in state.containing(kind, word)}
            assert found == {id for (of, id), row in book.items() if of == kind and word in canonical(row.record)}
        ours = {id: row for (of, id), row in book.items() if of == kind}
        assert {row.id for row in state.rows(kind)} == ours.keys()
        for id in (*IDS, *PATHS):
            row = state.get(kind, id)
            assert (row.name if row else None) == (ours[id].name if id in ours else None)
        for parent in {*PARENTS, *IDS}:
            children = sorted((row.created, id) for id, row in ours.items() if row.parent == parent)
            assert [row.id for row in state.children(kind, parent)] == [id for _, id in children]
            for name in (*NAMES, *PATHS, "never"):
                assert [found.id for found in _found(state, kind, name, parent)] == [
                    id for id, row in ours.items() if (row.name, row.parent) == (name, parent)
                ]
    for path in PATHS:
        assert state.is_condemned(path) == (("condemned_file", path) in book)


def _found(state: State, kind: str, name: str, parent: str) -> Iterator[Row]:
    row = state.find(kind, name, parent)
    if row is not None:
        yield row
