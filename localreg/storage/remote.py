"""A store behind a network, through whatever file system fsspec has for its scheme.

In object stores a put appears whole or not at all, and the conditional put (create only if absent) is the commit
point. It is sent once: an answer that got lost is told as doubtful, and the log reads back. Everything else may be
asked again, and is, a few times (`asking.py`).

Immutable files pass through a cache on this machine (`cache.py`); so they have native paths, and what was read once can
be read offline.

Accepted: fsspec keeps one thread of its own in each process; and a listing of an object store shows what was there at
some moment during the call.
"""

from __future__ import annotations

import builtins
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from localreg.errors import ReadOnlyError, StorageError
from localreg.storage.asking import ATTEMPTS, Asking
from localreg.storage.cache import FileCache, cache_folder, cache_limit, is_immutable
from localreg.storage.disk import new_spool
from localreg.storage.link import Link, joined
from localreg.storage.queue import LockQueue
from localreg.storage.staged import StagedFile
from localreg.storage.state import state_folder
from localreg.storage.store import STAGING, FileSize, check_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from localreg.storage.address import Address

__all__ = ["RemoteStore"]

AT_ONCE: Final = 8
"""Files that are fetched at the same time."""


class RemoteStore:
    """The `Store` of an fsspec file system. Connects when it is first used; can be pickled, with its credentials.

    Safe to share between threads; after a fork each process has a connection of its own.
    """

    def __init__(self, address: Address, *, offline: bool = False) -> None:
        """Look at an address; nothing is asked yet.

        Args:
            address: where.
            offline: answer from the cache alone, and never ask the place.
        """
        self._link = Link(address)
        self._base = ""
        self._staging = ""
        self._plain = False
        self._offline = offline
        self._asking = Asking(self._link, self.uri)
        self._cache = _cache_of(address, "")

    def __repr__(self) -> str:
        return f"RemoteStore({self.uri!r})"

    @property
    def uri(self) -> str:
        """The address without credentials, with the folder of a scope."""
        return joined(self._link.address.uri, self._base.rstrip("/"))

    @property
    def remote(self) -> bool:
        """See `Store.remote`; yes."""
        return True

    @property
    def exclusive(self) -> bool:
        """See `Store.exclusive`; where puts appear whole, and can be conditional."""
        return self._link.address.exclusive

    def of_registry(self, registry: str) -> RemoteStore:
        """The same store for the registry of that id: what the cache keeps of another one there is not shown."""
        store = self._twin()
        store._cache = _cache_of(self._link.address, registry)
        return store

    def _twin(self) -> RemoteStore:
        store = RemoteStore.__new__(RemoteStore)
        store.__dict__.update(self.__dict__)
        return store

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        """See `Store.get`. Offline the cache stands for the place; what must be somewhere and is not is an error."""
        key = self._key(path)
        kept = is_immutable(path)
        if kept and (self._offline or not fresh):
            data = self._cache.read(key)
            if data is not None:
                return data
        if self._offline:
            self._refuse_hole(path)
            return None
        data = self._asking.ask("read", path, lambda: self._link.read(key), absent=None)
        if kept and data is not None:
            self._cache.keep(key, data)
        return data

    def size(self, path: str) -> int | None:
        """See `Store.size`."""
        key = self._key(path)
        if self._offline:
            data = self.get(path)
            return None if data is None else len(data)
        return self._asking.ask("read", path, lambda: self._link.size(key), absent=None)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`; offline, what the cache holds."""
        start = (self._key(prefix) if prefix else self._base.rstrip("/")) + "/" if prefix or self._base else ""
        hidden = f"{self._base}{self._staging}/" if self._staging and not prefix else None
        if self._offline:
            keys = builtins.list(self._cache.names(start))
        else:
            keys = self._asking.ask("list", prefix, lambda: self._link.below(start), absent=builtins.list[str]())
        shown = (key for key in keys if key.startswith(start) and (hidden is None or not key.startswith(hidden)))
        return iter(sorted(key[len(self._base) :] for key in shown if _is_own(key)))

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """See `Store.sizes`."""
        start = (self._key(prefix) if prefix else self._base.rstrip("/")) + "/" if prefix or self._base else ""
        if self._offline:
            raise StorageError(
                f"what lies at {self.uri} cannot be told while it is opened offline; open it online", code="offline"
            )
        found = self._asking.ask("list", prefix, lambda: self._link.sizes_below(start), absent=dict[str, int | None]())
        shown = {key: size for key, size in found.items() if key.startswith(start) and not key.endswith("/")}
        if None in shown.values():
            raise StorageError(
                f"listings of {self.uri} do not tell how long files are; ask where the registry can be written to",
                code="no_sizes",
            )
        return (FileSize(key[len(self._base) :], length) for key, length in shown.items() if length is not None)

    def folders(self, prefix: str) -> builtins.list[str]:
        """See `Store.folders`."""
        start = self._key(prefix) if prefix else self._base.rstrip("/")
        if self._offline:
            below = f"{start}/" if start else ""
            rest = (name[len(below) :].partition("/") for name in self._cache.names(below))
            names = {name for name, slash, _ in rest if slash}
        else:
            names = set(
                self._asking.ask("list", prefix, lambda: self._link.folders(start), absent=builtins.list[str]())
            )
        return sorted(names - ({self._staging} if self._staging and not prefix else set()))

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """See `Store.local_file`; the copy in the cache, fetched if it is not there."""
        return self._local(path, fresh=fresh, needed=())

    def local_files(self, paths: Sequence[str]) -> builtins.list[Path]:
        """See `Store.local_files`; up to eight fetches at once."""
        keys = frozenset(self._key(path) for path in paths)
        kept = [self._cache.file(self._key(path)) if is_immutable(path) else None for path in paths]
        missing = [path for path, file in zip(paths, kept, strict=True) if file is None]
        if not missing:
            return [file for file in kept if file is not None]
        with ThreadPoolExecutor(min(AT_ONCE, len(missing)), thread_name_prefix="localreg-fetch") as pool:
            found = pool.map(lambda path: self._local(path, fresh=False, needed=keys), missing)
            fetched = dict(zip(missing, found, strict=True))
        return [file or fetched[path] for path, file in zip(paths, kept, strict=True)]

    def forget(self, path: str) -> None:
        """See `Store.forget`."""
        self._cache.forget(self._key(path))

    def recall(self, name: str) -> bytes | None:
        """See `Store.recall`; from the cache's folder."""
        return self._cache.note(self._key(name))

    def remember(self, name: str, data: bytes) -> None:
        """See `Store.remember`; in the cache's folder."""
        self._cache.set_note(self._key(name), data)

    # --- writing ----------------------------------------------------------------------------------------------------

    def put(self, path: str, data: bytes) -> None:
        """See `Store.put`."""
        key, content = self._key(path), bytes(data)
        self._refuse_if_unwritable(path)
        self._cache.forget(key)
        self._asking.ask("write", path, lambda: self._link.write(key, content))
        if is_immutable(path):
            self._cache.keep(key, content)

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        """See `Store.put_if_absent`; `make` means nothing, paths are mere names.

        What the place has not done for certain is offered again; after a silence, it is left to the caller to look.
        """
        key, content = self._key(path), bytes(data)
        self._refuse_if_unwritable(path)
        if self._plain:
            created = self.size(path) is None
            if created:
                self.put(path, content)
        else:
            created = self._asking.create(path, lambda: self._link.create(key, content))
        if created:
            if visible is not None:
                visible()
            if is_immutable(path):
                self._cache.keep(key, content)
        return created

    def queue(self) -> LockQueue | None:
        """See `Store.queue`; none: whoever is late tries again."""
        return None

    def commit_mode(self) -> str | None:
        """See `Store.commit_mode`; tries whether conditional puts hold."""
        from localreg.storage.probe import probe

        return None if probe(self) else "conditional"

    def publishing(self, commit_mode: str) -> RemoteStore:
        """See `Store.publishing`; a single writer looks, and then writes."""
        store = self._twin()
        store._plain = commit_mode == "single-writer"
        return store

    def sync(self, path: str) -> None:
        """See `Store.sync`; what a store shows, it keeps."""
        if self.size(path) is None:
            raise self._asking.missing(path)

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See `Store.writer`; stronger than promised: staged on this machine, it appears when the block ends well."""
        key = self._key(path)
        self._refuse_if_unwritable(path)
        return StagedFile(path, key, self._asking, self._cache)

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        key = self._base + check_path(path, temporary=True)
        self._refuse_if_unwritable(path)
        self._asking.ask("delete", path, lambda: self._link.delete(key), absent=None)
        self._cache.forget(key)

    def new_spool(self, path: Path) -> int:
        """See `Store.new_spool`."""
        return new_spool(path)

    def spool_folder(self) -> Path:
        """See `Store.spool_folder`; in the state folder, which unlike the cache may not be deleted."""
        return state_folder() / "spool" / self._cache.id / self._base

    def scope(self, folder: str) -> RemoteStore:
        """See `Store.scope`; shares connection and cache."""
        scope = self._twin()
        scope._base = self._key(folder) + "/"
        scope._staging = STAGING
        scope._asking = Asking(self._link, scope.uri)
        return scope

    def writable(self) -> bool:
        """See `Store.writable`; what credentials permit shows when something is written."""
        return not (self._offline or self._link.address.read_only)

    # --- within -----------------------------------------------------------------------------------------------------

    def _key(self, path: str) -> str:
        return self._base + check_path(path)

    def _refuse_if_unwritable(self, path: str) -> None:
        if self.writable():
            return
        why = "it was opened offline" if self._offline else f"{self._link.address.protocol}:// can only be read"
        raise ReadOnlyError(f"may not write {joined(self.uri, path)}: {why}; open it elsewhere to change it")

    def _refuse_hole(self, path: str) -> None:
        """Raise for what must be somewhere, and not for what need not exist.

        A log ends at the first entry that is not there: one that is kept beyond shows that the cache has a hole.
        """
        folder = path.partition("/")[0]
        beyond = folder == "log" and any(key > self._key(path) for key in self._cache.names(self._key("log") + "/"))
        if beyond or folder in ("data", "artifacts"):
            raise StorageError(
                f"{joined(self.uri, path)} is not in this machine's cache, and the registry was opened offline; open "
                "it online once to read it",
                code="offline",
            )

    def _local(self, path: str, *, fresh: bool, needed: Collection[str]) -> Path:
        key = self._key(path)
        if is_immutable(path) and not fresh:
            file = self._cache.file(key)
            if file is not None:
                return file
        if self._offline:
            self._refuse_hole(path)
            raise self._asking.missing(path)
        for attempt in range(ATTEMPTS):
            incoming = self._cache.incoming()
            try:
                self._asking.ask("read", path, lambda into=incoming: self._link.fetch(key, into))  # type: ignore[misc]
                return self._cache.adopt(key, incoming, needed=needed)
            except StorageError as error:
                # The cache may be deleted at any moment, also under a fetch.
                if error.code != "cache_unusable" or incoming.exists() or attempt == ATTEMPTS - 1:
                    raise
            finally:
                with suppress(OSError):
                    incoming.unlink()
        raise self._asking.missing(path)  # pragma: no cover: the last attempt returns or raises


def _cache_of(address: Address, registry: str) -> FileCache:
    return FileCache(cache_folder(), f"{address.place}\n{registry}", limit=cache_limit())


def _is_own(key: str) -> bool:
    """Whether a key is one that a store could have published: no placeholder of a folder, no temporary file."""
    name = key.rpartition("/")[2]
    return bool(name) and not (name.startswith(".") and name.endswith(".tmp"))
