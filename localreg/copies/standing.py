"""How far a copy of a log has come: told from a few digests, since each covers all that stands before it."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from localreg.canonical import parse
from localreg.errors import LocalregError
from localreg.log import Log
from localreg.log.entry import entry_path
from localreg.log.features import FEATURE, IMPORTED
from localreg.log.parquet import decode, last_digest
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
    common = _common(log.store, store, min(there, upto))
    announced = there > common and _says(store, common + 1, FEATURE, "create", IMPORTED)
    says = common + 1 + announced
    imported = says if there >= says and _says(store, says, NamespaceRecord.kind, IMPORT) else None
    return Standing(common, there - common, imported, announced or imported is not None)


def _entries(store: Store) -> int:
    """How many entries there are from the first on."""
    there = set(store.list("log"))
    return next(number for number in count(0) if entry_path(number + 1) not in there)


def _common(log: Store, copy: Store, most: int) -> int:
    """How many entries are the same: all, most often; else halved until the first other one is found."""
    if _same(log, copy, most):
        return most
    same, other = 0, most
    while other - same > 1:
        middle = (same + other) // 2
        same, other = (middle, other) if _same(log, copy, middle) else (same, middle)
    return same


def _same(log: Store, copy: Store, commit: int) -> bool:
    digest = _digest(log, commit) if commit else None
    return commit == 0 or (digest is not None and digest == _digest(copy, commit))


def _digest(store: Store, commit: int) -> str | None:
    data = store.get(entry_path(commit), fresh=True)
    try:
        return None if data is None else last_digest(data)
    except LocalregError:
        return None


def _says(store: Store, commit: int, kind: str, action: str, name: str | None = None) -> bool:
    """Whether an entry is of one event, of that kind and action, and name if one is given."""
    data = store.get(entry_path(commit), fresh=True)
    try:
        rows = [] if data is None else decode(data, name=entry_path(commit))
        said = [record for row in rows if isinstance(record := parse(row.record), dict)]
    except LocalregError:
        return False
    wanted = {"kind": kind, "action": action, **({} if name is None else {"name": name})}
    return len(said) == len(rows) == 1 and all(said[0].get(key) == value for key, value in wanted.items())
