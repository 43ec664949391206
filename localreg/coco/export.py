"""A test suite as a COCO file of annotations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import InvalidInputError
from localreg.models import SuiteVersion
from localreg.names import check_flag
from localreg.session import Session
from localreg.storage.new_file import checked_target, new_file
from localreg.workflow.export.coco_json import (
    FILE_NAME,
    Categories,
    categories_of,
    first_rows,
    header_of,
    image_ids,
    object_lines,
)
from localreg.workflow.inferred import BATCH, Inferred, suite_rows
from localreg.workflow.shape_lists import Items, ShapeList, box_list, items_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["export_annotations"]

_OWN = ("images", "annotations", "categories")


def export_annotations(
    session: Session, path: str | os.PathLike[str], *, suite: str | SuiteVersion, overwrite: bool = False
) -> int:
    """See `Registry.export_coco`."""
    target = checked_target(path, overwrite=check_flag(overwrite, what="overwrite"))
    rows = suite_rows(session, suite)
    assert rows.truth is not None, "a suite has ground truths"
    boxes = box_list(rows.truth.column.node, scored=False)
    with new_file(target, overwrite=overwrite) as file:
        return _Annotations(rows, boxes).write(file)


class _Annotations:
    def __init__(self, rows: Inferred, boxes: ShapeList) -> None:
        self._rows = rows
        self._boxes = boxes
        self._ids = image_ids(rows)
        self._first = first_rows(rows)
        self._own_ids = all(_has_ids(items_of(column, boxes).shapes) for column in self._columns())

    def write(self, file: BinaryIO) -> int:
        """Write all, in batches; how many annotations there are."""
        head, categories = header_of(self._rows), categories_of(self._rows)
        told: JsonObject = {
            **{key: value for key, value in head.items() if key not in _OWN},
            "categories": list(categories.entries),
        }
        lines = [f"{canonical(key)}: {canonical(value)}" for key, value in told.items()]
        file.write(b"{\n" + ",\n".join(lines).encode() + b',\n"images": [')
        _write_lines(file, self._images())
        file.write(b'],\n"annotations": [')
        count = _write_lines(file, self._annotations(categories))
        file.write(b"]\n}\n")
        return count

    def _images(self) -> Iterator[str]:
        begin = 0
        for table in self._rows.tables(BATCH, only=self._rows.sample):
            kept = self._first[begin : begin + table.num_rows]
            ids = self._ids[begin : begin + table.num_rows]
            for id, row in zip(ids[kept].tolist(), self._shown(table.filter(kept)), strict=True):
                yield canonical({"id": id, **row})
            begin += table.num_rows

    def _shown(self, table: pa.Table) -> Iterator[dict[str, Any]]:
        """What is said of images; other fields than those of COCO are not."""
        names = self._rows.sample.names
        locator = next((names[key] for key in ("locator", FILE_NAME) if key in names), None)
        if locator is None:
            raise InvalidInputError("the samples have no locator, and an image of a COCO file has a name")
        sizes = [names[key] for key in ("width", "height") if key in names]
        for row in table.select([locator, *sizes, self._rows.sample.beside["metadata"]]).to_pylist():
            said = parse(row["metadata"] or "{}")
            metadata = said if isinstance(said, dict) else {}
            size = {key: row[names[key]] for key in ("width", "height") if row.get(names.get(key)) is not None}
            yield {FILE_NAME: row[locator], **size, **metadata}

    def _annotations(self, categories: Categories) -> Iterator[str]:
        import numpy as np

        begin, number = 0, 1
        for column in self._columns():
            rows, found = items_of(column, self._boxes)
            kept = self._first[begin + rows]
            items = Items(begin + rows[kept], _with_areas(found.filter(kept)))
            ids = _field(items.shapes, "id") if self._own_ids else np.arange(number, number + len(items.rows))
            told = {"id": ids, "image_id": self._ids[items.rows], "category_id": categories.of(items.shapes)}
            yield from object_lines(items, told)
            begin, number = begin + len(column), number + len(items.rows)

    def _columns(self) -> Iterator[pa.ChunkedArray]:
        """The lists of boxes, some rows at once."""
        truth = self._rows.truth
        assert truth is not None, "a suite has ground truths"
        for table in self._rows.tables(BATCH, only=truth):
            yield table[truth.names[self._boxes.field]]


def _field(boxes: pa.StructArray, name: str) -> pa.Array | None:
    import pyarrow.compute as pc

    return pc.struct_field(boxes, name) if boxes.type.get_field_index(name) >= 0 else None


def _has_ids(boxes: pa.StructArray) -> bool:
    """Whether each has an id of its own."""
    ids = _field(boxes, "id")
    return ids is not None and not ids.null_count


def _with_areas(boxes: pa.StructArray) -> pa.StructArray:
    """Boxes with `area` and `iscrowd`, without which the COCO tools take none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    fields = {field.name: boxes.field(number) for number, field in enumerate(boxes.type)}
    edges = [
        pc.subtract(pc.struct_field(boxes, ["bottom_right", axis]), pc.struct_field(boxes, ["top_left", axis]))
        for axis in ("x", "y")
    ]
    area = pc.multiply(*edges)
    fields["area"] = pc.coalesce(fields["area"], area) if "area" in fields else area
    if "iscrowd" not in fields:
        fields["iscrowd"] = pa.array(np.zeros(len(boxes), bool))
    return pa.StructArray.from_arrays(list(fields.values()), list(fields))


def _write_lines(file: BinaryIO, lines: Iterator[str]) -> int:
    count = 0
    for line in lines:
        file.write(b",\n" if count else b"\n")
        file.write(line.encode())
        count += 1
    file.write(b"\n")
    return count
