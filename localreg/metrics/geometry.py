"""How much shapes overlap: boxes and polygons, one pair or all pairs at once.

A shape is anything with `top_left` and `bottom_right` (a box) or with `points` (a polygon); what else it has does not
matter, and who has all three is a box. Coordinates are continuous: a box from 0 to 10 is 10 wide, not 11.

- Boxes need numpy alone; a pair with a polygon needs shapely (extra `masks`).
- A shape without area (a point, a line, a polygon whose points lie on one line) overlaps nothing: its IoU is 0.0, even
  with itself.
- A polygon is closed by itself. One that crosses or touches itself counts by the even-odd rule: what its outline goes
  round twice is outside. Parts without area are dropped.
- Refused with InvalidInputError: boxes whose corners are the wrong way round, polygons of fewer than three points,
  coordinates that are no numbers, NaN, infinite, or beyond 1e75 (products of four of them must not overflow).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from localreg.errors import InvalidInputError
from localreg.metrics.reading import number_of

if TYPE_CHECKING:
    from types import ModuleType

    import numpy as np

__all__ = ["BoxLike", "Geometry", "PolygonLike", "Shapes", "iou", "iou_matrix", "overlaps_of", "read_shapes"]

LARGEST = 1e75
"""The largest coordinate: products of four, as in the crossing of two lines, are still finite."""


class BoxLike(Protocol):
    """An upright box: y grows downwards or upwards, as long as no corner lies before `top_left`."""

    @property
    def top_left(self) -> Sequence[float]:
        """(x, y), the smaller ones."""

    @property
    def bottom_right(self) -> Sequence[float]:
        """(x, y), the larger ones."""


class PolygonLike(Protocol):
    """A polygon."""

    @property
    def points(self) -> Sequence[Sequence[float]]:
        """(x, y) of each corner in turn, three or more; the first need not be repeated."""


Geometry: TypeAlias = BoxLike | PolygonLike
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shapes:
    """Shapes as columns.

    Attributes:
        boxes: float64 (n, 4), xyxy; of a polygon the box around it.
        polygons: object (n,), valid geometries of shapely; None at each box. None as a whole if all are boxes.
    """

    boxes: np.ndarray
    polygons: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def is_polygon(self) -> np.ndarray:
        """Bool (n,)."""
        import numpy as np

        there = [False] * len(self) if self.polygons is None else [polygon is not None for polygon in self.polygons]
        return np.array(there, dtype=bool)

    def take(self, rows: np.ndarray | slice) -> Shapes:
        """Those at `rows`, in their order."""
        return Shapes(self.boxes[rows], None if self.polygons is None else self.polygons[rows])

    def followed_by(self, others: Shapes) -> Shapes:
        """These, then the others."""
        import numpy as np

        if not len(others):
            return self
        boxes = np.concatenate([self.boxes, others.boxes])
        if self.polygons is None and others.polygons is None:
            return Shapes(boxes)
        parts = [np.full(len(s), None) if s.polygons is None else s.polygons for s in (self, others)]
        return Shapes(boxes, np.concatenate(parts))


def iou(a: Geometry, b: Geometry) -> float:
    """Intersection over union of two shapes: the area that both cover over the area that either covers.

    Args:
        a: a box (`top_left`, `bottom_right`) or a polygon (`points`).
        b: the same; one may be a box and the other a polygon.

    Returns:
        A number in [0, 1]; 0.0 if either has no area, 1.0 for two of the same points.

    Raises:
        InvalidInputError: a shape is neither, is turned inside out, or has coordinates that are no finite numbers;
            or there is a polygon, and shapely is not installed.

    Source:
        P. Jaccard, Bulletin de la Société Vaudoise des Sciences Naturelles 37 (1901) 547.
    """
    if _is_box(a) and _is_box(b):
        return _iou_of_boxes(_read_box(a, "a"), _read_box(b, "b"))
    return float(overlaps_of(_read_each([a], ["a"]), _read_each([b], ["b"]))[0, 0])


def iou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of each box with each other one.

    Args:
        first: float64 (n, 4), xyxy, x1 <= x2 and y1 <= y2; not checked here.
        second: float64 (m, 4), the same.

    Returns:
        float64 (n, m), bit by bit what `iou` gives for each pair. It takes three times its size while it is made.
    """
    import numpy as np

    x1, y1, x2, y2 = first.T[:, :, np.newaxis]
    u1, v1, u2, v2 = second.T
    shared: np.ndarray = np.minimum(x2, u2)
    shared -= np.maximum(x1, u1)
    height = np.minimum(y2, v2)
    height -= np.maximum(y1, v1)
    np.maximum(shared, 0, out=shared)
    np.maximum(height, 0, out=height)
    shared *= height
    union = np.add((x2 - x1) * (y2 - y1), (u2 - u1) * (v2 - v1), out=height)
    union -= shared
    np.divide(shared, union, out=shared, where=shared > 0)
    return shared


def overlaps_of(first: Shapes, second: Shapes) -> np.ndarray:
    """IoU of each shape with each other one: float64 (n, m), as `iou` gives it."""
    import numpy as np

    overlaps = iou_matrix(first.boxes, second.boxes)
    if first.polygons is None and second.polygons is None:
        return overlaps
    has_polygon = first.is_polygon()[:, np.newaxis] | second.is_polygon()
    rows, columns = np.nonzero(has_polygon & (overlaps > 0))  # where the boxes around them meet
    overlaps[rows, columns] = _iou_of_polygons(_outlines(first)[rows], _outlines(second)[columns])
    return overlaps


def read_shapes(shapes: Sequence[Geometry], name: str) -> Shapes:
    """Shapes as columns, checked.

    Args:
        shapes: boxes and polygons, mixed at will.
        name: of the argument; a message calls the third one `name[2]`.

    Raises:
        InvalidInputError: a shape cannot be read; it is named.
    """
    boxes = _read_plain_boxes(shapes)
    return _read_each(shapes, [f"{name}[{n}]" for n in range(len(shapes))]) if boxes is None else Shapes(boxes)


# --- reading ----------------------------------------------------------------------------------------------------------


def _is_box(shape: object) -> bool:
    return hasattr(shape, "top_left") and hasattr(shape, "bottom_right")


def _read_plain_boxes(shapes: Sequence[Geometry]) -> np.ndarray | None:
    """float64 (n, 4) if all are boxes without fault, as is usual; None = look at each."""
    import numpy as np

    try:
        corners = [(shape.top_left, shape.bottom_right) for shape in shapes]  # type: ignore[union-attr]
        boxes = np.array([(x1, y1, x2, y2) for (x1, y1), (x2, y2) in corners])
    except (AttributeError, TypeError, ValueError):
        return None
    if not len(shapes):
        return np.empty((0, 4))
    if boxes.dtype.kind not in "iuf" or boxes.ndim != 2:
        return None
    boxes = boxes.astype(np.float64, copy=False)
    fine = np.abs(boxes).max() <= LARGEST and (boxes[:, :2] <= boxes[:, 2:]).all()  # a NaN is neither
    return boxes if fine else None


def _read_each(shapes: Sequence[Geometry], names: Sequence[str]) -> Shapes:
    import numpy as np

    boxes = np.empty((len(shapes), 4))
    rings: dict[int, np.ndarray] = {}
    for row, (shape, name) in enumerate(zip(shapes, names, strict=True)):
        if _is_box(shape):
            boxes[row] = _read_box(shape, name)
        else:
            ring = rings[row] = _read_points(shape, name)
            boxes[row] = *ring.min(axis=0), *ring.max(axis=0)
    return Shapes(boxes, _polygons(rings, len(shapes)) if rings else None)


def _read_box(shape: object, name: str) -> Box:
    x1, y1 = _read_point(shape.top_left, f"{name}.top_left")  # type: ignore[attr-defined]
    x2, y2 = _read_point(shape.bottom_right, f"{name}.bottom_right")  # type: ignore[attr-defined]
    if x1 > x2 or y1 > y2:
        raise InvalidInputError(
            f"{name}: top_left ({x1:g}, {y1:g}) lies beyond bottom_right ({x2:g}, {y2:g}); swap the coordinates"
        )
    return x1, y1, x2, y2


def _read_points(shape: object, name: str) -> np.ndarray:
    """float64 (n, 2)."""
    import numpy as np

    try:
        points = list(shape.points)  # type: ignore[attr-defined]
    except AttributeError as error:
        raise InvalidInputError(
            f"{name} is of type {type(shape).__name__}, which is neither a box (top_left, bottom_right) "
            "nor a polygon (points)"
        ) from error
    except TypeError as error:
        raise InvalidInputError(f"{name}.points is no list of (x, y)") from error
    if len(points) < 3:
        raise InvalidInputError(f"{name}.points has {len(points)} of them; a polygon has three or more")
    return np.array([_read_point(point, f"{name}.points[{n}]") for n, point in enumerate(points)])


def _read_point(point: Sequence[float], name: str) -> tuple[float, float]:
    try:
        x, y = (number_of(value) for value in point)
    except (TypeError, ValueError):
        x = y = None
    if x is None or y is None:
        raise InvalidInputError(f"{name} is {point!r}; it must be two numbers (x, y)")
    if not (abs(x) <= LARGEST and abs(y) <= LARGEST):  # a NaN is not
        raise InvalidInputError(f"{name} is {point!r}; coordinates are finite numbers of at most {LARGEST:g}")
    return x, y


# --- overlap ----------------------------------------------------------------------------------------------------------


def _iou_of_boxes(a: Box, b: Box) -> float:
    """The same sums as in `iou_matrix`, without its fixed cost."""
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    shared = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if shared > 0 else 0.0  # tiny sides may have no area that a float can hold


def _iou_of_polygons(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of the n-th and the n-th: float64 (n,)."""
    import numpy as np

    with _geos() as shapely:
        area, other_area = shapely.area(first), shapely.area(second)
        shared = shapely.area(shapely.intersection(first, second))
        shared = np.where(shapely.equals_exact(first, second), area, shared)  # else an ulp off 1
    overlaps = np.zeros(len(shared))
    np.divide(shared, area + other_area - shared, out=overlaps, where=shared > 0)
    return np.minimum(overlaps, 1.0, out=overlaps)


def _polygons(rings: dict[int, np.ndarray], count: int) -> np.ndarray:
    """A column (count,) of objects: a valid polygon in each row that has a ring."""
    import numpy as np

    lengths = [len(ring) for ring in rings.values()]
    with _geos() as shapely:
        outlines = shapely.linearrings(np.concatenate([*rings.values()]), indices=np.repeat(range(len(rings)), lengths))
        polygons = shapely.polygons(outlines)
        for row in np.flatnonzero(~shapely.is_valid(polygons)):
            parts = shapely.get_parts(shapely.make_valid(polygons[row]))
            polygons[row] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])  # lines have no area
    placed = np.full(count, None)
    placed[list(rings)] = polygons
    return placed


def _outlines(shapes: Shapes) -> np.ndarray:
    """All as polygons, the boxes, too: (n,) of objects."""
    import numpy as np

    with _geos() as shapely:
        boxes: np.ndarray = shapely.box(*shapes.boxes.T)
    return boxes if shapes.polygons is None else np.where(shapes.is_polygon(), shapes.polygons, boxes)


@contextmanager
def _geos() -> Iterator[ModuleType]:
    """The module `shapely`, while its errors are ours."""
    import numpy as np

    try:
        import shapely
    except ImportError as error:
        raise InvalidInputError(
            "polygons need shapely, which is not installed: pip install 'localreg-registry[masks]'"
        ) from error
    try:
        with np.errstate(all="ignore"):  # GEOS leaves floating-point flags set, of which numpy would warn
            yield shapely
    except shapely.errors.ShapelyError as error:
        raise InvalidInputError(f"polygons cannot be intersected: {error}; are their coordinates right?") from error
