"""What git knows of local code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localreg.definitions.repositories.git import run
from localreg.errors import StorageError

__all__ = ["WorkingTree", "working_tree"]

LOOK_S = 30.0


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """Where local code stands.

    Attributes:
        commit: that is checked out.
        dirty: whether files of the folder differ from it, or are new and not ignored.
    """

    commit: str
    dirty: bool


def working_tree(folder: Path) -> WorkingTree | None:
    """What commit a folder of code is of, and whether it differs; other folders of the same repository do not count.

    Returns:
        None = git does not know the folder (no repository, no commit, all of it ignored), or there is no git.
    """
    try:
        commit = _told(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if commit is None:
            return None
        changes = _told(folder, "status", "--porcelain", "-z", "--untracked-files=normal", "--", ".")
        if changes is None or (not changes and not _told(folder, "ls-tree", "--name-only", "-z", "HEAD", "./")):
            return None
    except (StorageError, TimeoutError):
        return None
    return WorkingTree(commit.decode().strip(), bool(changes))


def _told(folder: Path, *arguments: str) -> bytes | None:
    done = run(arguments, folder=folder, timeout_s=LOOK_S)
    return None if done.code else done.out
