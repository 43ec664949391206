"""Metrics of a score for each class: ROC AUC of two classes or many, and top-k accuracy.

Columns of scores stand in the order of `labels`, or of the sorted classes in truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from localreg.errors import InvalidInputError
from localreg.metrics.coding import codes_of
from localreg.metrics.ranking import Ranked, ranked
from localreg.metrics.reading import Column, is_table, matrix_of, whole_number_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = ["classes_of", "roc_auc_score", "top_k_accuracy_score"]


def roc_auc_score(
    truth: Column,
    scores: Column | ArrayLike,
    *,
    multi_class: Literal["ovr", "ovo"] | None = None,
    average: Literal["macro", "weighted"] = "macro",
    labels: Sequence[object] | None = None,
    pos_label: object = 1,
) -> float | None:
    """The chance that a positive scores higher than a negative, ties half; of many classes an average of that.

    Args:
        truth: (n,) two labels with scores (n,); any with scores (n, K).
        scores: (n,) or (n, K) finite numbers; they need not be probabilities.
        multi_class: for scores (n, K), which must be told: "ovr" = each class against the rest; "ovo" = each pair of
            classes, by the scores of both in turn, which does not change with the frequency of classes.
        average: "macro" = plain mean; "weighted" = by the samples of the class, or of the pair.
        labels: K classes, in the order of the columns; None = those in truth, sorted.
        pos_label: which label is positive, of two; 1 is True as well.

    Returns:
        A number in [0, 1]; None if a class (one of two, or any of many) has no sample, or, for "ovr", all.

    Raises:
        InvalidInputError: shapes differ, a score is missing, NaN or infinite, or labels do not fit.

    Source:
        J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29; "ovr" with weights F. Provost, P. Domingos, CeDER Working
        Paper IS-00-04 (2001); "ovo" D. J. Hand, R. J. Till, Machine Learning 45 (2001) 171.
    """
    import numpy as np

    if multi_class not in ("ovr", "ovo", None) or average not in ("macro", "weighted"):
        raise InvalidInputError(
            f"multi_class is {multi_class!r}, average {average!r}; take 'ovr' or 'ovo', 'macro' or 'weighted'"
        )
    if not is_table(scores):
        if multi_class is not None:
            raise InvalidInputError("scores must be (n, K), a column for each class, for multi_class")
        return ranked(truth, scores, pos_label=pos_label).roc_auc()  # type: ignore[arg-type]
    if multi_class is None:
        raise InvalidInputError(
            "scores of more than one column need multi_class='ovr' or 'ovo'; of two classes pass one"
        )
    codes, matrix = classes_of(truth, scores, labels, "scores")
    each = _against_the_rest(codes, matrix) if multi_class == "ovr" else _pairs(codes, matrix)
    if not each or any(auc is None for auc, _ in each):
        return None
    weights = [weight if average == "weighted" else 1 for _, weight in each]
    return float(np.average([auc for auc, _ in each if auc is not None], weights=weights))


def top_k_accuracy_score(
    truth: Column, scores: ArrayLike, *, k: int = 2, labels: Sequence[object] | None = None
) -> float | None:
    """Share of samples whose true class is among the k with the highest scores.

    Args:
        truth: (n,) labels.
        scores: (n, K) finite numbers.
        k: from 1; with K or more the answer is 1.
        labels: K classes, in the order of the columns; None = those in truth, sorted.

    Returns:
        A number in [0, 1]; None if there is no sample. Of equal scores the later column comes first, as in
        scikit-learn.

    Raises:
        InvalidInputError: shapes differ, a score is missing, NaN or infinite, or labels do not fit.
    """
    import numpy as np

    k = whole_number_of(k, "k")
    codes, matrix = classes_of(truth, scores, labels, "scores")
    if not len(codes):
        return None
    own = matrix[np.arange(len(codes)), codes][:, None]
    later = np.arange(matrix.shape[1]) > codes[:, None]
    before = (matrix > own) | ((matrix == own) & later)
    return float((before.sum(axis=1) < k).mean())


def classes_of(
    truth: Column, table: object, labels: Sequence[object] | None, what: str
) -> tuple[np.ndarray, np.ndarray]:
    """The column of each sample's class, and the table (n, K).

    Raises:
        InvalidInputError: the numbers of classes and of columns differ, or a true class is not among `labels`.
    """
    import numpy as np

    codes = codes_of({"truth": truth}, labels)
    true = codes.columns[0]
    matrix = matrix_of(table, what, rows=len(true))
    if codes.asked is None:
        places = np.arange(len(codes.labels))
    else:
        places = np.full(len(codes.labels), -1)
        places[codes.asked] = np.arange(len(codes.asked))
        if len(np.unique(codes.asked)) < len(codes.asked):
            raise InvalidInputError("labels holds one class twice")
    count = len(codes.labels) if codes.asked is None else len(codes.asked)
    if count != matrix.shape[1] and len(true):
        raise InvalidInputError(
            f"{what} has {matrix.shape[1]} columns for {count} classes; pass labels=…, the class of each column"
        )
    true = places[true]
    if len(true) and true.min() < 0:
        row = int((true < 0).argmax())
        raise InvalidInputError(f"truth in row {row} is {codes.labels[codes.columns[0][row]]!r}, not among labels")
    return true, matrix


def _against_the_rest(codes: np.ndarray, matrix: np.ndarray) -> list[tuple[float | None, int]]:
    return [(_auc(codes == place, matrix[:, place]), int((codes == place).sum())) for place in range(matrix.shape[1])]


def _pairs(codes: np.ndarray, matrix: np.ndarray) -> list[tuple[float | None, int]]:
    found: list[tuple[float | None, int]] = []
    for a, b in combinations(range(matrix.shape[1]), 2):
        both = (codes == a) | (codes == b)
        one, other = _auc(codes[both] == a, matrix[both, a]), _auc(codes[both] == b, matrix[both, b])
        found.append((None if one is None or other is None else (one + other) / 2, int(both.sum())))
    return found


def _auc(positive: np.ndarray, scores: np.ndarray) -> float | None:
    import numpy as np

    return Ranked(np.sort(scores[positive]), np.sort(scores[~positive])).roc_auc()
