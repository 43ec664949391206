"""A note on this machine of who signs in a namespace: whose snapshots it may believe at its next opening.

A snapshot says itself who signs, so that only somebody known before can vouch for it. A machine without a note folds
the log from its first commit once, and believes what it finds there.
"""

from __future__ import annotations

from localreg.canonical import JsonObject
from localreg.log.signing import Signers
from localreg.storage import Store
from localreg.storage.notes import note_path, place_of, read_note, write_note

__all__ = ["known_signers", "note_signers"]

KIND = "signers"

_of_this_process: dict[tuple[str, str], JsonObject] = {}
"""Notes about places that end with the process, by place and origin."""


def known_signers(store: Store, origin: str) -> frozenset[str]:
    """Public keys of those who signed when this machine was here last; none if it was not, or nobody had to."""
    path = _path(store, origin)
    note = _of_this_process.get((store.uri, origin)) if path is None else read_note(path)
    keys = (note or {}).get("signers")
    return frozenset(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else frozenset()


def note_signers(store: Store, origin: str, signers: Signers) -> None:
    """Note them, in place of those before; a note that cannot be written costs the next opening time."""
    keys = sorted({signer.key for signer in signers.values()})
    note: JsonObject = {"place": store.uri, "origin": origin, "signers": [*keys]}
    path = _path(store, origin)
    if path is None:
        _of_this_process[store.uri, origin] = note
    else:
        write_note(path, note)


def _path(store: Store, origin: str) -> str | None:
    place = place_of(store)
    return None if place is None else note_path(KIND, f"{place}\n{origin}")
