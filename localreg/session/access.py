"""Who may do what in a namespace: the roles that its log grants, and what each change needs.

A guard, and not a proof: the actor is whoever `LOCALREG_ACTOR` or `actor=` says, and who may write into the folder can
write anything. What the operating system enforces are the folder's permissions (`localreg.access.protection`).

A namespace without grants is open to all. Otherwise who has a grant has its role, and all others have that of `*`, if
there is one. Roles are read from the state that a commit stands on, so that one which was taken away by the commit
before counts no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from localreg.errors import AccessDeniedError, PolicyError
from localreg.log import Change, Draft, State
from localreg.log.base import Base
from localreg.records.access import EVERYBODY, OWNER, READER, ROLES, RUNNER, WRITER, GrantRecord

__all__ = ["NEEDED", "Guard", "grants_in", "needed_role", "role_in"]

Need = str | Callable[[Change, State], str]
"""The role that a change needs; or what tells it by more than kind and action, from the state before."""


def _of_first_version(change: Change, before: State) -> str:
    """Version `1` comes by itself with the first run; any other would change what the bare name of the model means."""
    said = {key: value for key, value in (change.after or {}).items() if value not in (None, {}, [])}
    is_first = next(before.names(change.kind, change.parent), None) is None
    return RUNNER if is_first and change.name == "1" and said.keys() == {"id", "name", "model"} else WRITER


def _of_binding(change: Change, _: State) -> str:
    """A model is bound to a workflow by its first typed use; whatever else people say of it is not for runners."""
    before, after = change.before or {}, change.after or {}
    is_bound = before.get("workflow") is None and {**before, "workflow": after.get("workflow")} == after
    return RUNNER if is_bound else WRITER


def _of_action(change: Change, _: State) -> str:
    """What a declared action makes is kept by whoever runs it."""
    return RUNNER if "pending_action" in (change.details or {}) else WRITER


NEEDED: Final[Mapping[str, Mapping[str, Need]]] = {
    # Kinds that say who may do what, and what the namespace is.
    "registry": {"*": OWNER},
    "namespace": {"*": OWNER},
    "grant": {"*": OWNER},
    "feature": {"*": OWNER},
    "signer": {"*": OWNER},
    "condemned_file": {"*": OWNER},
    "policy": {"*": OWNER},
    # What people say.
    "model": {"*": WRITER, "update": _of_binding},
    "model_version": {"*": WRITER, "create": _of_first_version, "upload": RUNNER, "verify": RUNNER},
    "alias": {"*": WRITER},
    "artifact": {"*": WRITER, "upload": _of_action},
    "dataset": {"*": WRITER},
    "metrics": {"*": WRITER},
    "definition": {"*": WRITER},
    "test_case": {"*": WRITER},
    "test_case_version": {"*": WRITER},
    "test_suite": {"*": WRITER},
    "test_suite_version": {"*": WRITER},
    "experiment": {"*": WRITER},
    "checkpoint": {"*": WRITER},
    # What running brings: schemas of the classes that are run, inferences, results, and what was found by them.
    "workflow": {"*": WRITER, "create": RUNNER, "update": RUNNER},
    "test_run": {"*": WRITER, "create": RUNNER, "upload": RUNNER},
    "evaluation": {"*": RUNNER},
    "comparison": {"*": WRITER, "create": RUNNER},
    "pending_action": {"*": RUNNER},
    # Acts on a record of any kind; they come before what stands above.
    "*": {"download": RUNNER, "consume": RUNNER, "redact": OWNER, "condemn": OWNER},
}
"""By kind and action, the least role for a change; `*` = any other. A kind that does not stand here needs a writer."""


def needed_role(change: Change, before: State) -> str:
    """The least role for a change."""
    of_kind = NEEDED.get(change.kind, {})
    need = NEEDED["*"].get(change.action) or of_kind.get(change.action) or of_kind.get("*", WRITER)
    return need if isinstance(need, str) else need(change, before)


def grants_in(state: State) -> dict[str, str]:
    """The role of each principal that has a grant; empty = the namespace is open to all."""
    return {row.name: _known(row.fields.get("role")) for row in state.children(GrantRecord.kind)}


def _known(role: object) -> str:
    """The role; what a later release may call one is no more than the least here."""
    return role if isinstance(role, str) and role in ROLES else READER


def role_in(grants: Mapping[str, str], actor: str) -> str | None:
    """The actor's role; None if there is none. Where nothing is granted, all are owners."""
    return grants.get(actor) or grants.get(EVERYBODY) if grants else OWNER


class Guard:
    """What keeps one actor to the role that a namespace gives.

    Args:
        namespace: its name, for messages.
        actor: who.
    """

    def __init__(self, namespace: str, actor: str) -> None:
        self._namespace = namespace
        self._actor = actor
        self._seen: tuple[State, dict[str, str]] | None = None
        self._base: tuple[Base, bool] | None = None

    def role(self, state: State) -> str | None:
        """The actor's role in a state; None if there is none."""
        return role_in(self._grants(state), self._actor)

    def refuse_stranger(self, state: State) -> None:
        """Raise `AccessDeniedError` if the actor may not even read."""
        self.refuse_without(READER, state)

    def refuse_without(self, role: str, state: State) -> None:
        """Raise `AccessDeniedError` if the actor's role in a state is less than the one that is needed."""
        grants = self._grants(state)
        if grants:
            self._refuse_without(role, grants, "this")

    def check(self, before: State, after: State, changes: Sequence[Change]) -> None:
        """Whether the actor may make these changes, and whether an owner is left.

        Raises:
            AccessDeniedError: they need another role.
            PolicyError: nobody could grant anything any more.
        """
        grants = self._grants(before)
        if grants:
            for change in changes:
                what = f"to {change.action.replace('_', ' ')} a {change.kind.replace('_', ' ')}"
                self._refuse_without(needed_role(change, before), grants, what)
        if any(change.kind == GrantRecord.kind for change in changes):
            self._refuse_ownerless(grants_in(after))

    def _refuse_ownerless(self, grants: Mapping[str, str]) -> None:
        if grants and OWNER not in grants.values():
            raise PolicyError(
                f"namespace {self._namespace!r} would have no owner, so that nobody could grant anything any more; "
                f"make another principal its owner first, or {EVERYBODY!r} to open it to all",
                code="no_owner",
            )

    def _grants(self, state: State) -> dict[str, str]:
        if self._seen is not None and self._seen[0] is state:
            return self._seen[1]
        if self._base is None or self._base[0] is not state.base:
            self._base = state.base, any(True for _ in state.base.outlines(GrantRecord.kind, ""))
        # Where nothing is granted, that costs no more than a look into a dictionary.
        grants = grants_in(state) if self._base[1] or state.has_new(GrantRecord.kind) else {}
        if not isinstance(state, Draft):  # which goes on changing
            self._seen = state, grants
        return grants

    def _refuse_without(self, needed: str, grants: Mapping[str, str], what: str) -> None:
        role = role_in(grants, self._actor)
        if role is not None and ROLES.index(role) >= ROLES.index(needed):
            return
        owners = [name for name in sorted(grants) if grants[name] == OWNER]
        named = ", ".join(map(repr, owners[:3])) + (" …" if len(owners) > 3 else "")
        has = "has no role" if role is None else f"has the role {role!r}"
        needs = "" if role is None else f", and {what} takes {needed!r}"
        raise AccessDeniedError(
            f"{self._actor!r} {has} in namespace {self._namespace!r}{needs}; ask an owner of it for one: {named}"
        )
