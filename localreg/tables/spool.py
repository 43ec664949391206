"""Spools: files of this machine that take a line at a time, at once, before it is known when they become a part.

A line is in the hands of the operating system when `append` returns, in one call of it: so it outlives the process,
however that ends. It is on the disk when the system thinks fit, so that a power cut may cost the last lines; parts are
what is durable.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from localreg.errors import StorageError
from localreg.storage.disk import discard, new_spool

__all__ = ["Spool", "spooled"]


class Spool:
    """A file that lines are appended to, by one thread at a time.

    Args:
        path: of the file, which is made; nobody else's.
        open_new: gives a descriptor of it, to append to: `Store.new_spool`.

    Raises:
        StorageError: it cannot be made.
    """

    def __init__(self, path: Path, open_new: Callable[[Path], int] = new_spool) -> None:
        self.path = path
        try:
            self._file = open_new(path)
        except OSError as error:
            raise StorageError(f"{path} cannot be made ({error}); free the place or make it writable") from error
        self._length = 0
        self._is_torn = False

    def append(self, line: bytes) -> None:
        """Append a line, whole or not at all.

        Args:
            line: without a line break within, and with one at its end.

        Raises:
            StorageError: the disk is full, or does not answer.
        """
        line = b"\n" + line if self._is_torn else line
        try:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._take_back()
            raise StorageError(f"{self.path} cannot be written ({error}); free some room, or mend the disk") from error
        self._length += written
        self._is_torn = False

    def _take_back(self) -> None:
        """Half a line goes again; if it cannot, readers pass it over, and lines after it begin anew."""
        try:
            os.ftruncate(self._file, self._length)
        except OSError:
            self._is_torn = True

    def close(self) -> None:
        """Append no more."""
        file, self._file = self._file, -1  # forgotten first: a number that is closed may be another file's by now
        if file >= 0:
            os.close(file)

    def remove(self) -> None:
        """Delete the file: what it holds is safe elsewhere, and counts once if a share keeps the file all the same."""
        with suppress(OSError):
            self.close()
        discard(str(self.path))


def spooled(path: Path) -> Iterator[bytes]:
    """The whole lines of a spool, whose writer may be dead or at work; nothing if it is gone.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error}); mend the disk, or make it readable") from error
    *lines, _ = data.split(b"\n")
    yield from lines
