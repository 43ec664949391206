"""What must hold of every commit, and what follows from it, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from localreg.errors import ConflictError
from localreg.log import Change, State

if TYPE_CHECKING:
    from localreg.session.changes import Changes
    from localreg.session.session import Session

__all__ = ["Consequence", "Precondition", "consequences", "preconditions"]

Precondition: TypeAlias = Callable[[State, State, Sequence[Change]], None]
"""Sees the state before, the state after and the changes between; raises to refuse the commit."""

preconditions: list[Precondition] = []
"""What must hold of every commit. Upper layers add theirs when they are imported: policies, access."""

Consequence: TypeAlias = "Callable[[Session, Changes], None]"
"""Sees what a commit changes, and changes more with it; raises to refuse it. Runs once, before preconditions."""

consequences: list[Consequence] = []
"""What follows from every commit. Upper layers add theirs when they are imported: policies."""


def _refuse_condemned_files(before: State, after: State, changes: Sequence[Change]) -> None:
    """A writer may have slept so long that its staged files were given up: it must write them again."""
    for change in changes:
        for pointer in change.files:
            if change.action != "condemn" and before.is_condemned(pointer.path):
                raise ConflictError(
                    f"{pointer.path} was given up by garbage collection before it was committed; do the upload again",
                    code="file_condemned",
                )


preconditions.append(_refuse_condemned_files)
