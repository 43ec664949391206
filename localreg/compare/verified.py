"""Verification 1:1: a boolean in the ground truth (is a pair genuine?), one number in the inference (how alike it is).

A pair is accepted at or above a threshold. Each model has its own, the smallest that accepts no more than a share of
the suite's impostors (`fmr=`), since scores of two models mean nothing to each other; a fixed one is asked for by
`score_threshold=`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from localreg.compare.clusters import Sampling
from localreg.compare.groupings import groupings
from localreg.compare.pair_truth import PairTruth
from localreg.compare.predictions import Predicted, predicted_numbers
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.values import RowsOfUnits
from localreg.compare.verified_pair import METRICS, VerifiedPair
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.metrics.reading import number_of
from localreg.names import shown_value
from localreg.records.workflows import TestSuiteVersionRecord
from localreg.session import Session
from localreg.workflow.verification_evaluator import FMR

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Accepting", "Verification", "check_accepting"]


class Accepting(NamedTuple):
    """Which pairs are accepted.

    Attributes:
        fmr: the target that was asked for; None = none.
        threshold: a fixed one; None = each model its own.
        of_boxes: what was asked for that boxes alone have; None = nothing.
        strict: pairs without a similarity are taken as not accepted; else they are left out.
    """

    fmr: float | None = None
    threshold: float | None = None
    of_boxes: str | None = None
    strict: bool = False


def check_accepting(fmr: object, score_threshold: object, iou: object, iou_type: object, *, strict: bool) -> Accepting:
    """As it is passed; `score_threshold` and what is of boxes were looked at before.

    Raises:
        InvalidInputError: the target is no rate.
    """
    target = None if fmr is None or isinstance(fmr, bool) else number_of(fmr)
    if fmr is not None and (target is None or not 0 < target < 1):
        raise InvalidInputError(f"fmr is {shown_value(fmr)}; it must be between 0 and 1, as 0.001")
    threshold = None if isinstance(score_threshold, str | None) else number_of(score_threshold)
    best = "f1_optimal" if isinstance(score_threshold, str) else None
    given = {"iou": iou, "iou_type": iou_type, "score_threshold='f1_optimal'": best}
    of_boxes = next((name for name, value in given.items() if value is not None), None)
    return Accepting(target, threshold, of_boxes, strict)


class Verification:
    """Reads similarities, row by row of the suite; see `localreg.compare.task.Task`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        truth: where the boolean stands in the ground truth.
        said: where the number stands in the inference.
        accepting: which pairs are accepted.
        sampling: of the suite.

    Raises:
        InvalidInputError: what was asked for is of boxes.
    """

    name = "verification"
    truth_is = "a boolean"
    said_is = "a similarity"
    strictly = "counted as not accepted"
    metrics: Sequence[str] = METRICS
    of_classes: Collection[str] = ()
    lower_is_better: Collection[str] = tuple(metric for metric in METRICS if metric != "roc_auc")
    undirected: Collection[str] = ()
    columns = ("ground_truth", "a", "b", "accepted_a", "accepted_b")

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        baseline: str,
        *,
        truth: Sequence[str],
        said: Sequence[str],
        accepting: Accepting,
        sampling: Sampling,
    ) -> None:
        if accepting.of_boxes is not None:
            raise InvalidInputError(
                f"{accepting.of_boxes} speaks of boxes, and here similarities are compared; leave it out, or pass a "
                "number as score_threshold"
            )
        self._session = session
        self._state = state
        self._rows = rows
        self._path = said
        self._accepting = accepting
        self._sampling = sampling
        self._truth = rows.true_numbers(truth)
        self.once = rows.once(self._truth)
        self._pairs = PairTruth.of(rows, self._truth, self._base(), sampling)
        self._version = baseline
        self._baseline = self._predicted(baseline)
        fixed = () if accepting.threshold is None else ("fnmr",)
        rest = ("fmr", "failure_to_enrol_rate")
        self.default: Sequence[str] = ("fnmr_at_fmr", "equal_error_rate", "roc_auc", *fixed, *rest)

    def _base(self) -> npt.NDArray[np.bool_] | None:
        """The rows of the test cases that the suite says thresholds are set by; None = all of them."""
        import numpy as np

        baseline = self._rows.version.load(TestSuiteVersionRecord).baseline
        if not baseline:
            return None
        chosen = np.array([each in baseline for each in self._rows.case_ids])
        return np.asarray(np.repeat(chosen, np.diff(self._rows.ends, prepend=0)))

    def _predicted(self, version_id: str) -> Predicted:
        return predicted_numbers(self._session, self._state, version_id, self._path, self._rows.span)

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        return self._rows.repeated(self.once)

    def pair(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> VerifiedPair:
        """Baseline and candidate.

        Args:
            candidate: id of the model version.
            slices: of the suite's rows.
            strict: take pairs without a similarity as not accepted, instead of leaving them out.
        """
        found = [
            Predicted(self._rows.of_samples(each.values), self._rows.of_samples(each.status))
            for each in (self._baseline, self._predicted(candidate))
        ]
        return VerifiedPair(
            self._pairs,
            (found[0], found[1]),
            RowsOfUnits(groupings(self._rows, self.once, slices)),
            target=FMR if self._accepting.fmr is None else self._accepting.fmr,
            threshold=self._accepting.threshold,
            draws=self._sampling.draws,
            strict=strict,
            itself=candidate == self._version,
        )

    def outcomes(self, candidate: str, *, strict: bool) -> npt.NDArray[np.int8] | None:
        """A pair is right if it is accepted and genuine, or neither; None if there is no threshold to tell by."""
        import numpy as np

        pair = self.pair(candidate, (), strict=strict)
        right = pair.right()
        if right is None:
            return None
        outcome = np.where(pair.compared, 1 + 2 * right[1] + right[0], 0)
        return outcome.astype(np.int8)[self._pairs.place]

    def shown(self, candidate: str, rows: Indices) -> dict[str, pa.Array]:
        """Whether pairs are genuine, how alike both models find them, and whether they accept them."""
        import numpy as np
        import pyarrow as pa

        pair = self.pair(candidate, (), strict=self._accepting.strict)
        truth, indices = self._truth[rows], self._rows.indices[rows]
        columns = {"ground_truth": pa.array(truth == 1, mask=np.isnan(truth))}
        models = (("a", self._baseline), ("b", self._predicted(candidate)))
        for name, model in models:
            values = model.values[indices]
            columns[name] = pa.array(values, pa.float64(), mask=~np.isfinite(values))
        places = self._pairs.place[rows]
        for (name, _), accepted in zip(models, pair.accepted() or (), strict=False):
            columns[f"accepted_{name}"] = pa.array(accepted[places], mask=~pair.compared[places])
        return columns
