"""Detectors compared: the numbers are those of COCO, whatever part of the suite they are of, and so are the doubts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localreg import Comparison, InvalidInputError, Registry
from localreg.compare import detected_pair
from localreg.metrics import coco_detection
from localreg.metrics.coco import COCO_NUMBERS, DetectionMatches, matched, read
from localreg.statistics.images import compare_drawn, compare_tallies
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    ScoredLabeledBoundingBox,
    TestSample,
    define_workflow,
    shape_matches,
    test,
)
from tests.coco_files import annotations_file, measured, results_file, written

File = dict[str, Any]
Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Photo(TestSample):
    n: int


@dataclass(frozen=True)
class Hard(LabeledBoundingBox):
    difficult: bool = False


@dataclass(frozen=True)
class There(GroundTruth):
    boxes: list[Hard] | None


@dataclass(frozen=True)
class Seen(Inference):
    boxes: list[ScoredLabeledBoundingBox] | None


@dataclass(frozen=True)
class Word(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str


_, Case, Suite, Net = define_workflow("Photos", Photo, There, Seen)


def there(*places: float, label: str = "cat", difficult: bool = False) -> list[Hard]:
    """Boxes of 10 by 10, at some places from left to right."""
    return [Hard((x, 0), (x + 10, 10), label, difficult) for x in places]


def seen(*places: float, label: str = "cat", score: float = 0.9) -> list[ScoredLabeledBoundingBox]:
    """The same as a model sees them."""
    return [ScoredLabeledBoundingBox((x, 0), (x + 10, 10), label, score) for x in places]


def case(name: str, truths: Mapping[int, list[Hard] | None]) -> Any:
    return Case(name, test_samples=[(Photo(n), There(boxes)) for n, boxes in truths.items()])


def run(model: str, said: Mapping[int, list[ScoredLabeledBoundingBox] | None], suite: str) -> None:
    """Run a model that says these boxes; None = skipped."""

    def infer(photo: Photo) -> Seen | None:
        boxes = said[photo.n]
        return None if boxes is None else Seen(boxes)

    test(Net(model, infer), Suite(suite))


def numbers(comparison: Comparison, **where: Any) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """The 12 numbers of baseline and candidate."""
    rows = [comparison.row(name, **where) for name in COCO_NUMBERS]
    return {row.metric: row.a for row in rows}, {row.metric: row.b for row in rows}


def told(comparison: Comparison, *metrics: str) -> list[tuple[float | None, float | None]]:
    return [(row.a, row.b) for row in (comparison.row(metric) for metric in metrics)]


def outcomes(comparison: Comparison) -> list[tuple[int, str]]:
    return [(row["sample"]["n"], row["outcome"]) for row in comparison.samples()]


def of_images(file: File, results: Results, chosen: Collection[int]) -> tuple[File, Results]:
    """The files of some images alone."""
    part = {**file, "images": [each for each in file["images"] if each["id"] in chosen]}
    part["annotations"] = [each for each in file["annotations"] if each["image_id"] in chosen]
    return part, [each for each in results if each["image_id"] in chosen]


# --- the numbers are COCO's -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_suite_and_its_slices_are_measured_as_coco_does(registry: Registry, tmp_path: Path, seed: int) -> None:
    file = annotations_file(seed, images=12)
    for number, image in enumerate(file["images"]):
        image["weather"] = "sun" if number % 3 else "rain"
    weather = {image["id"]: image["weather"] for image in file["images"]}
    results = [results_file(100 * seed + number, file, masks=False) for number in (1, 2)]
    registry.import_coco(file, suite="s")
    for model, each in zip(("old", "new"), results, strict=True):
        registry.import_coco_results(each, suite="s", model=model)
    comparison = registry.compare("old", "new", suite="s", by="metadata.weather")
    assert comparison.task == "detection"
    exported = tmp_path / "exported.json"
    registry.export_coco(exported, suite="s")
    for place, each in enumerate(results):
        assert numbers(comparison)[place] == coco_detection(exported, each) == coco_detection(file, each)
        for slice in ("sun", "rain"):
            part = of_images(file, each, {image for image in weather if weather[image] == slice})
            assert numbers(comparison, slice=slice)[place] == coco_detection(*part)
    matches = [matched(*read(file, each, masks=False)) for each in results]
    for metric in ("precision", "recall", "f1"):
        found = comparison.row(metric)
        assert (found.a, found.b) == tuple(getattr(each.counts(score=0.5), metric) for each in matches)
    names = {each["id"]: each["name"] for each in file["categories"]}
    classes = [(names[id], value) for id, value in matches[0].average_precision_per_class().items()]
    of_classes = [(row.label, row.a) for row in comparison.rows if row.label is not None]
    assert of_classes == sorted((name, value) for name, value in classes if value is not None)


def test_the_numbers_are_those_of_pycocotools(registry: Registry, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    file = annotations_file(11, images=15)
    results = [results_file(number, file, masks=False) for number in (1, 2)]
    registry.import_coco(file, suite="s")
    for model, each in zip(("old", "new"), results, strict=True):
        registry.import_coco_results(each, suite="s", model=model)
    found = numbers(registry.compare("old", "new", suite="s"))
    exported = tmp_path / "exported.json"
    registry.export_coco(exported, suite="s")
    for place, each in enumerate(results):
        said = measured(exported, written(tmp_path, "results.json", each), "bbox")["stats"]
        ours = [-1 if value is None else value for value in found[place].values()]
        np.testing.assert_allclose(ours, said, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_numbers_of_some_images_are_those_of_files_without_the_others(seed: int) -> None:
    file = annotations_file(seed, images=10)
    results = results_file(seed, file, masks=False)
    matches = matched(*read(file, results, masks=False))
    chosen = np.random.default_rng(seed).random(len(matches.images)) < 0.5
    kept = set(matches.images[chosen].tolist())
    wanted = coco_detection(*of_images(file, results, kept))
    part = DetectionMatches(matches.found.of_images(chosen))
    assert part.numbers() == matches.resampled(chosen.astype(int)).numbers() == wanted
    assert part.numbers(["ARm", "AP50"]) == {name: wanted[name] for name in ("ARm", "AP50")}
    per_class = [np.nan if each is None else each for each in part.average_precision_per_class().values()]
    np.testing.assert_allclose(part.class_precisions(), per_class, rtol=1e-12)


def test_boxes_are_those_of_the_file_to_the_last_bit(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    file = annotations_file(4, images=20)
    results = results_file(1, file, masks=False)
    registry.import_coco(file, suite="s")
    registry.import_coco_results(results, suite="s", model="m")
    taken: list[Any] = []

    def looked_at(truths: Any, detections: Any) -> DetectionMatches:
        taken[:] = [truths, detections]
        return matched(truths, detections)

    monkeypatch.setattr(shape_matches, "matched", looked_at)
    registry.compare("m", "m", suite="s", metrics=["recall"])
    truths, detections = taken
    assert rows_of(truths.shapes) == rows_of([each["bbox"] for each in file["annotations"]])
    assert rows_of(detections.shapes) == rows_of([each["bbox"] for each in results])
    assert sorted(truths.area.tolist()) == sorted(float(each["area"]) for each in file["annotations"])


def rows_of(boxes: Any) -> list[list[float]]:
    return sorted(np.asarray(boxes, float).tolist())


# --- which images count -----------------------------------------------------------------------------------------------


TRUTH = {1: there(0, 50), 2: there(0), 3: [], 4: there(0, label="dog")}
OLD = {1: seen(0), 2: seen(0), 3: seen(0), 4: seen(0, label="dog")}
NEW = {1: seen(0, 50), 2: seen(90), 3: [], 4: seen(0, label="dog", score=0.4)}


def test_a_small_comparison_by_hand(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("old", OLD, "s")
    run("new", NEW, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert told(comparison, "precision", "recall", "f1") == [(3 / 4, 2 / 3), (3 / 4, 1 / 2), (6 / 8, 4 / 7)]
    assert outcomes(comparison) == [(1, "fixed"), (2, "broken"), (3, "fixed"), (4, "broken")]
    assert (comparison.rows[0].fixed, comparison.rows[0].broken, comparison.n) == (2, 2, 4)
    first = comparison.samples("fixed").dicts()[0]
    assert {name: first[name] for name in first if name[:2] in ("tp", "fp", "fn")} == {
        "tp_a": 1,
        "fp_a": 0,
        "fn_a": 1,
        "tp_b": 2,
        "fp_b": 0,
        "fn_b": 0,
    }
    assert [len(first[name]) for name in ("ground_truth", "a", "b")] == [2, 1, 2]
    assert first["b"][1]["top_left"]["x"] == 50
    assert comparison.row("AP", test_case="all").a == comparison.row("AP").a
    assert [row.label for row in comparison.rows if row.label is not None] == ["cat", "dog"]


def test_scores_and_overlaps_that_count_can_be_told(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", {n: there(0) for n in range(4)})])
    said = {0: seen(0, score=0.9), 1: seen(0, score=0.3), 2: seen(3, score=0.25), 3: seen(80, score=0.1)}
    run("old", said, "s")
    run("new", said, "s")
    recall = partial(registry.compare, "old", "new", suite="s", metrics=["recall"])
    assert recall().values[0] == 1 / 4
    assert recall(score_threshold=0.3).values[0] == 2 / 4
    assert recall(score_threshold=0).values[0] == 3 / 4
    assert recall(score_threshold="f1_optimal").values[0] == 3 / 4
    assert recall(score_threshold=0, iou=0.6).values[0] == 2 / 4  # the third one overlaps by 7 / 13
    assert recall(score_threshold=0, iou=0.53).values[0] == 3 / 4
    f1 = registry.compare("old", "new", suite="s", metrics=["f1"], score_threshold="f1_optimal")
    assert f1.values[0] == 6 / 7  # at 0.25, where the fourth one is not shown


def test_images_without_an_inference_are_left_out_or_empty(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("old", {**OLD, 4: None}, "s")
    run("new", NEW, "s")
    left_out = registry.compare("old", "new", suite="s")
    assert left_out.n == 3
    assert told(left_out, "recall", "precision") == [(2 / 3, 2 / 3), (2 / 3, 2 / 3)]
    assert outcomes(left_out)[-1] == (4, "other")
    assert (left_out.coverage[0].ok, left_out.coverage[0].skipped) == (3, 1)
    strict = registry.compare("old", "new", suite="s", strict=True)
    assert strict.n == 4
    assert told(strict, "recall", "precision") == [(2 / 4, 2 / 4), (2 / 3, 2 / 3)]
    assert outcomes(strict)[-1] == (4, "both_wrong")
    row = strict.samples().dicts()[-1]
    assert (row["a"], row["fn_a"], row["fn_b"]) == (None, None, 1)
    assert strict.row("AP", label="dog").a == 0
    assert [row.label for row in left_out.rows if row.label is not None] == ["cat"]


def test_images_without_a_list_of_objects_are_no_ground_truth(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", {**TRUTH, 5: None})])
    run("old", {**OLD, 5: seen(0)}, "s")
    run("new", {**NEW, 5: seen(0)}, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert comparison.n == 4
    assert any("1 sample without" in warning for warning in comparison.warnings)
    assert comparison.row("precision").a == 3 / 4


def test_a_sample_of_two_test_cases_counts_once_unless_other_objects_are_there(registry: Registry) -> None:
    turned = {1: list(reversed(TRUTH[1])), 2: there(90)}
    Suite("s", test_cases=[case("all", dict(TRUTH)), case("again", turned)])
    run("old", OLD, "s")
    run("new", NEW, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert comparison.n == 5
    assert [comparison.row(test_case=name).n for name in ("all", "again")] == [4, 2]
    assert comparison.row("recall").a == 3 / 5
    assert comparison.row("recall", test_case="again").b == 1
    assert any("1 sample with different ground truths" in warning for warning in comparison.warnings)


def test_difficult_objects_count_neither_for_nor_against(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", {1: [*there(0), *there(50, difficult=True)], 2: there(0)})])
    run("old", {1: seen(0, 50), 2: seen(0)}, "s")
    run("new", {1: seen(0), 2: seen(0)}, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert told(comparison, "precision", "recall") == [(1, 1), (1, 1)]
    assert list(comparison.values) == pytest.approx([1, 1])
    assert comparison.verdict == "equal"


# --- how sure it is ---------------------------------------------------------------------------------------------------


def test_equal_models_are_equal_and_what_cannot_be_told_is_null(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("old", OLD, "s")
    run("new", OLD, "s")
    comparison = registry.compare("old", "new", suite="s")
    row = comparison.row("AP")
    assert (row.difference, row.low, row.high, row.p, row.verdict) == (0, None, None, 1, "equal")
    assert row.reason is not None
    large = comparison.row("APl")
    assert (large.a, large.b, large.p, large.verdict) == (None, None, None, "inconclusive")
    assert large.reason == "there is no such object"


def test_one_image_gives_no_interval(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", {1: there(0, 50)})])
    run("old", {1: seen(0)}, "s")
    run("new", {1: seen(0, 50)}, "s")
    for metric in ("AP", "recall"):
        row = registry.compare("old", "new", suite="s").row(metric)
        assert (row.low, row.p, row.reason) == (None, None, "there is one image only")


def test_intervals_follow_from_the_content_alone(registry: Registry) -> None:
    file = annotations_file(2, images=30)
    registry.import_coco(file, suite="s")
    for number, model in enumerate(("old", "new")):
        registry.import_coco_results(results_file(number, file, masks=False), suite="s", model=model)
    first, again = (registry.compare("old", "new", suite="s") for _ in range(2))
    assert first.rows == again.rows
    for row, other in zip(first.rows, registry.compare("new", "old", suite="s").rows, strict=True):
        if row.low is not None and row.high is not None:
            assert [other.low, other.high] == pytest.approx([-row.high, -row.low])
            assert other.p == pytest.approx(row.p)
    assert first.rows[0].low is not None


def test_images_that_are_there_twice_are_no_more_images_if_they_are_one_cluster(registry: Registry) -> None:
    file = annotations_file(2, images=40)
    results = [results_file(number, file, masks=False) for number in (1, 2)]
    registry.import_coco(doubled(file), suite="s")
    for model, each in zip(("old", "new"), results, strict=True):
        registry.import_coco_results(doubled(each), suite="s", model=model)
    asked = partial(registry.compare, "old", "new", suite="s", metrics=["AR100", "recall"])
    plain, clustered = asked(), asked(group_by="locator")
    for metric in ("AR100", "recall"):
        once, twice = (each.row(metric).least_detectable for each in (plain, clustered))
        assert once is not None
        assert twice == pytest.approx(2**0.5 * once, rel=0.05)


def doubled(given: Any) -> Any:
    """A file, or results, in which each image is followed by its copy, in the order of their ids."""
    if isinstance(given, list):
        return [{**each, "image_id": 2 * each["image_id"] + copy} for copy in (0, 1) for each in given]
    images = [{**each, "id": 2 * each["id"] + copy} for copy in (0, 1) for each in given["images"]]
    annotations = doubled(given["annotations"])
    numbered = [{**each, "id": number + 1} for number, each in enumerate(annotations)]
    return {**given, "images": images, "annotations": numbered}


def test_clusters_of_one_image_each_are_images(registry: Registry) -> None:
    file = annotations_file(2, images=30)
    registry.import_coco(file, suite="s")
    for number, model in enumerate(("old", "new")):
        registry.import_coco_results(results_file(number, file, masks=False), suite="s", model=model)

    expressions = None, "locator", "substr(locator, 6, 1)", "left(locator, 0)"  # 000001.jpg
    plain, single, ten, one = (registry.compare("old", "new", suite="s", group_by=each) for each in expressions)
    for metric in ("AP", "recall"):
        rows = [each.row(metric) for each in (plain, single, ten, one)]
        assert len({(row.a, row.b) for row in rows}) == 1
        assert rows[2].low not in (rows[0].low, None)
        assert (rows[3].low, rows[3].reason) == (None, "all images are of one cluster")
    assert single.row("recall").low == pytest.approx(plain.row("recall").low)
    assert single.row("AP").least_detectable == pytest.approx(plain.row("AP").least_detectable)


@pytest.mark.parametrize("groups", [None, [0, 0, 1, 2, 2, 3, 4, 5]])
def test_the_jackknife_of_counts_is_that_of_leaving_out_images(groups: Sequence[int] | None) -> None:
    draw = np.random.default_rng(3)
    a, b = (draw.integers(0, 5, (8, 3)) for _ in range(2))
    members = np.arange(8) if groups is None else np.asarray(groups)

    def f1(counts: Any) -> float:
        tp, fp, fn = counts.sum(axis=0)
        return float(2 * tp / (2 * tp + fp + fn))

    left = np.array([f1(b[members != each]) - f1(a[members != each]) for each in np.unique(members)])
    error = np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum())
    (found,) = compare_tallies(a, b, metrics=["f1"], groups=None if groups is None else members)
    assert found.standard_error == pytest.approx(error)
    assert found.difference == pytest.approx(f1(b) - f1(a))


def test_intervals_hold_what_they_promise() -> None:
    """Of 100 data sets from a population where the better model finds 75 %, the other 60 %."""
    differences, errors, intervals = [], [], []
    for seed in range(100):
        draw = np.random.default_rng(seed)
        sizes = draw.poisson(3, 60)
        image = np.repeat(np.arange(60), sizes)
        x = np.concatenate([np.arange(each) for each in sizes]) * 50.0
        hardness, matches = draw.random(len(x)), []
        truth = {"image_id": image, "category_id": np.zeros(len(x), int), "x": x, "y": x, "w": x * 0 + 10}
        for share in (0.6, 0.75):
            found = (hardness + draw.normal(0, 0.2, len(x)) < share) & (draw.random(len(x)) < 0.95)
            score = np.where(found, draw.beta(3, 2, len(x)), draw.beta(2, 3, len(x)))
            shifted = {**truth, "x": np.where(found, x, x + 20), "h": truth["w"], "score": score}
            matches.append(matched(*read({**truth, "h": truth["w"]}, shifted, masks=False)))
        drawn = []
        for _ in range(60):
            weights = np.bincount(draw.integers(0, 60, 60), minlength=60)[matches[0].images.astype(int)]
            drawn.append([each.resampled(weights).numbers(["AP50"])["AP50"] for each in matches])
        a, b = (each.numbers(["AP50"])["AP50"] for each in matches)
        each = compare_drawn("AP50", (a, b), np.array(drawn, float), n=60, units=60)
        assert each.difference is not None
        assert each.standard_error is not None
        differences.append(each.difference)
        errors.append(each.standard_error)
        intervals.append((each.low, each.high))
    truth_of_all = np.mean(differences)
    covered = np.mean([low < truth_of_all < high for low, high in intervals if low is not None and high is not None])
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.2)
    assert 0.89 <= covered <= 0.99


def test_parts_beyond_the_first_have_values_and_say_why_no_interval(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detected_pair, "PARTS", 1)
    Suite("s", test_cases=[case("one", {1: TRUTH[1], 2: TRUTH[2]}), case("two", {3: TRUTH[3], 4: TRUTH[4]})])
    run("old", OLD, "s")
    run("new", NEW, "s")
    row = registry.compare("old", "new", suite="s", bootstrap=100).row("AP", test_case="two")
    assert [row.a, row.b] == pytest.approx([1, 1])  # of dogs alone: there is no cat
    assert row.low is None
    assert row.reason is not None
    assert row.reason.startswith("only the first 1 test cases and slices")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"iou": 0}, {"iou": 1.5}, {"score_threshold": float("nan")}, {"score_threshold": "best"}, {"iou": True}]
)
def test_thresholds_that_cannot_be_are_refused(registry: Registry, given: Any) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("old", OLD, "s")
    with pytest.raises(InvalidInputError, match=next(iter(given))):
        registry.compare("old", "old", suite="s", **given)


def test_metrics_of_labels_are_no_metrics_of_boxes(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("old", OLD, "s")
    run("new", NEW, "s")
    with pytest.raises(InvalidInputError, match="'accuracy' is no metric of detection"):
        registry.compare("old", "new", suite="s", metrics=["accuracy"])


def test_thresholds_of_boxes_are_refused_where_there_are_none(registry: Registry) -> None:
    _, words_case, words_suite, words_net = define_workflow("Words", Photo, Word, Guess)
    words_suite("s", test_cases=[words_case("c", test_samples=[(Photo(1), Word("a"))])])
    for name in ("old", "new"):
        test(words_net(name, lambda photo: Guess("a")), words_suite("s"))
    with pytest.raises(InvalidInputError, match="iou_type speak of boxes"):
        registry.compare("old", "new", suite="s", iou=0.5)
