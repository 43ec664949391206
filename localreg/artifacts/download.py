"""Artifacts that go: copied out, checked, and never beyond the folder that was named."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from localreg.artifacts.artifact import Artifact, stored
from localreg.artifacts.content import CHUNK, chunks, digest_of, file_of
from localreg.artifacts.manifest import Entry, checked_path, parsed
from localreg.artifacts.tracked import opened_uri
from localreg.errors import (
    AlreadyExistsError,
    IntegrityError,
    InvalidInputError,
    LocalregError,
    NotFoundError,
    StorageError,
)
from localreg.handles.handle import Handle
from localreg.names import check_flag, did_you_mean
from localreg.progress import Progress, progress
from localreg.storage.new_file import new_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["copy_out", "download", "entries_of", "files_of_artifact", "local_content", "streamed"]


def entries_of(artifact: Artifact) -> list[Entry]:
    """The files of a stored artifact; a file is called as the artifact is."""
    content, record = stored(artifact), artifact.info
    if not record.folder:
        return [Entry(record.name, content, record.bytes or 0)]
    with _opened(artifact, content) as file:
        data = file.read()
    if sha256(data).hexdigest() != content:
        raise _altered(artifact, "its manifest")
    return parsed(data)


def files_of_artifact(artifact: Artifact) -> pa.Table:
    """See `Artifact.files`."""
    import pyarrow as pa

    schema = pa.schema([("path", pa.string()), ("sha256", pa.string()), ("bytes", pa.int64())])
    return pa.Table.from_pylist([each._asdict() for each in entries_of(artifact)], schema)


def download(artifact: Artifact, to: Path, *, overwrite: bool, storage_options: Mapping[str, object]) -> Path:
    """See `Artifact.download`."""
    check_flag(overwrite, what="overwrite")
    copied = copy_out(artifact, to, overwrite=overwrite, storage_options=storage_options)
    _note(artifact)
    return copied


def copy_out(
    artifact: Artifact,
    to: Path,
    *,
    overwrite: bool,
    storage_options: Mapping[str, object],
    called: str | None = None,
) -> Path:
    """The same, without a word in the audit log.

    Args:
        artifact: which one.
        to: the folder.
        overwrite: as in `Artifact.download`.
        storage_options: likewise.
        called: what the file or the folder is called there, a path; None = a file as the artifact, and what a folder
            holds lies there directly.
    """
    record = artifact.info
    entries = [Entry(record.name, record.sha256 or "", record.bytes or 0)] if record.uri else entries_of(artifact)
    if called is not None:
        entries = [each._replace(path=f"{called}/{each.path}" if record.folder else called) for each in entries]
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {to}: {error.strerror or error}") from error
    total = sum(-(-each.bytes // CHUNK) for each in entries)
    with progress(f"copying {record.name} (MiB)", total) as shown:
        for each in entries:
            target = _target(to, each.path)
            if record.uri is None:
                with _opened(artifact, each.sha256) as file:
                    _copy(artifact, file, each, target, overwrite, shown)
            else:
                with opened_uri(record.uri, storage_options) as file:
                    _copy(artifact, file, each, target, overwrite, shown)
    return to if record.folder else _target(to, entries[0].path)


def streamed(artifact: Artifact, path: str | None) -> Iterator[bytes]:
    """See `Artifact.stream`."""
    files = {each.path: each for each in entries_of(artifact)}
    if path is None and artifact.info.folder:
        raise InvalidInputError(f"{artifact!r} is a folder; say which of its files, by path=")
    entry = files.get(artifact.name if path is None else path)
    if entry is None:
        raise NotFoundError(f"{artifact!r} has no file {path!r}{did_you_mean(path or '', files)}")
    return _checked(artifact, entry)


def _checked(artifact: Artifact, entry: Entry) -> Iterator[bytes]:
    """The bytes of a file, one piece behind: who reads them never gets all of what was altered."""
    digest, held = sha256(), b""
    with _opened(artifact, entry.sha256) as file:
        _note(artifact)
        for chunk in chunks(file, lambda _: None):
            if held:
                yield held
            digest.update(chunk)
            held = chunk
    if digest.hexdigest() != entry.sha256:
        raise _altered(artifact, repr(entry.path))
    yield held


def _target(to: Path, path: str) -> Path:
    """Where a file goes: within the folder, also where links are in the way."""
    target = to / checked_path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(to.resolve()):
            raise IntegrityError(f"{path!r} leads out of {to}, by a link; take another folder", code="bad_path")
    except OSError as error:
        raise StorageError(f"cannot make the folder {target.parent}: {error.strerror or error}") from error
    return target


def _copy(artifact: Artifact, file: BinaryIO, entry: Entry, target: Path, overwrite: bool, shown: Progress) -> None:
    if target.is_file() and not target.is_symlink() and _is_same(target, entry):
        shown.advance(-(-entry.bytes // CHUNK))
        return
    if not overwrite and (target.exists() or target.is_symlink()):
        raise AlreadyExistsError(f"{target} is there, and holds something else; pass overwrite=True to replace it")
    digest = sha256()
    with new_file(target, overwrite=overwrite) as copy:
        for chunk in chunks(file, shown.advance):
            digest.update(chunk)
            copy.write(chunk)
        if entry.sha256 and digest.hexdigest() != entry.sha256:
            raise _altered(artifact, repr(entry.path))


def _is_same(target: Path, entry: Entry) -> bool:
    if not entry.sha256 or target.stat().st_size != entry.bytes:
        return False
    with target.open("rb") as file:
        return digest_of(file, lambda _: None).sha256 == entry.sha256


@contextmanager
def _opened(artifact: Artifact, content: str) -> Iterator[BinaryIO]:
    """A stored content."""
    with local_content(artifact, content).open("rb") as file:
        yield file


def local_content(of: Handle[Any], content: str) -> Path:
    """The file on this machine that holds a content of something, such as an artifact; not to be changed.

    Raises:
        IntegrityError: it is missing.
    """
    session = of._session
    pointer = file_of(session.state(), content)
    try:
        if pointer is None:
            raise NotFoundError("nobody holds it any more")
        path = session.store.local_file(pointer.path)
        if not path.is_file():
            raise NotFoundError("its file is not there")
        if path.stat().st_size != pointer.bytes:  # told before it is read: it may be a terabyte
            raise IntegrityError(
                f"a file of {of!r} has been altered ({content}): it has {path.stat().st_size:,} bytes, and the log "
                f"says {pointer.bytes:,}; restore it from a copy",
                code="file_altered",
            )
    except NotFoundError as error:
        raise IntegrityError(
            f"a file of {of!r} is missing ({content}); restore it from a copy", code="file_missing"
        ) from error
    return path


def _altered(artifact: Artifact, what: str) -> IntegrityError:
    return IntegrityError(
        f"{what} of {artifact!r} has been altered: its sha256 is not the one that was stored; restore it from a copy",
        code="file_altered",
    )


def _note(artifact: Artifact) -> None:
    """Who took it, as far as the registry can be told."""
    session = artifact._session
    try:
        session.change(lambda changes: changes.note(artifact._row(changes.draft), action="download"))
    except LocalregError as error:
        warnings.warn(f"that {artifact!r} was downloaded is not in the audit log: {error}", stacklevel=4)
