"""Boxes, outlines, lines and points that a ground truth or an inference holds, wherever they stand in it.

Values are plain; what a list of points means is told by the name of its class in the recorded schema, or of the field
that it stands in (`Keypoints`, `lanes`), and else a labelled one is a closed outline. Shapes in space are not drawn.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

from localreg.compare.report.masks import run_length_rings
from localreg.tables import Node

__all__ = [
    "Box",
    "Line",
    "Outline",
    "Points",
    "Shape",
    "Struct",
    "found_in",
    "is_mask",
    "shapes_in",
    "structs_in",
    "told_of",
]

MOST_SHAPES = 60
MOST_STEPS = 10_000
MOST_POINTS = 2_000
"""Of all shapes of a ground truth or an inference but boxes: of more, so many that are spread evenly."""

Ring: TypeAlias = tuple[tuple[float, float], ...]

CLOSED = {"polygon", "outline", "contour"}
OPEN = {"polyline", "line", "lane", "curve", "path", "trajectory"}
SINGLE = {"keypoint", "point", "landmark", "joint", "pose"}
"""Words in names of classes and fields whose points are joined to a ring, to a line, or not at all."""


class Box(NamedTuple):
    """A box in pixels of the picture, and what is told of it."""

    x: float
    y: float
    width: float
    height: float
    told: str


class Outline(NamedTuple):
    """Closed lines in pixels of the picture, of three points at least, and what is told of what they hold."""

    rings: tuple[Ring, ...]
    told: str


class Line(NamedTuple):
    """An open line in pixels of the picture, of two points at least, and what is told of it."""

    points: Ring
    told: str


class Points(NamedTuple):
    """Points in pixels of the picture that are not joined, and what is told of them."""

    points: Ring
    told: str


Shape: TypeAlias = Box | Outline | Line | Points


class Struct(NamedTuple):
    """A struct within a value.

    Attributes:
        value: its fields.
        class_name: of its class, as it is recorded; empty if that is not known.
        field_name: of the field that it stands in, perhaps within lists.
    """

    value: dict[str, Any]
    class_name: str
    field_name: str


def shapes_in(value: Any, node: Node | None = None, *, outlined: bool = False) -> list[Shape]:
    """The shapes that a ground truth or an inference holds; the first of many.

    Args:
        value: the whole, or a part.
        node: its schema, if it is known.
        outlined: what has both a box and the pixels of a mask is shown by the outlines of these.
    """
    found = (shape for each in found_in(value, node) for shape in _shapes(each, outlined=outlined))
    shapes = list(islice(found, MOST_SHAPES))
    pieces = sum(len(each.rings) if isinstance(each, Outline) else not isinstance(each, Box) for each in shapes)
    most = max(3, MOST_POINTS // max(1, pieces))
    return [each if isinstance(each, Box) else _thinned(each, most) for each in shapes]


def structs_in(value: Any) -> Iterator[dict[str, Any]]:
    """A value's structs, from the outside to the inside, in order; of very many only the first."""
    return (each.value for each in found_in(value))


def found_in(value: Any, node: Node | None = None) -> Iterator[Struct]:
    """The same, with what the schema says of them."""
    waiting: deque[tuple[Any, Node | None, str]] = deque([(value, node, "")])
    for _ in range(MOST_STEPS):
        if not waiting:
            return
        each, own, name = waiting.popleft()
        if isinstance(each, dict):
            yield Struct(each, (own and own.name) or "", name)
            waiting += [(inner, own and own.field(key), key) for key, inner in each.items()]
        elif isinstance(each, list | tuple):
            # The pairs of a map are tuples, and what they hold is of the map's type.
            inner = own.items if own is not None and isinstance(each, list) else own
            waiting += [(item, inner, name) for item in each[:MOST_STEPS]]


def _shapes(found: Struct, *, outlined: bool) -> Iterator[Shape]:
    value, told = found.value, told_of(found.value)
    box = _box(value, told)
    if box is None or outlined:
        points = _points(value.get("points"))
        kind = _kind(found) if points else None
        if kind is Line and len(points) >= 2:
            yield Line(tuple(points), told)
        elif kind is Points and points:
            yield Points(tuple(points), told)
        rings = _rings(value, points if kind is Outline else [])
        if rings:
            yield Outline(rings, told)
            box = None
    if box is not None:
        yield box
    points = _seen(value.get("keypoints"))
    if points:
        yield Points(tuple(points), told)


def _kind(found: Struct) -> type[Shape] | None:
    """What the points of a struct are; None = nobody knows."""
    for name in (found.class_name, found.field_name):
        words = {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
        for kind, known in ((Outline, CLOSED), (Line, OPEN), (Points, SINGLE)):
            if words & known:
                return kind
    return Outline if "label" in found.value else Points if found.class_name else None


def _box(value: dict[str, Any], told: str) -> Box | None:
    ends = _points([value.get("top_left"), value.get("bottom_right")])
    if len(ends) != 2:
        return None
    (left, top), (right, bottom) = ends
    return Box(min(left, right), min(top, bottom), abs(right - left), abs(bottom - top), told)


def _rings(value: dict[str, Any], points: list[tuple[float, float]]) -> tuple[Ring, ...]:
    """The outlines of a polygon, or of a labelled mask that is made of polygons or of run lengths."""
    mask = value.get("segmentation")
    if points or "label" not in value or not isinstance(mask, dict) or isinstance(value.get("points"), list):
        return (tuple(points),) if len(points) >= 3 else ()
    polygons = mask.get("polygons")
    if isinstance(polygons, list):
        rings = [_pairs(each) for each in polygons]
        return tuple(tuple(ring) for ring in rings if len(ring) >= 3)
    return run_length_rings(mask)


def _points(given: Any) -> list[tuple[float, float]]:
    """Points as they are stored; without those that are none, or lie in space."""
    there = [each for each in given if isinstance(each, dict) and "z" not in each] if isinstance(given, list) else []
    return _finite((each.get("x"), each.get("y")) for each in there)


def _pairs(given: Any) -> list[tuple[float, float]]:
    """Numbers in a row as points, as they stand in COCO files."""
    numbers = given if isinstance(given, list) else []
    return _finite(zip(numbers[0::2], numbers[1::2], strict=False))


def _finite(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in pairs if _is_number(x) and _is_number(y)]


def _seen(given: Any) -> list[tuple[float, float]]:
    """Keypoints as they stand in COCO files, three numbers each; those of zeros are not labelled."""
    numbers = given if isinstance(given, list) and all(map(_is_number, given[:MOST_STEPS])) else []
    triples = zip(numbers[0:MOST_STEPS:3], numbers[1:MOST_STEPS:3], numbers[2:MOST_STEPS:3], strict=False)
    return [(x, y) for x, y, seen in triples if x or y or seen]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _thinned(shape: Outline | Line | Points, most: int) -> Shape:
    """With at most so many points in each ring."""
    if isinstance(shape, Outline):
        return Outline(tuple(_spread(ring, most) for ring in shape.rings), shape.told)
    return shape._replace(points=_spread(shape.points, most))


def _spread(ring: Ring, most: int) -> Ring:
    return ring if len(ring) <= most else tuple(ring[n * len(ring) // most] for n in range(most))


def is_mask(found: Struct) -> bool:
    """Whether a struct names an image that is a mask, as `SegmentationMask` and `BitmapMask` do."""
    names = f"{found.class_name} {found.field_name}".lower()
    return isinstance(found.value.get("locator"), str) and ("mask" in names or "segmentation" in names)


def told_of(value: dict[str, Any]) -> str:
    """What is told of a struct: its label, and its score."""
    score = value.get("score", value.get("confidence"))
    told = [str(value["label"])] if value.get("label") is not None else []
    told += [f"{score:.3f}"] if isinstance(score, float) else []
    return " ".join(told)
