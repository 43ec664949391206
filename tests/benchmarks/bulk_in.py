"""Rows in bulk: what a million cost beside pyarrow writing the same tables, and how much memory ten million take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import localreg
from localreg.workflow import (
    GroundTruth,
    Inference,
    ScoredLabel,
    ScoredLabeledBoundingBox,
    TestSample,
    define_workflow,
)
from tests.benchmarks.harness import Bench, Figure, seconds

ROWS = 1_000_000
MANY = 10_000_000
BATCH = 100_000
LABELS = np.array(["cat", "dog", "cow", "horse"])


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel


@dataclass(frozen=True)
class Boxes(Inference):
    boxes: list[ScoredLabeledBoundingBox]


_, Case, Suite, Model = define_workflow("guesses", Photo, Truth, Guess)
_, BoxCase, BoxSuite, BoxModel = define_workflow("boxes", Photo, Truth, Boxes)


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield samples(bench)
    yield from inferences(bench)
    yield boxes(bench)
    if bench.large:
        yield from of_ten_million(bench)


def locators(begin: int, end: int) -> pa.Array:
    """Names of some photos."""
    numbers = pc.utf8_lpad(pa.array(np.arange(begin, end)).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise("photos/2026/03/", numbers, ".png", "")


def labels(count: int, seed: int) -> pa.Array:
    """Some of four."""
    return pa.array(LABELS[np.random.default_rng(seed).integers(0, 4, count)])


def truths(begin: int, end: int) -> pa.Table:
    """A table of samples with their ground truths."""
    return pa.table({"locator": locators(begin, end), "label": labels(end - begin, begin)})


def guesses(begin: int, end: int) -> pa.Table:
    """A table of predictions."""
    scores = np.random.default_rng(begin).random(end - begin)
    return pa.table({"locator": locators(begin, end), "label": labels(end - begin, begin + 1), "score": scores})


def three_boxes(count: int) -> pa.Table:
    """A table of three boxes each."""
    numbers = np.random.default_rng(0)
    corner = [numbers.random(3 * count) * 500 for _ in range(4)]
    columns = {
        "top_left": pa.StructArray.from_arrays([corner[0], corner[1]], ["x", "y"]),
        "bottom_right": pa.StructArray.from_arrays([corner[0] + corner[2], corner[1] + corner[3]], ["x", "y"]),
        "label": labels(3 * count, 7),
        "score": pa.array(numbers.random(3 * count)),
    }
    flat = pa.StructArray.from_arrays(list(columns.values()), list(columns))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32) * 3), flat)
    return pa.table({"locator": locators(0, count), "boxes": lists})


def by_hand(folder: Path, **tables: pa.Table) -> float:
    """How long pyarrow takes to write tables, synced."""
    folder.mkdir()

    def write() -> None:
        for name, table in tables.items():
            with open(folder / name, "wb") as file:
                pq.write_table(table, file, compression="zstd", compression_level=1)
                file.flush()
                os.fsync(file.fileno())

    return seconds(write)


def indexed(name: str, column: pa.Array) -> pa.Table:
    """The columns of a part as it is stored: `sample_idx`, `status`, the struct."""
    status = pa.array(["ok"]).take(pa.array(np.zeros(len(column), np.int64)))
    return pa.table({"sample_idx": np.arange(len(column)), "status": status, name: column})


def in_turn(bench: Bench, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """Medians of both, measured one after the other."""
    pairs = [(theirs(), ours()) for _ in range(bench.rounds + 1)][1:]
    middle = len(pairs) // 2
    return sorted(pair[1] for pair in pairs)[middle], sorted(pair[0] for pair in pairs)[middle]


def ratio(what: str, times: tuple[float, float], at_most: float) -> Figure:
    """A row whose limit is a multiple of what pyarrow takes."""
    return Figure(what, times[0] / times[1], at_most, *times)


def samples(bench: Bench) -> Figure:
    """A million samples with ground truths, into a new registry."""
    table = truths(0, ROWS)
    keys = pa.array(np.random.default_rng(0).integers(0, 2**63, ROWS), pa.uint64())
    stored = pa.table({"sample": table.select(["locator"]).to_struct_array(), "key": keys})
    truth = table.select(["label"]).to_struct_array()
    held = pa.table({"sample_idx": np.arange(ROWS), "ground_truth": truth})

    def ours() -> float:
        with localreg.use(localreg.open(bench.fresh())):
            suite = Suite("suite")
            return seconds(lambda: suite.add(table))

    times = in_turn(bench, ours, lambda: by_hand(bench.fresh(), samples=stored, truths=held))
    return ratio("1M samples with ground truths from Arrow ÷ pyarrow writing the same tables", times, 3)


def inferences(bench: Bench) -> Iterator[Figure]:
    """A million classifications, in order and shuffled."""
    table = guesses(0, ROWS)
    made = pa.StructArray.from_arrays([table.select(["label", "score"]).to_struct_array().combine_chunks()], ["label"])
    stored = indexed("inference", made)
    shuffled = table.take(np.random.default_rng(1).permutation(ROWS))
    with localreg.use(localreg.open(bench.fresh())):
        Suite("suite").add(truths(0, ROWS))
        for how, rows, at_most in (("in order", table, 1.6), ("shuffled", shuffled, 2.5)):
            number = iter(range(100))

            def ours(rows: pa.Table = rows, how: str = how, number: Iterator[int] = number) -> float:
                model = Model(f"{how} {next(number)}")
                return seconds(lambda: model.record(rows, on="locator"))

            times = in_turn(bench, ours, lambda: by_hand(bench.fresh(), inferences=stored))
            yield ratio(f"1M classification inferences, {how} ÷ the same", times, at_most)


def boxes(bench: Bench) -> Figure:
    """A million times three boxes."""
    table = three_boxes(ROWS)
    stored = indexed("inference", table.select(["boxes"]).to_struct_array().combine_chunks())
    with localreg.use(localreg.open(bench.fresh())):
        BoxSuite("suite").add(truths(0, ROWS))
        number = iter(range(100))

        def ours() -> float:
            model = BoxModel(f"model {next(number)}")
            return seconds(lambda: model.record(table, on="locator"))

        times = in_turn(bench, ours, lambda: by_hand(bench.fresh(), inferences=stored))
    return ratio("1M x 3 boxes ÷ the same", times, 2.5)


PEAK = """
import re, sys
import localreg
from tests.benchmarks import bulk_in
localreg.use(localreg.open(sys.argv[1]))
rows, shuffled = int(sys.argv[2]), sys.argv[3] == "shuffled"
bulk_in.Model("{how}").record(bulk_in.batches(rows, shuffled), on="locator")
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def batches(rows: int, shuffled: bool) -> Iterator[pa.Table]:
    """Predictions, batch by batch; shuffled, each batch has rows from everywhere."""
    step = rows // BATCH
    for number, begin in enumerate(range(0, rows, BATCH)):
        numbers = np.arange(number, rows, step) if shuffled else np.arange(begin, begin + BATCH)
        padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 8, "0")
        names = pc.binary_join_element_wise("photos/2026/03/", padded, ".png", "")
        yield pa.table({"locator": names, "label": labels(len(names), number), "score": np.linspace(0, 1, len(names))})


def of_ten_million(bench: Bench) -> Iterator[Figure]:
    """Ten million known samples: what recording takes of memory, and what ten thousand new samples beside them cost."""
    folder = bench.fresh()
    with localreg.use(localreg.open(folder)):
        Suite("suite").add(truths(begin, begin + BATCH) for begin in range(0, MANY, BATCH))
        taken = []
        for number in range(bench.rounds):
            table = truths(MANY + number * 10_000, MANY + (number + 1) * 10_000)
            suite = Suite(f"more {number}")
            taken.append(seconds(lambda: suite.add(table)))  # noqa: B023 - called at once
    middle = sorted(taken)[len(taken) // 2]
    yield Figure("10k new samples beside 10M known, s", middle, 0.5, middle, 1.0)
    for how, at_most in (("ordered", 0.8), ("shuffled", None)):
        command = [sys.executable, "-c", PEAK.replace("{how}", how), os.fspath(folder), str(MANY), how]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak = int(done.stdout) / 1e6
        yield Figure(f"10M inferences from an iterator of batches, {how}: peak memory, GB", peak, at_most, peak, 1.0)
