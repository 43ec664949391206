"""From estimates to rows: p-values adjusted for how many there are, and what they come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from localreg.compare.rows import MetricRow, Verdict
from localreg.compare.task import Measured
from localreg.compare.units import Unit
from localreg.statistics import Estimate
from localreg.statistics.adjusting import benjamini_hochberg, holm
from localreg.statistics.power import least_detectable

__all__ = ["Adjust", "Found", "judged", "regressed", "untold"]

Adjust = Literal["holm", "bh", "none"]

METHODS = {"holm": holm, "bh": benjamini_hochberg}


class Found(NamedTuple):
    """A metric, and what it is of."""

    measured: Measured
    unit: Unit
    candidate: str
    better: Literal["higher", "lower"] | None
    """None = neither, or nobody said."""


def judged(found: Sequence[Found], *, confidence: float, adjust: Adjust) -> tuple[MetricRow, ...]:
    """The rows of a comparison, in the order given.

    A family of tests is all rows of one metric in one breakdown (the suite; its test cases; slices by one expression;
    classes), over all candidates: that is one question, asked several times. Holm's method holds the chance that any
    of its "improved" or "regressed" is luck below 1 - confidence, Benjamini and Hochberg's ("bh") their share.

    Args:
        found: the estimates.
        confidence: of their intervals.
        adjust: the method.
    """
    families: dict[tuple[str, str, bool], list[int]] = defaultdict(list)
    for number, each in enumerate(found):
        metric, label = each.measured.estimate.metric, each.measured.label
        families[metric, each.unit.breakdown, label is not None].append(number)
    adjusted: list[float | None] = [each.measured.estimate.p for each in found]
    if adjust != "none":
        for members in families.values():
            values = METHODS[adjust]([adjusted[number] for number in members])
            for number, value in zip(members, values, strict=True):
                adjusted[number] = value
    return tuple(_row(each, p, confidence) for each, p in zip(found, adjusted, strict=True))


def regressed(
    rows: Sequence[MetricRow],
    *,
    lower_is_better: Collection[str],
    undirected: Collection[str],
    confidence: float,
    adjust: Adjust,
) -> list[MetricRow]:
    """Those in which the candidate is worse, where any of them would be a reason against it.

    So all rows given are one family, whatever metrics and parts they are of: a candidate that is as good as the
    baseline is told to be worse in any of them with a chance below 1 - confidence (Holm; "bh" bounds their share). A
    row's own verdict is adjusted for the other parts of its metric alone, and many metrics give luck many chances.
    """
    directed = [row for row in rows if row.metric not in undirected]
    p_values: list[float | None] = [row.p for row in directed]
    if adjust != "none":
        p_values = METHODS[adjust](p_values)
    return [
        row
        for row, p in zip(directed, p_values, strict=True)
        if p is not None
        and p < 1 - confidence
        and row.difference
        and (row.difference > 0) is (row.metric in lower_is_better)
    ]


def untold(
    rows: Sequence[MetricRow], *, lower_is_better: Collection[str], undirected: Collection[str]
) -> list[MetricRow]:
    """Those in which the candidate may be worse, and there is no p-value to say whether that is luck.

    It was observed to be worse, or has no value where the baseline has one, or neither has. What was observed to be
    equal or better is no reason against it, and a class that the baseline has no value for cannot have become worse.
    """
    return [
        row
        for row in rows
        if row.p is None
        and row.metric not in undirected
        and row.verdict != "equal"
        and _is_doubtful(row, lower_is_better)
    ]


def _is_doubtful(row: MetricRow, lower_is_better: Collection[str]) -> bool:
    if row.difference is None:
        return row.a is not None or (row.b is None and row.label is None)
    return row.difference != 0 and (row.difference > 0) is (row.metric in lower_is_better)


def _row(found: Found, p_adjusted: float | None, confidence: float) -> MetricRow:
    (it, label, fixed, broken), unit = found.measured, found.unit
    return MetricRow(
        metric=it.metric,
        label=label,
        test_case=unit.test_case,
        by=unit.by,
        slice=unit.slice,
        candidate=found.candidate,
        a=it.a,
        b=it.b,
        difference=it.difference,
        low=it.low,
        high=it.high,
        p=it.p,
        p_adjusted=p_adjusted,
        n=it.n,
        fixed=fixed,
        broken=broken,
        verdict=_verdict(found, p_adjusted, confidence),
        least_detectable=_least_detectable(it, confidence),
        reason=it.reason,
    )


def _verdict(found: Found, p: float | None, confidence: float) -> Verdict:
    it = found.measured.estimate
    if it.n and found.measured.fixed == found.measured.broken == 0 and it.difference == 0:
        return "equal"
    if it.difference == 0 and it.standard_error == 0:  # of no sample do the models say anything else
        return "equal"
    if p is None or it.difference is None or it.difference == 0 or p >= 1 - confidence:
        return "inconclusive"
    if found.better is None:
        return "different"
    return "improved" if (it.difference > 0) is (found.better == "higher") else "regressed"


def _least_detectable(it: Estimate, confidence: float) -> float | None:
    return least_detectable(it.standard_error, confidence=confidence) if it.standard_error else None
