"""Test runs on executors: what a second worker gives, and what Dask costs beside worker processes of our own."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import localreg
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.benchmarks.harness import Bench, Figure, seconds

SAMPLES, STEPS = 2_000, 40_000
"""In one round; each sample takes about two milliseconds."""
MOST = 3
"""Times so many samples, if there are so many rounds: then starting workers hardly counts."""


@dataclass(frozen=True)
class Number(TestSample):
    value: int


@dataclass(frozen=True)
class Truth(GroundTruth):
    even: bool


@dataclass(frozen=True)
class Sum(Inference):
    sum: int


_, Case, Suite, Model = define_workflow("sums", Number, Truth, Sum)


def busy(number: Number) -> Sum:
    total = 0
    for step in range(STEPS):
        total += step * number.value
    return Sum(total)


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    localreg.use(localreg.open(bench.fresh()))
    samples = SAMPLES * min(MOST, bench.rounds)
    pairs = [(Number(value), Truth(value % 2 == 0)) for value in range(samples)]
    suite = Suite("numbers", test_cases=[Case("all", test_samples=pairs)])
    yield bare(bench, samples)
    runs = [None, "processes:1", "processes:2"]
    taken = measured(bench, suite, runs)
    here, one, two = (statistics.median(taken[each]) for each in runs)
    yield Figure(f"test() of {samples:,} CPU-bound samples, 2 worker processes ÷ 1", two / one, 0.6, two, one)
    yield Figure(f"test() of {samples:,} CPU-bound samples, 1 worker process ÷ this one", one / here, None, one, here)
    if importlib.util.find_spec("distributed") is not None:
        yield dask(bench, suite)


LOOP = """
import sys
for value in range(int(sys.argv[1])):
    total = 0
    for step in range(int(sys.argv[2])):
        total += step * value
"""


def bare(bench: Bench, samples: int) -> Figure:
    """What this machine gives for a second process, now: below this no executor can come."""

    def looped(count: int) -> None:
        command = [sys.executable, "-c", LOOP, str(samples // count), str(STEPS)]
        processes = [subprocess.Popen(command) for _ in range(count)]
        assert [process.wait() for process in processes] == [0] * count

    taken = [(seconds(lambda: looped(2)), seconds(lambda: looped(1))) for _ in range(bench.rounds)]
    two, one = (statistics.median(each) for each in zip(*taken, strict=True))
    return Figure("the same loops in 2 bare processes ÷ 1, which is what the machine gives", two / one, None, two, one)


def measured(bench: Bench, suite: Any, executors: list[str | None]) -> dict[str | None, list[float]]:
    """Seconds of runs on executors, in turn."""
    taken: dict[str | None, list[float]] = {each: [] for each in executors}
    for _ in range(bench.rounds):
        for each in executors:
            model = Model(f"model {len(Model.load_all())}", busy)
            taken[each].append(seconds(lambda: test(model, suite, executor=each)))  # noqa: B023 - called at once
    return taken


def dask(bench: Bench, suite: Any) -> Figure:
    """A cluster of two workers that is there already, beside two processes that are started for the run."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1") as cluster:
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        runs: list[str | None] = ["processes:2", address]
        taken = measured(bench, suite, runs)
        pool, cluster_s = (statistics.median(taken[each]) for each in runs)
    return Figure("the same on Dask with 2 workers ÷ 2 worker processes", cluster_s / pool, 1.5, cluster_s, pool)
