"""No model gets worse unseen: an assertion for test suites, whose failure shows what was broken.

from localreg.testing import assert_no_regression

def test_the_new_model_is_no_worse(localreg_registry):
    assert_no_regression("meadow-5", "meadow-5@baseline", "plates", margin=0.01)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from localreg.errors import NotFoundError

if TYPE_CHECKING:
    from localreg.compare import Comparison, MetricRow
    from localreg.compare.asked import Options
    from localreg.models import Model, ModelVersion
    from localreg.registry import Registry
    from localreg.workflow import TestSuite

__all__ = ["BASELINE", "assert_no_regression"]

BASELINE = "baseline"
"""The alias that can be moved."""

LISTED = 10
"""Broken samples that a failure shows."""


def assert_no_regression(
    candidate: str | Model | ModelVersion,
    baseline: str | Model | ModelVersion,
    suite: str | TestSuite,
    *,
    registry: Registry | None = None,
    metrics: Sequence[str] | None = None,
    margin: float | None = None,
    critical: Sequence[str] = (),
    strict: bool = True,
    update_baseline: bool = False,
    **options: Unpack[Options],
) -> Comparison | None:
    """Fail if a model is worse than another one on a test suite, as their inferences stand in the registry.

    Without `margin` it fails if any of the metrics has regressed over the whole suite: a difference that is no luck. So
    a small suite lets much pass. Each metric is a chance to fail by luck, so their p-values are adjusted together
    (Holm): a model that is as good as the baseline fails by any of them in less than 5 % of all cases, and by any of
    those in critical parts likewise. A metric may be told as regressed in the table, then, and be no reason to fail.
    With `margin` it fails unless it is shown that the metrics are not worse by that much, and a small suite lets
    nothing pass.

    Args:
        candidate: the model that might be worse; references as in `Registry.get_version`.
        baseline: the one that it must not fall behind.
        suite: the test suite.
        registry: where they are; None = the one in use, or that `localreg.open()` finds.
        metrics: their names; None = the usual ones of the task, of which `margin` takes the first. Those of single
            classes are looked at only if they are named, and then in each class. One that is named, seems
            worse and has no p-value fails: it cannot be told (`bootstrap=2000` gives those of regression one).
        margin: how much worse it must be shown not to be; see `localreg.Gate`.
        critical: test cases or slices in which no metric may regress, and where `margin` holds, too.
        strict: count a sample without an inference as wrong: a model that fails on what is hard does not pass by it.
        update_baseline: accept the candidate as the new baseline: the alias `baseline` of its model is moved to the
            version that was looked at, or made, and nothing fails. Only if `baseline` is `"MODEL@baseline"`, of the
            candidate's own model; of another one nothing is moved, and a regression fails. Models that cannot be
            compared are errors all the same, and move nothing.
        options: how to compare, such as `by`, `group_by`, `evaluator` and `bootstrap`; see `Registry.compare`.

    Returns:
        The comparison; None if there was no baseline yet, and `update_baseline` made it.

    Raises:
        AssertionError: it is worse; the message has every reason, the metrics and the first broken samples.
        NotFoundError: a model, suite or its inferences are not there.
        InvalidInputError: none of the metrics can become worse; else see `Registry.compare`.
    """
    __tracebackhide__ = True
    place = registry if registry is not None else _in_use()
    version = _found(place, candidate)
    is_own = baseline == f"{version.model.name}@{BASELINE}"
    if is_own and BASELINE not in version.model.aliases():
        if not update_baseline:
            raise NotFoundError(
                f"model {version.model.name!r} has no alias {BASELINE!r} yet; set it, or run pytest with "
                "--localreg-update-baseline once"
            )
        version.model.set_alias(BASELINE, version)
        return None
    comparison = place.compare(baseline, version, suite=suite, metrics=metrics, strict=strict, **options)
    reasons = _reasons(comparison, metrics, margin, critical)
    if is_own and update_baseline:
        version.model.set_alias(BASELINE, version)
    elif reasons:
        raise AssertionError(_told(comparison, reasons))
    return comparison


def _found(registry: Registry, candidate: str | Model | ModelVersion) -> ModelVersion:
    """The candidate; a message names the registry, which pytest may have put in the place of another one."""
    try:
        return registry.get_version(candidate)
    except NotFoundError as error:
        raise NotFoundError(
            f"{error}. That is in the registry {registry.uri}: pass registry=, or --localreg-uri to pytest, if it is "
            "another one",
            code=error.code,
        ) from error


def _in_use() -> Registry:
    from localreg.registry import Registry
    from localreg.session.current import current_session

    return Registry(current_session())


def _reasons(
    comparison: Comparison, metrics: Sequence[str] | None, margin: float | None, critical: Sequence[str]
) -> list[str]:
    """Why the candidate is worse."""
    from localreg.compare import Gate
    from localreg.compare.gate import refuse_undirected, worse

    proven = [] if margin is None else (metrics or [comparison.rows[0].metric])
    whole = [row for row in comparison.rows if row.metric not in proven and row.test_case is row.by is None]
    looked = [row for row in whole if row.label is None or metrics is not None]
    refuse_undirected(looked, comparison.undirected)
    found = _regressions(worse(comparison, looked).reasons)
    if proven or critical:
        rules = {name: Gate(margin=margin) for name in proven}
        found += comparison.gate(rules, critical=critical).reasons
    return found


def _regressions(worse: Mapping[MetricRow, str]) -> list[str]:
    """What regressed: the first in full, and the others, which speak of the same samples, in a line; then doubts."""
    proven = [(row, reason) for row, reason in worse.items() if row.p is not None]
    told = [f"{reason}, p = {row.p:.2g}" for row, reason in proven[:1]]
    if proven[1:]:
        told.append(f"regressed, too: {', '.join(reason.partition(':')[0] for _, reason in proven[1:])}")
    return [*told, *(reason for row, reason in worse.items() if row.p is None)]


def _told(comparison: Comparison, reasons: Sequence[str]) -> str:
    """What a failure shows."""
    from localreg.query import Result

    broken = comparison.broken.arrow()
    lines = [f"{comparison.candidate} is worse than {comparison.baseline} on {comparison.suite!r}:"]
    lines += [*(f"  {each}" for each in reasons), "", str(comparison)]
    if len(broken):
        shown = Result(lambda: broken.slice(0, LISTED).drop_columns(["outcome"]))
        rest = len(broken) - LISTED
        lines += ["", f"broken (a = {comparison.baseline}, b = {comparison.candidate}):", str(shown)]
        lines += [f"… and {rest:,} more: comparison.broken"] if rest > 0 else []
    return "\n".join(lines)
