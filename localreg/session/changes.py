"""What one commit is going to say, while it is being put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from localreg.canonical import JsonObject, canonical
from localreg.log import Change, Draft, Row, State
from localreg.names import new_id
from localreg.records.base import Record
from localreg.records.files import FilePointer

__all__ = ["Changes", "Operation"]


class Changes:
    """Changes to a state, in order, each visible to the look-ups that follow it.

    Attributes:
        before: the state that they start from.
        draft: the state that they lead to.
        made: the changes so far.
        outcome: which records they touch and how, but for those that nobody holds.
        operation: number of the operation at work, from 1.
        ids: what `new_id` gave out.
        time: of the commit, by this machine's clock, ISO 8601 UTC.
        followed: whether what follows from them has been done.
    """

    def __init__(self, before: State, *, actor: str, time: str, ids: dict[tuple[int, str, str], str]) -> None:
        self.before = before
        self.draft: Draft = before.draft()
        self.made: list[Change] = []
        self.outcome: list[Outcome] = []
        self.operation = 0
        self._actor = actor
        self.time = time
        self.ids = ids
        self.followed = False

    def run(self, operation: Operation) -> None:
        """Let the next operation make its changes."""
        self.operation += 1
        operation(self)

    def new_id(self, kind: str, name: str) -> str:
        """An id for a record that this operation makes: the same when the operation is run again on a newer state."""
        return self.ids.setdefault((self.operation, kind, name), new_id())

    def ensure(self, record: Record) -> None:
        """Put a record that had to be there, and that nobody holds by its id: any other of its name does as well."""
        self._add(Change(record.kind, "create", record.id, record.name, record.parent, after=record.to_json()))
        self.outcome.pop()

    def create(
        self,
        record: Record,
        *,
        action: str = "create",
        files: tuple[FilePointer, ...] = (),
        details: JsonObject | None = None,
    ) -> None:
        """Put a record that was not there."""
        self._add(
            Change(
                record.kind,
                action,
                record.id,
                record.name,
                record.parent,
                after=record.to_json(),
                files=files,
                details=details,
            )
        )

    def update(
        self,
        row: Row,
        record: Record,
        *,
        action: str = "update",
        files: tuple[FilePointer, ...] = (),
        details: JsonObject | None = None,
    ) -> None:
        """Put a record in the place of its older self. Nothing happens if nothing differs."""
        after = record.to_json()
        if not files and _is_same(row, record, after):
            return
        self._add(
            Change(
                row.kind,
                action,
                row.id,
                record.name,
                record.parent,
                before=row.fields,  # also of a redacted one: null would say that there was none
                after=after,
                files=files,
                details=details,
            )
        )

    def delete(self, row: Row, *, action: str = "delete") -> None:
        """Remove a record."""
        self._add(Change(row.kind, action, row.id, row.name, row.parent, before=row.fields))

    def note(
        self, row: Row, *, action: str, files: tuple[FilePointer, ...] = (), details: JsonObject | None = None
    ) -> None:
        """Record an act that leaves the record as it is, such as an upload that only brings files."""
        self._add(Change(row.kind, action, row.id, row.name, row.parent, files=files, details=details))

    def make(self, change: Change) -> None:
        """Make a change that was put together elsewhere, such as the inverse of an event."""
        self._add(change)

    def _add(self, change: Change) -> None:
        self.made.append(change)
        self.outcome.append(Outcome(change.kind, change.action, change.id, change.name))
        self.draft.apply(change, Pending(self.before.head.commit + 1, len(self.made), self.time, self._actor))


def _is_same(row: Row, record: Record, after: JsonObject) -> bool:
    before = row.record
    if before is not None and before.keys() != after.keys():
        # An older release did not write every field: those are as by default, which is no change worth an event.
        before = row.load(type(record)).to_json()
    return after == before and canonical(after) == canonical(before)  # 1 == True in Python


class Outcome(NamedTuple):
    """What a change comes to, whatever its values."""

    kind: str
    action: str
    id: str
    name: str


class Pending(NamedTuple):
    """Where a change will stand if nobody is faster."""

    commit: int
    event: int
    time: str
    actor: str


Operation: TypeAlias = Callable[[Changes], None]
"""A verb at work: it looks into the draft, refuses or adds changes, and may be run again on a newer state."""
