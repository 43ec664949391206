"""Each public metric takes columns and rows of numbers from wherever they come, and says the same of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from localreg import InvalidInputError, metrics

LABELS = ["a", "b", "a", "c", "b", "a"]
SAID = ["a", "b", "c", "c", "a", "a"]
YES = [True, False, True, False, False, True]
SCORES = [0.9, 0.2, 0.6, 0.7, 0.1, 0.5]
NUMBERS = [1.0, 2.0, 4.0, 8.0, 16.0, 3.0]
GUESSES = [1.5, 2.0, 3.0, 9.0, 12.0, 3.5]
OF_CLASSES = [
    [0.5, 0.25, 0.25],
    [0.25, 0.5, 0.25],
    [0.75, 0.25, 0.0],
    [0.0, 0.5, 0.5],
    [0.5, 0.5, 0.0],
    [0.5, 0.0, 0.5],
]
FLAGS = [[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1]]
OTHER_FLAGS = [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]]
TEXTS = ["the cat", "a dog", "one bird", "two", "three cats", "x"]
SAID_TEXTS = ["cat", "a dog", "bird", "two", "cats", "y"]


def f1_macro(truth: Any, predicted: Any) -> Any:
    return metrics.f1_score(truth, predicted, average="macro")


def f1_of(truth: Any, predicted: Any) -> Any:
    return metrics.f1_score(truth, predicted)


def ovr(truth: Any, scores: Any) -> Any:
    return metrics.roc_auc_score(truth, scores, multi_class="ovr")


def fmr(truth: Any, scores: Any) -> Any:
    return metrics.fmr(truth, scores, 0.5), metrics.fnmr(truth, scores, 0.5), metrics.fnmr_at_fmr(truth, scores, 0.5)


def curves(truth: Any, scores: Any) -> Any:
    every = (metrics.roc_curve, metrics.precision_recall_curve, metrics.det_curve)
    return [[column.tolist() for column in curve(truth, scores)] for curve in every]


def calibrated(truth: Any, scores: Any) -> Any:
    return metrics.calibration_curve(truth, scores).prob_true.tolist()


def per_group(groups: Any, scores: Any) -> Any:
    return metrics.per_group(groups, lambda column: metrics.mean_bias(column, column), scores)


def at_two(relevance: Any, scores: Any) -> Any:
    return metrics.precision_at_k(relevance, scores, k=2), metrics.recall_at_k(relevance, scores, k=2)


COLUMNS: list[tuple[Callable[..., Any], list[Any], list[Any]]] = [
    *[
        (each, LABELS, SAID)
        for each in (
            metrics.accuracy_score, metrics.balanced_accuracy_score, metrics.cohen_kappa_score, f1_macro,
            metrics.matthews_corrcoef, metrics.confusion_matrix, metrics.classification_report,
        )
    ],
    (f1_of, YES, YES[::-1]),
    (per_group, LABELS, SCORES),
    *[
        (each, YES, SCORES)
        for each in (
            metrics.roc_auc_score, metrics.average_precision_score, metrics.log_loss, metrics.brier_score_loss,
            metrics.expected_calibration_error, metrics.f1_optimal_threshold, metrics.equal_error_rate, fmr, curves,
            calibrated,
        )
    ],
    *[
        (each, NUMBERS, GUESSES)
        for each in (
            metrics.mean_absolute_error, metrics.median_absolute_error, metrics.mean_squared_error, metrics.r2_score,
            metrics.root_mean_squared_error, metrics.mean_bias, metrics.mean_absolute_percentage_error,
            metrics.pearson, metrics.spearman,
        )
    ],
    *[
        (each, TEXTS, SAID_TEXTS)
        for each in (metrics.exact_match, metrics.token_f1, metrics.word_error_rate, metrics.rouge_l)
    ],
]  # fmt: skip


def relation(values: list[Any]) -> Any:
    table = pa.table({"a": values})
    return duckdb.connect().from_arrow(table)


KINDS: dict[str, Callable[[list[Any]], Any]] = {
    "numpy": np.array,
    "pandas": pd.Series,
    "pandas, indexed": lambda values: pd.Series(values, index=list("zyxwvu")),
    "categories of pandas": lambda values: pd.Series(values).astype("category"),
    "frame": lambda values: pd.DataFrame({"a": values}),
    "frame, indexed": lambda values: pd.DataFrame({"a": values}, index=list("zyxwvu")),
    "frame, filtered": lambda values: pd.DataFrame({"a": [values[0], *values]}).iloc[1:],
    "polars": pl.Series,
    "polars frame": lambda values: pl.DataFrame({"a": values}),
    "arrow": pa.array,
    "chunks": lambda values: pa.chunked_array([values[:2], values[2:]]),
    "arrow table": lambda values: pa.table({"a": values}),
    "duckdb": relation,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("metric", "first", "second"), COLUMNS, ids=[each[0].__name__ for each in COLUMNS])
def test_columns_of_any_kind(metric: Callable[..., Any], first: list[Any], second: list[Any], kind: str) -> None:
    make = KINDS[kind]
    assert metric(make(first), make(second)) == metric(first, second)


def test_categories_of_polars_are_labels() -> None:
    truth, said = (pl.Series(each, dtype=pl.Categorical) for each in (LABELS, [*SAID[:5], None]))
    assert metrics.accuracy_score(truth, said) == metrics.accuracy_score(LABELS, [*SAID[:5], None])


TABLES: list[tuple[Callable[..., Any], Any, Any, str]] = [
    (ovr, LABELS, OF_CLASSES, "second"),
    (metrics.top_k_accuracy_score, LABELS, OF_CLASSES, "second"),
    (metrics.log_loss, LABELS, OF_CLASSES, "second"),
    (metrics.brier_score_loss, LABELS, OF_CLASSES, "second"),
    (metrics.expected_calibration_error, LABELS, OF_CLASSES, "second"),
    (metrics.subset_accuracy_score, FLAGS, OTHER_FLAGS, "both"),
    (metrics.multilabel_f1_score, FLAGS, OTHER_FLAGS, "both"),
    (metrics.hamming_loss, FLAGS, OTHER_FLAGS, "both"),
    (metrics.label_ranking_average_precision_score, FLAGS, OF_CLASSES, "both"),
    (metrics.ndcg_score, FLAGS, OF_CLASSES, "both"),
    (metrics.mean_average_precision, FLAGS, OF_CLASSES, "both"),
    (metrics.mean_reciprocal_rank, FLAGS, OF_CLASSES, "both"),
    (at_two, FLAGS, OF_CLASSES, "both"),
    (lambda a, b: metrics.cosine_similarity(a, b).tolist(), FLAGS, OF_CLASSES, "both"),
    (lambda a, b: metrics.rank_k_accuracy(a, ["a", "b", "c"], b), LABELS, OF_CLASSES, "second"),
]


def by_column(rows: list[Any]) -> dict[str, list[Any]]:
    return {name: [row[number] for row in rows] for number, name in enumerate("pqr")}


MATRICES: dict[str, Callable[[list[Any]], Any]] = {
    "numpy": np.array,
    "frame": lambda rows: pd.DataFrame(by_column(rows)),
    "frame, indexed": lambda rows: pd.DataFrame(by_column(rows), index=list("zyxwvu")),
    "polars": lambda rows: pl.DataFrame(by_column(rows)),
    "arrow table": lambda rows: pa.table(by_column(rows)),
    "duckdb": lambda rows: duckdb.connect().from_arrow(pa.table(by_column(rows))),
    "lists": pa.array,
    "lists of one length": lambda rows: pa.array(rows, pa.list_(pa.array(rows[0]).type, 3)),
    "chunks of lists": lambda rows: pa.chunked_array([rows[:4], rows[4:]]),
    "column of lists": lambda rows: pa.table({"a": rows}),
    "lists of polars": pl.Series,
    "relation of lists": relation,
}


@pytest.mark.parametrize("kind", MATRICES)
@pytest.mark.parametrize(("metric", "first", "second", "which"), TABLES)
def test_rows_of_numbers_of_any_kind(
    metric: Callable[..., Any], first: list[Any], second: list[Any], which: str, kind: str
) -> None:
    make = MATRICES[kind]
    found = metric(make(first) if which == "both" else first, make(second))
    assert found == pytest.approx(metric(first, second))


def test_a_frame_of_queries_is_read_by_rows_and_not_by_columns() -> None:
    relevance, scores = [[1, 0, 0], [0, 0, 1], [0, 1, 0]], [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.5, 0.2, 0.1]]
    frames = pl.DataFrame(by_column(relevance)), pl.DataFrame(by_column(scores))
    assert metrics.mean_reciprocal_rank(*frames) == metrics.mean_reciprocal_rank(relevance, scores)


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="scores has 1 numbers in row 1, and 2 in the first one"):
        ovr(["a", "b"], pa.array([[0.5, 0.5], [1.0]]))
    with pytest.raises(InvalidInputError, match="scores has none numbers in row 1, and 2 in the first one"):
        ovr(["a", "b"], pa.array([[0.5, 0.5], None]))


@pytest.mark.parametrize("truth", [["0", "1", "1"], ["1", "1", "1"], np.array(["0", "1", "1"])])
def test_labels_that_are_written_like_the_positive_one_are_no_negatives(truth: Any) -> None:
    for metric in (
        metrics.roc_auc_score,
        metrics.average_precision_score,
        metrics.log_loss,
        metrics.f1_optimal_threshold,
    ):
        with pytest.raises(InvalidInputError, match="say which one is positive, such as pos_label='1'"):
            metric(truth, [0.1, 0.2, 0.3])
    with pytest.raises(InvalidInputError, match="say which one is positive, such as pos_label='1'"):
        metrics.precision_score(truth, truth)
    assert metrics.average_precision_score(truth, [0.1, 0.2, 0.3], pos_label="1") == 1


def test_of_two_other_labels_one_is_named_to_be_passed() -> None:
    with pytest.raises(InvalidInputError, match="say which one is positive, such as pos_label='yes'"):
        metrics.roc_auc_score(["no", "yes"], [0.1, 0.2])
    with pytest.raises(InvalidInputError, match=r"3 labels: 'a', 'b', 'c'; it must hold two labels.*is one$"):
        metrics.roc_auc_score(["a", "b", "c"], [0.1, 0.2, 0.3])
