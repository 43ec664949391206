"""Labelled shapes of a suite's ground truths, and of a model's inferences there, as columns.

A row of the suite is an image, so that one that stands in two test cases is two of them. Images are numbered by their
COCO id where all have one, else as they come in the suite, and labels in the order in which they come.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError
from localreg.log import Row, State
from localreg.metrics.coco import Detections, Truths
from localreg.metrics.coco.masks import Masks
from localreg.session import Session
from localreg.tables import Vocabulary
from localreg.workflow.export.coco_json import image_ids
from localreg.workflow.inferences import STATUSES
from localreg.workflow.inferred import BATCH, Inferred, Source
from localreg.workflow.shape_columns import ShapeColumns, common_sizes, matchable, told_sizes
from localreg.workflow.shape_lists import ShapeLists

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["Said", "SuiteShapes", "TruthShapes"]


class TruthShapes(NamedTuple):
    """What is in images.

    Attributes:
        known: bool (rows,), whether a row of the suite has a list of shapes at all.
        outlines: float64 (n, 4), boxes; or (stretches, 2), the pixels of masks.
        area: float64 (n,), of each.
        content: int64 (rows,), equal for rows that have the same shapes.
    """

    known: Flags
    outlines: Floats
    area: Floats
    content: Indices


class Said(NamedTuple):
    """What a model saw.

    Attributes:
        truths: what there is to be seen; `image_id` is the number of the image.
        detections: likewise.
        status: int8 (rows,), place in `STATUSES`, or `len(STATUSES)` if nobody asked.
        listed: bool (rows,), whether there is a list of shapes.
    """

    truths: Truths
    detections: Detections
    status: npt.NDArray[np.int8]
    listed: Flags


class SuiteShapes:
    """Reads shapes.

    Args:
        session: where everything lies.
        state: as of which commit.
        workflow: of the suite.
        version: of the suite.
        lists: where shapes stand.

    Attributes:
        vocabulary: labels by their numbers.
        image: int64 (rows,), the number of the image of each row of the suite.
    """

    def __init__(self, session: Session, state: State, workflow: Row, version: Row, lists: ShapeLists) -> None:
        self._session = session
        self._state = state
        self._workflow = workflow
        self._version = version
        self._lists = lists
        self.vocabulary = Vocabulary()
        self._suite = Inferred(session, state, workflow, None, version)
        self.image = self._images()

    def _images(self) -> Indices:
        import numpy as np

        rows = np.arange(len(self._suite.indices))
        try:
            ids = image_ids(self._suite)
        except InvalidInputError:  # two images of one id, which no single COCO file could hold
            return rows
        image = np.empty(len(rows), np.int64)
        image[np.argsort(ids, kind="stable")] = rows
        return image

    @cached_property
    def _truths(self) -> ShapeColumns:
        source = self._suite.truth
        assert source is not None, "a suite has ground truths"
        found = ShapeColumns(self.vocabulary, self.image, self._lists.truth, "ground truths")
        for table in self._suite.tables(BATCH, only=source):
            found.add(table[source.names[self._lists.truth.field]])
        return found

    @cached_property
    def _sizes(self) -> Indices:
        """Height and width of each image, as samples or else ground truths say them."""
        if self._lists.iou_type == "bbox":
            return told_sizes(self.image, ())
        told = (self._sides(source) for source in (self._suite.sample, self._suite.truth) if source is not None)
        return told_sizes(self.image, [each for each in told if each is not None])

    def _sides(self, source: Source) -> tuple[Floats, Floats] | None:
        """Heights and widths of all rows; None if there are no such fields."""
        import numpy as np
        import pyarrow as pa

        nodes = [source.column.node.field(name) for name in ("height", "width")]
        if not all(node is not None and node.type == "int" for node in nodes):
            return None
        tables = list(self._suite.tables(BATCH, only=source))
        height, width = (
            np.concatenate([table[source.names[name]].cast(pa.float64()).to_numpy() for table in tables])
            for name in ("height", "width")
        )
        return height, width

    def truths(self) -> TruthShapes:
        """Of all rows of the suite.

        Raises:
            InvalidInputError: there are objects without a shape.
        """
        import numpy as np

        truths = self._truths.truths(common_sizes(self._sizes, self._truths))
        shapes = truths.shapes
        outlines = np.stack([shapes.begin, shapes.end], axis=1) if isinstance(shapes, Masks) else shapes
        return TruthShapes(self._truths.listed, outlines.astype(np.float64), truths.area, self._truths.content(truths))

    def said(self, version_id: str) -> Said:
        """Of all rows of the suite.

        Raises:
            InvalidInputError: there are detections without a shape.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = Inferred(self._session, self._state, self._workflow, version_id, self._version)
        assert rows.inference is not None, "a model version has inferences"
        found = ShapeColumns(self.vocabulary, self.image, self._lists.said, "inferences")
        names, status = pa.array([*STATUSES, "missing"]), [np.empty(0, np.int8)]
        for table in rows.tables(BATCH, only=rows.inference):
            found.add(table[rows.inference.names[self._lists.said.field]])
            status.append(pc.index_in(table["status"], names).to_numpy().astype(np.int8))
        return Said(*matchable(self._truths, found, self._sizes), np.concatenate(status), found.listed)
