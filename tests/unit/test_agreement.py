"""How far two inferences agree: what counts as the same, what tolerance holds, what a type decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, cast

import numpy as np
import pytest

from localreg.tables import Vector
from localreg.workflow import (
    Inference,
    LabeledPolygon,
    Metadata,
    ScoredBoundingBox,
    ScoredLabel,
    ScoredLabeledBoundingBox,
)
from localreg.workflow.agreement import Answer, Tolerance, agreement, agreement_of_digests, decides, digests_of
from localreg.workflow.determinism import _answers
from localreg.workflow.inferences import inference_rows
from localreg.workflow.typed import TypedColumn, schema_of

TOLERANCE = Tolerance(1e-5, 1e-8)


class Weather(Enum):
    SUN = "sun"
    RAIN = "rain"


@dataclass(frozen=True)
class Everything(Inference):
    label: ScoredLabel | None = None
    boxes: list[ScoredLabeledBoundingBox] | None = None
    shapes: list[LabeledPolygon] | None = None
    bare: list[ScoredBoundingBox] | None = None
    scores: list[float] | None = None
    by_name: dict[str, float] | None = None
    counts: dict[str, int] | None = None
    either: ScoredLabel | ScoredBoundingBox | None = None
    weather: Weather | None = None
    day: date | None = None
    words: list[str] | None = None
    number: float = 0.0
    count: int = 0
    embedding: Vector[2] | None = None
    metadata: Metadata | None = None


@dataclass(frozen=True)
class Embedded(Inference):
    embedding: Vector[2]
    length: float


def judged(before: object, after: object, cls: type = Everything) -> tuple[str, list[tuple[str, float | None]]]:
    """The level, and paths and sizes of the differences."""
    column = TypedColumn("inference", cls, schema_of(cls))
    rows = inference_rows(column, np.arange(2), [before, after], {}, str)
    one, other = _answers(rows, column)
    level, found = agreement(one, other, column.node, TOLERANCE)
    assert agreement(other, one, column.node, TOLERANCE)[0] == level, "neither way is another one"
    told = agreement_of_digests(digests_of(one, column.node), digests_of(other, column.node), other)[0]
    assert told == level or level == "within tolerance" != told != "bit-exact", "which digests cannot tell"
    return level, [(each.path, each.size) for each in found]


def box(label: str, score: float, at: float = 0.0) -> ScoredLabeledBoundingBox:
    return ScoredLabeledBoundingBox((at, 0.0), (at + 1, 1.0), label, score)


def vector(numbers: list[float]) -> Any:
    return np.array(numbers, np.float32)


def bare(score: float) -> ScoredBoundingBox:
    return ScoredBoundingBox((0.0, 0.0), (1.0, 1.0), score)


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"number": math.nan}, {"number": -math.nan}),
    ({"boxes": [box("cat", 0.5)]}, {"boxes": [box("cat", 0.5)]}),
    ({"embedding": vector([1, math.nan])}, {"embedding": vector([1, math.nan])}),
    ({"metadata": {"a": 1.0}}, {"metadata": {"a": 1}}),  # JSON has one kind of number
]
CLOSE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"number": 0.0}, {"number": -0.0}, "number"),
    ({"number": 1.0}, {"number": 1.0 + 9e-6}, "number"),
    ({"number": 0.0}, {"number": 9e-9}, "number"),
    ({"boxes": [box("cat", 0.5)]}, {"boxes": [box("cat", 0.5000001)]}, "boxes[0].score"),
    ({"by_name": {"a": 0.5}}, {"by_name": {"a": 0.5000001}}, "by_name['a']"),
    ({"embedding": vector([1, 2])}, {"embedding": vector([1, 2.00001])}, "embedding[1]"),
    (
        {"either": ScoredLabel("cat", 0.5)},
        {"either": ScoredLabel("cat", 0.5000001)},
        "either.ScoredClassificationLabel.score",
    ),
    ({"metadata": {"a": [0.5]}}, {"metadata": {"a": [0.5000001]}}, "metadata.a[0]"),
]
DECIDED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"number": 1.0}, {"number": 2.0}),
    ({"number": 1.0}, {"number": math.nan}),
    ({"label": ScoredLabel("cat", 0.5)}, {"label": ScoredLabel("cat", 0.6)}),
    ({"boxes": [box("cat", 0.9), box("dog", 0.5)]}, {"boxes": [box("dog", 0.4, 3), box("cat", 0.8, 9)]}),
    ({"bare": [bare(0.5)]}, {"bare": [bare(0.6)]}),
    ({"scores": [0.1, 0.9]}, {"scores": [0.2, 0.8]}),
    ({"by_name": {"a": 0.1, "b": 0.9}}, {"by_name": {"b": 0.8, "a": 0.2}}),
    ({"embedding": vector([1, 2])}, {"embedding": vector([2, 1])}),
    ({"metadata": {"took": 1}}, {"metadata": {"took": 2}}),
    ({"metadata": {"took": 1}}, {"metadata": {"took": True}}),  # equal to Python
]
OTHER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"count": 1_000_000_000}, {"count": 1_000_000_001}),
    ({"label": ScoredLabel("cat", 0.5)}, {"label": ScoredLabel("dog", 0.5)}),
    ({"label": ScoredLabel("cat", 0.5)}, {}),
    ({"boxes": [box("cat", 0.5)]}, {"boxes": [box("cat", 0.5), box("cat", 0.1)]}),
    ({"boxes": [box("cat", 0.9), box("dog", 0.5)]}, {"boxes": [box("cat", 0.5), box("dog", 0.9)]}),
    ({"boxes": [box("cat", 0.9), box("dog", 0.5)]}, {"boxes": [box("cat", 0.9), box("cow", 0.5)]}),
    ({"boxes": []}, {}),
    ({"bare": [bare(0.5)]}, {"bare": [bare(0.5), bare(0.1)]}),
    (
        {"shapes": [LabeledPolygon([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], "cat")]},
        {"shapes": [LabeledPolygon([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], "dog")]},
    ),
    ({"scores": [0.1, 0.9]}, {"scores": [0.9, 0.1]}),
    ({"scores": [0.1, 0.9]}, {"scores": [0.1, 0.9, 0.0]}),
    ({"by_name": {"a": 0.1, "b": 0.9}}, {"by_name": {"a": 0.9, "b": 0.1}}),
    ({"counts": {"a": 1}}, {"counts": {"a": 2}}),
    ({"either": ScoredLabel("cat", 0.5)}, {"either": bare(0.5)}),
    ({"weather": Weather.SUN}, {"weather": Weather.RAIN}),
    ({"day": date(2026, 1, 1)}, {"day": date(2026, 1, 2)}),
    ({"words": ["a", "b"]}, {"words": ["b", "a"]}),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_the_same_to_the_bit(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert judged(Everything(**before), Everything(**after)) == ("bit-exact", [])


@pytest.mark.parametrize(("before", "after", "path"), CLOSE)
def test_the_same_but_for_the_last_digits(before: dict[str, Any], after: dict[str, Any], path: str) -> None:
    level, found = judged(Everything(**before), Everything(**after))
    assert (level, [each for each, _ in found]) == ("within tolerance", [path])
    assert all(size is not None and size < 1e-4 for _, size in found)


@pytest.mark.parametrize(("before", "after"), DECIDED)
def test_other_numbers_and_the_same_decisions(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert judged(Everything(**before), Everything(**after))[0] == "decision-stable"


@pytest.mark.parametrize(("before", "after"), OTHER)
def test_other_decisions(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert judged(Everything(**before), Everything(**after))[0] == "not deterministic"


def test_a_skip_is_like_a_skip_alone() -> None:
    assert judged(None, None) == ("bit-exact", [])
    assert judged(None, Everything()) == ("not deterministic", [("", None)])
    skipped, raised = Answer("skipped", None, {}), Answer("error", None, {}, "ValueError: no")
    assert agreement(skipped, raised, schema_of(Everything), TOLERANCE)[0] == "not deterministic"


def test_a_type_in_which_nothing_is_decided_agrees_within_tolerance_or_not() -> None:
    def embedded(number: float) -> Embedded:
        return Embedded(vector([1, 2]), number)

    assert not decides(schema_of(Embedded))
    assert judged(embedded(1.0), embedded(1.000001), Embedded)[0] == "within tolerance"
    assert judged(embedded(1.0), embedded(1.1), Embedded)[0] == "not deterministic"


def test_extra_fields_are_compared_and_decide_nothing() -> None:
    def extra(iou: object) -> Everything:
        return Everything(label=ScoredLabel("cat", 0.5, **cast(Any, {"iou": iou})))

    assert judged(extra(0.5), extra(0.5))[0] == "bit-exact"
    level, found = judged(extra(0.5), extra(0.5000001))
    assert (level, [path for path, _ in found]) == ("within tolerance", ["label.iou"])
    assert judged(extra("much"), extra("little"))[0] == "decision-stable"


def test_digests_are_the_same_on_each_machine_and_in_each_release() -> None:
    """With what an older release stored, a newer one compares: if this must change, so must `machines.SCHEME`."""
    boxes = [box(label, 0.1 * number) for number, label in enumerate(("cat", "dog", "cow", "ant"))]
    given = Everything(
        ScoredLabel("cat", 0.5),
        boxes,
        by_name={"a": 0.25, "b": -0.0},
        counts={"a": 2**60},
        weather=Weather.RAIN,
        day=date(2026, 3, 31),
        number=math.nan,
        embedding=vector([1, 2]),
        metadata={"k": [1, None]},
    )
    column = TypedColumn("inference", Everything, schema_of(Everything))
    rows = inference_rows(column, np.arange(2), [given, Everything(boxes=boxes[::-1])], {}, str)
    one, other = (digests_of(each, column.node) for each in _answers(rows, column))
    told = [each[:16] for each in (one.answer, one.decision or "", other.decision or "")]
    assert told == ["990330062efc8a0a", "36f84ee068d90a7d", "a9c49c10ef14acde"]
    assert digests_of(Answer("skipped", None, {}), column.node).decision is None
