"""Detection and segmentation: labelled shapes in the ground truth, scored ones in the inference, measured as COCO does.

Shapes are boxes, or polygons and masks: what differs is only how they overlap, and what their area is.

Each model is matched with the ground truths once; test cases, slices and images drawn again are weights on what was
matched (`localreg.metrics.coco`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from localreg.compare.detected_pair import DetectedPair, ModelShapes
from localreg.compare.groupings import groupings
from localreg.compare.shapes import SuiteShapes
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.metrics.coco import COCO_NUMBERS
from localreg.metrics.reading import number_of
from localreg.names import shown_value
from localreg.session import Session
from localreg.statistics.images import COUNT_METRICS
from localreg.tables import Node
from localreg.workflow.gathering import Gathered, Stretch
from localreg.workflow.inferences import OK, Inferences
from localreg.workflow.samples import files_of
from localreg.workflow.shape_lists import IOU_TYPES, IouType, ShapeLists
from localreg.workflow.shape_matches import match_shapes
from localreg.workflow.typed import TypedColumn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["F1_OPTIMAL", "Detection", "Matching", "check_matching"]

F1_OPTIMAL = "f1_optimal"


class Matching(NamedTuple):
    """What counts as right.

    Attributes:
        score: detections of this score and above count; None = of each model the score at which its F1 is highest.
        iou: by which a detection and a truth must overlap.
        iou_type: of what; None = as the types have it.
    """

    score: float | None = 0.5
    iou: float = 0.5
    iou_type: IouType | None = None


def check_matching(score_threshold: object, iou: object, iou_type: object) -> Matching | None:
    """As it is passed; None = nothing was.

    Raises:
        InvalidInputError: a threshold is out of range, or there is no such type of overlaps.
    """
    if score_threshold is None and iou is None and iou_type is None:
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
    kind = next((each for each in IOU_TYPES if isinstance(iou_type, str) and iou_type == each), None)
    if kind is None and iou_type is not None:
        raise InvalidInputError(f"iou_type is {shown_value(iou_type)}; it must be 'bbox' (boxes) or 'segm' (pixels)")
    return Matching(score, overlap, kind)


def _number(value: object) -> float | None:
    """A finite number; None if it is none."""
    number = None if isinstance(value, bool) else number_of(value)
    return number if number is not None and isfinite(number) else None


COUNTED = ("tp", "fp", "fn")
"""What is listed of the shapes of an image."""


class Detection:
    """Reads shapes and matches them; see `localreg.compare.task.Task`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        lists: where shapes stand.
        types: of ground truths and of inferences.
        matching: what counts as right.
        clusters: of each row of the suite, the number of its cluster; None = each row for itself.
        draws: how often images are drawn again; None = not at all, intervals come from what each image does.
    """

    strictly = "counted as wrong"
    metrics: Sequence[str] = (*COCO_NUMBERS, *COUNT_METRICS)
    default: Sequence[str] = (*COCO_NUMBERS, *COUNT_METRICS)
    of_classes: Collection[str] = ()
    lower_is_better: Collection[str] = ()
    undirected: Collection[str] = ()
    columns = ("ground_truth", "a", "b", *(f"{what}_{name}" for name in "ab" for what in COUNTED))

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        baseline: str,
        *,
        lists: ShapeLists,
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
        self._shapes = SuiteShapes(session, state, rows.workflow, rows.version, lists)
        self._truth = self._shapes.truths()
        self.once = rows.once(self._truth.content)
        self._models: dict[str, ModelShapes] = {}
        self._version = baseline
        self.name = "detection" if lists.iou_type == "bbox" else "segmentation"
        self.truth_is = self.said_is = f"a list of {lists.truth.kind}"

    def _model(self, version_id: str) -> ModelShapes:
        if version_id not in self._models:
            said = self._shapes.said(version_id)
            found = match_shapes(said.truths, said.detections, self._matching.iou)
            self._models[version_id] = ModelShapes(said.status, said.listed, found)
        return self._models[version_id]

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
            image=self._shapes.image,
            labels=self._shapes.vocabulary,
            score=self._matching.score,
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
        """Shapes of some rows, and how many of them are right (tp), wrong (fp) and overlooked (fn)."""
        import pyarrow as pa

        pair = self.pair(candidate, (), strict=True)
        columns = {"ground_truth": self._true_shapes(rows)}
        for name, version in zip("ab", (self._version, candidate), strict=True):
            columns[name] = self._said_shapes(version, rows)
        for name, model, tallies in zip("ab", pair.models, pair.tallies, strict=True):
            counts, none = tallies[self._shapes.image[rows]], model.status[rows] != OK
            for number, what in enumerate(COUNTED):
                columns[f"{what}_{name}"] = pa.array(counts[:, number], pa.int64(), mask=none)
        return columns

    def _true_shapes(self, rows: Indices) -> pa.Array:
        cases = self._rows.case_ids
        parts = [pointer for case in cases for pointer in files_of(self._state, case, "ground_truths")]
        column = TypedColumn("ground_truth", object, self._types[0])
        stretches = [Stretch(pointer, pointer.rows) for pointer in parts]
        found = Gathered(self._session.store, stretches, {"ground_truth": column.type}, whole=False).rows(rows)
        return _field(found["ground_truth"], self._lists.truth.field)

    def _said_shapes(self, version_id: str, rows: Indices) -> pa.Array:
        column = TypedColumn("inference", object, self._types[1])
        inferences = Inferences(self._session, self._state, version_id, self._rows.samples)
        found = inferences.rows(column, self._rows.indices[rows].astype("int64"))
        return _field(found["inference"], self._lists.said.field)


def _field(column: pa.ChunkedArray, name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.struct_field(column.combine_chunks(), name)
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
