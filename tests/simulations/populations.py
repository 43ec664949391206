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
        together: 0 = right and wrong independently of each other, 1 = as alike as the rates allow.
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

    def confusion(self, model: int) -> Floats:
        """Probabilities (truth, predicted) of one model."""
        wrong = (1 - self.right[model])[:, None] * self.habits
        return np.asarray(self.share[:, None] * (wrong + np.diag(self.right[model])))

    def draw(self, n: int, generator: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Truth, a, b of n samples."""
        truth = np.searchsorted(np.cumsum(self.share)[:-1], generator.random(n), side="right")
        a, b = self.right
        both = a * b + self.together * (np.minimum(a, b) - a * b)
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
    """What the coverage is told for: none of them uniform."""
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


def _population(name: str, share: object, right: object, together: float) -> Population:
    """Wrong answers go mostly to the neighbouring classes and to frequent ones."""
    weights = np.asarray(share, dtype=np.float64)
    weights = weights / weights.sum()
    place = np.arange(len(weights))
    habits = np.exp(-np.abs(place[:, None] - place)) + weights
    np.fill_diagonal(habits, 0)
    return Population(
        name, weights, np.asarray(right, dtype=np.float64), together, habits / habits.sum(axis=1)[:, None]
    )
