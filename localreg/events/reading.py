"""Events of one record, read back: those that commits name and, of an experiment, those that are on their way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from localreg.events.rows import COMMIT, EVENTS, checked_moment
from localreg.handles.handle import Handle
from localreg.log import Row
from localreg.names import check_flag, check_name
from localreg.records.experiments import ExperimentRecord
from localreg.records.files import FilePointer
from localreg.session import Session
from localreg.tables.parts import read_part
from localreg.tables.streamed import Left, named_segments

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from localreg.query import Result

__all__ = ["COLUMNS", "Wanted", "as_json", "events_at", "events_of"]

COLUMNS = {
    "name": "VARCHAR",
    "source": "VARCHAR",
    "wallclock": "TIMESTAMP WITH TIME ZONE",
    "metadata": "JSON",
    COMMIT: "BIGINT",
}
"""What is shown of an event, and what a condition may name: DuckDB's types."""


@dataclass(frozen=True)
class Wanted:
    """Which events are wanted; None = all.

    Attributes:
        names: theirs.
        source: theirs.
        since: microseconds since 1970, the first moment.
        until: likewise, the first moment that is not wanted any more.
        condition: SQL over `COLUMNS`.
        where: the same, as the user wrote it.
    """

    names: tuple[str, ...] | None = None
    source: str | None = None
    since: int | None = None
    until: int | None = None
    condition: str | None = None
    where: str | None = None

    @classmethod
    def checked(
        cls,
        *,
        name: object = None,
        source: object = None,
        since: object = None,
        until: object = None,
        where: str | None = None,
    ) -> Self:
        """What a user asks for; see `HasEvents.events`.

        Raises:
            InvalidInputError: a malformed argument.
        """
        condition = None
        if where is not None:
            from localreg.query.expressions import rewrite_where

            condition = rewrite_where(where, COLUMNS, table="events")
        return cls(
            None if name is None else (check_name(name, what="name of the event"),),
            None if source is None else check_name(source, what="source"),
            None if since is None else checked_moment(since, what="since"),
            None if until is None else checked_moment(until, what="until"),
            condition,
            where,
        )

    def of(self, rows: pa.Table) -> pa.Table:
        """Those among some rows, in their order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.names is not None:
            rows = rows.filter(pc.is_in(rows["name"], pa.array(self.names, pa.string())))
        if self.source is not None:
            rows = rows.filter(pc.equal(rows["source"], self.source))
        if self.since is not None:
            rows = rows.filter(pc.greater_equal(rows["wallclock"], _moment(self.since)))
        if self.until is not None:
            rows = rows.filter(pc.less(rows["wallclock"], _moment(self.until)))
        if self.condition is not None:
            from localreg.query.filtered import filtered

            rows = filtered(rows, self.condition, COLUMNS, table="events", where=str(self.where))
        return rows


def _moment(micros: int) -> pa.Scalar:
    import pyarrow as pa

    return pa.scalar(micros, pa.int64()).cast(pa.timestamp("us", "UTC"))


def events_of(owner: Handle[Any], wanted: Wanted, live: bool) -> Result:
    """See `HasEvents.events`."""
    from localreg.query import Result

    check_flag(live, what="live")

    def fetch() -> pa.Table:
        return as_json(wanted.of(events_at(owner._session, owner._row(), live=live)).select([*COLUMNS]), "metadata")

    return Result(fetch)


def events_at(session: Session, owner: Row, *, live: bool) -> pa.Table:
    """All events of a record: `COLUMNS` and `sequence`, in order of wall clock, commit and reporting."""
    looks_beside = live and owner.kind == ExperimentRecord.kind and not session.is_pinned
    # The log after what is beside it: what was committed between the two looks stands in one of them.
    left = EVENTS.left(session.store, owner.id) if looks_beside else Left({}, [])
    parts = _parts(session, owner.id)
    pointers = [FilePointer.from_json(row.fields) for row in parts]
    named = named_segments(pointers)
    tables = [
        _with_commit(read_part(session.store, pointer), row.created[0])
        for row, pointer in zip(parts, pointers, strict=True)
    ]
    tables += [_with_commit(rows, None) for segment, rows in left.rows.items() if segment not in named]
    return _in_order(tables)


def _parts(session: Session, owner: str) -> list[Row]:
    """The parts in order of commit: those that are committed, and those of a transaction that is open here."""
    states = [session.committed()]
    if session.transaction_here() is not None:
        states.append(session.state())
    rows = {row.name: row for state in states for row in state.children("file", owner)}
    return [row for row in rows.values() if row.fields["table"] == EVENTS.name]


def _with_commit(rows: pa.Table, commit: int | None) -> pa.Table:
    """Rows with the commit that brought each: what compaction has kept, else that of the part."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names, own = EVENTS.schema().names, pa.scalar(commit, pa.int64())
    kept = rows[COMMIT] if COMMIT in rows.column_names else pa.nulls(len(rows), pa.int64())
    return rows.select(names).append_column(COMMIT, pc.coalesce(kept, own))


def _in_order(tables: Iterable[pa.Table]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    empty = EVENTS.schema().empty_table().append_column(COMMIT, pa.array([], pa.int64()))
    rows = pa.concat_tables([empty, *tables])
    rows = rows.set_column(
        rows.column_names.index("metadata"), "metadata", pc.fill_null(rows["metadata"], pa.scalar("{}"))
    )
    return rows.sort_by([(name, "ascending") for name in ("wallclock", COMMIT, "sequence")])


def as_json(rows: pa.Table, *columns: str) -> pa.Table:
    """The same, with columns of JSON text that a `Result` shows as objects."""
    from localreg.query.result import JSON_FIELD

    for name in columns:
        place = rows.column_names.index(name)
        rows = rows.set_column(place, rows.field(place).with_metadata(JSON_FIELD), rows[name])
    return rows
