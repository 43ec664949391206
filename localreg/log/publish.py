"""The one place where a commit happens: the next number comes into existence, or another writer has it.

All that is asked of the store is that `put_if_absent` has one winner. What a store says beyond that is not believed
until the number has been read back: it may fail after the entry landed, and "exists" may mean our own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localreg.errors import FormatError, LocalregError, ReadOnlyError, StorageError, UnknownOutcomeError
from localreg.log.entry import Change, Entry, Head, Provenance, compose, entry_path, now
from localreg.log.parquet import decode
from localreg.log.patience import PAUSES_S, pause
from localreg.log.signing import SigningKey
from localreg.storage import Store

__all__ = ["publish"]

ATTEMPTS = 3
"""How often one entry is offered to a store that fails."""

FINAL = ("disk_full", "registry_gone", "no_commit_mode")
"""Codes of refusals that the next attempt would meet, too."""


def publish(
    store: Store,
    head: Head,
    changes: Sequence[Change],
    provenance: Provenance,
    commit_id: str,
    *,
    number: int,
    key: SigningKey | None,
    origin: str,
    visible: Callable[[], None] | None = None,
) -> Entry | None:
    """Make the changes the commit after `head`, of that number; see `Log.publish`."""
    entry, data = compose(head, changes, provenance, commit_id, now(), number=number, key=key, origin=origin)
    path = entry_path(entry.commit)
    doubt: StorageError | None = None
    """Why an attempt may have landed, or may still be under way, whatever the later ones were told."""
    failures = hidden = 0
    while True:
        failed: ReadOnlyError | StorageError | None = None
        try:
            # Where entries were written before, a missing folder is a lost log, and no place for the next one.
            if store.put_if_absent(path, data, make=entry.commit == 1, visible=visible):
                return entry
        except (ReadOnlyError, StorageError) as error:
            failed = error
            if doubt is None and isinstance(error, ReadOnlyError):
                raise
            if isinstance(error, StorageError) and error.code == "doubtful":
                doubt = error
        landed = _landed(store, path, entry, data, doubt or failed)
        if landed is not None:
            return entry if landed else None
        if failed is None:
            doubt = doubt or StorageError("it says that the entry is there, and does not show it", code="doubtful")
            if hidden == len(PAUSES_S):
                raise _unknown(store, path, entry, doubt) from doubt
            pause(hidden)
            hidden += 1
            continue
        failures += 1
        if failures == ATTEMPTS or isinstance(failed, ReadOnlyError) or failed.code in FINAL:
            if doubt is None:
                raise failed
            raise _unknown(store, path, entry, doubt) from doubt


def _landed(store: Store, path: str, entry: Entry, ours: bytes, failed: LocalregError | None) -> bool | None:
    """Read the number back: True = ours is there, False = another's is, None = nothing is."""
    try:
        data = store.get(path, fresh=True)
        if data is None:
            return None
        landed = f'"commit_id":"{entry.commit_id}"'.encode() in data and (not entry.signature or _is_same(data, ours))
        if landed:
            store.sync(path)
    except StorageError as error:
        raise _unknown(store, path, entry, failed or error) from error
    return landed


def _is_same(data: bytes, ours: bytes) -> bool:
    """Whether it is our entry, or its redacted twin: others may have copied its id, to have it taken for done."""
    try:
        there, made = (decode(each, name="") for each in (data, ours))
    except FormatError:
        return False
    return [row._replace(payload="") for row in there] == [row._replace(payload="") for row in made]


def _unknown(store: Store, path: str, entry: Entry, why: LocalregError) -> UnknownOutcomeError:
    return UnknownOutcomeError(
        f"the store failed while commit {entry.commit_id} was being published to {store.uri}/{path} ({why}); "
        "whether it landed is unknown: once the store answers, "
        f"`registry.resolve(commit_id, commit={entry.commit})` tells",
        commit_id=entry.commit_id,
        commit=entry.commit,
    )
