"""Events: what a user's program reports, with a name, a source, a wall clock and metadata.

What is reported one by one is a line of JSON in a spool, and all of it rows in parts of table `events`:

| column | type | |
|---|---|---|
| `name` | string | such as `epoch_start` |
| `source` | string | who reports, such as `trainer`; null = not said |
| `wallclock` | timestamp (µs, UTC) | when it happened, by the clock of whoever says so; years 1 to 9999 |
| `metadata` | string | canonical JSON of an object; null = empty |
| `sequence` | int64 | order in which its writer reported it |
| `commit` | int64 | which commit brought the row; only in parts that compaction wrote |
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from localreg.canonical import JsonObject, canonical, checked_object
from localreg.errors import InvalidInputError
from localreg.names import check_name, shown_value
from localreg.tables.streamed import Streamed
from localreg.times import NOW, checked_wallclock

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "COMMIT",
    "EVENTS",
    "FIRST",
    "LAST",
    "Reported",
    "checked_event",
    "checked_moment",
    "counted",
    "counts_told",
    "event_schema",
    "line_of_event",
    "rows_of_events",
]

COMMIT = "commit"
"""The column of parts that compaction wrote."""

FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds since 1970 of the first and the last moment that a Python datetime can say."""

MOST_NAMES = 100
"""So many names are counted in the log for each commit, the most frequent ones."""


class Reported(NamedTuple):
    """One event, checked, as it is stored.

    Attributes:
        name: what happened.
        source: who reports; None = not said.
        wallclock: microseconds since 1970, UTC.
        metadata: canonical JSON; None = an empty object.
    """

    name: str
    source: str | None
    wallclock: int
    metadata: str | None


def checked_event(
    name: str, source: str | None, wallclock: float | datetime | str | None, metadata: Mapping[str, object] | None
) -> Reported:
    """An event as it is stored.

    Raises:
        InvalidInputError: a malformed argument, which is named.
    """
    said = checked_object({} if metadata is None else metadata, what="metadata")
    return Reported(
        check_name(name, what="name of the event"),
        None if source is None else check_name(source, what="source"),
        checked_moment(NOW if wallclock is None else wallclock, what="wallclock"),
        canonical(said) if said else None,
    )


def checked_moment(moment: object, *, what: str) -> int:
    """Microseconds since 1970, UTC, of seconds, an aware datetime, ISO 8601 text, or now.

    Raises:
        InvalidInputError: it is no time, or one beyond the years 1 to 9999.
    """
    micros = checked_wallclock(moment, what=what)
    if micros is None or not FIRST <= micros <= LAST:
        raise InvalidInputError(
            f"{what} is {shown_value(moment)}, which is no moment of the years 1 to 9999; write seconds since 1970, or "
            "text such as 2026-03-31T12:00:00Z"
        )
    return micros


def line_of_event(sequence: int, event: Reported) -> bytes:
    """A line of a spool."""
    return json.dumps((sequence, *event), separators=(",", ":")).encode()


def event_schema() -> pa.Schema:
    """Of the rows of a part."""
    import pyarrow as pa

    return pa.schema(
        [
            ("name", pa.string()),
            ("source", pa.string()),
            ("wallclock", pa.timestamp("us", "UTC")),
            ("metadata", pa.string()),
            ("sequence", pa.int64()),
        ]
    )


def rows_of_events(lines: Sequence[bytes]) -> pa.Table:
    """The rows of the lines of a spool; half a line, which a full disk left, is passed over."""
    import pyarrow as pa

    columns: dict[str, list[object]] = {name: [] for name in event_schema().names}
    for line in lines:
        try:
            sequence, *event = json.loads(line)
        except ValueError:
            continue
        for name, value in zip(columns, (*event, sequence), strict=True):
            columns[name].append(value)
    arrays = [pa.array(columns[field.name], field.type) for field in event_schema()]
    return pa.Table.from_arrays(arrays, schema=event_schema())


EVENTS = Streamed("events", event_schema, rows_of_events, ("wallclock", "sequence"))
"""The bulk table."""


def counted(rows: pa.Table) -> Counter[str]:
    """How many events there are of each name."""
    found = rows["name"].value_counts().to_pylist()
    return Counter({each["values"]: each["counts"] for each in found})


def counts_told(counts: Mapping[str, int]) -> JsonObject:
    """What the log says of the events that a commit brings: `events`, how many of each name.

    Of more than 100 names the most frequent ones; how many others there are, and how many events of these, stands in
    `more_events`. Who has to know those reads the rows.
    """
    told = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    more = told[MOST_NAMES:]
    details: JsonObject = {"events": dict(told[:MOST_NAMES])}
    if more:
        details["more_events"] = {"names": len(more), "events": sum(count for _, count in more)}
    return details
