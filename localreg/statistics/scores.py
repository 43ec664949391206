"""Metrics of scores of two models, with the interval of the difference: rankings, and how good probabilities are.

| metric | interval |
|---|---|
| ROC AUC, average precision | `localreg.statistics.auc` |
| log loss, Brier score | paired t, or the jackknife over clusters: they are means of one number a sample |
| expected calibration error | none: it is a mean over bins, and biased by how many there are |
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from localreg.statistics.auc import RANKING_METRICS, compare_rankings
from localreg.statistics.estimate import Estimate
from localreg.statistics.values import compare_means

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "BINS",
    "CALIBRATION",
    "LOSSES",
    "SCORE_METRICS",
    "Binned",
    "binned",
    "calibration_error",
    "compare_losses",
    "compare_scores",
    "losses_of",
    "uniform_edges",
]

LOSSES = ("log_loss", "brier_score")
LIMITS = {"log_loss": (0.0, inf), "brier_score": (0.0, 1.0)}
CALIBRATION = "expected_calibration_error"
SCORE_METRICS = (*RANKING_METRICS, *LOSSES, CALIBRATION)
BINS = 15
"""Of the expected calibration error: as many as in Guo et al., who named it."""


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

    def losses(probability: Floats) -> Floats:
        return losses_of(metric, np.where(positive, probability, 1 - probability))

    return compare_means(
        losses(a), losses(b), metric=metric, groups=groups, confidence=confidence, draws=draws, limits=LIMITS[metric]
    )


# --- of one model -----------------------------------------------------------------------------------------------------


def losses_of(metric: str, own: Floats) -> Floats:
    """What each sample loses, of which log loss and the Brier score of two classes are the means.

    Args:
        metric: one of `LOSSES`.
        own: (n,), in [0, 1], the probability that was given to what is true.
    """
    import numpy as np

    if metric == "brier_score":
        return (1 - own) ** 2
    least = float(np.finfo(np.float64).eps)
    losses: Floats = -np.log(np.clip(own, least, 1 - least))
    return losses


class Binned(NamedTuple):
    """Predictions in bins of confidence, of all bins; (bins,).

    Attributes:
        counts: int64, samples.
        right: of these, how many are right.
        said: sum of the confidences.
    """

    counts: Ints
    right: Floats
    said: Floats


def uniform_edges(bins: int) -> Floats:
    """The edges of bins of equal width, (bins + 1,)."""
    import numpy as np

    return np.linspace(0, 1, bins + 1)


def binned(right: Bools, said: Floats, edges: Floats) -> Binned:
    """Put predictions into bins; what lies on an edge belongs to the bin below it.

    Args:
        right: (n,), whether the prediction is.
        said: (n,), in [0, 1], the confidence in it.
        edges: (bins + 1,), rising.
    """
    import numpy as np

    place, bins = np.searchsorted(edges[1:-1], said), len(edges) - 1
    hits, sums = (np.bincount(place, weights, minlength=bins).astype(np.float64) for weights in (right, said))
    return Binned(np.bincount(place, minlength=bins), hits, sums)


def calibration_error(right: Bools, said: Floats, edges: Floats | None = None) -> float | None:
    """Mean distance between confidence and how often it is right, over bins by their samples (ECE).

    Args:
        right: (n,), whether the prediction is.
        said: (n,), in [0, 1], the confidence in it.
        edges: of the bins; None = `BINS` of equal width.

    Returns:
        A number in [0, 1]; None if there is no sample.

    Source:
        C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    import numpy as np

    if not len(said):
        return None
    found = binned(right, said, uniform_edges(BINS) if edges is None else edges)
    return float(np.abs(found.right - found.said).sum() / len(said))
