"""What was matched, as columns: made once, counted in many ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.coco.columns import Detections, Truths
from localreg.metrics.coco.grouping import Groups, falling, grouped
from localreg.metrics.coco.layout import Layout, Sized, layout_of, sized
from localreg.metrics.coco.matching import ALMOST_ONE, BITS, assigned
from localreg.metrics.coco.overlaps import overlapping
from localreg.names import shown_value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Ids = npt.NDArray[np.generic]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]
    Words = npt.NDArray[np.uint64]

__all__ = ["COCO_AREAS", "COCO_IOU_THRESHOLDS", "Area", "Found", "find"]


@dataclass(frozen=True)
class Area:
    """A range of sizes; a truth or an unmatched detection outside of it does not count.

    Attributes:
        name: by which it is asked for.
        low: square pixels, inclusive.
        high: square pixels, inclusive.
    """

    name: str
    low: float
    high: float


COCO_AREAS = (
    Area("all", 0, 1e10),
    Area("small", 0, 32**2),
    Area("medium", 32**2, 96**2),
    Area("large", 96**2, 1e10),
)
"""The sizes of COCO. What is larger than 100,000 by 100,000 pixels counts in none of them."""

COCO_IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95)
"""Of COCO, bit by bit: equal steps from 0.5 to 0.95, of which one is not quite 0.9."""


@dataclass(frozen=True, eq=False)
class Found:
    """Detections by class and falling score (then by image, then as given), and truths by class and image.

    Attributes:
        images: ids, rising.
        classes: ids, rising.
        thresholds: of the IoU, rising.
        areas: the ranges of sizes.
        image: int64 (n,), of each detection, a place in `images`.
        class_: int64 (n,), a place in `classes`.
        score: float64 (n,).
        rank: int64 (n,), the place among the detections of that class in that image, from 0.
        row: int64 (n,), of the detections as they were given.
        inside: bool (n, areas), whether its own size is in the range.
        matched: uint64 (n, words): see `flags`.
        aside: uint64 (n, words), matched with a truth that does not count.
        truth_image: int64 (m,), of each truth, a place in `images`.
        truth_class: int64 (m,), a place in `classes`.
        truth_row: int64 (m,), of the truths as they were given.
        counted: bool (m, areas): no crowd, and its size is in the range.
    """

    images: Ids
    classes: Ids
    thresholds: tuple[float, ...]
    areas: tuple[Area, ...]
    image: Indices
    class_: Indices
    score: Numbers
    rank: Indices
    row: Indices
    inside: Flags
    matched: Words
    aside: Words
    truth_image: Indices
    truth_class: Indices
    truth_row: Indices
    counted: Flags

    @cached_property
    def starts(self) -> Indices:
        """Where the detections of each class begin, and where the last ones end."""
        import numpy as np

        return np.searchsorted(self.class_, np.arange(len(self.classes) + 1))

    @cached_property
    def hits(self) -> Indices:
        """Places of detections that are matched at any threshold."""
        import numpy as np

        return np.flatnonzero((self.matched != 0).any(axis=1))

    @cached_property
    def _sized(self) -> dict[int, Sized]:
        return {}

    @cached_property
    def _layouts(self) -> dict[tuple[int, int], Layout]:
        return {}

    def sized(self, area: int) -> Sized:
        """The detections of a range of sizes; kept."""
        if area not in self._sized:
            self._sized[area] = sized(self, area)
        return self._sized[area]

    def layout(self, threshold: int, area: int) -> Layout:
        """The true positives at a threshold, for a range of sizes; kept."""
        if (threshold, area) not in self._layouts:
            self._layouts[threshold, area] = layout_of(self, threshold, area, self.sized(area).before)
        return self._layouts[threshold, area]

    def of_images(self, chosen: Flags) -> Found:
        """Without detections and truths of other images, which count as empty then."""
        kept, there = chosen[self.image], chosen[self.truth_image]
        detections = ("image", "class_", "score", "rank", "row", "inside", "matched", "aside")
        truths = ("truth_image", "truth_class", "truth_row", "counted")
        columns = {name: getattr(self, name)[kept] for name in detections}
        return replace(self, **columns, **{name: getattr(self, name)[there] for name in truths})

    def flags(self, threshold: int, area: int, places: Indices | slice = slice(None)) -> tuple[Flags, Flags]:
        """Whether detections are matched with a truth that counts, and whether they are to be ignored.

        Ignored is who is matched with a truth that does not count, or is not matched and of another size. Whoever is
        neither is a false positive.
        """
        word, bit = self._bit(threshold, area)
        aside = _bit_of(self.aside[places, word], bit)
        matched = _bit_of(self.matched[places, word], bit)
        return matched & ~aside, aside | ~(matched | self.inside[places, area])

    def limited(self, limit: int) -> Found:
        """Without detections whose rank is `limit` or more: these never decide what those before them find."""
        kept = self.rank < limit
        columns = ("image", "class_", "score", "rank", "row", "inside", "matched", "aside")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})

    def _bit(self, threshold: int, area: int) -> tuple[int, int]:
        each = BITS // len(self.areas)
        return threshold // each, threshold % each * len(self.areas) + area

    def threshold_at(self, iou: float) -> int:
        """The place of a threshold, within rounding.

        Raises:
            InvalidInputError: nothing was matched at it.
        """
        for place, each in enumerate(self.thresholds):
            if abs(each - iou) < 1e-9:
                return place
        raise InvalidInputError(
            f"nothing was matched at an IoU of {shown_value(iou)}; pass it in iou_thresholds, which are "
            + ", ".join(f"{each:g}" for each in self.thresholds)
        )

    def area_named(self, name: str) -> int:
        """The place of a range of sizes.

        Raises:
            InvalidInputError: there is none of that name.
        """
        names = [each.name for each in self.areas]
        if name not in names:
            raise InvalidInputError(f"there is no area {shown_value(name)}, but {', '.join(names)}")
        return names.index(name)


def _bit_of(words: Words, bit: int) -> Flags:
    import numpy as np

    return np.asarray(words & np.uint64(1 << bit), bool)


def find(
    truths: Truths,
    detections: Detections,
    iou_thresholds: Sequence[float],
    areas: Sequence[Area],
    max_detections: int | None,
) -> Found:
    """Match detections with truths; see `localreg.metrics.coco.matched`."""
    import numpy as np

    thresholds, areas = _checked(iou_thresholds, areas, max_detections)
    groups = grouped(truths, detections, max_detections)
    pairs = overlapping(truths, detections, groups, min(thresholds[0], ALMOST_ONE))
    crowd = truths.iscrowd[groups.truths]
    counted = _within(truths.area[groups.truths], areas) & ~crowd[:, None]
    group = groups.detection_group[pairs.detection]
    each = BITS // len(areas)
    words = [
        assigned(pairs, group, counted, crowd, thresholds[first : first + each], len(groups.detections))
        for first in range(0, len(thresholds), each)
    ]
    # Of equal scores in one class the earlier image goes first, and in that the earlier detection: as they stand now.
    class_, image = _divided(groups.detection_group, groups)
    order = falling(class_, detections.score[groups.detections])
    row = groups.detections[order]
    truth_class, truth_image = _divided(groups.truth_group, groups)
    return Found(
        images=groups.images,
        classes=groups.classes,
        thresholds=thresholds,
        areas=areas,
        image=image[order],
        class_=class_[order],
        score=detections.score[row],
        rank=groups.rank[order],
        row=row,
        inside=_within(detections.area[row], areas),
        matched=np.stack([matched[order] for matched, _ in words], axis=1),
        aside=np.stack([aside[order] for _, aside in words], axis=1),
        truth_image=truth_image,
        truth_class=truth_class,
        truth_row=groups.truths,
        counted=counted,
    )


def _divided(group: Indices, groups: Groups) -> tuple[Indices, Indices]:
    """Class and image of each."""
    images = max(1, len(groups.images))
    return group // images, group % images


def _within(area: Numbers, areas: Sequence[Area]) -> Flags:
    import numpy as np

    return np.stack([(area >= each.low) & (area <= each.high) for each in areas], axis=1)


def _checked(
    iou_thresholds: Sequence[float], areas: Sequence[Area], max_detections: int | None
) -> tuple[tuple[float, ...], tuple[Area, ...]]:
    try:
        thresholds = tuple(sorted({float(each) for each in iou_thresholds}))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"iou_thresholds are {shown_value(iou_thresholds)}; they must be numbers") from error
    if not thresholds or not all(0 < each <= 1 for each in thresholds):
        raise InvalidInputError(f"iou_thresholds are {shown_value(iou_thresholds)}; they must be above 0, at most 1")
    if max_detections is not None and max_detections < 1:
        raise InvalidInputError(f"max_detections is {shown_value(max_detections)}; 1 or more, or None for all")
    if not 1 <= len(areas) <= BITS or len({each.name for each in areas}) < len(areas):
        raise InvalidInputError(f"areas must be one to {BITS}, of different names")
    return thresholds, tuple(areas)
