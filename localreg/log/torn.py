"""Copies that were made while others wrote: an rsync, a zip, a backup of a live registry.

A copy lists and takes one folder after another, so its log may hold entries whose files came too late for it, its
snapshots may be ahead of its log, and an entry that came while the log was listed may be left out before one that was
not. Each of these leaves a beginning of the log that is all there, which is what whoever only reads is shown, with a
warning. That files are lost in the midst of others that are there is damage, of which `verify` tells.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from localreg.canonical import JsonObject, parse
from localreg.errors import LocalregError
from localreg.log.entry import Entry, entry_path
from localreg.log.parquet import decode
from localreg.log.state import State
from localreg.names import amount
from localreg.records.files import FilePointer
from localreg.storage import Store

__all__ = ["Tail", "Torn", "find_torn", "warn_once"]

LOOKED_BACK = 256
"""Entries before the tail that are looked through for one that brought files."""
TORN_AT_MOST = 1_024
"""Entries that a copy is behind itself; where more lack their files, these were left out or lost."""

_told: set[str] = set()


class Torn(NamedTuple):
    """How far a log is all there.

    Attributes:
        last: the last commit that is.
        message: what is wrong with those after it, and what to do.
    """

    last: int
    message: str


class Tail:
    """The entries that were read at an opening, as far as they brought files.

    Attributes:
        base: the commit that they follow.
        brought: number of each such entry, with what it says of its files, in order.
    """

    def __init__(self, base: int) -> None:
        self.base = base
        self.brought: list[tuple[int, list[FilePointer]]] = []

    def noting(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries, noted as they are read."""
        for entry in entries:
            events = (event for event in entry.events if event.files and event.action != "condemn")
            files = [file for event in events for file in event.files]
            if files:
                self.brought.append((entry.commit, files))
            yield entry


def find_torn(store: Store, state: State, tail: Tail, seen: int) -> Torn | None:
    """Whether the last entries that brought files lack them, each of them; None if the last one has all of its own.

    A look at each file of the last entry that brought any; none at what this machine has seen before.

    Args:
        store: the namespace's.
        state: the newest.
        tail: what was read for it.
        seen: number of the last commit that this machine has seen here; 0 = none.
    """
    last, lacking = state.head.commit, ""
    for commit, files in _backwards(store, tail, seen):
        due = [file for file in files if not state.is_condemned(file.path)]
        missing = next((file.path for file in due if store.size(file.path) != file.bytes), None)
        if missing is not None:
            last, lacking = commit - 1, missing
            if commit <= state.head.commit - TORN_AT_MOST:
                return None
        elif due or (not lacking and commit <= tail.base - LOOKED_BACK):
            break
    if not lacking:
        return None
    rest = amount(state.head.commit - last, "commit")
    return Torn(
        last,
        f"{store.uri}: the last {rest} came with files that are not there, such as {lacking}: it may be a copy that "
        f"was made while others wrote. Who only reads is shown commit {last}; copy again to have the rest",
    )


def _backwards(store: Store, tail: Tail, seen: int) -> Iterator[tuple[int, list[FilePointer]]]:
    """What entries brought, the newest first: those of the tail, then all before it, down to what was seen."""
    yield from ((commit, files) for commit, files in reversed(tail.brought) if commit > seen)
    for commit in range(tail.base, seen, -1):
        yield commit, _files_of(store, commit)


def _files_of(store: Store, commit: int) -> list[FilePointer]:
    """What an entry brought, unchecked; nothing if it cannot be told."""
    path = entry_path(commit)
    files: list[FilePointer] = []
    try:
        for row in decode(store.get(path) or b"", name=path):
            record = parse(row.record) if '"files":' in row.record else None
            if isinstance(record, dict) and record.get("action") != "condemn":
                files += map(FilePointer.from_json, _objects(record.get("files")))
    except (LocalregError, KeyError, TypeError):
        return []
    return files


def _objects(value: object) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def warn_once(message: str, level: int = logging.WARNING) -> None:
    """Say it in the log of the program, once for each process."""
    if message not in _told:
        _told.add(message)
        logging.getLogger("localreg").log(level, "%s", message)
