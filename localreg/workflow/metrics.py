"""The metrics of `localreg.metrics`, in the place where scripts for workflows of hosted clients look for them."""

from __future__ import annotations

from localreg.metrics import (
    InferenceMatches,
    MulticlassInferenceMatches,
    accuracy,
    f1_score,
    fpr,
    iou,
    match_inferences,
    match_inferences_multiclass,
    precision,
    recall,
    specificity,
)

__all__ = [
    "InferenceMatches",
    "MulticlassInferenceMatches",
    "accuracy",
    "f1_score",
    "fpr",
    "iou",
    "match_inferences",
    "match_inferences_multiclass",
    "precision",
    "recall",
    "specificity",
]
