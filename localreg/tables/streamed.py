"""Tables whose rows are written as they come: what no commit names yet, and how it becomes a part that one does.

What a process appends is a stream (`streams.py`) of segments. Wherever a segment is found, in a spool, in an open part
or, by what the pointer of a part says, in the log, it counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.records.files import FilePointer
from localreg.storage import Store
from localreg.tables.parts import write_part
from localreg.tables.spool import spooled
from localreg.tables.streams import OpenPart, Segment, ToRows, left_spools, open_parts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Left", "Streamed", "named_segments", "numbered", "segment_details"]

SEGMENTS = "segments"
"""Detail of a part: the segments that went into it, as [writer, number]."""


class Left(NamedTuple):
    """Rows that are found beside the log.

    Attributes:
        rows: of each segment.
        parts: the open parts that there are, also twice of a segment.
    """

    rows: dict[Segment, pa.Table]
    parts: list[OpenPart]


@dataclass(frozen=True, eq=False)
class Streamed:
    """A bulk table whose rows come one by one.

    Attributes:
        name: of the table.
        schema: of the rows of a part.
        rows_of: makes rows of the lines of a spool.
        order: columns by which rows are sorted.
    """

    name: str
    schema: Callable[[], pa.Schema]
    rows_of: ToRows
    order: tuple[str, ...]

    def in_order(self, rows: pa.Table) -> pa.Table:
        """Rows as a part holds them; equal ones stay as they were, nulls come last."""
        return rows.sort_by([(name, "ascending") for name in self.order])

    def joined(self, tables: Iterable[pa.Table]) -> pa.Table:
        """One table of the columns that all parts have."""
        import pyarrow as pa

        names = self.schema().names
        return pa.concat_tables([table.select(names) for table in tables] or [self.schema().empty_table()])

    def left(self, store: Store, owner: str) -> Left:
        """What writers, dead or alive, have made of an owner's rows; of a segment found twice the part counts.

        Spools first: what becomes a part meanwhile is found there. Whoever looks reads the log afterwards: what was
        committed between the looks stands in one of them.
        """
        spools = {segment: self.rows_of(list(spooled(path))) for segment, path in left_spools(store, self.name, owner)}
        parts = list(open_parts(store, self.name, owner))
        rows = {}
        for part in parts:
            if part.segment not in rows and (found := _read(store, part.path)) is not None:
                rows[part.segment] = found
        return Left({**spools, **rows}, parts)

    def merged(self, store: Store, owner: str, segments: Mapping[Segment, pa.Table]) -> tuple[FilePointer, ...]:
        """One part of all rows of some segments, sorted, which names them; none if there are none."""
        if not segments:
            return ()
        rows = self.in_order(self.joined(segments.values()))
        return (write_part(store, self.name, owner, rows, segment_details(segments)),)


def numbered(rows: pa.Table, first: int) -> pa.Table:
    """Rows whose `sequence` begins at 0, with those that begin at `first`."""
    import pyarrow.compute as pc

    place = rows.column_names.index("sequence")
    return rows.set_column(place, "sequence", pc.add(rows["sequence"], first))


def segment_details(segments: Iterable[Segment]) -> JsonObject:
    """What the pointer of a part says of the segments in it."""
    return {SEGMENTS: [[*each] for each in sorted(segments)]}


def named_segments(pointers: Iterable[FilePointer]) -> set[Segment]:
    """The segments that went into parts."""
    told = (cast("list[tuple[str, int]]", each.details.get(SEGMENTS, [])) for each in pointers)
    return {Segment(writer, number) for each in told for writer, number in each}


def _read(store: Store, path: str) -> pa.Table | None:
    """None where it is gone, or was being written when its writer died: its spool has it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = store.get(path, fresh=True)
    try:
        return None if data is None else pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        return None
