"""Files and entries on their way: each compared with what the log says of it while it is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from localreg.errors import ConflictError, FormatError, IntegrityError, NotFoundError, StorageError
from localreg.log import Row, State
from localreg.log.entry import entry_path
from localreg.log.parquet import last_digest
from localreg.records.files import BULK_FOLDERS, FilePointer
from localreg.storage import Store
from localreg.storage.lengths import lengths

__all__ = ["copy_file", "has_file", "lacking", "put_entry"]

CHUNK_BYTES = 1 << 20


def has_file(store: Store, pointer: FilePointer) -> bool:
    """Whether a place has a file, by its length."""
    return store.size(_checked(pointer)) == pointer.bytes


def lacking(store: Store, state: State) -> list[Row]:
    """The files that a state names and that a place does not have in their length; told from one listing."""
    folders = [folder.removesuffix("/") for folder in BULK_FOLDERS]
    there = lengths(store, folders, one_by_one=folders)
    return [row for row in state.rows("file") if there.get(row.id) != row.fields.get("bytes")]


def copy_file(source: Store, target: Store, pointer: FilePointer) -> bool:
    """Copy one file, unless it is there; whether it was copied. What a killed copy left half is copied anew.

    Raises:
        IntegrityError: the source's is not what the log says; nothing is left of it in the target.
        NotFoundError: it is missing in the source.
        StorageError: a place failed.
    """
    path = _checked(pointer)
    if _is_whole(target, pointer):
        target.sync(path)  # who wrote it may have been killed before
        return False
    file = source.local_file(path, fresh=True)
    target.delete(path)
    with target.writer(path) as out:
        if _copied(file, out, f"{source.uri}/{path}") != (pointer.bytes, pointer.sha256):
            raise IntegrityError(
                f"{source.uri}/{path} has been altered: its sha256 is not the one in the log; restore it from a copy; "
                "nothing of it was copied",
                code="file_altered",
            )
    return True


def _checked(pointer: FilePointer) -> str:
    if not pointer.path.startswith(BULK_FOLDERS):
        raise FormatError(
            f"the log names a file {pointer.path!r}, outside of {' and '.join(BULK_FOLDERS)}; it was not copied",
            code="foreign_file",
        )
    return pointer.path


def _is_whole(target: Store, pointer: FilePointer) -> bool:
    if target.size(pointer.path) != pointer.bytes:
        return False
    file = target.local_file(pointer.path, fresh=True)
    return _copied(file, None, f"{target.uri}/{pointer.path}") == (pointer.bytes, pointer.sha256)


def _copied(file: Path, out: BinaryIO | None, name: str) -> tuple[int, str]:
    """Write a file to another, or only read it; its length and digest."""
    digest, size = sha256(), 0
    with _readable(file, name) as stream:
        while chunk := _read(stream, name):
            digest.update(chunk)
            size += len(chunk)
            if out is not None:
                out.write(chunk)
    return size, digest.hexdigest()


@contextmanager
def _readable(file: Path, name: str) -> Iterator[BinaryIO]:
    try:
        stream = file.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"{name} was deleted a moment ago") from error
    except OSError as error:
        raise _unreadable(name, error) from error
    with stream:
        yield stream


def _read(stream: BinaryIO, name: str) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> StorageError:
    return StorageError(
        f"{name} cannot be read: {error.strerror or error}; check the disk and its permissions", code="file_unreadable"
    )


def put_entry(store: Store, commit: int, data: bytes) -> None:
    """Make an entry the next one of a copy; it may be there already.

    Raises:
        ConflictError: another entry is there; one that was redacted there is not.
        StorageError: the place failed; it may be there, and the next copy goes on from what is.
    """
    path = entry_path(commit)
    try:
        if store.put_if_absent(path, data, make=commit == 1):
            return
    except StorageError:
        if store.get(path, fresh=True) is None:
            raise
    there = store.get(path, fresh=True)
    if there is None:
        raise StorageError(f"{store.uri}/{path} could not be written, and nothing is there; try again")
    if there != data and not _is_twin(there, data):
        raise ConflictError(
            f"{store.uri}/{path} was written by somebody else a moment ago, so this is no copy any more; copy to "
            "another name or place",
            code="diverged",
        )
    store.sync(path)


def _is_twin(one: bytes, other: bytes) -> bool:
    """Whether two entries say the same, but for payloads that were emptied."""
    try:
        return last_digest(one) == last_digest(other) is not None
    except FormatError:
        return False  # a void entry may be no entry at all
