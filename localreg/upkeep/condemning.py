"""Files are given up by a commit, and no commit may name them from then on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.policies.rules import seconds_of
from localreg.records.files import FilePointer
from localreg.session import Changes, Session

__all__ = ["condemn", "grace_seconds", "refuse_transaction"]

FILES_OF_EVENT = 2_000
FILES_OF_COMMIT = 20_000

LONGEST_S = 1e11

Still = Callable[[State, Sequence[FilePointer]], list[FilePointer]]
"""Which files may be given up in a state."""


def condemn(session: Session, files: Sequence[FilePointer], still: Still, *, why: str, message: str | None) -> int:
    """Give files up, as far as nothing speaks for them in the state that the commit stands on; how many it were.

    Raises:
        LocalregError: a commit could not be made; those before it stand.
    """
    done = 0
    for begin in range(0, len(files), FILES_OF_COMMIT):
        some = files[begin : begin + FILES_OF_COMMIT]
        given_up: list[FilePointer] = []

        def operation(changes: Changes, some: Sequence[FilePointer] = some) -> None:
            nonlocal given_up
            draft = changes.draft
            given_up = still(draft, [file for file in some if not draft.is_condemned(file.path)])
            namespace = next(draft.rows("namespace"))
            for place in range(0, len(given_up), FILES_OF_EVENT):
                files = tuple(given_up[place : place + FILES_OF_EVENT])
                changes.note(namespace, action="condemn", files=files, details={"why": why, "files": len(files)})

        session.change(operation, message=message)
        done += len(given_up)
    return done


def refuse_transaction(session: Session, verb: str) -> None:
    """Raise `InvalidInputError` where a transaction is open."""
    if session.transaction_here() is not None:
        raise InvalidInputError(f"{verb}() commits by itself, and a transaction is open; call it after the block")


def grace_seconds(age: object, *, what: str) -> float:
    """An age as users give it, in seconds.

    Raises:
        InvalidInputError: it is none, or negative.
    """
    try:
        seconds = seconds_of(age)  # type: ignore[arg-type]
    except InvalidInputError as error:
        raise InvalidInputError(f"{what}: {error}") from error
    if not 0 <= seconds <= LONGEST_S:
        raise InvalidInputError(f"{what} is {age}, which is no time to wait; write such as 7d")
    return seconds
