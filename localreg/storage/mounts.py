"""On which file system a folder lies, and whether other machines reach that over a network.

Nothing that is stored hangs on it: whoever is on a network looks twice where a client may show what was, and maps no
file that a server can take away. Linux tells by `/proc/self/mountinfo`; macOS and Windows are asked as well as can be.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Mount", "is_on_network", "mount_of"]

_MOUNTS: Final = Path("/proc/self/mountinfo")

_NETWORK: Final = frozenset(
    (
        *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "afpfs", "webdav", "webdavfs"),
        *("davfs", "9p", "ceph", "lustre", "gpfs", "panfs", "gfs", "gfs2", "ocfs2", "coda", "orangefs", "pvfs2"),
        *("beegfs", "acfs", "glusterfs", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs"),
    )
)
"""Of other machines; the last row is of machines that lend a folder to virtual ones."""

_LOCAL_FUSE: Final = frozenset({"fuseblk", "fuse.lxcfs", "fuse.portal", "fuse.fuse-overlayfs", "fuse.bindfs"})
"""File systems in user space that show a disk of this machine; any other may show anything."""

_MNT_LOCAL: Final = 0x1000
_DRIVE_REMOTE: Final = 4


class Mount(NamedTuple):
    """What a folder is mounted from.

    Attributes:
        point: where.
        kind: the file system's name, such as `ext4`, `nfs4` or `fuse.sshfs`.
        source: of what: a device, or `server:/export`.
        is_network: whether other machines may reach the same files, behind this one's back.
    """

    point: str
    kind: str
    source: str
    is_network: bool


def mount_of(folder: str | os.PathLike[str]) -> Mount | None:
    """The mount that a folder lies on, or would lie on if it were made; None if the system does not tell."""
    try:
        if sys.platform == "win32":
            return _of_windows(os.path.realpath(folder))
        if sys.platform == "darwin":
            return _of_macos(os.path.realpath(folder))
        return _of_linux(os.path.realpath(folder), _MOUNTS.read_text(errors="surrogateescape"))
    except (OSError, ValueError, IndexError, AttributeError):
        return None


@lru_cache(maxsize=256)
def is_on_network(folder: str) -> bool:
    """Whether a folder lies on a network share, as far as the system tells; asked once by each process."""
    mount = mount_of(folder)
    return mount is not None and mount.is_network


def _of_linux(real: str, told: str) -> Mount | None:
    """The last mount at the longest path above a folder: later ones lie on top.

    Source: proc_pid_mountinfo(5); fields 5, and behind the dash type and source.
    """
    found: Mount | None = None
    for line in told.splitlines():
        before, _, behind = line.partition(" - ")
        point = _unescaped(before.split(" ")[4])
        kind, source = behind.split(" ")[:2]
        above = point.rstrip("/") + "/"
        if (real + "/").startswith(above) and (found is None or len(point) >= len(found.point)):
            found = Mount(point, kind, _unescaped(source), _is_network(kind))
    return found


def _unescaped(text: str) -> str:
    """Blanks, tabs, line breaks and backslashes stand as three octal digits."""
    for letter in " \t\n\\":
        text = text.replace(f"\\{ord(letter):03o}", letter)
    return text


def _is_network(kind: str) -> bool:
    if kind.startswith("fuse") and kind not in _LOCAL_FUSE and kind != "fusectl":
        return True  # sshfs, rclone, s3fs, gluster, one of tomorrow: what it shows, only its maker knows
    return kind in _NETWORK


def _of_macos(real: str) -> Mount:
    """Asks `statfs`, of the nearest folder that is there."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "statfs$INODE64", None) or library.statfs
    told = ctypes.create_string_buffer(4096)
    folder = real
    while call(os.fsencode(folder), told) != 0:
        if folder == os.path.dirname(folder):
            raise OSError(ctypes.get_errno(), folder)
        folder = os.path.dirname(folder)
    return _of_statfs(told.raw)


def _of_statfs(raw: bytes) -> Mount:
    """Source: sys/mount.h of macOS, `struct statfs` with 64-bit inodes: flags at 64, then three texts from 72."""
    flags = int.from_bytes(raw[64:68], "little")
    texts = [raw[begin:end].partition(b"\0")[0] for begin, end in ((72, 88), (88, 1112), (1112, 2136))]
    kind, point, source = (os.fsdecode(text) for text in texts)
    return Mount(point, kind, source, _is_network(kind) or not flags & _MNT_LOCAL)


def _of_windows(real: str) -> Mount:
    import ctypes

    drive = os.path.splitdrive(real)[0] + "\\"
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    remote = drive.startswith("\\\\") or kernel.GetDriveTypeW(drive) == _DRIVE_REMOTE
    return Mount(drive, "network drive" if remote else "drive", drive, remote)
