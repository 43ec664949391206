"""Estimates of counting metrics whose intervals come from drawing samples, or clusters, again.

Percentiles, so that p and the interval say the same: p is the level at which the interval would just end at 0.

Source:
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), sections 13.3 and 15.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from localreg.statistics.bootstrap import bootstrap_counts
from localreg.statistics.estimate import Estimate
from localreg.statistics.jackknife import Pair
from localreg.statistics.joint import JointCounts

__all__ = ["level_at_zero", "resampled"]


def resampled(
    joint: JointCounts, estimates: Sequence[Estimate], *, draws: int, confidence: float = 0.95
) -> list[Estimate]:
    """Estimates with the intervals of a bootstrap; those of single classes, and without an interval, as they are.

    Args:
        joint: what they were made of; with groups whole clusters are drawn.
        estimates: by `compare_counts`.
        draws: how many times, 100 or more. The seed follows from the counts.
        confidence: level of the intervals.

    Raises:
        InvalidInputError: there are fewer draws than 100.
    """
    known: list[dict[str, float]] = []
    return [
        _resampled(joint, each, known, draws, confidence) if each.label is None and each.p is not None else each
        for each in estimates
    ]


def _resampled(
    joint: JointCounts, estimate: Estimate, known: list[dict[str, float]], draws: int, confidence: float
) -> Estimate:
    """One of them; `known` holds all metrics of each draw, which are the same for the next one: seeds are content."""
    numbers = count()

    def difference(drawn: JointCounts) -> float:
        number = next(numbers)
        if number == len(known):
            pair = Pair.of(drawn)
            a, b = pair.a.values(), pair.b.values()
            known.append({metric: float(b[metric]) - float(a[metric]) for metric in a})
        return known[number][estimate.metric]

    found = bootstrap_counts(joint, difference, draws=draws, confidence=confidence, method="percentile")
    if found.low is None or found.high is None:
        return replace(estimate, low=None, high=None, p=None, standard_error=None, reason=found.reason)
    p = level_at_zero([each[estimate.metric] for each in known[:draws]])
    return replace(estimate, low=found.low, high=found.high, p=p, standard_error=found.standard_error)


def level_at_zero(differences: Sequence[float]) -> float:
    """Two-sided p-value of drawn differences: how many are on the rarer side of 0, which counts for both."""
    fewer = min(sum(each <= 0 for each in differences), sum(each >= 0 for each in differences))
    return min(1.0, 2 * (fewer + 1) / (len(differences) + 1))
