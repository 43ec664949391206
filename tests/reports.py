"""Comparisons for tests of the report: any labels, scores, pictures and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

from localreg import Comparison, Registry
from localreg.workflow import (
    GroundTruth,
    Inference,
    Metadata,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.annotation import (
    BoundingBox,
    LabeledPolygon,
    ScoredLabeledBoundingBox,
    ScoredLabeledPolygon,
)

__all__ = ["CORNERS", "Element", "Page", "compared", "segmented"]


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
