"""COCO's numbers of two detectors on some images, with intervals by what each image does to them.

Sources are told in `localreg.metrics.coco.influence`, coverage by `tests/simulations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from localreg.metrics.coco import DetectionMatches
from localreg.metrics.coco.influence import Changes
from localreg.statistics import Estimate
from localreg.statistics.images import compare_changes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["CLASS_METRIC", "Part", "class_numbers", "numbers"]

T = TypeVar("T")

CLASS_METRIC = "AP"
"""What is told of each class, too."""


class Part(NamedTuple):
    """Images of a unit.

    Attributes:
        images: their numbers, rising.
        members: of each, the number of what it is sampled with: itself, or its cluster.
        units: how many of these there are.
        matches: of both models, without other images.
    """

    images: Indices
    members: Indices
    units: int
    matches: tuple[DetectionMatches, DetectionMatches]

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.images)

    def of_both(self, found: Callable[[DetectionMatches], T]) -> tuple[T, T]:
        """What is found of both models; once, of one that is measured by itself."""
        a, b = self.matches
        first = found(a)
        return first, first if b is a else found(b)

    def unit_of_image(self) -> Indices:
        """Of each image there is, the number of what it is sampled with; 0 of others, in which nothing is."""
        import numpy as np

        found = np.zeros(len(self.matches[0].images), np.int64)
        found[self.images] = self.members
        return found


def numbers(part: Part, names: Sequence[str], confidence: float) -> list[Estimate]:
    """Of all classes, in the order of the names."""
    a, b = part.of_both(lambda each: each.numbers(names))
    units, found = part.unit_of_image(), []
    for name in names:
        changes = part.of_both(lambda each: each.influence(name, units).on_mean(part.units))  # noqa: B023 - called at once
        found.append(_estimate(name, (a[name], b[name]), changes, part, confidence))
    return found


def class_numbers(part: Part, classes: Sequence[int], confidence: float) -> list[Estimate]:
    """`CLASS_METRIC` of each class, given by its code."""
    units = part.unit_of_image()
    a, b = part.of_both(DetectionMatches.average_precision_per_class)
    models = part.of_both(lambda each: each.influence(CLASS_METRIC, units))
    found = []
    for code in classes:
        places = [int(each.classes.searchsorted(code)) for each in part.matches]
        changes = [each.on_class(place, part.units) for each, place in zip(models, places, strict=True)]
        found.append(_estimate(CLASS_METRIC, (a.get(code), b.get(code)), changes, part, confidence))
    return found


def _estimate(
    metric: str, values: tuple[float | None, float | None], changes: Sequence[Changes], part: Part, confidence: float
) -> Estimate:
    a, b = changes
    return compare_changes(
        metric,
        values,
        (a.each, b.each),
        n=part.n,
        holding=min(a.holding, b.holding),
        rounding=(a.rounding, b.rounding),
        confidence=confidence,
    )
