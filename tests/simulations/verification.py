"""How often do the intervals of FNMR at an FMR, and of the equal error rate, hold the true difference?

Run as `python -m tests.simulations.verification [repetitions]`. Scores of two models are correlated, and higher for
genuine pairs; the truth comes from ten million pairs. Of 400 repetitions (an error of 1.1 points), in per cent:

| population | genuine | impostors | accepted impostors | FNMR at FMR | EER |
|---|--:|--:|--:|--:|--:|
| normal, 1 accepted | 500 | 1,000 | 1 | 93.8 | 95.0 |
| normal, 5 accepted | 500 | 5,000 | 5 | 98.0 | 94.5 |
| normal, 20 accepted | 500 | 20,000 | 20 | 94.8 | 93.5 |
| normal, 50 accepted | 2,000 | 5,000 | 50 | 96.5 | 95.5 |
| normal, few genuine | 100 | 5,000 | 50 | 96.0 | 95.0 |
| normal, near-perfect | 300 | 3,000 | 30 | 100.0 | 95.5 |
| normal, rounded to 1 digit | 1,000 | 5,000 | 50 | 94.5 | 95.0 |
| heavy tails | 1,000 | 10,000 | 50 | 94.5 | 96.0 |
| skewed | 1,000 | 10,000 | 50 | 95.8 | 95.8 |
| 100 identities of 30 pairs | 1,000 | 2,000 | 20 | 96.2 | 95.5 |
| 30 identities of 100 pairs | 1,000 | 2,000 | 20 | 97.0 | 95.0 |
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from localreg.metrics.verification import Comparisons, comparisons
from localreg.statistics.error_rates import PairScores, told_of_draws

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

REPETITIONS = 1_000
DRAWS = 200
RATES = ("fnmr_at_fmr", "equal_error_rate")
MANY = 5_000_000


@dataclass(frozen=True)
class Pairs:
    """Where pairs come from.

    Attributes:
        name: what is special about it.
        genuine: how many genuine pairs.
        impostors: how many others.
        apart: by how much genuine pairs score higher, by model.
        target: the FMR.
        noise: of what a pair shows, and of each model.
        decimals: to which scores are rounded; None = not.
        cluster: pairs of one identity, that share a part of their scores; 1 = all are by themselves.
    """

    name: str
    genuine: int
    impostors: int
    apart: tuple[float, float]
    target: float
    noise: Draw = lambda generator, n: generator.normal(size=n)
    decimals: int | None = None
    cluster: int = 1

    def draw(self, generator: np.random.Generator, genuine: int, impostors: int) -> tuple[NDArray[np.bool_], Floats]:
        """Which pairs are genuine, and (2, n) scores."""
        n = genuine + impostors
        is_genuine = np.arange(n) < genuine
        shared = 0.7 * self.noise(generator, n)
        if self.cluster > 1:
            shared += np.repeat(0.5 * generator.normal(size=-(-n // self.cluster)), self.cluster)[:n]
        scores = np.stack([shared + 0.7 * self.noise(generator, n) + each * is_genuine for each in self.apart])
        return is_genuine, scores if self.decimals is None else np.round(scores, self.decimals)

    @cached_property
    def truth(self) -> Floats:
        """The differences, of ten million pairs."""
        is_genuine, scores = self.draw(np.random.default_rng(0), MANY, MANY)
        values = np.array([_values(comparisons(is_genuine, each), self.target) for each in scores])
        return np.asarray(values[1] - values[0])

    def held(self, seed: int) -> list[bool]:
        """Whether the intervals of one repetition hold the truth."""
        is_genuine, scores = self.draw(np.random.default_rng([1, seed]), self.genuine, self.impostors)
        groups = np.arange(len(is_genuine)) // self.cluster if self.cluster > 1 else None
        pairs = PairScores(is_genuine, *scores, groups=groups)
        every = np.ones(len(is_genuine), bool)
        drawn = pairs.drawn(every, RATES, target=self.target, draws=DRAWS)
        a, b = (_values(comparisons(is_genuine, each), self.target) for each in scores)
        found = []
        for place, metric in enumerate(RATES):
            values, trials = (a[place], b[place]), self.genuine if place == 0 else None
            it = told_of_draws(
                metric, values, drawn[:, :, place], n=len(every), trials=trials, clusters=pairs.units(every)
            )
            found.append(it.low is not None and it.high is not None and it.low <= self.truth[place] <= it.high)
        return found


def _values(found: Comparisons, target: float) -> list[float]:
    at, equal = found.at_fmr(target), found.equal_error_rate()
    assert at.fnmr is not None, "the target can be measured"
    assert equal is not None, "there are pairs of both kinds"
    return [at.fnmr, equal.rate]


def _heavy(generator: np.random.Generator, n: int) -> Floats:
    return np.asarray(generator.standard_t(5, size=n))


def _skewed(generator: np.random.Generator, n: int) -> Floats:
    return np.asarray(generator.exponential(size=n))


POPULATIONS = (
    Pairs("normal, 1 accepted", 500, 1_000, (3.5, 3.8), 0.001),
    Pairs("normal, 5 accepted", 500, 5_000, (4.0, 4.2), 0.001),
    Pairs("normal, 20 accepted", 500, 20_000, (4.0, 4.2), 0.001),
    Pairs("normal, 50 accepted", 2_000, 5_000, (3.0, 3.0), 0.01),
    Pairs("normal, few genuine", 100, 5_000, (3.0, 3.5), 0.01),
    Pairs("normal, near-perfect", 300, 3_000, (5.0, 5.2), 0.01),
    Pairs("normal, rounded to 1 digit", 1_000, 5_000, (3.0, 3.2), 0.01, decimals=1),
    Pairs("heavy tails", 1_000, 10_000, (4.0, 4.4), 0.005, noise=_heavy),
    Pairs("skewed", 1_000, 10_000, (4.0, 4.4), 0.005, noise=_skewed),
    Pairs("100 identities of 30 pairs", 1_000, 2_000, (3.0, 3.3), 0.01, cluster=30),
    Pairs("30 identities of 100 pairs", 1_000, 2_000, (3.0, 3.3), 0.01, cluster=100),
)


def main(repetitions: int = REPETITIONS) -> None:
    """Print the table."""
    print("| population | genuine | impostors | accepted impostors | FNMR at FMR | EER |")
    print("|---|--:|--:|--:|--:|--:|")
    for each in POPULATIONS:
        held = np.mean([each.held(seed) for seed in range(repetitions)], axis=0)
        accepted = each.target * each.impostors
        shown = " | ".join(f"{100 * share:.1f}" for share in held)
        print(f"| {each.name} | {each.genuine:,} | {each.impostors:,} | {accepted:g} | {shown} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
