"""The log of one namespace: the only place where a commit happens, and where state comes from.

`Log.publish` makes the next numbered entry come into existence, or finds that another writer was first. Everything
else reads: the newest state, the state at an earlier commit, the entries themselves. Correctness rests on
`Store.put_if_absent` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from localreg.errors import (
    IntegrityError,
    InvalidInputError,
    LocalregError,
    ReadOnlyError,
    StorageError,
    UnknownOutcomeError,
)
from localreg.log import snapshot
from localreg.log.entry import Change, Entry, Head, Provenance, compose, entry_path, genesis, last_digest, now, read
from localreg.log.features import FEATURE, refuse_unknown_to_readers
from localreg.log.parquet import decode
from localreg.log.state import State, fold
from localreg.storage import Store

__all__ = ["SNAPSHOT_EVERY", "Log"]

SNAPSHOT_EVERY = 64
"""Entries in the tail that make a snapshot worth its writing."""

GAP_PROBES = (2, 3, 5, 9, 17, 33, 65)
"""How far beyond the end of the log it is looked for entries that nothing leads to."""

PUBLISH_ATTEMPTS = 3
"""How often one entry is offered to a store that neither took it nor said why."""


class Log:
    """One namespace's entries and snapshots.

    Attributes:
        store: the namespace's part of the registry's store.
        origin: where the log stands before commit 1.
    """

    def __init__(self, store: Store, registry_id: str, namespace: str) -> None:
        self.store = store
        self.origin = genesis(registry_id, namespace)

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
            data = self.store.get(path)
            if data is None:
                if upto is None:
                    return
                raise self._missing(head.commit + 1)
            entry = read(data, head, name=self.name_of(path))
            # At once: what follows may have to be read by other rules.
            announced = [(event.name, event.after or {}) for event in entry.events if event.kind == FEATURE]
            refuse_unknown_to_readers(announced, self.store.uri)
            yield entry
            head = entry.head

    def refresh(self, state: State) -> State:
        """The newest state: one probe of the tail if nothing happened since `state`."""
        entries = list(self.entries(state.head))
        if not entries:
            return state
        return self._on_newer_snapshot(fold(state, entries))

    def load(self) -> State:
        """The newest state, from the newest snapshot and the entries after it."""
        state = self.refresh(self._start())
        self._refuse_gap(state.head.commit)
        return state

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
        return fold(start, self.entries(start.head, upto=commit))

    def _start(self, *, at_most: int | None = None) -> State:
        """Where to begin folding: the newest readable snapshot of this log, not newer than `at_most`; else nothing."""
        state = snapshot.load(self.store, self.origin.digest, at_most=at_most)
        if state is None:
            return State(self.origin)
        self.refuse_rolled_back(state)
        features = [(row.name, row.fields) for row in state.children(FEATURE)]
        refuse_unknown_to_readers(features, self.store.uri)
        return state

    def refuse_rolled_back(self, shown: State) -> None:
        """Notice a log that no longer leads to what a snapshot shows: its end was lost, or another stands there.

        To fold what is left would be to forget commits in silence, and the next ones would take their numbers: the
        snapshot is the last trace of what was acknowledged. Whether that was meant, only a person can tell.

        Raises:
            IntegrityError: the entry of the snapshot's commit is missing, or is another.
            FormatError: that entry, or one before it, is damaged.
        """
        path = entry_path(shown.head.commit)
        data = self.store.get(path)
        if data is not None and last_digest(data) == shown.head.digest:
            return
        if data is not None:
            for _ in self.entries(self.origin, upto=shown.head.commit):
                pass  # an entry that is only damaged has an error of its own, which says more
        fault, code = ("is missing", "entry_missing") if data is None else ("is another entry", "entry_swapped")
        raise IntegrityError(
            f"{self.name_of(path)} {fault}: {self.name_of(shown.base.file or 'snapshots')} shows what was there; "
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

    def _refuse_gap(self, last: int) -> None:
        """Notice entries lost from the middle of the tail, before a writer would fill their place with others.

        Probing finds any gap shorter than what follows it; `verify` lists the folder and finds all.
        """
        beyond = any(self.store.get(entry_path(last + ahead)) is not None for ahead in GAP_PROBES)
        # Other writers' commits may have come between the last probe and these: then the next one is there by now.
        if beyond and self.store.get(entry_path(last + 1)) is None:
            raise self._missing(last + 1)

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
            UnknownOutcomeError: the store failed, and so did reading back.
        """
        entry, data = compose(head, changes, provenance, commit_id, now())
        path = entry_path(entry.commit)
        doubt: StorageError | None = None
        for _ in range(PUBLISH_ATTEMPTS):
            try:
                # Where entries were written before, a missing folder is a lost log, and no place for the next one.
                if self.store.put_if_absent(path, data, make=entry.commit == 1, visible=visible):
                    return entry
            except ReadOnlyError:
                raise
            except StorageError as error:
                doubt = error
            landed = self._landed(path, entry, doubt)
            if landed is not None:
                return entry if landed else None
            if doubt is not None and doubt.code in ("disk_full", "registry_gone", "no_commit_mode"):
                break
        if doubt is not None and doubt.code != "doubtful":
            raise doubt
        # The doubt is settled: the number was read back, and nothing is there.
        raise StorageError(f"{self.name_of(path)} could not be written, and nothing is there; try again") from doubt

    def _landed(self, path: str, entry: Entry, doubt: StorageError | None) -> bool | None:
        """Read the number back: True = ours is there, False = another's is, None = nothing is.

        A file system may have said "exists" or failed after the entry landed, so our own commit id is looked for
        before anything else is believed.
        """
        try:
            data = self.store.get(path)
            if data is None:
                return None
            landed = f'"commit_id":"{entry.commit_id}"'.encode() in data
            if landed:
                self.store.sync(path)
        except StorageError as error:
            raise UnknownOutcomeError(
                f"the store failed while commit {entry.commit_id} was being published to {self.name_of(path)} "
                f"({doubt or error}); whether it landed is unknown: `registry.resolve` tells once the store answers",
                commit_id=entry.commit_id,
            ) from error
        return landed

    def resolve(self, commit_id: str, newest: State) -> int | None:
        """Number of the commit with an id that `UnknownOutcomeError` named; None if it is not in the log."""
        wanted = f'"commit_id":"{commit_id}"'
        for number in range(newest.head.commit, 0, -1):
            data = self.store.get(entry_path(number))
            if data is not None and any(wanted in row.record for row in decode(data, name=entry_path(number))):
                return number
        return None

    def with_snapshot(self, state: State) -> State:
        """The same state, on a snapshot just written if its tail has grown long.

        A snapshot is a cache: when it cannot be written, the commit that it would have followed stands all the same.
        """
        state = self._on_newer_snapshot(state)
        if state.head.commit - state.base.commit < SNAPSHOT_EVERY:
            return state
        try:
            return snapshot.save(self.store, self.origin.digest, state)
        except LocalregError as error:
            import logging

            where = self.name_of(f"commit {state.head.commit}")
            logging.getLogger("localreg").warning("no snapshot at %s: %s", where, error)
            return state
