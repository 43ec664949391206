"""What is told of rows that come in bulk: their numbers over several batches, and how many became what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import localreg
from localreg import InvalidInputError, Registry
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow
from localreg.workflow.bulk.keys import SampleKeys


@dataclass(frozen=True)
class Item(TestSample):
    name: str


@dataclass(frozen=True)
class Truth(GroundTruth):
    value: int


@dataclass(frozen=True)
class Guess(Inference):
    value: int


_, Case, Suite, Model = define_workflow("Items", Item, Truth, Guess)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = localreg.open(tmp_path / "registry")
    with localreg.use(made):
        yield made


def rows(*pairs: tuple[str, Any]) -> pa.Table:
    return pa.table({"name": [name for name, _ in pairs], "value": [value for _, value in pairs]})


def batches(*pairs: tuple[str, Any]) -> Iterator[pa.Table]:
    """Three rows each."""
    for begin in range(0, len(pairs), 3):
        yield rows(*pairs[begin : begin + 3])


def filled(names: str, suite: str = "suite") -> Any:
    pairs = [(Item(name), Truth(0)) for name in names]
    return Suite(suite, test_cases=[Case(f"case of {suite}", test_samples=pairs)])


def told(found: Any) -> list[tuple[int, str]]:
    return [(fault.row, fault.reason) for fault in found.faults]


def inferred(suite: Any) -> dict[str, int | None]:
    (case,) = suite.test_cases
    return {s.name: None if i is None else i.value for s, _, i in Model("model").load_inferences(case)}


def test_rows_of_later_batches_are_told_by_their_number_in_all() -> None:
    filled("abcdefg")
    pairs = [("a", 1), ("b", 2), ("c", 3), ("x", 4), ("d", 5), ("a", 6), ("y", 7), ("e", 2.5), ("d", 9), ("c", 10)]
    found = Model("model").record(batches(*pairs), on_invalid="skip", on_unknown="skip")
    assert (found.rows, found.stored, found.invalid, found.unknown) == (10, 4, 4, 2)
    assert [row for row, _ in told(found)] == [3, 5, 6, 7, 8, 9]
    reasons = dict(told(found))
    assert "'x' is not in the registry" in reasons[3]
    assert "'a' stands in row 0, too" in reasons[5]
    assert "'y' is not in the registry" in reasons[6]
    assert "inference.value is 2.5" in reasons[7]
    assert "'d' stands in row 4, too" in reasons[8]
    assert "'c' stands in row 2, too" in reasons[9]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", 1), ("b", 1), ("c", 1), ("d", 1), ("x", 1)], "row 4 of the iterator is of a sample that is not in"),
        ([("a", 1), ("b", 1), ("c", 1), ("d", 1), ("b", 1)], "row 4 of the iterator: name 'b' stands in row 1, too"),
        ([("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 0.5)], "row 4 of the iterator: inference.value is 0.5"),
    ],
)
def test_the_first_bad_row_of_a_later_batch_is_named(pairs: list[tuple[str, Any]], message: str) -> None:
    filled("abcdefg")
    with pytest.raises(InvalidInputError, match=message):
        Model("model").record(batches(*pairs))


def test_samples_that_stand_twice_are_told_by_their_number_in_all() -> None:
    pairs = [("a", 1), ("b", 0.5), ("c", 3), ("d", 4), ("c", 5), ("e", 6.5), ("a", 7)]
    found = Suite("suite").add(batches(*pairs), on_invalid="skip")
    assert (found.rows, found.stored, found.invalid) == (7, 3, 4)
    assert [row for row, _ in told(found)] == [1, 4, 5, 6]
    assert "row 2, too" in dict(told(found))[4]
    assert "row 0, too" in dict(told(found))[6]


def test_a_row_with_two_faults_is_one_row() -> None:
    table = pa.table({"name": ["a", None, "c"], "value": [1, 0.5, 3]})
    found = Suite("suite").add(table, on_invalid="skip")
    assert (found.stored, found.invalid, [row for row, _ in told(found)]) == (2, 1, [1])


def test_more_rows_than_are_told_are_counted() -> None:
    pairs = [("a", 1), *[("a", 1)] * 1500]
    found = Suite("suite").add(rows(*pairs), on_invalid="skip")
    assert (found.stored, found.invalid, len(found.faults)) == (1, 1500, 1000)
    several = (rows(*[(name, 0.5)] * 700) for name in "bc")
    found = Suite("other").add(several, on_invalid="skip")
    assert (found.stored, found.invalid, [row for row, _ in told(found)]) == (0, 1400, [*range(1000)])


def test_skipped_samples_are_there_already_when_they_come_again(registry: Registry) -> None:
    suite, model = filled("abc"), Model("model")
    pairs = [("a", 1), ("b", None), ("c", 3)]
    assert model.record(rows(*pairs), suite=suite).stored == 3
    commit = registry.commit
    assert model.record(rows(*pairs), suite=suite).unchanged == 3
    assert registry.commit == commit
    assert inferred(suite) == {"a": 1, "b": None, "c": 3}


def test_samples_of_a_suite_are_found_wherever_they_stand_among_all() -> None:
    filled("abcdef")
    suite = Suite("other", test_cases=[Case("others", test_samples=[(Item(name), Truth(1)) for name in "fzb"])])
    pairs = [("b", 2), ("f", 6), ("z", 26)]
    assert Model("model").record(rows(*pairs), suite=suite).stored == 3
    assert inferred(suite) == dict(pairs)


def test_rows_in_order_are_looked_up_once_wherever_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = filled("abcdefghij")
    looked_up: list[int] = []
    look_up = SampleKeys._looked_up

    def counted(keys: SampleKeys, given: pa.Array) -> Any:
        looked_up.append(len(given))
        return look_up(keys, given)

    monkeypatch.setattr(SampleKeys, "_looked_up", counted)
    keys = SampleKeys([pa.array([*"abcdefghij"])], None, are_distinct=True)
    assert keys.find(pa.array([*"cde"]), 0)[0].tolist() == [2, 3, 4]
    assert keys.find(pa.array([*"fgh"]), 3)[0].tolist() == [5, 6, 7]
    assert looked_up == [3]
    looked_up.clear()
    Model("model").record(batches(*[(name, 1) for name in "abcdefghij"]), suite=suite)
    assert looked_up == []


def test_only_rows_that_take_the_place_of_others_say_so(registry: Registry) -> None:
    """Readers that need not ask which row came last are faster."""
    suite, model = filled("abcd"), Model("model")

    def replaces() -> list[object]:
        rows = [row.fields for row in registry._session.state().rows() if row.kind == "file"]
        details: Any = [row["details"] for row in rows if row["table"] == "inferences"]
        return [each["replaces"] for each in details]

    model.record(rows(("a", 1), ("b", 2)), suite=suite)
    model.record(rows(("b", 2), ("c", 3)), suite=suite)
    assert replaces() == [False, False]
    model.record(rows(("d", 4)), suite=suite, reset=True)
    assert model.record(rows(("a", 5)), suite=suite, reset=True).replaced == 1
    assert inferred(suite) == {"a": 5, "b": 2, "c": 3, "d": 4}
    assert True in replaces()


@dataclass(frozen=True)
class Measured(TestSample):
    name: str
    value: float


_, _MeasuredCase, MeasuredSuite, MeasuredModel = define_workflow("Measured", Measured, GroundTruth, Guess)


def test_zero_is_found_whatever_its_sign() -> None:
    suite = MeasuredSuite("suite")
    table = pa.table({"name": ["a", "b"], "value": [0.0, -0.0]})
    suite.add(table)
    given = pa.table({"name": ["b", "a"], "sample.value": [0.0, -0.0], "inference.value": [2, 1]})
    assert MeasuredModel("model").record(given, on=["name", "value"], suite=suite).stored == 2


@dataclass(frozen=True)
class Curves(TestSample):
    floats: list[float] | None
    weights: dict[str, float] | None


_, _CurvesCase, CurvesSuite, CurvesModel = define_workflow("Curves", Curves, GroundTruth, Guess)


def test_zero_is_found_whatever_its_sign_in_lists_and_maps() -> None:
    def table(zero: float) -> pa.Table:
        floats = pa.array([[zero], None, [1.0, zero], []], pa.list_(pa.float64()))
        weights = pa.array([[("a", zero)], [("b", 1.0)], None, []], pa.map_(pa.string(), pa.float64()))
        return pa.table({"floats": floats, "weights": weights, "value": [0, 1, 2, 3]})

    suite = CurvesSuite("suite")
    suite.add(table(0.0))
    assert CurvesModel("model").record(table(-0.0).take(pa.array([3, 1, 0, 2])).slice(1), suite=suite).stored == 3
    (case,) = suite.test_cases
    values = [inference and inference.value for _, _, inference in CurvesModel("model").load_inferences(case)]
    assert values == [0, 1, 2]
