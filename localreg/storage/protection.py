"""Permissions of a namespace's folder as the operating system enforces them: what they should be, and what they are.

A protected namespace holds a small file that says so (`protection.json`), and its folder's own mode is that of all
folders in it, and without the bits for searching that of all files. New ones get it from there whatever the umask says,
and the group from the setgid bit. Where the mark is missing, or the folder has lost its setgid bit, nothing is imposed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal, NamedTuple, cast

from localreg.canonical import parse
from localreg.errors import LocalregError
from localreg.storage.disk import POSIX
from localreg.storage.whole import LARGEST_JSON, read_whole

__all__ = [
    "MARK",
    "PathFault",
    "Members",
    "Others",
    "Protection",
    "deviations",
    "impose",
    "imposed_mode",
    "protection_of",
]

MARK: Final = "protection.json"
"""Name of the file, in the namespace's folder."""

Members = Literal["read", "write"]
Others = Literal["none", "read"]

_OF_MEMBERS: Final[dict[str, int]] = {"read": 0o050, "write": 0o070}
_OF_OTHERS: Final[dict[str, int]] = {"none": 0, "read": 0o005}
_NUMBER = re.compile("[0-9]{1,9}")
_FILE = 0o666
"""What of a folder's mode a file has, too."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Whom a namespace's folder lets in, beside the owners of its files."""

    group: str
    """Name of a group of the operating system, or its number."""

    members: Members
    """What its members may do."""

    others: Others
    """What everybody else may do."""

    @property
    def mode(self) -> int:
        """Of each folder."""
        return 0o2700 | _OF_MEMBERS[self.members] | _OF_OTHERS[self.others]

    @property
    def gid(self) -> int | None:
        """The group's number on this machine; None = there is no such group."""
        import grp

        try:
            return grp.getgrnam(self.group).gr_gid
        except (KeyError, ValueError):  # ValueError: a character that no name of a group has
            return int(self.group) if _NUMBER.fullmatch(self.group) else None

    def to_bytes(self) -> bytes:
        """What stands in the file."""
        return f"{json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)}\n".encode()


class PathFault(NamedTuple):
    """A file or folder that is not as it should be."""

    path: str
    """Of this machine."""

    fault: str
    """What is wrong, such as `has mode 0644, not 0660`."""


def protection_of(root: str) -> Protection | None:
    """The protection that a namespace's folder is marked with; None = it is not, or the mark cannot be read."""
    try:
        said = cast("dict[str, str]", parse(read_whole(f"{root}/{MARK}", LARGEST_JSON) or b""))
        group, members, others = said["group"], said["members"], said["others"]
        if not isinstance(group, str) or members not in _OF_MEMBERS or others not in _OF_OTHERS:
            return None
    except (LocalregError, TypeError, LookupError):
        return None
    return Protection(group, cast(Members, members), cast(Others, others))


def imposed_mode(root: str) -> int | None:
    """The mode of new folders in a protected namespace; None = as the umask says. Without more than one or two looks.

    Args:
        root: the namespace's folder.
    """
    if not POSIX:
        return None
    try:
        mode = stat.S_IMODE(os.stat(root).st_mode)
        if not mode & stat.S_ISGID:
            return None
        os.stat(f"{root}/{MARK}")
    except OSError:
        return None
    return mode


def impose(descriptor: int, mode: int) -> None:
    """Give a new file the permissions of a protected namespace."""
    os.fchmod(descriptor, mode & _FILE)


def deviations(root: str, protection: Protection, *, mend: bool) -> Iterator[PathFault]:
    """What is not as the protection says; with `mend` it is set first, and then what could not be.

    Links are passed over, and what goes meanwhile.

    Args:
        root: the namespace's folder.
        protection: how it should be.
        mend: whether to set what deviates.
    """
    gid = protection.gid
    if gid is None:
        yield PathFault(root, f"should be of the group {protection.group!r}, which this machine does not know")
        return
    for path, is_folder in _paths(root):
        mode = protection.mode if is_folder else protection.mode & _FILE
        refusal = _mended(path, gid, mode) if mend else ""
        fault = _fault(path, gid, mode)
        if fault:
            yield PathFault(path, f"{fault}{refusal}")


def _paths(root: str) -> Iterator[tuple[str, bool]]:
    """All files and folders, each folder before what is in it, and whether it is a folder."""
    yield root, True
    for folder, folders, files in os.walk(root):
        yield from ((os.path.join(folder, name), True) for name in folders if not _is_link(folder, name))
        yield from ((os.path.join(folder, name), False) for name in files if not _is_link(folder, name))


def _is_link(folder: str, name: str) -> bool:
    return os.path.islink(os.path.join(folder, name))


def _mended(path: str, gid: int, mode: int) -> str:
    """Set group and mode where they differ; "", or why it could not be done."""
    try:
        status = os.stat(path)
        if status.st_gid != gid:
            os.chown(path, -1, gid)
        if status.st_gid != gid or stat.S_IMODE(status.st_mode) != mode:
            os.chmod(path, mode)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f" ({error.strerror or error})"
    return ""


def _fault(path: str, gid: int, mode: int) -> str:
    """What is wrong with a file or folder; "" = nothing, or it is gone."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot be looked at: {error.strerror or error}"
    faults = []
    if status.st_gid != gid:
        faults.append(f"is of the group {status.st_gid}, not {gid}")
    if stat.S_IMODE(status.st_mode) != mode:
        faults.append(f"has mode {stat.S_IMODE(status.st_mode):04o}, not {mode:04o}")
    return " and ".join(faults)
