"""Where the newest state comes from, when a log is first looked at and when it is looked at again.

Near, a snapshot and the entries after it, seeing that none is lost; far away, what this machine saw last and what came
since, in as few requests as there can be. A log that was begun elsewhere, a copy that is not whole, and a log that does
not lead to what this machine has seen here are noticed on the way.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import islice

from localreg.errors import IntegrityError, LocalregError
from localreg.log import snapshot
from localreg.log.entry import Entry, Event, Head, entry_path
from localreg.log.folding import fold
from localreg.log.home import Home, begun, belongs_to, home_of, says_somewhere, stranger
from localreg.log.last_seen import LastSeen, Lost, SeenHead
from localreg.log.last_visit import LastVisit, last_visit, note_visit
from localreg.log.layer import layer_commit
from localreg.log.loss import refuse_gap, refuse_rolled_back
from localreg.log.parquet import decode, last_digest
from localreg.log.reader import FEW
from localreg.log.state import State
from localreg.log.states import LogStates
from localreg.log.telling import warn_once
from localreg.log.torn import Tail, Torn, find_torn
from localreg.storage import Store

__all__ = ["FEW_AFAR", "LogLoader"]

FEW_AFAR = 11
"""`FEW` where each is a request: so much is asked in vain at most, where the hint names nothing newer."""


class LogLoader(LogStates, ABC):
    """What one namespace's log leads to.

    Attributes:
        reader: whether nothing will be written, so that a copy that is not whole can be read as far as it is.
        last_seen: what this machine saw here.
        torn: how far a copy that is not whole is all there.
    """

    def __init__(self, store: Store, registry_id: str, namespace: str, *, reader: bool) -> None:
        super().__init__(store, registry_id, namespace)
        self.reader = reader
        self.last_seen = LastSeen(store, registry_id)
        self.torn: Torn | None = None
        self._before: SeenHead | None = None
        self._lost: Lost | None = None
        self._stays = False
        self._home = Home(registry_id, namespace)
        self._usual = self.origin
        self._seen: State | None = None
        self._looked_beyond = False

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

    def require_whole(self, state: State) -> None:
        """See that the next commit goes where it belongs: on a log that is there as it was read.

        Far away only before a first commit, and only what lies beyond the end, where opening has not looked.

        Raises:
            IntegrityError: the last entry is gone, so that the log was rolled back; one beyond the end was lost, whose
                place a commit would take; or this machine has seen another log here.
            StorageError: the place did not answer.
        """
        self._refuse_if_lost()
        head = state.head
        if head.commit and not self.store.remote and not self.is_there(head.commit) and self.is_there(1):
            self.known(head.commit)  # where the first one is gone, too, so is the registry, of which the store tells
        if not self._looked_beyond:
            self._look_beyond(state)

    def is_as_seen(self) -> bool:
        """Whether the place still holds what this machine saw there last: the same registry, and no less of this log.

        One look, which the next `load` need not take again; none, and false, where nothing was seen.

        Raises:
            StorageError: the place did not answer.
        """
        self._seen = self._look_where_we_were()
        return self._seen is not None

    # --- going on -----------------------------------------------------------------------------------------------------

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

    @abstractmethod
    def _on_newer_snapshot(self, state: State) -> State:
        """The same state, on a newer snapshot if its tail has grown long and another process has written one."""

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

    # --- where it lies ------------------------------------------------------------------------------------------------

    def chain_from_beginning(self) -> None:
        """Read the log as one that began where its first entry says, of one that cannot be loaded as it is."""
        origin = begun(self.store)
        if origin is not None:
            self.chain_on(origin)

    def refuse_strange(self, events: Iterable[Event]) -> None:
        """The same by the events that tell where a log belongs.

        Raises:
            IntegrityError: it was imported elsewhere.
        """
        imported, belongs = home_of(events)
        if imported and belongs != self._home:
            raise stranger(self.name_of(entry_path(1)), self._home, belongs)

    def _load_at_home(self) -> State:
        try:
            return self._at_home(self._load())
        except IntegrityError as error:
            origin = begun(self.store) if self.origin == self._usual else None
            if origin is None or origin == self.origin:
                raise
            return self._load_on(origin, error)

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

    # --- near ---------------------------------------------------------------------------------------------------------

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
            if torn is None:
                faults.append(f"who only reads is shown commit {state.head.commit}")
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
            self._look_beyond(state)
        except IntegrityError as error:
            if not self.reader or self._seen_here() > state.head.commit:
                raise
            faults.append(error.message)

    def _look_beyond(self, state: State) -> None:
        refuse_gap(self, self.next_number(state.head) - 1, state.signers)
        self._looked_beyond = True

    # --- far away -----------------------------------------------------------------------------------------------------

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

    # --- what this machine has seen -----------------------------------------------------------------------------------

    def _seen_here(self) -> int:
        return self._before.commit if self._before is not None and self._before.registry == self.registry_id else 0

    def _compare_with_last_seen(self, state: State) -> None:
        """Notice a log that this machine has seen further, or otherwise; else note how far it is."""
        before = self._before
        is_void = before is not None and state.head.commit < before.commit < self.next_number(state.head)
        self._lost = self.last_seen.lost(before, state.head, is_void=is_void)
        if self._lost is not None:
            if self.torn is None:  # else it was warned already
                warn_once(self._lost.message)
            return
        if before is not None and before.registry != self.registry_id:
            warn_once(f"{self.store.uri}: another registry lay here when this machine looked last", logging.INFO)

    def _refuse_if_lost(self) -> None:
        if self._lost is not None:
            raise IntegrityError(self._lost.message, code=self._lost.code)

    def _note(self, state: State) -> None:
        """Remember how far the log is, unless it is not the one that was seen, or a part of it is not there."""
        if self._lost is None and (self.torn is None or self.reader):
            self.last_seen.saw(state.head)
            self._note_signers(state)
            note_visit(self.store, LastVisit(state.head, state.base.path))


def _is_signed(data: bytes | None) -> bool:
    """Whether there is a signature on an entry that was found."""
    return data is not None and b"ed25519:" in data and bool(decode(data, name="")[-1].signature)
