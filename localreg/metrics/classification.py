"""Metrics of classification: a column of true classes and one of predicted ones.

Definitions and averages are scikit-learn's (User Guide, "Classification metrics"); `localreg.metrics.confusion` says
what is undefined when, and what of that an average counts as 0. Undefined is None.

All take any columns (`localreg.metrics.reading`): text, whole numbers, booleans, floats, dates. A prediction that is
missing (None, null, NaN) counts as wrong, and no class's; a truth that is missing is refused.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, TypeAlias, overload

from localreg.errors import InvalidInputError
from localreg.metrics import counts
from localreg.metrics.coding import Codes, alike, meant_label
from localreg.metrics.confusion import Marginals, Metric
from localreg.metrics.reading import Column
from localreg.metrics.tallying import averaged, coded_pair, confusion_matrix, defined, marginals_of

__all__ = [
    "accuracy_score",
    "balanced_accuracy_score",
    "cohen_kappa_score",
    "f1_score",
    "matthews_corrcoef",
    "precision_score",
    "recall_score",
    "specificity_score",
]

AnyAverage: TypeAlias = Literal["binary", "micro", "macro", "weighted"]
PerClass: TypeAlias = dict[Hashable, float | None]


def accuracy_score(truth: Column, predicted: Column) -> float | None:
    """Share of samples whose predicted class is the true one.

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = wrong.

    Returns:
        A number in [0, 1]; None if there is no sample.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare.
    """
    return defined(marginals_of(coded_pair(truth, predicted)).accuracy())


def balanced_accuracy_score(truth: Column, predicted: Column) -> float | None:
    """Mean recall of the classes that have truth: accuracy as if all classes were equally frequent.

    Returns:
        A number in [0, 1]; None if there is no sample.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare.

    Source:
        K. H. Brodersen et al., ICPR 2010, 3121; not adjusted for chance.
    """
    return defined(marginals_of(coded_pair(truth, predicted)).balanced_accuracy())


@overload
def precision_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | None: ...
@overload
def precision_score(
    truth: Column,
    predicted: Column,
    *,
    average: None,
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> PerClass: ...
def precision_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage | None = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | PerClass | None:
    """Share of what was predicted as a class that is of it: TP / (TP + FP).

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = none was predicted.
        average: "binary" = of `pos_label` alone; "micro" = of the counts of all classes together; "macro" = plain mean
            of the classes; "weighted" = mean by their support; None = each class apart, as a dict.
        labels: the classes to average, or to give; None = all that occur. A class that is named and does not occur
            counts 0 in "macro".
        pos_label: the positive class of "binary"; 1 is True as well.

    Returns:
        A number in [0, 1]. 0 for a class that is there and was never predicted (`classification_report` tells); None
        for one that is neither true nor predicted, and for an average of none.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare; "binary" of more than two classes.
    """
    return _score("precision", truth, predicted, average, labels, pos_label)


@overload
def recall_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | None: ...
@overload
def recall_score(
    truth: Column,
    predicted: Column,
    *,
    average: None,
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> PerClass: ...
def recall_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage | None = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | PerClass | None:
    """Share of a class that was predicted as it (sensitivity): TP / (TP + FN).

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = not found.
        average: as for `precision_score`.
        labels: as for `precision_score`.
        pos_label: as for `precision_score`.

    Returns:
        A number in [0, 1]; None for a class without truth, and for an average of none. In "macro" a class that was
        only predicted counts 0, as in scikit-learn; `balanced_accuracy_score` leaves it out.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare; "binary" of more than two classes.
    """
    return _score("recall", truth, predicted, average, labels, pos_label)


@overload
def specificity_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | None: ...
@overload
def specificity_score(
    truth: Column,
    predicted: Column,
    *,
    average: None,
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> PerClass: ...
def specificity_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage | None = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | PerClass | None:
    """Share of the samples of other classes that were not predicted as this one: TN / (TN + FP).

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = not predicted as any class.
        average: as for `precision_score`.
        labels: as for `precision_score`.
        pos_label: as for `precision_score`.

    Returns:
        A number in [0, 1]; None for a class that all samples are of, which averages leave out, and for an average of
        none.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare; "binary" of more than two classes.
    """
    return _score("specificity", truth, predicted, average, labels, pos_label)


@overload
def f1_score(true_positives: float, false_positives: float, false_negatives: float) -> float: ...
@overload
def f1_score(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | None: ...
@overload
def f1_score(
    truth: Column,
    predicted: Column,
    *,
    average: None,
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> PerClass: ...
def f1_score(*columns: object, **options: object) -> float | PerClass | None:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    Of two columns, `f1_score(truth, predicted, average="macro")`; or of three counts, as scripts of hosted clients
    call it: `f1_score(true_positives, false_positives, false_negatives)` (`localreg.metrics.counts`; all 0 gives 0.0).

    Args:
        *columns: truth (n,) and predicted (n,), labels; a missing prediction is not found, and no class's.
        **options: `average`, `labels` and `pos_label`, as for `precision_score`.

    Returns:
        A number in [0, 1]; None for a class that is neither true nor predicted, and for an average of none.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare; "binary" of more than two classes;
            a count is negative, infinite or no number.

    Source:
        C. J. van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7, E with equal weights; F1 = 1 - E.
    """
    if len(columns) == 3 or any(name.startswith(("true_", "false_")) for name in options):
        return counts.f1_score(*columns, **options)  # type: ignore[arg-type]
    return _f1_of_columns(*columns, **options)  # type: ignore[arg-type]


def _f1_of_columns(
    truth: Column,
    predicted: Column,
    *,
    average: AnyAverage | None = "binary",
    labels: Sequence[object] | None = None,
    pos_label: Hashable = 1,
) -> float | PerClass | None:
    return _score("f1", truth, predicted, average, labels, pos_label)


def matthews_corrcoef(truth: Column, predicted: Column) -> float | None:
    """Matthews' correlation coefficient, of any number of classes.

    Returns:
        A number in [-1, 1], 0 for chance; None if all truth, or all predictions, are one class (where scikit-learn
        says 0).

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare.

    Source:
        J. Gorodkin, Computational Biology and Chemistry 28 (2004) 367, R_K.
    """
    return defined(marginals_of(coded_pair(truth, predicted)).mcc())


def cohen_kappa_score(
    truth: Column,
    predicted: Column,
    *,
    labels: Sequence[object] | None = None,
    weights: Literal["linear", "quadratic"] | None = None,
) -> float | None:
    """Cohen's kappa: agreement beyond chance.

    Args:
        truth: (n,) labels.
        predicted: (n,) labels; missing = agrees with nothing, and refused with `weights`.
        labels: the classes, in order; None = all, sorted. Samples of others are left out.
        weights: how much near misses count, by the distance of places in `labels`; None = as much as any other.

    Returns:
        A number in [-1, 1]; None if agreement by chance is certain: all is one class.

    Raises:
        InvalidInputError: lengths differ, a truth is missing, labels do not compare, or weights are none of these.

    Source:
        J. Cohen, Educational and Psychological Measurement 20 (1960) 37; with weights, Psychological
        Bulletin 70 (1968) 213.
    """
    import numpy as np

    if weights not in (None, "linear", "quadratic"):
        raise InvalidInputError(f"weights is {weights!r}; take 'linear', 'quadratic' or None")
    confusion = confusion_matrix(truth, predicted, labels=labels)
    if weights is None:
        return defined(confusion.marginals.kappa())
    if confusion.unpredicted.any():
        raise InvalidInputError(
            "predicted has missing labels, which have no distance to others; leave those samples out"
        )
    places = np.arange(len(confusion.labels))
    apart = np.abs(places[:, None] - places) ** (1 if weights == "linear" else 2)
    by_chance = np.outer(confusion.matrix.sum(1), confusion.matrix.sum(0)) / max(confusion.n, 1)
    expected = float((apart * by_chance).sum())
    return 1 - float((apart * confusion.matrix).sum()) / expected if expected else None


# --- what they share --------------------------------------------------------------------------------------------------


def _score(
    metric: Metric,
    truth: Column,
    predicted: Column,
    average: AnyAverage | None,
    labels: Sequence[object] | None,
    pos_label: Hashable,
) -> float | PerClass | None:
    if average not in ("binary", "micro", "macro", "weighted", None):
        raise InvalidInputError(f"average is {average!r}; take 'binary', 'micro', 'macro', 'weighted' or None")
    codes = coded_pair(truth, predicted, None if average == "binary" else labels)
    if average == "binary":
        return defined(_positive(codes, pos_label).per_class(metric)[0])
    marginals = marginals_of(codes) if codes.asked is None else marginals_of(codes).at(codes.asked)
    if average is None:
        chosen = codes.labels if codes.asked is None else [codes.labels[place] for place in codes.asked]
        return dict(zip(chosen, map(defined, marginals.per_class(metric)), strict=True))
    return averaged(marginals, metric, average, named=codes.asked is not None)


def _positive(codes: Codes, pos_label: Hashable) -> Marginals:
    """Those of the positive class alone."""
    import numpy as np

    positive = codes.labels.index(pos_label) if pos_label in codes.labels else None
    if len(codes.labels) > 2 or (positive is None and (len(codes.labels) == 2 or alike(codes.labels, pos_label))):
        shown = ", ".join(map(repr, codes.labels[:4])) + (", …" if len(codes.labels) > 4 else "")
        raise InvalidInputError(
            f"there are {len(codes.labels)} classes ({shown}), and pos_label is {pos_label!r}: 'binary' needs two, "
            "that one of them; take average='macro', 'micro', 'weighted' or None, or another pos_label"
            + meant_label(codes.labels, pos_label)
        )
    if positive is None:  # there is at most one other
        nothing = np.zeros(1, np.int64)
        return Marginals(np.asarray(len(codes.columns[0])), nothing, nothing, nothing)
    return marginals_of(codes).at([positive])
