"""Test samples: the inputs of a workflow. Subclass one as a frozen dataclass, standard or pydantic, and add fields.

No field of theirs that may be left out is positional, so that a subclass can add fields that may not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from localreg.workflow.asset import ImageAsset, check_clip

__all__ = [
    "Audio",
    "BaseVideo",
    "Composite",
    "Document",
    "Image",
    "ImagePair",
    "ImageText",
    "Metadata",
    "PointCloud",
    "TestSample",
    "Text",
    "Video",
]

Metadata: TypeAlias = dict[str, Any]
"""Any JSON object. A sample's field of this name is merged into what is known of the sample, and is not part of it."""


@dataclass(frozen=True)
class TestSample:
    """Base of all types of test sample: subclass it as a frozen dataclass.

    Two samples with equal fields are the same sample, whatever their `metadata`.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name


@dataclass(frozen=True)
class Image(TestSample):
    """An image.

    Attributes:
        locator: where it lies: a path, or a URL such as `s3://bucket/image.png`.
    """

    locator: str


@dataclass(frozen=True)
class Text(TestSample):
    """A text, as it stands."""

    text: str


@dataclass(frozen=True)
class Document(TestSample):
    """A document, such as a PDF.

    Attributes:
        locator: where it lies.
    """

    locator: str


@dataclass(frozen=True)
class PointCloud(TestSample):
    """Points in space.

    Attributes:
        locator: where the file lies.
    """

    locator: str


@dataclass(frozen=True)
class Audio(TestSample):
    """An audio file.

    Attributes:
        locator: where it lies.
    """

    locator: str


@dataclass(frozen=True)
class BaseVideo(TestSample):
    """A video, whole.

    Attributes:
        locator: where it lies.
    """

    locator: str


@dataclass(frozen=True)
class Video(BaseVideo):
    """A video, or a clip of it.

    Attributes:
        thumbnail: an image to show for it.
        start: of the clip, in seconds; None = the beginning.
        end: of the clip, in seconds; None = the end.

    Raises:
        InvalidInputError: a negative time, or an end before the start.
    """

    thumbnail: ImageAsset | None = field(default=None, kw_only=True)
    start: float | None = field(default=None, kw_only=True)
    end: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_clip(self.start, self.end)


@dataclass(frozen=True)
class Composite(TestSample):
    """Base of samples that are made of several: subclass it with a field for each, such as `left: Image`."""


@dataclass(frozen=True)
class ImagePair(Composite):
    """Two images, such as two faces that may be of one person."""

    a: Image
    b: Image


@dataclass(frozen=True)
class ImageText(Composite):
    """An image and a text, such as a caption or a question."""

    image: Image
    text: Text
