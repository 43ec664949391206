"""Ranks of numbers, and Spearman's correlation of two models with the truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ranks", "spearman"]


def ranks(column: Floats) -> Floats:
    """Places in ascending order, from 1; equal values share the mean of theirs. There must be no NaN."""
    import numpy as np

    n, order = len(column), np.argsort(column)
    ordered = column[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[:n])
    places: Floats = np.empty(n)
    if len(begins) == n:
        places[order] = np.arange(1.0, n + 1)
    else:
        sizes = np.diff(begins, append=n)
        places[order] = np.repeat(begins + (sizes + 1) / 2, sizes)
    return places


def spearman(truth: Floats, said: tuple[Floats, ...]) -> list[float | None]:
    """The correlation of each with the truth, of which all are ranked once; None where all values are the same.

    Source:
        C. Spearman, American Journal of Psychology 15 (1904) 72; of ties M. Kendall, Rank Correlation Methods (1948),
        section 3.8: Pearson's correlation of mean ranks.
    """
    mean = (len(truth) + 1) / 2  # of ranks, whatever the values are
    with ThreadPoolExecutor(1 + len(said)) as pool:  # sorting lets go of the interpreter
        first, *rest = pool.map(lambda column: ranks(column) - mean, (truth, *said))
    spread = float(first @ first)
    spreads = [spread * float(each @ each) for each in rest]
    return [
        min(1.0, max(-1.0, float(first @ each) / sqrt(own))) if own else None
        for each, own in zip(rest, spreads, strict=True)
    ]
