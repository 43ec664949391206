"""Standard errors of metrics over all classes, and of their difference between two models.

The jackknife: leave each sample out in turn. All samples of a cell of the joint counts leave the same behind, in closed
form (`marginals`), so it costs what there are cells. Two things are added, because the plain jackknife fails where
models are nearly perfect or classes rare (coverage 42 % and less for 50 samples; `tests/simulations`):

- Quotients of a class with few samples are tempered (`marginals`), otherwise many rare classes widen intervals for
  nothing.
- Samples that were not seen, but could have been: where two models differ on no sample, the plain jackknife is certain
  that they are equal. Half a sample that only a gets right, and half a sample that only b gets right, spread evenly
  over the classes, are counted with the influence that one sample more of the kind would have. For accuracy that is
  the adjustment of A. Agresti and Y. Min, Statistics in Medicine 24 (2005) 729. What is said wrongly instead is the
  next rarer class (for the rarest the most frequent one), so that each class receives as many false positives.

With clusters, each cluster is left out in turn (CV3 in J. MacKinnon, M. Nielsen and M. Webb, Journal of Econometrics
232 (2023) 272). What was not seen is half a cluster, then, as far as the samples of a cluster go together
(`design_effect`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10
from typing import TYPE_CHECKING

from localreg.statistics.marginals import Marginals, counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from localreg.statistics.joint import JointCounts

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["UNSEEN", "Errors", "Pair", "cluster_errors", "design_effect", "sample_errors"]

UNSEEN = 0.5
"""Samples that were not seen, for either model that could have been the better one on them."""
CELLS_AS_THEY_ARE = 4_096
"""Joint cells up to which it costs less to compute than to look which share a cell of one model's confusion matrix."""
LEAST_FREEDOM = 3.0
"""What a class of few samples counts for at least: what was added for it tells something, too."""
VALUES_AT_ONCE = 1 << 20
TINY = 1e-15


@dataclass(frozen=True, eq=False)
class Pair:
    """The marginals of two models on the same samples."""

    joint: JointCounts
    a: Marginals
    b: Marginals

    @classmethod
    def of(cls, joint: JointCounts) -> Pair:
        """From joint counts; clusters do not matter here."""
        import numpy as np

        width, weights = joint.classes, joint.count.astype(np.float64)
        support = counted(joint.truth, weights, width)
        said = [counted(each, weights, width + 1)[:width] for each in (joint.a, joint.b)]
        hits = [counted(joint.truth, weights * (joint.truth == each), width) for each in (joint.a, joint.b)]
        a, b = (Marginals(hits[n], support, said[n], support > 0) for n in (0, 1))
        return cls(joint, a, b)


@dataclass(frozen=True, eq=False)
class Errors:
    """Variances by metric: of the difference, of a, of b; and the degrees of freedom of the first."""

    difference: dict[str, float]
    a: dict[str, float]
    b: dict[str, float]
    df: dict[str, float]


def sample_errors(pair: Pair, metrics: Iterable[str]) -> Errors:
    """Each sample for itself; there must be two or more. Variances of these metrics, and no others."""
    import numpy as np

    joint, n = pair.joint, pair.joint.n
    right, wrong = _unseen(pair)
    each = UNSEEN / max(1, len(right))
    a = _shifts(pair.a, joint.truth, joint.a, [right, right], [right, wrong])
    b = _shifts(pair.b, joint.truth, joint.b, [right, right], [wrong, right])
    weights = np.concatenate([joint.count * ((n - 1) / n), np.full(2 * len(right), each)])
    own_a, own_b = a.of_own(weights), b.of_own(weights)
    errors = Errors({}, {}, {}, {})
    for metric in metrics:
        changes = b.of_joint(metric) - a.of_joint(metric)
        squares = weights * (changes * changes)
        errors.difference[metric] = float(squares.sum())
        errors.df[metric] = _freedom(squares[: len(joint.truth)], errors.difference[metric], pair)
        errors.a[metric] = float(own_a @ a.changes[metric] ** 2)
        errors.b[metric] = float(own_b @ b.changes[metric] ** 2)
    _never_said(pair, errors)
    return errors


def _freedom(squares: Floats, variance: float, pair: Pair) -> float:
    """Degrees of freedom of a variance that is a sum over classes, each known by its samples.

    Of one class among k, what was not seen makes up for one k-th of what its few samples leave unknown. Two digits, so
    that a quantile is computed once for many slices.

    Source:
        F. Satterthwaite, Biometrics Bulletin 2 (1946) 110.
    """
    import numpy as np

    support = pair.a.support
    parts = counted(pair.joint.truth, squares, len(support))
    unknown = 1 - 1 / pair.a.classes
    uncertain = float((parts * parts / np.maximum(support - 1, LEAST_FREEDOM)).sum()) * unknown
    most = pair.joint.n - 1.0
    if uncertain == 0 or variance * variance >= most * uncertain:
        return most
    found = variance * variance / uncertain
    digits = 10.0 ** max(0, floor(log10(found)) - 1)
    return max(1.0, found // digits * digits)


@dataclass(frozen=True, eq=False)
class _Shifts:
    """By how much each metric of a model changes.

    Attributes:
        changes: by metric, for each cell of the model's own confusion matrix, then for each unseen sample.
        places: for each joint cell, then each unseen sample, its place in these; None = they are the same.
    """

    changes: dict[str, Floats]
    places: Ints | None

    def of_joint(self, metric: str) -> Floats:
        """The changes for each joint cell, then for each unseen sample."""
        return self.changes[metric] if self.places is None else self.changes[metric][self.places]

    def of_own(self, weights: Floats) -> Floats:
        """Weights of joint cells, added up for each of the model's own."""
        import numpy as np

        own: Floats = weights if self.places is None else np.bincount(self.places, weights).astype(np.float64)
        return own


def _shifts(model: Marginals, truth: Ints, said: Ints, classes: list[Ints], answers: list[Ints]) -> _Shifts:
    """A sample of each cell left out, then each unseen one added."""
    import numpy as np

    cells, where = _distinct(truth, said, len(model.hits))
    more = sum(len(each) for each in classes)
    truth, said = np.concatenate([cells[0], *classes]), np.concatenate([cells[1], *answers])
    step = np.concatenate([np.full(len(cells[0]), -1.0), np.ones(more)])
    values, after = model.values(), model.shifted(truth, said, step, tempered=True)
    if where is not None:
        where = np.concatenate([where, np.arange(len(cells[0]), len(cells[0]) + more)])
    return _Shifts({metric: each - values[metric] for metric, each in after.items()}, where)


def _distinct(truth: Ints, said: Ints, classes: int) -> tuple[tuple[Ints, Ints], Ints | None]:
    """Cells of one model's confusion matrix, and which of them each joint cell lies in; None = one each."""
    import numpy as np

    if len(truth) <= CELLS_AS_THEY_ARE:
        return (truth, said), None
    keys = truth * (classes + 1) + said
    places = np.zeros(classes * (classes + 1), dtype=np.int64)
    places[keys] = 1
    found = np.flatnonzero(places)
    places[found] = np.arange(len(found))
    cells = np.divmod(found, classes + 1)
    return (cells[0], cells[1]), places[keys]


def _unseen(pair: Pair) -> tuple[Ints, Ints]:
    """Classes with ground truth from the most frequent to the rarest, and what is said instead of each."""
    import numpy as np

    model = pair.a
    true = np.flatnonzero(model.in_truth)
    order = true[np.argsort(-model.support[true], kind="stable")]
    if len(order) > 1:
        return order, np.roll(order, -1)
    others = np.flatnonzero((model.predicted + pair.b.predicted > 0) & ~model.in_truth)[: len(order)]
    return order, others if len(others) == len(order) else np.full(len(order), len(model.hits))


def cluster_errors(pair: Pair) -> Errors:
    """Each cluster as a whole; there must be two or more."""
    import numpy as np

    joint = pair.joint
    clusters, group = joint.clusters()
    width = joint.classes
    sums = [{metric: np.zeros(2) for metric in pair.a.values()} for _ in range(3)]
    values = pair.a.values(), pair.b.values()
    at_once = max(1, VALUES_AT_ONCE // width)
    order = np.argsort(group, kind="stable")
    edges = np.searchsorted(group[order], np.arange(0, clusters + at_once, at_once))
    for first, (start, stop) in zip(range(0, clusters, at_once), pairwise(edges), strict=False):
        rows, size = order[start:stop], min(at_once, clusters - first)
        left = [
            _without(model, joint, said, rows, group[rows] - first, size).values()
            for model, said in ((pair.a, joint.a), (pair.b, joint.b))
        ]
        for metric in sums[0]:
            a, b = (each[metric] - value[metric] for each, value in zip(left, values, strict=True))
            for total, changes in zip(sums, (b - a, a, b), strict=True):
                total[metric] += changes.sum(), (changes * changes).sum()
    return _with_unseen(pair, sums, clusters)


def _with_unseen(pair: Pair, sums: list[dict[str, Floats]], clusters: int) -> Errors:
    import numpy as np

    joint = pair.joint
    right, wrong = _unseen(pair)
    a = _shifts(pair.a, joint.truth, joint.a, [right, right], [right, wrong])
    b = _shifts(pair.b, joint.truth, joint.b, [right, right], [wrong, right])
    each, cells = UNSEEN / max(1, len(right)), len(joint.truth)

    def variance(metric: str, total: dict[str, Floats], changes: Floats) -> float:
        first, second = total[metric]
        between = (clusters - 1) / clusters * max(0.0, float(second - first * first / clusters))
        seen, unseen = changes[:cells], changes[cells:]
        effect = design_effect(np.array([between]), np.array([joint.count @ (seen * seen)]), joint.n / clusters)
        return between + each * float(unseen @ unseen) * float(effect[0]) ** 2

    errors = Errors({}, {}, {}, {})
    for metric in sums[0]:
        errors.df[metric] = clusters - 1
        of_a, of_b = a.of_joint(metric), b.of_joint(metric)
        errors.difference[metric] = variance(metric, sums[0], of_b - of_a)
        errors.a[metric] = variance(metric, sums[1], of_a)
        errors.b[metric] = variance(metric, sums[2], of_b)
    _never_said(pair, errors)
    return errors


def _never_said(pair: Pair, errors: Errors) -> None:
    """Add what is not known of the precision of classes that a model never says.

    It counts 0 by convention, and could have come out as any: the model's (weighted) mean precision counts as its
    standard deviation, and for the difference that of the better model, where only one of them never says the class.
    """
    in_truth, support = pair.a.in_truth, pair.a.support
    never = in_truth & (pair.a.predicted == 0), in_truth & (pair.b.predicted == 0)
    if not (never[0].any() or never[1].any()):
        return
    weights = {
        "precision_macro": in_truth / pair.a.classes,
        "precision_weighted": support / max(1.0, float(support.sum())),
    }
    values = pair.a.values(), pair.b.values()
    for metric in weights.keys() & errors.difference.keys():
        a, b = (float(each[metric]) for each in values)
        squares = weights[metric] ** 2
        errors.difference[metric] += max(a, b) ** 2 * float(squares[never[0] ^ never[1]].sum())
        errors.a[metric] += a**2 * float(squares[never[0]].sum())
        errors.b[metric] += b**2 * float(squares[never[1]].sum())


def design_effect(between: Floats, within: Floats, size: float) -> Floats:
    """How many samples of a cluster count as one: variance over clusters ÷ variance as if samples were independent.

    At least 1 and at most the mean size of a cluster, which is also assumed where nothing was seen that could vary.
    """
    import numpy as np

    effect = np.divide(between, within, out=np.full(np.shape(between), size), where=within > TINY)
    return np.asarray(np.clip(effect, 1.0, max(1.0, size)))


def _without(model: Marginals, joint: JointCounts, said: Ints, rows: Ints, group: Ints, size: int) -> Marginals:
    """A model's marginals without each of some clusters."""
    import numpy as np

    width, truth, said = joint.classes, joint.truth[rows], said[rows]
    weights = joint.count[rows].astype(np.float64)

    def by_cluster(classes: Ints, weights: Floats) -> Floats:
        return counted(group * (width + 1) + classes, weights, size * (width + 1)).reshape(size, width + 1)[:, :width]

    return Marginals(
        model.hits - by_cluster(truth, weights * (truth == said)),
        model.support - by_cluster(truth, weights),
        model.predicted - by_cluster(said, weights),
        model.in_truth,
    )
