"""Labelled boxes of a suite's ground truths, and of a model's inferences there, as columns: no object is made of any.

A row of the suite is an image, so that one that stands in two test cases is two of them. Images are numbered by their
COCO id where all have one, else as they come in the suite, and labels in the order in which they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError
from localreg.log import Row, State
from localreg.metrics.coco import Detections, Truths
from localreg.session import Session
from localreg.tables import Node, Vocabulary
from localreg.workflow.export.boxes import BoxList, box_list, items_of
from localreg.workflow.export.coco_json import image_ids
from localreg.workflow.inferences import STATUSES
from localreg.workflow.inferred import BATCH, Inferred, Source

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["BoxLists", "Said", "SuiteBoxes", "TruthBoxes", "box_lists"]

UNCOUNTED = 2e10
"""An area that is in no range of sizes: who finds such an object is neither right nor wrong, and so is who does not."""


class BoxLists(NamedTuple):
    """Where a workflow's types have their boxes."""

    truth: BoxList
    said: BoxList


def box_lists(truth: Node, said: Node) -> BoxLists | None:
    """Where boxes stand; None if one of the types does not have one list of them."""
    try:
        return BoxLists(box_list(truth, scored=False), box_list(said, scored=True))
    except InvalidInputError:
        return None


class TruthBoxes(NamedTuple):
    """What is in images.

    Attributes:
        truths: `image_id` is the number of the image.
        known: bool (rows,), whether a row of the suite has a list of boxes at all.
        boxes: float64 (n, 4), `[x, y, width, height]`.
        content: int64 (rows,), equal for rows that have the same boxes.
    """

    truths: Truths
    known: Flags
    boxes: Floats
    content: Indices


class Said(NamedTuple):
    """What a model saw.

    Attributes:
        detections: `image_id` is the number of the image.
        status: int8 (rows,), place in `STATUSES`, or `len(STATUSES)` if nobody asked.
        listed: bool (rows,), whether there is a list of boxes.
    """

    detections: Detections
    status: npt.NDArray[np.int8]
    listed: Flags


class SuiteBoxes:
    """Reads boxes.

    Args:
        session: where everything lies.
        state: as of which commit.
        workflow: of the suite.
        version: of the suite.
        lists: where boxes stand.

    Attributes:
        vocabulary: labels by their numbers.
        image: int64 (rows,), the number of the image of each row of the suite.
    """

    def __init__(self, session: Session, state: State, workflow: Row, version: Row, lists: BoxLists) -> None:
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

    def truths(self) -> TruthBoxes:
        """Of all rows of the suite.

        Raises:
            InvalidInputError: there are objects without a box.
        """
        import numpy as np

        source = self._suite.truth
        assert source is not None, "a suite has ground truths"
        found = _Columns(self.vocabulary, self.image, self._lists.truth, "ground truths")
        for table in self._suite.tables(BATCH, only=source):
            found.add(_lists_in(table, source, self._lists.truth))
        shapes, area, uncounted = found.boxes, found.column("area"), found.flags("difficult")
        corners = found.corners
        area = np.where(np.isnan(area), corners[:, 0] * corners[:, 1], area)
        crowd = found.flags("iscrowd")
        truths = Truths(
            image_id=found.image,
            category_id=found.labels,
            shapes=shapes,
            area=np.where(uncounted, UNCOUNTED, area),
            iscrowd=crowd,
            images=np.arange(len(self.image)),
        )
        return TruthBoxes(truths, found.listed, shapes, found.content([*shapes.T, truths.area, crowd]))

    def said(self, version_id: str) -> Said:
        """Of all rows of the suite.

        Raises:
            InvalidInputError: there are detections without a box.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = Inferred(self._session, self._state, self._workflow, version_id, self._version)
        assert rows.inference is not None, "a model version has inferences"
        found = _Columns(self.vocabulary, self.image, self._lists.said, "inferences")
        names, status = pa.array([*STATUSES, "missing"]), [np.empty(0, np.int8)]
        for table in rows.tables(BATCH, only=rows.inference):
            found.add(_lists_in(table, rows.inference, self._lists.said))
            status.append(pc.index_in(table["status"], names).to_numpy().astype(np.int8))
        shapes = found.boxes
        score = self._lists.said.score
        assert score is not None, "boxes of inferences are scored"
        detections = Detections(
            image_id=found.image,
            category_id=found.labels,
            shapes=shapes,
            score=found.column(score),
            area=np.asarray(shapes[:, 2] * shapes[:, 3]),
        )
        return Said(detections, np.concatenate(status), found.listed)


def _lists_in(table: pa.Table, source: Source, boxes: BoxList) -> pa.ChunkedArray:
    return table[source.names[boxes.field]]


class _Columns:
    """Boxes, as they are read some rows at a time."""

    def __init__(self, vocabulary: Vocabulary, image: Indices, boxes: BoxList, what: str) -> None:
        self._vocabulary = vocabulary
        self._image_of = image
        self._boxes = boxes
        self._what = what
        self._begin = 0
        self._parts: dict[str, list[npt.NDArray[np.generic]]] = {}

    def add(self, column: pa.ChunkedArray) -> None:
        """The lists of the next rows of the suite."""
        import numpy as np
        import pyarrow.compute as pc

        rows, boxes = items_of(column, self._boxes)
        self._put("listed", np.asarray(column.is_valid()).astype(bool))
        self._put("image", self._image_of[self._begin + rows])
        self._begin += len(column)
        labels = pc.struct_field(boxes, "label").dictionary_encode()
        codes = self._vocabulary.codes(labels.dictionary.to_pylist()).astype(np.int64)
        self._put("label", codes[labels.indices.to_numpy()] if len(codes) else np.empty(0, np.int64))
        for corner in ("top_left", "bottom_right"):
            for axis in ("x", "y"):
                self._put(f"{corner}.{axis}", self._floats(boxes, corner, axis, required=True))
        for axis in ("width", "height"):
            self._put(axis, self._floats(boxes, "size", axis))
        for name in ("area", *(() if self._boxes.score is None else (self._boxes.score,))):
            self._put(name, self._floats(boxes, name))
        for name in ("iscrowd", "difficult"):
            self._put(name, np.nan_to_num(self._floats(boxes, name)).astype(bool))

    def _put(self, name: str, values: npt.NDArray[np.generic]) -> None:
        self._parts.setdefault(name, []).append(values)

    def _floats(self, boxes: pa.StructArray, *path: str, required: bool = False) -> Floats:
        """A leaf; NaN where there is none."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if boxes.type.get_field_index(path[0]) < 0:
            return np.full(len(boxes), np.nan)
        leaf = pc.struct_field(boxes, list(path))
        if required and leaf.null_count:
            raise InvalidInputError(
                f"{leaf.null_count:,} objects in {self._what} have no box; compare models of which all objects have one"
            )
        if pa.types.is_boolean(leaf.type):
            leaf = leaf.cast(pa.int8())
        return np.asarray(leaf.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)

    def _all(self, name: str) -> npt.NDArray[np.generic]:
        import numpy as np

        return np.concatenate(self._parts[name])

    @property
    def listed(self) -> Flags:
        """Whether each row of the suite has a list."""
        return self._all("listed").astype(bool)

    @property
    def image(self) -> Indices:
        """Of each box."""
        import numpy as np

        return self._all("image").astype(np.int64)

    @property
    def labels(self) -> Indices:
        """Numbers of labels."""
        import numpy as np

        return self._all("label").astype(np.int64)

    def column(self, name: str) -> Floats:
        """Numbers of each box; NaN where there is none."""
        import numpy as np

        return self._all(name).astype(np.float64)

    def flags(self, name: str) -> Flags:
        """Of each box; False where nothing is said."""
        return self._all(name).astype(bool)

    @property
    def corners(self) -> Floats:
        """(n, 2): width and height, as the corners have them."""
        import numpy as np

        return np.stack(
            [self.column(f"bottom_right.{each}") - self.column(f"top_left.{each}") for each in "xy"], axis=1
        )

    @property
    def boxes(self) -> Floats:
        """(n, 4): `[x, y, width, height]`; width and height as they are stored, where they are."""
        import numpy as np

        sides = np.stack([self.column("width"), self.column("height")], axis=1)
        corner = np.stack([self.column("top_left.x"), self.column("top_left.y")], axis=1)
        return np.concatenate([corner, np.where(np.isnan(sides), self.corners, sides)], axis=1)

    def content(self, columns: list[npt.NDArray[np.generic]]) -> Indices:
        """One number for each row of the suite, equal for rows with the same boxes, in whatever order they stand."""
        import numpy as np

        labels = self.labels
        mixed = _mixed(labels.astype(np.uint64))
        for each in columns:
            mixed = _mixed(mixed ^ each.astype(np.float64).view(np.uint64))
        sums = np.zeros(len(self._image_of), np.uint64)
        np.add.at(sums, self.image, mixed)
        return np.unique(sums[self._image_of], return_inverse=True)[1].astype(np.int64)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Other 64 bits, of which each depends on all (splitmix64, G. Steele et al., 2014)."""
    import numpy as np

    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
