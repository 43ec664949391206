"""The page of many curves: 50 series of 10,000 points, from the request to the document, without the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa

import localreg
from tests.benchmarks.harness import Bench, Figure, seconds
from tests.pages import Browser

SERIES, POINTS = 50, 10_000
LIMIT = 0.5
"""Seconds."""
HEAVIEST = 1.2e6
"""Bytes of the page."""


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    folder = filled(bench.fresh())
    browser = Browser(localreg.open(folder))
    ids = [row["id"] for row in localreg.open(folder).experiments(order_by="name")]
    turned = count(1)

    def first() -> None:
        """Experiments in an order that was not asked for before: nothing that was read is used again."""
        place = next(turned) % SERIES
        asked(experiment=ids[place:] + ids[:place])

    def asked(**query: object) -> int:
        answer = browser.get("/experiments/curves", key="loss", **query)
        assert answer.status == 200, answer.text
        return len(answer.body)

    first()  # imports
    what = f"/experiments/curves, {SERIES} series of {POINTS:,} points"
    yield _told(bench, f"{what}, first view, in seconds, of at most", first)
    weights = count(1)
    yield _told(
        bench,
        "the same, placed another way: smoothed, logarithmic, by time",
        lambda: asked(experiment=ids, smooth=f"0.{next(weights):03}", log=1, x="time"),
    )
    weight = asked(experiment=ids, smooth="0.9")
    yield Figure(f"bytes of it, of {HEAVIEST / 1e6:.1f} MB", weight / HEAVIEST, 1.0)


def _told(bench: Bench, what: str, act: Callable[[], object]) -> Figure:
    taken = float(np.median([seconds(act) for _ in range(2 * bench.rounds + 1)]))
    return Figure(what, taken / LIMIT, 1.0, taken, LIMIT)


def filled(folder: Path) -> Path:
    """A registry with experiments that log two metrics, with noise on them."""
    dice = np.random.default_rng(0)
    step = np.arange(POINTS)
    registry = localreg.open(folder)
    for number in range(SERIES):
        loss = 2.5 * np.exp(-step / (1_500 + 60 * number)) + 0.1 + dice.normal(0, 0.03, POINTS)
        points = {"step": step, "wallclock": 1.79e9 + step, "loss": loss, "accuracy": 1 - loss / 3}
        with registry.experiment(f"sweep {number:02}", params={"seed": number}, code=False) as experiment:
            experiment.log_table(pa.table(points))
    return folder
