"""Numbers and statistics: columns in, numbers out. No registry, no files."""

from localreg.metrics.classification import accuracy_score
from localreg.metrics.coco import coco_detection, coco_segmentation
from localreg.metrics.counts import accuracy, f1_score, fpr, precision, recall, specificity
from localreg.metrics.geometry import iou
from localreg.metrics.matching import (
    InferenceMatches,
    MulticlassInferenceMatches,
    match_inferences,
    match_inferences_multiclass,
)
from localreg.metrics.paired import mcnemar_exact

__all__ = [
    "InferenceMatches",
    "MulticlassInferenceMatches",
    "accuracy",
    "accuracy_score",
    "coco_detection",
    "coco_segmentation",
    "f1_score",
    "fpr",
    "iou",
    "match_inferences",
    "match_inferences_multiclass",
    "mcnemar_exact",
    "precision",
    "recall",
    "specificity",
]
