"""The COCO numbers of boxes: those of pycocotools, to the last bit; from files and tables; what is refused."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from localreg.errors import InvalidInputError, NotFoundError
from localreg.metrics import coco_detection
from localreg.metrics.coco.files import plain_annotations, plain_results
from tests.coco_oracle import NAMES, drawn, numbers_of

Numbers = dict[str, float | None]


def ours(annotations: Any, results: Any) -> Numbers:
    return coco_detection(copy.deepcopy(annotations), copy.deepcopy(results))


def one(**changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One truth and one detection in one image."""
    truth = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}
    seen = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.5}
    truth |= {key.removeprefix("truth_"): value for key, value in changes.items() if key.startswith("truth_")}
    seen |= {key: value for key, value in changes.items() if not key.startswith("truth_")}
    return {"images": [{"id": 1}], "categories": [{"id": 1, "name": "x"}], "annotations": [truth]}, [seen]


def as_files(folder: Path, annotations: Any, results: Any, **options: Any) -> tuple[Path, Path]:
    paths = folder / "annotations.json", folder / "results.json"
    for path, content in zip(paths, (annotations, results), strict=True):
        path.write_text(json.dumps(content, **options))
    return paths


# --- the numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_the_numbers_are_those_of_pycocotools(seed: int) -> None:
    annotations, results = drawn(seed)
    assert ours(annotations, results) == numbers_of(annotations, results, "bbox")


@pytest.mark.parametrize("seed", range(5))
def test_the_numbers_are_those_of_faster_coco_eval(seed: int) -> None:
    from faster_coco_eval import COCO, COCOeval_faster

    annotations, results = drawn(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(copy.deepcopy(annotations))
        found = COCOeval_faster(truth, truth.loadRes(copy.deepcopy(results)), "bbox")
        found.evaluate()
        found.accumulate()
        found.summarize()
    wanted = {name: None if value == -1 else value for name, value in zip(NAMES, found.stats, strict=False)}
    assert ours(annotations, results) == pytest.approx(wanted, abs=1e-15)


def test_without_detections_truths_are_missed() -> None:
    annotations, _ = drawn(0)
    found = ours(annotations, [])
    assert found == numbers_of(annotations, [], "bbox")
    assert found["AP"] == found["AR100"] == 0.0


def test_without_truths_nothing_is_defined() -> None:
    annotations, results = drawn(0)
    annotations["annotations"] = []
    assert ours(annotations, results) == dict.fromkeys(NAMES)
    assert ours({"images": [], "annotations": [], "categories": []}, []) == dict.fromkeys(NAMES)


def test_an_annotation_of_id_0_can_be_found() -> None:
    assert ours(*one(truth_id=0))["AP"] == pytest.approx(1.0)
    assert numbers_of(*one(truth_id=0), "bbox")["AP"] == 0.0  # as long as this is so, the docstring says it


def test_crowds_alone_are_no_truths() -> None:
    assert ours(*one(truth_iscrowd=1))["AP"] is None


def test_ignore_means_nothing() -> None:
    assert ours(*one(truth_ignore=1)) == ours(*one())


def test_areas_are_those_of_the_annotation_and_of_the_box_where_it_has_none() -> None:
    assert ours(*one(truth_area=5_000))["APm"] == pytest.approx(1.0)
    annotations, results = one()
    del annotations["annotations"][0]["area"]
    assert ours(annotations, results) == ours(*one())
    assert ours(*one(truth_area=1e11))["AP"] is None  # beyond all ranges


def test_of_more_than_100_detections_the_best_count() -> None:
    annotations, (seen,) = one()
    far = [{**seen, "bbox": [50, 50, 5, 5], "score": 0.6} for _ in range(100)]
    assert ours(annotations, [*far, seen])["AR100"] == 0.0
    assert ours(annotations, [*far[:99], seen])["AR100"] == pytest.approx(1.0)


def test_iscrowd_may_be_missing() -> None:
    annotations, results = one()
    del annotations["annotations"][0]["iscrowd"]
    assert ours(annotations, results) == ours(*one())


def test_detections_of_categories_that_are_not_listed_are_left_out() -> None:
    annotations, results = one()
    assert ours(annotations, [*results, {**results[0], "category_id": 2, "score": 0.9}]) == ours(annotations, results)


# --- from files and tables --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_files_are_read_in_the_quick_way_and_alike(tmp_path: Path, seed: int) -> None:
    annotations, results = drawn(seed)
    for options in ({}, {"indent": 1}):
        paths = as_files(tmp_path, annotations, results, **options)
        assert plain_annotations(str(paths[0])) is not None
        assert plain_results(str(paths[1])) is not None
        assert coco_detection(*paths) == coco_detection(*map(str, paths)) == ours(annotations, results)


def test_every_bit_of_a_number_is_read(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    numbers = np.abs(draw.integers(1, 2**63 - 2**53, (4_000, 5)).view(np.float64))
    numbers = np.where(np.isfinite(numbers) & (numbers < 1e300), numbers, 0.1)
    results = [{"image_id": 2**53 - 1, "category_id": -3, "bbox": row[:4], "score": row[4]} for row in numbers.tolist()]
    found = plain_results(str(as_files(tmp_path, {}, results)[1]))
    assert found is not None
    np.testing.assert_array_equal(found["bbox"], numbers[:, :4])
    np.testing.assert_array_equal(found["score"], numbers[:, 4])
    assert {*found["image_id"].tolist()} == {2**53 - 1}


def test_a_path_that_looks_like_a_pattern_is_a_path(tmp_path: Path) -> None:
    annotations, results = drawn(1)
    (tmp_path / "a[1]*").mkdir()
    assert coco_detection(*as_files(tmp_path / "a[1]*", annotations, results)) == ours(annotations, results)


def test_ids_beyond_floats_are_told_apart(tmp_path: Path) -> None:
    annotations, results = one(truth_image_id=2**53 + 1, image_id=2**53 + 1)
    annotations["images"] = [{"id": 2**53 + 1}, {"id": 2**53}]
    assert coco_detection(*as_files(tmp_path, annotations, results)) == ours(*one())


@pytest.mark.parametrize("kind", ["arrow", "pandas", "polars", "columns", "sides"])
@pytest.mark.parametrize("seed", range(3))
def test_tables_of_all_kinds_are_read_alike(kind: str, seed: int) -> None:
    annotations, results = drawn(seed)
    results = [each for each in results if each["category_id"] != 777]
    truths = [{key: each[key] for key in each if key not in ("id", "ignore")} for each in annotations["annotations"]]
    assert truths
    tables: list[Any] = [pa.Table.from_pylist(truths), pa.Table.from_pylist(results)]
    if kind == "pandas":
        tables = [pd.DataFrame(truths), pd.DataFrame(results)]
    elif kind == "polars":
        tables = [pl.from_arrow(each) for each in tables]
    elif kind == "columns":
        tables = [each.to_pydict() for each in tables]
    elif kind == "sides":
        tables = [with_sides(each) for each in tables]
    assert coco_detection(*tables) == ours(annotations, results)


def with_sides(table: pa.Table) -> pa.Table:
    boxes = np.array(table["bbox"].to_pylist())
    for place, name in enumerate("xywh"):
        table = table.append_column(name, pa.array(boxes[:, place]))
    return table.drop_columns(["bbox"])


def test_relations_of_duckdb_and_texts_as_ids_are_read() -> None:
    import duckdb

    annotations, results = one()
    tables = [pa.Table.from_pylist(each) for each in (annotations["annotations"], results)]
    for name in ("image_id", "category_id"):
        column = pa.array(["é"]).dictionary_encode()
        tables = [table.set_column(table.column_names.index(name), name, column) for table in tables]
    with duckdb.connect() as connection:
        assert coco_detection(*map(connection.from_arrow, tables)) == ours(annotations, results)


def test_a_file_beside_a_table(tmp_path: Path) -> None:
    annotations, results = drawn(2)
    paths = as_files(tmp_path, annotations, results)
    assert coco_detection(paths[0], pa.Table.from_pylist(results)) == ours(annotations, results)


# --- what is refused --------------------------------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"score": float("nan")}, "no finite number as score"),
    ({"score": float("inf")}, "no finite number as score"),
    ({"score": None}, "have no score"),
    ({"score": []}, "must have a number as score"),
    ({"image_id": 2}, "image that is not there"),
    ({"image_id": 1.5}, "whole number as image_id"),
    ({"image_id": None}, "have no image_id"),
    ({"category_id": None}, "have no category_id"),
    ({"bbox": [1, 2, 3]}, "bbox"),
    ({"bbox": []}, "have no bbox"),
    ({"bbox": None}, "have no bbox"),
    ({"bbox": [1, 2, None, 3]}, "not finite|bbox"),
    ({"bbox": [0, 0, -1, 3]}, "negative width or height"),
    ({"bbox": [1e308, 0, 1e308, 3]}, "beyond all numbers"),
    ({"truth_bbox": [0, 0, float("nan"), 3]}, "not finite"),
    ({"truth_image_id": 3}, "image that is not there"),
    ({"truth_category_id": 9}, "category that is not there"),
    ({"truth_area": float("inf")}, "no finite number as area"),
    ({"truth_area": float("nan")}, "no finite number as area"),
    ({"truth_iscrowd": 2}, "0 or 1 as iscrowd"),
    ({"truth_id": None}, "have no id"),
]


@pytest.mark.parametrize("as_path", [False, True])
@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_what_cannot_be_is_refused_alike_from_files(
    tmp_path: Path, changes: dict[str, Any], said: str, as_path: bool
) -> None:
    given: Any = one(**changes)
    if as_path:
        given = as_files(tmp_path, *given)
    with pytest.raises(InvalidInputError, match=said):
        coco_detection(*given)


@pytest.mark.parametrize("as_path", [False, True])
@pytest.mark.parametrize("name", ["images", "annotations", "categories"])
def test_ids_that_stand_twice_are_refused(tmp_path: Path, name: str, as_path: bool) -> None:
    annotations, results = one()
    annotations[name] = annotations[name] * 2
    given: Any = as_files(tmp_path, annotations, results) if as_path else (annotations, results)
    with pytest.raises(InvalidInputError, match="have an id that another has"):
        coco_detection(*given)


def test_what_is_no_coco_file_is_refused(tmp_path: Path) -> None:
    annotations, results = as_files(tmp_path, *one())
    broken = tmp_path / "broken.json"
    for text in ("", "[", '{"images": []}', "[1]", "3", annotations.read_text() * 2):
        broken.write_text(text)
        with pytest.raises(InvalidInputError):
            coco_detection(broken, results)
        with pytest.raises(InvalidInputError):
            coco_detection(annotations, broken)
    with pytest.raises(InvalidInputError):
        coco_detection(results, annotations)
    with pytest.raises(NotFoundError, match="there is no file"):
        coco_detection(annotations, tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": None}, "no column 'score'"),
        ({"bbox": None}, "need a column bbox"),
        ({"bbox": [[1.0, 2.0]]}, "not .x, y, width, height"),
        ({"bbox": ["x"]}, "lists of numbers"),
        ({"bbox": [[0.0, 0.0, -1.0, 1.0]]}, "negative"),
        ({"bbox": [[0.0, 0.0, float("nan"), 1.0]]}, "not finite"),
        ({"score": [float("nan")]}, "score that is not finite"),
        ({"score": [None]}, "1 of results have no score"),
        ({"score": ["0.5"]}, "must be numbers"),
        ({"image_id": ["1"]}, "whole numbers, or texts"),
        ({"image_id": [1, 2]}, "cannot be read as a table"),
        ({"area": [float("inf")]}, "area that is not finite"),
    ],
)
def test_tables_that_cannot_be_are_refused(change: dict[str, Any], said: str) -> None:
    annotations, results = one()
    columns = pa.Table.from_pylist(results).to_pydict() | change
    columns = {name: value for name, value in columns.items() if value is not None}
    with pytest.raises(InvalidInputError, match=said):
        coco_detection(pa.Table.from_pylist(annotations["annotations"]), columns)
    with pytest.raises(InvalidInputError, match="must be a COCO file"):
        coco_detection(7, results)
