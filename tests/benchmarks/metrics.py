"""Metrics on columns, beside what a user would pick instead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn import metrics as peer

from localreg.metrics import classification_report, cosine_similarity, ranked
from tests.benchmarks.harness import Bench, Figure

PAIRS, WIDTH = 1_000_000, 512


def figures(bench: Bench) -> Iterator[Figure]:
    """The rows, one by one."""
    yield from rankings(bench)
    yield classes(bench)
    yield from verification(bench)


def rankings(bench: Bench) -> Iterator[Figure]:
    """ROC AUC and average precision of distinct scores."""
    for count, often in ((1_000_000, 3), (10_000_000, 1)):
        if count > 1_000_000 and not bench.large:
            continue
        rng = np.random.default_rng(0)
        truth = rng.random(count) < 0.3
        scores = rng.random(count) + 0.3 * truth

        def ours(truth: np.ndarray = truth, scores: np.ndarray = scores) -> tuple[float | None, float | None]:
            each = ranked(truth, scores)
            return each.roc_auc(), each.average_precision()

        def theirs(truth: np.ndarray = truth, scores: np.ndarray = scores) -> tuple[float, float]:
            return peer.roc_auc_score(truth, scores), peer.average_precision_score(truth, scores)

        np.testing.assert_allclose(np.array(ours(), float), theirs(), rtol=1e-12)
        what = f"ROC AUC and average precision of {count // 1_000_000}M distinct scores ÷ scikit-learn's two"
        yield bench.compare(what, ours, theirs, at_most=0.2, times=often)


def classes(bench: Bench) -> Figure:
    """All metrics of ten classes, of columns of text."""
    rng = np.random.default_rng(0)
    names = np.array([f"class {number}" for number in range(10)], object)
    codes = rng.integers(0, 10, PAIRS)
    truth, predicted = names[codes], names[np.where(rng.random(PAIRS) < 0.8, codes, rng.integers(0, 10, PAIRS))]
    return bench.compare(
        "report of 10 classes of text, 1M samples ÷ scikit-learn's",
        lambda: classification_report(truth, predicted),
        lambda: peer.classification_report(truth, predicted),
        at_most=0.2,
        times=1,
    )


def verification(bench: Bench) -> Iterator[Figure]:
    """Cosine similarity of pairs of embeddings in single precision."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((PAIRS, WIDTH), dtype=np.float32) - 0.5 for _ in range(2))

    def dots(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("ij,ij->i", x, y))

    def ours() -> np.ndarray:
        return cosine_similarity(a, b)

    what = f"cosine of 1M pairs of {WIDTH} numbers ÷"
    yield bench.compare(
        f"{what} numpy's einsum of the same",
        ours,
        lambda: dots(a, b) / np.sqrt(dots(a, a) * dots(b, b)),
        at_most=1.3,
        times=1,
    )
    yield bench.compare(f"{what} one einsum, without the norms", ours, lambda: dots(a, b), at_most=None, times=1)
