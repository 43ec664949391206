"""Labelled shapes of many images as columns for `localreg.metrics.coco`: no object is made of any of them.

Boxes are measured as they are. Polygons and masks become pixels, as COCO's code makes them: of an image of the
height and width that its sample says (`width`, `height`), else its ground truth; where neither does, of the size of a
run-length mask in it, else of one that holds all its polygons. What lies beyond an image is cut off, to the left and
above, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError
from localreg.metrics.coco import Detections, Truths
from localreg.metrics.coco.masks import Masks
from localreg.tables import Vocabulary
from localreg.workflow.shape_leaves import (
    bits_of,
    digests,
    floats_at,
    mixed,
    one_polygon_each,
    segmentations,
    starts_of,
)
from localreg.workflow.shape_lists import ShapeList, items_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["ShapeColumns", "common_sizes", "matchable", "told_sizes"]

UNCOUNTED = 2e10
"""An area that is in no range of sizes: who finds such an object is neither right nor wrong, and so is who does not."""
FARTHEST = 2**31
"""Pixels that no side of an image reaches."""
FLAGS = ("iscrowd", "difficult")


class Extents(NamedTuple):
    """How large images must be, by their numbers: height and width, zeros of those without any.

    Attributes:
        polygons: (rows, 2), to hold all polygons.
        masks: (rows, 2), by the run-length masks in them.
    """

    polygons: Indices
    masks: Indices


class ShapeColumns:
    """Shapes of rows, as they are read some rows at a time.

    Args:
        vocabulary: takes up labels.
        image: int64 (rows,), the number of each row's image: 0, 1, … in any order.
        shapes: where they stand.
        what: these are, for messages.
    """

    def __init__(self, vocabulary: Vocabulary, image: Indices, shapes: ShapeList, what: str) -> None:
        self._vocabulary = vocabulary
        self._image_of = image
        self._shapes = shapes
        self._what = what
        self._begin = 0
        self._parts: dict[str, list[npt.NDArray[np.generic]]] = {}
        self._pixels: list[pa.StructArray] = []
        self._painted: tuple[Indices, Masks] | None = None

    def add(self, column: pa.ChunkedArray) -> None:
        """The lists of the next rows.

        Raises:
            InvalidInputError: something in them has no shape.
        """
        import numpy as np

        rows, items = items_of(column, self._shapes)
        self._put("listed", np.asarray(column.is_valid()).astype(bool))
        self._put("image", self._image_of[self._begin + rows])
        self._begin += len(column)
        self._put("label", self._codes(items))
        if self._shapes.kind != "polygons":
            self._put_boxes(items)
        if self._shapes.kind != "boxes":
            self._pixels.append(self._segmentations(items))
        for name in ("area", *(() if self._shapes.score is None else (self._shapes.score,))):
            self._put(name, floats_at(items, name))
        for name in FLAGS:
            self._put(name, np.nan_to_num(floats_at(items, name)).astype(bool))

    def _codes(self, items: pa.StructArray) -> Indices:
        import numpy as np
        import pyarrow.compute as pc

        labels = pc.struct_field(items, "label").dictionary_encode()
        codes = self._vocabulary.codes(labels.dictionary.to_pylist()).astype(np.int64)
        return codes[labels.indices.to_numpy()] if len(codes) else np.empty(0, np.int64)

    def _put_boxes(self, items: pa.StructArray) -> None:
        for corner in ("top_left", "bottom_right"):
            for axis in ("x", "y"):
                found = floats_at(items, corner, axis)
                if self._shapes.kind == "boxes":
                    self._refuse(found != found, "box", "iou_type='segm', or evaluator 'segmentation'")
                self._put(f"{corner}.{axis}", found)
        for axis in ("width", "height"):
            self._put(axis, floats_at(items, "size", axis))

    def _segmentations(self, items: pa.StructArray) -> pa.StructArray:
        """What stands for the pixels of each, as COCO files have it."""
        import pyarrow.compute as pc

        if self._shapes.kind == "masks":
            found = pc.struct_field(items, "segmentation")
            self._refuse(found.is_null(), "mask", "iou_type='bbox', or evaluator 'detection'")
            return segmentations({field.name: pc.struct_field(found, field.name) for field in found.type}, len(found))
        points = pc.struct_field(items, "points")
        self._refuse(points.is_null(), "polygon")
        return segmentations({"polygons": one_polygon_each(points)}, len(points))

    def _refuse(self, lacking: object, what: str, other: str | None = None) -> None:
        import numpy as np

        count = int(np.count_nonzero(np.asarray(lacking, bool)))
        if count:
            hint = "" if other is None else f"; to measure what else they have, say {other}"
            raise InvalidInputError(
                f"{count:,} objects in {self._what} have no {what}, and all of them must have one{hint}"
            )

    def _put(self, name: str, values: npt.NDArray[np.generic]) -> None:
        self._parts.setdefault(name, []).append(values)

    # --- of each row, of each shape -----------------------------------------------------------------------------------

    def _all(self, name: str) -> npt.NDArray[np.generic]:
        import numpy as np

        return np.concatenate(self._parts[name])

    @property
    def listed(self) -> Flags:
        """Whether each row has a list."""
        return self._all("listed").astype(bool)

    @cached_property
    def image(self) -> Indices:
        """Of each shape."""
        import numpy as np

        return self._all("image").astype(np.int64)

    def _column(self, name: str) -> Floats:
        """Numbers of each shape; NaN where there is none."""
        import numpy as np

        return self._all(name).astype(np.float64)

    def _flags(self, name: str) -> Flags:
        return self._all(name).astype(bool)

    @property
    def _extent(self) -> Floats:
        """(n, 2): width and height, as the corners have them."""
        import numpy as np

        return np.stack(
            [self._column(f"bottom_right.{each}") - self._column(f"top_left.{each}") for each in "xy"], axis=1
        )

    @property
    def _boxes(self) -> Floats:
        """(n, 4): `[x, y, width, height]`; width and height as they are stored, where they are."""
        import numpy as np

        sides = np.stack([self._column("width"), self._column("height")], axis=1)
        corner = np.stack([self._column("top_left.x"), self._column("top_left.y")], axis=1)
        return np.concatenate([corner, np.where(np.isnan(sides), self._extent, sides)], axis=1)

    # --- sizes of images ----------------------------------------------------------------------------------------------

    def extents(self) -> Extents:
        """How large images must be to hold all their shapes."""
        import numpy as np
        import pyarrow.compute as pc

        polygons, masks = (np.zeros((len(self._image_of), 2), np.int64) for _ in range(2))
        begin = 0
        for part in self._pixels:
            image = self.image[begin : begin + len(part)]
            begin += len(part)
            outlines = part.field("polygons").flatten()
            polygon = pc.list_parent_indices(outlines).to_numpy()
            row = pc.list_parent_indices(part.field("polygons")).to_numpy()[polygon]
            is_y = (np.arange(len(polygon)) - starts_of(outlines)[polygon]) % 2
            numbers = np.nan_to_num(outlines.flatten().to_numpy(), nan=0.0)
            farthest = np.clip(np.ceil(numbers), 0, FARTHEST).astype(np.int64) + 1
            np.maximum.at(polygons, (image[row], 1 - is_y), farthest)
            masked = np.asarray(part.field("polygons").is_null())
            sides = [pc.fill_null(part.field("size").field(name), 0).to_numpy() for name in ("height", "width")]
            np.maximum.at(masks, image[masked], np.stack(sides, axis=1)[masked].astype(np.int64))
        return Extents(polygons, masks)

    def _masks(self, sizes: Indices) -> Masks:
        """Pixels; kept, since mostly sizes are those of the last time."""
        import numpy as np
        import pyarrow as pa

        if self._painted is None or not np.array_equal(self._painted[0], sizes):
            given = pa.concat_arrays(self._pixels)
            self._painted = sizes, Masks.of(given, sizes[self.image], self._what)
        return self._painted[1]

    # --- for the metrics ----------------------------------------------------------------------------------------------

    def shapes(self, sizes: Indices) -> Floats | Masks:
        """Boxes `[x, y, width, height]`, or masks.

        Args:
            sizes: (rows, 2), height and width of each image by its number; those of boxes do not matter.
        """
        return self._boxes if self._shapes.kind == "boxes" else self._masks(sizes)

    def truths(self, sizes: Indices) -> Truths:
        """What is there."""
        import numpy as np

        shapes, area = self.shapes(sizes), self._column("area")
        own = shapes.area.astype(np.float64) if isinstance(shapes, Masks) else self._extent[:, 0] * self._extent[:, 1]
        area = np.where(np.isnan(area), own, area)
        return Truths(
            image_id=self.image,
            category_id=self._all("label").astype(np.int64),
            shapes=shapes,
            area=np.where(self._flags("difficult"), UNCOUNTED, area),
            iscrowd=self._flags("iscrowd"),
            images=np.arange(len(self._image_of)),
        )

    def detections(self, sizes: Indices) -> Detections:
        """What was seen.

        Of masks that come with boxes sizes go by these, as in COCO's code.
        """
        import numpy as np

        shapes, score = self.shapes(sizes), self._shapes.score
        assert score is not None, "shapes of inferences are scored"
        area = shapes.area.astype(np.float64) if isinstance(shapes, Masks) else np.asarray(shapes[:, 2] * shapes[:, 3])
        if self._shapes.kind == "masks":
            of_box = self._boxes[:, 2] * self._boxes[:, 3]
            area = area if np.isnan(of_box).any() else of_box
        return Detections(
            image_id=self.image,
            category_id=self._all("label").astype(np.int64),
            shapes=shapes,
            score=self._column(score),
            area=area,
        )

    def content(self, truths: Truths) -> Indices:
        """One number for each row, equal for rows with the same shapes, in whatever order they stand.

        Args:
            truths: of all rows.
        """
        import numpy as np

        found = mixed(truths.category_id.astype(np.uint64))
        shapes = truths.shapes
        numbers = [truths.area, truths.iscrowd.astype(np.float64)]
        outlines = [digests(shapes)] if isinstance(shapes, Masks) else [bits_of(each) for each in shapes.T]
        for each in (*outlines, *map(bits_of, numbers)):
            found = mixed(found ^ each)
        sums = np.zeros(len(self._image_of), np.uint64)
        np.add.at(sums, self.image, found)
        return np.unique(sums[self._image_of], return_inverse=True)[1].astype(np.int64)


def matchable(truths: ShapeColumns, said: ShapeColumns, sizes: Indices) -> tuple[Truths, Detections]:
    """What is there and what a model saw, with pixels of images of one size.

    Args:
        truths: of all rows.
        said: of the same rows.
        sizes: (rows, 2), height and width of each image by its number, if it is told; zeros where it is not.
    """
    sizes = common_sizes(sizes, truths, said)
    return truths.truths(sizes), said.detections(sizes)


def common_sizes(sizes: Indices, *columns: ShapeColumns) -> Indices:
    """Sizes that are told, and where they are not, those of run-length masks, or else such as hold all polygons."""
    import numpy as np

    if (sizes > 0).all():
        return sizes
    polygons, masks = (np.maximum.reduce(each) for each in zip(*(own.extents() for own in columns), strict=True))
    held = np.where((masks > 0).all(axis=1, keepdims=True), masks, polygons)
    return np.where((sizes <= 0).any(axis=1, keepdims=True), held, sizes)


def told_sizes(image: Indices, said: Sequence[tuple[Floats, Floats]]) -> Indices:
    """(rows, 2): height and width of each image by its number, zeros where nobody says both.

    Args:
        image: int64 (rows,), the number of each row's image.
        said: heights and widths of rows, NaN where there are none; the first that says both counts.
    """
    import numpy as np

    sizes = np.zeros((len(image), 2), np.int64)
    for sides in said:
        told = np.stack([np.nan_to_num(each) for each in sides], axis=1).astype(np.int64)
        news = np.flatnonzero((sizes[image] <= 0).any(axis=1) & (told > 0).all(axis=1))
        sizes[image[news]] = told[news]
    return sizes
