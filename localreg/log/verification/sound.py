"""What a check has found sound so far, noted on this machine, so that a stopped one can be resumed.

A line a file, appended as soon as it is known: path, digest, and a *mark*, by which it shows that the file is still the
same (on a disk its length, times and inode; far away its length alone). Damage is not noted, and so is found again.
"""

from __future__ import annotations

import os
from contextlib import suppress

from localreg.canonical import canonical, parse
from localreg.errors import LocalregError
from localreg.records.files import FilePointer
from localreg.storage import Store
from localreg.storage.notes import note_path, place_of, will_write

__all__ = ["Sound"]

Mark = tuple[int, ...]


class Sound:
    """The notes of one namespace at one place. May be used by several threads."""

    def __init__(self, store: Store, origin: str, *, resume: bool) -> None:
        """Take up what a stopped check has noted, or begin anew.

        Args:
            store: the namespace's.
            origin: digest that the log began with, so that another registry's notes do not count.
            resume: whether to go on from there.
        """
        self._store = store
        self._known: dict[str, tuple[str, Mark]] = {}
        place = place_of(store)
        self._path = None if place is None else note_path("verify", f"{place}\n{origin}", ".jsonl")
        self._file: int | None = None
        if self._path is not None:
            self._begin(self._path, resume=resume)

    def _begin(self, path: str, *, resume: bool) -> None:
        with suppress(OSError):  # who cannot note anything cannot resume, and that is all
            if resume and os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as lines:
                    self._known = dict(filter(None, map(_parsed, lines)))
            will_write(path)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if resume else os.O_TRUNC)
            self._file = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
            if self._known:
                os.write(self._file, b"\n")  # the last line may be torn

    def mark(self, path: str) -> Mark | None:
        """What a file looks like from outside; None if it cannot be told. To be taken before it is read."""
        if self._path is None:
            return None
        try:
            if self._store.remote:
                size = self._store.size(path) if self._known else None
                return None if size is None else (size,)
            status = os.stat(self._store.local_file(path))
        except (OSError, LocalregError):
            return None
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino

    def knows(self, pointer: FilePointer) -> bool:
        """Whether the file was found sound, and looks as it did then."""
        digest, mark = self._known.get(pointer.path, ("", None))
        return digest == pointer.sha256 and mark is not None and mark == self.mark(pointer.path)

    def note(self, pointer: FilePointer, mark: Mark | None) -> None:
        """A file is sound."""
        if self._store.remote:
            mark = (pointer.bytes,)
        if self._file is not None and mark is not None:
            line = f"{canonical([pointer.path, pointer.sha256, *mark])}\n".encode()
            with suppress(OSError):
                os.write(self._file, line)  # in one call: whole, or torn at the end by a kill

    def close(self, *, complete: bool) -> None:
        """The check has ended; what is complete needs no notes."""
        with suppress(OSError):
            if self._file is not None:
                os.close(self._file)
            if complete and self._path is not None:
                os.unlink(self._path)
        self._file = None


def _parsed(line: str) -> tuple[str, tuple[str, Mark]] | None:
    try:
        value = parse(line)
    except LocalregError:
        return None
    if not isinstance(value, list) or len(value) < 3:
        return None
    path, digest, *rest = value
    mark = tuple(each for each in rest if isinstance(each, int))
    return (path, (digest, mark)) if isinstance(path, str) and isinstance(digest, str) else None
