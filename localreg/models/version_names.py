"""Versions and aliases of a model in a draft: names of one kind that must mean one thing each."""

from __future__ import annotations

from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError
from localreg.log import Row, State
from localreg.names import split_reference
from localreg.records.models import AliasRecord, ModelVersionRecord
from localreg.session import Changes

__all__ = ["add_version", "move_alias", "refuse_shadowing"]


def add_version(
    changes: Changes,
    model: Row,
    record: ModelVersionRecord,
    *,
    action: str = "create",
    details: JsonObject | None = None,
) -> None:
    """Put a version that was not there.

    Raises:
        AlreadyExistsError: the name is a version or an alias of the model.
    """
    if changes.draft.find(record.kind, record.name, record.parent) is not None:
        raise AlreadyExistsError(
            f"model {model.name!r} has a version {record.name!r} already; choose another, or pass exist_ok=True"
        )
    if changes.draft.find("alias", record.name, record.parent) is not None:
        raise AlreadyExistsError(f"model {model.name!r} has an alias {record.name!r}; choose another version")
    changes.create(record, action=action, details=details)


def move_alias(changes: Changes, model: str, alias: str, target: Row) -> None:
    """Point an alias of a model at one of its versions, wherever it pointed before.

    Raises:
        AlreadyExistsError: a version is called so: `model@name` must mean one thing.
    """
    if changes.draft.find("model_version", alias, model) is not None:
        named = changes.draft.outline("model", model)
        raise AlreadyExistsError(
            f"model {'' if named is None else named.name!r} has a version {alias!r}; choose another alias"
        )
    row = changes.draft.find("alias", alias, model)
    if row is None:
        record = AliasRecord(id=changes.new_id("alias", f"{model} {alias}"), name=alias, model=model, version=target.id)
        changes.create(record, action="set_alias", details={"version": target.name})
        return
    old = row.load(AliasRecord)
    moved_from = changes.draft.get("model_version", old.version)
    # In words, too: who moved it from what to what is what people ask the log.
    details: JsonObject = {"version": target.name, "from": moved_from.name if moved_from else None}
    changes.update(row, old.replaced(version=target.id), action="set_alias", details=details)


def refuse_shadowing(state: State, name: str) -> None:
    """Raise if a new model's name already means a version of another one: an exact name would win from then on."""
    for model, what in split_reference(name):
        row = state.find("model", model)
        if (
            what is not None
            and row is not None
            and (state.find("model_version", what, row.id) or state.find("alias", what, row.id))
        ):
            raise AlreadyExistsError(f"{name!r} means {what!r} of model {model!r} already; choose another name")
