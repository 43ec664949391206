"""Ratios of sums of two models, against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from localreg import InvalidInputError
from localreg.statistics.ratios import compare_ratios

stats = pytest.importorskip("scipy.stats")


def parts(seed: int, n: int = 40) -> tuple[Any, Any]:
    """Errors and words of two models; both read the same words."""
    dice = np.random.default_rng(seed)
    words = dice.integers(1, 30, n)
    return np.stack([dice.binomial(words, 0.3), words]), np.stack([dice.binomial(words, 0.2), words])


@pytest.mark.parametrize("clusters", [None, 9])
def test_the_interval_is_that_of_the_jackknife(clusters: int | None) -> None:
    a, b = parts(1)
    groups = None if clusters is None else np.arange(40) % clusters
    found = compare_ratios(a, b, metric="error_rate", groups=groups, confidence=0.9)
    assert (found.a, found.b) == (a[0].sum() / a[1].sum(), b[0].sum() / b[1].sum())
    units = np.arange(40) if groups is None else groups
    left = np.array(
        [
            b[0][units != unit].sum() / b[1][units != unit].sum()
            - a[0][units != unit].sum() / a[1][units != unit].sum()
            for unit in np.unique(units)
        ]
    )
    count = len(left)
    error = np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
    assert found.difference is not None
    t = stats.t.ppf(0.95, count - 1)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == pytest.approx((found.difference - t * error, found.difference + t * error))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.difference) / error, count - 1))
    assert found.n == 40


@pytest.mark.parametrize("clusters", [None, 20])
def test_a_bootstrap_comes_to_about_the_same_and_always_to_itself(clusters: int | None) -> None:
    a, b = parts(2, 400)
    groups = None if clusters is None else np.arange(400) % clusters
    plain = compare_ratios(a, b, metric="x", groups=groups)
    drawn = [compare_ratios(a, b, metric="x", groups=groups, draws=1000) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert (drawn[0].a, drawn[0].b) == (plain.a, plain.b)
    assert drawn[0].standard_error == pytest.approx(plain.standard_error, rel=0.2)
    assert (drawn[0].low, drawn[0].high) == pytest.approx((plain.low, plain.high), abs=0.01)


def test_a_ratio_is_0_or_more_and_at_most_what_is_said() -> None:
    a, b = np.array([[1, 5, 9], [10, 5, 9]]), np.array([[0, 0, 1], [10, 5, 9]])
    within = compare_ratios(a, b, metric="x", most=1)
    free = compare_ratios(a, b, metric="x")
    assert (within.a_high, within.b_low, within.low) == (1.0, 0.0, -1.0)
    assert free.a_high is not None
    assert free.a_high > 1


def test_models_that_say_the_same_do_not_differ() -> None:
    a, _ = parts(3)
    found = compare_ratios(a, a, metric="x")
    assert (found.difference, found.low, found.high, found.p, found.standard_error) == (0, 0, 0, 1, 0)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ([[], []], [[], []], "there is no sample"),
        ([[1], [2]], [[1], [2]], "there is one sample only"),
        ([[0, 0], [0, 0]], [[1, 1], [2, 2]], "there is nothing that it could be a share of"),
        ([[1, 1], [2, 0]], [[1, 1], [2, 2]], "without one of the samples there is nothing that it could be a share of"),
        (
            [[1, 1], [2, 2]],
            [[0, 0], [2, 2]],
            "all samples tell the same difference: how far it may vary cannot be told",
        ),
    ],
)
def test_what_has_no_interval_says_why(a: Any, b: Any, reason: str) -> None:
    found = compare_ratios(a, b, metric="x")
    assert (found.reason, found.low, found.p) == (reason, None, None)


def test_what_is_no_ratio_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"both must be \(2, n\)"):
        compare_ratios(np.ones(2), np.ones((2, 2)), metric="x")
    with pytest.raises(InvalidInputError, match="b is nan in row 1"):
        compare_ratios(np.ones((2, 2)), np.array([[1, float("nan")], [1, 2]]), metric="x")
