"""Inferences in bulk, from tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

import localreg
from localreg import (
    ConflictError,
    InvalidInputError,
    NonDeterministicError,
    ReadOnlyError,
    Registry,
    WorkflowMismatchError,
)
from localreg.errors import StorageError, UnknownOutcomeError
from localreg.session import Session
from localreg.workflow import (
    GroundTruth,
    Inference,
    Metadata,
    ScoredLabel,
    ScoredLabeledBoundingBox,
    TestSample,
    Vector,
    define_workflow,
    inferences,
)
from localreg.workflow.bulk import keys


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    width: int = 0


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel
    note: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Boxes(Inference):
    boxes: list[ScoredLabeledBoundingBox]
    embedding: Vector[2] | None = None


@dataclass(frozen=True)
class Opinion(Inference):
    text: str | None = None


_, Case, Suite, Model = define_workflow("Photos", Photo, Truth, Guess)
_, BoxCase, BoxSuite, BoxModel = define_workflow("Boxes", Photo, Truth, Boxes)
_, OpinionCase, OpinionSuite, OpinionModel = define_workflow("Opinions", Photo, Truth, Opinion)

LOCATORS = [f"{number:02}.png" for number in range(20)]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = localreg.open(tmp_path / "registry")
    with localreg.use(made):
        yield made


def filled(suite: Any = Suite, case: Any = Case) -> Any:
    return suite("suite", test_cases=[case("case", test_samples=[(Photo(name), Truth("cat")) for name in LOCATORS])])


def guesses(names: list[str] | None = None) -> pa.Table:
    names = LOCATORS if names is None else names
    scores = [int(name[:2]) / 32 for name in names]
    return pa.table({"locator": names, "label": ["dog"] * len(names), "score": scores})


def recorded(model: Any, suite: Any) -> dict[str, Any]:
    (case,) = suite.test_cases
    return {sample.locator: inference for sample, _, inference in model.load_inferences(case)}


def expected(names: list[str] | None = None) -> dict[str, Guess]:
    return {name: Guess(ScoredLabel("dog", int(name[:2]) / 32)) for name in names or LOCATORS}


def commits(registry: Registry) -> int:
    (row,) = registry.sql("SELECT max(commit) AS last FROM audit_events").dicts()
    return int(row["last"])


def parts(registry: Registry) -> list[str]:
    return list(registry._session.store.list("data/inferences"))


# --- what is recorded -----------------------------------------------------------------------------------------------


def test_a_table_in_the_order_of_the_samples_is_recorded(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    report = model.record(guesses(), on="locator", suite=suite)
    assert (report.rows, report.stored, report.unchanged, report.faults) == (20, 20, 0, ())
    assert recorded(model, suite) == expected()
    assert registry.verify().ok


@pytest.mark.parametrize("seed", range(5))
def test_rows_in_any_order_are_laid_to_their_samples(registry: Registry, seed: int) -> None:
    suite, model = filled(), Model("new")
    names = random.Random(seed).sample(LOCATORS, 15)
    model.record(guesses(names), on="locator")
    assert recorded(model, suite) == expected(names)
    rows = registry.sql('SELECT sample_idx, "label".score AS score FROM "Photos".inferences ORDER BY 1').dicts()
    assert [(row["sample_idx"], row["score"]) for row in rows] == sorted(
        (int(name[:2]), int(name[:2]) / 32) for name in names
    )


def test_a_table_that_begins_in_the_middle_is_laid_to_its_samples(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.source.BATCH_ROWS", 3)
    suite, model = filled(), Model("new")
    model.record(guesses(LOCATORS[7:]))
    assert recorded(model, suite) == expected(LOCATORS[7:])


def test_samples_of_several_parts_and_commits_are_found(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.workflow.staging.PART_ROWS", 4)
    monkeypatch.setattr("localreg.workflow.bulk.staged.PART_ROWS", 3)
    suite = Suite("suite")
    for begin in (0, 10):
        names = LOCATORS[begin : begin + 10]
        suite.add(pa.table({"locator": names, "label": ["cat"] * 10}))
    model = Model("new")
    assert len(list(registry._session.store.list("data/test_samples"))) == 6
    model.record(guesses(LOCATORS[::-1]))
    assert recorded(model, suite) == expected()
    assert [sample.locator for sample, _ in suite.test_cases[0].load_test_samples()] == LOCATORS
    assert registry.verify().ok


def test_rows_of_samples_whose_keys_have_one_hash_are_told_apart(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = keys._Hasher.of
    monkeypatch.setattr(keys._Hasher, "of", lambda self, column: hashed(self, column) % 3)
    suite, model = filled(), Model("new")
    model.record(guesses(random.Random(0).sample(LOCATORS, 20)))
    assert recorded(model, suite) == expected()
    report = Model("other").record(guesses(["77.png"]), on_unknown="skip")
    assert (report.stored, report.unknown) == (0, 1)


def test_the_rows_of_a_suite_are_those_of_its_test_run(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    model.record(guesses(LOCATORS[:3]), suite=suite)
    (run,) = registry.test_runs().dicts()
    assert run["test_suite"] == "suite"
    rows = registry.sql("SELECT DISTINCT test_run FROM inferences").dicts()
    assert [row["test_run"] for row in rows] == [run["id"]]
    from localreg.workflow import test

    asked: list[str] = []

    def infer(photo: Photo) -> Guess:
        asked.append(photo.locator)
        return Guess(ScoredLabel("dog", 0.5))

    test(Model("new", infer), suite)
    assert asked == LOCATORS[3:]


def test_rows_for_no_suite_are_those_of_the_version(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    model.record(guesses())
    assert registry.test_runs().dicts() == []
    assert {row["test_run"] for row in registry.sql("SELECT test_run FROM inferences").dicts()} == {None}
    (row,) = registry.sql("SELECT count(*) AS n FROM inferences WHERE model = 'new' AND model_version = '1'").dicts()
    assert row["n"] == 20
    registry.get_model("new").delete(force=True)
    assert registry.sql("SELECT * FROM inferences").dicts() == []
    assert suite.test_cases


def test_a_row_without_any_value_is_a_skipped_sample(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    model.record(
        [{"locator": "00.png", "label": None, "score": None}, {"locator": "01.png", "label": "a", "score": 1.0}]
    )
    assert recorded(model, suite) == {"00.png": None, "01.png": Guess(ScoredLabel("a", 1.0))}


def test_of_a_type_without_required_fields_a_row_without_a_value_is_an_inference(registry: Registry) -> None:
    suite, model = filled(OpinionSuite, OpinionCase), OpinionModel("new")
    model.record([{"locator": "00.png", "text": None}, {"locator": "01.png", "text": "a"}])
    assert recorded(model, suite) == {"00.png": Opinion(None), "01.png": Opinion("a")}


def test_boxes_and_vectors_are_recorded_as_they_nest(registry: Registry) -> None:
    suite, model = filled(BoxSuite, BoxCase), BoxModel("new")
    box = {"top_left": [1, 2.5], "bottom_right": [3, 4], "label": "cat", "score": 0.5}
    rows = [
        {"locator": "03.png", "boxes": [box, {**box, "score": 0.25}], "embedding": [1.0, 2.0]},
        {"locator": "01.png", "boxes": [], "embedding": None},
        {"locator": "02.png", "boxes": None, "embedding": None},
    ]
    model.record(rows)
    found = recorded(model, suite)
    assert list(found) == ["01.png", "02.png", "03.png"]
    assert (found["01.png"].boxes, found["02.png"]) == ([], None)
    assert [(each.top_left, each.bottom_right, each.label, each.score) for each in found["03.png"].boxes] == [
        ((1.0, 2.5), (3.0, 4.0), "cat", 0.5),
        ((1.0, 2.5), (3.0, 4.0), "cat", 0.25),
    ]
    assert found["03.png"].embedding.tolist() == [1.0, 2.0]


def test_whole_structs_metadata_and_mapped_columns_are_taken(registry: Registry) -> None:
    suite = filled()
    whole = [{"locator": "00.png", "inference": {"label": {"label": "a", "score": 1.0}, "note": "x"}}]
    mapped = [{"path": "00.png", "class": "a", "confidence": 1.0, "remark": "x"}]
    dotted = [
        {"locator": "00.png", "label.label": "a", "label.score": 1.0, "inference.note": "x", "metadata.k": [1, 2]}
    ]
    columns = {"locator": "path", "label.label": "class", "inference.label.score": "confidence", "note": "remark"}
    Model("whole").record(whole)
    Model("mapped").record(mapped, columns=columns, on="locator")
    Model("dotted").record(dotted)
    assert (
        recorded(Model("whole"), suite)
        == recorded(Model("mapped"), suite)
        == {"00.png": Guess(ScoredLabel("a", 1.0), "x")}
    )
    assert recorded(Model("dotted"), suite) == {"00.png": Guess(ScoredLabel("a", 1.0), "x", {"k": [1, 2]})}


def test_columns_that_stand_for_nothing_are_told(registry: Registry) -> None:
    filled()
    report = Model("new").record(guesses().append_column("fold", pa.array([1] * 20)))
    assert report.unused_columns == ("fold",)
    assert "columns not used: fold" in str(report)


# --- where it comes from --------------------------------------------------------------------------------------------


def sources(folder: Path) -> dict[str, Any]:
    table = guesses()
    pq.write_table(table, folder / "preds.parquet", row_group_size=6)
    pa.csv.write_csv(table, folder / "preds.csv")
    (folder / "preds.tsv").write_text((folder / "preds.csv").read_text().replace(",", "\t"))
    pl.from_arrow(table).write_ndjson(folder / "preds.jsonl")  # type: ignore[union-attr]
    with pa.OSFile(str(folder / "preds.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return {
        "table": table,
        "batch": table.to_batches()[0],
        "reader": table.to_reader(max_chunksize=7),
        "pandas": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "lazy": pl.from_arrow(table).lazy(),  # type: ignore[union-attr]
        "duckdb": duckdb.from_arrow(table),
        "dicts": table.to_pylist(),
        "columns": table.to_pydict(),
        "batches": (table.slice(begin, 7) for begin in range(0, 20, 7)),
        "frames": (table.slice(begin, 7).to_pandas() for begin in range(0, 20, 7)),
        "rows": (row for row in table.to_pylist()),
        "parquet": folder / "preds.parquet",
        "csv": str(folder / "preds.csv"),
        "tsv": folder / "preds.tsv",
        "jsonl": folder / "preds.jsonl",
        "arrow": folder / "preds.arrow",
        "dataset": pa.dataset.dataset(folder / "preds.parquet"),
    }


KINDS = """arrow batch batches columns csv dataset dicts duckdb frames jsonl lazy pandas parquet polars reader rows
table tsv"""


@pytest.mark.parametrize("kind", KINDS.split())
def test_tables_of_every_kind_are_taken(registry: Registry, tmp_path: Path, kind: str) -> None:
    suite, model = filled(), Model("new")
    report = model.record(sources(tmp_path)[kind])
    assert report.stored == report.rows == 20
    assert recorded(model, suite) == expected()


def test_a_hugging_face_data_set_is_taken(registry: Registry) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    suite, model = filled(), Model("new")
    data = datasets.Dataset(guesses()).select(range(19, -1, -1))
    model.record(data)
    assert recorded(model, suite) == expected()


def test_pandas_says_missing_with_nan(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    frame = pd.DataFrame({"locator": ["00.png", "01.png"], "label": ["a", None], "score": [1.0, np.nan]})
    model.record(frame)
    assert recorded(model, suite) == {"00.png": Guess(ScoredLabel("a", 1.0)), "01.png": None}


def test_csv_is_read_as_what_it_is_wanted_as(registry: Registry, tmp_path: Path) -> None:
    suite, model = filled(BoxSuite, BoxCase), BoxModel("new")
    box = '[{""top_left"": [1, 2], ""bottom_right"": [3, 4.5], ""label"": ""7"", ""score"": 1}]'
    (tmp_path / "preds.csv").write_text(f'locator,boxes,embedding\n00.png,"{box}","[1, 2]"\n01.png,[],\n02.png,,\n')
    model.record(tmp_path / "preds.csv")
    found = recorded(model, suite)
    assert (found["01.png"].boxes, found["02.png"]) == ([], None)
    (only,) = found["00.png"].boxes
    assert (only.label, only.score, only.bottom_right, found["00.png"].embedding.tolist()) == (
        "7", 1.0, (3.0, 4.5), [1.0, 2.0]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        ("locator,label,score\n00.png,a,1\n01.png,a,high\n", 1, "inference.label.score is 'high'; it must be a number"),
        ("locator,label,score\n00.png,a,nan\n", 0, "inference.label.score is nan"),
        ('locator,label,score\n00.png,"",1\n', 0, "inference.label.label is ''; it must not be blank"),
    ],
)
def test_what_csv_cannot_say_is_told_with_its_row(
    registry: Registry, tmp_path: Path, text: str, row: int, reason: str
) -> None:
    filled()
    (tmp_path / "preds.csv").write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        Model("new").record(tmp_path / "preds.csv")
    assert f"row {row} of preds.csv: " in str(caught.value)
    assert reason in str(caught.value)


# --- what is refused, and what is left out --------------------------------------------------------------------------


BAD: dict[str, tuple[Any, str]] = {
    "blank label": ({"label": " "}, "must not be blank"),
    "NaN": ({"score": float("nan")}, "must be a finite number"),
    "infinite": ({"score": float("inf")}, "must be a finite number"),
    "missing": ({"score": None}, "inference.label.score is missing"),
    "no key": ({"locator": None}, "sample.locator is missing"),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_row_that_cannot_be_stored_is_refused_with_its_number_or_left_out(registry: Registry, kind: str) -> None:
    suite, model = filled(), Model("new")
    rows = guesses(LOCATORS[:4]).to_pylist()
    rows[2] |= BAD[kind][0]
    before = commits(registry)
    with pytest.raises(InvalidInputError, match="row 2 of the table: ") as caught:
        model.record(rows)
    assert BAD[kind][1] in str(caught.value)
    assert (commits(registry), parts(registry)) == (before, [])
    report = model.record(rows, on_invalid="skip")
    assert (report.stored, report.invalid, [fault.row for fault in report.faults]) == (3, 1, [2])
    assert BAD[kind][1] in report.faults[0].reason
    assert recorded(model, suite) == expected([LOCATORS[0], LOCATORS[1], LOCATORS[3]])


def test_inverted_boxes_are_refused_with_the_row_that_they_stand_in(registry: Registry) -> None:
    filled(BoxSuite, BoxCase)
    good = {"top_left": [1, 2], "bottom_right": [3, 4], "label": "cat", "score": 0.5}
    rows = [
        {"locator": "00.png", "boxes": [good] * 3},
        {"locator": "01.png", "boxes": [good, {**good, "bottom_right": [0, 4]}]},
    ]
    with pytest.raises(
        InvalidInputError, match=r"row 1 of the table: inference.boxes.*top_left.x is 1.0; it must not be"
    ):
        BoxModel("new").record(rows)


def test_unknown_samples_are_named_or_left_out(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    table = guesses([*LOCATORS[:2], "70.png", "71.png", "72.png", "73.png"])
    with pytest.raises(InvalidInputError, match="row 2 of the table is of a sample that is not in the registry"):
        model.record(table)
    with pytest.raises(InvalidInputError, match=r"'70.png', '71.png', '72.png' and 1 more up to here"):
        model.record(table)
    assert parts(registry) == []
    report = model.record(table, on_unknown="skip")
    assert (report.stored, report.unknown) == (2, 4)
    assert [(fault.row, fault.reason) for fault in report.faults][:1] == [
        (2, "locator '70.png' is not in the registry")
    ]
    assert recorded(model, suite) == expected(LOCATORS[:2])


def test_samples_of_another_suite_are_unknown_to_this_one(registry: Registry) -> None:
    filled()
    small = Suite("small", test_cases=[Case("small", test_samples=[(Photo("03.png"), Truth("cat"))])])
    with pytest.raises(InvalidInputError, match=r"not in the test suite: locator '00.png'"):
        Model("new").record(guesses(), suite=small)
    assert Model("new").record(guesses(["03.png"]), suite=small).stored == 1


def test_a_sample_that_stands_there_twice_is_refused_or_its_first_row_taken(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.source.BATCH_ROWS", 2)
    suite, model = filled(), Model("new")
    rows = guesses([*LOCATORS[:3], "01.png", "00.png", "00.png"]).to_pylist()
    rows[3]["score"] = 0.75
    with pytest.raises(InvalidInputError, match=r"row 3 of the table: locator '01.png' stands in row 1, too"):
        model.record(rows)
    assert parts(registry) == []
    report = model.record(rows, on_invalid="skip")
    assert (report.stored, report.invalid) == (3, 3)
    assert [(fault.row, fault.reason) for fault in report.faults] == [
        (3, "locator '01.png' stands in row 1, too"),
        (4, "locator '00.png' stands in row 0, too"),
        (5, "locator '00.png' stands in row 0, too"),
    ]
    assert recorded(model, suite) == expected(LOCATORS[:3])


def test_a_key_that_several_samples_have_is_refused(registry: Registry) -> None:
    Suite("suite", test_cases=[Case("case", test_samples=[(Photo("a.png", n), Truth("x")) for n in (1, 2)])])
    row = {"locator": "a.png", "width": 2, "label": "x", "score": 1.0}
    with pytest.raises(InvalidInputError, match=r"locator 'a.png' \(row 0 of the table\) is that of several samples"):
        Model("new").record([row])
    assert Model("new").record([row], on=["locator", "width"]).stored == 1
    (found,) = registry.sql("SELECT sample_idx FROM inferences").dicts()
    assert found["sample_idx"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on": "locatr"}, "on names 'locatr', which is no field of Photo; did you mean 'locator'"),
        ({"on": []}, "it must be a field of the test samples, or several"),
        ({"on": "width"}, "on names 'width', for which the table has no column; its columns are locator, label, score"),
        ({"columns": {"label.score": "scor"}}, "the table has no column 'scor'; did you mean 'score'"),
        ({"columns": {"lable": "label"}}, "columns names 'lable', which is no field; did you mean"),
        ({"columns": ["label"]}, "it must be a dict from field to column"),
        ({"on_invalid": "ignore"}, "on_invalid is 'ignore'; it must be 'raise' or 'skip'"),
        ({"on_unknown": "add"}, "on_unknown is 'add'; it must be 'raise' or 'skip'"),
        ({"suite": "suite"}, "it must be a test suite of the workflow, or None"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(registry: Registry, arguments: Any, message: str) -> None:
    filled()
    with pytest.raises(InvalidInputError, match=message.replace("(", r"\(")):
        Model("new").record(guesses(), **arguments)


def test_a_missing_column_is_told_with_those_that_there_are(registry: Registry) -> None:
    filled()
    with pytest.raises(InvalidInputError, match="on names 'locator', for which the table has no column"):
        Model("new").record(guesses().rename_columns(["path", "label", "score"]), on="locator")
    with pytest.raises(InvalidInputError, match=r"inference.label.* the columns are locator, label"):
        Model("new").record(guesses().drop_columns("score"))


def test_a_column_of_another_type_is_refused(registry: Registry) -> None:
    filled()
    table = guesses().set_column(2, "score", pa.array(["high"] * 20))
    with pytest.raises(
        InvalidInputError,
        match=r"score is wanted as a float, and the column holds string; convert it first",
    ):
        Model("new").record(table)
    assert parts(registry) == []


def test_a_suite_of_another_workflow_is_refused(registry: Registry) -> None:
    filled()
    other = BoxSuite("boxes", test_cases=[BoxCase("boxes", test_samples=[(Photo("00.png"), Truth("cat"))])])
    with pytest.raises(WorkflowMismatchError, match="belongs to workflow 'Boxes'"):
        Model("new").record(guesses(), suite=other)


# --- again ----------------------------------------------------------------------------------------------------------


def test_the_same_rows_again_change_nothing(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    model.record(guesses())
    before = commits(registry)
    report = model.record(guesses(LOCATORS[::-1]))
    assert (report.stored, report.unchanged) == (0, 20)
    assert (commits(registry), recorded(model, suite)) == (before, expected())


def test_other_answers_are_refused_and_both_are_shown(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    model.record(guesses(LOCATORS[:5]))
    rows = guesses().to_pylist()
    rows[3]["label"] = "cow"
    with pytest.raises(
        NonDeterministicError, match=r"(?s)label='cow'.*sample_idx 3 \(locator '03.png', width 0\), and .*label='dog'"
    ):
        model.record(rows)
    assert recorded(model, suite) == expected(LOCATORS[:5])
    report = model.record(rows, reset=True)
    assert (report.stored, report.replaced) == (15, 5)
    assert recorded(model, suite)["03.png"].label.label == "cow"
    rows = registry.sql("SELECT sample_idx FROM inferences ORDER BY 1").dicts()
    assert [row["sample_idx"] for row in rows] == list(range(20))
    assert registry.verify().ok


def test_nan_in_a_plain_field_is_equal_to_nan(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Number(Inference):
        value: float

    _, case, suite, model = define_workflow("Numbers", Photo, Truth, Number)
    filled(suite, case)
    rows = [{"locator": "00.png", "value": float("nan")}]
    assert model("new").record(rows).stored == 1
    assert model("new").record(rows).unchanged == 1


def test_what_failed_before_is_replaced(registry: Registry) -> None:
    from localreg.workflow import test

    suite = filled()

    def infer(photo: Photo) -> Guess:
        raise ValueError("no")

    test(Model("new", infer), suite, on_error="record")
    assert Model("new").record(guesses(LOCATORS[:2]), suite=suite).stored == 2
    assert recorded(Model("new"), suite) == expected(LOCATORS[:2])
    status = registry.sql("SELECT status, count(*) AS n FROM inferences GROUP BY 1 ORDER BY 1").dicts()
    assert [(row["status"], row["n"]) for row in status] == [("error", 18), ("ok", 2)]


def test_another_writer_in_between_is_seen(registry: Registry, tmp_path: Path) -> None:
    """Between the look at what is stored and the commit another process stores the same samples."""
    suite = filled()

    def batches(score: float) -> Iterator[pa.Table]:
        yield guesses(LOCATORS[:2])
        with localreg.use(localreg.open(tmp_path / "registry")):
            Model("new").record([{"locator": "01.png", "label": "dog", "score": score}])

    Model("new")
    with pytest.raises(NonDeterministicError):
        Model("new").record(batches(0.875))
    assert list(recorded(Model("new"), suite)) == ["01.png"]
    Model("other")

    def equal() -> Iterator[pa.Table]:
        yield guesses(LOCATORS[:2])
        with localreg.use(localreg.open(tmp_path / "registry")):
            Model("other").record(guesses(["01.png"]))

    Model("other").record(equal())
    assert recorded(Model("other"), suite) == expected(LOCATORS[:2])
    rows = registry.sql("SELECT sample_idx FROM inferences WHERE model = 'other' ORDER BY 1").dicts()
    assert [row["sample_idx"] for row in rows] == [0, 1]


def test_a_registry_that_was_opened_read_only_is_refused_before_anything_is_read(
    registry: Registry, tmp_path: Path
) -> None:
    filled()
    Model("net")
    read = []

    def batches() -> Iterator[pa.Table]:
        read.append(1)
        yield guesses()

    with localreg.use(localreg.open(tmp_path / "registry", read_only=True)):
        with pytest.raises(ReadOnlyError):
            Model("net").record(batches())
        with pytest.raises(ReadOnlyError):
            Suite("suite").add(batches())
    assert not read


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"note": "a", "inference.note": "a"}, "columns names one field as 'note' and as 'inference.note'; leave one"),
        ({"inference.note": "a", "note": "b"}, "columns names one field as 'note' and as 'inference.note'; leave one"),
        ({"width": "a"}, "columns names 'width', which is not looked for: on= does not name it"),
        ({"sample.width": "a"}, "columns names 'sample.width', which is not looked for: on= does not name it"),
    ],
)
def test_a_mapping_of_what_is_not_looked_for_is_refused(
    registry: Registry, columns: dict[str, str], message: str
) -> None:
    filled()
    table = guesses().append_column("a", [["x"] * 20]).append_column("b", [["y"] * 20])
    with pytest.raises(InvalidInputError, match=message):
        Model("net").record(table, on="locator", columns=columns)


def test_rows_stay_with_the_version_that_they_were_compared_with(registry: Registry) -> None:
    suite = filled()
    model = Model("net")
    model.record(guesses(LOCATORS[:5]), on="locator", suite=suite)

    def batches() -> Iterator[pa.Table]:
        yield guesses(LOCATORS[:5])
        registry.get_model("net").create_version("2")
        yield guesses(LOCATORS[5:10])

    report = model.record(batches(), on="locator", suite=suite)
    assert (report.unchanged, report.stored) == (5, 5)
    assert recorded(Model("net@1"), suite) == expected(LOCATORS[:10])  # and not half of them with another version


def test_a_transaction_holds_what_is_recorded_in_it(registry: Registry) -> None:
    suite, before = filled(), 0
    with registry.transaction("both"):
        before = commits(registry)
        Model("one").record(guesses(LOCATORS[:2]), suite=suite)
        Model("two").record(guesses(LOCATORS[::-1]))
    assert commits(registry) == before + 1
    assert recorded(Model("one"), suite) == expected(LOCATORS[:2])
    assert recorded(Model("two"), suite) == expected()
    with pytest.raises(NonDeterministicError), registry.transaction():  # noqa: PT012 - the second call is the one
        Model("three").record(guesses())
        Model("three").record([{"locator": "00.png", "label": "cow", "score": 1.0}])
    assert registry.find_model("three") is None


def test_samples_may_be_new_in_the_same_transaction(registry: Registry) -> None:
    filled()
    with registry.transaction():
        suite = Suite("more")
        suite.add(pa.table({"locator": ["21.png", "20.png"], "label": ["cat", "cat"]}))
        Model("new").record(guesses(["20.png", "21.png"]), suite=suite)
    assert recorded(Model("new"), suite) == expected(["21.png", "20.png"])
    assert registry.verify().ok


def test_samples_that_a_faster_writer_numbered_first_are_a_conflict(registry: Registry, tmp_path: Path) -> None:
    filled()

    def add_and_record() -> None:
        with registry.transaction():
            Suite("more").add(pa.table({"locator": ["20.png"], "label": ["cat"]}))
            Model("new").record(guesses(["20.png"]))
            other = localreg.open(tmp_path / "registry")
            with localreg.use(other):
                Suite("other").add(pa.table({"locator": ["22.png"], "label": ["cat"]}))

    with pytest.raises(ConflictError, match="another writer was faster, and brought test samples"):
        add_and_record()
    assert registry.find_model("new") is None
    assert registry.verify().ok


@dataclass(frozen=True)
class Reading(TestSample):
    value: float | None = None


_, ReadingCase, ReadingSuite, ReadingModel = define_workflow("Readings", Reading, Truth, Opinion)


def test_a_sample_may_be_told_by_nothing_but_null_or_nan(registry: Registry) -> None:
    values = [1.5, None, float("nan")]
    pairs = [(Reading(value), Truth("cat")) for value in values]
    suite = ReadingSuite("suite", test_cases=[ReadingCase("case", test_samples=pairs)])
    model = ReadingModel("new")
    table = pa.table({"value": values[::-1], "text": ["nan", "null", "1.5"]})
    assert model.record(table, suite=suite).stored == 3
    (case,) = suite.test_cases
    loaded: list[Any] = model.load_inferences(case)
    found = [(str(sample.value), inference.text) for sample, _, inference in loaded]
    assert found == [("1.5", "1.5"), ("None", "null"), ("nan", "nan")]


def test_whole_samples_tell_whose_rows_they_are(registry: Registry) -> None:
    suite, model = filled(), Model("new")
    samples = [{"locator": name, "width": 0, "other": 1} for name in LOCATORS]
    table = guesses().drop_columns("locator").append_column("sample", pa.array(samples))
    for on in (None, "locator"):
        assert model.record(table, on, suite=suite).rows == 20
    assert recorded(model, suite) == expected()


# --- what goes wrong on the way -------------------------------------------------------------------------------------


def test_a_generator_that_raises_leaves_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.staged.PART_ROWS", 2)
    filled()

    def batches() -> Iterator[pa.Table]:
        for name in LOCATORS[:8]:
            yield guesses([name])
        raise ZeroDivisionError("in the middle")

    before = commits(registry)
    with pytest.raises(ZeroDivisionError, match="in the middle"):
        Model("new").record(batches())
    assert (commits(registry) - before, parts(registry)) == (1, [])  # the model


def test_a_disk_that_fills_leaves_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.workflow.bulk.staged.PART_ROWS", 5)
    filled()
    model = Model("new")
    before = commits(registry)
    written: list[None] = []
    write = inferences.write_inferences

    def full(*arguments: Any) -> Any:
        if len(written) == 2:
            raise StorageError("no space left on device")
        written.append(None)
        return write(*arguments)

    monkeypatch.setattr("localreg.workflow.bulk.staged.write_inferences", full)
    with pytest.raises(StorageError, match="no space left"):
        model.record(guesses([name]) for name in LOCATORS)
    assert (commits(registry), parts(registry)) == (before, [])


def test_parts_stay_where_it_is_open_whether_the_commit_landed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite, model = filled(), Model("new")
    change = Session.change

    def unknown(self: Session, operation: Any, **named: Any) -> Any:
        change(self, operation, **named)
        raise UnknownOutcomeError("no answer", commit_id="0" * 32, commit=9)

    monkeypatch.setattr(Session, "change", unknown)
    with pytest.raises(UnknownOutcomeError):
        model.record(guesses())
    monkeypatch.undo()
    assert recorded(model, suite) == expected()
    assert registry.verify().ok


@pytest.mark.parametrize("kind", ["parquet", "arrow", "jsonl"])
def test_half_a_file_is_refused(registry: Registry, tmp_path: Path, kind: str) -> None:
    filled()
    path = sources(tmp_path)[kind]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InvalidInputError, match=f"preds.{kind} cannot be read"):
        Model("new").record(path)
    assert parts(registry) == []


def test_a_kind_of_file_that_nobody_knows_is_refused(registry: Registry, tmp_path: Path) -> None:
    filled()
    (tmp_path / "preds.xlsx").write_text("")
    with pytest.raises(InvalidInputError, match="is of no kind that is known by its ending"):
        Model("new").record(tmp_path / "preds.xlsx")
    (tmp_path / "preds.json").write_text("[]")
    with pytest.raises(InvalidInputError, match="JSON as a whole; write an object a line"):
        Model("new").record(tmp_path / "preds.json")
    with pytest.raises(localreg.NotFoundError, match=r"there is no file .*preds\.parquet.$"):
        Model("new").record(tmp_path / "preds.parquet")
    with pytest.raises(localreg.NotFoundError, match="a pattern is no path: give a list of paths"):
        Model("new").record(tmp_path / "*.parquet")
    with pytest.raises(InvalidInputError, match="is a folder; give the files in it"):
        Model("new").record(tmp_path)


def test_a_mapping_the_wrong_way_round_is_told(registry: Registry) -> None:
    filled()
    table = guesses().rename_columns({"score": "confidence"})
    with pytest.raises(InvalidInputError, match=r"no column 'label.score'.*columns=\{'label.score': 'confidence'\}$"):
        Model("new").record(table, columns={"confidence": "label.score"})
    assert Model("new").record(table, columns={"label.score": "confidence"}).stored == 20


def test_parquet_that_unfolds_to_gigabytes_takes_little_memory(registry: Registry, tmp_path: Path) -> None:
    filled()
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000, pa.int32()), pa.array(["x" * 1_000_000]))
    locators = pa.array([f"{number}" for number in range(4_000)])
    table = pa.table({"locator": locators, "label": text, "score": pa.array([1.0] * 4_000)})
    pq.write_table(table, tmp_path / "bomb.parquet", dictionary_pagesize_limit=1 << 28, store_schema=False)
    before = pa.default_memory_pool().max_memory()
    report = Model("new").record(tmp_path / "bomb.parquet", on_unknown="skip")
    assert (report.rows, report.unknown) == (4_000, 4_000)
    assert pa.default_memory_pool().max_memory() - before < 2**29


def test_parquet_of_absurdly_many_columns_is_refused(registry: Registry, tmp_path: Path) -> None:
    filled()
    pq.write_table(pa.table({f"c{number}": [1] for number in range(10_001)}), tmp_path / "wide.parquet")
    with pytest.raises(InvalidInputError, match="has 10,001 columns"):
        Model("new").record(tmp_path / "wide.parquet")


@pytest.mark.parametrize("given", [5, None, "preds", object()])
def test_what_is_no_table_is_refused(registry: Registry, given: Any) -> None:
    filled()
    with pytest.raises((InvalidInputError, localreg.NotFoundError)):
        Model("new").record(given)


def test_an_empty_table_stores_nothing(registry: Registry, tmp_path: Path) -> None:
    suite = filled()
    assert Model("new").record(guesses([]), suite=suite).stored == 0
    with pytest.raises(InvalidInputError, match="the iterator is empty"):
        Model("new").record(iter([]))
    (tmp_path / "none.jsonl").write_text("\n")
    empty: list[Any] = [[], {}, [{}], pa.table({}), tmp_path / "none.jsonl"]
    for nothing in empty:
        with pytest.raises(InvalidInputError, match="is empty: not even columns are there"):
            Model("new").record(nothing, on="locator")


def test_rows_go_to_a_store_in_memory_too() -> None:
    with localreg.use(localreg.open("memory://record-test")):
        suite, model = filled(), Model("new")
        model.record(guesses())
        assert recorded(model, suite) == expected()
