"""Comparisons for tests of the report: any labels, scores, pictures and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

from localreg import Comparison, Registry
from localreg.workflow import (
    EvaluationResults,
    GroundTruth,
    Inference,
    Metadata,
    MetricsTestCase,
    MetricsTestSample,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.annotation import (
    BitmapMask,
    BoundingBox,
    Keypoints,
    LabeledPolygon,
    LabeledTextSegment,
    Polyline,
    ScoredLabeledBoundingBox,
    ScoredLabeledPolygon,
    ScoredLabeledTextSegment,
    SegmentationMask,
)

__all__ = ["CORNERS", "HEARD", "SPOKEN", "Element", "Page", "compared", "judged", "segmented", "shaped", "transcribed"]


@dataclass(frozen=True)
class Shot(TestSample):
    n: int
    locator: str
    weather: str
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Seen(GroundTruth):
    label: str
    where: BoundingBox


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredClassificationLabel
    boxes: list[ScoredLabeledBoundingBox]


_, Case, Suite, Net = define_workflow("Shots", Shot, Seen, Guess)


def compared(
    registry: Registry,
    truth: Sequence[str],
    *answers: Sequence[str | None],
    scores: Sequence[Sequence[float]] | None = None,
    weather: Sequence[str] = ("fine",),
    locators: Sequence[str] = ("",),
    metadata: Metadata | None = None,
    models: Sequence[str] = ("old", "new", "newest"),
    suite: str = "shots",
    cases: Sequence[str] = ("all",),
    **asked: Any,
) -> Comparison:
    """Models that give these answers, compared; what there is too little of begins again."""
    samples = [
        Shot(n, locators[n % len(locators)], weather[n % len(weather)], metadata or {}) for n in range(len(truth))
    ]
    seen = [Seen(label, BoundingBox((1, 2), (30, 20))) for label in truth]
    pairs = list(zip(samples, seen, strict=True))
    made = Suite(suite, test_cases=[Case(name, test_samples=pairs[n :: len(cases)]) for n, name in enumerate(cases)])
    for number, (name, said) in enumerate(zip(models, answers, strict=False)):
        own = [0.75] * len(said) if scores is None else scores[number]

        def infer(shot: Shot, said: Sequence[str | None] = said, own: Sequence[float] = own) -> Guess | None:
            label = said[shot.n]
            box = ScoredLabeledBoundingBox((3, 4), (28, 25), "<b>", 0.5)
            return None if label is None else Guess(ScoredClassificationLabel(label, own[shot.n]), [box])

        test(Net(name, infer), made)
    return registry.compare(*models[: len(answers)], suite=suite, **asked)


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class There(GroundTruth):
    polygons: list[LabeledPolygon]


@dataclass(frozen=True)
class Outlines(Inference):
    polygons: list[ScoredLabeledPolygon]


_, PhotoCase, PhotoSuite, PhotoNet = define_workflow("Photos", Photo, There, Outlines)
CORNERS = [(1.0, 2.0), (31.25, 2.0), (31.25, 20.0)]


def segmented(registry: Registry, folder: Path) -> Comparison:
    """A picture of 400 by 300, of which the baseline sees nothing, and the candidate all, from the other end."""
    from PIL import Image

    Image.new("RGB", (400, 300), "teal").save(folder / "1.png")
    truth = There([LabeledPolygon(CORNERS, "<b>")])
    samples = [(Photo(str(folder / "1.png")), truth)]
    suite = PhotoSuite("s", test_cases=[PhotoCase("c", test_samples=samples)])
    seen = ScoredLabeledPolygon(CORNERS[::-1], "<b>", 0.75)
    test(PhotoNet("old", lambda photo: Outlines([])), suite)
    test(PhotoNet("new", lambda photo: Outlines([seen])), suite)
    return registry.compare("old", "new", suite="s")


@dataclass(frozen=True)
class Right(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class Share(MetricsTestCase):
    accuracy: float


def judged(registry: Registry, nets: Sequence[Any], suite: Any) -> Comparison:
    """Two models by an evaluator that says that only the candidate is right."""

    def judge(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        told = [(each, Right(said.right)) for each, said in zip(samples, inferences, strict=True)]
        of_cases = [
            (case, Share(sum(each.right for _, each in own) / len(own)))
            for case, *_, own in cases.iter(samples, truths, inferences, told)
        ]
        return EvaluationResults(told, of_cases)

    for net in nets:
        test(net, suite, judge)
    return registry.compare(*(net.name for net in nets), suite=suite.name, evaluator="judge")


def _same(said: Any, sample: object) -> Any:
    return said


@dataclass(frozen=True)
class Road(GroundTruth):
    face: Keypoints
    lanes: list[Polyline]
    classes: SegmentationMask


@dataclass(frozen=True)
class SeenRoad(Inference):
    face: Keypoints
    lanes: list[Polyline]
    mask: BitmapMask
    right: bool


_, RoadCase, RoadSuite, RoadNet = define_workflow("Roads", Photo, Road, SeenRoad)


def shaped(registry: Registry, folder: Path) -> Comparison:
    """A picture of 320 by 240 with keypoints, lines and masks; those of the masks are a half and a quarter as large."""
    from PIL import Image, ImageDraw

    Image.new("RGB", (320, 240), "#8fa9bd").save(folder / "road.png")
    classes = Image.new("L", (160, 120), 0)
    ImageDraw.Draw(classes).polygon([(60, 50), (100, 50), (150, 119), (10, 119)], fill=1)
    ImageDraw.Draw(classes).ellipse([10, 10, 50, 40], fill=2)
    classes.save(folder / "classes.png")
    for n, name in enumerate(("old", "new")):
        mask = Image.new("1", (80, 60), 0)
        ImageDraw.Draw(mask).polygon([(30, 26 + n), (50, 26), (74 - 4 * n, 59), (8, 59)], fill=1)
        mask.save(folder / f"{name}.png")
    face = [(200.0, 40.0), (230.0, 40.0), (215.0, 55.0), (203.0, 70.0), (227.0, 70.0)]
    lanes = [Polyline([(30.0, 235.0), (90.0, 170.0), (130.0, 105.0)])]
    truth = Road(Keypoints(face), lanes, SegmentationMask({1: "road", 2: "<b>tree"}, str(folder / "classes.png")))
    suite = RoadSuite("s", test_cases=[RoadCase("c", test_samples=[(Photo(str(folder / "road.png")), truth)])])
    nets = []
    for name, off in (("old", 9.0), ("new", 3.0)):
        said = SeenRoad(
            Keypoints([(x + off, y - off) for x, y in face]),
            [Polyline([(x + 2 * off, y) for x, y in lane.points]) for lane in lanes],
            BitmapMask(str(folder / f"{name}.png")),
            name == "new",
        )
        nets.append(RoadNet(name, partial(_same, said)))
    return judged(registry, nets, suite)


@dataclass(frozen=True)
class Speech(TestSample):
    n: int
    text: str


@dataclass(frozen=True)
class Said(GroundTruth):
    transcript: str
    names: list[LabeledTextSegment]


@dataclass(frozen=True)
class Heard(Inference):
    transcript: str
    names: list[ScoredLabeledTextSegment]
    right: bool


_, SpeechCase, SpeechSuite, SpeechNet = define_workflow("Speeches", Speech, Said, Heard)
SPOKEN = "the quick brown fox jumps over the lazy dog while nobody in the whole of London is looking at either of them"
HEARD = "a quick brown fox jumps over lazy dogs while nobody in the whole of London is looking at either of <b>them</b>"


def transcribed(registry: Registry, folder: Path) -> Comparison:
    """A transcript that the candidate has nearly right, and names in a text."""
    text = "Ada Lovelace of London wrote to Charles Babbage, who lived in London, too, and <i>answered</i>."
    at = [(0, 12, "person"), (16, 22, "place"), (32, 47, "person"), (62, 68, "<place>")]
    truth = Said(SPOKEN, [LabeledTextSegment("text", *each) for each in at])
    suite = SpeechSuite("s", test_cases=[SpeechCase("c", test_samples=[(Speech(0, text), truth)])])
    nets = []
    for name, transcript, count in (("old", "a quick fox dog them of", 1), ("new", HEARD, 3)):
        names = [ScoredLabeledTextSegment("text", *each, 0.9) for each in [*at[:count], (4, 12, "name")]]
        said = Heard(transcript, names, name == "new")
        nets.append(SpeechNet(name, partial(_same, said)))
    return judged(registry, nets, suite)


@dataclass
class Element:
    """A start tag."""

    tag: str
    attributes: dict[str, str | None]


class Page(HTMLParser):
    """A page as a browser takes it apart; refuses one whose tags do not match.

    Attributes:
        elements: all start tags.
        text: all that can be read, and the style sheet.
    """

    VOID: ClassVar[set[str]] = {"meta"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, tag: str, class_: str | None = None) -> list[Element]:
        found = [each for each in self.elements if each.tag == tag]
        return [each for each in found if class_ is None or class_ in (each.attributes.get("class") or "").split()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self._open[-1:] == ["style"] else self.texts).append(data)
