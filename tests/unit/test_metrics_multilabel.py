from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    hamming_loss,
    label_ranking_average_precision_score,
    multilabel_f1_score,
    subset_accuracy_score,
)

oracle = pytest.importorskip("sklearn.metrics")


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = draw(st.tuples(st.integers(1, 8), st.integers(2, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    return rng.random(shape) < share, rng.random(shape) < share, rng.integers(0, 4, shape) / 4


@settings(deadline=None)
@given(tables())
def test_metrics_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, predicted, _ = drawn
    assert subset_accuracy_score(truth, predicted) == pytest.approx(oracle.accuracy_score(truth, predicted))
    assert hamming_loss(truth.astype(int), predicted.tolist()) == pytest.approx(oracle.hamming_loss(truth, predicted))
    for average in ("micro", "macro", "samples", "weighted"):
        got = multilabel_f1_score(truth, predicted, average=average)
        if average == "weighted" and not truth.any():
            assert got is None
            continue
        expected = oracle.f1_score(truth, predicted, average=average, zero_division=np.nan)
        assert (np.nan if got is None else got) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(tables())
def test_label_ranking_is_that_of_scikit_learn_on_samples_with_some_labels_but_not_all(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    truth, _, scores = drawn
    kept = truth.any(axis=1) & ~truth.all(axis=1)
    got = label_ranking_average_precision_score(truth, scores)
    if kept.any():
        expected = oracle.label_ranking_average_precision_score(truth[kept], scores[kept])
        assert got == pytest.approx(expected, abs=1e-12)
    else:
        assert got is None


def test_nothing_at_all_is_undefined() -> None:
    empty = np.zeros((0, 3), bool)
    assert subset_accuracy_score(empty, empty) is None
    assert hamming_loss(empty, empty) is None
    assert multilabel_f1_score(empty, empty) is None
    assert label_ranking_average_precision_score(empty, empty.astype(float)) is None


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([[1, 0]], [[1, 0, 1]], "equal"),
        ([[1, 2]], [[1, 0]], "truth holds something other than 0 and 1 in row 0"),
        ([1, 0], [1, 0], "shape"),
        ([[1, 0]], [[1, np.nan]], "row 0"),
    ],
)
def test_what_are_no_labels_is_refused(truth: Any, predicted: Any, message: str) -> None:
    for act in (subset_accuracy_score, hamming_loss, multilabel_f1_score):
        with pytest.raises(InvalidInputError, match=message):
            act(truth, predicted)
    with pytest.raises(InvalidInputError, match="average is 'binary'"):
        multilabel_f1_score([[1]], [[1]], average="binary")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="equal"):
        label_ranking_average_precision_score([[1, 0]], [[0.5]])
