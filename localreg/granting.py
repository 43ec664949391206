"""Who may do what in a namespace: what a `Registry` says of it, and does about it."""

from __future__ import annotations

from localreg.session import Session

__all__ = ["Granting"]


class Granting:
    """Roles, as a `Registry` gives them.

    They are a guard against mistakes, as strong as the folder's permissions: the actor is whoever says so, and who may
    write into the folder can do anything.
    """

    _session: Session

    @property
    def role(self) -> str | None:
        """The actor's role: `owner` where nothing is granted, None where only others have one."""
        return self._session.role()

    def grant(self, principal: str, role: str) -> None:
        """Give somebody a role in this namespace, in the place of the one that they had.

        A namespace in which nothing is granted is open to all. With the first grant it is closed to those who have
        none, and whoever makes it becomes an owner, too, in the same commit. Each role may do what those before it may:
        `reader` reads; `runner` also commits what test runs, loads, downloads and declared actions bring, and changes
        nothing else; `writer` makes all other changes; `owner` also grants, revokes, protects and redacts.

        Args:
            principal: an actor, as the audit log names it; `"*"` = everybody who has no grant of their own.
            role: `"reader"`, `"runner"`, `"writer"` or `"owner"`.

        Raises:
            AccessDeniedError: the actor is no owner.
            PolicyError: no owner would be left.
            InvalidInputError: no such role, or no name.
        """
        from localreg.access import grant

        grant(self._session, principal, role)

    def revoke(self, principal: str) -> None:
        """Take somebody's grant away; they have the role of `"*"` from then on, if there is one.

        To open the namespace to all again, grant `"*"` the role `owner`.

        Raises:
            AccessDeniedError: the actor is no owner.
            NotFoundError: they have no grant.
            PolicyError: no owner would be left.
        """
        from localreg.access import revoke

        revoke(self._session, principal)
