"""Tests for two models on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import comb, exp, sqrt
from operator import index
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.statistics.distributions import binomial_log_tail, t_quantile, t_sf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["PairedSums", "PairedTest", "SignFlip", "mcnemar_exact", "paired_t", "seed_of", "sign_flip"]

EXACT_UPTO = 1_000
"""Discordant pairs up to which the sum is done in whole numbers, correctly rounded."""
ALL_SIGNS_UPTO = 20
"""Pairs up to which all 2ⁿ signs are gone through."""
BLOCK = 1 << 20
"""Random bytes, of eight signs each, that are held at once."""


def mcnemar_exact(fixed: int, broken: int) -> float:
    """Exact two-sided p-value of McNemar's test: could the discordant pairs be the throws of a fair coin?

    Args:
        fixed: pairs that the first model got wrong and the second right; 0 or more.
        broken: pairs that the first model got right and the second wrong; 0 or more.

    Returns:
        Twice the binomial tail P(X <= min(fixed, broken)), X ~ B(fixed + broken, 1/2), at most 1; 1 if there is no
        discordant pair. Up to 1,000 pairs correctly rounded, beyond to about 12 digits.

    Raises:
        InvalidInputError: a count is negative, or no whole number.

    Source:
        Q. McNemar, Psychometrika 12 (1947) 153; exact form as in A. Agresti, Categorical Data Analysis, 3rd ed.
        (2013), section 11.1.
    """
    try:
        fixed, broken = index(fixed), index(broken)  # numpy's integers would overflow below
    except TypeError as error:
        raise InvalidInputError(f"fixed is {fixed!r} and broken is {broken!r}; counts are whole numbers") from error
    if fixed < 0 or broken < 0:
        raise InvalidInputError(f"fixed is {fixed} and broken is {broken}; counts are 0 or more")
    total, few = fixed + broken, min(fixed, broken)
    if 2 * few >= total:
        return 1.0  # the tail holds at least half of all throws
    if total <= EXACT_UPTO:
        return min(1.0, 2 * sum(comb(total, k) for k in range(few + 1)) / (1 << total))
    return min(1.0, 2 * exp(binomial_log_tail(few, total)))


@dataclass(frozen=True)
class PairedSums:
    """Of differences b - a of pairs: all that a t test needs, and can be added up over parts.

    Attributes:
        n: pairs.
        mean: of the differences; 0 of none.
        m2: sum of squared deviations from the mean.
        mean_a: of the first values.
        mean_b: of the second values.
    """

    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    mean_a: float = 0.0
    mean_b: float = 0.0

    @staticmethod
    def of(a: ArrayLike, b: ArrayLike) -> PairedSums:
        """From two columns (n,) of finite numbers."""
        a, b = _pair(a, b)
        if not len(a):
            return PairedSums()
        differences = b - a
        mean = float(differences.mean())
        deviations = differences - mean
        # The second term takes back what rounding of the mean costs.
        m2 = float(deviations @ deviations) - float(deviations.sum()) ** 2 / len(a)
        return PairedSums(len(a), mean, max(0.0, m2), float(a.mean()), float(b.mean()))

    def __add__(self, other: PairedSums) -> PairedSums:
        """Of both parts together.

        Source:
            T. Chan, G. Golub and R. LeVeque, The American Statistician 37 (1983) 242.
        """
        n = self.n + other.n
        if not n:
            return self
        apart, share = other.mean - self.mean, other.n / n
        return PairedSums(
            n,
            self.mean + apart * share,
            self.m2 + other.m2 + apart * apart * self.n * share,
            self.mean_a + (other.mean_a - self.mean_a) * share,
            self.mean_b + (other.mean_b - self.mean_b) * share,
        )


@dataclass(frozen=True)
class PairedTest:
    """Means of paired values, and their difference.

    Attributes:
        n: pairs.
        a: mean of the first values; None = there are none.
        b: mean of the second values.
        difference: b - a.
        low: lower end of its confidence interval; None = fewer than two pairs.
        high: upper end.
        p: two-sided; of pairs that all differ by the same, 0, or 1 if that is nothing.
        standard_error: of the difference.
    """

    n: int
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    standard_error: float | None


def paired_t(sums: PairedSums, *, confidence: float = 0.95) -> PairedTest:
    """Student's t test of paired values: does the mean difference differ from 0?

    Exact for normal differences, and for others as n grows; see `sign_flip` for few.

    Source:
        Student, Biometrika 6 (1908) 1.
    """
    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence is {confidence}; it must lie between 0 and 1")
    if sums.n < 2:
        if not sums.n:
            return PairedTest(0, None, None, None, None, None, None, None)
        return PairedTest(1, sums.mean_a, sums.mean_b, sums.mean, None, None, None, None)
    error = sqrt(sums.m2 / (sums.n - 1) / sums.n)
    half = t_quantile((1 + confidence) / 2, sums.n - 1) * error
    p = 2 * t_sf(abs(sums.mean) / error, sums.n - 1) if error > 0 else float(sums.mean == 0)
    return PairedTest(
        sums.n, sums.mean_a, sums.mean_b, sums.mean, sums.mean - half, sums.mean + half, min(1.0, p), error
    )


@dataclass(frozen=True)
class SignFlip:
    """What `sign_flip` found.

    Attributes:
        p: two-sided p-value; 1 of no pairs.
        n: pairs.
        draws: random sets of signs; None = all were gone through, and p is exact.
        error: standard error of p by the luck of the draws; 0 = p is exact.
    """

    p: float
    n: int
    draws: int | None
    error: float


def sign_flip(a: ArrayLike, b: ArrayLike, *, draws: int = 9_999) -> SignFlip:
    """Permutation test of paired values: is the sum of differences far out among all that exchanged pairs would give?

    Assumes only that pairs could as well have come the other way round; no normality. Up to 20 pairs that differ, all
    signs are gone through; beyond, random ones, whose seed is the digest of the differences: equal columns, equal p.

    Args:
        a: (n,), finite numbers.
        b: (n,), the same of the other model.
        draws: how many random sets of signs.

    Source:
        R. Fisher, The Design of Experiments (1935), section 21; the random form, which counts the observed signs as
        one draw, B. Phipson and G. Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010) 39.
    """
    import numpy as np

    if draws < 1:
        raise InvalidInputError(f"draws is {draws}; there must be one or more")
    first, second = _pair(a, b)
    n, differences = len(first), second - first
    differences = differences[differences != 0]  # a sign changes nothing of these
    if not len(differences):
        return SignFlip(1.0, n, None, 0.0)
    sizes = np.abs(differences)
    # Sums that are equal but for rounding count as equal.
    observed = abs(float(differences.sum())) - 1e-9 * float(sizes.sum())
    if len(sizes) <= ALL_SIGNS_UPTO:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate([sums - size, sums + size])
        return SignFlip(float(np.mean(np.abs(sums) >= observed)), n, None, 0.0)
    generator = np.random.Generator(np.random.PCG64(seed_of(differences)))
    tables = _tables(sizes)
    at_once = max(1, BLOCK // len(tables))
    beyond = 0
    for start in range(0, draws, at_once):
        turned = _turned(tables, min(at_once, draws - start), generator)
        beyond += int((np.abs(float(sizes.sum()) - 2 * turned) >= observed).sum())
    p = (beyond + 1) / (draws + 1)
    return SignFlip(p, n, draws, sqrt(p * (1 - p) / draws))


def _tables(sizes: Floats) -> Floats:
    """For each eight pairs, (256,): the sum of those that a byte turns negative."""
    import numpy as np

    eights = np.zeros((len(sizes) + 7) // 8 * 8)
    eights[: len(sizes)] = sizes
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return np.ascontiguousarray(eights.reshape(-1, 8) @ bits.T.astype(np.float64))


def _turned(tables: Floats, draws: int, generator: np.random.Generator) -> Floats:
    """What random signs turn negative, (draws,): one look-up for eight pairs."""
    import numpy as np

    eights = len(tables)
    drawn = np.frombuffer(generator.bytes(draws * eights), dtype=np.uint8).reshape(draws, eights)
    return np.asarray(tables.ravel()[drawn + 256 * np.arange(eights)].sum(axis=1))


def seed_of(*columns: ArrayLike) -> int:
    """A seed that follows from numbers: the first 16 bytes of the SHA-256 of their shapes and little-endian float64."""
    import numpy as np

    digest = sha256()
    for column in columns:
        array = np.ascontiguousarray(column, dtype="<f8")
        digest.update(repr(array.shape).encode())
        digest.update((array + 0.0).tobytes())  # -0.0 is 0.0
    return int.from_bytes(digest.digest()[:16], "little")


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    import numpy as np

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise InvalidInputError(f"a has shape {first.shape} and b {second.shape}; both must be (n,)")
    for name, values in (("a", first), ("b", second)):
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise InvalidInputError(
                f"{name} is {values[wrong[0]]} in row {wrong[0]}; leave out pairs without both values"
            )
    return first, second
