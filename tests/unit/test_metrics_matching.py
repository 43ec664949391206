from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, nan
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg import InvalidInputError
from localreg.metrics import (
    InferenceMatches,
    MulticlassInferenceMatches,
    iou,
    match_inferences,
    match_inferences_multiclass,
    matching,
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    top_left: Point
    bottom_right: Point
    label: str = "car"
    name: str = ""
    view: object = None


@dataclass(frozen=True)
class Scored(Box):
    score: float = 0.5


@dataclass(frozen=True)
class Triangle:
    points: list[Point]
    label: str = "car"
    name: str = ""
    view: object = None


@dataclass(frozen=True)
class ScoredTriangle(Triangle):
    score: float = 0.5


def box(left: float, width: float = 10, **more: Any) -> Box:
    return Box((left, 0), (left + width, 10), **more)


def said(left: float, score: float = 0.5, width: float = 10, **more: Any) -> Scored:
    return Scored((left, 0), (left + width, 10), score=score, **more)


def names(matches: InferenceMatches[Any, Any] | MulticlassInferenceMatches[Any, Any]) -> list[list[str]]:
    """Who is where: pairs as `g+i`, a confused one as `g?i`."""
    missed = [
        each.name if not isinstance(each, tuple) else each[0].name + (f"?{each[1].name}" if each[1] else "")
        for each in matches.unmatched_gt
    ]
    pairs = [f"{gt.name}+{inference.name}" for gt, inference in matches.matched]
    return [pairs, missed, [inference.name for inference in matches.unmatched_inf]]


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_each_inference_takes_the_ground_truth_that_it_overlaps_most() -> None:
    gts = [box(0, name="A"), box(4, name="B"), box(50, name="C")]
    infs = [said(3, 0.4, name="b"), said(0, 0.9, name="a"), said(90, 0.7, name="x")]
    assert names(match_inferences(gts, infs)) == [["A+a", "B+b"], ["C"], ["x"]]


def test_a_duplicate_gets_no_second_choice() -> None:
    """A COCO matcher would give B to the second."""
    gts = [box(0, name="A"), box(2, name="B")]
    infs = [said(0, 0.9, name="first"), said(0.5, 0.8, name="second")]
    assert iou(gts[1], infs[1]) > 0.5
    assert names(match_inferences(gts, infs)) == [["A+first"], ["B"], ["second"]]


def test_the_threshold_is_reached_by_being_met() -> None:
    gt, half = box(0, name="A"), said(0, width=5, name="i")
    assert iou(gt, half) == 0.5
    assert names(match_inferences([gt], [half], iou_threshold=0.5)) == [["A+i"], [], []]
    assert names(match_inferences([gt], [half], iou_threshold=0.5000001)) == [[], ["A"], ["i"]]
    assert names(match_inferences([gt], [half])) == [["A+i"], [], []]  # the default


def test_at_a_threshold_of_one_only_equal_shapes_match_and_at_zero_all() -> None:
    gt = box(0, name="A")
    assert names(match_inferences([gt], [said(0, name="i")], iou_threshold=1)) == [["A+i"], [], []]
    assert names(match_inferences([gt], [said(0.001, name="i")], iou_threshold=1)) == [[], ["A"], ["i"]]
    assert names(match_inferences([gt], [said(70, name="i")], iou_threshold=0)) == [["A+i"], [], []]


def test_of_equal_scores_the_first_given_chooses_first() -> None:
    infs = [said(1, name="first"), said(0, name="second"), said(0, name="third")]
    assert names(match_inferences([box(0, name="A")], infs)) == [["A+first"], [], ["second", "third"]]


def test_of_equal_overlaps_the_first_ground_truth_is_chosen() -> None:
    gts = [box(-2, name="left"), box(2, name="right")]
    assert iou(gts[0], said(0)) == iou(gts[1], said(0))
    assert names(match_inferences(gts, [said(0, name="i")])) == [["left+i"], ["right"], []]
    assert names(match_inferences(gts[::-1], [said(0, name="i")])) == [["right+i"], ["left"], []]


def test_ignored_ground_truths_soak_up_any_number_of_inferences() -> None:
    infs = [said(0, 0.9, name="a"), said(50, 0.8, name="b"), said(51, 0.7, name="c"), said(90, 0.6, name="d")]
    found = match_inferences([box(0, name="A")], infs, ignored_ground_truths=[box(50, name="ignored")])
    assert names(found) == [["A+a"], [], ["d"]]


def test_of_a_ground_truth_and_an_ignored_one_the_nearer_is_chosen_and_of_equals_the_ground_truth() -> None:
    gt, inference = box(0, name="A"), said(1, name="i")
    assert names(match_inferences([gt], [inference], ignored_ground_truths=[box(1)])) == [[], ["A"], []]
    assert names(match_inferences([gt], [inference], ignored_ground_truths=[box(2)])) == [["A+i"], [], []]
    again = [inference, said(1, 0.1, name="again")]  # a duplicate of A, though the ignored one lies there, too
    assert names(match_inferences([gt], again, ignored_ground_truths=[box(2)])) == [["A+i"], [], ["again"]]


def test_labels_matter_only_to_the_multiclass_matcher() -> None:
    gts, infs = [box(0, label="car", name="A")], [said(0, label="bus", name="i")]
    assert names(match_inferences(gts, infs)) == [["A+i"], [], []]
    assert names(match_inferences_multiclass(gts, infs)) == [[], ["A?i"], ["i"]]


def test_multiclass_goes_by_label_and_then_by_score() -> None:
    gts = [box(0, label="car", name="A"), box(50, label="bus", name="B"), box(70, label="car", name="C")]
    infs = [
        said(70, 0.3, label="car", name="c"),
        said(0, 0.9, label="car", name="a"),
        said(50, 0.1, label="bus", name="b"),
        said(200, 0.99, label="tram", name="x"),
        said(201, 0.2, label="bus", name="y"),
    ]
    assert names(match_inferences_multiclass(gts, infs)) == [["B+b", "A+a", "C+c"], [], ["y", "x"]]


def test_confused_ground_truths_come_first_by_score_then_the_others_by_label() -> None:
    gts = [box(0, label="van", name="V"), box(50, label="car", name="C"), box(90, label="bus", name="B")]
    infs = [said(50, 0.4, label="van", name="v"), said(0, 0.8, label="car", name="c")]
    assert names(match_inferences_multiclass(gts, infs)) == [[], ["V?c", "C?v", "B"], ["c", "v"]]


def test_a_duplicate_of_the_same_label_keeps_a_ground_truth_from_being_confused() -> None:
    gts = [box(0, name="A"), box(2, name="B")]
    infs = [said(0, 0.9, name="a"), said(0.9, 0.8, name="again"), said(2, 0.7, label="bus", name="bus")]
    assert names(match_inferences_multiclass(gts, infs)) == [["A+a"], ["B"], ["bus", "again"]]
    assert names(match_inferences_multiclass(gts, [infs[0], infs[2]])) == [["A+a"], ["B?bus"], ["bus"]]


def test_ignored_ground_truths_are_of_a_label_at_first_and_of_all_in_the_second_round() -> None:
    ignored = [box(0, label="bus")]
    bus, car = said(0, label="bus", name="bus"), said(0, label="car", name="car")
    assert names(match_inferences_multiclass([], [bus, car], ignored_ground_truths=ignored)) == [[], [], ["car"]]
    van = box(1, label="van", name="van")
    assert names(match_inferences_multiclass([van], [car])) == [[], ["van?car"], ["car"]]
    assert names(match_inferences_multiclass([van], [car], ignored_ground_truths=ignored)) == [[], ["van"], ["car"]]


def test_required_fields_must_be_equal_and_who_lacks_one_has_none() -> None:
    gts = [box(0, name="A", view="left"), box(1, name="B", view="right")]
    infs = [said(0, 0.9, name="r", view="right"), said(0, 0.8, name="n")]
    assert names(match_inferences(gts, infs, required_match_fields=["view"])) == [["B+r"], ["A"], ["n"]]
    assert names(match_inferences(gts, infs, required_match_fields=["view", "label"])) == [["B+r"], ["A"], ["n"]]
    assert names(match_inferences(gts, infs, required_match_fields=[])) == [["A+r"], ["B"], ["n"]]
    assert names(match_inferences(gts, infs, required_match_fields=["nobody_has_this"])) == [["A+r"], ["B"], ["n"]]
    lone = SimpleNamespace(top_left=(0, 0), bottom_right=(10, 10), score=0.5, name="lone")
    found = match_inferences([box(0, name="N")], [lone], required_match_fields=["view"])
    assert names(found) == [["N+lone"], [], []]


def test_required_fields_hold_in_both_rounds_and_for_ignored_ground_truths() -> None:
    gts = [box(0, label="car", name="A", view=1)]
    infs = [said(0, label="bus", name="i", view=2)]
    assert names(match_inferences_multiclass(gts, infs)) == [[], ["A?i"], ["i"]]
    assert names(match_inferences_multiclass(gts, infs, required_match_fields=["view"])) == [[], ["A"], ["i"]]
    ignored = [box(0, label="bus", view=1)]
    keyed = match_inferences_multiclass([], infs, ignored_ground_truths=ignored, required_match_fields=["view"])
    assert names(keyed) == [[], [], ["i"]]
    assert names(match_inferences_multiclass([], infs, ignored_ground_truths=ignored)) == [[], [], []]


@pytest.mark.parametrize("match", [match_inferences, match_inferences_multiclass])
def test_of_nothing_comes_nothing(match: Callable[..., Any]) -> None:
    assert names(match([], [])) == [[], [], []]
    assert names(match([box(0, name="A")], [])) == [[], ["A"], []]
    assert names(match([], [said(0, name="i")])) == [[], [], ["i"]]
    assert names(match([], [said(0, name="i")], ignored_ground_truths=[], iou_threshold=0)) == [[], [], ["i"]]
    assert names(match((box(0, name="A"),), (said(0, name="i"),))) == [["A+i"], [], []]


def test_boxes_and_polygons_match_each_other() -> None:
    pytest.importorskip("shapely")
    square = Triangle([(0, 0), (10, 0), (10, 10), (0, 10)], name="S")
    triangle = ScoredTriangle([(50, 0), (60, 0), (60, 10)], name="t")
    gts: list[Box | Triangle] = [square, box(50, name="B")]
    infs: list[Scored | ScoredTriangle] = [triangle, said(1, name="b")]
    assert names(match_inferences(gts, infs)) == [["B+t", "S+b"], [], []]
    assert names(match_inferences_multiclass(gts, infs, iou_threshold=0.6)) == [["S+b"], ["B"], ["t"]]


# --- the copies that carry an IoU -------------------------------------------------------------------------------------


def test_inferences_carry_their_iou_and_what_was_passed_in_is_untouched() -> None:
    gts = [box(0, name="A")]
    infs = [said(1, 0.9), said(2, 0.8), said(9, 0.7), said(40, 0.6)]
    before = copy.deepcopy([vars(each) for each in (*gts, *infs)])
    found = match_inferences(gts, infs, ignored_ground_truths=[box(40)])
    assert [vars(each) for each in (*gts, *infs)] == before
    assert found.matched[0][0] is gts[0]
    carried = [vars(each) for each in (found.matched[0][1], *found.unmatched_inf)]
    expected = [9 / 11, 8 / 12, 1 / 19]  # of the match, of a duplicate, of one below the threshold
    assert carried == [vars(each) | {"iou": value} for each, value in zip(infs[:3], expected, strict=True)]
    assert [type(each) for each in found.unmatched_inf] == [Scored, Scored]
    assert found.unmatched_inf == infs[1:3], "equality looks at the fields"


def test_an_ignored_ground_truth_gives_no_iou() -> None:
    found = match_inferences([], [said(4)], ignored_ground_truths=[box(0)], iou_threshold=0.9)
    assert vars(found.unmatched_inf[0])["iou"] == 0.0


def test_a_confusing_inference_carries_the_iou_of_its_ground_truth_and_as_unmatched_that_of_its_label() -> None:
    found = match_inferences_multiclass([box(0, label="car"), box(8, label="bus")], [said(0, label="bus")])
    gt, confusing = found.unmatched_gt[0]
    assert (gt.label, vars(confusing)["iou"]) == ("car", 1.0)
    assert vars(found.unmatched_inf[0])["iou"] == 2 / 18


def test_extra_attributes_live_on_and_an_iou_of_before_is_replaced() -> None:
    inference = said(0)
    object.__setattr__(inference, "iou", 0.123)
    object.__setattr__(inference, "track", [7])
    ((_, carried),) = match_inferences([box(0)], [inference]).matched
    assert vars(carried)["iou"] == 1.0
    assert vars(carried)["track"] is vars(inference)["track"]
    assert vars(inference)["iou"] == 0.123


class Tuple(NamedTuple):
    top_left: Point
    bottom_right: Point
    score: float


class Slots:
    __slots__ = ("bottom_right", "score", "top_left")

    def __init__(self) -> None:
        self.top_left, self.bottom_right, self.score = (0, 0), (1, 1), 0.5


@pytest.mark.parametrize("inference", [Tuple((0, 0), (1, 1), 0.5), Slots()])
def test_a_class_that_can_carry_no_iou_is_refused(inference: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"cannot carry its iou .*__slots__"):
        match_inferences([box(0)], [inference])


# --- beside a slow and obvious matcher --------------------------------------------------------------------------------

Each = TypeVar("Each")


def falling(inferences: Sequence[Any]) -> Iterator[Any]:
    """One by one, the best left, which is the first of those with the highest score."""
    left = list(inferences)
    while left:
        highest = max(each.score for each in left)
        yield left.pop([each.score for each in left].index(highest))


def same(a: Any, b: Any, fields: Sequence[str]) -> bool:
    return all(getattr(a, field) == getattr(b, field) for field in fields)


def slowly(
    gts: Sequence[Any], infs: Sequence[Any], ignored: Sequence[Any], threshold: float, fields: Sequence[str]
) -> tuple[list[Any], list[Any], list[Any]]:
    """Triples (ground truth, inference, IoU); ground truths; pairs (inference, IoU)."""
    pairs, unmatched, free = [], [], list(gts)
    for inference in falling(infs):
        near = [(iou(gt, inference), gt) for gt in gts if same(gt, inference, fields)]
        rivals = near + [(iou(gt, inference), gt) for gt in ignored if same(gt, inference, fields)]
        top = max((overlap for overlap, _ in near), default=0.0)
        peak = max((overlap for overlap, _ in rivals), default=-1.0)
        if peak < threshold:
            unmatched.append((inference, top))
            continue
        choice = next(gt for overlap, gt in rivals if overlap == peak)
        if choice in free:
            free.remove(choice)
            pairs.append((choice, inference, peak))
        elif choice in gts:
            unmatched.append((inference, top))
    return pairs, free, unmatched


def slowly_by_label(
    gts: Sequence[Any], infs: Sequence[Any], ignored: Sequence[Any], threshold: float, fields: Sequence[str]
) -> tuple[list[Any], list[Any], list[Any]]:
    pairs: list[Any] = []
    free: list[Any] = []
    unmatched: list[Any] = []
    for label in sorted({each.label for each in (*gts, *infs)}):
        of_label = [[each for each in several if each.label == label] for several in (gts, infs, ignored)]
        some, left, others = slowly(of_label[0], of_label[1], of_label[2], threshold, fields)
        pairs, free, unmatched = pairs + some, free + left, unmatched + others
    again, _, _ = slowly(free, [inference for inference, _ in unmatched], ignored, threshold, fields)
    confused = [triple for triple in again if triple[0].label != triple[1].label]
    there = [gt for gt, _, _ in confused]
    return pairs, [*confused, *((gt, None, None) for gt in free if gt not in there)], unmatched


def carried(inference: Any) -> Any:
    return None if inference is None else (inference.name, inference.iou)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Box], list[Scored], list[Box]]:
    """Boxes on a small grid, so that ties of overlaps and scores abound; each named."""
    side = st.integers(0, 4)
    few = {"label": st.sampled_from("ab"), "view": st.sampled_from([1, None])}

    def several(cls: type[Each], most: int, prefix: str, **more: Any) -> list[Each]:
        return [
            cls(
                top_left=(x, y),  # type: ignore[call-arg]
                bottom_right=(x + draw(side), y + draw(side)),
                name=f"{prefix}{n}",
                **{key: draw(values) for key, values in (few | more).items()},
            )
            for n, (x, y) in enumerate(draw(st.lists(st.tuples(side, side), max_size=most)))
        ]

    scores = st.sampled_from([-1.0, 0.0, 0.5, 0.75])
    return several(Box, 6, "g"), several(Scored, 8, "i", score=scores), several(Box, 2, "x")


thresholds = st.sampled_from([0, 0.2, 1 / 3, 0.5, 0.8, 1])
required = st.sampled_from([[], ["view"], ["view", "label"]])
blocks = st.sampled_from([1, 7, 1 << 20])


@given(scenes(), thresholds, required, blocks)
def test_matches_are_those_of_the_slow_matcher(
    scene: tuple[list[Box], list[Scored], list[Box]], threshold: float, fields: list[str], block: int
) -> None:
    gts, infs, ignored = scene
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "BLOCK", block)
        found = match_inferences(
            gts, infs, ignored_ground_truths=ignored, iou_threshold=threshold, required_match_fields=fields
        )
    pairs, missed, unmatched = slowly(gts, infs, ignored, threshold, fields)
    assert [(gt.name, carried(i)) for gt, i in found.matched] == [(gt.name, (i.name, v)) for gt, i, v in pairs]
    assert [gt.name for gt in found.unmatched_gt] == [gt.name for gt in missed]
    assert [carried(i) for i in found.unmatched_inf] == [(i.name, v) for i, v in unmatched]


@given(scenes(), thresholds, st.sampled_from([[], ["view"]]), blocks)
def test_multiclass_matches_are_those_of_the_slow_matcher(
    scene: tuple[list[Box], list[Scored], list[Box]], threshold: float, fields: list[str], block: int
) -> None:
    gts, infs, ignored = scene
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "BLOCK", block)
        found = match_inferences_multiclass(
            gts, infs, ignored_ground_truths=ignored, iou_threshold=threshold, required_match_fields=fields
        )
    pairs, missed, unmatched = slowly_by_label(gts, infs, ignored, threshold, fields)
    assert [(gt.name, carried(i)) for gt, i in found.matched] == [(gt.name, (i.name, v)) for gt, i, v in pairs]
    assert [(gt.name, carried(i)) for gt, i in found.unmatched_gt] == [
        (gt.name, None if i is None else (i.name, v)) for gt, i, v in missed
    ]
    assert [carried(i) for i in found.unmatched_inf] == [(i.name, v) for i, v in unmatched]


def test_type_checkers_know_what_the_lists_hold() -> None:
    """The annotations are the test: mypy reads this file."""
    found = match_inferences([box(0)], [said(0)])
    pair: tuple[Box, Scored] = found.matched[0]
    multiclass = match_inferences_multiclass([box(0)], [said(90)])
    missed: tuple[Box, Scored | None] = multiclass.unmatched_gt[0]
    others: list[Scored] = multiclass.unmatched_inf
    assert pair[1].score == others[0].score == 0.5
    assert missed == (box(0), None)


def test_results_cannot_be_reassigned() -> None:
    found = match_inferences([box(0)], [said(0)])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.matched = []  # type: ignore[misc]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", [match_inferences, match_inferences_multiclass])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "coco"}, "^mode is 'coco'.*'pascal'"),
        ({"mode": None}, "^mode is None"),
        ({"iou_threshold": 1.01}, "^iou_threshold is 1.01; it must be a number from 0 to 1"),
        ({"iou_threshold": -0.01}, "^iou_threshold is -0.01"),
        ({"iou_threshold": nan}, "^iou_threshold is nan"),
        ({"iou_threshold": "0.5"}, "^iou_threshold is '0.5'"),
        ({"iou_threshold": None}, "^iou_threshold is None"),
        ({"ground_truths": None}, "^ground_truths is of type NoneType"),
        ({"inferences": 5}, "^inferences is of type int"),
        ({"ignored_ground_truths": 5}, "^ignored_ground_truths is of type int"),
        ({"ground_truths": [box(0), box(5, -1)]}, r"^ground_truths\[1\]: top_left .* lies beyond"),
        ({"ground_truths": [box(nan)]}, r"^ground_truths\[0\]\.top_left is \(nan"),
        ({"ignored_ground_truths": [box(0), "x"]}, r"^ignored_ground_truths\[1\] is of type str"),
        ({"inferences": [said(0), said(1, nan)]}, r"^inferences\[1\]\.score is nan; it must be a finite number"),
        ({"inferences": [said(0, inf)]}, r"^inferences\[0\]\.score is inf"),
        ({"inferences": [box(0)]}, r"^inferences\[0\]\.score is None"),
        ({"inferences": [said(0, cast(float, "0.5"))]}, r"^inferences\[0\]\.score is '0.5'"),
        ({"inferences": [said(0), said(inf)]}, r"^inferences\[1\]\.top_left is \(inf"),
        ({"inferences": [SimpleNamespace(score=1, label="a")]}, r"^inferences\[0\] is of type SimpleNamespace"),
        ({"required_match_fields": "label"}, "^required_match_fields is 'label'; it must be a list"),
        ({"required_match_fields": [1]}, r"^required_match_fields is \[1\]"),
        (
            {"inferences": [said(0, view=[1])], "required_match_fields": ["label", "view"]},
            r"^inferences\[0\]\.view is \[1\], which cannot be required to match",
        ),
    ],
)
def test_what_cannot_be_matched_is_named(match: Callable[..., Any], arguments: dict[str, Any], message: str) -> None:
    everything = {"ground_truths": [box(0)], "inferences": [said(0)]} | arguments
    with pytest.raises(InvalidInputError, match=message):
        match(everything.pop("ground_truths"), everything.pop("inferences"), **everything)


@pytest.mark.parametrize("label", [None, 3, ["car"]])
@pytest.mark.parametrize("argument", ["ground_truths", "inferences", "ignored_ground_truths"])
def test_multiclass_names_what_has_no_label(argument: str, label: Any) -> None:
    fine: dict[str, Any] = {"ground_truths": [box(0)], "inferences": [said(0)], "ignored_ground_truths": []}
    bad = said(1, label=label)
    with pytest.raises(InvalidInputError, match=rf"^{argument}\[0\]\.label is .*; it must be text"):
        match_inferences_multiclass(**(fine | {argument: [bad]}))
