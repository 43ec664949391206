"""An image with what is known of it, as users of the ready-made tasks hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.test_sample import Metadata, TestSample

__all__ = ["Image", "ImageTask", "ImageWithTruth", "check_image"]


@dataclass(frozen=True)
class Image(TestSample):
    """An image as it is stored: the same image of the same data set is the same test sample.

    Attributes:
        locator: where it lies.
        dataset: which data set it belongs to; "" = not said.
        metadata: what else is known of it; models may see it.
    """

    locator: str
    dataset: str = ""
    metadata: Metadata = field(default_factory=dict)


class ImageWithTruth(Protocol):
    """What a ready-made task calls a test image: the image, and its ground truths, which no model sees."""

    __test__: ClassVar[bool]

    @property
    def locator(self) -> str:
        """Where it lies."""
        ...

    @property
    def dataset(self) -> str:
        """Which data set it belongs to; "" = not said."""
        ...

    @property
    def metadata(self) -> dict[str, Any]:
        """What else is known of it."""
        ...

    def _truth(self) -> GroundTruth:
        """The ground truths, as they are stored."""
        ...

    @classmethod
    def _shown(cls, image: Image, truth: GroundTruth | None) -> Self:
        """The image with its stored ground truths; None = without any."""
        ...


class ImageTask(Protocol):
    """How what users of a task hold is stored."""

    image_class: type[ImageWithTruth]

    def stored(self, made: object, whose: str) -> Any:
        """What `infer` returned, other than None, as an inference of the workflow.

        Raises:
            InvalidInputError: it is something else; `whose` says for the message whose it is.
        """
        ...

    def shown(self, inference: Any) -> list[Any]:
        """The stored inference as `infer` returned it."""
        ...


def check_image(image: Any) -> None:
    """Put an image in order that was just made, where nothing was said, or refuse it.

    Raises:
        InvalidInputError: its locator is no text, or its metadata no dict.
    """
    if not isinstance(image.locator, str) or not image.locator.strip():
        raise InvalidInputError(f"the locator of a test image is {shown_value(image.locator)}; give a path or a URL")
    dataset = "" if image.dataset is None else image.dataset
    if not isinstance(dataset, str):
        raise InvalidInputError(f"the dataset of {image.locator!r} is {shown_value(dataset)}; give its name")
    metadata = {} if image.metadata is None else image.metadata
    if not isinstance(metadata, Mapping):
        raise InvalidInputError(f"the metadata of {image.locator!r} is {shown_value(metadata)}; give a dict")
    object.__setattr__(image, "dataset", dataset)
    object.__setattr__(image, "metadata", dict(metadata))
