"""State as a pure fold of the log.

A state is every record of a namespace as one commit left it: a *base* (nothing, or a snapshot) and an *overlay* of
what the entries after it did. Looking up never touches more than the overlay and one look-up in the base, and folding
an entry copies the overlay alone, so a state is immutable and cheap to keep.

The fold knows no kinds of record but one: a file pointer becomes a record of kind `file`, so that the live files of a
namespace can be listed. Kinds that a later release brings are folded just the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from pydantic import ValidationError

from localreg.canonical import JsonObject, canonical
from localreg.errors import FormatError, NotFoundError
from localreg.log.entry import Change, Entry, Event, Head, is_time
from localreg.records.base import Record
from localreg.records.files import FilePointer

__all__ = ["Base", "Draft", "EmptyBase", "Row", "Stamp", "State", "fold", "restoring"]

CONDEMNED = "condemned_file"

MANY = 16
"""Events of an entry that are looked up all at once rather than one by one."""

AT_ONCE = 65_536
"""Records that `get_many` holds in memory at most."""

RecordT = TypeVar("RecordT", bound=Record)


class Stamp(Protocol):
    """Where, when and by whom a change is made: an event of the log, or a commit that is being put together."""

    @property
    def commit(self) -> int:
        """Number of the commit."""

    @property
    def event(self) -> int:
        """Number of the event within it."""

    @property
    def time(self) -> str:
        """ISO 8601, UTC."""

    @property
    def actor(self) -> str:
        """Who."""


class Row(NamedTuple):
    """One record as the log left it, with what the log knows of its making.

    Attributes:
        parent: id of the record within which the name is unique; "" = the namespace.
        record: the record's fields; None if the event that put it was redacted and none put it since.
        created: (commit, event) that put it first: the order of creation.
        updated: (commit, event) that put it last: changes with every change of the record.
    """

    kind: str
    parent: str
    name: str
    id: str
    record: JsonObject | None
    created: tuple[int, int]
    created_at: str
    created_by: str
    updated: tuple[int, int]
    updated_at: str
    updated_by: str

    @property
    def fields(self) -> JsonObject:
        """The record's fields; of a redacted one, what the log itself still says."""
        return self.record if self.record is not None else {"id": self.id, "name": self.name}

    def load(self, record_class: type[RecordT]) -> RecordT:
        """The record as an object of its class; of a redacted one, as far as id and name suffice.

        Raises:
            NotFoundError: the event that put it last was redacted, and what it said is needed.
            FormatError: this release cannot read what is recorded.
        """
        try:
            return record_class.model_validate(self.fields)
        except ValidationError as error:
            what = f"{self.kind.replace('_', ' ')} {self.name!r}"
            if self.record is None:
                where = f"commit {self.updated[0]}, event {self.updated[1]}"
                raise NotFoundError(
                    f"{what} was redacted in {where}; look at a later commit", code="redacted"
                ) from error
            raise FormatError(
                f"{what} was recorded in a form that this release cannot read; upgrade localreg"
            ) from error


class Base(Protocol):
    """Records as of a snapshot: ways to look them up."""

    @property
    def commit(self) -> int:
        """The commit that it shows."""

    @property
    def path(self) -> str:
        """The snapshot's file, within the namespace; "" if there is none."""

    def files(self) -> list[Path]:
        """Native paths of Parquet files with these records, oldest first, for queries; none if there are none."""

    def get(self, kind: str, id: str) -> Row | None:
        """The record, or None."""

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Iterable[Row]:
        """Those of the records with these (kind, id) that are there, in any order."""

    def outline(self, kind: str, id: str) -> Row | None:
        """The record with None for what it says, or None: who it is and by whom it was made."""

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """The record of that name, or None."""

    def children(self, kind: str, parent: str) -> Iterable[Row]:
        """All of one kind within one parent, in any order."""

    def outlines(self, kind: str, parent: str) -> Iterable[Row]:
        """The same, perhaps with None for what they say."""

    def rows(self, kind: str | None = None) -> Iterable[Row]:
        """All of them, or all of one kind, in any order."""

    def stream(self) -> Iterator[Row]:
        """All of them, a few in memory at a time; raises `DamagedLayerError` instead of asking the log."""

    def names(self, kind: str, parent: str) -> Iterable[tuple[str, str]]:
        """(id, name) of each of one kind within one parent, in any order; without reading the records."""

    def containing(self, kind: str, *texts: str) -> Iterable[Row]:
        """Those of one kind whose record, as JSON without metadata, contains all these texts."""

    def referring(self, kind: str, field: str) -> Iterable[tuple[Row, list[str]]]:
        """Those of one kind that have ids in a field, perhaps with None for what they say, each with these ids."""


class EmptyBase:
    """What stands before the first commit."""

    commit = 0
    path = ""

    def files(self) -> list[Path]:
        """None."""
        return []

    def get(self, kind: str, id: str) -> Row | None:
        """Nothing."""
        return None

    def get_many(self, keys: Sequence[tuple[str, str]]) -> Iterable[Row]:
        """Nothing."""
        return ()

    def outline(self, kind: str, id: str) -> Row | None:
        """Nothing."""
        return None

    def find(self, kind: str, name: str, parent: str) -> Row | None:
        """Nothing."""
        return None

    def children(self, kind: str, parent: str) -> Iterable[Row]:
        """Nothing."""
        return ()

    def outlines(self, kind: str, parent: str) -> Iterable[Row]:
        """Nothing."""
        return ()

    def rows(self, kind: str | None = None) -> Iterable[Row]:
        """Nothing."""
        return ()

    def stream(self) -> Iterator[Row]:
        """Nothing."""
        return iter(())

    def names(self, kind: str, parent: str) -> Iterable[tuple[str, str]]:
        """Nothing."""
        return ()

    def containing(self, kind: str, *texts: str) -> Iterable[Row]:
        """Nothing."""
        return ()

    def referring(self, kind: str, field: str) -> Iterable[tuple[Row, list[str]]]:
        """Nothing."""
        return ()


class State:
    """Every record of a namespace at one commit. Immutable."""

    def __init__(self, head: Head, base: Base | None = None) -> None:
        self.head = head
        self.base: Base = base or EmptyBase()
        self._rows: dict[tuple[str, str], Row | None] = {}
        self._names: dict[tuple[str, str], dict[str, str]] = {}

    def get(self, kind: str, id: str) -> Row | None:
        """The record of that kind and id, or None."""
        try:
            return self._rows[kind, id]
        except KeyError:
            return self.base.get(kind, id)

    def get_many(self, keys: Iterable[tuple[str, str]]) -> Iterator[Row]:
        """Those of the records that are there, in no order: what lies together in a snapshot is read together."""
        waiting = iter(keys)
        while few := list(islice(waiting, AT_ONCE)):
            yield from (row for key in few if (row := self._rows.get(key)) is not None)
            yield from self.base.get_many([key for key in few if key not in self._rows])

    def outline(self, kind: str, id: str) -> Row | None:
        """The record, perhaps with None for what it says, or None."""
        return self._rows[kind, id] if (kind, id) in self._rows else self.base.outline(kind, id)

    def find(self, kind: str, name: str, parent: str = "") -> Row | None:
        """The record of that name within its parent, or None."""
        id = self._names.get((kind, parent), {}).get(name)
        if id is not None:
            return self._rows[kind, id]
        row = self._find_in_base(kind, name, parent)
        # The overlay may have renamed or removed what the base still calls so.
        return row if row is not None and (kind, row.id) not in self._rows else None

    def _find_in_base(self, kind: str, name: str, parent: str) -> Row | None:
        return self.base.find(kind, name, parent)

    def children(self, kind: str, parent: str = "") -> list[Row]:
        """All of one kind within one parent, in order of creation."""
        return self._in_order(self.base.children(kind, parent), kind, parent)

    def outlines(self, kind: str, parent: str = "") -> list[Row]:
        """The same, perhaps with None for what they say: a fraction of the reading."""
        return self._in_order(self.base.outlines(kind, parent), kind, parent)

    def newest(self, kind: str, parent: str) -> Row | None:
        """The one of them that was made last, or None; only that one is read whole."""
        rows = self.outlines(kind, parent)
        return self.get(kind, rows[-1].id) if rows else None

    def _in_order(self, of_base: Iterable[Row], kind: str, parent: str) -> list[Row]:
        rows = [row for row in of_base if (kind, row.id) not in self._rows]
        for id in self._names.get((kind, parent), {}).values():
            row = self._rows[kind, id]
            if row is not None:
                rows.append(row)
        # One event may bring several files; their paths decide, so that a snapshot changes nothing.
        return sorted(rows, key=lambda row: (row.created, row.name))

    def rows(self, kind: str | None = None) -> Iterator[Row]:
        """Every record, or every record of one kind, in no order."""
        for row in self.base.rows(kind):
            if (row.kind, row.id) not in self._rows:
                yield row
        for changed in self._rows.values():
            if changed is not None and kind in (None, changed.kind):
                yield changed

    def names(self, kind: str, parent: str = "") -> Iterator[str]:
        """The names of one kind within one parent, in no order; without reading the records."""
        yield from self._names.get((kind, parent), {})
        yield from (name for id, name in self.base.names(kind, parent) if (kind, id) not in self._rows)

    def containing(self, kind: str, *texts: str) -> Iterator[Row]:
        """Those of one kind whose record contains all these texts: as JSON, and not in its metadata."""
        for row in self.base.containing(kind, *texts):
            if (kind, row.id) not in self._rows:
                yield row
        for changed in self._rows.values():
            if changed is not None and changed.kind == kind:
                said = _without_metadata(changed.record)
                if all(text in said for text in texts):
                    yield changed

    def referring(self, kind: str, field: str) -> Iterator[tuple[Row, list[str]]]:
        """Those of one kind that have ids in a field, one or a list, each with these ids; the row perhaps an outline.

        All of the kind are looked through: to ask for one record after another would be quadratic.
        """
        for row, ids in self.base.referring(kind, field):
            if (kind, row.id) not in self._rows:
                yield row, ids
        for changed in self._rows.values():
            if changed is not None and changed.kind == kind:
                value = changed.fields.get(field)
                ids = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
                if ids:
                    yield changed, ids

    def overlay(self) -> Iterator[tuple[tuple[str, str], Row | None]]:
        """What changed since the base, by (kind, id); None = removed."""
        return iter(self._rows.items())

    @property
    def changed(self) -> int:
        """How many records changed since the base."""
        return len(self._rows)

    def on(self, base: Base) -> State:
        """The same records on a base of a commit between that of the present base and that of this state."""
        state = State(self.head, base)
        for key, row in self._rows.items():
            if row is None:
                if base.outline(*key) is not None:
                    state._rows[key] = None
            elif row.updated[0] > base.commit:
                state._rows[key] = row
                state._names.setdefault((row.kind, row.parent), {})[row.name] = row.id
        return state

    def is_condemned(self, path: str) -> bool:
        """Whether garbage collection has condemned the file: no commit may name it again."""
        return self.get(CONDEMNED, path) is not None

    def draft(self) -> Draft:
        """A copy that can be changed; this state stays as it is."""
        return Draft(self)


class Draft(State):
    """A state in the making: the only thing that changes in place, and private to one fold or one commit.

    That of a transaction is read by every thread that was handed its context: each look waits for `lock`, which the
    transaction holds while it changes something, and what is iterated over is a copy.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state.head, state.base)
        self.lock = threading.RLock()
        self._rows = dict(state._rows)
        self._names = {key: dict(names) for key, names in state._names.items()}
        self._known: dict[tuple[str, str], Row | None] = {}
        self._known_by_name: dict[tuple[str, str, str], Row] = {}

    def get(self, kind: str, id: str) -> Row | None:
        """The record of that kind and id, or None."""
        key = (kind, id)
        with self.lock:
            return self._known[key] if key in self._known and key not in self._rows else super().get(kind, id)

    def outline(self, kind: str, id: str) -> Row | None:
        """The record, perhaps with None for what it says, or None."""
        key = (kind, id)
        with self.lock:
            return self._known[key] if key in self._known and key not in self._rows else super().outline(kind, id)

    def get_many(self, keys: Iterable[tuple[str, str]]) -> Iterator[Row]:
        """Those of the records that are there, in no order."""
        with self.lock:
            return iter(list(super().get_many(keys)))

    def find(self, kind: str, name: str, parent: str = "") -> Row | None:
        """The record of that name within its parent, or None."""
        with self.lock:
            return super().find(kind, name, parent)

    def rows(self, kind: str | None = None) -> Iterator[Row]:
        """Every record, or every record of one kind, in no order."""
        with self.lock:
            return iter(list(super().rows(kind)))

    def names(self, kind: str, parent: str = "") -> Iterator[str]:
        """The names of one kind within one parent, in no order."""
        with self.lock:
            return iter(list(super().names(kind, parent)))

    def containing(self, kind: str, *texts: str) -> Iterator[Row]:
        """Those of one kind whose record contains all these texts."""
        with self.lock:
            return iter(list(super().containing(kind, *texts)))

    def referring(self, kind: str, field: str) -> Iterator[tuple[Row, list[str]]]:
        """Those of one kind that have ids in a field, each with these ids."""
        with self.lock:
            return iter(list(super().referring(kind, field)))

    def overlay(self) -> Iterator[tuple[tuple[str, str], Row | None]]:
        """What changed since the base, by (kind, id); None = removed."""
        with self.lock:
            return iter(list(super().overlay()))

    def draft(self) -> Draft:
        """A copy, with a lock of its own."""
        with self.lock:
            return super().draft()

    def _in_order(self, of_base: Iterable[Row], kind: str, parent: str) -> list[Row]:
        with self.lock:
            return super()._in_order(of_base, kind, parent)

    def prefetch(self, keys: Iterable[tuple[str, str]]) -> None:
        """Read many records at once that will be looked up one by one."""
        unknown: dict[tuple[str, str], Row | None] = {
            key: None for key in keys if key not in self._rows and key not in self._known
        }
        for row in self.get_many(unknown):
            unknown[row.kind, row.id] = row
            self._known_by_name[row.kind, row.parent, row.name] = row
        self._known |= unknown

    def _find_in_base(self, kind: str, name: str, parent: str) -> Row | None:
        known = self._known_by_name.get((kind, parent, name))
        return known if known is not None else super()._find_in_base(kind, name, parent)

    def apply(self, change: Change | Event, stamp: Stamp) -> None:
        """Fold one change in, as made by the commit, event, time and actor of `stamp`."""
        if change.action == "condemn":
            for pointer in change.files:
                self._remove("file", pointer.path)
                self._put(_file_row(pointer, stamp, kind=CONDEMNED))
            return
        for pointer in change.files:
            self._put(_file_row(pointer, stamp))
        effect = change.effect
        if effect == "put":
            row = _new_row(change.kind, change.parent, change.name, change.id, change.after, stamp)
            self._put(_restored(row, change.details))
        elif effect == "remove":
            self._remove(change.kind, change.id)

    def extend(self, entry: Entry) -> None:
        """Fold a whole entry in: the next one."""
        if len(entry.events) >= MANY:
            self.prefetch((event.kind, event.id) for event in entry.events)
        for event in entry.events:
            self.apply(event, event)
        self._known, self._known_by_name = {}, {}  # a fold may go on for a million events
        self.head = entry.head

    def _put(self, row: Row) -> None:
        old = self.outline(row.kind, row.id)
        if old is not None:
            row = row._replace(created=old.created, created_at=old.created_at, created_by=old.created_by)
            if (old.parent, old.name) != (row.parent, row.name):
                self._free(old)
        self._rows[row.kind, row.id] = row
        self._names.setdefault((row.kind, row.parent), {})[row.name] = row.id

    def _remove(self, kind: str, id: str) -> None:
        old = self.outline(kind, id)
        if old is not None:
            self._rows[kind, id] = None
            self._free(old)

    def _free(self, row: Row) -> None:
        names = self._names.get((row.kind, row.parent), {})
        if names.get(row.name) == row.id:
            del names[row.name]

    def frozen(self, head: Head) -> State:
        """The finished state, at `head`. The draft must not be used after."""
        state = State(head, self.base)
        state._rows, state._names = self._rows, self._names
        return state


def fold(state: State, entries: Iterable[Entry]) -> State:
    """The state after some more entries.

    Pure: folding `a + b` is folding `a`, then `b`. Folding nothing gives the state itself.
    """
    draft: Draft | None = None
    for entry in entries:
        draft = draft or state.draft()
        draft.extend(entry)
    return state if draft is None else draft.frozen(draft.head)


def _new_row(kind: str, parent: str, name: str, id: str, record: JsonObject | None, stamp: Stamp) -> Row:
    place = (stamp.commit, stamp.event)
    return Row(kind, parent, name, id, record, place, stamp.time, stamp.actor, place, stamp.time, stamp.actor)


def _without_metadata(record: JsonObject | None) -> str:
    return canonical({key: value for key, value in (record or {}).items() if key != "metadata"})


def restoring(row: Row) -> JsonObject:
    """What the details of an event say, under `created`, to put a removed record where it stood among the others."""
    commit, event = row.created
    return {"commit": commit, "event": event, "time": row.created_at, "actor": row.created_by}


def _restored(row: Row, details: JsonObject | None) -> Row:
    """The row, created when the details say: by an event of an earlier commit, else it was not meant so."""
    match (details or {}).get("created"):
        case {"commit": int(commit), "event": int(event), "time": str(time), "actor": str(actor)} if (
            0 < commit < row.created[0] and 0 < event < 2**31 and is_time(time)
        ):
            return row._replace(created=(commit, event), created_at=time, created_by=actor)
        case _:
            return row


def _file_row(pointer: FilePointer, stamp: Stamp, kind: str = "file") -> Row:
    return _new_row(kind, pointer.owner, pointer.path, pointer.path, pointer.to_json(), stamp)
