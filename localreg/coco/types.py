"""The types of COCO detection: images, what is in them, and what a model sees in them.

Made for SQL (`label`, corners) and for exactness: what COCO files say is kept as they say it, so that what is exported
is measured like what was imported. Nothing is checked when an object is made; what cannot be is refused when it is
stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from localreg.tables import Names
from localreg.workflow import annotation, ground_truth, inference
from localreg.workflow.annotation import Annotation, Point
from localreg.workflow.checks import CHECKS, Checks, Rule
from localreg.workflow.test_sample import Metadata, TestSample

__all__ = ["Detection", "Detections", "Extent", "Image", "MaskSize", "Object", "Objects", "Segmentation"]

Extent: TypeAlias = Annotated[tuple[float, float], Names("width", "height")]
"""Of a box, in pixels."""
MaskSize: TypeAlias = Annotated[tuple[int, int], Names("height", "width")]
"""Of the image that a mask is of, in the order of COCO."""

_CORNERS = CHECKS[annotation.BoundingBox]
_BOX = Checks({**_CORNERS.rules, "size": (Rule.FINITE, Rule.NOT_NEGATIVE)}, ordered=_CORNERS.ordered)


@dataclass(frozen=True)
class Image(TestSample):
    """An image.

    Attributes:
        locator: where it lies: the file name that COCO says, behind the folder that was given.
        image_id: its COCO id; None = numbered when it is exported.
        width: in pixels; None = not said.
        height: in pixels; None = not said.
        metadata: all else that the COCO file says of it.
    """

    locator: str
    image_id: int | None = None
    width: int | None = None
    height: int | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Segmentation(Annotation):
    """The pixels of an object: polygons, or a mask in run lengths, down the columns, beginning with background.

    Attributes:
        polygons: each `[x, y, x, y, …]`, in pixels; none = an empty mask.
        size: of the image, if it is a mask.
        counts: run lengths as COCO compresses them.
        runs: run lengths as they are.
    """

    polygons: list[list[float]] | None = None
    size: MaskSize | None = None
    counts: str | None = None
    runs: list[int] | None = None


@dataclass(frozen=True)
class Object(Annotation):
    """Something in an image.

    Attributes:
        label: name of its category.
        top_left: corner of its box; None = COCO says no box.
        bottom_right: the opposite one: `x + width`, as far as a float can say it.
        size: width and height as COCO says them, which the corners need not give exactly; None = as these do.
        area: of the object, in square pixels; metrics for small and large objects go by it.
        iscrowd: a group of objects that are not told apart.
        ignore: COCO's field of that name; None = it is not there. The COCO metrics go by `iscrowd` alone.
        id: COCO's id of the annotation, which may be 0.
        category_id: COCO's id of the category; None = by the label.
        segmentation: its pixels.
        keypoints: `[x, y, visibility, …]`.
        num_keypoints: how many of these are labelled.
    """

    label: str
    top_left: Point | None = None
    bottom_right: Point | None = None
    size: Extent | None = None
    area: float | None = None
    iscrowd: bool = False
    ignore: bool | None = None
    id: int | None = None
    category_id: int | None = None
    segmentation: Segmentation | None = None
    keypoints: list[float] | None = None
    num_keypoints: int | None = None

    __localreg_checks__ = _BOX


@dataclass(frozen=True)
class Objects(ground_truth.GroundTruth):
    """What is in an image.

    Attributes:
        objects: in the order of the COCO file.
    """

    objects: list[Object]


@dataclass(frozen=True)
class Detection(Annotation):
    """Something that a model sees in an image.

    Attributes:
        label: name of its category.
        score: any finite number.
        top_left: corner of its box; None = only its pixels are told.
        bottom_right: the opposite one.
        size: as of an `Object`.
        category_id: COCO's id of the category; None = by the label.
        segmentation: its pixels.
        keypoints: `[x, y, score, …]`.
    """

    label: str
    score: float
    top_left: Point | None = None
    bottom_right: Point | None = None
    size: Extent | None = None
    category_id: int | None = None
    segmentation: Segmentation | None = None
    keypoints: list[float] | None = None

    __localreg_checks__ = _BOX


@dataclass(frozen=True)
class Detections(inference.Inference):
    """What a model sees in an image.

    Attributes:
        detections: in the order of the results file, by which equal scores are ranked.
    """

    detections: list[Detection]
