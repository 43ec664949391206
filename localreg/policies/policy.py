"""Policies as users hold them: declared, looked at, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from localreg.handles.handle import Handle
from localreg.log import State
from localreg.models.model import Model
from localreg.names import check_flag, check_name, check_text, did_you_mean, shown_value
from localreg.policies.columns import CHECKPOINT_COLUMNS, VERSION_COLUMNS
from localreg.policies.conditions import check_condition
from localreg.policies.rules import RULES, Action, AliasGate, Label, Promotion, Retention, Rule, rule_from, rule_json
from localreg.policies.stored import policies_of
from localreg.records.policies import PolicyRecord
from localreg.session import Changes, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Policy", "add_policy", "get_policy"]


class Policy(Handle[PolicyRecord]):
    """A declared rule of a model or of the namespace. Made by `Registry.add_policy`."""

    _record_class = PolicyRecord

    @property
    def kind(self) -> str:
        """`retention`, `label`, `promotion`, `gate` or `action`."""
        return self.info.rule_kind

    @property
    def rule(self) -> Rule:
        """What it says: an object of `localreg.policies`."""
        record = self.info
        return rule_from(record.rule_kind, record.rule)

    @property
    def model(self) -> Model | None:
        """The model that it is of; None = all models of the namespace."""
        model = self.info.model
        return None if model is None else Model(self._session, model)

    @property
    def description(self) -> str | None:
        """Free text."""
        return self.info.description

    def delete(self) -> None:
        """Take it back. What it did stays."""
        self._delete(force=False)

    def _stated(self) -> JsonObject:
        record = self.info
        return {"description": record.description, "kind": record.rule_kind, "rule": record.rule}

    def _shown(self) -> str:
        return f"{self.name!r}: {self.rule!r}"


def add_policy(
    session: Session, name: str, rule: Rule, *, model: Model | str | None, description: str | None, replace: bool
) -> Policy:
    """See `Registry.add_policy`."""
    from localreg.models import get_model

    called = check_name(name, what="name of the policy")
    check_flag(replace, what="replace")
    if not isinstance(rule, tuple(RULES.values())):
        kinds = ", ".join(each.__name__ for each in RULES.values())
        raise InvalidInputError(f"rule is {shown_value(rule)}; give one of these: {kinds}")
    said = None if description is None else check_text(description, what="description")
    for text, columns, of in _conditions(rule):
        check_condition(text, columns, of=of)
    of_model = get_model(session, model) if isinstance(model, str) else model
    if of_model is not None and not isinstance(of_model, Model):
        raise InvalidInputError(f"model is {shown_value(model)}; give a model of this registry, its name, or None")
    if of_model is not None and isinstance(rule, Retention) and rule.of == "checkpoints":
        raise InvalidInputError(
            "checkpoints belong to experiments, and to no model; add it to the namespace, model=None"
        )

    if of_model is None and isinstance(rule, Promotion):
        raise InvalidInputError("a promotion makes versions of one model; say which by model=")

    def operation(changes: Changes) -> None:
        scope = None if of_model is None else of_model._row(changes.draft).id
        row = changes.draft.find(PolicyRecord.kind, called)
        if row is not None and not replace:
            raise AlreadyExistsError(f"a policy {called!r} exists already; choose another name, or pass replace=True")
        _refuse_rival(changes.draft, called, rule, scope)
        id = changes.new_id(PolicyRecord.kind, called) if row is None else row.id
        record = PolicyRecord(
            id=id, name=called, description=said, model=scope, rule_kind=rule.kind, rule=rule_json(rule)
        )
        if row is None:
            changes.create(record)
        else:
            changes.update(row, record, action="replace")

    row = session.change(operation).find(PolicyRecord.kind, called)
    assert row is not None, "the operation made it"
    return Policy(session, row.id)


def get_policy(session: Session, name: str) -> Policy:
    """See `Registry.get_policy`."""
    state = session.state()
    row = state.find(PolicyRecord.kind, check_name(name, what="name of the policy"))
    if row is None:
        raise NotFoundError(f"no policy {name!r}{did_you_mean(name, state.names(PolicyRecord.kind))}")
    return Policy(session, row.id)


def _conditions(rule: Rule) -> Iterator[tuple[str, dict[str, str], str]]:
    """The conditions of a rule, with the columns that they may speak of."""
    match rule:
        case Retention(keep_when=str(text), of="checkpoints") | Promotion(when=str(text)):
            yield text, CHECKPOINT_COLUMNS, "checkpoints"
        case Retention(keep_when=str(text)) | Label(when=text) | Action(when=str(text)):
            yield text, VERSION_COLUMNS, "versions"
        case AliasGate(require=texts):
            for text in texts:
                yield text, VERSION_COLUMNS, "versions"


def _refuse_rival(state: State, name: str, rule: Rule, scope: str | None) -> None:
    """Two policies that put one alias where they like would move it to and fro."""
    alias = rule.alias if isinstance(rule, Label | Promotion) else None
    for other in policies_of(state) if alias is not None else ():
        meets = scope is None or other.record.model in (None, scope)
        sets = other.record.rule.get("alias") if other.record.rule_kind in ("label", "promotion") else None
        if other.name != name and meets and sets == alias:
            raise InvalidInputError(
                f"policy {other.name!r} sets the alias {alias!r} already; two would claim it for different versions"
            )
