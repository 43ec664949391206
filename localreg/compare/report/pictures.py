"""Pictures of samples: where a page has them from, and how files of this machine become small ones (with Pillow).

A page says by a `PictureSource` where its pictures come from: a file that has to hold all of them by `DataUris`, a
server by addresses of its own. A file is looked at only if a field `locator` of the sample names it, and it is a
regular file of this machine; what it holds must be a picture of a format that is decoded without running anything else.
Sizes are bounded: of the file, of its pixels, and of all data URIs of a page together. Nothing is ever fetched.
"""

from __future__ import annotations

import re
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, Protocol

from localreg.workflow.local_files import local_path

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["DataUris", "Picture", "PictureSource", "Shown", "picture_size", "small_picture"]

SIDE = 160
"""Pixels of a thumbnail's longer side."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
PILLOWS = ("ignore", None, Warning, re.compile("PIL"), 0)
"""The filter of warnings from modules of Pillow, as `warnings` keeps it."""
MOST_BYTES = 64 * 2**20
MOST_PIXELS = 64 * 10**6
MOST_OF_PAGE = 8 * 2**20


class Shown(NamedTuple):
    """A picture as a page refers to it.

    Attributes:
        href: where it is: an address, or the picture itself as a data URI.
        width: of the original picture, in pixels; shapes are drawn in these.
        height: likewise.
    """

    href: str
    width: int
    height: int


class PictureSource(Protocol):
    """Where a page has its pictures from."""

    def of(self, locator: str) -> Shown | None:
        """The picture that a sample names; None if there is none that can be shown."""

    def may_read(self, locator: str) -> bool:
        """Whether other files that samples name, such as masks, may be looked at for the page."""


class Picture(NamedTuple):
    """A small picture.

    Attributes:
        data: PNG or JPEG.
        media_type: `image/png` or `image/jpeg`.
        width: of the original picture, in pixels.
        height: likewise.
    """

    data: bytes
    media_type: str
    width: int
    height: int


class DataUris:
    """Pictures that stand in the page itself; one file is read once.

    Args:
        may_read: whether the file of a locator may be looked at; None = whatever samples name.
    """

    def __init__(self, may_read: Callable[[str], bool] | None = None) -> None:
        self._may_read = may_read
        self._known: dict[str, Shown | None] = {}
        self._bytes = 0
        self.is_full = False
        """Whether a picture was left out because there were so many."""
        self.lacks_pillow = False
        """Whether a picture was left out because Pillow is not installed."""

    def of(self, locator: str) -> Shown | None:
        """See `PictureSource`."""
        if locator not in self._known:
            path = local_path(locator) if self.may_read(locator) else None
            self._known[locator] = None if path is None else self._made(path)
        return self._known[locator]

    def may_read(self, locator: str) -> bool:
        """See `PictureSource`."""
        return self._may_read is None or self._may_read(locator)

    def _made(self, path: str) -> Shown | None:
        try:
            import PIL  # noqa: F401 - only to tell that it is missing
        except ImportError:
            self.lacks_pillow = True
            return None
        if self._bytes >= MOST_OF_PAGE:
            self.is_full = True
            return None
        made = small_picture(path, SIDE)
        if made is None:
            return None
        href = f"data:{made.media_type};base64,{b64encode(made.data).decode()}"
        self._bytes += len(href)
        return Shown(href, made.width, made.height)


def small_picture(path: str, side: int) -> Picture | None:
    """The picture in a file, made small.

    Args:
        path: of a local file.
        side: pixels of the longer side, at most; a smaller picture keeps its size.

    Returns:
        None if there is no picture that can be shown: it is damaged, too large, of another format, or no file; or
        Pillow is not installed. Nothing is raised.
    """
    try:
        with _opened(path) as image:
            width, height = image.size
            image.draft("RGB", (2 * side, 2 * side))  # lets JPEG decode at a fraction of its size
            small = _eight_bits(image)
        small.thumbnail((side, side))
        data = BytesIO()
        # JPEG blurs what is smaller than its blocks.
        kind, options = ("png", {"optimize": True}) if max(width, height) <= 64 else ("jpeg", {"quality": 80})
        small.save(data, kind, **options)
    except Exception:  # damaged files raise anything: Pillow's decoders have no error of their own
        return None
    return Picture(data.getvalue(), f"image/{kind}", width, height)


def picture_size(path: str) -> tuple[int, int] | None:
    """Width and height of the picture in a file, in pixels, of which only the head is read; None as in `small_picture`.

    What is behind the head may still be damaged.
    """
    try:
        with _opened(path) as image:
            width, height = image.size
            return width, height
    except Exception:  # as above
        return None


@contextmanager
def _opened(path: str) -> Iterator[Image]:
    """A picture whose pixels are not decoded yet.

    Raises:
        ValueError: it is too large.
        Exception: there is none, or Pillow is not installed.
    """
    from PIL import Image

    _quiet()
    with open(path, "rb") as file:
        if file.seek(0, 2) > MOST_BYTES:
            raise ValueError("the file is too large")
        file.seek(0)
        with Image.open(file, formats=FORMATS) as image:
            if not 0 < image.width * image.height <= MOST_PIXELS:
                raise ValueError("the picture is too large")
            yield image


def _quiet() -> None:
    """Hear no more of Pillow's warnings: they are about metadata, and about sizes, which are checked here.

    For good: to take a filter back, as `warnings.catch_warnings` does, would take those of other threads with it.
    """
    if PILLOWS not in warnings.filters:
        warnings.filterwarnings("ignore", module="PIL")


def _eight_bits(image: Image) -> Image:
    """The picture in three channels of 8 bits, on white where it is transparent."""
    from PIL import Image as images

    if image.mode.startswith(("I", "F")):  # 16 bits and more: what is darkest becomes black, what is lightest white
        values = image.convert("F")
        low, high = values.getextrema()
        scale = 255 / (high - low) if high > low else 0.0  # type: ignore[operator]
        return values.point(lambda each: each * scale - low * scale).convert("RGB")  # type: ignore[operator]
    if "A" in image.getbands() or "transparency" in image.info:
        whole = image.convert("RGBA")
        return images.alpha_composite(images.new("RGBA", whole.size, "white"), whole).convert("RGB")
    return image.convert("RGB")
