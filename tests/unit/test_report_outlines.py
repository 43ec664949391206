"""Boxes and outlines over the pictures of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Images

from localreg import Comparison, Registry, coco
from localreg.compare.report import outlines
from localreg.compare.report.outlines import Box, Outline, shapes_in
from tests.reports import CORNERS, Element, Page, segmented


def drawn(comparison: Comparison, folder: Path) -> tuple[Page, list[Element]]:
    page = Page(comparison.to_html(folder / "report.html").read_text(encoding="utf-8"))
    return page, [each for each in page.elements if "box" in (each.attributes.get("class") or "").split()]


def test_polygons_stand_where_they_are_in_the_picture(registry: Registry, tmp_path: Path) -> None:
    page, shapes = drawn(segmented(registry, tmp_path), tmp_path)
    assert [(each.tag, each.attributes["d"]) for each in shapes] == [
        ("path", "M1 2L31.2 2L31.2 20Z"),
        ("path", "M31.2 20L31.2 2L1 2Z"),
    ]
    assert len({each.attributes["stroke"] for each in shapes}) == 2
    assert "candidate: <b> 0.750" in page.text
    assert "ground truth1 outlinebaselinenothingcandidate1 outline" in page.text


@pytest.mark.parametrize(("iou_type", "tags"), [("bbox", ["rect", "rect"]), ("segm", ["path", "path"])])
def test_objects_with_boxes_and_masks_are_shown_as_they_are_compared(
    registry: Registry, tmp_path: Path, iou_type: Any, tags: list[str]
) -> None:
    Images.new("RGB", (400, 300)).save(tmp_path / "1.png")
    polygons = [[0, 0, 10, 0, 10, 10, 0, 10], [20, 20, 30, 20, 30, 30]]
    each = {"category_id": 1, "image_id": 1, "bbox": [0, 0, 30, 30], "segmentation": polygons}
    file = {
        "images": [{"id": 1, "file_name": "1.png", "width": 400, "height": 300}],
        "annotations": [{**each, "id": 1, "area": 130.0, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    registry.import_coco(file, suite="s", images_root=tmp_path)
    registry.import_coco_results([], suite="s", model=coco.Model("old"))
    registry.import_coco_results([{**each, "score": 0.9}], suite="s", model="new")
    comparison = registry.compare("old", "new", suite="s", iou_type=iou_type)
    _, shapes = drawn(comparison, tmp_path)
    assert [each.tag for each in shapes] == tags
    if iou_type == "segm":
        assert shapes[0].attributes["d"] == "M0 0L10 0L10 10L0 10ZM20 20L30 20L30 30Z"


def points(*given: tuple[float, float]) -> list[dict[str, float]]:
    return [{"x": x, "y": y} for x, y in given]


@pytest.mark.parametrize(
    "value",
    [
        {"points": points(*CORNERS)},  # keypoints, or a line
        {"label": "x", "points": points(*CORNERS[:2])},
        {"label": "x", "points": None},
        {"label": "x", "points": [1, "y", None, {"x": 1}, {"y": 2}, {"x": None, "y": 3}]},
        {"label": "x", "segmentation": {"polygons": None, "counts": "abc"}},
        {"label": "x", "segmentation": {"polygons": [None, [1, 2, 3], ["a", "b"] * 3]}},
        {"label": "x", "top_left": {"x": 1, "y": 2}, "bottom_right": None},
        {"label": "x", "top_left": {"x": 1}, "bottom_right": {"y": 2}},
    ],
)
def test_what_is_no_shape_is_not_drawn(value: Any) -> None:
    assert shapes_in(value) == []


def test_shapes_are_found_wherever_they_stand_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    polygon = {"label": "cat", "score": 0.5, "points": points(*CORNERS)}
    box = {"top_left": {"x": 9, "y": 2}, "bottom_right": {"x": 3, "y": 8}}
    outline = Outline((tuple(CORNERS),), "cat 0.500")
    assert shapes_in({"deep": [{"er": (polygon, box)}]}) == [outline, Box(3, 2, 6, 6, "")]
    assert len(shapes_in([polygon] * 99)) == outlines.MOST_SHAPES
    monkeypatch.setattr(outlines, "MOST_POINTS", 20)
    many = {"label": "x", "points": points(*((float(n), 0.0) for n in range(1000)))}
    (long, short) = shapes_in([many, polygon])
    assert isinstance(long, Outline)
    assert [x for x, _ in long.rings[0]] == [100.0 * n for n in range(10)]
    assert short == outline
