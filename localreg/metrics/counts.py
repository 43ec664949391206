"""Ratios of counts of right and wrong decisions, by the conventions of scripts that sum counts themselves.

Nothing counted gives 0.0: a ratio 0 / 0, and any ratio of a count that is NaN (as in the empty cell of a data frame),
is 0.0, as in the hosted client these names come from, so that scripts give the numbers that they gave. The statistics
of this package that read columns (`accuracy_score`) say None there: "not measurable" is not the worst result.

Counts are whole numbers or floats (weighted counts), 0 or more; whatever else is refused with InvalidInputError.
"""

from __future__ import annotations

from math import isinf, isnan

from localreg.errors import InvalidInputError
from localreg.metrics.reading import number_of

__all__ = ["accuracy", "f1_score", "fpr", "precision", "recall", "specificity"]


def accuracy(true_positives: float, false_positives: float, false_negatives: float, true_negatives: float) -> float:
    """Share of all decisions that are right: (TP + TN) / (TP + FP + FN + TN); 0.0 if there is none, or a NaN.

    For columns of classes, see `accuracy_score`.

    Raises:
        InvalidInputError: a count is negative, infinite or no number.
    """
    tp, fp = _count("true_positives", true_positives), _count("false_positives", false_positives)
    fn, tn = _count("false_negatives", false_negatives), _count("true_negatives", true_negatives)
    return _share(tp + tn, fp + fn)


def precision(true_positives: float, false_positives: float) -> float:
    """Share of what was found that is there: TP / (TP + FP); 0.0 if nothing was found, or a count is NaN.

    Raises:
        InvalidInputError: a count is negative, infinite or no number.
    """
    return _share(_count("true_positives", true_positives), _count("false_positives", false_positives))


def recall(true_positives: float, false_negatives: float) -> float:
    """Share of what is there that was found (sensitivity): TP / (TP + FN); 0.0 if nothing is there, or a count is NaN.

    Raises:
        InvalidInputError: a count is negative, infinite or no number.
    """
    return _share(_count("true_positives", true_positives), _count("false_negatives", false_negatives))


def f1_score(true_positives: float, false_positives: float, false_negatives: float) -> float:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN); 0.0 if all counts are 0, or one is NaN.

    Raises:
        InvalidInputError: a count is negative, infinite or no number.

    Source:
        C. J. van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7, E with equal weights; F1 = 1 - E.
    """
    tp = _count("true_positives", true_positives)
    wrong = _count("false_positives", false_positives) + _count("false_negatives", false_negatives)
    return _share(2 * tp, wrong)


def fpr(true_negatives: float, false_positives: float) -> float:
    """False positive rate: FP / (FP + TN), 1 - specificity; 0.0 if there is no negative, or a count is NaN.

    Raises:
        InvalidInputError: a count is negative, infinite or no number.
    """
    tn, fp = _count("true_negatives", true_negatives), _count("false_positives", false_positives)
    return _share(fp, tn)


def specificity(true_negatives: float, false_positives: float) -> float:
    """True negative rate: TN / (TN + FP); 0.0 if there is no negative, or a count is NaN.

    Raises:
        InvalidInputError: a count is negative, infinite or no number.
    """
    return _share(_count("true_negatives", true_negatives), _count("false_positives", false_positives))


def _count(name: str, value: float) -> float:
    number = number_of(value)
    if number is None or number < 0 or isinf(number):
        raise InvalidInputError(f"{name} is {value!r}; a count is a finite number, 0 or more")
    return number


def _share(part: float, rest: float) -> float:
    total = part + rest
    if isinf(total):
        raise InvalidInputError("the counts are too large to be added up; scale them down")
    return 0.0 if isnan(total) or total == 0 else part / total
