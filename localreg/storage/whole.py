"""Files that are read whole: only if they are files, and only as much as such a file can have.

Whoever may write a folder can put anything there under a name that we open: a pipe, at which opening waits for ever; a
link to a device that never ends; a terabyte of holes. All of these are told from a file before a byte is read.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from localreg.errors import StorageError
from localreg.storage.disk import persistent, unreadable

__all__ = ["LARGEST", "LARGEST_JSON", "most_bytes", "read_whole"]

LARGEST: Final = 1 << 31
"""Bytes of the largest file that is read into memory: twice those of the largest entry."""

LARGEST_JSON: Final = 1 << 20
"""Of a JSON file of ours: hints, leases and claims have some hundred."""


def most_bytes(path: str) -> int:
    """How many bytes a file of that name may have."""
    return LARGEST_JSON if path.endswith(".json") else LARGEST


def read_whole(where: str, most: int = LARGEST) -> bytes | None:
    """The content of a file; None if there is none, or a folder.

    Args:
        where: its path on this machine.
        most: how many bytes are believed.

    Raises:
        StorageError: it cannot be read; of code `"no_file"`: it is a pipe or a device; of code `"too_large"`: it has
            more bytes.
    """
    try:
        return persistent(lambda: _read(where, most))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except StorageError:  # is an OSError, too
        raise
    except OSError as error:
        raise unreadable(where, error) from error


def _read(where: str, most: int) -> bytes:
    with open(where, "rb", buffering=0, opener=_opened) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise _too_large(where, most)
        return file.readall()


def _opened(where: str, flags: int) -> int:
    """A descriptor of a file or a folder. To open a pipe that nobody writes to would else be to wait."""
    descriptor = os.open(where, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return descriptor
    os.close(descriptor)
    raise _no_file(where)


def _no_file(where: str) -> StorageError:
    return StorageError(
        f"cannot read {where}: it is no file, but a pipe or a device; delete it, and restore the file from a copy",
        code="no_file",
    )


def _too_large(where: str, most: int) -> StorageError:
    return StorageError(
        f"cannot read {where}: it has more than {most:,} bytes, which no such file has; restore it from a copy",
        code="too_large",
    )
