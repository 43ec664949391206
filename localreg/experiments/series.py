"""The points of an experiment: those that a commit names and, live, those that are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.experiments.points import POINTS
from localreg.log import State
from localreg.session import Session
from localreg.tables.parts import read_part
from localreg.tables.streamed import Left, named_segments
from localreg.workflow.samples import files_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["points_at"]


def points_at(session: Session, state: State, experiment: str, *, live: bool) -> pa.Table:
    """All points, by key, step, wall clock and order of logging; without a step last.

    Args:
        session: where the experiment is.
        state: as of which commit.
        experiment: its id.
        live: also those that no commit names yet.
    """
    left = POINTS.left(session.store, experiment) if live else Left({}, [])
    state = session.committed() if live else state
    pointers = files_of(state, experiment, POINTS.name)
    named = named_segments(pointers)
    tables = [read_part(session.store, pointer) for pointer in pointers]
    tables += [rows for segment, rows in left.rows.items() if segment not in named]
    return POINTS.in_order(POINTS.joined(tables))
