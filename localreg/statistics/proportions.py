"""Intervals of single proportions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["f1_interval", "wilson_interval"]


def wilson_interval(hits: Floats, trials: Floats, z: float) -> tuple[Floats, Floats]:
    """Wilson's score interval of hits / trials, arrays of any one shape; z = normal quantile. [0, 1] of no trials.

    It stays within [0, 1], is no point at 0 or 1, and covers near its level from a handful of trials.

    Source:
        E. B. Wilson, JASA 22 (1927) 209; recommended by L. Brown, T. Cai and A. DasGupta, Statistical Science 16 (2001)
        101.
    """
    import numpy as np

    share = np.divide(hits, trials, out=np.full(np.shape(hits), 0.5), where=trials > 0)
    below = trials + z * z
    centre = (trials * share + z * z / 2) / below
    half = z / below * np.sqrt(trials * share * (1 - share) + z * z / 4)
    # In theory the ends are 0 and 1 where no trial or each is a hit; rounding must not say otherwise.
    low, high = np.where(hits > 0, centre - half, 0.0), np.where(hits < trials, centre + half, 1.0)
    return np.where(trials > 0, low, 0.0), np.where(trials > 0, high, 1.0)


def f1_interval(hits: Floats, misses: Floats, z: float) -> tuple[Floats, Floats]:
    """Interval of F1 = 2 hits / (2 hits + misses); misses = false positives and negatives.

    F1 is a growing function, 2 J / (1 + J), of J = hits / (hits + misses), a proportion: the ends of its Wilson
    interval are carried over.
    """
    low, high = wilson_interval(hits, hits + misses, z)
    return 2 * low / (1 + low), 2 * high / (1 + high)
