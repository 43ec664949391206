"""A timeline: what programs reported of a thing, and what the registry recorded of it, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from localreg.events.reading import as_json, events_at
from localreg.events.reporting import ACTION
from localreg.events.rows import COMMIT
from localreg.handles.handle import Handle
from localreg.handles.history import with_changes
from localreg.handles.words import told
from localreg.log import Row
from localreg.names import check_flag
from localreg.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.query import Result

__all__ = ["timeline_of"]

BELONGING = {"model": "model_version", "experiment": "checkpoint"}
"""Kinds that have records of another kind, of which events are reported, too."""


def timeline_of(owner: Handle[Any], *, live: bool) -> Result:
    """See `HasEvents.timeline`."""
    from localreg.query import Result

    check_flag(live, what="live")
    return Result(lambda: _timeline(owner._session, owner._row(), live))


def _timeline(session: Session, owner: Row, live: bool) -> pa.Table:
    import pyarrow as pa

    kind = BELONGING.get(owner.kind)
    owners = [owner, *(session.state().outlines(kind, owner.id) if kind is not None else ())]
    # Events first: of one that is committed meanwhile more is shown, and not its audit event alone.
    reported = [_reported(session, each, live) for each in owners]
    rows = pa.concat_tables([_audited(session, owners), *reported])
    return as_json(rows.sort_by([("time", "ascending"), ("what", "ascending")]), "details")


def _audited(session: Session, owners: list[Row]) -> pa.Table:
    import pyarrow.compute as pc

    state, ids = session.state(), ", ".join(f"'{each.id}'" for each in owners)
    of_them = session.engine().select("audit_events", where=f"id IN ({ids}) OR parent IN ({ids})")
    events = with_changes(of_them, state).arrow()
    events = events.filter(pc.not_equal(events["action"], ACTION))
    kinds, names, parents = (events[name].to_pylist() for name in ("kind", "name", "parent"))
    subjects = [told(*each, state.outline) for each in zip(kinds, names, parents, strict=True)]
    columns = {"name": "action", "source": "actor", "details": "details", "changes": "changes", COMMIT: COMMIT}
    told_of = {name: events[column] for name, column in columns.items()}
    return _rows("audit", events["time"], subjects, told_of)


def _reported(session: Session, owner: Row, live: bool) -> pa.Table:
    events = events_at(session, owner, live=live)
    subject = told(owner.kind, owner.name, owner.parent, session.state().outline)
    columns = {"name": "name", "source": "source", "details": "metadata", COMMIT: COMMIT}
    told_of = {name: events[column] for name, column in columns.items()}
    return _rows("event", events["wallclock"], [subject] * len(events), told_of)


def _rows(what: str, time: pa.ChunkedArray, subjects: list[str], columns: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    import pyarrow as pa

    texts = ("what", "name", "subject", "source", "details", "changes")
    schema = pa.schema(
        [("time", pa.timestamp("us", "UTC")), *((name, pa.string()) for name in texts), (COMMIT, pa.int64())]
    )
    given = {"time": time, "what": [what] * len(subjects), "subject": subjects, **columns}
    arrays = []
    for field in schema:
        column = given.get(field.name)
        if column is None:
            column = [None] * len(subjects)
        arrays.append(pa.array(column, field.type) if isinstance(column, list) else column.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
