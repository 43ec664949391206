"""What is to be found in an image. Points are (x, y) in pixels.

Like all annotations these are frozen dataclasses that take any further keywords. Nothing is checked when one is made;
what cannot be (a blank label, a box that is inverted, a mask of two points) is refused when it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from localreg.workflow import annotation
from localreg.workflow.annotation import Annotation, Point
from localreg.workflow.checks import CHECKS

__all__ = ["BoundingBox", "ClassificationLabel", "GroundTruth", "SegmentationMask"]


@dataclass(frozen=True)
class ClassificationLabel(Annotation):
    """A class of the image as a whole.

    Attributes:
        label: its name; not blank.
        difficult: it is hard to recognize, and should count neither for nor against a model.
    """

    label: str
    difficult: bool = False


@dataclass(frozen=True)
class BoundingBox(Annotation):
    """An upright rectangle around an object.

    Attributes:
        label: the object's class; not blank.
        top_left: its corner.
        bottom_right: the opposite one; not above, nor left of it.
        difficult: it is hard to recognize, and should count neither for nor against a model: pass those to
            `localreg.metrics.match_inferences` as `ignored_ground_truths`.
    """

    label: str
    top_left: Point
    bottom_right: Point
    difficult: bool = False

    __localreg_checks__ = CHECKS[annotation.BoundingBox]


@dataclass(frozen=True)
class SegmentationMask(Annotation):
    """A closed outline around an object: the last point is joined to the first.

    Attributes:
        label: the object's class; not blank.
        points: three at least.
        difficult: as of a box.
    """

    label: str
    points: list[Point]
    difficult: bool = False

    __localreg_checks__ = CHECKS[annotation.Polygon]


GroundTruth: TypeAlias = BoundingBox | SegmentationMask | ClassificationLabel
"""Whatever may be found in an image."""
