"""Giving roles and taking them away: commits like any other, which `localreg.session.access` reads."""

from __future__ import annotations

from localreg.errors import InvalidInputError, NotFoundError, PolicyError
from localreg.names import check_name, did_you_mean, shown_value
from localreg.records.access import EVERYBODY, OWNER, ROLES, GrantRecord
from localreg.session import Changes, Session
from localreg.session.access import grants_in

__all__ = ["grant", "revoke"]

PRINCIPAL = "principal"


def grant(session: Session, principal: str, role: str) -> None:
    """Give a role; see `Registry.grant`."""
    session.refuse_without(OWNER)
    name = check_name(principal, what=PRINCIPAL)
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidInputError(f"role is {shown_value(role)}; it must be one of {', '.join(ROLES)}")

    def operation(changes: Changes) -> None:
        is_first = not grants_in(changes.draft)
        _put(changes, name, role)
        if is_first and name != session.actor:  # who closes the door stays inside
            _put(changes, session.actor, OWNER)

    session.change(operation)


def _put(changes: Changes, name: str, role: str) -> None:
    row = changes.draft.find(GrantRecord.kind, name)
    if row is None:
        changes.create(GrantRecord(id=changes.new_id(GrantRecord.kind, name), name=name, role=role), action="grant")
    else:
        changes.update(row, row.load(GrantRecord).replaced(role=role), action="grant")


def revoke(session: Session, principal: str) -> None:
    """Take a role away; see `Registry.revoke`."""
    session.refuse_without(OWNER)
    name = check_name(principal, what=PRINCIPAL)

    def operation(changes: Changes) -> None:
        row = changes.draft.find(GrantRecord.kind, name)
        grants = grants_in(changes.draft)
        if row is None:
            hint = did_you_mean(name, grants) if grants else "; nothing is granted there, so that it is open to all"
            raise NotFoundError(f"{name!r} has no grant in namespace {session.namespace!r}{hint}")
        if len(grants) == 1 and name != EVERYBODY:  # undoing the first grant opens the namespace; this does not
            raise PolicyError(
                f"{name!r} is the last owner of namespace {session.namespace!r}, and without a grant it would be open "
                "to all; grant '*' the role 'owner' first, if that is meant, or another principal",
                code="no_owner",
            )
        changes.delete(row, action="revoke")

    session.change(operation)
