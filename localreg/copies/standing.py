"""How far a copy of a log has come: told from a few digests, since each covers all that stands before it."""

from __future__ import annotations

from collections.abc import Set
from itertools import count
from typing import NamedTuple

from localreg.errors import LocalregError
from localreg.log import Entry, Log
from localreg.log.entry import Place, entry_path
from localreg.log.features import FEATURE, IMPORTED
from localreg.log.parquet import last_digest
from localreg.log.validity import Valid
from localreg.records.models import NamespaceRecord
from localreg.storage import Store

__all__ = ["IMPORT", "Standing", "standing"]

IMPORT = "import"
"""The action that says where a namespace lies now."""


class Standing(NamedTuple):
    """What a place holds of a log.

    Attributes:
        common: how many of its entries, from the first on.
        beyond: how many entries follow them there that the log does not have.
        imported: number of the commit there that says where it lies now, if it is the first or second beyond.
        announced: whether such a commit was begun, by announcing the feature.
    """

    common: int
    beyond: int
    imported: int | None
    announced: bool


def standing(log: Log, upto: int, store: Store) -> Standing:
    """How far a copy of a log has come.

    Args:
        log: the original.
        upto: the last of its commits that counts.
        store: the namespace that is to be the copy.
    """
    there = _entries(store)
    common = _common(log, store, min(there, upto))
    own = _own(log, store, common, there)
    announced = bool(own) and _says(own[0], FEATURE, "create", IMPORTED)
    last = own[announced : announced + 1]
    imported = last[0].commit if last and _says(last[0], NamespaceRecord.kind, IMPORT) else None
    return Standing(common, there - common, imported, announced or imported is not None)


def _entries(store: Store) -> int:
    """How many entries there are from the first on."""
    there = set(store.list("log"))
    return next(number for number in count(0) if entry_path(number + 1) not in there)


def _common(log: Log, copy: Store, most: int) -> int:
    """How many entries are the same: all, most often; else halved until the first other one is found."""
    void = {each.commit for each in log.void_entries(most)}
    if _same(log, copy, most, void):
        return most
    same, other = 0, most
    while other - same > 1:
        middle = (same + other) // 2
        same, other = (middle, other) if _same(log, copy, middle, void) else (same, middle)
    return same


def _same(log: Log, copy: Store, commit: int, void: Set[int]) -> bool:
    """Whether an entry is the same; what a void one says of itself is nothing, so that its bytes are compared."""
    while commit in void:
        if log.store.get(entry_path(commit), fresh=True) != copy.get(entry_path(commit), fresh=True):
            return False
        commit -= 1
    digest = _digest(log.store, commit) if commit else None
    return commit == 0 or (digest is not None and digest == _digest(copy, commit))


def _digest(store: Store, commit: int) -> str | None:
    data = store.get(entry_path(commit), fresh=True)
    try:
        return None if data is None else last_digest(data)
    except LocalregError:
        return None


def _own(log: Log, store: Store, common: int, there: int) -> list[Entry]:
    """The first two entries of a copy that its original does not have: void ones are passed over, damage ends it."""
    place, own = log.place_at(common), []
    for commit in range(common + 1, there + 1):
        try:
            found = log.judge(store.get(entry_path(commit), fresh=True) or b"", place, commit)
        except LocalregError:
            break
        if isinstance(found, Valid):
            place = Place(found.entry.head, found.signers)
            own.append(found.entry)
        if len(own) == 2:
            break
    return own


def _says(entry: Entry, kind: str, action: str, name: str | None = None) -> bool:
    """Whether an entry is of one event, of that kind and action, and name if one is given."""
    event = entry.events[0]
    return len(entry.events) == 1 and (event.kind, event.action) == (kind, action) and name in (None, event.name)
