"""A store behind a network, through whatever file system fsspec has for its scheme.

In object stores a put appears whole or not at all, and the conditional put (create only if absent) is the commit
point. It is sent once: an answer that got lost is told as doubtful, and the log reads back. Everything else may be
asked again, and is, a few times, within bounded time.

Immutable files pass through a cache on this machine (`cache.py`); so they have native paths, and what was read once can
be read offline.

Accepted: fsspec keeps one thread of its own in each process; and a listing of an object store shows what was there at
some moment during the call.
"""

from __future__ import annotations

import builtins
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar, cast

from localreg.errors import AlreadyExistsError, LocalregError, NotFoundError, ReadOnlyError, StorageError
from localreg.storage.answers import Answer, answer_of, as_ours
from localreg.storage.cache import FileCache, cache_folder, cache_limit, is_immutable
from localreg.storage.link import Link, joined
from localreg.storage.queue import LockQueue
from localreg.storage.store import STAGING, FileSize, check_path

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from localreg.storage.address import Address

__all__ = ["RemoteStore"]

_T = TypeVar("_T")

ATTEMPTS: Final = 3
FIRST_PAUSE_S: Final = 0.1
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
        data = self._ask("read", path, lambda: self._link.read(key), absent=None)
        if kept and data is not None:
            self._cache.keep(key, data)
        return data

    def size(self, path: str) -> int | None:
        """See `Store.size`."""
        key = self._key(path)
        if self._offline:
            data = self.get(path)
            return None if data is None else len(data)
        return self._ask("read", path, lambda: self._link.size(key), absent=None)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`; offline, what the cache holds."""
        start = (self._key(prefix) if prefix else self._base.rstrip("/")) + "/" if prefix or self._base else ""
        hidden = f"{self._base}{self._staging}/" if self._staging and not prefix else None
        if self._offline:
            keys = builtins.list(self._cache.names(start))
        else:
            keys = self._ask("list", prefix, lambda: self._link.below(start), absent=builtins.list[str]())
        shown = (key for key in keys if key.startswith(start) and (hidden is None or not key.startswith(hidden)))
        return iter(sorted(key[len(self._base) :] for key in shown if _is_own(key)))

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """See `Store.sizes`."""
        start = (self._key(prefix) if prefix else self._base.rstrip("/")) + "/" if prefix or self._base else ""
        if self._offline:
            raise StorageError(
                f"what lies at {self.uri} cannot be told while it is opened offline; open it online", code="offline"
            )
        found = self._ask("list", prefix, lambda: self._link.sizes_below(start), absent=dict[str, int | None]())
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
            names = set(self._ask("list", prefix, lambda: self._link.folders(start), absent=builtins.list[str]()))
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
        self._ask("write", path, lambda: self._link.write(key, content))
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
            created = self._create(path, lambda: self._link.create(key, content))
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
            raise self._missing(path)

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See `Store.writer`; stronger than promised: staged on this machine, it appears when the block ends well."""
        check_path(path)
        return _StagedFile(self, path)

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        key = self._key(path)
        self._refuse_if_unwritable(path)
        self._ask("delete", path, lambda: self._link.delete(key), absent=None)
        self._cache.forget(key)

    def scope(self, folder: str) -> RemoteStore:
        """See `Store.scope`; shares connection and cache."""
        scope = self._twin()
        scope._base = self._key(folder) + "/"
        scope._staging = STAGING
        return scope

    def writable(self) -> bool:
        """See `Store.writable`; what credentials permit shows when something is written."""
        return not (self._offline or self._link.address.read_only)

    # --- within -----------------------------------------------------------------------------------------------------

    def _key(self, path: str) -> str:
        return self._base + check_path(path)

    def _missing(self, path: str) -> NotFoundError:
        return NotFoundError(f"no file {path!r} in {self.uri}")

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
            raise self._missing(path)
        for attempt in range(ATTEMPTS):
            incoming = self._cache.incoming()
            try:
                self._ask("read", path, lambda into=incoming: self._link.fetch(key, into))  # type: ignore[misc]
                return self._cache.adopt(key, incoming, needed=needed)
            except StorageError as error:
                # The cache may be deleted at any moment, also under a fetch.
                if error.code != "cache_unusable" or incoming.exists() or attempt == ATTEMPTS - 1:
                    raise
            finally:
                with suppress(OSError):
                    incoming.unlink()
        raise self._missing(path)  # pragma: no cover: the last attempt returns or raises

    def _create(self, path: str, act: Callable[[], None]) -> bool:
        """Run the one act that decides. Asked again only if it was refused; silence is told as doubt at once."""
        pause, offered = FIRST_PAUSE_S, 0
        while True:
            offered += 1
            error = _error_of(lambda: self._link.run(act))
            if error is None:
                return True
            answer = answer_of(error)
            if answer is Answer.EXISTS:
                return False
            self._renew_after(answer)
            if answer is not Answer.BUSY or offered == ATTEMPTS:
                if offered > 1 and answer is not Answer.BUSY:
                    answer = Answer.LOST  # an intermediary may have said "busy" of what went through
                raise self._ours(error, answer, path, "write") from error
            time.sleep(pause)
            pause *= 3

    def _ask(self, verb: str, path: str, act: Callable[[], _T], **absent: _T) -> _T:
        """Run an act that may be run again, a few times; `absent` is what it gives of a file that is not there."""
        pause, asked = FIRST_PAUSE_S, 0
        while True:
            asked += 1
            try:
                return self._link.run(act)
            except LocalregError:
                raise
            except Exception as caught:  # every library has its own
                error, answer = caught, answer_of(caught)
            if answer is Answer.ABSENT:
                if "absent" in absent:
                    return absent["absent"]
                raise self._missing(path) from error
            self._renew_after(answer)
            if not answer.passing or asked == ATTEMPTS:
                raise self._ours(error, answer, path, verb) from error
            time.sleep(pause)
            pause *= 3

    def _renew_after(self, answer: Answer) -> None:
        if answer is Answer.LOST:
            self._link.renew()

    def _ours(self, error: BaseException, answer: Answer, path: str, verb: str) -> LocalregError:
        refused = self._link.address.unknown_option(error)
        if refused is not None:
            return refused
        detail = self._link.address.scrubbed(error)
        return as_ours(error, answer, joined(self.uri, path), verb=verb, detail=detail)


class _StagedFile:
    """What `RemoteStore.writer` gives: a file of this machine that is sent when its block has ended well."""

    def __init__(self, store: RemoteStore, path: str) -> None:
        self._store = store
        self._path = path

    def __enter__(self) -> BinaryIO:
        self._store._refuse_if_unwritable(self._path)
        if self._store.size(self._path) is not None:
            raise self._exists()
        self._staged = self._store._cache.incoming()
        try:
            self._file = _TellingFile(self._staged)
        except OSError as error:
            raise self._store._cache._unusable(error) from error
        return cast(BinaryIO, self._file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if error is None:
                self._send()
        finally:
            with suppress(OSError):
                self._staged.unlink()

    def _send(self) -> None:
        """Create the file. The name is ours alone, so after a silence it can be offered again.

        "Exists" may then be our own success, whose answer got lost.
        """
        store, key = self._store, self._store._key(self._path)
        doubt: StorageError | None = None
        created = False
        for _ in range(ATTEMPTS):
            try:
                created = store._create(self._path, lambda: store._link.create_from(key, self._staged))
                break
            except StorageError as error:
                if error.code != "doubtful":
                    raise
                doubt = error
        if not created and not self._landed(key):
            raise doubt or self._exists()
        if is_immutable(self._path):
            with suppress(StorageError):
                store._cache.adopt(key, self._staged)

    def _landed(self, key: str) -> bool:
        there = self._store._cache.incoming()
        try:
            self._store._ask("read", self._path, lambda: self._store._link.fetch(key, there))
            return _same_content(there, self._staged)
        except NotFoundError:
            return False
        finally:
            with suppress(OSError):
                there.unlink()

    def _exists(self) -> AlreadyExistsError:
        return AlreadyExistsError(f"{self._path!r} exists in {self._store.uri}: a bulk file needs a new name")


class _TellingFile(io.FileIO):
    """A raw file whose writes fail as `StorageError`, so that other `OSError`s in the same block stay their own."""

    def __init__(self, where: Path) -> None:
        super().__init__(os.open(where, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb")
        self._where = where

    def write(self, data: Any, /) -> int:
        """Write all of `data`, as a buffered file does."""
        rest = memoryview(data).cast("B")
        whole = len(rest)
        try:
            while rest:
                rest = rest[super().write(rest) :]
        except OSError as error:
            raise StorageError(
                f"no room to stage {self._where} ({error.strerror}): nothing was changed; free space, or set "
                "LOCALREG_CACHE to a folder that has it",
                code="disk_full",
            ) from error
        return whole


def _cache_of(address: Address, registry: str) -> FileCache:
    return FileCache(cache_folder(), f"{address.place}\n{registry}", limit=cache_limit())


def _error_of(act: Callable[[], None]) -> Exception | None:
    try:
        act()
    except LocalregError:
        raise
    except Exception as error:  # every library has its own
        return error
    return None


def _same_content(one: Path, other: Path) -> bool:
    import filecmp

    return filecmp.cmp(one, other, shallow=False)


def _is_own(key: str) -> bool:
    """Whether a key is one that a store could have published: no placeholder of a folder, no temporary file."""
    name = key.rpartition("/")[2]
    return bool(name) and not (name.startswith(".") and name.endswith(".tmp"))
