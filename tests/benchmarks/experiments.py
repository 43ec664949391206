"""Points of experiments, beside what a script would write by hand."""

from __future__ import annotations

import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import localreg
from localreg.session.preconditions import consequences
from tests.benchmarks.harness import Bench, Figure, seconds, sync_folder

CALLS = 10_000
POINTS = 1_000_000
PROCESSES = 8
UPLOADED_MIB = 1_024
COMMITS = 400


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    folder, beside = bench.fresh(), bench.fresh()
    beside.mkdir()
    registry = localreg.open(folder)
    running = registry.experiment("one by one", strict=True)

    def log() -> None:
        for step in range(CALLS):
            running.log({"loss": 0.5 / (step + 1)}, step=step)

    def append() -> None:
        with (beside / "points.jsonl").open("w") as file:
            for step in range(CALLS):
                file.write(json.dumps({"loss": 0.5 / (step + 1), "step": step}) + "\n")
                file.flush()

    yield bench.compare(
        f"{CALLS:,} log() calls one by one ÷ appending the same as JSON lines with flush",
        log,
        append,
        at_most=3,
        times=3,
    )
    running.finish()
    yield _events(bench)
    table = pa.table({"step": np.arange(CALLS), "loss": np.linspace(1, 0, CALLS)})
    bulk = registry.experiment("bulk", strict=True)
    yield bench.compare(
        f"{CALLS:,} points in one bulk call ÷ one synced pyarrow write",
        lambda: bulk.log_table(table),
        lambda: _written(table, beside / "points.parquet"),
        at_most=4,
        times=5,
    )
    bulk.finish()
    yield _files(bench)
    yield _series(bench)
    yield _killed(bench)
    yield _uploaded(bench)
    yield _without_policies(bench)


def _without_policies(bench: Bench) -> Figure:
    """Commits in turn, with what follows from commits and without, on two registries of the same content."""
    models = []
    for _ in range(2):
        registry = localreg.open(bench.fresh())
        with registry.transaction():
            for number in range(1_000):
                registry.create_model(f"model {number}")
        registry.snapshot()
        models.append(registry.get_model("model 500"))
    hooks = list(consequences)
    times: list[list[float]] = [[], []]
    try:
        for number in range(COMMITS):
            for which in (0, 1) if number % 2 else (1, 0):
                consequences[:] = hooks if which == 0 else []
                times[which].append(seconds(lambda: models[which].update(metadata={"n": number})))  # noqa: B023
    finally:
        consequences[:] = hooks
    ours, theirs = map(statistics.median, times)
    return Figure(
        "a commit on a model without policies ÷ the same with the hooks removed", ours / theirs, 1.05, ours, theirs
    )


def _events(bench: Bench) -> Figure:
    folder, beside = bench.fresh(), bench.fresh()
    beside.mkdir()
    running = localreg.open(folder).experiment("events", strict=True)

    def report() -> None:
        for step in range(CALLS):
            running.event("step_end", source="trainer", metadata={"step": step})

    def append() -> None:
        with (beside / "events.jsonl").open("w") as file:
            for step in range(CALLS):
                told = {"name": "step_end", "source": "trainer", "wallclock": time.time(), "metadata": {"step": step}}
                file.write(json.dumps(told) + "\n")
                file.flush()

    what = f"{CALLS:,} event() calls one by one ÷ appending the same as JSON lines with flush"
    figure = bench.compare(what, report, append, at_most=3, times=3)
    running.finish()
    return figure


def _uploaded(bench: Bench) -> Figure:
    """Each time other bytes: equal content is not stored again."""
    folder, beside = bench.fresh(), bench.fresh()
    beside.mkdir()
    model = localreg.open(folder).create_model("m")
    source, copy, numbers = beside / "weights", beside / "copy", itertools.count()
    block = np.random.default_rng(0).bytes(2**20)

    def fresh() -> Path:
        with source.open("wb") as file:
            for _ in range(UPLOADED_MIB):
                file.write(block)
            file.write(str(next(numbers)).encode())
            file.flush()
            os.fsync(file.fileno())
        return source

    def by_hand() -> None:
        subprocess.run(["sha256sum", source], check=True, capture_output=True)
        subprocess.run(["cp", source, copy], check=True)
        subprocess.run(["sync", copy], check=True)

    ours, theirs = [], []
    for number in range(max(3, bench.rounds)):
        fresh()
        ours.append(seconds(lambda: model.upload(source, name=f"{number}")))  # noqa: B023 - called at once
        theirs.append(seconds(by_hand))
        copy.unlink()
    medians = statistics.median(ours), statistics.median(theirs)
    return Figure("uploading 1 GiB ÷ sha256sum, cp and sync", medians[0] / medians[1], 1.5, *medians)


def _written(table: pa.Table, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _files(bench: Bench) -> Figure:
    """How many files an experiment leaves that flushed often."""
    folder = bench.fresh()
    registry = localreg.open(folder)
    before = _count(folder)
    with registry.experiment("closed", strict=True, flush_every=0.05) as experiment:
        for step in range(CALLS):
            experiment.log({"loss": float(step)}, step=step)
    made = _count(folder) - before
    return Figure(f"an experiment of {CALLS:,} points, closed: files left", made, 3, made, 1)


def _count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _series(bench: Bench) -> Figure:
    folder, beside = bench.fresh(), bench.fresh()
    beside.mkdir()
    registry = localreg.open(folder)
    dice = np.random.default_rng(0)
    values = {name: dice.random(POINTS // 10) for name in "abcdefghij"}
    with registry.experiment("long", strict=True) as experiment:
        experiment.log_table(pa.table({"step": np.arange(POINTS // 10), **values}))
    keys = np.repeat(list(values), POINTS // 10)
    flat = pa.table(
        {"key": keys, "step": np.tile(np.arange(POINTS // 10), 10), "value": np.concatenate([*values.values()])}
    )
    pq.write_table(flat, beside / "points.parquet")
    wanted = "key = 'd' AND step % 100 = 0"
    ours = f"SELECT step, value FROM metric_points WHERE experiment = 'long' AND {wanted} ORDER BY step"
    theirs = f"SELECT step, value FROM '{beside / 'points.parquet'}' WHERE {wanted} ORDER BY step"
    return bench.compare(
        "reading a series of 1M points, filtered ÷ DuckDB on one Parquet file",
        lambda: registry.sql(ours).arrow(),
        lambda: duckdb.connect().sql(theirs).to_arrow_table(),
        at_most=2,
        times=5,
    )


TRAINS = """
import sys, localreg
experiment = localreg.open(sys.argv[1]).experiment(sys.argv[2], strict=True, flush_every=0.2)
for step in range({calls}):
    experiment.log({{"loss": float(step)}}, step=step)
print("there", flush=True)
sys.stdin.read()
experiment.finish()
"""


def _killed(bench: Bench) -> Figure:
    """Processes that log to experiments of their own, one of which is killed: points that were lost."""
    folder = bench.fresh()
    registry = localreg.open(folder)
    code = TRAINS.format(calls=CALLS)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder), f"e{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    processes[3].send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate()
    registry.recover_experiments()
    found = registry.sql("SELECT count(DISTINCT (experiment, step)) AS n FROM metric_points").dicts()[0]["n"]
    lost = PROCESSES * CALLS - found
    return Figure(f"{PROCESSES} processes log to their own experiments, one is killed: points lost", lost, 0, lost, 1)
