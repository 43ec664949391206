from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    accuracy_score,
    comparisons,
    cosine_similarity,
    det_curve,
    equal_error_rate,
    failure_to_enrol_rate,
    fmr,
    fnmr,
    fnmr_at_fmr,
    per_group,
    threshold_at_fmr,
)

scored = st.lists(
    st.tuples(st.booleans(), st.none() | st.sampled_from([0.0, 0.25, 0.5, 0.75]) | st.floats(-1, 1)), max_size=30
)


def split(pairs: list[tuple[bool, float | None]]) -> tuple[list[bool], list[float | None]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def sides(pairs: list[tuple[bool, float | None]]) -> tuple[np.ndarray, np.ndarray]:
    told = [(genuine, score) for genuine, score in pairs if score is not None]
    return np.array([s for g, s in told if g], float), np.array([s for g, s in told if not g], float)


@given(scored, st.sampled_from([0.25, 0.5, float("inf"), float("-inf")]) | st.floats(-1, 1))
def test_rates_at_a_threshold_are_shares_by_hand(pairs: list[tuple[bool, float | None]], threshold: float) -> None:
    genuine, impostors = sides(pairs)
    truth, scores = split(pairs)
    assert fmr(truth, scores, threshold) == ((impostors >= threshold).mean() if len(impostors) else None)
    assert fnmr(truth, scores, threshold) == ((genuine < threshold).mean() if len(genuine) else None)
    told = comparisons(truth, scores)
    assert (told.genuine, told.impostors) == (len(genuine), len(impostors))
    assert told.genuine_missed + told.impostors_missed == scores.count(None)
    assert told.genuine_missed == sum(g and s is None for g, s in pairs)


@given(scored, st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 1.0]) | st.floats(0, 1))
@example([(False, score / 49) for score in range(49)], 1 / 49)
@example([(False, 0.5), (False, 0.5), (True, 0.5)], 0.5)
def test_the_threshold_at_an_fmr_is_the_smallest_score_that_keeps_to_it(
    pairs: list[tuple[bool, float | None]], target: float
) -> None:
    genuine, impostors = sides(pairs)
    truth, scores = split(pairs)
    got = fnmr_at_fmr(truth, scores, target)
    assert got.target == target
    assert threshold_at_fmr(truth, scores, target) == got.threshold
    if not len(impostors) or target < 1 / len(impostors):
        assert (got.threshold, got.fmr, got.fnmr) == (None, None, None)
        assert got.reason is not None
        return
    every = [*sorted({*genuine.tolist(), *impostors.tolist()}), np.inf]
    expected = next(threshold for threshold in every if (impostors >= threshold).mean() <= target)
    assert got.threshold == expected
    assert got.fmr == (impostors >= expected).mean() <= target
    assert got.fnmr == ((genuine < expected).mean() if len(genuine) else None)
    assert (got.reason is None) == bool(len(genuine))


def test_an_fmr_below_one_impostor_of_all_is_told_to_be_out_of_reach() -> None:
    truth, scores = [True, *[False] * 99], [0.9, *np.linspace(0, 0.5, 99)]
    assert fnmr_at_fmr(truth, scores, 0.001).reason == (
        "an FMR of 0.001 cannot be measured with 99 impostor pairs; it takes 1,000 of them"
    )
    assert fnmr_at_fmr(truth, scores, 0).reason == "an FMR of 0 cannot be measured with 99 impostor pairs"
    assert fnmr_at_fmr([True], [0.5], 0.1).reason == "there are no impostor pairs"
    assert fnmr_at_fmr([False], [0.5], 1).reason == "there are no genuine pairs"


def test_ties_at_the_top_leave_infinity_as_the_only_threshold() -> None:
    got = fnmr_at_fmr([True, False, False, False], [0.5, 0.5, 0.5, 0.5], 0.5)
    assert (got.threshold, got.fmr, got.fnmr) == (float("inf"), 0.0, 1.0)


@settings(deadline=None)
@given(scored)
def test_the_equal_error_rate_is_where_the_roc_polygon_crosses_the_diagonal(
    pairs: list[tuple[bool, float | None]],
) -> None:
    oracle = pytest.importorskip("sklearn.metrics")
    optimize = pytest.importorskip("scipy.optimize")
    genuine, impostors = sides(pairs)
    got = equal_error_rate(*split(pairs))
    if not len(genuine) or not len(impostors):
        assert got is None
        return
    assert got is not None
    truth = np.repeat([True, False], [len(genuine), len(impostors)])
    curve = oracle.roc_curve(truth, np.concatenate([genuine, impostors]), drop_intermediate=False)

    def gap(along: float) -> float:  # along the polygon, of which a side may stand upright
        places = np.arange(len(curve[0]))
        return float(1 - np.interp(along, places, curve[1]) - np.interp(along, places, curve[0]))

    crossing = optimize.brentq(gap, 0, len(curve[0]) - 1, xtol=1e-13)
    rate = np.interp(crossing, np.arange(len(curve[0])), curve[0])
    assert got.rate == pytest.approx(rate, abs=1e-9)
    told = comparisons(truth, np.concatenate([genuine, impostors]))
    assert told.fmr(got.threshold) <= told.fnmr(got.threshold)  # type: ignore[operator]


@given(scored)
def test_the_curve_says_what_counting_at_each_threshold_says(pairs: list[tuple[bool, float | None]]) -> None:
    truth, scores = split(pairs)
    curve = det_curve(truth, scores)
    told = comparisons(truth, scores)
    assert curve.thresholds[-1] == np.inf
    assert (np.diff(curve.thresholds) > 0).all()
    for threshold, false_match, false_non_match in zip(*curve, strict=True):
        assert told.fmr(threshold) == (None if np.isnan(false_match) else false_match)
        assert told.fnmr(threshold) == (None if np.isnan(false_non_match) else false_non_match)


def test_single_precision_scores_meet_their_own_threshold() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.7], np.float32)
    got = fnmr_at_fmr([False, False, False, True], scores, 1 / 3)
    assert got.fmr == 1 / 3
    assert got.threshold == float(np.float32(0.3))


def test_failure_to_enrol_is_a_share_of_images() -> None:
    assert failure_to_enrol_rate([True, False, False, 0]) == 0.25
    assert failure_to_enrol_rate([]) is None
    with pytest.raises(InvalidInputError, match="failed has no label in row 0"):
        failure_to_enrol_rate([None, True])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: fmr([0], [float("nan")], 0.5), "scores is nan in row 0"),
        (lambda: fnmr([0], [float("inf")], 0.5), "scores is inf in row 0"),
        (lambda: equal_error_rate([0], [0.5, 0.5]), "shape"),
        (lambda: fmr([0], [0.5], float("nan")), "the threshold is nan"),
        (lambda: fnmr([1], [0.5], "0.5"), "the threshold is '0.5'"),  # type: ignore[arg-type]
        (lambda: fnmr_at_fmr([0], [0.5], 1.5), "the target FMR is 1.5"),
        (lambda: fnmr_at_fmr([0], [0.5], float("nan")), "the target FMR is nan"),
        (lambda: threshold_at_fmr([0], [0.5], None), "the target FMR is None"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_verified_is_refused(act: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        act()


def test_any_metric_of_each_group_is_that_of_its_samples_alone() -> None:
    groups = ["b", "a", None, "b", "a"]
    truth, scores = [1, 0, 1, 0, 1], [0.9, 0.1, None, 0.8, 0.7]
    assert per_group(groups, lambda t, s: fnmr(t, s, 0.75), truth, scores) == {"a": 1.0, "b": 0.0, None: None}
    assert list(per_group(groups, len, truth)) == ["a", "b", None]
    assert per_group([2, 1, 2], accuracy_score, ["x", "y", "x"], pa.array(["x", "x", None])) == {1: 0.0, 2: 0.5}
    assert per_group([], accuracy_score, [], []) == {}
    with pytest.raises(InvalidInputError, match=r"groups has shape \(1,\) and column 1 has shape \(2,\)"):
        per_group([1], len, [1, 2])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 600), st.integers(1, 40), st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_the_cosine_of_pairs_is_that_by_hand(rows: int, width: int, dtype: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(rows, width)).astype(dtype) for _ in range(2))
    a[::7] = 0
    got = cosine_similarity(a, b)
    assert got.dtype == dtype
    wide, other = a.astype(float), b.astype(float)
    with np.errstate(invalid="ignore"):
        expected = (wide * other).sum(1) / np.sqrt((wide**2).sum(1) * (other**2).sum(1))
    np.testing.assert_allclose(got, expected, atol=2e-6 if dtype is np.float32 else 1e-14)
    assert np.isnan(got[::7]).all()
    assert (np.abs(got[~np.isnan(got)]) <= 1).all()


def test_vectors_whose_squares_no_float_holds_have_a_cosine_all_the_same() -> None:
    for scale in (1e-30, 1e30):
        a = np.array([[3, 4], [1, 0], [1, 1]], np.float32) * np.float32(scale)
        assert cosine_similarity(a, a).tolist() == pytest.approx([1, 1, 1], abs=1e-6)
    wide = np.array([[3e200, 4e200]])
    assert cosine_similarity(wide, [[4.0, 3.0]]).tolist() == pytest.approx([0.96])


def test_blocks_do_not_show() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 100_000)), rng.normal(size=(3, 100_000))
    np.testing.assert_allclose(cosine_similarity(a, b), cosine_similarity(np.hstack([a, a]), np.hstack([b, b])))
    many, others = (np.repeat(side[:, :2048], 100, axis=0) for side in (a, b))  # of 64 rows each, the last of fewer
    np.testing.assert_allclose(cosine_similarity(many, others), cosine_similarity(a[:, :2048], b[:, :2048]).repeat(100))
    assert np.isnan(cosine_similarity(np.zeros((2, 0)), np.zeros((2, 0)))).all()


def test_without_vecdot_the_cosine_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 8)), rng.normal(size=(50, 8))
    expected = cosine_similarity(a, b)
    monkeypatch.delattr(np, "vecdot", raising=False)
    np.testing.assert_allclose(cosine_similarity(a, b), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([[1.0, 2.0]], [[1.0]], r"a has shape \(1, 2\) and b \(1, 1\)"),
        ([1.0], [1.0], r"a has shape \(1,\)"),
        ([[1.0], [np.nan]], [[1.0], [1.0]], "a is NaN or infinite in row 1"),
        ([[0.0], [1.0]], [[1.0], [np.inf]], "b is NaN or infinite in row 1"),
        ([["x"]], [[1.0]], "a is no table"),
    ],
)
def test_what_are_no_vectors_is_refused(a: Any, b: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        cosine_similarity(a, b)
