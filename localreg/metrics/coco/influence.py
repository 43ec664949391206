"""By how much COCO's numbers would change if an image counted a little more: what their standard errors come from.

A number is a function of how often each image counts. Its derivatives where each counts once, squared and summed, are
its variance (the infinitesimal jackknife). That costs what a few draws of a bootstrap do, and nothing of it is luck, by
which the widths of a hundred draws are 7 % off.

Of average precision: let precision be highest, from the i-th true positive of a class on, at its e(i)-th. Then AP is
the mean over all truths of the precision at e(i), and an image changes it by the true positives that it adds, by what
its detections do to the precision at those that come after them, and by its truths. Two things come on top:

- A class that few images have objects of would pass for surer than it is. Its part counts sqrt(m / (m - 1)) times for m
  images, as HC2 does in regression; of a class that one image alone has, only the distance of its value from the mean
  of all classes tells how far it may vary.
- COCO reads precision at recalls of 0, 0.01 and so on, so that AP falls by a whole step where recall falls below one.
  The derivative takes the mean slope; `_rounding` adds the variance of the rest.

Sources:
    L. Jaeckel, The Infinitesimal Jackknife, Bell Laboratories Memorandum MM 72-1215-11 (1972); B. Efron and R.
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 21.
    J. MacKinnon and H. White, Journal of Econometrics 29 (1985) 305, for HC2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from localreg.metrics.coco.precision import LEVELS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.found import Found
    from localreg.metrics.coco.layout import Layout
    from localreg.metrics.coco.precision import Curves

    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int32]

__all__ = ["Changes", "Influence", "of_precision", "of_recall"]

ORDERS = 30
"""Of a series; more change nothing where rounding matters."""


class Changes(NamedTuple):
    """Of one number.

    Attributes:
        each: (units,), what each unit does to it: the derivative by how often it counts.
        rounding: variance by steps of recall.
        holding: how many units tell of it: those with such objects; of a mean over classes all of them.
    """

    each: Numbers
    rounding: float
    holding: int


@dataclass(frozen=True, eq=False)
class Influence:
    """What images, or clusters of them, do to a number, class by class; what belongs to the same two is to be summed.

    Attributes:
        unit: int64 (k,), places in `Found.images`, or numbers of clusters.
        class_: int64 (k,), places in `Found.classes`.
        change: float64 (k,), the derivative of the number of that class.
        value: float64 (classes,), the number of each class; NaN where there is no object.
        rounding: float64 (classes,), variance of it by steps of recall.
        holding: int64 (classes,), how many units have such objects.
        lone: int64 (classes,), the unit that has them, where it is one alone; else -1.
    """

    unit: Indices
    class_: Indices
    change: Numbers
    value: Numbers
    rounding: Numbers
    holding: Indices
    lone: Indices

    def on_mean(self, units: int) -> Changes:
        """On the mean over classes, of so many units."""
        import numpy as np

        there = self.holding > 0
        classes = max(1, int(there.sum()))
        each = np.bincount(self.unit, self.change, minlength=units)
        lone = np.flatnonzero(self.lone >= 0)
        if len(lone) and classes > 1:
            apart = self.value[there].mean() - self.value[lone]
            each += np.bincount(self.lone[lone], apart, minlength=units)
        return Changes(each / classes, float(self.rounding.sum()) / classes**2, units)

    @cached_property
    def _by_class(self) -> tuple[Indices, Indices]:
        """Their order by class, and where each class begins."""
        import numpy as np

        order = np.argsort(self.class_, kind="stable")
        return order, np.searchsorted(self.class_[order], np.arange(len(self.value) + 1))

    def on_class(self, place: int, units: int) -> Changes:
        """On the number of the class at a place in `Found.classes`."""
        import numpy as np

        order, bounds = self._by_class
        rows = order[bounds[place] : bounds[place + 1]]
        each = np.bincount(self.unit[rows], self.change[rows], minlength=units).astype(np.float64)
        return Changes(each, float(self.rounding[place]), int(self.holding[place]))


def of_precision(
    found: Found, curves: Curves, thresholds: Sequence[int], area: int, *, units: Indices | None = None
) -> Influence:
    """On average precision as the mean over thresholds.

    Args:
        found: what was matched.
        curves: of it, with each image once.
        thresholds: places.
        area: place.
        units: (images,), the cluster of each image; None = each for itself.
    """
    import numpy as np

    parts = _Parts(found, area, len(thresholds), units)
    size, means = found.sized(area), np.zeros(len(found.classes))
    steps, rounding = np.zeros(len(size.image) + 1), np.zeros(len(found.classes))
    for threshold in thresholds:
        layout = found.layout(threshold, area)
        if not len(layout.image):
            continue
        course = _course(layout, len(found.classes))
        each = parts.each[layout.class_]
        parts.add(layout.image, layout.class_, each * (course.highest + _from(course.pulls / course.seen, layout)))
        lost = each * course.pulls * course.precision / course.seen
        steps += _stepwise(layout.seen, layout.begin[layout.class_], lost, len(steps))
        odd = _stepwise(layout.odd_seen, layout.odd_begin[layout.class_], lost, len(layout.odd_image) + 1)
        parts.add(layout.odd_image, layout.odd_class, -layout.odd_sign * _later(odd))
        means += np.bincount(layout.class_, course.highest, minlength=len(means)) / np.maximum(1, parts.truths)
        rounding += _rounding(layout, course, parts.truths)
    parts.add(size.image, found.class_[found.inside[:, area]], -_later(steps))
    parts.take_truths(parts.each * means)
    values = [curves.precision(threshold, area).mean(axis=1) for threshold in thresholds]
    return parts.made(np.mean(values, axis=0), rounding / len(thresholds) ** 2)


def of_recall(
    found: Found, curves: Curves, thresholds: Sequence[int], area: int, limit: int, *, units: Indices | None = None
) -> Influence:
    """On average recall as the mean over thresholds, of so many detections of one class in one image; as above."""
    import numpy as np

    parts = _Parts(found, area, len(thresholds), units)
    for threshold in thresholds:
        layout = found.layout(threshold, area)
        counts = layout.rank < limit
        parts.add(layout.image[counts], layout.class_[counts], parts.each[layout.class_[counts]])
    value = np.mean([curves.recall(threshold, area, limit) for threshold in thresholds], axis=0)
    parts.take_truths(np.nan_to_num(value) * parts.each * len(thresholds))
    return parts.made(value, np.zeros(len(value)))


class _Parts:
    """An influence in the making.

    Attributes:
        truths: (classes,), how many objects there are.
        each: (classes,), what one of them weighs in the mean over thresholds; 0 where there is none.
    """

    def __init__(self, found: Found, area: int, thresholds: int, units: Indices | None) -> None:
        import numpy as np

        self._units = units
        counts, width, classes = found.counted[:, area], max(1, len(found.images)), len(found.classes)
        self._image, self._class = found.truth_image[counts], found.truth_class[counts]
        self.truths = np.bincount(self._class, minlength=classes).astype(np.float64)
        held = np.unique(self._class * width + self._unit(self._image))
        self._holding = np.bincount(held // width, minlength=classes)
        self._lone = np.full(classes, -1)
        one = np.flatnonzero(self._holding == 1)
        self._lone[one] = held[np.searchsorted(held // width, one)] % width
        holding = self._holding.astype(np.float64)
        wider = np.sqrt(np.divide(holding, holding - 1, out=np.ones(classes), where=holding > 1))
        self.each = np.divide(wider, thresholds * self.truths, out=np.zeros(classes), where=holding > 0)
        self._parts: list[tuple[Indices, Indices, Numbers]] = []

    def _unit(self, image: Indices) -> Indices:
        return image if self._units is None else self._units[image]

    def add(self, image: Indices, class_: Indices, change: Numbers) -> None:
        """What some detections do."""
        self._parts.append((self._unit(image), class_, change))

    def take_truths(self, each: Numbers) -> None:
        """By one object more of a class its number falls by this much, (classes,)."""
        self.add(self._image, self._class, -each[self._class])

    def made(self, value: Numbers, rounding: Numbers) -> Influence:
        """All of it."""
        import numpy as np

        unit, class_, change = (np.concatenate(each) for each in zip(*self._parts, strict=True))
        return Influence(unit, class_, change, value, rounding, self._holding, self._lone)


@dataclass(frozen=True, eq=False)
class _Course:
    """Of each true positive of a layout.

    Attributes:
        seen: how many detections of its class count up to it, itself with them.
        precision: there.
        highest: from there on, in its class.
        pulls: for how many true positives precision is highest at this one.
    """

    seen: Numbers
    precision: Numbers
    highest: Numbers
    pulls: Numbers


def _course(layout: Layout, classes: int) -> _Course:
    import numpy as np

    count = len(layout.image)
    odd = np.concatenate([[0], np.cumsum(layout.odd_sign)])
    seen = layout.seen + odd[layout.odd_seen] - (layout.begin + odd[layout.odd_begin])[layout.class_]
    precision = (np.arange(1, count + 1) - layout.bounds[layout.class_]) / seen
    # Backwards classes fall, so that each begins above all that came before.
    above = (precision + 2.0 * (classes - layout.class_))[::-1]
    is_highest = above >= np.maximum.accumulate(above)
    places = count - 1 - np.maximum.accumulate(np.where(is_highest, np.arange(count), 0))[::-1]
    pulls = np.bincount(places, minlength=count).astype(np.float64)
    return _Course(seen.astype(np.float64), precision, precision[places], pulls)


def _rounding(layout: Layout, course: _Course, truths: Numbers) -> Numbers:
    """Variance of AP at a threshold by steps of recall, (classes,).

    Recall k / n is read as the last step below it. Its error against the mean slope is that of rounding down, which
    varies by twice the mean of f (1 - f) / 2, in squared steps, if f is the part of a step by which recall itself
    varies; for a normal f that is the series below, 1/6 for many steps and 0 for none. A step is as high as the last
    precision.
    """
    import numpy as np

    hits = np.diff(layout.bounds)
    last = np.where(hits > 0, course.highest[np.maximum(layout.bounds[1:] - 1, 0)], 0.0)
    recall = np.divide(hits, truths, out=np.zeros(len(hits)), where=truths > 0)
    steps = (LEVELS - 1) ** 2 * recall * (1 - recall) / np.maximum(truths, 1)  # variance of recall
    orders = np.arange(1, ORDERS + 1)[:, None] ** 2
    series = (np.exp(-2 * np.pi**2 * orders * steps) / orders).sum(axis=0)
    share = np.where(steps > 0, np.maximum(0.0, 1 / 6 - series / np.pi**2), 0.0)
    return np.asarray((last / LEVELS) ** 2 * share)


def _from(values: Numbers, layout: Layout) -> Numbers:
    """Sums from each true positive on, to the end of its class."""
    import numpy as np

    sums = np.concatenate([np.cumsum(values[::-1])[::-1], [0.0]])
    return np.asarray(sums[:-1] - sums[layout.bounds[layout.class_ + 1]])


def _stepwise(ends: Indices | Places, begins: Indices | Places, values: Numbers, size: int) -> Numbers:
    """What is to be summed backwards, that each place from a begin to before an end has the value, (size,)."""
    import numpy as np

    return np.asarray(np.bincount(ends, values, minlength=size) - np.bincount(begins, values, minlength=size))


def _later(steps: Numbers) -> Numbers:
    """The sum of all that comes after each place but the last."""
    import numpy as np

    return np.asarray(np.cumsum(steps[::-1])[::-1][1:])
