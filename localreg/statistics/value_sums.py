"""Metrics of predicted numbers as functions of sums, with each sample, or each cluster, left out in turn.

A sum without one sample is the sum less what the sample adds, so the jackknife needs two passes over the columns and no
metric computed anew. Truth and predictions are taken relative to their means first: sums of squares of large numbers
would lose what tells them apart.

Sources:
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 11; with clusters J. MacKinnon,
    M. Nielsen and M. Webb, Journal of Econometrics 232 (2023) 272 (CV3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.statistics.value_columns import Columns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Adding", "Spread", "left_out", "total_of", "values_of"]

AT_ONCE = 1 << 16
"""Rows that are looked at in one go: what is made of them stays near the processor."""
CONSTANT = 1e-12
"""A sum of squared deviations below this share of the whole is rounding."""


@dataclass(frozen=True, eq=False)
class Adding:
    """What one model's samples add to sums.

    Attributes:
        truth: (n,), relative to its mean.
        said: (n,), relative to its mean.
        errors: (n,), said - truth, as they are.
        shares: whether errors are wanted as shares of the truth; then `true` is the truth as it is.
    """

    truth: Floats
    said: Floats
    errors: Floats
    true: Floats
    shares: bool

    def adds(self, rows: slice | Ints) -> Floats:
        """(10, rows): 1, t, t², e², v, v², tv, |e|, e, |e / t|."""
        import numpy as np

        t, v, e = self.truth[rows], self.said[rows], self.errors[rows]
        share = np.abs(e / self.true[rows]) if self.shares else np.zeros_like(e)
        return np.stack([np.ones_like(t), t, t * t, e * e, v, v * v, t * v, np.abs(e), e, share])


def values_of(sums: Floats, whole: Floats) -> dict[str, Floats]:
    """Metrics of sums (10, …); NaN where undefined. `whole` are those of all samples."""
    import numpy as np

    n, t, tt, ee, v, vv, tv, absolute, errors, shares = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations, said = tt - t * t / n, vv - v * v / n
        deviations = np.where(deviations > CONSTANT * whole[2], deviations, np.nan)
        said = np.where(said > CONSTANT * whole[5], said, np.nan)
        squared = np.maximum(0.0, ee) / n
        return {
            "mean_absolute_error": absolute / n,
            "mean_squared_error": squared,
            "mean_absolute_percentage_error": shares / n,
            "mean_bias": errors / n,
            "root_mean_squared_error": np.sqrt(squared),
            "r2": 1 - n * squared / deviations,
            "pearson": np.clip((tv - t * v / n) / np.sqrt(deviations * said), -1, 1),
        }


@dataclass
class Spread:
    """What is to be known of changes, one for each unit left out, of a, of b, and of b - a."""

    count: int
    first: Floats
    second: Floats

    @classmethod
    def of(cls, a: Floats, b: Floats) -> Spread:
        """From the changes of both models, (units,)."""
        import numpy as np

        changes = np.stack([a, b, b - a])
        return cls(len(a), changes.sum(axis=1), (changes * changes).sum(axis=1))

    def add(self, other: Spread) -> None:
        """Take up those of other units."""
        self.count += other.count
        self.first = self.first + other.first
        self.second = self.second + other.second

    def errors(self) -> list[float]:
        """Standard errors of a, of b, of the difference; NaN where a unit left out leaves nothing defined."""
        import numpy as np

        spread = np.maximum(0.0, self.second - self.first * self.first / self.count)
        return [float(each) for each in np.sqrt((self.count - 1) / self.count * spread)]


def total_of(model: Adding, n: int) -> Floats:
    """The sums of all samples, (10,)."""
    import numpy as np

    total = np.zeros(10)
    for begin in range(0, n, AT_ONCE):
        total += model.adds(slice(begin, begin + AT_ONCE)).sum(axis=1)
    return total


def left_out(columns: Columns, models: Sequence[Adding], wholes: Sequence[Floats]) -> Iterator[list[dict[str, Floats]]]:
    """Metrics of both models without each of some units."""
    import numpy as np

    if columns.groups is None:
        for begin in range(0, columns.n, AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            yield [
                values_of(whole[:, None] - model.adds(rows), whole) for model, whole in zip(models, wholes, strict=True)
            ]
        return
    sums = [np.zeros((10, columns.units)) for _ in models]
    for begin in range(0, columns.n, AT_ONCE):
        rows = slice(begin, begin + AT_ONCE)
        group = columns.groups[rows]
        for total, model in zip(sums, models, strict=True):
            total += np.stack([np.bincount(group, each, minlength=columns.units) for each in model.adds(rows)])
    yield [values_of(whole[:, None] - own, whole) for whole, own in zip(wholes, sums, strict=True)]
