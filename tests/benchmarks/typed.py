"""Typed workflows: what a test run costs beside the model, and what typed objects cost beside Arrow by hand."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import localreg
from localreg.garbage import without_collector
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    ScoredLabel,
    ScoredLabeledBoundingBox,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.inferences import Inferences
from tests.benchmarks.harness import Bench, Figure, seconds

SAMPLES = 100_000


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    width: int


@dataclass(frozen=True)
class Truth(GroundTruth):
    box: LabeledBoundingBox


@dataclass(frozen=True)
class Guess(Inference):
    label: ScoredLabel


@dataclass(frozen=True)
class Boxes(Inference):
    boxes: list[ScoredLabeledBoundingBox]


def one_label(photo: Photo) -> Guess:
    return Guess(ScoredLabel("cat", photo.width / SAMPLES))


def three_boxes(photo: Photo) -> Boxes:
    score = photo.width / SAMPLES
    return Boxes([ScoredLabeledBoundingBox((1.0, 2.0), (30.0, 40.0 + place), "cat", score) for place in range(3)])


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield from runs(bench)
    yield from after_a_kill(bench)
    yield typed_objects(bench)
    yield from merged_parts(bench)


def pairs() -> list[tuple[Photo, Truth]]:
    truth = Truth(LabeledBoundingBox((1.0, 2.0), (30.0, 40.0), "cat"))
    return [(Photo(f"photos/{number}.png", number), truth) for number in range(SAMPLES)]


def defined(inference: type[Inference]) -> Any:
    return define_workflow("photos", Photo, Truth, inference)


def filled(folder: Path, inference: type[Inference]) -> tuple[Any, Any]:
    """The suite and the model class, in a registry that is then in use."""
    localreg.use(localreg.open(folder))
    _, case, suite, model = defined(inference)
    return suite("suite", test_cases=[case("case", test_samples=pairs())]), model


def runs(bench: Bench) -> Iterator[Figure]:
    """A test run beside a loop that makes the same objects; then the same run again."""
    for inference, infer, at_most in ((Guess, one_label, 6e-6), (Boxes, three_boxes, 12e-6)):
        above, again = [], []
        for _ in range(bench.rounds + 1):
            suite, model = filled(bench.fresh(), inference)
            samples = [photo for photo, _ in pairs()]
            bare = seconds(lambda: [infer(photo) for photo in samples])  # noqa: B023 - called at once
            made = model("model", infer)
            above.append((seconds(lambda: test(made, suite)) - bare) / SAMPLES)  # noqa: B023
            again.append(seconds(lambda: test(made, suite)))  # noqa: B023
        name = inference.__name__.lower()
        yield absolute(f"test() on 100,000 samples, µs a sample above a bare loop: {name}", above[1:], at_most, 1e-6)
        yield absolute(f"test() again with nothing new, 100,000 samples: {name}", again[1:], 0.5, 1.0)


def absolute(what: str, taken: list[float], at_most: float, unit: float) -> Figure:
    """A row whose limit is a time: median ÷ unit."""
    middle = sorted(taken)[len(taken) // 2]
    return Figure(what, middle / unit, at_most / unit, middle, unit)


KILLED = """
import os, signal, sys
from tests.benchmarks import typed
import localreg
localreg.use(localreg.open(sys.argv[1]))
_, case, suite, model = typed.defined(typed.Guess)
count = 0
def infer(photo):
    global count
    count += 1
    if count == int(0.99 * typed.SAMPLES):
        os.kill(os.getpid(), signal.SIGKILL)
    return typed.one_label(photo)
localreg.workflow.test(model("model", infer), suite.load("suite"))
"""


def after_a_kill(bench: Bench) -> Iterator[Figure]:
    """A run that was killed at 99 % is run again."""
    taken = []
    for _ in range(bench.rounds):
        folder = bench.fresh()
        suite, model = filled(folder, Guess)
        killed = subprocess.run([sys.executable, "-c", KILLED, os.fspath(folder)], check=False)
        assert killed.returncode == -signal.SIGKILL
        asked = [0]

        def infer(photo: Photo, asked: list[int] = asked) -> Guess:
            asked[0] += 1
            return one_label(photo)

        taken.append(seconds(lambda: test(model("model", infer), suite)))  # noqa: B023 - called at once
        assert 0 < asked[0] < SAMPLES
    yield absolute("a run of 100,000 that was killed at 99 %, again", taken, 1.0, 1.0)


def typed_objects(bench: Bench) -> Figure:
    """Open a suite and walk through its typed objects, beside making the same objects from Arrow by hand."""
    folder = bench.fresh()
    filled(folder, Guess)
    store = localreg.open(folder)._session.store
    files = {table: [store.local_file(path) for path in store.list(f"data/{table}")] for table in TABLES}

    def ours() -> int:
        with localreg.use(localreg.open(folder)):
            suite = defined(Guess)[2].load("suite")
            return sum(1 for case in suite.test_cases for _ in case.iter_test_samples())

    return bench.compare(
        "opening a suite of 100,000 samples and walking its typed objects ÷ the same from Arrow by hand",
        ours,
        lambda: by_hand(files),
        at_most=2,
        times=3,
    )


TABLES = ("test_samples", "ground_truths")


PARTS = 200


def merged_parts(bench: Bench) -> Iterator[Figure]:
    """What one model version inferred in 200 goes, before its parts are merged and after."""
    folder, merged = bench.fresh(), bench.fresh()
    _, model = filled(folder, Guess)
    made = model("model")
    for begin in range(0, SAMPLES, SAMPLES // PARTS):
        numbers = range(begin, begin + SAMPLES // PARTS)
        made.record([{"locator": f"photos/{n}.png", "label": "cat", "score": n / SAMPLES} for n in numbers])
    shutil.copytree(folder, merged)
    begun = time.perf_counter()
    report = localreg.open(merged).compact()
    yield absolute(f"compact() of {report.parts_before} parts of 500 rows each", [time.perf_counter() - begun], 5, 1)
    for what, read in (("aligning", aligned), ("SQL over", counted)):
        after, before = (partial(read, localreg.open(each)) for each in (merged, folder))
        yield bench.compare(
            f"{what} 100,000 inferences in 200 parts, merged ÷ not", after, before, at_most=0.5, times=3
        )


def aligned(registry: localreg.Registry) -> int:
    """All inferences by sample."""
    session = registry._session
    state = session.state()
    (version,) = state.rows("model_version")
    found = Inferences(session, state, version.id, SAMPLES)
    column = defined(Guess)[3].workflow.types(state).inference
    return int(found.rows(column, np.arange(SAMPLES)).num_rows)


def counted(registry: localreg.Registry) -> int:
    """How many are above a score."""
    return len(registry.sql('SELECT count(*) AS n FROM "photos".inferences WHERE label.score > 0.5'))


def by_hand(files: dict[str, list[Path]]) -> list[tuple[Photo, Truth]]:
    """As a user would who knows the files: columns to Python, then objects, with the collector off as we have it."""
    (samples,), (truths,) = files["test_samples"], files["ground_truths"]
    sample = pq.read_table(samples, columns=["sample"])["sample"].combine_chunks()
    box = pq.read_table(truths, columns=["ground_truth"])["ground_truth"].combine_chunks().field("box")
    with without_collector():
        photos = map(Photo, sample.field("locator").to_pylist(), sample.field("width").to_pylist())
        corners = [
            zip(box.field(corner).field("x").to_pylist(), box.field(corner).field("y").to_pylist(), strict=True)
            for corner in ("top_left", "bottom_right")
        ]
        boxes = map(LabeledBoundingBox, corners[0], corners[1], box.field("label").to_pylist())
        return list(zip(photos, map(Truth, boxes), strict=True))
