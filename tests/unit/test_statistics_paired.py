from __future__ import annotations

from itertools import pairwise, product
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.statistics import (
    PairedSums,
    benjamini_hochberg,
    bootstrap_counts,
    bootstrap_index,
    bootstrap_weights,
    compare_counts,
    holm,
    joint_counts,
    least_detectable,
    least_detectable_mean,
    least_detectable_share,
    paired_t,
    sign_flip,
)
from localreg.statistics.distributions import t_quantile
from localreg.statistics.jackknife import Pair
from localreg.statistics.joint import JointCounts

stats = pytest.importorskip("scipy.stats")

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


# --- means ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=40))
def test_the_paired_t_test_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array([pair[place] for pair in pairs]) for place in (0, 1))
    if np.ptp(b - a) < 1e-6 * max(1.0, float(np.abs(b - a).max())):
        return  # scipy warns of what it cannot tell
    found, expected = paired_t(PairedSums.of(a, b), confidence=0.9), stats.ttest_rel(b, a)
    assert found.p == pytest.approx(float(expected.pvalue), rel=1e-7)
    interval = expected.confidence_interval(0.9)
    scale = float(np.abs(b - a).max())
    assert (found.low, found.high) == pytest.approx((float(interval.low), float(interval.high)), abs=1e-9 * scale)
    assert found.difference == pytest.approx(float((b - a).mean()), abs=1e-9 * scale)


def test_sums_of_parts_add_up_without_losing_digits() -> None:
    generator = np.random.default_rng(0)
    a = generator.normal(size=1_000) + 1e9
    b = a + generator.normal(size=1_000) * 1e-3
    total = PairedSums()
    for start, stop in pairwise((0, 0, 1, 400, 401, 1_000)):
        total = total + PairedSums.of(a[start:stop], b[start:stop])
    whole = PairedSums.of(a, b)
    assert total.n == 1_000
    assert total.mean_a == pytest.approx(whole.mean_a)
    assert total.mean == pytest.approx(whole.mean, rel=1e-9)
    assert total.m2 == pytest.approx(float(((b - a - (b - a).mean()) ** 2).sum()), rel=1e-9)


def test_few_pairs_have_no_interval() -> None:
    nothing, single = paired_t(PairedSums()), paired_t(PairedSums.of([1.0], [3.0]))
    assert (nothing.a, nothing.difference, nothing.p) == (None, None, None)
    assert (single.a, single.difference, single.low, single.p) == (1, 2, None, None)


def test_pairs_that_all_differ_by_the_same() -> None:
    assert paired_t(PairedSums.of([1.0, 2.0], [1.0, 2.0])).p == 1
    assert paired_t(PairedSums.of([1.0, 2.0], [2.0, 3.0])).p == 0


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [([1.0], [1.0, 2.0], "shape"), ([[1.0]], [[1.0]], "shape"), ([1.0, np.nan], [1, 2], "a is nan in row 1")],
)
def test_columns_that_are_no_pairs_are_refused(a: Any, b: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        PairedSums.of(a, b)
    with pytest.raises(InvalidInputError, match=message):
        sign_flip(a, b)


# --- signs ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_the_sign_flip_test_goes_through_all_signs(differences: list[int]) -> None:
    found = sign_flip(np.zeros(len(differences)), np.array(differences))
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    expected = np.mean([abs(each) >= abs(sum(differences)) for each in sums])
    assert found.p == pytest.approx(float(expected))
    assert (found.draws, found.error, found.n) == (None, 0, len(differences))


def test_random_signs_come_near_all_signs() -> None:
    generator = np.random.default_rng(1)
    a = generator.normal(size=13)
    b = a + generator.normal(0.4, 1, 13)
    exact = sign_flip(a, b).p
    expected = stats.permutation_test((b - a,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert exact == pytest.approx(float(expected.pvalue), rel=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("localreg.statistics.paired.ALL_SIGNS_UPTO", 3)
        drawn = sign_flip(a, b, draws=20_000)
        assert drawn.draws == 20_000
        assert drawn.error == pytest.approx(np.sqrt(drawn.p * (1 - drawn.p) / 20_000))
        assert abs(drawn.p - exact) < 4 * drawn.error
        patch.setattr("localreg.statistics.paired.BLOCK", 1)
        assert abs(sign_flip(a, b, draws=300).p - exact) < 0.15


def test_random_signs_of_many_pairs_come_near_the_t_test() -> None:
    generator = np.random.default_rng(2)
    a = generator.normal(size=1_001)
    b = a + generator.normal(0.05, 1, 1_001)
    found = sign_flip(a, b)
    assert found.p == pytest.approx(float(stats.ttest_rel(a, b).pvalue), abs=0.03)
    assert found == sign_flip(a, b)
    assert found.p == sign_flip(b, a).p or abs(found.p - sign_flip(b, a).p) < 6 * found.error


def test_ties_count_as_far_out() -> None:
    a, b = np.zeros(40), np.tile([0.1, 0.2], 20)
    b[:10] *= -1
    found = sign_flip(a, b)
    wide = sign_flip(a, b * 3)  # rounds otherwise
    assert abs(found.p - wide.p) < 6 * found.error


def test_pairs_without_differences_tell_nothing() -> None:
    assert sign_flip([1.0, 2.0], [1.0, 2.0]).p == 1
    assert sign_flip([], []).p == 1
    with pytest.raises(InvalidInputError, match="draws"):
        sign_flip([1.0], [2.0], draws=0)


# --- many questions ---------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_and_hochberg_is_that_of_scipy(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values).tolist(), abs=1e-15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_by_its_definition(p_values: list[float]) -> None:
    found = holm(p_values)
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(order):
        expected = max(min(1.0, (len(order) - earlier) * p_values[order[earlier]]) for earlier in range(rank + 1))
        assert found[place] == pytest.approx(expected)


def test_adjusting_passes_over_what_was_not_tested() -> None:
    assert holm([0.01, None, 0.04, float("nan")]) == [0.02, None, 0.04, None]
    assert benjamini_hochberg([0.01, None, 0.04, float("nan")]) == [0.02, None, 0.04, None]
    assert (holm([]), benjamini_hochberg([None])) == ([], [None])
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(InvalidInputError, match=r"p-value 1 is 1\.5"):
            adjust([0.1, 1.5])


# --- power ------------------------------------------------------------------------------------------------------------


def test_the_least_detectable_difference_is_detected_as_often_as_said() -> None:
    least = least_detectable(2.0, df=30, power=0.8)
    assert least == pytest.approx(2 * (t_quantile(0.975, 30) + t_quantile(0.8, 30)))
    beyond = float(stats.norm.sf(t_quantile(0.975, float("inf")) - least_detectable(2.0) / 2))
    assert beyond == pytest.approx(0.8)
    generator = np.random.default_rng(3)
    mean = least_detectable_mean(1.0, 40)
    assert mean is not None
    seen = np.mean([paired_t(PairedSums.of(np.zeros(40), generator.normal(mean, 1, 40))).p < 0.05 for _ in range(500)])  # type: ignore[operator]
    assert seen == pytest.approx(0.8, abs=0.05)


def test_the_least_detectable_share_by_its_equation() -> None:
    least = least_detectable_share(0.1, 1_000)
    assert least is not None
    z, power = t_quantile(0.975, float("inf")), t_quantile(0.8, float("inf"))
    assert np.sqrt(1_000) * least == pytest.approx(z * np.sqrt(0.1) + power * np.sqrt(0.1 - least**2))
    assert least == pytest.approx(least_detectable(np.sqrt(0.1 / 1_000)), rel=0.02)
    assert least_detectable_share(0.1, 20) is None  # even if all discordant samples spoke for one model
    assert least_detectable_share(0.0, 100) is None
    assert least_detectable_share(0.3, 0) is None
    assert least_detectable_mean(1.0, 1) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: least_detectable(-1.0), "standard_error"),
        (lambda: least_detectable(float("nan")), "standard_error"),
        (lambda: least_detectable(1.0, power=1.0), "power"),
        (lambda: least_detectable(1.0, confidence=95), "confidence"),
        (lambda: least_detectable_share(1.2, 5), "discordant"),
        (lambda: paired_t(PairedSums(), confidence=1), "confidence"),
    ],
)
def test_what_is_no_question_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call()


# --- bootstrap --------------------------------------------------------------------------------------------------------


def joint() -> JointCounts:
    generator = np.random.default_rng(4)
    truth = generator.integers(0, 3, 400)
    said = [np.where(generator.random(400) < 0.7, truth, generator.integers(0, 3, 400)) for _ in range(2)]
    return joint_counts(truth, *said, classes=3)


def macro_f1(counts: JointCounts) -> float:
    pair = Pair.of(counts)
    return float(pair.b.values()["f1_macro"] - pair.a.values()["f1_macro"])


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_the_bootstrap_of_counts_comes_near_the_closed_form(method: str) -> None:
    counts = joint()
    found = bootstrap_counts(counts, macro_f1, draws=800, method=method)
    (closed,) = compare_counts(counts, metrics=["f1_macro"])
    assert found.value == closed.difference
    assert found.method == method
    assert closed.standard_error is not None
    assert found.standard_error == pytest.approx(closed.standard_error, rel=0.08)
    assert (found.low, found.high) == pytest.approx((closed.low, closed.high), abs=0.3 * closed.standard_error)
    assert found == bootstrap_counts(counts, macro_f1, draws=800, method=method)


def test_the_bootstrap_of_clusters_draws_whole_clusters() -> None:
    counts = joint()
    rows = np.repeat(np.arange(len(counts.count)), counts.count)
    truth, a, b = (np.repeat(each[rows], 5) for each in (counts.truth, counts.a, counts.b))
    grouped = joint_counts(truth, a, b, classes=3, groups=np.repeat(np.arange(400), 5))
    once = bootstrap_counts(counts, macro_f1, draws=400, method="percentile")
    often = bootstrap_counts(grouped, macro_f1, draws=400, method="percentile")
    assert often.standard_error == pytest.approx(once.standard_error, rel=0.15)


def test_the_bootstrap_of_values_is_that_of_scipy() -> None:
    values = np.random.default_rng(5).exponential(size=60)
    for method in ("percentile", "bca"):
        found = bootstrap_index((values,), lambda x: float(x.mean()), draws=4_000, method=method)
        theirs = stats.bootstrap((values,), np.mean, n_resamples=4_000, method=method, rng=0).confidence_interval
        assert (found.low, found.high) == pytest.approx((float(theirs.low), float(theirs.high)), abs=0.04)


def test_weights_are_how_often_each_was_drawn() -> None:
    sums: list[int] = []

    def statistic(weights: Any) -> float:
        sums.append(int(weights.sum()))
        return float(weights[0])

    found = bootstrap_weights(50, statistic, content=[1.0], draws=500)
    assert set(sums) == {50}
    assert found.value == 1
    assert found.standard_error == pytest.approx(1, abs=0.15)


def test_a_bootstrap_that_cannot_be_had_says_why() -> None:
    values = np.array([0.0] * 30 + [1.0])

    def seldom(drawn: Any) -> float | None:
        return float(drawn.mean()) if drawn.any() else None

    found = bootstrap_index((values,), seldom, draws=200)
    assert (found.low, found.high) == (None, None)
    assert "undefined for" in str(found.reason)
    assert bootstrap_index((values,), lambda _: None, draws=100).reason == "the statistic is undefined"
    nothing = bootstrap_counts(joint_counts([], [], [], classes=2), macro_f1)
    assert (nothing.value, nothing.reason) == (None, "there is no sample")
    constant = bootstrap_index((values,), lambda _: 3.0, draws=100, method="bca")
    assert (constant.low, constant.high) == (3, 3)
    for wrong in ({"draws": 5}, {"confidence": 95}, {"method": "magic"}):
        with pytest.raises(InvalidInputError, match=next(iter(wrong))):
            bootstrap_index((values,), seldom, **cast(Any, wrong))
    with pytest.raises(InvalidInputError, match="rows"):
        bootstrap_index((values, values[:3]), seldom)
