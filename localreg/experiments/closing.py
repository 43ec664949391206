"""The end of an experiment, or of one process of it: one commit that says how it ended and names all points and events.

Open parts of this process, and of those that are gone, become one part of each table, sorted; their segments are named
with it, so that who looked before is not shown them twice. Of processes that still report nothing is touched: theirs
come when they end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import LocalregError, UnknownOutcomeError
from localreg.events.rows import EVENTS, counted, counts_told
from localreg.experiments.recorder import STREAMED, presence_of
from localreg.log import Row, State
from localreg.log.entry import now
from localreg.names import new_id
from localreg.records.experiments import ExperimentRecord, Status
from localreg.session import Changes, Session
from localreg.storage import Store
from localreg.storage.disk import discard
from localreg.tables.streamed import Streamed, named_segments
from localreg.tables.streams import Segment, left_spools
from localreg.workflow.samples import files_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ACTIONS", "alive", "close"]

ACTIONS: dict[Status, str] = {"finished": "finish", "failed": "fail", "killed": "kill", "running": "upload"}
"""What the audit log calls it. `running`: others still report."""


def alive(store: Store, experiment: str) -> set[str]:
    """The writers that report of an experiment, on this machine or, as far as their files tell, on others."""
    return {writer for writer, is_alive in _writers(store, experiment).items() if is_alive}


def _writers(store: Store, experiment: str) -> dict[str, bool]:
    """Those that said that they report, and whether they still do."""
    presence = presence_of(store, experiment, new_id())
    return {writer: presence.is_alive(writer) for writer in presence.writers()}


def close(
    session: Session,
    experiment: str,
    status: Status,
    *,
    error: JsonObject | None = None,
    find: Callable[[Changes], Row],
    ended: Collection[str] = (),
) -> None:
    """Say how an experiment ended, and name its points and events.

    Args:
        session: where it is.
        experiment: its id.
        status: how it ended; if other processes still report, it goes on running, unless it failed.
        error: what it failed with.
        find: its record in a draft.
        ended: writers that report no more, also where what shows them alive could not be removed.

    Raises:
        LocalregError: nothing was committed, and all rows are where they were.
        UnknownOutcomeError: it may have been committed; rows are where they were, and count once.
    """
    while not _closed(session, experiment, status, error, find, ended):
        pass


class _Rows:
    """What is left of one table by this process, and by those that are gone.

    Attributes:
        files: the part that it was made.
    """

    def __init__(self, session: Session, table: Streamed, experiment: str, others: set[str]) -> None:
        self._session = session
        self._table = table
        self._experiment = experiment
        left = table.left(session.store, experiment)
        self._taken = {segment for segment in left.rows if segment.writer not in others}
        self._parts = [part.path for part in left.parts if part.segment in self._taken]
        named = self._named(session.committed())
        self._new = {segment: left.rows[segment] for segment in self._taken - named}
        self.files = table.merged(session.store, experiment, self._new)

    def _named(self, state: State) -> set[Segment]:
        return named_segments(files_of(state, self._experiment, self._table.name))

    def were_named(self, state: State) -> bool:
        """Whether another process named some of them first."""
        return bool(self._named(state) & self._new.keys())

    def counts(self) -> Counter[str]:
        """How many events of each name there are among them."""
        rows: Iterable[pa.Table] = self._new.values() if self._table is EVENTS else ()
        return sum((counted(each) for each in rows), Counter())

    def take_back(self) -> None:
        """Remove the part, which nothing names."""
        self._remove(each.path for each in self.files)

    def clear(self) -> None:
        """Remove open parts and spools: the log names what they hold."""
        self._remove(self._parts)
        for segment, path in left_spools(self._session.store, self._table.name, self._experiment):
            if segment in self._taken:
                discard(path)

    def _remove(self, paths: Iterable[str]) -> None:
        for path in paths:
            with suppress(LocalregError):  # those that cannot go are orphans
                self._session.store.delete(path)


def _closed(
    session: Session,
    experiment: str,
    status: Status,
    error: JsonObject | None,
    find: Callable[[Changes], Row],
    ended: Collection[str],
) -> bool:
    """False if another process named some of the same rows first."""
    writers = _writers(session.store, experiment)
    others = {writer for writer, is_alive in writers.items() if is_alive and writer not in ended}
    tables: list[_Rows] = []
    came_first = False

    def operation(changes: Changes) -> None:
        nonlocal came_first
        row = find(changes)
        came_first = any(each.were_named(changes.draft) for each in tables)
        if came_first:
            return
        over = status == "failed" or not others
        said = {"status": status, "ended_at": now(), "error": error} if over else {}
        record = row.load(ExperimentRecord).replaced(**said)
        files = tuple(file for each in tables for file in each.files)
        counts = sum((each.counts() for each in tables), Counter[str]())
        details = counts_told(counts) if counts else None
        changes.update(row, record, action=ACTIONS[status if over else "running"], files=files, details=details)

    try:
        for table in STREAMED:
            tables.append(_Rows(session, table, experiment, others))
        session.change(operation)
    except UnknownOutcomeError:
        raise  # an entry may name them
    except LocalregError:
        _each(tables, _Rows.take_back)
        raise
    if came_first:
        _each(tables, _Rows.take_back)
        return False
    if session.transaction_here() is None:
        _each(tables, _Rows.clear)
        presence = presence_of(session.store, experiment, new_id())
        for writer in writers.keys() - others:
            with suppress(LocalregError):
                presence.forget(writer)
    return True


def _each(tables: Iterable[_Rows], do: Callable[[_Rows], None]) -> None:
    for each in tables:
        do(each)
