"""Confusion counts, and every metric of classes that follows from them: the core that comparison stands on.

All metrics here but `cohen_kappa` with weights need only three numbers of each class and one of all: `Marginals`. They
are vectorised over leading axes (slices, models, resamples), and cost O(K) each, so that 1,000 classes stay cheap:
`Marginals.of_cells` makes them of sparse cells, without a matrix. Within this module "undefined" is NaN; what users
call says None.

Conventions, those of scikit-learn with `zero_division=0` where it has the metric, so that numbers agree:

- A sample without a prediction belongs to its class, and is found by none: it counts against accuracy and recall, not
  against precision. For MCC and kappa "no prediction" is a class of its own, which is never true.
- Precision of a class that is there but was never predicted is 0 (`Marginals.never_predicted` tells); recall of a class
  without truth is undefined (`Marginals.without_truth`). F1 is 2 TP / (2 TP + FP + FN): 0 in both cases. All are
  undefined for a class that is neither true nor predicted.
- A macro average is the plain mean over the classes that are true or predicted; or over those that are asked for by
  name. What is undefined counts 0 in it: recall of a class that was only predicted. In macro specificity, which
  scikit-learn has not, a class without negatives is left out.
- A weighted average is that of the classes with truth, by their support.
- Balanced accuracy is the mean recall of the classes with truth.
- MCC and kappa are undefined where their denominator is 0: all truth one class, or all predictions. (scikit-learn gives
  MCC 0 there.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = ["METRICS", "Average", "Confusion", "Marginals", "Metric"]

Metric: TypeAlias = Literal["precision", "recall", "f1", "specificity"]
Average: TypeAlias = Literal["micro", "macro", "weighted"]

METRICS: tuple[Metric, ...] = ("precision", "recall", "f1", "specificity")
"""Those that a class has, and averages of classes."""

EXACT = 2_000_000_000
"""Samples up to which products of two sums of counts fit into 64-bit integers."""


@dataclass(frozen=True)
class Marginals:
    """How often each class is true, predicted, and both: (…, K) each, integers or floats (weighted counts).

    Attributes:
        n: (…); all samples, also those of classes that are left out here.
        tp: samples of the class that were predicted as it.
        support: samples of the class.
        predicted: samples predicted as the class.
    """

    n: np.ndarray
    tp: np.ndarray
    support: np.ndarray
    predicted: np.ndarray

    @staticmethod
    def of(counts: ArrayLike, unpredicted: ArrayLike | None = None) -> Marginals:
        """Those of confusion matrices.

        Args:
            counts: (…, K, K), truth by predicted.
            unpredicted: (…, K); samples of each class without a prediction. None = none.

        Raises:
            InvalidInputError: the last two axes differ.
        """
        import numpy as np

        matrix = np.asarray(counts)
        if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
            raise InvalidInputError(f"counts have shape {matrix.shape}; they must be (…, K, K), truth by predicted")
        support = matrix.sum(-1) if unpredicted is None else matrix.sum(-1) + np.asarray(unpredicted)
        return Marginals(support.sum(-1), np.diagonal(matrix, axis1=-2, axis2=-1), support, matrix.sum(-2))

    @staticmethod
    def of_cells(
        truth: np.ndarray,
        predicted: np.ndarray,
        counts: np.ndarray,
        *,
        classes: int,
        groups: tuple[np.ndarray, int] | None = None,
    ) -> Marginals:
        """Those of cells that may be few among many: cost and memory grow with the cells, not with K².

        Args:
            truth: (m,) codes in [0, K).
            predicted: (m,) codes in [0, K); -1 = no prediction.
            counts: (m,) how often; the same cell may stand there twice.
            classes: K.
            groups: the group of each cell, in [0, G), and G; then the leading axis is G.
        """
        import numpy as np

        group, count = (np.zeros(len(counts), np.int64), 1) if groups is None else groups
        shape = (count, classes) if groups is not None else (classes,)

        def by_class(codes: np.ndarray, there: np.ndarray) -> np.ndarray:
            places = group[there] * classes + codes[there]
            sums = np.bincount(places, counts[there], minlength=count * classes)  # exact up to 2**53
            return sums.astype(np.result_type(counts.dtype, np.int64)).reshape(shape)

        every = np.ones(len(counts), bool)
        support = by_class(truth, every)
        return Marginals(
            support.sum(-1), by_class(truth, truth == predicted), support, by_class(predicted, predicted >= 0)
        )

    def at(self, classes: ArrayLike) -> Marginals:
        """Those of some classes, by code, in their order; `n` stays that of all samples."""
        import numpy as np

        places = np.asarray(classes, np.int64)
        return Marginals(self.n, self.tp[..., places], self.support[..., places], self.predicted[..., places])

    @property
    def present(self) -> np.ndarray:
        """Bool (…, K): the class is true or predicted somewhere."""
        import numpy as np

        return np.asarray((self.support + self.predicted) > 0)

    @property
    def never_predicted(self) -> np.ndarray:
        """Bool (…, K): the class has truth, and no prediction: its precision is 0 by convention."""
        import numpy as np

        return np.asarray((self.predicted == 0) & (self.support > 0))

    @property
    def without_truth(self) -> np.ndarray:
        """Bool (…, K): predicted, but never true: it has no recall, which counts 0 in macro averages."""
        import numpy as np

        return np.asarray((self.support == 0) & (self.predicted > 0))

    def accuracy(self) -> np.ndarray:
        """(…): share of samples whose predicted class is the true one; NaN without samples. Of all classes only."""
        return _ratio(self.tp.sum(-1), self.n)

    def per_class(self, metric: Metric) -> np.ndarray:
        """(…, K): precision, recall, F1 or specificity of each class against the rest; NaN where undefined."""
        import numpy as np

        part, whole = self._fraction(metric)
        values = _ratio(part, whole)
        return np.where(self.never_predicted, 0.0, values) if metric == "precision" else values

    def averaged(self, metric: Metric, average: Average, over: ArrayLike | None = None) -> np.ndarray:
        """(…): one number for all classes; NaN where there is none.

        Args:
            metric: which.
            average: "micro" adds up the counts of all classes first; "macro" is the plain mean of the classes;
                "weighted" weighs them by support.
            over: bool, broadcast to (…, K): the classes of a macro average; None = those that are present.
        """
        import numpy as np

        if average == "micro":
            part, whole = self._fraction(metric)
            return _ratio(part.sum(-1), whole.sum(-1))
        values = self.per_class(metric)
        if average == "weighted":
            weights = np.where(np.isnan(values), 0, self.support)
            return _ratio((np.nan_to_num(values) * weights).sum(-1), weights.sum(-1))
        chosen = np.broadcast_to(self.present if over is None else np.asarray(over), values.shape)
        if metric == "specificity":
            chosen = chosen & ~np.isnan(values)
        return _ratio(np.where(chosen, np.nan_to_num(values), 0.0).sum(-1), chosen.sum(-1))

    def balanced_accuracy(self) -> np.ndarray:
        """(…): mean recall of the classes with truth; NaN without samples."""
        import numpy as np

        return _ratio(np.nan_to_num(self.per_class("recall")).sum(-1), (self.support > 0).sum(-1))

    def mcc(self) -> np.ndarray:
        """(…): Matthews' correlation coefficient of K classes, in [-1, 1]; NaN if truth or predictions are one class.

        Source:
            J. Gorodkin, Computational Biology and Chemistry 28 (2004) 367, R_K.
        """
        import numpy as np

        n, tp, support, predicted = self._wide()
        missing = n - predicted.sum(-1)  # a class of its own
        spread_truth = n * n - (support * support).sum(-1)
        spread_predicted = n * n - (predicted * predicted).sum(-1) - missing * missing
        together = tp.sum(-1) * n - (support * predicted).sum(-1)
        return _ratio(together, np.sqrt(spread_truth.astype(np.float64)) * np.sqrt(spread_predicted.astype(np.float64)))

    def kappa(self) -> np.ndarray:
        """(…): Cohen's kappa, in [-1, 1]; NaN if agreement by chance is certain.

        Source:
            J. Cohen, Educational and Psychological Measurement 20 (1960) 37.
        """
        n, tp, support, predicted = self._wide()
        by_chance = (support * predicted).sum(-1)
        return _ratio(n * tp.sum(-1) - by_chance, n * n - by_chance)

    def _fraction(self, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
        """What a metric divides, and by what: (…, K) each."""
        if metric == "precision":
            return self.tp, self.predicted
        if metric == "recall":
            return self.tp, self.support
        if metric == "f1":
            return 2 * self.tp, self.support + self.predicted
        if metric == "specificity":
            negatives = self.n[..., None] - self.support
            return negatives - (self.predicted - self.tp), negatives
        raise InvalidInputError(f"no metric {metric!r} of a class; take one of {', '.join(METRICS)}")

    def _wide(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All four, in a type whose products are exact, or do not overflow."""
        import numpy as np

        kind = np.asarray(self.n).dtype.kind
        whole = kind in "iub" and (not np.size(self.n) or np.max(self.n) <= EXACT)
        dtype: type[np.int64 | np.float64] = np.int64 if whole else np.float64
        return (
            np.asarray(self.n).astype(dtype),
            self.tp.astype(dtype),
            self.support.astype(dtype),
            self.predicted.astype(dtype),
        )


@dataclass(frozen=True)
class Confusion:
    """Which class was predicted how often for which.

    Attributes:
        labels: K classes, in order: the rows and the columns.
        matrix: int64 (K, K), truth by predicted.
        unpredicted: int64 (K,), samples of each class without a prediction.
    """

    labels: tuple[object, ...]
    matrix: np.ndarray
    unpredicted: np.ndarray

    def __post_init__(self) -> None:
        import numpy as np

        count = len(self.labels)
        if np.shape(self.matrix) != (count, count) or np.shape(self.unpredicted) != (count,):
            raise InvalidInputError(
                f"{count} labels need a matrix ({count}, {count}) and {count} counts of samples without a prediction, "
                f"not {np.shape(self.matrix)} and {np.shape(self.unpredicted)}"
            )

    def __eq__(self, other: object) -> bool:
        import numpy as np

        if not isinstance(other, Confusion):
            return NotImplemented
        return (
            self.labels == other.labels
            and np.array_equal(self.matrix, other.matrix)
            and np.array_equal(self.unpredicted, other.unpredicted)
        )

    __hash__ = None  # type: ignore[assignment] # arrays have none

    @property
    def n(self) -> int:
        """All samples, with and without a prediction."""
        return int(self.matrix.sum() + self.unpredicted.sum())

    @property
    def marginals(self) -> Marginals:
        """What the metrics are made of."""
        return Marginals.of(self.matrix, self.unpredicted)

    def normalized(self) -> np.ndarray:
        """float64 (K, K): each row as shares of its class; NaN for a class without truth."""
        return _ratio(self.matrix, self.marginals.support[:, None])

    def __str__(self) -> str:
        from localreg.metrics.printing import aligned

        head = ["truth \\ predicted", *map(str, self.labels)]
        rows = [[str(label), *map(str, row)] for label, row in zip(self.labels, self.matrix.tolist(), strict=True)]
        if self.unpredicted.any():
            head.append("(none)")
            rows = [[*row, str(count)] for row, count in zip(rows, self.unpredicted.tolist(), strict=True)]
        return aligned([head, *rows])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotients as float64; NaN where the denominator is 0."""
    import numpy as np

    divided, by = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.asarray(np.divide(divided, by, out=np.full(by.shape, np.nan), where=by != 0))
