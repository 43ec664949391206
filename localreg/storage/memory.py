"""A store in the memory of this process: for tests, notebooks, and registries that need not outlive them.

Atomic by one lock, durable as long as the process. A fork has a copy of its own from then on.
"""

from __future__ import annotations

import builtins
import io
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, NamedTuple

from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from localreg.storage.near import NearStore
from localreg.storage.queue import LockQueue
from localreg.storage.store import STAGING, FileSize, check_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

__all__ = ["MemoryStore"]


class MemoryStore(NearStore):
    """The `Store` of a dict. Two made apart share nothing; `MemoryStore.named` gives one to several openers."""

    _named: ClassVar[dict[str, MemoryStore]] = {}
    _naming: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, name: str = "") -> None:
        """Make an empty store.

        Args:
            name: for messages only, as in `memory://name`; it is not registered.
        """
        self._shelf = _Shelf()
        self._base = ""
        self._staging = ""
        self._uri = f"memory://{name}"

    @classmethod
    def named(cls, name: str) -> MemoryStore:
        """The one store of this process under `name`, made at the first call and kept to the end.

        Raises:
            InvalidInputError: the name is empty.
        """
        if not name:
            raise InvalidInputError("a shared memory store needs a name: memory://name")
        with cls._naming:
            return cls._named.setdefault(name, cls(name))

    def __repr__(self) -> str:
        return f"MemoryStore({self._uri!r})"

    @property
    def uri(self) -> str:
        """The name behind `memory://`, with the folder of a scope."""
        return self._uri

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        """See `Store.get`; nothing is cached."""
        return self._shelf.files.get(self._key(path))

    def put(self, path: str, data: bytes) -> None:
        """See `Store.put`."""
        key = self._key(path)
        with self._shelf.lock:
            self._shelf.files[key] = bytes(data)

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        """See `Store.put_if_absent`; there are no folders to be missing."""
        key, content = self._key(path), bytes(data)
        with self._shelf.lock:
            if key in self._shelf.files:
                return False
            self._shelf.files[key] = content
        if visible is not None:
            visible()
        return True

    def queue(self) -> LockQueue | None:
        """See `Store.queue`; there is none: an attempt costs less than waiting."""
        return None

    def commit_mode(self) -> str | None:
        """See `Store.commit_mode`; as good as a link."""
        return "link"

    def publishing(self, commit_mode: str) -> MemoryStore:
        """See `Store.publishing`; there is but one way."""
        return self

    def sync(self, path: str) -> None:
        """See `Store.sync`; there is nothing to do."""
        if self.get(path) is None:
            raise self._missing(path)

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See `Store.writer`; stronger than promised: the file appears when the block has ended well."""
        check_path(path)
        return _MemoryFile(self, path)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        return iter(self._below(prefix))

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """See `Store.sizes`."""
        start = self._key(prefix) + "/" if prefix else self._base
        with self._shelf.lock:
            files = [(key, len(data)) for key, data in self._shelf.files.items() if key.startswith(start)]
        return (FileSize(key[len(self._base) :], length) for key, length in files)

    def folders(self, prefix: str) -> builtins.list[str]:
        """See `Store.folders`."""
        start = len(prefix) + 1 if prefix else 0
        rests = (path[start:].partition("/") for path in self._below(prefix))
        return sorted({name for name, slash, _ in rests if slash})

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        key = self._base + check_path(path, temporary=True)
        with self._shelf.lock:
            self._shelf.files.pop(key, None)
            self._shelf.forget_copy(key)

    def size(self, path: str) -> int | None:
        """See `Store.size`."""
        data = self.get(path)
        return None if data is None else len(data)

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """See `Store.local_file`; a copy, made once for each content, gone with the store or the process."""
        key = self._key(path)
        with self._shelf.lock:
            data = self._shelf.files.get(key)
            if data is None:
                raise self._missing(path)
            return self._shelf.copy(key, data)

    def spool_folder(self) -> None:
        """See `Store.spool_folder`."""

    def scope(self, folder: str) -> MemoryStore:
        """See `Store.scope`; shares the files."""
        scope = MemoryStore()
        scope._shelf = self._shelf
        scope._base = self._key(folder) + "/"
        scope._staging = STAGING
        scope._uri = f"{self._uri}{'' if self._uri.endswith('/') else '/'}{folder}"
        return scope

    def writable(self) -> bool:
        """See `Store.writable`; always."""
        return True

    def _key(self, path: str) -> str:
        return self._base + check_path(path)

    def _missing(self, path: str) -> NotFoundError:
        return NotFoundError(f"no file {path!r} in {self.uri}")

    def _below(self, prefix: str) -> builtins.list[str]:
        """Sorted paths below a folder, relative to this store."""
        start = self._key(prefix) + "/" if prefix else self._base
        hidden = f"{self._base}{self._staging}/" if self._staging and not prefix else None
        with self._shelf.lock:
            keys = [key for key in self._shelf.files if key.startswith(start)]
        return sorted(key[len(self._base) :] for key in keys if hidden is None or not key.startswith(hidden))


class _Copy(NamedTuple):
    """A file on disk with the content that it holds: content is compared by identity, and kept alive for that."""

    data: bytes
    path: Path


class _Shelf:
    """What a memory store and its scopes share."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self._copies: dict[str, _Copy] = {}
        self._folder: Path | None = None
        self._owner = 0
        self._made = 0

    def copy(self, key: str, data: bytes) -> Path:
        """A native file with `data`. Call with the lock held, as `forget_copy`."""
        folder = self._own_folder()
        known = self._copies.get(key)
        if known is not None and known.data is data:
            return known.path
        self._made += 1
        # Numbered: a reader of an earlier content keeps its file.
        path = folder / f"{self._made}-{key.rpartition('/')[2]}"
        path.write_bytes(data)
        self._copies[key] = _Copy(data, path)
        return path

    def forget_copy(self, key: str) -> None:
        known = self._copies.pop(key, None)
        if known is not None and self._owner == os.getpid():
            known.path.unlink(missing_ok=True)

    def _own_folder(self) -> Path:
        """This process's folder: that of the parent of a fork goes when the parent does."""
        if self._folder is None or self._owner != os.getpid():
            import tempfile  # 5 ms that most processes never need

            self._folder = Path(tempfile.mkdtemp(prefix="localreg-memory-"))
            self._owner = os.getpid()
            self._copies.clear()
            weakref.finalize(self, _remove_own_folder, self._folder, self._owner)
        return self._folder


def _remove_own_folder(folder: Path, owner: int) -> None:
    """Runs at exit, also at that of a forked child, which must leave its parent's folder alone."""
    if os.getpid() == owner:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


class _MemoryFile:
    """What `MemoryStore.writer` gives."""

    def __init__(self, store: MemoryStore, path: str) -> None:
        self._store = store
        self._path = path

    def __enter__(self) -> BinaryIO:
        if self._store.get(self._path) is not None:
            raise self._exists()
        self._sink = _Sink()
        return self._sink

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.close()
        if error is None and not self._store.put_if_absent(self._path, self._sink.content):
            raise self._exists()

    def _exists(self) -> AlreadyExistsError:
        return AlreadyExistsError(f"{self._path!r} exists in {self._store.uri}: a bulk file needs a new name")


class _Sink(io.BytesIO):
    """Keeps its content when a block closes it, as Parquet writers like to do."""

    content = b""

    def close(self) -> None:
        if not self.closed:
            self.content = self.getvalue()
        super().close()
