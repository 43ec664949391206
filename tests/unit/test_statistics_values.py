"""Intervals of metrics of numbers, beside brute force, scipy and scikit-learn."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from localreg import InvalidInputError
from localreg.statistics.scores import compare_losses
from localreg.statistics.values import LOWER_IS_BETTER, VALUE_METRICS, compare_means, compare_values

metrics = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")

Floats: TypeAlias = "npt.NDArray[np.float64]"

ORACLES: dict[str, Any] = {
    "mean_absolute_error": metrics.mean_absolute_error,
    "mean_squared_error": metrics.mean_squared_error,
    "mean_absolute_percentage_error": metrics.mean_absolute_percentage_error,
    "mean_bias": lambda truth, said: (said - truth).mean(),
    "root_mean_squared_error": metrics.root_mean_squared_error,
    "r2": metrics.r2_score,
    "pearson": lambda truth, said: stats.pearsonr(truth, said).statistic,
    "median_absolute_error": metrics.median_absolute_error,
    "spearman": lambda truth, said: stats.spearmanr(truth, said).statistic,
}


def columns(n: int, seed: int = 1, shift: float = 3.0, ties: bool = False) -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(seed)
    truth = random.normal(shift, 1, n)
    a, b = truth + random.standard_t(4, n), 0.9 * truth + 0.5 * random.normal(size=n)
    return (truth.round(1), a.round(1), b.round(1)) if ties else (truth, a, b)


def test_there_is_an_oracle_for_each_metric() -> None:
    assert set(ORACLES) == set(VALUE_METRICS)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shift", [3.0, 1e6])
def test_values_are_those_of_scikit_learn_and_scipy(ties: bool, shift: float) -> None:
    truth, a, b = columns(300, shift=shift, ties=ties)
    for each in compare_values(truth, a, b):
        oracle = ORACLES[each.metric]
        assert (each.a, each.b) == pytest.approx((oracle(truth, a), oracle(truth, b)), rel=1e-9), each.metric
        assert each.difference == pytest.approx(oracle(truth, b) - oracle(truth, a), rel=1e-7)
        assert each.n == 300


@pytest.mark.parametrize("n", [5, 40, 300])
def test_standard_errors_are_those_of_leaving_out_each_sample(n: int) -> None:
    truth, a, b = columns(n)
    rest = [np.delete(np.arange(n), place) for place in range(n)]
    for each in compare_values(truth, a, b):
        if each.standard_error is None:
            assert each.metric in ("median_absolute_error", "spearman")
            assert "bootstrap" in str(each.reason)
            continue
        oracle = ORACLES[each.metric]
        left = np.array([oracle(truth[rows], b[rows]) - oracle(truth[rows], a[rows]) for rows in rest])
        error = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
        assert each.standard_error == pytest.approx(error, rel=1e-7), each.metric
        assert each.difference is not None
        reach = stats.t.ppf(0.975, n - 1) * error
        assert (each.low, each.high) == pytest.approx(
            (max(each.difference - reach, -2.0 if each.metric == "pearson" else -np.inf), each.difference + reach),
            rel=1e-6,
        )
        assert each.p == pytest.approx(2 * stats.t.sf(abs(each.difference) / error, n - 1), rel=1e-6)


def test_means_are_tested_by_the_paired_t_test() -> None:
    truth, a, b = columns(80)
    found = compare_values(truth, a, b, metrics=["mean_absolute_error"])[0]
    expected = stats.ttest_rel(abs(b - truth), abs(a - truth))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-10)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert compare_means(a, b, metric="x").p == pytest.approx(stats.ttest_rel(b, a).pvalue, rel=1e-10)


def test_clusters_are_left_out_as_a_whole() -> None:
    truth, a, b = columns(200)
    groups = np.random.default_rng(5).integers(0, 30, 200) * 7
    names = np.unique(groups)
    found = compare_values(truth, a, b, groups=groups)
    found.append(compare_means(a, b, metric="mean", groups=groups))
    oracles = {**ORACLES, "mean": lambda _, said: said.mean()}
    for each in found:
        if each.standard_error is None:
            continue
        oracle = oracles[each.metric]
        rest = [groups != name for name in names]
        left = np.array([oracle(truth[rows], b[rows]) - oracle(truth[rows], a[rows]) for rows in rest])
        count = len(names)
        error = np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
        assert each.standard_error == pytest.approx(error, rel=1e-8), each.metric
        assert each.difference is not None
        assert each.p == pytest.approx(2 * stats.t.sf(abs(each.difference) / error, count - 1), rel=1e-7)
        assert each.reason is None
    few = compare_values(truth, a, b, groups=groups % 4, metrics=["r2"])[0]
    assert few.reason == "there are 4 clusters only; with fewer than 20 intervals may be too narrow"


def test_rows_are_added_up_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    import localreg.statistics.value_sums as sums

    truth, a, b = columns(101)
    groups = np.arange(101) // 3
    whole = [compare_values(truth, a, b), compare_values(truth, a, b, groups=groups)]
    monkeypatch.setattr(sums, "AT_ONCE", 10)
    parts = [compare_values(truth, a, b), compare_values(truth, a, b, groups=groups)]
    for one, other in zip([*whole[0], *whole[1]], [*parts[0], *parts[1]], strict=True):
        assert one.a == pytest.approx(other.a)
        if one.p is not None:
            assert (one.low, one.p) == pytest.approx((other.low, other.p), rel=1e-9)


@pytest.mark.parametrize(
    ("truth", "a", "b", "metric", "values", "reason"),
    [
        ([], [], [], "mean_absolute_error", (None, None), "there is no sample"),
        ([1], [2], [4], "mean_absolute_error", (1.0, 3.0), "there is one sample only"),
        ([1], [2], [4], "root_mean_squared_error", (1.0, 3.0), "there is one sample only"),
        ([1], [2], [4], "r2", (None, None), "there is one sample only"),
        ([2, 2, 2], [1, 2, 3], [3, 2, 2], "r2", (None, None), "the ground truth is one value throughout"),
        ([1, 2, 3], [5, 5, 5], [1, 2, 2], "pearson", (None, 0.75**0.5), "model a says one value throughout"),
        ([1, 2, 3], [1, 2, 2], [5, 5, 5], "spearman", (0.75**0.5, None), "model b says one value throughout"),
        ([0, 2], [1, 2], [3, 2], "mean_absolute_percentage_error", (None, None), "a ground truth is 0, of"),
        ([1, 2, 3], [5, 5, 5], [7, 7, 7], "pearson", (None, None), "model a and b says one value throughout"),
        ([0, 2], [0, 1], [0, 1e170], "mean_squared_error", (0.5, None), "there are numbers beyond 1e+140, of which"),
        ([1, 1, 2], [1, 1, 2], [1, 2, 2], "r2", (1.0, -0.5), "without one of the samples it is undefined"),
    ],
)  # fmt: skip
def test_what_is_undefined_is_none_with_a_reason(
    truth: list[float], a: list[float], b: list[float], metric: str, values: tuple[Any, Any], reason: str
) -> None:
    found = compare_values(truth, a, b, metrics=[metric])[0]
    assert (found.a, found.b) == (pytest.approx(values) if values[0] is not None else values)
    assert (found.low, found.high, found.p, found.standard_error) == (None,) * 4
    assert str(found.reason).startswith(reason)


def test_an_only_cluster_gives_no_interval() -> None:
    truth, a, b = columns(20)
    for each in compare_values(truth, a, b, groups=np.zeros(20, int), metrics=["mean_bias", "r2"]):
        assert each.low is None
        assert each.reason == "all samples are of one cluster"
    found = compare_means(a, b, metric="x", groups=np.zeros(20, int))
    assert found.a == pytest.approx(a.mean())
    assert found.low is None


def test_equal_models_do_not_differ() -> None:
    truth, a, _ = columns(20)
    for each in compare_values(truth, a, a):
        assert each.difference == 0
        if each.standard_error is not None:
            assert (each.low, each.high, each.p) == (0, 0, 1)


def test_all_metrics_have_an_interval_by_bootstrap_and_always_the_same() -> None:
    truth, a, b = columns(120)
    closed, drawn = compare_values(truth, a, b), compare_values(truth, a, b, draws=400)
    assert drawn == compare_values(truth, a, b, draws=400)
    for one, other in zip(closed, drawn, strict=True):
        assert other.a == pytest.approx(one.a)
        assert other.low is not None and other.high is not None and other.difference is not None  # noqa: PT018
        assert other.low < other.difference < other.high
        if one.standard_error is not None and one.p is not None and other.p is not None:
            assert other.standard_error == pytest.approx(one.standard_error, rel=0.25)
            assert (other.p < 0.05) == (one.p < 0.05)
    groups = np.arange(120) // 4
    clustered = compare_values(truth, a, b, draws=400, groups=groups, metrics=["r2"])[0]
    assert clustered.standard_error == pytest.approx(
        compare_values(truth, a, b, groups=groups, metrics=["r2"])[0].standard_error, rel=0.25
    )


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"b is nan in row 1; leave out"):
        compare_values([1.0, 2.0], [1.0, 2.0], [1.0, float("nan")])
    with pytest.raises(InvalidInputError, match="all must be"):
        compare_values([1.0, 2.0], [1.0], [1.0, 2.0])
    with pytest.raises(InvalidInputError, match="no metric of values 'mae'; there are mean_absolute_error"):
        compare_values([1.0], [1.0], [1.0], metrics=["mae"])
    with pytest.raises(InvalidInputError, match="confidence is 95"):
        compare_values([1.0], [1.0], [1.0], confidence=95)
    assert set(LOWER_IS_BETTER) < set(VALUE_METRICS)


@pytest.mark.parametrize(("metric", "most"), [("brier_score", 1.0), ("log_loss", np.inf)])
@pytest.mark.parametrize("groups", [None, np.arange(8) // 2])
def test_the_interval_of_a_loss_ends_where_the_loss_does(metric: str, most: float, groups: Any) -> None:
    positive = np.arange(8) % 2 == 0
    near, far = np.where(positive, 1.0, 0.0), np.where(positive, 0.0, 1.0)
    near[0], far[0] = 0.55, 0.45
    found = compare_losses(positive, near, far, metric, groups=groups)
    assert found.a is not None
    assert found.a_low == 0 < found.a
    assert found.b_high is not None
    assert found.b_high == 1 if most == 1 else found.b_high > 1
