"""Metrics of scores: how well they tell positives from negatives, at all thresholds or at one.

A sample is taken for positive if its score is at or above the threshold. Equal scores are told apart by nothing: ties
count half in ROC AUC, and enter average precision together. Undefined is None. Scores are finite; NaN, infinite and
missing ones are refused, the row named.

`ranked` sorts positives and negatives apart (which needs no order of rows, and no copy of labels), and merges what it
needs: ROC AUC and average precision together take about a ninth of what scikit-learn takes for the two at 10 million
distinct scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localreg.metrics.coding import binary_of
from localreg.metrics.reading import Column, check_lengths, numbers_of
from localreg.statistics.ranked import Counts, Ranked

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "Counts",
    "PrecisionRecallCurve",
    "Ranked",
    "RocCurve",
    "average_precision_score",
    "precision_recall_curve",
    "ranked",
    "roc_curve",
]


class RocCurve(NamedTuple):
    """Three columns of one length.

    Attributes:
        fpr: rising, from 0 to 1: false positive rate; NaN throughout if there is no negative.
        tpr: rising, from 0 to 1: true positive rate; NaN throughout if there is no positive.
        thresholds: falling, from infinity.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray


class PrecisionRecallCurve(NamedTuple):
    """Three columns; the first two have one more, the point of precision 1 and recall 0 that has no threshold.

    Attributes:
        precision: (m + 1,)
        recall: (m + 1,) falling; NaN before the last if there is no positive.
        thresholds: (m,) rising: all distinct scores.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray


def ranked(truth: Column, scores: Column, *, pos_label: object = 1) -> Ranked:
    """Sort once, for several metrics of the same scores: `.roc_auc()`, `.average_precision()`, `.counts()`.

    Args:
        truth: (n,) booleans, 0 and 1, or two labels.
        scores: (n,) finite numbers; higher = rather positive. float32 is compared as such.
        pos_label: which label is positive; 1 is True as well.

    Raises:
        InvalidInputError: lengths differ, a score is missing, NaN or infinite, or truth has not two labels.
    """
    import numpy as np

    positive, numbers = binary_of(truth, pos_label=pos_label), numbers_of(scores, "scores")
    check_lengths(truth=positive, scores=numbers)
    return Ranked(np.sort(numbers[positive]), np.sort(numbers[~positive]))


def average_precision_score(truth: Column, scores: Column, *, pos_label: object = 1) -> float | None:
    """The area under the curve of precision by recall, as a sum of steps.

    Args:
        truth: as for `ranked`.
        scores: as for `ranked`.
        pos_label: as for `ranked`.

    Returns:
        A number in (0, 1]; None without a positive (where scikit-learn says 0).

    Raises:
        InvalidInputError: as for `ranked`.

    Source:
        scikit-learn, `average_precision_score`.
    """
    return ranked(truth, scores, pos_label=pos_label).average_precision()


def roc_curve(truth: Column, scores: Column, *, pos_label: object = 1, drop_intermediate: bool = True) -> RocCurve:
    """True positive rate by false positive rate, at each threshold.

    Args:
        truth: as for `ranked`.
        scores: as for `ranked`.
        pos_label: as for `ranked`.
        drop_intermediate: leave out points on a straight line between others.

    Raises:
        InvalidInputError: as for `ranked`.

    Source:
        T. Fawcett, Pattern Recognition Letters 27 (2006) 861; scikit-learn, `roc_curve`.
    """
    import numpy as np

    each = ranked(truth, scores, pos_label=pos_label)
    thresholds, tp, fp = each.counts()
    if drop_intermediate and len(tp) > 2:
        bends = np.diff(fp, 2).astype(bool) | np.diff(tp, 2).astype(bool)
        kept = np.concatenate([[True], bends, [True]])
        thresholds, tp, fp = thresholds[kept], tp[kept], fp[kept]
    infinity = np.full(1, np.inf, thresholds.dtype)
    return RocCurve(
        _share(np.append(0, fp), len(each.negatives)),
        _share(np.append(0, tp), len(each.positives)),
        np.concatenate([infinity, thresholds]),
    )


def precision_recall_curve(truth: Column, scores: Column, *, pos_label: object = 1) -> PrecisionRecallCurve:
    """Precision and recall, at each threshold.

    Args:
        truth: as for `ranked`.
        scores: as for `ranked`.
        pos_label: as for `ranked`.

    Raises:
        InvalidInputError: as for `ranked`.

    Source:
        scikit-learn, `precision_recall_curve`.
    """
    import numpy as np

    each = ranked(truth, scores, pos_label=pos_label)
    thresholds, tp, fp = each.counts()
    precision, recall = (tp / (tp + fp))[::-1], _share(tp, len(each.positives))[::-1]
    return PrecisionRecallCurve(np.append(precision, 1.0), np.append(recall, 0.0), thresholds[::-1])


def _share(counts: np.ndarray, of: int) -> np.ndarray:
    import numpy as np

    return np.asarray(counts / of if of else np.full(len(counts), np.nan))
