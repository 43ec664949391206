"""Counting metrics of two models from their joint counts, with the interval and the p-value of each difference.

| metric | interval of the difference | p-value | interval of a value |
|---|---|---|---|
| accuracy | jackknife, Student's t | McNemar, exact | Wilson |
| other metrics over all classes | jackknife, Student's t | Student's t | jackknife, Student's t, cut at the range |
| recall, specificity of a class | smoothed delta method, normal | McNemar, exact, within the class | Wilson |
| precision, F1 of a class | smoothed delta method, normal | the same | Wilson; of F1 what follows from it |

Degrees of freedom are Satterthwaite's, so that a class of few samples widens the intervals of what hangs on it. With
clusters all differences are jackknifed over clusters, and p-values are Student's t with (clusters - 1) degrees of
freedom: McNemar's test and Wilson's interval take samples for independent (there is no interval of a class's value by
itself then). Coverage is measured in `tests/simulations/coverage.py`. An exact test is stricter than an interval: at
the edge p may be above 1 - confidence while the interval leaves out 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.statistics.distributions import normal_quantile, normal_sf, t_quantile, t_sf
from localreg.statistics.estimate import Estimate
from localreg.statistics.jackknife import Errors, Pair, cluster_errors, design_effect, sample_errors
from localreg.statistics.marginals import AGGREGATES
from localreg.statistics.paired import mcnemar_exact
from localreg.statistics.per_class import PER_CLASS, ClassTables
from localreg.statistics.proportions import wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from localreg.statistics.joint import JointCounts

    Floats = NDArray[np.float64]

__all__ = ["FEW_CLUSTERS", "METRICS", "SIGNED", "compare_counts"]

METRICS = (*AGGREGATES, *PER_CLASS)
FEW_CLUSTERS = 20
"""Clusters below which the reason says that there are few (A. Cameron and D. Miller, Journal of Human Resources 50
(2015)
317, section VI: fewer than 20 to 50)."""
SIGNED = ("matthews_corrcoef", "cohen_kappa")
"""From -1 to 1; others from 0."""
OF_TRUTH = {"accuracy", "balanced_accuracy", "recall_macro", "recall_micro", "recall_weighted", "precision_micro"} | {
    "f1_micro"
}
"""What can be estimated from a ground truth of one class only: no false positive can occur in it."""
_mcnemar = lru_cache(maxsize=65_536)(mcnemar_exact)


def compare_counts(joint: JointCounts, *, metrics: Sequence[str] = METRICS, confidence: float = 0.95) -> list[Estimate]:
    """Compare two models by what their joint counts say.

    Args:
        joint: counts of (truth, a, b), see `joint_counts`; with groups, clusters are taken as a whole.
        metrics: any of `METRICS`. Macro averages are over the classes of the ground truth, as scikit-learn's with
            `labels=` of these; a class that is never predicted has precision 0 (`zero_division=0` there). Of single
            classes that holds, too, and the reason says so; recall without ground truth is undefined.
        confidence: level of all intervals.

    Returns:
        Estimates over all classes in the order of `metrics`, then those of each class that occurs, class by class.

    Raises:
        InvalidInputError: a metric is not known, or confidence does not lie between 0 and 1.
    """
    unknown = [metric for metric in metrics if metric not in METRICS]
    if unknown:
        raise InvalidInputError(f"no counting metric {unknown[0]!r}; there are {', '.join(METRICS)}")
    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence is {confidence}; it must lie between 0 and 1")
    overall = [metric for metric in metrics if metric in AGGREGATES]
    by_class = [metric for metric in metrics if metric in PER_CLASS]
    found = _overall(joint, overall, confidence) if overall else []
    return found + (_of_classes(joint, by_class, confidence) if by_class else [])


def clusters_of(joint: JointCounts) -> int | None:
    """How many clusters there are; None = none were named."""
    return None if joint.groups is None else joint.clusters()[0]


def _too_few(n: int, clusters: int | None) -> str | None:
    """Why no interval can be given."""
    if n < 2:
        return "there is no sample" if n == 0 else "there is one sample only"
    return "all samples are of one cluster" if clusters is not None and clusters < 2 else None


def _caution(clusters: int | None) -> str | None:
    if clusters is None or clusters >= FEW_CLUSTERS:
        return None
    return f"there are {clusters} clusters only; with fewer than {FEW_CLUSTERS} intervals may be too narrow"


# --- over all classes -------------------------------------------------------------------------------------------------


def _overall(joint: JointCounts, metrics: Sequence[str], confidence: float) -> list[Estimate]:
    n, clusters = joint.n, clusters_of(joint)
    if n == 0:
        return [_undefined(metric, None, 0, "there is no sample") for metric in metrics]
    pair = Pair.of(joint)
    why_none = _too_few(n, clusters)
    errors = None
    if why_none is None:
        errors = sample_errors(pair, metrics) if clusters is None else cluster_errors(pair)
    undefined = {metric: _why_undefined(pair, metric) for metric in metrics}
    values = pair.a.values(), pair.b.values()
    found = []
    for metric in metrics:
        a, b = (
            None if reason is not None else float(each[metric])
            for each, reason in zip(values, undefined[metric], strict=True)
        )
        reason = next((each for each in undefined[metric] if each is not None), None) or why_none
        if reason is None and int(pair.a.in_truth.sum()) == 1 and metric not in OF_TRUTH:
            reason = "the ground truth holds one class only, so that no false positive can occur"
        if errors is None or reason is not None or a is None or b is None:
            difference = None if a is None or b is None else b - a
            found.append(Estimate(metric, None, a, b, difference, None, None, None, n, reason=reason))
            continue
        found.append(_estimate(pair, metric, a, b, errors, confidence, _caution(clusters)))
    return found


def _estimate(
    pair: Pair, metric: str, a: float, b: float, errors: Errors, confidence: float, caution: str | None
) -> Estimate:
    import numpy as np

    joint, difference, least = pair.joint, b - a, -1.0 if metric in SIGNED else 0.0
    error, t = sqrt(errors.difference[metric]), t_quantile((1 + confidence) / 2, errors.df[metric])
    plain = joint.groups is None and metric in ("accuracy", "recall_micro", "recall_weighted")
    if plain:
        right_a, right_b = joint.truth == joint.a, joint.truth == joint.b
        p = _mcnemar(int(joint.count[right_b & ~right_a].sum()), int(joint.count[right_a & ~right_b].sum()))
        z, trials = normal_quantile((1 + confidence) / 2), np.array([float(joint.n)] * 2)
        lows, highs = wilson_interval(np.round(np.array([a, b]) * trials), trials, z)
        ends = list(zip(lows.tolist(), highs.tolist(), strict=True))
    else:
        p = min(1.0, 2 * t_sf(abs(difference) / error, errors.df[metric])) if error > 0 else 1.0
        each = [(value, t * sqrt(of[metric])) for value, of in ((a, errors.a), (b, errors.b))]
        ends = [(max(least, value - half), min(1.0, value + half)) for value, half in each]
    span = 1 - least
    low, high = max(-span, difference - t * error), min(span, difference + t * error)
    return Estimate(
        metric, None, a, b, difference, low, high, p, joint.n, error,
        a_low=ends[0][0], a_high=ends[0][1], b_low=ends[1][0], b_high=ends[1][1], reason=caution,
    )  # fmt: skip


def _why_undefined(pair: Pair, metric: str) -> tuple[str | None, str | None]:
    """Of a and of b; None = it is defined."""
    classes = int(pair.a.in_truth.sum())
    reasons: list[str | None] = []
    for name, model in (("a", pair.a), ("b", pair.b)):
        n, total = float(model.n), float(model.predicted.sum())
        said = int((model.predicted > 0).sum()) + (total < n)
        if metric == "specificity_macro" and classes == 1:
            reasons.append("there is one class only, which has no negative")
        elif metric == "matthews_corrcoef" and (classes == 1 or said == 1):
            reasons.append(
                "the ground truth holds one class only" if classes == 1 else f"model {name} says one class only"
            )
        elif metric == "cohen_kappa" and float(model.support @ model.predicted) == n * n:
            reasons.append(f"ground truth and model {name} hold one class only, the same")
        elif metric == "precision_micro" and total == 0:
            reasons.append(f"model {name} says nothing")
        else:
            reasons.append(None)
    return reasons[0], reasons[1]


def _undefined(metric: str, label: int | None, n: int, reason: str) -> Estimate:
    return Estimate(metric, label, None, None, None, None, None, None, n, reason=reason)


# --- of each class ----------------------------------------------------------------------------------------------------


def _of_classes(joint: JointCounts, metrics: Sequence[str], confidence: float) -> list[Estimate]:
    import numpy as np

    tables, clusters = ClassTables.of(joint), clusters_of(joint)
    there = np.flatnonzero(tables.sizes()["f1"] > 0)
    tables = ClassTables(tables.cells[..., there])
    smooth = tables.smoothed()
    variances, df = smooth.variances(), float("inf")
    if clusters is not None and clusters > 1:
        plain = tables.smoothed(1e-9).variances()
        left_out = _left_out(joint, tables, there)
        for metric in metrics:
            unseen = np.maximum(0.0, variances[metric] - plain[metric])
            within = np.where(plain[metric] > 1e-6 * variances[metric], plain[metric], 0.0)
            effect = design_effect(left_out[metric], within, joint.n / clusters)
            variances[metric] = left_out[metric] + unseen * effect**2
        df = clusters - 1.0
    z = t_quantile((1 + confidence) / 2, df)
    columns = {metric: _columns(tables, smooth, metric, variances[metric], z, df) for metric in metrics}
    why_none, caution = _too_few(joint.n, clusters), _caution(clusters)
    return [
        _of_class(metric, label, columns[metric], row, why_none, caution)
        for row, label in enumerate(there.tolist())
        for metric in metrics
    ]


def _columns(
    tables: ClassTables, smooth: ClassTables, metric: str, variance: Floats, z: float, df: float
) -> dict[str, list[Any]]:
    """The fields of estimates as lists over classes, NaN where a or b is undefined."""
    import numpy as np

    a, b = tables.values(0)[metric], tables.values(1)[metric]
    centre, error = smooth.values(1)[metric] - smooth.values(0)[metric], np.sqrt(variance)
    difference = b - a
    columns = {
        "n": tables.sizes()[metric], "a": a, "b": b, "difference": difference, "error": error,
        # The plain difference is what is told, so it lies within.
        "low": np.clip(np.minimum(centre - z * error, difference), -1, 1),
        "high": np.clip(np.maximum(centre + z * error, difference), -1, 1),
    }  # fmt: skip
    listed: dict[str, list[Any]] = {name: column.tolist() for name, column in columns.items()}
    for model, name in enumerate("ab"):
        # Wilson's interval takes samples for independent, so there is none with clusters.
        ends = (
            [[None] * len(a)] * 2
            if df < float("inf")
            else [each.tolist() for each in tables.intervals(model, z)[metric]]
        )
        listed[f"{name}_low"], listed[f"{name}_high"] = ends
        listed[f"{name}_never_said"] = tables.never_said(model).tolist()
    if df == float("inf") and metric in tables.discordant():
        pairs = (each.tolist() for each in tables.discordant()[metric])
        listed["p"] = [_mcnemar(*each) for each in zip(*pairs, strict=True)]
    else:
        ratios = (np.abs(centre) / np.where(error > 0, error, np.inf)).tolist()
        listed["p"] = [min(1.0, 2 * (normal_sf(each) if df == float("inf") else t_sf(each, df))) for each in ratios]
    return listed


def _of_class(
    metric: str, label: int, columns: dict[str, list[Any]], row: int, why_none: str | None, caution: str | None
) -> Estimate:
    values = {name: column[row] for name, column in columns.items()}
    a, b, n = values["a"], values["b"], int(values["n"])
    undefined = [name for name, value in (("a", a), ("b", b)) if value != value]
    by_convention = [name for name in "ab" if metric == "precision" and values[f"{name}_never_said"]]
    reason = _why_class_undefined(metric, undefined) if undefined else why_none
    if by_convention and not undefined:
        reason = f"model {' and '.join(by_convention)} never says the class, so that its precision is 0 by convention"
    if reason is None:
        return Estimate(
            metric, label, a, b, values["difference"], values["low"], values["high"], values["p"], n, values["error"],
            values["a_low"], values["a_high"], values["b_low"], values["b_high"], caution,
        )  # fmt: skip
    bare = (*undefined, *by_convention)  # what was divided by nothing has no interval
    known = {name: None if name in undefined else values[name] for name in "ab"}
    ends = [(name, f"{name}_{end}") for name in "ab" for end in ("low", "high")]
    known |= {end: None if name in bare else values[end] for name, end in ends}
    difference = None if undefined else values["difference"]
    return Estimate(metric, label, difference=difference, low=None, high=None, p=None, n=n, reason=reason, **known)


def _why_class_undefined(metric: str, models: Sequence[str]) -> str:
    if metric in ("precision", "f1"):
        never = f"model {' and '.join(models)} never says the class"
        return never if metric == "precision" else f"no sample is of the class, and {never}"
    return "no sample is of the class" if metric == "recall" else "all samples are of the class"


def _left_out(joint: JointCounts, tables: ClassTables, there: NDArray[np.int64]) -> dict[str, Floats]:
    """Jackknife variances of differences with each cluster left out in turn; a quotient of nothing counts 0."""
    import numpy as np

    count, group = joint.clusters()
    sums = {metric: np.zeros((2, len(there))) for metric in PER_CLASS}
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(count + 1))
    whole = _differences(tables)
    for start, stop in pairwise(edges):
        rows = order[start:stop]
        part = type(joint)(joint.truth[rows], joint.a[rows], joint.b[rows], joint.count[rows], joint.classes)
        rest = ClassTables(tables.cells - ClassTables.of(part).cells[..., there])
        for metric, difference in _differences(rest).items():
            change = difference - whole[metric]
            sums[metric] += change, change * change
    return {
        metric: (count - 1) / count * np.maximum(0.0, second - first * first / count)
        for metric, (first, second) in sums.items()
    }


def _differences(tables: ClassTables) -> dict[str, Floats]:
    import numpy as np

    a, b = tables.values(0), tables.values(1)
    return {metric: np.nan_to_num(b[metric], nan=0.0) - np.nan_to_num(a[metric], nan=0.0) for metric in PER_CLASS}
