"""Retention: versions and checkpoints that are kept, and the others, which are deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from localreg.handles.deletion import delete, dependants_in
from localreg.log import Row
from localreg.policies.effects import Effect, Plan
from localreg.policies.rules import Retention, seconds_of
from localreg.policies.stored import StoredPolicy
from localreg.policies.subjects import Subjects
from localreg.session import Changes

__all__ = ["plans"]


def plans(policy: StoredPolicy, retention: Retention, subjects: Subjects, now: str) -> Iterable[Plan]:
    """What goes, and why the others stay.

    Args:
        policy: the policy.
        retention: its rule.
        subjects: of the pass.
        now: time of the commit, ISO 8601.
    """
    state = subjects.state
    if retention.of == "versions":
        for model in subjects.models(policy):
            rows = state.children("model_version", model.id)
            yield from _plans(policy, retention, subjects, rows, model.name, now)
    else:
        for experiment in subjects.experiments():
            rows = state.children("checkpoint", experiment.id)
            yield from _plans(policy, retention, subjects, rows, None, now)


def _plans(
    policy: StoredPolicy,
    retention: Retention,
    subjects: Subjects,
    rows: Sequence[Row],
    model: str | None,
    now: str,
) -> Iterable[Plan]:
    kept, dependants = _kept(retention, subjects, rows, now), dependants_in(subjects.state)
    for row in rows:
        reason = kept.get(row.id) or _needed(dependants(row))
        if not reason and subjects.is_touched(row):
            reason = "made or changed by this commit; the next one looks again"
        effect, act = (None, None) if reason else ("delete", _deleting(row))
        why = f"kept: {reason}" if reason else f"not {_told(retention)}, and nothing depends on it"
        yield Plan(policy.name, "retention", model, subjects.called(row), effect, why, act)


def _kept(retention: Retention, subjects: Subjects, rows: Sequence[Row], now: str) -> dict[str, str]:
    """Why rows are kept, by id; in order of creation they come."""
    kept: dict[str, str] = {}
    if retention.keep_when is not None:
        for row, (found,) in zip(rows, subjects.judge(rows, [retention.keep_when]), strict=True):
            if found.holds or not found.known:
                kept[row.id] = found.reason
    if retention.younger_than is not None:
        at, limit = datetime.fromisoformat(now), seconds_of(retention.younger_than)
        for row in rows:
            if (at - datetime.fromisoformat(row.created_at)).total_seconds() < limit:
                kept[row.id] = f"younger than {retention.younger_than}"
    if retention.keep_best is not None and retention.metric is not None:
        values = [(subjects.metric(row, retention.metric), row) for row in rows]
        kept |= {row.id: f"its {retention.metric} is not known" for value, row in values if value is None}
        known = [(value, row) for value, row in values if value is not None]
        for row in _best(retention, known):
            kept[row.id] = f"among the {retention.keep_best} best by {retention.metric}"
    if retention.keep_last is not None:
        for row in rows[-retention.keep_last :]:
            kept[row.id] = f"among the last {retention.keep_last}"
    return kept


def _best(retention: Retention, values: Sequence[tuple[float, Row]]) -> list[Row]:
    """Those with the best values; of equal ones the newer."""
    sign = 1 if retention.mode == "max" else -1
    ordered = sorted(values, key=lambda each: (sign * each[0], each[1].created), reverse=True)
    return [row for _, row in ordered[: retention.keep_best]]


def _needed(dependants: list[str]) -> str | None:
    """What stands in the way of a deletion."""
    if not dependants:
        return None
    return f"{', '.join(dependants[:3])} {'depends' if len(dependants) == 1 else 'depend'} on it"


def _deleting(row: Row) -> Effect:
    def act(changes: Changes) -> None:
        newest = changes.draft.get(row.kind, row.id)
        if newest is not None and not dependants_in(changes.draft)(newest):  # an effect before this one may need it
            delete(changes, newest, force=False)

    return act


def _told(retention: Retention) -> str:
    told = []
    if retention.keep_last is not None:
        told.append(f"among the last {retention.keep_last}")
    if retention.keep_best is not None:
        told.append(f"among the {retention.keep_best} best by {retention.metric}")
    if retention.younger_than is not None:
        told.append(f"younger than {retention.younger_than}")
    if retention.keep_when is not None:
        told.append(f"of those where {retention.keep_when}")
    return " or ".join(told)
