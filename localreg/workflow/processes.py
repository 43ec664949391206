"""Worker processes of our own: an executor whose calls outlive the death of a worker.

`concurrent.futures.ProcessPoolExecutor` is broken once one of its processes dies, and all its calls fail together.
Here each process has a pipe of its own and one call at a time, so that a death fails the call that was under way and no
other; a new process takes its place. Processes are spawned, not forked: DuckDB and pyarrow have threads.

They end with the program that started them, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

__all__ = ["GUARD", "Processes", "WorkerDied"]

ResultT = TypeVar("ResultT")

GUARD = (
    "a script that starts worker processes is imported by each of them: put what it does below "
    "`if __name__ == '__main__':`"
)

_starting = threading.Lock()
"""What `multiprocessing` notes of its children is not made for threads that start and join them at once."""

LAST_WORDS_S = 5.0
"""How long a process that is told to end may take."""


class WorkerDied(Exception):
    """A worker process ended in the middle of a call."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class Processes(Executor):
    """So many worker processes, each started at its first call.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], bytes] | None] = queue.SimpleQueue()
        self._workers: dict[int, _Worker] = {}
        self._is_shut = False
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name="localreg worker", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., ResultT], /, *args: Any, **kwargs: Any) -> Future[ResultT]:
        """Call a function of a module in the next process that is free.

        Returns:
            Its result, what it raised, or `WorkerDied`.
        """
        if self._is_shut:
            raise RuntimeError("the worker processes were shut down")
        future: Future[ResultT] = Future()
        self._calls.put((future, pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end once they have made what was submitted; or kill them, if futures are cancelled."""
        self._is_shut = True
        if cancel_futures:
            with suppress(queue.Empty):
                while (call := self._calls.get_nowait()) is None or call[0].cancel():
                    pass
        for _ in self._threads:
            self._calls.put(None)
        if cancel_futures:
            for worker in list(self._workers.values()):
                worker.kill()
        if wait:
            for thread in self._threads:
                thread.join()

    def _serve(self, number: int) -> None:
        """What one thread does: hand calls to its process, and start another one for one that is dead."""
        try:
            while (call := self._calls.get()) is not None:
                future, data = call
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    worker = self._workers.get(number)
                    if worker is None:
                        worker = self._workers[number] = _Worker()
                    future.set_result(worker.call(data))
                except WorkerDied as error:
                    self._workers.pop(number, None)
                    future.set_exception(error)
                except BaseException as error:
                    future.set_exception(error)
        finally:
            if number in self._workers:
                self._workers.pop(number).close()


class _Worker:
    """One process, and our end of its pipe. For one thread, but for `kill`."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        with _starting:
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs,), name="localreg worker")
            self._process.start()
            theirs.close()  # else no end of the process would end the pipe

    def call(self, data: bytes) -> Any:
        """Make a call, and wait for what it gives.

        Raises:
            WorkerDied: the process ended instead.
            Exception: what the call raised.
        """
        try:
            self._pipe.send_bytes(data)
            wait([self._pipe, self._process.sentinel])
            told = self._pipe.recv_bytes() if self._pipe.poll() else None
        except (EOFError, OSError):
            told = None
        if told is None:
            raise WorkerDied(f"the worker process died {self._end()}")
        is_made, answer = pickle.loads(told)
        if is_made:
            return answer
        error: BaseException = answer
        raise error

    def _end(self) -> str:
        """How it ended, in words."""
        self._pipe.close()
        with _starting:
            self._process.join(LAST_WORDS_S)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            return "in a way that is not known: it closed its pipe"
        if code < 0:
            with suppress(ValueError):
                return f"by {signal.Signals(-code).name}"
        return f"with exit code {code}"

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> None:
        """Let it end."""
        self._pipe.close()
        with _starting:
            self._process.join(LAST_WORDS_S)
            if self._process.exitcode is None:
                self._process.kill()
                self._process.join()


def _work(pipe: Connection[Any, Any]) -> None:
    """What a worker process does: make calls until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is for the program, which then ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            data = pipe.recv_bytes()
            try:
                function, args, kwargs = pickle.loads(data)
                answer = True, function(*args, **kwargs)
            except Exception as error:
                answer = False, error
            pipe.send_bytes(_pickled(answer))


def _pickled(answer: tuple[bool, Any]) -> bytes:
    try:
        data = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
        pickle.loads(data)
    except Exception as error:
        return pickle.dumps((False, RuntimeError(f"{type(answer[1]).__name__} cannot be sent back: {error}")))
    return data


def _end_with_parent() -> None:
    """Do not go on for a program that is gone: nobody would get the answer."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
