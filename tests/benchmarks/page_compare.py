"""The page that compares two models of a million samples each: what a browser waits for before it shows anything.

Requests go through the application as they would, without the network. Each is the first of its question: the page
keeps comparisons, so what is measured asks a new one each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

import localreg
from tests.benchmarks import compare
from tests.benchmarks.harness import Bench, Figure, seconds
from tests.pages import Browser

ROWS = 1_000_000
CASES = 8
LIMIT = 1.0
"""Seconds."""


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    browser = Browser(localreg.open(filled(bench.fresh(), ROWS)))
    confidence = count(1)
    asked = {"model": ["a", "b"], "suite": "cases", "by": "weather"}

    def first() -> None:
        """A question that was not asked before: of another confidence."""
        answer = browser.get("/compare", **asked, confidence=f"{0.95 - next(confidence) / 1e6:.6f}")
        assert answer.status == 200, answer.text

    first()  # imports
    what = f"{ROWS / 1e6:.0f}M x 2 in {CASES} test cases"
    yield _told(bench, f"/compare of {what}, {compare.SLICES} slices, first view, in seconds, of at most", first)
    last = {**asked, "confidence": f"{0.95 - (next(confidence) - 1) / 1e6:.6f}"}
    yield _told(bench, "the same page once more", lambda: browser.get("/compare", **last))
    gallery = {**last, "outcome": "broken"}
    browser.get("/compare/samples", **gallery)
    yield _told(bench, "a page of its samples", lambda: browser.get("/compare/samples", **gallery, page=7))
    where = {**gallery, "where": "sample.weather = 'weather 3'"}
    yield _told(bench, "a page of those that fit a condition", lambda: browser.get("/compare/samples", **where))


def _told(bench: Bench, what: str, act: object) -> Figure:
    assert callable(act)
    taken = float(np.median([seconds(act) for _ in range(2 * bench.rounds + 1)]))
    return Figure(what, taken / LIMIT, 1.0, taken, LIMIT)


def filled(folder: Path, rows: int) -> Path:
    """A registry whose suite has several test cases, after some runs of two models."""
    dice = np.random.default_rng(0)
    truth = dice.integers(0, 10, rows).astype(np.int16)
    weather = dice.integers(0, compare.SLICES, rows).astype(np.int16)
    made = compare.Made(folder, truth, weather, {}, 10)
    with localreg.use(localreg.open(folder)):
        suite = compare.Suite("cases")
        for number, part in enumerate(np.array_split(np.arange(rows), CASES)):
            suite.add(compare._samples(made, part), f"case {number}")
        for number, name in enumerate("ab"):
            right = 0.80 + number / 100
            made.said[name] = compare._recorded(compare.Model(name), made, np.random.default_rng(number + 1), right)
    return folder
