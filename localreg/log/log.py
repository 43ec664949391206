"""The log of one namespace: where commits go.

`Log.publish` makes the next numbered entry come into existence, or finds that another writer was first
(`localreg.log.publish`). What the log leads to is told by what it is made of: its entries (`localreg.log.reader`),
states (`localreg.log.states`), the newest one (`localreg.log.loading`). Snapshots are written here, after commits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import takewhile

from localreg.errors import LocalregError, ReadOnlyError
from localreg.log import snapshot
from localreg.log.caches import GIVEN_UP
from localreg.log.entry import Change, Entry, Head, Place, Provenance, entry_path
from localreg.log.folding import fold
from localreg.log.layer import layer_commit
from localreg.log.loading import LogLoader
from localreg.log.loss import refuse_rolled_back
from localreg.log.parquet import decode
from localreg.log.publish import publish
from localreg.log.signing import SigningKey
from localreg.log.state import State
from localreg.log.validity import Valid
from localreg.storage import Store

__all__ = ["SNAPSHOT_EVERY", "SNAPSHOT_OVERDUE", "Log"]

SNAPSHOT_EVERY = 64
"""Entries in the tail that make a snapshot worth its writing."""

SNAPSHOT_OVERDUE = 4 * SNAPSHOT_EVERY
"""Entries in the tail that show that nobody has written it."""

SNAPSHOT_ROWS = 4_096
"""Changed records that do, too: each commit copies what changed since the snapshot."""


class Log(LogLoader):
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
        super().__init__(store, registry_id, namespace, reader=reader)
        self.key = key
        self._no_snapshot_before = 0

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

    # --- snapshots ----------------------------------------------------------------------------------------------------

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
        self.history.extend(partial(self._there, upto=commit), commit, self.leads_to, key=key)
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

    def _there(self, after: Place, *, upto: int) -> Iterator[Entry]:
        """The entries up to a commit, as the place has them: a cache may still hold what was redacted since."""
        return takewhile(lambda entry: entry.commit <= upto, self.entries(after))

    def _key_of(self, state: State) -> SigningKey | None:
        """The key of this process, if it may sign."""
        key = self.key()
        return key if key is not None and any(each.key == key.public for each in state.signers.values()) else None

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
