"""Boxes, polygons and the outlines of masks that a ground truth or an inference holds, wherever they stand in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Box", "Outline", "Shape", "shapes_in", "structs_in"]

MOST_SHAPES = 60
MOST_STEPS = 10_000
MOST_POINTS = 2_000
"""Of all outlines of a ground truth or an inference: of more, so many that are spread evenly."""

Ring: TypeAlias = tuple[tuple[float, float], ...]


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


Shape: TypeAlias = Box | Outline


def shapes_in(value: Any, *, outlined: bool = False) -> list[Shape]:
    """The shapes that a ground truth or an inference holds; the first of many.

    Args:
        value: the whole, or a part.
        outlined: what has both a box and the polygons of a mask is shown by these.
    """
    found = (_shape(each, outlined=outlined) for each in structs_in(value))
    shapes = list(islice((each for each in found if each is not None), MOST_SHAPES))
    rings = sum(len(each.rings) for each in shapes if isinstance(each, Outline))
    most = max(3, MOST_POINTS // max(1, rings))
    return [_thinned(each, most) if isinstance(each, Outline) else each for each in shapes]


def structs_in(value: Any) -> Iterator[dict[str, Any]]:
    """A value's structs, from the outside to the inside, in order; of very many only the first."""
    waiting = deque([value])
    for _ in range(MOST_STEPS):
        if not waiting:
            return
        each = waiting.popleft()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each[:MOST_STEPS]


def _shape(value: dict[str, Any], *, outlined: bool) -> Shape | None:
    box, rings = _box(value), _rings(value)
    if rings and (outlined or box is None):
        return Outline(rings, _told(value))
    return box


def _box(value: dict[str, Any]) -> Box | None:
    ends = _points([value.get("top_left"), value.get("bottom_right")])
    if len(ends) != 2:
        return None
    (left, top), (right, bottom) = ends
    return Box(min(left, right), min(top, bottom), abs(right - left), abs(bottom - top), _told(value))


def _rings(value: dict[str, Any]) -> tuple[Ring, ...]:
    """The outlines of a labelled polygon, or of a mask that is made of polygons."""
    if "label" not in value:  # keypoints and lines have points, too
        return ()
    points, mask = value.get("points"), value.get("segmentation")
    if isinstance(points, list):
        rings = [_points(points)]
    else:
        polygons = mask.get("polygons") if isinstance(mask, dict) else None
        rings = [_pairs(each) for each in polygons] if isinstance(polygons, list) else []
    return tuple(tuple(ring) for ring in rings if len(ring) >= 3)


def _points(given: Sequence[Any]) -> list[tuple[float, float]]:
    """Points as they are stored; without those that are none."""
    pairs = [(each.get("x"), each.get("y")) for each in given if isinstance(each, dict)]
    return [(x, y) for x, y in pairs if isinstance(x, int | float) and isinstance(y, int | float)]


def _pairs(given: Any) -> list[tuple[float, float]]:
    """Numbers in a row as points, as they stand in COCO files."""
    numbers = given if isinstance(given, list) else []
    pairs = zip(numbers[0::2], numbers[1::2], strict=False)
    return [(x, y) for x, y in pairs if isinstance(x, int | float) and isinstance(y, int | float)]


def _thinned(outline: Outline, most: int) -> Outline:
    """With at most so many points in each ring."""
    rings = [
        ring if len(ring) <= most else tuple(ring[n * len(ring) // most] for n in range(most)) for ring in outline.rings
    ]
    return Outline(tuple(rings), outline.told)


def _told(value: dict[str, Any]) -> str:
    score = value.get("score", value.get("confidence"))
    told = [str(value["label"])] if value.get("label") is not None else []
    told += [f"{score:.3f}"] if isinstance(score, float) else []
    return " ".join(told)
