"""Which shapes were found, for the numbers of COCO and for what is right at one score and one overlap."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from localreg.metrics.coco import (
    COCO_AREAS,
    COCO_IOU_THRESHOLDS,
    CountTable,
    DetectionMatches,
    Detections,
    Truths,
    matched,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["ShapeMatches", "match_shapes"]


class ShapeMatches(NamedTuple):
    """What was matched.

    Attributes:
        coco: at COCO's thresholds.
        counted: at the IoU that decides what is right.
        iou: that one.
    """

    coco: DetectionMatches
    counted: DetectionMatches
    iou: float

    def best_score(self, weights: ArrayLike) -> float | None:
        """Where F1 of some images is highest; None if nothing is right at any score.

        Args:
            weights: (images,), how often each counts.
        """
        best = self.counted.resampled(weights).best_threshold(iou=self.iou)
        return None if best is None else best.score

    def count_table(self, score: float | None) -> CountTable:
        """What is right of each image and class, of detections of this score and above; None = of no detection."""
        return self.counted.count_table(iou=self.iou, score=inf if score is None else score)


def match_shapes(truths: Truths, detections: Detections, iou: float) -> ShapeMatches:
    """Match what a model saw with what is there.

    Args:
        truths: what is there.
        detections: what was seen.
        iou: by which both must overlap to be right.
    """
    coco = counted = matched(truths, detections)
    if all(abs(each - iou) > 1e-9 for each in COCO_IOU_THRESHOLDS):
        counted = matched(truths, detections, [iou], areas=COCO_AREAS[:1])
    return ShapeMatches(coco, counted, iou)
