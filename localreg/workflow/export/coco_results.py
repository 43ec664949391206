"""Inferences as a COCO results file: a list of detections, those of an image in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from localreg.workflow.export.coco_json import categories_of, first_rows, image_ids, object_lines
from localreg.workflow.inferred import BATCH
from localreg.workflow.shape_lists import Items, box_list, items_of

if TYPE_CHECKING:
    from localreg.workflow.inferred import Inferred

__all__ = ["write_results"]


def write_results(inferred: Inferred, file: BinaryIO) -> int:
    """Write them; each image once, however many test cases it stands in.

    Raises:
        InvalidInputError: the inference has not one list of scored labelled boxes; or two images have one id.
    """
    import pyarrow.compute as pc

    source = inferred.inference
    assert source is not None, "it was asked for with a model"
    boxes = box_list(source.column.node, scored=True)
    categories, ids, first = categories_of(inferred), image_ids(inferred), first_rows(inferred)
    begin = count = 0
    file.write(b"[")
    for table in inferred.tables(BATCH):
        rows, found = items_of(table[source.names[boxes.field]], boxes)
        kept = first[begin + rows]
        items = Items(rows[kept], found.filter(kept))
        score = pc.struct_field(items.shapes, boxes.score)
        told = {"image_id": ids[begin + items.rows], "category_id": categories.of(items.shapes), "score": score}
        for line in object_lines(items, told):
            file.write(b",\n" if count else b"\n")
            file.write(line.encode())
            count += 1
        begin += table.num_rows
    file.write(b"\n]\n")
    return count
