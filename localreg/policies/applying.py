"""Where policies are applied: once in each commit that touches what they are about, and on request.

One pass, in this order: promotions, labels, retentions, actions. All of them look at what the commit itself changed;
what they do does not set off others. Gates look at every alias that a commit moves, whoever moves it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from localreg.errors import FormatError, InvalidInputError
from localreg.log import Change
from localreg.policies import actions, gates, labels, promotions, retentions
from localreg.policies.effects import SHOWN, Plan, apply
from localreg.policies.rules import Action, AliasGate, Label, Promotion, Retention
from localreg.policies.stored import StoredPolicy, policies_of
from localreg.policies.subjects import Subjects
from localreg.policies.touched import touched
from localreg.session import Changes, Session

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["apply_policies", "follow"]

LOGGER = logging.getLogger("localreg")

ORDER = (Promotion, Label, Retention, Action)


def follow(session: Session, changes: Changes) -> None:
    """Let policies look at what a commit changes, and change with it.

    Raises:
        PolicyError: a gate is closed; nothing is committed.
    """
    policies = _readable(policies_of(changes.draft))
    if not policies:
        return
    made = list(changes.made)
    found = touched(made, changes.draft)
    subjects = Subjects(session, changes.draft, found)
    gates.check_moves(made, policies, subjects)
    for plan in list(_plans(policies, subjects, made, changes.time)):
        apply(plan, changes)


def apply_policies(session: Session, *, dry_run: bool) -> Result:
    """See `Registry.apply_policies`."""
    from localreg.query import Result

    if not dry_run and session.transaction_here() is not None:
        raise InvalidInputError(
            "apply_policies() is a commit of its own, and a transaction is open; call it after the block"
        )
    plans: list[Plan] = []

    def operation(changes: Changes) -> None:
        changes.followed = True  # what is done here is what policies ask for
        policies = _readable(policies_of(changes.draft))
        subjects = Subjects(session, changes.draft, None)
        plans[:] = _plans(policies, subjects, (), changes.time)
        for policy in policies:
            if isinstance(policy.rule, AliasGate):
                plans.extend(gates.plans(policy, policy.rule, subjects))
        if not dry_run:
            for plan in plans:
                apply(plan, changes)

    if dry_run:
        session.rehearse(operation)
    else:
        session.change(operation)
    return Result(lambda: _table(plans))


def _readable(policies: Sequence[StoredPolicy]) -> list[StoredPolicy]:
    """Those that this release knows; of others it is told, for they are not kept to here."""
    known = []
    for policy in policies:
        try:
            assert policy.rule is not None
            known.append(policy)
        except FormatError as error:
            LOGGER.warning("policy %r is not kept to: %s", policy.name, error)
    return known


def _plans(policies: Sequence[StoredPolicy], subjects: Subjects, made: Sequence[Change], now: str) -> Iterator[Plan]:
    for kind in ORDER:
        for policy in policies:
            if isinstance(policy.rule, kind):
                yield from _plans_of(policy, policies, subjects, made, now)


def _plans_of(
    policy: StoredPolicy, policies: Sequence[StoredPolicy], subjects: Subjects, made: Sequence[Change], now: str
) -> Iterator[Plan]:
    match policy.rule:
        case Promotion() as rule:
            yield from promotions.plans(policy, rule, subjects, policies)
        case Label() as rule:
            yield from labels.plans(policy, rule, subjects, policies)
        case Retention() as rule:
            yield from retentions.plans(policy, rule, subjects, now)
        case Action() as rule:
            yield from actions.plans(policy, rule, subjects, made)


def _table(plans: Sequence[Plan]) -> object:
    import pyarrow as pa

    return pa.Table.from_pylist([plan.to_row() for plan in plans], pa.schema([(name, pa.string()) for name in SHOWN]))
