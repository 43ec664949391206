"""The entries of one log: read one by one and checked, or faster from history segments where these reach."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from localreg.canonical import JsonObject
from localreg.errors import IntegrityError, LocalregError
from localreg.log.entry import Entry, Head, Place, entry_path, genesis
from localreg.log.features import FEATURE, IMPORTED, refuse_unknown_to_readers
from localreg.log.history import History, Segment
from localreg.log.parquet import last_digest
from localreg.log.patience import get_late
from localreg.log.signing import NO_SIGNERS, Signers, signers_after
from localreg.log.state import State
from localreg.log.telling import warn_once
from localreg.log.validity import Valid, Void, is_vouched_for, judge
from localreg.storage import Store

__all__ = ["LogReader", "PastEvents"]

KEPT = 63
"""Commits of which it is kept who may sign after them."""

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


class Chain(NamedTuple):
    """A log of signed entries from its first on: what it takes to read on from any place in it.

    Attributes:
        upto: the last number that was looked at.
        head: where the log stood there.
        signers: who might sign from there on.
        changes: each commit that changed that, and who might sign from it on; ascending.
        void: the entries that did not count.
    """

    upto: int
    head: Head
    signers: Signers = NO_SIGNERS
    changes: tuple[tuple[int, Signers], ...] = ()
    void: tuple[Void, ...] = ()


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
        self.imported = False
        self._signed = False
        self._held: Signers | None = None
        self._noted: Signers | None = None
        self.history = History(store, self.origin, self._vouching)
        self._signers: dict[int, Signers] = {}
        self._chain = Chain(0, self.origin)
        self._end = 0, 1
        self._void: dict[int, Void] = {}

    def chain_on(self, origin: Head) -> None:
        """Read the log as one that began elsewhere."""
        self.origin = self.history.origin = origin
        self._chain = Chain(0, origin)

    def entries(self, after: State | Place | Head, *, upto: int | None = None) -> Iterator[Entry]:
        """The entries that follow `after`, checked one by one, until one is not there; void ones are passed over.

        Args:
            after: where to begin.
            upto: the last commit wanted, which is known to exist.

        Raises:
            FormatError: an entry is torn, or announces a feature that this release does not know.
            IntegrityError: an entry was altered, is not the one that was written there, or is missing before `upto`.
        """
        head = after if isinstance(after, Head) else after.head
        if upto is not None and head.commit >= upto:
            return
        last = head.commit, NO_SIGNERS
        try:
            for found in self._judged(head, self._place(after).signers, upto):
                if isinstance(found, Valid):
                    last = found.entry.commit, found.signers
                    yield found.entry
                else:
                    self._tell(found)
        finally:
            if last[1]:
                self._learn(*last)

    def _judged(
        self, head: Head, signers: Signers, upto: int | None, first: int | None = None
    ) -> Iterator[Valid | Void]:
        """All that follows `head`, from number `first` on if what lies between is known to be void."""
        number = first or head.commit + 1
        while upto is None or number <= upto:
            path = entry_path(number)
            # What is not known to exist may be in a cache of this machine all the same, and lost in the place itself.
            data = self.store.get(path, fresh=upto is None)
            if data is None and upto is not None:
                data = self.known(number)
            if data is None:
                self._end = head.commit, number
                return
            found = self._judge(data, head, number, signers)
            if isinstance(found, Void):  # what a share, or a cache, showed in part is not worth the same as the whole
                data = self.store.get(path, fresh=True)
                found = found if data is None else self._judge(data, head, number, signers)
            if isinstance(found, Valid):
                self._refuse_unknown(found.entry)
                head, signers = found.entry.head, found.signers
            yield found
            number += 1

    def judge(self, data: bytes, place: Place, number: int) -> Valid | Void:
        """What a file would be as the entry of a number, where the log stands at a place.

        Raises:
            FormatError, IntegrityError: as `entries`.
        """
        return self._judge(data, place.head, number, place.signers)

    def place_at(self, commit: int) -> Place:
        """Where the log stood after a commit that is known to exist, and who might sign next; see `head_at`."""
        return self._place(self.head_at(commit))

    def _judge(self, data: bytes, head: Head, number: int, signers: Signers) -> Valid | Void:
        name = self.name_of(entry_path(number))
        return judge(data, head, number, signers, origin=self.origin.digest, name=name)

    def _tell(self, void: Void) -> None:
        """One warning for each, in each process that comes upon it."""
        if void.commit not in self._void:
            self._void[void.commit] = void
            warn_once(f"{self.store.uri}/{void}")

    @property
    def void_seen(self) -> list[Void]:
        """The void entries that this process has come upon, in order; `void_entries` has all."""
        return [self._void[commit] for commit in sorted(self._void)]

    def next_number(self, head: Head) -> int:
        """The number of the entry after `head`, when the log was read to its end last: void ones take numbers, too."""
        after, number = self._end
        return number if after == head.commit else head.commit + 1

    # --- who may sign -----------------------------------------------------------------------------------------------

    def signers_at(self, commit: int) -> Signers:
        """Who might sign the entry after a commit that is known to exist; none = nobody has to.

        Raises:
            FormatError, IntegrityError: as `entries`.
        """
        if not self._signed or commit == 0:
            return NO_SIGNERS
        if commit in self._signers:
            return self._signers[commit]
        changes = self._chain_to(commit).changes
        place = bisect_right(changes, commit, key=lambda change: change[0])
        return changes[place - 1][1] if place else NO_SIGNERS

    def void_entries(self, upto: int) -> tuple[Void, ...]:
        """The void ones among the first `upto`: all of the log is read, once.

        Raises:
            FormatError, IntegrityError: as `entries`.
        """
        if not (self._signed or self._void):
            return ()
        return tuple(each for each in self._chain_to(upto).void if each.commit <= upto)

    def _place(self, after: State | Place | Head) -> Place:
        return (
            Place(after, self.signers_at(after.commit)) if isinstance(after, Head) else Place(after.head, after.signers)
        )

    def _vouching(self) -> frozenset[str]:
        """Public keys of those whose caches to believe; none = nobody has to sign."""
        return frozenset(signer.key for signer in (self._held or NO_SIGNERS).values())

    def _learn(self, commit: int, signers: Signers) -> None:
        """That these may sign after a commit; the last few are kept, for who reads on from there."""
        self._signed = True
        self._signers = dict([*self._signers.items()][-KEPT:]) | {commit: signers}

    def _chain_to(self, upto: int) -> Chain:
        chain = self._chain
        if chain.upto >= upto:
            return chain
        head, signers, changes, void = chain.head, chain.signers, [*chain.changes], [*chain.void]
        for found in self._judged(head, signers, upto, chain.upto + 1):
            if isinstance(found, Void):
                void.append(found)
                continue
            head = found.entry.head
            if found.signers is not signers:
                signers = found.signers
                changes.append((head.commit, signers))
        self._chain = Chain(upto, head, signers, tuple(changes), tuple(void))
        return self._chain

    # --- the past ---------------------------------------------------------------------------------------------------

    def _refuse_unknown(self, entry: Entry) -> None:
        """At once: what follows may have to be read by other rules."""
        announced = [(event.name, event.after or {}) for event in entry.events if event.kind == FEATURE]
        if announced:
            self._know(announced)

    def _know(self, features: Iterable[tuple[str, JsonObject]]) -> None:
        announced = list(features)
        self.imported = self.imported or any(name == IMPORTED for name, _ in announced)
        refuse_unknown_to_readers(announced, self.store.uri)

    def past(self, after: State | Place | Head, upto: int) -> Iterator[Entry]:
        """The same entries, up to a commit that is known to exist; from history segments as far as these reach.

        Raises:
            FormatError, IntegrityError: as `entries`.
        """
        head, signers = place = self._place(after)
        try:
            for segment in self._cover(upto) if upto - head.commit > FEW else ():
                if segment.last > head.commit:
                    for entry in self.history.entries(segment, after=head.commit):
                        if entry.commit > upto:
                            return
                        self._refuse_unknown(entry)
                        yield entry
                        head, signers = place = Place(entry.head, signers_after(signers, entry.events))
        except LocalregError:
            pass  # a cache that cannot be read is no cache; what is wrong with the log itself is found below
        yield from self.entries(place, upto=upto)

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
        if (self._signed or self._void) and commit not in self._signers:
            void = {each.commit for each in self.void_entries(commit)}
            while commit in void:
                commit -= 1
        if commit == 0:
            return self.origin
        data = self.store.get(entry_path(commit)) or self.known(commit)
        return Head(commit, last_digest(data) or "", "")

    def is_there(self, commit: int) -> bool:
        """Whether there is a file at a number, by one look at its name."""
        return self.store.size(entry_path(commit)) is not None

    def tells_of_gap(self, commit: int, signers: Signers) -> bool:
        """Whether what lies beyond a number that is not there shows that entries were lost.

        Where signers are listed, only what one of them has signed does: else junk left ahead of the log would stop its
        writers.
        """
        data = self.store.get(entry_path(commit), fresh=True)
        return data is not None and (not signers or is_vouched_for(data, commit, signers, origin=self.origin.digest))

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
        place = Place(self.origin)
        for end in (self.history.opened(segment).end for segment in cover):
            if end.head.time <= time and place.head.commit < end.head.commit <= newest.head.commit:
                place = end
        commit = place.head.commit
        for entry in self.past(place, newest.head.commit):
            if entry.head.time > time:
                break
            commit = entry.commit
        return commit

    def past_events(self, upto: int) -> PastEvents:
        """The log up to a commit that is known to exist, for a query; the files may go beyond it."""
        opened = [self.history.opened(segment) for segment in self._cover(upto)]
        end = opened[-1].end if opened else Place(self.origin)
        return PastEvents(upto, [each.native for each in opened], list(self.entries(end, upto=upto)))

    def _cover(self, upto: int) -> list[Segment]:
        """The history segments up to a commit, as far as they are sound and this log leads to where they end."""
        return self.history.sound(upto, self.leads_to)

    def leads_to(self, head: Head) -> bool:
        """Whether the entry of that commit is there, with that digest."""
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
