"""What is computed in two ways, for speed, is one number: whichever function says it, from whatever samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import metrics
from localreg.metrics import counts as of_counts
from localreg.metrics.report import classification_report
from localreg.statistics import compare_counts, compare_rankings, joint_counts
from localreg.statistics.images import compare_tallies
from localreg.statistics.scores import LOSSES, calibration_error, compare_losses
from localreg.statistics.values import VALUE_METRICS, compare_values
from localreg.workflow.classification_evaluator import ClassificationOfSample, _best, _of_all
from localreg.workflow.regression_evaluator import METRICS as OF_EVALUATOR

CODES = st.integers(0, 3)
PAIRS = st.lists(st.tuples(CODES, st.integers(-1, 3)), max_size=12)
"""True and predicted classes; -1 = nothing is said."""
SCORES = st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 0.62, 2 / 3, 0.69, 1.0])
"""Two of them share one of ten bins, and none of fifteen."""
SCORED = st.lists(st.tuples(st.booleans(), SCORES), max_size=12)
NUMBERS = st.sampled_from([0.0, 1.0, -2.5, 3.25, 1e6, 1e-3, 1e170])
VALUES = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8)

OVERALL: dict[str, Any] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "matthews_corrcoef": metrics.matthews_corrcoef,
    "cohen_kappa": metrics.cohen_kappa_score,
}
OF_CLASSES: dict[str, Any] = {
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
    "f1": metrics.f1_score,
    "specificity": metrics.specificity_score,
}


def same(found: float | None, expected: float | None, what: object) -> None:
    assert (found is None) is (expected is None), (what, found, expected)
    assert expected is None or found == pytest.approx(expected, rel=1e-12, abs=1e-12), what


@settings(max_examples=300, deadline=None)
@given(PAIRS)
def test_counting_metrics_of_a_comparison_are_those_of_columns(pairs: list[tuple[int, int]]) -> None:
    truth, said = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    predicted, true = [None if each < 0 else each for each in said], sorted(set(truth))
    found = {(each.metric, each.label): each for each in compare_counts(joint_counts(truth, said, said, classes=4))}
    for (metric, label), each in found.items():
        if label is None and metric in OVERALL:
            expected = OVERALL[metric](truth, predicted)
        elif label is None:
            name, _, average = metric.rpartition("_")
            over = {"labels": true} if average == "macro" and true else {}
            expected = OF_CLASSES[name](truth, predicted, average=average, **over)
        else:
            expected = OF_CLASSES[metric](truth, predicted, average=None)[label]
        same(each.a, expected, (metric, label))
        same(each.b, expected, (metric, label))
        assert each.a is not None or each.reason
    assert {label for _, label in found} - {None} == {*truth, *said} - {-1}


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_a_named_evaluator_says_the_numbers_of_columns(pairs: list[tuple[int, int]]) -> None:
    truth = [str(pair[0]) for pair in pairs]
    predicted = [None if pair[1] < 0 else str(pair[1]) for pair in pairs]
    samples = [ClassificationOfSample(a, b, a == b) for a, b in zip(truth, predicted, strict=True)]
    found, report = _of_all(samples, None), classification_report(truth, predicted)
    for name in ("accuracy", "balanced_accuracy"):
        same(found[name], getattr(report, name), name)
    same(found["matthews_corrcoef"], report.mcc, "mcc")
    same(found["cohen_kappa"], report.kappa, "kappa")
    for name in ("precision", "recall", "f1"):
        expected = OF_CLASSES[name](truth, predicted, average="macro", labels=sorted(set(truth))) if truth else None
        same(found[f"{name}_macro"], expected, name)
    assert [(each.label, each.support) for each in found["by_class"]] == [
        (each.label, each.support) for each in report.classes
    ]
    for own, row in zip(found["by_class"], report.classes, strict=True):
        for name in ("precision", "recall", "f1"):
            same(getattr(own, name), getattr(row, name), name)


@settings(max_examples=200, deadline=None)
@given(SCORED, st.booleans())
def test_rankings_and_losses_of_a_comparison_are_those_of_columns(rows: list[tuple[bool, float]], binned: bool) -> None:
    truth, scores = np.array([row[0] for row in rows], bool), np.array([row[1] for row in rows])
    found = {each.metric: each.a for each in compare_rankings(truth, scores, scores, binned=binned)}
    same(found["roc_auc"], metrics.roc_auc_score(truth, scores), "roc_auc")
    same(found["average_precision"], metrics.average_precision_score(truth, scores), "average_precision")
    for name, function in zip(LOSSES, (metrics.log_loss, metrics.brier_score_loss), strict=True):
        same(compare_losses(truth, scores, scores, name).a, function(truth, scores), name)
    same(calibration_error(truth, scores), metrics.expected_calibration_error(truth, scores), "ECE")
    curve = metrics.calibration_curve(truth, scores, n_bins=15)
    gaps = float((np.abs(curve.prob_true - curve.prob_pred) * curve.counts).sum())
    same(calibration_error(truth, scores), gaps / len(rows) if rows else None, "ECE of the curve")


@settings(max_examples=200, deadline=None)
@given(SCORED)
def test_the_best_threshold_of_an_evaluator_is_that_of_columns(rows: list[tuple[bool, float]]) -> None:
    samples = [ClassificationOfSample("ny"[yes], "y", yes, score) for yes, score in rows]
    best = metrics.f1_optimal_threshold([row[0] for row in rows], [row[1] for row in rows])
    assert _best(samples, "y") == (None if best is None else best.threshold)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_numbers_of_a_comparison_are_those_of_columns(pairs: list[tuple[float, float]]) -> None:
    truth, said = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    alone = {each.metric: each for each in compare_values(truth, said, said)}
    clusters = list(range(len(pairs)))
    clustered = {each.metric: each for each in compare_values(truth, said, said, groups=clusters)}
    assert set(OF_EVALUATOR) == set(VALUE_METRICS)
    beside = {each.metric: each for each in compare_values(truth, said, [7.5] * len(pairs))}
    for name, function in OF_EVALUATOR.items():
        expected = function(truth, said)
        same(beside[name].a, expected, f"{name} beside a model that says one number")
        same(alone[name].a, expected, name)
        same(clustered[name].a, expected, name)
        assert expected is not None or alone[name].reason


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_precision_recall_and_f1_of_counts_are_those_of_images_and_of_classes(tp: int, fp: int, fn: int) -> None:
    tallies = np.array([[tp, fp, fn]])
    found = {each.metric: each.a for each in compare_tallies(tallies, tallies, metrics=("precision", "recall", "f1"))}
    told = {
        "precision": of_counts.precision(tp, fp),
        "recall": of_counts.recall(tp, fn),
        "f1": of_counts.f1_score(tp, fp, fn),
    }
    for name, value in told.items():
        assert (found[name] or 0.0) == pytest.approx(value)  # of nothing counted, scripts get 0.0
    truth, predicted = [True] * (tp + fn) + [False] * fp, [True] * tp + [False] * fn + [True] * fp
    for name, function in (("recall", metrics.recall_score), ("f1", metrics.f1_score)):
        same(found[name], function(truth, predicted), name)
    said = function_or_none(metrics.precision_score(truth, predicted), tp + fp)
    same(found["precision"], said, "precision")


def function_or_none(value: float | None, said: int) -> float | None:
    """Precision where something is said; of nothing it is 0 of a class, by convention, and none of images."""
    return value if said else None
