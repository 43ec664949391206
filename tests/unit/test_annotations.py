from __future__ import annotations

import abc
import copy
import dataclasses
import functools
import inspect
import math
import pickle
import subprocess
import sys
import typing
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any, Generic, TypeVar, cast

import numpy as np
import pydantic
import pydantic.dataclasses
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.errors import InvalidInputError
from localreg.workflow import annotation, asset
from localreg.workflow.annotation import (
    Annotation,
    BitmapMask,
    BoundingBox,
    BoundingBox3D,
    ClassificationLabel,
    Keypoints,
    Keypoints3D,
    Label,
    LabeledBoundingBox,
    LabeledTextSegment,
    Polygon,
    Polyline,
    Polyline3D,
    ScoredBoundingBox,
    ScoredClassificationLabel,
    ScoredLabel,
    ScoredLabeledBoundingBox,
    ScoredLabeledPolygon,
    SegmentationMask,
    TextSegment,
    TimeSegment,
)
from localreg.workflow.asset import Asset, ImageAsset, VideoAsset
from localreg.workflow.checks import CHECKS, Rule, checks_of
from localreg.workflow.extensible import extras_of
from localreg.workflow.test_sample import (
    BaseVideo,
    Composite,
    Image,
    ImagePair,
    ImageText,
    TestSample,
    Text,
    Video,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Occluded(ScoredLabeledBoundingBox):
    occluded: bool


@dataclass(frozen=True)
class Tracked(BoundingBox):
    """With every kind of field that a constructor can have, and names that the generated one might use itself."""

    self: str
    extra: int = 7
    history: list[int] = field(default_factory=list)
    note: str | None = field(default=None, kw_only=True)
    seen: list[str] = field(default_factory=list, init=False)
    secret: str = field(default="s", repr=False, compare=False)

    def __post_init__(self) -> None:
        self.seen.append("post_init")

    def note_of(self) -> str | None:
        return self.note

    @functools.cached_property
    def middle(self) -> float:
        return (self.top_left[0] + self.bottom_right[0]) / 2


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="allow"))
class Generous(ScoredBoundingBox):
    occluded: bool


@pydantic.dataclasses.dataclass(frozen=True)
class Strict(ScoredBoundingBox):
    occluded: bool


@dataclass(frozen=True)
class Unused(LabeledBoundingBox):
    """Never made in a process that only unpickles."""

    depth: int


MakeAny: Any = ScoredLabeledBoundingBox
BOX = MakeAny((1, 2), (4, 6), "cat", 0.5, iou=0.9, matched={"id": [1]})
PLAIN = ScoredLabeledBoundingBox((1, 2), (4, 6), "cat", 0.5)
CLASSES: list[Any] = [
    each
    for module, base in ((annotation, Annotation), (asset, Asset))
    for name, each in sorted(vars(module).items())
    if isinstance(each, type) and issubclass(each, base) and each is not base and name == each.__name__
]


# --- names, fields and their order ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "own"),
    [
        ("BoundingBox", ["top_left", "bottom_right"]),
        ("Polygon", ["points"]),
        ("BoundingBox3D", ["center", "dimensions", "rotations"]),
        ("TimeSegment", ["start", "end"]),
        ("TextSegment", ["text_field", "start", "end"]),
    ],
)
def test_labels_and_scores_come_after_the_shape_and_the_label_before_the_score(base: str, own: list[str]) -> None:
    for prefix, more in {
        "": [],
        "Labeled": ["label"],
        "Scored": ["score"],
        "ScoredLabeled": ["label", "score"],
    }.items():
        cls = getattr(annotation, prefix + base)
        assert [each.name for each in dataclasses.fields(cls)] == own + more
        assert issubclass(cls, getattr(annotation, base))


@pytest.mark.parametrize(
    ("cls", "own"),
    [
        (ScoredClassificationLabel, ["label", "score"]),
        (SegmentationMask, ["labels", "locator"]),
        (BitmapMask, ["locator"]),
        (Keypoints3D, ["points"]),
        (VideoAsset, ["locator", "thumbnail", "start", "end"]),
        (ImagePair, ["a", "b"]),
        (ImageText, ["image", "text"]),
    ],
)
def test_fields_have_the_names_and_the_order_of_the_origin(cls: Any, own: list[str]) -> None:
    assert [each.name for each in dataclasses.fields(cls)] == own


def test_aliases_are_the_same_classes() -> None:
    assert Label is ClassificationLabel
    assert ScoredLabel is ScoredClassificationLabel


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_is_a_frozen_dataclass_that_takes_extras_and_is_exported(cls: Any) -> None:
    home = asset if issubclass(cls, Asset) else annotation
    assert cls.__name__ in home.__all__
    values = [object() for each in dataclasses.fields(cls) if not each.kw_only]
    made = cls(*values, origin="radar")
    assert extras_of(made) == {"origin": "radar"}
    assert made.origin == "radar"
    assert [getattr(made, each.name) for each in dataclasses.fields(cls) if not each.kw_only] == values
    with pytest.raises(TypeError, match=r"missing|positional"):
        cls(*values, *values, object())
    with pytest.raises(FrozenInstanceError):
        made.origin = "lidar"
    with pytest.raises(FrozenInstanceError):
        setattr(made, dataclasses.fields(cls)[0].name, "x")
    with pytest.raises(FrozenInstanceError):
        del made.origin
    assert cls.__localreg_extras__ is True  # what the tables look for
    assert typing.get_type_hints(cls, include_extras=True).keys() == {each.name for each in dataclasses.fields(cls)}


def test_points_are_tuples_whose_items_have_names() -> None:
    hints = typing.get_type_hints(BoundingBox, include_extras=True)
    (points,) = typing.get_args(typing.get_type_hints(Polyline3D, include_extras=True)["points"])
    assert [each.names for each in hints["top_left"].__metadata__] == [("x", "y")]
    assert [each.names for each in points.__metadata__] == [("x", "y", "z")]
    assert typing.get_type_hints(BoundingBox)["top_left"] == tuple[float, float]


# --- extras -----------------------------------------------------------------------------------------------------------


def test_extras_are_attributes_and_count_in_equality_and_repr_but_not_in_the_hash() -> None:
    assert (BOX.iou, BOX.matched) == (0.9, {"id": [1]})
    assert BOX != PLAIN
    assert MakeAny((1, 2), (4, 6), "cat", 0.5, matched={"id": [1]}, iou=0.9) == BOX
    assert MakeAny((1, 2), (4, 6), "cat", 0.5, iou=0.9, matched={"id": [2]}) != BOX
    assert MakeAny((1, 2), (4, 6), "dog", 0.5, iou=0.9, matched={"id": [1]}) != BOX
    assert hash(BOX) == hash(PLAIN)
    assert repr(BOX) == (
        "ScoredLabeledBoundingBox(top_left=(1, 2), bottom_right=(4, 6), label='cat', score=0.5, "
        "iou=0.9, matched={'id': [1]})"
    )
    assert repr(PLAIN).endswith("score=0.5)")


def test_other_classes_are_never_equal() -> None:
    assert BoundingBox((0, 0), (1, 1)).__eq__(LabeledBoundingBox((0, 0), (1, 1), "a")) is NotImplemented
    assert BoundingBox((0, 0), (1, 1)) != cast(object, ((0, 0), (1, 1)))


@pytest.mark.parametrize(
    "name", ["width", "area", "_private", "__class__", "__eq__", "__dataclass_fields__", "__init__", "__post_init__"]
)
def test_an_extra_that_means_something_else_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"BoundingBox.*{name}=5.*choose another name"):
        BoundingBox((0, 0), (1, 1), **{name: 5})
    make: Any = Tracked
    for taken in ("middle", "seen", "note_of"):
        with pytest.raises(InvalidInputError, match=f"'{taken}' means something else in Tracked"):
            make((0, 0), (1, 1), "s", **{taken: 1})


@pytest.mark.parametrize("name", ["class", "a b", "self_", "values", "name", "é", "self", "extra", "cls"])
def test_any_other_name_will_do(name: str) -> None:
    made = Label("cat", **{name: 1})
    assert extras_of(made) == {name: 1}
    assert getattr(made, name) == 1
    assert dataclasses.replace(made, label="dog") == Label("dog", **{name: 1})


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_extras(protocol: int) -> None:
    again = pickle.loads(pickle.dumps(BOX, protocol))
    assert again == BOX
    assert extras_of(again) == extras_of(BOX)


def test_copies_keep_extras() -> None:
    assert copy.copy(BOX) == BOX
    deep = copy.deepcopy(BOX)
    assert deep == BOX
    assert deep.matched is not BOX.matched


def test_replace_and_asdict_keep_extras() -> None:
    changed = dataclasses.replace(BOX, score=0.25)
    assert changed == MakeAny((1, 2), (4, 6), "cat", 0.25, iou=0.9, matched={"id": [1]})
    assert dataclasses.replace(BOX, iou=0.1).iou == 0.1
    assert list(dataclasses.asdict(BOX)) == ["top_left", "bottom_right", "label", "score", "iou", "matched"]
    assert list(dataclasses.asdict(PLAIN)) == ["top_left", "bottom_right", "label", "score"]
    assert [each.name for each in dataclasses.fields(type(BOX))] == ["top_left", "bottom_right", "label", "score"]


def test_match_sees_fields_by_position_and_extras_by_name() -> None:
    match BOX:
        case ScoredLabeledBoundingBox((x, _), _, label, iou=iou):  # type: ignore[misc] # an extra
            assert (x, label, iou) == (1, "cat", 0.9)
        case _:
            pytest.fail("no match")


@given(
    extras=st.dictionaries(st.from_regex(r"[a-z][a-z_0-9]{0,6}", fullmatch=True), st.integers() | st.text(), max_size=4)
)
def test_whatever_extras_are_taken_come_back(extras: dict[str, Any]) -> None:
    taken = {name: value for name, value in extras.items() if not hasattr(BoundingBox, name)}
    made = BoundingBox(**{"top_left": (0, 0), "bottom_right": (1, 1), **taken})
    assert extras_of(made) == {name: taken[name] for name in taken if name not in ("top_left", "bottom_right")}
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), dataclasses.replace(made)):
        assert again == made
        assert extras_of(again) == extras_of(made)


# --- classes of users -------------------------------------------------------------------------------------------------


def test_a_subclass_by_the_standard_decorator_takes_extras() -> None:
    make: Any = Occluded
    box = make((1, 2), (4, 6), "cat", 0.5, True, iou=0.9)
    assert repr(box).endswith("score=0.5, occluded=True, iou=0.9)")
    assert box != Occluded((1, 2), (4, 6), "cat", 0.5, True)
    assert dataclasses.replace(box, occluded=False).iou == 0.9
    assert str(inspect.signature(Occluded)).endswith("occluded: 'bool', **extra) -> None")
    with pytest.raises(TypeError, match="occluded"):
        make((1, 2), (4, 6), "cat", 0.5)


def test_the_constructor_of_a_subclass_knows_all_kinds_of_fields() -> None:
    make: Any = Tracked
    one = make((0, 0), (4, 1), "me", note="n", iou=0.5)
    assert (one.self, one.extra, one.history, one.note, one.seen) == ("me", 7, [], "n", ["post_init"])
    other = make((0, 0), (4, 1), "me", 7, [], "t", note="n", iou=0.5)
    assert other.history is not one.history
    assert one == other  # `secret` differs, and is not compared
    assert "secret" not in repr(one)
    assert one.middle == 2
    assert one == other  # what is cached is no extra
    assert extras_of(one) == {"iou": 0.5}
    with pytest.raises(TypeError, match=r"keyword|positional"):
        make((0, 0), (4, 1), "me", 7, [], "t", "n")


def test_a_subclass_may_write_its_own_methods() -> None:
    class Square(BoundingBox):
        def __init__(self, x: float, size: float) -> None:
            super().__init__((x, x), (x + size, x + size))

        def __repr__(self) -> str:
            return "□"

    square = Square(1, 2)
    assert (square.area, repr(square), square) == (4, "□", Square(1, 2))
    for name in ("top_left", "anything"):
        with pytest.raises(FrozenInstanceError, match=name):
            setattr(square, name, (0, 0))
        with pytest.raises(FrozenInstanceError, match=name):
            delattr(square, name)


def test_slots_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"Tight has slots.*leave slots=True out"):

        @dataclass(frozen=True, slots=True)
        class Tight(BoundingBox):
            depth: int


def test_a_subclass_may_have_other_bases_too() -> None:
    class Drawn(abc.ABC):
        @abc.abstractmethod
        def draw(self) -> str: ...

    @dataclass(frozen=True)
    class Both(LabeledBoundingBox, Drawn, Generic[T]):
        depth: int = 3

        def draw(self) -> str:
            return self.label

    make: Any = Both[int]
    box = make((0, 0), (1, 1), "cat", iou=0.5)
    assert (box.draw(), box.depth, extras_of(box)) == ("cat", 3, {"iou": 0.5})


def test_an_init_only_field_is_refused() -> None:
    @dataclass(frozen=True)
    class Scaled(BoundingBox):
        scale: dataclasses.InitVar[float]

    with pytest.raises(InvalidInputError, match=r"Scaled\.scale is an InitVar.*declare a field"):
        Scaled((0, 0), (1, 1), 2.0)


def test_an_object_that_was_made_elsewhere_is_whole_where_its_class_was_never_used() -> None:
    make: Any = Unused
    payload = pickle.dumps(make((0, 0), (1, 1), "a", 3, iou=0.9))
    code = (
        "import dataclasses, pickle, sys, importlib.util as u\n"
        f"spec = u.spec_from_file_location({__name__!r}, {__file__!r})\n"
        f"module = sys.modules[{__name__!r}] = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"print(dataclasses.replace(pickle.loads({payload!r}), depth=4))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Unused(top_left=(0, 0), bottom_right=(1, 1), label='a', depth=4, iou=0.9)"


def test_a_pydantic_subclass_takes_extras_if_its_configuration_says_so() -> None:
    make: Any = Generous
    box = make((1, 2), (3, 4), 0.5, True, iou=0.9)
    assert dataclasses.replace(box).iou == 0.9  # before anything else that would complete the class
    assert extras_of(box) == {"iou": 0.9}
    assert box != Generous((1, 2), (3, 4), 0.5, True)
    assert "iou=0.9" in repr(box)
    assert dataclasses.replace(box, score=0.1).iou == 0.9
    assert pickle.loads(pickle.dumps(box)) == box
    assert extras_of(Strict((1, 2), (3, 4), 0.5, True)) == {}
    with pytest.raises(FrozenInstanceError):
        box.iou = 1


def test_annotations_pass_through_pydantic_unchanged() -> None:
    @pydantic.dataclasses.dataclass(frozen=True)
    class Detections:
        boxes: list[ScoredLabeledBoundingBox]
        label: ClassificationLabel | None = None

    label = ScoredClassificationLabel("cat", 0.5)
    found = Detections([BOX], label)
    assert found.boxes[0] is BOX
    assert found.label is label


# --- what is derived --------------------------------------------------------------------------------------------------


def test_sizes_are_derived() -> None:
    box = BoundingBox((1, 2), (4, 8))
    assert (box.width, box.height, box.area, box.aspect_ratio) == (3, 6, 18, 0.5)
    assert BoundingBox((4, 8), (1, 2)).width == 3
    assert BoundingBox((1, 2), (4, 2)).aspect_ratio == 0
    assert BoundingBox3D((0, 0, 0), (2, 3, 4), (0, 0, 0)).volume == 24
    assert TimeSegment(1.5, 4).length == 2.5
    assert TextSegment("body", 3, 10).length == 7
    assert Polyline([(0, 0), (3, 4), (3, 5)]).length == 6
    assert Polyline3D([(0, 0, 0), (2, 3, 6)]).length == 7
    assert Polyline([]).length == 0
    square = Polygon([(1, 1), (1, 3), (3, 3), (3, 1)])
    assert (square.area, square.length) == (4, 8)
    assert math.isclose(Polygon([(5, 5), (9, 5), (5, 8)]).area, 6)


# --- what must hold ---------------------------------------------------------------------------------------------------


def test_every_annotation_and_asset_says_what_must_hold_of_it() -> None:
    for cls in CLASSES:
        checks, names = checks_of(cls), {each.name for each in dataclasses.fields(cls)}
        said = checks.rules.keys() | checks.least.keys() | {each for pair in checks.increasing for each in pair}
        assert names - {"thumbnail"} - said == ({"start", "end"} if cls is VideoAsset else set()), cls  # as it is made
    of_subclasses: dict[type, set[str]] = {Annotation: {"label", "score"}, Asset: {"locator"}}
    for cls, checks in CHECKS.items():
        of_all = of_subclasses.get(cls) or {each.name for each in dataclasses.fields(cls)}
        named = {*checks.rules, *checks.least, *(name for pair in checks.ordered + checks.increasing for name in pair)}
        assert named <= of_all, cls


def test_the_checks_of_a_subclass_are_those_of_its_bases() -> None:
    checks = checks_of(Occluded)
    assert checks.rules["label"] == (Rule.NOT_BLANK,)
    assert checks.rules["score"] == checks.rules["top_left"] == (Rule.FINITE,)
    assert checks.ordered == (("top_left", "bottom_right"),)
    assert checks_of(ScoredLabeledPolygon).least == {"points": 3}
    assert checks_of(LabeledTextSegment).increasing == (("start", "end"),)
    assert checks_of(int).rules == {}


def test_nothing_is_checked_when_an_annotation_is_made() -> None:
    assert ScoredLabeledBoundingBox((9, 9), (1, 1), " ", math.nan).label == " "
    assert Polygon([]).points == []
    assert Keypoints(cast(Any, np.zeros((2, 2)))).points[1][0] == 0


# --- assets and samples -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Video, VideoAsset])
@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-1.0, None, "start is -1.0; it must be 0"),
        (None, math.nan, "end is nan"),
        (5.0, 4.0, "start is 5.0, after end"),
    ],
)
def test_impossible_clips_are_refused(cls: Any, start: float | None, end: float | None, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        cls("a.mp4", start=start, end=end)
    assert cls("a.mp4", start=4.0, end=4.0).thumbnail is None


def test_samples_of_any_kind_can_be_given_further_fields_that_must_be_there() -> None:
    @dataclass(frozen=True)
    class Clip(Video):
        fps: float

    @dataclass(frozen=True)
    class ClipAsset(VideoAsset):
        fps: float

    @dataclass(frozen=True)
    class Question(Composite):
        image: Image
        question: Text

    assert Clip("a.mp4", 25.0, start=1.0) == Clip(locator="a.mp4", fps=25.0, start=1.0)
    assert ClipAsset("a.mp4", 25.0, end=2.0).fps == 25
    with pytest.raises(InvalidInputError, match="after end"):
        ClipAsset("a.mp4", 25.0, start=3.0, end=2.0)
    assert Question(Image("a.png"), Text("what?")).question.text == "what?"
    assert issubclass(Clip, BaseVideo)


def test_samples_can_be_pydantic_dataclasses_that_allow_anything() -> None:
    @pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="allow"))
    class Frame(Video):
        boxes: list[LabeledBoundingBox]

    make: Any = Frame
    box = LabeledBoundingBox((0, 0), (1, 1), "a")
    frame = make(locator="a.mp4", boxes=[box], camera="front", thumbnail=ImageAsset("a.png"))
    assert (frame.camera, frame.boxes[0] is box, frame.start) == ("front", True, None)
    assert frame.thumbnail == ImageAsset("a.png")
    assert issubclass(Frame, TestSample)
    assert TestSample.__test__ is False
