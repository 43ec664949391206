"""Assets: files that belong to a test sample, a ground truth or an inference, and lie elsewhere.

Each is a frozen dataclass with a `locator`, a path or a URL (`s3://bucket/mask.png`), and takes, as annotations do, any
further keywords; see `localreg.workflow.extensible`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from localreg.errors import InvalidInputError
from localreg.workflow.extensible import Extensible, complete

__all__ = [
    "Asset",
    "AudioAsset",
    "BaseVideoAsset",
    "BinaryAsset",
    "ImageAsset",
    "MeshAsset",
    "PlainTextAsset",
    "PointCloudAsset",
    "VideoAsset",
    "check_clip",
]


@dataclass(frozen=True)
class Asset(Extensible):
    """Base of all assets."""


@dataclass(frozen=True)
class ImageAsset(Asset):
    """An image."""

    locator: str


@dataclass(frozen=True)
class PlainTextAsset(Asset):
    """A file of plain text."""

    locator: str


@dataclass(frozen=True)
class BinaryAsset(Asset):
    """A file of any kind."""

    locator: str


@dataclass(frozen=True)
class PointCloudAsset(Asset):
    """Points in space, right-handed, z upward, the sensor at the origin."""

    locator: str


@dataclass(frozen=True)
class MeshAsset(Asset):
    """A surface in space, made of triangles."""

    locator: str


@dataclass(frozen=True)
class AudioAsset(Asset):
    """An audio file."""

    locator: str


@dataclass(frozen=True)
class BaseVideoAsset(Asset):
    """A video file, whole."""

    locator: str


@dataclass(frozen=True)
class VideoAsset(BaseVideoAsset):
    """A video file, or a clip of it.

    What may be left out is given by keyword only, so that a subclass can add fields that may not.

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


def check_clip(start: float | None, end: float | None) -> None:
    """Refuse times of a clip that cannot be, NaN included."""
    for name, value in {"start": start, "end": end}.items():
        if value is not None and not value >= 0:
            raise InvalidInputError(f"{name} is {value!r}; it must be 0 seconds or more, or None")
    if start is not None and end is not None and start > end:
        raise InvalidInputError(f"start is {start!r}, after end, {end!r}; swap them")


for _class in [each for each in vars().copy().values() if isinstance(each, type) and issubclass(each, Asset)]:
    complete(_class)
