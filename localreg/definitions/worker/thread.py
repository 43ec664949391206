"""A model in a thread of this process: nothing is sent, and nothing keeps it apart but the names of its modules.

What the model does, this process does: its output is ours, its memory, its settings of libraries, and its crash. Its
modules are known under names of their own (`isolated`, which also says what does not work). A call that takes too long
is given up, but cannot be ended.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from functools import partial
from queue import SimpleQueue
from typing import Literal, TypeVar

from localreg.definitions.plan import Plan
from localreg.definitions.worker.isolated import IsolatedCode
from localreg.definitions.worker.raised import told_here
from localreg.definitions.worker.running import LoadedModel
from localreg.definitions.worker.secrets import Secrets
from localreg.errors import InvalidInputError

__all__ = ["ModelThread"]

ENDED_S = 2.0

MadeT = TypeVar("MadeT")
Told = Callable[[BaseException], BaseException]
Job = tuple[Callable[[], object], "Future[object]", Told]


class ModelThread:
    """A worker in this process. `load` and all calls of `predict` are made in one thread, which no other code runs in.

    Args:
        plan: what is run.
        load_timeout_s: how long `load` may take; None = as long as it does.
        predict_timeout_s: how long one call of `predict` may take; None = as long as it does.

    Raises:
        InvalidInputError: an entrypoint cannot be called (see `function_of`), or it took too long (`timed_out`).
        Exception: what `load` raises; as `raised_in_model`, in words, where it shows one of `Plan.secrets`.
    """

    def __init__(self, plan: Plan, *, load_timeout_s: float | None, predict_timeout_s: float | None) -> None:
        self._plan, self._load_timeout_s, self._predict_timeout_s = plan, load_timeout_s, predict_timeout_s
        self._broken: str | None = None
        self._is_closed = False
        self._owner = os.getpid()
        code = IsolatedCode(plan.root)
        self._thread = _Calling()
        self._queues = [self._thread.jobs]
        self._end = weakref.finalize(self, _end, self._queues, code)
        self._told = partial(told_here, code=code, secrets=Secrets(plan.secrets), model=plan.model)
        try:
            self._model: LoadedModel | None = self._call("load", lambda: LoadedModel(plan, code))
        except BaseException:
            self._end()
            raise

    @property
    def modules(self) -> Collection[str]:
        """See `Worker.modules`: those of this process."""
        return {name.partition(".")[0] for name in list(sys.modules)}

    def predict(self, batches: Iterable[Sequence[object]]) -> Iterator[list[object]]:
        """See `Worker.predict`. Once a call was given up, there are no more: it may still be at work."""
        self._check()
        return self._predicted(batches)

    def close(self) -> None:
        """End the thread, once it is done with its call, and forget the code. May be called again."""
        self._is_closed = True
        self._end()
        self._model = None
        if self._broken is None and self._thread.is_other:
            self._thread.join(ENDED_S)

    def _predicted(self, batches: Iterable[Sequence[object]]) -> Iterator[list[object]]:
        for batch in batches:
            model, listed = self._check(), list(batch)
            predictions: list[object] = []
            for piece in model.pieces(listed):
                predictions += self._call("predict", lambda: model.predicted(piece))  # noqa: B023 - called at once
            yield predictions

    def _check(self) -> LoadedModel:
        if self._is_closed:
            raise InvalidInputError(f"model {self._plan.model!r} was closed; load it again", code="closed")
        if self._broken is not None:
            raise InvalidInputError(
                f"{self._broken}, so it can take no more; load the model again, or in a process, which can be ended",
                code="timed_out",
            )
        assert self._model is not None, "it is loaded, and not closed"
        return self._model

    def _call(self, part: Literal["load", "predict"], work: Callable[[], MadeT]) -> MadeT:
        """Have something done in the thread."""
        if os.getpid() != self._owner:  # a fork has the model, but no threads
            self._owner, self._thread = os.getpid(), _Calling()
            self._queues[:] = [self._thread.jobs]
        limit_s = self._load_timeout_s if part == "load" else self._predict_timeout_s
        with self._thread.turn:
            done: Future[MadeT] = Future()
            self._thread.jobs.put((work, done, self._told))  # type: ignore[arg-type]  # what it makes is waited for
            try:
                return done.result(limit_s)
            except NotDone:
                if done.done():  # in the last moment; or it is the model's own
                    return done.result()
        self._broken = f"{part} of model {self._plan.model!r} did not return within {limit_s:g} seconds"
        raise InvalidInputError(
            f"{self._broken}, and was given up, though it cannot be ended; if it needs longer, pass {part}_timeout_s=, "
            "or run it in a process",
            code="timed_out",
        )


class _Calling(threading.Thread):
    """Does what it is told, one after another, until it is told nothing.

    Attributes:
        jobs: what is to be done.
        turn: is held by who waits for it.
    """

    def __init__(self) -> None:
        super().__init__(name="localreg-model", daemon=True)
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.turn = threading.Lock()
        self.start()

    @property
    def is_other(self) -> bool:
        """Whether this is another thread than the one that asks."""
        return threading.current_thread() is not self

    def run(self) -> None:
        """Work."""
        while (job := self.jobs.get()) is not None:
            _do(*job)
            del job  # what was made is its caller's


def _do(work: Callable[[], object], done: Future[object], told: Told) -> None:
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(told(error))


def _end(queues: list[SimpleQueue[Job | None]], code: IsolatedCode) -> None:
    code.close()
    for each in queues:
        each.put(None)
