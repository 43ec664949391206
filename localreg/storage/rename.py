"""The one call that publishes where there are no hard links: a rename that never replaces.

Linux has `renameat2` with `RENAME_NOREPLACE`, Windows renames so by nature. Whole and exclusive as `link` is; the file
has but one name at any time, so there is nothing to remove afterwards.
"""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["rename_noreplace"]

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
