"""Models and their versions: the handles that a user holds, and the verbs on them.

A handle is an identity: it knows its session and its record's id, and every attribute is read from the newest state.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Self, cast

from localreg.artifacts.attached import HasArtifacts
from localreg.canonical import JsonObject, checked_object
from localreg.datasets.attached import HasDatasets
from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from localreg.events.attached import HasEvents
from localreg.handles.handle import UNCHANGED, Unchanged, checked_texts, metadata_merger, warn_of_differences
from localreg.handles.lineage import HasLineage
from localreg.handles.words import listed
from localreg.log import Row, State
from localreg.models.consumption import HasConsumers, tell_consumed
from localreg.models.defined import Files, Parts, RegisteredDefinition, Repository, define, defined
from localreg.models.inferred import HasInferences
from localreg.models.metrics import HasMetrics
from localreg.models.origin import SavedWeights, checkpoint_of
from localreg.models.version_names import add_version, move_alias, refuse_shadowing
from localreg.names import (
    check_alias,
    check_name,
    check_tags,
    check_text,
    check_version,
    did_you_mean,
    new_id,
)
from localreg.records.determinism import Determinism
from localreg.records.machines import Machine
from localreg.records.models import AliasRecord, ModelRecord, ModelVersionRecord
from localreg.session import Changes

__all__ = ["Model", "ModelVersion"]


class ModelVersion(
    HasInferences,
    HasMetrics[ModelVersionRecord],
    HasArtifacts[ModelVersionRecord],
    HasDatasets[ModelVersionRecord],
    HasEvents[ModelVersionRecord],
    HasConsumers[ModelVersionRecord],
    HasLineage[ModelVersionRecord],
):
    """One deterministic, trained thing."""

    _record_class = ModelVersionRecord

    @property
    def model(self) -> Model:
        """The model that this is a version of."""
        return Model(self._session, self.info.model)

    @property
    def version(self) -> str:
        """The version string."""
        return self.name

    @property
    def description(self) -> str | None:
        """Free text."""
        return self.info.description

    @property
    def tags(self) -> list[str]:
        """Of the version alone, sorted."""
        return self.info.tags

    @property
    def metadata(self) -> JsonObject:
        """The model's metadata, overlaid by the version's own."""
        return {**self.model.metadata, **self.info.metadata}

    @property
    def aliases(self) -> list[str]:
        """The aliases that point here, sorted."""
        return sorted(name for name, version in self.model.aliases().items() if version == self)

    @property
    def determinism(self) -> Determinism | None:
        """What trying it again has shown; None = not verified. See `localreg.workflow.Model.verify_determinism`."""
        told = self.info.determinism
        return None if told is None else Determinism.from_json(told)

    @property
    def machines(self) -> list[Machine]:
        """The machines that have verified it, at most 8, with digests of what it answered there; the last is the last.

        With these `verify_determinism(level="machine")` compares.
        """
        return [Machine.from_json(told) for told in self.info.machines]

    @property
    def definition(self) -> RegisteredDefinition | None:
        """What it is made of and how it is run; None = nobody said."""
        return defined(self._session, self._id)

    @property
    def checkpoint(self) -> SavedWeights | None:
        """The checkpoint that it was made of; None = of none."""
        return checkpoint_of(self._session, self.info.checkpoint)

    def consume(self) -> Self:
        """Say that this process uses it, such as before its model is loaded: an event of the audit log.

        There is one at most for each process (a forked one is another) and version. If nothing can be written to the
        registry, there is a warning instead. `consumers` lists them.

        Raises:
            NotFoundError: it has been deleted.
        """
        tell_consumed(self, via=None, stacklevel=2)
        return self

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        tags: Iterable[str] | Unchanged = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
    ) -> Self:
        """Merge metadata by top-level key, remove the keys in `unset`, set tags and description; one audited act."""
        fields = checked_texts(description=description)
        if not isinstance(tags, Unchanged):
            fields["tags"] = check_tags(tags)
        merge = metadata_merger(metadata, unset)
        return self._change(lambda record, _: record.replaced(metadata=merge(record.metadata), **fields))

    def tag(self, *tags: str) -> Self:
        """Add tags to this version; those already there are fine."""
        added = set(check_tags(tags))
        return self._change(lambda record, _: record.replaced(tags=sorted(added.union(record.tags))), action="tag")

    def untag(self, *tags: str) -> Self:
        """Remove tags; absent ones are fine."""
        removed = set(check_tags(tags))
        return self._change(lambda record, _: record.replaced(tags=sorted(set(record.tags) - removed)), action="untag")

    def delete(self, *, force: bool = False) -> None:
        """Delete this version.

        Args:
            force: delete what depends on it, too: aliases, test runs and their inferences; one commit.

        Raises:
            ConflictError: aliases or test runs depend on it; they are named.
        """
        self._delete(force=force)

    def _inferring_version(self) -> str:
        return self._id

    def _stated(self) -> JsonObject:
        said = {
            "description": self.description,
            "tags": self.tags,
            "metadata": self.metadata,
            "metrics": self.metrics(),
            **self._stated_datasets(),
        }
        return cast(JsonObject, said)

    def _label(self) -> str:
        return f"{self.model.name}@{self.name}"

    def _shown(self) -> str:
        verdict = self.determinism
        return f"{self.model.name!r} {self.name!r}{'' if verdict is None else f', {verdict.level}'}"


class Model(
    HasInferences,
    HasMetrics[ModelRecord],
    HasArtifacts[ModelRecord],
    HasDatasets[ModelRecord],
    HasEvents[ModelRecord],
    HasConsumers[ModelRecord],
):
    """A model of a namespace: a name, and what people say about it."""

    _record_class = ModelRecord

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def description(self) -> str | None:
        """Free text."""
        return self.info.description

    @property
    def owner(self) -> str | None:
        """Whom to ask."""
        return self.info.owner

    @property
    def task(self) -> str | None:
        """What it is for."""
        return self.info.task

    @property
    def tags(self) -> list[str]:
        """Sorted, unique."""
        return self.info.tags

    @property
    def metadata(self) -> JsonObject:
        """A copy: change it with `update`."""
        return self.info.metadata

    @property
    def archived(self) -> bool:
        """Whether it is hidden from listings."""
        return self.info.archived

    # --- changing it ------------------------------------------------------------------------------------------------

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        tags: Iterable[str] | Unchanged = UNCHANGED,
        owner: str | Unchanged | None = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
        task: str | Unchanged | None = UNCHANGED,
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
        fields = checked_texts(owner=owner, description=description, task=task)
        if not isinstance(tags, Unchanged):
            fields["tags"] = check_tags(tags)
        merge = metadata_merger(metadata, unset)
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
            refuse_shadowing(changes.draft, name)
            former = [old for old in record.former_names if old != name]
            return record.replaced(name=name, former_names=[*former, record.name])

        return self._change(edit, action="rename")

    def archive(self) -> Self:
        """Hide the model from listings. It is not locked: it can be found by name, changed, and run as before."""
        return self._change(lambda record, _: record.replaced(archived=True), action="archive")

    def restore(self) -> Self:
        """Show the model in listings again."""
        return self._change(lambda record, _: record.replaced(archived=False), action="restore")

    def delete(self, *, force: bool = False) -> None:
        """Delete the model. Its history stays in the audit log, and its name is free.

        Args:
            force: delete what depends on it, too: versions, aliases, test runs and their inferences; one commit.

        Raises:
            ConflictError: versions, and what hangs on them, depend on it; they are named.
        """
        self._delete(force=force)

    # --- versions and aliases ---------------------------------------------------------------------------------------

    def create_version(
        self,
        version: str | int | None = None,
        *,
        metadata: Mapping[str, object] | None = None,
        description: str | None = None,
        exist_ok: bool = False,
        code: str | os.PathLike[str] | None = None,
        repository: Repository | None = None,
        files: Files | None = None,
        runtime: Mapping[str, object] | None = None,
    ) -> ModelVersion:
        """Add a version; it becomes the newest.

        With any of `code`, `repository`, `files` and `runtime` it is one that can be loaded and tested: see
        `Registry.push`, which takes the same from a YAML file. Then the same content is no new version.

        Args:
            version: free text, unique in the model; None = a digest of its content.
            metadata: laid over the model's.
            description: free text.
            exist_ok: return the version if there is one; what differs is left as it is, with a warning.
            code: a folder, whose files are stored, but for those that `.gitignore` names.
            repository: a git repository in place of that: its address, or `url`, `branch` or `hash`, `access_token`.
            files: weights and the like, by name: a path, which is stored, or an address, which is kept; or `url`,
                `upload`, `credentials`. Secrets are written as `${NAME}`, a variable of the environment.
            runtime: `load`, `predict`, `device`, `batch`, as in YAML; None = that of another definition is looked for
                when it is loaded.

        Raises:
            AlreadyExistsError: there is one of that name.
            ConflictError: there is one of that name, with other code, files or runtime.
            DefinitionError: the definition is wrong; all faults are told.
            InvalidInputError: neither a name nor any content is given.
        """
        parts = Parts(code, repository, files, runtime)
        if parts != Parts(None, None, None, None):
            return define(self, version, parts, metadata=metadata, description=description)
        if version is None:
            raise InvalidInputError("version is None; give a name, or code=, repository= or files= to name it by")
        record = ModelVersionRecord(
            id=new_id(),
            name=check_version(version),
            model=self._id,
            description=None if description is None else check_text(description, what="description"),
            metadata=checked_object({} if metadata is None else metadata, what="metadata"),
        )

        def operation(changes: Changes) -> None:
            if not exist_ok or changes.draft.find(record.kind, record.name, record.parent) is None:
                add_version(changes, self._row(changes.draft), record)

        row = self._session.change(operation).find(record.kind, record.name, record.parent)
        assert row is not None, "the operation made it, or found it"
        if row.id != record.id:
            asked = {field: getattr(record, field) for field in ("metadata", "description") if getattr(record, field)}
            warn_of_differences(row, asked, stacklevel=2)
        return ModelVersion(self._session, row.id)

    def versions(self) -> list[ModelVersion]:
        """All versions, in order of creation."""
        state = self._session.state()
        self._row(state)
        return [ModelVersion(self._session, row.id) for row in state.outlines("model_version", self._id)]

    @property
    def latest_version(self) -> ModelVersion | None:
        """The version that was made last; None if there is none yet."""
        state = self._session.state()
        self._row(state)
        newest = state.newest("model_version", self._id)
        return None if newest is None else ModelVersion(self._session, newest.id)

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
            move_alias(changes, self._id, alias, target)

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
            row.name: ModelVersion(self._session, row.load(AliasRecord).version)
            for row in state.children("alias", self._id)
        }

    def resolve(self, alias: str) -> ModelVersion:
        """The version that an alias points to.

        Raises:
            NotFoundError: there is no such alias.
        """
        row = self._find_alias(self._session.state(), alias)
        return ModelVersion(self._session, row.load(AliasRecord).version)

    def _inferring_version(self) -> str:
        newest = self.latest_version
        if newest is None:
            raise NotFoundError(f"model {self.name!r} has no version yet; run it on a test suite, or create_version()")
        return newest.id

    def _stated(self) -> JsonObject:
        record, state = self.info, self._session.state()
        workflow = None if record.workflow is None else state.get("workflow", record.workflow)
        said = record.model_dump(include={"description", "owner", "task", "tags", "metadata", "archived"})
        named = None if workflow is None else workflow.name
        return {**said, "metrics": self.metrics(), "workflow": named, **self._stated_datasets()}

    def _find_version(self, state: State, version: str) -> Row:
        row = state.find("model_version", version, self._id)
        if row is None:
            names = [row.name for row in state.outlines("model_version", self._id)]
            have = f"it has {listed([repr(name) for name in names])}" if names else "it has no version yet"
            raise NotFoundError(f"model {self._row(state).name!r} has no version {version!r}; {have}")
        return row

    def _find_alias(self, state: State, alias: str) -> Row:
        alias = check_alias(alias)
        row = state.find("alias", alias, self._id)
        if row is None:
            hint = did_you_mean(alias, [row.name for row in state.outlines("alias", self._id)])
            raise NotFoundError(f"model {self._row(state).name!r} has no alias {alias!r}{hint}")
        return row
