"""The samples behind the numbers: what was true, what both models said, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.compare.classified import Classification
from localreg.compare.predictions import SKIPPED
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import NO_LABEL, Node
from localreg.workflow.inferences import Inferences
from localreg.workflow.samples import samples_at
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Codes = npt.NDArray[np.signedinteger]
    Places = npt.NDArray[np.int64]

__all__ = ["SampleList"]

NAMES = ("other", "both_wrong", "broken", "fixed", "both_right")
"""Outcomes by number: 1 + 2 x (the candidate is right) + (the baseline is right), 0 where nothing was compared."""


class SampleList:
    """Rows of the suite as people look at them.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        slices: of the rows; each expression becomes a column.
        versions: ids of the model versions, the baseline's first.
        strict: take samples without an inference as wrong.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        slices: Sequence[Slices],
        versions: Sequence[str],
        strict: bool,
    ) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._slices = slices
        self._versions = versions
        self._strict = strict

    def table(self, candidate: int, outcome: str | None) -> pa.Table:
        """The rows with an outcome, each (sample, ground truth) once; None = all.

        Args:
            candidate: its number.
            outcome: one of `NAMES`.
        """
        import numpy as np
        import pyarrow as pa

        versions = self._versions[0], self._versions[1 + candidate]
        task = Classification(self._session, self._state, self._rows, versions[0])
        pair = task.labelled(versions[1])
        least = NO_LABEL if not self._strict else pair.a.min(initial=0) + pair.b.min(initial=0)
        compared = (pair.a >= least) & (pair.b >= least) & (pair.truth != NO_LABEL)
        outcomes = compared * (1 + 2 * (pair.b == pair.truth).astype(np.int8) + (pair.a == pair.truth))
        chosen = np.ones(len(self._rows), bool) if outcome is None else outcomes == NAMES.index(outcome)
        places = np.flatnonzero(chosen if task.once is None else chosen & task.once)
        indices = self._rows.indices[places].astype(np.int64)
        labels = pa.array([*pair.labels, None], pa.string())
        cases = pa.array(self._rows.case_names, pa.string())
        columns: dict[str, Any] = {
            "test_case": cases.take(pa.array(np.searchsorted(self._rows.ends, places, side="right"))),
            "sample_idx": pa.array(indices),
            "sample": self._samples(indices),
            "ground_truth": _texts(labels, pair.truth[places]),
            "a": _texts(labels, pair.a[places]),
            "b": _texts(labels, pair.b[places]),
        }
        if task.path.score is not None:
            for name, version in zip(("score_a", "score_b"), versions, strict=True):
                columns[name] = self._scores(version, task.path.score, indices)
        columns["outcome"] = pa.array(NAMES, pa.string()).take(pa.array(outcomes[places].astype(np.int64)))
        for slices in self._slices:
            columns[slices.by] = pa.array(slices.names, pa.string()).take(pa.array(slices.codes[places]))
        return pa.table(columns)

    def _samples(self, indices: Places) -> pa.ChunkedArray:
        import numpy as np
        import pyarrow as pa

        workflow = self._workflow()
        column = TypedColumn("sample", object, Node.from_json(cast(JsonObject, workflow.test_sample)))
        distinct, places = np.unique(indices, return_inverse=True)
        found = samples_at(self._session, self._state, self._rows.suite.workflow, column, distinct)
        return found["sample"].take(pa.array(places))

    def _scores(self, version_id: str, path: Sequence[str], indices: Places) -> pa.Array:
        import pyarrow.compute as pc

        workflow = self._workflow()
        column = TypedColumn("inference", object, Node.from_json(cast(JsonObject, workflow.inference)))
        inferences = Inferences(self._session, self._state, version_id, self._rows.samples)
        made = inferences.rows(column, indices)["inference"].combine_chunks()
        return pc.struct_field(made, list(path))

    def _workflow(self) -> WorkflowRecord:
        row = self._state.get("workflow", self._rows.suite.workflow)
        assert row is not None, "a suite names the workflow that it was made with"
        return row.load(WorkflowRecord)


def _texts(labels: pa.Array, codes: Codes) -> pa.Array:
    """Labels by their codes; what is below 0 is none."""
    import numpy as np
    import pyarrow as pa

    return labels.take(pa.array(np.where(codes < 0, len(labels) - 1, codes).astype(np.int64)))
