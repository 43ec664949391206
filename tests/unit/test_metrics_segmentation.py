from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    dice_per_class,
    iou_per_class,
    mean_dice,
    mean_iou,
    pixel_accuracy,
    segmentation_confusion,
)

oracle = pytest.importorskip("sklearn.metrics")


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from([None, 255, -1]), st.integers(0, 2**32 - 1))
@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning", "ignore:A single label was found:UserWarning")
def test_metrics_are_those_of_scikit_learn(classes: int, maps: int, ignore: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [tuple(rng.integers(1, 6, 2)) for _ in range(maps)]
    truth = [rng.integers(0, classes, shape).astype(np.int16) for shape in shapes]
    predicted = [rng.integers(0, classes, shape).astype(np.int16) for shape in shapes]
    if ignore is not None:
        for each in truth:
            each[rng.random(each.shape) < 0.2] = ignore
    true, said = (np.concatenate([each.ravel() for each in side]) for side in (truth, predicted))
    kept = np.ones(len(true), bool) if ignore is None else true != ignore
    true, said = true[kept], said[kept]
    told = segmentation_confusion(truth, predicted, classes=classes, ignore=ignore)
    if not len(true):
        assert mean_iou(told) is mean_dice(told) is pixel_accuracy(told) is None
        return
    present = sorted({*true.tolist(), *said.tolist()})
    expected = dict(zip(present, oracle.jaccard_score(true, said, labels=present, average=None), strict=True))
    assert iou_per_class(told) == {
        label: pytest.approx(expected[label]) if label in expected else None for label in range(classes)
    }
    dice = oracle.f1_score(true, said, labels=present, average=None, zero_division=0)
    got = dice_per_class(told)
    assert [got[label] for label in present] == pytest.approx(dice)
    assert mean_iou(told) == pytest.approx(np.mean(list(expected.values())))
    assert mean_dice(told) == pytest.approx(np.mean(dice))
    assert pixel_accuracy(told) == pytest.approx(oracle.accuracy_score(true, said))


def test_a_pixel_that_is_not_predicted_is_wrong() -> None:
    told = segmentation_confusion([[0, 0, 1, 255]], [[0, 255, 1, 0]], classes=2, ignore=255)
    assert pixel_accuracy(told) == pytest.approx(2 / 3)
    assert told.unpredicted.tolist() == [1, 0]
    assert iou_per_class(told) == {0: 0.5, 1: 1.0}


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r"map 0 has shape \(2, 2\)"),
        ([np.zeros((2, 2), int)], np.zeros((2, 2), int), "list of as many"),
        ([np.zeros((2, 2), int)] * 2, [np.zeros((2, 2), int)], "list of as many"),
        ([np.zeros((2, 2), int)] * 2, [np.zeros((2, 2), int), np.full((2, 2), 7)], "predicted in map 1 holds 7"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), "truth in the map holds -1"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "whole numbers"),
    ],
)
def test_what_are_no_label_maps_is_refused(truth: Any, predicted: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        segmentation_confusion(truth, predicted, classes=3)
    with pytest.raises(InvalidInputError, match="classes is 0"):
        segmentation_confusion([[0]], [[0]], classes=0)
