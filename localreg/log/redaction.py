"""Emptying the payloads that the log declares as redacted: what makes a declaration true, and can be done again.

An entry is replaced by its twin without those payloads; digests, records and their chain stay. Two processes may be at
it at the same time, one from an older view of the log. Therefore whoever has replaced entries looks at the log's end
again, and once more replaces what lacks something that was declared meanwhile: each entry is written last by somebody
who afterwards saw every declaration that an earlier writer of that entry had acted on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from localreg.log.entry import Event, entry_path
from localreg.log.parquet import decode, encode
from localreg.log.snapshot import HINT

if TYPE_CHECKING:
    from localreg.log.log import Log
    from localreg.storage import Store

__all__ = ["REDACT", "declared", "delete_caches", "finish"]

REDACT = "redact"
"""The action that declares payloads as redacted."""

CACHES = ("snapshots", "history")
"""Folders of what is made from the log, and may hold what the log held."""


def declared(event: Event) -> Iterator[tuple[int, int]]:
    """The events, as (commit, event), that an event declares as redacted: of earlier commits, whatever it says."""
    places = (event.details or {}).get("events") if event.action == REDACT else None
    for place in places if isinstance(places, list) else ():
        if isinstance(place, list) and len(place) == 2:
            commit, number = place
            if isinstance(commit, int) and isinstance(number, int) and 0 < commit < event.commit:
                yield commit, number


def finish(log: Log, known: int = 0) -> None:
    """Empty every payload that the log declares as redacted, and delete the caches.

    Args:
        log: the namespace's.
        known: as in `Log.onward`.

    Raises:
        StorageError, ReadOnlyError: the store failed; what is left is declared and not emptied: do it again.
    """
    wanted: dict[int, set[int]] = {}
    head, news = log.origin, True
    while news:
        news = False
        for entry in log.onward(head, known):
            for commit, number in (place for event in entry.events for place in declared(event)):
                wanted.setdefault(commit, set()).add(number)
                news = True
            head = entry.head
        if news:
            for commit, events in sorted(wanted.items()):
                _empty(log.store, commit, events)
    delete_caches(log.store)


def _empty(store: Store, commit: int, events: set[int]) -> None:
    path = entry_path(commit)
    data = store.get(path, fresh=True)
    if data is None:
        return  # lost since it was read: `verify` says so
    rows = decode(data, name=path)
    if any(row.payload and row.event in events for row in rows):
        store.put(path, encode([row._replace(payload="") if row.event in events else row for row in rows]))
    store.forget(path)


def delete_caches(store: Store) -> None:
    """Delete what was made from the log, and may show what it no longer does."""
    store.delete(HINT)  # first: else it would name what is no longer there
    for folder in CACHES:
        for path in list(store.list(folder)):
            store.delete(path)
            store.forget(path)
