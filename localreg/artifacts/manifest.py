"""Folders: which files they hold, as a sorted list that is content of its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, cast

from localreg.canonical import JsonObject, JsonValue, canonical, parse
from localreg.errors import IntegrityError, InvalidInputError, StorageError
from localreg.names import shown_value

__all__ = ["Entry", "checked_path", "manifest_bytes", "parsed", "walked"]


class Entry(NamedTuple):
    """A file of a folder.

    Attributes:
        path: relative, parted by `/`.
        sha256: of its bytes.
        bytes: how many.
    """

    path: str
    sha256: str
    bytes: int


def walked(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder, with their relative paths, in order of these; links to files count as files.

    Raises:
        InvalidInputError: there is what can be stored by no content: a link to a folder, a socket, a name that is no
            text.
        StorageError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise StorageError(f"{error.filename} cannot be read: {error.strerror or error}") from error

    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                raise InvalidInputError(
                    f"{os.path.join(place, name)} is a link to a folder, which is not followed; leave it out, or "
                    "copy the folder there"
                )
        for name in files:
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if not _is_text(relative) or not stat.S_ISREG(os.stat(path).st_mode):
                raise InvalidInputError(f"{shown_value(str(path))} is no file that can be stored; leave it out")
            found.append((relative, path))
    return iter(sorted(found))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def manifest_bytes(entries: list[Entry]) -> bytes:
    """The list as content: canonical JSON, sorted by path."""
    rows: list[JsonValue] = [each._asdict() for each in sorted(entries)]
    return canonical(rows).encode()


def parsed(data: bytes) -> list[Entry]:
    """The inverse of `manifest_bytes`.

    Raises:
        IntegrityError: it is no manifest, or names a place outside its folder.
    """
    try:
        entries = [Entry(**cast("dict[str, str]", row)) for row in cast("list[JsonObject]", parse(data))]  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"a manifest cannot be read: {error}", code="file_altered") from error
    for each in entries:
        checked_path(each.path)
    return entries


def checked_path(path: str) -> PurePosixPath:
    """A relative path that stays where it is put.

    Raises:
        IntegrityError: it leads elsewhere.
    """
    parts = path.split("/")
    is_odd = any(each in ("", ".", "..") or "\0" in each for each in parts)
    if is_odd or (os.name == "nt" and any(character in path for character in '\\:*?"<>|')):
        raise IntegrityError(f"{shown_value(path)} leads out of the folder, or is no path of a file", code="bad_path")
    return PurePosixPath(path)
