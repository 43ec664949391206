"""Transactions: many operations, one commit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from itertools import zip_longest
from typing import NamedTuple

from localreg.errors import ConflictError
from localreg.log import State
from localreg.session.changes import Changes, Operation

__all__ = ["Place", "Transaction", "refuse_other_outcome", "refuse_overlap", "transactions"]


class Place(NamedTuple):
    """What a transaction is on: calls through handles on the same place join it.

    `opening` stands for one `localreg.open`: a handle that is opened anew is another writer.
    """

    opening: object
    namespace: str


class Transaction:
    """Changes that become one commit.

    Attributes:
        place: the registry and namespace that it is on.
        message: why; stands with every event.
        changes: what it has done so far, on the state that it began with.
        operations: how, so that it can be done again on a newer state.
        commit: its number once it has landed; None before, and if nothing was changed.
    """

    def __init__(
        self,
        place: Place,
        message: str | None,
        changes: Changes,
        rerun: Callable[[Sequence[Operation], Changes], Changes],
    ) -> None:
        self.place = place
        self.message = message
        self._lock = threading.RLock()
        self.changes = self._guarded(changes)
        self.operations: list[Operation] = []
        self.commit: int | None = None
        self._rerun = rerun
        self._open = True
        self._process = os.getpid()

    def _guarded(self, changes: Changes) -> Changes:
        """The changes, with a draft that no other thread reads in the middle of an operation."""
        changes.draft.lock = self._lock
        return changes

    @property
    def is_open_here(self) -> bool:
        """Whether calls join it now: not once its block has ended, and not in a process forked inside.

        Context variables outlive their block in copied contexts, such as those of asyncio's tasks.
        """
        return self._open and self._process == os.getpid()

    def close(self) -> None:
        """No call joins any more.

        Raises:
            ConflictError: this process is a fork of the one that began the transaction, which alone may commit it.
        """
        if self._process != os.getpid():
            raise ConflictError(f"the transaction belongs to process {self._process}, from which this one was forked")
        with self._lock:  # what another thread has begun is part of it
            self._open = False

    def run(self, operation: Operation) -> State:
        """Run an operation on the transaction's own state, and return that. If it raises, nothing of it stays.

        Raises:
            ConflictError: the block has ended while this thread waited for its turn.
        """
        with self._lock:  # threads may have been handed the context
            if not self._open:
                raise ConflictError("the transaction ended while another thread came to join it; nothing was written")
            before = len(self.changes.made)
            try:
                self.changes.run(operation)
            except BaseException:
                self.changes.operation -= 1
                if len(self.changes.made) > before:
                    self.changes = self._guarded(self._rerun(self.operations, self.changes))
                raise
            self.operations.append(operation)
            return self.changes.draft


transactions: ContextVar[tuple[Transaction, ...]] = ContextVar("localreg_transactions", default=())
"""Those whose block this code runs in."""


def refuse_overlap(prepared: Changes, newest: State) -> None:
    """Raise `ConflictError` if a record that a transaction found and changed is another by now."""
    keys = {(change.kind, change.id) for change in prepared.made}
    before, now = ({(row.kind, row.id): row for row in state.get_many(keys)} for state in (prepared.before, newest))
    for change in prepared.made:
        ours, theirs = (rows.get((change.kind, change.id)) for rows in (before, now))
        if ours is not None and (theirs is None or theirs.updated != ours.updated):
            raise _conflict(change.kind, change.name)


def refuse_other_outcome(prepared: Changes, again: Changes) -> None:
    """Raise `ConflictError` if operations that ran again, on what another writer left, came to something else.

    Callers hold what the first run gave them, and have seen its warnings. So the second must touch the same records in
    the same way; only values may differ, where changes merge.
    """
    for first, second in zip_longest(prepared.outcome, again.outcome):
        if first != second:
            odd = first or second
            raise _conflict(odd.kind, odd.name)


def _conflict(kind: str, name: str) -> ConflictError:
    return ConflictError(
        f"{kind.replace('_', ' ')} {name!r} was changed by another commit during the transaction; nothing was written: "
        "run it again"
    )
