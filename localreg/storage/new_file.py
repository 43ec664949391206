"""A file that appears whole under its name, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from localreg.errors import AlreadyExistsError, InvalidInputError, StorageError
from localreg.names import new_id, shown_value
from localreg.storage.publishing import PUBLISH, UNSUPPORTED

__all__ = ["checked_local", "checked_target", "new_file"]

LONGEST = 4096
"""Characters of a path: what Linux takes."""
LONGEST_PART = 255
"""Of a file's name: likewise."""


def checked_local(path: object, *, what: str) -> Path:
    """A path of this machine.

    Raises:
        InvalidInputError: it is none that a file or folder can have.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path) or not isinstance(os.fspath(path), str):
        raise InvalidInputError(f"{what} is {shown_value(path)}; give a local path")
    text = os.fspath(path)
    if not _is_possible(text) or not _is_text(text) or any(len(part) > LONGEST_PART for part in Path(text).parts):
        raise InvalidInputError(f"{what} is {shown_value(text)}, which is no path that a file can have")
    return Path(text)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Where a file is to appear.

    Raises:
        InvalidInputError: a URL, or no path at all.
        AlreadyExistsError: there is something, and it may not be replaced.
        StorageError: its folder is not there.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise InvalidInputError(f"path is {shown_value(path)}; give the path of a local file")
    if not _is_possible(os.fspath(path)):
        raise InvalidInputError(f"{shown_value(os.fspath(path))} is no path that a file can have")
    if "://" in os.fspath(path):
        raise InvalidInputError(f"{os.fspath(path)!r} is no local path; write a local file, and copy it there")
    target = Path(path)
    if os.path.isdir(target):
        raise InvalidInputError(f"{target} is a folder; give the path of a file in it")
    if not overwrite and os.path.lexists(target):
        raise _exists(target)
    if not os.path.isdir(target.parent):
        raise StorageError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    return target


def _is_possible(path: str) -> bool:
    try:
        return b"\0" not in os.fsencode(path) and len(path) <= LONGEST
    except UnicodeEncodeError:
        return False


@contextmanager
def new_file(target: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file to write; when the block ends, it is synced and appears as `target`, and after an exception it is gone.

    Raises:
        AlreadyExistsError: (at the end) there is one meanwhile, and it may not be replaced.
        StorageError: it cannot be written.
    """
    temporary = target.parent / f".{new_id()}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(os.fspath(temporary), os.fspath(target), overwrite=overwrite)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}; nothing was written") from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _publish(temporary: str, target: str, *, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    for mode in ("link", "rename-noreplace", "single-writer"):
        try:
            PUBLISH[mode](temporary, target)
            return
        except OSError as error:
            if error.errno not in UNSUPPORTED or mode == "single-writer":
                raise


def _exists(target: Path) -> AlreadyExistsError:
    return AlreadyExistsError(f"{target} exists already; choose another name, or pass overwrite=True")
