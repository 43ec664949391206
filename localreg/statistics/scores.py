"""Metrics of scores of two models, with the interval of the difference: rankings, and how good probabilities are.

| metric | interval |
|---|---|
| ROC AUC, average precision | `localreg.statistics.auc` |
| log loss, Brier score | paired t, or the jackknife over clusters: they are means of one number a sample |
| expected calibration error | none: it is a mean over bins, and biased by how many there are |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localreg.statistics.auc import RANKING_METRICS, compare_rankings
from localreg.statistics.estimate import Estimate
from localreg.statistics.values import compare_means

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["CALIBRATION", "LOSSES", "SCORE_METRICS", "calibration_error", "compare_losses", "compare_scores"]

LOSSES = ("log_loss", "brier_score")
CALIBRATION = "expected_calibration_error"
SCORE_METRICS = (*RANKING_METRICS, *LOSSES, CALIBRATION)
BINS = 15


def compare_scores(
    positive: Bools,
    a: Floats,
    b: Floats,
    metrics: Sequence[str],
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
) -> list[Estimate]:
    """ROC AUC and average precision, those that are asked for; see `compare_rankings`."""
    found = compare_rankings(positive, a, b, groups=groups, confidence=confidence) if metrics else []
    return [each for each in found if each.metric in metrics]


def compare_losses(
    positive: Bools,
    a: Floats,
    b: Floats,
    metric: str,
    *,
    groups: Ints | None = None,
    confidence: float = 0.95,
    draws: int | None = None,
) -> Estimate:
    """Log loss or Brier score of the probability of the positive class.

    Args:
        positive: (n,), is the sample.
        a: (n,), in [0, 1], of the first model.
        b: (n,), of the second.
        metric: one of `LOSSES`. Brier's is the squared distance of the positive class alone, in [0, 1]; for log loss
            probabilities are kept 2.2e-16 away from 0 and 1, as in scikit-learn.
        groups: int (n,), clusters.
        confidence: level of the interval.
        draws: as of `compare_values`.
    """
    import numpy as np

    least = float(np.finfo(np.float64).eps)

    def losses(probability: Floats) -> Floats:
        own = np.where(positive, probability, 1 - probability)
        return (1 - own) ** 2 if metric == "brier_score" else -np.log(np.clip(own, least, 1 - least))

    return compare_means(losses(a), losses(b), metric=metric, groups=groups, confidence=confidence, draws=draws)


def calibration_error(right: Bools, said: Floats) -> float | None:
    """Mean distance between confidence and how often it is right, over 15 bins of equal width, by their samples.

    Args:
        right: (n,), whether the prediction is.
        said: (n,), in [0, 1], the confidence in it.

    Source:
        C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    import numpy as np

    if not len(said):
        return None
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], said)
    gaps = np.bincount(place, right, minlength=BINS) - np.bincount(place, said, minlength=BINS)
    return float(np.abs(gaps).sum() / len(said))
