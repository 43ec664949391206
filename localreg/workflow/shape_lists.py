"""Where a type holds labelled shapes, that is boxes, polygons or masks, and these as rows of their own."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from localreg.errors import InvalidInputError
from localreg.tables import Node

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = [
    "IOU_TYPES",
    "IouType",
    "Items",
    "Kind",
    "ShapeList",
    "ShapeLists",
    "box_list",
    "items_of",
    "one_list",
    "shape_lists",
]

Kind: TypeAlias = Literal["boxes", "polygons", "masks"]
IouType: TypeAlias = Literal["bbox", "segm"]
"""What overlaps are of, in the words of pycocotools: boxes, or pixels."""

KINDS: dict[IouType, tuple[Kind, ...]] = {"bbox": ("boxes",), "segm": ("polygons", "masks")}
IOU_TYPES = tuple(KINDS)
SCORES = ("score", "confidence")
MEMBERS: dict[Kind, str] = {
    "boxes": "label, top_left, bottom_right",
    "polygons": "label, points",
    "masks": "label, segmentation",
}
SEGMENTATION = {"polygons", "size", "counts", "runs"}
"""The fields of what stands for pixels in COCO files, as `localreg.coco.Segmentation` has them."""


class ShapeList(NamedTuple):
    """A field that is a list of labelled shapes, or of things some of which are.

    Attributes:
        kind: what they are; masks are those of COCO files, which may be polygons, too.
        field: its name.
        member: of a union, the member that is a shape; None = all are.
        score: the field of a shape that says how sure the model is; None = none.
    """

    kind: Kind
    field: str
    member: str | None
    score: str | None


class ShapeLists(NamedTuple):
    """Where a workflow's types have their shapes.

    Attributes:
        truth: in ground truths.
        said: in inferences.
    """

    truth: ShapeList
    said: ShapeList

    @property
    def iou_type(self) -> IouType:
        """What overlaps are of."""
        return "bbox" if self.truth.kind == "boxes" else "segm"


class Items(NamedTuple):
    """Shapes, one after the other.

    Attributes:
        rows: the row that each stands in, int64.
        shapes: a struct array.
    """

    rows: npt.NDArray[np.int64]
    shapes: pa.StructArray


def shape_lists(truth: Node, said: Node, iou_type: IouType | None = None) -> ShapeLists | None:
    """Where shapes stand; None if one of the types does not have one list of them.

    Args:
        truth: the type of ground truths.
        said: that of inferences.
        iou_type: which shapes; None = boxes, where both types have them, else what has pixels.
    """
    for each in KINDS if iou_type is None else (iou_type,):
        found = _lists(truth, KINDS[each], scored=False), _lists(said, KINDS[each], scored=True)
        if all(len(lists) == 1 for lists in found):
            return ShapeLists(found[0][0], found[1][0])
    return None


def one_list(node: Node, iou_type: IouType, *, scored: bool, needs: str) -> ShapeList:
    """The one field of a type that holds labelled shapes.

    Args:
        node: of a ground truth or an inference.
        iou_type: which shapes.
        scored: whether they must say how sure the model is.
        needs: who needs one list of them, and what else to do, for the message.

    Raises:
        InvalidInputError: there is none, or several.
    """
    kinds = KINDS[iou_type]
    found = _lists(node, kinds, scored=scored)
    if len(found) == 1:
        return found[0]
    more = " and score" if scored else ""
    wanted = ", or ".join(f"{MEMBERS[kind]}{more}" for kind in kinds)
    count = f"{len(found)} lists" if found else "no list"
    what = " or ".join(kinds)
    raise InvalidInputError(
        f"{node.name} has {count} of {'scored ' if scored else ''}labelled {what} (with {wanted}), and {needs}"
    )


def box_list(node: Node, *, scored: bool) -> ShapeList:
    """The one field of a type that holds labelled boxes, to be exported.

    Raises:
        InvalidInputError: there is none, or several.
    """
    return one_list(node, "bbox", scored=scored, needs="COCO takes one; export another format")


def _lists(node: Node, kinds: Collection[Kind], *, scored: bool) -> list[ShapeList]:
    return [
        each
        for field in node.fields
        for kind in kinds
        if (each := _of_field(field.name, field.node, kind, scored)) is not None
    ]


def _of_field(name: str, node: Node, kind: Kind, scored: bool) -> ShapeList | None:
    item = node.items if node.type == "list" else None
    if item is None:
        return None
    if item.type == "union":
        members = [field for field in item.fields if _is(kind, field.node, scored)]
        return ShapeList(kind, name, members[0].name, _score(members[0].node)) if len(members) == 1 else None
    return ShapeList(kind, name, None, _score(item)) if _is(kind, item, scored) else None


def _is(kind: Kind, node: Node, scored: bool) -> bool:
    if node.field("label") is None or (scored and _score(node) is None):
        return False
    if kind == "boxes":
        return all(_is_point(node.field(name)) for name in ("top_left", "bottom_right"))
    if kind == "polygons":
        points = node.field("points")
        return points is not None and points.type == "list" and _is_point(points.items)
    pixels = node.field("segmentation")
    return pixels is not None and {field.name for field in pixels.fields} >= SEGMENTATION


def _is_point(node: Node | None) -> bool:
    return node is not None and [field.name for field in node.fields] == ["x", "y"]


def _score(node: Node) -> str | None:
    return next((name for name in SCORES if node.field(name) is not None), None)


def items_of(column: pa.ChunkedArray, shapes: ShapeList) -> Items:
    """The shapes in a column of lists, in order; what else there is in it is left out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = column.combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    rows = pc.list_parent_indices(lists).to_numpy()
    items = lists.flatten()
    if shapes.member is not None:
        items = pc.struct_field(items, shapes.member)
    there = items.is_valid()
    if items.null_count:
        return Items(rows[np.asarray(there.to_numpy(zero_copy_only=False))], items.filter(there))
    return Items(rows, items)
