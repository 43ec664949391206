"""Code as it lies in a folder: which of its files belong to it.

Left out are what `.gitignore` names (of the folder, those within, and those above as far as the repository goes), what
version control, tools and editors keep there, environments of Python, registries, and files that hold secrets: what is
stored once is stored for ever, and read by all who can read the registry.
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError, StorageError
from localreg.names import amount

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["code_files"]

LARGE_BYTES, MANY_FILES = 50 * 2**20, 5_000
"""Above these code is told to be unusually large."""

FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox"),
        *(".cache", ".ipynb_checkpoints", ".eggs", "node_modules", ".idea", ".vscode", ".localreg"),
    }
)
FILES = frozenset((".DS_Store", "Thumbs.db", ".git"))
"""The last is what localreg's own cache of code writes into it."""

ENDINGS = (".pyc", ".pyo", ".egg-info")
OF_ENVIRONMENT, OF_CONDA, OF_REGISTRY = "pyvenv.cfg", "conda-meta", "localreg.json"
"""What virtual environments, those of conda, and registries are known by."""

IN_REGISTRY = frozenset((OF_REGISTRY, "namespaces"))
"""What of a folder that is a registry itself belongs to that: code may lie beside."""

SECRET_FOLDERS = frozenset((".aws", ".ssh"))
SECRET_FILES = frozenset(
    (".env", ".git-credentials", ".netrc", ".pgpass", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")
)
TEMPLATES = frozenset((".env.example", ".env.sample", ".env.template", ".env.dist"))
"""These tell which variables there are, without their values."""

KEYS = (".pem", ".key")
"""Endings of private keys and of certificates, which anyone may read: what is written within tells them apart."""

PRIVATE, KEY_BYTES = b"PRIVATE KEY", 4096
"""What a private key says of itself, and how much of a file is looked at for that."""


class _Ignoring(NamedTuple):
    """The patterns of one `.gitignore`."""

    folder: Path
    patterns: GitIgnoreSpec


def code_files(folder: Path, leave_out: Collection[Path]) -> list[tuple[str, Path]]:
    """The files of the code below a folder, with their relative paths, in order of these.

    Args:
        folder: the root of the code.
        leave_out: files and folders that do not belong to it, such as the weights.

    Raises:
        InvalidInputError: a link leads out of the folder, or to another folder; or a file is none.
        StorageError: a folder cannot be read.
    """
    root = folder.resolve()
    found = sorted(_Walk(root, {place for each in leave_out for place in _places(each)}).files())
    _warn_of_size(root, found)
    return found


def _places(path: Path) -> Iterator[Path]:
    """Where a path stands in the folder that holds it, and where it leads to: a link is two places."""
    try:
        yield Path(os.path.realpath(path.parent)) / path.name
        yield Path(os.path.realpath(path))
    except (OSError, ValueError):
        return  # no path at all, such as one with NUL: there is nothing to leave out


class _Walk:
    def __init__(self, root: Path, leave_out: set[Path]) -> None:
        self._root = root
        self._leave_out = leave_out
        self._is_registry = (root / OF_REGISTRY).exists()

    def files(self) -> Iterator[tuple[str, Path]]:
        """All that belong to the code."""
        yield from self._within(self._root, [*_above(self._root)])

    def _within(self, folder: Path, ignoring: list[_Ignoring]) -> Iterator[tuple[str, Path]]:
        own = _ignore_file(folder)
        ignoring = [*ignoring, own] if own is not None else ignoring
        try:
            entries = sorted(os.scandir(folder), key=lambda each: each.name)
        except OSError as error:
            raise StorageError(f"{folder} cannot be read: {error.strerror or error}") from error
        for entry in entries:
            path = Path(entry.path)
            if path in self._leave_out or self._is_left_out(entry) or _is_ignored(entry, ignoring):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._within(path, ignoring)
            elif Path(os.path.realpath(path)) not in self._leave_out:
                self._refuse_odd(entry)
                yield path.relative_to(self._root).as_posix(), path

    def _is_left_out(self, entry: os.DirEntry[str]) -> bool:
        if entry.name.endswith(ENDINGS) or (self._is_registry and self._is_of_registry(entry)):
            return True
        if not entry.is_dir(follow_symlinks=False):
            return entry.name in FILES or _is_secret(entry)
        if entry.name in FOLDERS or entry.name in SECRET_FOLDERS:
            return True
        marks = (OF_ENVIRONMENT, OF_CONDA, OF_REGISTRY)
        return any(os.path.exists(os.path.join(entry.path, name)) for name in marks)

    def _is_of_registry(self, entry: os.DirEntry[str]) -> bool:
        return entry.name in IN_REGISTRY and Path(entry.path).parent == self._root

    def _refuse_odd(self, entry: os.DirEntry[str]) -> None:
        path = Path(entry.path)
        if entry.is_symlink():
            # Of a link in a circle `resolve` raises; this gives a place in the circle, where nothing is.
            target = Path(os.path.realpath(path))
            if not target.is_relative_to(self._root):
                raise InvalidInputError(
                    f"{path} is a link that leads out of the code, to {target}; copy the file there, or name the link "
                    "in .gitignore",
                    code="bad_path",
                )
            if not target.is_file():
                what = "a folder, which is not followed" if target.is_dir() else "nothing"
                raise InvalidInputError(f"{path} is a link to {what}; name it in .gitignore", code="bad_path")
        elif not stat.S_ISREG(entry.stat().st_mode):
            raise InvalidInputError(f"{path} is no file that can be stored; name it in .gitignore")
        try:
            path.as_posix().encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"{str(path)!r} has a name that is no text; rename the file") from error


def _is_secret(entry: os.DirEntry[str]) -> bool:
    """Whether a file holds secrets, or is a link to one that does."""
    names = {entry.name, os.path.basename(os.path.realpath(entry.path))}
    if any(name in SECRET_FILES or (name.startswith(".env.") and name not in TEMPLATES) for name in names):
        return True
    try:
        if not any(name.endswith(KEYS) for name in names) or not entry.is_file():
            return False
        with open(entry.path, "rb") as file:
            return PRIVATE in file.read(KEY_BYTES)
    except OSError:
        return False  # storing it tells what is wrong with it


def _above(root: Path) -> Iterator[_Ignoring]:
    """What the folders above say of a folder in a repository, the outermost first."""
    parents: list[Path] = []
    for each in (root, *root.parents):
        if (each / ".git").exists():
            yield from (found for parent in reversed(parents) if (found := _ignore_file(parent)) is not None)
            return
        parents.append(each.parent)


def _ignore_file(folder: Path) -> _Ignoring | None:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    from pathspec import GitIgnoreSpec

    return _Ignoring(folder, GitIgnoreSpec.from_lines(lines))


def _is_ignored(entry: os.DirEntry[str], ignoring: list[_Ignoring]) -> bool:
    """Whether the last pattern that fits says so: the innermost file has the last word."""
    end = "/" if entry.is_dir(follow_symlinks=False) else ""
    for each in reversed(ignoring):
        relative = os.path.relpath(entry.path, each.folder).replace(os.sep, "/") + end
        said = each.patterns.check_file(relative).include
        if said is not None:
            return said
    return False


def _warn_of_size(root: Path, found: list[tuple[str, Path]]) -> None:
    sizes = {name: path.stat().st_size for name, path in found}
    total = sum(sizes.values())
    if total > LARGE_BYTES or len(found) > MANY_FILES:
        largest = max(sizes, key=lambda name: sizes[name])
        warnings.warn(
            f"the code in {root} is {amount(len(found), 'file')} of {total / 2**20:,.0f} MiB, all of which is stored; "
            f"the largest is {largest} ({sizes[largest] / 2**20:,.0f} MiB). Name what is no code under files:, or in "
            ".gitignore",
            stacklevel=2,
        )
