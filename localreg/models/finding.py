"""Making and finding models: what `Registry` offers by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from localreg.canonical import checked_object, quoted
from localreg.errors import AlreadyExistsError, NotFoundError
from localreg.handles.handle import checked_texts, warn_of_differences
from localreg.log import Row
from localreg.models.consumption import tell_consumed
from localreg.models.model import Model, ModelVersion
from localreg.models.version_names import refuse_shadowing
from localreg.names import check_name, check_tags, check_text, did_you_mean, new_id, split_reference
from localreg.records.models import AliasRecord, ModelRecord, ModelVersionRecord
from localreg.session import Changes, Session

__all__ = [
    "consume",
    "create_model",
    "ensure_version",
    "find_model",
    "get_model",
    "get_version",
]

_LONGEST_REFERENCE = 1_000
"""Characters: a name, `@`, an alias, and some room. Each `@` is another way to read it, so that it must be bounded."""


SAID = ("metadata", "tags", "owner", "description", "task")
"""What people say about a model; the rest of its record is ours."""


def create_model(
    session: Session,
    name: str,
    *,
    metadata: Mapping[str, object] | None = None,
    tags: Iterable[str] = (),
    owner: str | None = None,
    description: str | None = None,
    task: str | None = None,
    exist_ok: bool = False,
) -> Model:
    """Make a model; see `Registry.create_model`."""
    record = ModelRecord(
        id=new_id(),
        name=check_name(name),
        metadata=checked_object({} if metadata is None else metadata, what="metadata"),
        tags=check_tags(tags),
        **checked_texts(owner=owner, description=description, task=task),
    )

    def operation(changes: Changes) -> None:
        row = changes.draft.find("model", record.name)
        if row is not None and not exist_ok:
            raise AlreadyExistsError(
                f"a model {record.name!r} exists already; choose another name, or pass exist_ok=True"
            )
        if row is None:
            refuse_shadowing(changes.draft, record.name)
            changes.create(record)

    row = session.change(operation).find("model", record.name)
    assert row is not None, "the operation made it, or found it"
    if row.id != record.id:
        asked = {field: getattr(record, field) for field in SAID if getattr(record, field)}
        warn_of_differences(row, asked, stacklevel=3)
    return Model(session, row.id)


def find_model(session: Session, name: str) -> Model | None:
    """The model of that name, or None."""
    row = session.state().find("model", check_name(name))
    return None if row is None else Model(session, row.id)


def get_model(session: Session, name: str) -> Model:
    """The model of that name; see `Registry.get_model`."""
    model = find_model(session, name)
    if model is None:
        raise _no_model(session, check_name(name))
    return model


class _Meant(NamedTuple):
    """What a reference means.

    Attributes:
        version: which one.
        alias: the alias by which it was named, if it was.
    """

    version: ModelVersion
    alias: str | None = None


def get_version(session: Session, reference: str | Model | ModelVersion) -> ModelVersion:
    """The model version that a reference means; see `Registry.get_version`."""
    return _meant(session, reference).version


def consume(session: Session, reference: str | Model | ModelVersion, *, stacklevel: int) -> ModelVersion:
    """The model version that a reference means, which this process uses; see `Registry.consume`."""
    meant = _meant(session, reference)
    tell_consumed(meant.version, via=meant.alias, stacklevel=stacklevel + 1)
    return meant.version


def _meant(session: Session, reference: str | Model | ModelVersion) -> _Meant:
    if isinstance(reference, Model | ModelVersion):
        # Looked up again: the handle may come from another commit, and must not come from another registry.
        found = type(reference)(session, reference.id)
        if isinstance(found, Model):
            return _Meant(_newest(found))
        found._row(session.state())  # raises if it is not here
        return _Meant(found)
    state = session.state()
    for name, what in split_reference(check_text(reference, what="reference", limit=_LONGEST_REFERENCE)):
        row = state.find("model", name)
        if row is None:
            continue
        model = Model(session, row.id)
        if what is None:
            return _Meant(_newest(model))
        version = state.find("model_version", what, row.id)
        if version is not None:
            return _Meant(ModelVersion(session, version.id))
        alias = state.find("alias", what, row.id)
        if alias is not None:
            return _Meant(ModelVersion(session, alias.load(AliasRecord).version), what)
        raise NotFoundError(f"model {name!r} has neither a version nor an alias {what!r}")
    raise _no_model(session, reference)


def ensure_version(changes: Changes, model: Row) -> ModelVersionRecord:
    """The model's newest version; version `1`, made here, if it has none."""
    newest = changes.draft.newest("model_version", model.id)
    if newest is not None:
        return newest.load(ModelVersionRecord)
    record = ModelVersionRecord(id=changes.new_id("model_version", model.id), name="1", model=model.id)
    changes.create(record)
    return record


def _newest(model: Model) -> ModelVersion:
    newest = model.latest_version
    if newest is None:
        raise NotFoundError(f"model {model.name!r} has no version yet; run it on a test suite, or create_version()")
    return newest


def _no_model(session: Session, name: str) -> NotFoundError:
    state = session.state()
    # The first way to read the name counts. All begin as the shortest does: one look finds whoever had any of them.
    ways = {former: number for number, (former, _) in enumerate(split_reference(name))}
    shortest = quoted(min(ways, key=len))
    beginning = shortest if len(ways) == 1 else shortest[:-1]
    renamed = [
        (-ways[former], row.updated, former, row.name)
        for row in state.containing("model", '"former_names":["', beginning)
        for former in _former_names(row)
        if former in ways
    ]
    if renamed:
        _, _, former, newest = max(renamed)
        message = f"no model {former!r} in {session.namespace!r}: it is now called {newest!r}"
        return NotFoundError(message, code="renamed")
    hint = did_you_mean(name, state.names("model"))
    return NotFoundError(f"no model {name!r} in namespace {session.namespace!r}{hint}")


def _former_names(row: Row) -> list[str]:
    names = row.fields.get("former_names")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
