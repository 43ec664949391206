"""Artifacts that come: stored by content, or tracked where they are."""

from __future__ import annotations

import mimetypes
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import IOBase
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from localreg.artifacts.artifact import Artifact
from localreg.artifacts.content import CHUNK, keep
from localreg.artifacts.manifest import Entry, manifest_bytes, walked
from localreg.artifacts.tracked import looked_at
from localreg.canonical import JsonObject, checked_object
from localreg.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError, StorageError
from localreg.handles.handle import Handle
from localreg.log import Row
from localreg.names import check_flag, check_name, check_text, shown_value
from localreg.progress import progress
from localreg.records.access import WRITER
from localreg.records.artifacts import ArtifactRecord
from localreg.records.files import FilePointer
from localreg.session import Changes, Session
from localreg.storage.new_file import checked_local

__all__ = ["Stored", "described", "store", "store_files", "track", "upload"]

ATTEMPTS = 3
"""How often a content is stored, if what was found of it is given up before it is named."""


class Stored(NamedTuple):
    """Content that is there, for a commit to name: nothing of it shows before.

    Attributes:
        said: what the artifact says of it.
        files: that hold it; who stores the same again takes them over, if nobody names them.
    """

    said: dict[str, Any]
    files: tuple[FilePointer, ...]

    def name_in(
        self,
        changes: Changes,
        owner: str,
        owner_kind: str,
        *,
        action: str = "upload",
        old: Row | None = None,
        details: JsonObject | None = None,
    ) -> str:
        """Put the artifact, or replace one; its id."""
        id = changes.new_id(ArtifactRecord.kind, f"{owner} {self.said['name']}") if old is None else old.id
        record = ArtifactRecord(id=id, owner=owner, owner_kind=owner_kind, **self.said)
        if old is None:
            changes.create(record, action=action, files=self.files, details=details)
        else:
            changes.update(old, record, action=action, files=self.files, details=details)
        return id


def upload(
    owner: Handle[Any],
    content: object,
    *,
    name: str | None,
    media_type: str | None,
    metadata: Mapping[str, object] | None,
    replace: bool,
) -> Artifact:
    """Store a file, a folder, bytes or what a file object gives; see `HasArtifacts.upload`."""
    session = owner._session
    session.refuse_without(WRITER)
    said = described(content, name=name, media_type=media_type, metadata=metadata)
    _refuse_taken(session, owner, said["name"], replace=replace)
    with _as_path(content) as path:
        for attempt in count(1):
            try:
                return _named(owner, store(session, path, said), action="upload", replace=replace)
            except ConflictError as error:
                # Garbage collection gave up what had been found there; it is not found a second time.
                if error.code != "file_condemned" or attempt == ATTEMPTS or session.transaction_here() is not None:
                    raise
    raise AssertionError("the last attempt returns or raises")


def track(
    owner: Handle[Any],
    uri: str | os.PathLike[str],
    *,
    name: str | None,
    media_type: str | None,
    metadata: Mapping[str, object] | None,
    stat: bool,
    storage_options: Mapping[str, object] | None,
    replace: bool,
) -> Artifact:
    """Say where something is; see `HasArtifacts.track`."""
    session = owner._session
    session.refuse_without(WRITER)
    check_flag(stat, what="stat")
    place = check_text(os.fspath(uri) if isinstance(uri, os.PathLike) else uri, what="uri")
    said = _said(name if name is not None else place.rstrip("/").rpartition("/")[2], media_type, metadata)
    _refuse_taken(session, owner, said["name"], replace=replace)
    said["uri"] = place if "://" in place else os.path.abspath(place)
    if stat:
        said |= looked_at(said["uri"], storage_options or {})
    return _named(owner, Stored(said, ()), action="track", replace=replace)


def described(
    content: object,
    *,
    name: str | None,
    media_type: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """What an artifact of this content says of it before it is stored.

    Raises:
        InvalidInputError: it has no name, or something else is malformed.
    """
    if name is None and not isinstance(content, str | os.PathLike):
        raise InvalidInputError("bytes have no name of their own; say it: name='notes.txt'")
    own = None if name is not None else checked_local(content, what="content").resolve().name
    return _said(name if name is not None else own, media_type, metadata)


def store(session: Session, content: object, said: dict[str, Any]) -> Stored:
    """Store a path, bytes or what a binary file object gives, unless it is there.

    Raises:
        LocalregError: see `HasArtifacts.upload`.
    """
    with _as_path(content) as path:
        return store_files(session, list(walked(path)), said) if path.is_dir() else _file(session, path, said)


def _said(name: object, media_type: str | None, metadata: Mapping[str, object] | None) -> dict[str, Any]:
    checked = check_name(name, what="name of the artifact")
    kind = mimetypes.guess_type(checked)[0] if media_type is None else check_text(media_type, what="media_type")
    return {"name": checked, "media_type": kind, "metadata": checked_object(metadata or {}, what="metadata")}


def _refuse_taken(session: Session, owner: Handle[Any], name: str, *, replace: bool) -> None:
    """Before gigabytes are stored for nothing; the commit looks again."""
    check_flag(replace, what="replace")
    if not replace and session.state().find(ArtifactRecord.kind, name, owner.id) is not None:
        raise _taken(owner, name)


def _taken(owner: Handle[Any], name: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"{owner!r} has an artifact {name!r} already; choose another name, or pass replace=True: the old one stays in "
        "the past"
    )


@contextmanager
def _as_path(content: object) -> Iterator[Path]:
    """A file or folder with the content."""
    if isinstance(content, str | os.PathLike):
        path = checked_local(content, what="content")
        if not os.path.exists(path):
            raise NotFoundError(
                f"there is no {str(path)!r} to store; correct the path, or use track() for what comes later"
            )
        yield path
        return
    with ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="localreg-", ignore_cleanup_errors=True)
            path = Path(stack.enter_context(made), "content")
            with path.open("wb") as file:
                _write(content, file)
        except OSError as error:
            raise StorageError(
                f"what is to be stored cannot be read, or kept in {tempfile.gettempdir()} meanwhile: {error}"
            ) from error
        yield path


def _write(content: Any, file: BinaryIO) -> None:
    if isinstance(content, bytes | bytearray | memoryview):
        file.write(content)
    elif isinstance(content, IOBase) or hasattr(content, "read"):
        first = content.read(CHUNK)
        if not isinstance(first, bytes):
            raise InvalidInputError("the file object gives text; open it in binary mode, 'rb'")
        file.write(first)
        shutil.copyfileobj(content, file, CHUNK)
    else:
        raise InvalidInputError(f"{shown_value(content)} cannot be stored; give a path, bytes or a binary file object")


def _file(session: Session, path: Path, said: dict[str, Any]) -> Stored:
    size = path.stat().st_size
    with progress(f"storing {path.name} (MiB)", 2 * -(-size // CHUNK)) as shown:
        pointer = keep(session, path, advance=shown.advance)
    return Stored({**said, "sha256": pointer.sha256, "bytes": pointer.bytes, "files": 1}, (pointer,))


def store_files(session: Session, files: Sequence[tuple[str, Path]], said: dict[str, Any]) -> Stored:
    """Store the files of a folder, each with its relative path, unless they are there.

    Raises:
        LocalregError: see `HasArtifacts.upload`.
    """
    total = sum(2 * -(-path.stat().st_size // CHUNK) for _, path in files)
    with progress(f"storing {said['name']} (MiB)", total) as shown:
        pointers = [keep(session, path, advance=shown.advance) for _, path in files]
    entries = [Entry(name, pointer.sha256, pointer.bytes) for (name, _), pointer in zip(files, pointers, strict=True)]
    with tempfile.TemporaryDirectory(prefix="localreg-", ignore_cleanup_errors=True) as place:
        manifest = Path(place, "manifest.json")
        manifest.write_bytes(manifest_bytes(entries))
        pointer = keep(session, manifest, advance=lambda _: None)
    held = {each.path: each for each in (pointer, *pointers)}
    size = sum(each.bytes for each in entries)
    held_by = {"sha256": pointer.sha256, "bytes": size, "files": len(entries), "folder": True, "media_type": None}
    return Stored({**said, **held_by}, tuple(held.values()))


def _named(owner: Handle[Any], content: Stored, *, action: str, replace: bool) -> Artifact:
    """One commit that names the files."""
    session, ids, name = owner._session, [""], content.said["name"]

    def operation(changes: Changes) -> None:
        of: Row = owner._row(changes.draft)
        old = changes.draft.find(ArtifactRecord.kind, name, of.id)
        if old is not None and not replace:
            raise _taken(owner, name)
        ids[0] = content.name_in(changes, of.id, of.kind, action=action, old=old)

    session.change(operation)
    return Artifact(session, ids[0])
