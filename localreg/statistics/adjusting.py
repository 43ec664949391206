"""P-values of many questions asked at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from localreg.errors import InvalidInputError

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted so that, of all null hypotheses that are true, one is rejected with probability at most alpha: to gate.

    Args:
        p_values: in [0, 1]; None or NaN = no test was possible, which does not count as a question.

    Returns:
        In the same order, None for what was None or NaN; reject what is <= alpha. Holds for tests that depend on each
        other in any way.

    Raises:
        InvalidInputError: a p-value lies outside [0, 1].

    Source:
        S. Holm, Scandinavian Journal of Statistics 6 (1979) 65.
    """
    order = _ascending(p_values)
    count, least, adjusted = len(order), 0.0, list[float | None]([None] * len(p_values))
    for rank, (p, place) in enumerate(order):
        least = max(least, min(1.0, (count - rank) * p))
        adjusted[place] = least
    return adjusted


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted so that of the rejected null hypotheses a share of at most alpha is true, on average: to explore.

    Args and returns as `holm`. Holds for tests that are independent of each other or depend positively, as slices and
    related metrics do.

    Source:
        Y. Benjamini and Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289.
    """
    order = _ascending(p_values)
    count, most, adjusted = len(order), 1.0, list[float | None]([None] * len(p_values))
    for rank, (p, place) in reversed(list(enumerate(order, start=1))):
        most = min(most, p * count / rank)
        adjusted[place] = most
    return adjusted


def _ascending(p_values: Sequence[float | None]) -> list[tuple[float, int]]:
    known = [(float(p), place) for place, p in enumerate(p_values) if p is not None and not isnan(p)]
    for p, place in known:
        if not 0 <= p <= 1:
            raise InvalidInputError(f"p-value {place} is {p}; it must lie between 0 and 1")
    return sorted(known)
