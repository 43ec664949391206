from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from localreg import InvalidInputError
from localreg.metrics.confusion import METRICS, Confusion, Marginals

matrices = st.integers(1, 6).flatmap(
    lambda k: arrays.arrays(np.int64, (k, k), elements=st.sampled_from([0, 0, 0, 1, 2, 7, 1000]))
)
NAMES = {"precision": 0, "recall": 1, "f1": 2}


def columns(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.indices(matrix.shape)
    return truth.ravel().repeat(matrix.ravel()), predicted.ravel().repeat(matrix.ravel())


@settings(deadline=None)
@given(matrices)
@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning", "ignore:A single label was found:UserWarning")
def test_metrics_are_those_of_scikit_learn(matrix: np.ndarray) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    marginals = Marginals.of(matrix)
    truth, predicted = columns(matrix)
    if not len(truth):
        assert np.isnan(marginals.accuracy())
        return
    assert marginals.accuracy() == pytest.approx(oracle.accuracy_score(truth, predicted), abs=1e-12)
    assert marginals.balanced_accuracy() == pytest.approx(oracle.balanced_accuracy_score(truth, predicted), abs=1e-12)
    if not np.isnan(mcc := marginals.mcc()):
        assert mcc == pytest.approx(oracle.matthews_corrcoef(truth, predicted), abs=1e-12)
    else:
        assert len(set(truth)) == 1 or len(set(predicted)) == 1
    if not np.isnan(kappa := marginals.kappa()):
        assert kappa == pytest.approx(oracle.cohen_kappa_score(truth, predicted), abs=1e-12)
    else:
        assert set(truth) == set(predicted)
        assert len(set(truth)) == 1
    for average in ("micro", "macro", "weighted"):
        expected = oracle.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        for metric in ("precision", "recall", "f1"):
            got = marginals.averaged(metric, average)
            assert got == pytest.approx(expected[NAMES[metric]], abs=1e-12)


@settings(deadline=None)
@given(matrices)
def test_metrics_of_a_class_are_those_of_scikit_learn_and_undefined_where_it_divides_by_zero(
    matrix: np.ndarray,
) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    truth, predicted = columns(matrix)
    labels = np.arange(len(matrix))
    if not len(truth):
        return
    marginals = Marginals.of(matrix)
    expected = oracle.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=np.nan)
    precision = np.where(marginals.never_predicted, 0, expected[0])
    for metric, values in (("precision", precision), ("recall", expected[1]), ("f1", expected[2])):
        np.testing.assert_allclose(marginals.per_class(metric), values, atol=1e-12)  # type: ignore[arg-type]
    cells = oracle.multilabel_confusion_matrix(truth, predicted, labels=labels)
    negatives = cells[:, 0].sum(-1)
    specificity = np.divide(cells[:, 0, 0], negatives, out=np.full(len(labels), np.nan), where=negatives > 0)
    np.testing.assert_allclose(marginals.per_class("specificity"), specificity, atol=1e-12)
    there = (marginals.present) & ~np.isnan(specificity)
    macro = marginals.averaged("specificity", "macro")
    np.testing.assert_allclose(macro, specificity[there].mean() if there.any() else np.nan, atol=1e-12)


@given(arrays.arrays(np.int64, (2, 3, 4, 4), elements=st.integers(0, 9)))
def test_leading_axes_are_as_many_matrices_one_by_one(counts: np.ndarray) -> None:
    unpredicted = counts[..., 0] // 2
    whole = Marginals.of(counts, unpredicted)
    for place in np.ndindex(2, 3):
        one = Marginals.of(counts[place], unpredicted[place])
        for name in ("accuracy", "balanced_accuracy", "mcc", "kappa"):
            np.testing.assert_array_equal(getattr(whole, name)()[place], getattr(one, name)())
        for metric in METRICS:
            np.testing.assert_array_equal(whole.per_class(metric)[place], one.per_class(metric))
            for average in ("micro", "macro", "weighted"):
                np.testing.assert_array_equal(
                    whole.averaged(metric, average)[place],
                    one.averaged(metric, average),
                )


@settings(deadline=None)
@given(
    arrays.arrays(np.int64, (4, 4), elements=st.integers(0, 9)), arrays.arrays(np.int64, 4, elements=st.integers(0, 3))
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning", "ignore:A single label was found:UserWarning")
def test_no_prediction_is_a_class_of_its_own_that_is_never_true(matrix: np.ndarray, unpredicted: np.ndarray) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    wide = np.zeros((5, 5), np.int64)
    wide[:4, :4], wide[:4, 4] = matrix, unpredicted
    truth, predicted = columns(wide)
    if not len(truth):
        return
    marginals = Marginals.of(matrix, unpredicted)
    assert marginals.accuracy() == pytest.approx(oracle.accuracy_score(truth, predicted), abs=1e-12)
    assert marginals.balanced_accuracy() == pytest.approx(oracle.balanced_accuracy_score(truth, predicted), abs=1e-12)
    if not np.isnan(mcc := marginals.mcc()):
        assert mcc == pytest.approx(oracle.matthews_corrcoef(truth, predicted), abs=1e-12)
    if not np.isnan(kappa := marginals.kappa()):
        assert kappa == pytest.approx(oracle.cohen_kappa_score(truth, predicted), abs=1e-12)
    present = np.flatnonzero(marginals.present)
    expected = oracle.recall_score(truth, predicted, labels=present, average="macro", zero_division=0)
    assert marginals.averaged("recall", "macro") == pytest.approx(expected, abs=1e-12)


@given(arrays.arrays(np.int64, (3, 5, 5), elements=st.integers(0, 3)), st.randoms())
def test_sparse_cells_give_the_same_as_matrices(counts: np.ndarray, random: Any) -> None:
    unpredicted = counts[:, 0]
    group, truth, predicted = (axis.ravel() for axis in np.indices(counts.shape))
    cells = np.concatenate([counts.ravel(), unpredicted.ravel()])
    more_groups, more_truth = (axis.ravel() for axis in np.indices(unpredicted.shape))
    order = np.array(random.sample(range(len(cells)), len(cells)))
    got = Marginals.of_cells(
        np.concatenate([truth, more_truth])[order],
        np.concatenate([predicted, np.full(15, -1)])[order],
        cells[order],
        classes=5,
        groups=(np.concatenate([group, more_groups])[order], 3),
    )
    expected = Marginals.of(counts, unpredicted)
    for name in ("n", "tp", "support", "predicted"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
        assert getattr(got, name).dtype == np.int64


def test_cells_without_groups_have_no_leading_axis() -> None:
    got = Marginals.of_cells(np.array([0, 1, 1]), np.array([0, 0, -1]), np.array([5, 2, 3]), classes=3)
    assert got.tp.tolist() == [5, 0, 0]
    assert got.support.tolist() == [5, 5, 0]
    assert got.predicted.tolist() == [7, 0, 0]
    assert got.accuracy() == 0.5


def test_some_classes_of_all_keep_the_samples_of_the_others_as_negatives() -> None:
    marginals = Marginals.of([[5, 1, 0], [0, 3, 1], [2, 0, 8]]).at([2, 0])
    assert marginals.per_class("specificity").tolist() == [9 / 10, 12 / 14]
    assert marginals.averaged("recall", "micro") == 13 / 16


def test_counts_whose_squares_no_integer_holds_do_not_overflow() -> None:
    matrix = np.array([[4, 1], [2, 3]])
    for factor in (10**8, 10**9, 10**15):
        large, small = Marginals.of(matrix * factor), Marginals.of(matrix)
        assert large.mcc() == pytest.approx(float(small.mcc()), rel=1e-14)
        assert large.kappa() == pytest.approx(float(small.kappa()), rel=1e-14)


def test_weighted_counts_are_counts_as_well() -> None:
    matrix = np.array([[4, 1], [2, 3]])
    for average in ("micro", "macro", "weighted"):
        half = Marginals.of(matrix / 2).averaged("f1", average)
        assert half == pytest.approx(float(Marginals.of(matrix).averaged("f1", average)))
    assert Marginals.of(matrix / 2).mcc() == pytest.approx(float(Marginals.of(matrix).mcc()))


def test_a_macro_average_over_given_classes_counts_the_absent_as_zero() -> None:
    marginals = Marginals.of([[2, 0, 0], [0, 2, 0], [0, 0, 0]])
    assert marginals.averaged("f1", "macro") == 1.0
    assert marginals.averaged("f1", "macro", over=[True, True, True]) == pytest.approx(2 / 3)


def test_what_is_no_confusion_matrix_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"shape \(2, 3\)"):
        Marginals.of(np.zeros((2, 3)))
    with pytest.raises(InvalidInputError, match="2 labels need a matrix"):
        Confusion(("a", "b"), np.zeros((3, 3), np.int64), np.zeros(3, np.int64))
    with pytest.raises(InvalidInputError, match="no metric 'f2'"):
        Marginals.of([[1]]).per_class("f2")  # type: ignore[arg-type]


def test_a_confusion_prints_and_tells_samples_without_a_prediction() -> None:
    told = Confusion(("cat", "dog"), np.array([[5, 1], [0, 12]]), np.array([0, 3]))
    assert str(told) == (
        "truth \\ predicted  cat  dog  (none)\ncat                  5    1       0\ndog                  0   12       3"
    )
    assert told.n == 21
    np.testing.assert_allclose(told.normalized(), [[5 / 6, 1 / 6], [0, 0.8]])
    assert told == Confusion(("cat", "dog"), np.array([[5, 1], [0, 12]]), np.array([0, 3]))
    assert told != Confusion(("cat", "dog"), np.array([[5, 1], [0, 12]]), np.array([0, 0]))
    assert "(none)" not in str(Confusion(("cat",), np.array([[1]]), np.array([0])))
