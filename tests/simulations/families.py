"""How often intervals hold the true difference, and p falls below 0.05 where there is none, family by family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from localreg.statistics import Estimate
from tests.simulations.cases import Case

LEVEL = 0.05


@dataclass
class Held:
    """Of one metric: how many intervals there were, and what became of them."""

    given: int = 0
    held: int = 0
    tested: int = 0
    rejected: int = 0

    def add(self, estimate: Estimate, truth: float | None) -> None:
        """One estimate."""
        if estimate.low is not None and estimate.high is not None and truth is not None:
            self.given += 1
            self.held += estimate.low - 1e-12 <= truth <= estimate.high + 1e-12
        if estimate.p is not None:
            self.tested += 1
            self.rejected += estimate.p < LEVEL


@dataclass(frozen=True)
class FamilyRow:
    """One row of the table."""

    case: Case
    repetitions: int
    found: dict[str, Held] = field(default_factory=dict)

    def coverage(self) -> dict[str, float]:
        """Per cent, of each metric that had an interval in a tenth of the repetitions or more."""
        there = {name: each for name, each in self.found.items() if 10 * each.given >= max(10, self.repetitions)}
        return {name: 100 * each.held / each.given for name, each in there.items()}

    def rejected(self) -> dict[str, float]:
        """Per cent, of each metric that had a p-value."""
        return {name: 100 * each.rejected / each.tested for name, each in self.found.items() if each.tested}

    def breaches(self) -> list[str]:
        """What falls short of the goals: coverage, and false alarms beyond the luck of the repetitions."""
        many, noise = self.case.n >= 1_000, 2.5 * (100 * LEVEL * (100 - 100 * LEVEL) / self.repetitions) ** 0.5
        low, high = (93.5, 96.5) if many else (89.0, 100.0)
        found = [(name, share) for name, share in self.coverage().items() if not low <= share <= high]
        alarms = self.rejected().items() if self.case.equal else ()
        too_many = [(f"p < 0.05 of {name}", share) for name, share in alarms if share > 100 * LEVEL + noise]
        what = f"{self.case.family}, {self.case.population}, n = {self.case.n:,}"
        return [f"{what}: {name} {share:.1f}" for name, share in [*found, *too_many]]

    def cells(self) -> list[str]:
        """Of the table."""
        alarms = self.rejected() if self.case.equal else {}
        ranges = [_range(self.coverage()), _range(alarms)]
        return [self.case.family, self.case.population, f"{self.case.n:,}", *ranges, f"{self.repetitions:,}"]


def _range(shares: dict[str, float]) -> str:
    if not shares:
        return "-"
    (least, low), *_, (most, high) = sorted((value, name) for name, value in [*shares.items()] * 2)
    return f"{least:.1f} ({low}) to {most:.1f} ({high})" if least < most else f"{least:.1f} ({low})"


def simulated(case: Case, repetitions: int, seed: int, *, size: int | None = None) -> FamilyRow:
    """Draw, compare, look whether the truth, which is that of `size` samples, is in the interval."""
    large = case.large(case.size if size is None else size, np.random.default_rng([seed, 1]))
    truth = {each.metric: each.difference for each in large}
    if case.equal:
        truth = dict.fromkeys(truth, 0.0)
    generator = np.random.default_rng([seed, case.n, *f"{case.family}{case.population}".encode()])
    row = FamilyRow(case, max(1, round(repetitions * case.share)))
    for _ in range(row.repetitions):
        for each in case.compared(case.n, generator):
            if each.label is None:
                row.found.setdefault(each.metric, Held()).add(each, truth.get(each.metric))
    return row


FAMILY_HEAD = ("metrics", "population", "n", "interval holds the truth", "p < 0.05 of equal models", "repetitions")


def family_rows(cases: Sequence[Case], repetitions: int, processes: int, seed: int = 0) -> Iterator[FamilyRow]:
    """The table, row by row."""
    yield from mapped(partial(simulated, repetitions=repetitions, seed=seed), cases, processes)


SUMMARY_HEAD = ("metrics", "n", "interval holds the truth", "of a class", "p < 0.05 of equal models")
OF_CLASS = "AP of a class"


def family_summary(found: Sequence[FamilyRow]) -> Iterator[list[str]]:
    """The worst of all populations, by family and the number of samples or clusters."""
    for family, n in dict.fromkeys((row.case.family, row.case.n) for row in found):
        rows = [row for row in found if (row.case.family, row.case.n) == (family, n)]
        shares = [item for row in rows for item in row.coverage().items()]
        overall = sorted(share for name, share in shares if name != OF_CLASS)
        of_class = sorted(share for name, share in shares if name == OF_CLASS)
        alarms = sorted(share for row in rows if row.case.equal for share in row.rejected().values())
        yield [
            family,
            f"{n:,}",
            f"{overall[0]:.1f} to {overall[-1]:.1f}" if overall else "-",
            f"{of_class[0]:.1f}" if of_class else "-",
            f"{alarms[0]:.1f} to {alarms[-1]:.1f}" if alarms else "-",
        ]


GivenT = TypeVar("GivenT")
MadeT = TypeVar("MadeT")


def mapped(work: Callable[[GivenT], MadeT], items: Sequence[GivenT], processes: int) -> Iterator[MadeT]:
    """In order, in so many processes."""
    if processes == 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(work, items)
