"""Two detectors on the same images: how sure the difference of what was measured of all images is.

Counts (true and false positives, false negatives) add up over images, so that precision, recall and F1 take the
jackknife over images in closed form. Of average precision and recall it is known what each image does to them
(`compare_changes`); by request their standard error comes from drawing images again, with the matches as they are.
Intervals and p-values are Student's, with as many degrees of freedom as there are images that tell of the metric, or
draws, if they are fewer, less one.

Sources:
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), sections 6.4 and 11.5; with clusters
    J. MacKinnon, M. Nielsen and M. Webb, Journal of Econometrics 232 (2023) 272 (CV3).
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from localreg.statistics.distributions import t_quantile, t_sf
from localreg.statistics.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["ALIKE", "COUNT_METRICS", "compare_changes", "compare_drawn", "compare_tallies", "undrawn"]

COUNT_METRICS = ("precision", "recall", "f1")
DEFINED = 0.9
"""Share of the draws that must give a value; with fewer the error would be one of the draws that were kind."""
ROUNDING = 1e-12
ALIKE = "on no image do the models differ in it: how far they may cannot be told"


def compare_tallies(
    a: Ints, b: Ints, *, metrics: Sequence[str], groups: Ints | None = None, confidence: float = 0.95
) -> list[Estimate]:
    """Precision, recall and F1 over all images.

    Args:
        a: (images, 3), true positives, false positives and false negatives of the first model.
        b: the same of the second one.
        metrics: of `COUNT_METRICS`.
        groups: (images,), the cluster of each image; None = each for itself.
        confidence: of the interval.
    """
    import numpy as np

    n = len(a)
    if groups is not None:
        members = np.unique(groups, return_inverse=True)[1]
        a, b = (_of_groups(each, members) for each in (a, b))
    sums = [each.sum(axis=0) for each in (a, b)]
    values = [_ratios(each) for each in sums]
    left = [_ratios((whole - each).T) for whole, each in zip(sums, (a, b), strict=True)]
    found = []
    for metric in metrics:
        value_a, value_b = (_defined(each[metric]) for each in values)
        if value_a is None or value_b is None:
            found.append(_bare(metric, value_a, value_b, n, _why_undefined(metric, value_a, value_b)))
            continue
        if len(a) < 2:
            what = "there is one image only" if n < 2 else "all images are of one cluster"
            found.append(_bare(metric, value_a, value_b, n, what))
            continue
        changes = [each[metric] for each in left]
        errors = [_jackknifed(each) for each in (*changes, changes[1] - changes[0])]
        found.append(_told(metric, (value_a, value_b), n, errors, len(a) - 1, confidence))
    return found


def compare_changes(
    metric: str,
    values: tuple[float | None, float | None],
    changes: tuple[Floats, Floats],
    *,
    n: int,
    holding: int,
    rounding: tuple[float, float] = (0.0, 0.0),
    confidence: float = 0.95,
) -> Estimate:
    """A metric in [0, 1] of which it is known what each image does to it.

    Args:
        metric: its name.
        values: of both models.
        changes: of both models, (units,): derivatives by how often an image, or a cluster of them, counts.
        n: images.
        holding: how many units there are in which something can be found.
        rounding: of both models, variance that derivatives do not tell of.
        confidence: of the interval.

    Source:
        L. Jaeckel, The Infinitesimal Jackknife, Bell Laboratories Memorandum MM 72-1215-11 (1972).
    """
    a, b = values
    if a is None or b is None:
        return _bare(metric, a, b, n, "there is no such object")
    units = len(changes[0])
    if units < 2:
        return _bare(metric, a, b, n, "there is one image only" if n < 2 else "all images are of one cluster")
    if holding < 2:
        what = "one image alone" if n == units else "one cluster alone"
        return _bare(metric, a, b, n, f"{what} has such objects: how far it may vary cannot be told")
    columns = (*changes, changes[1] - changes[0])
    squares = [float(each @ each) * units / (units - 1) for each in columns]
    if squares[2] < ROUNDING**2:  # the same images do the same: steps of recall are the same, too
        return _told(metric, (a, b), n, (*map(sqrt, squares[:2]), 0.0), holding - 1, confidence)
    more = (*rounding, sum(rounding))
    errors = [sqrt(square + each) for square, each in zip(squares, more, strict=True)]
    return _told(metric, (a, b), n, errors, holding - 1, confidence)


def compare_drawn(
    metric: str,
    values: tuple[float | None, float | None],
    drawn: Floats,
    *,
    n: int,
    units: int,
    confidence: float = 0.95,
) -> Estimate:
    """A metric in [0, 1] of which the values on images drawn again are known.

    Args:
        metric: its name.
        values: of both models on the images as they are.
        drawn: (draws, 2), of both models on the same images drawn; NaN = undefined.
        n: images.
        units: what was drawn: images, or clusters of them.
        confidence: of the interval.
    """
    import numpy as np

    a, b = values
    if a is None or b is None:
        return _bare(metric, a, b, n, "there is no such object")
    if units < 2:
        return _bare(metric, a, b, n, "there is one image only" if n < 2 else "all images are of one cluster")
    known = drawn[~np.isnan(drawn).any(axis=1)]
    if len(known) < DEFINED * len(drawn):
        reason = f"undefined in {len(drawn) - len(known)} of {len(drawn)} draws of images: too few have such objects"
        return _bare(metric, a, b, n, reason)
    widened = sqrt(units / (units - 1))  # draws vary by the variance ÷ n, and an estimate has it ÷ (n - 1)
    columns = (known[:, 0], known[:, 1], known[:, 1] - known[:, 0])
    errors = [float(each.std(ddof=1)) * widened for each in columns]
    return _told(metric, (a, b), n, errors, min(units, len(known)) - 1, confidence)


def undrawn(metric: str, values: tuple[float | None, float | None], n: int, reason: str) -> Estimate:
    """A metric of which nobody drew images again."""
    a, b = values
    return _bare(metric, a, b, n, "there is no such object" if a is None or b is None else reason)


def _of_groups(tallies: Ints, members: Ints) -> Ints:
    import numpy as np

    sums = np.zeros((int(members.max(initial=-1)) + 1, 3), np.int64)
    np.add.at(sums, members, tallies)
    return sums


def _ratios(tallies: Ints) -> dict[str, Floats]:
    """Of TP, FP and FN, in rows; NaN where undefined."""
    import numpy as np

    tp, fp, fn = (np.asarray(each, np.float64) for each in tallies)
    with np.errstate(invalid="ignore"):
        return {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "f1": 2 * tp / (2 * tp + fp + fn)}


def _defined(value: Floats) -> float | None:
    return None if value != value else float(value)


def _why_undefined(metric: str, a: float | None, b: float | None) -> str:
    if metric == "recall":
        return "there is no object"
    nothing = "nothing is detected" if metric == "precision" else "nothing is detected, and there is no object"
    return nothing if a is None and b is None else f"{nothing} by model {'a' if a is None else 'b'}"


def _jackknifed(without: Floats) -> float | None:
    """The standard error by the values without each unit; None if one of them is undefined."""
    import numpy as np

    units = len(without)
    spread = float(np.square(without - without.mean()).sum())
    return None if spread != spread else sqrt((units - 1) / units * spread)


def _told(
    metric: str, values: tuple[float, float], n: int, errors: Sequence[float | None], df: float, confidence: float
) -> Estimate:
    a, b = values
    error, quantile = errors[2], t_quantile((1 + confidence) / 2, df)
    if error is None:
        return _bare(metric, a, b, n, "without one of the images nothing would be defined")
    difference = b - a
    ends = [
        None if own is None else min(1.0, max(0.0, value + sign * quantile * own))
        for value, own in zip(values, errors[:2], strict=True)
        for sign in (-1, 1)
    ]
    if error < ROUNDING:
        if abs(difference) > ROUNDING:
            return _bare(metric, a, b, n, "all images tell the same difference: how far it may vary cannot be told")
        return Estimate(
            metric, None, a, b, difference, None, None, 1.0, n, 0.0, ends[0], ends[1], ends[2], ends[3], ALIKE
        )
    return Estimate(
        metric,
        None,
        a,
        b,
        difference,
        low=max(-1.0, difference - quantile * error),
        high=min(1.0, difference + quantile * error),
        p=min(1.0, 2 * t_sf(abs(difference) / error, df)),
        n=n,
        standard_error=error,
        a_low=ends[0],
        a_high=ends[1],
        b_low=ends[2],
        b_high=ends[3],
    )


def _bare(metric: str, a: float | None, b: float | None, n: int, reason: str) -> Estimate:
    difference = None if a is None or b is None else b - a
    return Estimate(metric, None, a, b, difference, None, None, None, n, reason=reason)
