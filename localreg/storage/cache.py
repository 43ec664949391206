"""Copies of a remote registry's immutable files on this machine: what was read once need not be fetched again.

Guaranteed: what comes out is byte for byte what was put in, or nothing (a digest stands beside each file, so that a
torn or altered copy is as good as none); nobody sees half a copy; any number of processes share the folder without a
lock; any part of it may be deleted at any moment. Neither addresses nor credentials are written: a place is known by a
digest.

Accepted: the bound on bytes is kept by sweeping now and then, least recently used first, so it is passed by what is
written in between, and by what one query needs at once. A sweep of another process may take a copy just handed out: it
is fetched anew by the next question.
"""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from localreg.errors import InvalidInputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["FileCache", "cache_folder", "cache_limit", "is_immutable"]

DEFAULT_LIMIT: Final = 10_000_000_000
KEPT_BY_A_SWEEP: Final = 0.8
BLOCK: Final = 4096
CHUNK: Final = 1 << 20
ABANDONED_S: Final = 86_400
"""Age at which a file on its way is one that a killed process left."""

_NAMESPACE = re.compile(r"^namespaces/[^/]+/")
_PARQUET_ONLY = ("log", "snapshots", "history")
_ANY_FILE = ("data", "artifacts")


def is_immutable(path: str) -> bool:
    """Whether a file never changes once it is there, by its path from the registry's or a namespace's root."""
    folder, slash, _ = _NAMESPACE.sub("", path).partition("/")
    return bool(slash) and (folder in _ANY_FILE or (folder in _PARQUET_ONLY and path.endswith(".parquet")))


def cache_folder() -> Path:
    """`LOCALREG_CACHE`, else the platform's place for what may be deleted."""
    named = os.environ.get("LOCALREG_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "localreg" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "localreg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localreg"


def cache_limit() -> int:
    """`LOCALREG_CACHE_BYTES`, else 10 GB.

    Raises:
        InvalidInputError: no whole number.
    """
    text = os.environ.get("LOCALREG_CACHE_BYTES") or str(DEFAULT_LIMIT)
    if not text.isascii() or not text.isdecimal():
        raise InvalidInputError(f"LOCALREG_CACHE_BYTES is {text!r}; write a number of bytes, such as {DEFAULT_LIMIT}")
    return int(text)


class FileCache:
    """The part of the cache that belongs to one registry at one place. Makes nothing until something is kept.

    Paths are those of the registry's files. All failures of the disk are silent, as a cache's must be, but in `adopt`,
    whose caller needs the file.
    """

    def __init__(self, folder: Path, place: str, *, limit: int = DEFAULT_LIMIT) -> None:
        """Look at `folder`, which is shared by all places.

        Args:
            folder: of the whole cache.
            place: what tells the registry at its location from all others; only its digest is written.
            limit: bytes of the whole cache, about.
        """
        self._top = folder
        self.id = sha256(place.encode()).hexdigest()[:32]
        self._base = folder / self.id
        self._limit = limit
        self._seen: dict[str, _Signature] = {}

    # --- files ------------------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes | None:
        """The content, if it is kept and whole."""
        check = self._check(path)
        if check is None:
            return None
        try:
            data = self._file(path).read_bytes()
        except OSError:
            return None
        if _describe(sha256(data).hexdigest(), len(data), path) != check:
            self.forget(path)
            return None
        self._use(path)
        return data

    def file(self, path: str) -> Path | None:
        """The copy itself, if it is kept and whole; its content is read once by each process, to be sure."""
        check = self._check(path)
        if check is None:
            return None
        file = self._file(path)
        try:
            status = file.stat()
            signature = _Signature(check, status.st_ino, status.st_size, status.st_mtime_ns)
            if self._seen.get(path) != signature:
                if _describe(_digest(file), status.st_size, path) != check:
                    self.forget(path)
                    return None
                self._seen[path] = signature
        except OSError:
            return None
        self._use(path)
        return file

    def keep(self, path: str, data: bytes) -> None:
        """Put a content in place of what is kept, if the disk lets us."""
        with suppress(OSError, StorageError):
            incoming = self.incoming()
            try:
                _write_new(incoming, data)
                self._publish(path, incoming, sha256(data).hexdigest(), len(data), frozenset())
            finally:
                _unlink(incoming)

    def incoming(self) -> Path:
        """Where a file may be fetched to, before `adopt` takes it; the caller removes what is left.

        Raises:
            StorageError: the cache's folder cannot be made.
        """
        folder = self._top / "incoming"
        try:
            self._top.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise self.unusable(error) from error
        return folder / os.urandom(16).hex()

    def adopt(self, path: str, fetched: Path, *, needed: Collection[str] = ()) -> Path:
        """Take a file that was fetched to `incoming`.

        Args:
            path: whose content it is.
            fetched: the file; it is moved.
            needed: paths that are not to be dropped to make room for it.

        Raises:
            StorageError: the disk is full, or may not be written to.
        """
        try:
            return self._publish(path, fetched, _digest(fetched), fetched.stat().st_size, needed)
        except OSError as error:
            raise self.unusable(error) from error

    def forget(self, path: str) -> None:
        """Drop what is kept of a file."""
        self._seen.pop(path, None)
        _unlink(self._check_file(path))
        _unlink(self._file(path))

    def names(self, prefix: str) -> Iterator[str]:
        """Paths of all files kept whose path begins with `prefix`, in no order."""
        root = str(self._base / "files")
        below = prefix.rpartition("/")[0]  # only that folder is looked at: a registry has many
        for folder, _, names in os.walk(os.path.join(root, below)):
            start = folder[len(root) :].replace(os.sep, "/").strip("/")
            for name in names:
                path = f"{start}/{name}" if start else name
                if path.startswith(prefix):
                    yield path

    # --- notes ------------------------------------------------------------------------------------------------------

    def note(self, name: str) -> bytes | None:
        """A note, if it is kept and whole."""
        try:
            check, _, data = (self._base / "notes" / name).read_bytes().partition(b"\n")
        except OSError:
            return None
        return data if check.decode("ascii", "replace") == sha256(data).hexdigest() else None

    def set_note(self, name: str, data: bytes) -> None:
        """Keep a note, if the disk lets us."""
        with suppress(OSError, StorageError):
            incoming = self.incoming()
            try:
                _write_new(incoming, sha256(data).hexdigest().encode() + b"\n" + data)
                _replace(incoming, self._base / "notes" / name)
            finally:
                _unlink(incoming)

    # --- within -----------------------------------------------------------------------------------------------------

    def _file(self, path: str) -> Path:
        return self._base / "files" / path

    def _check_file(self, path: str) -> Path:
        return self._base / "checks" / path

    def _check(self, path: str) -> str | None:
        try:
            return self._check_file(path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None

    def _use(self, path: str) -> None:
        with suppress(OSError):
            os.utime(self._check_file(path))

    def _publish(self, path: str, fetched: Path, digest: str, size: int, needed: Collection[str]) -> Path:
        """The old check goes first and the new one comes last: in between there is no copy, never a wrong one."""
        self._seen.pop(path, None)
        check, note = self.incoming(), _describe(digest, size, path)
        try:
            _write_new(check, note.encode())
            _unlink(self._check_file(path))
            _replace(fetched, self._file(path))
            _replace(check, self._check_file(path))
        finally:
            _unlink(check)
        file = self._file(path)
        with suppress(OSError):
            status = file.stat()
            self._seen[path] = _Signature(note, status.st_ino, status.st_size, status.st_mtime_ns)
            if self._account(size) > self._limit:
                self._sweep({self._check_file(each) for each in (path, *needed)})
        return file

    def _account(self, size: int) -> int:
        """Add a file to the count of all processes; bytes kept since it was last right.

        The count is the length of a file: one byte for each block, appended, which needs no lock.
        """
        blocks = 1 + -(-size // BLOCK)
        with (self._top / "count").open("ab") as file:
            file.write(b"." * blocks)
            file.flush()
            return os.fstat(file.fileno()).st_size * BLOCK

    def _sweep(self, needed: Collection[Path]) -> None:
        """Drop what was not used for the longest time, until the cache is well below its limit."""
        for stale in _walk(self._top / "incoming"):
            with suppress(OSError):
                if time.time() - stale.stat().st_mtime > ABANDONED_S:
                    stale.unlink()
        kept = sorted(self._kept(), key=lambda each: each.used, reverse=True)
        total = 0
        for each in kept:
            total += each.size
            if total > self._limit * KEPT_BY_A_SWEEP and each.check not in needed:
                total -= each.size
                _unlink(each.check)
                _unlink(each.file)
        os.truncate(self._top / "count", total // BLOCK)

    def _kept(self) -> Iterator[_Kept]:
        """All copies of all places; files without a check have an age of nothing, and go first."""
        for place in _folders(self._top):
            root = place / "files"
            for file in _walk(root):
                check = place / "checks" / file.relative_to(root)
                with suppress(OSError):
                    size = (1 + -(-file.stat().st_size // BLOCK)) * BLOCK
                    used = check.stat().st_mtime_ns if check.exists() else 0
                    yield _Kept(used, size, file, check)

    def unusable(self, error: OSError) -> StorageError:
        """The error to raise where the cache cannot be written to."""
        return StorageError(
            f"cannot keep a copy in the cache {self._top}: {error.strerror or error}; make room or give it "
            "permissions, or set LOCALREG_CACHE to a folder that has both",
            code="cache_unusable",
        )


class _Signature(NamedTuple):
    """By which a file that was read and found whole is known again."""

    check: str
    inode: int
    size: int
    changed: int


class _Kept(NamedTuple):
    """One copy, for the sweep."""

    used: int
    size: int
    file: Path
    check: Path


def _describe(digest: str, size: int, path: str) -> str:
    """What a check says. With the path: file systems that ignore case would take one name for another."""
    return f"{digest} {size} {path}"


def _digest(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write_new(where: Path, data: bytes) -> None:
    """For this user alone: the cache may hold what others must not see."""
    with open(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
        file.write(data)


def _replace(temporary: Path, final: Path) -> None:
    try:
        os.replace(temporary, final)
    except FileNotFoundError:  # the folder is new, or was deleted a moment ago
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(temporary, final)


def _unlink(file: Path) -> None:
    with suppress(OSError):
        file.unlink()


def _folders(top: Path) -> list[Path]:
    try:
        return [each for each in top.iterdir() if len(each.name) == 32]
    except OSError:
        return []


def _walk(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)
