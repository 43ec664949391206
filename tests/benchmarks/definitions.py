"""Running registered models: beside a bare pool, and beside a Python process that imports the same module."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from localreg.definitions.plan import Call, Hole, Plan
from localreg.definitions.worker.process import ModelProcess
from tests.benchmarks.harness import Bench, Figure

SAMPLES = 100_000
CHUNKS = (16, 1_000)
"""How many samples a call of predict is given."""

MODEL = """
import numpy as np
from sklearn.linear_model import LogisticRegression


def get_model(path):
    weights = np.load(path)
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = weights["coef"], weights["intercept"], weights["classes"]
    return model


def predict(model, datapoints):
    return list(model.predict(np.asarray(datapoints)))
"""


def trivial(datapoints: list[int]) -> list[dict[str, object]]:
    return [{"label": "odd" if each % 2 else "even", "score": 0.5} for each in datapoints]


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    for chunk in CHUNKS:
        yield _predicted(bench, chunk)
    yield _loaded(bench)


def _predicted(bench: Bench, chunk: int) -> Figure:
    """Both are started before, and are one process each."""
    plan = Plan(
        "trivial",
        str(Path(__file__).parents[2]),
        None,
        Call(f"{__name__}:trivial", {"datapoints": Hole.DATAPOINTS}),
        keys=("label", "score"),
        max_size=chunk,
    )
    chunks = [list(range(begin, min(begin + chunk, SAMPLES))) for begin in range(0, SAMPLES, chunk)]
    worker = ModelProcess(plan, load_timeout_s=None, predict_timeout_s=60)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        figure = bench.compare(
            f"{SAMPLES:,} samples through predict in a worker process ÷ multiprocessing pool, same chunks of {chunk:,}",
            lambda: _all(worker.predict(chunks)),
            lambda: _all(pool.imap(trivial, chunks)),
            at_most=1.3,
            times=3,
        )
    worker.close()
    return figure


def _all(predictions: Iterator[list[object]] | Iterator[list[dict[str, object]]]) -> None:
    assert sum(map(len, predictions)) == SAMPLES


def _loaded(bench: Bench) -> Figure:
    """From the start of the process until `load` has returned; both read the bytecode of what is installed."""
    import numpy as np

    folder = bench.fresh()
    folder.mkdir()
    weights = folder / "weights.npz"
    (folder / "inference.py").write_text(MODEL)
    np.savez(weights, coef=np.ones((2, 64)), intercept=np.zeros(2), classes=np.arange(2))
    plan = Plan(
        "digits",
        str(folder),
        Call("inference:get_model", {"path": str(weights)}),
        Call("inference:predict", {"model": Hole.LOADED, "datapoints": Hole.DATAPOINTS}),
    )
    workers: list[ModelProcess] = []
    script = f"import inference; inference.get_model({str(weights)!r})"

    def ours() -> None:
        while workers:  # the end of the one before counts as well: it does for the other
            workers.pop().close()
        workers.append(ModelProcess(plan, load_timeout_s=None, predict_timeout_s=None))

    figure = bench.compare(
        "loading, warm ÷ a Python process that imports the same module",
        ours,
        lambda: subprocess.run([sys.executable, "-c", script], cwd=folder, check=True),
        at_most=1.5,
        times=3,
    )
    workers.pop().close()
    return figure
