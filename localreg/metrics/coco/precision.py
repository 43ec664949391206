"""Precision at 101 levels of recall, for all classes at once, each image as often as its weight says.

Only true positives are looked at: nowhere else does recall rise, and nowhere else is precision highest from there on,
which is what COCO interpolates. So of half a million detections some ten thousand count at each threshold, and false
positives are told from how many detections that count went before.

Numbers are whole until the one division, so that they are COCO's own, to the last bit.

Source:
    COCOeval.accumulate, in T.-Y. Lin et al., Microsoft COCO: Common Objects in Context (2014).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.found import Found

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["Curves", "mean_of"]

LEVELS = 101
"""Of recall: 0, 0.01, …, 1."""


class Curves:
    """What precision and recall come from.

    Args:
        found: what was matched.
        weights: int64 (images,), how often each image counts; None = once.
    """

    def __init__(self, found: Found, weights: Indices | None = None) -> None:
        self._found = found
        self._weights = weights
        self._before: dict[int, Indices] = {}

    @cached_property
    def _each(self) -> Indices | None:
        """How often each detection counts."""
        return None if self._weights is None else self._weights[self._found.image]

    def truths(self, area: int) -> Indices:
        """How many truths of each class count."""
        import numpy as np

        found = self._found
        counts = found.counted[:, area]
        if self._weights is None:
            return np.bincount(found.truth_class[counts], minlength=len(found.classes))
        sums = np.zeros(len(found.classes), np.int64)
        np.add.at(sums, found.truth_class[counts], self._weights[found.truth_image[counts]])
        return sums

    def true_positives(self, threshold: int, area: int, limit: int) -> Indices:
        """How many of each class, among the first `limit` detections of that class in each image."""
        import numpy as np

        found = self._found
        places = found.hits[found.flags(threshold, area, found.hits)[0]]
        places = places[found.rank[places] < limit]
        if self._each is None:
            return np.bincount(found.class_[places], minlength=len(found.classes))
        sums = np.zeros(len(found.classes), np.int64)
        np.add.at(sums, found.class_[places], self._each[places])
        return sums

    def recall(self, threshold: int, area: int, limit: int) -> Numbers:
        """Of each class: found ÷ there; NaN where nothing is there."""
        import numpy as np

        there = self.truths(area)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.true_positives(threshold, area, limit) / there)

    def precision(self, threshold: int, area: int) -> Numbers:
        """(classes, 101): the highest precision at each level of recall or beyond; NaN where nothing is there."""
        import numpy as np

        found = self._found
        there = self.truths(area)
        hits = found.hits
        right, ignored = found.flags(threshold, area, hits)
        # Of detections that are matched somewhere, those that count at this threshold need not be those of the size.
        counted = np.cumsum(self._times(~ignored, hits) - self._times(found.inside[hits, area], hits))
        counted = np.concatenate([[0], counted])
        starts = np.searchsorted(hits, found.starts)
        before = self._counted_before(area)
        base = before[found.starts] + counted[starts]
        true = np.flatnonzero(right)
        class_ = found.class_[hits[true]]
        seen = before[hits[true] + 1] + counted[true + 1] - base[class_]
        total = np.concatenate([[0], np.cumsum(self._times(right[true], hits[true]))])
        bounds = np.searchsorted(true, starts)
        positive = (total[1:] - total[bounds][class_]).astype(np.float64)
        precision = positive / ((seen - positive) + positive + np.spacing(1))
        wanted = total[bounds[:-1], None] + _needed(there)
        first = np.minimum(np.searchsorted(total[1:], wanted), bounds[1:, None])
        highest = _highest_from(precision, first, bounds[1:])
        highest[there == 0] = np.nan
        return highest

    def _times(self, flags: Flags, places: Indices) -> Indices:
        import numpy as np

        return flags.astype(np.int64) if self._each is None else np.where(flags, self._each[places], 0)

    def _counted_before(self, area: int) -> Indices:
        """How many detections of the size went before each, and before the end, matched or not."""
        import numpy as np

        if area not in self._before:
            inside = self._found.inside[:, area]
            count = np.zeros(len(inside) + 1, np.int64)
            np.cumsum(inside if self._each is None else inside * self._each, out=count[1:])
            self._before[area] = count
        return self._before[area]


def _needed(there: Indices) -> Indices:
    """(classes, 101): the least number of true positives, 1 or more, whose share of all truths is a level of recall."""
    import numpy as np

    levels = np.linspace(0, 1, LEVELS)
    count = np.maximum(there, 1)[:, None]
    least = np.maximum(np.floor(levels * count).astype(np.int64) - 1, 1)
    for _ in range(3):  # the product may be a last bit off what the quotient says
        least += least / count < levels
    return np.asarray(least, np.int64)


def _highest_from(precision: Numbers, first: Indices, ends: Indices) -> Numbers:
    """The highest precision from each of these places on, up to the end of the class; 0 where that is the end."""
    import numpy as np

    places = np.concatenate([first, ends[:, None]], axis=1)
    padded = np.concatenate([precision, [0.0]])
    between = np.maximum.reduceat(padded, places.ravel()).reshape(places.shape)[:, :-1] if places.size else first * 1.0
    between[first >= ends[:, None]] = 0
    return np.asarray(np.maximum.accumulate(between[:, ::-1], axis=1)[:, ::-1])


def mean_of(values: Numbers) -> float | None:
    """The mean of numbers that are not NaN, summed as COCO does; None if there is none."""
    import numpy as np

    there = values[~np.isnan(values)]
    return float(np.mean(there)) if len(there) else None
