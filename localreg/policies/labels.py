"""Labels: tags and aliases that versions get when a condition holds of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localreg.log import Row
from localreg.models.version_names import move_alias
from localreg.policies.effects import Effect, Plan
from localreg.policies.gates import refusal
from localreg.policies.rules import Label
from localreg.policies.stored import StoredPolicy
from localreg.policies.subjects import Subjects
from localreg.records.models import ModelVersionRecord
from localreg.session import Changes

__all__ = ["alias_effect", "plans"]


def plans(policy: StoredPolicy, label: Label, subjects: Subjects, policies: Sequence[StoredPolicy]) -> Iterable[Plan]:
    """What versions get."""
    for model in subjects.models(policy):
        versions = subjects.versions(model)
        found = [each for (each,) in subjects.judge_versions(versions, [label.when])]
        fitting = [row for row, each in zip(versions, found, strict=True) if each.holds]
        for row, each in zip(versions, found, strict=True):
            effect: str | None = None
            act: Effect | None = None
            reason = each.reason
            if each.holds and label.tag is not None and label.tag not in row.load(ModelVersionRecord).tags:
                effect, act = f"tag {label.tag!r}", _tagging(row, label.tag)
            elif label.alias is not None and fitting and row is fitting[-1]:
                effect, act, reason = alias_effect(subjects, policies, model, row, label.alias, reason, newer=True)
            yield Plan(policy.name, "label", model.name, subjects.called(row), effect, reason, act)


def alias_effect(
    subjects: Subjects,
    policies: Sequence[StoredPolicy],
    model: Row,
    version: Row,
    alias: str,
    reason: str,
    *,
    newer: bool,
) -> tuple[str | None, Effect | None, str]:
    """How an alias comes to a version: the effect in words, what does it, and the reason.

    Args:
        subjects: of the pass.
        policies: among which gates may stand in the way.
        model: whose alias it is.
        version: that is to get it.
        alias: its name.
        reason: why.
        newer: only if it is newer than the one that has it.
    """
    state = subjects.state
    row = state.find("alias", alias, model.id)
    holder = None if row is None else state.get("model_version", str(row.fields["version"]))
    if holder is not None and (holder.id == version.id or (newer and holder.created > version.created)):
        return None, None, f"{reason}; {alias!r} is at {holder.name!r}"
    refused = refusal(subjects, policies, alias, version.id, None if holder is None else holder.id)
    if refused:
        return None, None, f"{reason}; but {'; '.join(refused)}"
    if state.find("model_version", alias, model.id) is not None:
        return None, None, f"{reason}; but there is a version {alias!r}"
    return f"alias {alias!r}", lambda changes: move_alias(changes, model.id, alias, version), reason


def _tagging(row: Row, tag: str) -> Effect:
    def act(changes: Changes) -> None:
        newest = changes.draft.get(row.kind, row.id)
        if newest is not None:
            record = newest.load(ModelVersionRecord)
            changes.update(newest, record.replaced(tags=sorted({*record.tags, tag})), action="tag")

    return act
