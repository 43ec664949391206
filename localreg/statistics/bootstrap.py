"""Intervals by drawing samples again, for what has no closed form.

What depends on joint counts alone is drawn as counts (one multinomial draw of the cells is exactly one draw of all
samples with replacement), at a cost that is free of the number of samples; what depends on values, as weights: how
often each sample was drawn. The seed is the digest of the counts or values: equal input, equal interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.statistics.distributions import normal_cdf, normal_quantile
from localreg.statistics.joint import JointCounts
from localreg.statistics.paired import seed_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Bootstrap", "bootstrap_counts", "bootstrap_index", "bootstrap_weights"]

DRAWS = 2_000
DEFINED = 0.9
"""Share of the draws that must give a value; with fewer the interval would be one of the draws that were kind."""
ROWS_FOR_ACCELERATION = 5_000
"""Units up to which each is left out for BCa's acceleration."""


@dataclass(frozen=True)
class Bootstrap:
    """An interval by resampling.

    Attributes:
        value: of the samples as they are; None = undefined.
        low: lower end; None = none can be given.
        high: upper end.
        standard_error: standard deviation of the draws.
        draws: how many gave a value.
        method: "bca", or "percentile" where the former cannot be had.
        reason: why something is None; None = nothing is.
    """

    value: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    draws: int
    method: str
    reason: str | None = None


def bootstrap_counts(
    joint: JointCounts,
    statistic: Callable[[JointCounts], float | None],
    *,
    draws: int = DRAWS,
    confidence: float = 0.95,
    method: str = "bca",
) -> Bootstrap:
    """Of any function of joint counts.

    Args:
        joint: counts of (truth, a, b). With groups whole clusters are drawn, otherwise samples.
        statistic: from counts to a number; None or NaN = undefined for these counts.
        draws: how many times all samples are drawn again.
        confidence: level of the interval.
        method: "bca" (bias-corrected and accelerated; "percentile" instead for more than 5,000 cells or clusters,
            each of which it would leave out once) or "percentile".

    Raises:
        InvalidInputError: a number of draws below 100, or an unknown method.
    """
    import numpy as np

    _check(draws, confidence, method)
    if not len(joint.count):
        return Bootstrap(None, None, None, None, 0, method, "there is no sample")
    units, sizes = _units(joint)
    seed = seed_of(joint.truth, joint.a, joint.b, joint.count, units)
    generator = np.random.Generator(np.random.PCG64(seed))

    def of(weights: Ints) -> float:
        return _number(statistic(_weighted(joint, weights[units] if joint.groups is not None else weights)))

    total = int(sizes.sum())
    drawn = [of(generator.multinomial(total, sizes / total)) for _ in range(draws)]
    whole = np.ones(len(sizes), dtype=np.int64) if joint.groups is not None else joint.count
    left = None
    if method == "bca" and len(sizes) <= ROWS_FOR_ACCELERATION:
        units_left = (np.where(np.arange(len(sizes)) == unit, whole - 1, whole) for unit in range(len(sizes)))
        left = [(of(rest), size) for rest, size in zip(units_left, sizes.tolist(), strict=True)]
    return _interval(of(whole), np.asarray(drawn), left, confidence)


def _units(joint: JointCounts) -> tuple[Ints, Ints]:
    """The unit that each cell belongs to, and how many equal ones there are: a cell's samples, or one."""
    import numpy as np

    if joint.groups is None:
        return np.arange(len(joint.count)), joint.count
    clusters, group = joint.clusters()
    return group, np.ones(clusters, dtype=np.int64)


def _weighted(joint: JointCounts, weights: Ints) -> JointCounts:
    count = joint.count * weights if joint.groups is not None else weights
    there = count > 0
    groups = None if joint.groups is None else joint.groups[there]
    return JointCounts(joint.truth[there], joint.a[there], joint.b[there], count[there], joint.classes, groups)


def bootstrap_weights(
    n: int,
    statistic: Callable[[Ints], float | None],
    *,
    content: ArrayLike,
    draws: int = DRAWS,
    confidence: float = 0.95,
    method: str = "percentile",
) -> Bootstrap:
    """Of any function of how often each of n units was drawn: of images, whose matches are known, each with its weight.

    Args:
        n: units.
        statistic: from int64 (n,) weights, which sum to n, to a number; all 1 = the units as they are.
        content: numbers that the seed follows from: what the statistic is computed of.
        draws: how many times all units are drawn again.
        confidence: level of the interval.
        method: "percentile"; "bca" asks the statistic up to 5,000 times more.
    """
    import numpy as np

    _check(draws, confidence, method)
    if n < 1:
        return Bootstrap(None, None, None, None, 0, method, "there is no sample")
    generator = np.random.Generator(np.random.PCG64(seed_of(content)))

    def of(weights: Ints) -> float:
        return _number(statistic(weights))

    whole = np.ones(n, dtype=np.int64)
    drawn = [of(np.bincount(generator.integers(0, n, n), minlength=n).astype(np.int64)) for _ in range(draws)]
    left = None
    if method == "bca":
        group = np.arange(n) * min(n, ROWS_FOR_ACCELERATION) // n
        left = [(of((group != each).astype(np.int64)), 1) for each in range(int(group[-1]) + 1)]
    return _interval(of(whole), np.asarray(drawn), left, confidence)


def bootstrap_index(
    columns: tuple[ArrayLike, ...],
    statistic: Callable[..., float | None],
    *,
    draws: int = DRAWS,
    confidence: float = 0.95,
    method: str = "percentile",
) -> Bootstrap:
    """Of any function of columns of numbers, (n,) each, whose rows are drawn together."""
    import numpy as np

    arrays = [np.asarray(column) for column in columns]
    if len({len(array) for array in arrays}) != 1:
        raise InvalidInputError(f"columns have {[len(array) for array in arrays]} rows; they must have the same")

    def weighted(weights: Ints) -> float | None:
        rows = np.repeat(np.arange(len(weights)), weights)
        return statistic(*(array[rows] for array in arrays))

    content = np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in arrays])
    return bootstrap_weights(
        len(arrays[0]), weighted, content=content, draws=draws, confidence=confidence, method=method
    )


def _interval(value: float, drawn: Floats, left: list[tuple[float, int]] | None, confidence: float) -> Bootstrap:
    """Percentiles of the draws, shifted for bias and skewness if values with units left out are given.

    Source:
        B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), sections 13.3 and 14.3.
    """
    import numpy as np

    method = "percentile" if left is None else "bca"
    known = np.sort(drawn[~np.isnan(drawn)])
    if value != value:
        return Bootstrap(None, None, None, None, len(known), method, "the statistic is undefined")
    if len(known) < DEFINED * len(drawn):
        reason = f"the statistic is undefined for {len(drawn) - len(known)} of {len(drawn)} draws"
        return Bootstrap(value, None, None, None, len(known), method, reason)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    corrected = None if left is None else _corrected(ends, value, known, left)
    low, high = np.quantile(known, ends if corrected is None else corrected)
    error = float(known.std(ddof=1))
    return Bootstrap(value, float(low), float(high), error, len(known), "percentile" if corrected is None else "bca")


def _corrected(ends: list[float], value: float, known: Floats, left: list[tuple[float, int]]) -> list[float] | None:
    import numpy as np

    below = float(np.mean(known < value) + np.mean(known == value) / 2)
    values, sizes = np.array([each[0] for each in left]), np.array([each[1] for each in left], dtype=np.float64)
    if not 0 < below < 1 or np.isnan(values).any():
        return None
    deviations = (values * sizes).sum() / sizes.sum() - values
    spread = float((sizes * deviations**2).sum())
    acceleration = float((sizes * deviations**3).sum()) / (6 * spread * sqrt(spread)) if spread > 0 else 0.0
    bias = normal_quantile(below)
    shifted = [bias + normal_quantile(end) for end in ends]
    return [normal_cdf(bias + each / (1 - acceleration * each)) for each in shifted]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _check(draws: int, confidence: float, method: str) -> None:
    if draws < 100:
        raise InvalidInputError(f"draws is {draws}; an interval needs 100 or more")
    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence is {confidence}; it must lie between 0 and 1")
    if method not in ("bca", "percentile"):
        raise InvalidInputError(f"method is {method!r}; there are 'bca' and 'percentile'")
