"""Matches of a detector: all that can be counted from them, for all images or for a sample of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.coco.counting import BestThreshold, Counts, CountTable, best_threshold, count_table
from localreg.metrics.coco.found import COCO_AREAS, COCO_IOU_THRESHOLDS, Found
from localreg.metrics.coco.influence import Influence, of_precision, of_recall
from localreg.metrics.coco.precision import Curves, mean_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from numpy.typing import ArrayLike

    Ids = npt.NDArray[np.generic]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["COCO_NUMBERS", "DetectionMatches"]

_AP = {
    "AP": ("all", None),
    "AP50": ("all", 0.5),
    "AP75": ("all", 0.75),
    "APs": ("small", None),
    "APm": ("medium", None),
    "APl": ("large", None),
}
"""Of what size, and at which threshold."""
_AR = {
    "AR1": ("all", 1),
    "AR10": ("all", 10),
    "AR100": ("all", 100),
    "ARs": ("small", 100),
    "ARm": ("medium", 100),
    "ARl": ("large", 100),
}
"""Of what size, and of how many detections."""
COCO_NUMBERS = (*_AP, *_AR)
"""Names of the 12 numbers."""


@dataclass(frozen=True, eq=False)
class DetectionMatches:
    """Which detections found something, at each threshold of IoU and for each range of sizes.

    Classes without truths count in no mean, as in COCO: their own numbers are None, and so is a mean over none.

    Attributes:
        found: detections and truths as columns, with what was matched.
        weights: int64 (images,), how often each image counts; None = once.
        max_detections: of one class and image, so many were matched; None = all.
    """

    found: Found
    weights: Indices | None = None
    max_detections: int | None = 100

    @property
    def images(self) -> Ids:
        """Ids, rising; weights and counts per image are in this order."""
        return self.found.images

    @property
    def classes(self) -> Ids:
        """Ids, rising."""
        return self.found.classes

    @cached_property
    def _curves(self) -> Curves:
        return Curves(self.found, self.weights)

    def resampled(self, weights: ArrayLike) -> DetectionMatches:
        """The same matches, each image counted so many times: for bootstrap (counts drawn) and jackknife (0 and 1).

        Nothing is matched again. The numbers are those of a data set in which each image stands so often, provided
        that no two detections of one class have the same score.

        Args:
            weights: (images,), whole numbers, 0 or more, in the order of `images`.

        Raises:
            InvalidInputError: they are something else.
        """
        import numpy as np

        given = np.asarray(weights)
        whole = given.astype(np.int64) if given.dtype.kind in "iub" else None
        if whole is None or whole.shape != self.images.shape or (whole < 0).any():
            raise InvalidInputError(f"weights must be {len(self.images):,} whole numbers, 0 or more, one an image")
        return DetectionMatches(self.found, whole, self.max_detections)

    def numbers(self, names: Sequence[str] = COCO_NUMBERS) -> dict[str, float | None]:
        """The 12 numbers of COCO, or some of them.

        Returns:
            `AP` over all thresholds, `AP50` and `AP75` at one, `APs`, `APm` and `APl` of small, medium and large
            objects; `AR1`, `AR10` and `AR100` with so many detections of one class in one image at most, and `ARs`,
            `ARm` and `ARl`. In [0, 1]; None (where COCO's code says -1) if there is no such object.

        Raises:
            InvalidInputError: it was not COCO's thresholds and sizes that were matched, or fewer than 100 detections.
        """
        coco = self._for_coco()
        return {
            name: mean_of(coco._precision(*_AP[name]) if name in _AP else coco._recall(*_AR[name])) for name in names
        }

    def influence(self, name: str, units: Indices | None = None) -> Influence:
        """What each image, counted once, does to one of the 12 numbers: what its standard error comes from.

        Args:
            name: of `COCO_NUMBERS`.
            units: (images,), the cluster of each image, from 0; None = each for itself.

        Raises:
            InvalidInputError: as `numbers`.
        """
        found = self._for_coco().found
        curves = self._curves if found is self.found and self.weights is None else Curves(found)
        if name in _AP:
            area, iou = _AP[name]
            return of_precision(found, curves, self._thresholds(iou), found.area_named(area), units=units)
        area, limit = _AR[name]
        return of_recall(found, curves, self._thresholds(None), found.area_named(area), limit, units=units)

    def average_precision(self, iou: float | None = None, *, area: str = "all") -> float | None:
        """The mean over classes, over 101 levels of recall, and over all thresholds or at one.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        return mean_of(self._precision(area, iou))

    def average_precision_per_class(self, iou: float | None = None, *, area: str = "all") -> dict[object, float | None]:
        """The same of each class, by its id; None if it has no truths.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        values = self._precision(area, iou)
        return {id: mean_of(values[:, :, place]) for place, id in enumerate(self.classes.tolist())}

    def class_precisions(self, iou: float | None = None, *, area: str = "all") -> Numbers:
        """The same as an array in the order of `classes`, NaN where undefined; sums may differ in the last bit.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        import numpy as np

        return np.asarray(self._precision(area, iou).mean(axis=(0, 1)))

    def average_recall(self, iou: float | None = None, *, area: str = "all", max_detections: int = 100) -> float | None:
        """The mean over classes, and over all thresholds or at one, of the share of truths that are found.

        Args:
            iou: a threshold; None = all.
            area: a range of sizes.
            max_detections: so many of one class in one image.

        Raises:
            InvalidInputError: nothing was matched at that threshold, for that size, or of so many detections.
        """
        self._refuse_fewer_than(max_detections)
        return mean_of(self._recall(area, max_detections, iou))

    def count_table(self, *, iou: float = 0.5, score: float = float("-inf"), area: str = "all") -> CountTable:
        """True and false positives and false negatives, by image and class.

        Args:
            iou: a threshold.
            score: detections of this score and above count.
            area: a range of sizes.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        found = self.found
        return count_table(found, found.threshold_at(iou), found.area_named(area), score, self.weights)

    def counts(self, *, iou: float = 0.5, score: float = float("-inf"), area: str = "all") -> Counts:
        """The same over all classes, with precision, recall and F1 (micro averages).

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        return self.count_table(iou=iou, score=score, area=area).total()

    def counts_per_class(
        self, *, iou: float = 0.5, score: float = float("-inf"), area: str = "all"
    ) -> dict[object, Counts]:
        """The same of each class, by its id.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        return self.count_table(iou=iou, score=score, area=area).per_class()

    def best_threshold(self, *, iou: float = 0.5, area: str = "all") -> BestThreshold | None:
        """The score at which F1 over all classes is highest; the highest such score. None if nothing is found.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        return self._best(slice(None), iou, area, int(self._curves.truths(self.found.area_named(area)).sum()))

    def best_threshold_per_class(self, *, iou: float = 0.5, area: str = "all") -> dict[object, BestThreshold | None]:
        """The same of each class, by its id.

        Raises:
            InvalidInputError: nothing was matched at that threshold or for that size.
        """
        starts = self.found.starts.tolist()
        truths = self._curves.truths(self.found.area_named(area)).tolist()
        return {
            id: self._best(slice(starts[place], starts[place + 1]), iou, area, truths[place])
            for place, id in enumerate(self.classes.tolist())
        }

    def _for_coco(self) -> DetectionMatches:
        """What the 12 numbers are made of."""
        found = self.found
        if found.thresholds != COCO_IOU_THRESHOLDS or found.areas != COCO_AREAS:
            raise InvalidInputError("the 12 numbers need matches at COCO's thresholds and sizes, the defaults")
        self._refuse_fewer_than(100)
        return self if self.max_detections == 100 else DetectionMatches(found.limited(100), self.weights)

    def _best(self, places: slice, iou: float, area: str, truths: int) -> BestThreshold | None:
        found = self.found
        right, ignored = found.flags(found.threshold_at(iou), found.area_named(area), places)
        weights = None if self.weights is None else self.weights[found.image[places]][~ignored]
        return best_threshold(found.score[places][~ignored], right[~ignored], weights, truths)

    def _precision(self, area: str, iou: float | None = None) -> Numbers:
        """(thresholds, 101, classes)."""
        import numpy as np

        place = self.found.area_named(area)
        each = [self._curves.precision(threshold, place).T for threshold in self._thresholds(iou)]
        return np.stack(each)

    def _recall(self, area: str, limit: int, iou: float | None = None) -> Numbers:
        """(thresholds, classes)."""
        import numpy as np

        place = self.found.area_named(area)
        return np.stack([self._curves.recall(threshold, place, limit) for threshold in self._thresholds(iou)])

    def _thresholds(self, iou: float | None) -> list[int]:
        found = self.found
        return [*range(len(found.thresholds))] if iou is None else [found.threshold_at(iou)]

    def _refuse_fewer_than(self, wanted: int) -> None:
        if self.max_detections is not None and self.max_detections < wanted:
            raise InvalidInputError(
                f"only {self.max_detections} detections of one class in one image were matched, and {wanted} are asked "
                f"for; pass max_detections={wanted}"
            )
