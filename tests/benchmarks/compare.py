"""Two models compared, beside DuckDB that only counts, and scikit-learn that only computes.

The registry is as one gets after a while: five runs each, a twentieth of the inferences replaced, one in a hundred
missing, and a suite of every third sample beside the whole. What others are given is better: one file for each model,
aligned row by row, or columns in memory.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import localreg
from localreg.compare import classified
from localreg.statistics import Estimate, JointCounts, compare_counts
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow
from tests.benchmarks.harness import Bench, Figure, seconds

Codes = npt.NDArray[np.int16]

SLICES = 20
RUNS = 5
STRETCH = 1_000
BATCH = 250_000


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    weather: str


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel


_, Case, Suite, Model = define_workflow("photos", Photo, Truth, Guess)


class Made(NamedTuple):
    """What is in a registry.

    Attributes:
        folder: of the registry.
        truth: code of each sample's label.
        weather: code of each sample's weather.
        said: of each model, the code of its label; -1 = missing.
        classes: how many labels there are.
    """

    folder: Path
    truth: Codes
    weather: Codes
    said: dict[str, Codes]
    classes: int


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    sizes = [(1_000_000, 10), (1_000_000, 1_000)] + ([(10_000_000, 10)] if bench.large else [])
    taken = {}
    for rows, classes in sizes:
        made = filled(bench.fresh(), rows, classes)
        registry = localreg.open(made.folder)
        what = f"{rows / 1e6:.0f}M x 2 classifications of {classes:,} classes, {SLICES} slices"
        if classes == 10:
            yield from _counted(bench, made, registry, what)
        taken[rows, classes] = statistics_seconds(bench, registry)
        yield Figure(
            f"{what}: all intervals and p-values, in seconds, of at most",
            taken[rows, classes],
            0.3 if classes == 10 else 1,
            taken[rows, classes],
        )
        if rows == 10_000_000:
            growth = taken[rows, 10] / taken[1_000_000, 10]
            yield Figure("the same ÷ for 1M", growth, 1.2, taken[rows, 10], taken[1_000_000, 10])
            yield Figure("peak memory of that comparison, in units of 400 MB", peak(made.folder) / 400, 1)


def _counted(bench: Bench, made: Made, registry: localreg.Registry, what: str) -> Iterator[Figure]:
    """Counting: without the intervals and p-values that come on top, which have a row of their own."""
    aligned = by_hand(bench.fresh(), made)
    statistics = statistics_seconds(bench, registry)
    for suite, where in (("whole", "true"), ("third", "t.third")):
        found = bench.compare(
            f"{what}: accuracy, P / R / F1, counts, {suite} suite ÷ DuckDB's positional joint counts of these rows",
            lambda: registry.compare("a", "b", suite=suite, by="weather"),  # noqa: B023 - called at once
            lambda: positional(aligned, where),  # noqa: B023
            at_most=1.5,
            times=3,
        )
        ours = found.ours - statistics
        yield replace(found, ours=ours, ratio=ours / found.limit)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield bench.compare(
            f"{what}: counted by 2 worker processes ÷ by the threads of this one",
            lambda: registry.compare("a", "b", suite="whole", by="weather", executor=pool),
            lambda: registry.compare("a", "b", suite="whole", by="weather"),
            at_most=None,
            times=3,
        )
    columns = _paired(made)
    yield bench.compare(
        f"{len(made.truth) / 1e6:.0f}M, the whole suite alone ÷ scikit-learn's metrics on whole numbers in memory",
        lambda: registry.compare("a", "b", suite="whole"),
        lambda: by_scikit_learn(*columns),
        at_most=0.06,
        times=1,
    )


def _paired(made: Made) -> list[npt.NDArray[np.int64]]:
    paired = (made.said["a"] >= 0) & (made.said["b"] >= 0)
    return [codes[paired].astype(np.int64) for codes in (made.truth, *made.said.values())]


def filled(folder: Path, rows: int, classes: int) -> Made:
    """Make a registry."""
    dice = np.random.default_rng(0)
    truth = dice.integers(0, classes, rows).astype(np.int16)
    weather = dice.integers(0, SLICES, rows).astype(np.int16)
    made = Made(folder, truth, weather, {}, classes)
    with localreg.use(localreg.open(folder)):
        Suite("whole").add(_samples(made, np.arange(rows)))
        Suite("third").add(_samples(made, _every_third(rows)))
        for number, name in enumerate("ab"):
            made.said[name] = _recorded(Model(name), made, np.random.default_rng(number + 1), 0.80 + number / 100)
    return made


def _every_third(rows: int) -> npt.NDArray[np.int64]:
    return np.sort(np.random.default_rng(99).permutation(rows)[: rows * 3 // 10])


def _recorded(model: Any, made: Made, dice: np.random.Generator, right: float) -> Codes:
    """Record what a model says, run by run, replace some of it, and tell what stands there in the end."""
    rows = len(made.truth)
    there = dice.random(rows) >= 0.01
    runs = np.repeat(dice.integers(0, RUNS, rows // STRETCH + 1), STRETCH)[:rows]
    codes = _guessed(made, dice, right)
    for run in range(RUNS):
        model.record(_guesses(made, codes, np.flatnonzero(there & (runs == run))), on="locator")
    again = np.flatnonzero(there & (dice.random(rows) < 0.05))
    codes[again] = _guessed(made, dice, right)[again]
    model.record(_guesses(made, codes, again), on="locator", reset=True)
    return np.where(there, codes, -1).astype(np.int16)


def _guessed(made: Made, dice: np.random.Generator, right: float) -> Codes:
    rows = len(made.truth)
    wrong = dice.integers(0, made.classes, rows)
    return np.where(dice.random(rows) < right, made.truth, wrong).astype(np.int16)


def _samples(made: Made, rows: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    for begin in range(0, len(rows), BATCH):
        own = rows[begin : begin + BATCH]
        weather = names("weather", SLICES).take(pa.array(made.weather[own]))
        label = names("class", made.classes).take(pa.array(made.truth[own]))
        yield pa.table({"locator": locators(own), "weather": weather, "label": label})


def _guesses(made: Made, codes: Codes, rows: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    for begin in range(0, len(rows), BATCH):
        own = rows[begin : begin + BATCH]
        label = names("class", made.classes).take(pa.array(codes[own]))
        yield pa.table({"locator": locators(own), "label": label, "score": np.full(len(own), 0.5)})


def names(what: str, count: int) -> pa.Array:
    """Names of classes, or of slices."""
    return pa.array([f"{what} {number}" for number in range(count)])


def locators(rows: npt.NDArray[np.int64]) -> pa.Array:
    """Names of photos."""
    numbers = pc.utf8_lpad(pa.array(rows).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise("photos/2026/", numbers, ".png", "")


def by_hand(folder: Path, made: Made) -> list[Path]:
    """One file for the truth and one for each model, aligned row by row."""
    folder.mkdir()
    labels = names("class", made.classes)
    weather = names("weather", SLICES).take(pa.array(made.weather))
    third = np.zeros(len(made.truth), bool)
    third[_every_third(len(made.truth))] = True
    tables = {"truth": pa.table({"label": labels.take(pa.array(made.truth)), "weather": weather, "third": third})}
    for name, codes in made.said.items():
        tables[name] = pa.table({"label": labels.take(pa.array(codes, mask=codes < 0))})
    for name, table in tables.items():
        pq.write_table(table, folder / name, compression="zstd", compression_level=1)
    return [folder / name for name in tables]


def positional(files: list[Path], where: str) -> object:
    """The joint counts of two models and the truth in each slice of some rows, and nothing else."""
    truth, a, b = files
    return duckdb.sql(
        f"""SELECT t.weather, t.label, a.label, b.label, count(*) FROM read_parquet('{truth}') t
        POSITIONAL JOIN read_parquet('{a}') a POSITIONAL JOIN read_parquet('{b}') b
        WHERE {where} GROUP BY ALL"""
    ).to_arrow_table()


def by_scikit_learn(truth: npt.NDArray[Any], *models: npt.NDArray[Any]) -> object:
    """What `compare` says of the suite, without differences, intervals and p-values."""
    from sklearn import metrics

    return [
        (
            metrics.accuracy_score(truth, said),
            metrics.precision_recall_fscore_support(truth, said, average="macro", zero_division=0),
            metrics.confusion_matrix(truth, said),
        )
        for said in models
    ]


def statistics_seconds(bench: Bench, registry: localreg.Registry) -> float:
    """How long a comparison's statistics take, once everything is counted: of the suite and of each slice."""
    joints: list[JointCounts] = []

    def kept(joint: JointCounts, *, metrics: Sequence[str], confidence: float) -> list[Estimate]:
        joints.append(joint)
        return compare_counts(joint, metrics=metrics, confidence=confidence)

    with mock.patch.object(classified, "compare_counts", kept):
        registry.compare("a", "b", suite="whole", by="weather")

    def statistics() -> None:
        for number, joint in enumerate(joints):
            metrics = classified.DEFAULT if number == 0 else classified.DEFAULT[:-3]
            compare_counts(joint, metrics=metrics, confidence=0.95)

    return sorted(seconds(statistics) for _ in range(2 * bench.rounds + 1))[bench.rounds]


PEAK = """
import re, sys
import localreg
localreg.open(sys.argv[1]).compare("a", "b", suite="whole", by="weather")
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak(folder: Path) -> float:
    """The most memory that a process takes which compares, in MB."""
    run = subprocess.run([sys.executable, "-c", PEAK, str(folder)], capture_output=True, text=True, check=True)
    return int(run.stdout) * 1024 / 1e6
