"""Promotions: checkpoints that become versions of a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError
from localreg.log import Row, State
from localreg.models.version_names import add_version
from localreg.names import check_version
from localreg.policies.effects import Effect, Plan
from localreg.policies.labels import alias_effect
from localreg.policies.rules import AliasGate, Promotion
from localreg.policies.stored import StoredPolicy
from localreg.policies.subjects import Subjects
from localreg.records.experiments import CheckpointRecord
from localreg.records.models import ModelVersionRecord
from localreg.session import Changes

__all__ = ["plans"]


def plans(
    policy: StoredPolicy, promotion: Promotion, subjects: Subjects, policies: Sequence[StoredPolicy]
) -> Iterable[Plan]:
    """Which checkpoints become versions."""
    state = subjects.state
    checkpoints = [row for row in subjects.checkpoints() if _is_of(promotion, row, state)]
    conditions = [] if promotion.when is None else [promotion.when]
    judgements = subjects.judge_checkpoints(checkpoints, conditions)
    for model in policy.models(state):
        made_of = {row.fields.get("checkpoint") for row in state.children("model_version", model.id)}
        for row, found in zip(checkpoints, judgements, strict=True):
            reasons = [each.reason for each in found]
            holds = all(each.holds for each in found)
            if promotion.best is not None:
                is_best, reason = _best(promotion, promotion.best, row, state)
                reasons.append(reason)
                holds = holds and is_best
            if row.id in made_of:
                reasons, holds = ["it has been promoted"], False
            try:
                holds and _named(promotion, policies, state, model.id, row)
            except InvalidInputError as error:
                reasons, holds = [*reasons, str(error)], False
            reason = "; ".join(reasons)
            effect = f"promote to {model.name!r}" if holds else None
            act = _promoting(policy, promotion, subjects, policies, model, row) if holds else None
            yield Plan(policy.name, "promotion", model.name, subjects.called(row), effect, reason, act)


def _is_of(promotion: Promotion, row: Row, state: State) -> bool:
    return promotion.experiment is None or _experiment(row, state).name == promotion.experiment


def _experiment(row: Row, state: State) -> Row:
    found = state.get("experiment", row.parent)
    assert found is not None, "a checkpoint goes with its experiment"
    return found


def _best(promotion: Promotion, metric: str, row: Row, state: State) -> tuple[bool, str]:
    """Whether a checkpoint was the best when it was saved, and how that is told."""
    value = row.load(CheckpointRecord).metrics.get(metric)
    if value is None:
        return False, f"{metric} is not known"
    others = state.rows(row.kind) if promotion.experiment is None else state.children(row.kind, row.parent)
    known = (
        each.load(CheckpointRecord).metrics.get(metric)
        for each in others
        if each.created < row.created and _is_of(promotion, each, state)
    )
    before = [each for each in known if each is not None]
    if not before:
        return True, f"{metric} = {value:g}, the first"
    rival = max(before) if promotion.mode == "max" else min(before)
    is_best = value > rival if promotion.mode == "max" else value < rival
    return is_best, f"{metric} = {value:g}, and the best before it {rival:g}"


def _promoting(
    policy: StoredPolicy,
    promotion: Promotion,
    subjects: Subjects,
    policies: Sequence[StoredPolicy],
    model: Row,
    checkpoint: Row,
) -> Effect:
    def act(changes: Changes) -> None:
        experiment = _experiment(checkpoint, changes.draft)
        record = checkpoint.load(CheckpointRecord)
        name = _named(promotion, policies, changes.draft, model.id, checkpoint)
        version = ModelVersionRecord(
            id=changes.new_id("model_version", f"{model.id} {policy.record.id} {checkpoint.id}"),
            name=name,
            model=model.id,
            checkpoint=checkpoint.id,
        )
        details: JsonObject = {"experiment": experiment.name, "checkpoint": record.name}
        add_version(changes, model, version, action="promote", details=details)
        made = changes.draft.get("model_version", version.id)
        if promotion.alias is not None and made is not None:
            after = Subjects(subjects.session, changes.draft, None)
            _, move, _ = alias_effect(after, policies, model, made, promotion.alias, "", newer=False)
            if move is not None:
                move(changes)

    return act


def _named(promotion: Promotion, policies: Sequence[StoredPolicy], state: State, model: str, checkpoint: Row) -> str:
    """A version string that is neither a version nor an alias of the model yet, nor guarded by a gate.

    Raises:
        InvalidInputError: what is put into the pattern makes no version string.
    """
    gates = {policy.rule.alias for policy in policies if isinstance(policy.rule, AliasGate)}
    taken = {*state.names("model_version", model), *state.names("alias", model), *gates}
    if promotion.version is None:
        numbers = [int(name) for name in taken if name.isdecimal() and name.isascii()]
        return str(max(numbers, default=0) + 1)
    record = checkpoint.load(CheckpointRecord)
    said = {"checkpoint": record.name, "step": record.step, "epoch": record.epoch}
    name, number = promotion.called(experiment=_experiment(checkpoint, state).name, **said), 1
    while (called := name if number == 1 else check_version(f"{name} ({number})")) in taken:
        number += 1
    return called
