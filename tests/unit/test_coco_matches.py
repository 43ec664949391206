"""What is counted from matches: held to pycocotools, to counting by hand, and to data sets whose images stand twice."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from localreg.errors import InvalidInputError
from localreg.metrics.coco import COCO_AREAS, Area, Counts, DetectionMatches, Detections, Truths, matched, read
from tests.coco_oracle import NAMES, drawn, evaluated, numbers_of

SEEDS = range(12)


def matches_of(annotations: Any, results: Any, **options: Any) -> DetectionMatches:
    return matched(*read(copy.deepcopy(annotations), copy.deepcopy(results), masks=False), **options)


def mean(values: np.ndarray) -> float | None:
    return float(np.mean(values[values > -1])) if (values > -1).any() else None


@pytest.mark.parametrize("seed", SEEDS)
def test_precision_and_recall_of_classes_are_those_of_pycocotools(seed: int) -> None:
    annotations, results = drawn(seed)
    wanted = evaluated(annotations, results, "bbox")
    found = matches_of(annotations, results)
    assert found.classes.tolist() == wanted.params.catIds
    for number, area in enumerate(COCO_AREAS):
        precision = wanted.eval["precision"][..., number, 2]
        assert found.average_precision(area=area.name) == mean(precision)
        assert found.average_precision(0.75, area=area.name) == mean(precision[5])
        assert found.average_recall(0.9, area=area.name) == mean(wanted.eval["recall"][8, :, number, 2])
        each = found.average_precision_per_class(area=area.name)
        assert [*each.values()] == pytest.approx([mean(precision[:, :, k]) for k in range(len(each))], abs=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("thresholds", [[0.3], [1.0, 0.01, 0.5], np.linspace(0.05, 1, 20).tolist()])
def test_any_thresholds_sizes_and_numbers_of_detections(seed: int, thresholds: list[float]) -> None:
    annotations, results = drawn(seed)
    areas = [Area("all", 0, 1e10), *(Area(f"from {low}", low, 2.0 * low) for low in (64, 256, 1024, 9216))]
    wanted = evaluated(
        *(annotations, results, "bbox"),
        iouThrs=np.array(sorted(thresholds)),
        areaRng=[[area.low, area.high] for area in areas],
        areaRngLbl=[area.name for area in areas],
        maxDets=[2, 5000],
    )
    found = matches_of(annotations, results, iou_thresholds=thresholds, areas=areas, max_detections=None)
    for number, area in enumerate(areas):
        assert found.average_precision(area=area.name) == mean(wanted.eval["precision"][..., number, 1])
        for place, limit in enumerate((2, 5000)):
            recall = found.average_recall(area=area.name, max_detections=limit)
            assert recall == mean(wanted.eval["recall"][..., number, place])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_12_numbers_do_not_need_the_limit(seed: int) -> None:
    annotations, results = drawn(seed)
    assert matches_of(annotations, results, max_detections=None).numbers() == numbers_of(annotations, results, "bbox")


# --- counts -----------------------------------------------------------------------------------------------------------


def counted(found: Any, threshold: int, area: int, score: float) -> dict[tuple[int, int], Counts]:
    """By image and class, out of pycocotools' matches."""
    counts = {}
    for each in found.evalImgs:
        low, high = COCO_AREAS[area].low, COCO_AREAS[area].high
        if each is None or each["aRng"] != [low, high]:
            continue
        shown = (np.array(each["dtScores"]) >= score) & ~each["dtIgnore"][threshold].astype(bool)
        right = each["dtMatches"][threshold] > 0
        tp = int((shown & right).sum())
        one = Counts(tp, int((shown & ~right).sum()), int((each["gtIgnore"] == 0).sum()) - tp)
        if one != Counts(0, 0, 0):
            counts[each["image_id"], each["category_id"]] = one
    return counts


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_at_a_score_are_those_of_pycocotools(seed: int) -> None:
    annotations, results = drawn(seed)
    found, oracle = matches_of(annotations, results), evaluated(annotations, results, "bbox")
    for iou, threshold in ((0.5, 0), (0.75, 5), (0.95, 9)):
        for number, area in enumerate(COCO_AREAS):
            for score in (-np.inf, 0.1, 0.5, 0.7):
                wanted = counted(oracle, threshold, number, score)
                table = found.count_table(iou=iou, score=score, area=area.name)
                ids = zip(found.images[table.image].tolist(), found.classes[table.class_].tolist(), strict=True)
                rows = zip(table.tp.tolist(), table.fp.tolist(), table.fn.tolist(), strict=True)
                assert dict(zip(ids, (Counts(*row) for row in rows), strict=True)) == wanted
                each = wanted.values()
                total = Counts(sum(c.tp for c in each), sum(c.fp for c in each), sum(c.fn for c in each))
                assert found.counts(iou=iou, score=score, area=area.name) == total
                per_class = found.counts_per_class(iou=iou, score=score, area=area.name)
                for id in found.classes.tolist():
                    own = [c for (_, category), c in wanted.items() if category == id]
                    assert per_class[id] == Counts(
                        sum(c.tp for c in own), sum(c.fp for c in own), sum(c.fn for c in own)
                    )
                per_image = table.per_image()
                assert per_image.shape == (len(found.images), 3)
                assert tuple(per_image.sum(axis=0).tolist()) == (total.tp, total.fp, total.fn)


def test_ratios_of_nothing_are_none() -> None:
    assert (Counts(0, 0, 3).precision, Counts(0, 3, 0).recall, Counts(0, 0, 0).f1) == (None, None, None)
    assert (Counts(1, 3, 1).precision, Counts(1, 3, 1).recall, Counts(1, 3, 1).f1) == (0.25, 0.5, 1 / 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_threshold_is_the_best_of_all(seed: int) -> None:
    annotations, results = drawn(seed)
    del results[60:]
    found = matches_of(annotations, results)
    scores = sorted({each["score"] for each in results}, reverse=True)
    for iou in (0.5, 0.9):
        each = {score: found.counts(iou=iou, score=score) for score in scores}
        f1 = [counts.f1 or 0.0 for counts in each.values()]
        best = found.best_threshold(iou=iou)
        if best is None:
            assert max(f1) == 0
        else:
            assert best.score == scores[int(np.argmax(f1))]
            assert best.counts == each[best.score]
        by_score = [found.counts_per_class(iou=iou, score=score) for score in scores]
        for id, one in found.best_threshold_per_class(iou=iou).items():
            own = [classes[id].f1 or 0.0 for classes in by_score]
            assert max(own) == (0.0 if one is None else one.counts.f1)


# --- samples of images ------------------------------------------------------------------------------------------------


def repeated(annotations: Any, results: Any, times: dict[int, int]) -> tuple[Any, Any]:
    """A data set in which each image stands so often, under ids of its own."""
    made: Any = {**annotations, "images": [], "annotations": []}
    seen = []
    for image, count in times.items():
        for copied in range(count):
            id = image * 100 + copied
            made["images"].append({"id": id})
            own = [each for each in annotations["annotations"] if each["image_id"] == image]
            made["annotations"] += [{**each, "image_id": id, "id": each["id"] + 1000 * id} for each in own]
            seen += [{**each, "image_id": id} for each in results if each["image_id"] == image]
    return made, seen


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sample_of_images_has_the_numbers_of_that_data_set(seed: int) -> None:
    annotations, results = drawn(seed)
    draw = np.random.default_rng(seed)
    for each, score in zip(results, draw.permutation(len(results)).tolist(), strict=True):
        each["score"] = score / len(results)  # all different
    found = matches_of(annotations, results)
    for weights in (draw.integers(0, 4, len(found.images)), draw.integers(0, 2, len(found.images))):
        times = dict(zip(found.images.tolist(), weights.tolist(), strict=True))
        data = repeated(annotations, results, times)
        sample, wanted = found.resampled(weights), matches_of(*data)
        assert sample.numbers() == numbers_of(*data, "bbox") == wanted.numbers()
        assert sample.counts(score=0.5) == wanted.counts(score=0.5)
        assert sample.counts_per_class(score=0.5) == wanted.counts_per_class(score=0.5)
        assert sample.best_threshold() == wanted.best_threshold()
        assert sample.best_threshold_per_class() == wanted.best_threshold_per_class()
        assert sample.average_precision_per_class() == wanted.average_precision_per_class()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_image_once_is_no_sample(seed: int) -> None:
    found = matches_of(*drawn(seed))
    assert found.resampled(np.ones(len(found.images), int)).numbers() == found.numbers()
    # COCO adds 2.2e-16 to the number that it divides by, which makes less of a difference to 3 than to 1.
    assert found.resampled(np.full(len(found.images), 3)).numbers() == pytest.approx(found.numbers(), abs=1e-15)
    assert found.resampled(np.zeros(len(found.images), int)).numbers() == dict.fromkeys(NAMES)


@pytest.mark.parametrize("weights", [[1], [0.5] * 8, [-1] * 8, ["1"] * 8, [[1] * 8], None])
def test_weights_that_are_none_are_refused(weights: Any) -> None:
    with pytest.raises(InvalidInputError, match="whole numbers, 0 or more"):
        matches_of(*drawn(0)).resampled(weights)


# --- columns ----------------------------------------------------------------------------------------------------------


def test_what_was_matched_stands_in_columns() -> None:
    truths = Truths(
        image_id=np.array([5, 5, 9]),
        category_id=np.array([1, 1, 1]),
        shapes=np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]]),
        area=np.array([100.0, 2000, 100]),
        iscrowd=np.array([False, False, True]),
        images=np.array([5, 9, 7]),
    )
    seen = Detections(
        image_id=np.array([5, 9, 5]),
        category_id=np.array([1, 1, 1]),
        shapes=np.array([[0.0, 0, 10, 10], [0, 0, 5, 5], [0, 0, 10, 8]]),
        score=np.array([0.2, 0.9, 0.8]),
        area=np.array([100.0, 25, 80]),
    )
    found = matched(truths, seen).found
    assert found.images.tolist() == [5, 7, 9]
    assert found.row.tolist() == [1, 2, 0]
    assert found.score.tolist() == [0.9, 0.8, 0.2]
    assert found.image.tolist() == [2, 0, 0]
    assert found.rank.tolist() == [0, 0, 1]
    right, ignored = found.flags(0, 0)
    assert (right.tolist(), ignored.tolist()) == ([False, True, True], [True, False, False])
    small = found.area_named("small")
    right, ignored = found.flags(found.threshold_at(0.9), small)
    assert (right.tolist(), ignored.tolist()) == ([False, False, True], [True, False, False])
    assert found.counted[:, small].tolist() == [True, False, False]


def test_no_rows_at_all() -> None:
    none = np.empty(0, np.int64)
    truths = Truths(none, none, np.empty((0, 4)), np.empty(0), np.empty(0, bool))
    seen = Detections(none, none, np.empty((0, 4)), np.empty(0), np.empty(0))
    found = matched(truths, seen)
    assert found.numbers() == dict.fromkeys(NAMES)
    assert found.counts() == Counts(0, 0, 0)
    assert found.best_threshold() is None
    assert found.average_precision_per_class() == {}


def test_blocks_of_pairs_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    annotations, results = drawn(4)
    whole = matches_of(annotations, results).numbers()
    monkeypatch.setattr("localreg.metrics.coco.overlaps.BLOCK", 7)
    assert matches_of(annotations, results).numbers() == whole


def test_an_order_that_does_not_fit_into_one_number() -> None:
    from localreg.metrics.coco.grouping import falling

    draw = np.random.default_rng(0)
    group, score = draw.integers(0, 5, 500), draw.choice([0.0, -0.0, 1.5, -3.0], 500)
    wanted = np.lexsort((-score, group))
    np.testing.assert_array_equal(falling(group, score), wanted)
    np.testing.assert_array_equal(falling(group << 55, score), wanted)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"iou_thresholds": []}, "above 0"),
        ({"iou_thresholds": [0.0]}, "above 0"),
        ({"iou_thresholds": [1.1]}, "at most 1"),
        ({"iou_thresholds": [float("nan")]}, "above 0"),
        ({"areas": []}, "one to 64"),
        ({"areas": [COCO_AREAS[0]] * 2}, "different names"),
        ({"max_detections": 0}, "max_detections"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        matches_of(*drawn(0), **options)


def test_what_was_not_matched_is_not_told() -> None:
    found = matches_of(*drawn(0), iou_thresholds=[0.5], max_detections=10)
    for ask, said in (
        (found.numbers, "COCO's thresholds"),
        (lambda: found.counts(iou=0.6), "pass it in iou_thresholds"),
        (lambda: found.average_precision(area="huge"), "no area 'huge'"),
        (lambda: found.average_recall(max_detections=11), "max_detections=11"),
        (matches_of(*drawn(0), max_detections=99).numbers, "max_detections=100"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            ask()


# --- last bits --------------------------------------------------------------------------------------------------------


def test_overlaps_are_those_of_pycocotools_to_the_last_bit() -> None:
    from pycocotools import mask

    from localreg.metrics.coco.grouping import grouped
    from localreg.metrics.coco.overlaps import overlapping

    draw = np.random.default_rng(0)
    there, seen = draw.random((300, 4)) * [40, 40, 60, 60], draw.random((300, 4)) * [40, 40, 60, 60]
    one, crowd = np.ones(300, int), draw.random(300) < 0.3
    truths = Truths(one, one, there, there[:, 2] * there[:, 3], crowd)
    detections = Detections(one, one, seen, draw.random(300), seen[:, 2] * seen[:, 3])
    groups = grouped(truths, detections, None)
    pairs = overlapping(truths, detections, groups, 1e-9)
    found = np.zeros((300, 300))
    found[groups.detections[pairs.detection], groups.truths[pairs.truth]] = pairs.iou
    np.testing.assert_array_equal(found, mask.iou(seen, there, crowd.astype(int).tolist()))


def test_a_threshold_of_1_is_met_within_rounding() -> None:
    truth = {"id": 1, "image_id": 1, "category_id": 1, "area": 1, "iscrowd": 0, "bbox": [0.1, 0.1, 0.3, 0.3]}
    file = {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": [truth]}
    seen = [{"image_id": 1, "category_id": 1, "score": 1.0, "bbox": [0.1, 0.1, 0.3 * (1 - 1e-12), 0.3]}]
    assert matches_of(file, seen, iou_thresholds=[1]).counts(iou=1) == Counts(1, 0, 0)
