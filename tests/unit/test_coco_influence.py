"""What images do to COCO's numbers, against slopes by hand and against the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from localreg.metrics.coco import COCO_NUMBERS, DetectionMatches, matched, read
from localreg.statistics.images import compare_changes
from tests.coco_files import annotations_file, results_file
from tests.simulations.detectors import images

Floats = NDArray[np.float64]


def example(seed: int) -> DetectionMatches:
    """With crowds, equal scores, and objects of all sizes."""
    file = annotations_file(seed, images=40)
    results = results_file(seed + 1, file, masks=False)
    for each in (*file["annotations"], *results):
        each["bbox"] = [10 * value for value in each["bbox"]]
    for each in file["annotations"]:
        each["area"] *= 100
    return matched(*read(file, results, masks=False))


def smooth_precision(matches: DetectionMatches, weights: Floats, thresholds: Sequence[int], area: int) -> list[float]:
    """AP of each class with truths, as the mean over truths of the highest precision from each true positive on.

    Where it is highest is looked at with each image once: of two places as high slopes are those of the first.
    """
    found, values = matches.found, []
    for class_ in range(len(found.classes)):
        truths = (found.truth_class == class_) & found.counted[:, area]
        total = weights[found.truth_image[truths]].sum()
        if not truths.any():
            continue
        own = found.class_ == class_
        each = []
        for threshold in thresholds:
            right, ignored = (flags[own] for flags in found.flags(threshold, area))
            weight = weights[found.image[own]]
            hits, said = np.cumsum(weight * (right & ~ignored)), np.cumsum(weight * ~ignored)
            places = np.flatnonzero(right & ~ignored)
            plain = np.arange(1, len(places) + 1) / np.cumsum(~ignored)[places]
            best = [place + int(np.argmax(plain[place:])) for place in range(len(places))]
            precision = hits[places] / said[places]
            each.append(float(weight[places] @ precision[best] / total))
        values.append(float(np.mean(each)))
    return values


@pytest.mark.parametrize("name", ["AP", "AP50", "APs", "APm", "APl"])
@pytest.mark.parametrize("seed", [3, 5])
def test_influences_are_slopes(name: str, seed: int) -> None:
    matches = example(seed)
    found, step = matches.found, 1e-6
    thresholds = [0] if name == "AP50" else list(range(10))
    area = {"APs": 1, "APm": 2, "APl": 3}.get(name, 0)
    influence = matches.influence(name)
    holding = influence.holding[influence.holding > 0]
    assert (holding > 1).all(), "no class of one image, for which more is added"
    wider = np.sqrt(holding / (holding - 1))
    slopes = []
    for image in range(len(found.images)):
        both = []
        for sign in (1, -1):
            weights = np.ones(len(found.images))
            weights[image] += sign * step
            both.append(np.array(smooth_precision(matches, weights, thresholds, area)))
        slopes.append(float((wider * (both[0] - both[1]) / 2 / step).mean()))
    told = influence.on_mean(len(found.images))
    assert told.each == pytest.approx(np.array(slopes), abs=1e-7)
    assert np.abs(slopes).max() > 0.001
    parts = [influence.on_class(int(place), len(found.images)).each for place in np.flatnonzero(influence.holding)]
    assert np.mean(parts, axis=0) == pytest.approx(told.each)


@pytest.mark.parametrize("name", COCO_NUMBERS)
def test_influences_tell_the_spread_of_a_bootstrap(name: str) -> None:
    matches = replace(images()[0], objects=6.0).draw(150, np.random.default_rng(6))[0]
    told, draw = matches.influence(name).on_mean(150), np.random.default_rng(7)
    if matches.numbers([name])[name] is None:
        assert not told.each.any()
        return
    drawn = [
        matches.resampled(np.bincount(draw.integers(0, 150, 150), minlength=150)).numbers([name])[name]
        for _ in range(250)
    ]
    error = float(np.sqrt(told.each @ told.each + told.rounding))
    assert error == pytest.approx(float(np.std(np.array(drawn, float))), rel=0.15)


def test_clusters_are_sums_of_their_images() -> None:
    matches = images()[0].draw(60, np.random.default_rng(8))[0]
    clusters = np.arange(60) // 3
    single, clustered = (matches.influence("AP", units) for units in (None, clusters))
    by_image, by_cluster = single.on_mean(60).each, clustered.on_mean(20).each
    wider = [np.sqrt(each.holding[0] / (each.holding[0] - 1)) for each in (single, clustered)]
    assert np.bincount(clusters, by_image) / wider[0] == pytest.approx(by_cluster / wider[1])


def test_a_class_of_one_image_varies_by_its_distance_from_others() -> None:
    truth = {"image_id": [0, 1, 2], "category_id": [0, 0, 1], "x": [0.0] * 3, "y": [0.0] * 3, "w": [9.0] * 3}
    seen = {**truth, "x": [0.0, 0.0, 50.0], "h": truth["w"], "score": [0.9, 0.8, 0.7]}
    matches = matched(*read({**truth, "h": truth["w"]}, seen, masks=False))
    influence = matches.influence("AP")
    assert influence.lone.tolist() == [-1, 2]
    assert influence.on_mean(3).each == pytest.approx([0, 0, 0.25])  # (mean of both 0.5 - own 0) / 2 classes
    one = influence.on_class(1, 3)
    told = compare_changes("AP", (0.0, 0.0), (one.each, one.each), n=3, holding=one.holding)
    assert told.reason == "one image alone has such objects: how far it may vary cannot be told"


def test_steps_of_recall_add_what_slopes_do_not_tell() -> None:
    """Of 600 objects 588 found: AP50 falls by a hundredth where one less is found, or does not."""
    draw, drawn, told = np.random.default_rng(9), [], []
    for _ in range(60):
        matches = images()[2].draw(150, draw)[0]
        value = matches.numbers(["AP50"])["AP50"]
        changes = matches.influence("AP50").on_mean(150)
        drawn.append(0.0 if value is None else value)
        told.append([float(changes.each @ changes.each), changes.rounding])
    variances = np.array(told).mean(axis=0)
    plain, whole = np.sqrt(variances[0]), np.sqrt(variances.sum())
    assert plain < 0.9 * np.std(drawn) < 0.95 * whole < 1.3 * np.std(drawn)
