from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import brier_score_loss, calibration_curve, expected_calibration_error, log_loss

oracle = pytest.importorskip("sklearn.metrics")

told = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1)), min_size=1, max_size=40
)


def split(pairs: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([pair[0] for pair in pairs], bool), np.array([pair[1] for pair in pairs], float)


@settings(deadline=None)
@given(told)
def test_losses_of_two_classes_are_those_of_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    truth, chances = split(pairs)
    expected = oracle.log_loss(truth, chances, labels=[False, True])
    assert log_loss(truth, chances) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    expected = oracle.brier_score_loss(truth, chances, labels=[False, True])
    assert brier_score_loss(truth, chances) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(st.integers(2, 5), st.integers(1, 12), st.randoms(use_true_random=False))
def test_losses_of_many_classes_are_those_of_scikit_learn(classes: int, count: int, random: Any) -> None:
    rng = np.random.default_rng(random.randrange(2**32))
    table = rng.dirichlet(np.full(classes, 0.3), count)
    truth = rng.integers(0, classes, count)
    labels = list(range(classes))
    expected = oracle.log_loss(truth, table, labels=labels)
    assert log_loss(truth, table, labels=labels) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    expected = oracle.brier_score_loss(truth, table, labels=labels, scale_by_half=False)
    assert brier_score_loss(truth, table, labels=labels) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(told, st.integers(1, 12), st.sampled_from(["uniform", "quantile"]))
def test_curves_are_those_of_scikit_learn(pairs: list[tuple[bool, float]], bins: int, strategy: Any) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    truth, chances = split(pairs)
    curve = calibration_curve(truth, chances, n_bins=bins, strategy=strategy)
    if len({*truth.tolist()}) == 2:
        expected = calibration.calibration_curve(truth, chances, n_bins=bins, strategy=strategy)
        np.testing.assert_allclose(curve.prob_true, expected[0], atol=1e-12)
        np.testing.assert_allclose(curve.prob_pred, expected[1], atol=1e-12)
    assert curve.counts.sum() == len(truth)
    assert (curve.low <= curve.prob_pred + 1e-12).all()
    assert (curve.prob_pred <= curve.high + 1e-12).all()
    error = expected_calibration_error(truth, chances, n_bins=bins, strategy=strategy)
    by_hand = (curve.counts * np.abs(curve.prob_true - curve.prob_pred)).sum() / len(truth)
    assert error == pytest.approx(by_hand, abs=1e-12)


def test_calibration_of_many_classes_is_that_of_the_predicted_one() -> None:
    rng = np.random.default_rng(1)
    table, truth = rng.dirichlet(np.ones(4), 500), rng.integers(0, 4, 500)
    confidence, right = table.max(axis=1), table.argmax(axis=1) == truth
    by_hand = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low) & (confidence <= low + 0.1)
        if inside.any():
            by_hand += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    got = expected_calibration_error(truth, table, n_bins=10, labels=[0, 1, 2, 3])
    assert got == pytest.approx(by_hand, abs=1e-12)
    assert expected_calibration_error(["b", "a"], [[0.75, 0.25], [0.75, 0.25]]) == 0.25


def test_losses_on_real_probabilities_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_wine
    from sklearn.naive_bayes import GaussianNB

    features, kinds = load_wine(return_X_y=True)
    table = GaussianNB().fit(features[::2], kinds[::2]).predict_proba(features[1::2])
    truth = np.array(["barolo", "grignolino", "barbera"])[kinds[1::2]]
    labels = ["barolo", "grignolino", "barbera"]
    assert log_loss(truth, table, labels=labels) == pytest.approx(oracle.log_loss(kinds[1::2], table), rel=1e-12)
    expected = oracle.brier_score_loss(kinds[1::2], table)
    assert brier_score_loss(truth, table, labels=labels) == pytest.approx(expected, abs=1e-12)


def test_no_sample_has_no_loss() -> None:
    nothings: list[Any] = [[], np.zeros((0, 3))]
    for empty in nothings:
        assert log_loss([], empty) is None
        assert brier_score_loss([], empty) is None
        assert expected_calibration_error([], empty) is None
        assert len(calibration_curve([], empty, strategy="quantile").counts) == 0


def test_the_positive_label_is_the_one_that_the_column_is_of() -> None:
    assert brier_score_loss(["cat", "dog"], [0.75, 0.25], pos_label="cat") == 0.0625
    assert brier_score_loss(["cat", "dog"], [0.75, 0.25], pos_label="dog") == 0.5625


def test_single_precision_adds_up_to_one_well_enough() -> None:
    table = np.full((1, 3), 1 / 3, np.float32)
    assert log_loss([0], table, labels=[0, 1, 2]) == pytest.approx(np.log(3), rel=1e-6)


@pytest.mark.parametrize(
    ("truth", "chances", "message"),
    [
        ([1, 0], [0.5, 1.5], "probabilities holds 1.5 in row 1"),
        ([1, 0], [-0.5, 0.5], "probabilities holds -0.5 in row 0"),
        ([1, 0], [0.5, float("nan")], "probabilities is nan in row 1"),
        ([1, 0], [0.5, None], "probabilities has no number in row 1"),
        ([1, 0], [0.5], "shape"),
        ([1, 0], [[0.5, 0.5], [0.5, 0.4]], "add up to 0.9 in row 1"),
        ([1, 0], [[1.5, -0.5], [0.5, 0.5]], "probabilities holds -0.5 in row 0"),
        ([1, 0], [[0.5, 0.5]], r"shape \(1, 2\)"),
        ([1, 0, 2], [0.5, 0.5, 0.5], "two labels"),
        ([1, 0], [[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]], "3 columns for 2 classes"),
    ],
)
def test_what_are_no_probabilities_is_refused(truth: Any, chances: Any, message: str) -> None:
    for act in (log_loss, brier_score_loss, calibration_curve, expected_calibration_error):
        with pytest.raises(InvalidInputError, match=message):
            act(truth, chances)
    with pytest.raises(InvalidInputError, match="strategy is 'width'"):
        calibration_curve([1], [0.5], strategy="width")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="n_bins is 0"):
        expected_calibration_error([1], [0.5], n_bins=0)
