"""The queue of a store's writers: it spares them lost races, and decides nothing.

Who publishes on what it has just read loses if another was faster, and has built its entry in vain. So writers that
have met each other take turns: a turn is waited for, for a while, before the end of the log is read, and let go as
soon as the entry is visible. A turn is no right: whoever did not get one goes on without, and may be first. Nothing
here is durable, and a share that cannot lock, a holder that sleeps and a lock file that is deleted cost time only.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from localreg.errors import LocalregError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

__all__ = ["LockQueue", "Turn"]

SHORTEST_POLL_S: Final = 0.0001
"""Between two looks at a lock that should be free by now: a fraction of a commit."""

LONGEST_POLL_S: Final = 0.02
"""Between two looks at a lock that should not be: one who was let down by the others notices soon."""

_turns: weakref.WeakSet[Turn] = weakref.WeakSet()


class Turn:
    """A writer's turn: a lock of the operating system on an open file, or nothing at all.

    The lock belongs to the open file, not to the process: threads exclude each other as processes do, and it ends with
    the process, however that ends. The child of a fork shares the open file, so it lets go of its copy before anything
    else; the lock stays its parent's.

    Attributes:
        taken: whether others that queue wait until it is released; otherwise this writer goes on without.
    """

    def __init__(self, descriptor: int = -1) -> None:
        self.taken = False
        self._descriptor = descriptor
        if descriptor >= 0:
            _turns.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:  # an interrupt may come between the waiting and the block
        self._close()

    def release(self) -> None:
        """Let the next one go on: as early as possible, at the end of the block at the latest. Never raises."""
        if self._descriptor >= 0:
            from filelock import unlock_descriptor

            # Not by closing alone: a child that is just being forked may have a copy.
            with suppress(OSError):
                unlock_descriptor(self._descriptor)
        self._close()

    def _look(self) -> bool:
        from filelock import lock_descriptor

        self.taken = lock_descriptor(self._descriptor, blocking=False)
        return self.taken

    def _ask(self) -> _Question:
        return _Question(self._descriptor)

    def _leave_to(self, question: _Question) -> bool:
        """Give the descriptor up to a question that is not answered; whether it was still open."""
        if question.is_left():
            self._descriptor = -1
            return True
        return False

    def _close(self) -> None:
        # Forgotten before it is closed: closing a number twice would close whatever another thread opened since.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


class _Question(threading.Thread):
    """Whether a lock is free, asked of a server that may never answer. Who does not wait for it leaves it the file."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(name="localreg lock", daemon=True)
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._left = self._answered = False
        self.taken = False
        self.error: OSError | None = None
        self.start()

    def run(self) -> None:
        from filelock import lock_descriptor

        try:
            self.taken = lock_descriptor(self._descriptor, blocking=False)
        except OSError as error:
            self.error = error
        with self._lock:
            self._answered = True
            if self._left:
                with suppress(OSError):
                    os.close(self._descriptor)  # and the lock with it

    def is_left(self) -> bool:
        """Whether it is on its own from now on: it was not answered yet."""
        with self._lock:
            self._left = not self._answered
            return self._left


class LockQueue:
    """A queue on a lock file: by polling, since no system has a lock that is both waited for and bounded.

    Looks are rare at first and frequent towards the end of the wait that the last one lets expect. So those who have
    waited longest look most often, which is nearly first come, first served; the others leave the processor alone; and
    who has just had a turn does not take the next, too.
    """

    def __init__(self, open_file: Callable[[], int], *, may_hang: Callable[[], bool] = lambda: False) -> None:
        """Prepare; nothing is opened.

        Args:
            open_file: gives a new descriptor of the lock file; may raise what stores raise, or `OSError`.
            may_hang: whether a look at a lock may take for ever, as where a server of locks is gone: then it is asked
                in a thread, and until that has ended nobody queues any more.
        """
        self._open_file = open_file
        self._may_hang = may_hang
        self._hanging: _Question | None = None
        self._expected_s = 0.0

    def take(self, patience_s: float, meanwhile: Callable[[], object]) -> Turn:
        """Wait for a turn; one that is not taken, if it does not come in time or there are no locks here.

        Args:
            patience_s: seconds to wait at most.
            meanwhile: run once or twice, while others have their turns; what it raises comes through.
        """
        meanwhile()
        if self._hanging is not None and self._hanging.is_alive():
            return Turn()
        try:
            turn = Turn(self._open_file())
        except (OSError, LocalregError):
            return Turn()  # not for us: the commit itself will tell, or do well
        try:
            self._wait(turn, patience_s, meanwhile)
        finally:
            if not turn.taken:
                turn.release()
        return turn

    def _wait(self, turn: Turn, patience_s: float, meanwhile: Callable[[], object]) -> None:
        begin = time.monotonic()
        waited = 0.0
        time.sleep(self._pause(waited, patience_s))
        meanwhile()
        with suppress(OSError):  # no locks on this share
            while not self._look(turn, patience_s - waited):
                waited = time.monotonic() - begin
                if waited >= patience_s:
                    break
                time.sleep(self._pause(waited, patience_s))
            self._expected_s = time.monotonic() - begin

    def _look(self, turn: Turn, patience_s: float) -> bool:
        if not self._may_hang():
            return turn._look()
        question = turn._ask()
        question.join(max(patience_s, LONGEST_POLL_S))
        if turn._leave_to(question):
            self._hanging = question
            raise TimeoutError("the lock's server does not answer")
        if question.error is not None:
            raise question.error
        turn.taken = question.taken
        return turn.taken

    def _pause(self, waited: float, patience_s: float) -> float:
        pause = min((self._expected_s - waited) / 2, LONGEST_POLL_S, patience_s - waited)
        return max(pause, SHORTEST_POLL_S)


def _after_fork() -> None:
    for turn in list(_turns):
        turn._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
