"""Metrics of several labels at once: each sample has any number of classes.

Truth and predicted are tables (n, L) of booleans or 0 and 1, one column for each class; label ranking takes scores
(n, L) instead of predictions. Undefined is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from localreg.errors import InvalidInputError
from localreg.metrics.reading import matrix_of, table_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = ["hamming_loss", "label_ranking_average_precision_score", "multilabel_f1_score", "subset_accuracy_score"]


def subset_accuracy_score(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Share of samples of which all labels are right.

    Returns:
        A number in [0, 1]; None if there is no sample.

    Raises:
        InvalidInputError: shapes differ, or a value is neither 0 nor 1.
    """
    true, said = _pair(truth, predicted)
    return float((true == said).all(axis=1).mean()) if len(true) else None


def hamming_loss(truth: ArrayLike, predicted: ArrayLike) -> float | None:
    """Share of labels, over all samples, that are wrong.

    Returns:
        A number in [0, 1]; None if there is no sample, or no label.

    Raises:
        InvalidInputError: shapes differ, or a value is neither 0 nor 1.

    Source:
        G. Tsoumakas, I. Katakis, International Journal of Data Warehousing and Mining 3 (2007) 1.
    """
    true, said = _pair(truth, predicted)
    return float((true != said).mean()) if true.size else None


def multilabel_f1_score(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    average: Literal["micro", "macro", "weighted", "samples"] = "macro",
) -> float | None:
    """F1, 2 TP / (2 TP + FP + FN): of all labels together, or the mean of classes or of samples.

    Args:
        truth: (n, L).
        predicted: (n, L).
        average: "micro" = of the counts of all classes together; "macro" = plain mean of the classes; "weighted" =
            mean of the classes by support; "samples" = mean of the samples.

    Returns:
        A number in [0, 1]; None if nothing is true or predicted anywhere. A class that is neither true nor predicted is
        left out of the mean, and so is a sample without labels of which none was predicted (scikit-learn counts
        either as 0, or as `zero_division` says; NaN there gives the same as here).

    Raises:
        InvalidInputError: shapes differ, or a value is neither 0 nor 1.

    Source:
        scikit-learn, `f1_score`.
    """
    if average not in ("micro", "macro", "weighted", "samples"):
        raise InvalidInputError(f"average is {average!r}; take 'micro', 'macro', 'weighted' or 'samples'")
    true, said = _pair(truth, predicted)
    axis = {"micro": None, "samples": 1}.get(average, 0)
    support = true.sum(axis=axis, keepdims=True)
    twice, whole = 2 * (true & said).sum(axis=axis, keepdims=True), support + said.sum(axis=axis, keepdims=True)
    weights = support if average == "weighted" else whole > 0
    there = (whole > 0) & (weights > 0)
    return float((twice[there] / whole[there] * weights[there]).sum() / weights[there].sum()) if there.any() else None


def label_ranking_average_precision_score(truth: ArrayLike, scores: ArrayLike) -> float | None:
    """Mean over samples and their true labels: among the labels that score as high or higher, the share of true ones.

    Args:
        truth: (n, L) booleans, or 0 and 1.
        scores: (n, L) finite numbers.

    Returns:
        A number in (0, 1]; None if no sample has a label. Samples without labels are left out, and so are those with
        all of them, which no ranking can get wrong (scikit-learn counts both as 1).

    Raises:
        InvalidInputError: shapes differ, a truth is neither 0 nor 1, or a score is NaN or infinite.

    Source:
        G. Tsoumakas et al., Mining Multi-label Data (2010), "average precision"; scikit-learn,
        `label_ranking_average_precision_score`.
    """
    import numpy as np

    true, table = _flags(truth, "truth"), matrix_of(scores, "scores")
    if true.shape != table.shape:
        raise InvalidInputError(f"truth has shape {true.shape} and scores {table.shape}; they must be equal")
    counts = true.sum(axis=1)
    kept = (counts > 0) & (counts < true.shape[1])
    if not kept.any():
        return None
    found = []
    for relevant, row in zip(true[kept], table[kept], strict=True):
        own, every = np.sort(row[relevant]), np.sort(row)
        own_rank = len(own) - own.searchsorted(own, "left")
        found.append(float((own_rank / (len(every) - every.searchsorted(own, "left"))).mean()))
    return float(np.mean(found))


def _pair(truth: ArrayLike, predicted: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    true, said = _flags(truth, "truth"), _flags(predicted, "predicted")
    if true.shape != said.shape:
        raise InvalidInputError(f"truth has shape {true.shape} and predicted {said.shape}; they must be equal")
    return true, said


def _flags(values: ArrayLike, what: str) -> np.ndarray:
    import numpy as np

    table = table_of(values, what)
    if table.dtype == np.bool_ and table.ndim == 2:
        return table
    numbers = matrix_of(values, what)
    bad = ((numbers != 0) & (numbers != 1)).any(axis=1)
    if bad.any():
        raise InvalidInputError(f"{what} holds something other than 0 and 1 in row {int(bad.argmax())}")
    return np.asarray(numbers == 1)
