"""What is told of a metric of two models."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Estimate", "with_itself"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric of two models on the same samples, and what can be said of the difference.

    Attributes:
        metric: its name.
        label: code of the class that it is of; None = of all.
        a: value of the first model, the baseline; None = undefined, see `reason`.
        b: value of the second model, the candidate.
        difference: b - a.
        low: lower end of the confidence interval of the difference; None = none can be given, see `reason`.
        high: its upper end.
        p: two-sided p-value of "no difference".
        n: samples that the metric is made of: all, or for a class those that have it (recall), that a or b calls so
            (precision), that any of truth, a and b calls so (F1), or that do not have it (specificity).
        standard_error: of the difference, as the interval has it; see `power.least_detectable`.
        a_low: lower end of the confidence interval of `a` by itself.
        a_high: its upper end.
        b_low: lower end of the confidence interval of `b` by itself.
        b_high: its upper end.
        reason: why something is None, or what to beware of; None = nothing.
    """

    metric: str
    label: int | None
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    standard_error: float | None = None
    a_low: float | None = None
    a_high: float | None = None
    b_low: float | None = None
    b_high: float | None = None
    reason: str | None = None


def with_itself(estimate: Estimate) -> Estimate:
    """Of a model that was compared with itself: it differs by nothing, on other samples neither.

    Two models that merely agree on all samples may differ on others.
    """
    if estimate.difference is None:
        return estimate
    return replace(estimate, difference=0.0, low=0.0, high=0.0, p=1.0, standard_error=0.0)
