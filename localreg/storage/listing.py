"""What lies in a folder of a disk: only what a store could have published, so no links, devices or temporary things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from localreg.storage.disk import persistent, unreadable
from localreg.storage.store import FileSize, is_temporary

__all__ = ["Listing"]

_IS_FOLDER: Final = -1

_OPEN_ELSEWHERE: Final = (".nfs", ".fuse_hidden", ".smbdelete")
"""What shares call files that were deleted while a program has them open; they go when it closes them."""


class Listing(NamedTuple):
    """The files below a folder, by paths relative to it, with `/` between; a prefix is "" or ends in `/`.

    Attributes:
        base: the folder, with a `/` behind.
        hidden: a folder directly in it that does not show; "" = none.
    """

    base: str
    hidden: str

    def paths(self, prefix: str) -> Iterator[str]:
        """All files below, in order of their whole paths."""
        for name in self.names(prefix):
            if name.endswith("/"):
                yield from self.paths(prefix + name)
            else:
                yield prefix + name

    def names(self, prefix: str) -> list[str]:
        """What lies in one folder, folders with a `/` behind: then the order of names is that of whole paths."""
        where = self.base + prefix
        try:
            names = persistent(lambda: _names(where))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unreadable(where, error) from error
        return sorted(name for name in names if prefix + name != self.hidden + "/")

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        """All files below with their lengths, those that do not show included, in no order."""
        where = self.base + prefix
        try:
            found = persistent(lambda: _weights(where))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise unreadable(where, error) from error
        for name, weight in found:
            if weight == _IS_FOLDER:
                yield from self.sizes(f"{prefix}{name}/")
            elif weight is not None:
                yield FileSize(prefix + name, weight)


def _names(where: str) -> list[str]:
    with os.scandir(where) as entries:
        return [name for name in map(_own_name, entries) if name]


def _weights(where: str) -> list[tuple[str, int | None]]:
    with os.scandir(where) as entries:
        return [(entry.name, _weight(entry)) for entry in entries]


def _own_name(entry: os.DirEntry[str]) -> str | None:
    if is_temporary(entry.name) or entry.name.startswith(_OPEN_ELSEWHERE):
        return None
    if entry.is_dir(follow_symlinks=False):
        return entry.name + "/"
    return entry.name if entry.is_file(follow_symlinks=False) else None


def _weight(entry: os.DirEntry[str]) -> int | None:
    """A file's length, `_IS_FOLDER`, or None for what is no file, or is gone by now."""
    if entry.is_dir(follow_symlinks=False):
        return _IS_FOLDER
    try:
        return entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else None
    except FileNotFoundError:
        return None
