"""FNMR at an FMR and the equal error rate of two models, by drawing pairs again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from localreg.metrics.verification import comparisons
from localreg.statistics import error_rates
from localreg.statistics.error_rates import DRAWN_METRICS, PairScores, told_of_draws
from localreg.statistics.paired import seed_of
from localreg.statistics.proportions import wilson_interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def population(genuine: int, impostors: int, *, seed: int = 0, decimals: int = 6) -> tuple[Flags, Floats, Floats]:
    """Pairs, and what two models say of them."""
    dice = np.random.default_rng(seed)
    n = genuine + impostors
    truth = dice.permutation(np.arange(n) < genuine)
    shared = dice.normal(size=n)
    a, b = (np.round(shared + dice.normal(size=n) + apart * truth, decimals) for apart in (3.0, 3.5))
    return truth, a, b


def brute(
    truth: Flags, scores: Floats, unit: Flags, base: Flags, rows: NDArray[np.int64], target: float
) -> list[float]:
    """FNMR, FMR and EER of a unit's pairs, the threshold set by the impostors of the base, as the metrics say."""
    of_base, of_unit = rows[base[rows] & ~truth[rows]], rows[unit[rows]]
    at = comparisons(truth[of_base], scores[of_base])
    candidates = [*np.unique(scores[base]).tolist(), np.inf]
    threshold = next(each for each in candidates if (at.fmr(each) or 0) <= target)
    found = comparisons(truth[of_unit], scores[of_unit])
    fnmr, fmr, equal = found.fnmr(threshold), found.fmr(threshold), found.equal_error_rate()
    assert fnmr is not None
    assert fmr is not None
    assert equal is not None
    return [fnmr, fmr, equal.rate]


@pytest.mark.parametrize("decimals", [6, 1], ids=["distinct", "tied"])
@pytest.mark.parametrize("wide", [np.inf, 3.0, 0.01], ids=["all apart", "put together", "too narrow at first"])
def test_draws_of_clusters_are_the_metrics_of_the_pairs_that_were_drawn(
    monkeypatch: pytest.MonkeyPatch, wide: float, decimals: int
) -> None:
    monkeypatch.setattr(error_rates, "WIDE", wide)
    monkeypatch.setattr(error_rates, "ALL_APART", 0)
    truth, a, b = population(150, 600, decimals=decimals)
    groups = np.arange(len(truth)) // 5
    unit, base = np.arange(len(truth)) % 3 > 0, np.arange(len(truth)) < 500
    scores_of = PairScores(truth, a, b, base=base, groups=groups)
    for place, metric in enumerate(DRAWN_METRICS):
        drawn = scores_of.drawn(unit, [metric], target=0.02, draws=20)
        setting = base & ~truth if metric != "equal_error_rate" else np.zeros(len(truth), bool)
        there = unit | setting
        seed = seed_of(np.where(truth[there], 0, np.where(unit[there], 1, 2)), setting[there])
        persons = np.unique(groups[there])
        for draw in range(20):
            chosen = np.random.default_rng([seed, draw]).integers(0, len(persons), len(persons))
            rows = np.concatenate([np.flatnonzero(there & (groups == persons[each])) for each in chosen])
            for model, scores in enumerate((a, b)):
                expected = brute(truth, scores, unit, base, rows, 0.02)[place]
                assert drawn[draw, model, 0] == pytest.approx(expected, abs=1e-12)


def test_scores_that_are_put_together_change_no_law(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, a, b = population(2_000, 8_000)
    every = np.ones(len(truth), bool)
    errors = []
    for apart in (0, 10**9):
        monkeypatch.setattr(error_rates, "ALL_APART", apart)
        drawn = PairScores(truth, a, b).drawn(every, DRAWN_METRICS, target=0.01, draws=800)
        errors.append(np.append(drawn.std(axis=0).ravel(), (drawn[:, 1] - drawn[:, 0]).std(axis=0)))
    known = errors[1] > 1e-4  # FMR is the target in every draw, but for what one pair makes
    np.testing.assert_allclose(errors[0][known], errors[1][known], rtol=0.12)
    assert known.sum() >= 6


def test_many_pairs_are_few_cells() -> None:
    truth, a, b = population(100_000, 100_000)
    every = np.ones(len(truth), bool)
    cells = PairScores(truth, a, b)._cells(every, ["equal_error_rate"], 0.01, error_rates.WIDE)
    assert len(cells.pairs) < len(truth) / 5
    assert cells.pairs.sum() == len(truth)


def test_which_model_comes_first_changes_nothing_but_the_sign() -> None:
    truth, a, b = population(3_000, 3_000)
    every = np.ones(len(truth), bool)
    one, other = (
        PairScores(truth, *each).drawn(every, DRAWN_METRICS, target=0.01, draws=50) for each in ((a, b), (b, a))
    )
    np.testing.assert_array_equal(one, other[:, ::-1])


def test_scores_count_by_their_order_alone() -> None:
    truth, a, b = population(300, 900)
    every = np.ones(len(truth), bool)
    one = PairScores(truth, a, b).drawn(every, DRAWN_METRICS, target=0.01, draws=30)
    none = np.where(a < -1, -np.inf, np.exp(a))
    np.testing.assert_array_equal(
        PairScores(truth, np.where(a < -1, -9.0, a), b).drawn(every, DRAWN_METRICS, target=0.01, draws=30),
        PairScores(truth, none, 7 * b).drawn(every, DRAWN_METRICS, target=0.01, draws=30),
    )
    assert one.std() > 0


def test_the_threshold_of_elsewhere_is_drawn_too() -> None:
    """A slice with many genuine pairs, whose threshold ten impostors elsewhere have set."""
    truth, a, b = population(5_000, 1_000)
    few = np.cumsum(~truth) <= 200
    everywhere = PairScores(truth, a, b).drawn(truth, ["fnmr_at_fmr"], target=0.05, draws=300)
    elsewhere = PairScores(truth, a, b, base=few).drawn(truth, ["fnmr_at_fmr"], target=0.05, draws=300)
    of_pairs_alone = np.sqrt(0.25 / 5_000)
    assert of_pairs_alone < everywhere[:, 0, 0].std() < 0.7 * elsewhere[:, 0, 0].std()


def test_what_is_told_of_draws() -> None:
    dice = np.random.default_rng(0)
    drawn = np.stack([0.2 + 0.01 * dice.normal(size=400), 0.1 + 0.01 * dice.normal(size=400)], axis=1)
    it = told_of_draws("x", (0.2, 0.1), drawn, n=900)
    error = (drawn[:, 1] - drawn[:, 0]).std(ddof=1)
    assert it.n == 900
    assert [it.difference, it.standard_error] == pytest.approx([-0.1, error])
    assert [it.low, it.high] == pytest.approx([-0.1 - 1.959964 * error, -0.1 + 1.959964 * error])
    assert it.p is not None
    assert it.p < 1e-8
    assert it.a_low == pytest.approx(0.2 - 1.959964 * drawn[:, 0].std(ddof=1))
    wider = told_of_draws("x", (0.2, 0.1), drawn, n=900, clusters=5)
    assert wider.low is not None
    assert wider.low < -0.1 - 2.776 * error
    assert wider.reason == "there are 5 clusters only"
    rare = told_of_draws("x", (0.2, 0.1), drawn, n=900, trials=20)
    assert rare.standard_error == pytest.approx(np.hypot(error, 1 / 20))


@pytest.mark.parametrize(
    ("drawn", "given", "reason"),
    [
        (np.full((100, 2), 0.1), {}, "in no draw do the models differ in it: how far they may cannot be told"),
        (np.full((100, 2), np.nan), {}, "undefined in 100 of 100 draws: there are too few pairs"),
        (np.full((100, 2), 0.1), {"clusters": 1}, "all pairs are of one cluster"),
    ],
)
def test_what_cannot_be_told_has_a_reason(drawn: Floats, given: dict[str, int], reason: str) -> None:
    it = told_of_draws("x", (0.1, 0.1), drawn, n=9, **given)  # type: ignore[arg-type]
    assert (it.low, it.high, it.reason) == (None, None, reason)


def test_a_rare_error_of_one_model_has_wilsons_interval() -> None:
    dice = np.random.default_rng(3)
    for errors, trials in ((0, 378), (1, 350)):
        one = dice.binomial(trials, errors / trials, 2_000) / trials
        it = told_of_draws(
            "fmr", (errors / trials,) * 2, np.stack([one, one], axis=1), n=trials, trials=trials, itself=True
        )
        low, high = wilson_interval(np.array(float(errors)), np.array(float(trials)), 1.959964)
        assert (it.a_low, it.a_high) == pytest.approx((float(low), float(high)), rel=0.05)
        assert (it.low, it.high, it.p, it.standard_error, it.reason) == (0, 0, 1, 0, None)


def test_a_rate_whose_threshold_varies_has_a_wider_interval_than_its_pairs_tell() -> None:
    drawn = np.clip(0.1 + 0.04 * np.random.default_rng(4).normal(size=(800, 2)), 0, 1)
    it = told_of_draws("fnmr", (0.1, 0.1), drawn, n=500, trials=500)
    assert it.a_low is not None
    assert it.a_high is not None
    assert it.a_high - it.a_low == pytest.approx(2 * 1.96 * 0.04, rel=0.1)
    assert it.a_high - 0.1 > 0.1 - it.a_low > 0, "it leans towards more"


def test_values_vary_where_their_difference_does_not() -> None:
    one = 0.1 + 0.01 * np.random.default_rng(5).normal(size=400)
    drawn = np.stack([one, one], axis=1)
    agreeing, itself = (told_of_draws("x", (0.1, 0.1), drawn, n=9, itself=same) for same in (False, True))
    assert agreeing.low is None
    assert "in no draw do the models differ" in str(agreeing.reason)
    assert (itself.low, itself.high, itself.p, itself.reason) == (0, 0, 1, None)
    for it in (agreeing, itself):
        assert it.a_low == pytest.approx(0.1 - 1.959964 * one.std(ddof=1))
    constant = told_of_draws("x", (0.0, 0.0), np.zeros((100, 2)), n=9, itself=True)
    assert (constant.a_low, constant.reason) == (
        None,
        "in all draws it is the same: how far it may vary cannot be told",
    )
