"""The handle of an artifact."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from localreg.handles.handle import UNCHANGED, Handle, Unchanged, checked_texts, metadata_merger
from localreg.handles.lineage import HasLineage
from localreg.names import check_name, check_text, did_you_mean
from localreg.records.artifacts import ArtifactRecord
from localreg.session import Changes
from localreg.storage.new_file import checked_local

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["Artifact", "artifact_of", "stored"]


class Artifact(HasLineage[ArtifactRecord]):
    """A file or a folder that belongs to something, stored by content, or tracked where it is."""

    _record_class = ArtifactRecord

    @property
    def media_type(self) -> str | None:
        """Such as `application/json`."""
        return self.info.media_type

    @property
    def metadata(self) -> JsonObject:
        """Any JSON object."""
        return self.info.metadata

    @property
    def sha256(self) -> str | None:
        """Of the file; of a folder, of its manifest; None = it is tracked, and nobody looked."""
        return self.info.sha256

    @property
    def bytes(self) -> int | None:
        """Of all files; None = it is tracked, and nobody looked."""
        return self.info.bytes

    @property
    def uri(self) -> str | None:
        """Where it is, if it is only tracked."""
        return self.info.uri

    def files(self) -> Result:
        """The files of a folder: `path`, `sha256`, `bytes`, sorted by path; of a file, itself.

        Raises:
            InvalidInputError: it is only tracked.
        """
        from localreg.artifacts.download import files_of_artifact
        from localreg.query import Result

        return Result(lambda: files_of_artifact(self))

    def download(
        self,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        storage_options: Mapping[str, object] | None = None,
    ) -> Path:
        """Copy it into a folder, which is made; each file appears whole, and with the sha256 that it was stored with.

        That is an event of the audit log, unless nothing can be written to the registry: then there is a warning.

        Args:
            to: the folder. A file comes to lie in it under the artifact's name, what a folder holds directly.
            overwrite: replace files that are there; those that hold the same are left as they are in any case.
            storage_options: for the place of what is only tracked.

        Returns:
            The path of the file, or of the folder.

        Raises:
            IntegrityError: bytes are not those that were stored, or a path would lead out of the folder; nothing of
                that file is left.
            AlreadyExistsError: there is another file, and `overwrite` is not set.
            NotFoundError: what is tracked is not there.
        """
        from localreg.artifacts.download import download

        folder = checked_local(to, what="to")
        return download(self, folder, overwrite=overwrite, storage_options=storage_options or {})

    def stream(self, path: str | None = None) -> Iterator[builtins.bytes]:
        """The bytes of a stored file, in pieces of 1 MiB: for who passes them on, and needs no copy.

        The last piece is given only if all of them are what was stored. Like `download` that is an event of the audit
        log, once somebody has begun to read.

        Args:
            path: of a folder's file, as `files()` has it; None = the file itself.

        Raises:
            InvalidInputError: it is only tracked; it is a folder, and no path is given.
            NotFoundError: there is no file of that path.
            IntegrityError: (while reading) bytes are not those that were stored.
        """
        from localreg.artifacts.download import streamed

        return streamed(self, None if path is None else check_text(path, what="path"))

    def update(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        unset: Iterable[str] = (),
        media_type: str | Unchanged | None = UNCHANGED,
    ) -> Self:
        """Merge metadata by top-level key, remove the keys in `unset`, set the media type; one audited act."""
        said, merge = checked_texts(media_type=media_type), metadata_merger(metadata, unset)
        return self._change(lambda record, _: record.replaced(metadata=merge(record.metadata), **said))

    def rename(self, name: str) -> Self:
        """Give it another name.

        Raises:
            AlreadyExistsError: its owner has an artifact of that name.
        """
        name = check_name(name, what="name of the artifact")

        def edit(record: ArtifactRecord, changes: Changes) -> ArtifactRecord:
            found = changes.draft.find(ArtifactRecord.kind, name, record.owner)
            if found is not None and found.id != record.id:
                raise AlreadyExistsError(f"there is an artifact {name!r} already; choose another name")
            return record.replaced(name=name)

        return self._change(edit, action="rename")

    def delete(self, *, force: bool = False) -> None:
        """Delete it. Its bytes stay for the past, until garbage collection.

        Args:
            force: delete the data sets that stand on it, too; one commit.

        Raises:
            ConflictError: data sets stand on it; they are named.
        """
        self._delete(force=force)

    def _stated(self) -> JsonObject:
        return {
            key: value for key, value in self.info.to_json().items() if key not in ("id", "name", "owner", "owner_kind")
        }


def artifact_of(owner: Handle[Any], name: str) -> Artifact:
    """An artifact of a handle by its name."""
    state = owner._session.state()
    row = state.find(ArtifactRecord.kind, check_name(name, what="name of the artifact"), owner.id)
    if row is None:
        hint = did_you_mean(name, (each.name for each in state.children(ArtifactRecord.kind, owner.id)))
        raise NotFoundError(f"{owner!r} has no artifact {name!r}{hint}")
    return Artifact(owner._session, row.id)


def stored(artifact: Artifact) -> str:
    """The content of a stored artifact.

    Raises:
        InvalidInputError: it is only tracked.
    """
    record = artifact.info
    if record.uri is not None or record.sha256 is None:
        raise InvalidInputError(f"{artifact!r} is only tracked, at {record.uri!r}; what it holds is not known here")
    return record.sha256
