from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import cmc_curve, identification_ranks, rank_k_accuracy


@given(st.lists(st.sampled_from("dcbaö"), min_size=1, max_size=8), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_ranks_are_those_by_hand(gallery: list[str], probes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = [gallery[place] for place in rng.integers(0, len(gallery), probes)]
    scores = rng.integers(0, 4, (probes, len(gallery))) / 4
    expected = []
    for person, row in zip(truth, scores, strict=True):
        best = {name: max(s for s, n in zip(row, gallery, strict=True) if n == name) for name in {*gallery}}
        expected.append(1 + sum(score >= best[person] for name, score in best.items() if name != person))
    assert identification_ranks(truth, gallery, scores).tolist() == expected
    curve = cmc_curve(truth, gallery, scores)
    for k in range(1, len({*gallery}) + 1):
        share = np.mean([rank <= k for rank in expected]) if expected else None
        assert rank_k_accuracy(truth, gallery, scores, k=k) == share
        assert curve is None if share is None else curve is not None and curve[k - 1] == pytest.approx(share)
    if curve is not None:
        assert len(curve) == len({*gallery})


def test_a_constant_similarity_finds_nobody_first() -> None:
    assert rank_k_accuracy(["a", "b"], ["a", "b"], np.zeros((2, 2))) == 0.0


@pytest.mark.parametrize(
    ("truth", "gallery", "scores", "message"),
    [
        (["a", "z"], ["a", "b"], np.zeros((2, 2)), "truth in row 1 is 'z', who is not in the gallery"),
        (["a"], ["a", "b"], np.zeros((1, 3)), "3 columns for 2 templates"),
        (["a"], ["a", "b"], np.zeros((2, 2)), r"scores has shape \(2, 2\)"),
        (["a"], ["a", None], np.zeros((1, 2)), "gallery has no label in row 1"),
        ([None], ["a"], np.zeros((1, 1)), "truth has no label in row 0"),
        (["a"], ["a"], [[np.nan]], "row 0"),
    ],
)
def test_what_cannot_be_identified_is_refused(truth: Any, gallery: Any, scores: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        identification_ranks(truth, gallery, scores)
