"""What runs in the process of a model. It ends when whoever started it does, also in the midst of a call.

What it needs of the standard library is imported before the model's folder comes first on the path, but for what only
messages of errors need.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import sys
import threading
import time
from collections.abc import Mapping

from localreg.definitions.plan import Plan
from localreg.definitions.worker.channel import Channel, Message, connected
from localreg.definitions.worker.messages import ALIVE, ANSWER, ENDED_S, Answer, Order, unpickled
from localreg.definitions.worker.raised import Raised, sent
from localreg.definitions.worker.running import LoadedModel
from localreg.definitions.worker.secrets import Secrets
from localreg.definitions.worker.sources import Code, PathCode
from localreg.errors import InvalidInputError

__all__ = ["serve"]


class _Child:
    """This process.

    Args:
        channel: to who asks.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._failed: set[int] = set()
        self._model: LoadedModel | None = None
        self._secrets = Secrets({})
        self._alive_s: float | None = None
        self._said_s = time.monotonic()
        self._modules = 0
        self.is_busy = True

    def work(self) -> None:
        """Load, and answer until nobody asks any more."""
        first = self._channel.receive()
        if first is None:
            return
        order: Order = pickle.loads(first.data)
        code = PathCode(order.plan.root)
        self._alive_s, self._secrets = order.alive_s, Secrets(order.plan.secrets)
        answer = Answer([], self._load(order.plan, code), 0.0)
        while True:
            self.is_busy = False
            try:
                self._answer(answer)
            except OSError:  # nobody asks any more
                return
            message = self._channel.receive()
            if self._model is None or message is None:
                return
            self.is_busy = True
            answer = self._predicted(message, code)

    def _load(self, plan: Plan, code: Code) -> Raised | None:
        try:
            self._model = LoadedModel(plan, code)
        except BaseException as error:
            return sent(error, code, self._secrets)
        gc.freeze()  # a model is no garbage: collections need not look through it
        return None

    def _predicted(self, message: Message, code: Code) -> Answer:
        """The predictions of some batches; none if an earlier message of the same caller went wrong."""
        if message.tag in self._failed:
            self._failed.remove(message.tag)
            return Answer([], None, 0.0)
        assert self._model is not None, "what is not loaded is not asked"
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
            raised = sent(error, code, self._secrets)
        return Answer(made, raised, time.monotonic() - began)

    def _say_alive(self) -> None:
        if self._alive_s is not None and time.monotonic() - self._said_s > self._alive_s:
            self._channel.send(ALIVE)
            self._said_s = time.monotonic()

    def _answer(self, answer: Answer) -> None:
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            answer = answer._replace(modules=tuple({name.partition(".")[0] for name in list(sys.modules)}))
        self._channel.send(ANSWER, pickle.dumps(answer, 5))
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
