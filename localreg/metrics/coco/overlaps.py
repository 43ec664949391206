"""Pairs of detections and truths that overlap enough to be matched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.columns import Detections, Truths
    from localreg.metrics.coco.grouping import Groups

    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["Pairs", "overlapping"]

BLOCK = 1 << 21
"""Pairs that are looked at at once."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections and truths of one class in one image, by detection and falling IoU; of equal ones the later first.

    Attributes:
        detection: int64, a place in `Groups.detections`, never falling.
        truth: int64, a place in `Groups.truths`.
        iou: float64. With a crowd, what share of the detection lies in it.
    """

    detection: Indices
    truth: Indices
    iou: Numbers


def overlapping(truths: Truths, detections: Detections, groups: Groups, least: float) -> Pairs:
    """All pairs whose IoU is at least `least`.

    Raises:
        InvalidInputError: these are boxes and those masks; or masks of one image have different sizes.
    """
    import numpy as np

    if isinstance(truths.shapes, np.ndarray) != isinstance(detections.shapes, np.ndarray):
        raise InvalidInputError("truths and detections must both have boxes, or both have masks")
    found = [_enough(truths, detections, groups, *block, least) for block in _blocks(groups)]
    if not found:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    detection, truth, iou = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((-truth, -iou, detection))
    return Pairs(detection[order], truth[order], iou[order])


def _blocks(groups: Groups) -> Iterator[tuple[Indices, Indices]]:
    """Places of detections and truths of one group, each with each, so many at once that they fit into memory."""
    import numpy as np

    first, count = groups.partners
    met = np.flatnonzero(count)
    first, count = first[met], count[met]
    ends = np.cumsum(count)
    begin = 0
    while begin < len(met):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
        each = count[begin:end]
        within = np.arange(int(each.sum())) - np.repeat(np.cumsum(each) - each, each)
        yield np.repeat(met[begin:end], each), np.repeat(first[begin:end], each) + within
        begin = end


def _enough(
    truths: Truths, detections: Detections, groups: Groups, detection: Indices, truth: Indices, least: float
) -> tuple[Indices, Indices, Numbers]:
    import numpy as np

    seen, there = groups.detections[detection], groups.truths[truth]
    crowd = truths.iscrowd[there]
    if isinstance(truths.shapes, np.ndarray) and isinstance(detections.shapes, np.ndarray):
        kept, iou = _of_boxes(detections.shapes, seen, truths.shapes, there, crowd, least)
    else:
        assert not isinstance(truths.shapes, np.ndarray)
        assert not isinstance(detections.shapes, np.ndarray)
        kept, iou = detections.shapes.overlaps(seen, truths.shapes, there, crowd, least)
    return detection[kept], truth[kept], iou


def _of_boxes(
    detections: Numbers, seen: Indices, truths: Numbers, there: Indices, crowd: npt.NDArray[np.bool_], least: float
) -> tuple[Indices, Numbers]:
    """Which pairs overlap enough, and by how much.

    The steps are those of COCO's own code, in its order: in another one, last bits would differ, and with them who is
    matched at a threshold that is just met. Only its numbers of pairs are fewer: what does not overlap drops out first.
    """
    import numpy as np

    kept = np.arange(len(seen))
    sides: list[Numbers] = []
    for axis in (0, 1):
        near = np.maximum(detections[:, axis][seen], truths[:, axis][there])
        ends = [boxes[:, axis + 2] + boxes[:, axis] for boxes in (detections, truths)]
        side = np.minimum(ends[0][seen], ends[1][there]) - near
        touching = np.flatnonzero(side > 0)
        sides = [each[touching] for each in (*sides, side)]
        kept, seen, there = kept[touching], seen[touching], there[touching]
    both = sides[0] * sides[1]
    area, other = (boxes[:, 2] * boxes[:, 3] for boxes in (detections, truths))
    iou = both / np.where(crowd[kept], area[seen], area[seen] + other[there] - both)
    enough = np.flatnonzero(iou >= least)
    return kept[enough], iou[enough]
