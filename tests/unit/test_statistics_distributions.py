from __future__ import annotations

from math import exp, inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.statistics.distributions import (
    binomial_log_pmf,
    binomial_log_tail,
    normal_cdf,
    normal_quantile,
    normal_sf,
    t_cdf,
    t_quantile,
    t_sf,
)

stats = pytest.importorskip("scipy.stats")

DEGREES = [0.5, 1, 1.5, 2, 3, 4.5, 7, 10, 30, 50, 99, 100, 101, 199, 500, 999, 1e4, 99_999, 1e6, 1e7, 1e8]
PLACES = [1e-5, 0.001, 0.1, 0.5, 1, 1.5, 1.96, 1.999, 2, 2.001, 2.3, 2.45, 3, 4, 5, 8, 12, 20, 37, 60, 1_000]


@pytest.mark.parametrize("df", DEGREES)
def test_the_tails_of_students_t_are_those_of_scipy(df: float) -> None:
    for t in PLACES:
        expected = float(stats.t.sf(t, df))
        if expected > 1e-290:  # below, scipy loses digits
            assert t_sf(t, df) == pytest.approx(expected, rel=1e-12)
            assert t_cdf(-t, df) == t_sf(t, df)
        assert t_sf(-t, df) == pytest.approx(float(stats.t.sf(-t, df)), rel=1e-13)


@pytest.mark.parametrize("df", DEGREES)
def test_the_quantiles_of_students_t_are_those_of_scipy(df: float) -> None:
    for probability in [1e-20, 1e-10, 1e-6, 0.0005, 0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.45, 0.5, 0.7, 0.975, 0.9999]:
        expected = float(stats.t.ppf(probability, df))
        assert t_quantile(probability, df) == pytest.approx(expected, rel=1e-11, abs=1e-14)


def test_endless_degrees_of_freedom_are_the_normal_distribution() -> None:
    assert t_sf(1.5, inf) == normal_sf(1.5)
    assert t_quantile(0.975, inf) == normal_quantile(0.975)
    assert (t_sf(inf, 5), t_sf(-inf, 5), t_sf(0, 5)) == (0, 1, 0.5)


@given(st.floats(1e-300, 1 - 1e-12))
def test_the_normal_quantile_is_that_of_scipy(probability: float) -> None:
    expected = float(stats.norm.ppf(probability))
    assert normal_quantile(probability) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@given(st.floats(-37, 37))
def test_the_normal_tail_is_that_of_scipy(z: float) -> None:
    assert normal_sf(z) == pytest.approx(float(stats.norm.sf(z)), rel=1e-12)
    assert normal_cdf(z) == pytest.approx(float(stats.norm.cdf(z)), rel=1e-12)


@settings(deadline=None)
@given(st.integers(0, 3_000), st.floats(0.001, 0.999), st.data())
def test_binomial_tails_are_those_of_scipy(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(-1, n + 1))
    for upper in (False, True):
        expected = float(stats.binom.logsf(k - 1, n, p) if upper else stats.binom.logcdf(k, n, p))
        if expected > -600:
            assert binomial_log_tail(k, n, p, upper=upper) == pytest.approx(expected, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 12), (400, 1_000), (499, 1_000), (600, 1_000), (980, 2_000)])
def test_binomial_tails_of_a_fair_coin_are_those_of_whole_numbers(k: int, n: int) -> None:
    from math import comb, log

    total = sum(comb(n, i) for i in range(k + 1))
    assert binomial_log_tail(k, n) == pytest.approx(log(total) - n * log(2), rel=1e-12)
    assert binomial_log_pmf(k, n, 0.5) == pytest.approx(log(comb(n, k)) - n * log(2), rel=1e-12)


def test_a_hundred_million_throws_take_no_time_and_keep_their_digits() -> None:
    # Computed with mpmath at 40 digits.
    assert binomial_log_pmf(49_999_000, 10**8, 0.5) == pytest.approx(-9.456131726922244, rel=1e-13)
    assert exp(binomial_log_tail(49_990_000, 10**8)) == pytest.approx(0.02275513, rel=1e-3)


@pytest.mark.parametrize(
    ("k", "n", "p", "lower", "upper"),
    [
        (0, 0, 0.5, 1, 1),
        (-1, 5, 0.5, 0, 1),
        (5, 5, 0.5, 1, 0.5**5),
        (3, 5, 0.0, 1, 0),
        (3, 5, 1.0, 0, 1),
        (5, 5, 1, 1, 1),
    ],
)
def test_binomial_tails_at_the_edge(k: int, n: int, p: float, lower: float, upper: float) -> None:
    assert exp(binomial_log_tail(k, n, p)) == pytest.approx(lower)
    assert exp(binomial_log_tail(k, n, p, upper=True)) == pytest.approx(upper)


def test_what_is_out_of_range_is_refused() -> None:
    for df in (0, -1, nan):
        with pytest.raises(InvalidInputError, match="degrees of freedom"):
            t_sf(1, df)
        with pytest.raises(InvalidInputError, match="degrees of freedom"):
            t_quantile(0.3, df)
    with pytest.raises(InvalidInputError, match="not a number"):
        t_sf(nan, 3)
    for probability in (0, 1, -1, nan):
        with pytest.raises(InvalidInputError, match="between 0 and 1"):
            normal_quantile(probability)
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        binomial_log_tail(1, 2, 1.5)


def test_quantile_and_tail_are_inverse_to_each_other() -> None:
    for df in (1, 3, 29, 500, 1e5):
        for probability in np.geomspace(1e-12, 0.5, 20)[:-1]:
            assert t_cdf(t_quantile(float(probability), df), df) == pytest.approx(probability, rel=1e-12)
