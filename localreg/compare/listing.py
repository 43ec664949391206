"""The samples behind the numbers: what was true, what both models said, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import OUTCOMES, Task
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import Node
from localreg.workflow.samples import samples_at
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["SampleList", "refuse_taken"]

OWN = ("test_case", "sample_idx", "sample", "outcome")
"""Columns of every list of samples; tasks add theirs."""


def refuse_taken(expressions: Sequence[str], task: Task) -> None:
    """An expression of slices becomes a column of its own, and must not take the place of another one.

    `test_case` is fine: the column holds that.

    Args:
        expressions: of slices.
        task: the task whose columns are meant.

    Raises:
        InvalidInputError: one is called as another column is.
    """
    for each in expressions:
        if each != "test_case" and each in {*OWN, *task.columns}:
            raise InvalidInputError(
                f"by is {each!r}, and there is a column of that name already; a field of samples is sample.{each}"
            )


class SampleList:
    """Rows of the suite as people look at them.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        slices: of the rows; each expression becomes a column.
        task: makes the task that the models are compared by, anew: what it reads need not stay in memory.
        candidates: ids of the model versions.
        strict: take samples without an inference as wrong.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        slices: Sequence[Slices],
        task: Callable[[], Task],
        candidates: Sequence[str],
        strict: bool,
    ) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._slices = slices
        self._task = task
        self._candidates = candidates
        self._strict = strict

    def table(self, candidate: int, outcome: str | None) -> pa.Table:
        """The rows with an outcome, each (sample, ground truth) once; None = all.

        Args:
            candidate: its number.
            outcome: one of `OUTCOMES`.
        """
        import numpy as np
        import pyarrow as pa

        task, version = self._task(), self._candidates[candidate]
        outcomes = task.outcomes(version, strict=self._strict)
        chosen = np.ones(len(self._rows), bool) if task.once is None else task.once
        if outcome is not None:
            chosen = chosen & (np.zeros(1, bool) if outcomes is None else outcomes == OUTCOMES.index(outcome))
        places = np.flatnonzero(chosen)
        indices = self._rows.indices[places].astype(np.int64)
        cases = pa.array(self._rows.case_names, pa.string())
        columns: dict[str, Any] = {
            "test_case": cases.take(pa.array(np.searchsorted(self._rows.ends, places, side="right"))),
            "sample_idx": pa.array(indices),
            "sample": self._samples(indices),
            **task.shown(version, places),
        }
        assert columns.keys() <= {*OWN, *task.columns}, "slices were held against these names"
        if outcomes is not None:
            columns["outcome"] = pa.array(OUTCOMES, pa.string()).take(pa.array(outcomes[places].astype(np.int64)))
        for slices in self._slices:
            if slices.by != "test_case":
                columns[slices.by] = pa.array(slices.names, pa.string()).take(pa.array(slices.codes[places]))
        return pa.table(columns)

    def _samples(self, indices: npt.NDArray[np.int64]) -> pa.ChunkedArray:
        import numpy as np
        import pyarrow as pa

        workflow = self._rows.workflow.load(WorkflowRecord)
        column = TypedColumn("sample", object, Node.from_json(cast(JsonObject, workflow.test_sample)))
        distinct, places = np.unique(indices, return_inverse=True)
        found = samples_at(self._session, self._state, self._rows.suite.workflow, column, distinct)
        return found["sample"].take(pa.array(places))
