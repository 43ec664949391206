"""Populations of (truth, a, b) whose metrics are known exactly, to draw samples from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Population:
    """Two models, right or wrong together more often than by chance, with the same habits of being wrong.

    Attributes:
        name: what is hard about it.
        share: (classes,), of each class in the ground truth.
        right: (2, classes), how often each model is right on a class.
        together: 0 = right and wrong independently of each other, 1 = as alike as the rates allow, -1 = as unlike.
        habits: (classes, classes), which class is said instead, rows sum to 1, nothing on the diagonal.
        same: how often two wrong models say the same wrong class because of what the sample shows.
    """

    name: str
    share: Floats
    right: Floats
    together: float
    habits: Floats
    same: float = 0.3

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.share)

    @property
    def equal(self) -> bool:
        """Whether neither model is better: they are wrong as often, with the same habits."""
        return bool((self.right[0] == self.right[1]).all())

    def confusion(self, model: int) -> Floats:
        """Probabilities (truth, predicted) of one model."""
        wrong = (1 - self.right[model])[:, None] * self.habits
        return np.asarray(self.share[:, None] * (wrong + np.diag(self.right[model])))

    def draw(self, n: int, generator: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Truth, a, b of n samples."""
        truth = np.searchsorted(np.cumsum(self.share)[:-1], generator.random(n), side="right")
        a, b = self.right
        most = np.minimum(a, b) if self.together > 0 else np.maximum(0, a + b - 1)
        both = a * b + abs(self.together) * (most - a * b)
        edges = np.stack([both, a, a + b - both])[:, truth]  # both right, then a alone, then b alone, then none
        luck = generator.random(n)
        right_a = luck < edges[1]
        right_b = (luck < edges[0]) | ((luck >= edges[1]) & (luck < edges[2]))
        wrong_a, wrong_b = self._wrong(truth, generator), self._wrong(truth, generator)
        wrong_b = np.where(generator.random(n) < self.same, wrong_a, wrong_b)
        return truth, np.where(right_a, truth, wrong_a), np.where(right_b, truth, wrong_b)

    def _wrong(self, truth: Ints, generator: np.random.Generator) -> Ints:
        edges = np.cumsum(self.habits, axis=1)[:, :-1]
        return np.asarray((generator.random((len(truth), 1)) >= edges[truth]).sum(axis=1))


def populations() -> list[Population]:
    """Those that the constants of the methods were chosen on: none of them uniform."""
    zipf = [1 / np.arange(1, classes + 1) for classes in (10, 50)]
    return [
        _population("2 classes, 1 % positive", [0.99, 0.01], [[0.985, 0.6], [0.99, 0.7]], 0.5),
        _population("2 classes, 30 : 70, much alike", [0.7, 0.3], [[0.92, 0.85], [0.92, 0.85]], 0.8),
        _population("2 classes, near-perfect", [0.6, 0.4], [[0.99, 0.985], [0.995, 0.99]], 0.5),
        _population(
            "5 classes, one of 1 %", [0.4, 0.3, 0.19, 0.1, 0.01], [[0.85] * 4 + [0.5], [0.88] * 4 + [0.4]], 0.5
        ),
        _population("5 classes, near-perfect", [0.4, 0.25, 0.2, 0.1, 0.05], [[0.985] * 5, [0.995] * 5], 0.3),
        _population("10 classes, 1/rank", zipf[0], [[0.8] * 10, [0.83] * 10], 0.5),
        _population("10 classes, poor and unlike", zipf[0], [np.linspace(0.6, 0.2, 10), [0.45] * 10], 0.0),
        _population("50 classes, long tail", zipf[1], [np.linspace(0.9, 0.4, 50), np.linspace(0.88, 0.55, 50)], 0.5),
        _population("50 classes, near-perfect", zipf[1] ** 0.5, [[0.98] * 50, [0.99] * 50], 0.5),
    ]


def held_out() -> list[Population]:
    """Those that nothing was chosen on: other classes, other errors, other likeness."""
    draw = np.random.default_rng(2026)
    tail = (1 / np.arange(1, 101)) ** 0.7
    mixed = draw.dirichlet(np.full(20, 2.0)) + 0.005
    astray = np.array([[0, 1, 0, 0], [0.9, 0, 0.1, 0], [0.9, 0.1, 0, 0], [1, 0, 0, 0]])  # nearly all to the first
    rare = _population("2 classes, 3 % positive, each its own errors", [0.97, 0.03], [[0.96, 0.8], [0.995, 0.55]], -0.5)
    return [
        _population("2 classes, 0.5 % positive", [0.995, 0.005], [[0.99, 0.5], [0.985, 0.7]], 0.7),
        rare,
        _population("2 classes, balanced, poor and unlike", [0.5, 0.5], [[0.7, 0.6], [0.65, 0.7]], -0.4),
        _population("3 classes, alike", [0.6, 0.35, 0.05], [[0.9, 0.8, 0.6], [0.93, 0.82, 0.5]], 0.9, same=0.7),
        _population(
            "4 classes, errors go one way", [0.4, 0.3, 0.2, 0.1], [[0.95, 0.7, 0.8, 0.6], [0.9, 0.85, 0.8, 0.7]], 0.4,
            habits=astray,
        ),
        _population(
            "7 classes, two of 0.5 %", [0.35, 0.25, 0.19, 0.12, 0.08, 0.005, 0.005],
            [[0.9, 0.85, 0.9, 0.8, 0.85, 0.6, 0.3], [0.93, 0.86, 0.87, 0.84, 0.85, 0.4, 0.6]], 0.6,
        ),
        _population("8 classes, near-perfect but one", [1] * 8, [[0.995] * 7 + [0.7], [0.99] * 7 + [0.85]], 0.3),
        _population("12 classes, equal models", draw.dirichlet(np.full(12, 1.5)) + 0.01, [[0.75] * 12] * 2, 0.2),
        _population(
            "20 classes, errors anywhere", mixed, [draw.uniform(0.7, 0.98, 20), draw.uniform(0.75, 0.98, 20)], 0.4,
            habits=draw.dirichlet(np.full(20, 0.3), 20), same=0.6,
        ),
        _population("100 classes, long tail", tail, [draw.uniform(0.4, 0.8, 100), draw.uniform(0.5, 0.85, 100)], 0.3),
    ]  # fmt: skip


def _population(
    name: str, share: object, right: object, together: float, *, habits: Floats | None = None, same: float = 0.3
) -> Population:
    """Without habits wrong answers go mostly to the neighbouring classes and to frequent ones."""
    weights = np.asarray(share, dtype=np.float64)
    weights = weights / weights.sum()
    place = np.arange(len(weights))
    wrong = np.exp(-np.abs(place[:, None] - place)) + weights if habits is None else habits.copy()
    np.fill_diagonal(wrong, 0)
    wrong = wrong / wrong.sum(axis=1)[:, None]
    return Population(name, weights, np.asarray(right, dtype=np.float64), together, wrong, same)
