"""Precision at 101 levels of recall, for all classes at once, each image as often as its weight says.

Only true positives are looked at: nowhere else does recall rise, and nowhere else is precision highest from there on,
which is what COCO interpolates. So of half a million detections some ten thousand count at each threshold, and false
positives are told from how many detections that count went before.

Numbers are whole until the one division, so that they are COCO's own, to the last bit.

Source:
    COCOeval.accumulate, in T.-Y. Lin et al., Microsoft COCO: Common Objects in Context (2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.found import Found

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
        import numpy as np

        self._found = found
        self._weights = np.ones(len(found.images), np.int64) if weights is None else weights
        self._truths: dict[int, Indices] = {}
        self._levels: dict[int, Indices] = {}
        self._before: dict[int, Indices] = {}
        self._totals: dict[tuple[int, int], Indices] = {}
        self._precision: dict[tuple[int, int], Numbers] = {}

    def truths(self, area: int) -> Indices:
        """How many truths of each class count."""
        if area not in self._truths:
            found = self._found
            counts = found.counted[:, area]
            image, class_ = found.truth_image[counts], found.truth_class[counts]
            self._truths[area] = _summed(class_, self._weights[image], len(found.classes))
        return self._truths[area]

    def true_positives(self, threshold: int, area: int, limit: int) -> Indices:
        """How many of each class, among the first `limit` detections of that class in each image."""
        layout = self._found.layout(threshold, area)
        counts = layout.rank < limit
        if counts.all():
            totals = self._total(threshold, area)[layout.bounds]
            return totals[1:] - totals[:-1]
        each = self._weights[layout.image[counts]]
        return _summed(layout.class_[counts], each, len(self._found.classes))

    def recall(self, threshold: int, area: int, limit: int) -> Numbers:
        """Of each class: found ÷ there; NaN where nothing is there."""
        import numpy as np

        there = self.truths(area)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.true_positives(threshold, area, limit) / there)

    def precision(self, threshold: int, area: int) -> Numbers:
        """(classes, 101): the highest precision at each level of recall or beyond; NaN where nothing is there."""
        if (threshold, area) not in self._precision:
            self._precision[threshold, area] = self._computed(threshold, area)
        return self._precision[threshold, area]

    def _computed(self, threshold: int, area: int) -> Numbers:
        import numpy as np

        layout = self._found.layout(threshold, area)
        before, odd = self._counted_before(area), _running(layout.odd_sign * self._weights[layout.odd_image])
        base = before[layout.begin] + odd[layout.odd_begin]
        seen = before[layout.seen] + odd[layout.odd_seen] - base[layout.class_]
        total, bounds = self._total(threshold, area), layout.bounds
        positive = (total[1:] - total[bounds][layout.class_]).astype(np.float64)
        precision = positive / ((seen - positive) + positive + np.spacing(1))
        wanted = total[bounds[:-1], None] + self._needed(area)
        first = np.minimum(np.searchsorted(total[1:], wanted), bounds[1:, None])
        highest = _highest_from(precision, first, bounds[1:])
        highest[self.truths(area) == 0] = np.nan
        return highest

    def _total(self, threshold: int, area: int) -> Indices:
        """How many true positives of all classes go before each, and before the end."""
        if (threshold, area) not in self._totals:
            self._totals[threshold, area] = _running(self._weights[self._found.layout(threshold, area).image])
        return self._totals[threshold, area]

    def _counted_before(self, area: int) -> Indices:
        """How many detections of the size go before each of these, and before the end, matched or not."""
        if area not in self._before:
            self._before[area] = _running(self._weights[self._found.sized(area).image])
        return self._before[area]

    def _needed(self, area: int) -> Indices:
        if area not in self._levels:
            self._levels[area] = _needed(self.truths(area))
        return self._levels[area]


def _running(values: Indices) -> Indices:
    """The sum before each, and of all."""
    import numpy as np

    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _summed(class_: Indices, values: Indices, classes: int) -> Indices:
    """The sum of each class: whole numbers, which floats hold exactly."""
    import numpy as np

    return np.bincount(class_, values, minlength=classes).astype(np.int64)


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
