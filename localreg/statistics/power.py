"""The least difference that a comparison of this size would have seen.

All of it is (z or t of the level + that of the power) x standard error, the two-sided test's power without the
negligible rejections on the wrong side.

Source:
    J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. (1988), chapter 2; for paired 0/1 values
    R. Connor, Biometrics 43 (1987) 207; as "minimum detectable effect" in H. Bloom, Evaluation Review 19 (1995) 547.
"""

from __future__ import annotations

from math import inf, sqrt

from localreg.errors import InvalidInputError
from localreg.statistics.distributions import t_quantile

__all__ = ["least_detectable", "least_detectable_mean", "least_detectable_share"]


def least_detectable(standard_error: float, *, df: float = inf, confidence: float = 0.95, power: float = 0.8) -> float:
    """The least true difference that is told apart from 0 with probability `power`, by its standard error.

    Args:
        standard_error: of the difference, as in `Estimate.standard_error`.
        df: degrees of freedom of the standard error: n - 1, or clusters - 1.
        confidence: 1 - level of the two-sided test.
        power: probability to see the difference if it is there; at least half of `1 - confidence`.

    Raises:
        InvalidInputError: an argument is out of range.
    """
    if not standard_error >= 0 or standard_error == inf:
        raise InvalidInputError(f"standard_error is {standard_error}; it must be a number of 0 or more")
    if not 0 < confidence < 1 or not (1 - confidence) / 2 <= power < 1:
        raise InvalidInputError(f"confidence is {confidence} and power {power}; both must lie between 0 and 1")
    return (t_quantile((1 + confidence) / 2, df) + t_quantile(power, df)) * standard_error


def least_detectable_mean(deviation: float, n: int, *, confidence: float = 0.95, power: float = 0.8) -> float | None:
    """Of the mean of n paired differences with this standard deviation; None for fewer than two pairs."""
    if n < 2:
        return None
    return least_detectable(deviation / sqrt(n), df=n - 1, confidence=confidence, power=power)


def least_detectable_share(discordant: float, n: int, *, confidence: float = 0.95, power: float = 0.8) -> float | None:
    """Of a share of n samples (accuracy, recall) that two models share, by how often exactly one of them is right.

    Args:
        discordant: share of samples on which one model is right and the other wrong, in [0, 1].
        n: samples.
        confidence: 1 - level of the two-sided test.
        power: probability to see the difference if it is there.

    Returns:
        The difference d with d = (z + z') x sqrt of its variance: (discordant - d²) / n under the alternative,
        discordant / n under the null hypothesis. None if even a difference of `discordant`, which is the largest
        possible, is too small to be seen, or there are no samples.
    """
    if not 0 <= discordant <= 1:
        raise InvalidInputError(f"discordant is {discordant}; a share lies between 0 and 1")
    if n < 1 or discordant == 0:
        return None
    level, wanted = t_quantile((1 + confidence) / 2, inf), t_quantile(power, inf)
    # n d² = (level √discordant + wanted √(discordant - d²))²: the right side falls in d, the left grows.
    low, high = 0.0, discordant
    if sqrt(n) * high < level * sqrt(discordant) + wanted * sqrt(max(0.0, discordant - high * high)):
        return None
    for _ in range(200):
        middle = (low + high) / 2
        enough = sqrt(n) * middle >= level * sqrt(discordant) + wanted * sqrt(discordant - middle * middle)
        low, high = (low, middle) if enough else (middle, high)
    return high
