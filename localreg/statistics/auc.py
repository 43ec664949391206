"""ROC AUC and average precision of two models on the same samples, with the interval and p-value of the difference.

Both values are functions of how often each sample counts; what a sample adds to either, if it counted a little more,
is its influence. The variance of a value is the sum of squared influences, that of a difference the sum of squared
differences of influences, which is how the pairing comes in. Influences are the same for all samples of one score, so
they are computed for each distinct score; for many samples for each of `BINS` bins of about equally many samples,
which changes standard errors in the fifth digit. The values themselves are always exact: equal to scikit-learn's, ties
included.

Where a sample or a cluster weighs much, its influence says too little (of 50 clusters 88 % of intervals of 95 % held
the true difference of average precisions). So of few samples average precision, and of few clusters both metrics, are
computed without each of them in turn. Degrees of freedom count how few positives, negatives or clusters there are.

Sources:
    E. DeLong, D. DeLong and D. Clarke-Pearson, Biometrics 44 (1988) 837, for ROC AUC; influences of average precision
    follow from its definition as the mean, over positives, of the precision at their score (as in scikit-learn);
    clusters as in N. Obuchowski, Biometrics 53 (1997) 567; the interval of a value on the logit scale as in M. Pepe,
    The Statistical Evaluation of Medical Tests for Classification and Prediction (2003), section 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, inf, log, sqrt
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.statistics.distributions import t_quantile, t_sf
from localreg.statistics.estimate import Estimate
from localreg.statistics.marginals import counted
from localreg.statistics.ranked import Ranked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["ALIKE", "BINS", "RANKING_METRICS", "compare_rankings"]

RANKING_METRICS = ("roc_auc", "average_precision")
BINS = 4_096
ALIKE = "the models order all samples alike, or perfectly, so that nothing tells how far they could differ"
JACKKNIFE_UPTO = 500_000
"""Samples, or clusters, times distinct scores up to which values are computed without each: more is the same."""
CELLS_AT_ONCE = 1 << 18
EXACT_UPTO = 1_000_000
"""Samples up to which influences are those of each distinct score."""


def compare_rankings(
    truth: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    binned: bool | None = None,
    confidence: float = 0.95,
) -> list[Estimate]:
    """Compare what two models' scores make of the order of positives and negatives.

    Args:
        truth: bool or 0/1 (n,), is the sample positive.
        a: float (n,), finite scores of the first model, higher = rather positive.
        b: float (n,), scores of the second model.
        groups: int (n,), clusters, whose samples are not independent of each other; None = each sample for itself.
        binned: compute standard errors from bins of scores; None = from 1,000,000 samples on.
        confidence: level of the intervals.

    Returns:
        ROC AUC and average precision; without a positive or without a negative there are no intervals, and the reason
        says so. Undefined are both then, but average precision without a negative, which is 1.

    Raises:
        InvalidInputError: shapes differ, truth is not binary, or a score is not finite: the message names the row.
    """
    import numpy as np

    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence is {confidence}; it must lie between 0 and 1")
    positive, scores, members = _checked(truth, {"a": a, "b": b}, groups)
    n, positives = len(positive), int(positive.sum())
    if positives in (0, n):
        return [_of_one_kind(metric, n, positives) for metric in RANKING_METRICS]
    in_bins = n > EXACT_UPTO if binned is None else binned
    with ThreadPoolExecutor(2) as pool:  # sorting and searching let go of the interpreter
        alone = scores[:1] if scores[0] is scores[1] else scores  # one model, measured by itself
        rankings = list(pool.map(lambda each: _Ranking.of(positive, each, in_bins), alone))
    first, second = rankings[0], rankings[-1]
    if min(positives, n - positives) < 2:
        values = [(first.values[metric], second.values[metric]) for metric in RANKING_METRICS]
        reason = f"there is one {'positive' if positives < 2 else 'negative'} only"
        return [
            Estimate(metric, None, a, b, b - a, None, None, None, n, reason=reason)
            for metric, (a, b) in zip(RANKING_METRICS, values, strict=True)
        ]
    clusters = None if members is None else np.unique(members, return_inverse=True)[1]
    moments = _delong(positive, first, second) if clusters is None else None
    found = []
    for metric in RANKING_METRICS:
        if metric == "roc_auc" and moments is not None:
            variances, df = moments
        else:
            variances, df = _variances(positive, first, second, metric, clusters)
        found.append(_estimate(metric, first.values[metric], second.values[metric], variances, df, n, confidence))
    if np.array_equal(scores[0], scores[1]):  # no other samples would tell the models apart
        return [replace(each, low=0.0, high=0.0, p=1.0, standard_error=0.0, reason=None) for each in found]
    return found


def _of_one_kind(metric: str, n: int, positives: int) -> Estimate:
    """Of positives alone, or of negatives."""
    reason = "there is no sample" if n == 0 else f"there is no {'negative' if positives else 'positive'}"
    if metric == "average_precision" and positives:
        return Estimate(metric, None, 1.0, 1.0, 0.0, None, None, None, n, reason=f"{reason}: 1 whatever the scores")
    return Estimate(metric, None, *(None,) * 6, n, reason=reason)


@dataclass(frozen=True, eq=False)
class _Ranking:
    """A model's values, and the influences of samples by distinct score or bin of scores.

    Attributes:
        values: by metric.
        codes: int (n,), place of each sample's score among the distinct ones.
        up: int (codes,), positives of each.
        down: int (codes,), negatives of each.
        influences: by metric, for negatives and positives, (2, codes): the derivative of the value by a sample's
            weight.
        placements: for negatives and positives, (2, codes): share of the other kind that the score puts right.
    """

    values: dict[str, float]
    codes: Ints
    up: Ints
    down: Ints
    influences: dict[str, Floats]
    placements: Floats

    @classmethod
    def of(cls, positive: Bools, scores: Floats, binned: bool) -> _Ranking:
        import numpy as np

        if not binned:
            found, codes = np.unique(scores, return_inverse=True)
            size = len(found)
            up = np.bincount(codes[positive], minlength=size).astype(np.int64)
            down = np.bincount(codes, minlength=size).astype(np.int64) - up
            ranked = Ranked(np.repeat(np.arange(size), up), np.repeat(np.arange(size), down))
            return cls(_values(ranked), codes, up, down, *_influences(up, down))
        ups, downs = np.sort(scores[positive]), np.sort(scores[~positive])
        codes, size = _bins(scores, ups, downs)
        up = np.bincount(codes[positive], minlength=size).astype(np.int64)
        down = np.bincount(codes, minlength=size).astype(np.int64) - up
        return cls(_values(Ranked(ups, downs)), codes, up, down, *_influences(up, down))


def _values(ranked: Ranked) -> dict[str, float]:
    area, precision = ranked.roc_auc(), ranked.average_precision()
    assert area is not None, "there are positives and negatives"
    assert precision is not None, "there are positives"
    return {"roc_auc": area, "average_precision": precision}


def _bins(scores: Floats, ups: Floats, downs: Floats) -> tuple[Ints, int]:
    import numpy as np

    half = BINS // 2
    edges = [each[(np.arange(1, half) * (len(each) / half)).astype(np.int64)] for each in (ups, downs)]
    bounds = np.unique(np.concatenate(edges))
    # 16 bits hold 4,096 bins; ten million samples are eighty megabytes otherwise.
    return np.searchsorted(bounds, scores, side="right").astype(np.int16), len(bounds) + 1


def _influences(up: Ints, down: Ints) -> tuple[dict[str, Floats], Floats]:
    import numpy as np

    positives, negatives = int(up.sum()), int(down.sum())
    above = positives - np.cumsum(up) + up / 2
    below = np.cumsum(down) - down / 2
    placements = np.stack([above / positives, below / negatives])
    auc = float((up * placements[1]).sum() / positives)
    by_count = np.array([[negatives], [positives]])
    # Average precision: mean of P over positives; a sample changes P of all positives that are as high or lower.
    hits, said = (np.cumsum(each[::-1])[::-1] for each in (up, up + down))
    precision = hits / np.maximum(said, 1)
    average = float((up * precision).sum() / positives)
    share = np.cumsum(up / np.maximum(said, 1))
    lost = np.cumsum(up * precision / np.maximum(said, 1))
    ap = np.stack([-lost, precision - average + share - lost]) / positives
    return {"roc_auc": (placements - auc) / by_count, "average_precision": ap}, placements


Variances = tuple[float, float, float]
"""Of the difference, of a, of b."""


def _delong(positive: Bools, first: _Ranking, second: _Ranking) -> tuple[Variances, float]:
    import numpy as np

    parts, counts = np.zeros((2, 3)), []
    for kind, rows in enumerate((~positive, positive)):
        a, b = (each.placements[kind][each.codes[rows]] for each in (first, second))
        counts.append(len(a))
        for place, values in enumerate((b - a, a, b)):
            parts[kind, place] = float(np.var(values)) / max(1, len(a) - 1)
    totals = parts.sum(axis=0)
    return (float(totals[0]), float(totals[1]), float(totals[2])), _freedom(parts[:, 0], counts)


def _freedom(parts: Floats, counts: Sequence[int]) -> float:
    """Degrees of freedom of a sum of variances, of negatives and of positives.

    Source:
        B. Welch, Biometrika 34 (1947) 28; for ROC AUC E. Brunner and U. Munzel, Biometrical Journal 42 (2000) 17.
    """
    uncertain = sum(float(part) ** 2 / max(1, count - 1) for part, count in zip(parts, counts, strict=True))
    return float(parts.sum()) ** 2 / uncertain if uncertain > 0 else inf


def _variances(
    positive: Bools, first: _Ranking, second: _Ranking, metric: str, clusters: Ints | None
) -> tuple[Variances, float]:
    import numpy as np

    kinds = positive.astype(np.int64)
    count = len(positive) if clusters is None else int(clusters.max()) + 1
    if count * len(first.up) <= JACKKNIFE_UPTO and count * len(second.up) <= JACKKNIFE_UPTO:
        a, b = (_left_out(each, metric, positive, clusters) for each in (first, second))
        columns, factor = (b - a, a, b), (count - 1) / count
    else:
        a, b = (np.ascontiguousarray(each.influences[metric].T)[each.codes, kinds] for each in (first, second))
        columns, factor = (b - a, a, b), count / max(1, count - 1)
        if clusters is not None:
            columns = (counted(clusters, b - a, 1), counted(clusters, a, 1), counted(clusters, b, 1))
    squares = [float(each @ each) * factor for each in columns]
    df: float = count - 1
    if clusters is None:
        parts = np.bincount(kinds, columns[0] ** 2, minlength=2)
        df = _freedom(np.asarray(parts, dtype=np.float64), np.bincount(kinds, minlength=2).tolist())
    return (squares[0], squares[1], squares[2]), df


def _left_out(model: _Ranking, metric: str, positive: Bools, clusters: Ints | None) -> Floats:
    """By how much a value changes without each sample, or cluster; less than nothing of one kind counts 0."""
    import numpy as np

    codes, size = model.codes, len(model.up)
    units = np.arange(len(codes)) if clusters is None else clusters
    count, at_once = int(units.max()) + 1, max(1, CELLS_AT_ONCE // size)
    order, changes = np.argsort(units, kind="stable"), np.zeros(count)
    edges = np.searchsorted(units[order], np.arange(0, count + at_once, at_once))
    for first, (start, stop) in zip(range(0, count, at_once), pairwise(edges.tolist()), strict=False):
        rows, some = order[start:stop], min(at_once, count - first)
        cells = (units[rows] - first) * size + codes[rows]
        ups, alls = (
            np.bincount(each, minlength=some * size).reshape(some, size) for each in (cells[positive[rows]], cells)
        )
        changes[first : first + some] = _many_values(model.up - ups, model.down - (alls - ups), metric)
    return changes - model.values[metric]


def _many_values(up: Ints, down: Ints, metric: str) -> Floats:
    """As `_values`, of rows; 0 without a positive or a negative, so that it counts as not known."""
    import numpy as np

    positives = np.maximum(1, up.sum(axis=1))
    if metric == "roc_auc":
        below = np.cumsum(down, axis=1) - down
        pairs = positives * np.maximum(1, down.sum(axis=1))
        return np.asarray((up * (2 * below + down)).sum(axis=1) / (2 * pairs))
    hits, said = (np.cumsum(each[:, ::-1], axis=1)[:, ::-1] for each in (up, up + down))
    return np.asarray((up * hits / np.maximum(1, said)).sum(axis=1) / positives)


def _estimate(metric: str, a: float, b: float, variances: Variances, df: float, n: int, confidence: float) -> Estimate:
    if df < 1:
        return Estimate(metric, None, a, b, b - a, None, None, None, n, reason="all samples are of one cluster")
    errors = [sqrt(each) for each in variances]
    t = t_quantile((1 + confidence) / 2, df)
    (a_low, a_high), (b_low, b_high) = _logit_interval(a, t * errors[1]), _logit_interval(b, t * errors[2])
    if errors[0] <= 1e-12:
        reason = ALIKE
        return Estimate(metric, None, a, b, b - a, None, None, None, n, None, a_low, a_high, b_low, b_high, reason)
    half = t * errors[0]
    p = min(1.0, 2 * t_sf(abs(b - a) / errors[0], df))
    low, high = max(-1.0, b - a - half), min(1.0, b - a + half)
    return Estimate(metric, None, a, b, b - a, low, high, p, n, errors[0], a_low, a_high, b_low, b_high)


def _logit_interval(value: float, half: float) -> tuple[float | None, float | None]:
    """On the logit scale, so that it stays within (0, 1); None at 0 and 1, where the standard error says nothing."""
    if not 0 < value < 1 or half <= 0:
        return None, None
    middle, reach = log(value / (1 - value)), half / (value * (1 - value))
    return 1 / (1 + exp(min(700.0, reach - middle))), 1 / (1 + exp(min(700.0, max(-700.0, -reach - middle))))


def _checked(
    truth: ArrayLike, scores: dict[str, ArrayLike], groups: ArrayLike | None
) -> tuple[Bools, list[Floats], Ints | None]:
    import numpy as np

    positive = np.asarray(truth)
    columns = {name: np.asarray(each) for name, each in scores.items()}
    members = None if groups is None else np.asarray(groups)
    others = {**columns, **({} if members is None else {"groups": members})}
    shapes = {"truth": positive.shape, **{name: each.shape for name, each in others.items()}}
    if len(set(shapes.values())) > 1 or positive.ndim != 1:
        raise InvalidInputError(f"columns have the shapes {shapes}; all must be (n,)")
    if positive.dtype != np.bool_:
        wrong = np.flatnonzero((positive != 0) & (positive != 1))
        if len(wrong):
            raise InvalidInputError(f"truth is {positive[wrong[0]]!r} in row {wrong[0]}; it must be 0 or 1")
    floats = []
    for name, column in columns.items():
        if column.dtype.kind not in "fiub":
            raise InvalidInputError(f"{name} holds {column.dtype}; scores are numbers")
        values = column if column.dtype == np.float32 else column.astype(np.float64, copy=False)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise InvalidInputError(f"{name} is {values[wrong[0]]} in row {wrong[0]}; scores are finite numbers")
        floats.append(values)
    return positive.astype(np.bool_), floats, members
