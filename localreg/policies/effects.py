"""What policies do to a draft: each effect is a change of its own, and its event says which policy asked, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localreg.canonical import JsonObject
from localreg.session import Changes

__all__ = ["SHOWN", "Effect", "Plan", "apply"]


@dataclass(frozen=True)
class Plan:
    """What a policy makes of one subject.

    Attributes:
        policy: its name.
        kind: of its rule.
        model: name of the model; None = of none.
        subject: `model@version`, or `experiment: checkpoint`.
        effect: in words, such as `delete`; None = nothing is done.
        reason: what conditions met.
        act: does it; None where nothing is done.
    """

    policy: str
    kind: str
    model: str | None
    subject: str
    effect: str | None
    reason: str
    act: Effect | None = None

    def to_row(self) -> JsonObject:
        """As a row of what is shown."""
        return {name: getattr(self, name) for name in SHOWN}


Effect = Callable[[Changes], None]

SHOWN = ("policy", "kind", "model", "subject", "effect", "reason")
"""Attributes of plans that are columns of what is shown, all of them texts or null."""


def apply(plan: Plan, changes: Changes) -> None:
    """Let a plan change the draft.

    What it does is nobody's to hold: done again on a newer state, it may be something else.
    """
    if plan.act is None:
        return
    begin, held = len(changes.made), len(changes.outcome)
    plan.act(changes)
    del changes.outcome[held:]
    why: JsonObject = {"policy": plan.policy, "reason": plan.reason}
    changes.made[begin:] = [
        change._replace(details={**(change.details or {}), **why}) for change in changes.made[begin:]
    ]
