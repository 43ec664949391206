"""What both kinds of COCO file need: ids of images and categories, and objects as text.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", 2014; https://cocodataset.org/#format-data. A box is
`[x, y, width, height]`. Width and height are those that are stored (`size`), where they are: x + width - x need not be
width again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError
from localreg.query.quoting import identifier
from localreg.workflow.export.json_text import json_of, selected
from localreg.workflow.inferred import BATCH, Inferred
from localreg.workflow.shape_lists import Items, ShapeList, box_list, items_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["COCO", "FILE_NAME", "Categories", "categories_of", "first_rows", "header_of", "image_ids", "object_lines"]

COCO = "coco"
"""The key of a test case version's details under which the rest of a COCO file stands."""
FILE_NAME = "file_name"
"""The key of an image's metadata under which its file name stands, where its locator says more."""
IMAGE_ID, CATEGORY_ID = "image_id", "category_id"


@dataclass(frozen=True)
class Categories:
    """Categories by name and by id.

    Attributes:
        entries: as they stand in a COCO file.
        ids: by name.
    """

    entries: Sequence[JsonObject]
    ids: Mapping[str, int]

    def of(self, boxes: pa.StructArray) -> pa.Array:
        """The id of each box: its own, where it has one, else by its label."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = pa.array(list(self.ids), pa.string())
        numbers = pa.array(list(self.ids.values()), pa.int64())
        found = numbers.take(pc.index_in(pc.struct_field(boxes, "label"), names))
        own = boxes.type.get_field_index(CATEGORY_ID) >= 0
        return pc.coalesce(pc.struct_field(boxes, CATEGORY_ID), found) if own else found


def header_of(rows: Inferred) -> JsonObject:
    """What COCO files said beside images and annotations, of all test cases together; categories each once.

    Raises:
        InvalidInputError: two test cases have one id for different categories.
    """
    headers = [header for case in rows.cases if isinstance(header := _details(rows, case).get(COCO), dict)]
    merged: JsonObject = {}
    categories: dict[Any, Any] = {}
    for header in headers:
        merged = {**header, **merged}
        listed: Any = header.get("categories", [])
        for each in listed:
            if categories.setdefault(each["id"], each) != each:
                raise InvalidInputError(
                    f"category {each['id']} is {each['name']!r} in one test case, and "
                    f"{categories[each['id']]['name']!r} in another: one COCO file cannot hold both"
                )
    return {**merged, "categories": list(categories.values())} if headers else {}


def _details(rows: Inferred, version_id: str) -> JsonObject:
    version = rows.state.get("test_case_version", version_id)
    details = None if version is None else version.fields.get("details")
    return details if isinstance(details, dict) else {}


def categories_of(rows: Inferred) -> Categories:
    """Those that COCO files brought; then the labels that have no category, in alphabetical order.

    Labels of ground truths are numbered before those that only inferences have: whoever exports both gets the same.
    """
    listed: Any = header_of(rows).get("categories", [])
    entries: dict[int, JsonObject] = {int(each["id"]): each for each in listed}
    named = list(_labels(rows))
    for label, id in sorted({(label, id) for labels in named for label, id in labels if id is not None}):
        entries.setdefault(id, {"id": id, "name": label})
    ids = {str(each["name"]): id for id, each in reversed(entries.items())}  # of two of a name the first
    for labels in named:
        for label in sorted({label for label, id in labels if id is None} - ids.keys()):
            ids[label] = max(entries, default=0) + 1
            entries[ids[label]] = {"id": ids[label], "name": label}
    return Categories(list(entries.values()), ids)


def _labels(rows: Inferred) -> Iterator[set[tuple[str, int | None]]]:
    """The labels of boxes, with the category that they say, if they do: of ground truths, of inferences."""
    for source, scored in ((rows.truth, False), (rows.inference, True)):
        if source is None:
            continue
        try:
            boxes = box_list(source.column.node, scored=scored)
        except InvalidInputError:
            if scored:
                raise
            continue  # what models are to find is told in another form: then their own labels are all there is
        column = source.names[boxes.field]
        yield set().union(*(_labels_in(table[column], boxes) for table in rows.tables(BATCH, only=source)))


def _labels_in(column: pa.ChunkedArray, boxes: ShapeList) -> set[tuple[str, int | None]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = items_of(column, boxes).shapes
    own = found.type.get_field_index(CATEGORY_ID) >= 0
    ids = pc.struct_field(found, CATEGORY_ID) if own else pa.nulls(len(found), pa.int64())
    pairs = pa.table({"label": pc.struct_field(found, "label"), "id": ids}).group_by(["label", "id"]).aggregate([])
    return {(each["label"], each["id"]) for each in pairs.to_pylist()}


def first_rows(rows: Inferred) -> npt.NDArray[np.bool_]:
    """Whether a row is the first of its sample: a COCO file has each image once."""
    import numpy as np

    first = np.zeros(len(rows.indices), bool)
    first[np.unique(rows.indices, return_index=True)[1]] = True
    return first


def image_ids(rows: Inferred) -> Indices:
    """The id of the image of each row: its field `image_id`, if all have one; else numbered from 1 as they come.

    Raises:
        InvalidInputError: two images have one id.
    """
    import numpy as np

    first = first_rows(rows)
    node = rows.sample.column.node.field(IMAGE_ID)
    columns = []
    if node is not None and node.type == "int":
        columns = [table[rows.sample.names[IMAGE_ID]] for table in rows.tables(BATCH, only=rows.sample)]
    if columns and not any(column.null_count for column in columns):
        ids = np.concatenate([np.asarray(column, np.int64) for column in columns])
        values, counts = np.unique(ids[first], return_counts=True)
        if (counts > 1).any():
            raise InvalidInputError(
                f"{int((counts > 1).sum()):,} image ids stand for several images, the first is "
                f"{int(values[counts > 1][0])}: one COCO file cannot hold them; export the test cases apart"
            )
        return ids
    _, inverse = np.unique(rows.indices, return_inverse=True)
    order = np.zeros(int(first.sum()), np.int64)
    order[inverse[first]] = np.arange(1, len(order) + 1)
    return order[inverse]


def object_lines(items: Items, members: Mapping[str, pa.Array]) -> list[str]:
    """Boxes as JSON objects, without what is null.

    Args:
        items: the boxes; of each, `bbox`, `segmentation` and so on are told, where its type has them.
        members: what else is told first, by key: of each box.
    """
    import pyarrow as pa

    told = {key: pa.array(values) for key, values in members.items()}
    columns = {**{f"_{key}": values for key, values in told.items()}, "box": items.shapes}
    json = {key: f"to_json({identifier(f'_{key}')})" for key in told}
    json |= _of_box(items.shapes.type)
    parts = ", ".join(f"""'"{key}": ' || {value}""" for key, value in json.items())
    sql = f"SELECT '{{' || concat_ws(', ', {parts}) || '}}' AS line FROM given"
    lines: list[str] = selected(sql, pa.table(columns))["line"].to_pylist()
    return lines


def _of_box(type: pa.StructType) -> dict[str, str]:
    """SQL of the members that a box has in a COCO file."""
    width, height = "box.bottom_right.x - box.top_left.x", "box.bottom_right.y - box.top_left.y"
    if type.get_field_index("size") >= 0:
        width, height = f"coalesce(box.size.width, {width})", f"coalesce(box.size.height, {height})"
    corner = "box.top_left.x, box.top_left.y"
    members = {"bbox": f"CASE WHEN box.top_left IS NOT NULL THEN to_json([{corner}, {width}, {height}]) END"}
    for name in ("area", "keypoints", "num_keypoints"):
        if type.get_field_index(name) >= 0:
            members[name] = json_of(f"box.{name}", type.field(name).type)
    for name in ("iscrowd", "ignore"):
        if type.get_field_index(name) >= 0:
            members[name] = f"to_json(CAST(box.{name} AS INTEGER))"
    if type.get_field_index("segmentation") >= 0:
        members["segmentation"] = _SEGMENTATION
    return members


_SIZE = "[box.segmentation.size.height, box.segmentation.size.width]"
_SEGMENTATION = f"""CASE
    WHEN box.segmentation.polygons IS NOT NULL THEN to_json(box.segmentation.polygons)
    WHEN box.segmentation.counts IS NOT NULL THEN json_object('size', {_SIZE}, 'counts', box.segmentation.counts)
    WHEN box.segmentation.runs IS NOT NULL THEN json_object('size', {_SIZE}, 'counts', box.segmentation.runs)
END"""
