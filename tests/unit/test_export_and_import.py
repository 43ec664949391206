"""What was exported is imported as what it was: answers as answers, and nothing else as one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import localreg
from localreg import Registry
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    Metadata,
    TestSample,
    Vector,
    define_workflow,
    test,
)

FORMATS = ("parquet", "csv", "jsonl")


@dataclass(frozen=True)
class Scene(TestSample):
    label: str
    status: int = 0
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Seen(Inference):
    label: str
    score: float
    status: str | None = None
    boxes: list[LabeledBoundingBox] | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Remark(Inference):
    text: str | None = None
    embedding: Vector[2] | None = None


_, Case, Suite, Model = define_workflow("Scenes", Scene, Truth, Seen)
_, RemarkCase, RemarkSuite, RemarkModel = define_workflow("Remarks", Scene, Truth, Remark)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = localreg.open(tmp_path / "registry")
    with localreg.use(made):
        yield made


def filled(suite: Any, case: Any) -> Any:
    scenes = [Scene(f"{number}.png", number, metadata={"sky": number}) for number in range(6)]
    return suite("suite", test_cases=[case("case", test_samples=[(scene, Truth("cat")) for scene in scenes])])


def see(scene: Scene) -> Seen | None:
    if scene.status == 1:
        raise ValueError("too dark")
    if scene.status == 2:
        return None
    score = {3: math.nan, 4: -math.inf}.get(scene.status, 0.25)
    return Seen("dog", score, "sure", [LabeledBoundingBox((1, 2), (3, 4), "dog")], metadata={"run": scene.status})


def remark(scene: Scene) -> Remark | None:
    if scene.status == 1:
        raise ValueError("too dark")
    return None if scene.status == 2 else Remark() if scene.status == 3 else Remark("dog")


def said(registry: Registry, model: str) -> list[dict[str, Any]]:
    """What stands there of each sample, NaN like NaN."""
    rows = registry.get_version(model).inferences("suite").dicts()
    return [{key: repr(value) for key, value in row.items() if key not in ("error", "inference_extra")} for row in rows]


@pytest.mark.parametrize("ending", FORMATS)
def test_what_was_exported_is_imported_as_what_it_was(registry: Registry, tmp_path: Path, ending: str) -> None:
    """Fields and metadata of one name included; an exception is no answer, and is not made one."""
    suite, path = filled(Suite, Case), tmp_path / f"out.{ending}"
    test(Model("net", see), suite, on_error="record")
    registry.get_version("net").export_inferences(path, suite="suite")
    report = Model("again").record(path, on="label", suite=suite)
    assert (report.stored, report.lacking, report.invalid) == (5, 1, 0)
    assert "5 stored, 1 left out, without an inference" in str(report)
    assert [(fault.row, fault.reason) for fault in report.faults] == [(1, "its status says that there is no inference")]
    missing = [{**row, "status": "'missing'"} if row["status"] == "'error'" else row for row in said(registry, "net")]
    assert said(registry, "again") == missing
    assert Model("net").record(path, on="label", suite=suite).unchanged == 5


@pytest.mark.parametrize("ending", FORMATS)
def test_metadata_of_samples_is_not_taken_for_that_of_inferences(
    registry: Registry, tmp_path: Path, ending: str
) -> None:
    suite, path = filled(Suite, Case), tmp_path / f"out.{ending}"
    test(Model("net", lambda scene: Seen("dog", 0.5)), suite)
    registry.get_version("net").export_inferences(path, suite="suite")
    Model("again").record(path, on="label")
    loaded = Model("again").load_inferences(suite.test_cases[0])
    assert [inference and inference.metadata for _, _, inference in loaded] == [{}] * 6
    assert Model("net").record(path, on="label").unchanged == 6


@pytest.mark.parametrize("ending", FORMATS)
def test_what_is_missing_is_inferred_after_an_import_too(registry: Registry, tmp_path: Path, ending: str) -> None:
    suite, path = filled(Suite, Case), tmp_path / f"out.{ending}"
    Model("net").record({"sample.label": ["0.png"], "inference.label": ["dog"], "score": [0.5]}, on="label")
    registry.get_version("net").export_inferences(path, suite="suite")
    assert (Model("again").record(path, on="label").lacking) == 5
    run = test(Model("again", lambda scene: Seen("cow", 0.5)), suite)
    assert str(run).count("5 samples inferred now") == 1


@pytest.mark.parametrize("ending", FORMATS)
def test_of_answers_that_may_be_empty_the_status_tells_what_they_are(
    registry: Registry, tmp_path: Path, ending: str
) -> None:
    suite, path = filled(RemarkSuite, RemarkCase), tmp_path / f"out.{ending}"
    test(RemarkModel("net", remark), suite, on_error="record")
    registry.get_version("net").export_inferences(path, suite="suite")
    RemarkModel("again").record(path, on="label")
    statuses = [row["status"] for row in registry.get_version("again").inferences("suite")]
    assert statuses == ["ok", "missing", "skipped", "ok", "ok", "ok"]


def test_ground_truths_of_an_export_are_not_what_the_model_said(registry: Registry, tmp_path: Path) -> None:
    test(Model("net", see), filled(Suite, Case), on_error="record")
    path = tmp_path / "out.parquet"
    registry.get_version("net").export_inferences(path, suite="suite")
    Suite("copy").add(path)
    rows = registry.get_version("net").inferences("copy").dicts()
    assert [row["ground_truth_label"] for row in rows] == ["cat"] * 6
    assert [row["sample_label"] for row in rows] == [f"{number}.png" for number in range(6)]


def test_a_status_of_the_users_own_leaves_rows_as_they_are(registry: Registry) -> None:
    suite = filled(RemarkSuite, RemarkCase)
    rows = {"label": ["0.png", "1.png", "2.png"], "text": ["a", "b", None], "status": ["error", "new", "new"]}
    report = RemarkModel("net").record(rows, on="label", suite=suite)
    assert (report.stored, report.lacking) == (3, 0)
    report = RemarkModel("other").record(pa.table({**rows, "status": [2, 3, 4]}), on="label", suite=suite)
    assert report.unused_columns == ("status",)


def test_a_row_that_has_a_vector_alone_has_a_value(registry: Registry) -> None:
    suite = filled(RemarkSuite, RemarkCase)
    rows = {"label": ["0.png", "1.png"], "embedding": [[1.0, 2.0], None], "status": ["error", "error"]}
    report = RemarkModel("net").record(rows, on="label", suite=suite)
    assert (report.stored, report.lacking) == (1, 1)


def test_a_later_batch_may_have_no_texts_as_status(registry: Registry) -> None:
    filled(RemarkSuite, RemarkCase)
    batches = [
        pa.table({"label": [name], "text": [None], "status": status})
        for name, status in (("0.png", ["error"]), ("1.png", [["error"]]), ("2.png", pa.nulls(1)))
    ]
    report = RemarkModel("net").record(iter(batches), on="label")
    assert (report.stored, report.lacking) == (2, 1)


def test_a_field_of_the_name_is_meant_before_that_of_an_export(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Named(Inference):
        sample_label: str

    _, case, suite, model = define_workflow("Named", Scene, Truth, Named)
    filled(suite, case)
    assert model("net").record({"label": ["0.png"], "sample_label": ["x"]}, on="label").stored == 1
