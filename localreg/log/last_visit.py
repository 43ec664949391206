"""A note on this machine of where it saw a remote log last, so that its next opening need not read all of it again.

It lies in the local cache and is believed only once the log has shown, by one entry, that it still leads there.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import LocalregError
from localreg.log.entry import Head
from localreg.storage import Store

__all__ = ["LastVisit", "last_visit", "note_visit"]

NOTE = "head"
"""What the local cache calls the note."""


class LastVisit(NamedTuple):
    """What was seen.

    Attributes:
        head: where the log stood.
        snapshot: path of the snapshot that the state stood on; "" = none.
    """

    head: Head
    snapshot: str


def note_visit(store: Store, visit: LastVisit) -> None:
    """Note it, in place of the one before; a folder is as near as its note would be, and gets none."""
    if store.remote:
        note: JsonObject = {**visit.head._asdict(), "snapshot": visit.snapshot}
        store.remember(NOTE, canonical(note).encode())


def last_visit(store: Store) -> LastVisit | None:
    """What was noted last, or None; what this machine keeps is worth no error."""
    try:
        note = parse(store.recall(NOTE) or b"null")
        if not isinstance(note, dict) or not note["commit"]:
            return None
        return LastVisit(Head(*(cast(Any, note[field]) for field in Head._fields)), str(note["snapshot"] or ""))
    except (KeyError, LocalregError):
        return None
