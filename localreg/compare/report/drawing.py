"""A sample's pictures, with boxes, outlines, lines and points over them, as SVG.

Whose a shape is shows without colour, too: lines of the ground truth are thick (`style.py`), those of the baseline
dashed, and points are circles (ground truth), squares (baseline) and crosses (candidate).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from localreg.compare.listing import Example
from localreg.compare.report.masks import file_rings
from localreg.compare.report.outlines import (
    MOST_POINTS,
    Box,
    Line,
    Outline,
    Points,
    Shape,
    found_in,
    is_mask,
    shapes_in,
    structs_in,
    told_of,
)
from localreg.compare.report.pictures import PictureSource, Shown
from localreg.html.markup import Markup, tag
from localreg.html.theme import BASELINE, CANDIDATE, TRUTH
from localreg.tables import Node

__all__ = ["POINTS", "pictures_of"]

MOST_PICTURES = 2
"""Of one sample: pairs of images are a kind of sample."""

MOST_MASKS = 12
"""Images of a ground truth or an inference that are read."""

STYLES = (("ground truth", TRUTH, None), ("baseline", BASELINE, "5 3"), ("candidate", CANDIDATE, None))
POINTS = ("○", "□", "\N{MULTIPLICATION SIGN}")
"""What points of each side look like, in the same order."""

RADIUS = 0.014
"""Of a point, in longer sides of the picture."""


def pictures_of(example: Example, source: PictureSource, *, outlined: bool = False) -> Iterator[Markup]:
    """The pictures of a sample; shapes stand on the first.

    Args:
        example: with ground truth, and the inferences of baseline and candidate.
        source: has the pictures.
        outlined: show what has both a box and the pixels of a mask by the outlines of these.
    """
    _, truth, inference = example.types
    sides = list(zip(example.typed, (truth, inference, inference), strict=True))
    for locator in islice(_locators(example.sample), MOST_PICTURES):
        shown = source.of(locator)
        if shown is not None:
            over = [
                [*shapes_in(said, node, outlined=outlined), *_masks_in(said, node, shown, source)]
                for said, node in sides
            ]
            yield _drawn(shown, over)
            sides = []


def _locators(value: Any) -> Iterator[str]:
    """Texts of fields called `locator`, from the outside to the inside; each once."""
    seen = set()
    for each in structs_in(value):
        locator = each.get("locator")
        if isinstance(locator, str) and locator not in seen:
            seen.add(locator)
            yield locator


def _masks_in(value: Any, node: Node, shown: Shown, source: PictureSource) -> Iterator[Outline]:
    """The outlines of masks that lie in files of this machine; they are stretched to the size of the picture."""
    masks = list(islice((each for each in found_in(value, node) if is_mask(each)), MOST_MASKS))
    masks = [each for each in masks if source.may_read(each.value["locator"])]
    for each in masks:
        labels = None if each.value.get("labels") is None else dict(each.value["labels"])
        most = MOST_POINTS // len(masks)
        for label, rings in file_rings(each.value["locator"], labels, shown.width, shown.height, most):
            if rings:
                yield Outline(rings, label or told_of(each.value))


def _drawn(shown: Shown, shapes: Sequence[Sequence[Shape]]) -> Markup:
    """The picture in its own pixels, with shapes over it."""
    parts = [tag("image", href=shown.href, width=shown.width, height=shown.height)]
    radius = RADIUS * max(shown.width, shown.height)
    for side, own in enumerate(shapes):
        whose, color, dash = STYLES[side]
        for shape in own:
            title = tag("title", f"{whose}: {shape.told}" if shape.told else whose)
            if isinstance(shape, Points):
                marks = "".join(_mark(side, point, radius) for point in shape.points)
                parts.append(tag("path", title, d=marks, stroke=color, class_="point"))
            else:
                parts.append(_shape(shape, title, stroke=color, stroke_dasharray=dash))
    pixelated = "small" if max(shown.width, shown.height) <= 64 else None
    size = f"0 0 {shown.width} {shown.height}"
    return tag(
        "svg", *parts, viewBox=size, class_=f"picture {pixelated or ''}".strip(), role="img", aria_label="picture"
    )


def _shape(shape: Shape, title: Markup, **style: str | None) -> Markup:
    if isinstance(shape, Box):
        x, y, width, height = (_within_reason(each) for each in shape[:4])
        return tag("rect", title, x=x, y=y, width=width, height=height, **style, class_="box")
    rings, end = ([shape.points], "") if isinstance(shape, Line | Points) else (shape.rings, "Z")
    drawn = ("L".join(" ".join(_short(each) for each in point) for point in ring) for ring in rings)
    return tag("path", title, d="".join(f"M{ring}{end}" for ring in drawn), **style, class_="box")


def _mark(side: int, point: tuple[float, float], radius: float) -> str:
    """A point as a piece of a path: a circle, a square or a cross, by whose it is."""
    x, y = point
    r = _short(radius)
    wide = _short(2 * radius)
    left, top, right = (_short(each) for each in (x - radius, y - radius, x + radius))
    if side == 0:
        return f"M{left} {_short(y)}a{r} {r} 0 1 0 {wide} 0a{r} {r} 0 1 0 -{wide} 0Z"
    if side == 1:
        return f"M{left} {top}h{wide}v{wide}h-{wide}Z"
    return f"M{left} {top}l{wide} {wide}M{right} {top}l-{wide} {wide}"


def _short(number: float) -> str:
    return f"{_within_reason(number):.1f}".removesuffix(".0")


def _within_reason(number: float) -> float:
    return max(-1e6, min(1e6, number)) if number == number else 0.0
