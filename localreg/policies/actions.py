"""Actions: what is to be called since an event came, noted in the commit of that event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from localreg.log import Change, Row, State
from localreg.policies.effects import Effect, Plan
from localreg.policies.rules import Action
from localreg.policies.stored import StoredPolicy
from localreg.policies.subjects import Subjects
from localreg.records.policies import PendingActionRecord
from localreg.session import Changes, Session

__all__ = ["REPORTED", "plans"]

REPORTED = "event:"
"""Before the name of an event that a program reported."""

KINDS = ("model", "model_version", "checkpoint", "experiment")
"""What a function can be given."""


class _Came(NamedTuple):
    """An event, and what it is of."""

    event: str
    subject: Row
    number: int


def plans(policy: StoredPolicy, action: Action, subjects: Subjects, changes: Iterable[Change]) -> Iterable[Plan]:
    """What is to be called."""
    for came in _events(subjects.session, changes, subjects.state):
        model = _model(came.subject)
        if action.on != came.event or not policy.counts_for(model):
            continue
        subject = subjects.called(came.subject)
        reason = f"{came.event} came"
        if action.when is not None:
            if came.subject.kind != "model_version":
                continue
            ((found,),) = subjects.judge_versions([came.subject], [action.when])
            if not found.holds:
                yield Plan(policy.name, "action", None, subject, None, found.reason)
                continue
            reason = f"{reason}; {found.reason}"
        yield Plan(policy.name, "action", None, subject, f"call {action.run}", reason, _noting(policy, action, came))


def _events(session: Session, changes: Iterable[Change], state: State) -> Iterable[_Came]:
    for number, change in enumerate(changes):
        kind, id = change.kind, change.id
        said = change.after or change.before
        if kind == "alias" and isinstance(said, dict) and "version" in said:
            kind, id = "model_version", str(said["version"])
        subject = state.get(kind, id) if kind in KINDS else None
        if subject is None:
            continue
        yield _Came(change.action, subject, number)
        if change.kind == "alias":
            yield _Came(f"{change.action}:{change.name}", subject, number)
        for name in _reported(session, change):
            yield _Came(f"{REPORTED}{name}", subject, number)


def _reported(session: Session, change: Change) -> set[str]:
    """Names of the events that programs reported; where there are too many for the details, from the files."""
    from localreg.tables.parts import read_part

    details = change.details or {}
    told = details.get("events")
    names = set(told) if isinstance(told, dict) else set()
    if "more_events" in details:
        parts = (pointer for pointer in change.files if pointer.table == "events")
        names |= {name for part in parts for name in read_part(session.store, part)["name"].unique().to_pylist()}
    return names


def _model(row: Row) -> str:
    """Id of the model that something belongs to; "" = to none."""
    return row.id if row.kind == "model" else row.parent if row.kind == "model_version" else ""


def _noting(policy: StoredPolicy, action: Action, came: _Came) -> Effect:
    def act(changes: Changes) -> None:
        id = changes.new_id(
            PendingActionRecord.kind, f"{policy.record.id} {came.event} {came.subject.id} {came.number}"
        )
        record = PendingActionRecord(
            id=id,
            name=id,
            policy=policy.name,
            run=action.run,
            subject_kind=came.subject.kind,
            subject=came.subject.id,
            event=came.event,
            most_attempts=action.attempts,
        )
        changes.create(record, action="ask")

    return act
