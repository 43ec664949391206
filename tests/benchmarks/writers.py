"""Many writers on one disk: how much of one writer's rate is left, how long the unlucky wait, and that all is there."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import localreg
from tests.benchmarks.harness import Bench, Figure

COMMITS = 300
"""Of each writer, in each round."""
LEAST_RATE = {4: 0.6, 8: 0.5}
"""Of one writer's rate, by the number of writers."""
PATIENCE_S = 300


@dataclass(frozen=True)
class Run:
    """What some writers did together.

    Attributes:
        rate: commits a second, of all.
        took: seconds of each commit, in order.
    """

    rate: float
    took: list[float]

    def quantile(self, share: float) -> float:
        """Seconds within which a share of the commits was done."""
        return self.took[min(len(self.took) - 1, int(share * len(self.took)))]


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    for writers, least in LEAST_RATE.items():
        alone, together = [], []
        for _ in range(bench.rounds):
            alone.append(run(bench.fresh(), 1))
            together.append(run(bench.fresh(), writers))
        seconds = [statistics.median(1 / each.rate for each in runs) for runs in (together, alone)]
        what = f"{writers} writers in one namespace: time a commit, all together ÷ of one writer alone"
        yield Figure(what, seconds[0] / seconds[1], 1 / least, *seconds)
        yield patience(f"{writers} writers in one namespace: p99 ÷ median of a commit", together, 10)


def patience(what: str, runs: list[Run], at_most: float) -> Figure:
    """How much longer the unlucky wait."""
    last, middle = (statistics.median(each.quantile(share) for each in runs) for share in (0.99, 0.5))
    return Figure(what, last / middle, at_most, last, middle)


def run(folder: Path, writers: int) -> Run:
    """Processes that commit as fast as they can, all begun at one moment.

    Raises:
        SystemExit: a commit was lost or doubled, or the log has a gap: no rate means anything then.
    """
    context = multiprocessing.get_context("spawn")
    barrier, done = context.Barrier(writers), context.SimpleQueue()
    localreg.open(folder)
    processes = [context.Process(target=work, args=(folder, me, barrier, done)) for me in range(writers)]
    for process in processes:
        process.start()
    times = [done.get() for _ in processes]
    for process in processes:
        process.join(PATIENCE_S)
    check(folder, writers)
    first, last = min(each[0] for each in times), max(each[-1] for each in times)
    took = sorted(end - begin for each in times for begin, end in pairwise(each))
    return Run(writers * COMMITS / (last - first), took)


def work(folder: Path, me: int, barrier: Barrier, done: SimpleQueue[list[float]]) -> None:
    """One writer: the moment at which it began, and those at which each of its commits was done."""
    registry = localreg.open(folder, actor=f"writer {me}")
    registry.models().dicts()  # loads what a first use loads, pyarrow above all
    barrier.wait(PATIENCE_S)
    times = [time.perf_counter()]
    for number in range(COMMITS):
        registry.create_model(f"{me}-{number}", metadata={"framework": "pytorch"})
        times.append(time.perf_counter())
    done.put(times)


def check(folder: Path, writers: int) -> None:
    """Nothing lost, nothing doubled, no gap."""
    session = localreg.open(folder)._session
    entries = list(session.entries())
    made = sorted(event.name for entry in entries for event in entry.events if event.kind == "model")
    wanted = sorted(f"{me}-{number}" for me in range(writers) for number in range(COMMITS))
    numbers = [entry.commit for entry in entries]
    if made != wanted or numbers != list(range(1, len(wanted) + 1)) or not session.verify().ok:
        raise SystemExit(f"{writers} writers: {len(wanted)} commits acknowledged, {len(made)} in the log")
