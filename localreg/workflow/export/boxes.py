"""Where a type holds labelled boxes, and these as rows of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import InvalidInputError
from localreg.tables import Node

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["BoxList", "Items", "box_list", "items_of"]

SCORES = ("score", "confidence")


class BoxList(NamedTuple):
    """A field that is a list of labelled boxes, or of things some of which are.

    Attributes:
        field: its name.
        member: of a union, the member that is a box; None = all are.
        score: the field of a box that says how sure the model is; None = none.
    """

    field: str
    member: str | None
    score: str | None


class Items(NamedTuple):
    """Boxes, one after the other.

    Attributes:
        rows: the row that each stands in, int64.
        boxes: a struct array.
    """

    rows: npt.NDArray[np.int64]
    boxes: pa.StructArray


def box_list(node: Node, *, scored: bool) -> BoxList:
    """The one field of a type that holds labelled boxes.

    Args:
        node: of a ground truth or an inference.
        scored: whether they must say how sure the model is.

    Raises:
        InvalidInputError: there is none, or several.
    """
    found = [each for field in node.fields if (each := _of_field(field.name, field.node, scored)) is not None]
    if len(found) == 1:
        return found[0]
    wanted = f"label, top_left, bottom_right{' and score' if scored else ''}"
    count = f"{len(found)} lists" if found else "no list"
    raise InvalidInputError(
        f"{node.name} has {count} of {'scored ' if scored else ''}labelled boxes (with {wanted}), and COCO takes one; "
        "export another format"
    )


def _of_field(name: str, node: Node, scored: bool) -> BoxList | None:
    item = node.items if node.type == "list" else None
    if item is None:
        return None
    if item.type == "union":
        members = [field for field in item.fields if _is_box(field.node, scored)]
        return BoxList(name, members[0].name, _score(members[0].node)) if len(members) == 1 else None
    return BoxList(name, None, _score(item)) if _is_box(item, scored) else None


def _is_box(node: Node, scored: bool) -> bool:
    corners = [node.field(name) for name in ("top_left", "bottom_right")]
    pointed = all(each is not None and [field.name for field in each.fields] == ["x", "y"] for each in corners)
    return pointed and node.field("label") is not None and (not scored or _score(node) is not None)


def _score(node: Node) -> str | None:
    return next((name for name in SCORES if node.field(name) is not None), None)


def items_of(column: pa.ChunkedArray, boxes: BoxList) -> Items:
    """The boxes in a column of lists, in order; what else there is in it is left out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = column.combine_chunks()
    lists = pa.concat_arrays(lists.chunks) if isinstance(lists, pa.ChunkedArray) else lists
    rows = pc.list_parent_indices(lists).to_numpy()
    items = lists.flatten()
    if boxes.member is not None:
        items = pc.struct_field(items, boxes.member)
    there = items.is_valid()
    if items.null_count:
        return Items(rows[np.asarray(there.to_numpy(zero_copy_only=False))], items.filter(there))
    return Items(rows, items)
