"""Copies that were made while others wrote: an rsync, a zip, a backup of a live registry.

A copy lists and takes one folder after another, so its log may hold entries whose files came too late for it, its
snapshots may be ahead of its log, and an entry that came while the log was listed may be left out before one that was
not. Each of these leaves a beginning of the log that is all there, which is what whoever only reads is shown, with a
warning. That files are lost in the midst of others that are there is damage, of which `verify` tells.
"""

from __future__ import annotations

import os
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
from localreg.storage.disk import look_into
from localreg.storage.mounts import is_on_network

__all__ = ["Tail", "Torn", "find_torn"]

LOOKED_BACK = 256
"""Entries before the tail, or before one that lacks a file, that are looked through."""
TORN_AT_MOST = 1_024
"""Entries that a copy is behind itself; where more lack their files, these were left out or lost."""
ENOUGH = 64
"""Entries in a row that brought files of one kind, and have them all: what lacks one before these is damaged."""
LOOKS = 8_192
"""At files, at most: one entry may bring a hundred thousand."""


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
    """Whether the last entries that brought files lack them; None if nothing is to be seen of that.

    A copy takes `artifacts` and each table of `data` at another time, and within them one folder after another. So
    each kind is judged for itself, what is whole does not end the search at once, and only a file that is lost before a
    later one of the same folder is known to be damage. Files are looked at newest first; none that was seen before.

    Args:
        store: the namespace's.
        state: the newest.
        tail: what was read for it.
        seen: number of the last commit that this machine has seen here; 0 = none.
    """
    search = _Search(store, state)
    for commit, files in _backwards(store, tail, seen):
        if commit <= min(tail.base, search.last) - LOOKED_BACK or search.looks > LOOKS:
            break
        search.look(commit, files)
    newest, last = state.head.commit, search.last
    if not search.lacking or newest - last > TORN_AT_MOST:
        return None
    return Torn(
        last,
        f"{store.uri}: of the last {amount(newest - last, 'commit')} files are not there, such as {search.lacking}: it "
        f"may be a copy that was made while others wrote. Who only reads is shown commit {last}; copy again to have "
        "the rest",
    )


class _Search:
    """How far down entries lack their files.

    Attributes:
        last: the commit before the earliest one that does.
        lacking: one of the files; "" = none lacks any.
        looks: how many files were looked at.
    """

    def __init__(self, store: Store, state: State) -> None:
        self.last = state.head.commit
        self.lacking = ""
        self.looks = 0
        self._store = store
        self._state = state
        self._whole: dict[str, int] = {}
        self._sound_folders: set[str] = set()

    def look(self, commit: int, files: Iterable[FilePointer]) -> None:
        due = [file.path for file in files if self._is_due(file)]
        there = {file.path for file in files if file.path in due and self._is_there(file)}
        lost = [path for path in due if path not in there and _folder(path) not in self._sound_folders]
        if lost:
            self.last, self.lacking = commit - 1, lost[0]
        lacking_kinds = set(map(_kind, lost))
        for kind in set(map(_kind, due)):
            self._whole[kind] = 0 if kind in lacking_kinds else self._whole.get(kind, 0) + 1
        self._sound_folders.update(map(_folder, there))

    def _is_due(self, file: FilePointer) -> bool:
        return self._whole.get(_kind(file.path), 0) < ENOUGH and not self._state.is_condemned(file.path)

    def _is_there(self, file: FilePointer) -> bool:
        """Whether a copy has taken the file; what is longer, or is no file, is damage, and for others to tell."""
        self.looks += 1
        size = self._store.size(file.path)
        if size is None and is_on_network(self._store.uri):  # its client may have remembered that it was missing
            look_into(os.path.dirname(f"{self._store.uri}/{file.path}"))
            size = self._store.size(file.path)
        return os.path.lexists(f"{self._store.uri}/{file.path}") if size is None else size >= file.bytes


def _kind(path: str) -> str:
    """`artifacts`, or a table such as `data/inferences`."""
    first, _, rest = path.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first == "data" else first


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


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
