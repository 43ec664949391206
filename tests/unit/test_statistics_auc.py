from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localreg import InvalidInputError
from localreg.statistics import Estimate, auc, compare_rankings
from localreg.statistics.distributions import t_quantile

metrics = pytest.importorskip("sklearn.metrics")

Floats = NDArray[np.float64]
rows = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.floats(-5, 5)), min_size=2, max_size=60)


def scored(n: int, seed: int = 0) -> tuple[NDArray[np.bool_], Floats, Floats]:
    generator = np.random.default_rng(seed)
    truth = generator.random(n) < 0.3
    a = generator.normal(size=n) + truth
    return truth, a, 0.6 * a + 0.8 * generator.normal(size=n) + 0.9 * truth


def by_name(estimates: list[Estimate]) -> dict[str, Estimate]:
    return {each.metric: each for each in estimates}


@settings(deadline=None)
@given(rows, st.booleans())
def test_values_are_those_of_scikit_learn(samples: list[tuple[bool, int, float]], binned: bool) -> None:
    truth, a, b = (np.array([row[place] for row in samples]) for place in range(3))
    found = by_name(compare_rankings(truth, a, b, binned=binned))
    if truth.all() or not truth.any():
        assert found["roc_auc"].a is None
        assert str(found["average_precision"].reason).startswith("there is no ")
        return
    for scores, model in ((a, "a"), (b, "b")):
        auc, ap = metrics.roc_auc_score(truth, scores), metrics.average_precision_score(truth, scores)
        assert getattr(found["roc_auc"], model) == pytest.approx(auc, abs=1e-14)
        assert getattr(found["average_precision"], model) == pytest.approx(ap, abs=1e-13)


def test_the_error_of_the_auc_is_that_of_delong() -> None:
    truth, a, b = scored(80)
    a = np.round(a, 1)

    def components(scores: Floats) -> tuple[Floats, Floats]:
        table = np.sign(scores[truth][:, None] - scores[~truth]) / 2 + 0.5
        return table.mean(axis=1), table.mean(axis=0)

    parts = [components(scores) for scores in (a, b)]
    variance = sum(np.var(parts[1][kind] - parts[0][kind], ddof=1) / len(parts[0][kind]) for kind in (0, 1))
    found = by_name(compare_rankings(truth, a, b))["roc_auc"]
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_the_error_of_average_precision_of_many_samples_is_that_of_its_derivatives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auc, "JACKKNIFE_UPTO", 0)
    truth, a, b = scored(50)
    a = np.round(a, 1)
    step, slopes = 1e-5, []
    for row in range(50):
        values = []
        for sign in (1, -1):
            weights = np.ones(50)
            weights[row] += sign * step
            values.append(
                metrics.average_precision_score(truth, b, sample_weight=weights)
                - metrics.average_precision_score(truth, a, sample_weight=weights)
            )
        slopes.append((values[0] - values[1]) / 2 / step)
    found = by_name(compare_rankings(truth, a, b))["average_precision"]
    assert found.standard_error == pytest.approx(np.sqrt(np.square(slopes).sum() * 50 / 49), rel=1e-6)


@pytest.mark.parametrize("clustered", [False, True])
def test_the_error_of_average_precision_of_few_samples_is_that_of_leaving_out(
    clustered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auc, "CELLS_AT_ONCE", 500)  # several blocks
    truth, a, b = scored(50)
    a = np.round(a, 1)
    groups = np.arange(50) // 4 if clustered else np.arange(50)
    whole = metrics.average_precision_score(truth, b) - metrics.average_precision_score(truth, a)
    left = []
    for group in np.unique(groups):
        rest = groups != group
        left.append(
            metrics.average_precision_score(truth[rest], b[rest])
            - metrics.average_precision_score(truth[rest], a[rest])
            - whole
        )
    found = by_name(compare_rankings(truth, a, b, groups=groups if clustered else None))["average_precision"]
    count = len(left)
    assert found.standard_error == pytest.approx(np.sqrt(np.square(left).sum() * (count - 1) / count))


def test_few_positives_leave_few_degrees_of_freedom() -> None:
    """With five positives DeLong's error is known by five numbers: a normal quantile held 75 % of differences."""
    draw = np.random.default_rng(5)
    truth = np.arange(100) < 5
    a, b = (truth + draw.normal(size=100) for _ in range(2))
    for each in compare_rankings(truth, a, b):
        assert each.low is not None
        assert each.high is not None
        assert each.standard_error is not None
        assert t_quantile(0.975, 25) <= (each.high - each.low) / 2 / each.standard_error <= t_quantile(0.975, 4) + 1e-9


@pytest.mark.parametrize(("positives", "kind"), [(1, "positive"), (19, "negative")])
def test_one_sample_of_a_kind_gives_no_interval(positives: int, kind: str) -> None:
    truth = np.arange(20) < positives
    for each in compare_rankings(truth, np.arange(20.0), -np.arange(20.0)):
        assert (each.low, each.p, each.reason) == (None, None, f"there is one {kind} only")
        assert each.difference is not None


def test_bins_change_errors_in_the_fourth_digit_at_most() -> None:
    truth, a, b = scored(200_000)
    for one, other in zip(
        compare_rankings(truth, a, b, binned=False), compare_rankings(truth, a, b, binned=True), strict=True
    ):
        assert (one.a, one.b) == pytest.approx((other.a, other.b), abs=1e-14)
        assert one.standard_error == pytest.approx(other.standard_error, rel=1e-3)


def test_intervals_hold_the_truth() -> None:
    # AUC of normal scores: the same population for both models, so that the true difference is 0.
    held = {"roc_auc": 0, "average_precision": 0}
    generator = np.random.default_rng(7)
    for _ in range(300):
        truth = generator.random(200) < 0.3
        shared = generator.normal(size=200) + truth
        a, b = (shared + generator.normal(size=200) + truth for _ in range(2))
        for each in compare_rankings(truth, a, b):
            assert each.low is not None
            assert each.high is not None
            held[each.metric] += each.low <= 0 <= each.high
    assert min(held.values()) >= 0.92 * 300


def test_repeated_samples_of_a_cluster_bring_no_certainty() -> None:
    truth, a, b = scored(100)
    once = compare_rankings(truth, a, b)
    often = compare_rankings(*(np.repeat(each, 10) for each in (truth, a, b)), groups=np.repeat(np.arange(100), 10))
    for one, other in zip(once, often, strict=True):
        assert other.standard_error == pytest.approx(one.standard_error, rel=0.02)
    (alone, _) = compare_rankings(truth, a, b, groups=np.zeros(100, dtype=np.int64))
    assert (alone.low, alone.reason) == (None, "all samples are of one cluster")


def test_models_that_order_alike_have_no_interval() -> None:
    truth, a, _ = scored(60)
    for each in compare_rankings(truth, a, 2 * a + 1):
        assert each.difference == 0
        assert each.low is None
        assert "order all samples alike" in str(each.reason)
        assert each.a_low is not None
        assert each.a is not None
        assert each.a_low < each.a
    (perfect, _) = compare_rankings([0, 1], [0.1, 0.2], [0.1, 0.2])
    assert (perfect.a, perfect.a_low) == (1, None)


@pytest.mark.parametrize(
    ("truth", "a", "b", "message"),
    [
        ([0, 1], [0.1], [0.1, 0.2], "shapes"),
        ([0, 2], [0.1, 0.2], [0.1, 0.2], "truth is .*2.* in row 1"),
        ([0, 1], [0.1, np.nan], [0.1, 0.2], "a is nan in row 1"),
        ([0, 1], [0.1, 0.2], [0.1, np.inf], "b is inf in row 1"),
        ([0, 1], ["x", "y"], [0.1, 0.2], "scores are numbers"),
    ],
)
def test_columns_that_are_none_are_refused(truth: Any, a: Any, b: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        compare_rankings(truth, a, b)
    with pytest.raises(InvalidInputError, match="confidence"):
        compare_rankings(truth, a, b, confidence=2)


def test_no_sample_is_no_number() -> None:
    assert {each.reason for each in compare_rankings([], [], [])} == {"there is no sample"}
