"""Audit events as users hold them: frozen, and with times that are times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from localreg.canonical import JsonObject
from localreg.handles.words import Look, one_line, parent_of, told, what_changed
from localreg.log import Event

__all__ = ["AuditEvent", "Position"]

LONGEST_CHANGES = 120
"""Characters that `str` of an event shows of them."""


class Position(NamedTuple):
    """The place of an event in the log; positions compare as the log runs."""

    commit: int
    """Number of the commit."""

    event: int
    """Number within the commit, from 1."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What the registry recorded of one change: a row of `audit_events` as an object."""

    commit: int
    """Number of the commit."""

    event: int
    """Number within the commit, from 1."""

    time: datetime
    """The committer's clock, UTC. Order is by position, never by time."""

    actor: str
    """Who, as the writing process said."""

    host: str
    """Name of the machine."""

    action: str
    """One verb: `create`, `update`, `set_alias`, …"""

    kind: str
    """Of the record, such as `model`."""

    id: str
    """Of the record."""

    name: str
    """Of the record, after the event; of one that was removed, its last."""

    parent: str
    """Id of the record within which the name is unique; "" = the namespace."""

    parent_name: str | None
    """Name of that record; None if there is none, or it is no longer there."""

    subject: str
    """The record in words, with whose it is: `alias 'm@staging'`, `test run 'bc@1' of 'm@1'`."""

    changes: str | None
    """What changed, in words, as in a model's `history`: `metadata.lr 0.1 → 0.2`."""

    message: str | None
    """Why, as the commit says; None also if redacted."""

    before: JsonObject | None
    """The whole record before; None if it was not there or is not touched, or if the event was redacted."""

    after: JsonObject | None
    """The whole record afterwards; None if it was removed or is not touched, or if the event was redacted."""

    details: JsonObject | None
    """What else belongs to the event, such as the version that an alias was moved from."""

    files: tuple[str, ...]
    """Bulk files that became visible (`condemn`: were given up), as paths within the namespace's folder."""

    digest: str
    """Chains everything up to and including this event: 64 hex digits."""

    redacted: bool
    """The payload was emptied: `message`, `before` and `after` are gone for good."""

    @property
    def position(self) -> Position:
        """Where `registry.watch(since=…)` goes on after this event."""
        return Position(self.commit, self.event)

    def __str__(self) -> str:
        """One line: where, when, who, what to which record, what changed, and why."""
        changes = self.changes or ""
        if len(changes) > LONGEST_CHANGES:
            changes = f"{changes[: LONGEST_CHANGES - 1]}…"
        line = f"{self.commit}.{self.event}  {self.time:%Y-%m-%d %H:%M:%S}Z  {self.actor}  {self.action} {self.subject}"
        told = f"{line}: {changes}" if changes else line
        return one_line(f"{told}  ({self.message})" if self.message else told)

    @classmethod
    def of(cls, event: Event, look: Look) -> AuditEvent:
        """The event as users hold it, with the names that other records have by now."""
        return cls(
            commit=event.commit,
            event=event.event,
            time=datetime.fromisoformat(event.time),
            actor=event.actor,
            host=event.host,
            action=event.action,
            kind=event.kind,
            id=event.id,
            name=event.name,
            parent=event.parent,
            parent_name=parent_of(event.kind, event.parent, look),
            subject=told(event.kind, event.name, event.parent, look),
            changes=what_changed(event.kind, event.before, event.after, event.details, look),
            message=event.message,
            before=event.before,
            after=event.after,
            details=event.details,
            files=tuple(pointer.path for pointer in event.files),
            digest=event.digest,
            redacted=event.redacted,
        )
