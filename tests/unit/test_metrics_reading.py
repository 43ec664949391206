from __future__ import annotations

from collections.abc import Callable
from datetime import date
from enum import IntEnum, StrEnum
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics.coding import binary_of, codes_of
from localreg.metrics.reading import column_of, matrix_of, numbers_of, present_numbers_of, whole_number_of


class Animal(StrEnum):
    CAT = "cat"
    DOG = "dog"


class Digit(IntEnum):
    ONE = 1
    TWO = 2


def relation(values: list[Any]) -> duckdb.DuckDBPyRelation:
    table = pa.table({"a": values})
    return duckdb.connect().from_arrow(table)


KINDS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "numpy": np.array,
    "object": lambda values: np.array(values, object),
    "pandas": pd.Series,
    "frame": lambda values: pd.DataFrame({"a": values}),
    "categorical": lambda values: pd.Series(values).astype("category"),
    "polars": pl.Series,
    "polars frame": lambda values: pl.DataFrame({"a": values}),
    "arrow": pa.array,
    "dictionary": lambda values: pa.array(values).dictionary_encode(),
    "chunks": lambda values: pa.chunked_array([values[:1], [], values[1:]], pa.array(values).type),
    "no chunk": lambda values: pa.chunked_array([pa.array(values)]),
    "table": lambda values: pa.table({"a": values}),
    "duckdb": relation,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "values", [["dog", "cat", "dog", "ö🐈"], [3, 1, 3], [-5, 2**40, 7], [0.5, -1.5, 0.5], [True, False], [True, True]]
)
def test_a_column_of_any_kind_has_the_same_labels(kind: str, values: list[Any]) -> None:
    codes = codes_of({"truth": KINDS[kind](values)})
    assert codes.labels == tuple(sorted(set(values)))
    assert [type(label) for label in codes.labels] == [type(label) for label in sorted(set(values))]
    assert codes.columns[0].dtype == np.int64
    assert [codes.labels[code] for code in codes.columns[0]] == values


MISSING: dict[str, Callable[[list[Any]], Any]] = {
    name: make for name, make in KINDS.items() if name not in ("numpy", "duckdb", "frame")
}


@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize("values", [["dog", None, "cat"], [3, None, 1], [0.5, None, 0.25], [None, True, False]])
def test_a_missing_label_is_missing_whatever_says_so(kind: str, values: list[Any]) -> None:
    codes = codes_of({"predicted": MISSING[kind](values)}, required=())
    assert codes.labels == tuple(sorted({value for value in values if value is not None}))
    assert [None if code < 0 else codes.labels[code] for code in codes.columns[0]] == values


@pytest.mark.parametrize(
    "values", [[0.5, float("nan")], np.array([0.5, np.nan]), pd.Series([0.5, np.nan]), pd.Series([0.5, None])]
)
def test_nan_among_labels_is_missing(values: Any) -> None:
    codes = codes_of({"predicted": values}, required=())
    assert codes.labels == (0.5,)
    assert codes.columns[0].tolist() == [0, -1]
    with pytest.raises(InvalidInputError, match="truth has no label in row 1"):
        codes_of({"truth": values})


@given(
    st.lists(st.sampled_from([0, 1, 2**62, -(2**62), 2**63 - 1, -(2**63), 5, 7]), max_size=8),
    st.lists(st.sampled_from([True, False, 0, 3]), max_size=8),
)
def test_numbers_of_any_span_are_coded_as_python_compares_them(truth: list[Any], other: list[Any]) -> None:
    columns: dict[str, Any] = {"truth": np.array(truth, np.int64), "b": np.array(other), "c": np.array(truth, object)}
    columns["b"] = np.resize(columns["b"], len(truth)) if other else np.zeros(len(truth), bool)
    codes = codes_of(columns)
    for column, coded in zip(columns.values(), codes.columns, strict=True):
        assert [codes.labels[code] for code in coded] == column.tolist()
    assert list(codes.labels) == sorted({*truth, *columns["b"].tolist()})


def test_whole_numbers_and_floats_are_one_label_only_if_they_are_equal() -> None:
    large = 2**53
    codes = codes_of(
        {"truth": np.array([large, large + 1, 3]), "predicted": np.array([float(large), float(large), 3.0])}
    )
    assert codes.columns[0].tolist() == [1, 2, 0]
    assert codes.columns[1].tolist() == [1, 1, 0]
    unsigned = codes_of({"truth": np.array([2**64 - 1, 1], np.uint64), "predicted": np.array([-1, 1])})
    assert unsigned.labels == (-1, 1, 2**64 - 1)
    small = codes_of({"truth": np.array([200, 255], np.uint8), "predicted": np.array([-56, -1], np.int8)})
    assert small.labels == (-56, -1, 200, 255)
    assert codes_of({"truth": [2**64, -(2**64), 1]}).labels == (-(2**64), 1, 2**64)
    assert codes_of({"truth": [2**63, -1]}).labels == (-1, 2**63)


def test_other_labels_that_compare_are_labels() -> None:
    assert codes_of({"truth": [Animal.DOG, Animal.CAT], "predicted": ["cat", "dog"]}).columns[1].tolist() == [0, 1]
    assert codes_of({"truth": [Digit.TWO, Digit.ONE], "predicted": [1, 3]}).labels == (1, 2, 3)
    days = [date(2024, 5, 1), date(2023, 5, 1)]
    assert codes_of({"truth": days, "predicted": pa.array(days)}).columns[1].tolist() == [1, 0]
    assert codes_of({"truth": [("b", 1), ("a", 2)]}).labels == (("a", 2), ("b", 1))
    assert codes_of({"truth": np.array(["2024-01-01", "NaT"], "M8[D]")}, required=()).columns[0].tolist() == [0, -1]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"truth": ["a", 1]}, "do not compare"),
        ({"truth": ["a", "b"], "predicted": [1, 2]}, "truth and predicted hold labels that do not compare"),
        ({"truth": [{}, {}]}, "do not compare"),
        ({"truth": ["a", None]}, "truth has no label in row 1"),
        ({"truth": ["a"], "predicted": ["a", "b"]}, r"truth has shape \(1,\) and predicted has shape \(2,\)"),
        ({"truth": [[1, 2]]}, r"shape \(1, 2\)"),
        ({"truth": np.zeros((2, 2))}, r"shape \(2, 2\)"),
        ({"truth": "abc"}, "truth is a text"),
        ({"truth": 3}, r"truth has shape \(\)"),
        ({"truth": pd.DataFrame({"a": [1], "b": [2]})}, "truth has 2 columns"),
    ],
)
def test_what_is_no_column_of_labels_is_refused_by_name(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        codes_of(columns)


def test_labels_that_are_asked_for_are_coded_whether_they_occur_or_not() -> None:
    codes = codes_of({"truth": ["b", "a"]}, ["c", "a"])
    assert codes.labels == ("a", "b", "c")
    assert codes.asked is not None
    assert codes.asked.tolist() == [2, 0]
    with pytest.raises(InvalidInputError, match="labels has no label in row 1"):
        codes_of({"truth": ["b", "a"]}, ["c", None])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [[0.5, -1.5], [3, 1], [True, False]])
def test_numbers_come_from_a_column_of_any_kind(kind: str, values: list[Any]) -> None:
    got = numbers_of(KINDS[kind](values), "scores")
    assert got.dtype == np.float64
    assert got.tolist() == [float(value) for value in values]


def test_numbers_in_single_precision_stay() -> None:
    assert numbers_of(np.zeros(2, np.float32), "scores").dtype == np.float32
    assert numbers_of(np.zeros(2, np.float16), "scores").dtype == np.float32
    assert numbers_of(pa.array([1.5], pa.float32()), "scores").dtype == np.float32
    assert numbers_of(pa.array([1], pa.decimal128(5, 2)), "scores").tolist() == [1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, None], "scores has no number in row 1"),
        ([None, None], "scores has no number in row 0"),
        (pa.array([1.0, 2.0, None]), "scores has no number in row 2"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "scores has no number in row 0"),
        ([1.0, float("nan")], "scores is nan in row 1"),
        (np.array([np.inf, 1]), "scores is inf in row 0"),
        (pd.Series([1.0, np.nan, 2.0]), "scores .* in row 1"),
        (pl.Series([1.0, float("nan")]), "scores is nan in row 1"),
        (["1", "2"], "scores holds .*string, not numbers"),
        (np.array(["1"]), "not numbers"),
        ([1, "2"], "scores is '2' in row 1, which is no number"),
        (np.array([1 + 2j]), "not numbers"),
        ([[1.0]], "shape"),
    ],
)
def test_what_is_no_column_of_finite_numbers_is_refused_by_row(values: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        numbers_of(values, "scores")


@pytest.mark.parametrize(
    "values", [[0.5, None, 2], pa.array([0.5, None, 2.0]), pl.Series([0.5, None, 2.0]), (0.5, None, 2)]
)
def test_numbers_that_may_be_missing_are_told_apart(values: Any) -> None:
    numbers, there = present_numbers_of(values, "scores")
    assert numbers.tolist() == [0.5, 0.0, 2.0]
    assert there.tolist() == [True, False, True]


def test_numbers_that_are_all_missing_are_none() -> None:
    for values in ([None], pa.nulls(1), pa.array([None], pa.float64())):
        numbers, there = present_numbers_of(values, "scores")
        assert there.tolist() == [False]
        assert numbers.tolist() == [0.0]


@pytest.mark.parametrize(
    ("values", "pos_label", "expected"),
    [
        ([True, False], 1, [True, False]),
        ([0, 1], True, [False, True]),
        ([0.0, 1.0], 1, [False, True]),
        (["no", "yes"], "yes", [False, True]),
        (["no", "no"], "yes", [False, False]),
        (["yes"], "yes", [True]),
        ([], 1, []),
        (np.array([True, False]), False, [False, True]),
        (np.array([True, False]), 1, [True, False]),
        ([-1, 1], 1, [False, True]),
    ],
)
def test_two_labels_are_positive_and_negative(values: Any, pos_label: Any, expected: list[bool]) -> None:
    assert binary_of(values, pos_label=pos_label).tolist() == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b"], "2 labels: 'a', 'b'"),
        ([0, 1, 2], "3 labels"),
        ([1, None], "row 1"),
        ([2, 3], "pos_label=1"),
        (range(9), "…"),
    ],
)
def test_more_or_other_labels_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        binary_of(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], r"shape \(2,\)"),
        ([[1], [2, 3]], "no table of numbers"),
        ([["a"]], "no table"),
        ([[1], [np.nan]], "row 1"),
        ([[1]], "must be"),
    ],
)
def test_what_is_no_table_of_finite_numbers_is_refused(values: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        matrix_of(values, "scores", rows=2)


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", None, True])
def test_what_is_no_whole_number_from_one_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"k is .*1 or more"):
        whole_number_of(value, "k")
    assert whole_number_of(np.int8(3), "k") == 3


def test_a_column_is_read_without_a_copy_where_it_can_be() -> None:
    values = np.arange(5.0)
    assert np.shares_memory(numbers_of(values, "scores"), values)
    assert np.shares_memory(np.asarray(column_of(pa.array(values), "scores")), values)
