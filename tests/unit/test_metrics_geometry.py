from __future__ import annotations

import sys
from dataclasses import dataclass
from math import cos, inf, nan, pi, sin
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import iou
from localreg.metrics.geometry import Geometry, iou_matrix, overlaps_of, read_shapes

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    top_left: Point
    bottom_right: Point


@dataclass(frozen=True)
class Polygon:
    points: list[Point]


def corners(box: Box) -> list[Point]:
    (x1, y1), (x2, y2) = box.top_left, box.bottom_right
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


@st.composite
def boxes(draw: st.DrawFn, numbers: st.SearchStrategy[float]) -> Box:
    (x1, x2), (y1, y2) = (sorted([draw(numbers), draw(numbers)]) for _ in range(2))
    return Box((x1, y1), (x2, y2))


coordinates = st.integers(0, 8) | st.floats(-1e6, 1e6)
small_polygons = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=7).map(
    lambda points: Polygon(list(points))
)
shapes: st.SearchStrategy[Geometry] = boxes(st.integers(0, 8)) | small_polygons

UNIT = Box((0, 0), (10, 10))
BOW_TIE = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
PENTAGRAM = Polygon([(sin(4 * pi * n / 5), cos(4 * pi * n / 5)) for n in range(5)])
PENTAGON_WITHIN = Polygon([(0.3 * sin(2 * pi * n / 5 + pi), 0.3 * cos(2 * pi * n / 5 + pi)) for n in range(5)])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (UNIT, UNIT, 1.0),
        (UNIT, Box((0, 0), (10, 5)), 0.5),
        (UNIT, Box((5, 5), (15, 15)), 25 / 175),
        (UNIT, Box((10, 0), (20, 10)), 0.0),  # they touch along a side
        (UNIT, Box((10, 10), (20, 20)), 0.0),  # and at a corner
        (UNIT, Box((30, 30), (40, 40)), 0.0),
        (UNIT, Box((2, 4), (7, 6)), 0.1),  # one within the other
        (Box((-10, -10), (0, 0)), Box((-5, -10), (5, 0)), 1 / 3),
        (UNIT, Box((5, 5), (5, 5)), 0.0),  # a point
        (Box((5, 0), (5, 9)), Box((5, 0), (5, 9)), 0.0),  # a line, with itself
        (UNIT, Polygon([(0, 0), (10, 0), (0, 10)]), 0.5),
        (Polygon([(0, 0), (10, 0), (0, 10)]), Polygon([(10, 10), (10, 0), (0, 10)]), 0.0),
        (Polygon([(0, 0), (10, 0), (0, 10)]), Polygon([(0, 0), (10, 0), (10, 10)]), 1 / 3),
        (UNIT, Polygon([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)]), 1.0),  # closed by hand
        (UNIT, Polygon([(0, 10), (10, 10), (10, 0), (0, 0)]), 1.0),  # the other way round
        (UNIT, BOW_TIE, 0.5),
        (BOW_TIE, BOW_TIE, 1.0),
        (UNIT, Polygon([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (-5, 0)]), 1.0),  # a spike has no area
        (UNIT, Polygon([(0, 0), (5, 5), (10, 10)]), 0.0),  # points on a line
        (Polygon([(3, 3)] * 3), Polygon([(3, 3)] * 3), 0.0),  # a point
        (Polygon([(0, 0), (5, 5), (9, 9)]), Polygon([(0, 0), (5, 5), (9, 9)]), 0.0),
        (UNIT, Polygon([(0, 0), (10, 0), (5, 5), (10, 10), (0, 10), (5, 5)]), 0.5),  # touches itself
        (PENTAGRAM, PENTAGON_WITHIN, 0.0),  # gone round twice: outside
        (Box((5, 5), (5, 9)), Polygon([(0, 0), (10, 0), (10, 10), (0, 10)]), 0.0),
    ],
)
def test_iou_by_hand(a: Geometry, b: Geometry, expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected, abs=1e-12)
    assert iou(b, a) == pytest.approx(expected, abs=1e-12)


@given(shapes, shapes)
def test_iou_is_symmetric_and_a_share(a: Geometry, b: Geometry) -> None:
    assert 0 <= iou(a, b) <= 1
    assert iou(a, b) == pytest.approx(iou(b, a), abs=1e-12)


@given(shapes)
def test_a_shape_with_area_overlaps_itself_wholly_and_exactly(a: Geometry) -> None:
    around = Box((-1, -1), (9, 9))
    assert iou(a, a) == (1.0 if iou(a, around) > 0 else 0.0)


@given(boxes(st.integers(0, 8)), boxes(st.integers(0, 8)), st.integers(0, 3), st.booleans())
def test_a_box_may_be_written_as_a_polygon(a: Box, b: Box, start: int, reverse: bool) -> None:
    points = [*corners(b)[start:], *corners(b)[:start]]
    polygon = Polygon(points[::-1] if reverse else points)
    assert iou(a, polygon) == pytest.approx(iou(a, b), abs=1e-12)
    assert iou(Polygon(corners(a)), polygon) == pytest.approx(iou(a, b), abs=1e-12)


@given(small_polygons, small_polygons)
def test_iou_of_polygons_is_that_of_shapely(a: Polygon, b: Polygon) -> None:
    shapely = pytest.importorskip("shapely")
    first, second = (shapely.make_valid(shapely.Polygon(each.points)) for each in (a, b))
    union = shapely.union(first, second).area
    assert iou(a, b) == pytest.approx(shapely.intersection(first, second).area / union if union else 0.0, abs=1e-9)


@settings(deadline=None)
@given(st.lists(boxes(st.floats(0, 1000)), min_size=1, max_size=6), st.lists(boxes(st.floats(0, 1000)), min_size=1))
def test_iou_of_boxes_is_that_of_the_coco_tools(first: list[Box], second: list[Box]) -> None:
    mask = pytest.importorskip("faster_coco_eval.core.mask")

    def as_xywh(several: list[Box]) -> np.ndarray:
        xyxy = np.array([(*box.top_left, *box.bottom_right) for box in several])
        return np.hstack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]])

    expected = mask.iou(as_xywh(first), as_xywh(second), [0] * len(second))
    got = np.array([[iou(a, b) for b in second] for a in first])
    np.testing.assert_allclose(got, np.nan_to_num(expected), atol=1e-6)


@given(st.lists(boxes(coordinates), max_size=5), st.lists(boxes(coordinates), max_size=5))
def test_the_matrix_holds_bit_by_bit_what_pairs_give(first: list[Box], second: list[Box]) -> None:
    matrix = iou_matrix(read_shapes(first, "first").boxes, read_shapes(second, "second").boxes)
    assert matrix.shape == (len(first), len(second))
    assert matrix.tolist() == [[iou(a, b) for b in second] for a in first]


@given(st.lists(shapes, max_size=5), st.lists(shapes, max_size=5), st.integers(0, 5))
def test_columns_of_mixed_shapes_hold_what_pairs_give(first: list[Geometry], second: list[Geometry], cut: int) -> None:
    joined = read_shapes(second[:cut], "second").followed_by(read_shapes(second[cut:], "third"))
    assert len(joined) == len(second)
    matrix = overlaps_of(read_shapes(first, "first"), joined)
    assert matrix.tolist() == [[iou(a, b) for b in second] for a in first]
    backwards = np.arange(len(second))[::-1]
    np.testing.assert_array_equal(overlaps_of(read_shapes(first, "first"), joined.take(backwards)), matrix[:, ::-1])


def test_rounding_never_lifts_an_iou_above_one() -> None:
    points = [(0.4, 0.5), (0.3, 0.9), (0.5, 0.2)]
    assert iou(Polygon(points), Polygon(points[1:] + points[:1])) == 1.0


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (-5, 0)],  # a spike
        [(0, 0), (10, 10), (10, 0), (0, 10)],
        [(0, 0), (5, 5), (10, 10)],
    ],
)
def test_what_is_left_of_an_outline_that_is_mended_are_areas_alone(points: list[Point]) -> None:
    """Some releases of GEOS refuse to intersect areas mixed with lines."""
    shapely = pytest.importorskip("shapely")
    mended = read_shapes([Polygon(points)], "polygons").polygons
    assert mended is not None
    assert {2} >= set(shapely.get_dimensions(shapely.get_parts(mended)).tolist())
    assert shapely.is_valid(mended).all()


def test_arrays_and_small_integers_are_coordinates() -> None:
    a = SimpleNamespace(top_left=np.array([0, 0], dtype=np.int8), bottom_right=np.array([100, 100], dtype=np.int8))
    b = SimpleNamespace(top_left=[0, 0], bottom_right=[100, 50])
    assert iou(a, b) == 0.5
    polygon = SimpleNamespace(points=np.array([[0, 0], [100, 0], [100, 50], [0, 50]], dtype=np.int8))
    assert iou(a, polygon) == 0.5
    assert overlaps_of(read_shapes([a], "a"), read_shapes([b], "b")).item() == 0.5


def test_what_has_corners_and_points_is_a_box() -> None:
    both = SimpleNamespace(top_left=(0, 0), bottom_right=(10, 10), points=[(0, 0), (1, 0), (0, 1)])
    assert iou(both, UNIT) == 1.0


def test_huge_and_tiny_boxes_neither_overflow_nor_divide_by_zero() -> None:
    huge = Box((-1e75, -1e75), (1e75, 1e75))
    assert iou(huge, huge) == 1.0
    tiny = Box((0, 0), (1e-200, 1e-200))
    assert iou(tiny, tiny) == 0.0
    assert iou_matrix(read_shapes([tiny], "a").boxes, read_shapes([tiny], "b").boxes).item() == 0.0


# --- what is refused --------------------------------------------------------------------------------------------------

BAD: list[tuple[Any, str]] = [
    (Box((5, 0), (4, 9)), r"top_left \(5, 0\) lies beyond bottom_right \(4, 9\)"),
    (Box((0, 9), (5, 8)), r"top_left \(0, 9\) lies beyond bottom_right \(5, 8\)"),
    (Box((nan, 0), (5, 5)), r"\.top_left is \(nan, 0\)"),
    (Box((0, 0), (5, inf)), r"\.bottom_right is \(5, inf\)"),
    (Box((0, 0), (5, 1e76)), r"\.bottom_right is .*at most 1e\+75"),
    (SimpleNamespace(top_left=("0", 0), bottom_right=(5, 5)), r"\.top_left is \('0', 0\); it must be two numbers"),
    (SimpleNamespace(top_left=(0, 0), bottom_right=(5, 5, 5)), r"\.bottom_right is \(5, 5, 5\)"),
    (SimpleNamespace(top_left=(0, 0), bottom_right=(None, 5)), r"\.bottom_right is \(None, 5\)"),
    (SimpleNamespace(top_left=None, bottom_right=(5, 5)), r"\.top_left is None"),
    (SimpleNamespace(top_left=(0, 0)), "of type SimpleNamespace, which is neither a box"),
    ("box", "of type str, which is neither a box"),
    (None, "of type NoneType, which is neither a box"),
    (Polygon([(0, 0), (1, 1)]), r"\.points has 2 of them"),
    (SimpleNamespace(points=7), r"\.points is no list"),
    (Polygon([(0, 0), (1, nan), (1, 1)]), r"\.points\[1\] is \(1, nan\)"),
    (SimpleNamespace(points=[(0, 0), (1, 0), (1, 1, 1)]), r"\.points\[2\] is \(1, 1, 1\)"),
]


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_iou_names_the_shape_that_it_refuses(bad: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^a.*{message}"):
        iou(bad, UNIT)
    with pytest.raises(InvalidInputError, match=f"^b.*{message}"):
        iou(UNIT, bad)


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_columns_name_the_shape_that_they_refuse(bad: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"^boxes\[1\].*{message}"):
        read_shapes([UNIT, bad, UNIT], "boxes")


def test_without_shapely_boxes_overlap_and_polygons_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    assert iou(UNIT, UNIT) == 1.0
    with pytest.raises(InvalidInputError, match=r"shapely.*pip install 'localreg-registry\[masks\]'") as caught:
        iou(UNIT, BOW_TIE)
    assert isinstance(caught.value.__cause__, ImportError)


def test_floating_point_flags_that_geos_leaves_make_no_warning() -> None:
    pytest.importorskip("shapely")
    points = [(-1e75, -1.0), (-1e75, 0.1), (0.1, 1e75), (-1.0, 1 + 1e-15), (5e-324, 1e75)]
    assert 0 <= iou(Polygon(points), Polygon([(1e75, 1e16), (0, 1e75), (1, 5e-324), (1e75, 0.3), (0.3, 0.1)])) <= 1


def test_what_shapely_cannot_intersect_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    shapely = pytest.importorskip("shapely")

    def fail(*_: object) -> None:
        raise shapely.errors.GEOSException("TopologyException")

    monkeypatch.setattr(shapely, "intersection", fail)
    with pytest.raises(InvalidInputError, match="cannot be intersected: TopologyException"):
        iou(UNIT, BOW_TIE)
