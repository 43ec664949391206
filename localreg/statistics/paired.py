"""Tests for two models on the same samples."""

from __future__ import annotations

from math import comb, exp
from operator import index

from localreg.errors import InvalidInputError
from localreg.statistics.distributions import binomial_log_tail

__all__ = ["mcnemar_exact"]

EXACT_UPTO = 1_000
"""Discordant pairs up to which the sum is done in whole numbers, correctly rounded."""


def mcnemar_exact(fixed: int, broken: int) -> float:
    """Exact two-sided p-value of McNemar's test: could the discordant pairs be the throws of a fair coin?

    Args:
        fixed: pairs that the first model got wrong and the second right; 0 or more.
        broken: pairs that the first model got right and the second wrong; 0 or more.

    Returns:
        Twice the binomial tail P(X <= min(fixed, broken)), X ~ B(fixed + broken, 1/2), at most 1; 1 if there is no
        discordant pair. Up to 1,000 pairs correctly rounded, beyond to about 12 digits.

    Raises:
        InvalidInputError: a count is negative, or no whole number.

    Source:
        Q. McNemar, Psychometrika 12 (1947) 153; exact form as in A. Agresti, Categorical Data Analysis, 3rd ed.
        (2013), section 11.1.
    """
    try:
        fixed, broken = index(fixed), index(broken)  # numpy's integers would overflow below
    except TypeError as error:
        raise InvalidInputError(f"fixed is {fixed!r} and broken is {broken!r}; counts are whole numbers") from error
    if fixed < 0 or broken < 0:
        raise InvalidInputError(f"fixed is {fixed} and broken is {broken}; counts are 0 or more")
    total, few = fixed + broken, min(fixed, broken)
    if 2 * few >= total:
        return 1.0  # the tail holds at least half of all throws
    if total <= EXACT_UPTO:
        return min(1.0, 2 * sum(comb(total, k) for k in range(few + 1)) / (1 << total))
    return min(1.0, 2 * exp(binomial_log_tail(few, total)))
