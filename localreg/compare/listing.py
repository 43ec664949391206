"""The samples behind the numbers: what was true, what both models said, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import OUTCOMES, Task
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.query.expressions import rewrite_where
from localreg.query.filtered import fitting, sql_types
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.tables import JSON_FIELD, Node
from localreg.workflow.samples import samples_at
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Places = npt.NDArray[np.int64]

__all__ = ["BAD_CONDITION", "Example", "Examples", "SampleList", "Types", "refuse_taken"]

OWN = ("test_case", "sample_idx", "sample", "outcome")
"""Columns of every list of samples; tasks add theirs."""

BAD_CONDITION = "bad_condition"
"""Code of the error of a condition that cannot be used, which nothing that was read is to blame for."""


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


class Types(NamedTuple):
    """The recorded schemas of a workflow's types."""

    sample: Node
    ground_truth: Node
    inference: Node


class Example(NamedTuple):
    """A row of the suite, with all that is known of it.

    Attributes:
        test_case: its name.
        sample_idx: number of the sample.
        shown: what the task lists of it: truth, answers, scores.
        slices: its slice by each expression.
        sample: the sample's fields.
        metadata: the sample's metadata, JSON text.
        typed: ground truth, and the inferences of baseline and candidate, with all fields.
        types: what these are.
    """

    test_case: str
    sample_idx: int
    shown: dict[str, Any]
    slices: dict[str, str]
    sample: dict[str, Any]
    metadata: str | None
    typed: tuple[Any, Any, Any]
    types: Types


class Examples(NamedTuple):
    """Some of the rows that were asked for.

    Attributes:
        total: how many there are.
        examples: some of them, as they are.
    """

    total: int
    examples: list[Example]


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
        self._outcomes: dict[int, npt.NDArray[np.int8] | None] = {}
        self._listed: tuple[tuple[int, str | None, str | None], Places] | None = None

    def places(self, candidate: int, outcome: str | None, where: str | None = None) -> Places:
        """The rows of the suite that are listed, each (sample, ground truth) once, in their order.

        Args:
            candidate: its number.
            outcome: one of `OUTCOMES`; None = any.
            where: a condition over the columns of the list; None = none.

        Raises:
            InvalidInputError: the condition cannot be used.
        """
        asked = candidate, outcome, where
        if self._listed is None or self._listed[0] != asked:
            self._listed = asked, self._places(self._task(), *asked)
        return self._listed[1]

    def table(self, candidate: int, outcome: str | None, where: str | None = None) -> pa.Table:
        """The rows of `places`, as people look at them."""
        task = self._task()
        return self._columns(task, candidate, self._places(task, candidate, outcome, where))

    def _places(self, task: Task, candidate: int, outcome: str | None, where: str | None) -> Places:
        import numpy as np

        chosen = np.ones(len(self._rows), bool) if task.once is None else task.once
        if outcome is not None:
            outcomes = self._outcomes_of(task, candidate)
            chosen = chosen & (np.zeros(1, bool) if outcomes is None else outcomes == OUTCOMES.index(outcome))
        places = np.flatnonzero(chosen)
        return places if where is None else self._fitting(task, candidate, places, where)

    def _fitting(self, task: Task, candidate: int, places: Places, where: str) -> Places:
        """Those of some rows that a condition fits, of which only what it speaks of is read."""
        types = sql_types(self._columns(task, candidate, places[:0], metadata=True))
        types["metadata"] = "JSON"
        try:
            condition = rewrite_where(where, types, table="samples")
            rows = self._columns(task, candidate, places, metadata=True, text=where)
            known = {name: kind for name, kind in types.items() if name in rows.column_names}
            return places[fitting(rows, condition, known, table="samples", where=where)]
        except InvalidInputError as error:
            raise InvalidInputError(error.message, code=BAD_CONDITION) from error

    def _columns(
        self, task: Task, candidate: int, places: Places, *, metadata: bool = False, text: str | None = None
    ) -> pa.Table:
        """Columns of some rows.

        Args:
            task: that the models are compared by.
            candidate: its number.
            places: of the rows.
            metadata: add that of the samples, as JSON text.
            text: leave out what this condition does not speak of; None = nothing.
        """
        import numpy as np
        import pyarrow as pa

        indices = self._rows.indices[places].astype(np.int64)
        cases = pa.array(self._rows.case_names, pa.string())
        columns: dict[str, Any] = {
            "test_case": cases.take(pa.array(np.searchsorted(self._rows.ends, places, side="right"))),
            "sample_idx": pa.array(indices),
        }
        if _speaks_of(text, {"sample", "metadata"} if metadata else {"sample"}):
            columns |= self._samples(indices, metadata=metadata)
        if _speaks_of(text, task.columns):
            columns |= task.shown(self._candidates[candidate], places)
        assert columns.keys() <= {*OWN, *task.columns, "metadata"}, "slices were held against these names"
        outcomes = self._outcomes_of(task, candidate) if _speaks_of(text, {"outcome"}) else None
        if outcomes is not None:
            columns["outcome"] = pa.array(OUTCOMES, pa.string()).take(pa.array(outcomes[places].astype(np.int64)))
        for slices in self._slices:
            if slices.by not in columns and _speaks_of(text, {slices.by}):
                columns[slices.by] = pa.array(slices.names, pa.string()).take(pa.array(slices.codes[places]))
        return pa.table(columns)

    def _outcomes_of(self, task: Task, candidate: int) -> npt.NDArray[np.int8] | None:
        if candidate not in self._outcomes:
            self._outcomes[candidate] = task.outcomes(self._candidates[candidate], strict=self._strict)
        return self._outcomes[candidate]

    def _samples(self, indices: Places, *, metadata: bool) -> dict[str, pa.ChunkedArray]:
        import numpy as np
        import pyarrow as pa

        workflow = self._rows.workflow.load(WorkflowRecord)
        column = TypedColumn("sample", object, Node.from_json(cast(JsonObject, workflow.test_sample)))
        distinct, places = np.unique(indices, return_inverse=True)
        found = samples_at(self._session, self._state, self._rows.suite.workflow, column, distinct)
        wanted = ("sample", JSON_FIELD) if metadata else ("sample",)
        return {name: found[name].take(pa.array(places)) for name in wanted}


def _speaks_of(text: str | None, names: Collection[str]) -> bool:
    """Whether a condition may mean one of these columns; None = all of them are wanted.

    Names are found in it as they are, unless they can be written otherwise.
    """
    return text is None or any(not each.isascii() or '"' in each or each.lower() in text.lower() for each in names)
