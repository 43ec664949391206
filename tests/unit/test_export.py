"""Inferences out: as rows, in batches, and as files that others read."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import localreg
from localreg import Registry
from localreg.errors import (
    AlreadyExistsError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    StorageError,
)
from localreg.tables import Vector, parts
from localreg.workflow import GroundTruth, Inference, Metadata, TestSample, define_workflow, inferred, test
from localreg.workflow.gathering import Gathered
from tests.generated_types import Kind, classes, same
from tests.pictures import Guess, Picture, TestCase, TestSuite, Truth, TypedModel


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = localreg.open(tmp_path / "registry")
    with localreg.use(registry):
        yield registry


def pairs(*numbers: int) -> list[tuple[Picture, Truth]]:
    return [(Picture(number), Truth(f"true {number}")) for number in numbers]


def said(picture: Picture) -> Guess | None:
    """What a model says: nothing of each fifth, an error of each seventh."""
    if picture.number % 7 == 6:
        raise ValueError(f"no {picture.number}")
    return None if picture.number % 5 == 4 else Guess(f"guess {picture.number}")


def suite_of(name: str, *cases: tuple[int, ...]) -> Any:
    made = [TestCase(f"{name} {number}", test_samples=pairs(*case)) for number, case in enumerate(cases)]
    return TestSuite(name, test_cases=made)


def expected(number: int, case: str | None, *, seen: bool = True) -> dict[str, Any]:
    status = "missing" if not seen else "error" if number % 7 == 6 else "skipped" if number % 5 == 4 else "ok"
    row: dict[str, Any] = {"test_case": case, "number": number, "ground_truth_label": f"true {number}"}
    return {**row, "status": status, "label": f"guess {number}" if status == "ok" else None}


def told(rows: Any, *columns: str) -> list[dict[str, Any]]:
    names = columns or ("test_case", "number", "ground_truth_label", "status", "label")
    return [{name: row[name] for name in names} for row in rows]


# --- rows -------------------------------------------------------------------------------------------------------------


def test_there_is_a_row_for_each_sample_of_each_case_in_the_order_of_the_suite(registry: Registry) -> None:
    test(TypedModel("m", said), suite_of("first", (9, 3, 6, 4), (0, 3)), on_error="record")
    suite_of("wider", (3, 100, 4), (0, 9, 101))
    for model in (TypedModel("m"), registry.get_model("m"), registry.get_version("m@1")):
        rows = model.inferences("wider")
        assert told(rows) == [
            expected(3, "wider 0"),
            expected(100, "wider 0", seen=False),
            expected(4, "wider 0"),
            expected(0, "wider 1"),
            expected(9, "wider 1"),
            expected(101, "wider 1", seen=False),
        ]
        assert [row["sample_idx"] for row in rows] == [1, 5, 3, 4, 0, 6]
    assert [row["status"] for row in TypedModel("m").inferences("first")] == ["skipped", "ok", "error", "skipped"] + [
        "ok"
    ] * 2


def test_an_exception_stands_with_its_sample(registry: Registry) -> None:
    test(TypedModel("m", said), suite_of("s", (1, 6)), on_error="record")
    fine, failed = registry.get_model("m").inferences("s").dicts()
    assert fine["error"] is None
    assert (failed["error"]["type"], failed["error"]["message"]) == ("ValueError", "no 6")
    assert "no 6" in failed["error"]["traceback"]


def test_without_a_suite_all_that_was_inferred_comes_by_sample(registry: Registry) -> None:
    suite_of("never run", (50, 51))
    test(TypedModel("m", said), suite_of("s", (9, 3, 6)), on_error="record")
    rows = registry.get_model("m").inferences()
    assert rows.columns == ["sample_idx", "number", "metadata", "extra", "status", "label", "error"]
    assert told(rows, "sample_idx", "number", "status") == [
        {"sample_idx": 2, "number": 9, "status": "skipped"},
        {"sample_idx": 3, "number": 3, "status": "ok"},
        {"sample_idx": 4, "number": 6, "status": "error"},
    ]


def test_a_suite_may_be_given_at_the_version_that_it_shows(registry: Registry) -> None:
    old = suite_of("s", (1, 2))
    test(TypedModel("m", said), old)
    with TestSuite("s").edit() as editor:
        editor.add(TestCase("more", test_samples=pairs(3)))
    assert [row["number"] for row in registry.get_model("m").inferences(old)] == [1, 2]
    assert [row["number"] for row in registry.get_model("m").inferences("s")] == [1, 2, 3]


def test_rows_are_those_of_the_moment_they_were_asked_for(registry: Registry) -> None:
    suite = suite_of("s", (1, 2))
    test(TypedModel("m", said), suite)
    before, batches = registry.get_model("m").inferences("s"), registry.get_model("m").inferences("s").batches()
    test(TypedModel("m", lambda picture: Guess("other")), suite, reset=True)
    assert [row["label"] for row in before] == ["guess 1", "guess 2"]
    assert pa.Table.from_batches(batches)["label"].to_pylist() == ["guess 1", "guess 2"]
    assert [row["label"] for row in registry.get_model("m").inferences("s")] == ["other", "other"]
    assert [row["label"] for row in registry.at(commit=registry.commit - 1).get_model("m").inferences("s")] == [
        "guess 1",
        "guess 2",
    ]


def test_parts_of_several_runs_and_resets_are_one_set(registry: Registry) -> None:
    model = TypedModel("m", said)
    test(model, suite_of("a", (1, 2, 3)))
    test(model, suite_of("b", (2, 8, 10)))
    test(TypedModel("m", lambda picture: Guess(f"again {picture.number}")), TestSuite("b"), reset=True)
    suite_of("all", (10, 1, 2, 3, 8))
    rows = registry.get_model("m").inferences("all")
    assert [row["label"] for row in rows] == ["again 10", "guess 1", "again 2", "guess 3", "again 8"]


def test_what_was_said_of_a_sample_last_is_shown(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Tagged(TestSample):
        name: str
        metadata: Metadata = dataclasses.field(default_factory=dict)

    _, Case, Suite, Model = define_workflow("tagged", Tagged, Truth, Guess)
    suite = Suite(
        "s", test_cases=[Case("c", test_samples=[(Tagged("a", {"x": 1}), Truth("t")), (Tagged("b"), Truth("t"))])]
    )
    test(Model("m", lambda sample: Guess(sample.name)), suite)
    Case("d", test_samples=[(Tagged("b", {"y": [2]}), Truth("t"))])
    Case("e", test_samples=[(Tagged("a", {"x": 3}), Truth("t"))])
    Case("f", test_samples=[(Tagged("a", {"x": 4}), Truth("t"))])
    assert [row["metadata"] for row in registry.get_model("m").inferences("s")] == [{"x": 4}, {"y": [2]}]


def test_names_that_are_taken_go_behind_that_of_their_type(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Sample(TestSample):
        status: str
        label: int
        ground_truth_label: int

    @dataclass(frozen=True)
    class True_(GroundTruth):
        label: str
        error: int

    @dataclass(frozen=True)
    class Made(Inference):
        LABEL: float

    _, Case, Suite, Model = define_workflow("twins", Sample, True_, Made)
    suite = Suite("s", test_cases=[Case("c", test_samples=[(Sample("new", 5, 7), True_("cat", 9))])])
    test(Model("m", lambda sample: Made(0.5)), suite)
    (row,) = registry.get_model("m").inferences("s").dicts()
    assert row == {
        "sample_idx": 0,
        "test_case": "c",
        "sample_status": "new",
        "sample_label": 5,
        "ground_truth_label": 7,
        "metadata": None,
        "extra": None,
        "ground_truth_ground_truth_label": "cat",
        "ground_truth_error": 9,
        "status": "ok",
        "LABEL": 0.5,
        "error": None,
    }
    assert "LABEL" in registry.sql("SELECT * FROM twins.inferences").columns


def test_vectors_come_with_the_rest(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Embedded(Inference):
        label: str
        embedding: Vector[3]

    _, Case, Suite, Model = define_workflow("embedded", Picture, Truth, Embedded)
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(1, 2, 3))])
    made = lambda each: None if each.number == 2 else Embedded("a", np.full(3, each.number, np.float32))  # noqa: E731
    test(Model("m", made), suite)
    rows = registry.get_model("m").inferences("s")
    assert [row["embedding"] for row in rows] == [[1, 1, 1], None, [3, 3, 3]]
    assert rows.arrow().schema.field("embedding").type == pa.list_(pa.float32(), 3)


def test_parts_of_an_older_schema_lack_what_came_later(registry: Registry) -> None:
    @dataclass(frozen=True)
    class Wide(Inference):
        label: str
        sure: float | None = None

    suite = suite_of("s", (1, 2))
    test(TypedModel("m", said), TestSuite("s1", test_cases=[TestCase("c1", test_samples=pairs(1))]))
    *_, WideModel = define_workflow("pictures", Picture, Truth, Wide)
    test(WideModel("m", lambda picture: Wide("wide", 0.5)), suite)
    assert told(registry.get_model("m").inferences("s"), "label", "sure") == [
        {"label": "guess 1", "sure": None},
        {"label": "wide", "sure": 0.5},
    ]


def test_an_empty_suite_has_columns_and_no_rows(registry: Registry) -> None:
    test(TypedModel("m", said), suite_of("s", (1,)))
    TestSuite("empty")
    rows = registry.get_model("m").inferences("empty")
    assert len(rows) == 0
    assert rows.columns == registry.get_model("m").inferences("s").columns
    assert [batch.num_rows for batch in rows.batches()] in ([], [0])


def test_what_is_not_there_is_told(registry: Registry) -> None:
    suite_of("plates", (1,))
    registry.create_model("new")
    test(TypedModel("m", said), TestSuite("plates"))
    with pytest.raises(NotFoundError, match="no test suite 'plate' in namespace 'default'; did you mean 'plates'"):
        registry.get_model("m").inferences("plate")
    with pytest.raises(NotFoundError, match="model 'new' has no version yet"):
        registry.get_model("new").inferences("plates")
    registry.get_model("new").create_version("1")
    with pytest.raises(NotFoundError, match="model 'new' belongs to no workflow yet"):
        registry.get_model("new").inferences()
    assert [row["status"] for row in registry.get_model("new").inferences("plates")] == ["missing"]

    @dataclass(frozen=True)
    class Other(TestSample):
        name: str

    _, Case, Suite, _ = define_workflow("other", Other, Truth, Guess)
    Suite("others", test_cases=[Case("o", test_samples=[(Other("a"), Truth("t"))])])
    with pytest.raises(NotFoundError, match="model 'm' and test suite 'others' belong to different workflows"):
        registry.get_model("m").inferences("others")


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three rows, row groups of four."""
    monkeypatch.setattr(inferred, "BATCH", 3)
    monkeypatch.setattr(parts, "ROW_GROUP", 4)


def test_batches_are_the_rows_in_order_and_of_one_schema(registry: Registry, small: None) -> None:
    model = TypedModel("m", said)
    test(model, suite_of("a", tuple(range(10))), on_error="record")
    test(model, suite_of("b", tuple(range(5, 25))), on_error="record")
    for numbers in (range(22), range(21, -1, -1), (3, 17, 40, 4, 5, 6, 41, 19)):
        with TestSuite("all").edit(reset=True) as editor:
            editor.add(TestCase("odd", test_samples=pairs(99), reset=True))
            editor.add(TestCase("whole", test_samples=pairs(*numbers), reset=True))
        result = registry.get_model("m").inferences("all")
        batches = list(result.batches())
        assert max(batch.num_rows for batch in batches) == 3
        assert pa.Table.from_batches(batches).equals(result.arrow(), check_metadata=True)
        assert told(result) == [
            expected(99, "odd", seen=False),
            *(expected(number, "whole", seen=number < 25) for number in numbers),
        ]


def test_batches_read_each_row_group_once_and_hold_few(
    registry: Registry, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    test(TypedModel("m", said), suite_of("s", tuple(range(80))), on_error="record")
    read: list[Any] = []
    groups = pq.ParquetFile.read_row_group

    def noting(file: Any, number: int, *args: Any) -> pa.Table:
        rows = groups(file, number, *args)
        read.append((rows.column_names[0], number, rows.num_rows))
        return rows

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noting)
    kept: list[int] = []
    block = Gathered._block

    def counting(gathered: Gathered, *args: int) -> pa.Table:
        found = block(gathered, *args)
        kept.append(sum(each.num_rows for each in gathered._blocks.values()))
        return found

    monkeypatch.setattr(Gathered, "_block", counting)
    batches = registry.get_model("m").inferences("s").batches()
    next(batches)
    assert len(read) == 3, "one row group of each table for the first batch"
    assert sum(batch.num_rows for batch in batches) == 77
    assert sorted(read) == sorted((name, n, 4) for name in ("sample", "ground_truth", "inference") for n in range(20))
    assert max(kept) <= 8 * 4


def test_a_damaged_part_is_named(registry: Registry, tmp_path: Path) -> None:
    test(TypedModel("m", said), suite_of("s", (1, 2)))
    result, batches = registry.get_model("m").inferences("s"), registry.get_model("m").inferences("s").batches()
    (file,) = (tmp_path / "registry").rglob("data/ground_truths/*/*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    for read in (result.arrow, lambda: list(batches)):
        with pytest.raises(IntegrityError, match=file.name):
            read()
    file.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        registry.get_model("m").inferences("s")


def test_a_part_of_other_rows_than_the_log_says_is_refused(registry: Registry, tmp_path: Path) -> None:
    test(TypedModel("m", said), suite_of("s", (1, 2)))
    (file,) = (tmp_path / "registry").rglob("data/test_samples/*/*.parquet")
    pq.write_table(pq.read_table(file).slice(0, 1), file)
    with pytest.raises(IntegrityError, match="has 1 rows where the log says 2"):
        registry.get_model("m").inferences("s").arrow()


# --- files ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Anything(Inference):
    number: float
    numbers: list[float | None]
    at: datetime.datetime
    raw: bytes
    by: dict[str, float]
    text: str
    whole: int
    inner: Guess | None


ODD = Anything(
    number=math.nan,
    numbers=[math.inf, -math.inf, None, 0.1, 1e22, -0.0],
    at=datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC),
    raw=b"\x00\xff",
    by={"a": math.nan, "b": 1.5},
    text='"quoted",\nnew\u2028line; ',
    whole=2**63 - 1,
    inner=Guess("x"),
)
PLAIN = Anything(0.5, [], datetime.datetime(1, 1, 3, tzinfo=datetime.UTC), b"", {}, "", -1, None)
IN_JSON = {
    "number": "NaN",
    "numbers": ["Infinity", "-Infinity", None, 0.1, 1e22, -0.0],
    "at": "2026-01-02T03:04:05.000006Z",
    "raw": "00ff",
    "by": {"a": "NaN", "b": 1.5},
    "text": ODD.text,
    "whole": 2**63 - 1,
    "inner": {"label": "x"},
}


def json_lines(path: Path) -> list[dict[str, Any]]:
    *lines, end = path.read_text(encoding="utf-8").split("\n")
    assert end == ""
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


@pytest.fixture
def odd(registry: Registry) -> Any:
    """A model that said odd things."""
    _, Case, Suite, Model = define_workflow("odd", Picture, Truth, Anything)
    suite = Suite("s", test_cases=[Case("c", test_samples=pairs(0, 1, 2))])
    test(Model("m", lambda picture: {0: ODD, 1: PLAIN}.get(picture.number)), suite)
    return registry.get_model("m")


def test_json_lines_hold_all_columns_natively(odd: Any, tmp_path: Path) -> None:
    assert odd.export_inferences(tmp_path / "out.jsonl", suite="s") == 3
    first, second, third = json_lines(tmp_path / "out.jsonl")
    assert list(first) == odd.inferences("s").columns
    assert {name: first[name] for name in IN_JSON} == IN_JSON
    assert first["sample_number"] == 0
    assert second["at"] == "0001-01-03T00:00:00.000000Z"
    assert (second["text"], second["numbers"], second["by"], second["inner"], second["raw"]) == ("", [], {}, None, "")
    assert (third["status"], third["numbers"], third["by"], third["label"]) == ("skipped", None, None, "true 2")


def test_csv_has_one_header_and_nested_values_as_json(odd: Any, tmp_path: Path, small: None) -> None:
    assert odd.export_inferences(tmp_path / "out.csv", suite="s") == 3
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        header, first, _, third = csv.reader(file)
    assert header == odd.inferences("s").columns
    row = dict(zip(header, first, strict=True))
    for name in ("numbers", "by", "inner"):
        assert json.loads(row[name]) == IN_JSON[name]
    assert (row["number"], row["at"], row["raw"], row["text"]) == ("NaN", IN_JSON["at"], "00ff", ODD.text)
    assert row["whole"] == str(2**63 - 1)
    assert dict(zip(header, third, strict=True))["number"] == ""
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert '""' in lines[-2], "an empty text is told from nothing"


def test_many_batches_make_one_file_of_each_format(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localreg.workflow.export import writers

    test(TypedModel("m", said), suite_of("s", tuple(range(10))), on_error="record")
    monkeypatch.setattr(writers, "BATCH", 3)
    model = registry.get_model("m")
    for ending in ("parquet", "csv", "jsonl"):
        assert model.export_inferences(tmp_path / f"out.{ending}", suite="s") == 10
    assert pq.read_table(tmp_path / "out.parquet").equals(model.inferences("s").arrow())
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 4
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["number"] for row in csv.DictReader(file)] == [str(number) for number in range(10)]
    assert [line["number"] for line in json_lines(tmp_path / "out.jsonl")] == list(range(10))


QUICKLY = [Phase.explicit, Phase.generate]


@given(classes(base=Inference, made_by=dataclass), st.data())
@settings(max_examples=60, phases=QUICKLY, deadline=None)
def test_parquet_holds_inferences_exactly(tmp_path_factory: pytest.TempPathFactory, kind: Kind, data: Any) -> None:
    folder = tmp_path_factory.mktemp("round")
    values = data.draw(st.lists(st.none() | kind.values, min_size=1, max_size=4))
    with localreg.use(localreg.open(folder / "registry")):
        workflow, Case, Suite, Model = define_workflow("made", Picture, Truth, kind.hint)
        suite = Suite("s", test_cases=[Case("c", test_samples=pairs(*range(len(values))))])
        model = Model("m", lambda picture: values[picture.number])
        test(model, suite)
        model.export_inferences(folder / "out.parquet", suite="s")
        column = workflow.types(model.session.state()).inference
        assert same(read_back(column, pq.read_table(folder / "out.parquet")), values)
        model.export_inferences(folder / "out.jsonl", suite="s")
        lines = json_lines(folder / "out.jsonl")
        assert [line["status"] for line in lines] == ["skipped" if each is None else "ok" for each in values]


def read_back(column: Any, rows: pa.Table) -> list[Any]:
    """The objects of exported rows: each field from the column of its name, or behind that of its type."""
    from localreg.tables import vector_fields, without_vectors
    from localreg.tables.conform import conform

    def of(name: str) -> pa.Array:
        return rows[name if f"inference_{name}" not in rows.column_names else f"inference_{name}"].combine_chunks()

    there = pa.array([status == "ok" for status in rows["status"].to_pylist()])
    inner = without_vectors(column.node).fields
    if inner:
        made = pa.StructArray.from_arrays(
            [of(field.name) for field in inner], [field.name for field in inner], mask=pa.compute.invert(there)
        )
    else:
        made = pa.compute.if_else(there, there, pa.scalar(None, pa.bool_()))
    columns = {"inference": conform(made, column.type)}
    vectors = vector_fields(column.node)
    if vectors:
        columns["vectors"] = pa.StructArray.from_arrays(
            [of(field.name) for field in vectors], [field.name for field in vectors]
        )
    for name in ("metadata", "extra"):
        if f"inference_{name}" in rows.column_names:
            columns[name] = rows[f"inference_{name}"].combine_chunks()
    objects: list[Any] = column.objects(pa.table(columns))
    return objects


def test_a_file_that_is_there_is_not_overwritten_unless_asked_for(odd: Any, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("mine")
    with pytest.raises(AlreadyExistsError, match=r"out\.csv exists already; .* pass overwrite=True"):
        odd.export_inferences(target, suite="s")
    assert target.read_text() == "mine"
    odd.export_inferences(target, suite="s", overwrite=True)
    assert target.read_text().startswith('"sample_idx"')
    assert set(os.listdir(tmp_path)) == {"out.csv", "registry"}


def test_a_file_that_came_meanwhile_is_not_overwritten(
    odd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localreg.workflow.export import writers

    target = tmp_path / "out.csv"
    write = writers.write_csv

    def slowly(*args: Any) -> int:
        target.write_text("another's")
        return write(*args)

    monkeypatch.setattr(writers, "write_csv", slowly)
    with pytest.raises(AlreadyExistsError, match="exists already"):
        odd.export_inferences(target, suite="s")
    assert target.read_text() == "another's"
    assert set(os.listdir(tmp_path)) == {"out.csv", "registry"}


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_an_export_that_fails_in_the_middle_leaves_what_was_there(
    registry: Registry, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    test(TypedModel("m", said), suite_of("s", tuple(range(5))))
    target = tmp_path / f"out.{ending}"
    target.write_text("before")
    tables = inferred.Inferred.tables

    def failing(rows: Any, *args: Any, **options: Any) -> Iterator[pa.Table]:
        yield from tables(rows, *args, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inferred.Inferred, "tables", failing)
    with pytest.raises(StorageError, match="No space left on device; nothing was written"):
        registry.get_model("m").export_inferences(target, suite="s", overwrite=True)
    assert target.read_text() == "before"
    assert set(os.listdir(tmp_path)) == {target.name, "registry"}


def test_where_there_are_no_links_a_file_appears_all_the_same(
    odd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    odd.export_inferences(tmp_path / "out.csv", suite="s")
    assert set(os.listdir(tmp_path)) == {"out.csv", "registry"}


@pytest.mark.parametrize(
    ("path", "options", "error", "words"),
    [
        (
            "out.xlsx",
            {},
            InvalidInputError,
            r"ending '\.xlsx' says no format; pass format=, one of parquet, csv, jsonl",
        ),
        ("out", {}, InvalidInputError, "ending '' says no format"),
        ("out.csv", {"format": "xml"}, InvalidInputError, "format is 'xml'; it must be one of parquet"),
        ("absent/out.csv", {}, StorageError, "there is no folder .*absent; make it first"),
        ("", {}, InvalidInputError, "is a folder"),
        ("s3://bucket/out.csv", {}, InvalidInputError, "is no local path"),
        ("out.csv", {"suite": "nope"}, NotFoundError, "no test suite 'nope'"),
        ("out.csv", {"overwrite": "yes"}, InvalidInputError, "overwrite"),
        ("out.json", {}, InvalidInputError, "Anything has no list of scored labelled boxes"),
    ],
)
def test_what_cannot_be_exported_is_told(
    odd: Any, tmp_path: Path, path: str, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    target = path if "://" in path else tmp_path / path
    with pytest.raises(error, match=words):
        odd.export_inferences(target, **{"suite": "s", **options})
    assert os.listdir(tmp_path) == ["registry"]


def test_the_format_may_be_said_and_endings_are_known_in_any_case(odd: Any, tmp_path: Path) -> None:
    odd.export_inferences(tmp_path / "a.PARQUET", suite="s")
    odd.export_inferences(str(tmp_path / "b.txt"), suite="s", format="parquet")
    assert pq.read_schema(tmp_path / "a.PARQUET").names == odd.inferences("s").columns
    assert (tmp_path / "a.PARQUET").read_bytes() == (tmp_path / "b.txt").read_bytes()


def test_frames_hold_the_same(odd: Any) -> None:
    rows = odd.inferences("s")
    assert rows.df()["status"].tolist() == rows.pl()["status"].to_list() == ["ok", "ok", "skipped"]
