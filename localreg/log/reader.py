"""The entries of one log: read one by one and checked, or faster from history segments where these reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from localreg.canonical import JsonObject
from localreg.errors import IntegrityError, LocalregError
from localreg.log.entry import Entry, Head, entry_path, genesis, read
from localreg.log.features import FEATURE, IMPORTED, refuse_unknown_to_readers
from localreg.log.history import History, Segment
from localreg.log.parquet import last_digest
from localreg.log.patience import get_late
from localreg.log.state import State
from localreg.storage import Store

__all__ = ["LogReader", "PastEvents"]

FEW = 16
"""Entries that are read sooner one by one than history segments are checked, from their first, or a snapshot opened."""


class PastEvents(NamedTuple):
    """A log as a query reads it.

    Attributes:
        upto: number of the last commit to show.
        files: native paths of history segments, in order; the last one may go beyond that.
        tail: the entries after them.
    """

    upto: int
    files: list[Path]
    tail: list[Entry]


class LogReader:
    """What one namespace's log says.

    Attributes:
        store: the namespace's part of the registry's store.
        registry_id: of the registry that it lies in.
        origin: where the log stands before commit 1: of one that was imported, see `localreg.log.home`.
        history: its history segments.
        imported: whether what was read so far says that the log was begun elsewhere.
    """

    def __init__(self, store: Store, registry_id: str, namespace: str) -> None:
        self.store = store
        self.registry_id = registry_id
        self.origin = genesis(registry_id, namespace)
        self.history = History(store, self.origin)
        self.imported = False

    def chain_on(self, origin: Head) -> None:
        """Read the log as one that began elsewhere."""
        self.origin = self.history.origin = origin

    def entries(self, after: Head, *, upto: int | None = None) -> Iterator[Entry]:
        """The entries that follow `after`, checked one by one, until one is not there.

        Args:
            after: where to begin.
            upto: the last commit wanted, which is known to exist.

        Raises:
            FormatError: an entry is torn, or announces a feature that this release does not know.
            IntegrityError: an entry was altered, is not the one that was written there, or is missing before `upto`.
        """
        head = after
        while upto is None or head.commit < upto:
            path = entry_path(head.commit + 1)
            # What is not known to exist may be in a cache of this machine all the same, and lost in the place itself.
            data = self.store.get(path, fresh=upto is None)
            if data is None and upto is not None:
                data = self.known(head.commit + 1)
            if data is None:
                return
            entry = read(data, head, name=self.name_of(path))
            self._refuse_unknown(entry)
            yield entry
            head = entry.head

    def _refuse_unknown(self, entry: Entry) -> None:
        """At once: what follows may have to be read by other rules."""
        announced = [(event.name, event.after or {}) for event in entry.events if event.kind == FEATURE]
        if announced:
            self._know(announced)

    def _know(self, features: Iterable[tuple[str, JsonObject]]) -> None:
        announced = list(features)
        self.imported = self.imported or any(name == IMPORTED for name, _ in announced)
        refuse_unknown_to_readers(announced, self.store.uri)

    def past(self, after: Head, upto: int) -> Iterator[Entry]:
        """The same entries, up to a commit that is known to exist; from history segments as far as these reach.

        Raises:
            FormatError, IntegrityError: as `entries`.
        """
        head = after
        try:
            for segment in self._cover(upto) if upto - after.commit > FEW else ():
                if segment.last > head.commit:
                    for entry in self.history.entries(segment, after=head.commit):
                        if entry.commit > upto:
                            return
                        self._refuse_unknown(entry)
                        yield entry
                        head = entry.head
        except LocalregError:
            pass  # a cache that cannot be read is no cache; what is wrong with the log itself is found below
        yield from self.entries(head, upto=upto)

    def onward(self, after: Head, known: int) -> Iterator[Entry]:
        """The same entries, and those after them until one is not there: all that `entries` gives, read faster.

        Args:
            after: where to begin.
            known: a commit that is known to exist; up to there it is read from history segments.

        Raises:
            FormatError, IntegrityError: as `entries`.
        """
        head = after
        for entry in self.past(after, known):
            yield entry
            head = entry.head
        yield from self.entries(head)

    def head_at(self, commit: int) -> Head:
        """Where the log stood after a commit that is known to exist, to read on from there.

        One read: the digest is what that entry says of itself, and is checked when the next one chains on it; the
        running maximum of times is left out.

        Raises:
            FormatError: the entry is torn.
            IntegrityError: it is missing.
        """
        if commit == 0:
            return self.origin
        data = self.store.get(entry_path(commit)) or self.known(commit)
        return Head(commit, last_digest(data) or "", "")

    def known(self, commit: int) -> bytes:
        """An entry that must be there; a share may show it late to who looked before it was written.

        Raises:
            IntegrityError: it is missing.
        """
        data = get_late(self.store, entry_path(commit))
        if data is None:
            raise self.missing(commit)
        return data

    def commit_at(self, time: str, newest: State) -> int:
        """Number of the last commit whose running maximum of times is not later than `time`; 0 = before the first.

        Whole history segments are passed over by what they tell of their ends.
        """
        cover = self._cover(newest.head.commit) if newest.head.commit > FEW else []
        ends = (self.history.opened(segment).after for segment in cover)
        head = max((end for end in ends if end.time <= time and end.commit <= newest.head.commit), default=self.origin)
        for entry in self.past(head, newest.head.commit):
            if entry.head.time > time:
                break
            head = entry.head
        return head.commit

    def past_events(self, upto: int) -> PastEvents:
        """The log up to a commit that is known to exist, for a query; the files may go beyond it."""
        opened = [self.history.opened(segment) for segment in self._cover(upto)]
        head = opened[-1].after if opened else self.origin
        return PastEvents(upto, [each.native for each in opened], list(self.entries(head, upto=upto)))

    def _cover(self, upto: int) -> list[Segment]:
        """The history segments up to a commit, as far as they are sound and this log leads to where they end."""
        return self.history.sound(upto, self._leads_to)

    def _leads_to(self, head: Head) -> bool:
        data = self.store.get(entry_path(head.commit))
        return data is not None and last_digest(data) == head.digest

    def missing(self, commit: int) -> IntegrityError:
        """The error to raise for an entry that must be there and is not."""
        return IntegrityError(
            f"{self.name_of(entry_path(commit))} is missing; restore it from a copy, then run `localreg verify`",
            code="entry_missing",
        )

    def name_of(self, path: str) -> str:
        """A file as it is called in messages."""
        return f"{self.store.uri}/{path}"
