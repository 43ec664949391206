"""What models return becomes inferences of recorded workflows: by the names of keys, or by a mapping.

What is stored of them is what the typed class would have stored.
"""

from __future__ import annotations

import datetime
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest

import localreg.detection.workflow as detection_workflow
from localreg import InvalidInputError, Registry
from localreg.definitions.inferences import Assignment, made_by
from localreg.detection import inference as seen
from localreg.tables import Names, Node
from localreg.workflow import (
    BitmapMask,
    BoundingBox,
    ClassificationLabel,
    GroundTruth,
    Inference,
    Keypoints,
    LabeledBoundingBox,
    ScoredBoundingBox,
    ScoredClassificationLabel,
    ScoredLabeledBoundingBox,
    ScoredLabeledPolygon,
    SegmentationMask,
    TestSample,
    Vector,
    define_workflow,
    test,
)
from localreg.workflow.annotation import Point
from localreg.workflow.recorded_columns import RecordedColumn
from localreg.workflow.typed import TypedColumn, schema_of


@dataclass(frozen=True)
class Classified(Inference):
    label: ScoredClassificationLabel


@dataclass(frozen=True)
class Flat(Inference):
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Tagged(Inference):
    labels: list[ScoredClassificationLabel]


@dataclass(frozen=True)
class Lists(Inference):
    labels: list[str]
    scores: list[float]


@dataclass(frozen=True)
class Detected(Inference):
    boxes: list[ScoredLabeledBoundingBox]


@dataclass(frozen=True)
class Unscored(Inference):
    things: list[LabeledBoundingBox]


@dataclass(frozen=True)
class Plain(Inference):
    boxes: list[BoundingBox]


@dataclass(frozen=True)
class Defect:
    """A user's own, whose sure is called a confidence."""

    top_left: Point
    bottom_right: Point
    label: Literal["scratch", "dent"]
    confidence: float | None = None


@dataclass(frozen=True)
class Inspected(Inference):
    defects: list[Defect] | None
    seconds: float | None = None


@dataclass(frozen=True)
class Outlined(Inference):
    outlines: list[ScoredLabeledPolygon]


@dataclass(frozen=True)
class Both(Inference):
    boxes: list[ScoredBoundingBox]
    outlines: list[ScoredLabeledPolygon]


@dataclass(frozen=True)
class Twice(Inference):
    near: list[BoundingBox]
    far: list[BoundingBox]


@dataclass(frozen=True)
class Painted(Inference):
    mask: BitmapMask


@dataclass(frozen=True)
class Classes(Inference):
    mask: SegmentationMask


@dataclass(frozen=True)
class Person:
    label: str
    pose: Keypoints
    size: Annotated[tuple[float, float], Names("width", "height")]
    outline: list[Point] | None = None


@dataclass(frozen=True)
class Posed(Inference):
    people: list[Person]


@dataclass(frozen=True)
class Pointed(Inference):
    points: list[Keypoints]


@dataclass(frozen=True)
class Embedded(Inference):
    embedding: Vector[4]
    extra: Vector[2] | None = None


@dataclass(frozen=True)
class Regressed(Inference):
    value: float
    count: int | None = None
    sure: bool | None = None
    raw: bytes | None = None
    at: datetime.datetime | None = None
    steps: list[int] | None = None
    table: list[list[float]] | None = None
    shares: dict[str, float] | None = None


def node(cls: type) -> Node:
    return schema_of(cls)


def assigned(cls: type, keys: tuple[str, ...] | None, mapping: Mapping[str, str] | None, prediction: Any) -> Any:
    """By an assignment that was sent elsewhere, as workers have it."""
    made = Assignment(node(cls), keys, mapping)
    made(prediction)
    return pickle.loads(pickle.dumps(made))(prediction)


def same(cls: type, made: Any, inference: Any) -> None:
    """A dict is stored as the typed object is: byte for byte."""
    recorded = RecordedColumn("inference", Inference, node(cls)).whole.table([made, None], str)
    typed = TypedColumn("inference", cls, node(cls)).table([inference, None], str)
    assert recorded.select(typed.column_names).equals(typed)
    assert set(recorded.column_names) <= {*typed.column_names, "metadata"}


BOXES = [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
CORNERS = [((0.0, 1.0), (2.0, 3.0)), ((4.0, 5.0), (6.0, 7.0))]
OUTLINES = [[(0.0, 0.0), (4.0, 0.0), (4.0, 3.0)], [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)]]
F32 = np.float32


def detected(*pairs: tuple[str, float]) -> Detected:
    return Detected([ScoredLabeledBoundingBox(*CORNERS[n], *pair) for n, pair in enumerate(pairs)])


LABEL = ScoredClassificationLabel
GOOD: list[tuple[str, dict[str, str] | None, dict[str, Any], Inference]] = [
    # --- one label
    ("label and score", None, {"label": "a", "score": 0.5}, Classified(LABEL("a", 0.5))),
    ("classes and scores of one", None, {"classes": 3, "scores": F32(0.5)}, Classified(LABEL("3", 0.5))),
    ("fields", None, {"label": np.str_("a"), "score": np.float64(0.5)}, Flat("a", 0.5)),
    ("one field", None, {"label": np.int64(3)}, Flat("3", None)),
    ("class for label", None, {"class": np.array("a"), "score": 1}, Flat("a", 1.0)),
    (
        "mapped",
        {"label.label": "cls", "label.score": "conf"},
        {"cls": "a", "conf": 0.5, "x": 1},
        Classified(LABEL("a", 0.5)),
    ),
    ("the very field", None, {"label": {"label": 1, "score": F32(2)}}, Classified(LABEL("1", 2.0))),
    ("confidence", {"label": "cls", "score": "sure"}, {"cls": "a", "sure": 0.5}, Flat("a", 0.5)),
    # --- lists of labels
    (
        "labels",
        None,
        {"labels": ["a", 2], "scores": np.array([0.5, 1], F32)},
        Tagged([LABEL("a", 0.5), LABEL("2", 1.0)]),
    ),
    ("classes", None, {"classes": np.array([1, 2]), "scores": [0.5, 1]}, Tagged([LABEL("1", 0.5), LABEL("2", 1.0)])),
    ("none", None, {"labels": [], "scores": np.array([])}, Tagged([])),
    ("both fields", None, {"labels": np.array(["a", "b"]), "scores": [1, F32(0.5)]}, Lists(["a", "b"], [1.0, 0.5])),
    ("classes for labels", None, {"classes": ("a",), "scores": [1.5]}, Lists(["a"], [1.5])),
    ("dicts", None, {"labels": [{"label": 1, "score": 2}]}, Tagged([LABEL("1", 2.0)])),
    # --- boxes
    (
        "boxes",
        None,
        {"boxes": np.array(BOXES, F32), "classes": ["a", "b"], "scores": [0.5, 1.0]},
        detected(("a", 0.5), ("b", 1.0)),
    ),
    (
        "labels of boxes",
        None,
        {"boxes": BOXES, "labels": np.array([1, 2]), "scores": np.array([0.5, 1])},
        detected(("1", 0.5), ("2", 1.0)),
    ),
    ("no boxes", None, {"boxes": [], "classes": [], "scores": []}, detected()),
    (
        "no boxes in arrays",
        None,
        {"boxes": np.zeros((0, 4)), "classes": np.array([], int), "scores": np.array([])},
        detected(),
    ),
    (
        "lists of dicts",
        None,
        {"boxes": [{"top_left": np.zeros(2), "bottom_right": [1, 2], "label": 1, "score": 0}]},
        Detected([ScoredLabeledBoundingBox((0.0, 0.0), (1.0, 2.0), "1", 0.0)]),
    ),
    ("another field", None, {"boxes": BOXES[:1], "classes": ["a"]}, Unscored([LabeledBoundingBox(*CORNERS[0], "a")])),
    ("no labels", None, {"boxes": BOXES}, Plain([BoundingBox(*pair) for pair in CORNERS])),
    (
        "no labels, dicts",
        None,
        {"boxes": [{"top_left": (0, 1), "bottom_right": (2, 3)}]},
        Plain([BoundingBox(*CORNERS[0])]),
    ),
    (
        "a user's",
        None,
        {"boxes": BOXES[:1], "classes": ["dent"], "scores": [0.5], "seconds": 2},
        Inspected([Defect(*CORNERS[0], "dent", 0.5)], 2.0),
    ),
    (
        "a user's without scores",
        None,
        {"boxes": BOXES[:1], "classes": ["dent"]},
        Inspected([Defect(*CORNERS[0], "dent")]),
    ),
    ("none where it may be", None, {"boxes": None, "classes": None}, Inspected(None)),
    (
        "mapped boxes",
        {"boxes": "xyxy", "boxes.label": "cls", "boxes.score": "conf"},
        {"xyxy": BOXES[:1], "cls": [0], "conf": [1]},
        detected(("0", 1.0)),
    ),
    (
        "mapped plain boxes",
        {"near": "a", "far": "b"},
        {"a": BOXES, "b": []},
        Twice([BoundingBox(*pair) for pair in CORNERS], []),
    ),
    # --- polygons, masks, keypoints
    (
        "masks",
        None,
        {"masks": [np.array(OUTLINES[0]), OUTLINES[1]], "labels": ["a", "b"], "scores": [0.5, 1]},
        Outlined([ScoredLabeledPolygon(OUTLINES[0], "a", 0.5), ScoredLabeledPolygon(OUTLINES[1], "b", 1.0)]),
    ),
    ("a mask's locator", None, {"masks": "a.png"}, Painted(BitmapMask("a.png"))),
    (
        "a mask",
        None,
        {"masks": {"locator": "a.png", "labels": {1: "cat"}}},
        Classes(SegmentationMask({1: "cat"}, "a.png")),
    ),
    (
        "keypoints",
        {"people.label": "who", "people.pose.points": "joints", "people.size": "wh", "people.outline": "rim"},
        {"who": [1], "joints": np.array([OUTLINES[0]]), "wh": np.array([[1, 2]]), "rim": [OUTLINES[0]]},
        Posed([Person("1", Keypoints(OUTLINES[0]), (1.0, 2.0), OUTLINES[0])]),
    ),
    (
        "keypoints alone",
        {"points.points": "xy"},
        {"xy": [np.array(OUTLINES[0]), []]},
        Pointed([Keypoints(OUTLINES[0]), Keypoints([])]),
    ),
    # --- vectors and numbers
    ("vector", None, {"embedding": np.arange(4, dtype=np.float64)}, Embedded(np.arange(4, dtype=F32))),
    (
        "vector of a list",
        None,
        {"embedding": [0, 1, 2, 3], "extra": (1.5, 2)},
        Embedded(np.arange(4, dtype=F32), np.array([1.5, 2], F32)),
    ),
    ("number", None, {"value": np.array(2.5)}, Regressed(2.5)),
    (
        "values",
        None,
        {
            "value": 1,
            "count": np.int32(3),
            "sure": np.bool_(True),
            "raw": b"x",
            "at": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
            "steps": np.array([1, 2]),
            "table": np.array([[1.0, 2.0]]),
            "shares": {"a": F32(0.5)},
        },
        Regressed(
            1.0, 3, True, b"x", datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), [1, 2], [[1.0, 2.0]], {"a": 0.5}
        ),
    ),
]


@pytest.mark.parametrize(
    ("mapping", "prediction", "inference"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD]
)
@pytest.mark.parametrize("told", [True, False], ids=["keys", "no keys"])
def test_a_prediction_is_stored_as_the_typed_object_would_be(
    told: bool, mapping: Mapping[str, str] | None, prediction: dict[str, Any], inference: Inference
) -> None:
    made = assigned(type(inference), tuple(prediction) if told else None, mapping, prediction)
    same(type(inference), made, inference)
    for value in made.values():
        assert type(value).__module__ != "numpy" or isinstance(inference, Embedded)


def test_boxes_polygons_and_labels_of_detection_are_told_by_the_keys() -> None:
    cls = detection_workflow.Detections
    boxes = assigned(
        cls, ("boxes", "classes", "scores"), None, {"boxes": BOXES, "classes": ["a", 1], "scores": [0.5, 1]}
    )
    assert [each["type"] for each in boxes["annotations"]] == ["BoundingBox", "BoundingBox"]
    same(cls, boxes, cls([seen.BoundingBox("a", 0.5, *CORNERS[0]), seen.BoundingBox("1", 1.0, *CORNERS[1])]))
    masks = assigned(cls, None, None, {"masks": OUTLINES[:1], "labels": ["a"], "scores": [0.5]})
    same(cls, masks, cls([seen.SegmentationMask("a", 0.5, OUTLINES[0])]))
    mapping = {"annotations.ClassificationLabel.label": "top", "annotations.ClassificationLabel.confidence": "conf"}
    labels = assigned(cls, ("top", "conf"), mapping, {"top": ["a"], "conf": [1]})
    same(cls, labels, cls([seen.ClassificationLabel("a", 1.0)]))
    told = [{"type": "ClassificationLabel", "label": "a", "confidence": F32(0.5)}]
    same(cls, assigned(cls, None, None, {"annotations": told}), cls([seen.ClassificationLabel("a", 0.5)]))


def test_what_is_skipped_stays_so() -> None:
    assert Assignment(node(Flat), ("label",), None)(None) is None
    assert made_by(lambda _: {"label": "a"}, None) is None


def test_boxes_and_polygons_share_labels_and_scores_where_both_are_wanted() -> None:
    prediction = {"boxes": BOXES[:1], "masks": OUTLINES[:1], "scores": [0.5]}
    mapping = {
        "boxes": "boxes",
        "boxes.score": "scores",
        "outlines": "masks",
        "outlines.score": "scores",
        "outlines.label": "names",
    }
    made = assigned(Both, None, mapping, {**prediction, "names": ["a"]})
    same(Both, made, Both([ScoredBoundingBox(*CORNERS[0], 0.5)], [ScoredLabeledPolygon(OUTLINES[0], "a", 0.5)]))


def test_each_kind_of_prediction_finds_its_fields_where_no_keys_are_told() -> None:
    assignment = Assignment(node(Inspected), None, None)
    assert assignment({"defects": None}) == {"defects": None}
    assert assignment({"boxes": [], "classes": [], "seconds": 1}) == {"defects": [], "seconds": 1}
    assert assignment({"defects": [], "metadata": {"a": np.arange(2)}}) == {"defects": [], "metadata": {"a": [0, 1]}}


def test_what_a_prediction_holds_beside_its_keys_is_left_out() -> None:
    assert Assignment(node(Flat), ("label",), None)({"label": "a", "logits": np.zeros(9)}) == {"label": "a"}


def test_vectors_stay_arrays() -> None:
    made = Assignment(node(Embedded), None, None)({"embedding": np.arange(4.0)})
    assert made is not None
    assert isinstance(made["embedding"], np.ndarray)
    assert made["embedding"].dtype == np.float32


# --- what is refused before anything runs -----------------------------------------------------------------------------

UNKNOWN: list[tuple[type, tuple[str, ...] | None, Any, str]] = [
    (Flat, ("lable",), None, r"key 'lable' of the predictions \(lable\) means no field of Flat; did you mean 'label'"),
    (Flat, ("label", "logits"), None, "key 'logits' .* its fields are label, score; say in output.mapping which key"),
    (
        Classified,
        ("label",),
        {"label.lable": "label"},
        "field 'label.lable', and 'label' has no field 'lable'; did you",
    ),
    (
        Classified,
        ("cls",),
        {"lable.label": "cls"},
        "names field 'lable.label', and Classified has no field 'lable'; did",
    ),
    (Classified, ("cls", "conf"), {"label.label": "clss"}, "from key 'clss', which output.keys does not name; did you"),
    (
        Classified,
        ("cls",),
        {"label.label": "cls"},
        r"gives field 'label.score' of ScoredClassificationLabel, which must",
    ),
    (Classified, ("x",), {"label.label.x": "x"}, "field 'label.label.x', and 'label.label' has no parts to be named"),
    (Classified, ("x",), {"label": "x", "label.label": "x"}, "names field 'label' and parts of it; name the one or"),
    (Classified, (), None, "no key of the predictions gives field 'label' of Classified"),
    (Classified, None, {}, "output.mapping is {}; it must be a dict from field to key"),
    (Classified, None, {"label": 3}, "output.mapping says 'label': 3; give the path of a field, and a key"),
    (
        Detected,
        ("boxes", "classes"),
        None,
        "gives field 'boxes.score' of ScoredLabeledBoundingBox, which must be there",
    ),
    (Detected, ("boxes", "scores"), None, "gives field 'boxes.label' of ScoredLabeledBoundingBox, which must be there"),
    (
        Unscored,
        ("boxes", "classes", "scores"),
        None,
        "key 'scores' .* 'things' of Unscored has no score; leave the key",
    ),
    (Plain, ("boxes", "classes"), None, "key 'classes' .* 'boxes' of Plain has no label; leave the key out"),
    (
        Twice,
        ("boxes",),
        None,
        "key 'boxes' of the predictions could become near or far of Twice; say in output.mapping",
    ),
    (Flat, ("boxes", "label"), None, "key 'boxes' of the predictions means no field of Flat; say in output.mapping"),
    (Detected, ("boxes", "classes", "labels", "scores"), None, "keys 'classes' and 'labels' .* could mean the same"),
    (Detected, ("classes", "scores"), None, "key 'classes' of the predictions means no field of Detected"),
    (Detected, ("scores",), None, "key 'scores' of the predictions .* means no field of Detected"),
    (Pointed, ("masks",), None, "key 'masks' of the predictions means no field of Pointed"),
    (Detected, None, {"boxes": "a", "boxes.top_left": "b"}, "names field 'boxes' and parts of it; name the one or the"),
    (Embedded, ("embeding",), None, "key 'embeding' .* means no field of Embedded; did you mean 'embedding'"),
]


@pytest.mark.parametrize(("cls", "keys", "mapping", "message"), UNKNOWN)
def test_what_cannot_be_told_is_refused_at_once(
    cls: type, keys: tuple[str, ...] | None, mapping: Any, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Assignment(node(cls), keys, mapping)


@dataclass(frozen=True)
class Near(BoundingBox):
    """A box."""


@dataclass(frozen=True)
class Far(BoundingBox):
    """Another."""


@dataclass(frozen=True)
class Depths(Inference):
    things: list[Near | Far]


def test_of_two_kinds_of_boxes_a_mapping_names_one() -> None:
    with pytest.raises(InvalidInputError, match="key 'boxes' of the predictions means no field of Depths"):
        Assignment(node(Depths), ("boxes",), None)
    made = assigned(Depths, ("boxes",), {"things.Far": "boxes"}, {"boxes": BOXES[:1]})
    same(Depths, made, Depths([Far(*CORNERS[0])]))


def test_kinds_of_items_are_not_mixed_by_a_mapping() -> None:
    mapping = {"annotations.BoundingBox": "boxes", "annotations.ClassificationLabel.label": "top"}
    with pytest.raises(InvalidInputError, match="'annotations' can be given items of one kind; write a function"):
        Assignment(node(detection_workflow.Detections), None, mapping)
    with pytest.raises(InvalidInputError, match=r"no kind of items 'Box'; did you mean 'BoundingBox'"):
        Assignment(node(detection_workflow.Detections), None, {"annotations.Box.label": "top"})


def test_keys_that_mean_nothing_are_refused_with_the_first_prediction_where_none_are_told() -> None:
    with pytest.raises(InvalidInputError, match=r"key 'lable' .* did you mean 'label'"):
        Assignment(node(Flat), None, None)({"lable": "a"})


# --- what is refused of a prediction ----------------------------------------------------------------------------------

BAD: list[tuple[type, dict[str, str] | None, Any, str]] = [
    (Flat, None, 5, "a prediction is 5; it must be a dict, or None to skip the sample"),
    (Flat, None, {3: 1}, r"a prediction has the keys \[3\]; they must be text"),
    (Flat, {"label": "cls"}, {"clss": "a"}, "has no key 'cls', from which field 'label' comes; did you mean 'clss'"),
    (
        Flat,
        None,
        {"label": 3.0},
        "key 'label' of a prediction holds 3.0; field 'label' takes text, or the whole number",
    ),
    (Flat, None, {"label": np.float32(3)}, "key 'label' of a prediction holds 3.0; field 'label' takes text"),
    (Flat, None, {"label": True}, "key 'label' of a prediction holds True; field 'label' takes text"),
    (Flat, None, {"label": ["a"]}, r"key 'label' of a prediction holds \['a'\]; field 'label' takes text"),
    (Flat, None, {"label": b"a"}, "key 'label' of a prediction holds b'a'; field 'label' takes text"),
    (Tagged, None, {"labels": np.array([1.0]), "scores": [1]}, "key 'labels' .* holds 1.0; field 'labels.label' takes"),
    (
        Tagged,
        None,
        {"labels": ["a"], "scores": [1, 2]},
        "key 'scores' .* holds 2 values, and 'labels' 1; field 'labels.s",
    ),
    (Tagged, None, {"labels": "a", "scores": [1]}, "key 'labels' .* holds 'a'; field 'labels.label' takes a list"),
    (
        Tagged,
        None,
        {"labels": ["a"], "scores": [[1]]},
        r"key 'scores' .* holds \[\[1\]\]; field 'labels.score' takes a",
    ),
    (
        Tagged,
        None,
        {"labels": ["a"], "scores": np.ones((1, 1))},
        r"key 'scores' .* field 'labels.score' takes a list of",
    ),
    (
        Detected,
        None,
        {"boxes": BOXES, "classes": ["a"], "scores": [1]},
        "key 'classes' .* holds 1 values, and 'boxes' 2",
    ),
    (
        Detected,
        None,
        {"boxes": np.zeros((2, 5)), "classes": [1, 1], "scores": [1, 1]},
        "an array of the shape 2 x 5; field",
    ),
    (
        Detected,
        None,
        {"boxes": [0, 1, 2, 3], "classes": [1], "scores": [1]},
        "an array of the shape 4; field 'boxes' take",
    ),
    (
        Detected,
        None,
        {"boxes": np.zeros((2, 0)), "classes": [], "scores": []},
        "an array of the shape 2 x 0; field 'boxes'",
    ),
    (
        Detected,
        None,
        {"boxes": [[0], [1, 2]], "classes": [], "scores": []},
        "lists of unequal lengths; field 'boxes' takes",
    ),
    (
        Detected,
        None,
        {"boxes": [["a"] * 4], "classes": [1], "scores": [1]},
        "takes n x 4 numbers: left, top, right, bott",
    ),
    (
        Detected,
        None,
        {"boxes": None, "classes": [], "scores": []},
        "key 'boxes' .* holds None; field 'boxes' takes n x 4",
    ),
    (Detected, None, {"boxes": BOXES}, r"key 'boxes' .* takes a dict with top_left, bottom_right, label, score"),
    (
        Outlined,
        None,
        {"masks": [[1, 2]], "labels": ["a"], "scores": [1]},
        "an outline of the shape 2; .* each of m x 2 numbers",
    ),
    (
        Outlined,
        None,
        {"masks": 5, "labels": ["a"], "scores": [1]},
        "holds 5; field 'outlines' takes a list of outlines",
    ),
    (Classes, None, {"masks": "a.png"}, "key 'masks' .* holds 'a.png'; field 'mask' takes a dict with labels, locator"),
    (
        Embedded,
        None,
        {"embedding": np.zeros((1, 4))},
        "an array of the shape 1 x 4; field 'embedding' takes a vector of 4",
    ),
    (
        Embedded,
        None,
        {"embedding": [1e40, 0, 0, 0]},
        "holds a number that floats of 32 bits cannot hold; field 'embedding'",
    ),
    (Embedded, None, {"embedding": "abcd"}, "holds 'abcd'; field 'embedding' takes a vector of 4 numbers"),
    (
        Posed,
        {"people.label": "who", "people.pose": "pose", "people.size": "wh"},
        {"who": [1], "pose": [[]], "wh": [(1,)]},
        r"key 'wh' .* holds \[1\]; field 'people.size' takes 2 values",
    ),
]


@pytest.mark.parametrize(("cls", "mapping", "prediction", "message"), BAD)
def test_a_value_that_its_field_cannot_take_is_told_with_both(
    cls: type, mapping: Any, prediction: Any, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as raised:
        Assignment(node(cls), None, mapping)(prediction)
    assert raised.value.code == "bad_prediction"


def test_a_function_makes_dicts_or_none() -> None:
    assert made_by(lambda prediction: {"label": prediction["cls"]}, {"cls": "a"}) == {"label": "a"}
    assert made_by(lambda prediction: None, {"cls": "a"}) is None
    with pytest.raises(InvalidInputError, match="<lambda> returned 'a' for a prediction; it must return a dict with"):
        made_by(lambda prediction: prediction["cls"], {"cls": "a"})


# --- from end to end --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page(TestSample):
    number: int


@dataclass(frozen=True)
class Held(GroundTruth):
    label: ClassificationLabel


def test_predictions_are_stored_and_read_as_the_class_has_them(registry: Registry) -> None:
    _, case, suites, models = define_workflow("pages", Page, Held, Detected)
    pairs = [(Page(number), Held(ClassificationLabel("a"))) for number in range(3)]
    suites("pages", test_cases=[case("all", test_samples=pairs)])
    workflow = registry.get_workflow("pages")
    assignment = Assignment(Node.from_json(workflow.info.inference), ("boxes", "classes", "scores"), None)

    def predict(page: dict[str, Any]) -> dict[str, Any] | None:
        count = page["number"]
        return {"boxes": np.array(BOXES)[:count], "classes": [7] * count, "scores": [0.5] * count} if count else None

    model = workflow.model("m")
    model.infer = lambda page: assignment(predict(page))
    test(model, registry.get_test_suite("pages").test_suite())
    read = [made for *_, made in models.load("m").load_inferences(case.load("all"))]
    assert read == [None, detected(("7", 0.5)), detected(("7", 0.5), ("7", 0.5))]
