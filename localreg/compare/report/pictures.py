"""Thumbnails of the local files that samples name, with boxes and outlines (Pillow, if it is installed).

A file is looked at only if a field `locator` of the sample names it, and it is a regular file of this machine; what it
holds must be a picture of a format that is decoded without running anything else. Sizes are bounded: of the file, of
its pixels, and of all thumbnails of a page together. Nothing is ever fetched.
"""

from __future__ import annotations

import warnings
from base64 import b64encode
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.compare.report.markup import Markup, tag
from localreg.compare.report.outlines import Box, Shape, shapes_in, structs_in
from localreg.compare.report.theme import BASELINE, CANDIDATE, TRUTH
from localreg.workflow.local_files import local_path

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Thumbnails"]

SIDE = 160
"""Pixels of a thumbnail's longer side."""

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MOST_BYTES = 64 * 2**20
MOST_PIXELS = 64 * 10**6
MOST_OF_PAGE = 8 * 2**20
MOST_PICTURES = 2
"""Of one sample: pairs of images are a kind of sample."""

STYLES = (("ground truth", TRUTH, None), ("baseline", BASELINE, "5 3"), ("candidate", CANDIDATE, None))


class _Thumbnail(NamedTuple):
    uri: str
    width: int
    height: int


class Thumbnails:
    """Those of one page; one file is read once.

    Args:
        outlined: show what has both a box and the polygons of a mask by these.
    """

    def __init__(self, *, outlined: bool = False) -> None:
        self._outlined = outlined
        self._known: dict[str, _Thumbnail | None] = {}
        self._bytes = 0
        self.is_full = False
        """Whether a picture was left out because there were so many."""
        self.lacks_pillow = False
        """Whether a picture was left out because Pillow is not installed."""

    def of(self, sample: Mapping[str, Any], typed: tuple[Any, Any, Any]) -> Iterator[Markup]:
        """The pictures of a sample; shapes stand on the first.

        Args:
            sample: its fields.
            typed: ground truth, and the inferences of baseline and candidate.
        """
        shapes: tuple[list[Shape], ...] = tuple(shapes_in(each, outlined=self._outlined) for each in typed)
        for locator in islice(_locators(sample), MOST_PICTURES):
            thumbnail = self._thumbnail(locator)
            if thumbnail is not None:
                yield _drawn(thumbnail, shapes)
                shapes = ()

    def _thumbnail(self, locator: str) -> _Thumbnail | None:
        if locator not in self._known:
            path = local_path(locator)
            self._known[locator] = None if path is None else self._made(path)
        return self._known[locator]

    def _made(self, path: str) -> _Thumbnail | None:
        try:
            import PIL  # noqa: F401 - only to tell that it is missing
        except ImportError:
            self.lacks_pillow = True
            return None
        if self._bytes >= MOST_OF_PAGE:
            self.is_full = True
            return None
        made = _thumbnail_of(path)
        self._bytes += 0 if made is None else len(made.uri)
        return made


def _locators(value: Any) -> Iterator[str]:
    """Texts of fields called `locator`, from the outside to the inside; each once."""
    seen = set()
    for each in structs_in(value):
        locator = each.get("locator")
        if isinstance(locator, str) and locator not in seen:
            seen.add(locator)
            yield locator


def _thumbnail_of(path: str) -> _Thumbnail | None:
    """The picture in a file, made small; None if there is none that can be shown."""
    from PIL import Image

    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, and sizes, which are checked here
            if file.seek(0, 2) > MOST_BYTES:
                return None
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
                if not 0 < width * height <= MOST_PIXELS:
                    return None
                image.draft("RGB", (2 * SIDE, 2 * SIDE))  # lets JPEG decode at a fraction of its size
                small = _eight_bits(image)
    except Exception:  # damaged files raise anything: Pillow's decoders have no error of their own
        return None
    small.thumbnail((SIDE, SIDE))
    data = BytesIO()
    # JPEG blurs what is smaller than its blocks.
    kind, options = ("png", {"optimize": True}) if max(width, height) <= 64 else ("jpeg", {"quality": 80})
    small.save(data, kind, **options)
    return _Thumbnail(f"data:image/{kind};base64,{b64encode(data.getvalue()).decode()}", width, height)


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


def _drawn(thumbnail: _Thumbnail, shapes: tuple[list[Shape], ...]) -> Markup:
    """The picture in its own pixels, with shapes over it."""
    parts = [tag("image", href=thumbnail.uri, width=thumbnail.width, height=thumbnail.height)]
    for (whose, color, dash), own in zip(STYLES, shapes, strict=False):
        for shape in own:
            title = tag("title", f"{whose}: {shape.told}" if shape.told else whose)
            parts.append(_shape(shape, title, stroke=color, stroke_dasharray=dash))
    pixelated = "small" if max(thumbnail.width, thumbnail.height) <= 64 else None
    size = f"0 0 {thumbnail.width} {thumbnail.height}"
    return tag(
        "svg", *parts, viewBox=size, class_=f"picture {pixelated or ''}".strip(), role="img", aria_label="picture"
    )


def _shape(shape: Shape, title: Markup, **style: str | None) -> Markup:
    if isinstance(shape, Box):
        x, y, width, height = (_within_reason(each) for each in shape[:4])
        return tag("rect", title, x=x, y=y, width=width, height=height, **style, class_="box")
    rings = ("L".join(" ".join(_short(each) for each in point) for point in ring) for ring in shape.rings)
    return tag("path", title, d="".join(f"M{ring}Z" for ring in rings), **style, class_="box")


def _short(number: float) -> str:
    return f"{_within_reason(number):.1f}".removesuffix(".0")


def _within_reason(number: float) -> float:
    return max(-1e6, min(1e6, number)) if number == number else 0.0
