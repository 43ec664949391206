"""Test samples with their ground truths in bulk, from tables; and how they are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import localreg
from localreg import AlreadyExistsError, ConflictError, InvalidInputError, Registry
from localreg.errors import StorageError
from localreg.tables import write_rows
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    Metadata,
    TestSample,
    Vector,
    define_workflow,
    look_up,
)
from localreg.workflow.bulk import spool


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    width: int | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Face(TestSample):
    name: str
    template: Vector[2]


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str
    boxes: list[LabeledBoundingBox] = field(default_factory=list)


@dataclass(frozen=True)
class Guess(Inference):
    label: str


@dataclass(frozen=True)
class Camera:
    maker: str
    model: str


@dataclass(frozen=True)
class Shot(TestSample):
    locator: str
    camera: Camera | None = None


_, Case, Suite, Model = define_workflow("Photos", Photo, Truth, Guess)
_, FaceCase, FaceSuite, _FaceModel = define_workflow("Faces", Face, Truth, Guess)

NAMES = [f"{number:02}.png" for number in range(20)]


@pytest.fixture(autouse=True)
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = localreg.open(tmp_path / "registry")
    with localreg.use(made):
        yield made


def rows(names: list[str] | None = None, **more: Any) -> list[dict[str, Any]]:
    return [{"locator": name, "label": "cat", **more} for name in (NAMES if names is None else names)]


def held(suite: Any, case: str | None = None) -> list[tuple[Any, Any]]:
    (found,) = [each for each in suite.test_cases if case in (None, each.name)]
    return list(found.load_test_samples())


def names(suite: Any, case: str | None = None) -> list[str]:
    return [sample.locator for sample, _ in held(suite, case)]


def commits(registry: Registry) -> int:
    (row,) = registry.sql("SELECT max(commit) AS last FROM audit_events").dicts()
    return int(row["last"])


def parts(registry: Registry) -> list[str]:
    return list(registry._session.store.list("data"))


def test_a_table_becomes_a_test_case_of_the_suite_in_one_commit(registry: Registry) -> None:
    suite = Suite("suite")
    before = commits(registry)
    report = suite.add(pa.Table.from_pylist(rows(width=7)))
    assert (report.rows, report.stored, commits(registry)) == (20, 20, before + 1)
    assert held(suite) == [(Photo(name, 7), Truth("cat")) for name in NAMES]
    assert ([case.name for case in suite.test_cases], suite.version) == (["suite"], 1)
    assert Suite.load("suite") == suite
    assert registry.verify().ok


def test_rows_are_the_same_samples_as_objects_are(registry: Registry) -> None:
    box = {"top_left": [1.0, 2.0], "bottom_right": [3.0, 4.0], "label": "x"}
    objects = Suite("objects", test_cases=[Case("objects", test_samples=[(Photo("a.png", 1), Truth("cat"))])])
    bulk = Suite("bulk")
    bulk.add([{"locator": "a.png", "width": 1, "label": "cat", "boxes": [box]}])
    assert bulk.test_cases[0].sample_indices().tolist() == objects.test_cases[0].sample_indices().tolist()
    assert held(bulk) == [
        (Photo("a.png", 1), Truth("cat", [LabeledBoundingBox((1.0, 2.0), (3.0, 4.0), "x")])),
    ]
    case = Case("bulk", test_samples=[(sample, truth) for sample, truth in held(bulk)], reset=True)
    assert case.version == 1  # the same content


def test_an_iterator_of_batches_keeps_its_order_over_several_parts(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localreg.workflow.staging.PART_ROWS", 3)
    monkeypatch.setattr("localreg.workflow.staging.LARGE_ROWS", 2)
    monkeypatch.setattr(spool, "KEPT_BYTES", 100)
    suite = Suite("suite")
    suite.add(pa.Table.from_pylist(rows(NAMES[begin : begin + 4])) for begin in range(0, 20, 4))
    assert names(suite) == NAMES
    suite.add(rows(["x.png", "y.png", "z.png", "w.png", "v.png"]))
    assert names(suite) == [*NAMES, "x.png", "y.png", "z.png", "w.png", "v.png"]
    found = registry.sql('SELECT sample_idx, locator FROM "Photos".test_samples ORDER BY 1').dicts()
    assert [row["locator"] for row in found] == names(suite)
    assert registry.verify().ok


def test_metadata_comes_from_columns_and_is_merged(registry: Registry) -> None:
    suite = Suite("suite")
    suite.add(rows(NAMES[:2], weather="rain", **{"metadata.site": {"lat": 1.5}}), metadata=["weather"])
    assert held(suite)[0][0].metadata == {"weather": "rain", "site": {"lat": 1.5}}
    before = commits(registry)
    report = suite.add(rows(NAMES[:1], metadata={"iso": 100}))
    assert (report.unchanged, report.stored, suite.version) == (1, 0, 1)
    assert held(suite)[0][0].metadata == {"weather": "rain", "site": {"lat": 1.5}, "iso": 100}
    assert held(suite)[1][0].metadata == {"weather": "rain", "site": {"lat": 1.5}}
    assert commits(registry) == before + 1
    suite.add(rows(NAMES[:1], metadata='{"iso": 100}'))
    assert commits(registry) == before + 1


def test_columns_are_mapped_to_keys_of_metadata(registry: Registry) -> None:
    suite = Suite("suite")
    suite.add(rows(NAMES[:1], w="rain"), columns={"metadata.weather": "w"})
    assert held(suite)[0][0].metadata == {"weather": "rain"}


def test_columns_that_only_look_like_fields_within_are_left_alone(registry: Registry) -> None:
    _, _, suite_class, _ = define_workflow("Shots", Shot, Truth, Guess)
    suite = suite_class("shots")
    report = suite.add([{"locator": "a", "label": "cat", "model": "y"}])
    assert report.unused_columns == ("model",)
    assert held(suite)[0][0] == Shot("a", None)
    suite.add([{"locator": "b", "label": "cat", "camera.maker": "x", "camera.model": "y"}])
    suite.add([{"locator": "c", "label": "cat", "maker": "x", "model": "y"}])
    assert [sample for sample, _ in held(suite)][1:] == [Shot(name, Camera("x", "y")) for name in "bc"]


def csv_metadata(path: Path, *files: str) -> list[Any]:
    """What becomes of a column `k` of CSV files, the values of which are given."""
    number = 0
    paths = []
    for place, text in enumerate(files):
        lines = ["locator,label,k"]
        for value in text.split():
            number += 1
            lines.append(f"{number}.png,cat,{'' if value == '-' else value}")
        paths.append(path / f"{place}.csv")
        paths[-1].write_text("\n".join(lines))
    suite = Suite("suite")
    suite.add(paths if len(paths) > 1 else paths[0], metadata=["k"])
    return [sample.metadata.get("k") for sample, _ in held(suite)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 -2 0", [1, -2, 0]),
        ("5.28 5.10 3 -0.5 1e-07", [5.28, 5.1, 3, -0.5, 1e-07]),
        ("True false -", [True, False, None]),
        ("007 8", ["007", "8"]),
        ("1 2 many", ["1", "2", "many"]),
        ("true 1", ["true", "1"]),
        ("1234567890123456 1", ["1234567890123456", "1"]),
        ("nan 1", ["nan", "1"]),
        ("1e999 1", ["1e999", "1"]),
        ("+1 .5", ["+1", ".5"]),
        ("- -", [None, None]),
    ],
)
def test_metadata_of_csv_is_numbers_if_the_whole_column_is(
    registry: Registry, tmp_path: Path, text: str, values: list[Any]
) -> None:
    found = csv_metadata(tmp_path, text)
    assert [(type(each), each) for each in found] == [(type(each), each) for each in values]


def test_metadata_of_several_csv_files_is_numbers_if_it_is_in_all(registry: Registry, tmp_path: Path) -> None:
    assert csv_metadata(tmp_path, "1 2", "2.5") == [1, 2, 2.5]


@pytest.mark.parametrize("files", [("1 2", "x"), ("x", "1 2")])
def test_metadata_of_several_csv_files_is_text_if_it_is_in_one(
    registry: Registry, tmp_path: Path, files: tuple[str, str]
) -> None:
    assert csv_metadata(tmp_path, *files) == " ".join(files).split()


def test_numbers_of_csv_are_cut_into_strata(registry: Registry, tmp_path: Path) -> None:
    csv_metadata(tmp_path, " ".join(f"{number / 4}" for number in range(20)))
    assert len(registry.get_test_suite("suite").stratify("metadata.k").members) == 4


def test_metadata_of_one_column_may_be_missing_in_some_rows(registry: Registry) -> None:
    suite = Suite("suite")
    suite.add(
        [{**row, "iso": iso} for row, iso in zip(rows(NAMES[:3]), (None, 100, None), strict=True)], metadata=["iso"]
    )
    assert [sample.metadata for sample, _ in held(suite)] == [{}, {"iso": 100}, {}]


def test_what_is_there_already_is_left_as_it_is(registry: Registry) -> None:
    suite = Suite("suite")
    suite.add(rows())
    before = commits(registry)
    report = suite.add(rows(NAMES[::-1]))
    assert (report.stored, report.unchanged, commits(registry), suite.version) == (0, 20, before, 1)
    report = suite.add(rows([*NAMES[:3], "new.png"]))
    assert (report.stored, report.unchanged, suite.version) == (1, 3, 2)
    assert names(suite) == [*NAMES, "new.png"]


def test_another_ground_truth_is_refused_kept_or_taken(registry: Registry) -> None:
    suite = Suite("suite")
    suite.add(rows(NAMES[:4]))
    others = [*rows(NAMES[2:4]), *rows(["new.png"])]
    others[0]["label"] = "dog"
    before = commits(registry)
    with pytest.raises(AlreadyExistsError, match=r"row 0 is of .*02\.png.* with another ground truth"):
        suite.add(others)
    assert commits(registry) == before
    report = suite.add(others, on_known="skip")
    assert (report.stored, report.unchanged, report.replaced) == (1, 2, 0)
    assert [truth.label for _, truth in held(suite)] == ["cat"] * 5
    report = suite.add(others, on_known="replace")
    assert (report.stored, report.unchanged, report.replaced) == (0, 2, 1)
    assert [(sample.locator, truth.label) for sample, truth in held(suite)][-1] == ("02.png", "dog")
    assert len(held(suite)) == 5


def test_test_cases_are_added_and_the_others_stay(registry: Registry) -> None:
    suite = Suite("suite", test_cases=[Case("by hand", test_samples=[(Photo("00.png"), Truth("cow"))])])
    suite.add(rows(NAMES[:2]), case="night")
    suite.add(rows(NAMES[2:3]), case="by hand")
    assert [(case.name, case.version, len(case)) for case in suite.test_cases] == [("night", 1, 2), ("by hand", 2, 2)]
    assert [truth.label for _, truth in held(suite, "by hand")] == ["cow", "cat"]
    assert suite.version == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": None}, "ground_truth.label is missing; it must be a str"),
        ({"locator": None}, "sample.locator is missing"),
        ({"boxes": [{"top_left": [3, 2], "bottom_right": [1, 4], "label": "x"}]}, "must not be beyond bottom_right's"),
        ({"boxes": [{"top_left": [3], "bottom_right": [1, 4], "label": "x"}]}, "it must have 2 items"),
        ({"boxes": [{"top_left": [1, 2], "bottom_right": [3, 4], "label": ""}]}, "it must not be blank"),
        ({"metadata": "[1]"}, "sample.metadata is '[1]'; it must be a JSON object"),
    ],
)
def test_a_row_that_cannot_be_stored_is_refused_or_left_out(
    registry: Registry, change: dict[str, Any], reason: str
) -> None:
    suite = Suite("suite")
    table = rows(NAMES[:3], boxes=[], metadata=None)
    table[1] |= change
    before = commits(registry)
    with pytest.raises(InvalidInputError, match="row 1 of the table: ") as caught:
        suite.add(table)
    assert reason in str(caught.value)
    assert (commits(registry), parts(registry)) == (before, [])
    report = suite.add(table, on_invalid="skip")
    assert (report.stored, report.invalid, report.faults[0].row) == (2, 1, 1)
    assert reason in report.faults[0].reason
    assert names(suite) == ["00.png", "02.png"]


def test_a_sample_twice_is_refused_or_its_first_row_taken(registry: Registry) -> None:
    suite = Suite("suite")
    table = rows(["a.png", "b.png", "a.png"])
    table[2]["label"] = "dog"
    with pytest.raises(InvalidInputError, match="row 2 of the table: its sample stands in row 0, too"):
        suite.add(table)
    report = suite.add(table, on_invalid="skip")
    assert (report.stored, report.invalid) == (2, 1)
    assert [(sample.locator, truth.label) for sample, truth in held(suite)] == [("a.png", "cat"), ("b.png", "cat")]


def test_a_generator_that_raises_changes_nothing(registry: Registry) -> None:
    suite = Suite("suite")

    def batches() -> Iterator[pa.Table]:
        yield pa.Table.from_pylist(rows())
        raise ZeroDivisionError("in the middle")

    before = commits(registry)
    with pytest.raises(ZeroDivisionError):
        suite.add(batches())
    assert (commits(registry), parts(registry), suite.version) == (before, [], 0)


def test_a_disk_that_fills_changes_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = Suite("suite")
    before = commits(registry)

    written: list[str] = []

    def full(store: Any, table: str, *arguments: Any, **named: Any) -> Any:
        if written:
            raise StorageError("no space left on device")
        written.append(table)
        return write_rows(store, table, *arguments, **named)

    monkeypatch.setattr("localreg.workflow.staging.write_rows", full)
    with pytest.raises(StorageError):
        suite.add(rows())
    assert (commits(registry), parts(registry)) == (before, [])
    monkeypatch.undo()
    assert suite.add(rows()).stored == 20


def test_two_that_edit_one_test_case_at_once_are_told(registry: Registry, tmp_path: Path) -> None:
    suite = Suite("suite")
    suite.add(rows(NAMES[:2]))

    def batches() -> Iterator[pa.Table]:
        yield pa.Table.from_pylist(rows(["x.png"]))
        with localreg.use(localreg.open(tmp_path / "registry")):
            Suite("suite").add(rows(["y.png"]))

    with pytest.raises(ConflictError, match="another edit was faster"):
        suite.add(batches())
    assert names(Suite("suite")) == ["00.png", "01.png", "y.png"]


def test_others_that_bring_samples_in_between_shift_the_new_ones(registry: Registry, tmp_path: Path) -> None:
    suite = Suite("suite")

    def batches() -> Iterator[pa.Table]:
        yield pa.Table.from_pylist(rows(["a.png", "b.png"]))
        with localreg.use(localreg.open(tmp_path / "registry")):
            Suite("other").add(rows(["b.png", "c.png"]))

    suite.add(batches())
    assert names(suite) == ["a.png", "b.png"]
    assert names(Suite("other")) == ["b.png", "c.png"]
    found = registry.sql('SELECT sample_idx, locator FROM "Photos".test_samples ORDER BY 1').dicts()
    assert [row["locator"] for row in found] == ["b.png", "c.png", "a.png"]


def test_samples_whose_hashes_collide_are_told_apart(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_up, "HASH", "hash({}) % 3::UBIGINT")
    suite = Suite("suite")
    suite.add(rows(NAMES[:10]))
    report = suite.add(rows(["09.png", "x.png", "00.png", "y.png", *NAMES[10:]]))
    assert (report.stored, report.unchanged) == (12, 2)
    assert sorted(names(suite)) == sorted([*NAMES, "x.png", "y.png"])
    (row,) = registry.sql("SELECT count(*) AS n FROM test_samples").dicts()
    assert row["n"] == 22


def test_keys_of_another_duckdb_are_not_trusted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(look_up, "HASH", "hash({}) + 1")
        patched.setattr(look_up, "PROBE", "'another release'")
        Suite("suite").add(rows())
    assert Suite("suite").add(rows()).unchanged == 20


def test_vectors_tell_samples_apart(registry: Registry) -> None:
    suite = FaceSuite("suite")
    table = [{"name": "a", "template": [1.0, float(number)], "label": "x"} for number in range(3)]
    suite.add(table)
    assert suite.add(table[1:]).unchanged == 2
    assert suite.add([{"name": "a", "template": [1.0, 7.0], "label": "x"}]).stored == 1
    assert [sample.template.tolist() for sample, _ in held(suite)] == [[1, 0], [1, 1], [1, 2], [1, 7]]


def test_known_samples_are_found_in_every_part(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.workflow.staging.PART_ROWS", 3)
    Suite("one").add(rows(NAMES[:10]))
    Suite("two").add(rows(NAMES[10:]))
    order = np.random.default_rng(0).permutation(20).tolist()
    suite = Suite("three")
    suite.add(rows([NAMES[number] for number in order]))
    assert suite.test_cases[0].sample_indices().tolist() == order
    assert names(suite) == [NAMES[number] for number in order]


@pytest.mark.parametrize(
    "arguments", [{"on_known": "ignore"}, {"on_invalid": 1}, {"metadata": "weather"}, {"case": ""}]
)
def test_arguments_that_make_no_sense_are_refused(arguments: Any) -> None:
    with pytest.raises(InvalidInputError):
        Suite("suite").add(rows(), **arguments)


def test_a_column_that_two_parts_could_take_is_refused() -> None:
    @dataclass(frozen=True)
    class Text(TestSample):
        text: str

    @dataclass(frozen=True)
    class Answer(GroundTruth):
        text: str

    _, _, suite, _ = define_workflow("Texts", Text, Answer, Guess)
    with pytest.raises(InvalidInputError, match=r"column 'text' .* could be a field of sample and ground_truth"):
        suite("suite").add([{"text": "a"}])
    made = suite("suite")
    assert made.add([{"question": "a", "ground_truth.text": "b"}], columns={"sample.text": "question"}).stored == 1
    assert held(made) == [(Text("a"), Answer("b"))]
