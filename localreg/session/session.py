"""One namespace at work: the newest state, and the way of a change into the log.

Every verb of the API is an *operation* on a `Changes`: it looks at the state, refuses with a typed error or adds
changes. `Session.change` runs it and publishes; when another writer was first, the operation runs again on what that
writer left. Inside a transaction, operations collect into one commit.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import AccessDeniedError, InvalidInputError, LocalregError, ReadOnlyError, StorageError
from localreg.log import Change, Draft, Entry, Head, Log, Provenance, State, fold
from localreg.log.caches import GIVEN_UP
from localreg.log.entry import entry_path, now
from localreg.log.features import FEATURE, refuse_unknown_to_writers
from localreg.log.signing import signers_after
from localreg.names import check_id, check_namespace, check_text, namespace_folder, new_id
from localreg.records.access import RUNNER
from localreg.session.access import Guard
from localreg.session.changes import Changes, Operation
from localreg.session.founding import founding
from localreg.session.location import NAME, SINGLE_WRITER, RegistryFile
from localreg.session.namespaces import Namespaces, is_refusal, left_out_if_closed
from localreg.session.past_store import past_store
from localreg.session.preconditions import consequences, preconditions
from localreg.session.proof import Proof
from localreg.session.siblings import Siblings
from localreg.session.signing_key import KeySource, needed_key
from localreg.session.transaction import Place, Transaction, refuse_other_outcome, refuse_overlap, transactions
from localreg.session.turns import Turns
from localreg.storage import Lease, Store

if TYPE_CHECKING:
    from localreg.log.verify import VerifyReport
    from localreg.query import Databases, Engine, Source

__all__ = ["Session"]

_sessions: weakref.WeakSet[Session] = weakref.WeakSet()
_abandoned: list[Databases | None] = []
SNAPSHOT_ATTEMPTS = 3
"""How often one is begun that another writer's outruns."""

_NOT_WRITABLE = "this process may not write there; check the folder's permissions"


class AsOf(NamedTuple):
    """What a session that does not go on shows: a time if it was asked for by one, else just this commit."""

    time: str | None


class Session:
    """A namespace of an open registry.

    Safe to share between threads. After a fork both processes may go on.

    Attributes:
        root: the registry's store.
        file: what its `localreg.json` says.
        namespace: the namespace's name.
        actor: who is named in the audit log.
        read_only: why nothing may be written, or "" if it may.
        guard: what keeps the actor to the role that the namespace gives.
        siblings: what was opened together with it.
        place: what a transaction on this namespace is on.
        proof: that the place is one to commit to.
        key: what entries are signed with, where signers are listed.
    """

    def __init__(
        self,
        root: Store,
        file: RegistryFile,
        namespace: str,
        *,
        actor: str,
        read_only: str = "",
        siblings: Siblings | None = None,
        proof: Proof | None = None,
        store: Store | None = None,
        key: KeySource | None = None,
    ) -> None:
        self.root = root
        self.file = file
        self.namespace = namespace
        self.actor = actor
        self.guard = Guard(namespace, actor)
        self.store = store or root.scope(f"namespaces/{namespace_folder(namespace)}")
        self._asked_read_only = read_only
        self.read_only = read_only or ("" if self.store.writable() else _NOT_WRITABLE)
        self.key = key or KeySource()
        self.log = self.log_anew(reader=bool(self.read_only))
        self.siblings = siblings or Siblings(self)
        self.place = Place(self.siblings, namespace)
        self.proof = proof or Proof(root, made=False)
        self._state: State | None = None
        self._seen_at_opening: State | None = None
        self._engine: Engine | None = None
        self._databases: Databases | None = None
        self._as_of: AsOf | None = None
        self._committing = threading.RLock()  # taken before the other one; readers never wait for it
        self._lock = threading.RLock()
        self._turns = Turns(self.store)
        self._lease = Lease(self.store, actor=actor, host=host()) if file.commit_mode == SINGLE_WRITER else None
        _sessions.add(self)

    def __repr__(self) -> str:
        return f"<Session {self.namespace!r} of {self.root.uri}>"

    @property
    def host(self) -> str:
        """The machine's name, as the audit log gives it."""
        return host()

    def log_anew(self, *, reader: bool = False) -> Log:
        """The log as one that nothing was read of yet, whatever this session has kept of it."""
        return Log(self.store, self.file.registry, self.namespace, reader=reader, key=self.key.if_usable)

    def is_same_namespace(self, other: Session) -> bool:
        """Whether ids of the one mean the same in the other."""
        return (self.file.registry, self.namespace) == (other.file.registry, other.namespace)

    # --- reading ----------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The state to answer from: the transaction's, the pinned one, else the newest (one probe of the tail)."""
        transaction = self.transaction_here()
        if transaction is not None:
            return transaction.changes.draft
        return self.committed()

    def committed(self) -> State:
        """The state to answer from, without what a transaction that is open here has not committed yet.

        Raises:
            AccessDeniedError: the actor has no role in the namespace.
        """
        with self._lock:
            if self._state is None:
                loaded = self._loaded()
                # Who has just read a long tail spares the next one from it.
                self._state = loaded if self.read_only else self.log.with_snapshot(loaded)
            elif self._as_of is None:
                self._state = self.log.refresh(self._state)
            if self._as_of is None:  # who was let in to look at the past stays
                self.guard.refuse_stranger(self._state)
            return self._state

    def _loaded(self) -> State:
        """The newest state: the one that was seen at the opening, if nothing was committed since."""
        seen, self._seen_at_opening = self._seen_at_opening, None
        if seen is not None and self.log.refresh(seen) is seen:
            return seen
        return self.log.load()

    def admit(self) -> Session:
        """This session, if the actor has a role; asked only where a look costs no request. Nothing is written.

        Damage, and a place that does not answer, are told by the first look, as they are where nobody asks.

        Raises:
            AccessDeniedError: the actor has none.
        """
        if self.store.remote or self._state is not None or self._as_of is not None:
            return self
        try:
            state = self.log.load()
        except LocalregError:
            return self
        self.guard.refuse_stranger(state)
        self._seen_at_opening = state
        return self

    def at(self, *, commit: int | None = None, time: str | None = None) -> Session:
        """This namespace as it was, read-only.

        Args:
            commit: a commit number; 0 is before the first.
            time: ISO 8601 UTC as in the log: the last commit whose running maximum of times is not later.
        """
        newest = self.state()
        if (commit is None) == (time is None):
            raise InvalidInputError("at() takes a commit or a time, and not both")
        number = commit if commit is not None else self.commit_at(str(time))
        return self._pinned(self.log.at(number, newest), AsOf(time))

    def frozen(self) -> Session:
        """This namespace as it is now, read-only; later commits do not show, and no look probes for them."""
        return self._pinned(self.committed(), AsOf(None))

    def _pinned(self, state: State, as_of: AsOf) -> Session:
        why = f"this is the registry as of commit {state.head.commit}"
        session = Session(
            self.root, self.file, self.namespace, actor=self.actor, read_only=why, store=self.store, key=self.key
        )
        session._state, session._as_of = state, as_of
        session.store = past_store(session.store, session.log)
        session.log = self.log  # which knows who signed what
        return session

    @property
    def is_pinned(self) -> bool:
        """Whether one commit is shown for good."""
        return self._as_of is not None

    def commit_at(self, time: str) -> int:
        """Number of the last commit whose running maximum of times is not later than `time`; 0 = before the first."""
        return self.log.commit_at(time, self.state())

    def entries(self, after: Head | None = None) -> Iterator[Entry]:
        """The log up to the state that is shown, from the beginning or from a given place."""
        upto = self.state().head.commit  # looked at first: it tells where the log began
        return self.log.past(after or self.log.origin, upto)

    def engine(self) -> Engine:
        """Queries about the state that is shown; kept until the state changes."""
        state = self._state_for_query()
        with self._lock:
            if self._engine is None or self._engine.sources[0].state is not state:
                self._engine = self._new_engine([self.source(state)])
            return self._engine

    def _state_for_query(self) -> State:
        state = self.state()
        if isinstance(state, Draft):  # a transaction's own goes on changing: a copy
            return self.log.based_on_files(state.draft())
        based = self.log.based_on_files(state)
        return state if based is state else self._show(based)

    def _new_engine(self, sources: Sequence[Source]) -> Engine:
        from localreg.query import Databases, Engine  # not before a query comes: it is a fifth of the import

        databases = self._databases = self._databases or Databases()
        return Engine(sources, databases)

    def source(self, state: State, **place: str) -> Source:
        """This namespace at a state, for a query; `schema=` where it does not stand alone."""
        from localreg.query import Source

        return Source(state, self.namespace, self.store, lambda: self.log.past_events(state.head.commit), **place)

    def namespaces(self) -> Namespaces:
        """Names of the namespaces that hold a commit and may be read, in order; and of those that may not be."""
        found = Namespaces()
        for name in self._folders():
            with found.closed_if_refused(name):
                if self._has_commits(name):
                    self.live(name).refuse_stranger()
                    found.append(name)
        return found

    def namespaces_there(self) -> list[str]:
        """Names of those whose folders show a commit, in order; nobody is asked for a role. Cheaper."""
        names = []
        for name in self._folders():
            with left_out_if_closed():
                if self._has_commits(name):
                    names.append(name)
        return names

    def _folders(self) -> list[str]:
        return sorted(folder.replace(".", "/") for folder in self.root.folders("namespaces"))

    def _has_commits(self, name: str) -> bool:
        """Whether there is a commit in a namespace: a folder may be all that a writer left who died before its first.

        What was true once stays true.
        """
        known = self.siblings.get(name)
        state = None if known is None else known._state
        if state is not None and state.head.commit > 0:
            return True
        return bool(self.root.size(f"namespaces/{namespace_folder(name)}/{entry_path(1)}"))

    def live(self, name: str) -> Session:
        """Another namespace as it is now, also of a look into the past."""
        if not self.is_pinned:
            return self.at_namespace(name)
        return Session(self.root, self.file, name, actor=self.actor, read_only=self.read_only, key=self.key)

    def engine_of_all(self) -> Engine:
        """Queries about all namespaces that may be read, each at its newest commit.

        Raises:
            InvalidInputError: this is a look at a commit, and its number means nothing elsewhere.
            StorageError: none may be read.
        """
        from localreg.query import INTERNAL

        sessions = [self.at_namespace(name) for name in self.namespaces_there() or [self.namespace]]
        readable: list[tuple[Session, State]] = []
        for session in sessions:
            with left_out_if_closed():
                readable.append((session, session._state_for_query()))
        sources = [
            session.source(state, **({"schema": f"{INTERNAL}_{number}"} if len(readable) > 1 else {}))
            for number, (session, state) in enumerate(readable)
        ]
        if not sources:
            raise StorageError(
                f"may not read any namespace of {self.root.uri}: have the permissions changed, or ask for a role",
                code="forbidden",
            )
        return self._new_engine(sources)

    def at_namespace(self, name: str) -> Session:
        """Another namespace of the same registry; of a look into the past, as it was at the same time."""
        name = check_namespace(name)
        with self.siblings.lock:
            return self.siblings.get(name) or self.siblings.add(self._sibling(name))

    def _sibling(self, name: str) -> Session:
        if self._as_of is None:
            rest: dict[str, Any] = {
                "read_only": self._asked_read_only,
                "siblings": self.siblings,
                "proof": self.proof,
                "key": self.key,
            }
            return Session(self.root, self.file, name, actor=self.actor, **rest)
        if self._as_of.time is None:
            raise InvalidInputError(
                f"this is {self.namespace!r} as of commit {self.state().head.commit}, a number that means nothing in "
                f"{name!r}; look at both at one time, with at(time=…), or open the newest"
            )
        return Session(self.root, self.file, name, actor=self.actor, key=self.key).at(time=self._as_of.time)

    def close(self) -> None:
        """Let go of state, connections and lease; the session can still be used, and gets them again.

        The first one of those opened together closes all of them.
        """
        with self._committing, self._lock:
            self._engine = self._databases = None
            if self._as_of is None:
                self.log.last_seen.keep()
                self._state = self._seen_at_opening = None
                self.guard = Guard(self.namespace, self.actor)
            if self._lease is not None:
                with suppress(LocalregError):  # it costs others the rest of the lease's time
                    self._lease.release()
        for sibling in self.siblings.closed_with(self):
            sibling.close()

    def resolve(self, commit_id: str, *, commit: int | None = None) -> int | None:
        """Number of the commit with that id; None if it is not in the log."""
        return self.log.resolve(check_id(commit_id, what="commit id"), self.committed(), commit=commit)

    def snapshot(self) -> int:
        """Write a snapshot of the newest state; its commit."""
        self.refuse_if_read_only()
        if self.transaction_here() is not None:
            raise InvalidInputError("a snapshot shows commits, and a transaction is open; take it after the block")
        state = self.state()
        for _ in range(SNAPSHOT_ATTEMPTS):
            try:
                return self._show(self.log.write_snapshot(state)).head.commit
            except StorageError as error:
                if error.code != GIVEN_UP:
                    raise
                failed, state = error, self.log.load()  # upon what another writer has put in its place
        raise failed

    def verify(self, *, since: int = 0, expect: str | None = None, resume: bool = False) -> VerifyReport:
        """Check every digest and file of the namespace; see `localreg.log.verify`."""
        from localreg.log.verify import verify

        self.refuse_stranger()
        return verify(self.log, self.namespace, since=since, expect=expect, resume=resume)

    # --- writing ----------------------------------------------------------------------------------------------------

    def change(self, operation: Operation, *, message: str | None = None) -> State:
        """Make a change durable, or raise and leave everything as it was. Joins the transaction, if one is open.

        Returns:
            The state with the change: to look at it again would be another read, which may fail when all is done.

        Raises:
            InvalidInputError: a message within a transaction, which has its own.
        """
        self.refuse_if_read_only()
        checked = None if message is None else check_text(message, what="message")
        transaction = self.transaction_here()
        if transaction is None:
            return self._commit([operation], None, checked)
        if checked is not None:
            raise InvalidInputError("message stands with the whole commit: give it to registry.transaction() instead")
        return transaction.run(operation)

    def rehearse(self, operation: Operation) -> Changes:
        """What an operation would change, without changing it."""
        return self._run([operation], self._new_changes(self.state(), {}))

    def refuse_if_read_only(self) -> None:
        """Raise `ReadOnlyError` if nothing may be written here."""
        if self.read_only:
            raise ReadOnlyError(f"cannot change {self.root.uri}: {self.read_only}")

    def role(self) -> str | None:
        """The actor's role in the state that is shown; None if there is none."""
        with suppress(AccessDeniedError):
            return self.guard.role(self.state())
        return None

    def refuse_without(self, role: str) -> None:
        """Raise before work that would be in vain: nothing may be written here, or not by one of the actor's role.

        Raises:
            ReadOnlyError: nothing may be written.
            AccessDeniedError: the role is less than the one that is needed.
        """
        self.refuse_if_read_only()
        if self._state is not None:
            with suppress(AccessDeniedError):  # it may have been granted, or listed, since
                return self._refuse_without(role, self._state)
        return self._refuse_without(role, self.state())

    def _refuse_without(self, role: str, state: State) -> None:
        self.guard.refuse_without(role, state)
        needed_key(self.key, self.namespace, state.signers)

    def refuse_stranger(self) -> None:
        """Raise what a look at the namespace raises if it is closed to the actor or the user; damage is for others."""
        try:
            self.committed()
        except LocalregError as error:
            if is_refusal(error):
                raise

    def transaction_here(self) -> Transaction | None:
        """The transaction that calls on this session join at this moment."""
        if self._as_of is not None:
            return None
        return next((each for each in transactions.get() if each.place == self.place and each.is_open_here), None)

    @contextmanager
    def transaction(self, message: str | None = None) -> Iterator[Transaction]:
        """All changes made inside become one commit when the block ends, or none if it raises.

        Raises:
            InvalidInputError: a transaction is open already.
            ConflictError: another writer changed a record in between that this transaction changes, too.
        """
        self.refuse_if_read_only()
        if self.transaction_here() is not None:
            raise InvalidInputError("a transaction is open already, and transactions do not nest; use the open one")
        checked = None if message is None else check_text(message, what="message")
        state = self.state()
        self.guard.refuse_without(RUNNER, state)
        needed_key(self.key, self.namespace, state.signers)
        transaction = Transaction(self.place, checked, self._new_changes(state, {}), self._rerun)
        token = transactions.set((*transactions.get(), transaction))
        try:
            yield transaction
        finally:
            transactions.reset(token)
            transaction.close()
        if transaction.changes.made:
            transaction.commit = self._commit(transaction.operations, transaction.changes, checked).head.commit

    def _new_changes(self, state: State, ids: dict[tuple[int, str, str], str]) -> Changes:
        """An empty list of changes to a state; `ids` are those that earlier runs of the same operations gave out."""
        return Changes(state, actor=self.actor, time=now(), ids=ids)

    def _commit(self, operations: Sequence[Operation], prepared: Changes | None, message: str | None) -> State:
        """Run operations and publish what they change, until it landed; the state that they lead to.

        Args:
            operations: to run, and to run again whenever another writer was first.
            prepared: what a transaction's operations did already; a later run must come to the same.
            message: why.
        """
        provenance = Provenance(self.actor, host(), message)
        commit_id = new_id()
        ids: dict[tuple[int, str, str], str] = {} if prepared is None else prepared.ids
        losses, lost_s = 0, 0.0
        while True:
            with self._turns.take(losses, lost_s, self.state) as turn, self._committing:
                began = time.monotonic()
                state = self.state()
                made = self._changes_of(operations, prepared, state, ids)
                if not made:
                    return state
                key = needed_key(self.key, self.namespace, state.signers, signers_after(state.signers, made))
                self.log.require_whole(state)
                with self.sole_writer(commit_id):
                    entry = self.log.publish(state.head, made, provenance, commit_id, key=key, visible=turn.release)
                if entry is not None:
                    return self._show(self.log.with_snapshot(fold(state, [entry])))
            losses, lost_s = losses + 1, time.monotonic() - began

    def sole_writer(self, commit_id: str) -> AbstractContextManager[None]:
        """What has to stand around publishing: a lease, or the proof that none is needed.

        Raises:
            ConflictError: somebody else has the lease.
            ReadOnlyError: the place ignores conditions.
        """
        if self._lease is not None:
            return self._lease.hold(commit_id)
        self.proof.require()
        return nullcontext()

    def _show(self, state: State) -> State:
        """Answer from a state from now on, unless another thread has read further in between."""
        with self._lock:
            if self._state is None or self._state.head.commit <= state.head.commit:
                self._state = state
        return state

    def _changes_of(
        self,
        operations: Sequence[Operation],
        prepared: Changes | None,
        state: State,
        ids: dict[tuple[int, str, str], str],
    ) -> list[Change]:
        """What operations change in the newest state, with what the first commit says first; nothing is refused."""
        refuse_unknown_to_writers(((row.name, row.fields) for row in state.children(FEATURE)), self.store.uri)
        changes = prepared
        if changes is None or changes.before.head != state.head:
            if prepared is not None:
                refuse_overlap(prepared, state)
            changes = self._run(operations, self._new_changes(state, ids))
            if prepared is not None:
                refuse_other_outcome(prepared, changes)
        if not changes.made:
            return []
        founding = self._founding(state)
        self.guard.check(state, changes.draft, [*founding, *changes.made])
        if not changes.followed:  # what follows was not asked for by the actor, whose role does not count for it
            changes.followed = True
            for consequence in consequences:
                consequence(self, changes)
        made = [*founding, *changes.made]
        for precondition in preconditions:
            precondition(state, changes.draft, made)
        return made

    def _founding(self, state: State) -> list[Change]:
        """What is said first of all, by the first commit of a namespace."""
        if state.head.commit:
            return []
        if not (self.proof.made or self.root.remote):
            # Its maker may not have come so far: without it, a commit that outlives a power cut belongs to nothing.
            self.root.sync(NAME)
        return founding(self.file, self.namespace, is_first=not set(self.namespaces_there()) - {self.namespace})

    def _run(self, operations: Sequence[Operation], changes: Changes) -> Changes:
        for operation in operations:
            changes.run(operation)
        return changes

    def _rerun(self, operations: Sequence[Operation], changes: Changes) -> Changes:
        return self._run(operations, self._new_changes(changes.before, changes.ids))


def host() -> str:
    """The machine's name, as the audit log gives it."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "unknown")


def _after_fork() -> None:
    """A lock that another thread held at the fork would never be released in the child; nor has DuckDB its threads."""
    for session in list(_sessions):
        session._committing, session._lock = threading.RLock(), threading.RLock()
        session.siblings.lock = threading.RLock()
        session.proof.renew_lock()
        session.key.renew_lock()
        _abandoned.append(session._databases)  # closing their connections would wait for threads that are not here
        session._engine = session._databases = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
