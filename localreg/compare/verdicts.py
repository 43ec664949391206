"""From estimates to rows: p-values adjusted for how many there are, and what they come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

from localreg.compare.rows import MetricRow, Verdict
from localreg.compare.units import Unit
from localreg.statistics import Estimate, adjusted_p_values

__all__ = ["Adjust", "Found", "judged"]

Adjust = Literal["holm", "bh", "none"]

POWER = 0.8
"""How often a difference would be found that is called detectable."""


@dataclass(frozen=True, slots=True)
class Found:
    """An estimate, and what it is of."""

    estimate: Estimate
    label: str | None
    unit: Unit
    candidate: str
    fixed: int | None
    broken: int | None
    lower_is_better: bool = False


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
        families[each.estimate.metric, each.unit.breakdown, each.label is not None].append(number)
    adjusted: list[float | None] = [each.estimate.p for each in found]
    if adjust != "none":
        for members in families.values():
            values = adjusted_p_values([found[number].estimate.p for number in members], method=adjust)
            for number, value in zip(members, values, strict=True):
                adjusted[number] = value
    return tuple(_row(each, p, confidence) for each, p in zip(found, adjusted, strict=True))


def _row(found: Found, p_adjusted: float | None, confidence: float) -> MetricRow:
    it, unit = found.estimate, found.unit
    return MetricRow(
        metric=it.metric,
        label=found.label,
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
        fixed=found.fixed,
        broken=found.broken,
        verdict=_verdict(found, p_adjusted, confidence),
        least_detectable=_least_detectable(it, confidence),
        reason=it.reason,
    )


def _verdict(found: Found, p: float | None, confidence: float) -> Verdict:
    it = found.estimate
    if found.fixed == found.broken == 0 or (it.difference == 0 and it.low == it.high == 0):
        return "equal"
    if p is None or it.difference is None or it.difference == 0 or p >= 1 - confidence:
        return "inconclusive"
    return "improved" if (it.difference > 0) is not found.lower_is_better else "regressed"


def _least_detectable(it: Estimate, confidence: float) -> float | None:
    """The usual (z of confidence + z of power) standard errors, the error as the interval has it.

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. (1988), chapter 2.
    """
    if it.low is None or it.high is None or it.high <= it.low:
        return None
    two_sided, power = NormalDist().inv_cdf((1 + confidence) / 2), NormalDist().inv_cdf(POWER)
    return (it.high - it.low) / 2 * (1 + power / two_sided)
