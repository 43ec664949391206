"""Inferences on their way from a test run into the log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import ConflictError, LocalregError
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.records.workflows import TestRunRecord
from localreg.session import Changes, Session
from localreg.workflow.inferences import ERROR, MISSING, SKIPPED, Inferences, failed, write_inferences
from localreg.workflow.other_answers import other_answer
from localreg.workflow.samples import sample_count
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["Target", "Upload", "deduplicated", "refuse_deleted"]


@dataclass(frozen=True, slots=True)
class Target:
    """What rows of inferences belong to.

    Attributes:
        workflow_id: of the samples.
        version_id: of the model that made them.
        run_id: of the test run that owns them.
        new: the test run, if it is to be made.
    """

    workflow_id: str
    version_id: str
    run_id: str
    new: TestRunRecord | None


class Upload:
    """An operation that puts rows of inferences into the log; may be run again on a newer state.

    Rows of samples that another writer has stored meanwhile are left out if they are equal.

    Args:
        session: the namespace.
        model: name of the model, for messages.
        run_id: the test run that owns them, made before or by `ensure`.
        column: their type.
        rows: as `inference_rows` makes them, each sample once.
        places: the `sample_idx` of each row in a state, where they have no final ones yet; None = as in `rows`.
        replaces: whether they take the place of what is stored, whatever it is.
        ensure: makes what the rows belong to, but for the test run.
    """

    def __init__(
        self,
        session: Session,
        model: str,
        column: TypedColumn,
        rows: pa.Table,
        *,
        replaces: bool,
        ensure: Callable[[Changes], Target],
        places: Callable[[State], npt.NDArray[np.int64]] | None = None,
    ) -> None:
        self._session = session
        self._model = model
        self._column = column
        self._rows = rows
        self._replaces = replaces
        self._ensure = ensure
        self._places = places
        self._staged: tuple[pa.Table, str, list[FilePointer]] | None = None

    def __call__(self, changes: Changes) -> None:
        """Put the rows into the draft."""
        target = self._ensure(changes)
        count = sample_count(changes.draft, target.workflow_id)
        kept = self._rows_in(changes.draft)
        stored = Inferences(self._session, changes.draft, target.version_id, count)
        if not self._replaces:
            kept = self._new(kept, stored, changes.draft, target.workflow_id)
        replaces = bool((stored.status[kept["sample_idx"].to_numpy()] != MISSING).any())
        place: JsonObject = {"first": count, "staged_first": count, "replaces": replaces}
        staged = self._parts(target.workflow_id, target.run_id, kept) if kept.num_rows else []
        files = tuple(replace(pointer, owner=target.run_id, details={**pointer.details, **place}) for pointer in staged)
        if target.new is not None:
            changes.create(target.new, files=files)
        elif files:
            run = changes.draft.get("test_run", target.run_id)
            assert run is not None, "it was found just now"
            changes.note(run, action="upload", files=files)

    def _rows_in(self, state: State) -> pa.Table:
        import pyarrow as pa

        if self._places is None:
            return self._rows
        return deduplicated(self._rows.set_column(0, "sample_idx", pa.array(self._places(state), pa.int64())))

    def _new(self, rows: pa.Table, stored: Inferences, state: State, workflow_id: str) -> pa.Table:
        """The rows of samples that nothing is stored of yet, or only an exception.

        Raises:
            NonDeterministicError: something else is stored of a sample.
        """
        import numpy as np
        import pyarrow as pa

        indices = rows["sample_idx"].to_numpy()
        status = stored.status[indices]
        is_new = (status == MISSING) | (status == ERROR)
        if is_new.all():
            return rows
        old = np.flatnonzero(~is_new & ~failed(rows))
        if len(old):
            other = self._other_answer(stored, indices[old], rows.take(pa.array(old)), status[old])
            if other is not None:
                index, ours, theirs = other
                raise other_answer(
                    self._session,
                    state,
                    workflow_id,
                    model=self._model,
                    index=index,
                    own=repr(ours),
                    stored=repr(theirs),
                )
        return rows.take(pa.array(np.flatnonzero(is_new)))

    def _other_answer(
        self, stored: Inferences, indices: npt.NDArray[np.int64], mine: pa.Table, status: npt.NDArray[np.int8]
    ) -> tuple[int, object, object] | None:
        """The first sample of which another inference is stored: its `sample_idx`, ours and theirs."""
        ours = self._column.objects(mine)
        theirs = self._column.objects(stored.rows(self._column, indices))
        for number, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            other = None if status[number] == SKIPPED else other
            if not _same(own, other):
                return int(indices[number]), own, other
        return None

    def _parts(self, workflow_id: str, run_id: str, rows: pa.Table) -> Sequence[FilePointer]:
        if self._staged is None or self._staged[1] != run_id or not self._staged[0].equals(rows):
            if self._staged is not None:
                for pointer in self._staged[2]:
                    with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
                        self._session.store.delete(pointer.path)
            tables = [rows.slice(begin, 1_000_000) for begin in range(0, rows.num_rows, 1_000_000)]
            self._staged = rows, run_id, write_inferences(self._session, workflow_id, run_id, tables)
        return self._staged[2]


def _same(own: object, other: object) -> bool:
    """Whether two inferences are the same, NaN like NaN."""
    try:
        if own == other:
            return True
    except ValueError:  # arrays have no one answer to that
        pass
    return _shown(own) == _shown(other)


def _shown(value: object) -> str:
    """A value as text, in full."""
    import numpy as np

    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr(value)


def deduplicated(rows: pa.Table) -> pa.Table:
    """Rows with each sample once, sorted by sample: the last row, but an inference rather than an exception."""
    import numpy as np
    import pyarrow as pa

    indices = rows["sample_idx"].to_numpy()
    if (np.diff(indices) > 0).all():
        return rows
    order = np.lexsort((np.arange(len(indices)), ~failed(rows), indices))
    last = np.append(indices[order][1:] != indices[order][:-1], True)
    return rows.take(pa.array(order[last]))


def refuse_deleted(name: str) -> ConflictError:
    """The error to raise for what was deleted while a test run was under way."""
    return ConflictError(f"{name} was deleted during the test run; make it again, and run it again")
