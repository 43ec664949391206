"""Ratios of sums over samples, of two models: errors of all words, hits of all labels.

Such a ratio is no mean of the samples' own ratios: long samples count for more. Its interval is the delete-one
jackknife's, with Student's t: the ratio without one sample, or one cluster, follows from two sums.

Sources:
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 11; with clusters J. MacKinnon,
    M. Nielsen and M. Webb, Journal of Econometrics 232 (2023) 272 (CV3).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.statistics.bootstrap import bootstrap_weights
from localreg.statistics.distributions import t_quantile, t_sf
from localreg.statistics.estimate import Estimate
from localreg.statistics.resampled import level_at_zero
from localreg.statistics.value_columns import Columns, Told, checked, told, undefined, why_no_interval
from localreg.statistics.value_sums import Spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["compare_ratios"]

ROUNDING = 1e-12
NOTHING_TO_COUNT = "there is nothing that it could be a share of"


def compare_ratios(
    a: ArrayLike,
    b: ArrayLike,
    *,
    metric: str,
    most: float | None = None,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    draws: int | None = None,
) -> Estimate:
    """Compare a ratio of sums over samples.

    Args:
        a: (2, n), finite: what each sample of the first model adds to the numerator, and to the denominator.
        b: the same of the second.
        metric: what the ratio is called.
        most: the most that it can be; None = anything. It is 0 or more.
        groups: int (n,), clusters; None = each sample for itself.
        confidence: level of the interval.
        draws: bootstrap the interval with so many draws of samples, or of clusters; None = the jackknife.

    Raises:
        InvalidInputError: shapes differ, a number is not finite, or confidence is out of range.
    """
    import numpy as np

    parts = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if any(each.ndim != 2 or len(each) != 2 for each in parts):
        raise InvalidInputError(f"a has shape {parts[0].shape} and b {parts[1].shape}; both must be (2, n)")
    columns = checked(
        {"of a": parts[0][1], "of b": parts[1][1], "a": parts[0][0], "b": parts[1][0]}, groups, confidence
    )
    if columns.n == 0:
        return undefined(metric, columns, (None, None), "there is no sample")
    units = [each if columns.groups is None else _of_groups(each, columns) for each in parts]
    wholes = [each.sum(axis=1) for each in units]
    a_value, b_value = (float(of / to) if to > 0 else None for of, to in wholes)
    if a_value is None or b_value is None:
        return undefined(metric, columns, (a_value, b_value), NOTHING_TO_COUNT)
    values, limits = (a_value, b_value), (0.0, inf if most is None else most)
    why_none = why_no_interval(columns)
    if why_none is not None:
        return undefined(metric, columns, values, why_none)
    if draws is not None:
        return _bootstrapped(columns, metric, values, units, limits, confidence, draws)
    return _jackknifed(
        columns,
        metric,
        values,
        [whole[:, None] - each for whole, each in zip(wholes, units, strict=True)],
        limits,
        confidence,
    )


def _of_groups(parts: Floats, columns: Columns) -> Floats:
    import numpy as np

    assert columns.groups is not None, "the caller asked"
    return np.stack([np.bincount(columns.groups, each, minlength=columns.units) for each in parts])


def _jackknifed(
    columns: Columns,
    metric: str,
    values: tuple[float, float],
    left: list[Floats],
    limits: tuple[float, float],
    confidence: float,
) -> Estimate:
    """By the sums without each unit."""
    if any((to <= 0).any() for _, to in left):
        what = "samples" if columns.groups is None else "clusters"
        return undefined(metric, columns, values, f"without one of the {what} {NOTHING_TO_COUNT}")
    a, b = (of / to - value for (of, to), value in zip(left, values, strict=True))
    errors, difference = Spread.of(a, b).errors(), values[1] - values[0]
    error, df = errors[2], columns.units - 1
    if error < ROUNDING < abs(difference):
        return undefined(
            metric, columns, values, "all samples tell the same difference: how far it may vary cannot be told"
        )
    t = t_quantile((1 + confidence) / 2, df)
    p = min(1.0, 2 * t_sf(abs(difference) / error, df)) if error >= ROUNDING else 1.0
    reach = t * error
    return told(
        metric,
        columns,
        values,
        Told(
            difference - reach,
            difference + reach,
            p,
            error if error >= ROUNDING else 0.0,
            (t * errors[0], t * errors[1]),
        ),
        limits,
    )


def _bootstrapped(
    columns: Columns,
    metric: str,
    values: tuple[float, float],
    units: list[Floats],
    limits: tuple[float, float],
    confidence: float,
    draws: int,
) -> Estimate:
    """By drawing units again; see `localreg.statistics.resampled`."""
    import numpy as np

    drawn: list[float | None] = []

    def difference(weights: Ints) -> float | None:
        (a, to_a), (b, to_b) = (each @ weights for each in units)
        drawn.append(float(b / to_b - a / to_a) if to_a > 0 and to_b > 0 else None)
        return drawn[-1]

    found = bootstrap_weights(
        columns.units, difference, content=np.concatenate(units).ravel(), draws=draws, confidence=confidence
    )
    if found.low is None or found.high is None:
        return undefined(metric, columns, values, found.reason or "no draw gave a value")
    # What is asked first is the draws; the units as they are come after.
    p = level_at_zero([each for each in drawn[:draws] if each is not None])
    return told(metric, columns, values, Told(found.low, found.high, p, found.standard_error), limits)
