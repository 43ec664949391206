"""Comparisons in the registry: what was found at a commit, kept whatever becomes of the models.

The rows lie in a part of their own: of a thousand classes and many slices they are megabytes, which the state does not
carry. Samples are not kept: `registry.at(commit=…).compare(…)` shows them again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject
from localreg.compare.output import as_dict
from localreg.compare.rows import MetricRow, as_table
from localreg.compare.telling import json_text
from localreg.errors import AlreadyExistsError, LocalregError, NotFoundError
from localreg.models.handle import Handle
from localreg.names import check_name, did_you_mean, new_id
from localreg.query import Result
from localreg.query.text import plain
from localreg.records.comparisons import ComparisonRecord
from localreg.session import Changes, Session
from localreg.tables.parts import read_part, write_part
from localreg.workflow.samples import files_of

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.compare.compared import Compared

__all__ = ["SavedComparison", "get_saved", "save"]

TABLE = "comparison_rows"
LONGEST = 500


class SavedComparison(Handle[ComparisonRecord]):
    """A comparison as it was saved. `print` shows it as it was printed then."""

    _record_class = ComparisonRecord

    @property
    def commit(self) -> int:
        """As of which commit the inferences were compared: `registry.at(commit=…)` has them as they were."""
        return self.info.commit

    @property
    def metrics(self) -> Result:
        """The rows, as `Comparison.metrics`."""
        table = self._rows()
        return Result(lambda: table)

    @property
    def rows(self) -> tuple[MetricRow, ...]:
        """The rows, as `Comparison.rows`."""
        return tuple(MetricRow(**row) for row in self._rows().to_pylist())

    def to_dict(self) -> JsonObject:
        """As `Comparison.to_dict` gave it."""
        content = self.info.content
        return {**content, "metrics": cast("list[JsonObject]", plain(self._rows().to_pylist()))}

    def to_json(self) -> str:
        """As `Comparison.to_json` gave it, byte by byte."""
        return json_text(self.to_dict())

    def delete(self) -> None:
        """Delete it. Its history stays in the audit log, and its name is free."""
        self._delete(force=False)

    def _rows(self) -> pa.Table:
        state = self._session.state()
        self._row(state)
        (pointer,) = files_of(state, self._id, TABLE)
        return read_part(self._session.store, pointer)

    def _stated(self) -> JsonObject:
        return {key: value for key, value in self.info.to_json().items() if key not in ("id", "name")}

    def __str__(self) -> str:
        return self.info.text


def save(session: Session, comparison: Compared, name: str | None) -> SavedComparison:
    """Keep a comparison; see `Comparison.save`."""
    session.refuse_if_read_only()
    if name is None:
        against = f"{', '.join(comparison.candidates)} against {comparison.baseline}"
        name = f"{against} on {comparison.suite}@{comparison.suite_version}"[:LONGEST]
    content = {key: value for key, value in as_dict(comparison).items() if key != "metrics"}
    record = ComparisonRecord(
        id=new_id(),
        name=check_name(name, what="name of the comparison"),
        commit=comparison.commit,
        content=content,
        text=str(comparison),
    )
    part = write_part(session.store, TABLE, record.id, as_table(comparison.rows), {})

    def operation(changes: Changes) -> None:
        if changes.draft.find(record.kind, record.name) is not None:
            raise AlreadyExistsError(
                f"a comparison {record.name!r} is saved already; choose another name, or delete that one"
            )
        changes.create(record, files=(part,))

    try:
        session.change(operation)
    except AlreadyExistsError:
        with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
            session.store.delete(part.path)
        raise
    return SavedComparison(session, record.id)


def get_saved(session: Session, name: str) -> SavedComparison:
    """A saved comparison by its name; see `Registry.get_comparison`."""
    state = session.state()
    row = state.find(ComparisonRecord.kind, check_name(name, what="name of the comparison"))
    if row is None:
        hint = did_you_mean(name, (each.name for each in state.rows(ComparisonRecord.kind)))
        raise NotFoundError(f"no saved comparison {name!r} in namespace {session.namespace!r}{hint}")
    return SavedComparison(session, row.id)
