from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    specificity_score,
)

oracle = pytest.importorskip("sklearn.metrics")
pytestmark = pytest.mark.filterwarnings(
    "ignore:y_pred contains classes:UserWarning", "ignore:A single label was found:UserWarning"
)

ALPHABETS: list[list[Any]] = [["a", "b", "ö", "🐈", ""], [0, 1, 7, -3], [0.5, 1.0, -2.25], [True, False]]
SCORES = [
    (precision_score, oracle.precision_score),
    (recall_score, oracle.recall_score),
    (f1_score, oracle.f1_score),
]


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[Any], list[Any], list[Any]]:
    alphabet = draw(st.sampled_from(ALPHABETS))
    label = st.sampled_from(alphabet)
    pairs = draw(st.lists(st.tuples(label, label), min_size=1, max_size=12))
    asked = draw(st.lists(label, min_size=1, unique=True))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs], asked


def as_codes(*parts: list[Any]) -> list[Any]:
    """scikit-learn refuses floats as labels, and has opinions on types: whole numbers in the same order."""
    every = sorted({label for part in parts for label in part})
    return [[every.index(label) for label in part] for part in parts]


@settings(deadline=None, max_examples=60)
@given(columns())
def test_averages_are_those_of_scikit_learn(drawn: tuple[list[Any], list[Any], list[Any]]) -> None:
    truth, predicted, asked = drawn
    true, said, labels = as_codes(truth, predicted, asked)
    for ours, theirs in SCORES:
        for average in ("micro", "macro", "weighted"):
            expected = theirs(true, said, average=average, zero_division=0)
            assert ours(truth, predicted, average=average) == pytest.approx(expected, abs=1e-12)
            expected = theirs(true, said, average=average, labels=labels, zero_division=0)
            got = ours(truth, predicted, average=average, labels=asked)
            assert (0.0 if got is None else got) == pytest.approx(expected, abs=1e-12)
            if average == "macro":
                assert (got is None) == (not {*asked} & {*truth, *predicted})


@settings(deadline=None, max_examples=100)
@given(columns())
def test_each_class_is_that_of_scikit_learn_and_none_where_it_divides_by_zero(
    drawn: tuple[list[Any], list[Any], list[Any]],
) -> None:
    truth, predicted, asked = drawn
    true, said, labels = as_codes(truth, predicted, asked)
    for ours, theirs in SCORES:
        values = theirs(true, said, average=None, labels=labels, zero_division=np.nan)
        expected = dict(
            zip(asked, [None if np.isnan(value) else pytest.approx(value) for value in values], strict=True)
        )
        if ours is precision_score:  # never predicted is 0, not undefined
            expected |= {label: 0.0 for label in asked if label in truth and label not in predicted}
        assert ours(truth, predicted, average=None, labels=asked) == expected
    for label in asked:
        others = [said != label for said, true in zip(predicted, truth, strict=True) if true != label]
        expected_share = sum(others) / len(others) if others else None
        assert specificity_score(truth, predicted, average=None, labels=asked)[label] == expected_share


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12), st.sampled_from([True, False]))
def test_the_positive_class_alone_is_that_of_scikit_learn(pairs: list[tuple[bool, bool]], positive: bool) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for ours, theirs in SCORES:
        got = ours(truth, predicted, pos_label=positive)
        if {*truth, *predicted} >= {positive} and (ours is not recall_score or positive in truth):
            assert got == pytest.approx(theirs(truth, predicted, pos_label=positive, zero_division=0), abs=1e-12)
        else:
            assert got is None
    negatives = [said for said, true in zip(predicted, truth, strict=True) if true != positive]
    expected = sum(said != positive for said in negatives) / len(negatives) if negatives else None
    assert specificity_score(truth, predicted, pos_label=positive) == expected


@settings(deadline=None, max_examples=100)
@given(columns())
def test_metrics_of_all_classes_are_those_of_scikit_learn(drawn: tuple[list[Any], list[Any], list[Any]]) -> None:
    truth, predicted, asked = drawn
    true, said, labels = as_codes(truth, predicted, asked)
    assert accuracy_score(truth, predicted) == pytest.approx(oracle.accuracy_score(true, said), abs=1e-12)
    expected = oracle.balanced_accuracy_score(true, said)
    assert balanced_accuracy_score(truth, predicted) == pytest.approx(expected, abs=1e-12)
    mcc = matthews_corrcoef(truth, predicted)
    if len({*truth}) > 1 and len({*predicted}) > 1:
        assert mcc == pytest.approx(oracle.matthews_corrcoef(true, said), abs=1e-12)
    else:
        assert mcc is None
    for weights in (None, "linear", "quadratic"):
        kappa = cohen_kappa_score(truth, predicted, weights=weights)
        if len({*truth, *predicted}) > 1:
            assert kappa == pytest.approx(oracle.cohen_kappa_score(true, said, weights=weights), abs=1e-12)
        else:
            assert kappa is None
    assert confusion_matrix(truth, predicted).matrix.tolist() == oracle.confusion_matrix(true, said).tolist()
    if {*truth} & {*asked}:
        told = confusion_matrix(truth, predicted, labels=asked)
        assert told.labels == tuple(asked)
        assert told.matrix.tolist() == oracle.confusion_matrix(true, said, labels=labels).tolist()


def test_metrics_on_real_predictions_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits
    from sklearn.naive_bayes import GaussianNB

    images, digits = load_digits(return_X_y=True)
    predicted = GaussianNB().fit(images[:898], digits[:898]).predict(images[898:])
    truth = digits[898:]
    assert accuracy_score(truth, predicted) == pytest.approx(0.807564, abs=1e-6)
    report = classification_report(truth, predicted)
    theirs = oracle.classification_report(truth, predicted, output_dict=True)
    for row in report.classes:
        expected = theirs[str(row.label)]
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (expected["precision"], expected["recall"], expected["f1-score"], expected["support"]), abs=1e-12
        )
    for row, name in ((report.macro, "macro avg"), (report.weighted, "weighted avg")):
        assert (row.precision, row.recall, row.f1) == pytest.approx(
            (theirs[name]["precision"], theirs[name]["recall"], theirs[name]["f1-score"]), abs=1e-12
        )
    assert report.mcc == pytest.approx(oracle.matthews_corrcoef(truth, predicted), abs=1e-12)
    assert report.kappa == pytest.approx(oracle.cohen_kappa_score(truth, predicted), abs=1e-12)
    assert report.accuracy == pytest.approx(theirs["accuracy"])
    assert report.balanced_accuracy == pytest.approx(theirs["macro avg"]["recall"])
    assert report.notes == ()


def test_nothing_at_all_is_undefined() -> None:
    assert accuracy_score([], []) is None
    assert balanced_accuracy_score([], []) is None
    assert matthews_corrcoef([], []) is None
    assert cohen_kappa_score([], []) is None
    assert cohen_kappa_score([], [], weights="linear") is None
    for score in (precision_score, recall_score, f1_score, specificity_score):
        assert score([], []) is None
        assert score([], [], average="macro") is None
        assert score([], [], average="micro") is None
        assert score([], [], average="weighted", labels=["a"]) is None
        assert score([], [], average=None) == {}
    assert confusion_matrix([], []).matrix.shape == (0, 0)
    assert classification_report([], []).accuracy is None


def test_a_missing_prediction_is_wrong_and_no_classes() -> None:
    truth, predicted = ["a", "a", "b", "b"], ["a", None, "b", "a"]
    assert accuracy_score(truth, predicted) == 0.5
    assert precision_score(truth, predicted, average=None) == {"a": 0.5, "b": 1.0}
    assert recall_score(truth, predicted, average=None) == {"a": 0.5, "b": 0.5}
    told = confusion_matrix(truth, predicted)
    assert told.matrix.tolist() == [[1, 0], [1, 1]]
    assert told.unpredicted.tolist() == [1, 0]
    assert confusion_matrix(truth, predicted, labels=["b"]).unpredicted.tolist() == [0]
    assert confusion_matrix(truth, predicted, labels=["a"]).unpredicted.tolist() == [1]
    assert cohen_kappa_score(truth, predicted) == pytest.approx(
        oracle.cohen_kappa_score(["a", "a", "b", "b"], ["a", "-", "b", "a"])
    )
    with pytest.raises(InvalidInputError, match="no distance"):
        cohen_kappa_score(truth, predicted, weights="linear")


def test_specificity_of_a_class_that_all_samples_are_of_is_undefined_and_in_no_average() -> None:
    truth, predicted = ["a"] * 4, ["a", "a", "b", "b"]
    assert specificity_score(truth, predicted, average=None) == {"a": None, "b": 0.5}
    assert specificity_score(truth, predicted, average="macro") == 0.5
    assert specificity_score(truth, predicted, average="weighted") is None
    assert specificity_score(truth, predicted, pos_label="a") is None


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: f1_score(["a", "b", "c"], ["a", "b", "c"]), "3 classes .*average='macro'"),
        (lambda: f1_score(["a", "b"], ["a", "b"]), "pos_label is 1"),
        (lambda: recall_score(list(range(9)), list(range(9))), "…"),
        (lambda: precision_score([1], [1], average="mean"), "average is 'mean'"),  # type: ignore[call-overload]
        (lambda: precision_score([1], [1], average="macro", labels=[1, 1]), "labels holds one class twice"),
        (lambda: precision_score([1], [1, 2]), "shape"),
        (lambda: confusion_matrix([1], [1], labels=["a"]), "do not compare"),
        (lambda: cohen_kappa_score([1], [1], weights="cubic"), "weights is 'cubic'"),  # type: ignore[arg-type]
        (lambda: accuracy_score([None], [1]), "truth has no label in row 0"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_way_out(act: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        act()


def test_f1_takes_counts_or_columns() -> None:
    assert f1_score(6, 2, 4) == f1_score(true_positives=6, false_positives=2, false_negatives=4) == 2 / 3
    assert f1_score(6, 2, false_negatives=4) == 2 / 3
    assert f1_score([1, 0], [1, 1]) == f1_score(truth=[1, 0], predicted=[1, 1]) == 2 / 3
    with pytest.raises(TypeError):
        f1_score([1, 0])  # type: ignore[call-overload]


def test_a_report_tells_what_is_zero_or_undefined_by_convention() -> None:
    report = classification_report(["a", "b", "c", "a"], ["a", "b", "a", None], labels=["a", "b", "c", "e"])
    assert report.unpredicted == 1
    assert [row.label for row in report.classes] == ["a", "b", "c", "e"]
    assert report.notes == (
        "never predicted, so their precision is 0: 'c'",
        "neither true nor predicted, and in no average: 'e'",
        "without a prediction, counted as wrong: 1 of 4 samples",
    )
    assert classification_report(["a", "a"], ["a", "d"]).notes == (
        "without truth, so they have no recall, which counts 0 in macro: 'd'",
    )
    assert str(classification_report(["a", "a"], ["a", "d"])) == (
        "          precision  recall      f1  specificity  support  predicted\n"
        "a            1.0000  0.5000  0.6667            -        2          1\n"
        "d            0.0000       -  0.0000       0.5000        0          1\n"
        "macro        0.5000  0.2500  0.3333       0.5000        2          2\n"
        "weighted     1.0000  0.5000  0.6667            -        2          2\n"
        "\n"
        "accuracy 0.5000, balanced accuracy 0.5000, MCC -, kappa 0.0000, n 2\n"
        "without truth, so they have no recall, which counts 0 in macro: 'd'"
    )
