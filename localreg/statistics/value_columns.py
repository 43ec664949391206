"""Columns of numbers of two models, what stands in the way of a metric of them, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError
from localreg.statistics.counting import FEW_CLUSTERS
from localreg.statistics.estimate import Estimate
from localreg.statistics.value_of import is_constant

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Columns", "Told", "checked", "told", "undefined", "why_no_interval", "why_undefined"]


@dataclass(frozen=True, eq=False)
class Columns:
    """Numbers of two models on the same samples.

    Attributes:
        truth: float64 (n,); those of `a` where there is none.
        a: float64 (n,), of the first model.
        b: float64 (n,), of the second.
        groups: int64 (n,), the cluster of each sample, numbered from 0 without a gap; None = each for itself.
    """

    truth: Floats
    a: Floats
    b: Floats
    groups: Ints | None

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.a)

    @property
    def units(self) -> int:
        """Samples, or clusters: what is left out in turn."""
        return self.n if self.groups is None else int(self.groups.max(initial=-1)) + 1


def checked(given: dict[str, ArrayLike], groups: ArrayLike | None, confidence: float) -> Columns:
    """Columns of one length that hold finite numbers.

    Raises:
        InvalidInputError: they are something else, or confidence is out of range.
    """
    import numpy as np

    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence is {confidence}; it must lie between 0 and 1")
    columns = {name: np.asarray(each, dtype=np.float64) for name, each in given.items()}
    members = None if groups is None else np.asarray(groups)
    shapes = {name: each.shape for name, each in columns.items()}
    if members is not None:
        shapes["groups"] = members.shape
    if len(set(shapes.values())) > 1 or columns["a"].ndim != 1:
        raise InvalidInputError(f"columns have the shapes {shapes}; all must be (n,)")
    for name, column in columns.items():
        wrong = np.flatnonzero(~np.isfinite(column))
        if len(wrong):
            raise InvalidInputError(
                f"{name} is {column[wrong[0]]} in row {wrong[0]}; leave out rows without all numbers"
            )
    numbered = None if members is None else np.unique(members, return_inverse=True)[1].astype(np.int64)
    return Columns(columns.get("truth", columns["a"]), columns["a"], columns["b"], numbered)


def why_undefined(columns: Columns, metric: str) -> str | None:
    """Why a metric of predicted numbers is undefined; None = it is defined."""
    if columns.n == 0:
        return "there is no sample"
    if metric == "mean_absolute_percentage_error" and not columns.truth.all():
        return "a ground truth is 0, of which nothing is a share"
    if metric in ("r2", "pearson", "spearman") and is_constant(columns.truth):
        return "the ground truth is one value throughout" if columns.n > 1 else "there is one sample only"
    if metric in ("pearson", "spearman"):
        constant = " and ".join(name for name, said in (("a", columns.a), ("b", columns.b)) if is_constant(said))
        return f"model {constant} says one value throughout" if constant else None
    return None


def why_no_interval(columns: Columns) -> str | None:
    """Why nothing can tell how far a value might vary; None = it can be told."""
    if columns.n < 2:
        return "there is one sample only"
    return "all samples are of one cluster" if columns.units < 2 else None


def caution(columns: Columns) -> str | None:
    """What to beware of."""
    if columns.groups is None or columns.units >= FEW_CLUSTERS:
        return None
    return f"there are {columns.units} clusters only; with fewer than {FEW_CLUSTERS} intervals may be too narrow"


def undefined(metric: str, columns: Columns, values: tuple[float | None, float | None], reason: str) -> Estimate:
    """An estimate without an interval, and perhaps without values."""
    a, b = values
    difference = None if a is None or b is None else b - a
    return Estimate(metric, None, a, b, difference, None, None, None, columns.n, reason=reason)


class Told(NamedTuple):
    """How sure a difference is.

    Attributes:
        low: lower end of its interval.
        high: upper end.
        p: two-sided.
        error: its standard error.
        halves: half the widths of the intervals of a and of b; None = they have none.
    """

    low: float
    high: float
    p: float
    error: float | None
    halves: tuple[float, float] | None = None


def told(
    metric: str, columns: Columns, values: tuple[float, float], found: Told, limits: tuple[float, float]
) -> Estimate:
    """An estimate with its intervals, within what the metric may be."""
    (a, b), (least, most), span = values, limits, limits[1] - limits[0]
    ends: list[float | None] = [None] * 4
    if found.halves is not None:
        pairs = zip(values, found.halves, strict=True)
        ends = [end for value, half in pairs for end in (max(least, value - half), min(most, value + half))]
    return Estimate(
        metric,
        None,
        a,
        b,
        difference=b - a,
        low=max(-span, found.low),
        high=min(span, found.high),
        p=found.p,
        n=columns.n,
        standard_error=found.error,
        a_low=ends[0],
        a_high=ends[1],
        b_low=ends[2],
        b_high=ends[3],
        reason=caution(columns),
    )
