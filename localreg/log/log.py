"""The log of one namespace: where state comes from, and where commits go.

`Log.publish` makes the next numbered entry come into existence, or finds that another writer was first
(`localreg.log.publish`). Everything else reads: the newest state, the state at an earlier commit, the entries
themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import (
    IntegrityError,
    InvalidInputError,
    LocalregError,
)
from localreg.log import snapshot
from localreg.log.caches import GIVEN_UP
from localreg.log.entry import Change, Entry, Head, Provenance, entry_path, genesis, read
from localreg.log.features import FEATURE, refuse_unknown_to_readers
from localreg.log.folding import fold
from localreg.log.history import History, Segment
from localreg.log.layer import layer_commit
from localreg.log.parquet import decode, last_digest
from localreg.log.publish import publish
from localreg.log.state import State
from localreg.storage import Store

__all__ = ["SNAPSHOT_EVERY", "Log", "PastEvents"]

SNAPSHOT_EVERY = 64
"""Entries in the tail that make a snapshot worth its writing."""

SNAPSHOT_OVERDUE = 4 * SNAPSHOT_EVERY
"""Entries in the tail that show that nobody has written it."""

SNAPSHOT_ROWS = 4_096
"""Changed records that do, too: each commit copies what changed since the snapshot."""

FEW = 16
"""Entries that are read sooner one by one than history segments are checked, from their first, or a snapshot opened."""

FEW_AFAR = 11
"""The same where each is a request: so much is asked in vain at most, where the hint names nothing newer."""

GAP_PROBES = (2, 3, 5, 9, 17, 33, 65)
"""How far beyond the end of the log it is looked for entries that nothing leads to."""

NOTE = "head"
"""What the local cache of a remote registry calls the note of what was seen last."""


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


class Log:
    """One namespace's entries and snapshots.

    Attributes:
        store: the namespace's part of the registry's store.
        origin: where the log stands before commit 1.
    """

    def __init__(self, store: Store, registry_id: str, namespace: str) -> None:
        self.store = store
        self.origin = genesis(registry_id, namespace)
        self.history = History(store, self.origin)
        self._seen: State | None = None
        self._looked_beyond = False
        self._no_snapshot_before = 0

    # --- reading ----------------------------------------------------------------------------------------------------

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
            if data is None:
                if upto is None:
                    return
                raise self._missing(head.commit + 1)
            entry = read(data, head, name=self.name_of(path))
            self._refuse_unknown(entry)
            yield entry
            head = entry.head

    def _refuse_unknown(self, entry: Entry) -> None:
        """At once: what follows may have to be read by other rules."""
        announced = [(event.name, event.after or {}) for event in entry.events if event.kind == FEATURE]
        if announced:
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
        path = entry_path(commit)
        data = self.store.get(path)
        if data is None:
            raise self._missing(commit)
        return Head(commit, last_digest(data) or "", "")

    def refresh(self, state: State) -> State:
        """The newest state: one probe of the tail if nothing happened since `state`.

        Where much happened, what a newer snapshot shows is not read entry by entry.
        """
        entries = self.entries(state.head)
        few = FEW_AFAR if self.store.remote else FEW
        newest = fold(state, islice(entries, few))
        if newest is state:
            return state
        ahead = self._snapshot_ahead(newest, few) if newest.head.commit - state.head.commit == few else None
        newest = self._on_newer_snapshot(fold(newest, entries)) if ahead is None else self._to_the_end(ahead)
        self._remember(newest)
        return newest

    def _snapshot_ahead(self, state: State, few: int) -> State | None:
        """The snapshot that the hint names, if it spares more than a few entries after `state`."""
        path = snapshot.hinted(self.store)
        if path is None or (layer_commit(path) or 0) <= state.head.commit + few:
            return None
        ahead = self._read_snapshot(path)
        return None if ahead is None else self._readable(ahead)

    def _to_the_end(self, start: State) -> State:
        """From a snapshot on to the newest state, seeing that the log leads to what it shows.

        Far away, where each look is a round trip, that is told by the next entry, which chains on it, if there is one.
        """
        if not self.store.remote and start.head.commit:
            self.refuse_rolled_back(start)
        state = fold(start, self.entries(start.head))
        if self.store.remote and state is start and start.head.commit:
            self.refuse_rolled_back(start)
        return state

    def load(self) -> State:
        """The newest state, from the newest snapshot and the entries after it."""
        if self.store.remote:
            return self._load_from_afar()
        state = self._to_the_end(self._start(standing=False))
        self._refuse_gap(state.head.commit)
        return state

    def _load_from_afar(self) -> State:
        """`load` with as few requests as there can be: each is a round trip.

        What this machine saw last is taken up from its cache, after one look that shows that the log still leads
        there. No look beyond the end: only who commits has to know (`require_whole`), and `verify` lists the folder.
        """
        seen, self._seen = self._seen or self._look_where_we_were(), None
        if seen is not None:
            return self.refresh(seen)
        state = self._to_the_end(self._start(standing=False))
        self._remember(state)
        return state

    def is_as_seen(self) -> bool:
        """Whether the place still holds what this machine saw there last: the same registry, and no less of this log.

        One look, which the next `load` need not take again; none, and false, where nothing was seen.

        Raises:
            StorageError: the place did not answer.
        """
        self._seen = self._look_where_we_were()
        return self._seen is not None

    def _remember(self, state: State) -> None:
        if self.store.remote:
            note: JsonObject = {**state.head._asdict(), "snapshot": state.base.path}
            self.store.remember(NOTE, canonical(note).encode())

    def _look_where_we_were(self) -> State | None:
        """The state that this machine saw last, if the log still leads to it."""
        noted = self._noted()
        if noted is None:
            return None
        head, start = noted
        data = self.store.get(entry_path(head.commit), fresh=True)
        try:
            if data is None or last_digest(data) != head.digest:
                return None
            return fold(start, self.entries(start.head, upto=head.commit))
        except LocalregError:
            return None  # what this machine keeps is worth no error

    def _noted(self) -> tuple[Head, State] | None:
        """Where this machine saw the log last, and the snapshot to begin from."""
        try:
            note = parse(self.store.recall(NOTE) or b"null")
            if not isinstance(note, dict) or not note["commit"]:
                return None
            head = Head(*(cast(Any, note[field]) for field in Head._fields))
            if not note["snapshot"]:
                return head, State(self.origin)
            start = self._read_snapshot(str(note["snapshot"]))
            return None if start is None else (head, self._readable(start))
        except (KeyError, LocalregError):
            return None

    def at(self, commit: int, newest: State) -> State:
        """The state as commit number `commit` left it; 0 is the empty state before the first.

        Raises:
            InvalidInputError: there is no such commit.
            IntegrityError: an entry on the way there is missing.
        """
        if not 0 <= commit <= newest.head.commit:
            raise InvalidInputError(
                f"no commit {commit} in {self.store.uri}: the newest is {newest.head.commit}", code="no_such_commit"
            )
        start = self._start(at_most=commit)
        return fold(start, self.past(start.head, commit))

    def _start(self, *, at_most: int | None = None, standing: bool = True) -> State:
        """Where to begin folding: the newest readable snapshot of this log, not newer than `at_most`; else nothing.

        `standing` is whether to see that the log still leads to it.
        """
        state = self.snapshot(at_most=at_most)
        if state is None:
            return State(self.origin)
        if standing:
            self.refuse_rolled_back(state)
        return self._readable(state)

    def _readable(self, start: State) -> State:
        """What a snapshot shows, unless a feature that this release does not know stands in it."""
        features = [(row.name, row.fields) for row in start.children(FEATURE)]
        refuse_unknown_to_readers(features, self.store.uri)
        return start

    def snapshot(self, *, at_most: int | None = None) -> State | None:
        """The newest readable snapshot of this log, not newer than commit `at_most`; None if there is none."""
        return snapshot.load(self.store, self.origin.digest, self._folded, at_most=at_most)

    def snapshots(self, commit: int) -> Iterator[State]:
        """What each readable snapshot of a commit shows."""
        for path in snapshot.paths(self.store):
            state = self._read_snapshot(path) if layer_commit(path) == commit else None
            if state is not None:
                yield state

    def _read_snapshot(self, path: str) -> State | None:
        return snapshot.read(self.store, self.origin.digest, self._folded, path)

    def _folded(self, commit: int) -> State:
        """The state at a commit, from the entries alone."""
        return fold(State(self.origin), self.entries(self.origin, upto=commit))

    def refuse_rolled_back(self, shown: State) -> None:
        """Notice a log that no longer leads to what a snapshot shows: its end was lost, or another stands there.

        To fold what is left would be to forget commits in silence, and the next ones would take their numbers: the
        snapshot is the last trace of what was acknowledged. Whether that was meant, only a person can tell.

        Raises:
            IntegrityError: the entry of the snapshot's commit is missing, or is another.
            FormatError: that entry, or one before it, is damaged.
        """
        path = entry_path(shown.head.commit)
        data = self.store.get(path, fresh=True)
        if data is not None and last_digest(data) == shown.head.digest:
            return
        if data is not None:
            for _ in self.entries(self.origin, upto=shown.head.commit):
                pass  # an entry that is only damaged has an error of its own, which says more
        fault, code = ("is missing", "entry_missing") if data is None else ("is another entry", "entry_swapped")
        raise IntegrityError(
            f"{self.name_of(path)} {fault}: {self.name_of(shown.base.path or 'snapshots')} shows what was there; "
            "restore the missing entries from a copy or, if the log was rolled back on purpose, delete the files in "
            f"{self.name_of('snapshots')}",
            code=code,
        )

    def _on_newer_snapshot(self, state: State) -> State:
        """The same state, on a newer snapshot if its tail has grown long and another process has written one."""
        if state.head.commit - state.base.commit < SNAPSHOT_EVERY:
            return state
        try:
            newest = snapshot.hinted_commit(self.store)
            if newest is None or not state.base.commit < newest <= state.head.commit:
                return state
            start = self._start(at_most=state.head.commit)
            return fold(start, self.entries(start.head, upto=state.head.commit))
        except LocalregError:
            return state  # a cache is worth no error, least of all after a commit that stands

    def require_whole(self, last: int) -> None:
        """Look beyond the end before a first commit is made there, where opening has not: far away.

        Raises:
            IntegrityError: entry `last + 1` was lost, and a commit would take its place.
            StorageError: the place did not answer.
        """
        if not self._looked_beyond:
            self._refuse_gap(last)

    def _refuse_gap(self, last: int) -> None:
        """Notice entries lost from the middle of the tail, before a writer would fill their place with others.

        Probing finds any gap shorter than what follows it; `verify` lists the folder and finds all.
        """
        beyond = self._is_any_there([entry_path(last + ahead) for ahead in GAP_PROBES])
        # Other writers' commits may have come between the last probe and these: then the next one is there by now.
        if beyond and self.store.get(entry_path(last + 1), fresh=True) is None:
            raise self._missing(last + 1)
        self._looked_beyond = True

    def _is_any_there(self, paths: Sequence[str]) -> bool:
        def is_there(path: str) -> bool:
            return self.store.get(path, fresh=True) is not None

        if not self.store.remote:
            return any(map(is_there, paths))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(paths), thread_name_prefix="localreg-gap") as pool:  # one round trip for all
            return any(pool.map(is_there, paths))

    def _missing(self, commit: int) -> IntegrityError:
        return IntegrityError(
            f"{self.name_of(entry_path(commit))} is missing; restore it from a copy, then run `localreg verify`",
            code="entry_missing",
        )

    def name_of(self, path: str) -> str:
        """A file as it is called in messages."""
        return f"{self.store.uri}/{path}"

    # --- writing ----------------------------------------------------------------------------------------------------

    def publish(
        self,
        head: Head,
        changes: Sequence[Change],
        provenance: Provenance,
        commit_id: str,
        *,
        visible: Callable[[], None] | None = None,
    ) -> Entry | None:
        """Make the changes the commit after `head`.

        This is the commit point: when it returns an entry, the commit is durable and visible to all; when it returns
        None, another writer's commit took the number and nothing of ours was written.

        Args:
            head: what it follows.
            changes: what it says.
            provenance: who, where and why.
            commit_id: by which it is known again.
            visible: see `Store.put_if_absent`.

        Raises:
            StorageError, ReadOnlyError: the store failed, and reading back shows that nothing was written.
            UnknownOutcomeError: the store failed, and so did reading back; or what it left unanswered may still arrive.
        """
        return publish(self.store, head, changes, provenance, commit_id, visible=visible)

    def resolve(self, commit_id: str, newest: State, *, commit: int | None = None) -> int | None:
        """Number of the commit with an id that `UnknownOutcomeError` named; None if it is not in the log.

        An attempt is made at one number, and all before it are known to have failed: who knows `commit` reads one
        entry. Without it the log is read backwards, to its beginning if need be.
        """
        wanted = f'"commit_id":"{commit_id}"'
        for number in range(newest.head.commit, 0, -1) if commit is None else (commit,):
            data = self.store.get(entry_path(number)) if number else None
            if data is not None and any(wanted in row.record for row in decode(data, name=entry_path(number))):
                return number
        return None

    def with_snapshot(self, state: State) -> State:
        """The same state, on a snapshot just written if its tail has grown long.

        Of many writers it is the one with the round number who writes it; any other only when that one has not, for a
        long while. A snapshot is a cache: when it cannot be written, the commit that it would have followed stands all
        the same, and for as many commits as lie between two of them it is not tried again.

        This machine notes where the log stands, so that its next opening begins from there.
        """
        state = self._with_snapshot(self._on_newer_snapshot(state))
        self._remember(state)
        return state

    def _with_snapshot(self, state: State) -> State:
        commit, tail = state.head.commit, state.head.commit - state.base.commit
        is_due = commit % SNAPSHOT_EVERY == 0 and tail >= SNAPSHOT_EVERY // 2
        is_wanted = is_due or tail >= SNAPSHOT_OVERDUE or state.changed >= SNAPSHOT_ROWS
        if not is_wanted or commit < self._no_snapshot_before:
            return state
        try:
            return self.write_snapshot(state)
        except Exception as error:  # whatever it is, the commit stands, and must not be made again
            import logging

            outrun = getattr(error, "code", None) == GIVEN_UP
            level = logging.DEBUG if outrun else logging.WARNING
            self._no_snapshot_before = 0 if outrun else commit + SNAPSHOT_EVERY
            where = self.name_of(f"commit {commit}")
            logging.getLogger("localreg").log(level, "no snapshot at %s: %s", where, error)
        return state

    def write_snapshot(self, state: State) -> State:
        """The same state, on a snapshot of just this commit; history segments reach as far, too.

        Raises:
            StorageError, ReadOnlyError: it could not be written.
        """
        commit = state.head.commit
        if state.base.commit < commit:
            state = snapshot.save(self.store, self.origin.digest, state, lambda: self._folded(commit))
        self.history.extend(self.entries, commit, self._leads_to)
        return state

    def based_on_files(self, state: State) -> State:
        """The same state for queries, which read the files of its snapshot and copy what changed since.

        It moves to the snapshot that the hint names if the files are gone or damaged, or if so much has changed that a
        snapshot was due: without files, each state would be copied whole.
        """
        base = state.base
        damaged = isinstance(base, snapshot.LayeredBase) and base.damaged
        gone = isinstance(base, snapshot.LayeredBase) and not base.is_there
        if not (damaged or gone) and state.changed < SNAPSHOT_ROWS:
            return state
        try:
            path = snapshot.hinted(self.store)
            commit = (path and layer_commit(path)) or 0
            if path is None or not base.commit + (not gone) <= commit <= state.head.commit:
                return state
            newer = self._read_snapshot(path)
            if newer is None or newer.head.commit != commit:
                return state
            self.refuse_rolled_back(newer)
            return state.on(newer.base)
        except LocalregError:
            return state  # a cache is worth no error
