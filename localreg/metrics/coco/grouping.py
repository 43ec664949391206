"""Truths and detections in groups of one class and one image: who may be matched with whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.names import shown_value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.columns import Detections, Truths

    Ids = npt.NDArray[np.generic]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["Groups", "falling", "grouped"]


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows of truths and detections, sorted by class and image: within that, truths as given, detections by score.

    Attributes:
        images: ids, rising.
        classes: ids, rising.
        truths: int64, rows of the truths, sorted.
        truth_group: int64, class * images + image of each of these.
        detections: int64, rows of the detections that are kept, sorted.
        detection_group: of each of these.
        rank: int64, the place of each of these among those of its group, from 0.
    """

    images: Ids
    classes: Ids
    truths: Indices
    truth_group: Indices
    detections: Indices
    detection_group: Indices
    rank: Indices

    @cached_property
    def partners(self) -> tuple[Indices, Indices]:
        """For each detection the first of the truths of its group, as a place in `truths`, and how many they are."""
        import numpy as np

        # A group that has no truths has no places: looked up once for each group, not for each detection.
        starts = np.flatnonzero(np.diff(self.detection_group, prepend=-1))
        sizes = np.diff(starts, append=len(self.detection_group))
        there = self.detection_group[starts]
        first = np.searchsorted(self.truth_group, there, "left")
        count = np.searchsorted(self.truth_group, there, "right") - first
        return np.repeat(first, sizes), np.repeat(count, sizes)


def grouped(truths: Truths, detections: Detections, limit: int | None) -> Groups:
    """Sort truths and detections.

    Args:
        truths: what is there.
        detections: what was seen.
        limit: of each group, only so many detections of the highest scores are kept; None = all.

    Raises:
        InvalidInputError: a truth or a detection is of an image that is not there, or a truth of a class that is not.
    """
    import numpy as np

    images, (of_truth, of_detection) = _codes(truths.images, truths.image_id, detections.image_id, "image")
    classes, (truth_class, detection_class) = _codes(
        truths.categories, truths.category_id, detections.category_id, "category"
    )
    _refuse_unknown(of_truth, truths.image_id, "truths are of an image that is not there: image_id")
    _refuse_unknown(truth_class, truths.category_id, "truths are of a category that is not there: category_id")
    _refuse_unknown(of_detection, detections.image_id, "detections are of an image that is not there: image_id")
    truth_group = truth_class * len(images) + of_truth
    order = np.argsort(truth_group, kind="stable")
    known = np.flatnonzero(detection_class >= 0)
    group = (detection_class * len(images) + of_detection)[known]
    place = falling(group, detections.score[known])
    rows, group = known[place], group[place]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    rank = np.arange(len(group)) - np.repeat(starts, np.diff(starts, append=len(group)))
    if limit is not None and len(rank) and rank.max() >= limit:
        kept = rank < limit
        rows, group, rank = rows[kept], group[kept], rank[kept]
    return Groups(images, classes, order, truth_group[order], rows, group, rank)


def falling(group: Indices, score: Numbers) -> Indices:
    """An order by group, then by falling score; equal ones stay in the order that they have.

    As `np.lexsort((-score, group))`, in two thirds of the time: numbers that hold group, place of the score and row at
    once are all different, so that the fastest sort, which is not stable, will do.
    """
    import numpy as np

    count = len(score)
    if not count:
        return np.empty(0, np.int64)
    by_score = np.argsort(score)
    ordered = score[by_score]
    ranks = np.empty(count, np.int64)
    ranks[by_score] = np.cumsum(np.diff(ordered, prepend=ordered[0]) != 0)
    highest = int(ranks[by_score[-1]])
    row_bits, rank_bits = (count - 1).bit_length(), highest.bit_length()
    if int(group.max()).bit_length() + rank_bits + row_bits > 63:
        return np.lexsort((-score, group))
    packed = (group << (rank_bits + row_bits)) | ((highest - ranks) << row_bits) | np.arange(count)
    packed.sort()
    return np.asarray(packed & ((1 << row_bits) - 1), np.int64)


def _codes(known: Ids | None, truths: Ids, detections: Ids, what: str) -> tuple[Ids, tuple[Indices, Indices]]:
    """All ids, rising, and the place of each row's among them; -1 where it is not one of them."""
    import numpy as np

    given = [each for each in (truths, detections, known) if each is not None and len(each)]
    kinds = {each.dtype.kind for each in given}
    if not (kinds <= {"i", "u"} or kinds <= {"U", "T", "O"}):
        raise InvalidInputError(f"{what} ids must be whole numbers, or texts, in truths and detections alike")
    if "u" in kinds and any(each.dtype == np.uint64 for each in given):  # beside int64 numpy would make floats of them
        truths, detections = _signed(truths, what), _signed(detections, what)
        known = None if known is None else _signed(known, what)
    if known is None:
        there = [np.unique(each) for each in (truths, detections) if len(each)]
        ids = np.unique(np.concatenate(there)) if there else np.empty(0, np.int64)
    else:
        ids = np.unique(known)
    return ids, (_places(ids, truths), _places(ids, detections))


def _signed(ids: Ids, what: str) -> Ids:
    import numpy as np

    if ids.dtype == np.uint64 and len(ids) and int(ids.max()) > np.iinfo(np.int64).max:
        raise InvalidInputError(f"{what} id {int(ids.max())} has more than 63 bits")
    return ids.astype(np.int64)


def _places(ids: Ids, wanted: Ids) -> Indices:
    import numpy as np

    if not len(ids) or not len(wanted):
        return np.full(len(wanted), -1, np.int64)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[places] == wanted, places, -1)


def _refuse_unknown(places: Indices, ids: Ids, why: str) -> None:
    import numpy as np

    bad = places < 0
    if bad.any():
        first = shown_value(ids[np.argmax(bad)].item())
        raise InvalidInputError(f"{int(np.count_nonzero(bad)):,} {why} is {first}, to begin with")
