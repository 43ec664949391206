"""Who found what, by the rules of COCO: each detection takes the truth that it overlaps most, if that is free.

- Detections choose in order of falling score, within one image and class.
- Each chooses, of the truths that are free and that it overlaps by the threshold or more, the one that it overlaps
  most; of equal ones, the later one. Truths that count go before those that do not (crowds, and what is not of the
  size that is looked at): only who finds none of the former may take one of the latter. A crowd is never taken away.

All thresholds and sizes are matched at once: each is one bit of a word, and free, taken and matched are words of each
truth and detection. Groups (one image, one class) know nothing of each other, so that step s takes the s-th choice of
every group, in a few operations on whole columns; there are as many steps as the fullest group has choices.

Source:
    T.-Y. Lin et al., Microsoft COCO: Common Objects in Context (2014); its evaluation code, `COCOeval.evaluateImg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.overlaps import Pairs

    Indices = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]
    Flags = npt.NDArray[np.bool_]

__all__ = ["ALMOST_ONE", "BITS", "assigned", "repeated"]

BITS = 64
"""Of one word: so many combinations of a threshold and a size are matched at once."""
ALMOST_ONE = 1 - 1e-10
"""A threshold of 1 is met by this, as in COCO's own code."""


def repeated(flags: Flags, times: int) -> Words:
    """Rows of flags, one for each size, as words that say them for each of so many thresholds."""
    import numpy as np

    sizes = flags.shape[1]
    weights = np.array([1 << size for size in range(sizes)], np.uint64)
    once = (flags * weights).sum(axis=1, dtype=np.uint64)
    return np.asarray(once * np.uint64(sum(1 << (sizes * each) for each in range(times))), np.uint64)


def assigned(
    pairs: Pairs, group: Indices, counted: Flags, crowd: Flags, thresholds: Sequence[float], detections: int
) -> tuple[Words, Words]:
    """Match.

    Args:
        pairs: who may be matched with whom.
        group: of each pair; never falls.
        counted: bool (truths, sizes): whether a truth counts among those of a size.
        crowd: bool (truths,).
        thresholds: rising; times the sizes, at most 64.
        detections: how many there are.

    Returns:
        For each detection a word whose bit `threshold * sizes + size` says whether it is matched, and one whether that
        is with a truth that does not count.
    """
    import numpy as np

    sizes = counted.shape[1]
    reached = np.searchsorted(np.minimum(thresholds, ALMOST_ONE), pairs.iou, "right")
    full = [(1 << (sizes * count)) - 1 for count in range(len(thresholds) + 1)]
    possible = np.array(full, np.uint64)[reached]
    normal = repeated(counted, len(thresholds))
    matched, aside = np.zeros(detections, np.uint64), np.zeros(detections, np.uint64)
    taken = np.zeros(len(counted), np.uint64)
    keeps = np.where(crowd, np.uint64(0), np.uint64(full[-1]))
    choices = _choices(pairs, group, possible, normal)
    if choices is None:
        return matched, aside
    bounds, pair, wanted, second = choices
    detection, truth = pairs.detection[pair], pairs.truth[pair]
    for begin, end in pairwise(bounds):
        d, t = detection[begin:end], truth[begin:end]
        had = matched[d]
        new = wanted[begin:end] & ~taken[t] & ~had
        matched[d] = had | new
        taken[t] |= new & keeps[t]
        aside[d] |= np.where(second[begin:end], new, np.uint64(0))
    return matched, aside


def _choices(
    pairs: Pairs, group: Indices, possible: Words, normal: Words
) -> tuple[list[int], Indices, Words, Flags] | None:
    """All that may be tried, by step: bounds of the steps; of each try its pair, its bits, whether it is second choice.

    Of one detection, all its truths as far as they count come first, then the same truths as far as they do not.
    """
    import numpy as np

    count = len(pairs.detection)
    if not count:
        return None
    starts = np.flatnonzero(np.diff(pairs.detection, prepend=-1))
    sizes = np.diff(starts, append=count)
    first, each = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    place = first + np.arange(count)  # of the first choice: as many of these and of second ones went before
    pair = np.empty(2 * count, np.int64)
    pair[place], pair[place + each] = np.arange(count), np.arange(count)
    second = np.zeros(2 * count, bool)
    second[place + each] = True
    wanted = possible[pair] & np.where(second, ~normal[pairs.truth[pair]], normal[pairs.truth[pair]])
    some = np.flatnonzero(wanted)
    pair, second, wanted = pair[some], second[some], wanted[some]
    of_group = group[pair]
    begins = np.flatnonzero(np.diff(of_group, prepend=-1))
    step = np.arange(len(pair)) - np.repeat(begins, np.diff(begins, append=len(pair)))
    order = np.argsort(step, kind="stable")
    bounds = np.searchsorted(step[order], np.arange(int(step.max()) + 2)).tolist()
    return bounds, pair[order], wanted[order], second[order]
