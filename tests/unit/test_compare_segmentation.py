"""Instance segmentation compared: polygons and masks are measured as pycocotools does, whoever asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localreg import Comparison, Gate, InvalidInputError, Registry
from localreg.metrics import coco_segmentation
from localreg.metrics.coco import COCO_NUMBERS, matched, read
from localreg.workflow import (
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    LabeledPolygon,
    ScoredLabeledBoundingBox,
    ScoredLabeledPolygon,
    TestSample,
    define_workflow,
    test,
)
from tests.coco_files import annotations_file, results_file
from tests.coco_oracle import numbers_of

File = dict[str, Any]
Results = list[dict[str, Any]]
SIZE = 64


@dataclass(frozen=True)
class Photo(TestSample):
    n: int
    height: int | None = SIZE
    width: int | None = SIZE


@dataclass(frozen=True)
class Outline(LabeledPolygon):
    area: float | None = None  # type: ignore[assignment]
    iscrowd: bool = False
    difficult: bool = False


@dataclass(frozen=True)
class There(GroundTruth):
    polygons: list[Outline] | None
    height: int | None = None
    width: int | None = None


@dataclass(frozen=True)
class Seen(Inference):
    polygons: list[ScoredLabeledPolygon] | None


@dataclass(frozen=True)
class Both(GroundTruth):
    polygons: list[LabeledPolygon]
    boxes: list[LabeledBoundingBox] = field(default_factory=list)


@dataclass(frozen=True)
class SeenBoth(Inference):
    polygons: list[ScoredLabeledPolygon]
    boxes: list[ScoredLabeledBoundingBox] = field(default_factory=list)


@dataclass(frozen=True)
class Shape(TestSample):
    n: int


_, Case, Suite, Net = define_workflow("Photos", Photo, There, Seen)
_, BothCase, BothSuite, BothNet = define_workflow("Both", Shape, Both, SeenBoth)


def square(x: float, side: float = 10, y: float = 0) -> list[tuple[float, float]]:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def there(*places: float, label: str = "cat", **said: Any) -> list[Outline]:
    return [Outline(square(x), label, **said) for x in places]


def seen(*places: float, label: str = "cat", score: float = 0.9) -> list[ScoredLabeledPolygon]:
    return [ScoredLabeledPolygon(square(x), label, score) for x in places]


def case(name: str, truths: Mapping[int, list[Outline] | None]) -> Any:
    return Case(name, test_samples=[(Photo(n), There(polygons)) for n, polygons in truths.items()])


def run(model: str, said: Mapping[int, list[ScoredLabeledPolygon] | None], suite: str, *more: Any) -> Any:
    """Run a model that says these polygons; None = skipped."""

    def infer(photo: Photo) -> Seen | None:
        polygons = said[photo.n]
        return None if polygons is None else Seen(polygons)

    return test(Net(model, infer), Suite(suite), *more)


def numbers(comparison: Comparison, side: str, **where: Any) -> dict[str, float | None]:
    return {name: getattr(comparison.row(name, **where), side) for name in COCO_NUMBERS}


def told(comparison: Comparison, *metrics: str) -> list[tuple[float | None, float | None]]:
    return [(row.a, row.b) for row in (comparison.row(metric) for metric in metrics)]


# --- drawn data, and as pycocotools has it ----------------------------------------------------------------------------

LABELS = ("cat", "dog", "fox")


def drawn(seed: int, images: int = 12) -> tuple[list[list[Outline]], list[list[list[ScoredLabeledPolygon]]]]:
    """Objects in images, among them crowds, and what two models see; equal scores and overlaps now and then."""
    draw = np.random.default_rng(seed)
    truths: list[list[Outline]] = []
    models: list[list[list[ScoredLabeledPolygon]]] = [[], []]
    for _ in range(images):
        own = []
        for _ in range(int(draw.integers(0, 5))):
            points = _points(draw)
            area = float(draw.choice([500.0, 5000.0])) if draw.random() < 0.3 else None
            own.append(Outline(points, str(draw.choice(LABELS[:2])), area, iscrowd=bool(draw.random() < 0.2)))
        truths.append(own)
        for model in models:
            found = [_near(draw, each) for each in own for _ in range(2) if draw.random() < 0.7]
            found += [_scored(draw, _points(draw), str(draw.choice(LABELS))) for _ in range(int(draw.integers(0, 4)))]
            model.append(found)
    return truths, models


def _points(draw: np.random.Generator) -> list[tuple[float, float]]:
    """A polygon, which may cross itself, or lie beyond the image in part."""
    corner, extent = draw.uniform(-8, SIZE, 2), draw.choice([6.0, 30.0, 60.0], 2)
    numbers = corner + draw.random((int(draw.integers(3, 8)), 2)) * extent
    return [(float(x), float(y)) for x, y in (np.round(numbers) if draw.random() < 0.5 else numbers)]


def _near(draw: np.random.Generator, truth: Outline) -> ScoredLabeledPolygon:
    shift = float(draw.choice([0, 0, 0.5, 2]))
    return _scored(draw, [(x + shift, y) for x, y in truth.points], truth.label)


def _scored(draw: np.random.Generator, points: list[tuple[float, float]], label: str) -> ScoredLabeledPolygon:
    return ScoredLabeledPolygon(points, label, float(draw.choice([0.1, 0.5, 0.9, draw.random()])))


def flat(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[number for point in points for number in point]]


def as_coco(truths: Sequence[Sequence[Outline]], sizes: Sequence[tuple[int, int]]) -> File:
    """The annotations; an object without an area has that of its pixels, as with us."""
    from pycocotools import mask

    annotations: Results = []
    for image, own in enumerate(truths):
        for each in own:
            pixels = mask.merge(mask.frPyObjects(flat(each.points), *sizes[image]))
            area = float(mask.area(pixels)) if each.area is None else each.area
            said = {"area": area, "iscrowd": int(each.iscrowd), "segmentation": flat(each.points)}
            place = {"id": len(annotations) + 1, "image_id": image, "category_id": LABELS.index(each.label)}
            annotations.append({**place, **said, "bbox": [0, 0, 1, 1]})
    images = [{"id": number, "height": height, "width": width} for number, (height, width) in enumerate(sizes)]
    categories = [{"id": number, "name": name} for number, name in enumerate(LABELS)]
    return {"images": images, "categories": categories, "annotations": annotations}


def as_results(said: Sequence[Sequence[ScoredLabeledPolygon]], sizes: Sequence[tuple[int, int]]) -> Results:
    """What pycocotools takes of a model that says no boxes."""
    from pycocotools import mask

    return [
        {
            "image_id": image,
            "category_id": LABELS.index(each.label),
            "score": each.score,
            "segmentation": _counts(mask.merge(mask.frPyObjects(flat(each.points), *sizes[image]))),
        }
        for image, own in enumerate(said)
        for each in own
    ]


def _counts(mask: Any) -> dict[str, Any]:
    return {"size": list(mask["size"]), "counts": mask["counts"].decode("ascii")}


# --- the numbers are COCO's -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_polygons_are_measured_as_pycocotools_does(registry: Registry, seed: int) -> None:
    pytest.importorskip("pycocotools")
    truths, models = drawn(seed)
    half = {n: each for n, each in enumerate(truths) if n < 6}
    rest = {n: each for n, each in enumerate(truths) if n >= 6}
    Suite("s", test_cases=[case("half", half), case("rest", rest)])
    for name, said in zip("ab", models, strict=True):
        run(name, dict(enumerate(said)), "s", "segmentation")
    comparison = registry.compare("a", "b", suite="s")
    assert comparison.task == "segmentation"
    sizes = [(SIZE, SIZE)] * len(truths)
    for name, said in zip("ab", models, strict=True):
        file, results = as_coco(truths, sizes), as_results(said, sizes)
        wanted = numbers_of(file, results, "segm")
        assert numbers(comparison, name) == pytest.approx(wanted, abs=1e-12)
        matches = matched(*read(file, results, masks=True))
        for metric in ("precision", "recall", "f1"):
            assert getattr(comparison.row(metric), name) == getattr(matches.counts(score=0.5), metric)
        of_classes = {row.label: getattr(row, name) for row in comparison.rows if row.label is not None}
        per_class = matches.average_precision_per_class()
        assert of_classes == {LABELS[int(str(code))]: each for code, each in per_class.items() if each is not None}
        part = as_coco([each if n < 6 else [] for n, each in enumerate(truths)], sizes)
        of_half = numbers_of(part, [each for each in results if each["image_id"] < 6], "segm")
        assert numbers(comparison, name, test_case="half") == pytest.approx(of_half, abs=1e-12)


@pytest.mark.parametrize("name", ["segmentation", "detection"])
def test_evaluators_say_what_a_comparison_says(registry: Registry, name: str) -> None:
    """Of COCO data with crowds, whose objects have boxes and masks: the evaluator's name decides which are measured."""
    pytest.importorskip("pycocotools")
    from localreg import coco

    file = annotations_file(5, images=14)
    registry.import_coco(file, suite="s")
    iou_type = {"segmentation": "segm", "detection": "bbox"}[name]
    for number, model in enumerate("ab"):
        results = results_file(number, file, masks=False)
        of_masks = results_file(number, file, masks=True)
        for each, mask in zip(results, of_masks, strict=False):
            each["segmentation"] = mask["segmentation"]
        results = [each for each in results if "segmentation" in each]
        registry.import_coco_results(results, suite="s", model=model)
        coco.test(coco.Model(model), coco.TestSuite.load("s"), name)
        wanted = numbers_of(file, results, iou_type)
        by_types = registry.compare(model, model, suite="s", iou_type=iou_type)  # type: ignore[arg-type]
        assert numbers(by_types, "a") == pytest.approx(wanted, abs=1e-12)
        found = registry.compare(model, model, suite="s", evaluator=name)
        for row in by_types.rows:
            if row.test_case is None and row.a is not None:  # of what is undefined an evaluator says nothing
                assert found.row(row.metric, label=row.label).a == row.a
    by_types = registry.compare("a", "b", suite="s", iou_type=iou_type)  # type: ignore[arg-type]
    found = registry.compare("a", "b", suite="s", evaluator=name)
    assert by_types.task == name
    assert (found.row("right").fixed, found.row("right").broken) == (by_types.rows[0].fixed, by_types.rows[0].broken)


def test_masks_are_compared_by_name_or_where_there_are_no_boxes(registry: Registry) -> None:
    pytest.importorskip("pycocotools")
    file = annotations_file(3, images=10)
    registry.import_coco(file, suite="s")
    results = results_file(1, file, masks=True)
    registry.import_coco_results(results, suite="s", model="m")
    comparison = registry.compare("m", "m", suite="s", iou_type="segm")
    assert numbers(comparison, "a") == coco_segmentation(file, results)
    with pytest.raises(InvalidInputError, match=r"have no box, and all .* say iou_type='segm', or evaluator"):
        registry.compare("m", "m", suite="s")
    registry.import_coco_results(results_file(1, file, masks=False), suite="s", model="boxes")
    with pytest.raises(InvalidInputError, match=r"have no mask, and all .* say iou_type='bbox', or evaluator 'detec"):
        registry.compare("boxes", "boxes", suite="s", iou_type="segm")


def test_sizes_of_masks_with_boxes_are_those_of_the_boxes(registry: Registry) -> None:
    """As in COCO's code: then the one that finds nothing is no small one, and does not count among these."""
    outlines = [[[60, 60, 70, 60, 70, 70, 60, 70]], [[0, 0, 10, 0, 10, 10, 0, 10]]]
    there = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "area": 100, "iscrowd": 0}
    file = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 100, "width": 100}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{**there, "segmentation": outlines[1]}],
    }
    each = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 50]}
    results = [{**each, "segmentation": outlines[n], "score": 0.9 - n / 10} for n in range(2)]
    registry.import_coco(file, suite="s")
    registry.import_coco_results(results, suite="s", model="m")
    found = numbers(registry.compare("m", "m", suite="s", iou_type="segm"), "a")
    assert found == coco_segmentation(file, results)
    assert (found["AP"], found["APs"]) == pytest.approx((0.5, 1))


# --- how large images are ---------------------------------------------------------------------------------------------


def measured(registry: Registry, samples: Sequence[Photo], truths: Sequence[There], said: Sequence[Any]) -> Comparison:
    Suite("s", test_cases=[Case("c", test_samples=list(zip(samples, truths, strict=True)))])
    run("a", dict(enumerate(said)), "s", "segmentation")
    comparison = registry.compare("a", "a", suite="s", metrics=COCO_NUMBERS)
    by_evaluator = registry.compare("a", "a", suite="s", evaluator="segmentation")
    for row in comparison.rows:
        if row.test_case is None and row.a is not None:
            assert by_evaluator.row(row.metric, label=row.label).a == row.a
    return comparison


def test_sizes_are_those_of_the_sample_or_else_of_the_ground_truth(registry: Registry) -> None:
    pytest.importorskip("pycocotools")
    truths, (said, _) = drawn(3)
    sizes = [[(40, 50), (30, 20), (64, 64)][number % 3] for number in range(len(truths))]
    samples, there = [], []
    for number, (height, width) in enumerate(sizes):
        of_sample = (height, width) if number % 2 else (None, 99)
        of_truth = (5, 5) if number % 2 else (height, width)
        samples.append(Photo(number, *of_sample))
        there.append(There(truths[number], *of_truth))
    comparison = measured(registry, samples, there, said)
    wanted = numbers_of(as_coco(truths, sizes), as_results(said, sizes), "segm")
    assert numbers(comparison, "a") == pytest.approx(wanted, abs=1e-12)
    uncut = numbers_of(as_coco(truths, [(200, 200)] * 12), as_results(said, [(200, 200)] * 12), "segm")
    assert numbers(comparison, "a") != pytest.approx(uncut, abs=1e-12)


@pytest.mark.parametrize("height", [None, 0, -3])
def test_images_of_unknown_size_hold_all_polygons(registry: Registry, height: int | None) -> None:
    pytest.importorskip("pycocotools")
    truths, (said, _) = drawn(4)
    samples = [Photo(number, height) for number in range(len(truths))]
    comparison = measured(registry, samples, [There(each) for each in truths], said)
    sizes = [(200, 200)] * len(truths)
    wanted = numbers_of(as_coco(truths, sizes), as_results(said, sizes), "segm")
    assert numbers(comparison, "a") == pytest.approx(wanted, abs=1e-12)


def test_images_of_unknown_size_are_as_large_as_their_masks(registry: Registry) -> None:
    file = annotations_file(6, images=10)
    results = results_file(1, file, masks=True)
    wanted = coco_segmentation(file, results)
    for image in file["images"]:
        del image["width"]
    registry.import_coco(file, suite="s")
    registry.import_coco_results(results, suite="s", model="m")
    assert numbers(registry.compare("m", "m", suite="s", iou_type="segm"), "a") == wanted


# --- which images count, and which objects ----------------------------------------------------------------------------

TRUTH = {1: there(0, 50), 2: there(0), 3: [], 4: there(0, label="dog")}
OLD = {1: seen(0), 2: seen(0), 3: seen(0), 4: seen(0, label="dog")}
NEW = {1: seen(0, 50), 2: seen(30), 3: [], 4: seen(0, label="dog", score=0.4)}


def test_a_small_comparison_by_hand(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("old", OLD, "s")
    run("new", NEW, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert told(comparison, "precision", "recall", "f1") == [(3 / 4, 2 / 3), (3 / 4, 1 / 2), (6 / 8, 4 / 7)]
    outcomes = [(row["sample"]["n"], row["outcome"]) for row in comparison.samples()]
    assert outcomes == [(1, "fixed"), (2, "broken"), (3, "fixed"), (4, "broken")]
    first = comparison.samples("fixed").dicts()[0]
    assert [first[f"{what}_{side}"] for side in "ab" for what in ("tp", "fp", "fn")] == [1, 0, 1, 2, 0, 0]
    assert [len(first[name]) for name in ("ground_truth", "a", "b")] == [2, 1, 2]
    assert first["b"][1]["points"][0]["x"] == 50
    by_overlap = registry.compare("old", "new", suite="s", iou=0.99, score_threshold="f1_optimal", group_by="n")
    assert told(by_overlap, "f1") == [(6 / 8, 6 / 8)]
    strict = registry.compare("old", "new", suite="s", by="n > 2", metrics=["recall"])
    assert (strict.row(slice="true").a, strict.row(slice="true").b) == (1, 0)


def test_difficult_objects_count_neither_for_nor_against(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", {1: [*there(0), *there(50, difficult=True)], 2: there(0)})])
    run("old", {1: seen(0, 50), 2: seen(0)}, "s")
    run("new", {1: seen(0), 2: seen(0)}, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert told(comparison, "AP", "precision", "recall") == [(pytest.approx(1), pytest.approx(1)), (1, 1), (1, 1)]


def test_a_sample_of_two_test_cases_counts_once_unless_other_pixels_are_there(registry: Registry) -> None:
    same = [Outline([*square(50)[1:], square(50)[0]], "cat"), *there(0)]  # begun at another corner: the same pixels
    Suite("s", test_cases=[case("all", dict(TRUTH)), case("again", {1: same, 2: there(40)})])
    run("old", OLD, "s")
    run("new", NEW, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert comparison.n == 5
    assert [comparison.row(test_case=name).n for name in ("all", "again")] == [4, 2]


def test_intervals_follow_from_the_pixels_alone(registry: Registry) -> None:
    """What differs in nothing but where it stands is drawn otherwise."""
    for suite, x in (("s", 10.0), ("t", 11.0)):
        Suite(suite, test_cases=[case(suite, {n: there(x) for n in range(20)})])
        for name, step in (("a", 3), ("b", 4)):
            run(name, {n: seen(x if n % step else 40) for n in range(20)}, suite)
    first, again, other = (
        registry.compare("a", "b", suite=suite, metrics=["AP50"], bootstrap=100).row() for suite in "sst"
    )
    assert first == again
    assert (first.a, first.b) == (other.a, other.b)
    assert None not in (first.low, other.low)
    assert first.low != other.low


# --- which of both ----------------------------------------------------------------------------------------------------


def test_types_with_boxes_and_polygons_are_compared_by_boxes_unless_told(registry: Registry) -> None:
    truth = Both([LabeledPolygon(square(0), "cat")], [LabeledBoundingBox((0, 0), (10, 10), "cat")])
    said = SeenBoth(
        [ScoredLabeledPolygon(square(0), "cat", 0.9)], [ScoredLabeledBoundingBox((30, 0), (40, 10), "cat", 0.9)]
    )
    BothSuite("s", test_cases=[BothCase("c", test_samples=[(Shape(1), truth), (Shape(2), truth)])])
    test(BothNet("m", lambda shape: said), BothSuite("s"))
    assert registry.compare("m", "m", suite="s").task == "detection"
    found = {
        kind: registry.compare("m", "m", suite="s", metrics=["recall"], iou_type=kind).values
        for kind in ("bbox", "segm")
    }
    assert found == {"bbox": (0, 0), "segm": (1, 1)}


def test_what_cannot_be_is_refused(registry: Registry) -> None:
    Suite("s", test_cases=[case("all", dict(TRUTH))])
    run("m", OLD, "s")
    with pytest.raises(
        InvalidInputError, match=r"iou_type is 'mask'; it must be 'bbox' \(boxes\) or 'segm' \(pixels\)"
    ):
        registry.compare("m", "m", suite="s", iou_type="mask")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="iou_type speak of boxes, polygons or masks, and the types do not"):
        registry.compare("m", "m", suite="s", iou_type="bbox")
    with pytest.raises(
        InvalidInputError, match="positive and score_of speak of labels, and here polygons are compared"
    ):
        registry.compare("m", "m", suite="s", positive="cat")
    with pytest.raises(
        InvalidInputError, match=r"There has no list of labelled boxes .* evaluator 'detection' takes one"
    ):
        run("m", OLD, "s", "detection")
    wide = [Photo(n, 2**16, 2**16) for n in (5, 6)]
    Suite("wide", test_cases=[Case("wide", test_samples=[(each, There(there(0))) for each in wide])])
    run("m", {5: seen(0), 6: []}, "wide")
    with pytest.raises(InvalidInputError, match=r"ground truths have a mask whose size is .* 2,147,483,648 pixels"):
        registry.compare("m", "m", suite="wide")


# --- what is made of it -----------------------------------------------------------------------------------------------


def test_gates_documents_and_leaderboards_know_pixels(registry: Registry, tmp_path: Path) -> None:
    truths, models = drawn(1, images=30)
    Suite("s", test_cases=[case("s", dict(enumerate(truths)))])
    run("a", {n: [] for n in range(30)}, "s")
    run("b", dict(enumerate(models[1])), "s")
    comparison = registry.compare("a", "b", suite="s", by="n % 2", bootstrap=100)
    assert comparison.verdict == "improved"
    assert comparison.gate(AP50=Gate(min_value=0.01), recall=Gate(max_drop=0)).passed
    assert not registry.compare("b", "a", suite="s").gate(recall=Gate(max_drop=0.1)).passed
    assert "AP of cat" in comparison.to_markdown()
    assert "recall" in comparison.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    ranked = registry.leaderboard("a", "b", suites=["s"]).dicts()
    assert [(row["model"], row["metric"]) for row in ranked] == [("b@1", "AP"), ("a@1", "AP")]
    saved = comparison.save("nightly")
    assert saved.name == "nightly"
    missing = {n: None if n == 0 else each for n, each in enumerate(models[1])}
    run("c", missing, "s")
    assert registry.compare("a", "c", suite="s").n == 29
    assert registry.compare("a", "c", suite="s", strict=True).n == 30
