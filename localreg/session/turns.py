"""When the commits of a session queue, and for how long they step back where they cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from localreg.storage import Store, Turn

__all__ = ["PATIENCE_S", "Turns"]

PATIENCE_S: Final = 0.25
"""How long a commit waits for its turn at most: one that is stopped in its own delays the others by this."""

IMPATIENCE: Final = 8
"""By how much less the next commit waits after one that waited in vain: who is stopped mostly stays so."""

QUEUED: Final = 64
"""Commits that queue after a lost race. Then one tries without, lest a writer who is alone again pays for ever."""

LONGEST_PAUSE_S: Final = 2.0


class Turns:
    """How one session gets along with other writers.

    A writer who meets nobody takes no lock. The first lost race shows that there are others: from then on each commit
    waits for its turn. Where that does not come, because the store has no queue or somebody sleeps at its head, a loser
    steps back for a random time, which grows with each loss: two that met shall not meet again. The counts are
    not exact between threads, and need not be.
    """

    def __init__(self, store: Store, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._queue = store.queue()
        self._sleep = sleep
        self._queued = 0
        self._patience_s = PATIENCE_S

    def take(self, losses: int, lost_s: float, meanwhile: Callable[[], object]) -> Turn:
        """The turn for one attempt to commit, to be entered before the end of the log is read.

        Args:
            losses: how many attempts of the same commit were lost before.
            lost_s: how long the last of them took, in seconds: a round trip to a far store, or none at all.
            meanwhile: see `LockQueue.take`.
        """
        if losses:
            self._queued = QUEUED
        elif self._queued:
            self._queued -= 1
        if not self._queued:
            return Turn()
        turn = Turn()
        if self._queue is not None:
            turn = self._queue.take(self._patience_s, meanwhile)
            self._patience_s = PATIENCE_S if turn.taken else self._patience_s / IMPATIENCE
        if losses and not turn.taken:
            from random import uniform

            self._sleep(uniform(0, min(LONGEST_PAUSE_S, lost_s * 2**losses)))
        return turn
