"""A million predictions of two models, from tables: recorded, queried, compared.

The pictures are those of scikit-learn's handwritten digits, each seen a few hundred times with other noise on it, as a
test rig would see them; two models of scikit-learn say what they read. Nothing is inferred by localreg here: what was
predicted elsewhere comes as Arrow tables, batch by batch.

Run it with a folder for the registry, and perhaps the number of rows: python examples/bulk.py [FOLDER] [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import localreg
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow

TRAINED = 898
BATCH = 50_000


@dataclass(frozen=True)
class Shot(TestSample):
    """A picture of a digit."""

    locator: str


@dataclass(frozen=True)
class Digit(GroundTruth):
    """What stands on it."""

    label: str


@dataclass(frozen=True)
class Reading(Inference):
    """What a model reads, and how sure it is."""

    label: ScoredLabel


_, TestCase, TestSuite, Model = define_workflow("Shots", Shot, Digit, Reading)


def main() -> None:
    """Record, query, compare."""
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    registry = localreg.open(folder)
    localreg.use(registry)
    suite = TestSuite("shots")
    report = suite.add(truths(rows), metadata=["noise"])
    print(f"shots: {report.rows:,} rows, {report.invalid} of them invalid")
    digits = load_digits()
    train, target = digits.data[:TRAINED], digits.target[:TRAINED]
    for name, model in (("bayes", GaussianNB()), ("regression", LogisticRegression(max_iter=2000))):
        model.fit(train, target)
        report = Model(name).record(predictions(model, rows), on="locator", suite=suite)
        print(f"{name}: {report.rows:,} rows, {report.invalid} of them invalid")
    query = """SELECT model, t.metadata->>'noise' AS noise, round(avg((i.label.label = g.label)::INT), 3) AS accuracy
        FROM "Shots".inferences i JOIN "Shots".ground_truths g USING (sample_idx) JOIN test_samples t USING (sample_idx)
        GROUP BY ALL ORDER BY ALL"""
    print(registry.sql(query))
    print(registry.compare("bayes", "regression", suite="shots"))


def shots(begin: int, end: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The pictures of some rows, (n, 64) with noise by the number of the row, and what stands on them."""
    digits = load_digits()
    numbers = np.arange(begin, end)
    places = TRAINED + numbers % (len(digits.data) - TRAINED)
    noise = np.random.default_rng(begin).normal(0, noise_of(numbers)[:, None], (len(numbers), 64))
    return digits.data[places] + noise, digits.target[places]


def noise_of(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How much noise is on each picture: 0 to 3 of 16 shades."""
    return (numbers // 1_000 % 4).astype(float)


def locators(begin: int, end: int) -> pa.Array:
    """A name for each picture."""
    return pc.binary_join_element_wise("shots/", pa.array(range(begin, end)).cast(pa.string()), ".png", "")


def truths(rows: int) -> Iterator[pa.Table]:
    """Batches of samples with their ground truths."""
    for begin in range(0, rows, BATCH):
        end = min(begin + BATCH, rows)
        labels = pa.array(shots(begin, end)[1]).cast(pa.string())
        noise = noise_of(np.arange(begin, end))
        yield pa.table({"locator": locators(begin, end), "label": labels, "noise": noise})


def predictions(model: Any, rows: int) -> Iterator[pa.Table]:
    """Batches of what a model says, each shuffled."""
    for begin in range(0, rows, BATCH):
        end = min(begin + BATCH, rows)
        likely = model.predict_proba(shots(begin, end)[0])
        columns = {
            "locator": locators(begin, end),
            "label": pa.array(likely.argmax(axis=1)).cast(pa.string()),
            "score": likely.max(axis=1),
        }
        yield pa.table(columns).take(np.random.default_rng(begin).permutation(end - begin))


if __name__ == "__main__":
    main()
