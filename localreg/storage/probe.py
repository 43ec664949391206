"""Whether a store keeps the promise that commits are made of: create only if absent, for exactly one of many.

Some servers take a conditional put, say yes, and overwrite: two commits would share one number, and one would be lost
without a word. No list of servers tells which; so it is tried.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from localreg.errors import LocalregError, StorageError
from localreg.names import new_id
from localreg.storage.store import Store

__all__ = ["probe"]

_T = TypeVar("_T")

RACERS: Final = 8
FOLDER: Final = ".localreg-probe"
"""Begins with a dot: a folder that holds nothing but such is empty to whoever makes a registry there."""


def probe(store: Store) -> str:
    """What is wrong with the creation of files in a store; "" if it is exclusive.

    It writes two small files under random names, and removes them if it may.

    Raises:
        StorageError, ReadOnlyError: the store failed, or may not be written to: nothing is proved either way.
    """
    if not store.exclusive:
        return "files there cannot be created whole and only if absent"
    again, race = (f"{FOLDER}/{new_id()}" for _ in range(2))
    try:
        return _created_again(store, again) or _created_by_many(store, race)
    except StorageError as error:
        if error.code == "unsupported":
            return "it refuses to create a file only if absent"
        if error.code == "doubtful":
            raise StorageError(
                f"{store.uri} did not answer while it was tried whether two writers are safe there ({error}); no "
                "commit was begun: try again"
            ) from error
        raise
    finally:
        for path in (again, race):
            with suppress(LocalregError):  # where nothing may be deleted, two small files stay
                store.delete(path)


def _created_again(store: Store, path: str) -> str:
    store.put_if_absent(path, b"first")
    if store.put_if_absent(path, b"second"):
        return "a file that should be created only if absent was created twice"
    if store.get(path, fresh=True) != b"first":
        return "a file that should be created only if absent was overwritten"
    return ""


def _created_by_many(store: Store, path: str) -> str:
    barrier = threading.Barrier(RACERS)

    def race(content: bytes) -> bool:
        barrier.wait()
        try:
            return store.put_if_absent(path, content)
        except StorageError as error:
            if error.code == "doubtful":  # among many at once, servers fail now and then: it may have won, or not
                return False
            raise

    contents = [f"racer {number}".encode() for number in range(RACERS)]
    won = _at_once([lambda content=content: race(content) for content in contents])  # type: ignore[misc]
    winners = [content for content, created in zip(contents, won, strict=True) if created]
    if len(winners) > 1:
        return f"{len(winners)} of {RACERS} writers at once were all told that they had created the same file"
    # None may have won: who was told "busy" and asked again, or nothing, finds the file there that it made.
    if store.get(path, fresh=True) not in (winners or contents):
        return "the file that one of several writers created holds what another one wrote"
    return ""


def _at_once(acts: Sequence[Callable[[], _T]]) -> list[_T]:
    with ThreadPoolExecutor(len(acts)) as pool:
        return [each.result() for each in [pool.submit(act) for act in acts]]
