"""Two detectors on a suite: the numbers of COCO with intervals, and precision, recall and F1 at one score and IoU.

The numbers of COCO are functions of all images at once. How far their difference may vary is told by what each image
does to them (`detected_numbers.py`); on request by drawing images again, of the suite and the first `PARTS` test cases
and slices. Which images are drawn follows from the ground truths, so that equal input gives equal intervals, whichever
of two models is the baseline.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.compare.coverage import Coverage
from localreg.compare.detected_numbers import CLASS_METRIC, Part, class_numbers, numbers
from localreg.compare.groupings import Grouping
from localreg.compare.shapes import TruthShapes
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.metrics.coco import COCO_NUMBERS, DetectionMatches
from localreg.statistics import Estimate
from localreg.statistics.images import COUNT_METRICS, compare_drawn, compare_tallies, undrawn
from localreg.statistics.paired import seed_of
from localreg.tables import Vocabulary
from localreg.threads import in_threads
from localreg.workflow.inferences import ERROR, OK, SKIPPED, STATUSES
from localreg.workflow.shape_matches import ShapeMatches

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["DetectedPair", "ModelShapes"]

PARTS = 24
"""Test cases and slices of which images are drawn again: more would take hours."""
MISSING = len(STATUSES)


@dataclass(frozen=True, eq=False)
class ModelShapes:
    """What a model saw, matched.

    Attributes:
        status: of each row of the suite, a place in `STATUSES`, or `len(STATUSES)`.
        listed: whether a row has a list of shapes.
        matches: with what is there.
    """

    status: npt.NDArray[np.int8]
    listed: Flags
    matches: ShapeMatches


class DetectedPair:
    """Two models; see `localreg.compare.task.Pair`.

    Args:
        truth: what is in the images.
        models: baseline and candidate.
        groups: of the rows.
        image: of each row, its number.
        labels: of the numbers of classes.
        score: that counts; None = where F1 is highest, of each model.
        clusters: of each row; None = each for itself.
        draws: how often images are drawn again; None = not at all.
        strict: take images without an inference as those in which nothing is seen.

    Attributes:
        models: as given.
        compared: bool (rows,), which rows of the suite are compared.
    """

    def __init__(
        self,
        *,
        truth: TruthShapes,
        models: tuple[ModelShapes, ModelShapes],
        groups: Sequence[Grouping],
        image: Indices,
        labels: Vocabulary,
        score: float | None,
        clusters: Indices | None,
        draws: int | None,
        strict: bool,
    ) -> None:
        self.models = models
        self._truth = truth
        self._image = image
        self._labels = labels
        self._score = score
        self._clusters = clusters
        self._draws = draws
        self._groups = {unit: (each, numbers) for each in groups for unit, numbers in each.units.items()}
        self.compared: Flags = truth.known.copy()
        if not strict:
            for model in models:
                self.compared &= (model.status == OK) & model.listed

    # --- what is compared ---------------------------------------------------------------------------------------------

    def _rows(self, unit: Unit) -> Flags:
        """The rows of the suite that a unit has."""
        import numpy as np

        grouping, numbers = self._groups[unit]
        return np.isin(grouping.codes, numbers)

    @cached_property
    def units(self) -> list[Unit]:
        """The suite, test cases, slices that have a row."""
        there = [unit for unit in self._groups if unit.by is None or self._rows(unit).any()]
        return sorted(there, key=lambda unit: (unit.by is not None, unit.test_case is not None))

    @property
    def only_case(self) -> Unit | None:
        """The suite's test case, if there is only one."""
        cases = [unit for unit in self._groups if unit.test_case is not None]
        return cases[0] if len(cases) == 1 else None

    @property
    def unlabelled(self) -> int:
        """Rows of the suite without a list of shapes."""
        return int((self._rows(WHOLE) & ~self._truth.known).sum())

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._rows(WHOLE)
        a, b = (
            Coverage(*(int((model.status[whole] == code).sum()) for code in (OK, SKIPPED, ERROR, MISSING)))
            for model in self.models
        )
        return a, b

    def remarks(self) -> Sequence[str]:
        """Nothing is hardly meant here."""
        return ()

    def silent(self) -> tuple[int, int]:
        """Inferences of baseline and candidate without a list of shapes."""
        whole = self._rows(WHOLE)
        a, b = (int((whole & (model.status == OK) & ~model.listed).sum()) for model in self.models)
        return a, b

    def n(self, unit: Unit) -> int:
        """How many rows of a unit are compared."""
        return int((self._rows(unit) & self.compared).sum())

    def _images(self, unit: Unit) -> Indices:
        import numpy as np

        return np.sort(self._image[self._rows(unit) & self.compared])

    # --- right and wrong ----------------------------------------------------------------------------------------------

    @cached_property
    def tallies(self) -> list[Indices]:
        """(images, 3) of each model: true positives, false positives, false negatives."""
        import numpy as np

        weights = np.zeros(len(self._image), np.int64)
        weights[self._images(WHOLE)] = 1
        return [self._tallied(model.matches, weights) for model in self.models]

    def _tallied(self, matches: ShapeMatches, weights: Indices) -> Indices:
        score = self._score if self._score is not None else matches.best_score(weights)
        return matches.count_table(score).per_image()

    def right(self) -> tuple[Flags, Flags]:
        """Whether each row of the suite has each truth found, and nothing else, by baseline and candidate."""
        a, b = (((each[:, 1] == 0) & (each[:, 2] == 0))[self._image] for each in self.tallies)
        return a, b

    # --- numbers ------------------------------------------------------------------------------------------------------

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of a unit; of the suite AP of each class, too."""
        rows, part = self._rows(unit) & self.compared, self._part(unit)
        right = [each[rows] for each in self.right()]
        counts = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
        a, b = (each[part.images] for each in self.tallies)
        asked = [metric for metric in metrics if metric in COUNT_METRICS]
        members = None if self._clusters is None else part.members
        found = compare_tallies(a, b, metrics=asked, groups=members, confidence=confidence)
        names = [metric for metric in metrics if metric in COCO_NUMBERS]
        classes = self._classes(part) if unit == WHOLE and CLASS_METRIC in names else []
        drawn = self._drawn(unit, part, names, classes)
        found += self._numbers(part, names, drawn, confidence)
        overall = {each.metric: Measured(each, None, *counts) for each in found}
        return [*(overall[metric] for metric in metrics), *self._per_class(part, classes, drawn, confidence)]

    def _numbers(self, part: Part, names: Sequence[str], drawn: Floats | None, confidence: float) -> list[Estimate]:
        if self._draws is None:
            return numbers(part, names, confidence)
        a, b = (each.numbers(names) for each in part.matches)
        n = len(part.images)
        if drawn is None:
            reason = f"only the first {PARTS} test cases and slices get intervals by bootstrap; leave it out"
            return [undrawn(name, (a[name], b[name]), n, reason) for name in names]
        return [
            compare_drawn(name, (a[name], b[name]), drawn[:, :, place], n=n, units=part.units, confidence=confidence)
            for place, name in enumerate(names)
        ]

    def _per_class(self, part: Part, classes: Sequence[int], drawn: Floats | None, confidence: float) -> list[Measured]:
        labels = self._labels.labels()
        if self._draws is None:
            found = class_numbers(part, classes, confidence) if classes else []
        else:
            found = [] if drawn is None else self._drawn_classes(part, classes, drawn, confidence)
        told = [Measured(each, labels[code]) for code, each in zip(classes, found, strict=bool(found))]
        return sorted(told, key=lambda each: str(each.label))

    def _drawn_classes(self, part: Part, classes: Sequence[int], drawn: Floats, confidence: float) -> list[Estimate]:
        a, b = (each.average_precision_per_class() for each in part.matches)
        first, n, units = drawn.shape[2] - len(classes), len(part.images), part.units
        return [
            compare_drawn(
                CLASS_METRIC, (a.get(code), b.get(code)), drawn[:, :, place], n=n, units=units, confidence=confidence
            )
            for place, code in enumerate(classes, first)
        ]

    def _part(self, unit: Unit) -> Part:
        import numpy as np

        images = self._images(unit)
        members, units = np.arange(len(images)), len(images)
        if self._clusters is not None:
            of_image = np.empty(len(self._image), np.int64)
            of_image[self._image] = self._clusters
            distinct, members = np.unique(of_image[images], return_inverse=True)
            units = len(distinct)
        a, b = (each.matches.coco for each in self.models)
        if len(images) < len(self._image):
            chosen = np.zeros(len(self._image), bool)
            chosen[images] = True
            alone, a = a is b, DetectionMatches(a.found.of_images(chosen))
            b = a if alone else DetectionMatches(b.found.of_images(chosen))
        return Part(images, members, units, (a, b))

    def _classes(self, part: Part) -> list[int]:
        """Classes that have truths."""
        found = part.matches[0].found
        return sorted({int(code) for code in found.classes[found.truth_class[found.counted[:, 0]]].tolist()})

    def _drawn(self, unit: Unit, part: Part, names: Sequence[str], classes: Sequence[int]) -> Floats | None:
        """(draws, 2, names and classes): of both models on images drawn again; None = not these."""
        import numpy as np

        if self._draws is None:
            return None
        parts = [each for each in self.units if each not in (WHOLE, self.only_case)]
        if unit != WHOLE and parts.index(unit) >= PARTS:
            return None
        if not names or part.units < 2:
            return np.empty((0, 2, len(names) + len(classes)))
        seed = seed_of(self._truth.outlines, self._truth.area, part.images, part.members)
        places = [np.searchsorted(each.classes, classes) for each in part.matches]

        def one(draw: int) -> list[list[float]]:
            generator = np.random.default_rng([seed, draw])
            times = np.bincount(generator.integers(0, part.units, part.units), minlength=part.units)
            weights = np.zeros(len(self._image), np.int64)
            weights[part.images] = times[part.members]
            alone = part.matches[0] is part.matches[1]  # one model, measured by itself
            found = [
                _values(matches.resampled(weights), names, own)
                for matches, own in zip(part.matches[: 1 if alone else 2], places, strict=False)
            ]
            return found * 2 if alone else found

        return np.array(list(in_threads(one, range(self._draws), workers=os.cpu_count() or 1)), np.float64)


def _values(matches: DetectionMatches, names: Sequence[str], classes: Indices) -> list[float]:
    """Numbers, then AP of classes; NaN where undefined."""
    values = [float("nan") if each is None else each for each in matches.numbers(names).values()]
    return values if not len(classes) else [*values, *matches.class_precisions()[classes].tolist()]
