"""Boxes out of COCO files, in a fourth of the time that it takes to make objects of them.

DuckDB reads the few keys that count straight into columns. It is asked of plain files alone: where anything is missing,
null, broken, no whole number or not finite, nothing is taken from it, and the file is read object by object, which
says what is wrong, how often, and where first. So there is one way to be refused. (A number in quotation marks is the
one thing that passes here, as that number, and would be refused there.)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Numbers = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["plain_annotations", "plain_results", "whole"]

LARGEST_OBJECT = (1 << 32) - 1
"""Bytes of one JSON object, as DuckDB counts them; annotations are one."""
EXACT = 2.0**53
"""Below this, every whole number is a float."""

_OBJECTS = "STRUCT(id DOUBLE, image_id DOUBLE, category_id DOUBLE, bbox DOUBLE[], area DOUBLE, iscrowd DOUBLE)[]"
_ANNOTATIONS = f"{{images: 'STRUCT(id DOUBLE)[]', annotations: '{_OBJECTS}', categories: 'STRUCT(id DOUBLE)[]'}}"
_RESULTS = "{image_id: 'DOUBLE', category_id: 'DOUBLE', bbox: 'DOUBLE[]', score: 'DOUBLE'}"


def plain_annotations(path: str) -> dict[str, Any] | None:
    """Columns `images`, `categories`, `id`, `image_id`, `category_id`, `bbox`, `area`, `iscrowd`; None: not plain.

    An area that is not told is NaN.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    table = _read(path, "unstructured", _ANNOTATIONS, min(LARGEST_OBJECT, _size(path) + (1 << 12)))
    if table is None or table.num_rows != 1 or any(column.null_count for column in table.columns):
        return None
    lists = {name: table[name].combine_chunks().flatten() for name in table.column_names}
    if any(each.null_count for each in lists.values()):
        return None
    each = lists["annotations"]
    objects = pa.table({field.name: pc.struct_field(each, field.name) for field in each.type})
    found: dict[str, Any] = {name: whole(pc.struct_field(lists[name], "id")) for name in ("images", "categories")}
    found |= {name: whole(objects[name]) for name in ("id", "image_id", "category_id")}
    found["bbox"] = boxes(objects["bbox"])
    crowd = pc.fill_null(objects["iscrowd"], 0).to_numpy()
    area = pc.fill_null(objects["area"], np.nan).to_numpy()
    if any(each is None for each in found.values()) or not np.isin(crowd, (0, 1)).all():
        return None
    if np.isnan(area).sum() != objects["area"].null_count or np.isinf(area).any():
        return None
    if any(len(np.unique(found[name])) < len(found[name]) for name in ("images", "categories", "id")):
        return None
    return {**found, "area": area, "iscrowd": crowd.astype(bool)}


def plain_results(path: str) -> dict[str, Any] | None:
    """Columns `image_id`, `category_id`, `bbox` and `score`; None: not plain."""
    import numpy as np

    table = _read(path, "array", _RESULTS)
    if table is None or not table.num_rows:
        return None
    found: dict[str, Any] = {name: whole(table[name]) for name in ("image_id", "category_id")}
    found["bbox"] = boxes(table["bbox"])
    score = table["score"].combine_chunks()
    if any(each is None for each in found.values()) or score.null_count or not np.isfinite(score.to_numpy()).all():
        return None
    return {**found, "score": score.to_numpy()}


def whole(numbers: pa.Array | pa.ChunkedArray) -> Indices | None:
    """Floats as whole numbers; None if one is none."""
    import numpy as np

    values = numbers.to_numpy() if not numbers.null_count else np.array([np.nan])
    if not (np.abs(values) < EXACT).all() or (values != np.floor(values)).any():
        return None
    return np.asarray(values, np.int64)


def boxes(lists: pa.Array | pa.ChunkedArray) -> Numbers | None:
    """Boxes as an array; None if one is none that can be."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    column = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    if column.null_count or not pc.all(pc.equal(pc.list_value_length(column), 4), min_count=0).as_py():
        return None
    numbers = column.flatten()
    if numbers.null_count:
        return None
    values = numbers.to_numpy().reshape(-1, 4)
    with np.errstate(over="ignore", invalid="ignore"):
        good = np.isfinite(values[:, :2] + values[:, 2:]).all() and (values[:, 2:] >= 0).all()
    return values if good else None


def _read(path: str, form: str, columns: str, largest: int = 1 << 24) -> pa.Table | None:
    """The file as a table; None if DuckDB cannot, or takes the path for a pattern."""
    import duckdb

    if any(letter in path for letter in "*?[") or not os.path.isfile(path):
        return None
    query = (
        f"SELECT * FROM read_json(?, format = '{form}', columns = {columns}, compression = 'uncompressed', "
        f"maximum_object_size = {largest})"
    )
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        try:
            return connection.execute(query, [os.path.abspath(path)]).to_arrow_table()
        except duckdb.Error:
            return None


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
