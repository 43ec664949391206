"""Student's t, the normal and the binomial distribution, to about 13 digits, from numpy and the standard library alone.

Tails keep their relative precision however small they are, so a p-value of 1e-200 is one.
"""

from __future__ import annotations

from functools import lru_cache
from math import erfc, exp, inf, isnan, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "binomial_log_pmf",
    "binomial_log_tail",
    "normal_cdf",
    "normal_quantile",
    "normal_sf",
    "t_cdf",
    "t_quantile",
    "t_sf",
]

EPSILON = 1e-17
TINY = 1e-300
MAX_TERMS = 1_000_000
MANY = 100
"""Degrees of freedom beyond which tails are integrated."""
FALL = 45.0
"""Where tails are cut off: at exp(-FALL) of their beginning."""


def normal_sf(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * erfc(z / sqrt(2))


def normal_cdf(z: float) -> float:
    """P(Z <= z)."""
    return normal_sf(-z)


@lru_cache(maxsize=256)
def normal_quantile(probability: float) -> float:
    """The z with P(Z <= z) = probability, which lies between 0 and 1."""
    _check_probability(probability)
    if probability > 0.5:
        return -normal_quantile(1 - probability)
    z = NormalDist().inv_cdf(probability)
    density = exp(-z * z / 2) / sqrt(2 * pi)
    return z - (normal_cdf(z) - probability) / density if density > 0 else z


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` degrees of freedom; any df > 0, infinity too."""
    return t_sf(-t, df)


def t_sf(t: float, df: float) -> float:
    """P(T > t) for Student's t with `df` degrees of freedom; any df > 0, infinity too.

    Source:
        M. Abramowitz and I. Stegun, Handbook of Mathematical Functions (1964), 26.7.1 and 26.5.8 (continued fraction of
        the incomplete beta function), by Lentz's method.
    """
    if not df > 0:
        raise InvalidInputError(f"df is {df}; degrees of freedom are more than 0")
    if isnan(t):
        raise InvalidInputError("t is not a number")
    if df == inf or t in (inf, -inf):
        return normal_sf(t)
    tail = _t_tail(abs(t), df)
    return tail if t >= 0 else 1 - tail


@lru_cache(maxsize=4096)
def t_quantile(probability: float, df: float) -> float:
    """The t with P(T <= t) = probability, which lies between 0 and 1."""
    _check_probability(probability)
    if probability > 0.5:
        return -t_quantile(1 - probability, df)
    if not df > 0:
        raise InvalidInputError(f"df is {df}; degrees of freedom are more than 0")
    if df == inf or probability == 0.5:
        return normal_quantile(probability)
    return -_t_upper(probability, df)


def binomial_log_pmf(k: int, n: int, p: float) -> float:
    """Log P(X = k) for X ~ B(n, p).

    Source:
        C. Loader, Fast and accurate computation of binomial probabilities (2000): Stirling's error and deviances, which
        do not cancel as the logarithms of factorials do.
    """
    if not 0 <= k <= n:
        return -inf
    if p <= 0 or p >= 1:
        return 0.0 if k == (0 if p <= 0 else n) else -inf
    if k in (0, n):
        return n * (log1p(-p) if k == 0 else log(p))
    errors = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    deviances = _deviance(k, n * p) + _deviance(n - k, n * (1 - p))
    return errors - deviances + 0.5 * (log(n) - log(2 * pi) - log(k) - log(n - k))


def binomial_log_tail(k: int, n: int, p: float = 0.5, *, upper: bool = False) -> float:
    """Log P(X <= k), or with `upper` log P(X >= k), for X ~ B(n, p); -inf = impossible.

    Takes time in proportion to the standard deviation: milliseconds at n = 10⁸.
    """
    if not 0 <= p <= 1 or n < 0:
        raise InvalidInputError(f"n is {n} and p is {p}; n must be 0 or more, and p between 0 and 1")
    if upper:
        k, p = n - k, 1 - p  # the other tail of what did not happen
    if k < 0:
        return -inf
    if k >= n or p == 0:
        return 0.0
    if p == 1:
        return -inf
    if k > n * p:  # the smaller tail is summed, the larger is what remains
        rest = _log_sum_down(n - k - 1, n, 1 - p)
        return log1p(-exp(rest)) if rest > -745 else 0.0
    return _log_sum_down(k, n, p)


def _log_sum_down(k: int, n: int, p: float) -> float:
    """Log P(X <= k) below the mean: the largest term, times a sum of falling ratios."""
    import numpy as np

    largest = binomial_log_pmf(k, n, p)
    # Each term is r = i (1 - p) / ((n - i + 1) p) of the one above; beyond 40 standard deviations nothing counts.
    down = np.arange(k, max(0, k - 40 * int(sqrt(n * p * (1 - p))) - 60), -1, dtype=np.float64)
    ratios = np.cumprod(down * (1 - p) / ((n - down + 1) * p))
    return largest + log1p(float(ratios.sum()))


def _stirling_error(n: int) -> float:
    """Log n! minus Stirling's approximation."""
    if n < 16:
        return lgamma(n + 1) - (n + 0.5) * log(n) + n - 0.5 * log(2 * pi)
    square = float(n) * n
    series = (1 / 1260 - (1 / 1680 - (1 / 1188 - 691 / 360360 / square) / square) / square) / square
    return (1 / 12 - (1 / 360 - series) / square) / n


def _deviance(x: float, mean: float) -> float:
    """X log(x / mean) + mean - x, without cancellation where x is near the mean."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * log(x / mean) + mean - x
    v = (x - mean) / (x + mean)
    total, term, odd = (x - mean) * v, 2 * x * v, 1
    while True:
        term *= v * v
        odd += 2
        new = total + term / odd
        if new == total:
            return total
        total = new


def _t_tail(t: float, df: float) -> float:
    """P(T > t), t >= 0: half the regularised incomplete beta function I(df / 2, 1 / 2) at df / (df + t²)."""
    if t == 0:
        return 0.5
    square = t * t
    if square == inf:  # far out the tail is a power of t
        return exp(_log_front(df) + df / 2 * (log(df) - 2 * log(t))) / df
    x, y = df / (df + square), square / (df + square)
    if y == 0:
        return 0.5
    front = exp(_log_front(df) - df / 2 * log1p(square / df) + 0.5 * log(y))
    if square < 4 and (df > 1 or x > 0.9):
        return 0.5 - front * _series(df, y)
    if df > MANY:
        return exp(_log_front(df) - 0.5 * log(df) - (df + 1) / 2 * log1p(square / df)) * _beyond(t, df)
    return front / df * _fraction(df / 2, 0.5, x)


def _beyond(t: float, df: float) -> float:
    """The tail divided by the density at t, where the continued fraction cancels: Gauss-Legendre quadrature."""
    import numpy as np

    nodes, weights = _nodes()
    furthest = df * ((1 + t * t / df) * exp(2 * FALL / (df + 1)) - 1)  # squared; the density has fallen to exp(-FALL)
    width = (furthest - t * t) / (sqrt(furthest) + t)
    further = nodes * width
    density = np.exp(-(df + 1) / 2 * np.log1p(further * (2 * t + further) / (df + t * t)))
    return float(width * (weights @ density))


@lru_cache(maxsize=1)
def _nodes() -> tuple[Floats, Floats]:
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(64)
    return (nodes + 1) / 2, weights / 2


def _log_front(df: float) -> float:
    """Log of 1 / B(df / 2, 1 / 2)."""
    a = df / 2
    if a < 20:
        return lgamma(a + 0.5) - lgamma(a) - 0.5 * log(pi)
    # log Γ(a + 1/2) - log Γ(a) by its asymptotic series: the difference of two large logarithms would lose digits.
    r = 1 / (a * a)
    series = -1 / 8 + r * (1 / 192 - r * (1 / 640 - r * (17 / 14336 - r * (31 / 18432 - r * 691 / 180224))))
    return 0.5 * log(a) + series / a - 0.5 * log(pi)


def _series(df: float, y: float) -> float:
    """P(0 < T < t) without the front factor: all terms positive, quick where t is small."""
    term = total = 1.0
    for n in range(MAX_TERMS):
        term *= (df / 2 + 0.5 + n) / (1.5 + n) * y
        total += term
        if term < total * EPSILON:
            break
    return total


def _fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, MAX_TERMS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + factor * d)
            c = _away(1 + factor / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > TINY else TINY


def _t_upper(probability: float, df: float) -> float:
    """The t > 0 with P(T > t) = probability < 1/2: Newton's steps on the logarithm of the tail, kept in a bracket."""
    target = log(probability)
    low, high = 0.0, inf
    t = max(1e-8, -normal_quantile(probability))
    if df < 30:  # the tail as a power of t: a start from which no bracket is needed far out
        t = max(t, exp((_log_front(df) - log(df) - target) / df + 0.5 * log(df)) * 0.5)
    for _ in range(500):
        tail = _t_tail(t, df)
        error = log(tail) - target if tail > 0 else -inf
        low, high = (t, high) if error > 0 else (low, t)
        density = exp(_log_front(df) - 0.5 * log(df) - (df + 1) / 2 * log1p(t * t / df)) if t < 1e150 else 0.0
        step = error * tail / density if density > 0 and tail > 0 else inf
        new = t + step
        if not low < new < high:
            new = 2 * t if high == inf else (low + high) / 2
        if abs(new - t) <= 4e-16 * abs(t):
            return new
        t = new
    return t


def _check_probability(probability: float) -> None:
    if not 0 < probability < 1:
        raise InvalidInputError(f"probability is {probability}; it must lie between 0 and 1")
