"""Models, their versions and aliases: the handles that a user holds, and the verbs on them.

A handle is an identity: it knows its session and its record's id, and every attribute is read from the newest state.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Generic, Self, TypeVar

from localreg.canonical import JsonObject, checked_object
from localreg.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError
from localreg.log import Row, State
from localreg.names import (
    check_alias,
    check_name,
    check_tags,
    check_text,
    check_version,
    did_you_mean,
    new_id,
    split_reference,
)
from localreg.query import Result
from localreg.records.base import Record
from localreg.records.models import AliasRecord, ModelRecord, ModelVersionRecord
from localreg.session import Changes, Session

__all__ = [
    "UNCHANGED",
    "Model",
    "ModelVersion",
    "Unchanged",
    "create_model",
    "ensure_version",
    "find_model",
    "get_model",
    "get_version",
]


class Unchanged:
    """Stands for an argument that was not given, where None means "nothing"."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()

RecordT = TypeVar("RecordT", bound=Record)


class Handle(Generic[RecordT]):
    """An identity within a session. Equal handles mean the same record of the same registry and namespace."""

    _record_class: type[RecordT]

    def __init__(self, session: Session, id: str) -> None:
        self._session = session
        self._id = id

    @property
    def id(self) -> str:
        """The record's identity: 32 hex digits, for ever."""
        return self._id

    @property
    def record(self) -> RecordT:
        """The record as it is now: frozen data.

        Raises:
            NotFoundError: it has been deleted.
        """
        return self._record_class.model_validate(self._row().fields)

    @property
    def name(self) -> str:
        """What it is called now."""
        return self._row().name

    @property
    def created_at(self) -> datetime:
        """When it was made, by its maker's clock, UTC."""
        return datetime.fromisoformat(self._row().created_at)

    @property
    def created_by(self) -> str:
        """The actor who made it."""
        return self._row().created_by

    @property
    def updated_at(self) -> datetime:
        """When it was changed last, by that actor's clock, UTC."""
        return datetime.fromisoformat(self._row().updated_at)

    def _row(self, state: State | None = None) -> Row:
        row = (state or self._session.state()).get(self._record_class.kind, self._id)
        if row is None:
            raise NotFoundError(
                f"{_noun(self._record_class.kind)} {self._id} is not in {self._session.namespace!r}: it was deleted, "
                "or not made yet at the commit that is shown"
            )
        return row

    def _change(self, edit: Callable[[RecordT, Changes], RecordT], *, action: str = "update") -> Self:
        """Replace the record by what `edit` makes of its newest self."""

        def operation(changes: Changes) -> None:
            row = self._row(changes.draft)
            changes.update(row, edit(self._record_class.model_validate(row.fields), changes), action=action)

        self._session.change(operation)
        return self

    def _delete(self, dependants: Callable[[State], list[str]]) -> None:
        def operation(changes: Changes) -> None:
            row = self._row(changes.draft)
            blocking = dependants(changes.draft)
            if blocking:
                raise ConflictError(
                    f"{_noun(row.kind)} {row.name!r} cannot be deleted: {_listed(blocking)} depend on it; "
                    "delete those first",
                    code="has_dependants",
                )
            changes.delete(row)

        self._session.change(operation)

    def history(self) -> Result:
        """The audit events of this record and of what belongs to it, in order of commit; columns of `audit_events`."""
        return self._session.engine().select("audit_events", where=f"id = '{self._id}' OR parent = '{self._id}'")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Handle):
            return NotImplemented
        return (self._id, self._session.file.registry) == (other._id, other._session.file.registry)

    def __hash__(self) -> int:
        return hash(self._id)


class ModelVersion(Handle[ModelVersionRecord]):
    """One deterministic, trained thing."""

    _record_class = ModelVersionRecord

    @property
    def model(self) -> Model:
        """The model that this is a version of."""
        return Model(self._session, self.record.model)

    @property
    def version(self) -> str:
        """The version string."""
        return self.name

    @property
    def description(self) -> str | None:
        """Free text."""
        return self.record.description

    @property
    def metadata(self) -> JsonObject:
        """The model's metadata, overlaid by the version's own."""
        return {**self.model.metadata, **self.record.metadata}

    @property
    def aliases(self) -> list[str]:
        """The aliases that point here, sorted."""
        return sorted(name for name, version in self.model.aliases().items() if version == self)

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        description: str | None | Unchanged = UNCHANGED,
    ) -> Self:
        """Merge metadata by top-level key, remove the keys in `unset`, set the description; one audited act."""
        fields = _checked_fields(description=description)
        merge = _metadata_merger(metadata, unset)
        return self._change(lambda record, _: record.replaced(metadata=merge(record.metadata), **fields))

    def delete(self) -> None:
        """Delete this version.

        Raises:
            ConflictError: aliases or test runs depend on it; they are named.
        """
        self._delete(self._dependants)

    def _dependants(self, state: State) -> list[str]:
        row = self._row(state)
        aliases = [
            f"alias {alias.name!r}" for alias in state.children("alias", row.parent) if alias.fields["version"] == row.id
        ]
        return aliases + [f"test run {run.id}" for run in state.children("test_run", row.id)]

    def __repr__(self) -> str:
        row = self._row()
        return f"<ModelVersion {self.model.name!r} {row.name!r}>"


class Model(Handle[ModelRecord]):
    """A model of a namespace: a name, and what people say about it."""

    _record_class = ModelRecord

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def description(self) -> str | None:
        """Free text."""
        return self.record.description

    @property
    def owner(self) -> str | None:
        """Whom to ask."""
        return self.record.owner

    @property
    def task(self) -> str | None:
        """What it is for."""
        return self.record.task

    @property
    def tags(self) -> list[str]:
        """Sorted, unique."""
        return self.record.tags

    @property
    def metadata(self) -> JsonObject:
        """A copy: change it with `update`."""
        return self.record.metadata

    # --- changing it ------------------------------------------------------------------------------------------------

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        tags: Iterable[str] | Unchanged = UNCHANGED,
        owner: str | None | Unchanged = UNCHANGED,
        description: str | None | Unchanged = UNCHANGED,
        task: str | None | Unchanged = UNCHANGED,
    ) -> Self:
        """Change what is said about the model; one audited act, and none if nothing differs.

        Args:
            metadata: merged by top-level key into what is there.
            unset: top-level metadata keys to remove; absent ones are fine.
            tags: replace all tags; see `tag` and `untag` for single ones.
            owner: whom to ask; None removes it.
            description: free text; None removes it.
            task: what it is for; None removes it.

        Raises:
            InvalidInputError: metadata is no JSON object, a text is malformed; nothing is changed.
        """
        fields = _checked_fields(owner=owner, description=description, task=task)
        if not isinstance(tags, Unchanged):
            fields["tags"] = check_tags(tags)
        merge = _metadata_merger(metadata, unset)
        return self._change(lambda record, _: record.replaced(metadata=merge(record.metadata), **fields))

    def tag(self, *tags: str) -> Self:
        """Add tags; those already there are fine."""
        added = set(check_tags(tags))
        return self._change(lambda record, _: record.replaced(tags=sorted(added.union(record.tags))), action="tag")

    def untag(self, *tags: str) -> Self:
        """Remove tags; absent ones are fine."""
        removed = set(check_tags(tags))
        return self._change(lambda record, _: record.replaced(tags=sorted(set(record.tags) - removed)), action="untag")

    def rename(self, name: str) -> Self:
        """Give the model another name. Its id, history, versions and inferences stay its own; the old name is free.

        Raises:
            AlreadyExistsError: another model has that name.
        """
        name = check_name(name)

        def edit(record: ModelRecord, changes: Changes) -> ModelRecord:
            if name == record.name:
                return record
            if changes.draft.find("model", name) is not None:
                raise AlreadyExistsError(f"a model {name!r} exists already; choose another name")
            former = [old for old in record.former_names if old != name]
            return record.replaced(name=name, former_names=[*former, record.name])

        return self._change(edit, action="rename")

    def delete(self) -> None:
        """Delete the model. Its history stays in the audit log, and its name is free.

        Raises:
            ConflictError: versions, and what hangs on them, depend on it; they are named.
        """
        self._delete(lambda state: [f"version {row.name!r}" for row in state.children("model_version", self._id)])

    # --- versions and aliases ---------------------------------------------------------------------------------------

    def create_version(
        self, version: str | int, *, metadata: Mapping[str, object] | None = None, description: str | None = None
    ) -> ModelVersion:
        """Add a version; it becomes the newest.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        record = ModelVersionRecord(
            id=new_id(),
            name=check_version(version),
            model=self._id,
            description=None if description is None else check_text(description, what="description"),
            metadata=checked_object(metadata or {}, what="metadata"),
        )

        def operation(changes: Changes) -> None:
            model = self._row(changes.draft)
            if changes.draft.find(record.kind, record.name, record.parent) is not None:
                raise AlreadyExistsError(f"model {model.name!r} has a version {record.name!r} already; choose another")
            changes.create(record)

        self._session.change(operation)
        return ModelVersion(self._session, record.id)

    def versions(self) -> list[ModelVersion]:
        """All versions, in order of creation."""
        state = self._session.state()
        self._row(state)
        return [ModelVersion(self._session, row.id) for row in state.children("model_version", self._id)]

    @property
    def latest_version(self) -> ModelVersion | None:
        """The version that was made last; None if there is none yet."""
        versions = self.versions()
        return versions[-1] if versions else None

    def version(self, version: str | int) -> ModelVersion:
        """The version of that name.

        Raises:
            NotFoundError: there is none.
        """
        return ModelVersion(self._session, self._find_version(self._session.state(), check_version(version)).id)

    def set_alias(self, alias: str, version: str | int | ModelVersion) -> Self:
        """Point an alias at a version, wherever it pointed before; one audited act.

        Raises:
            NotFoundError: no such version.
        """
        alias = check_alias(alias)
        wanted = version.version if isinstance(version, ModelVersion) else check_version(version)

        def operation(changes: Changes) -> None:
            target = self._find_version(changes.draft, wanted)
            if isinstance(version, ModelVersion) and target.id != version.id:
                raise InvalidInputError(f"{version!r} is no version of model {self.name!r}")
            row = changes.draft.find("alias", alias, self._id)
            if row is None:
                record = AliasRecord(id=changes.new_id("alias", alias), name=alias, model=self._id, version=target.id)
                changes.create(record, action="set_alias")
            else:
                record = AliasRecord.model_validate(row.fields).replaced(version=target.id)
                changes.update(row, record, action="set_alias")

        self._session.change(operation)
        return self

    def remove_alias(self, alias: str) -> Self:
        """Remove an alias.

        Raises:
            NotFoundError: there is none of that name.
        """

        def operation(changes: Changes) -> None:
            changes.delete(self._find_alias(changes.draft, alias), action="remove_alias")

        self._session.change(operation)
        return self

    def aliases(self) -> dict[str, ModelVersion]:
        """Each alias and the version that it points to."""
        state = self._session.state()
        self._row(state)
        return {
            row.name: ModelVersion(self._session, str(row.fields["version"])) for row in state.children("alias", self._id)
        }

    def resolve(self, alias: str) -> ModelVersion:
        """The version that an alias points to.

        Raises:
            NotFoundError: there is no such alias.
        """
        row = self._find_alias(self._session.state(), alias)
        return ModelVersion(self._session, str(row.fields["version"]))

    def _find_version(self, state: State, version: str) -> Row:
        row = state.find("model_version", version, self._id)
        if row is None:
            names = [row.name for row in state.children("model_version", self._id)]
            have = f"it has {_listed([repr(name) for name in names])}" if names else "it has no version yet"
            raise NotFoundError(f"model {self._row(state).name!r} has no version {version!r}; {have}")
        return row

    def _find_alias(self, state: State, alias: str) -> Row:
        row = state.find("alias", alias, self._id)
        if row is None:
            hint = did_you_mean(alias, [row.name for row in state.children("alias", self._id)])
            raise NotFoundError(f"model {self._row(state).name!r} has no alias {alias!r}{hint}")
        return row

    def __repr__(self) -> str:
        return f"<Model {self.name!r}>"


# --- verbs of the registry ------------------------------------------------------------------------------------------


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
        metadata=checked_object(metadata or {}, what="metadata"),
        tags=check_tags(tags),
        **_checked_fields(owner=owner, description=description, task=task),
    )
    existing: list[Row] = []

    def operation(changes: Changes) -> None:
        existing.clear()
        row = changes.draft.find("model", record.name)
        if row is None:
            changes.create(record)
        elif exist_ok:
            existing.append(row)
        else:
            raise AlreadyExistsError(f"a model {record.name!r} exists already; choose another name, or pass exist_ok=True")

    session.change(operation)
    if not existing:
        return Model(session, record.id)
    _warn_of_differences(existing[0], record)
    return Model(session, existing[0].id)


def _warn_of_differences(row: Row, asked: ModelRecord) -> None:
    differing = [
        field
        for field in ("metadata", "tags", "owner", "description", "task")
        if getattr(asked, field) and getattr(asked, field) != row.fields.get(field)
    ]
    if differing:
        warnings.warn(
            f"model {row.name!r} exists already, and its {' and '.join(differing)} stay as they are; "
            "use update() to change them",
            stacklevel=4,
        )


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


def get_version(session: Session, reference: str | Model | ModelVersion) -> ModelVersion:
    """The model version that a reference means; see `Registry.get_version`."""
    if isinstance(reference, ModelVersion):
        return reference
    if isinstance(reference, Model):
        return _newest(reference)
    state = session.state()
    for name, what in split_reference(check_name(reference)):
        row = state.find("model", name)
        if row is None:
            continue
        model = Model(session, row.id)
        if what is None:
            return _newest(model)
        version = state.find("model_version", what, row.id)
        if version is not None:
            return ModelVersion(session, version.id)
        alias = state.find("alias", what, row.id)
        if alias is not None:
            return ModelVersion(session, str(alias.fields["version"]))
        raise NotFoundError(f"model {name!r} has neither a version nor an alias {what!r}")
    raise _no_model(session, reference)


def ensure_version(changes: Changes, model: Row) -> ModelVersionRecord:
    """The model's newest version; version `1`, made here, if it has none."""
    versions = changes.draft.children("model_version", model.id)
    if versions:
        return ModelVersionRecord.model_validate(versions[-1].fields)
    record = ModelVersionRecord(id=changes.new_id("model_version", model.id), name="1", model=model.id)
    changes.create(record)
    return record


def _newest(model: Model) -> ModelVersion:
    newest = model.latest_version
    if newest is None:
        raise NotFoundError(f"model {model.name!r} has no version yet; run it on a test suite, or create_version()")
    return newest


def _no_model(session: Session, name: str) -> NotFoundError:
    models = session.state().children("model")
    renamed = [row.name for row in models if name in _former_names(row)]
    if renamed:
        return NotFoundError(f"no model {name!r} in {session.namespace!r}: it is now called {renamed[-1]!r}", code="renamed")
    hint = did_you_mean(name, [row.name for row in models])
    return NotFoundError(f"no model {name!r} in namespace {session.namespace!r}{hint}")


def _former_names(row: Row) -> list[Any]:
    names = row.fields.get("former_names")
    return names if isinstance(names, list) else []


def _checked_fields(**fields: str | None | Unchanged) -> dict[str, Any]:
    """The texts that were given, checked; None stays None, and what was not given is left out."""
    return {
        key: None if text is None else check_text(text, what=key)
        for key, text in fields.items()
        if not isinstance(text, Unchanged)
    }


def _metadata_merger(
    metadata: Mapping[str, object] | None, unset: Iterable[str]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    added = checked_object(metadata or {}, what="metadata")
    if isinstance(unset, str):
        raise InvalidInputError(f"unset is a text; pass a list of keys: [{unset!r}]")
    removed = set(unset)
    return lambda old: {**{key: value for key, value in old.items() if key not in removed}, **added}


def _noun(kind: str) -> str:
    return kind.replace("_", " ")


def _listed(things: list[str], most: int = 5) -> str:
    shown = ", ".join(things[:most])
    return shown if len(things) <= most else f"{shown} and {len(things) - most} more"
