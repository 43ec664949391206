from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    average_precision_score,
    f1_optimal_threshold,
    precision_recall_curve,
    ranked,
    roc_auc_score,
    roc_curve,
    threshold_table,
    top_k_accuracy_score,
)

oracle = pytest.importorskip("sklearn.metrics")

scored = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, -0.0, 0.25, 0.5, 1e-300, -7.5, 3.0]) | st.floats(-1e6, 1e6)),
    max_size=40,
)


def split(pairs: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([pair[0] for pair in pairs], bool), np.array([pair[1] for pair in pairs], float)


@settings(deadline=None)
@given(scored, st.sampled_from([np.float32, np.float64]))
def test_areas_are_those_of_scikit_learn(pairs: list[tuple[bool, float]], dtype: Any) -> None:
    truth, scores = split(pairs)
    scores = scores.astype(dtype)
    if truth.any() and not truth.all():
        assert roc_auc_score(truth, scores) == pytest.approx(oracle.roc_auc_score(truth, scores), abs=1e-12)
    else:
        assert roc_auc_score(truth, scores) is None
    if truth.any():
        expected = oracle.average_precision_score(truth, scores)
        assert average_precision_score(truth, scores) == pytest.approx(expected, abs=1e-12)
    else:
        assert average_precision_score(truth, scores) is None


def test_areas_on_real_scores_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_breast_cancer

    features, malignant = load_breast_cancer(return_X_y=True)
    for column in range(features.shape[1]):  # with and without ties
        scores = features[:, column]
        each = ranked(malignant, scores)
        assert each.roc_auc() == pytest.approx(oracle.roc_auc_score(malignant, scores), abs=1e-12)
        assert each.average_precision() == pytest.approx(oracle.average_precision_score(malignant, scores), abs=1e-12)


def test_areas_of_many_distinct_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(200_000) < 0.01
    scores = rng.random(200_000) + 0.2 * truth
    assert roc_auc_score(truth, scores) == pytest.approx(oracle.roc_auc_score(truth, scores), abs=1e-12)
    expected = oracle.average_precision_score(truth, scores)
    assert average_precision_score(truth, scores) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(scored, st.booleans())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning", "ignore:No positive class:UserWarning")
def test_curves_are_those_of_scikit_learn(pairs: list[tuple[bool, float]], drop: bool) -> None:
    truth, scores = split(pairs)
    if not len(truth):
        assert roc_curve(truth, scores).thresholds.tolist() == [np.inf]
        assert precision_recall_curve(truth, scores).precision.tolist() == [1.0]
        return
    expected = oracle.roc_curve(truth, scores, drop_intermediate=drop)
    for ours, theirs in zip(roc_curve(truth, scores, drop_intermediate=drop), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    if truth.any():
        expected = oracle.precision_recall_curve(truth, scores)
        for ours, theirs in zip(precision_recall_curve(truth, scores), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
    else:
        assert np.isnan(precision_recall_curve(truth, scores).recall[:-1]).all()


@given(scored, st.none() | st.lists(st.floats(-10, 10), max_size=5))
def test_a_table_says_what_counting_at_each_threshold_says(pairs: list[tuple[bool, float]], given_: Any) -> None:
    truth, scores = split(pairs)
    table = threshold_table(truth, scores, given_)
    expected = given_ if given_ is not None else sorted({*scores.tolist()}, reverse=True)
    assert table.threshold.tolist() == expected
    for row in table:
        found = scores >= row.threshold
        assert (row.tp, row.fp) == ((found & truth).sum(), (found & ~truth).sum())
        assert (row.fn, row.tn) == ((~found & truth).sum(), (~found & ~truth).sum())
        assert row.precision == (row.tp / (row.tp + row.fp) if found.any() else None)
        assert row.recall == (row.tp / truth.sum() if truth.any() else None)
        assert row.fpr == (row.fp / (~truth).sum() if not truth.all() else None)
        assert row.f1 == (2 * row.tp / (found.sum() + truth.sum()) if found.any() or truth.any() else None)


@given(scored)
def test_the_best_threshold_is_the_highest_of_those_with_the_highest_f1(pairs: list[tuple[bool, float]]) -> None:
    truth, scores = split(pairs)
    best = f1_optimal_threshold(truth, scores)
    if not truth.any():
        assert best is None
        return
    assert best is not None
    every = [(row.f1, row.threshold) for row in threshold_table(truth, scores)]
    assert (best.f1, best.threshold) == max(every)
    found = scores >= best.threshold
    assert best.precision == (found & truth).sum() / found.sum()
    assert best.recall == (found & truth).sum() / truth.sum()


def test_a_table_prints_its_rows_and_thins_them_out() -> None:
    assert str(threshold_table([1, 0], [0.5, 0.75])) == (
        "threshold  tp  fp  fn  tn  precision  recall      f1     fpr\n"
        "0.75        0   1   1   0     0.0000  0.0000  0.0000  1.0000\n"
        "0.5         1   1   0   0     0.5000  1.0000  0.6667  1.0000"
    )
    lines = str(threshold_table([1, 0] * 50, range(100))).splitlines()
    assert len(lines) == 22
    assert lines[1].startswith("99 ")
    assert lines[-2].startswith("0 ")
    assert lines[-1] == "(20 of 100 thresholds)"
    assert str(threshold_table([], [])).split() == lines[0].split()
    assert "-" in str(threshold_table([0], [0.5], [2.0]))


@pytest.mark.parametrize(
    ("truth", "scores", "message"),
    [
        ([1, 0], [0.5, float("nan")], "scores is nan in row 1"),
        ([1, 0], [0.5, float("inf")], "scores is inf in row 1"),
        ([1, 0], [None, 1.0], "scores has no number in row 0"),
        ([1, 0], [0.5], "shape"),
        ([1, 0, 2], [0.5, 0.5, 0.5], "two labels"),
        ([1, None], [0.5, 0.5], "truth has no label in row 1"),
    ],
)
def test_what_cannot_be_ranked_is_refused(truth: Any, scores: Any, message: str) -> None:
    for act in (ranked, roc_auc_score, average_precision_score, roc_curve, precision_recall_curve, threshold_table):
        with pytest.raises(InvalidInputError, match=message):
            act(truth, scores)
    with pytest.raises(InvalidInputError, match="thresholds is nan in row 0"):
        threshold_table([1], [1.0], [float("nan")])


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    classes = draw(st.integers(3, 5))
    rest = draw(st.lists(st.integers(0, classes - 1), max_size=20))
    truth = np.array([*range(classes), *rest])
    ones = st.lists(st.integers(1, 6), min_size=classes, max_size=classes)
    parts = np.array([draw(ones) for _ in truth], float)
    return truth, parts / parts.sum(axis=1, keepdims=True)


@settings(deadline=None)
@given(tables())
def test_areas_of_many_classes_are_those_of_scikit_learn(table: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = table
    names = np.array(["ä", "b", "c", "d", "e"])
    order = np.argsort(np.argsort(names[: scores.shape[1]]))
    for multi_class in ("ovr", "ovo"):
        for average in ("macro", "weighted"):
            expected = oracle.roc_auc_score(truth, scores, multi_class=multi_class, average=average)
            got = roc_auc_score(truth, scores, multi_class=multi_class, average=average)
            assert got == pytest.approx(expected, abs=1e-12)
            named = roc_auc_score(
                names[truth],
                scores,
                multi_class=multi_class,
                average=average,
                labels=names[: len(order)].tolist(),
            )
            assert named == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(tables(), st.integers(1, 6))
@pytest.mark.filterwarnings("ignore:'k':sklearn.exceptions.UndefinedMetricWarning")
def test_top_k_is_that_of_scikit_learn(table: tuple[np.ndarray, np.ndarray], k: int) -> None:
    truth, scores = table
    assert top_k_accuracy_score(truth, scores, k=k) == pytest.approx(oracle.top_k_accuracy_score(truth, scores, k=k))


def test_a_class_without_samples_has_no_area() -> None:
    scores = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]
    for multi_class in ("ovr", "ovo"):
        assert roc_auc_score([0, 1], scores, multi_class=multi_class, labels=[0, 1, 2]) is None
    assert roc_auc_score([0], [[1.0]], multi_class="ovr") is None
    assert top_k_accuracy_score([0, 1], scores, k=1, labels=[0, 1, 2]) == 1.0
    assert top_k_accuracy_score([], np.zeros((0, 3)), labels=[0, 1, 2]) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "multi_class='ovr'"),
        ({"multi_class": "all"}, "multi_class is 'all'"),
        ({"multi_class": "ovr", "average": "micro"}, "average 'micro'"),
        ({"multi_class": "ovr", "labels": [0, 1]}, "3 columns for 2 classes"),
        ({"multi_class": "ovr", "labels": [0, 1, 3]}, "truth in row 2 is 2, not among labels"),
        ({"multi_class": "ovr", "labels": [0, 1, 1]}, "twice"),
    ],
)
def test_what_does_not_fit_the_columns_is_refused(options: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        roc_auc_score([0, 1, 2], np.eye(3), **options)
    with pytest.raises(InvalidInputError, match="a column for each class"):
        roc_auc_score([0, 1], [0.5, 0.5], multi_class="ovr")
    with pytest.raises(InvalidInputError, match="scores is no table of numbers"):
        roc_auc_score([0, 1], [[0.5], [0.5, 0.5]], multi_class="ovr")
    with pytest.raises(InvalidInputError, match="3 columns for 2 classes"):
        top_k_accuracy_score([0, 1], np.zeros((2, 3)))
    with pytest.raises(InvalidInputError, match="row 1"):
        top_k_accuracy_score([0, 1], [[1.0, 2.0], [1.0, np.nan]])
