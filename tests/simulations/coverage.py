"""How often intervals of 95 % hold the true difference, by simulation, printed as the Markdown tables of the README.

Run `python -m tests.simulations.coverage [--repetitions N] [--only TEXT] [--processes N] [--published]`.

Counting metrics of labels (this module) on the populations that the methods' constants were chosen on and on others;
and all other families of metrics (`cases`, `families`), with how often p falls below 0.05 where both models are equally
good. Each population has a row; a last table, which the README quotes, has the worst of them.

The truth of a metric over all classes is that of the population, averaged over the classes that occur in the sample as
`compare_counts` does it: classes without ground truth count 0. Where no interval is given and the reason is told (a
ground truth of one class), there is nothing to hold. A class counts where its difference is defined, and at least in a
tenth of the repetitions. `--published` tells what the methods as published would hold: the plain jackknife, and per
class the delta method with 0.25 added around the plain difference.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from localreg.statistics import JointCounts, compare_counts, joint_counts
from localreg.statistics.distributions import t_quantile
from localreg.statistics.jackknife import Pair
from localreg.statistics.marginals import Marginals
from localreg.statistics.per_class import PER_CLASS, ClassTables, quotients
from tests.simulations.cases import CLUSTERS, all_cases
from tests.simulations.families import FAMILY_HEAD, LEVEL, SUMMARY_HEAD, FamilyRow, family_rows, family_summary, mapped
from tests.simulations.populations import Population, held_out, populations

Floats = NDArray[np.float64]

OVERALL = (
    "accuracy", "balanced_accuracy", "precision_macro", "recall_macro", "f1_macro", "specificity_macro", "f1_weighted",
    "precision_weighted", "matthews_corrcoef", "cohen_kappa",
)  # fmt: skip
SIZES = (50, 100, 200, 1_000, 5_000)


@dataclass
class Tally:
    """How often intervals were given, and held the truth: by (way, metric), and by (way, metric, class)."""

    given: dict[tuple[object, ...], int] = field(default_factory=dict)
    held: dict[tuple[object, ...], int] = field(default_factory=dict)

    def add(self, key: tuple[object, ...], low: float, truth: float, high: float) -> None:
        """One interval."""
        self.given[key] = self.given.get(key, 0) + 1
        self.held[key] = self.held.get(key, 0) + (low - 1e-12 <= truth <= high + 1e-12)

    def shares(self, way: str, length: int, least: float) -> list[tuple[float, tuple[object, ...]]]:
        """Coverage in per cent of what was given often enough."""
        return [
            (100 * self.held[key] / given, key)
            for key, given in self.given.items()
            if key[0] == way and len(key) == length and given >= least
        ]


def true_values(population: Population, model: int, pair: Pair) -> dict[str, float]:
    """Of a model in the population, averaged over the classes with ground truth that a sample shows."""
    confusion = population.confusion(model)
    hits, support, predicted = np.diag(confusion).copy(), confusion.sum(axis=1), confusion.sum(axis=0)
    true = pair.a.in_truth
    values = {metric: float(value) for metric, value in Marginals(hits, support, predicted, true).values().items()}
    of_classes = quotients(hits, support, predicted, 1.0)
    for metric in ("precision", "recall", "f1", "specificity"):
        above, below = of_classes[metric]
        values[f"{metric}_macro"] = float((above / below)[true].mean())
    values["balanced_accuracy"] = values["recall_macro"]
    return values


def class_values(population: Population, model: int) -> dict[str, Floats]:
    """Of each class in the population."""
    confusion = population.confusion(model)
    found = quotients(np.diag(confusion).copy(), confusion.sum(axis=1), confusion.sum(axis=0), 1.0)
    return {metric: above / below for metric, (above, below) in found.items()}


def simulate(population: Population, n: int, repetitions: int, seed: int, *, published: bool = False) -> Tally:
    """Draw, compare, look whether the truth is in the interval; also of the methods as published, if they are asked."""
    generator = np.random.default_rng([seed, n, *population.name.encode()])
    tally = Tally()
    classes = [class_values(population, model) for model in (0, 1)]
    for _ in range(repetitions):
        joint = joint_counts(*population.draw(n, generator), classes=population.classes)
        pair = Pair.of(joint)
        truths = [true_values(population, model, pair) for model in (0, 1)]
        for each in compare_counts(joint, metrics=(*OVERALL, *PER_CLASS)):
            if each.low is None or each.high is None:
                continue
            if each.label is None:
                a, b = (truth[each.metric] for truth in truths)
            else:
                a, b = (float(model[each.metric][each.label]) for model in classes)
            key: tuple[object, ...] = (each.metric,) if each.label is None else (each.metric, each.label)
            tally.add(("after", *key), each.low, b - a, each.high)
            if population.equal and each.p is not None:
                tally.add(("alarm", *key), 0.0, each.p, LEVEL)
            if each.a_low is not None and each.a_high is not None:
                tally.add(("single", *key), each.a_low, a, each.a_high)
        if published:
            before(tally, joint, pair, truths, classes)
    return tally


def before(
    tally: Tally, joint: JointCounts, pair: Pair, truths: list[dict[str, float]], classes: list[dict[str, Floats]]
) -> None:
    """What the published methods say."""
    n, t = joint.n, t_quantile(0.975, joint.n - 1)
    if pair.a.in_truth.sum() > 1:
        step = np.full(len(joint.truth), -1.0)
        left = [model.shifted(joint.truth, said, step) for model, said in ((pair.a, joint.a), (pair.b, joint.b))]
        values = pair.a.values(), pair.b.values()
        for metric in OVERALL:
            change = left[1][metric] - left[0][metric]
            mean = float(joint.count @ change) / n
            half = t * np.sqrt((n - 1) / n * float(joint.count @ (change - mean) ** 2))
            difference = float(values[1][metric] - values[0][metric])
            truth = truths[1][metric] - truths[0][metric]
            tally.add(("before", metric), difference - half, truth, difference + half)
    tables = ClassTables.of(joint)
    a, b, variances = tables.values(0), tables.values(1), tables.smoothed(0.25).variances()
    for metric in PER_CLASS:
        differences, halves = b[metric] - a[metric], t_quantile(0.975, float("inf")) * np.sqrt(variances[metric])
        for label in np.flatnonzero(~np.isnan(differences)):
            difference, half = float(differences[label]), float(halves[label])
            truth = float(classes[1][metric][label] - classes[0][metric][label])
            tally.add(("before", metric, int(label)), difference - half, truth, difference + half)


@dataclass(frozen=True)
class Row:
    """One row of the table of labels."""

    kind: str
    population: Population
    n: int
    tally: Tally
    repetitions: int

    def cells(self) -> list[str]:
        """Lowest coverage, and highest of what is over all classes."""
        cells = [self.kind, self.population.name, f"{self.n:,}"]
        for way in ("before", "after"):
            overall, of_class = self.shares(way, 2), self.shares(way, 3)
            if overall or way == "after":
                cells.append(f"{overall[0]:.1f} to {overall[-1]:.1f}" if overall else "-")
                cells.append(f"{of_class[0]:.1f}" if of_class else "-")
        alarms = sorted([*self.shares("alarm", 2), *self.shares("alarm", 3)])
        return [*cells, f"{alarms[0]:.1f} to {alarms[-1]:.1f}" if alarms else "-"]

    def shares(self, way: str, length: int) -> list[float]:
        """Coverage of metrics, rising."""
        return sorted(share for share, _ in self.tally.shares(way, length, self.repetitions / 10))

    def breaches(self) -> list[str]:
        """What falls short of the goals."""
        low, high = (93.5, 96.5) if self.n >= 1_000 else (89.0, 100.0)
        found = [
            (share, key)
            for share, key in self.tally.shares("after", 2, self.repetitions / 10)
            if not low <= share <= high
        ]
        found += [(share, key) for share, key in self.tally.shares("after", 3, self.repetitions / 10) if share < 93.0]
        return [f"{self.population.name}, n = {self.n:,}: {_named(key[1:])} {share:.1f}" for share, key in found]


def _named(key: tuple[object, ...]) -> str:
    return str(key[0]) if len(key) == 1 else f"{key[0]} of class {key[1]}"


HEAD = ("populations", "population", "n", "overall", "per class", "p < 0.05 of equal models")


def rows(
    only: str, sizes: tuple[int, ...], repetitions: int, processes: int, seed: int = 0, *, published: bool = False
) -> Iterator[Row]:
    """The table of labels, row by row."""
    kinds = (("chosen on", populations()), ("held out", held_out()))
    chosen = [(kind, each, n) for kind, all_ in kinds for each in all_ if only in each.name for n in sizes]
    yield from mapped(partial(_row, repetitions=repetitions, seed=seed, published=published), chosen, processes)


def _row(chosen: tuple[str, Population, int], repetitions: int, seed: int, published: bool) -> Row:
    kind, population, n = chosen
    tally = simulate(population, n, repetitions, seed, published=published)
    return Row(kind, population, n, tally, repetitions)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3_000, help="3,000 leave an error of 0.4 points")
    parser.add_argument("--only", default="", help="only populations with this in their names")
    parser.add_argument("--family", default="", help="labels, or only families with this in their names")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="samples, with commas")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--published", action="store_true", help="also the methods as published")
    given = parser.parse_args()
    sizes = tuple(int(size) for size in given.sizes.split(","))
    labels: list[Row] = []
    families: list[FamilyRow] = []
    if given.family in "labels":
        head = (*HEAD[:3], "overall, published", "per class, published", *HEAD[3:]) if given.published else HEAD
        print(f"| {' | '.join(head)} |\n|---|---|{'--:|' * (len(head) - 2)}")
        for row in rows(given.only, sizes, given.repetitions, given.processes, published=given.published):
            print(f"| {' | '.join(row.cells())} |", flush=True)
            labels.append(row)
    if given.family != "labels":
        print(f"\n| {' | '.join(FAMILY_HEAD)} |\n|---|---|--:|---|---|--:|")
        chosen = [
            each for each in all_cases(sizes, CLUSTERS) if given.only in each.population and given.family in each.family
        ]
        for found in family_rows(chosen, given.repetitions, given.processes):
            print(f"| {' | '.join(found.cells())} |", flush=True)
            families.append(found)
    print(f"\n| {' | '.join(SUMMARY_HEAD)} |\n|---|--:|---|---|---|")
    for cells in (*summary(labels), *family_summary(families)):
        print(f"| {' | '.join(cells)} |")
    short = [breach for each in labels for breach in each.breaches()]
    short += [breach for each in families for breach in each.breaches()]
    print("\n" + ("\n".join(["Short of the goals:", *short]) if short else "All goals are met."))


def summary(found: Sequence[Row]) -> Iterator[list[str]]:
    """The worst of all populations, by their kind and the number of samples."""
    for kind, n in dict.fromkeys((row.kind, row.n) for row in found):
        rows = [row for row in found if (row.kind, row.n) == (kind, n)]
        overall, of_class = (
            sorted(share for row in rows for share in row.shares("after", length)) for length in (2, 3)
        )
        worst = f"{of_class[0]:.1f}" if of_class else "-"
        alarms = sorted(share for row in rows for length in (2, 3) for share in row.shares("alarm", length))
        false = f"{alarms[0]:.1f} to {alarms[-1]:.1f}" if alarms else "-"
        yield [f"labels, {kind}", f"{n:,}", f"{overall[0]:.1f} to {overall[-1]:.1f}", worst, false]


if __name__ == "__main__":
    main()
