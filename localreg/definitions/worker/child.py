"""What runs in the process of a model. It ends when whoever started it does, also in the midst of a call.

All that it needs of the standard library is imported before the model's folder comes first on the path.
"""

from __future__ import annotations

import difflib  # noqa: F401 - for errors
import faulthandler
import gc
import os
import pickle
import sys
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

import localreg.names  # noqa: F401 - for errors
from localreg.definitions.plan import Plan
from localreg.definitions.worker.channel import Channel, Message, connected, unpickled
from localreg.definitions.worker.raised import Raised, sent
from localreg.definitions.worker.running import LoadedModel
from localreg.definitions.worker.sources import Code, PathCode
from localreg.errors import InvalidInputError

__all__ = ["ALIVE", "ANSWER", "Answer", "Order", "serve"]

ALIVE, ANSWER = 0, 1
"""Tags of what a child says."""

ENDED_S = 2.0
"""So long a child that is not at work may take to end by itself."""


class Order(NamedTuple):
    """The first message to a child.

    Attributes:
        plan: the model.
        alive_s: how often it says, between two calls, that it goes on; None = never.
    """

    plan: Plan
    alive_s: float | None


class Answer(NamedTuple):
    """What came of a message.

    Attributes:
        batches: predictions of its batches, up to the one that went wrong.
        raised: what went wrong.
        seconds: that it took.
    """

    batches: list[list[object]]
    raised: Raised | None
    seconds: float


class _Child:
    """This process.

    Args:
        channel: to who asks.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._failed: set[int] = set()
        self._model: LoadedModel | None = None
        self.is_busy = True

    def work(self) -> None:
        """Load, and answer until nobody asks any more."""
        first = self._channel.receive()
        if first is None:
            return
        order: Order = pickle.loads(first.data)
        code = PathCode(order.plan.root)
        self._alive_s, self._said_s = order.alive_s, time.monotonic()
        raised = self._load(order.plan, code)
        self._answer(Answer([], raised, 0.0))
        if raised is not None:
            return
        while True:
            self.is_busy = False
            message = self._channel.receive()
            self.is_busy = True
            if message is None:
                return
            self._answer(self._predicted(message, code))

    def _load(self, plan: Plan, code: Code) -> Raised | None:
        try:
            self._model = LoadedModel(plan, code)
        except BaseException as error:
            return sent(error, code)
        gc.freeze()  # a model is no garbage: collections need not look through it
        return None

    def _predicted(self, message: Message, code: Code) -> Answer:
        """The predictions of some batches; none if an earlier message of the same caller went wrong."""
        if message.tag in self._failed:
            self._failed.remove(message.tag)
            return Answer([], None, 0.0)
        assert self._model is not None, "nothing is predicted before it is loaded"
        began, made = time.monotonic(), []
        raised = None
        try:
            for batch in _read(message.data):
                predictions: list[object] = []
                for piece in self._model.pieces(batch):
                    predictions += self._model.predicted(piece)
                    self._say_alive()
                made.append(predictions)
        except BaseException as error:
            self._failed.add(message.tag)
            raised = sent(error, code)
        return Answer(made, raised, time.monotonic() - began)

    def _say_alive(self) -> None:
        if self._alive_s is not None and time.monotonic() - self._said_s > self._alive_s:
            self._channel.send(ALIVE)
            self._said_s = time.monotonic()

    def _answer(self, answer: Answer) -> None:
        # As plain tuples: classes of ours need not be looked up for each.
        raised = None if answer.raised is None else tuple(answer.raised)
        self._channel.send(ANSWER, pickle.dumps((answer.batches, raised, answer.seconds), 5))
        self._said_s = time.monotonic()


def _read(data: bytes | bytearray) -> list[list[object]]:
    try:
        batches: list[list[object]] = unpickled(data)
    except Exception as error:
        raise InvalidInputError(
            f"datapoints cannot be read in the process of the model ({type(error).__name__}: {error}); their classes "
            "must be importable there, or run the model in a thread",
            code="not_portable",
        ) from error
    return batches


def serve(told: Mapping[str, object]) -> None:
    """Be the process of a model.

    Args:
        told: how to be `connected`.
    """
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for stream in (sys.stdout, sys.stderr):  # the last lines matter most when the end is sudden
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable()
    sys.argv[:] = ["localreg-model"]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # of children; what is imported here leaves no bytecode in the code
    child = _Child(connected(told))
    threading.Thread(target=_end_with_parent, args=(lifeline, child), name="localreg-lifeline", daemon=True).start()
    child.work()


def _end_with_parent(lifeline: int, child: _Child) -> None:
    """Wait until the parent lets go; nothing is ever said here."""
    while os.read(lifeline, 1):
        pass
    if not child.is_busy:
        time.sleep(ENDED_S)  # it ends by itself, unless something of the model's holds it
    os._exit(0)
