"""What a `Registry` says of policies: declared, shown, applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.log import State
from localreg.names import check_flag
from localreg.session import Changes, Session
from localreg.session.preconditions import consequences

if TYPE_CHECKING:
    from localreg.models import Model
    from localreg.policies import Policy, Rule
    from localreg.query import Result

__all__ = ["Policing"]


class Policing:
    """Policies: rules that commits keep to."""

    _session: Session

    def add_policy(
        self,
        name: str,
        rule: Rule,
        *,
        model: Model | str | None = None,
        description: str | None = None,
        replace: bool = False,
    ) -> Policy:
        """Declare a rule; it counts from the next commit on that touches what it is about, or `apply_policies`.

        Args:
            name: unique in the namespace.
            rule: an object of `localreg.policies`: `Retention`, `Label`, `Promotion`, `AliasGate` or `Action`.
            model: that it is of, or its name; None = all models of the namespace. A promotion needs one.
            description: free text.
            replace: a policy of that name is replaced.

        Raises:
            AlreadyExistsError: there is a policy of that name.
            NotFoundError: there is no such model.
            InvalidInputError: a condition does not parse or names an unknown column; another policy sets the same
                alias.
        """
        from localreg.policies.policy import add_policy

        return add_policy(self._session, name, rule, model=model, description=description, replace=replace)

    def get_policy(self, name: str) -> Policy:
        """The policy of that name.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.policies.policy import get_policy

        return get_policy(self._session, name)

    def apply_policies(self, *, dry_run: bool = False) -> Result:
        """Keep to all policies now, in one commit: of all that is there, whether it was touched or not.

        Actions are not called for events of the past.

        Args:
            dry_run: change nothing, and show what would be done.

        Returns:
            The plan: `policy`, `kind`, `model`, `subject`, `effect` (null = nothing is done) and `reason`. Of gates,
            whether the newest version that does not have the alias might get it.

        Raises:
            InvalidInputError: (not dry) within a transaction.
        """
        from localreg.policies.applying import apply_policies

        return apply_policies(self._session, dry_run=check_flag(dry_run, what="dry_run"))

    def run_pending(self) -> list[str]:
        """Call the functions that action policies ask for, one after another, in this process.

        Each at least once: one whose process died is called again by the next, as often as its policy says. What it
        gives becomes artifacts in the same commit that says that it is done.

        Returns:
            Ids of those that were finished; see `pending_actions()`.
        """
        from localreg.policies.pending import run_pending

        return run_pending(self._session)


def _keep_to_policies(session: Session, changes: Changes) -> None:
    if _has_policies(changes.draft):
        from localreg.policies.applying import follow

        follow(session, changes)


def _has_policies(state: State) -> bool:
    return next(state.names("policy"), None) is not None


consequences.append(_keep_to_policies)
