"""What a model sees in an image. Points are (x, y) in pixels.

Like all annotations these are frozen dataclasses that take any further keywords. Nothing is checked when one is made;
what cannot be (a confidence that is NaN, a box that is inverted) is refused when it is stored, and the image named.
`localreg.metrics` matches them with ground truths by their `score`, which is their confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from localreg.workflow import annotation
from localreg.workflow.annotation import Annotation, Point
from localreg.workflow.checks import CHECKS, Checks, Rule

__all__ = ["BoundingBox", "ClassificationLabel", "Inference", "SegmentationMask"]

_CONFIDENCE = {"confidence": (Rule.FINITE,)}


def _and_confidence(checks: Checks) -> Checks:
    return replace(checks, rules={**checks.rules, **_CONFIDENCE})


@dataclass(frozen=True)
class ClassificationLabel(Annotation):
    """A class of the image as a whole.

    Attributes:
        label: its name; not blank.
        confidence: any finite number.
    """

    label: str
    confidence: float

    __localreg_checks__ = Checks(_CONFIDENCE)

    @property
    def score(self) -> float:
        """The confidence."""
        return self.confidence


@dataclass(frozen=True)
class BoundingBox(Annotation):
    """An upright rectangle around an object.

    Attributes:
        label: the object's class; not blank.
        confidence: any finite number.
        top_left: its corner.
        bottom_right: the opposite one; not above, nor left of it.
    """

    label: str
    confidence: float
    top_left: Point
    bottom_right: Point

    __localreg_checks__ = _and_confidence(CHECKS[annotation.BoundingBox])

    @property
    def score(self) -> float:
        """The confidence."""
        return self.confidence


@dataclass(frozen=True)
class SegmentationMask(Annotation):
    """A closed outline around an object: the last point is joined to the first.

    Attributes:
        label: the object's class; not blank.
        confidence: any finite number.
        points: three at least.
    """

    label: str
    confidence: float
    points: list[Point]

    __localreg_checks__ = _and_confidence(CHECKS[annotation.Polygon])

    @property
    def score(self) -> float:
        """The confidence."""
        return self.confidence


Inference: TypeAlias = BoundingBox | SegmentationMask | ClassificationLabel
"""Whatever a model may see in an image."""
