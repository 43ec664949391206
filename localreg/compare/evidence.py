"""What lies behind the numbers of a comparison: which classes were taken for which, scores, and samples as they are.

Nothing of this is read by the comparison itself. One `Evidence` keeps what it read: make one, ask it, and let it go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast, runtime_checkable

from localreg.canonical import JsonObject
from localreg.compare.classified import CountedPair
from localreg.compare.confusions import Confusion
from localreg.compare.listing import Example, Examples, SampleList, Types
from localreg.compare.scores import NO_SCORES
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Pair, Task
from localreg.compare.units import WHOLE, Unit
from localreg.compare.values import Values
from localreg.compare.verified_pair import Similarities, VerifiedPair
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.statistics import JointCounts
from localreg.statistics.scores import CALIBRATION
from localreg.tables import Node
from localreg.workflow.gathering import Gathered, Stretch
from localreg.workflow.inferences import Inferences
from localreg.workflow.samples import SAID, files_of, said_since
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int64]

__all__ = ["AT_MOST", "Errors", "Evidence", "Scored"]

AT_MOST = 1_000_000
"""Rows whose scores are looked at; of more, so many that are spread evenly over the suite."""


class Scored(NamedTuple):
    """Scores of baseline and candidate, row by row of what both scored; whose they are is told as the metrics have it.

    Attributes:
        right: whether each model is right.
        of_said: scores of the label that each model says; or why it is not known which these are.
        why_uncalibrated: why these cannot be taken as probabilities; None = they can.
        is_positive: whether the truth is the positive label; None = no label is positive.
        of_positive: scores of the positive label; or why it is not known which these are.
        positive: the positive label; None = there is none.
        of: of how many rows that both scored these are a part, spread evenly.
        compared: how many rows are compared at all.
    """

    right: tuple[Bools, Bools]
    of_said: tuple[Floats, Floats] | str
    why_uncalibrated: str | None
    is_positive: Bools | None
    of_positive: tuple[Floats, Floats] | str
    positive: str | None
    of: int
    compared: int


class Errors(NamedTuple):
    """Errors of numbers, row by row.

    Attributes:
        a: of the baseline.
        b: of the candidate.
        of: of how many rows that both said a number for these are a part, spread evenly.
    """

    a: Floats
    b: Floats
    of: int


@runtime_checkable
class Counted(Protocol):
    """A pair of models whose answers are labels."""

    labels: list[str]

    def joint(self, unit: Unit) -> JointCounts:
        """Joint counts of a unit."""


class Evidence:
    """Of baseline and candidates on a suite.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        slices: of the rows.
        task: the task that the models are compared by.
        versions: ids of the model versions, the baseline first.
        strict: take samples without an inference as wrong.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        slices: Sequence[Slices],
        task: Task,
        versions: Sequence[str],
        strict: bool,
    ) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._slices = slices
        self._task = task
        self._versions = versions
        self._strict = strict
        self._paired: tuple[int, Pair] | None = None
        self._inferred: dict[str, Inferences] = {}
        self._listed = SampleList(session, state, rows, slices, lambda: task, versions[1:], strict)

    def confusion(self, candidate: int) -> Confusion | None:
        """Which classes were taken for which; None if the task has no classes.

        Args:
            candidate: its number.
        """
        pair = self._pair(candidate)
        return Confusion(pair.labels, pair.joint(WHOLE)) if isinstance(pair, Counted) else None

    def similarities(self, candidate: int) -> Similarities | None:
        """How alike both models find the pairs; None if the task is not verification.

        Args:
            candidate: its number.
        """
        pair = self._pair(candidate)
        return pair.similarities if isinstance(pair, VerifiedPair) else None

    def scored(self, candidate: int, *, most: int = AT_MOST) -> Scored | None:
        """Scores of labels; None if there are none.

        Args:
            candidate: its number.
            most: rows that are looked at.
        """
        pair = self._pair(candidate)
        if not isinstance(pair, CountedPair) or pair.scored.why_none(CALIBRATION) == NO_SCORES:
            return None
        scored = pair.scored
        every = scored.rows
        rows = _spread(every, most)
        is_positive, right = scored.truth_of(rows)
        why_unsure, why_unranked = scored.why_unsure(), scored.why_none("roc_auc")
        return Scored(
            right,
            why_unsure or (scored.of_said(0, rows), scored.of_said(1, rows)),
            scored.why_none(CALIBRATION),
            is_positive,
            why_unranked or (scored.of_positive(0, rows), scored.of_positive(1, rows)),
            scored.positive,
            len(every),
            pair.n(WHOLE),
        )

    def examples(self, candidate: int, outcome: str, most: int) -> Examples:
        """Rows that have an outcome.

        Args:
            candidate: its number.
            outcome: one of `OUTCOMES`.
            most: how many of them.
        """
        every = self._listed.places(candidate, outcome)
        return Examples(len(every), self._examples(candidate, _spread(every, most)))

    def stretch(self, candidate: int, outcome: str | None, where: str | None, wanted: range) -> Examples:
        """Rows as they follow each other in the suite; see `Compared.examples`.

        Args:
            candidate: its number.
            outcome: one of `OUTCOMES`; None = any.
            where: a condition over the columns of the list; None = none.
            wanted: which of those that fit, by number.
        """
        every = self._listed.places(candidate, outcome, where)
        return Examples(len(every), self._examples(candidate, every[wanted.start : wanted.stop]))

    def grown(self, candidate: int, most: int, begin: int = 0) -> Examples | None:
        """Rows on which the candidate's error is larger than the baseline's, by most first; None if nothing has errors.

        Args:
            candidate: its number.
            most: how many of them.
            begin: how many to pass over.
        """
        import numpy as np

        every = self._listed.places(candidate, None)
        found = self._errors(candidate, every)
        if found is None:
            return None
        growth = np.nan_to_num(np.abs(found[1]) - np.abs(found[0]), nan=0.0)
        order = np.argsort(-growth, kind="stable")[: int((growth > 0).sum())]
        return Examples(len(order), self._examples(candidate, every[order[begin : begin + most]]))

    def errors(self, candidate: int, *, most: int) -> Errors | None:
        """What is said beyond the truth; None if nothing has errors.

        Args:
            candidate: its number.
            most: rows that are looked at.
        """
        import numpy as np

        every = self._listed.places(candidate, None)
        found = self._errors(candidate, every)
        if found is None:
            return None
        both = np.flatnonzero(np.isfinite(found[0]) & np.isfinite(found[1]))
        chosen = _spread(both, most)
        return Errors(found[0][chosen], found[1][chosen], len(both))

    def _errors(self, candidate: int, places: Places) -> tuple[Floats, Floats] | None:
        """Of some rows; NaN = none."""
        import numpy as np

        if not isinstance(self._task, Values):
            return None
        shown = self._task.shown(self._versions[1 + candidate], places)
        a, b = (np.asarray(shown[name].to_numpy(zero_copy_only=False), np.float64) for name in ("error_a", "error_b"))
        return a, b

    def _examples(self, candidate: int, places: Places) -> list[Example]:
        """Some rows as they are."""
        import numpy as np

        if not len(places):
            return []
        cases = np.searchsorted(self._rows.ends, places, side="right").tolist()
        indices = self._rows.indices[places].astype(np.int64)
        shown = self._task.shown(self._versions[1 + candidate], places)
        columns = {name: column.to_pylist() for name, column in shown.items()}
        typed = zip(
            self._truths(places),
            self._inferences(self._versions[0], indices),
            self._inferences(self._versions[1 + candidate], indices),
            strict=True,
        )
        return [
            Example(
                test_case=self._rows.case_names[cases[number]],
                sample_idx=int(indices[number]),
                shown={name: values[number] for name, values in columns.items()},
                slices={each.by: each.names[each.codes[place]] for each in self._slices},
                sample=sample or {},
                metadata=metadata,
                typed=own,
                types=self._types,
            )
            for number, (place, (sample, metadata), own) in enumerate(
                zip(places.tolist(), self._samples(indices), typed, strict=True)
            )
        ]

    def _pair(self, candidate: int) -> Pair:
        """Baseline and candidate, kept until another one is asked for."""
        if self._paired is None or self._paired[0] != candidate:
            self._paired = candidate, self._task.pair(self._versions[1 + candidate], [], strict=self._strict)
        return self._paired[1]

    @cached_property
    def _types(self) -> Types:
        found = self._rows.workflow.load(WorkflowRecord)
        nodes = (found.test_sample, found.ground_truth, found.inference)
        return Types(*(Node.from_json(cast(JsonObject, each)) for each in nodes))

    def _samples(self, indices: Places) -> Iterator[tuple[Any, str | None]]:
        """The fields of samples, and their metadata as it was said last."""
        import numpy as np

        workflow = self._rows.suite.workflow
        rows = self._read("sample", self._types.sample, files_of(self._state, workflow, "test_samples"))
        distinct, places = np.unique(indices, return_inverse=True)
        said = said_since(self._session, self._state, workflow, distinct)["metadata"]
        for place, (sample, metadata) in zip(places.tolist(), _each(rows, indices), strict=True):
            yield sample, said.get(place, metadata)

    def _truths(self, places: Places) -> Iterator[Any]:
        rows = self._read("ground_truth", self._types.ground_truth, self._rows.pointers)
        return (truth for truth, _ in _each(rows, places))

    def _inferences(self, version: str, indices: Places) -> Iterator[Any]:
        if version not in self._inferred:
            self._inferred[version] = Inferences(self._session, self._state, version, self._rows.samples)
        found = self._inferred[version]
        rows = self._read("inference", self._types.inference, found.pointers)
        return (inference for inference, _ in _each(rows, found.place[indices]))

    def _read(self, name: str, node: Node, pointers: Sequence[Any]) -> Gathered:
        """Parts of a typed column, of which only the row groups that are needed are read."""
        import pyarrow as pa

        types = {name: TypedColumn(name, object, node).type, SAID[0]: pa.string()}
        stretches = [Stretch(pointer, pointer.rows) for pointer in pointers]
        return Gathered(self._session.store, stretches, types, whole=False)


def _spread(places: Places, most: int) -> Places:
    """At most so many of them, from the first to the last at even distances: parts of a suite often differ."""
    import numpy as np

    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)] if most else places[:0]


def _each(rows: Gathered, places: Places) -> Iterator[tuple[Any, Any]]:
    """The two columns of some rows, one row at a time: neighbours may lie a million rows apart."""
    import numpy as np

    for place in places.tolist():
        row = rows.rows(np.array([place]))
        yield row[0][0].as_py(), row[1][0].as_py()
