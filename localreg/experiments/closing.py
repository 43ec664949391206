"""The end of an experiment, or of one process of it: one commit that says how it ended and names all points.

Open parts of this process, and of those that are gone, become one part, sorted; their segments are named with it, so
that who looked before is not shown them twice. Of processes that still log nothing is touched: theirs come when they
end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import LocalregError, UnknownOutcomeError
from localreg.experiments.recorder import POINTS, presence_of
from localreg.experiments.series import SEGMENTS, in_order, left_by, named_segments
from localreg.log import Row
from localreg.log.entry import now
from localreg.names import new_id
from localreg.records.experiments import ExperimentRecord, Status
from localreg.records.files import FilePointer
from localreg.session import Changes, Session
from localreg.storage import Store
from localreg.tables.parts import write_part
from localreg.tables.streams import Segment, left_spools
from localreg.workflow.samples import files_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ACTIONS", "alive", "close"]

ACTIONS: dict[Status, str] = {"finished": "finish", "failed": "fail", "killed": "kill", "running": "upload"}
"""What the audit log calls it. `running`: others still log."""


def alive(store: Store, experiment: str) -> set[str]:
    """The writers that log to an experiment, on this machine or, as far as their files tell, on others."""
    return {writer for writer, is_alive in _writers(store, experiment).items() if is_alive}


def _writers(store: Store, experiment: str) -> dict[str, bool]:
    """Those that said that they log, and whether they still do."""
    presence = presence_of(store, experiment, new_id())
    return {writer: presence.is_alive(writer) for writer in presence.writers()}


def close(
    session: Session,
    experiment: str,
    status: Status,
    *,
    error: JsonObject | None = None,
    find: Callable[[Changes], Row],
) -> None:
    """Say how an experiment ended, and name its points.

    Args:
        session: where it is.
        experiment: its id.
        status: how it ended; if other processes still log, it goes on running, unless it failed.
        error: what it failed with.
        find: its record in a draft.

    Raises:
        LocalregError: nothing was committed, and the points are where they were.
        UnknownOutcomeError: it may have been committed; points are where they were, and count once.
    """
    while not _closed(session, experiment, status, error, find):
        pass


def _closed(
    session: Session, experiment: str, status: Status, error: JsonObject | None, find: Callable[[Changes], Row]
) -> bool:
    """False if another process named some of the same points first."""
    writers = _writers(session.store, experiment)
    others = {writer for writer, is_alive in writers.items() if is_alive}
    left = left_by(session, experiment)
    named = named_segments(files_of(session.committed(), experiment, POINTS))
    taken = {segment: rows for segment, rows in left.rows.items() if segment.writer not in others}
    new = {segment: rows for segment, rows in taken.items() if segment not in named}
    files = _merged(session, experiment, new)
    came_first = False

    def operation(changes: Changes) -> None:
        nonlocal came_first
        row = find(changes)
        came_first = bool(named_segments(files_of(changes.draft, experiment, POINTS)) & new.keys())
        if came_first:
            return
        ended = status == "failed" or not others
        said = {"status": status, "ended_at": now(), "error": error} if ended else {}
        record = row.load(ExperimentRecord).replaced(**said)
        changes.update(row, record, action=ACTIONS[status if ended else "running"], files=files)

    try:
        session.change(operation)
    except UnknownOutcomeError:
        raise  # an entry may name them
    except LocalregError:
        _remove(session, (each.path for each in files))
        raise
    if came_first:
        _remove(session, (each.path for each in files))
        return False
    if session.transaction_here() is None:
        _remove(session, (part.path for part in left.parts if part.segment in taken))
        for segment, path in left_spools(session.store, POINTS, experiment):
            if segment in taken:
                path.unlink(missing_ok=True)
        presence = presence_of(session.store, experiment, new_id())
        for writer in writers.keys() - others:
            with suppress(LocalregError):
                presence.forget(writer)
    return True


def _merged(session: Session, experiment: str, segments: dict[Segment, pa.Table]) -> tuple[FilePointer, ...]:
    import pyarrow as pa

    if not segments:
        return ()
    rows = in_order(pa.concat_tables(segments.values()))
    details: JsonObject = {SEGMENTS: [[*each] for each in sorted(segments)]}
    return (write_part(session.store, POINTS, experiment, rows, details),)


def _remove(session: Session, paths: Iterable[str]) -> None:
    """Files that nothing names any more; those that cannot go are orphans."""
    for path in paths:
        with suppress(LocalregError):
            session.store.delete(path)
