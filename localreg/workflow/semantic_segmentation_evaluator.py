"""The evaluator `semantic_segmentation`: a `SegmentationMask` in the ground truth, one in the inference.

The files are read as `localreg.workflow.mask_files` says, each time that the evaluator runs: results are not taken from
storage, since files may have changed. Classes go by their names, so that both masks may number them differently. Values
without a name are background, a class like the others, unless the configuration says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.metrics.confusion import Confusion
from localreg.metrics.segmentation import (
    dice_per_class,
    iou_per_class,
    mean_dice,
    mean_iou,
    pixel_accuracy,
    segmentation_confusion,
)
from localreg.names import did_you_mean, shown_value
from localreg.tables import Node
from localreg.workflow.evaluator import (
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
)
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import results_of
from localreg.workflow.mask_files import read_mask
from localreg.workflow.meaning import Ratio, meaning
from localreg.workflow.recorded_columns import field_of
from localreg.workflow.shapes import Shape, fields_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.int16]
    Ints = npt.NDArray[np.int64]

__all__ = [
    "BACKGROUND",
    "Ignore",
    "PixelsOfClass",
    "SegmentationOfCase",
    "SegmentationOfSample",
    "SegmentationOfSuite",
    "semantic_segmentation",
]

HIGHER, ASIDE = meaning(better="higher"), meaning(aside=True)
BACKGROUND = "background"
"""The class of values without a name, and of those that have this one."""
PIXELS_AT_ONCE = 1 << 22
"""Counting takes some 40 bytes for each."""


@dataclass(frozen=True)
class Ignore(EvaluatorConfiguration):
    """Pixels whose ground truth is of a class do not count, whatever is said of them: a void, or the background.

    Raises:
        InvalidInputError: `label` is no text.
    """

    label: str = BACKGROUND

    def __post_init__(self) -> None:
        label: object = self.label
        if not isinstance(label, str) or not label.strip():
            raise InvalidInputError(f"label is {shown_value(label)}; name a class of the masks")

    def display_name(self) -> str:
        """Which class."""
        return f"without {self.label}"


@dataclass(frozen=True)
class SegmentationOfSample(MetricsTestSample):
    """Of one image; None where the model skipped it, there is no mask, or no pixel counts."""

    image_mean_iou: float | None = field(default=None, metadata=HIGHER)
    """Mean over the classes that are true or said in this image."""
    image_mean_dice: float | None = field(default=None, metadata=HIGHER)
    image_pixel_accuracy: float | None = field(default=None, metadata=HIGHER)
    right_pixels: int | None = field(default=None, metadata=ASIDE)
    pixels: int | None = field(default=None, metadata=ASIDE)


@dataclass(frozen=True)
class PixelsOfClass(MetricsTestCase):
    """Of one class, all pixels of all images together."""

    label: str
    pixels: int = field(metadata=ASIDE)
    """Whose ground truth it is."""
    iou: float | None = field(metadata=HIGHER)
    dice: float | None = field(metadata=HIGHER)


@dataclass(frozen=True)
class SegmentationOfCase(MetricsTestCase):
    """Of the pixels of all images together, as benchmarks count; None where there is none."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Images that were skipped, or have no mask in the ground truth."""
    mean_iou: float | None = field(metadata=HIGHER)
    mean_dice: float | None = field(metadata=HIGHER)
    pixel_accuracy: float | None = field(
        metadata=meaning(better="higher", ratio=Ratio(of={"right_pixels": 1}, to={"pixels": 1}, most=1))
    )
    by_class: list[PixelsOfClass] = field(default_factory=list)


@dataclass(frozen=True)
class SegmentationOfSuite(SegmentationOfCase, MetricsTestSuite):
    """The same of all images of the suite, each once."""


def semantic_segmentation(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: Ignore | None = None,
) -> EvaluationResults:
    """Intersection over union, Dice's coefficient and accuracy of pixels, of each image and of all together.

    Raises:
        InvalidInputError: the types have not one mask each; a file cannot be read; two masks differ in size.
    """
    mask = Shape("a SegmentationMask", _is_mask)
    of_truth, of_said = fields_of("semantic_segmentation", ground_truths, inferences, mask, mask)
    pairs = [(of_truth.of(truth), of_said.of(said)) for truth, said in zip(ground_truths, inferences, strict=True)]
    known = [pair for pair in pairs if pair[0] is not None and pair[1] is not None]
    labels = sorted(
        {BACKGROUND, *(name for pair in known for each in pair for name in field_of(each, "labels").values())}
    )
    ignored = None if configuration is None or not known else _place(configuration.label, labels)
    cells = [None if true is None or said is None else _cells(true, said, labels, ignored) for true, said in pairs]

    def summed(places: Sequence[int]) -> dict[str, Any]:
        own = [cells[place] for place in places]
        return _of_all([each for each in own if each is not None], len(own), labels)

    return results_of(
        (test_samples, ground_truths, inferences, test_cases),
        [SegmentationOfSample() if each is None else _of_sample(each, labels) for each in cells],
        of_case=SegmentationOfCase,
        of_suite=SegmentationOfSuite,
        summed=summed,
    )


semantic_segmentation.__localreg_reads_files__ = True  # type: ignore[attr-defined] # for the evaluation's key


class _Cells(NamedTuple):
    """The pixels of one image: how often each class was said for which; only what occurs.

    Attributes:
        places: in a table of classes by what was said, row by row: nothing that counts, and then the classes.
        counts: of each.
    """

    places: Ints
    counts: Ints


def _is_mask(node: Node) -> bool:
    labels, locator = node.field("labels"), node.field("locator")
    return (
        node.type == "struct"
        and (labels is not None and labels.type == "map" and locator is not None and locator.type == "str")
        and (labels.keys is not None and labels.keys.type == "int")
        and (labels.items is not None and labels.items.type == "str")
    )


def _place(label: str, labels: Sequence[str]) -> int:
    """Where a class stands.

    Raises:
        InvalidInputError: no mask names it.
    """
    if label not in labels:
        hint = did_you_mean(label, labels) or f"; there are {', '.join(labels)}"
        raise InvalidInputError(f"{shown_value(label)} is to be ignored, and is no class of the masks{hint}")
    return labels.index(label)


def _cells(truth: Any, said: Any, labels: Sequence[str], ignored: int | None) -> _Cells:
    """Of one image, some rows of pixels at a time.

    Raises:
        InvalidInputError: a file cannot be read, or they differ in size.
    """
    import numpy as np

    true, predicted = (
        _codes(field_of(mask, "labels"), labels)[read_mask(field_of(mask, "locator"), f"the mask of {what}")]
        for mask, what in ((truth, "a ground truth"), (said, "an inference"))
    )
    if true.shape != predicted.shape:
        sizes = [f"{each.shape[1]} x {each.shape[0]}" for each in (true, predicted)]
        names = [shown_value(field_of(mask, "locator")) for mask in (truth, said)]
        raise InvalidInputError(
            f"the mask of a ground truth, {names[0]}, has {sizes[0]} pixels, and that of the "
            f"inference, {names[1]}, {sizes[1]}; they must be equal"
        )
    table = np.zeros((len(labels), len(labels) + 1), dtype=np.int64)
    step = max(1, PIXELS_AT_ONCE // max(1, true.shape[1]))
    for begin in range(0, len(true), step):
        rows = slice(begin, begin + step)
        found = segmentation_confusion(true[rows], predicted[rows], classes=len(labels), ignore=ignored)
        table += np.column_stack([found.unpredicted, found.matrix])
    places = np.flatnonzero(table)
    return _Cells(places, table.ravel()[places])


def _codes(names: Mapping[int, str], labels: Sequence[str]) -> Codes:
    """The number of the class that each value of a pixel means, (256,)."""
    import numpy as np

    codes = np.full(256, labels.index(BACKGROUND), dtype=np.int16)
    for value, name in names.items():
        if not 0 <= value < len(codes):
            raise InvalidInputError(f"a mask calls the value {value} {name!r}; values of pixels are 0 to 255")
        codes[value] = labels.index(name)
    return codes


def _confusion(cells: Sequence[_Cells], labels: Sequence[str]) -> Confusion:
    """Of all images together."""
    import numpy as np

    count = len(labels)
    flat = np.zeros(count * (count + 1), dtype=np.int64)
    for each in cells:
        flat[each.places] += each.counts
    table = flat.reshape(count, count + 1)
    return Confusion(tuple(labels), table[:, 1:], table[:, 0])


def _of_sample(cells: _Cells, labels: Sequence[str]) -> SegmentationOfSample:
    confusion = _confusion([cells], labels)
    return SegmentationOfSample(
        mean_iou(confusion),
        mean_dice(confusion),
        pixel_accuracy(confusion),
        int(confusion.marginals.tp.sum()),
        confusion.n,
    )


def _of_all(cells: Sequence[_Cells], asked: int, labels: Sequence[str]) -> dict[str, Any]:
    confusion = _confusion(cells, labels)
    iou, dice = iou_per_class(confusion), dice_per_class(confusion)
    support = confusion.marginals.support.tolist()
    return {
        "n": len(cells),
        "left_out": asked - len(cells),
        "mean_iou": mean_iou(confusion),
        "mean_dice": mean_dice(confusion),
        "pixel_accuracy": pixel_accuracy(confusion),
        "by_class": [
            PixelsOfClass(label, pixels, iou[label], dice[label])
            for label, pixels in zip(labels, support, strict=True)
            if iou[label] is not None
        ],
    }
