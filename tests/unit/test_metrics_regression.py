from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_bias,
    mean_squared_error,
    median_absolute_error,
    pearson,
    r2_score,
    root_mean_squared_error,
    spearman,
)

oracle = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")

PEERS: list[tuple[Callable[[Any, Any], float | None], Callable[[Any, Any], Any]]] = [
    (mean_absolute_error, oracle.mean_absolute_error),
    (mean_squared_error, oracle.mean_squared_error),
    (root_mean_squared_error, oracle.root_mean_squared_error),
    (median_absolute_error, oracle.median_absolute_error),
    (mean_absolute_percentage_error, oracle.mean_absolute_percentage_error),
    (r2_score, oracle.r2_score),
    (mean_bias, lambda truth, predicted: np.mean(np.asarray(predicted) - np.asarray(truth))),
    (pearson, lambda truth, predicted: stats.pearsonr(truth, predicted).statistic),
    (spearman, lambda truth, predicted: stats.spearmanr(truth, predicted).statistic),
]
numbers = st.sampled_from([1.0, 2.0, -3.5, 1e6, 0.125]) | st.integers(-1000, 1000).filter(bool).map(float)
NEEDS_SPREAD = {r2_score, pearson, spearman}


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30))
def test_metrics_are_those_of_scikit_learn_and_scipy(pairs: list[tuple[float, float]]) -> None:
    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for ours, theirs in PEERS:
        constant = len({*truth}) == 1 or (ours is not r2_score and len({*predicted}) == 1)
        if ours in NEEDS_SPREAD and constant:
            assert ours(truth, predicted) is None
        else:
            assert ours(truth, predicted) == pytest.approx(theirs(truth, predicted), rel=1e-9, abs=1e-12)


def test_metrics_on_real_predictions_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import LinearRegression

    features, progress = load_diabetes(return_X_y=True)
    predicted = LinearRegression().fit(features[:300], progress[:300]).predict(features[300:])
    for ours, theirs in PEERS:
        assert ours(progress[300:], predicted) == pytest.approx(theirs(progress[300:], predicted), rel=1e-12)


@pytest.mark.parametrize("metric", [ours for ours, _ in PEERS])
def test_no_sample_has_no_metric(metric: Callable[[Any, Any], float | None]) -> None:
    assert metric([], []) is None


def test_a_share_of_nothing_is_undefined() -> None:
    assert mean_absolute_percentage_error([0.0, 1.0], [1.0, 1.0]) is None
    assert mean_absolute_percentage_error([-2.0, 1.0], [1.0, 1.0]) == 0.75


def test_bias_is_above_zero_where_predictions_are_too_high() -> None:
    assert mean_bias([1.0, 2.0], [2.0, 4.0]) == 1.5


def test_a_constant_that_sums_badly_is_a_constant() -> None:
    assert r2_score([0.1] * 10, [0.2] * 10) is None
    assert pearson([0.1] * 10, list(range(10))) is None


def test_correlations_of_very_large_and_very_small_numbers_are_in_range() -> None:
    for scale in (1e300, 1e-300):
        truth = np.array([1.0, 2.0, 4.0]) * scale
        assert pearson(truth, truth) == pytest.approx(1.0, abs=1e-15)
        assert -1 <= pearson(truth, -truth) <= 1  # type: ignore[operator]


def test_single_precision_is_summed_in_double() -> None:
    truth, predicted = np.zeros(3, np.float32), np.array([1e20, 1e20, 0], np.float32)
    assert mean_squared_error(truth, predicted) == pytest.approx(2 / 3 * 1e40)


@pytest.mark.parametrize("metric", [ours for ours, _ in PEERS])
@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([1.0, 2.0], [1.0, float("nan")], "predicted is nan in row 1"),
        ([float("inf"), 2.0], [1.0, 1.0], "truth is inf in row 0"),
        ([1.0, None], [1.0, 1.0], "truth has no number in row 1"),
        ([1.0], [1.0, 2.0], "shape"),
        (["1"], [1.0], "not numbers"),
    ],
)
def test_what_are_no_numbers_is_refused(metric: Any, truth: Any, predicted: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        metric(truth, predicted)
