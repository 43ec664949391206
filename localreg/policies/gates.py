"""Gates: criteria for the version that an alias is to point to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localreg.errors import PolicyError
from localreg.handles.words import told
from localreg.log import Change, Row, State
from localreg.policies.comparisons import newest_comparison
from localreg.policies.effects import Plan
from localreg.policies.rules import AliasGate
from localreg.policies.stored import StoredPolicy
from localreg.policies.subjects import Subjects

__all__ = ["check_moves", "failures", "plans", "refusal"]


def check_moves(changes: Iterable[Change], policies: Sequence[StoredPolicy], subjects: Subjects) -> None:
    """Look at each alias that a commit moves.

    Raises:
        PolicyError: criteria of a gate do not hold; all of them are named. Or an alias is removed that must not be.
    """
    for change in changes:
        if change.kind == "alias" and change.after is None and subjects.state.get("model", change.parent) is not None:
            _refuse_removal(change, policies)
        if change.kind == "model_version" and change.before is None and change.effect == "put":
            _refuse_shadow(change, policies)
        if change.kind != "alias" or not isinstance(change.after, dict):
            continue
        version, before = str(change.after["version"]), change.before
        holder = str(before["version"]) if isinstance(before, dict) and "version" in before else None
        if version == holder:
            continue
        reasons = refusal(subjects, policies, change.name, version, holder)
        if reasons:
            name = told("model_version", *_named(subjects.state, version), subjects.state.outline)
            raise PolicyError(
                f"alias {change.name!r} may not point to {name}: {'; '.join(reasons)}", code="gate_closed"
            )


def _refuse_removal(change: Change, policies: Sequence[StoredPolicy]) -> None:
    """Where nobody has the alias there is nobody to be compared with: to remove it first would lead around the gate."""
    for policy in policies:
        rule = policy.rule
        guards = isinstance(rule, AliasGate) and rule.alias == change.name and rule.no_regression is not False
        if guards and policy.counts_for(change.parent):
            raise PolicyError(
                f"alias {change.name!r} may be moved, but not removed: gate {policy.name!r} asks that each version is "
                "compared with the one before; delete the policy first",
                code="gate_closed",
            )


def _refuse_shadow(change: Change, policies: Sequence[StoredPolicy]) -> None:
    """A version that is called like a guarded alias would be served in its stead."""
    for policy in policies:
        rule = policy.rule
        if isinstance(rule, AliasGate) and rule.alias == change.name and policy.counts_for(change.parent):
            raise PolicyError(
                f"no version may be called {change.name!r}: gate {policy.name!r} guards an alias of that name; choose "
                "another version",
                code="gate_closed",
            )


def refusal(
    subjects: Subjects, policies: Iterable[StoredPolicy], alias: str, version: str, holder: str | None
) -> list[str]:
    """Why gates do not let an alias move to a version; empty if they do."""
    row = subjects.state.get("model_version", version)
    if row is None:
        return []
    return [
        f"gate {policy.name!r}: {reason}"
        for policy in policies
        if isinstance(policy.rule, AliasGate) and policy.rule.alias == alias and policy.counts_for(row.parent)
        for reason in failures(subjects, policy.rule, row, holder)
    ]


def failures(subjects: Subjects, gate: AliasGate, version: Row, holder: str | None) -> list[str]:
    """The criteria that do not hold."""
    (judgements,) = subjects.judge_versions([version], gate.require, baseline=holder) if gate.require else ([],)
    reasons = [each.reason for each in judgements if not each.holds]
    if gate.no_regression is not False and holder is not None and holder != version.id:
        reasons += _regressions(subjects, gate, version, holder)
    return reasons


def _regressions(subjects: Subjects, gate: AliasGate, version: Row, holder: str) -> list[str]:
    suite = gate.no_regression if isinstance(gate.no_regression, str) else None
    against = told("model_version", *_named(subjects.state, holder), subjects.state.outline)
    on = "" if suite is None else f" on {suite!r}"
    found = newest_comparison(subjects.session, subjects.state, version.id, baseline=holder, suite=suite)
    if found is None:
        return [f"no comparison with {against}{on} is saved; make one with registry.compare(…).save()"]
    if found["leaves_out"]:
        return [f"comparison {found['name']!r} {found['leaves_out']}, and says too little; make another one"]
    if found["regressed"]:
        return [f"it regressed against {against} in comparison {found['name']!r}: {', '.join(found['regressed'])}"]
    return []


def plans(policy: StoredPolicy, gate: AliasGate, subjects: Subjects) -> Iterable[Plan]:
    """Whether the newest version that does not have the alias might get it."""
    for model in subjects.models(policy):
        alias = subjects.state.find("alias", gate.alias, model.id)
        holder = None if alias is None else str(alias.fields["version"])
        versions = [row for row in subjects.state.children("model_version", model.id) if row.id != holder]
        if versions:
            reasons = failures(subjects, gate, versions[-1], holder)
            told_reason = "; ".join(reasons) or f"all criteria hold: {gate.alias!r} may move here"
            effect = "refuse" if reasons else None
            yield Plan(policy.name, "gate", model.name, subjects.called(versions[-1]), effect, told_reason)


def _named(state: State, version: str) -> tuple[str, str]:
    row = state.outline("model_version", version)
    return ("(deleted)", "") if row is None else (row.name, row.parent)
