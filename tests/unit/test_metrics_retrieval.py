from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg_score,
    precision_at_k,
    recall_at_k,
)

oracle = pytest.importorskip("sklearn.metrics")


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(2, 8), st.none() | st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_ndcg_is_that_of_scikit_learn_on_queries_with_relevant_documents(
    queries: int, documents: int, k: int | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    relevance, scores = rng.integers(0, 4, (queries, documents)), rng.integers(0, 5, (queries, documents)) / 4
    relevance[rng.random(queries) < 0.3] = 0
    kept = relevance.any(axis=1)
    got = ndcg_score(relevance, scores, k=k)
    if kept.any():
        assert got == pytest.approx(oracle.ndcg_score(relevance[kept], scores[kept], k=k), abs=1e-12)
    else:
        assert got is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 7), st.integers(0, 2**32 - 1)), min_size=1, max_size=5), st.integers(1, 8))
def test_the_others_are_those_by_hand(sizes: list[tuple[int, int]], k: int) -> None:
    relevance, scores = [], []
    for size, seed in sizes:
        rng = np.random.default_rng(seed)
        relevance.append((rng.random(size) < 0.4).astype(int).tolist())
        scores.append((rng.integers(0, 4, size) / 4).tolist())
    precisions, recalls, ranks, areas = [], [], [], []
    for row, column in zip(relevance, scores, strict=True):
        if not any(row):
            continue
        order = sorted(zip(column, row, strict=True), key=lambda pair: (-pair[0], pair[1]))
        hits = [hit for _, hit in order]
        precisions.append(sum(hits[:k]) / k)
        recalls.append(sum(hits[:k]) / sum(hits))
        ranks.append(1 / (1 + hits.index(1)))
        areas.append(oracle.average_precision_score(row, column))
    for got, values in (
        (precision_at_k(relevance, scores, k=k), precisions),
        (recall_at_k(relevance, scores, k=k), recalls),
        (mean_reciprocal_rank(relevance, scores), ranks),
        (mean_average_precision(relevance, scores), areas),
    ):
        assert got == (pytest.approx(np.mean(values), abs=1e-12) if values else None)


def test_a_constant_score_earns_nothing_it_did_not_find() -> None:
    assert precision_at_k([[1, 0, 0]], [[0.5, 0.5, 0.5]], k=1) == 0.0
    assert mean_reciprocal_rank([[1, 0, 0]], [[0.5, 0.5, 0.5]]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("relevance", "scores", "message"),
    [
        ([[1, 0]], [[0.5, 0.5], [0.5, 0.5]], "1 queries and scores 2"),
        ([[1, 0]], [[0.5]], "query 0 has 2 documents"),
        ([[1, 0], [1, -1]], [[0.5, 0.5], [0.5, 0.5]], "relevance of query 1 must be"),
        ([[1, 0]], [[0.5, float("nan")]], "scores of query 0 is nan in row 1"),
        ([[1, None]], [[0.5, 0.5]], "relevance of query 0 has no number in row 1"),
    ],
)
def test_what_are_no_queries_is_refused(relevance: Any, scores: Any, message: str) -> None:
    for act in (ndcg_score, mean_average_precision, mean_reciprocal_rank):
        with pytest.raises(InvalidInputError, match=message):
            act(relevance, scores)
    for value in (2, 0.5):
        with pytest.raises(InvalidInputError, match="must be 0 or 1"):
            recall_at_k([[value]], [[0.5]], k=1)
    with pytest.raises(InvalidInputError, match="k is 0"):
        precision_at_k([[1]], [[0.5]], k=0)
