"""The points of an experiment: those that a commit names and, live, those that are still on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from localreg.experiments.points import point_schema, rows_of
from localreg.experiments.recorder import POINTS
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.tables.parts import read_part
from localreg.tables.spool import spooled
from localreg.tables.streams import OpenPart, Segment, left_spools, open_parts
from localreg.workflow.samples import files_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SEGMENTS", "Left", "in_order", "left_by", "named_segments", "points_at"]

SEGMENTS = "segments"
"""Detail of a part: the segments that went into it, as [writer, number]."""


class Left(NamedTuple):
    """Points that no commit names yet.

    Attributes:
        rows: of each segment.
        parts: the open parts that there are, also twice of a segment.
    """

    rows: dict[Segment, pa.Table]
    parts: list[OpenPart]


def points_at(session: Session, state: State, experiment: str, *, live: bool) -> pa.Table:
    """All points, in no order.

    Args:
        session: where the experiment is.
        state: as of which commit.
        experiment: its id.
        live: also those that no commit names yet.
    """
    import pyarrow as pa

    left = left_by(session, experiment) if live else Left({}, [])
    # The log after them: what was closed between the two looks stands in one of them.
    state = session.committed() if live else state
    pointers = files_of(state, experiment, POINTS)
    named = named_segments(pointers)
    tables = [read_part(session.store, pointer) for pointer in pointers]
    tables += [rows for segment, rows in left.rows.items() if segment not in named]
    return pa.concat_tables([table.select(point_schema().names) for table in tables] or [point_schema().empty_table()])


def named_segments(pointers: Sequence[FilePointer]) -> set[Segment]:
    """The segments that went into parts."""
    told = (cast("list[tuple[str, int]]", each.details.get(SEGMENTS, [])) for each in pointers)
    return {Segment(writer, number) for each in told for writer, number in each}


def left_by(session: Session, experiment: str) -> Left:
    """What writers, dead or alive, have logged and no commit names; of a segment twice the part counts.

    Spools first: what becomes a part meanwhile is found there.
    """
    spools = {segment: rows_of(list(spooled(path))) for segment, path in left_spools(session.store, POINTS, experiment)}
    parts = list(open_parts(session.store, POINTS, experiment))
    rows = {}
    for part in parts:
        if part.segment not in rows and (found := _read(session, part.path)) is not None:
            rows[part.segment] = found
    return Left({**spools, **rows}, parts)


def _read(session: Session, path: str) -> pa.Table | None:
    """None where it is gone, or was being written when its writer died: its spool has it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = session.store.get(path, fresh=True)
    try:
        return None if data is None else pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        return None


def in_order(points: pa.Table) -> pa.Table:
    """By key, step, wall clock and order of logging; without a step last."""
    order = [(name, "ascending") for name in ("key", "step", "wallclock", "sequence")]
    return points.sort_by(order)
