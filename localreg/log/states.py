"""States of one log at given commits: the snapshots that are believed, and entries folded on top of them.

A snapshot is a cache. It is believed as far as the log leads to what it shows and, where signers are listed, only if
one of those whom this machine knows has signed it.
"""

from __future__ import annotations

from collections.abc import Iterator

from localreg.errors import InvalidInputError
from localreg.log import snapshot
from localreg.log.features import FEATURE
from localreg.log.folding import fold
from localreg.log.known_signers import known_signers, note_signers
from localreg.log.layer import Layer, layer_commit
from localreg.log.loss import refuse_rolled_back
from localreg.log.reader import LogReader
from localreg.log.signing import FEATURE_NAME, SIGNER, signers_of
from localreg.log.state import State

__all__ = ["LogStates"]


class LogStates(LogReader):
    """What one namespace's log led to."""

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

    def snapshot(self, *, at_most: int | None = None) -> State | None:
        """The newest readable snapshot of this log, not newer than commit `at_most`; None if there is none."""
        return snapshot.load(self.store, self.origin.digest, self._folded, at_most=at_most, trusts=self._trusts)

    def snapshots(self, commit: int) -> Iterator[State]:
        """What each readable snapshot of a commit shows."""
        for path in snapshot.paths(self.store):
            state = self._read_snapshot(path) if layer_commit(path) == commit else None
            if state is not None:
                yield state

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

    def _read_snapshot(self, path: str) -> State | None:
        return snapshot.read(self.store, self.origin.digest, self._folded, path, trusts=self._trusts)

    def _trusts(self, newest: Layer) -> bool:
        """Whether a set of layers is vouched for by somebody whom this machine knows to sign here.

        Where nobody has to sign, a snapshot is believed as far as the log leads to it; a signed one shows that it is
        a namespace of which this machine has seen too little to know whom to believe.
        """
        keys = known_signers(self.store, self.origin.digest) if self._held is None else self._vouching()
        return newest.signed_by() in keys if keys else not newest.signature

    def _hold(self, state: State) -> None:
        """Know who signs from here on."""
        if state.signers:
            self._learn(state.head.commit, state.signers)
        self._held = state.signers

    def _note_signers(self, state: State) -> None:
        """Have this machine know whose snapshots to believe next time."""
        if state.signers and state.signers is not self._noted:
            note_signers(self.store, self.origin.digest, state.signers)
        self._noted = state.signers

    def _folded(self, commit: int) -> State:
        """The state at a commit, from the entries alone."""
        return fold(State(self.origin), self.entries(State(self.origin), upto=commit))
