"""The COCO numbers of masks: those of pycocotools, and its pixels."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg.errors import InvalidInputError
from localreg.metrics import coco_segmentation
from localreg.metrics.coco.entries import Entries
from localreg.metrics.coco.masks import Masks
from localreg.metrics.coco.runs import decompressed
from localreg.metrics.coco.shapes import segmentations_of
from tests.coco_oracle import drawn_masks, numbers_of


def masks_of(segmentations: list[Any], height: int, width: int) -> Masks:
    entries = Entries([{"segmentation": each} for each in segmentations], "annotations")
    return Masks.of(segmentations_of(entries), np.tile([height, width], (len(segmentations), 1)), "annotations")


def painted(segmentation: Any, height: int, width: int) -> np.ndarray:
    """By pycocotools."""
    from pycocotools import mask

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how it speaks to numpy
        return np.asarray(mask.decode(mask.merge(mask.frPyObjects(segmentation, height, width))))


@pytest.mark.parametrize("seed", range(25))
def test_the_numbers_are_those_of_pycocotools(seed: int) -> None:
    annotations, results = drawn_masks(seed)
    found = coco_segmentation(copy.deepcopy(annotations), copy.deepcopy(results))
    assert found == numbers_of(annotations, results, "segm")


@pytest.mark.parametrize("seed", range(40))
def test_polygons_have_the_pixels_of_pycocotools(seed: int) -> None:
    draw = np.random.default_rng(seed)
    height, width = draw.integers(1, 60, 2).tolist()
    segmentations = []
    for _ in range(30):
        polygons = []
        for _ in range(draw.integers(1, 4)):
            corners = draw.uniform(-20, 80, (int(draw.integers(3, 12)), 2))
            corners = np.round(corners * finer) / finer if (finer := int(draw.choice([0, 1, 2, 5, 10]))) else corners
            if draw.random() < 0.2:
                corners[:, int(draw.integers(2))] = corners[0, 0]  # a line
            if draw.random() < 0.2:
                corners[-1] = corners[0]  # closed by hand
            polygons.append(corners.ravel().tolist())
        segmentations.append(polygons)
    masks = masks_of(segmentations, height, width)
    for number, each in enumerate(segmentations):
        wanted = painted(each, height, width)
        np.testing.assert_array_equal(masks.pixels(number), wanted, err_msg=str(each))
        assert masks.area[number] == wanted.sum()


COORDINATE = st.one_of(
    st.integers(-100, 500).map(lambda n: n / 10), st.floats(-50, 100, allow_nan=False), st.integers(-5, 40).map(float)
)


@given(
    polygons=st.lists(
        st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=8).map(lambda p: [x for xy in p for x in xy]),
        min_size=1,
        max_size=3,
    ),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
@settings(max_examples=300, deadline=None)
def test_any_polygons_have_the_pixels_of_pycocotools(polygons: list[list[float]], height: int, width: int) -> None:
    np.testing.assert_array_equal(masks_of([polygons], height, width).pixels(0), painted(polygons, height, width))


@given(st.lists(st.lists(st.integers(0, 2**33), max_size=9), max_size=6))
@settings(max_examples=200, deadline=None)
def test_compressed_run_lengths_are_read_back(lists: list[list[int]]) -> None:
    runs, lengths = decompressed(pa.array([compressed(each) for each in lists], pa.string()))
    assert lengths.tolist() == [len(each) for each in lists]
    assert runs.tolist() == [run for each in lists for run in each]


def compressed(runs: list[int]) -> str:
    """As COCO writes run lengths, number by number."""
    text = ""
    for place, run in enumerate(runs):
        rest = run - runs[place - 2] if place > 2 else run
        more = True
        while more:
            digit, rest = rest & 0x1F, rest >> 5
            more = rest != -1 if digit & 0x10 else rest != 0
            text += chr(48 + digit + (0x20 if more else 0))
    return text


def test_pixels_in_common_are_counted_as_when_painted() -> None:
    draw = np.random.default_rng(0)
    paintings = [(draw.random((9, 7)) < share).astype(np.uint8) for share in (0, 0, 0.1, 0.5, 0.5, 0.9, 1, 1)]
    told = [
        {"size": [9, 7], "counts": compressed(runs_of(each))}
        if number % 2
        else {"size": [9, 7], "counts": runs_of(each)}
        for number, each in enumerate(paintings)
    ]
    masks = masks_of(told, 0, 0)
    for number, each in enumerate(paintings):
        np.testing.assert_array_equal(masks.pixels(number), each)
    a, b = (each.ravel() for each in np.meshgrid(range(len(told)), range(len(told))))
    for crowd in (False, True):
        kept, iou = masks.overlaps(a, masks, b, np.full(len(a), crowd), 1e-9)
        wanted = {}
        for pair, (one, two) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
            both = int((paintings[one] & paintings[two]).sum())
            either = int((paintings[one] | paintings[two]).sum())
            if both:
                wanted[pair] = both / (int(paintings[one].sum()) if crowd else either)
        assert dict(zip(kept.tolist(), iou.tolist(), strict=True)) == wanted


def runs_of(pixels: np.ndarray) -> list[int]:
    flat = pixels.ravel(order="F")
    runs = [int(run) for run in np.diff([0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size])]
    return [0, *runs] if flat[0] else runs


@pytest.mark.parametrize("seed", range(4))
def test_what_is_done_at_once_makes_no_difference(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    annotations, results = drawn_masks(seed)
    whole = coco_segmentation(copy.deepcopy(annotations), copy.deepcopy(results))
    monkeypatch.setattr("localreg.metrics.coco.masks.AT_ONCE", 3)
    monkeypatch.setattr("localreg.metrics.coco.masks.STRETCHES", 50)
    monkeypatch.setattr("localreg.metrics.coco.polygons.EDGES", 5)
    assert coco_segmentation(annotations, results) == whole


def test_the_row_of_a_mask_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.metrics.coco.masks.AT_ONCE", 3)
    good = {"size": [2, 2], "counts": [4]}
    for bad in ({"size": [2, 2], "counts": [5]}, {"size": [2, 2], "counts": "5"}, [[1.0]]):
        with pytest.raises(InvalidInputError, match="the first is row 4"):
            masks_of([good, [], good, good, bad], 2, 2)


def test_files_and_tables_are_read_alike(tmp_path: Path) -> None:
    annotations, results = drawn_masks(3)
    paths = tmp_path / "annotations.json", tmp_path / "results.json"
    for path, content in zip(paths, (annotations, results), strict=True):
        path.write_text(json.dumps(content))
    wanted = coco_segmentation(annotations, results)
    assert coco_segmentation(*paths) == wanted
    truths, seen = (table_of(each) for each in (annotations["annotations"], results))
    assert coco_segmentation(truths, seen) == wanted


def table_of(items: list[dict[str, Any]]) -> pa.Table:
    """The table that `coco_segmentation` takes."""
    column = segmentations_of(Entries(items, "annotations"))
    size = pa.StructArray.from_arrays([pa.array([400] * len(items))] * 2, ["height", "width"])
    names = [field.name for field in column.type]
    fields = [size if name == "size" else column.field(name) for name in names]
    keys = [
        key for key in ("image_id", "category_id", "area", "iscrowd", "score") if all(key in each for each in items)
    ]
    columns = {key: [each[key] for each in items] for key in keys}
    if "area" not in columns and all("bbox" in each for each in items):
        columns["area"] = [each["bbox"][2] * each["bbox"][3] for each in items]
    return pa.table({**columns, "segmentation": pa.StructArray.from_arrays(fields, names)})


@pytest.mark.parametrize("nothing", [[], [[]], [[1.0, 1.0]], [[0.0, 0.0, 4.0, 4.0]], {"size": [5, 5], "counts": [25]}])
def test_what_has_no_pixels_overlaps_nothing(nothing: Any) -> None:
    truth = {"id": 1, "image_id": 1, "category_id": 1, "area": 9, "iscrowd": 0, "segmentation": nothing}
    seen = {"image_id": 1, "category_id": 1, "score": 1.0, "segmentation": nothing}
    file = {"images": [{"id": 1, "height": 5, "width": 5}], "annotations": [truth], "categories": [{"id": 1}]}
    assert coco_segmentation(file, [seen])["AP"] == 0.0


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ({"size": [2, 2], "counts": [1, 2]}, "do not fill its image"),
        ({"size": [2, 2], "counts": [5, -1]}, "do not fill its image"),
        ({"size": [2, 2], "counts": "0"}, "do not fill its image"),
        ({"size": [2, 2], "counts": "\x07"}, "characters"),
        ({"size": [2, 2], "counts": "T"}, "end within a number"),
        ({"size": [2, 2], "counts": "T" * 12 + "4"}, "60 bits"),
        ({"size": [-2, 2], "counts": [0]}, "size is negative"),
        ({"size": [2, 2]}, "without size or counts"),
        ([[0.0, 1.0, 2.0]], "odd number"),
        ([[0.0, 0.0, 1e9, 0.0, 0.0, 1.0]], "beyond"),
        ("x", "polygons or a mask"),
        (None, "have no segmentation"),
    ],
)
def test_what_is_no_mask_is_refused(segmentation: Any, said: str) -> None:
    each = {"id": 1, "image_id": 1, "category_id": 1, "area": 9, "iscrowd": 0, "segmentation": segmentation}
    file = {"images": [{"id": 1, "height": 2, "width": 2}], "annotations": [each], "categories": [{"id": 1}]}
    with pytest.raises(InvalidInputError, match=said):
        coco_segmentation(file, [])


def test_masks_of_different_sizes_and_images_of_none_are_refused() -> None:
    truth = {"id": 1, "image_id": 1, "category_id": 1, "area": 9, "iscrowd": 0}
    file: dict[str, Any] = {"images": [{"id": 1}], "annotations": [truth], "categories": [{"id": 1}]}
    seen = {"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": {"size": [2, 3], "counts": [0, 6]}}
    truth["segmentation"] = {"size": [3, 2], "counts": [0, 6]}  # type: ignore[assignment]
    with pytest.raises(InvalidInputError, match="masks of one image have sizes"):
        coco_segmentation(file, [seen])
    truth["segmentation"] = [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]  # type: ignore[assignment]
    with pytest.raises(InvalidInputError, match="does not tell its height and width"):
        coco_segmentation(file, [seen])
