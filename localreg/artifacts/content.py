"""Bytes by their content: `artifacts/<ab>/<sha256>-<32 hex digits>`, written once, named by whoever holds them.

The digits behind the hash are the writer's own: two that store the same at once write a file each, and whoever comes
later finds one of them. A file that no commit names was left by a writer that died; who stores the same content takes
it over, once it is known to be whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from localreg.errors import InvalidInputError, LocalregError, StorageError
from localreg.log import State
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.session import Session

__all__ = ["CHUNK", "Digest", "TABLE", "chunks", "digest_of", "file_of", "keep"]

TABLE = "artifacts"
CHUNK = 2**20

Advance = Callable[[int], None]
"""Is told that so many more chunks are done."""


class Digest(NamedTuple):
    """What bytes are known by."""

    sha256: str
    bytes: int


class _Seen(NamedTuple):
    """What would tell that a file is not what it was."""

    size: int
    modified_ns: int
    node: int

    @classmethod
    def of(cls, file: BinaryIO) -> _Seen:
        told = os.fstat(file.fileno())
        return cls(told.st_size, told.st_mtime_ns, told.st_ino)


def chunks(file: BinaryIO, advance: Advance) -> Iterator[bytes]:
    """The rest of a file, piece by piece."""
    while chunk := file.read(CHUNK):
        yield chunk
        advance(1)


def digest_of(file: BinaryIO, advance: Advance) -> Digest:
    """Of the rest of a file."""
    digest, size = sha256(), 0
    for chunk in chunks(file, advance):
        digest.update(chunk)
        size += len(chunk)
    return Digest(digest.hexdigest(), size)


def file_of(state: State, content: str) -> FilePointer | None:
    """A file that holds a content, as far as commits know."""
    row = next(iter(state.children("file", content)), None)
    return None if row is None else FilePointer.from_json(row.fields)


def keep(session: Session, path: Path, *, advance: Advance) -> FilePointer:
    """Store the content of a file, unless it is there: durable, but unnamed until a commit names it.

    Args:
        session: where to.
        path: of the file.
        advance: is told of each chunk, twice: it is hashed, and copied.

    Raises:
        InvalidInputError: it changes while it is read.
        StorageError: it cannot be read, or the store does not answer.
    """
    try:
        with path.open("rb") as file:
            seen = _Seen.of(file)
            content = digest_of(file, advance)
            there = file_of(session.committed(), content.sha256) or _left(session, content)
            if there is not None:
                advance(-(-content.bytes // CHUNK))
                return there
            file.seek(0)
            pointer = _copied(session, file, content, advance)
            if _Seen.of(file) != seen:
                _forget(session, pointer)
                raise InvalidInputError(f"{path} changed while it was stored; store it once it stays as it is")
            return pointer
    except LocalregError:
        raise  # the store's, which may be an OSError, too
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error


def _copied(session: Session, file: BinaryIO, content: Digest, advance: Advance) -> FilePointer:
    pointer = _pointer(f"{_folder(content.sha256)}/{content.sha256}-{new_id()}", content)
    with session.store.writer(pointer.path) as target:
        for chunk in chunks(file, advance):
            target.write(chunk)
    return pointer


def _folder(content: str) -> str:
    return f"{TABLE}/{content[:2]}"


def _pointer(path: str, content: Digest) -> FilePointer:
    """The content is the owner of its file: artifacts come and go."""
    return FilePointer(path, TABLE, content.sha256, 0, content.bytes, content.sha256, {})


def _left(session: Session, content: Digest) -> FilePointer | None:
    """What a writer left that died before its commit, if it is whole."""
    store = session.store
    for path in store.list(_folder(content.sha256)):
        if path.rpartition("/")[2].startswith(f"{content.sha256}-") and store.size(path) == content.bytes:
            with suppress(LocalregError), store.local_file(path, fresh=True).open("rb") as file:
                if digest_of(file, lambda _: None) == content and not session.committed().is_condemned(path):
                    store.sync(path)
                    return _pointer(path, content)
    return None


def _forget(session: Session, pointer: FilePointer) -> None:
    with suppress(LocalregError):
        session.store.delete(pointer.path)
