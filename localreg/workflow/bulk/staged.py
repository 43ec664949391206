"""Parts of inferences on their way from a table into the log."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from localreg.canonical import JsonObject
from localreg.errors import ConflictError, LocalregError, UnknownOutcomeError
from localreg.log import State
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Changes, Session
from localreg.tables import read_part
from localreg.workflow.case_content import first_difference
from localreg.workflow.inferences import (
    ERROR,
    MISSING,
    OK,
    SKIPPED,
    STATUSES,
    Inferences,
    inference_pointers,
    write_inferences,
)
from localreg.workflow.other_answers import other_answer
from localreg.workflow.run_record import RunRecord, ensure_model_version
from localreg.workflow.samples import as_rows, sample_count
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.workflow.model import Model

__all__ = ["StagedInferences", "refuse_other_answers"]

PART_ROWS = 250_000
PART_BYTES = 128 * 2**20
"""A part is written when it has so many rows, or bytes in memory."""
SPLIT_ROWS = 200_000
"""So many rows at the end are written as two parts, side by side."""
WRITERS = 2


class StagedInferences:
    """Collects rows into parts, writes them beside the work on the next ones, and commits them all at once.

    A context: parts that were not committed are removed.
    """

    def __init__(self, session: Session, workflow_id: str, state: State) -> None:
        self._session = session
        self._workflow_id = workflow_id
        transaction = session.transaction_here()
        self._count = sample_count(state if transaction is None else transaction.changes.before, workflow_id)
        self._greatest = -1
        self._folder = new_id()
        self._waiting: list[pa.Table] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._writer = ThreadPoolExecutor(WRITERS, "localreg-parts")
        self._writing: deque[Future[list[FilePointer]]] = deque()
        self._pointers: list[FilePointer] = []
        self._is_publishing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.shutdown()
        # Once a commit was tried, an entry may name the parts, unless a refusal of ours says that it does not.
        is_refused = isinstance(error, LocalregError) and not isinstance(error, UnknownOutcomeError)
        if not self._is_publishing or is_refused:
            while self._writing:
                with suppress(LocalregError, OSError):  # of what came on top of the error that ended it
                    self._take_written()
            for pointer in self._pointers:
                with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
                    self._session.store.delete(pointer.path)

    def add(self, rows: pa.Table) -> None:
        """Take rows: `sample_idx` and the columns of the inferences, null where a sample was skipped."""
        import pyarrow.compute as pc

        if not rows.num_rows:
            return
        self._greatest = max(self._greatest, int(pc.max(rows["sample_idx"]).as_py()))
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        self._waiting_bytes += rows.nbytes
        if self._waiting_rows >= PART_ROWS or self._waiting_bytes >= PART_BYTES:
            self._write()

    def _write(self) -> None:
        """Hand what waits to the writers, which are one part behind each at most."""
        if not self._waiting:
            return
        rows, self._waiting, self._waiting_rows, self._waiting_bytes = self._waiting, [], 0, 0
        while len(self._writing) >= WRITERS:
            self._take_written()
        self._writing.append(self._writer.submit(self._written, rows))

    def _write_last(self) -> None:
        """Write the rest; if it is much, as two parts at once, since nothing else is left to do meanwhile."""
        import pyarrow as pa

        if self._waiting_rows >= SPLIT_ROWS:
            rows = pa.concat_tables(self._waiting, promote_options="default")
            middle = rows.num_rows // 2
            self._waiting = [rows.slice(0, middle)]
            self._write()
            self._waiting = [rows.slice(middle)]
        self._write()
        while self._writing:
            self._take_written()

    def _take_written(self) -> None:
        self._pointers += self._writing.popleft().result()

    def _written(self, tables: list[pa.Table]) -> list[FilePointer]:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = pa.concat_tables(tables, promote_options="default")
        status = pc.if_else(rows["inference"].is_valid(), STATUSES[OK], STATUSES[SKIPPED])
        rows = rows.add_column(1, "status", status)
        return write_inferences(self._session, self._workflow_id, self._folder, [rows])

    def commit(
        self,
        model: Model[Any, Any, Any],
        version: str | None,
        suite: TestSuite | None,
        *,
        stored: Inferences | None,
        reset: bool,
    ) -> None:
        """Put all parts into the log.

        Args:
            model: whose inferences they are.
            version: id of its version that the rows were compared with; None = there was none yet.
            suite: the suite that they were made for, whose test run owns them; None = the model version does.
            stored: what was stored when the rows were looked at; None = nothing.
            reset: they take the place of what is stored, whatever it is.

        Raises:
            NonDeterministicError: another writer has stored something else of a sample meanwhile.
        """
        self._write_last()
        run = None if suite is None else RunRecord(model, suite, None)
        known = [] if stored is None else stored.paths

        def operation(changes: Changes) -> None:
            if run is not None:
                target = run.target(changes, version)
                owner, version_id = target.run_id, target.version_id
            else:
                target, (_, version_id) = None, ensure_model_version(changes, model, version)
                owner = version_id
            if not self._pointers:
                if target is not None and target.new is not None:
                    changes.create(target.new)
                return
            self._refuse_renumbered(changes.before)
            files = self._files(changes.draft, model, version_id, owner, known, reset)
            if target is not None and target.new is not None:
                changes.create(target.new, files=files)
            else:
                row = changes.draft.get("model_version" if target is None else "test_run", owner)
                assert row is not None, "it was found or made just now"
                changes.note(row, action="upload", files=files)

        self._is_publishing = True
        self._session.change(operation)

    def _refuse_renumbered(self, before: State) -> None:
        """Samples that are new in the same transaction are numbered after those that others brought meanwhile."""
        count = sample_count(before, self._workflow_id)
        if self._greatest >= self._count != count:
            raise ConflictError(
                "another writer was faster, and brought test samples that are numbered before those of this "
                "transaction; run it again"
            )

    def _files(
        self, state: State, model: Model[Any, Any, Any], version_id: str, owner: str, known: Sequence[str], reset: bool
    ) -> tuple[FilePointer, ...]:
        count = sample_count(state, self._workflow_id)
        replaces = False
        if inference_pointers(state, version_id):
            replaces = self._replaces(Inferences(self._session, state, version_id, count), model, known, reset)
        # The numbers are true as they stand.
        place: JsonObject = {"first": count, "staged_first": count, "replaces": replaces}
        return tuple(replace(each, owner=owner, details={**each.details, **place}) for each in self._pointers)

    def _replaces(self, stored: Inferences, model: Model[Any, Any, Any], known: Sequence[str], reset: bool) -> bool:
        """Whether rows take the place of others, so that readers have to look which came last.

        Raises:
            NonDeterministicError: another writer has stored something else meanwhile.
        """
        replaces = reset and bool((stored.status != MISSING).any())
        if not reset and stored.paths != known:
            self._refuse_others(stored, model)
            replaces = True
        return replaces or bool((stored.status == ERROR).any())

    def _refuse_others(self, stored: Inferences, model: Model[Any, Any, Any]) -> None:
        """Look at what other writers have stored meanwhile: equal rows do no harm."""
        import pyarrow as pa

        state = self._session.state()
        column = model.workflow.types(state).inference
        for pointer in self._pointers:
            if pointer.table != "inferences":
                continue
            mine = read_part(self._session.store, pointer)
            status = stored.status[mine["sample_idx"].to_numpy()]
            there = (status != MISSING) & (status != ERROR)
            if there.any():
                mine = mine.filter(pa.array(there))
                refuse_other_answers(self._session, state, self._workflow_id, model.name, column, stored, mine)


def refuse_other_answers(
    session: Session,
    state: State,
    workflow_id: str,
    model: str,
    column: TypedColumn,
    stored: Inferences,
    mine: pa.Table,
) -> None:
    """The same inferences as are stored are fine, others are not.

    Args:
        session: the namespace.
        state: which holds the samples.
        workflow_id: of the samples.
        model: its name, for the message.
        column: of inferences.
        stored: what is there of each of these samples.
        mine: rows as a part has them.

    Raises:
        NonDeterministicError: they differ; both values are told.
    """
    indices = mine["sample_idx"].to_numpy()
    own = as_rows(mine, column.name, column)
    other = stored.rows(column, indices).select(own.column_names)
    row = first_difference(own, other)
    if row is not None:
        shown = {"own": _shown(own, column, row), "stored": _shown(other, column, row)}
        raise other_answer(session, state, workflow_id, model=model, index=int(indices[row]), **shown)


def _shown(rows: pa.Table, column: TypedColumn, row: int) -> str:
    value = column.objects(rows.slice(row, 1))[0]
    return "None (skipped)" if value is None else repr(value)
