"""Classification: one label in the ground truth, one in the inference, counted jointly for two models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.compare.cells import CHUNK, JointCells, Rows, Sizes, count_cells
from localreg.compare.clusters import Sampling
from localreg.compare.coverage import Coverage
from localreg.compare.groupings import Grouping, groupings
from localreg.compare.predictions import ERROR, GAPS, MISSING, SKIPPED, predicted_labels, predicted_numbers
from localreg.compare.scores import LOWER_IS_BETTER, ModelScores, ScoredPair, Scoring, whose
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.compare.values import RowsOfUnits
from localreg.log import State
from localreg.records.workflows import WorkflowRecord
from localreg.session import Session
from localreg.statistics import METRICS, Estimate, JointCounts, compare_counts, joint_counts
from localreg.statistics.estimate import with_itself
from localreg.statistics.per_class import PER_CLASS
from localreg.statistics.resampled import resampled
from localreg.statistics.scores import SCORE_METRICS
from localreg.tables import NO_LABEL, Node, Vocabulary
from localreg.workflow.inferences import Inferences
from localreg.workflow.right import label_path
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Codes = npt.NDArray[np.signedinteger]

__all__ = ["Classification", "Counted", "CountedPair"]

ALONE = Sampling()
UNSAID = Scoring()
NAMED = 5
"""Labels that a remark names."""

DEFAULT = (
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "matthews_corrcoef",
    "cohen_kappa",
    "precision",
    "recall",
    "f1",
)


class Classification:
    """Reads labels, row by row of the suite, and counts them; see `localreg.compare.task.Task`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        sampling: of the suite.
        scoring: what is said of scores.
    """

    name = "classification"
    truth_is = "a label"
    said_is = truth_is
    strictly = "counted as wrong"
    metrics = (*METRICS, *SCORE_METRICS)
    of_classes = PER_CLASS
    lower_is_better: Sequence[str] = LOWER_IS_BETTER
    undirected: Sequence[str] = ()

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        baseline: str,
        sampling: Sampling = ALONE,
        scoring: Scoring = UNSAID,
    ) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._sampling = sampling
        self._clusters = sampling.clusters
        self._scoring = scoring
        workflow = rows.workflow.load(WorkflowRecord)
        truth = label_path(Node.from_json(cast(JsonObject, workflow.ground_truth)), "ground truth")
        self._node = Node.from_json(cast(JsonObject, workflow.inference))
        self._path = label_path(self._node, "inference")
        self._true_path = truth.label
        self._vocabulary = Vocabulary()
        self._version = baseline
        self._inferences: dict[str, Inferences] = {}

    @cached_property
    def _truth(self) -> Codes:
        return self._rows.truths(self._true_path, self._vocabulary)

    @property
    def columns(self) -> Sequence[str]:
        """What columns of `shown` may be called."""
        labels = ("ground_truth", "a", "b")
        return labels if self._path.score is None else (*labels, "score_a", "score_b")

    @cached_property
    def once(self) -> npt.NDArray[np.bool_] | None:
        """Rows that count in the suite's total; None = all of them."""
        return self._rows.once(self._truth)

    @cached_property
    def _baseline(self) -> Codes:
        return self._predicted(self._version)

    def _predicted(self, version_id: str) -> Codes:
        """What a model version said of each sample of the workflow."""
        return predicted_labels(
            self._session, self._state, version_id, self._path.label, self._vocabulary, self._rows.span
        )

    @cached_property
    def default(self) -> Sequence[str]:
        """Metrics of scores are told where it is clear whose score it is, or where somebody said."""
        return (*DEFAULT, *SCORE_METRICS) if self._scoring.is_asked or self._is_clear() else DEFAULT

    def _is_clear(self) -> bool:
        """Whether there are two labels, and the baseline's scores can only be of one thing."""
        occurring = self._occurring()
        model = self._scores(self._version) if len(occurring) == 2 else None
        if model is None:
            return False
        codes = dict(zip(self._vocabulary.labels(), range(len(self._vocabulary)), strict=True))
        return whose(model.where(model.known), codes.get(max(occurring)), 2) is not None

    def _occurring(self) -> Sequence[str]:
        """Labels that truths of the suite have, or that the baseline says there."""
        import numpy as np

        columns = self._truth, self._rows.of_samples(self._baseline)
        seen = np.zeros(len(self._vocabulary) + GAPS, bool)
        for begin in range(0, len(self._rows), CHUNK):
            for codes in columns:
                seen[codes[begin : begin + CHUNK].astype(np.int64) + GAPS] = True
        return [label for label, is_there in zip(self._vocabulary.labels(), seen[GAPS:], strict=True) if is_there]

    def _scores(self, version_id: str) -> ModelScores | None:
        """Labels and scores of each row of the suite; None = there are no scores."""
        path, rows = self._path.score, self._rows
        if path is None:
            return None
        found = predicted_numbers(self._session, self._state, version_id, path, rows.span)
        return ModelScores(rows.of_samples(self._predicted(version_id)), rows.of_samples(found.values))

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        return self._rows.repeated(self.once)

    def outcomes(self, candidate: str, *, strict: bool) -> npt.NDArray[np.int8]:
        """What became of each row, as places in `OUTCOMES`."""
        import numpy as np

        a, b = (self._rows.of_samples(each) for each in (self._baseline, self._predicted(candidate)))
        counted = self._truth != NO_LABEL
        if not strict:
            counted &= (a >= NO_LABEL) & (b >= NO_LABEL)
        outcome = np.where(counted, 1 + 2 * (b == self._truth) + (a == self._truth), 0)
        return outcome.astype(np.int8)

    def shown(self, candidate: str, rows: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
        """Labels and scores of some rows."""
        import pyarrow as pa

        indices = self._rows.indices[rows]
        said = [self._baseline[indices], self._predicted(candidate)[indices]]
        labels = pa.array([*self._vocabulary.labels(), None], pa.string())
        columns = {
            name: _texts(labels, codes)
            for name, codes in zip(("ground_truth", "a", "b"), (self._truth[rows], *said), strict=True)
        }
        if self._path.score is not None:
            for name, version in zip(("score_a", "score_b"), (self._version, candidate), strict=True):
                columns[name] = self._scores_of(version, self._path.score, indices)
        return columns

    def _scores_of(self, version_id: str, path: Sequence[str], indices: Codes) -> pa.Array:
        import pyarrow.compute as pc

        column = TypedColumn("inference", object, self._node)
        if version_id not in self._inferences:
            self._inferences[version_id] = Inferences(self._session, self._state, version_id, self._rows.samples)
        inferences = self._inferences[version_id]
        return pc.struct_field(inferences.rows(column, indices)["inference"].combine_chunks(), list(path))

    def pair(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> CountedPair:
        """Baseline and candidate, counted for the suite, each test case and each slice.

        Args:
            candidate: id of the model version.
            slices: of the suite's rows.
            strict: take samples without an inference as wrong, instead of leaving them out.
        """
        found = self.counted(candidate, slices)
        return CountedPair(
            found,
            strict,
            self._sampling.draws,
            lambda: self._scored(candidate, slices),
            itself=candidate == self._version,
        )

    def counted(self, candidate: str, slices: Sequence[Slices]) -> Counted:
        """The joint counts of baseline and candidate."""
        truth, baseline = self._truth, self._baseline
        codes = baseline if candidate == self._version else self._predicted(candidate)
        cells: dict[Unit, JointCells] = {}
        for grouping in groupings(self._rows, self.once, slices):

            def rows_of(chunk: slice, groups: Codes = grouping.codes) -> Rows:
                a, b = (self._rows.of_samples(each, chunk) for each in (baseline, codes))
                return groups[chunk], truth[chunk], a, b

            found = self._cells(grouping, rows_of)
            of_groups = {groups: found.of_groups(groups) for groups in set(grouping.units.values())}
            of_units = {unit: of_groups[groups] for unit, groups in grouping.units.items()}
            cells |= {unit: own for unit, own in of_units.items() if unit.by is None or len(own.count)}
        return Counted(cells, self._vocabulary.labels(), self.twice())

    def _scored(self, candidate: str, slices: Sequence[Slices]) -> ScoredPair:
        """Baseline and candidate by their scores."""
        a = self._scores(self._version)
        b = a if candidate == self._version else self._scores(candidate)
        models = None if a is None or b is None else (a, b)
        units = RowsOfUnits(groupings(self._rows, self.once, slices))
        return ScoredPair(self._truth, models, self._vocabulary.labels(), self._scoring, units, self._sampling)

    def _cells(self, grouping: Grouping, rows_of: Callable[[slice], Rows]) -> JointCells:
        """The cells of a grouping; with clusters, each cell is of one of these, too."""
        sizes = Sizes(grouping.count, len(self._vocabulary), GAPS)
        if self._clusters is None:
            return count_cells(len(self._rows), rows_of, sizes)
        count, codes = self._clusters.count, self._clusters.codes

        def of_clusters(chunk: slice) -> Rows:
            groups, truth, a, b = rows_of(chunk)
            return groups.astype(codes.dtype) * count + codes[chunk], truth, a, b

        found = count_cells(len(self._rows), of_clusters, sizes._replace(groups=grouping.count * count))
        return found.within(count)


class Counted(NamedTuple):
    """The joint counts of two models on a suite, or on some of its samples.

    Attributes:
        cells: of each unit.
        labels: by their codes, in no order.
        repeated: how many samples have two different ground truths.
    """

    cells: dict[Unit, JointCells]
    labels: list[str]
    repeated: int


class CountedPair:
    """Two models, counted.

    Args:
        counted: the joint counts.
        strict: see `Classification.pair`.
        draws: of the bootstrap; None = closed forms.
        scored: makes what is asked for scores; it is read only if they are asked for.
        itself: whether both are one model.

    Attributes:
        labels: sorted; their places are the codes of `joint`.
        unlabelled: rows of the suite whose ground truth has no label: they say nothing of either model.
    """

    def __init__(
        self,
        counted: Counted,
        strict: bool,
        draws: int | None,
        scored: Callable[[], ScoredPair],
        *,
        itself: bool = False,
    ) -> None:
        self._cells = counted.cells
        self._draws = draws
        self._make_scored = scored
        self._strict = strict
        self._itself = itself
        self.labels = sorted(counted.labels)
        ranks = {label: rank for rank, label in enumerate(self.labels)}
        self._ranks = [*(ranks[label] for label in counted.labels), NO_LABEL]  # -1 finds the last
        whole = self._cells[WHOLE]
        self.unlabelled = int(whole.count[whole.truth == NO_LABEL].sum())

    @property
    def units(self) -> list[Unit]:
        """What was counted: the suite, test cases, slices."""
        return sorted(self._cells, key=lambda unit: (unit.by is not None, unit.test_case is not None))

    @cached_property
    def scored(self) -> ScoredPair:
        """Baseline and candidate by their scores, which are read now."""
        return self._make_scored()

    @property
    def only_case(self) -> Unit | None:
        """The suite's test case, if there is only one."""
        cases = [unit for unit in self._cells if unit.test_case is not None]
        return cases[0] if len(cases) == 1 else None

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._cells[WHOLE]

        def of(said: Codes) -> Coverage:
            gaps = [int(whole.count[said == code].sum()) for code in (SKIPPED, ERROR, MISSING)]
            return Coverage(int(whole.count.sum()) - sum(gaps), *gaps)

        return of(whole.a), of(whole.b)

    def remarks(self) -> Sequence[str]:
        """Labels that a model says and no sample has: another spelling, perhaps."""
        import numpy as np

        joint, found = self.joint(WHOLE), []
        there = {self.labels[code] for code in np.unique(joint.truth).tolist()}
        for name, codes in (("a", joint.a), ("b", joint.b)):
            said = {self.labels[code] for code in np.unique(codes).tolist() if code < len(self.labels)}
            astray = sorted(said - there)
            if astray:
                more = f" and {len(astray) - NAMED:,} more" if len(astray) > NAMED else ""
                told = ", ".join(map(repr, astray[:NAMED])) + more
                found.append(
                    f"model {name} says {told}, which no sample is of{_spelt(astray, there)}: wrong, and in no macro "
                    "average"
                )
        return [*found, *_twins(there)]

    def silent(self) -> tuple[int, int]:
        """None: an inference without a label is wrong."""
        return 0, 0

    def joint(self, unit: Unit) -> JointCounts:
        """The counts of a unit: of pairs, labels coded by their places in `labels`."""
        import numpy as np

        cells = self._cells[unit]
        counted = cells.truth != NO_LABEL
        if not self._strict:
            counted &= (cells.a >= NO_LABEL) & (cells.b >= NO_LABEL)
        cells = cells.where(counted)
        ranks = np.array(self._ranks, np.int32)
        said = (np.maximum(codes, NO_LABEL) for codes in (cells.a, cells.b))
        a, b = (ranks[codes] for codes in said)
        return joint_counts(ranks[cells.truth], a, b, count=cells.count, classes=len(self.labels), groups=cells.cluster)

    def n(self, unit: Unit) -> int:
        """How many rows of a unit are compared."""
        return self.joint(unit).n

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of a unit: those over all classes and of scores in the order asked for, then those of each class."""
        counted = self._counted(unit, [metric for metric in metrics if metric not in SCORE_METRICS], confidence)
        of_scores = [metric for metric in metrics if metric in SCORE_METRICS]
        if not of_scores:
            return counted
        overall = [each for each in counted if each.label is None]
        overall += self.scored.measured(unit, of_scores, confidence)
        overall.sort(key=lambda each: metrics.index(each.estimate.metric))
        return [*overall, *(each for each in counted if each.label is not None)]

    def _counted(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """See `localreg.statistics.compare_counts`."""
        import numpy as np

        joint = self.joint(unit)
        right_a, right_b = joint.a == joint.truth, joint.b == joint.truth
        of_labels = [
            np.bincount(joint.truth[which], joint.count[which], minlength=len(self.labels)).astype(np.int64).tolist()
            for which in (right_b & ~right_a, right_a & ~right_b)
        ]
        counts = [sum(each) for each in of_labels]

        def told(each: Estimate) -> Measured:
            if each.label is None:
                return Measured(each, None, *counts)
            if each.metric != "recall":  # of the others, rows of other classes are part
                return Measured(each, self.labels[each.label])
            return Measured(each, self.labels[each.label], *(found[each.label] for found in of_labels))

        found = compare_counts(joint, metrics=metrics, confidence=confidence)
        if self._draws is not None:
            found = resampled(joint, found, draws=self._draws, confidence=confidence)
        if self._itself:
            found = [with_itself(each) for each in found]
        return [told(each) for each in found]


def _spelt(labels: Sequence[str], there: Collection[str]) -> str:
    """Of labels that are not there, those that are, but for letter case and blanks."""
    plain = {_plain(label): label for label in there}
    found = [f"{label!r} for {plain[_plain(label)]!r}" for label in labels if _plain(label) in plain]
    return f" (another spelling: {', '.join(found[:NAMED])})" if found else ""


def _twins(labels: Collection[str]) -> list[str]:
    """Classes of the ground truth that letter case or blanks alone tell apart."""
    spellings: dict[str, list[str]] = {}
    for label in sorted(labels):
        spellings.setdefault(_plain(label), []).append(label)
    return [
        f"the ground truth holds {' and '.join(map(repr, each))}, which count as classes of their own: one, perhaps, "
        "in two spellings"
        for each in spellings.values()
        if len(each) > 1
    ]


def _plain(label: str) -> str:
    return " ".join(label.casefold().split())


def _texts(labels: pa.Array, codes: Codes) -> pa.Array:
    """Labels by their codes; what is below 0 is the last one, none."""
    import numpy as np
    import pyarrow as pa

    return labels.take(pa.array(np.where(codes < 0, len(labels) - 1, codes).astype(np.int64)))
