"""The log of one namespace: where state comes from, and where commits go.

`Log.publish` makes the next numbered entry come into existence, or finds that another writer was first
(`localreg.log.publish`). Everything else gives states: the newest one and those of earlier commits, from snapshots and
the entries after them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from localreg.errors import IntegrityError, InvalidInputError, LocalregError, ReadOnlyError
from localreg.log import snapshot
from localreg.log.caches import GIVEN_UP
from localreg.log.entry import Change, Entry, Event, Head, Provenance, entry_path
from localreg.log.features import FEATURE
from localreg.log.folding import fold
from localreg.log.home import Home, begun, belongs_to, home_of, says_somewhere, stranger
from localreg.log.known_signers import known_signers, note_signers
from localreg.log.last_seen import LastSeen, Lost, SeenHead
from localreg.log.last_visit import LastVisit, last_visit, note_visit
from localreg.log.layer import Layer, layer_commit
from localreg.log.loss import refuse_gap, refuse_rolled_back
from localreg.log.parquet import decode, last_digest
from localreg.log.publish import publish
from localreg.log.reader import FEW, LogReader
from localreg.log.signing import FEATURE_NAME, SIGNER, SigningKey, signers_of
from localreg.log.state import State
from localreg.log.torn import Tail, Torn, find_torn, warn_once
from localreg.log.validity import Valid
from localreg.storage import Store

__all__ = ["FEW_AFAR", "SNAPSHOT_EVERY", "SNAPSHOT_OVERDUE", "Log"]

SNAPSHOT_EVERY = 64
"""Entries in the tail that make a snapshot worth its writing."""

SNAPSHOT_OVERDUE = 4 * SNAPSHOT_EVERY
"""Entries in the tail that show that nobody has written it."""

SNAPSHOT_ROWS = 4_096
"""Changed records that do, too: each commit copies what changed since the snapshot."""

FEW_AFAR = 11
"""`FEW` where each is a request: so much is asked in vain at most, where the hint names nothing newer."""


class Log(LogReader):
    """One namespace's entries, the states that they and the snapshots show, and the way to the next commit.

    Attributes:
        key: gives the key that this process signs with, if it has one.
    """

    def __init__(
        self,
        store: Store,
        registry_id: str,
        namespace: str,
        *,
        reader: bool = False,
        key: Callable[[], SigningKey | None] = lambda: None,
    ) -> None:
        """Look at a namespace's log; nothing is read yet.

        Args:
            store: the namespace's.
            registry_id: with `namespace`, what the log began under.
            namespace: its name.
            reader: whether nothing will be written, so that a copy that is not whole can be read as far as it is.
            key: gives the key that this process signs with, if it has one.
        """
        super().__init__(store, registry_id, namespace)
        self.reader = reader
        self.last_seen = LastSeen(store, registry_id)
        self.torn: Torn | None = None
        self._before: SeenHead | None = None
        self._lost: Lost | None = None
        self._stays = False
        self._home = Home(registry_id, namespace)
        self._usual = self.origin
        self.key = key
        self._seen: State | None = None
        self._looked_beyond = False
        self._no_snapshot_before = 0

    # --- reading ----------------------------------------------------------------------------------------------------

    def refresh(self, state: State) -> State:
        """The newest state: one probe of the tail if nothing happened since `state`.

        Where much happened, what a newer snapshot shows is not read entry by entry.
        """
        if self._stays:
            return state
        try:
            newest = self._refreshed(state)
        except IntegrityError:
            if state.head.commit:
                raise
            return self.load()  # a log that was begun elsewhere may have come here since
        if newest is not state:
            self._at_home(newest)
            self._hold(newest)
            self._note(newest)
        return newest

    def _refreshed(self, state: State) -> State:
        entries = self.entries(state)
        few = FEW_AFAR if self.store.remote else FEW
        newest = fold(state, islice(entries, few))
        if newest is state:
            return state
        ahead = self._snapshot_ahead(newest, few) if newest.head.commit - state.head.commit == few else None
        return self._on_newer_snapshot(fold(newest, entries)) if ahead is None else self._to_the_end(ahead)

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
        last = None if self.store.remote else self._entry_of(start)
        return self._folded_on(start, last)

    def _entry_of(self, start: State) -> bytes | None:
        """The entry of a snapshot's commit, to which the log has to lead; None of what stands on none.

        Raises:
            IntegrityError, FormatError: it does not.
        """
        return refuse_rolled_back(self, start) if start.head.commit else None

    def _folded_on(self, start: State, last: bytes | None, tail: Tail | None = None) -> State:
        """The newest state, from a snapshot on.

        Args:
            start: what the snapshot shows.
            last: the entry of its commit; None = it was not looked at.
            tail: notes the entries.
        """
        signatures: list[str] = []
        entries = self._noting_signatures(self.entries(start), signatures)
        state = fold(start, entries if tail is None else tail.noting(entries))
        if self.store.remote and state is start:
            last = self._entry_of(start)
        if start.head.commit and not start.signers and (signatures or _is_signed(last)):
            # What is signed comes after the first signer: a snapshot that shows none is of no one whom we know.
            state = fold(State(self.origin), self.entries(State(self.origin)))
        self._hold(state)
        return state

    def _noting_signatures(self, entries: Iterator[Entry], found: list[str]) -> Iterator[Entry]:
        for entry in entries:
            if entry.signature and not found:
                found.append(entry.signature)
            yield entry

    def _hold(self, state: State) -> None:
        """Know who signs from here on; this machine notes it, to know whose snapshots to believe next time."""
        if state.signers:
            self._learn(state.head.commit, state.signers)
            if state.signers is not self._held:
                note_signers(self.store, self.origin.digest, state.signers)
        self._held = state.signers

    def load(self) -> State:
        """The newest state, from the newest snapshot and the entries after it.

        Of a copy that was made while others wrote, a reader gets the state as of the last commit that is all there, and
        stays with it; a writer goes on at the newest. Both are warned, and so is whoever finds a log that does not lead
        to what this machine saw here before; nothing is committed to such a one (`require_whole`).

        That a log was begun elsewhere, and imported here, shows when it does not chain on what others would chain on,
        which pay nothing for it.

        Raises:
            IntegrityError: entries are missing; a reader is told so only if this machine has seen them here.
        """
        self.torn, self._stays = None, False
        self._before = self.last_seen.newest()
        state = self._load_at_home()
        self._compare_with_last_seen(state)
        self._note(state)
        self.last_seen.keep()
        return state

    def _load_at_home(self) -> State:
        try:
            return self._at_home(self._load())
        except IntegrityError as error:
            origin = begun(self.store) if self.origin == self._usual else None
            if origin is None or origin == self.origin:
                raise
            return self._load_on(origin, error)

    def chain_from_beginning(self) -> None:
        """Read the log as one that began where its first entry says, of one that cannot be loaded as it is."""
        origin = begun(self.store)
        if origin is not None:
            self.chain_on(origin)

    def _load_on(self, origin: Head, refusal: IntegrityError) -> State:
        """`load` of a log that says that it began elsewhere; refused unless it says that it is here now."""
        self.chain_on(origin)
        try:
            state = self._load()
        except LocalregError:
            if says_somewhere(self.store, self._home):
                raise  # it is damaged besides
            self.chain_on(self._usual)
            raise refusal from None
        try:
            return self._at_home(state)
        except IntegrityError:
            self.chain_on(self._usual)
            raise

    def _at_home(self, state: State) -> State:
        """A state, if it shows that the log belongs here."""
        if not self.imported and self.origin == self._usual:
            return state
        belongs = belongs_to(state)
        if not self.imported or belongs != self._home:
            raise stranger(self.name_of(entry_path(1)), self._home, belongs)
        return state

    def refuse_strange(self, events: Iterable[Event]) -> None:
        """The same by the events that tell where a log belongs.

        Raises:
            IntegrityError: it was imported elsewhere.
        """
        imported, belongs = home_of(events)
        if imported and belongs != self._home:
            raise stranger(self.name_of(entry_path(1)), self._home, belongs)

    def _load(self) -> State:
        return self._load_from_afar() if self.store.remote else self._load_from_near()

    def _load_from_near(self) -> State:
        faults: list[str] = []
        start = self._start_for_reader(faults) if self.reader else self._snapshot_or_nothing(standing=False)
        tail = Tail(start.head.commit)
        state = self._folded_on(start, self._entry_of(start), tail)
        self._see_no_hole(state, faults)
        # Before the tail, where signers are listed, others may have left what says that it brought files.
        seen = max(self._seen_here(), tail.base) if state.signers else self._seen_here()
        torn = None if self.last_seen.path == "" else find_torn(self.store, state, tail, seen)
        if torn is not None:
            faults.append(torn.message)
        if faults:
            self.torn = Torn(state.head.commit if torn is None else torn.last, "; ".join(faults))
            self._stays = self.reader
            warn_once(self.torn.message)
        if torn is None or not self.reader:
            return state
        start = self._start_for_reader([], at_most=torn.last)
        return fold(start, self.entries(start, upto=torn.last))

    def _start_for_reader(self, faults: list[str], *, at_most: int | None = None) -> State:
        """The newest snapshot that the log leads to; that one is ahead of it is told among the faults."""
        while True:
            start = self._snapshot_or_nothing(at_most=at_most, standing=False)
            try:
                self._entry_of(start)
            except IntegrityError as error:
                if error.code != "entry_missing":
                    raise
                faults[:] = faults or [error.message]
                at_most = start.head.commit - 1
            else:
                return start

    def _see_no_hole(self, state: State, faults: list[str]) -> None:
        """That no entry is beyond the end; to a reader who never saw more here, it is a copy that left one out."""
        try:
            self._look_beyond(self.next_number(state.head) - 1)
        except IntegrityError as error:
            if not self.reader or self._seen_here() > state.head.commit:
                raise
            faults.append(error.message)

    def _seen_here(self) -> int:
        return self._before.commit if self._before is not None and self._before.registry == self.registry_id else 0

    def _compare_with_last_seen(self, state: State) -> None:
        """Notice a log that this machine has seen further, or otherwise; else note how far it is."""
        before = self._before
        self._lost = self.last_seen.lost(before, state.head)
        if self._lost is not None:
            if self.torn is None:  # else it was warned already
                warn_once(self._lost.message)
            return
        if before is not None and before.registry != self.registry_id:
            warn_once(f"{self.store.uri}: another registry lay here when this machine looked last", logging.INFO)

    def _load_from_afar(self) -> State:
        """`load` with as few requests as there can be: each is a round trip.

        What this machine saw last is taken up from its cache, after one look that shows that the log still leads
        there. No look beyond the end: only who commits has to know (`require_whole`), and `verify` lists the folder.
        """
        seen, self._seen = self._seen or self._look_where_we_were(), None
        if seen is None:
            return self._to_the_end(self._snapshot_or_nothing(standing=False))
        noted = self._before
        if noted is not None and (noted.commit < seen.head.commit or noted.digest == seen.head.digest):
            self._before = None  # the log leads to where this machine was later than that
        return self._refreshed(seen)

    def is_as_seen(self) -> bool:
        """Whether the place still holds what this machine saw there last: the same registry, and no less of this log.

        One look, which the next `load` need not take again; none, and false, where nothing was seen.

        Raises:
            StorageError: the place did not answer.
        """
        self._seen = self._look_where_we_were()
        return self._seen is not None

    def _look_where_we_were(self) -> State | None:
        """The state that this machine saw last, if the log still leads to it."""
        seen = last_visit(self.store)
        start = None if seen is None else self._where_it_began(seen)
        if seen is None or start is None:
            return None
        data = self.store.get(entry_path(seen.head.commit), fresh=True)
        try:
            if data is None or last_digest(data) != seen.head.digest:
                return None
            return fold(start, self.entries(start, upto=seen.head.commit))
        except LocalregError:
            return None  # what this machine keeps is worth no error

    def _where_it_began(self, visit: LastVisit) -> State | None:
        """The snapshot of a visit, if it can be read."""
        if not visit.snapshot:
            return State(self.origin)
        try:
            start = self._read_snapshot(visit.snapshot)
            return None if start is None else self._readable(start)
        except LocalregError:
            return None

    def _note(self, state: State) -> None:
        """Remember how far the log is, unless it is not the one that was seen, or a part of it is not there."""
        if self._lost is None and (self.torn is None or self.reader):
            self.last_seen.saw(state.head)
            note_visit(self.store, LastVisit(state.head, state.base.path))

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
        start = self._snapshot_or_nothing(at_most=commit)
        return fold(start, self.past(start, commit))

    def _snapshot_or_nothing(self, *, at_most: int | None = None, standing: bool = True) -> State:
        """Where to begin folding: the newest readable snapshot of this log, not newer than `at_most`; else nothing.

        `standing` is whether to see that the log still leads to it.
        """
        state = self.snapshot(at_most=at_most)
        if state is None:
            return State(self.origin)
        if standing:
            refuse_rolled_back(self, state)
        return self._readable(state)

    def _readable(self, start: State) -> State:
        """What a snapshot shows, unless a feature that this release does not know stands in it."""
        features = [(row.name, row.fields) for row in start.children(FEATURE)]
        self._know(features)
        if any(name == FEATURE_NAME for name, _ in features):
            start.signers = signers_of((row.id, row.name, row.fields) for row in start.children(SIGNER))
            if start.signers and not start.base.signature:
                return State(self.origin)  # what shows signers is believed only if one of them vouches for it
        if start.signers:
            self._learn(start.head.commit, start.signers)
        return start

    def snapshot(self, *, at_most: int | None = None) -> State | None:
        """The newest readable snapshot of this log, not newer than commit `at_most`; None if there is none."""
        return snapshot.load(self.store, self.origin.digest, self._folded, at_most=at_most, trusts=self._trusts)

    def snapshots(self, commit: int) -> Iterator[State]:
        """What each readable snapshot of a commit shows."""
        for path in snapshot.paths(self.store):
            state = self._read_snapshot(path) if layer_commit(path) == commit else None
            if state is not None:
                yield state

    def _read_snapshot(self, path: str) -> State | None:
        return snapshot.read(self.store, self.origin.digest, self._folded, path, trusts=self._trusts)

    def _trusts(self, newest: Layer) -> bool:
        """Whether a set of layers is vouched for by somebody whom this machine knows to sign here.

        Where nobody has to sign, a snapshot is believed as far as the log leads to it; a signed one shows that it is
        a namespace of which this machine has seen too little to know whom to believe.
        """
        keys = known_signers(self.store, self.origin.digest) if self._held is None else self._vouching()
        return newest.signed_by() in keys if keys else not newest.signature

    def _folded(self, commit: int) -> State:
        """The state at a commit, from the entries alone."""
        return fold(State(self.origin), self.entries(State(self.origin), upto=commit))

    def _on_newer_snapshot(self, state: State) -> State:
        """The same state, on a newer snapshot if its tail has grown long and another process has written one."""
        if state.head.commit - state.base.commit < SNAPSHOT_EVERY:
            return state
        try:
            newest = snapshot.hinted_commit(self.store)
            if newest is None or not state.base.commit < newest <= state.head.commit:
                return state
            start = self._snapshot_or_nothing(at_most=state.head.commit)
            return fold(start, self.entries(start, upto=state.head.commit))
        except LocalregError:
            return state  # a cache is worth no error, least of all after a commit that stands

    def require_whole(self, last: int) -> None:
        """Look beyond the end before a first commit is made there, where opening has not: far away.

        Raises:
            IntegrityError: entry `last + 1` was lost, and a commit would take its place; or this machine has seen
                another log here.
            StorageError: the place did not answer.
        """
        self._refuse_if_lost()
        if not self._looked_beyond:
            self._look_beyond(last)

    def _refuse_if_lost(self) -> None:
        if self._lost is not None:
            raise IntegrityError(self._lost.message, code=self._lost.code)

    def _look_beyond(self, last: int) -> None:
        refuse_gap(self, last)
        self._looked_beyond = True

    # --- writing ----------------------------------------------------------------------------------------------------

    def publish(
        self,
        head: Head,
        changes: Sequence[Change],
        provenance: Provenance,
        commit_id: str,
        *,
        key: SigningKey | None = None,
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
            key: to sign it with, where signers are listed.
            visible: see `Store.put_if_absent`.

        Raises:
            StorageError, ReadOnlyError: the store failed, and reading back shows that nothing was written.
            UnknownOutcomeError: the store failed, and so did reading back; or what it left unanswered may still arrive.
        """
        number = self.next_number(head)
        if number > head.commit + 1 and not self._still_void(head, number):
            return None
        return publish(
            self.store,
            head,
            changes,
            provenance,
            commit_id,
            number=number,
            key=key,
            origin=self.origin.digest,
            visible=visible,
        )

    def _still_void(self, head: Head, number: int) -> bool:
        """Whether all between `head` and a number are void, at a last look: to pass over another would fork the log.

        What was seen in part, or not at all, is seen as it is by the next reading.
        """
        signers = self.signers_at(head.commit)
        for each in range(head.commit + 1, number):
            data = self.store.get(entry_path(each), fresh=True)
            if data is None or isinstance(self._judge(data, head, each, signers), Valid):
                return False
        return True

    def resolve(self, commit_id: str, newest: State, *, commit: int | None = None) -> int | None:
        """Number of the commit with an id that `UnknownOutcomeError` named; None if it is not in the log.

        An attempt is made at one number, and all before it are known to have failed: who knows `commit` reads one
        entry. Without it the log is read backwards, to its beginning if need be.
        """
        wanted = f'"commit_id":"{commit_id}"'
        for number in range(newest.head.commit, 0, -1) if commit is None else (commit,):
            data = self.store.get(entry_path(number)) if number else None
            if data is None or self._is_void(number):
                continue
            if any(wanted in row.record for row in decode(data, name=entry_path(number))):
                return number
        return None

    def _is_void(self, number: int) -> bool:
        return any(each.commit == number for each in self.void_entries(number))

    def with_snapshot(self, state: State) -> State:
        """The same state, on a snapshot just written if its tail has grown long.

        Of many writers it is the one with the round number who writes it; any other only when that one has not, for a
        long while. A snapshot is a cache: when it cannot be written, the commit that it would have followed stands all
        the same, and for as many commits as lie between two of them it is not tried again.

        This machine notes where the log stands, so that its next opening begins from there.
        """
        self._hold(state)
        state = self._with_snapshot(self._on_newer_snapshot(state))
        self._note(state)
        return state

    def _with_snapshot(self, state: State) -> State:
        commit, tail = state.head.commit, state.head.commit - state.base.commit
        is_due = commit % SNAPSHOT_EVERY == 0 and tail >= SNAPSHOT_EVERY // 2
        is_wanted = is_due or tail >= SNAPSHOT_OVERDUE or state.changed >= SNAPSHOT_ROWS
        if not is_wanted or commit < self._no_snapshot_before or self._lost is not None:
            return state
        if state.signers and self._key_of(state) is None:
            return state
        try:
            return self.write_snapshot(state)
        except Exception as error:  # whatever it is, the commit stands, and must not be made again
            outrun = getattr(error, "code", None) == GIVEN_UP
            level = logging.DEBUG if outrun else logging.WARNING
            self._no_snapshot_before = 0 if outrun else commit + SNAPSHOT_EVERY
            where = self.name_of(f"commit {commit}")
            logging.getLogger("localreg").log(level, "no snapshot at %s: %s", where, error)
        return state

    def write_snapshot(self, state: State) -> State:
        """The same state, on a snapshot of just this commit; history segments reach as far, too.

        Raises:
            StorageError, ReadOnlyError: it could not be written, or not signed.
            IntegrityError: this machine has seen another log here, whose last trace it may be that another one is.
        """
        commit = state.head.commit
        key = self.key_for_caches(state)
        if commit and not self.store.remote:
            # What was only read may be another's commit, not durable yet: a cache must not outlive what it shows.
            self.store.sync(entry_path(commit))
        if state.base.commit < commit:
            state = snapshot.save(self.store, self.origin.digest, state, lambda: self._folded(commit), key=key)
        self.history.extend(partial(self.entries, upto=commit), commit, self.leads_to, key=key)
        self._note(state)
        self.last_seen.keep()
        return state

    def key_for_caches(self, state: State) -> SigningKey | None:
        """The key to sign snapshots and history with; None where nobody has to.

        Raises:
            ReadOnlyError: this process has none of a signer.
            IntegrityError: as `write_snapshot`.
        """
        self._refuse_if_lost()
        key = self._key_of(state) if state.signers else None
        if state.signers and key is None:
            raise ReadOnlyError(
                f"a snapshot of {self.store.uri} is believed only if a signer has signed it; set LOCALREG_SIGNING_KEY "
                "to the key of one",
                code="no_signing_key",
            )
        return key

    def _key_of(self, state: State) -> SigningKey | None:
        """The key of this process, if it may sign."""
        key = self.key()
        return key if key is not None and any(each.key == key.public for each in state.signers.values()) else None

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
            refuse_rolled_back(self, newer)
            return state.on(newer.base)
        except LocalregError:
            return state  # a cache is worth no error


def _is_signed(data: bytes | None) -> bool:
    """Whether there is a signature on an entry that was found."""
    return data is not None and b"ed25519:" in data and bool(decode(data, name="")[-1].signature)
