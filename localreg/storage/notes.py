"""Small notes of this machine about places: what it saw there, and how far it came.

They lie in the state folder, a file each, by kind and place. A note may be lost at any time, costs no sync, and is
never worth an error: a state folder that cannot be written is as good as one that is always empty. Kinds of which a
process wrote notes are kept small at its end.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import LocalregError
from localreg.storage.disk import write_all
from localreg.storage.state import state_folder

if TYPE_CHECKING:
    from localreg.storage.store import Store

__all__ = ["MOST_NOTES", "note_path", "place_of", "read_note", "will_write", "write_note"]

FOLDER = "notes"

MOST_NOTES = 4_096
"""Of one kind; beyond, those that were not written for longest are deleted, down to three quarters."""


_written: set[str] = set()
"""Folders in which this process wrote notes."""


def place_of(store: Store) -> str | None:
    """What tells a place from all others, of a namespace; None where the bytes live no longer than this process."""
    spool = store.spool_folder()
    if spool is None:
        return None
    # An address does not tell one endpoint from another; the folder for its spools does.
    return f"{store.uri}\n{spool}" if store.remote else store.uri


def note_path(kind: str, place: str, suffix: str = ".json") -> str:
    """The file of a note, which need not be there."""
    name = sha256(place.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return os.path.join(state_folder(), FOLDER, kind, f"{name}{suffix}")


def read_note(path: str) -> JsonObject | None:
    """What a note says; None if there is none that can be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            note = parse(file.readall())
    except (OSError, LocalregError):
        return None
    return note if isinstance(note, dict) else None


def will_write(path: str) -> None:
    """Make the folder of a note, and have it kept small; `write_note` does so by itself.

    Raises:
        OSError: it cannot be made.
    """
    _written.add(os.path.dirname(path))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)


def write_note(path: str, note: JsonObject) -> None:
    """Put a note in the place of the one before, whole or not at all; in silence if that cannot be."""
    _written.add(os.path.dirname(path))
    temporary = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    with suppress(OSError):
        try:
            descriptor = _created(temporary)
            try:
                write_all(descriptor, canonical(note).encode())
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def _created(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        will_write(path)
        return os.open(path, flags, 0o600)


def _prune(folder: str) -> None:
    """Keep the notes of one kind from growing without bound."""
    with suppress(OSError):
        names = os.listdir(folder)
        if len(names) > MOST_NOTES:
            paths = [os.path.join(folder, name) for name in names]
            paths.sort(key=lambda path: os.stat(path).st_mtime)
            for path in paths[: len(paths) - MOST_NOTES * 3 // 4]:
                os.unlink(path)


@atexit.register
def _prune_all() -> None:
    for folder in _written:
        _prune(folder)
