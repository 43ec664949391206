"""The calls that make a finished file appear under its name, one for each commit mode of a folder, and their proof.

`link` fails if there is something by that name. So does a rename that replaces nothing, where there are no hard links:
Linux has `renameat2` with `RENAME_NOREPLACE`, Windows renames so by nature. Both are whole and exclusive, and exclude
each other; the third, to look and then to rename, is not, and for one writer at a time.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

__all__ = ["PUBLISH", "UNSUPPORTED", "is_exclusive", "is_possible", "rename_folder", "rename_noreplace"]

UNSUPPORTED: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK})
"""What links and exclusive renames fail with where a file system has none."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def rename_noreplace(source: str, target: str) -> None:
    """Rename a file or an empty folder, unless there is something at `target`.

    Raises:
        FileExistsError: there is.
        OSError: as `os.rename`; `EINVAL` or `ENOSYS` where the file system or the platform has no such call.
    """
    if sys.platform == "win32":
        os.rename(source, target)
        return
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:  # not Linux, or a C library older than 2018
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), source, None, target)
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, target)


def _link(source: str, target: str) -> None:
    """Link, and believe what is there more than what was said: shares repeat requests whose answers were lost.

    Source: open(2) of Linux on `O_EXCL`: whatever `link` returned, a link count of 2 tells that it succeeded.
    """
    try:
        os.link(source, target)
    except OSError as error:
        ours = _status(source)
        if error.errno in UNSUPPORTED or ours is None or ours.st_nlink != 2:
            raise
        theirs = _status(target)
        if theirs is None or not os.path.samestat(ours, theirs):
            _raise_unsure(error)


def _rename(source: str, target: str) -> None:
    """Rename; what is not under its old name any more was renamed, whatever was said: nobody else knows that name."""
    try:
        rename_noreplace(source, target)
    except OSError as error:
        if error.errno in UNSUPPORTED or _status(source) is not None:
            raise
        _raise_unsure(error)


def _status(path: str) -> os.stat_result | None:
    with suppress(OSError):
        return os.stat(path)
    return None


def _raise_unsure(error: OSError) -> None:
    """Raise an error that is no refusal; "exists" stays, since whoever hears it reads what is there."""
    if error.errno == errno.EEXIST:
        raise error
    raise OSError(errno.EIO, f"{error.strerror}, and yet it seems to be done") from error


def _replace_if_absent(source: str, target: str) -> None:
    """Check, then act: for one writer at a time."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.replace(source, target)


PUBLISH: Final[dict[str, Callable[[str, str], None]]] = {
    "link": _link,
    "rename-noreplace": _rename,
    "single-writer": _replace_if_absent,
}


def is_possible(mode: str, temporary: str) -> bool:
    """Whether a file can be published so beside itself, where no permission can be in the way."""
    aside = f"{temporary[: -len('.tmp')]}.aside.tmp"
    try:
        PUBLISH[mode](temporary, aside)
        return os.path.lexists(aside)
    except OSError as error:
        return error.errno not in UNSUPPORTED
    finally:
        with suppress(OSError):
            os.unlink(aside)


def is_exclusive(mode: str, first: str, second: str) -> bool:
    """Whether publishing so in the place of another file fails because that is there, and else does not."""
    try:
        PUBLISH[mode](first, second)
    except FileExistsError:
        return is_possible(mode, second)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return False


def rename_folder(source: str, target: str) -> None:
    """Rename an empty folder, unless there is something at `target`; what an old kernel replaces is empty, too."""
    try:
        rename_noreplace(source, target)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
        os.rename(source, target)  # others reach an empty folder by its name only
