"""Definitions into a registry: one commit that names all that was stored of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

from localreg.canonical import JsonObject
from localreg.definitions.content import VERSION_DIGITS, what_differs
from localreg.definitions.gathering import Gathered
from localreg.definitions.storing import Ready, Storing
from localreg.errors import ConflictError
from localreg.log import Row
from localreg.models import Model, ModelVersion, add_version, refuse_shadowing
from localreg.records.artifacts import ArtifactRecord
from localreg.records.definitions import DefinitionRecord
from localreg.records.models import ModelRecord, ModelVersionRecord
from localreg.session import Changes, Session

__all__ = ["Registered", "register"]

Outcome = Literal["created", "updated", "unchanged"]


class Registered(NamedTuple):
    """What became of one definition.

    Attributes:
        name: of the model, or `${model.name}`.
        outcome: `created`; `unchanged`, as the same content is there already; or `updated`: what does not count for
            that is new, such as the address of a repository, or, of the entry for all models, anything.
        version: None = it is the entry for all models.
        notes: what could not be known, in words.
    """

    name: str
    outcome: Outcome
    version: ModelVersion | None
    notes: tuple[str, ...]


def register(session: Session, gathered: Sequence[Gathered], *, source: str | None) -> list[Registered]:
    """Store what definitions name, and register them in one commit.

    Args:
        session: where to.
        gathered: what they name; nothing is missing.
        source: name of the file that they stand in; None = Python.

    Raises:
        ConflictError: a version of that name is there, with other content; nothing is registered.
        AlreadyExistsError: a new model's name means a version of another one.
        LocalregError: bytes cannot be read or stored.
    """
    storing = Storing(session, source)
    ready = [storing.ready(each) for each in gathered]
    registering = _Registering(session, ready)
    session.change(registering.register)
    return [
        Registered(
            each.definition.name,
            registering.outcomes[number],
            None if (made := registering.versions[number]) is None else ModelVersion(session, made),
            tuple(each.notes),
        )
        for number, each in enumerate(ready)
    ]


class _Registering:
    """The operation; what it came to, by the number of the definition."""

    def __init__(self, session: Session, ready: list[Ready]) -> None:
        self._session = session
        self._ready = ready
        self.outcomes: dict[int, Outcome] = {}
        self.versions: dict[int, str | None] = {}

    def register(self, changes: Changes) -> None:
        """Register all of them; run again on a newer state if need be.

        Raises:
            ConflictError: versions are there with other content; all of them are told.
        """
        conflicts = []
        for number, each in enumerate(self._ready):
            if each.definition.is_universal:
                self.outcomes[number] = _put_universal(changes, each)
                self.versions[number] = None
                continue
            model = _model(self._session, changes, each)
            try:
                self.versions[number], self.outcomes[number] = _put_version(changes, model, each)
            except ConflictError as error:
                conflicts.append(f"{each.place}{error}")
        if conflicts:
            raise ConflictError("; ".join(conflicts), code="other_content")


def _put_universal(changes: Changes, ready: Ready) -> Outcome:
    old = changes.draft.find(DefinitionRecord.kind, ready.record.name)
    if old is None:
        changes.create(ready.record)
        _put_artifacts(changes, ready, ready.record.id, ready.record.kind)
        return "created"
    if old.load(DefinitionRecord).content == ready.record.content:
        return _put_rest(changes, old, ready, old.id, old.kind)
    changes.update(old, ready.record.replaced(id=old.id))
    _put_artifacts(changes, ready, old.id, old.kind)
    return "updated"


def _put_rest(changes: Changes, old: Row, ready: Ready, owner: str, owner_kind: str) -> Outcome:
    """With equal content: what does not count for that, such as a moved repository, and artifacts that were deleted."""
    record = old.load(DefinitionRecord)
    said = {"repository": ready.record.repository, "files": ready.record.files}
    missing = [
        (action, stored)
        for action, stored in ready.artifacts
        if changes.draft.find(ArtifactRecord.kind, stored.said["name"], owner) is None
    ]
    for action, stored in missing:
        stored.name_in(changes, owner, owner_kind, action=action)
    if (record.repository, record.files) == (ready.record.repository, ready.record.files):
        return "updated" if missing else "unchanged"
    changes.update(old, record.replaced(**said, source=ready.record.source))
    return "updated"


def _model(session: Session, changes: Changes, ready: Ready) -> Row:
    """The model, with what the definition says of it."""
    said = ready.definition
    if ready.model is not None:
        return Model(session, ready.model)._row(changes.draft)
    row = changes.draft.find("model", said.name)
    if row is None:
        refuse_shadowing(changes.draft, said.name)
        texts = said.model_dump(include={"description", "task", "owner", "tags"})
        metadata = cast(JsonObject, said.metadata)
        changes.create(ModelRecord(id=changes.new_id("model", said.name), name=said.name, metadata=metadata, **texts))
    else:
        record = row.load(ModelRecord)
        texts = {key: text for key in ("description", "task", "owner") if (text := getattr(said, key)) is not None}
        tags = sorted({*record.tags, *said.tags})
        changes.update(row, record.replaced(tags=tags, metadata={**record.metadata, **said.metadata}, **texts))
    made = changes.draft.find("model", said.name)
    assert made is not None, "it was made, or found"
    return made


def _put_version(changes: Changes, model: Row, ready: Ready) -> tuple[str, Outcome]:
    """The version with this content, made if need be."""
    name = ready.definition.version
    found = _with_content(changes, model, ready.record.content) if name is None else None
    name = name or ready.record.content[:VERSION_DIGITS]
    row = found or changes.draft.find("model_version", name, model.id)
    if row is None:
        record = ModelVersionRecord(
            id=changes.new_id("model_version", f"{model.id} {name}"),
            name=name,
            model=model.id,
            description=ready.definition.description,
            metadata={} if ready.model is None else ready.definition.metadata,
        )
        add_version(changes, model, record)
        _put_definition(changes, record.id, ready)
        return record.id, "created"
    there = definition_row(changes, row.id)
    if there is None:  # made before anybody said what it is
        _refuse_other_artifacts(changes, row, ready)
        _put_definition(changes, row.id, ready)
        return row.id, "created"
    differing = what_differs(there.load(DefinitionRecord), ready.record)
    if differing:
        raise ConflictError(
            f"version {row.name!r} of model {model.name!r} is there with other {' and '.join(differing)}; a version "
            "stays what it was: give this one another name, or none",
            code="other_content",
        )
    return row.id, _put_rest(changes, there, ready, row.id, row.kind)


def _refuse_other_artifacts(changes: Changes, version: Row, ready: Ready) -> None:
    """Raise if artifacts that somebody gave a version would have to make room."""
    for _, stored in ready.artifacts:
        old = changes.draft.find(ArtifactRecord.kind, stored.said["name"], version.id)
        if old is not None and old.fields.get("sha256") != stored.said.get("sha256"):
            raise ConflictError(
                f"version {version.name!r} has an artifact {old.name!r} with other content; rename that, or give the "
                "file another name"
            )


def definition_row(changes: Changes, version: str) -> Row | None:
    """What is registered of a version."""
    return next(iter(changes.draft.children(DefinitionRecord.kind, version)), None)


def _with_content(changes: Changes, model: Row, content: str) -> Row | None:
    """The newest version of a model that has a content."""
    for outline in reversed(changes.draft.outlines("model_version", model.id)):
        there = definition_row(changes, outline.id)
        if there is not None and there.load(DefinitionRecord).content == content:
            return changes.draft.get("model_version", outline.id)
    return None


def _put_definition(changes: Changes, version: str, ready: Ready) -> None:
    record = ready.record.replaced(id=changes.new_id(DefinitionRecord.kind, version), version=version)
    changes.create(record)
    _put_artifacts(changes, ready, version, "model_version")


def _put_artifacts(changes: Changes, ready: Ready, owner: str, owner_kind: str) -> None:
    named = {stored.said["name"] for _, stored in ready.artifacts}
    for row in changes.draft.children(ArtifactRecord.kind, owner):
        if owner_kind == DefinitionRecord.kind and row.name not in named:
            changes.delete(row)
    for action, stored in ready.artifacts:
        old = changes.draft.find(ArtifactRecord.kind, stored.said["name"], owner)
        stored.name_in(changes, owner, owner_kind, action=action, old=old)
