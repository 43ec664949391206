"""What a handle is to which artifacts may belong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.handles.handle import Handle, RecordT

if TYPE_CHECKING:
    from localreg.artifacts.artifact import Artifact
    from localreg.query import Result

__all__ = ["HasArtifacts"]


class HasArtifacts(Handle[RecordT]):
    """A model, a version, an experiment or a checkpoint, to which files and folders may belong."""

    def upload(
        self,
        content: object,
        *,
        name: str | None = None,
        media_type: str | None = None,
        metadata: Mapping[str, object] | None = None,
        replace: bool = False,
    ) -> Artifact:
        """Store a file or a folder: its bytes, once for each content, and one commit that names it.

        Stopped half way, it is asked for again: files that were stored whole are not copied again.

        Args:
            content: the path of a file or folder, bytes, or a binary file object.
            name: unique among what belongs to this; None = that of the file or folder.
            media_type: such as `application/json`; None = what the name's ending tells.
            metadata: any JSON object.
            replace: an artifact of that name is replaced, and stays in the past.

        Raises:
            AlreadyExistsError: there is one of that name, and `replace` is not set.
            NotFoundError: there is no such file.
            InvalidInputError: no content at all, a link to a folder within, or a file that changes meanwhile.
            StorageError: it cannot be read, or the store does not answer.
        """
        from localreg.artifacts.upload import upload

        return upload(self, content, name=name, media_type=media_type, metadata=metadata, replace=replace)

    def track(
        self,
        uri: str | os.PathLike[str],
        *,
        name: str | None = None,
        media_type: str | None = None,
        metadata: Mapping[str, object] | None = None,
        stat: bool = False,
        storage_options: Mapping[str, object] | None = None,
        replace: bool = False,
    ) -> Artifact:
        """Say where something is, and leave it there: nothing is opened, and it need not be there yet.

        Args:
            uri: any that fsspec opens, or a local path.
            name: None = the last part of the URI.
            media_type: as in `upload`.
            metadata: as in `upload`.
            stat: read it once, and keep its size, etag and sha256, which `download` then checks.
            storage_options: for its place; they are not kept.
            replace: as in `upload`.

        Raises:
            AlreadyExistsError: as in `upload`.
            LocalregError: (`stat`) it cannot be read.
        """
        from localreg.artifacts.upload import track

        return track(
            self,
            uri,
            name=name,
            media_type=media_type,
            metadata=metadata,
            stat=stat,
            storage_options=storage_options,
            replace=replace,
        )

    def get_artifact(self, name: str) -> Artifact:
        """The artifact of that name.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.artifacts.artifact import artifact_of

        return artifact_of(self, name)

    def artifacts(self) -> Result:
        """What belongs to this: rows of the table `artifacts`."""
        from localreg.query.quoting import literal

        return self._session.engine().select("artifacts", where=f"owner_id = {literal(self._id)}")
