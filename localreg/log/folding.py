"""State as a pure fold of the log: what one entry after another does to the records.

The fold knows no kinds of record but one: a file pointer becomes a record of kind `file`, so that the live files of a
namespace can be listed. Kinds that a later release brings are folded just the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Protocol

from localreg.canonical import JsonObject
from localreg.log.entry import Change, Entry, Event, Head, is_time
from localreg.log.row import Row
from localreg.log.signing import SIGNER, signers_after
from localreg.log.state import CONDEMNED, State
from localreg.records.files import FilePointer

__all__ = ["Draft", "Stamp", "fold", "restoring"]

MANY = 16
"""Events of an entry that are looked up all at once rather than one by one."""


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


class Draft(State):
    """A state in the making: the only thing that changes in place, and private to one fold or one commit.

    That of a transaction is read by every thread that was handed its context: each look waits for `lock`, which the
    transaction holds while it changes something, and what is iterated over is a copy.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state.head, state.base, state.signers)
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
        if change.kind == SIGNER:
            self.signers = signers_after(self.signers, [change])
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
        state = State(head, self.base, self.signers)
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
