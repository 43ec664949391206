"""What one model's scores make of the order of positives and negatives: ROC AUC, average precision, counts.

Computed here for everybody: `localreg.metrics.ranking` reads columns for it, and `localreg.statistics.auc` says how
sure the difference of two models is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Counts", "Ranked"]


class Counts(NamedTuple):
    """How many are at or above each threshold.

    Attributes:
        thresholds: (m,) falling: all distinct scores.
        tp: int64 (m,) positives.
        fp: int64 (m,) negatives.
    """

    thresholds: np.ndarray
    tp: np.ndarray
    fp: np.ndarray


@dataclass(frozen=True)
class Ranked:
    """Scores of positives and of negatives, sorted.

    Attributes:
        positives: (P,) rising.
        negatives: (N,) rising.
    """

    positives: np.ndarray
    negatives: np.ndarray

    @cached_property
    def _below(self) -> np.ndarray:
        """int64 (P,): how many negatives are below each positive."""
        return self.negatives.searchsorted(self.positives, "left")

    def roc_auc(self) -> float | None:
        """The share of pairs of a positive and a negative in which the positive scores higher, ties half.

        None without a positive, or without a negative.

        Source:
            J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29: the area is the Mann-Whitney statistic.
        """
        pairs = len(self.positives) * len(self.negatives)
        if not pairs:
            return None
        below = self._below
        reached = below < len(self.negatives)
        reached[reached] = self.negatives[below[reached]] == self.positives[reached]
        tied = self.positives[reached]
        ties = self.negatives.searchsorted(tied, "right").sum(dtype=int) - below[reached].sum(dtype=int)
        return float((2 * int(below.sum(dtype=int)) + int(ties)) / (2 * pairs))

    def average_precision(self) -> float | None:
        """Mean over the positives of the precision at their scores; None without a positive.

        Source:
            scikit-learn, `average_precision_score`: the sum of precisions by rises of recall, not interpolated.
        """
        import numpy as np

        count = len(self.positives)
        if not count:
            return None
        tp = count - _first_of_ties(self.positives)
        found = tp + (len(self.negatives) - self._below)
        return float(np.divide(tp, found).mean())

    def counts(self) -> Counts:
        """How many are at or above each distinct score."""
        import numpy as np

        every = np.concatenate([self.positives, self.negatives])
        every.sort(kind="stable")  # two sorted runs: a merge
        starts = np.flatnonzero(np.append(True, every[1:] != every[:-1])[: len(every)])
        thresholds = every[starts]
        tp = len(self.positives) - self.positives.searchsorted(thresholds, "left")
        return Counts(thresholds[::-1], tp[::-1], (len(every) - starts - tp)[::-1])


def _first_of_ties(values: np.ndarray) -> np.ndarray:
    """int64 (n,): the place where the run of values equal to each begins, in a sorted column."""
    import numpy as np

    places = np.arange(len(values))
    places[1:][values[1:] == values[:-1]] = 0
    return np.maximum.accumulate(places)
