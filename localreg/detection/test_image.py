"""Images with what is to be found in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast, get_args

from localreg.detection.ground_truth import GroundTruth
from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tasks.image import Image, check_image
from localreg.workflow import ground_truth

__all__ = ["Annotations", "TestImage"]


@dataclass(frozen=True)
class Annotations(ground_truth.GroundTruth):
    """What is to be found in one image, as it is stored."""

    annotations: list[GroundTruth]


@dataclass(frozen=True)
class TestImage:
    """An image and what is to be found in it.

    Attributes:
        locator: where it lies: a path, or a URL such as `s3://bucket/image.png`.
        dataset: which data set it belongs to; "" if nothing was said. The same locator in another data set is
            another image.
        ground_truths: boxes, masks and labels; models never see them.
        metadata: any JSON object; models see it. The last that was said of an image counts, in all test cases.

    Raises:
        InvalidInputError: a field of another type; the locator is named.
    """

    __test__: ClassVar[bool] = False

    locator: str
    dataset: str = ""
    ground_truths: list[GroundTruth] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_image(self)
        given: object = [] if self.ground_truths is None else self.ground_truths
        if not isinstance(given, Iterable) or isinstance(given, str):
            raise InvalidInputError(f"ground_truths of {self.locator!r} is {shown_value(given)}; it must be a list")
        listed = list(given)
        for number, each in enumerate(listed):
            if not isinstance(each, get_args(GroundTruth)):
                raise InvalidInputError(
                    f"ground_truths[{number}] of {self.locator!r} is {shown_value(each)}; it must be a BoundingBox, "
                    "SegmentationMask or ClassificationLabel of localreg.detection.ground_truth"
                )
        object.__setattr__(self, "ground_truths", listed)

    def filter(self, predicate: Callable[[GroundTruth], bool]) -> TestImage:
        """A copy with those ground truths alone of which the predicate is true."""
        return replace(self, ground_truths=[each for each in self.ground_truths if predicate(each)])

    def _truth(self) -> Annotations:
        return Annotations(self.ground_truths)

    @classmethod
    def _shown(cls, image: Image, truth: ground_truth.GroundTruth | None) -> Self:
        found = [] if truth is None else cast("Annotations", truth).annotations
        return cls(image.locator, image.dataset, found, image.metadata)
