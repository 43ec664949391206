"""Events in a commit of their own: of models, versions and checkpoints, and of experiments that do not run here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from localreg.errors import LocalregError, UnknownOutcomeError
from localreg.events.rows import EVENTS, Reported, counted, counts_told, line_of_event, rows_of_events
from localreg.handles.handle import Handle
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Changes
from localreg.tables.parts import write_part

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ACTION", "report", "report_tables"]

ACTION = "report"
"""What the audit log calls a commit that only brings events."""

PART_ROWS = 1_000_000


def report(owner: Handle[Any], event: Reported) -> None:
    """Commit one event; see `HasEvents.event`."""
    report_tables(owner, [rows_of_events([line_of_event(0, event)])])


def report_tables(owner: Handle[Any], tables: Iterable[pa.Table]) -> int:
    """Commit rows of events, and say how many they are; no more than a part is in memory at once.

    Raises:
        LocalregError: a table cannot be read, or the commit was refused; nothing was reported.
    """
    session = owner._session
    session.refuse_if_read_only()
    owner._row()
    files: list[FilePointer] = []
    counts: Counter[str] = Counter()

    def operation(changes: Changes) -> None:
        changes.note(owner._row(changes.draft), action=ACTION, files=tuple(files), details=counts_told(counts))

    try:
        name = new_id()  # of one commit the names say in which order parts stand
        for number, rows in zip(count(), _parts(tables)):
            counts += counted(rows)
            files.append(write_part(session.store, EVENTS.name, owner.id, rows, {}, name=f"{name}-{number:06}"))
        if files:
            session.change(operation)
    except UnknownOutcomeError:
        raise  # an entry may name them
    except LocalregError:
        for file in files:
            with suppress(LocalregError):
                session.store.delete(file.path)
        raise
    return sum(counts.values())


def _parts(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows in tables of about a million, none of them empty."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(map(len, waiting)) >= PART_ROWS:
            yield EVENTS.joined(waiting)
            waiting = []
    rows = EVENTS.joined(waiting)
    if len(rows):
        yield rows
