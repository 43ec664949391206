"""Where a test run is done: an executor of the user's, or one that a text names, and what is to be known of it."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from localreg.errors import InvalidInputError, StorageError
from localreg.names import shown_value

__all__ = ["ExecutorLike", "Workers", "check_executor", "opened"]

ExecutorLike: TypeAlias = Executor | str
"""An executor, or `processes`, `processes:8`, `dask://host:8786`."""

PROCESSES, DASK = "processes", "dask://"
FORMS = "'processes', 'processes:8', 'dask://host:8786', or a concurrent.futures.Executor"
CONNECTED_S = 10


@dataclass(frozen=True)
class Workers:
    """An executor, ready for work.

    Attributes:
        executor: it.
        width: how many calls it makes at once, as far as that can be known.
        shares_memory: its calls are made in this process: nothing needs to be made bytes.
        imports_main: its processes import the script that was started here.
        name: for messages.
    """

    executor: Executor
    width: int
    shares_memory: bool
    imports_main: bool
    name: str


def check_executor(executor: object) -> ExecutorLike | None:
    """An executor as an argument gives it.

    Raises:
        InvalidInputError: it is none.
    """
    if executor is None or isinstance(executor, Executor):
        return executor
    if callable(getattr(executor, "get_executor", None)):
        raise InvalidInputError(f"executor is {shown_value(executor)}; pass client.get_executor()")
    if isinstance(executor, str) and (
        _count(executor) is not None or executor.removeprefix(DASK) not in ("", executor)
    ):
        return executor
    raise InvalidInputError(f"executor is {shown_value(executor)}; it must be {FORMS}")


def _count(text: str) -> int | None:
    """How many processes a text asks for; None if it asks for none."""
    word, _, number = text.partition(":")
    if word != PROCESSES or (number and not number.isdecimal()) or text.endswith(":"):
        return None
    return (int(number) or None) if number else (_cores() or 1)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def opened(executor: ExecutorLike | None) -> Iterator[Workers | None]:
    """An executor at work: what a text names is started, and ended with the block; one that was given stays open.

    Raises:
        InvalidInputError: no Dask is installed.
        StorageError: no scheduler answers.
    """
    if executor is None:
        yield None
    elif isinstance(executor, Executor):
        yield _given(executor)
    elif executor.startswith(DASK):
        with _dask(executor) as workers:
            yield workers
    else:
        with _processes(_count(executor) or 1) as workers:
            yield workers


def _given(executor: Executor) -> Workers:
    interpreters = getattr(concurrent.futures, "InterpreterPoolExecutor", ())  # a thread each, and not one memory
    width = getattr(executor, "_max_workers", None)
    if width is None and hasattr(executor, "_client"):
        width = sum(executor._client.nthreads().values())
    return Workers(
        executor,
        width if isinstance(width, int) and width > 0 else _cores(),
        shares_memory=isinstance(executor, ThreadPoolExecutor) and not isinstance(executor, interpreters),
        imports_main=isinstance(executor, ProcessPoolExecutor),
        name=type(executor).__name__,
    )


@contextmanager
def _processes(count: int) -> Iterator[Workers]:
    from localreg.workflow.processes import Processes

    pool, is_done = Processes(count), False
    try:
        yield Workers(pool, count, shares_memory=False, imports_main=True, name=f"{PROCESSES}:{count}")
        is_done = True
    finally:
        pool.shutdown(cancel_futures=not is_done)


@contextmanager
def _dask(text: str) -> Iterator[Workers]:
    try:
        from distributed import Client
    except ImportError as error:
        raise InvalidInputError(f"executor {text!r} needs Dask; pip install 'localreg-registry[dask]'") from error
    place = text.removeprefix(DASK)
    try:
        client = Client(place if "://" in place else f"tcp://{place}", timeout=CONNECTED_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise StorageError(f"no Dask scheduler answers at {text}: {error}; start one, or mend the address") from error
    with client:
        width = sum(client.nthreads().values())
        yield Workers(client.get_executor(), max(1, width), shares_memory=False, imports_main=False, name=text)
