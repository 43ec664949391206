"""The files of a commit, written into a folder by us: no checkout, so no hook, filter or attribute has a say.

Guaranteed: the folder is there whole or not at all, also if the process is killed, and any number of processes may
write it at once. Nothing in it leads out of it.
"""

from __future__ import annotations

import os
import shutil
import time
import warnings
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Final

from localreg.definitions.repositories.resolving import FETCH_S, open_tree
from localreg.definitions.repositories.tree import Contents, Tree, TreeFile
from localreg.definitions.repositories.url import Repository
from localreg.errors import IntegrityError, StorageError
from localreg.names import shown_value

__all__ = ["materialise"]

ABANDONED_S: Final = 86_400
"""Age at which a folder on its way is one that a killed process left."""

_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_SHOWN: Final = 3


def materialise(
    repository: Repository, commit: str, folder: Path, *, token: str | None = None, timeout_s: float = FETCH_S
) -> None:
    """Write the files of a commit into a new folder; needs no network if the commit is in the cache.

    Warns of what is not there: submodules, and files of which git LFS keeps the content.

    Args:
        repository: where to fetch the commit.
        commit: its full hash.
        folder: to make. One that is there is taken to hold the commit, and left as it is.
        token: for http and https, as a password of anybody, or `user:password`; None or "" = as git itself would.
        timeout_s: how long the fetch may take.

    Raises:
        LocalregError: as for `resolve`, if it has to be fetched; StorageError also where the folder cannot be written.
        IntegrityError: of code `"bad_path"`: a file or link of the commit leads out of the folder.
    """
    if folder.is_dir():
        return
    tree = open_tree(repository, commit, token=token, timeout_s=timeout_s)
    # A name that no other folder has, and that says whose it is.
    made = folder.with_name(f"{_prefix(folder)}{os.urandom(8).hex()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        made.mkdir()
        pointers = _write(tree, made)
        _publish(made, folder)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"cannot write the files of {repository.url} into {folder}: {error.strerror or error}; make room, or give "
            "it permissions"
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _warn(tree, pointers)


def _prefix(folder: Path) -> str:
    return f".{folder.name}.incoming-"


def _write(tree: Tree, made: Path) -> list[str]:
    """Files first and links last, so that nothing is written by way of a link.

    Returns:
        Paths of pointers of git LFS.
    """
    pointers = []
    with tree.contents() as contents:
        for file in tree.files.values():
            if file.target is None and _write_file(contents, file, _place(made, file)):
                pointers.append(file.path)
    links = [file for file in tree.files.values() if file.target is not None]
    for file in links:
        assert file.target is not None
        os.symlink(file.target, _place(made, file))
    for file in links:
        # Once more as the file system sees it: it may take for one what git takes for two.
        if not Path(os.path.realpath(made / file.path)).is_relative_to(os.path.realpath(made)):
            raise IntegrityError(f"{shown_value(file.path)} is a link that leads out of the folder", code="bad_path")
    return pointers


def _place(made: Path, file: TreeFile) -> Path:
    place = made / file.path
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _write_file(contents: Contents, file: TreeFile, place: Path) -> bool:
    """Whether it is a pointer of git LFS."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    is_pointer, size = False, 0
    try:
        descriptor = os.open(place, flags, 0o777 if file.is_program else 0o666)
    except FileExistsError as error:
        raise IntegrityError(
            f"{shown_value(file.path)} is there twice for this file system, which does not tell capitals apart",
            code="bad_path",
        ) from error
    with open(descriptor, "wb") as written:
        for chunk in contents.chunks(file.object):
            is_pointer |= chunk.startswith(_POINTER)
            size += written.write(chunk)
    return is_pointer and size < 1024


def _publish(made: Path, folder: Path) -> None:
    try:
        os.rename(made, folder)
    except OSError:
        if not folder.is_dir():  # another process was faster
            raise


def _sweep(folder: Path) -> None:
    for left in folder.parent.glob(f"{escape(_prefix(folder))}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)


def _warn(tree: Tree, pointers: list[str]) -> None:
    if pointers:
        warnings.warn(
            f"the content of {_listed(pointers)} is kept by git lfs, and not in the commit; name such files under "
            "files: instead",
            stacklevel=3,
        )
    if tree.submodules:
        warnings.warn(
            f"{_listed(tree.submodules)} is left out: submodules are not fetched; have that code in the repository, or "
            "install it as a package",
            stacklevel=3,
        )


def _listed(paths: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(map(shown_value, paths[:_SHOWN])) + more
