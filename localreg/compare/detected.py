"""Detection: labelled boxes in the ground truth, labelled and scored ones in the inference, measured as COCO does.

Each model is matched with the ground truths once; test cases, slices and images drawn again are weights on what was
matched (`localreg.metrics.coco`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from localreg.compare.boxes import BoxLists, Said, SuiteBoxes
from localreg.compare.detected_pair import DetectedPair, ModelBoxes
from localreg.compare.groupings import groupings
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.metrics.coco import COCO_AREAS, COCO_IOU_THRESHOLDS, COCO_NUMBERS, matched
from localreg.metrics.reading import number_of
from localreg.names import shown_value
from localreg.session import Session
from localreg.statistics.images import COUNT_METRICS
from localreg.tables import Node
from localreg.workflow.gathering import Gathered, Stretch
from localreg.workflow.inferences import OK, Inferences
from localreg.workflow.samples import files_of
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["Detection", "Matching", "check_matching"]

F1_OPTIMAL = "f1_optimal"


class Matching(NamedTuple):
    """What counts as right.

    Attributes:
        score: detections of this score and above count; None = of each model the score at which its F1 is highest.
        iou: by which a detection and a truth must overlap.
    """

    score: float | None = 0.5
    iou: float = 0.5


def check_matching(score_threshold: object, iou: object) -> Matching | None:
    """As it is passed; None = nothing was.

    Raises:
        InvalidInputError: a threshold is out of range.
    """
    if score_threshold is None and iou is None:
        return None
    is_optimal = isinstance(score_threshold, str) and score_threshold == F1_OPTIMAL
    score = None if is_optimal else _number(0.5 if score_threshold is None else score_threshold)
    if score is None and not is_optimal:
        raise InvalidInputError(
            f"score_threshold is {shown_value(score_threshold)}; it must be a finite number, or {F1_OPTIMAL!r}"
        )
    overlap = _number(0.5 if iou is None else iou)
    if overlap is None or not 0 < overlap <= 1:
        raise InvalidInputError(f"iou is {shown_value(iou)}; it must be above 0, at most 1")
    return Matching(score, overlap)


def _number(value: object) -> float | None:
    """A finite number; None if it is none."""
    number = None if isinstance(value, bool) else number_of(value)
    return number if number is not None and isfinite(number) else None


class Detection:
    """Reads boxes and matches them; see `localreg.compare.task.Task`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        lists: where boxes stand.
        types: of ground truths and of inferences.
        matching: what counts as right.
        clusters: of each row of the suite, the number of its cluster; None = each row for itself.
        draws: how often images are drawn again; None = not at all, intervals come from what each image does.
    """

    name = "detection"
    truth_is = "a list of boxes"
    metrics: Sequence[str] = (*COCO_NUMBERS, *COUNT_METRICS)
    default: Sequence[str] = (*COCO_NUMBERS, *COUNT_METRICS)
    of_classes: Collection[str] = ()
    lower_is_better: Collection[str] = ()
    undirected: Collection[str] = ()

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        baseline: str,
        *,
        lists: BoxLists,
        types: tuple[Node, Node],
        matching: Matching | None = None,
        clusters: Indices | None = None,
        draws: int | None = None,
    ) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._lists = lists
        self._types = types
        self._matching = matching or Matching()
        self._clusters = clusters
        self._draws = draws
        self._boxes = SuiteBoxes(session, state, rows.workflow, rows.version, lists)
        self._truth = self._boxes.truths()
        self.once = rows.once(self._truth.content)
        self._models: dict[str, ModelBoxes] = {}
        self._version = baseline

    def _model(self, version_id: str) -> ModelBoxes:
        if version_id not in self._models:
            self._models[version_id] = self._matched(self._boxes.said(version_id))
        return self._models[version_id]

    def _matched(self, said: Said) -> ModelBoxes:
        matches = counted = matched(self._truth.truths, said.detections)
        iou = self._matching.iou
        if all(abs(each - iou) > 1e-9 for each in COCO_IOU_THRESHOLDS):
            counted = matched(self._truth.truths, said.detections, [iou], areas=COCO_AREAS[:1])
        return ModelBoxes(said.status, said.listed, matches, counted)

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        import numpy as np

        if self.once is None:
            return 0
        counted = self._rows.indices[self.once]
        return len(counted) - len(np.unique(counted))

    def pair(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> DetectedPair:
        """Baseline and candidate.

        Args:
            candidate: id of the model version.
            slices: of the suite's rows.
            strict: take images without an inference as those in which nothing is seen, instead of leaving them out.
        """
        return DetectedPair(
            truth=self._truth,
            models=(self._model(self._version), self._model(candidate)),
            groups=groupings(self._rows, self.once, slices),
            image=self._boxes.image,
            labels=self._boxes.vocabulary,
            score=self._matching.score,
            iou=self._matching.iou,
            clusters=self._clusters,
            draws=self._draws,
            strict=strict,
        )

    def outcomes(self, candidate: str, *, strict: bool) -> npt.NDArray[np.int8]:
        """An image is right if each truth is found, and nothing else, at the score and the IoU that count."""
        import numpy as np

        pair = self.pair(candidate, (), strict=strict)
        a, b = pair.right()
        return np.where(pair.compared, 1 + 2 * b + a, 0).astype(np.int8)

    def shown(self, candidate: str, rows: Indices) -> dict[str, pa.Array]:
        """Boxes of some rows, and how many of them are right (tp), wrong (fp) and overlooked (fn)."""
        import pyarrow as pa

        pair = self.pair(candidate, (), strict=True)
        columns = {"ground_truth": self._true_boxes(rows)}
        for name, version in zip("ab", (self._version, candidate), strict=True):
            columns[name] = self._said_boxes(version, rows)
        for name, model, tallies in zip("ab", pair.models, pair.tallies, strict=True):
            counts, none = tallies[self._boxes.image[rows]], model.status[rows] != OK
            for number, what in enumerate(("tp", "fp", "fn")):
                columns[f"{what}_{name}"] = pa.array(counts[:, number], pa.int64(), mask=none)
        return columns

    def _true_boxes(self, rows: Indices) -> pa.Array:
        cases = self._rows.case_ids
        parts = [pointer for case in cases for pointer in files_of(self._state, case, "ground_truths")]
        column = TypedColumn("ground_truth", object, self._types[0])
        stretches = [Stretch(pointer, pointer.rows) for pointer in parts]
        found = Gathered(self._session.store, stretches, {"ground_truth": column.type}, whole=False).rows(rows)
        return _field(found["ground_truth"], self._lists.truth.field)

    def _said_boxes(self, version_id: str, rows: Indices) -> pa.Array:
        column = TypedColumn("inference", object, self._types[1])
        inferences = Inferences(self._session, self._state, version_id, self._rows.samples)
        found = inferences.rows(column, self._rows.indices[rows].astype("int64"))
        return _field(found["inference"], self._lists.said.field)


def _field(column: pa.ChunkedArray, name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.struct_field(column.combine_chunks(), name)
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
