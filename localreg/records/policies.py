"""Policies: declared rules, and the actions that wait to be run."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from localreg.records.base import Record

__all__ = ["ActionStatus", "PendingActionRecord", "PolicyRecord"]

ActionStatus: TypeAlias = Literal["pending", "running", "finished", "failed"]


class PolicyRecord(Record):
    """A rule of a model, or of all models of the namespace."""

    kind: ClassVar[str] = "policy"

    description: str | None = None
    """Free text."""

    model: str | None = None
    """Id of the model; None = the namespace."""

    rule_kind: str
    """`retention`, `label`, `promotion`, `gate` or `action`."""

    rule: dict[str, Any] = Field(default_factory=dict)
    """What it says: the fields of the class of that name in `localreg.policies`."""


class PendingActionRecord(Record):
    """A function of the user's that is to be called since an event came. `name` is its id."""

    kind: ClassVar[str] = "pending_action"

    policy: str
    """Name of the policy that asks for it."""

    run: str
    """`module:function`."""

    subject_kind: str
    """Kind of the record that the event is of."""

    subject: str
    """Id of that record."""

    event: str
    """The event: what was done, such as `promote`, or `event:` and the name that was reported."""

    status: ActionStatus = "pending"
    """Moves forward only."""

    attempts: int = 0
    """How often it was begun."""

    most_attempts: int = 3
    """How often it may be begun."""

    runner: dict[str, Any] | None = None
    """Who runs it, or did so last: `writer` (id of the process), `host`, `actor`."""

    error: str | None = None
    """What the last attempt failed with."""

    artifacts: list[str] = Field(default_factory=list)
    """Ids of the artifacts that it made."""
