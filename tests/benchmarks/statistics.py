"""What intervals cost on top of the numbers: counting metrics from joint counts, and rankings from scores."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

from localreg.statistics import JointCounts, compare_counts, compare_rankings, joint_counts
from localreg.statistics.marginals import AGGREGATES
from tests.benchmarks.harness import Bench, Figure

Ints = NDArray[np.int64]
SAMPLES = 1_000_000
SLICES = 20


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    for classes, slices, metrics in ((10, 1, AGGREGATES), (10, SLICES, AGGREGATES), (1_000, 1, None)):
        columns = samples(SAMPLES, classes)
        parts = [part(columns, each, slices, classes) for each in range(slices)]
        what = f"intervals of {'all' if metrics is None else 'overall'} metrics, {classes} classes, {slices} slices"
        ours = partial(compare_all, parts, metrics)
        limit = partial(by_scikit_learn, columns)
        yield bench.compare(f"{what} ÷ scikit-learn's F1 and MCC without", ours, limit, at_most=None, times=1)
    for count in (SAMPLES, 10 * SAMPLES) if bench.large else (SAMPLES,):
        yield rankings(bench, count)


def samples(n: int, classes: int) -> tuple[Ints, Ints, Ints]:
    """Truth, a, b; mostly right, and wrong in favour of neighbouring classes, as models are."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, classes, n)
    a, b = ((truth + (generator.random(n) > 0.8) * generator.geometric(0.5, n)) % classes for _ in range(2))
    return truth, a, b


def part(columns: tuple[Ints, Ints, Ints], each: int, slices: int, classes: int) -> JointCounts:
    """The joint counts of one slice."""
    truth, a, b = (column[each::slices] for column in columns)
    return joint_counts(truth, a, b, classes=classes)


def compare_all(parts: list[JointCounts], metrics: tuple[str, ...] | None) -> None:
    """Every interval of every slice."""
    for counts in parts:
        if metrics is None:
            compare_counts(counts)
        else:
            compare_counts(counts, metrics=metrics)


def by_scikit_learn(columns: tuple[Ints, Ints, Ints]) -> None:
    """Two numbers of each model, without intervals."""
    truth, a, b = columns
    for said in (a, b):
        f1_score(truth, said, average="macro")
        matthews_corrcoef(truth, said)


def rankings(bench: Bench, count: int) -> Figure:
    """ROC AUC and average precision of two models, ours with the intervals of differences."""
    generator = np.random.default_rng(0)
    truth = generator.random(count) < 0.3
    a = generator.normal(size=count) + truth
    b = 0.6 * a + 0.8 * generator.normal(size=count) + truth

    def theirs() -> None:
        for scores in (a, b):
            roc_auc_score(truth, scores)
            average_precision_score(truth, scores)

    ours = partial(compare_rankings, truth, a, b, binned=True)
    what = f"AUC and AP of two models with intervals, {count:,} distinct scores ÷ scikit-learn's without"
    return bench.compare(what, ours, theirs, at_most=None, times=1)
