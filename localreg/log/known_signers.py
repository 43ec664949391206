"""A note on this machine of who signs in a namespace: whose snapshots it may believe at its next opening.

A snapshot says itself who signs, so that only somebody known before can vouch for it. A machine without a note folds
the log from its first commit once, and believes what it finds there.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from localreg.canonical import canonical, parse
from localreg.errors import LocalregError
from localreg.log.signing import Signers
from localreg.storage import Store
from localreg.storage.state import state_folder

__all__ = ["known_signers", "note_signers"]

_of_this_process: dict[str, bytes] = {}
"""Notes about places that end with the process."""


def known_signers(store: Store, origin: str) -> frozenset[str]:
    """Public keys of those who signed when this machine was here last; none if it was not, or nobody had to."""
    try:
        data = _of_this_process.get(_key(store, origin)) or _path(store, origin).read_bytes()
        note = parse(data)
        keys = note.get("signers") if isinstance(note, dict) else None
    except (OSError, LocalregError):
        return frozenset()
    return frozenset(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else frozenset()


def note_signers(store: Store, origin: str, signers: Signers) -> None:
    """Note them, in place of those before; a note that cannot be written costs the next opening time."""
    keys = sorted({signer.key for signer in signers.values()})
    data = canonical({"location": store.uri, "origin": origin, "signers": [*keys]}).encode()
    if store.spool_folder() is None:
        _of_this_process[_key(store, origin)] = data
        return
    path = _path(store, origin)
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(data)
        staged.replace(path)
    except OSError as error:
        import logging

        logging.getLogger("localreg").debug("cannot note the signers of %s: %s", store.uri, error)


def _key(store: Store, origin: str) -> str:
    return sha256(f"{origin}\n{store.uri}".encode()).hexdigest()


def _path(store: Store, origin: str) -> Path:
    return state_folder() / "signers" / f"{_key(store, origin)}.json"
