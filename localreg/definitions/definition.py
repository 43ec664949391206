"""The handle of a definition that is registered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localreg.artifacts.attached import HasArtifacts
from localreg.canonical import JsonObject
from localreg.definitions.schema import UNIVERSAL
from localreg.errors import ConflictError, NotFoundError
from localreg.log import State
from localreg.models import Model, ModelVersion, get_version
from localreg.records.definitions import DefinitionRecord
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["Definition", "definition_of", "get_definition", "get_universal"]


class Definition(HasArtifacts[DefinitionRecord]):
    """What a model version is made of and how it is run; or, as `${model.name}`, how all are run that do not say it."""

    _record_class = DefinitionRecord

    @property
    def version(self) -> ModelVersion | None:
        """The version that it is of; None = it stands for all models."""
        version = self.info.version
        return None if version is None else ModelVersion(self._session, version)

    @property
    def content(self) -> str:
        """sha256 of what it comes to: code, files with their paths, and the runtime."""
        return self.info.content

    @property
    def repository(self) -> JsonObject | None:
        """Of the code: `url`, `branch`, `hash`, `commit` (None = nobody could ask), `access_token` as `${NAME}`."""
        return self.info.repository

    @property
    def code(self) -> JsonObject | None:
        """A snapshot of the code, if stored: `sha256`, `bytes`, `files`, `programs`, `git` (`commit`, `dirty`)."""
        return self.info.code

    @property
    def files(self) -> list[dict[str, Any]]:
        """Each with `name`, `url`, `upload`, `sha256`, `bytes`, `credentials` as `${NAME}`."""
        return self.info.files

    @property
    def runtime(self) -> JsonObject | None:
        """How it is run, as YAML says it; None = as another definition says it, which is looked for at each load."""
        return self.info.runtime

    def yaml(self) -> str:
        """The definition as a file that registers the same again."""
        from localreg.definitions.export import yaml_of

        return yaml_of(self)

    def export(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the definition into a folder, with its code and stored files: pushed from there, it is the same again.

        A file comes to lie where it was named by. If that is outside of the folder, or was an address elsewhere, it
        goes by its last part, and the YAML says so: its path counts as content, so that another digest comes of it.
        What is only tracked, and a repository, stay named.

        Args:
            folder: it is made. Unless the code is in a repository, it must hold no other files, which would be code.
            overwrite: replace files that are there; those that hold the same are left as they are in any case.

        Returns:
            The path of the YAML: `models.yaml`, unless the code has a file of that name.

        Raises:
            AlreadyExistsError: there is another file.
            DefinitionError: it was registered by a later release.
            IntegrityError: bytes are not those that were stored; nothing of that file is left.
        """
        from localreg.definitions.export import export

        return export(self, folder, overwrite=overwrite)

    def previous(self) -> Definition:
        """The one before: of a version, that of the version before it; of the entry for all, what it said before.

        Raises:
            NotFoundError: it is the first.
        """
        version = self.version
        if version is None:
            return self._earlier()
        versions = version.model.versions()
        for each in reversed(versions[: versions.index(version)]):
            found = definition_of(self._session, each.id)
            if found is not None:
                return found
        raise NotFoundError(f"{self!r} is the first of its model; there is nothing before it")

    def _earlier(self) -> Definition:
        commits = [event["commit"] for event in self.log().dicts()]
        if len(commits) < 2:
            raise NotFoundError(f"{self!r} says what it has said from the first; there is nothing before it")
        return Definition(self._session.at(commit=commits[-1] - 1), self._id)

    def log(self) -> Result:
        """Who registered what of its model: `commit`, `time`, `actor`, `action`, `version`, `content`, `message`.

        In order of commit; `version` is null for the entry that stands for all models.
        """
        return self._session.engine().sql(
            """SELECT e.commit, e.time, e.actor, e.action, v.version, e.after->>'content' AS content, e.message
            FROM audit_events e LEFT JOIN model_versions v ON v.id = e.parent
            WHERE e.kind = 'definition' AND (e.id = ? OR e.parent IN (
                SELECT id FROM audit_events WHERE kind = 'model_version' AND parent = ?
            )) ORDER BY e.commit, e.event""",
            [self.id, "" if (version := self.version) is None else version.model.id],
        )

    def delete(self) -> None:
        """Delete the entry for all models; what it said stays in the audit log.

        Raises:
            ConflictError: it is that of a version, and goes with it.
        """
        version = self.version
        if version is not None:
            raise ConflictError(f"the definition of {version!r} goes with that; delete the version")
        self._delete(force=False)

    def _stated(self) -> JsonObject:
        return self.info.model_dump(include={"repository", "code", "files", "runtime"})

    def _label(self) -> str:
        version = self.version
        return self.name if version is None else f"{version.model.name}@{version.name}"

    def _shown(self) -> str:
        return repr(self._label())


def definition_of(session: Session, version: str, state: State | None = None) -> Definition | None:
    """What is registered of a version, by its id."""
    row = next(iter((state or session.state()).children(DefinitionRecord.kind, version)), None)
    return None if row is None else Definition(session, row.id)


def get_universal(session: Session) -> Definition:
    """The entry that stands for all models.

    Raises:
        NotFoundError: there is none.
    """
    row = session.state().find(DefinitionRecord.kind, UNIVERSAL)
    if row is None:
        raise NotFoundError(f"no definition {UNIVERSAL!r} in namespace {session.namespace!r}; push a file that has it")
    return Definition(session, row.id)


def get_definition(session: Session, reference: str | Model | ModelVersion) -> Definition:
    """See `Registry.get_definition`."""
    if reference == UNIVERSAL:
        return get_universal(session)
    version = get_version(session, reference)
    definition = definition_of(session, version.id)
    if definition is None:
        raise NotFoundError(f"nothing says what {version!r} is made of; push a definition that says it")
    return definition
