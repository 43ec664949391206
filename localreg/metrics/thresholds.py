"""What each threshold would give, and which is best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from localreg.metrics.printing import aligned, decimal
from localreg.metrics.ranking import Ranked, ranked
from localreg.metrics.reading import Column, numbers_of

if TYPE_CHECKING:
    import numpy as np

__all__ = ["OptimalThreshold", "ThresholdRow", "ThresholdTable", "f1_optimal_threshold", "threshold_table"]

SHOWN = 20
"""Rows that a table prints; more are thinned out."""


class ThresholdRow(NamedTuple):
    """What one threshold gives: a score at or above it is taken for positive. None = undefined, a division by 0."""

    threshold: float
    tp: int
    fp: int
    fn: int
    tn: int
    precision: float | None
    recall: float | None
    f1: float | None
    fpr: float | None


@dataclass(frozen=True)
class ThresholdTable:
    """What each threshold gives, as columns (m,); iterating gives `ThresholdRow`s. It prints as a table.

    Attributes:
        threshold: falling, if none were given.
        tp: int64, positives at or above it.
        fp: int64, negatives at or above it.
        fn: int64, positives below it.
        tn: int64, negatives below it.
        precision: TP / (TP + FP); NaN where nothing is at or above it.
        recall: TP / (TP + FN); NaN without positives.
        f1: 2 TP / (2 TP + FP + FN); NaN where all three are 0.
        fpr: FP / (FP + TN); NaN without negatives.
    """

    threshold: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    fpr: np.ndarray

    def __len__(self) -> int:
        return len(self.threshold)

    def __iter__(self) -> Iterator[ThresholdRow]:
        return (self.row(place) for place in range(len(self)))

    def row(self, place: int) -> ThresholdRow:
        """One row; None for what is undefined."""
        counts = [int(column[place]) for column in (self.tp, self.fp, self.fn, self.tn)]
        ratios = [float(column[place]) for column in (self.precision, self.recall, self.f1, self.fpr)]
        return ThresholdRow(
            float(self.threshold[place]), *counts, *[ratio if ratio == ratio else None for ratio in ratios]
        )

    def __str__(self) -> str:
        import numpy as np

        head = [field.name for field in fields(self)]
        places = np.unique(np.linspace(0, len(self) - 1, min(SHOWN, len(self))).astype(int))
        rows = [self.row(place) for place in places]
        cells = [[f"{row[0]:.6g}", *map(str, row[1:5]), *map(decimal, row[5:])] for row in rows]
        table = aligned([head, *cells])
        return table if len(places) == len(self) else f"{table}\n({len(places)} of {len(self)} thresholds)"


class OptimalThreshold(NamedTuple):
    """The threshold of the highest F1, and what it gives."""

    threshold: float
    f1: float
    precision: float
    recall: float


def threshold_table(
    truth: Column, scores: Column, thresholds: Column | None = None, *, pos_label: object = 1
) -> ThresholdTable:
    """What each threshold would give.

    Args:
        truth: (n,) booleans, 0 and 1, or two labels.
        scores: (n,) finite numbers; higher = rather positive.
        thresholds: (m,), in any order; None = all distinct scores, falling.
        pos_label: which label is positive; 1 is True as well.

    Raises:
        InvalidInputError: lengths differ, a number is missing, NaN or infinite, or truth has not two labels.
    """
    each = ranked(truth, scores, pos_label=pos_label)
    if thresholds is None:
        return _table(each, *each.counts())
    wanted = numbers_of(thresholds, "thresholds")
    tp, fp = (len(side) - side.searchsorted(wanted, "left") for side in (each.positives, each.negatives))
    return _table(each, wanted, tp, fp)


def f1_optimal_threshold(truth: Column, scores: Column, *, pos_label: object = 1) -> OptimalThreshold | None:
    """The threshold that gives the highest F1; of equal ones the highest threshold.

    It belongs to the samples it was found on: take all of a suite, not one test case.

    Args:
        truth: as for `threshold_table`.
        scores: as for `threshold_table`.
        pos_label: as for `threshold_table`.

    Returns:
        None without a positive: F1 is then 0 at every threshold.

    Raises:
        InvalidInputError: as for `threshold_table`.
    """
    import numpy as np

    table = threshold_table(truth, scores, pos_label=pos_label)
    if not len(table) or not (table.tp[-1] > 0):
        return None
    place = int(np.argmax(table.f1))
    return OptimalThreshold(
        *[float(column[place]) for column in (table.threshold, table.f1, table.precision, table.recall)]
    )


def _table(each: Ranked, thresholds: np.ndarray, tp: np.ndarray, fp: np.ndarray) -> ThresholdTable:
    import numpy as np

    positives, negatives = len(each.positives), len(each.negatives)

    def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))

    return ThresholdTable(
        threshold=thresholds,
        tp=tp,
        fp=fp,
        fn=positives - tp,
        tn=negatives - fp,
        precision=ratio(tp, tp + fp),
        recall=ratio(tp, np.full(len(tp), positives)),
        f1=ratio(2 * tp, tp + fp + positives),
        fpr=ratio(fp, np.full(len(fp), negatives)),
    )
