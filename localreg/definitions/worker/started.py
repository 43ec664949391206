"""One process that runs a model, from its start to its end.

It ends with this object, with this process, however that ends, and when it is told to. A fork of this process has
nothing of it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import threading
import time
import weakref
from collections import deque
from contextlib import suppress

from localreg.definitions.plan import Plan
from localreg.definitions.worker.messages import ANSWER, ENDED_S, Answer, Order, unpickled
from localreg.definitions.worker.raised import received
from localreg.definitions.worker.secrets import Secrets
from localreg.definitions.worker.spawned import LOGGED_S, close_all, ended, kill, signal_name, spawned
from localreg.errors import InvalidInputError

__all__ = ["Started", "Ticket"]

LOOKED_S = 0.2
"""So often it is asked whether the process is still there, which closing sockets tell at once but for its own forks."""


class Ticket:
    """For a message, until its answer was taken.

    Attributes:
        answer: it, once it came.
        size_bytes: of message and answer.
        is_dropped: nobody waits any more.
    """

    __slots__ = ("answer", "is_dropped", "size_bytes")

    def __init__(self, size_bytes: int) -> None:
        self.answer: Answer | None = None
        self.size_bytes = size_bytes
        self.is_dropped = False


class Started:
    """A process with a model. Threads may share it.

    Args:
        plan: the model; travels over the channel alone.
        load_timeout_s: how long its start and `load` may take; None = as long as they do.
        predict_timeout_s: how long a call of `predict` may take.

    Raises:
        InvalidInputError: it ended (`process_died`), or did not load in time (`timed_out`); or see `function_of`.
        Exception: what `load` raised.

    Attributes:
        modules: names of the top-level modules that it has loaded, as far as it answered.
    """

    def __init__(self, plan: Plan, *, load_timeout_s: float | None, predict_timeout_s: float | None) -> None:
        self._name, self._at, self._limit_s = plan.model, "load", load_timeout_s
        self._lock = threading.RLock()  # a handler of signals may end it while we wait
        self._failure: InvalidInputError | None = None
        self._waiting: deque[Ticket] = deque()
        self.modules: tuple[str, ...] = ()
        self._heard_s = time.monotonic()
        order = _portable(Order(plan, None if predict_timeout_s is None else min(1.0, predict_timeout_s / 10)))
        self._child = spawned(plan.model, Secrets(plan.secrets))
        self._process, self._duplex = self._child.process, self._child.duplex
        self._end = weakref.finalize(self, ended, self._child, os.getpid())
        _there.add(self)
        try:
            raised = self.wait(self.submit(0, order)).raised
            if raised is not None:
                raise received(raised, plan.model)
        except BaseException:
            self.end()
            raise
        self._at, self._limit_s = "predict", predict_timeout_s

    @property
    def is_there(self) -> bool:
        """Whether it may be asked."""
        return self._failure is None and self._duplex.is_open and self._process.poll() is None

    def submit(self, tag: int, data: bytes) -> Ticket:
        """Send a message; messages are answered in their order.

        Raises:
            InvalidInputError: the process is no more.
        """
        with self._lock:
            self._check()
            ticket = Ticket(len(data))
            self._waiting.append(ticket)
            try:
                self._duplex.put(tag, data)
            except BaseException:
                self._interrupted()
                raise
            return ticket

    def wait(self, ticket: Ticket) -> Answer:
        """The answer to a message.

        Raises:
            InvalidInputError: the process ended, or took too long, and is ended.
        """
        with self._lock:
            began = time.monotonic()
            while ticket.answer is None:
                self._check()
                try:
                    self._step(began)
                except BaseException:
                    self._interrupted()
                    raise
            return ticket.answer

    def end(self) -> None:
        """End it, and leave nothing behind, also while another thread waits for it. May be called again."""
        if self._failure is None:
            self._failure = InvalidInputError(f"model {self._name!r} was closed; load it again", code="closed")
        with self._lock:  # who waits looks up soon
            self._end()

    def forget(self) -> None:
        """In a fork: it is the parent's."""
        self._end.detach()
        self._lock = threading.RLock()  # which another thread may have held
        self._failure = self._gone("belongs to the process from which this one was forked")
        self._process.returncode = 0  # of no concern here
        self._duplex.close()
        self._child.output.forget()
        close_all(self._child.lifeline)

    def _check(self) -> None:
        if self._failure is not None:
            raise InvalidInputError(self._failure.message, code=self._failure.code)

    def _step(self, began: float) -> None:
        """Wait a little, take what came, and see whether the process is there and in time."""
        since_s = time.monotonic() - max(began, self._heard_s)
        left_s = LOOKED_S if self._limit_s is None else self._limit_s - since_s
        self._duplex.pump(max(0.0, min(left_s, LOOKED_S)))
        if self._take():
            return
        if not self._duplex.is_open or self._process.poll() is not None:
            self._duplex.pump(0)  # what it said last
            if not self._take():
                self._fail(self._died())
        elif left_s <= 0:
            self._fail(self._late())

    def _take(self) -> bool:
        """Take up what came; whether anything did."""
        came = bool(self._duplex.received)
        while self._duplex.received:
            message = self._duplex.received.popleft()
            if message.tag == ANSWER:
                ticket = self._waiting.popleft()
                ticket.size_bytes += len(message.data)
                answer: Answer = _NOTHING if ticket.is_dropped else unpickled(message.data)
                ticket.answer, self.modules = answer, answer.modules or self.modules
        if came:
            self._heard_s = time.monotonic()
        return came

    def _fail(self, error: InvalidInputError) -> None:
        if self._failure is None:
            self._failure = error
        kill(self._process)
        self._end()

    def _interrupted(self) -> None:
        """Something, such as Ctrl-C, may have left half a message: there is no going on."""
        self._fail(self._gone("was ended, as waiting for it was interrupted"))

    # --- why it is no more ---

    def _gone(self, how: str) -> InvalidInputError:
        return InvalidInputError(f"the process of model {self._name!r} {how}", code="process_died")

    def _died(self) -> InvalidInputError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDED_S)
        code = self._process.returncode
        if code is None:
            how = "closed its channel"
        elif code < 0:
            how = f"was killed by signal {signal_name(-code)}{', as when memory is short,' if code == -9 else ''}"
        else:
            how = f"ended with exit code {code}"
        return self._gone(f"{how} during {self._at}{self._last_lines()}")

    def _late(self) -> InvalidInputError:
        return InvalidInputError(
            f"{self._at} of model {self._name!r} did not return within {self._limit_s:g} seconds, and its process was "
            f"ended; if it needs longer, pass {self._at}_timeout_s={self._last_lines()}",
            code="timed_out",
        )

    def _last_lines(self) -> str:
        kill(self._process)
        self._child.output.join(LOGGED_S)
        last = self._child.output.last()
        return "; its last lines:\n" + "\n".join(f"    {line}" for line in last) if last else ""


_NOTHING = Answer([], None, 0.0)

_there: weakref.WeakSet[Started] = weakref.WeakSet()


def _forget_all() -> None:
    for each in list(_there):
        each.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _portable(order: Order) -> bytes:
    try:
        return pickle.dumps(order, 5)
    except Exception as error:  # values of Python may stand in a plan, and raise anything
        raise InvalidInputError(
            f"the inputs of model {order.plan.model!r} cannot be sent to its process ({type(error).__name__}); pass "
            "numbers, text, lists and mappings",
            code="not_portable",
        ) from None  # what it says may show them
