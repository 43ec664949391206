"""Populations of scores, probabilities, numbers, clusters and images, on which two models are compared again and again.

The true difference of a metric is that of a sample so large that its own error does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from localreg.statistics import Estimate, compare_counts, compare_rankings, joint_counts, paired_t, sign_flip
from localreg.statistics.paired import PairedSums
from localreg.statistics.resampled import resampled
from localreg.statistics.scores import LOSSES, compare_losses
from localreg.statistics.value_of import MEANS, OF_ORDER, OF_SUMS
from localreg.statistics.values import compare_values
from tests.simulations.detectors import IMAGES, images

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Generator = np.random.Generator

LARGE = 2_000_000
"""Samples that the truth is taken from."""
VALUES = tuple(each for each in (*MEANS, *OF_SUMS) if each != "mean_absolute_percentage_error")
COUNTING = ("accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "matthews_corrcoef", "cohen_kappa")
CLUSTERS = (10, 20, 50)
DRAWN = (50, 200)
"""Samples of which they are drawn again: more takes long, and is less in doubt."""
DRAWS = 300
"""Of bootstraps; more take longer, and change little."""


@dataclass(frozen=True)
class Case:
    """A population, a number of samples, and how two models are compared on them.

    Attributes:
        family: of metrics.
        population: what is hard about it.
        n: samples, or clusters of them.
        equal: whether neither model is better.
        compared: what is told of n samples drawn.
        large: the same, of so many that it is the truth.
        size: how many those are.
        share: of the repetitions that are asked for, so many are made.
    """

    family: str
    population: str
    n: int
    equal: bool
    compared: Callable[[int, Generator], Sequence[Estimate]]
    large: Callable[[int, Generator], Sequence[Estimate]]
    size: int = LARGE
    share: float = 1.0


# --- scores and probabilities -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """Two models' scores, normal in positives and in negatives.

    Attributes:
        name: what is hard about it.
        positive: share.
        apart: by how many standard deviations positives lie above negatives, of each model.
        alike: correlation of both scores.
        steps: scores are rounded to so many a unit; None = not.
        sure: by how much log-odds that are said are too large, of each model.
    """

    name: str
    positive: float
    apart: tuple[float, float]
    alike: float = 0.5
    steps: int | None = None
    sure: tuple[float, float] = (1.0, 1.0)

    @property
    def equal(self) -> bool:
        """Whether neither model is better."""
        return self.apart[0] == self.apart[1] and self.sure[0] == self.sure[1]

    def draw(self, n: int, generator: Generator, clusters: Ints | None = None) -> tuple[Flags, list[Floats]]:
        """Truth and both scores; half of what is alike is alike in a cluster."""
        positive, shared = generator.random(n) < self.positive, generator.normal(size=n)
        if clusters is not None:
            shared = (shared + generator.normal(size=int(clusters.max()) + 1)[clusters]) / np.sqrt(2)
        own = [generator.normal(size=n) for _ in range(2)]
        if clusters is not None:  # each model has its own trouble with a cluster, too
            own = [(each + generator.normal(size=int(clusters.max()) + 1)[clusters]) / np.sqrt(2) for each in own]
        scores = [
            apart * positive + np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * each
            for apart, each in zip(self.apart, own, strict=True)
        ]
        return positive, scores if self.steps is None else [np.round(each * self.steps) for each in scores]

    def rankings(self, n: int, generator: Generator) -> list[Estimate]:
        """ROC AUC and average precision."""
        positive, (a, b) = self.draw(n, generator)
        return compare_rankings(positive, a, b)

    def clustered(self, n: int, generator: Generator) -> list[Estimate]:
        """The same, by clusters."""
        clusters = sizes_of(n, generator)
        positive, (a, b) = self.draw(len(clusters), generator, clusters)
        return compare_rankings(positive, a, b, groups=clusters)

    def losses(self, n: int, generator: Generator) -> list[Estimate]:
        """Log loss and Brier score of the probabilities that follow from scores."""
        positive, scores = self.draw(n, generator)
        prior = np.log(self.positive / (1 - self.positive))
        a, b = (
            1 / (1 + np.exp(-sure * (apart * each - apart**2 / 2 + prior)))
            for apart, sure, each in zip(self.apart, self.sure, scores, strict=True)
        )
        return [compare_losses(positive, a, b, metric) for metric in LOSSES]


def sizes_of(clusters: int, generator: Generator) -> Ints:
    """The cluster of each sample: some have few, some many, 20 on average."""
    return np.repeat(np.arange(clusters), 2 + generator.geometric(1 / 18, clusters))


# --- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Predicted:
    """Numbers that two models predict.

    Attributes:
        name: what is hard about it.
        error: standard deviations of both models' errors.
        df: of Student's distribution that errors follow; None = they are normal.
        skewed: whether the truth is log-normal, and errors grow with it.
        alike: correlation of both models' errors.
    """

    name: str
    error: tuple[float, float]
    df: float | None = None
    skewed: bool = False
    alike: float = 0.6

    @property
    def equal(self) -> bool:
        """Whether neither model is better."""
        return self.error[0] == self.error[1]

    def draw(self, n: int, generator: Generator, clusters: Ints | None = None) -> tuple[Floats, Floats, Floats]:
        """Truth, and what both say."""

        def normal() -> Floats:
            found = generator.normal(size=n)
            if clusters is None:
                return found
            return np.asarray((found + generator.normal(size=int(clusters.max()) + 1)[clusters]) / np.sqrt(2))

        truth, shared = normal(), normal()
        if self.skewed:
            truth = np.exp(truth)
        heavy = np.ones(n) if self.df is None else np.sqrt(self.df / generator.chisquare(self.df, n))
        scale = heavy * truth if self.skewed else heavy
        a, b = (
            truth + error * scale * (np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * normal())
            for error in self.error
        )
        return truth, a, b

    def compared(
        self, n: int, generator: Generator, *, metrics: Sequence[str] = VALUES, draws: int | None = None
    ) -> list[Estimate]:
        """Each sample for itself."""
        return compare_values(*self.draw(n, generator), metrics=metrics, draws=draws)

    def clustered(self, n: int, generator: Generator) -> list[Estimate]:
        """By clusters."""
        clusters = sizes_of(n, generator)
        return compare_values(*self.draw(len(clusters), generator, clusters), metrics=VALUES, groups=clusters)

    def tested(self, n: int, generator: Generator) -> list[Estimate]:
        """Mean absolute errors by sign flips and by t: p-values alone."""
        truth, a, b = self.draw(n, generator)
        first, second = np.abs(a - truth), np.abs(b - truth)
        told = {
            "sign flip": sign_flip(first, second, draws=999).p,
            "paired t": paired_t(PairedSums.of(first, second)).p,
        }
        return [Estimate(name, None, None, None, None, None, None, p, n) for name, p in told.items()]


# --- labels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labelled:
    """Labels that two models say of samples in clusters, of which some are hard.

    Attributes:
        name: what is hard about it.
        ease: normal quantiles of how often both are right.
        classes: how many.
        of_cluster: share of what makes a sample hard that its cluster does.
    """

    name: str
    ease: tuple[float, float]
    classes: int = 4
    of_cluster: float = 0.3

    @property
    def equal(self) -> bool:
        """Whether neither model is better."""
        return self.ease[0] == self.ease[1]

    def draw(self, clusters: Ints, generator: Generator) -> tuple[Ints, list[Ints]]:
        """Truth, and what both say."""
        n, count = len(clusters), int(clusters.max()) + 1
        share = 1 / np.arange(1, self.classes + 1)
        # Clusters have classes that they hold more often.
        leaning = share * generator.gamma(2.0, size=(count, self.classes))
        edges = np.cumsum(leaning / leaning.sum(axis=1)[:, None], axis=1)[:, :-1]
        truth = (generator.random((n, 1)) >= edges[clusters]).sum(axis=1)
        shared = generator.normal(size=n)
        said = []
        for ease in self.ease:
            own = generator.normal(size=n)
            hard = np.sqrt(self.of_cluster) * generator.normal(size=count)[clusters] + np.sqrt(
                (1 - self.of_cluster) / 2
            ) * (shared + own)
            wrong = (truth + 1 + generator.integers(0, self.classes - 1, n)) % self.classes
            said.append(np.where(hard < ease, truth, wrong))
        return truth, said

    def clustered(self, n: int, generator: Generator) -> list[Estimate]:
        """By clusters."""
        clusters = sizes_of(n, generator)
        truth, (a, b) = self.draw(clusters, generator)
        return compare_counts(joint_counts(truth, a, b, classes=self.classes, groups=clusters), metrics=COUNTING)

    def large(self, n: int, generator: Generator) -> list[Estimate]:
        """Of very many clusters, each sample for itself, which costs less and tells the same difference."""
        clusters = sizes_of(n, generator)
        truth, (a, b) = self.draw(clusters, generator)
        return compare_counts(joint_counts(truth, a, b, classes=self.classes), metrics=COUNTING)

    def drawn(self, n: int, generator: Generator) -> list[Estimate]:
        """By bootstrap, each sample for itself."""
        truth, (a, b) = self.draw(np.arange(n), generator)
        joint = joint_counts(truth, a, b, classes=self.classes)
        return resampled(joint, compare_counts(joint, metrics=COUNTING), draws=DRAWS)

    def drawn_large(self, n: int, generator: Generator) -> list[Estimate]:
        """What that is to hold."""
        truth, (a, b) = self.draw(np.arange(n), generator)
        return compare_counts(joint_counts(truth, a, b, classes=self.classes), metrics=COUNTING)


# --- all of them ------------------------------------------------------------------------------------------------------

SCORED = (
    Scored("30 % positive", 0.3, (1.0, 1.3), 0.6),
    Scored("5 % positive", 0.05, (1.2, 1.5)),
    Scored("near-perfect", 0.4, (3.0, 3.4)),
    Scored("equal, few distinct scores", 0.2, (1.0, 1.0), 0.7, steps=2),
    Scored("equal, 5 % positive", 0.05, (1.5, 1.5), 0.3),
)
SURE = (
    Scored("30 % positive", 0.3, (1.0, 1.3), 0.6),
    Scored("too sure", 0.2, (1.5, 1.5), sure=(2.5, 1.0)),
    Scored("equal, 5 % positive", 0.05, (1.5, 1.5), 0.3),
)
PREDICTED = (
    Predicted("normal errors", (1.0, 0.8)),
    Predicted("heavy tails (t of 5)", (1.0, 0.85), df=5),
    Predicted("skewed, errors grow with it", (0.5, 0.45), skewed=True),
    Predicted("equal, heavy tails (t of 3)", (1.0, 1.0), df=3),
    Predicted("equal, normal errors", (0.7, 0.7)),
)
LABELLED = (
    Labelled("4 classes", (0.7, 0.9)),
    Labelled("2 classes, near-perfect", (2.0, 2.3), 2),
    Labelled("equal, clusters much alike", (0.8, 0.8), 6, 0.6),
)


def all_cases(sizes: Sequence[int], clusters: Sequence[int] = CLUSTERS) -> Iterator[Case]:
    """Each population at each number of samples, or of clusters."""
    for each in SCORED:
        for n in sizes:
            yield Case("ROC AUC, AP", each.name, n, each.equal, each.rankings, each.rankings)
    for each in SURE:
        for n in sizes:
            yield Case("log loss, Brier score", each.name, n, each.equal, each.losses, each.losses)
    for number in PREDICTED:
        for n in sizes:
            yield Case("regression", number.name, n, number.equal, number.compared, number.compared)
    yield from _clustered(clusters)
    yield from _of_images([n for n in sizes if n <= 1_000])
    yield from _drawn([n for n in sizes if n in DRAWN])
    for number in PREDICTED:
        if number.equal:
            for n in (10, 50):
                yield Case("tests of means", number.name, n, True, number.tested, lambda *_: ())


def _clustered(clusters: Sequence[int]) -> Iterator[Case]:
    size = LARGE // 20
    for n in clusters:
        for label in LABELLED:
            yield Case("labels in clusters", label.name, n, label.equal, label.clustered, label.large, size)
        for each in (*SCORED[:2], *SCORED[-1:]):
            yield Case("ROC AUC, AP in clusters", each.name, n, each.equal, each.clustered, each.clustered, size)
        for number in PREDICTED:
            told = number.clustered
            yield Case("regression in clusters", number.name, n, number.equal, told, told, size)


def _of_images(sizes: Sequence[int]) -> Iterator[Case]:
    for each in images():
        for n in sizes:
            yield Case("detection", each.name, n, each.equal, each.compared, each.large, IMAGES, share=0.5)


def _drawn(sizes: Sequence[int]) -> Iterator[Case]:
    for number in PREDICTED:
        of_order = partial(number.compared, metrics=OF_ORDER)
        drawn = partial(of_order, draws=DRAWS)
        for n in sizes:
            yield Case("median, Spearman by bootstrap", number.name, n, number.equal, drawn, of_order, share=0.2)
    for label in LABELLED:
        for n in sizes:
            yield Case("labels by bootstrap", label.name, n, label.equal, label.drawn, label.drawn_large, share=0.2)
