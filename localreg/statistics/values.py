"""Metrics of predicted numbers of two models, and means of what is said of samples, with the difference's interval.

| metric | without clusters | with clusters |
|---|---|---|
| means of a number a sample (MAE, MSE, MAPE, bias; `compare_means`) | paired t | jackknife over clusters |
| functions of sums (RMSE, R², Pearson) | delete-one jackknife, Student's t | jackknife over clusters |
| median absolute error, Spearman | none but by bootstrap: the jackknife fails for what hangs on order | the same |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import inf, sqrt
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.statistics.bootstrap import bootstrap_weights
from localreg.statistics.distributions import t_quantile, t_sf
from localreg.statistics.estimate import Estimate
from localreg.statistics.paired import PairedSums, paired_t
from localreg.statistics.ranks import spearman
from localreg.statistics.resampled import level_at_zero
from localreg.statistics.value_columns import (
    Columns,
    Told,
    checked,
    told,
    undefined,
    why_no_interval,
    why_undefined,
)
from localreg.statistics.value_of import LARGEST, MEANS, OF_SUMS, VALUE_METRICS, is_too_large, of_samples, value_of
from localreg.statistics.value_sums import Adding, Spread, left_out, total_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["LOWER_IS_BETTER", "UNDIRECTED", "VALUE_METRICS", "compare_means", "compare_values"]

LOWER_IS_BETTER = (*MEANS[:3], "root_mean_squared_error", "median_absolute_error")
UNDIRECTED = ("mean_bias",)
"""Nearer to 0 is better, which a difference does not tell."""
RANGES = {"r2": (-inf, 1.0), "pearson": (-1.0, 1.0), "spearman": (-1.0, 1.0), "mean_bias": (-inf, inf)}
"""Between which a metric lies; others are 0 or more."""
NO_INTERVAL = "a metric of the order of samples has no interval but by bootstrap; pass bootstrap=2000"
TOO_LARGE = f"there are numbers beyond {LARGEST:g}, of which no interval can be computed"


def compare_values(
    truth: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    metrics: Sequence[str] = VALUE_METRICS,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    draws: int | None = None,
) -> list[Estimate]:
    """Compare numbers that two models predict for the same samples.

    Args:
        truth: (n,), finite.
        a: (n,), finite, what the first model says.
        b: (n,), the same of the second.
        metrics: any of `VALUE_METRICS`.
        groups: int (n,), clusters, whose samples are not independent of each other; None = each sample for itself.
        confidence: level of the intervals.
        draws: bootstrap the intervals with so many draws of samples, or of clusters; None = the methods above.

    Returns:
        Estimates in the order of `metrics`. R², Pearson and Spearman are undefined where all truth is one value,
        the latter two where a model always says the same, MAPE where a truth is 0, and all that a double does not hold.

    Raises:
        InvalidInputError: shapes differ, a number is not finite, a metric is not known, or confidence is out of range.
    """
    unknown = [metric for metric in metrics if metric not in VALUE_METRICS]
    if unknown:
        raise InvalidInputError(f"no metric of values {unknown[0]!r}; there are {', '.join(VALUE_METRICS)}")
    columns = checked({"truth": truth, "a": a, "b": b}, groups, confidence)
    if any(map(is_too_large, (columns.truth, columns.a, columns.b))):
        return [undefined(metric, columns, _values(columns, metric), TOO_LARGE) for metric in metrics]
    found = {}
    if draws is None:
        of_means = MEANS if columns.groups is None else ()
        found = {metric: _mean(columns, metric, confidence) for metric in metrics if metric in of_means}
        sums = [metric for metric in metrics if metric in (*MEANS, *OF_SUMS) and metric not in of_means]
        found |= _of_sums(columns, sums, confidence) if sums else {}
    return [found[metric] if metric in found else _plain(columns, metric, confidence, draws) for metric in metrics]


def compare_means(
    a: ArrayLike,
    b: ArrayLike,
    *,
    metric: str,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    draws: int | None = None,
    limits: tuple[float, float] = (-inf, inf),
) -> Estimate:
    """Compare the means of a number that is said of each sample; by paired t, or the jackknife over clusters.

    Args:
        a: (n,), finite, of the first model.
        b: (n,), of the second.
        metric: what the number is called.
        groups: as of `compare_values`.
        confidence: level of the interval.
        draws: as of `compare_values`.
        limits: between which the number lies; intervals of values end there.
    """
    import numpy as np

    columns = checked({"a": a, "b": b}, groups, confidence)
    if columns.n == 0:
        return undefined(metric, columns, (None, None), "there is no sample")
    if is_too_large(columns.a) or is_too_large(columns.b):
        return undefined(metric, columns, (float(columns.a.mean()), float(columns.b.mean())), TOO_LARGE)
    if draws is not None:
        return _bootstrapped(columns, metric, lambda truth, said: float(said.mean()), confidence, draws)
    if columns.groups is None:
        return _by_t(columns, metric, columns.a, columns.b, limits, confidence)
    totals = float(columns.a.sum()), float(columns.b.sum())
    values, why_none = (totals[0] / columns.n, totals[1] / columns.n), why_no_interval(columns)
    if why_none is not None:
        return undefined(metric, columns, values, why_none)
    rest = columns.n - np.bincount(columns.groups)
    a, b = (
        (total - np.bincount(columns.groups, each)) / rest - value
        for each, total, value in zip((columns.a, columns.b), totals, values, strict=True)
    )
    return _jackknifed(columns, metric, values, Spread.of(a, b), limits, confidence)


def _mean(columns: Columns, metric: str, confidence: float) -> Estimate:
    """By paired t."""
    reason = why_undefined(columns, metric)
    if reason is not None:
        return undefined(metric, columns, _values(columns, metric), reason)
    a, b = (of_samples(metric, columns.truth, each) for each in (columns.a, columns.b))
    return _by_t(columns, metric, a, b, _range(metric), confidence)


def _by_t(
    columns: Columns, metric: str, a: Floats, b: Floats, limits: tuple[float, float], confidence: float
) -> Estimate:
    n = columns.n
    found = paired_t(PairedSums.of(a, b), confidence=confidence)
    values = float(a.mean()), float(b.mean())
    if n < 2:
        return undefined(metric, columns, values, "there is one sample only")
    t = t_quantile((1 + confidence) / 2, n - 1)
    halves = tuple(t * sqrt(float(each.var(ddof=1)) / n) for each in (a, b))
    assert found.low is not None, "of two pairs there is a test"
    assert found.high is not None, "of two pairs there is a test"
    assert found.p is not None, "of two pairs there is a test"
    return told(
        metric,
        columns,
        values,
        Told(found.low, found.high, found.p, found.standard_error, (halves[0], halves[1])),
        limits,
    )


def _range(metric: str) -> tuple[float, float]:
    return RANGES.get(metric, (0.0, inf))


def _of_sums(columns: Columns, metrics: Sequence[str], confidence: float) -> dict[str, Estimate]:
    """By the jackknife."""
    reasons = {metric: why_undefined(columns, metric) for metric in metrics}
    found = {
        metric: undefined(metric, columns, _values(columns, metric), why) for metric, why in reasons.items() if why
    }
    rest = [metric for metric in metrics if metric not in found]
    if not rest:
        return found
    shares = "mean_absolute_percentage_error" in rest
    truth = columns.truth - columns.truth.mean()
    models = [
        Adding(truth, said - said.mean(), said - columns.truth, columns.truth, shares)
        for said in (columns.a, columns.b)
    ]
    wholes = [total_of(model, columns.n) for model in models]
    pairs = {metric: _defined(columns, metric) for metric in rest}
    why_none = why_no_interval(columns)
    if why_none is not None:
        return found | {metric: undefined(metric, columns, pair, why_none) for metric, pair in pairs.items()}
    spreads: dict[str, Spread] = {}
    for left in left_out(columns, models, wholes):
        for metric in rest:
            spread = Spread.of(*(each[metric] - pairs[metric][model] for model, each in enumerate(left)))
            spreads[metric].add(spread) if metric in spreads else spreads.update({metric: spread})
    return found | {
        metric: _jackknifed(columns, metric, pairs[metric], spreads[metric], _range(metric), confidence)
        for metric in rest
    }


def _jackknifed(
    columns: Columns,
    metric: str,
    values: tuple[float, float],
    spread: Spread,
    limits: tuple[float, float],
    confidence: float,
) -> Estimate:
    units = columns.units
    why_none = why_no_interval(columns)
    errors = [] if why_none is not None else spread.errors()
    if any(error != error for error in errors):
        why_none = f"without one of the {'samples' if columns.groups is None else 'clusters'} it is undefined"
    if why_none is not None:
        return undefined(metric, columns, values, why_none)
    a, b = values
    error, t = errors[2], t_quantile((1 + confidence) / 2, units - 1)
    p = min(1.0, 2 * t_sf(abs(b - a) / error, units - 1)) if error > 0 else float(a == b)
    reach = t * error
    found = Told(b - a - reach, b - a + reach, p, error, (t * errors[0], t * errors[1]))
    return told(metric, columns, values, found, limits)


def _plain(columns: Columns, metric: str, confidence: float, draws: int | None) -> Estimate:
    """Without an interval, unless it is drawn, or the models say the same: then no samples would tell them apart."""
    import numpy as np

    reason = why_undefined(columns, metric)
    if reason is not None:
        return undefined(metric, columns, _values(columns, metric), reason)
    if draws is not None:
        return _bootstrapped(columns, metric, partial(value_of, metric), confidence, draws)
    if metric == "spearman":  # the ranks of the truth are the same for both
        a, b = spearman(columns.truth, (columns.a, columns.b))
    else:
        a, b = _defined(columns, metric)
    if a is not None and columns.n > 1 and np.array_equal(columns.a, columns.b):
        return told(metric, columns, (a, a), Told(0.0, 0.0, 1.0, 0.0), _range(metric))
    return undefined(metric, columns, (a, b), NO_INTERVAL)


def _values(columns: Columns, metric: str) -> tuple[float | None, float | None]:
    """A metric of both models; None where it is undefined, so of none of which `why_undefined` finds nothing to say."""
    a, b = (value_of(metric, columns.truth, said) for said in (columns.a, columns.b))
    return a, b


def _defined(columns: Columns, metric: str) -> tuple[float, float]:
    """A metric of both models, of which `why_undefined` finds nothing to say."""
    a, b = _values(columns, metric)
    assert a is not None, "it is defined"
    assert b is not None, "it is defined"
    return a, b


def _bootstrapped(
    columns: Columns,
    metric: str,
    statistic: Callable[[Floats, Floats], float | None],
    confidence: float,
    draws: int,
) -> Estimate:
    """By drawing samples, or clusters, again; see `localreg.statistics.resampled`."""
    import numpy as np

    places, drawn = np.arange(columns.n), []

    def difference(weights: Ints) -> float | None:
        rows = np.repeat(places, weights if columns.groups is None else weights[columns.groups])
        a, b = (statistic(columns.truth[rows], said[rows]) for said in (columns.a, columns.b))
        drawn.append(None if a is None or b is None else b - a)
        return drawn[-1]

    parts = [columns.truth, columns.a, columns.b, *([] if columns.groups is None else [columns.groups])]
    found = bootstrap_weights(
        columns.units, difference, content=np.concatenate(parts), draws=draws, confidence=confidence
    )
    a, b = (statistic(columns.truth, said) for said in (columns.a, columns.b))
    why_none = why_no_interval(columns) or found.reason
    if why_none is not None or a is None or b is None or found.low is None or found.high is None:
        return undefined(metric, columns, (a, b), why_none or "no draw gave a value")
    p = level_at_zero([each for each in drawn[:draws] if each is not None])
    return told(metric, columns, (a, b), Told(found.low, found.high, p, found.standard_error), (-inf, inf))
