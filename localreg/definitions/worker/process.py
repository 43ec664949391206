"""A model in a process of its own, which shares nothing with this one: a crash, a leak, a foreign package stay there.

The process is another Python of this environment, with the code's folder first on its path and that of this process
after it. It imports nothing of the program that starts it, so a script needs no guard. Its working folder is the one of
whoever starts it: paths in inputs are meant from there. What it writes to its output goes to the log `localreg.model`,
line by line; from its standard input it can read nothing.
"""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence

from localreg.definitions.plan import Plan
from localreg.definitions.worker.raised import received
from localreg.definitions.worker.started import Started, Ticket
from localreg.errors import InvalidInputError

__all__ = ["ModelProcess"]

LOGGER = logging.getLogger("localreg")
AHEAD = 2
"""So many messages are under way: one is worked at while the next is made."""
MESSAGE_S = 0.02
MESSAGE_BYTES = 8 << 20
GATHERED_S = 0.02
"""How long a message may take to be worked at, how long it may be, and how long its batches may take to come."""
GROWTH = 4


class ModelProcess:
    """A worker in a process of its own. After a fork of this process, each side has its own.

    Args:
        plan: what is run.
        load_timeout_s: how long the start of the process and `load` may take together; None = as long as they do.
        predict_timeout_s: how long one call of `predict` may take; None = as long as it does.

    Raises:
        InvalidInputError: an entrypoint cannot be called (see `function_of`), the process ended (`process_died`), or it
            took too long (`timed_out`).
        Exception: what `load` raises, with the traceback as a note; as `raised_in_model`, in words, where its class is
            not known here, or where it shows one of `Plan.secrets`.
    """

    def __init__(self, plan: Plan, *, load_timeout_s: float | None, predict_timeout_s: float | None) -> None:
        self._plan, self._load_timeout_s, self._predict_timeout_s = plan, load_timeout_s, predict_timeout_s
        self._pace = _Pace()
        self._streams = itertools.count(1)
        self._is_closed = False
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._process: Started | None = self._start()

    @property
    def modules(self) -> Collection[str]:
        """See `Worker.modules`; none once it is closed, or has ended."""
        process = self._process
        return () if process is None else process.modules

    def predict(self, batches: Iterable[Sequence[object]]) -> Iterator[list[object]]:
        """See `Worker.predict`. A process that has ended is started anew."""
        self._running()
        return self._predicted(iter(batches))

    def close(self) -> None:
        """End the process. May be called again."""
        self._is_closed = True
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _start(self) -> Started:
        return Started(self._plan, load_timeout_s=self._load_timeout_s, predict_timeout_s=self._predict_timeout_s)

    def _running(self) -> Started:
        """The process, started anew if there is none.

        Raises:
            InvalidInputError: this was closed; or see above.
        """
        if os.getpid() != self._owner:  # a fork: another thread of the parent's may have held the lock
            self._owner, self._lock = os.getpid(), threading.Lock()
        with self._lock:
            self._check()
            if self._process is None or not self._process.is_there:
                if self._process is not None:
                    LOGGER.info("the process of model %r is no more; another one is started", self._plan.model)
                    self._process.end()
                self._process = None
                process = self._start()
                try:
                    self._check()  # it may have been closed meanwhile
                except InvalidInputError:
                    process.end()
                    raise
                self._process = process
            return self._process

    def _check(self) -> None:
        if self._is_closed:
            raise InvalidInputError(f"model {self._plan.model!r} was closed; load it again", code="closed")

    def _predicted(self, batches: Iterator[Sequence[object]]) -> Iterator[list[object]]:
        process, stream = self._running(), next(self._streams)
        waiting: deque[tuple[Ticket, int]] = deque()
        refused: Exception | None = None
        try:
            while True:
                try:
                    group = self._gathered(batches)
                    data = self._portable(group) if group else b""
                except Exception as error:  # what came before is taken up first
                    refused = error
                    break
                if not group:
                    break
                waiting.append((process.submit(stream, data), sum(map(len, group))))
                if len(waiting) == AHEAD:
                    yield from self._taken(process, *waiting.popleft())
            while waiting:
                yield from self._taken(process, *waiting.popleft())
            if refused is not None:
                raise refused
        finally:
            for ticket, _ in waiting:
                ticket.is_dropped = True

    def _gathered(self, batches: Iterator[Sequence[object]]) -> list[list[object]]:
        """As many batches as one message should hold; none = there are no more."""
        group: list[list[object]] = []
        count, began = 0, time.monotonic()
        for batch in batches:
            group.append(list(batch))
            count += len(batch)
            if count >= self._pace.datapoints or time.monotonic() - began > GATHERED_S:
                break
        return group

    def _portable(self, group: list[list[object]]) -> bytes:
        try:
            return pickle.dumps(group, 5)
        except Exception as error:  # they are the user's, and may raise anything
            raise InvalidInputError(
                f"datapoints cannot be sent to the process of model {self._plan.model!r} "
                f"({type(error).__name__}: {error}); pass numbers, text, lists, mappings or arrays, or run the model "
                "in a thread",
                code="not_portable",
            ) from error

    def _taken(self, process: Started, ticket: Ticket, count: int) -> Iterator[list[object]]:
        """The predictions of a message.

        Raises:
            Exception: what was raised, after those that came before it.
        """
        answer = process.wait(ticket)
        if answer.raised is None:
            self._pace.learn(count, ticket.size_bytes, answer.seconds)
        yield from answer.batches
        if answer.raised is not None:
            raise received(answer.raised, self._plan.model)


class _Pace:
    """How many datapoints one message should hold: many if they are quick, so that messages do not count.

    Attributes:
        datapoints: so many, or one batch.
    """

    def __init__(self) -> None:
        self.datapoints = 1

    def learn(self, count: int, size_bytes: int, seconds: float) -> None:
        """How many a message held, how long it and its answer were, and how much time it took."""
        if count:
            by_time = MESSAGE_S / max(seconds / count, 1e-9)
            by_size = MESSAGE_BYTES / max(size_bytes / count, 1)
            self.datapoints = max(1, int(min(by_time, by_size, count * GROWTH)))
