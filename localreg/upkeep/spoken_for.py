"""What live records speak for: bytes that `retain` must not touch, though their owner is gone.

- **Contents** (`artifacts/`): whatever record mentions their sha256, wherever in it: artifacts, definitions, data
  sets, and what a later release may bring. A content that is a folder's list speaks for the contents that it lists.
- **Parts**: those of an owner that is there; and those that a saved comparison looks at, as of its commit: of the
  model versions and the suite that it is about, and of all that these refer to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from localreg.artifacts.content import file_of
from localreg.artifacts.manifest import parsed
from localreg.canonical import canonical
from localreg.errors import IntegrityError, LocalregError, NotFoundError
from localreg.log import Row, State
from localreg.log.state import CONDEMNED
from localreg.records.comparisons import ComparisonRecord

if TYPE_CHECKING:
    from localreg.session import Session

__all__ = ["FILES", "compared_files", "contents_listed", "contents_of", "mentioned"]

FILES = frozenset({"file", CONDEMNED})
"""Kinds of rows that are files themselves, and speak for none."""

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")

BELOW = {"model_version": ("test_run",), "test_run": ("evaluation",)}
"""Kinds of records that a comparison reads with another, of which they are parts."""


def mentioned(values: object) -> set[str]:
    """The sha256 that stand somewhere in what a record or an event says."""
    return set() if values is None else set(_SHA256.findall(canonical(values)))  # type: ignore[arg-type]


def contents_of(session: Session, state: State, rows: Iterable[Row]) -> set[str]:
    """The contents that records speak for, with those that folders list.

    Raises:
        IntegrityError: the list of a folder is missing or altered, so that nobody knows what it holds.
    """
    found: set[str] = set()
    for row in rows:
        if row.kind not in FILES and row.record is not None:
            told = mentioned(row.record)
            for content in told - found:
                found |= {content, *contents_listed(session, state, content, is_folder=_is_folder(row, content))}
    return found


def _is_folder(row: Row, content: str) -> bool | None:
    """Whether a content is the list of a folder; None = the record does not say it."""
    if row.kind == "artifact" and row.fields.get("sha256") == content:
        return bool(row.fields.get("folder"))
    return None


def contents_listed(session: Session, state: State, content: str, *, is_folder: bool | None = None) -> Iterator[str]:
    """The contents that a folder's list names; of what may be one or not (None), as far as it reads like one.

    Raises:
        IntegrityError: it cannot be read.
    """
    pointer = None if is_folder is False else file_of(state, content)
    if pointer is None:
        return
    try:
        with session.store.local_file(pointer.path).open("rb") as file:
            if is_folder or file.read(len(_BEGIN)) == _BEGIN:
                file.seek(0)
                yield from (entry.sha256 for entry in parsed(file.read()))
    except (LocalregError, OSError) as error:
        if is_folder or isinstance(error, NotFoundError | OSError):
            raise IntegrityError(
                f"{session.store.uri}/{pointer.path}, the list of a folder, cannot be read, so that nobody knows what "
                f"it holds ({error}); restore it from a copy, then try again",
                code="file_missing",
            ) from error


_BEGIN = b'[{"bytes":'
"""As the list of a folder begins, which is canonical JSON."""


def compared_files(rows: Iterable[Row], as_of: Callable[[int], State]) -> set[str]:
    """Paths of the parts that saved comparisons look at.

    Args:
        rows: among which the comparisons are.
        as_of: the state at a commit.
    """
    asked: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row.kind == ComparisonRecord.kind and row.record is not None:
            record = row.load(ComparisonRecord)
            if record.question is not None:
                asked.setdefault(record.commit, []).append(record.question)
    return {path for commit, questions in asked.items() for path in _looked_at(as_of(commit), questions)}


def _looked_at(state: State, questions: list[dict[str, Any]]) -> Iterator[str]:
    """The parts of all that questions are about, and of what that refers to."""
    by_id = {row.id: row for row in state.rows() if row.kind not in FILES}
    waiting, owners = _ID.findall(canonical(questions)), set[str]()  # type: ignore[arg-type]
    while waiting:
        row = by_id.get(waiting.pop())
        if row is not None and row.id not in owners:
            owners.add(row.id)
            waiting += [row.parent, *_ID.findall(canonical(row.record))]
            waiting += [each.id for kind in BELOW.get(row.kind, ()) for each in state.children(kind, row.id)]
    return (file.id for owner in owners for file in state.children("file", owner))
