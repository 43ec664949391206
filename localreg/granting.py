"""Who may do what in a namespace: what a `Registry` says of it, and does about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from localreg.session import Session

if TYPE_CHECKING:
    from localreg.access import ProtectionReport
    from localreg.log.validity import Void

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

    def add_signer(self, name: str, public_key: str | os.PathLike[str]) -> None:
        """Let somebody sign commits in this namespace. The first one closes it to all who cannot sign.

        From then on an entry of the log counts only if a signer has signed it, whoever can write into the folder: any
        other is void, keeps its number, and changes nothing. The first signer must be this process's own key
        (`localreg.open(…, signing_key=PATH)`, else `LOCALREG_SIGNING_KEY`); releases that do not know signatures
        refuse to open the namespace from then on.

        Args:
            name: for people.
            public_key: the line of an Ed25519 `.pub` file of OpenSSH (`ssh-ed25519 AAAA…`), or the path of one.

        Raises:
            AccessDeniedError: the actor is no owner, or this process cannot sign.
            AlreadyExistsError: the name or the key is listed already.
            InvalidInputError: no such key; or the first signer within a transaction.
            PolicyError: the first signer is not this process's own key.
        """
        from localreg.access import add_signer

        add_signer(self._session, name, public_key)

    def remove_signer(self, name: str) -> None:
        """Let somebody sign no more: what they signed before stays, what they sign from here on is void.

        Raises:
            AccessDeniedError: the actor is no owner, or this process cannot sign.
            NotFoundError: there is no such signer.
            PolicyError: it is the last one.
        """
        from localreg.access import remove_signer

        remove_signer(self._session, name)

    def void_entries(self) -> list[Void]:
        """The entries of the log that no signer has signed, and that changed nothing: `commit`, `path`, `reason`.

        All of the log is read. They stay where they are: to delete one would leave a gap in the log.
        """
        from localreg.access import void_entries

        return void_entries(self._session)

    def protect(
        self,
        group: str | int | None = None,
        *,
        members: Literal["read", "write"] | None = None,
        others: Literal["none", "read"] | None = None,
        dry_run: bool = False,
    ) -> ProtectionReport:
        """Have the operating system keep others out of this namespace's folder.

        Gives all its files and folders to a group, with the permissions that are asked for and the setgid bit, and
        looks at all of them again. From then on new ones get the same, whatever the umask of who writes them says.
        Owners of files keep their own rights, and root is bound by nothing.

        Args:
            group: a group of the operating system, by name or number; None = as it is protected already.
            members: what its members may do; None = as it is already, else `"write"`.
            others: what everybody else may do; None = as it is already, else `"none"`.
            dry_run: only tell what deviates.

        Returns:
            A report: `.ok`, and in `.deviations` what is not so, such as files of other users, which only they or root
            may change, and folders above that the group cannot pass.

        Raises:
            AccessDeniedError: the actor is no owner.
            InvalidInputError: a place without such permissions, such as a bucket; no such group; none was ever named.
            NotFoundError: nothing was committed in the namespace yet.
            ReadOnlyError: this user may not give the folder to that group. Nothing was changed.
        """
        from localreg.access import protect

        return protect(self._session, group=group, members=members, others=others, dry_run=dry_run)
