"""Annotations: typed values that test samples, ground truths and inferences are made of.

Each is a frozen dataclass that takes, beside its fields, any further keywords (`BoundingBox(a, b, iou=0.9)`); see
`localreg.workflow.extensible`. Nothing is checked when one is made, so that making a million is cheap: what must hold
of the values is said in `localreg.workflow.checks`, and checked on whole columns when they are stored.

Coordinates are pixels, x to the right and y downward, unless a class says otherwise; (x, y, z) is right-handed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, TypeAlias

from localreg.tables import Names
from localreg.workflow.extensible import Extensible, complete

__all__ = [
    "Annotation",
    "BitmapMask",
    "BoundingBox",
    "BoundingBox3D",
    "ClassificationLabel",
    "Keypoints",
    "Keypoints3D",
    "Label",
    "LabeledBoundingBox",
    "LabeledBoundingBox3D",
    "LabeledPolygon",
    "LabeledTextSegment",
    "LabeledTimeSegment",
    "Point",
    "Point3D",
    "Polygon",
    "Polyline",
    "Polyline3D",
    "ScoredBoundingBox",
    "ScoredBoundingBox3D",
    "ScoredClassificationLabel",
    "ScoredLabel",
    "ScoredLabeledBoundingBox",
    "ScoredLabeledBoundingBox3D",
    "ScoredLabeledPolygon",
    "ScoredLabeledTextSegment",
    "ScoredLabeledTimeSegment",
    "ScoredPolygon",
    "ScoredTextSegment",
    "ScoredTimeSegment",
    "SegmentationMask",
    "TextSegment",
    "TimeSegment",
]

Point: TypeAlias = Annotated[tuple[float, float], Names("x", "y")]
Point3D: TypeAlias = Annotated[tuple[float, float, float], Names("x", "y", "z")]


@dataclass(frozen=True)
class Annotation(Extensible):
    """Base of all annotations."""


# --- classes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassificationLabel(Annotation):
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


# --- boxes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BoundingBox(Annotation):
    """An upright rectangle."""

    top_left: Point
    bottom_right: Point

    @property
    def width(self) -> float:
        """In pixels; never negative."""
        return abs(self.bottom_right[0] - self.top_left[0])

    @property
    def height(self) -> float:
        """In pixels; never negative."""
        return abs(self.bottom_right[1] - self.top_left[1])

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    @property
    def aspect_ratio(self) -> float:
        """Width by height; 0 for a box without height."""
        height = self.height
        return self.width / height if height else 0.0


@dataclass(frozen=True)
class LabeledBoundingBox(BoundingBox):
    """A box of a class."""

    label: str


@dataclass(frozen=True)
class ScoredBoundingBox(BoundingBox):
    """A box with the model's confidence."""

    score: float


@dataclass(frozen=True)
class ScoredLabeledBoundingBox(BoundingBox):
    """A box of a class, with the model's confidence."""

    label: str
    score: float


@dataclass(frozen=True)
class BoundingBox3D(Annotation):
    """A cuboid.

    Attributes:
        center: its middle.
        dimensions: its extent along each of its own axes; not negative.
        rotations: about x, y and z, in the unit that the workflow keeps to.
    """

    center: Point3D
    dimensions: Point3D
    rotations: Point3D

    @property
    def volume(self) -> float:
        """The product of the dimensions."""
        return math.prod(self.dimensions)


@dataclass(frozen=True)
class LabeledBoundingBox3D(BoundingBox3D):
    """A cuboid of a class."""

    label: str


@dataclass(frozen=True)
class ScoredBoundingBox3D(BoundingBox3D):
    """A cuboid with the model's confidence."""

    score: float


@dataclass(frozen=True)
class ScoredLabeledBoundingBox3D(BoundingBox3D):
    """A cuboid of a class, with the model's confidence."""

    label: str
    score: float


# --- points -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Polygon(Annotation):
    """A closed outline: the last point is joined to the first. Has three points at least."""

    points: list[Point]

    @property
    def area(self) -> float:
        """In square pixels, by the shoelace formula: of an outline that does not cross itself."""
        closed = [*self.points, *self.points[:1]]
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed))) / 2

    @property
    def length(self) -> float:
        """Of the outline, in pixels."""
        return _length([*self.points, *self.points[:1]])


@dataclass(frozen=True)
class LabeledPolygon(Polygon):
    """A polygon of a class."""

    label: str


@dataclass(frozen=True)
class ScoredPolygon(Polygon):
    """A polygon with the model's confidence."""

    score: float


@dataclass(frozen=True)
class ScoredLabeledPolygon(Polygon):
    """A polygon of a class, with the model's confidence."""

    label: str
    score: float


@dataclass(frozen=True)
class Keypoints(Annotation):
    """Any number of points that are not joined, such as the corners of a face. Which is which tells their order."""

    points: list[Point]


@dataclass(frozen=True)
class Keypoints3D(Annotation):
    """As `Keypoints`, in space."""

    points: list[Point3D]


@dataclass(frozen=True)
class Polyline(Annotation):
    """An open line through points, such as the edge of a lane."""

    points: list[Point]

    @property
    def length(self) -> float:
        """Of all its parts together, in pixels."""
        return _length(self.points)


@dataclass(frozen=True)
class Polyline3D(Annotation):
    """As `Polyline`, in space."""

    points: list[Point3D]

    @property
    def length(self) -> float:
        """Of all its parts together."""
        return _length(self.points)


def _length(points: Iterable[tuple[float, ...]]) -> float:
    return sum(math.dist(a, b) for a, b in pairwise(points))


# --- masks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SegmentationMask(Annotation):
    """A class for each pixel, as an image of one channel of 8 bits, best without loss, such as PNG.

    Attributes:
        labels: the class that each value of a pixel means; other values are background.
        locator: where the image lies.
    """

    labels: dict[int, str]
    locator: str


@dataclass(frozen=True)
class BitmapMask(Annotation):
    """A mask as an image.

    Attributes:
        locator: where it lies.
    """

    locator: str


# --- segments ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TimeSegment(Annotation):
    """A stretch of an audio or video file.

    Attributes:
        start: in seconds.
        end: in seconds; not before the start.
    """

    start: float
    end: float

    @property
    def length(self) -> float:
        """In seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class LabeledTimeSegment(TimeSegment):
    """A stretch of time with a label, such as what is said in it."""

    label: str


@dataclass(frozen=True)
class ScoredTimeSegment(TimeSegment):
    """A stretch of time with the model's confidence."""

    score: float


@dataclass(frozen=True)
class ScoredLabeledTimeSegment(TimeSegment):
    """A stretch of time with a label and the model's confidence."""

    label: str
    score: float


@dataclass(frozen=True)
class TextSegment(Annotation):
    """A stretch of a text, as a slice of Python has it.

    Attributes:
        text_field: the field that holds the text.
        start: the first character, from 0.
        end: the one after the last; after the start.
    """

    text_field: str
    start: int
    end: int

    @property
    def length(self) -> int:
        """In characters."""
        return self.end - self.start


@dataclass(frozen=True)
class LabeledTextSegment(TextSegment):
    """A stretch of a text with a label, such as the kind of a name."""

    label: str


@dataclass(frozen=True)
class ScoredTextSegment(TextSegment):
    """A stretch of a text with the model's confidence."""

    score: float


@dataclass(frozen=True)
class ScoredLabeledTextSegment(TextSegment):
    """A stretch of a text with a label and the model's confidence."""

    label: str
    score: float


for _class in [each for each in vars().copy().values() if isinstance(each, type) and issubclass(each, Annotation)]:
    complete(_class)
