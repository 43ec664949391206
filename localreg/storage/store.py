"""The contract between localreg and whatever keeps its bytes.

A store maps paths to bytes. Everything above this package (log, tables, sessions) speaks only to `Store`, and each
store is held to the same tests (`tests/contract/store_contract.py`). The promises that the rest is built upon:

* One act decides: `put_if_absent` makes a file exist, whole, for exactly one of any number of callers, in any number
  of threads, processes or machines. Commits are made of nothing else; no lock is needed for correctness.
* Nobody sees half a file. The exception is stated: a bulk file is visible while `writer` streams it, under a random
  name that nobody knows before a log entry gives it away.
* What has returned is durable, `delete` excepted: a deletion that a power cut undoes costs room, not truth.
* What failed is undone, or the error says that it cannot tell (`StorageError` of code `"doubtful"`): then the file
  may be there, and only reading it back settles it.

Paths are relative, with `/` between segments, on every platform: `"log/00000000000000000042.parquet"`.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from localreg.storage.queue import LockQueue

__all__ = ["STAGING", "FileSize", "Store", "check_path", "is_temporary"]

STAGING = "tmp"
"""Name of the folder in which a scope stages its files. Not listed, unless asked for by its name."""


class FileSize(NamedTuple):
    """A file that takes room.

    Attributes:
        path: relative to the store.
        bytes: its length.
    """

    path: str
    bytes: int


class Store(Protocol):
    """Bytes under paths, with one atomic act.

    Safe to share between threads. Every method that takes a path refuses one that is absolute, climbs (`..`), has
    empty or `.` segments, a backslash or an unprintable character, or looks like a temporary file of a store
    (`.….tmp`), with `InvalidInputError`, when it is called. A folder is not a file: `get` and `size` say None for it.

    All failures of the medium are `StorageError`; `ReadOnlyError` where this process may not write; nothing of the
    operating system or of a client library comes through.
    """

    @property
    def uri(self) -> str:
        """Where this store is, as users write and are shown it."""
        ...

    @property
    def remote(self) -> bool:
        """Whether each call costs a round trip over a network: worth to save calls, or to make them at once."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether `put_if_absent` can keep its promise here, as far as is known of the kind of place.

        False: not against other writers; the place needs a single writer. Of a place that says True, `probe` tells.
        """
        ...

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        """The whole content, or None if there is no such file.

        A missing file costs one failed open and nothing else: the end of the log is found by running into it.

        Args:
            path: the file.
            fresh: ask the place itself. Otherwise an immutable file may come from a cache of this machine, also when
                the place has lost or altered it since.
        """
        ...

    def put(self, path: str, data: bytes) -> None:
        """Make `path` hold `data`, in place of whatever it held, whole or not at all; durable on return.

        Racing calls leave the data of one of them. For hints and twins of redacted entries: what must not be lost to
        a race takes `put_if_absent`.

        Raises:
            StorageError: nothing was changed; or, with code `"doubtful"`, either content may be there.
        """
        ...

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        """Create `path` with `data`, unless it exists: the commit point.

        Exclusive (one True among all racers), whole (no reader sees a part), durable when True is returned. False
        does not say that the winner's file is durable yet; a successor in the same folder makes it so.

        Args:
            path: the file.
            data: its content.
            make: whether the folder may be made for it. False says that the folder was there before: if it is not,
                it was lost, and a store that has folders refuses. Where paths are mere names, it means nothing.
            visible: called, if this call creates the file, as soon as others see it, thus before it is durable; must
                not raise. Whoever reads the file from then on and publishes a successor makes both durable.

        Returns:
            True if this call created the file; False if something is there already. A network share may say False
            of its own success, after a lost answer: who must know compares what is there.

        Raises:
            StorageError: nothing was changed; or, with code `"doubtful"`, the file may be there: read it back; or,
                with code `"registry_gone"`, the folder is missing and must not be made.
        """
        ...

    def queue(self) -> LockQueue | None:
        """Where the writers of this scope can take turns; None where they cannot, or need not.

        Spares lost races, and decides nothing: `put_if_absent` has one winner, whoever queued.
        """
        ...

    def commit_mode(self) -> str | None:
        """How a registry that is made here now will publish its entries, proven by trying; None if nothing is proven.

        The value that `localreg.json` keeps (FORMAT.md, section 10). May make and remove temporary files.
        """
        ...

    def publishing(self, commit_mode: str) -> Store:
        """The same store, publishing as a registry's `localreg.json` says; itself, where there is but one way."""
        ...

    def sync(self, path: str) -> None:
        """Make the name of a visible file durable, whoever created it: the last step after a doubtful answer.

        Who reads back that a doubtful commit has landed, calls this before believing it; its content was synced
        before it became visible.

        Raises:
            NotFoundError: there is no such file.
            StorageError: of code `"doubtful"`; it is visible, but may not survive a power cut.
        """
        ...

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Stream a new bulk file: durable when the block ends well, gone when the block raises.

        Written in place, so `path` must be a name that nobody else can know or choose (made of random ids), and a
        killed process leaves a part of it: an orphan that no log entry names. The block may close the file.

        Raises:
            AlreadyExistsError: on entering; there is such a file, and it stays as it was.
        """
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """All files at any depth below the folder `prefix` ("" for all), in order of their paths as strings.

        Paths are relative to the store. Links are neither listed nor followed; temporary files never show, the
        staging folder only if `prefix` lies in it. A folder that is not there holds nothing. What is made or deleted
        during the iteration may or may not show.
        """
        ...

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """All files at any depth below a folder that take room, in no order: what is staged and temporary, too.

        For those who look after a place: unlike `list`, it gives what no reader may look at. As many requests as
        `list`. Links are neither given nor followed.

        Raises:
            StorageError: of code `"offline"`: this machine's cache does not tell what the place holds; of code
                `"no_sizes"`: nor do the place's listings.
        """
        ...

    def folders(self, prefix: str) -> builtins.list[str]:
        """Names of the folders directly in `prefix`, sorted, without the staging folder; emptied ones may show."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file; it is fine if there is none. Not necessarily durable on return.

        Takes the names of temporary files, too, as `sizes` gives them: what a dead writer left can be taken away. A
        writer that is not dead writes its file again, or fails as if the place had.
        """
        ...

    def size(self, path: str) -> int | None:
        """Length in bytes, or None if there is no such file."""
        ...

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        """A file of this machine that holds the same bytes, for readers that want a native path.

        For immutable files only: a copy does not follow its original. The same file has the same path each time.

        Args:
            path: the file.
            fresh: as in `get`.

        Raises:
            NotFoundError: there is no such file.
        """
        ...

    def local_files(self, paths: Sequence[str]) -> builtins.list[Path]:
        """`local_file` of each, in the same order; what has to be fetched is fetched several at once.

        Raises:
            NotFoundError: one of them is not there.
        """
        ...

    def forget(self, path: str) -> None:
        """Drop what this machine keeps of a file, which was replaced by its twin or deleted; fine if nothing is."""
        ...

    def recall(self, name: str) -> bytes | None:
        """What `remember` was told under `name` on this machine, about the registry at this place; else None."""
        ...

    def remember(self, name: str, data: bytes) -> None:
        """Keep a small note for `recall`, as long as it lasts: it may be lost at any time, or not be kept at all."""
        ...

    def spool_folder(self) -> Path | None:
        """A folder of this machine for what is appended to line by line, and not yet published: of this scope alone.

        It need not exist. None = the bytes live no longer than this process, so that nothing outlives it.
        """
        ...

    def new_spool(self, path: Path) -> int:
        """A descriptor of a new file within the spool folder, to append to; with the permissions of other files here.

        Raises:
            OSError: it cannot be made.
        """
        ...

    def scope(self, folder: str) -> Store:
        """The same store seen from a folder below, as from a root of its own: a namespace.

        It has its own staging folder, so that scopes may lie on different mounts and have different owners.
        """
        ...

    def writable(self) -> bool:
        """Whether this process may write here, as far as can be told without writing."""
        ...


def check_path(path: str, *, temporary: bool = False) -> str:
    """Return `path` if it is a well-formed path within a store; that of a temporary file only if told so.

    On every call's way, thus a split and a few look-ups (0.5 µs) and no regular expression. Unprintable covers NUL,
    line breaks and lone surrogates: whatever would fail in the file system, or lie in a message.

    Raises:
        InvalidInputError: it is not.
    """
    segments = path.split("/")
    if (
        "" in segments
        or ".." in segments
        or "." in segments
        or "\\" in path
        or not path.isprintable()
        or (is_temporary(segments[-1]) and not temporary)
    ):
        raise InvalidInputError(
            f"not a path within a store: {path!r}; give a relative one such as 'log/1.parquet', without '..', empty "
            "segments or backslashes",
            code="invalid_path",
        )
    return path


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that only a store itself gives, to what is not yet published."""
    return name.endswith(".tmp") and name.startswith(".")
