"""The evaluators `detection` and `segmentation`: what they say of images, test cases and suites."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from localreg import InvalidInputError, Registry
from localreg.metrics.coco import COCO_NUMBERS
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
from localreg.workflow.detection_evaluator import DetectionThreshold


@dataclass(frozen=True)
class Photo(TestSample):
    n: int
    image_id: int | None = None


@dataclass(frozen=True)
class There(GroundTruth):
    boxes: list[LabeledBoundingBox] | None
    polygons: list[LabeledPolygon]


@dataclass(frozen=True)
class Seen(Inference):
    boxes: list[ScoredLabeledBoundingBox] | None
    polygons: list[ScoredLabeledPolygon]


_, Case, Suite, Net = define_workflow("Photos", Photo, There, Seen)
KINDS = {"detection": "bbox", "segmentation": "segm"}


def square(x: float) -> list[tuple[float, float]]:
    return [(x, 0), (x + 10, 0), (x + 10, 10), (x, 10)]


def there(*places: tuple[float, str]) -> There:
    """Squares, as boxes and as polygons."""
    return There(
        [LabeledBoundingBox((x, 0), (x + 10, 10), label) for x, label in places],
        [LabeledPolygon(square(x), label) for x, label in places],
    )


def seen(*places: tuple[float, str, float]) -> Seen:
    return Seen(
        [ScoredLabeledBoundingBox((x, 0), (x + 10, 10), label, score) for x, label, score in places],
        [ScoredLabeledPolygon(square(x), label, score) for x, label, score in places],
    )


def net(name: str, said: Mapping[int, Seen | None]) -> Any:
    return Net(name, lambda photo: said[photo.n])


TRUTH = {1: there((0, "cat"), (50, "dog")), 2: there((0, "cat")), 3: there(), 4: there((0, "fox"))}
SAID = {
    1: seen((0, "cat", 0.9), (50, "cat", 0.8)),
    2: seen((0, "cat", 0.4), (30, "cat", 0.3)),
    3: seen((0, "dog", 0.2)),
    4: seen((3, "fox", 0.6)),  # overlaps by 7 / 13
}


def suite(truths: Mapping[int, There] = TRUTH, name: str = "s") -> Any:
    pairs = [(Photo(n), truth) for n, truth in truths.items()]
    return Suite(
        name, test_cases=[Case(f"{name} 1", test_samples=pairs[:2]), Case(f"{name} 2", test_samples=pairs[1:])]
    )


@pytest.mark.parametrize("name", KINDS)
def test_each_image_says_what_was_found_and_what_was_not(registry: Registry, name: str) -> None:
    found = test(net("m", SAID), suite(), name).results()
    names = ("right", "tp", "fp", "fn", "tp_labels", "fp_labels", "fn_labels")
    assert [tuple(each.metrics[name] for name in names) for each in found.samples] == [
        (False, 1, 1, 1, ["cat"], ["cat"], ["dog"]),
        (False, 0, 0, 1, [], [], ["cat"]),
        (True, 0, 0, 0, [], [], []),
        (True, 1, 0, 0, ["fox"], [], []),
    ]
    whole = found.suite
    assert whole is not None
    assert (whole["n"], whole["left_out"], whole["threshold"]) == (4, 0, 0.5)
    assert (whole["precision"], whole["recall"], whole["f1"]) == (2 / 3, 2 / 4, 4 / 7)
    assert [(each["label"], each["support"], each["recall"]) for each in whole["by_class"]] == [
        ("cat", 2, 1 / 2),
        ("dog", 1, 0),
        ("fox", 1, 1),
    ]
    assert [found.cases[case]["recall"] for case in ("s 1", "s 2")] == [1 / 3, 1 / 2]
    assert [each["label"] for each in found.cases["s 2"]["by_class"]] == ["cat", "fox"]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("threshold", "score", "recall"),
    [
        (DetectionThreshold(0.4), 0.4, 3 / 4),
        (DetectionThreshold(0.4, 0.6), 0.4, 2 / 4),
        (DetectionThreshold(0.4, 0.53), 0.4, 3 / 4),
        (DetectionThreshold(None), 0.4, 3 / 4),
        (DetectionThreshold(None, 0.6), 0.4, 2 / 4),
    ],
)
def test_thresholds_are_fixed_or_the_best_over_the_whole_suite(
    registry: Registry, name: str, threshold: DetectionThreshold, score: float, recall: float
) -> None:
    found = test(net("m", SAID), suite(), name, [threshold]).results()
    assert found.suite is not None
    assert (found.suite["threshold"], found.suite["recall"]) == (score, recall)
    assert {each["threshold"] for each in found.cases.values()} == {score}
    asked = {"score_threshold": "f1_optimal" if threshold.score is None else score, "iou": threshold.iou}
    by_types = registry.compare("m", "m", suite="s", metrics=["f1"], iou_type=KINDS[name], **asked)  # type: ignore[arg-type]
    assert by_types.row("f1").a == found.suite["f1"]


@pytest.mark.parametrize("name", KINDS)
def test_the_best_threshold_counts_an_image_of_two_test_cases_once(registry: Registry, name: str) -> None:
    """Twice, the first one would make a threshold of 0.3 the best."""
    held = suite({1: there(), 2: there((0, "cat")), 3: there((0, "cat"))})
    said = {1: seen(*((x, "cat", 0.5) for x in (0, 20, 40))), 2: seen((0, "cat", 0.3)), 3: seen((0, "cat", 0.9))}
    whole = test(net("m", said), held, name, [DetectionThreshold(None)]).results().suite
    assert whole is not None
    assert (whole["threshold"], whole["f1"]) == (0.9, 2 / 3)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("has_ids", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_numbers_are_those_of_a_comparison(registry: Registry, name: str, has_ids: bool, seed: int) -> None:
    """To the last bit, where scores are equal across images, which stand in several test cases, in another order."""
    dice = random.Random(seed)
    labels = ["cat", "dog", "fox"]
    truths, said = {}, [{}, {}]  # type: ignore[var-annotated]
    for n in range(14):
        places = [(float(dice.randrange(0, 90, 5)), dice.choice(labels)) for _ in range(dice.randrange(4))]
        truths[n] = there(*places)
        for own in said:
            near = [(x + dice.choice([0, 1, 3]), label) for x, label in places if dice.random() < 0.8]
            near += [(float(dice.randrange(90)), dice.choice(labels)) for _ in range(dice.randrange(3))]
            own[n] = seen(*((x, label, dice.choice([0.3, 0.5, 0.9])) for x, label in near))
    ids = dice.sample(range(100), 14)
    pairs = [(Photo(n, ids[n] if has_ids else None), truths[n]) for n in range(14)]
    other = [(photo, there((5, "cat"))) for photo, _ in pairs[:2]]
    cases = {"one": pairs[:9], "two": pairs[:4:-1], "three": [*other, *pairs[4:6]]}
    held = Suite("s", test_cases=[Case(case, test_samples=content) for case, content in cases.items()])
    for model, own in zip("ab", said, strict=True):
        test(net(model, own), held, name)
    by_types = registry.compare("a", "b", suite="s", iou_type=KINDS[name])  # type: ignore[arg-type]
    found = registry.compare("a", "b", suite="s", evaluator=name, better={"fp": "lower"})
    for row in by_types.rows:
        if row.a is not None and row.b is not None:
            same = found.row(row.metric, label=row.label, test_case=row.test_case)
            assert (same.a, same.b) == (row.a, row.b)
    right = found.row("right")
    assert (right.fixed, right.broken) == (by_types.rows[0].fixed, by_types.rows[0].broken)
    for what in ("fixed", "broken"):
        assert [row["sample"] for row in getattr(found, what)] == [row["sample"] for row in getattr(by_types, what)]
    assert found.row("fp").low is not None


@pytest.mark.parametrize("name", KINDS)
def test_what_is_skipped_or_has_no_list_is_left_out(registry: Registry, name: str) -> None:
    truths = dict(TRUTH) if name == "segmentation" else {**TRUTH, 3: There(None, [])}
    found = test(net("m", {**SAID, 2: None}), suite(truths), name).results()
    whole = found.suite
    assert whole is not None
    left_out = 1 if name == "segmentation" else 2
    assert (whole["n"], whole["left_out"], whole["recall"]) == (4 - left_out, left_out, 2 / 3)
    assert [each.metrics["right"] for each in found.samples][1] is None
    assert [each.metrics["tp_labels"] for each in found.samples][1] == []
    nothing = test(net("none", dict.fromkeys(TRUTH)), suite(truths), name).results().suite
    assert nothing is not None
    assert {nothing[name] for name in (*COCO_NUMBERS, "precision", "recall", "f1")} == {None}
    assert (nothing["n"], nothing["left_out"], nothing["by_class"]) == (0, 4, [])


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_right_at_any_score(registry: Registry, name: str) -> None:
    said = {n: seen((80, "cat", 0.9)) for n in TRUTH}
    whole = test(net("m", said), suite(), name, [DetectionThreshold(None)]).results().suite
    assert whole is not None
    assert (whole["threshold"], whole["precision"], whole["recall"], whole["AP"]) == (None, None, 0, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"score": "best"}, "score is 'best'; it must be a finite number, or None for the best F1"),
        ({"score": float("nan")}, "score is nan"),
        ({"score": True}, "score is True"),
        ({"iou": 0}, "iou is 0; it must be above 0, at most 1"),
        ({"iou": 1.5}, "iou is 1.5"),
        ({"iou": None}, "iou is None"),
    ],
)
def test_thresholds_that_cannot_be_are_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        DetectionThreshold(**given)


def test_thresholds_are_told_apart_by_name() -> None:
    names = [DetectionThreshold(*each).display_name() for each in ((), (1, 1), (0.5, 0.75), (None,), (1e-9,))]
    assert names == [
        "score 0.5, IoU 0.5", "score 1.0, IoU 1.0", "score 0.5, IoU 0.75", "best F1, IoU 0.5", "score 1e-09, IoU 0.5",
    ]  # fmt: skip
