"""What a disk is asked beside opening and naming files, and how its refusals are told."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from localreg.errors import LocalregError, ReadOnlyError, StorageError

__all__ = [
    "POSIX",
    "SPOOL",
    "Gone",
    "discard",
    "doubtful",
    "grant",
    "look_into",
    "new_spool",
    "persistent",
    "settle",
    "sync_folder",
    "unpublished",
    "unreadable",
    "unwritable",
    "write_all",
]

_T = TypeVar("_T")

POSIX: Final = os.name == "posix"
_STALE_LOOKS: Final = 2
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)

SPOOL: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
"""How a file is opened that is appended to by one process."""

_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Answers that a file system gives instead of acting; after any other, the act may have been done.
_REFUSALS = _FORBIDDEN | _FULL | {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EXDEV, errno.EMLINK, errno.ENOTSUP}
# Some shares have no fsync of folders. Failing every commit there would make nothing safer (PostgreSQL does the same).
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS})


class Gone(FileNotFoundError):
    """What must be there before a folder is made is not: the registry was unmounted, moved or emptied."""

    def __init__(self, missing: str) -> None:
        super().__init__(errno.ENOENT, f"{missing} is not there any more")


def new_spool(path: Path) -> int:
    """A descriptor of a new file to append to, with the permissions that the umask leaves; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, SPOOL, 0o666)


def persistent(act: Callable[[], _T]) -> _T:
    """Look once more by name where a share had remembered a file that was replaced since (`ESTALE`)."""
    for _ in range(_STALE_LOOKS):
        try:
            return act()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return act()


def look_into(folder: str) -> None:
    """Have the client of a share forget which names it found missing: NFS asks the server when a folder is opened.

    Source: `nfs_lookup_verify_inode` of Linux; "close-to-open consistency" in nfs(5).
    """
    with suppress(OSError):
        if POSIX:
            os.close(os.open(folder, _FOLDER))
        else:
            os.listdir(folder)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, or raise."""
    written = os.write(descriptor, data)
    while written < len(data):  # one call takes at most 2 GiB, and less near a quota
        written += os.write(descriptor, memoryview(data)[written:])


def grant(target: int | str, bits: int) -> None:
    """Add permissions to those of the umask. Windows has no such bits: access lists are inherited there."""
    if bits and POSIX:
        os.chmod(target, stat.S_IMODE(os.stat(target).st_mode) | bits)


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable. Windows cannot open one; NTFS journals its names."""
    if not POSIX:
        return
    descriptor = os.open(folder, _FOLDER)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def settle(final: str) -> None:
    """Make a file that is visible already durable under its name; a failure cannot be taken back."""
    try:
        sync_folder(os.path.dirname(final))
    except OSError as error:
        raise doubtful(final, error) from error


def discard(where: str | Path) -> None:
    """Remove a file of ours if possible. A leftover is harmless, an error here would hide the one that matters."""
    with suppress(OSError):
        os.unlink(where)


def unreadable(where: str, error: OSError) -> StorageError:
    """Our error of a read that failed."""
    return StorageError(
        f"cannot read {where}: {error.strerror or error}; check the disk and its permissions",
        code="forbidden" if error.errno in _FORBIDDEN else None,
    )


def unwritable(where: str, error: OSError, *, verb: str = "write") -> LocalregError:
    """Our error of a call that failed and changed nothing."""
    reason = error.strerror or str(error)
    if isinstance(error, Gone):
        return StorageError(
            f"cannot {verb} {where}: {reason}, so the registry was unmounted, moved or emptied; nothing was changed; "
            "put it back, or open it where it is now",
            code="registry_gone",
        )
    if error.errno in _FORBIDDEN:
        return ReadOnlyError(f"may not {verb} {where} ({reason}): open read-only, or have the permissions changed")
    if error.errno in _FULL:
        return StorageError(
            f"no room to {verb} {where} ({reason}): nothing was changed; free space and try again", code="disk_full"
        )
    return StorageError(f"cannot {verb} {where}: {reason}; nothing was changed")


def unpublished(where: str, error: OSError) -> LocalregError:
    """The error of the one call that makes a file visible: a refusal, or an answer that leaves it open."""
    return unwritable(where, error) if error.errno in _REFUSALS else doubtful(where, error)


def doubtful(where: str, error: OSError) -> StorageError:
    """Our error of a call after which only another look can tell."""
    return StorageError(
        f"cannot tell whether {where} was written for good: {error.strerror or error}; read it back", code="doubtful"
    )
