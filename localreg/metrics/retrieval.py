"""Metrics of retrieval: for each query, documents with scores, of which some are relevant.

Relevance and scores are tables (q, d), or lists of q columns whose lengths differ. A query without relevant documents
says nothing of a model: it is left out of every mean, and None is given if all are. (scikit-learn's `ndcg_score` counts
it as 0.) Of equal scores irrelevant documents come first, so that a constant score earns nothing; but nDCG, which has a
rule for ties, takes their mean, and average precision takes them together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from localreg.errors import InvalidInputError
from localreg.metrics.ranking import ranked
from localreg.metrics.reading import Column, numbers_of, rows_of, whole_number_of

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "mean_average_precision",
    "mean_reciprocal_rank",
    "ndcg_score",
    "precision_at_k",
    "recall_at_k",
]


def ndcg_score(relevance: Iterable[Column], scores: Iterable[Column], *, k: int | None = None) -> float | None:
    """Normalised discounted cumulative gain, mean over queries; a gain is relevance / log2(1 + rank).

    Args:
        relevance: (q, d) numbers, 0 or more.
        scores: (q, d) finite numbers.
        k: only the first k count; None = all.

    Returns:
        A number in [0, 1], see the module.

    Raises:
        InvalidInputError: lengths differ, or a number is negative (of relevance), missing, NaN or infinite.

    Source:
        K. Järvelin, J. Kekäläinen, ACM TOIS 20 (2002) 422; ties: F. McSherry, M. Najork, ECIR 2008, 414; scikit-learn,
        `ndcg_score`.
    """
    import numpy as np

    cut = None if k is None else whole_number_of(k, "k")

    def gain(relevant: np.ndarray, row: np.ndarray) -> float:
        discount = 1 / np.log2(np.arange(len(row)) + 2)
        if cut is not None:
            discount[cut:] = 0
        order = np.argsort(-row, kind="stable")
        ordered = row[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        lengths = np.diff(np.append(starts, len(row)))
        gains = np.add.reduceat(relevant[order], starts) / lengths
        reached = (gains * np.add.reduceat(discount, starts)).sum()
        return float(reached / (np.sort(relevant)[::-1] * discount).sum())

    return _mean(relevance, scores, gain)


def mean_average_precision(relevance: Iterable[Column], scores: Iterable[Column]) -> float | None:
    """Mean over queries of `average_precision_score`; relevance is 0 or 1.

    Returns:
        A number in (0, 1], see the module.

    Raises:
        InvalidInputError: lengths differ, relevance is neither 0 nor 1, or a number is missing, NaN or infinite.

    Source:
        C. D. Manning et al., Introduction to Information Retrieval (2008), section 8.4.
    """

    def precision(relevant: np.ndarray, row: np.ndarray) -> float:
        value = ranked(relevant > 0, row).average_precision()
        assert value is not None, "a query has relevant documents"
        return value

    return _mean(relevance, scores, precision, binary=True)


def mean_reciprocal_rank(relevance: Iterable[Column], scores: Iterable[Column]) -> float | None:
    """Mean over queries of 1 / rank of the first relevant document; relevance is 0 or 1.

    Returns:
        A number in (0, 1], see the module.

    Raises:
        InvalidInputError: lengths differ, relevance is neither 0 nor 1, or a number is missing, NaN or infinite.

    Source:
        E. M. Voorhees, TREC-8 (1999), question answering track.
    """

    def reciprocal(relevant: np.ndarray, row: np.ndarray) -> float:
        best = row[relevant > 0].max()
        return 1 / (1 + int(((row >= best) & (relevant == 0)).sum()))

    return _mean(relevance, scores, reciprocal, binary=True)


def precision_at_k(relevance: Iterable[Column], scores: Iterable[Column], *, k: int) -> float | None:
    """Mean over queries of the share of relevant documents among the first k; where there are fewer, of k all the same.

    Returns:
        A number in [0, 1], see the module.

    Raises:
        InvalidInputError: lengths differ, relevance is neither 0 nor 1, or a number is missing, NaN or infinite.

    Source:
        C. D. Manning et al., Introduction to Information Retrieval (2008), section 8.4.
    """
    k = whole_number_of(k, "k")
    return _mean(relevance, scores, lambda relevant, row: _found(relevant, row, k) / k, binary=True)


def recall_at_k(relevance: Iterable[Column], scores: Iterable[Column], *, k: int) -> float | None:
    """Mean over queries of the share of relevant documents that are among the first k.

    Returns:
        A number in [0, 1], see the module.

    Raises:
        InvalidInputError: lengths differ, relevance is neither 0 nor 1, or a number is missing, NaN or infinite.

    Source:
        C. D. Manning et al., Introduction to Information Retrieval (2008), section 8.4.
    """
    k = whole_number_of(k, "k")
    return _mean(
        relevance, scores, lambda relevant, row: _found(relevant, row, k) / float((relevant > 0).sum()), binary=True
    )


def _found(relevant: np.ndarray, row: np.ndarray, k: int) -> int:
    import numpy as np

    return int((relevant[np.lexsort((relevant, -row))[:k]] > 0).sum())


def _mean(
    relevance: Iterable[Column],
    scores: Iterable[Column],
    metric: Callable[[np.ndarray, np.ndarray], float],
    *,
    binary: bool = False,
) -> float | None:
    """A metric's mean over the queries that have relevant documents."""
    import numpy as np

    rows, columns = (cast("list[Column]", rows_of(*each)) for each in ((relevance, "relevance"), (scores, "scores")))
    if len(rows) != len(columns):
        raise InvalidInputError(f"relevance has {len(rows)} queries and scores {len(columns)}; they must be equal")
    found = []
    for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
        relevant = numbers_of(row, f"relevance of query {number}").astype(np.float64, copy=False)
        told = numbers_of(column, f"scores of query {number}")
        if len(relevant) != len(told):
            raise InvalidInputError(
                f"query {number} has {len(relevant)} documents in relevance and {len(told)} in scores"
            )
        if (relevant < 0).any() or (binary and not np.isin(relevant, (0, 1)).all()):
            raise InvalidInputError(f"relevance of query {number} must be {'0 or 1' if binary else '0 or more'}")
        if relevant.any():
            found.append(metric(relevant, told))
    return float(np.mean(found)) if found else None
