"""Truths and detections out of tables: Arrow, pandas, Polars, DuckDB relations, or columns in a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.coco.columns import Detections, Truths
from localreg.metrics.coco.masks import Masks
from localreg.names import shown_value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Ids = npt.NDArray[np.generic]
    Numbers = npt.NDArray[np.float64]

__all__ = ["as_table", "detections_in", "truths_in"]

_SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"))


def as_table(given: object, what: str) -> pa.Table:
    """A table of any kind.

    Raises:
        InvalidInputError: it is none.
    """
    import pyarrow as pa

    try:
        if isinstance(given, pa.Table):
            return given
        if hasattr(given, "__arrow_c_stream__"):
            return pa.table(given)
        if hasattr(given, "to_arrow_table"):
            return given.to_arrow_table()
        if isinstance(given, Mapping):
            return pa.table(dict(given))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} cannot be read as a table: {error}") from error
    raise InvalidInputError(f"{what} must be a COCO file, what stands in one, or a table; this is {shown_value(given)}")


def truths_in(given: object, *, masks: bool) -> Truths:
    """Truths of a table; its columns are told by `coco_detection` and `coco_segmentation`.

    Raises:
        InvalidInputError: a column is missing, has nulls, or is something else.
    """
    import numpy as np

    table = as_table(given, "annotations")
    shapes = _masks(table, "annotations") if masks else _boxes(table, "annotations")
    crowd = _column(table, "iscrowd", "annotations") if "iscrowd" in table.column_names else np.zeros(table.num_rows)
    return Truths(
        image_id=_column(table, "image_id", "annotations"),
        category_id=_column(table, "category_id", "annotations"),
        shapes=shapes,
        area=_area(table, shapes, "annotations"),
        iscrowd=crowd.astype(bool),
    )


def detections_in(given: object, *, masks: bool) -> Detections:
    """Detections of a table with the same columns, `score` in place of `iscrowd`.

    Raises:
        InvalidInputError: a column is missing, has nulls, or is something else.
    """
    table = as_table(given, "results")
    shapes = _masks(table, "results") if masks else _boxes(table, "results")
    return Detections(
        image_id=_column(table, "image_id", "results"),
        category_id=_column(table, "category_id", "results"),
        shapes=shapes,
        score=_numbers(table, "score", "results"),
        area=_area(table, shapes, "results"),
    )


def _column(table: pa.Table, name: str, what: str) -> Ids:
    import numpy as np
    import pyarrow as pa

    if table.column_names.count(name) != 1:
        raise InvalidInputError(f"{what} have no column {name!r}, but {', '.join(table.column_names)}")
    column = table[name]
    if pa.types.is_null(column.type) and not len(column):
        return np.empty(0, np.int64)
    if column.null_count:
        raise InvalidInputError(f"{column.null_count:,} of {what} have no {name}")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return np.asarray(column.to_numpy())


def _numbers(table: pa.Table, name: str, what: str) -> Numbers:
    import numpy as np

    column = _column(table, name, what)
    if column.dtype.kind not in "iuf":
        raise InvalidInputError(f"{name} of {what} must be numbers, not {table[name].type}")
    return column.astype(np.float64)


def _boxes(table: pa.Table, what: str) -> Numbers:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if "bbox" not in table.column_names:
        names = next((sides for sides in _SIDES if {*sides} <= {*table.column_names}), None)
        if names is None:
            raise InvalidInputError(
                f"{what} need a column bbox, or x, y, w and h: there is {', '.join(table.column_names)}"
            )
        return np.stack([_numbers(table, name, what) for name in names], axis=1)
    column = table["bbox"].combine_chunks()
    try:
        column = column.cast(pa.list_(pa.float64()))
    except pa.ArrowException as error:
        raise InvalidInputError(f"bbox of {what} must be lists of numbers, not {column.type}") from error
    numbers = column.flatten()
    fitting = pc.all(pc.equal(pc.list_value_length(column), 4), min_count=0).as_py()
    if column.null_count or numbers.null_count or not fitting:
        raise InvalidInputError(f"{what} have a bbox that is not [x, y, width, height]")
    return np.asarray(numbers.to_numpy()).reshape(-1, 4)


def _masks(table: pa.Table, what: str) -> Masks:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = ("polygons", "size", "counts", "runs")
    column = table["segmentation"].combine_chunks() if "segmentation" in table.column_names else None
    if column is None or not pa.types.is_struct(column.type) or {*wanted} - {each.name for each in column.type}:
        raise InvalidInputError(f"{what} need a column segmentation, a struct of {', '.join(wanted)}")
    size = pc.struct_field(column, "size")
    if column.null_count or size.null_count:
        raise InvalidInputError(f"{what} have no segmentation, or none that tells its size, which polygons need, too")
    sides = [pc.struct_field(size, name).to_numpy() for name in ("height", "width")]
    return Masks.of(column, np.stack(sides, axis=1), what)


def _area(table: pa.Table, shapes: Numbers | Masks, what: str) -> Numbers:
    """As it is told, or else of the shapes."""
    import numpy as np

    if "area" in table.column_names:
        return _numbers(table, "area", what)
    if isinstance(shapes, Masks):
        return shapes.area.astype(np.float64)
    return np.asarray(shapes[:, 2] * shapes[:, 3])
