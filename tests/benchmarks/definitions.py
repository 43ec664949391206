"""Running registered models: beside a bare pool, and beside a Python process that imports the same module."""

from __future__ import annotations

import multiprocessing
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import localreg
from localreg.definitions import check_definitions
from localreg.definitions.plan import Call, Hole, Plan
from localreg.definitions.worker.process import ModelProcess
from tests.benchmarks.harness import Bench, Figure, seconds

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


DEFINITIONS = 1_000
ENTRY = """
  - name: digits-{number}
    description: trained on the first {number} pictures
    version: "{number}"
    files:
      - {{name: weights, url: weights.npz, credentials: "${{BUCKET_KEY}}"}}
    runtime:
      image: python:3.11-slim
      device: gpu
      batch: {{max_size: 16}}
      load:
        entrypoint: inference:get_model
        inputs:
          - {{name: path, value: "${{model.files.weights.url}}"}}
        output: {{name: model}}
      predict:
        entrypoint: inference:predict
        inputs:
          - {{name: model, value: "${{model.runtime.load.output.model}}"}}
          - {{name: datapoints, value: "${{datapoints}}"}}
        output:
          keys: [boxes, classes, scores]
"""


def trivial(datapoints: list[int]) -> list[dict[str, object]]:
    return [{"label": "odd" if each % 2 else "even", "score": 0.5} for each in datapoints]


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    for chunk in CHUNKS:
        yield _predicted(bench, chunk)
    yield _loaded(bench)
    yield _loaded_by_name(bench)
    yield _checked(bench)


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


def _model(bench: Bench) -> tuple[Path, Path]:
    """A folder with the code of a model, and its weights."""
    import numpy as np

    folder = bench.fresh()
    folder.mkdir()
    weights = folder / "weights.npz"
    (folder / "inference.py").write_text(MODEL)
    np.savez(weights, coef=np.ones((2, 64)), intercept=np.zeros(2), classes=np.arange(2))
    return folder, weights


def _python(folder: Path, weights: Path) -> None:
    """A process that does what the model's does, and ends."""
    script = f"import inference; inference.get_model({str(weights)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)


def _loaded(bench: Bench) -> Figure:
    """From the start of the process until `load` has returned; both read the bytecode of what is installed."""
    folder, weights = _model(bench)
    plan = Plan(
        "digits",
        str(folder),
        Call("inference:get_model", {"path": str(weights)}),
        Call("inference:predict", {"model": Hole.LOADED, "datapoints": Hole.DATAPOINTS}),
    )
    # The end of each counts as well: it does for the other.
    return bench.compare(
        "loading, warm ÷ a Python process that imports the same module: the process alone",
        lambda: ModelProcess(plan, load_timeout_s=None, predict_timeout_s=None).close(),
        lambda: _python(folder, weights),
        at_most=1.5,
        times=3,
    )


def _loaded_by_name(bench: Bench) -> Figure:
    """From the name to the loaded model, in a registry that is open, with code that is in the cache."""
    folder, weights = _model(bench)
    registry = localreg.open(bench.fresh())
    runtime = {
        "load": {
            "entrypoint": "inference:get_model",
            "inputs": [{"name": "path", "value": "${model.files.weights.url}"}],
            "output": {"name": "model"},
        },
        "predict": {
            "entrypoint": "inference:predict",
            "inputs": [
                {"name": "model", "value": "${model.runtime.load.output.model}"},
                {"name": "datapoints", "value": "${datapoints}"},
            ],
        },
    }
    registry.create_model("digits").create_version("1", code=folder, files={"weights": weights}, runtime=runtime)
    return bench.compare(
        "loading a registered model by name, warm ÷ a Python process that imports the same module",
        lambda: registry.load("digits").close(),
        lambda: _python(folder, weights),
        at_most=1.5,
        times=3,
    )


def _checked(bench: Bench) -> Figure:
    """All that `localreg check` does but for starting Python: YAML, variables, keys, files, functions."""
    folder, _ = _model(bench)
    path = folder / "models.yaml"
    path.write_text("models:\n" + "".join(ENTRY.format(number=number) for number in range(DEFINITIONS)))
    took = statistics.median(seconds(lambda: check_definitions(path)) for _ in range(3 * bench.rounds))
    return Figure(f"checking a file of {DEFINITIONS:,} definitions, seconds", took, 1.0)
