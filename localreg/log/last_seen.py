"""Where this machine saw a log last, so that one that was rolled back, or written anew, is told.

A log that ends too early, or that somebody chained anew, is whole: nothing in the folder shows that it was another.
What shows it is a note outside of it (`localreg.storage.notes`), by place and namespace: the registry's id, the number
of a commit and its digest. It is taken when a namespace is first looked at, with snapshots, when a handle is closed and
at the end of the process, if the log has grown since, and never on the way of a commit. A note that is lost, or older
than the log, only makes it less likely that something is noticed. Where somebody took a log as it is, the note says
when: what a process saw before then counts no more.

Accepted: a commit that was seen before it was durable, and that a power cut undid before its writer was told that it
stands, looks rolled back, too. It was there, and is not.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from localreg.canonical import JsonObject
from localreg.log.entry import Head, entry_path, now
from localreg.log.parquet import last_digest
from localreg.storage import Store
from localreg.storage.notes import note_path, place_of, read_note, write_note

__all__ = ["LastSeen", "Lost", "SeenHead"]

KIND = "heads"

MOST_PLACES = 256
"""Of which a process remembers what it saw, for its end."""


class SeenHead(NamedTuple):
    """What was seen.

    Attributes:
        registry: id of the registry that lay there.
        commit: number of the newest commit.
        digest: of its last event.
        noted: when, ISO 8601 UTC; "" = by this process, which has not noted it yet.
    """

    registry: str
    commit: int
    digest: str
    noted: str


class Lost(NamedTuple):
    """That a log no longer leads to what was seen.

    Attributes:
        seen: what was.
        code: `entry_missing`, or `entry_swapped` if another entry stands there.
        message: what is wrong, and what to do.
    """

    seen: SeenHead
    code: str
    message: str


class LastSeen:
    """What this machine has seen of one namespace at one place."""

    def __init__(self, store: Store, registry: str) -> None:
        self._store = store
        self._registry = registry

    @cached_property
    def path(self) -> str:
        """Of the note; "" = the place lasts no longer than this process, and nothing is noted."""
        place = place_of(self._store)
        return "" if place is None else note_path(KIND, place)

    def newest(self) -> SeenHead | None:
        """The newest that was seen here, by this process or an earlier one; may be of another registry."""
        note = read_note(self.path) if self.path else None
        noted = _noted(note)
        fresh = _process.get(self.path, self._registry, _accepted(note))
        if fresh is None or (noted is not None and noted.registry == fresh.registry and noted.commit >= fresh.commit):
            return noted
        return fresh

    def another_registry(self) -> str | None:
        """The registry that was seen here before this one, and when, in words; None if there was none."""
        note = (read_note(self.path) if self.path else None) or {}
        before = note.get("before")
        return before if isinstance(before, str) else None

    def lost(self, seen: SeenHead | None, head: Head | None = None, *, is_void: bool = False) -> Lost | None:
        """What was seen and is not there any more; one look at an entry at most.

        Args:
            seen: what `newest` gave.
            head: where the log ends now, if that is known.
            is_void: whether what stands at that number now counts for nothing.
        """
        if seen is None or seen.registry != self._registry:
            return None
        digest: str | None = ""
        if head is not None and head.commit == seen.commit:
            digest = head.digest
        else:
            data = self._store.get(entry_path(seen.commit), fresh=True)
            digest = "" if data is None else last_digest(data)
        is_void = is_void and digest != ""
        if not is_void and digest in (None, seen.digest):  # what cannot be read is damage, of which others tell
            return None
        if digest != "":
            return Lost(seen, "entry_swapped", self._told(seen, "another entry stands there now"))
        return Lost(seen, "entry_missing", self._told(seen, "it is gone"))

    def _told(self, seen: SeenHead, what: str) -> str:
        when = f" on {seen.noted[:10]}" if seen.noted else ""
        return (
            f"{self._store.uri}: this machine saw commit {seen.commit}{when}, and {what}: the log was rolled back, "
            "replaced or damaged; restore what is missing from a copy or, if this was meant, run "
            "`localreg doctor --accept`"
        )

    def saw(self, head: Head) -> None:
        """Remember where the log stands, to be noted later: an assignment."""
        if self.path and head.commit:
            _process.put(self.path, SeenHead(self._registry, head.commit, head.digest, ""), self._store)

    def keep(self) -> None:
        """Note what was seen, if it is news."""
        if self.path:
            _process.keep(self.path)

    def accept(self) -> None:
        """Take the log as it is: what was seen of it, by this process or another one, is let go of."""
        _process.drop(self.path)
        if self.path:
            write_note(self.path, {"accepted": time.time_ns(), "place": self._store.uri})


def _accepted(note: JsonObject | None) -> int:
    """When the log was taken as it is, ns since the epoch; 0 = never."""
    when = (note or {}).get("accepted")
    return when if isinstance(when, int) else 0


def _noted(note: JsonObject | None) -> SeenHead | None:
    if note is None:
        return None
    registry, commit, digest, noted = (note.get(key) for key in SeenHead._fields)
    if not (isinstance(registry, str) and isinstance(commit, int) and isinstance(digest, str)):
        return None
    return SeenHead(registry, commit, digest, str(noted or ""))


class _Seen(NamedTuple):
    head: SeenHead
    store: Store
    when: int
    """ns since the epoch."""


class _Process:
    """What this process has seen, by note; the oldest is let go of when there is too much."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._heads: OrderedDict[str, _Seen] = OrderedDict()
        self._kept: dict[str, SeenHead] = {}

    def get(self, path: str, registry: str, accepted: int) -> SeenHead | None:
        seen = self._heads.get(path)
        if seen is not None and seen.when <= accepted:
            self.drop(path)  # the log was taken as it is since
            return None
        return seen.head if seen is not None and seen.head.registry == registry else None

    def put(self, path: str, head: SeenHead, store: Store) -> None:
        with self.lock:
            known = self._heads.get(path)
            if known is None or known.head.registry != head.registry or known.head.commit < head.commit:
                self._heads[path] = _Seen(head, store, time.time_ns())
            if len(self._heads) > MOST_PLACES:
                dropped, _ = self._heads.popitem(last=False)
                self._kept.pop(dropped, None)

    def drop(self, path: str) -> None:
        with self.lock:
            self._kept.pop(path, None)
            self._heads.pop(path, None)

    def keep(self, path: str) -> None:
        with self.lock:
            seen = self._heads.get(path)
            if seen is None or self._kept.get(path) == seen.head:
                return
            self._kept[path] = seen.head
        note = read_note(path)
        noted, head = _noted(note), seen.head
        if noted is not None and noted.registry == head.registry and noted.commit >= head.commit:
            with suppress(OSError):
                os.utime(path)  # what is looked at is not let go of first
            return  # another process has seen more
        if seen.when <= _accepted(note):
            return  # it was taken as it is since
        told = {**head._asdict(), "noted": now(), "place": seen.store.uri}
        kept = {"accepted": _accepted(note) or None, "before": _before(note, noted, head)}
        write_note(path, told | {key: value for key, value in kept.items() if value is not None})

    def keep_all(self) -> None:
        """At the end of the process; a folder that is gone by then was a temporary one."""
        for path, seen in list(self._heads.items()):
            if seen.store.remote or os.path.isdir(seen.store.uri):
                self.keep(path)

    def renew_lock(self) -> None:
        self.lock = threading.Lock()


def _before(note: JsonObject | None, noted: SeenHead | None, seen: SeenHead) -> str | None:
    """What to note of a registry that lay there before this one."""
    if noted is not None and noted.registry != seen.registry:
        return f"registry {noted.registry}, seen up to commit {noted.commit} on {noted.noted[:10]}"
    before = (note or {}).get("before")
    return before if isinstance(before, str) else None


_process = _Process()
atexit.register(_process.keep_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.renew_lock)
