"""What the doctor looks at once for a whole registry: where it lies, by what means, with which permissions."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from localreg.errors import LocalregError, StorageError
from localreg.names import new_id
from localreg.session import Session
from localreg.session.location import EXCLUSIVE, FORMAT, SINGLE_WRITER
from localreg.storage import LocalStore
from localreg.storage.local import FOLDER_BITS
from localreg.storage.protection import protection_of
from localreg.upkeep.report import Finding, readable_bytes, shown_path
from localreg.version import __version__

__all__ = ["check_commit_mode", "check_location", "check_permissions", "check_room", "check_versions"]

Version = tuple[int, ...]

SUPPORTED: Final[dict[str, tuple[Version, Version | None]]] = {
    "python": ((3, 11), None),
    "duckdb": ((1, 5), (2,)),
    "pyarrow": ((20,), None),
    "numpy": ((1, 26), None),
    "fsspec": ((2025, 1), None),
    "pydantic": ((2, 10), None),
    "filelock": ((3, 30), None),
}
"""The oldest version that works, and the first that does not: as in pyproject.toml, which is not installed."""

LITTLE_ROOM: Final = 100_000_000
"""Bytes free below which it is told."""


def check_location(session: Session) -> Iterator[Finding]:
    """Where the registry lies and what it is."""
    file = session.file
    yield Finding("ok", "location", session.root.uri)
    made = f"registry {file.registry}, format {file.format} (this release writes {FORMAT}), shared: {file.shared}"
    if file.writable:
        yield Finding("ok", "format", made)
    else:
        newer = (
            f"{made}: made by a newer localreg, which this one can read but not write; upgrade localreg to change it"
        )
        yield Finding("note", "format", newer)


def check_versions(session: Session) -> Iterator[Finding]:
    """The libraries that are installed, against those that localreg is made for."""
    from importlib.metadata import PackageNotFoundError, version

    there = {"python": platform.python_version()}
    for name in SUPPORTED.keys() - there:
        with suppress(PackageNotFoundError):
            there[name] = version(name)
    wrong = [name for name in SUPPORTED if name not in there or not _is_supported(name, there[name])]
    told = ", ".join(f"{name} {there[name]}" for name in SUPPORTED if name in there and name not in wrong)
    yield Finding("ok", "versions", f"localreg {__version__}, {told}")
    for name in wrong:
        found = f"{name} {there[name]} is installed" if name in there else f"{name} is not installed"
        message = f"{found}, and localreg needs {_range(name)}; reinstall localreg, or that package"
        yield Finding("problem", "versions", message)


def _is_supported(name: str, found: str) -> bool:
    least, below = SUPPORTED[name]
    numbers = _numbers(found)
    return numbers >= least and (below is None or numbers < below)


def _numbers(version: str) -> Version:
    """The release of a version, without what follows: 2.0.0rc1 counts as 2.0, since it behaves so."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def _range(name: str) -> str:
    least, below = (None if bound is None else ".".join(map(str, bound)) for bound in SUPPORTED[name])
    return f">={least}" if below is None else f">={least},<{below}"


def check_commit_mode(session: Session) -> Iterator[Finding]:
    """Whether the place keeps what commits are made of, by doing it; nothing is left behind."""
    mode, what = session.file.commit_mode, "commit mode"
    if mode == SINGLE_WRITER:
        yield Finding("note", what, f"{mode}: writers take turns by a lease; nothing stronger is proven of this place")
    elif session.read_only:
        yield Finding("note", what, f"{mode}; not tried, since nothing may be written: {session.read_only}")
    elif mode in EXCLUSIVE:
        fault = _fault_of_place(session)
        if fault:
            message = f"{mode}, and {fault}; do not commit here: copy the registry to a place that keeps it"
            yield Finding("problem", what, message)
        else:
            yield Finding("ok", what, f"{mode}; tried, and it holds")


def _fault_of_place(session: Session) -> str:
    root = session.root
    if root.remote:
        from localreg.storage.probe import probe

        return probe(root)
    root = root if root.writable() else session.store
    name = f".localreg-probe.{new_id()}"  # at the root, so that no folder has to be made, and stay
    try:
        twice = root.put_if_absent(name, b"first") and root.put_if_absent(name, b"second")
        kept = root.get(name) == b"first"
    except StorageError as error:
        if error.code != "no_commit_mode":
            raise
        return "the file system that it lies on has no such means"
    finally:
        with suppress(LocalregError):
            root.delete(name)
    return "a file that is there already can be created a second time" if twice or not kept else ""


def check_permissions(session: Session) -> Iterator[Finding]:
    """What this process may do, and whether the folders permit to others what `shared` says."""
    root, what = session.root, "permissions"
    if session.read_only:
        yield Finding("note", what, f"nothing can be changed through this handle: {session.read_only}")
    else:
        yield Finding("ok", what, "can be read and written")
    if not isinstance(root, LocalStore):
        return
    for top in _tops(root):
        if not os.access(top, os.R_OK | os.X_OK):
            continue  # which is told of the namespace itself
        writes = not session.read_only and os.access(top, os.W_OK)
        closed = [each for each in _folders(top) if not os.access(each, os.R_OK | os.X_OK | os.W_OK * writes)]
        if closed:
            may = "read or write" if writes else "read"
            yield Finding("problem", what, f"may not {may} in {_some(closed)}; have the owner change its permissions")
    yield from _check_shared(session.file.shared, [each for top in _tops(root) for each in _shared_folders(top)])


def _tops(root: LocalStore) -> list[str]:
    """The folders of all namespaces."""
    top, names, _ = next(os.walk(os.path.join(root.uri, "namespaces")), ("", [], []))
    return [os.path.join(top, name) for name in sorted(names)]


def _shared_folders(top: str) -> Iterator[str]:
    """A namespace's folders, unless it is protected, which overrides what the registry says."""
    if protection_of(top) is None:
        yield from _folders(top)


def _check_shared(shared: str, folders: list[str]) -> Iterator[Finding]:
    bits = FOLDER_BITS.get(shared, 0)
    if not bits or os.name != "posix":
        return
    narrow = [folder for folder in folders if bits & ~_mode(folder)]
    if not narrow:
        yield Finding("ok", "shared", f"{shared}: the folders permit it")
        return
    others = "" if shared == "group" else ",o+rX"
    message = (
        f"{shared!r} is promised, and not permitted by {_some(narrow)}; let the owner call chmod -R g+rwX{others} on "
        f"it, and chmod g+s on {'it' if len(narrow) == 1 else 'each folder'}"
    )
    yield Finding("problem", "shared", message)


def _mode(folder: str) -> int:
    try:
        return stat.S_IMODE(os.stat(folder).st_mode)
    except FileNotFoundError:  # gone since it was listed
        return 0o7777


def _folders(top: str) -> Iterator[str]:
    for folder, _, _ in os.walk(top):
        yield folder


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - 1:,} more folders" if len(paths) > 1 else ""
    return f"{shown_path(paths[0])}{more}"


def check_room(session: Session) -> Iterator[Finding]:
    """How much is left of the disk."""
    if not isinstance(session.root, LocalStore):
        return
    try:
        free = shutil.disk_usage(session.root.uri).free
    except OSError as error:
        yield Finding("note", "free space", f"cannot be told: {error.strerror or error}")
        return
    if free < LITTLE_ROOM:
        message = f"only {readable_bytes(free)} left on the disk; a full one refuses commits, and harms none: free some"
        yield Finding("note", "free space", message)
    else:
        yield Finding("ok", "free space", readable_bytes(free))
