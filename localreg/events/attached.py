"""What a handle is of which events are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from localreg.handles.handle import Handle, RecordT

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.query import Result

__all__ = ["HasEvents", "event_tables", "serve_event_tables"]

_served: list[Callable[[object], Iterator[pa.Table]]] = []


def serve_event_tables(read: Callable[[object], Iterator[pa.Table]]) -> None:
    """Say who reads tables of users as rows of events, `sequence` from 0: a layer above this one."""
    _served[:] = [read]


def event_tables(given: object) -> Iterator[pa.Table]:
    """A table of any kind as rows of events, batch by batch."""
    return _served[0](given)


class HasEvents(Handle[RecordT]):
    """A model, a version, an experiment or a checkpoint, of which programs report events."""

    def event(
        self,
        name: str,
        *,
        source: str | None = None,
        wallclock: float | datetime | str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Report that something happened; one commit, which the audit log shows as `report`.

        Args:
            name: what, such as `deployed`; a text of at most 512 characters.
            source: who reports, such as `server-3`.
            wallclock: when: seconds since 1970, an aware datetime or ISO 8601 text; None = now.
            metadata: any JSON object.

        Raises:
            InvalidInputError: a malformed argument.
        """
        from localreg.events.reporting import report
        from localreg.events.rows import checked_event

        report(self, checked_event(name, source, wallclock, metadata))

    def log_events(self, events: object) -> int:
        """Report many events at once, one commit.

        Args:
            events: a table: Arrow, pandas, Polars, a DuckDB relation, a list of dicts, the path of a CSV, JSON lines or
                Parquet file, or an iterator of these. Columns are `name`, and perhaps `source`, `wallclock` (seconds
                since 1970, time stamps with a zone, or ISO 8601 text; without the column it is now) and `metadata`
                (objects, or JSON text of them).

        Returns:
            How many there were.

        Raises:
            InvalidInputError: another column, or a value that none of these can be; nothing was reported.
        """
        from localreg.events.reporting import report_tables

        return report_tables(self, event_tables(events))

    def events(
        self,
        name: str | None = None,
        *,
        source: str | None = None,
        since: float | datetime | str | None = None,
        until: float | datetime | str | None = None,
        where: str | None = None,
        live: bool = True,
    ) -> Result:
        """Its events, in order of wall clock, and of one moment as they were reported.

        Columns: `name`, `source`, `wallclock`, `metadata`, and `commit`, which brought it; null = none has yet.

        Args:
            name: only those of this name.
            source: only those of this source.
            since: only those at this moment or later: seconds since 1970, an aware datetime or ISO 8601 text.
            until: only those before this moment.
            where: a DuckDB condition over the columns, with paths into metadata: `"metadata.epoch > 3"`.
            live: also those that no commit names yet, of processes that run an experiment or were killed.

        Raises:
            InvalidInputError: a malformed argument.
        """
        from localreg.events.reading import Wanted, events_of

        return events_of(self, Wanted.checked(name=name, source=source, since=since, until=until, where=where), live)

    def durations(
        self,
        *,
        start: str,
        end: str,
        source: str | None = None,
        by: str | None = None,
        live: bool = True,
    ) -> Result:
        """How long things took: each event that ends something, with the one that began it.

        Columns: `source`, `start`, `end`, `seconds`, `start_metadata`, `end_metadata`; in order of their beginning.

        In order of wall clock, an end belongs to the last start of the same source that has no end yet, as parentheses
        pair. So what lies within another pairs rightly, and a start whose program was killed takes nobody's end. Of
        things that overlap and end in another order, say what tells them apart (`by`). A start without an end has null
        as its end, an end without a start null as its start.

        Args:
            start: name of the events that begin something, such as `write_begin`.
            end: name of those that end it, such as `write_end`.
            source: only events of this source.
            by: a key of the metadata: only events with the same value there make a pair; those without it pair among
                themselves.
            live: as in `events`.

        Raises:
            InvalidInputError: `start` and `end` are the same name, or a malformed argument.
        """
        from localreg.events.pairing import durations_of

        return durations_of(self, start=start, end=end, source=source, by=by, live=live)

    def timeline(self, *, live: bool = True) -> Result:
        """What happened to it, and to what belongs to it: events and audit events together, in order of time.

        Columns: `time`; `what`, `event` or `audit`; `name` of the event, or action; `subject`, what it is of, in words;
        `source` of the event, or actor; `details`, the event's metadata, or the details of the audit event; `changes`,
        what an audit event changed, in words; `commit`. An audit event that only brings events is left out: they stand
        there themselves. To a model belong its versions, to an experiment its checkpoints.

        Args:
            live: as in `events`.
        """
        from localreg.events.timeline import timeline_of

        return timeline_of(self, live=live)
