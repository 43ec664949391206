"""Annotations: typed values that ground truths and inferences are made of."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ClassificationLabel", "Label", "ScoredClassificationLabel", "ScoredLabel"]


@dataclass(frozen=True)
class ClassificationLabel:
    """A class.

    Attributes:
        label: its name; not blank.
    """

    label: str


@dataclass(frozen=True)
class ScoredClassificationLabel(ClassificationLabel):
    """A class with the model's confidence.

    Attributes:
        score: any finite number; NaN and infinity are refused when it is stored, since they would rank first.
    """

    score: float


Label = ClassificationLabel
ScoredLabel = ScoredClassificationLabel
