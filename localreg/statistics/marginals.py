"""Counting metrics from the marginals of a confusion matrix, and what one sample more or fewer makes of them.

All metrics here depend on the matrix only through hits, support and predictions of each class. That gives the value
after one sample of the cell (truth, predicted) is taken away, or added, in closed form: leave-one-out values of all
samples cost a few operations for each cell that occurs.

Means over classes are over those of the ground truth, as scikit-learn's with `labels=` of these: both models, and the
test cases of a class each, are then averaged over the same classes, whatever is said. A class that a model never
predicts has precision 0; one that it says and that no sample has takes a hit away from the class that is true, and no
more. (Without `labels=` scikit-learn divides by such classes, too: one stray answer among 1,000 brings a macro F1 of 10
classes from 0.9 to 0.82, and whether it is given no number of samples can settle.) No prediction is a miss, and for MCC
and kappa a category of its own.

The classes are fixed when a sample is left out: a class that vanishes with its only sample counts 0 then. So the whole
weight of the sample counts as uncertain; leaving the class out instead would pass off a class of one sample as certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["AGGREGATES", "Marginals", "counted", "ratio"]

AGGREGATES = (
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "specificity_macro",
    "precision_micro",
    "recall_micro",
    "f1_micro",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "matthews_corrcoef",
    "cohen_kappa",
)
"""Metrics over all classes, by the names that scikit-learn gives them where it has them."""


def ratio(above: Floats, below: Floats) -> Floats:
    """Quotients, 0 where the divisor is."""
    import numpy as np

    return np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below > 0)


def counted(classes: Ints, weights: Floats, size: int) -> Floats:
    """Sum of weights by class, (size,)."""
    import numpy as np

    return np.asarray(np.bincount(classes, weights, minlength=size), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Marginals:
    """Of one model's confusion matrix, or of many at once: leading axes are theirs.

    Attributes:
        hits: float64 (…, classes), samples of a class that the model calls so.
        support: float64 (…, classes), samples of a class.
        predicted: float64 (…, classes), samples that the model calls so.
        in_truth: bool (classes,), classes with ground truth, before anything was left out: means are over these.
    """

    hits: Floats
    support: Floats
    predicted: Floats
    in_truth: Bools

    @property
    def n(self) -> Floats:
        """Samples, (…,)."""
        import numpy as np

        return np.asarray(self.support.sum(axis=-1))

    @property
    def classes(self) -> int:
        """How many classes means are over; 1 if there is none."""
        return max(1, int(self.in_truth.sum()))

    def values(self) -> dict[str, Floats]:
        """Each of `AGGREGATES`, (…,), where a quotient of nothing counts 0."""
        n, hits = self.n, self.hits.sum(axis=-1)
        total = self.predicted.sum(axis=-1)
        recall, precision = ratio(self.hits, self.support), ratio(self.hits, self.predicted)
        f1 = ratio(2 * self.hits, self.support + self.predicted)
        negatives = n[..., None] - self.support
        specificity = ratio(negatives - self.predicted + self.hits, negatives)
        chance = (self.support * self.predicted).sum(axis=-1)
        squares = (self.support**2).sum(axis=-1), (self.predicted**2).sum(axis=-1) + (n - total) ** 2
        classes, accuracy = self.classes, ratio(hits, n)
        macro_recall = recall.sum(axis=-1) / classes
        return {
            "accuracy": accuracy,
            "balanced_accuracy": macro_recall,
            "precision_macro": precision.sum(axis=-1) / classes,
            "recall_macro": macro_recall,
            "f1_macro": f1.sum(axis=-1) / classes,
            "specificity_macro": (specificity * self.in_truth).sum(axis=-1) / classes,
            "precision_micro": ratio(hits, total),
            "recall_micro": accuracy,
            "f1_micro": ratio(2 * hits, n + total),
            "precision_weighted": ratio((self.support * precision).sum(axis=-1), n),
            "recall_weighted": accuracy,
            "f1_weighted": ratio((self.support * f1).sum(axis=-1), n),
            **_agreement(n, hits, chance, *squares),
        }

    def shifted(self, truth: Ints, predicted: Ints, step: Floats, *, tempered: bool = False) -> dict[str, Floats]:
        """Each of `AGGREGATES` after `step` samples of a cell were added, for each cell (truth, predicted).

        Args:
            truth: (cells,).
            predicted: (cells,); the number of classes = no prediction.
            step: (cells,), -1 leaves a sample out, 1 adds one.
            tempered: where a sample is left out, the quotient of a class changes by less, see `_tempered`.
        """
        cells = _Cells.of(self, truth, predicted, step, tempered)
        n, hits, total = float(self.n), float(self.hits.sum()), float(self.predicted.sum())
        classes, size, more = self.classes, n + step, cells.more
        accuracy, said = ratio(hits + more, size), total + step * cells.is_said
        precisions, f1s = ratio(self.hits, self.predicted), ratio(2 * self.hits, self.support + self.predicted)
        recall = (_sum(ratio(self.hits, self.support)) + cells.change(cells.recall)) / classes
        precision = cells.change(cells.precision), cells.change(cells.other_precision)
        f1 = cells.change(cells.f1), cells.change(cells.other_f1)

        def weighted(values: Floats, own: Floats, other: Floats) -> Floats:
            moved = step * values[truth] + (cells.support + step) * own + cells.other_support * other
            return ratio(_sum(self.support * values) + moved, size)

        return {
            "accuracy": accuracy,
            "balanced_accuracy": recall,
            "precision_macro": (_sum(precisions) + precision[0] + precision[1]) / classes,
            "recall_macro": recall,
            "f1_macro": (_sum(f1s) + f1[0] + f1[1]) / classes,
            "specificity_macro": self._shifted_specificity(cells),
            "precision_micro": ratio(hits + more, said),
            "recall_micro": accuracy,
            "f1_micro": ratio(2 * (hits + more), size + said),
            "precision_weighted": weighted(precisions, *precision),
            "recall_weighted": accuracy,
            "f1_weighted": weighted(f1s, *f1),
            **self._shifted_agreement(cells, size, hits + more),
        }

    def _shifted_specificity(self, cells: _Cells) -> Floats:
        """Mean over classes: a sample is no negative of its own class, and a false positive of the predicted one."""
        import numpy as np

        negatives = self.n - self.support
        rejected = negatives - self.predicted + self.hits
        total, astray = np.empty_like(cells.step), np.empty_like(cells.step)
        before = np.where(self.in_truth, ratio(rejected, negatives), 0.0)
        for step in (-1.0, 1.0):
            here = cells.step == step
            after = np.where(self.in_truth, ratio(rejected + step, negatives + step), 0.0)
            wrongly = np.append(np.where(self.in_truth, ratio(rejected, negatives + step), 0.0) - after, 0.0)
            total[here] = _sum(after) + (before - after)[cells.truth[here]]
            astray[here] = wrongly[cells.predicted[here]]
        return (total + cells.is_astray * astray) / self.classes

    def _shifted_agreement(self, cells: _Cells, size: Floats, hits: Floats) -> dict[str, Floats]:
        import numpy as np

        step, nothing = cells.step, float(self.n - self.predicted.sum())
        met = np.where(cells.is_hit, step * (cells.support + cells.own) + 1, step * (cells.own + cells.other_support))
        true = float(self.support @ self.support) + step * (2 * cells.support + step)
        said = float(self.predicted @ self.predicted) + nothing**2 + step * (2 * cells.other_own + step)
        return _agreement(size, hits, float(self.support @ self.predicted) + met, true, said)


@dataclass(frozen=True, eq=False)
class _Quotient:
    """Of a class, for each cell: its value, what it will be, of how many samples it is, and that of all classes."""

    before: Floats
    after: Floats
    trials: Floats
    pooled: float
    touched: Bools | None = None
    """Where the cell's sample is part of it; None = everywhere."""


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells (truth, predicted) in which a sample is added or left out, with the marginals of both their classes."""

    truth: Ints
    predicted: Ints
    step: Floats
    tempered: bool
    is_hit: Bools
    is_said: Bools
    is_astray: Bools
    more: Floats
    support: Floats
    own: Floats
    other_support: Floats
    other_own: Floats
    recall: _Quotient
    precision: _Quotient
    f1: _Quotient
    other_precision: _Quotient
    other_f1: _Quotient

    @classmethod
    def of(cls, model: Marginals, truth: Ints, predicted: Ints, step: Floats, tempered: bool) -> _Cells:
        import numpy as np

        n, hits, total = float(model.n), float(model.hits.sum()), float(model.predicted.sum())
        is_hit, is_said = truth == predicted, predicted < len(model.hits)
        is_astray = ~is_hit & is_said  # a false positive of another class
        more = np.where(is_hit, step, 0.0)
        tp, support, own = model.hits[truth], model.support[truth], model.predicted[truth]
        other_tp, other_support = np.append(model.hits, 0.0)[predicted], np.append(model.support, 0.0)[predicted]
        other_own = np.append(model.predicted, n - total)[predicted]
        accuracy, precision, f1 = hits / max(1.0, n), hits / max(1.0, total), 2 * hits / max(1.0, n + total)
        both, other, is_other = support + own, other_support + other_own, is_astray & (other_support > 0)
        return cls(
            truth, predicted, step, tempered, is_hit, is_said, is_astray, more,
            support, own, other_support, other_own,
            recall=_Quotient(ratio(tp, support), ratio(tp + more, support + step), support, accuracy),
            precision=_Quotient(ratio(tp, own), ratio(tp + more, own + more), own, precision, is_hit),
            f1=_Quotient(ratio(2 * tp, both), ratio(2 * (tp + more), both + step + more), both - tp, f1),
            other_precision=_Quotient(
                ratio(other_tp, other_own), ratio(other_tp, other_own + step), other_own, precision, is_other
            ),
            other_f1=_Quotient(
                ratio(2 * other_tp, other), ratio(2 * other_tp, other + step), other - other_tp, f1, is_other
            ),
        )  # fmt: skip

    def change(self, quotient: _Quotient) -> Floats:
        """By how much a quotient of a class changes."""
        change = quotient.after - quotient.before
        if self.tempered:
            change = _tempered(change, quotient, self.step)
        return change if quotient.touched is None else quotient.touched * change


def _tempered(change: Floats, quotient: _Quotient, step: Floats) -> Floats:
    """What a quotient of few trials changes by when one is left out, so that the squares add up to its variance.

    The plain change overstates the variance m / (m - 1) times for m trials; of a single trial it says nothing but the
    trial, whose distance from the mean of all classes stands in. The same correction is known as HC2 in regression
    (J. MacKinnon and H. White, Journal of Econometrics 29 (1985) 305).
    """
    import numpy as np

    few = np.sqrt(np.maximum(quotient.trials - 1, 0.0) / np.maximum(quotient.trials, 1.0))
    alone = quotient.pooled - quotient.before
    return np.where(step > 0, change, np.where(quotient.trials > 1, few * change, alone))


def _agreement(n: Floats, hits: Floats, chance: Floats, true: Floats, said: Floats) -> dict[str, Floats]:
    """Matthews' coefficient (Gorodkin's form for any number of classes) and Cohen's kappa."""
    import numpy as np

    excess = hits * n - chance
    return {
        "matthews_corrcoef": ratio(excess, np.sqrt(np.maximum(0, (n * n - true) * (n * n - said)))),
        "cohen_kappa": ratio(excess, n * n - chance),
    }


def _sum(values: Floats) -> float:
    return float(values.sum())
