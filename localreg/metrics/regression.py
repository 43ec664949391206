"""Metrics of predicted numbers.

Columns of finite numbers (n,), truth and predicted; NaN, infinite and missing ones are refused, the row named. All is
computed in double precision. Undefined is None: there is no sample, the value is beyond what a double holds, or what
the docstring says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.metrics.reading import Column, check_lengths, numbers_of
from localreg.statistics.value_of import value_of

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_bias",
    "mean_squared_error",
    "median_absolute_error",
    "pearson",
    "r2_score",
    "root_mean_squared_error",
    "spearman",
]


def mean_absolute_error(truth: Column, predicted: Column) -> float | None:
    """Mean distance of the predictions from the truth, in its unit; 0 or more.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.
    """
    return value_of("mean_absolute_error", *_pair(truth, predicted))


def median_absolute_error(truth: Column, predicted: Column) -> float | None:
    """Median distance of the predictions from the truth, in its unit; 0 or more.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.
    """
    return value_of("median_absolute_error", *_pair(truth, predicted))


def mean_squared_error(truth: Column, predicted: Column) -> float | None:
    """Mean of the squared errors, in the unit squared; 0 or more.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.
    """
    return value_of("mean_squared_error", *_pair(truth, predicted))


def root_mean_squared_error(truth: Column, predicted: Column) -> float | None:
    """Root of the mean of the squared errors, in the unit of truth; 0 or more.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.
    """
    return value_of("root_mean_squared_error", *_pair(truth, predicted))


def mean_bias(truth: Column, predicted: Column) -> float | None:
    """Mean of predicted - truth, in its unit: above 0 where predictions are too high.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.
    """
    return value_of("mean_bias", *_pair(truth, predicted))


def mean_absolute_percentage_error(truth: Column, predicted: Column) -> float | None:
    """Mean of the distances as shares of the truth: 0.1 = ten percent; 0 or more.

    Returns:
        None also if a truth is 0, of which nothing is a share. (scikit-learn divides by 2.2e-16 there.)

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.

    Source:
        scikit-learn, `mean_absolute_percentage_error`.
    """
    return value_of("mean_absolute_percentage_error", *_pair(truth, predicted))


def r2_score(truth: Column, predicted: Column) -> float | None:
    """Share of the variance of truth that the predictions explain: 1 - squared errors / squared deviations.

    Returns:
        At most 1; below 0 where the mean of truth would have been better. None also if all truth is one value.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.

    Source:
        T. O. Kvålseth, The American Statistician 39 (1985) 279, R² number 1.
    """
    return value_of("r2", *_pair(truth, predicted))


def pearson(truth: Column, predicted: Column) -> float | None:
    """Pearson's correlation: how well a straight line leads from the one to the other, in [-1, 1].

    Returns:
        None also if either column is one value throughout.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.

    Source:
        K. Pearson, Proceedings of the Royal Society of London 58 (1895) 240.
    """
    return value_of("pearson", *_pair(truth, predicted))


def spearman(truth: Column, predicted: Column) -> float | None:
    """Spearman's correlation: Pearson's of the ranks, equal values having the mean of their ranks; in [-1, 1].

    Returns:
        None also if either column is one value throughout.

    Raises:
        InvalidInputError: lengths differ, or a number is missing, NaN or infinite.

    Source:
        C. Spearman, The American Journal of Psychology 15 (1904) 72.
    """
    return value_of("spearman", *_pair(truth, predicted))


def _pair(truth: Column, predicted: Column) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    true, said = numbers_of(truth, "truth"), numbers_of(predicted, "predicted")
    check_lengths(truth=true, predicted=said)
    return true.astype(np.float64, copy=False), said.astype(np.float64, copy=False)
