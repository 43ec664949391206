"""The evaluators `detection` and `segmentation`: lists of labelled boxes, or of polygons or masks, as COCO has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.metrics.coco import COCO_NUMBERS, Counts, CountTable, DetectionMatches
from localreg.names import shown_value
from localreg.tables import Vocabulary
from localreg.workflow.evaluator import (
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
)
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.meaning import meaning
from localreg.workflow.recorded_columns import RecordedDict, field_of, node_of, whole_column
from localreg.workflow.shape_columns import ShapeColumns, matchable, told_sizes
from localreg.workflow.shape_lists import IouType, ShapeList, one_list
from localreg.workflow.shape_matches import ShapeMatches, match_shapes
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from localreg.workflow.test_case import TestCase

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = [
    "DetectionOfCase",
    "DetectionOfClass",
    "DetectionOfSample",
    "DetectionOfSuite",
    "DetectionThreshold",
    "detection",
    "segmentation",
]

HIGHER, LOWER, ASIDE = meaning(better="higher"), meaning(better="lower"), meaning(aside=True)
NAMES = {"bbox": "detection", "segm": "segmentation"}


@dataclass(frozen=True)
class DetectionThreshold(EvaluatorConfiguration):
    """What counts as right: a detection of this score or above that overlaps an object of its label by so much.

    Raises:
        InvalidInputError: `score` is no finite number, or `iou` is not above 0 and at most 1.
    """

    score: float | None = 0.5
    """None = where F1 is highest over the whole suite; of several, the highest score."""
    iou: float = 0.5

    def __post_init__(self) -> None:
        score, iou = (None if each is None else _number(each) for each in (self.score, self.iou))
        if self.score is not None and score is None:
            raise InvalidInputError(
                f"score is {shown_value(self.score)}; it must be a finite number, or None for the best F1"
            )
        if iou is None or not 0 < iou <= 1:
            raise InvalidInputError(f"iou is {shown_value(self.iou)}; it must be above 0, at most 1")

    def display_name(self) -> str:
        """Both numbers."""
        score = "best F1" if self.score is None else f"score {float(self.score)!r}"
        return f"{score}, IoU {float(self.iou)!r}"


def _number(value: object) -> float | None:
    """A finite number; None if it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and isfinite(value) else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class DetectionOfSample(MetricsTestSample):
    """Of one image; None, and no labels, where the model skipped it, or one of both has no list."""

    right: bool | None = field(metadata=HIGHER)
    """Each object is found, and nothing else."""
    tp: int | None = field(metadata=HIGHER)
    fp: int | None = field(metadata=LOWER)
    fn: int | None = field(metadata=LOWER)
    tp_labels: list[str] = field(default_factory=list)
    """Of what was found, sorted, each as often."""
    fp_labels: list[str] = field(default_factory=list)
    """Of what is not there, but was seen."""
    fn_labels: list[str] = field(default_factory=list)
    """Of what was overlooked."""


@dataclass(frozen=True)
class DetectionOfClass(MetricsTestCase):
    """Of one label that something has, in ground truths or among detections from the threshold on."""

    label: str
    support: int = field(metadata=ASIDE)
    """Objects of it."""
    AP: float | None = field(metadata=HIGHER)
    precision: float | None = field(metadata=HIGHER)
    recall: float | None = field(metadata=HIGHER)
    f1: float | None = field(metadata=HIGHER)


@dataclass(frozen=True)
class DetectionOfCase(MetricsTestCase):
    """Of the images with two lists; the numbers of COCO as in `localreg.metrics.coco`, None where undefined."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Images that were skipped, or have no list."""
    AP: float | None = field(metadata=HIGHER)
    AP50: float | None = field(metadata=HIGHER)
    AP75: float | None = field(metadata=HIGHER)
    APs: float | None = field(metadata=HIGHER)
    APm: float | None = field(metadata=HIGHER)
    APl: float | None = field(metadata=HIGHER)
    AR1: float | None = field(metadata=HIGHER)
    AR10: float | None = field(metadata=HIGHER)
    AR100: float | None = field(metadata=HIGHER)
    ARs: float | None = field(metadata=HIGHER)
    ARm: float | None = field(metadata=HIGHER)
    ARl: float | None = field(metadata=HIGHER)
    precision: float | None = field(metadata=HIGHER)
    recall: float | None = field(metadata=HIGHER)
    f1: float | None = field(metadata=HIGHER)
    threshold: float | None = field(metadata=ASIDE)
    """The score from which on detections counted, for precision and so on; None = nothing is right from any score."""
    by_class: list[DetectionOfClass] = field(default_factory=list)


@dataclass(frozen=True)
class DetectionOfSuite(DetectionOfCase, MetricsTestSuite):
    """The same of all images of the suite, each once."""


def detection(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: DetectionThreshold | None = None,
) -> EvaluationResults:
    """What is found in each image, and the numbers of COCO, precision, recall and F1 of each test case and the suite.

    Raises:
        InvalidInputError: the types have not one list each of labelled boxes, scored in the inference.
    """
    given = _Given(test_samples, ground_truths, inferences, test_cases)
    return _Measured(given, configuration or DetectionThreshold(), "bbox").results()


def segmentation(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: DetectionThreshold | None = None,
) -> EvaluationResults:
    """The same of pixels.

    Raises:
        InvalidInputError: the types have not one list each of labelled polygons or masks, scored in the inference.
    """
    given = _Given(test_samples, ground_truths, inferences, test_cases)
    return _Measured(given, configuration or DetectionThreshold(), "segm").results()


class _Given(NamedTuple):
    """What an evaluator is given."""

    samples: Sequence[Any]
    truths: Sequence[Any]
    inferences: Sequence[Any]
    cases: TestCases


class _Measured:
    """All test cases, measured.

    As in `registry.compare`, each row of each test case is an image: the order of these tells which of two equal scores
    goes first.

    Args:
        given: by position, one for each sample and ground truth.
        configuration: what counts as right.
        iou_type: of boxes or of pixels.
    """

    def __init__(self, given: _Given, configuration: DetectionThreshold, iou_type: IouType) -> None:
        import numpy as np

        positions = range(len(given.samples))
        held = [(case, own) for case, *_, own in given.cases.iter(*given[:3], positions)]
        self._given = given
        self._cases = [case for case, _ in held]
        self._rows = np.concatenate([np.empty(0, np.int64), *(np.asarray(own, np.int64) for _, own in held)])
        self._ends = np.cumsum([len(own) for _, own in held])
        self._image = self._images()
        self._iou_type = iou_type
        self._vocabulary = Vocabulary()
        self._known, self._matches = self._matched(configuration.iou)
        self._first = np.unique(self._rows, return_index=True)[1]
        self._whole = np.zeros(len(self._rows), bool)
        self._whole[self._first] = True
        weights = np.zeros(len(self._rows), np.int64)
        weights[self._image[self._known & self._whole]] = 1
        score = configuration.score
        self._threshold = self._matches.best_score(weights) if score is None else float(score)
        self._table = self._matches.count_table(self._threshold)

    def results(self) -> EvaluationResults:
        """In the words of an evaluator."""
        import numpy as np

        begins = [0, *self._ends[:-1].tolist()]
        of_cases: list[tuple[TestCase[Any, Any], MetricsTestCase]] = []
        for case, begin, end in zip(self._cases, begins, self._ends.tolist(), strict=True):
            chosen = np.zeros(len(self._rows), bool)
            chosen[begin:end] = True
            of_cases.append((case, DetectionOfCase(**self._of_rows(chosen))))
        of_samples = list(zip(self._given.samples, self._of_samples(), strict=True))
        return EvaluationResults(of_samples, of_cases, (), DetectionOfSuite(**self._of_rows(self._whole)))

    # --- from objects to columns --------------------------------------------------------------------------------------

    def _images(self) -> Indices:
        """The number of each row's image: by its COCO id where all have one, else as they come."""
        import numpy as np

        order: dict[int, int] = {}
        first = [order.setdefault(id(self._given.samples[row]), len(order)) for row in self._rows.tolist()]
        of_sample = {id(each): field_of(each, "image_id") for each in self._given.samples}
        told = list(of_sample.values())
        is_told = all(isinstance(each, int) for each in told) and len(set(told)) == len(told)
        ids = [of_sample[id(self._given.samples[row])] for row in self._rows.tolist()] if is_told else first
        image = np.empty(len(first), np.int64)
        image[np.argsort(np.asarray(ids, np.int64), kind="stable")] = np.arange(len(first))
        return image

    def _matched(self, iou: float) -> tuple[Flags, ShapeMatches]:
        """Which rows have both lists, and what was found."""
        truths, inferences = ([values[row] for row in self._rows.tolist()] for values in self._given[1:3])
        there = self._column(truths, "ground_truth", scored=False)
        assert there is not None, "samples that are evaluated have ground truths"
        said = self._column(inferences, "inference", scored=True)
        if said is None:  # all were skipped: lists of nothing, whatever they would be of
            said = _Lists(there.shapes._replace(score="score"), there.values.slice(0, 0))
        columns = []
        for what, lists in (("ground truths", there), ("inferences", said)):
            found = ShapeColumns(self._vocabulary, self._image, lists.shapes, what)
            found.add(lists.padded(len(self._rows)))
            columns.append(found)
        sizes = told_sizes(self._image, [self._sides(values) for values in (self._samples, truths)])
        return columns[0].listed & columns[1].listed, match_shapes(*matchable(columns[0], columns[1], sizes), iou)

    @property
    def _samples(self) -> list[Any]:
        return [self._given.samples[row] for row in self._rows.tolist()]

    def _column(self, values: Sequence[Any], name: str, *, scored: bool) -> _Lists | None:
        """The lists that objects hold; None if there is no object."""
        import pyarrow.compute as pc

        one = next((each for each in values if each is not None), None)
        if one is None:
            return None
        node = node_of(one)
        needs = f"evaluator {NAMES[self._iou_type]!r} takes one; name another evaluator, or write one"
        shapes = one_list(node, self._iou_type, scored=scored, needs=needs)
        column = (whole_column if isinstance(one, RecordedDict) else TypedColumn)(name, type(one), node)
        table = column.table(values, lambda number: f"{name} {number}")
        return _Lists(shapes, pc.struct_field(table[name], shapes.field))

    def _sides(self, values: Sequence[Any]) -> tuple[Floats, Floats]:
        import numpy as np

        height, width = (
            np.array([_number(field_of(each, side)) for each in values], np.float64) for side in ("height", "width")
        )
        return height, width

    # --- from counts to metrics ---------------------------------------------------------------------------------------

    def _of_samples(self) -> Iterator[DetectionOfSample]:
        """Of each position."""
        table, labels = self._table, self._vocabulary.labels()
        told: dict[int, list[tuple[str, list[int]]]] = {}
        counts = zip(table.tp.tolist(), table.fp.tolist(), table.fn.tolist(), strict=True)
        names = [labels[code] for code in table.classes[table.class_].tolist()]
        for image, label, own in zip(table.image.tolist(), names, counts, strict=True):
            told.setdefault(image, []).append((label, list(own)))
        for row in self._first.tolist():
            if not self._known[row]:
                yield DetectionOfSample(None, None, None, None)
                continue
            found = sorted(told.get(int(self._image[row]), ()))
            tp, fp, fn = (sum(own[kind] for _, own in found) for kind in range(3))
            lists = [[label for label, own in found for _ in range(own[kind])] for kind in range(3)]
            yield DetectionOfSample(fp == fn == 0, tp, fp, fn, *lists)

    def _of_rows(self, rows: Flags) -> dict[str, Any]:
        """Of some rows that count, and the others among them."""
        import numpy as np

        images = np.zeros(len(rows), bool)
        images[self._image[rows & self._known]] = True
        part = DetectionMatches(self._matches.coco.found.of_images(images))
        kept = images[self._table.image]
        table = replace(
            self._table, **{name: getattr(self._table, name)[kept] for name in ("image", "class_", "tp", "fp", "fn")}
        )
        total, n = table.total(), int(images.sum())
        return {
            "n": n,
            "left_out": int(rows.sum()) - n,
            **part.numbers(COCO_NUMBERS),
            **_ratios(total),
            "threshold": self._threshold,
            "by_class": self._of_classes(part, table),
        }

    def _of_classes(self, part: DetectionMatches, table: CountTable) -> list[DetectionOfClass]:
        labels, precisions = self._vocabulary.labels(), part.average_precision_per_class()
        codes = table.classes.tolist()
        found = zip([labels[code] for code in codes], codes, table.per_class().values(), strict=True)
        return [
            DetectionOfClass(label, counts.tp + counts.fn, precisions.get(code), **_ratios(counts))
            for label, code, counts in sorted(found, key=itemgetter(0))
            if counts.tp + counts.fp + counts.fn
        ]


class _Lists(NamedTuple):
    """Lists of shapes of all rows, or none of any.

    Attributes:
        shapes: where they stood.
        values: the lists.
    """

    shapes: ShapeList
    values: pa.ChunkedArray

    def padded(self, count: int) -> pa.ChunkedArray:
        """So many of them, the missing ones null."""
        import pyarrow as pa

        missing = pa.nulls(count - len(self.values), self.values.type)
        return pa.chunked_array([*self.values.chunks, missing], self.values.type)


def _ratios(counts: Counts) -> dict[str, float | None]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
