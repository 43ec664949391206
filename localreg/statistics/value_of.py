"""Metrics of one model's predicted numbers.

Computed here for everybody: `localreg.metrics.regression` reads columns for it, and says what each metric is;
`localreg.statistics.values` puts intervals around the differences of two models.
"""

from __future__ import annotations

from math import isfinite, sqrt
from typing import TYPE_CHECKING

from localreg.statistics.ranks import spearman

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "LARGEST",
    "MEANS",
    "OF_ORDER",
    "OF_SUMS",
    "VALUE_METRICS",
    "correlation",
    "is_constant",
    "is_too_large",
    "of_samples",
    "value_of",
]

MEANS = ("mean_absolute_error", "mean_squared_error", "mean_absolute_percentage_error", "mean_bias")
OF_SUMS = ("root_mean_squared_error", "r2", "pearson")
OF_ORDER = ("median_absolute_error", "spearman")
VALUE_METRICS = (*MEANS, *OF_SUMS, *OF_ORDER)
LARGEST = 1e140
"""A number up to which a sum of squares stays within what a double holds, 1.8e308."""


def value_of(metric: str, truth: Floats, said: Floats) -> float | None:
    """A metric of predicted numbers; None where it is undefined, or beyond what a double holds.

    Args:
        metric: one of `VALUE_METRICS`.
        truth: float64 (n,), finite.
        said: the same, predicted.
    """
    import numpy as np

    if not len(truth) or (metric == "mean_absolute_percentage_error" and not truth.all()):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        found = _value_of(metric, truth, said)
    return found if found is not None and isfinite(found) else None


def _value_of(metric: str, truth: Floats, said: Floats) -> float | None:
    import numpy as np

    if metric in MEANS:
        return float(of_samples(metric, truth, said).mean())
    if metric == "median_absolute_error":
        return float(np.median(np.abs(said - truth)))
    if metric == "root_mean_squared_error":
        return sqrt(float(((said - truth) ** 2).mean()))
    if metric == "r2":
        return _r2(truth, said)
    return correlation(truth, said) if metric == "pearson" else spearman(truth, (said,))[0]


def of_samples(metric: str, truth: Floats, said: Floats) -> Floats:
    """Of each sample, what one of `MEANS` is the mean of."""
    import numpy as np

    errors = said - truth
    if metric == "mean_bias":
        return errors
    if metric == "mean_squared_error":
        return errors * errors
    return np.abs(errors) if metric == "mean_absolute_error" else np.abs(errors / truth)


def _r2(truth: Floats, said: Floats) -> float | None:
    import numpy as np

    if is_constant(truth):
        return None
    deviations = truth - truth.mean()
    scale = np.abs(deviations).max()  # so that no square over- or underflows
    return float(1 - (((said - truth) / scale) ** 2).sum() / ((deviations / scale) ** 2).sum())


def correlation(a: Floats, b: Floats) -> float | None:
    """Pearson's; None if there is no sample, or either column is one value throughout."""
    import numpy as np

    if not len(a) or is_constant(a) or is_constant(b):
        return None
    a, b = a - a.mean(), b - b.mean()
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # so that no square over- or underflows
    return float(np.clip((a @ b) / (np.sqrt(a @ a) * np.sqrt(b @ b)), -1.0, 1.0))


def is_too_large(column: Floats) -> bool:
    """Whether there is a number that cannot be squared and added up."""
    import numpy as np

    return bool(len(column) and np.abs(column).max() > LARGEST)


def is_constant(column: Floats) -> bool:
    """Whether all numbers are the same; there must be one."""
    return bool(column.min() == column.max())
