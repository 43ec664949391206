"""Columns and numbers as callers pass them.

A column is a list or tuple, a numpy array, a Series of pandas or Polars, an Arrow array, or anything of one column that
speaks Arrow (a DuckDB relation, a table, a data frame). A missing value is None, an Arrow null or a masked cell; among
labels NaN and NaT are missing, too, since pandas writes them so; among numbers NaN is an error.

Rows of numbers are lists of lists, a numpy array (n, m), a column of lists, or anything of m columns that speaks Arrow.
Nothing but the order of rows holds columns together: fetch a DuckDB relation whose order is not told once, for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import TYPE_CHECKING, Protocol, SupportsFloat, TypeAlias, cast

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = [
    "Column",
    "check_lengths",
    "column_of",
    "is_number",
    "is_table",
    "matrix_of",
    "number_of",
    "numbers_of",
    "numpy_of",
    "present_numbers_of",
    "rows_of",
    "table_of",
    "whole_number_of",
]


class SupportsArrow(Protocol):
    """Anything that can be read as Arrow, such as a relation of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The protocol of Arrow's C stream."""


Column: TypeAlias = Iterable[object] | SupportsArrow

NUMBERS = "biuf"
"""The kinds of numpy's types that are numbers here."""


def number_of(value: object) -> float | None:
    """A number of any kind as a float, NaN and infinity, too; None if it is none.

    Text is none, though `float` would parse it. Python's floats do not overflow where numpy's small integers do.
    """
    if not isinstance(value, SupportsFloat):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):  # an array; a signalling NaN; a number of 400 digits
        return None


def whole_number_of(value: object, what: str, least: int = 1) -> int:
    """A whole number from `least`.

    Raises:
        InvalidInputError: it is none.
    """
    from operator import index

    try:
        number = index(cast(int, value))
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise InvalidInputError(f"{what} is {value!r}; it must be a whole number, {least} or more")
    return number


def column_of(values: Column, what: str) -> np.ndarray | pa.Array:
    """One column, as numpy numbers (bool, int, uint, float), dates, objects, or, if it holds nulls or text, as Arrow.

    Args:
        values: see the module.
        what: its name in messages.

    Raises:
        InvalidInputError: it has not one dimension, or more than one column.
    """
    import numpy as np

    if isinstance(values, str | bytes):
        raise InvalidInputError(f"{what} is a text; it must be a column: a list, an array, a series")
    if isinstance(values, np.ma.MaskedArray):
        values = values.tolist()
    if isinstance(values, np.ndarray):
        return _numpy_column(values, what)
    if _speaks_arrow(values):
        return _arrow_column(values, what)
    if hasattr(values, "__array__"):
        return _numpy_column(np.asarray(values), what)
    if not isinstance(values, Iterable):
        raise InvalidInputError(f"{what} has shape (); it must be (n,): a column, such as a list")
    return _listed_column(list(values), what)


def check_lengths(**columns: np.ndarray | pa.Array) -> None:
    """All have the same length.

    Raises:
        InvalidInputError: they have not.
    """
    if len({len(column) for column in columns.values()}) > 1:
        shapes = " and ".join(f"{what} has shape ({len(column)},)" for what, column in columns.items())
        raise InvalidInputError(f"{shapes}; they must be equal: one row for each sample")


def numbers_of(values: Column, what: str) -> np.ndarray:
    """A column of finite numbers: float32 stays, all else becomes float64; (n,).

    Raises:
        InvalidInputError: a value is missing, NaN, infinite or no number; the row is named.
    """
    numbers, there = present_numbers_of(values, what)
    if not there.all():
        raise InvalidInputError(
            f"{what} has no number in row {int(there.argmin())}; leave the sample out in all columns"
        )
    return numbers


def present_numbers_of(values: Column, what: str) -> tuple[np.ndarray, np.ndarray]:
    """As `numbers_of`, but values may be missing: the numbers (n,), 0 where there is none, and where there is one."""
    import numpy as np

    column = column_of(values, what)
    if not isinstance(column, np.ndarray):
        there = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), bool)
        column = _arrow_numbers(column, what)
    else:
        if column.dtype.kind == "O":
            column, there = _object_numbers(column, what)
        else:
            there = np.ones(len(column), bool)
    if column.dtype.kind not in NUMBERS:
        raise InvalidInputError(f"{what} holds {column.dtype}, not numbers")
    if column.dtype != np.float32:
        column = column.astype(np.float64, copy=False)
    if not np.isfinite(column).all():
        row = int(np.isfinite(column).argmin())
        raise InvalidInputError(f"{what} is {column[row]} in row {row}; numbers must be finite")
    return column, there


def matrix_of(values: object, what: str, rows: int | None = None) -> np.ndarray:
    """Finite numbers (n, m): float32 stays, all else becomes float64.

    Raises:
        InvalidInputError: another shape, or a value that is NaN, infinite or no number; the row is named.
    """
    import numpy as np

    try:
        matrix = table_of(values, what)
        if matrix.dtype != np.float32:
            matrix = matrix.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} is no table of numbers; it must be (n, m): {error}") from error
    if matrix.ndim != 2 or (rows is not None and len(matrix) != rows):
        raise InvalidInputError(f"{what} has shape {matrix.shape}; it must be ({'n' if rows is None else rows}, m)")
    good = np.isfinite(matrix).all(axis=1)
    if not good.all():
        raise InvalidInputError(f"{what} is NaN or infinite in row {int(good.argmin())}; numbers must be finite")
    return matrix


# --- from what callers pass to one column -----------------------------------------------------------------------------


def _numpy_column(values: np.ndarray, what: str) -> np.ndarray | pa.Array:
    if values.ndim != 1:
        raise InvalidInputError(f"{what} has shape {values.shape}; it must be (n,): one column")
    if values.dtype.kind in "UT":
        return _texts(values.tolist())
    if values.dtype.kind == "O":
        return _listed_column(values.tolist(), what)
    if values.dtype.kind == "f" and values.dtype.itemsize == 2:
        return values.astype("float32")
    return values


def _arrow_column(values: object, what: str) -> np.ndarray | pa.Array:
    import pyarrow as pa

    columns = _arrow_columns(values)
    if len(columns) != 1:
        raise InvalidInputError(f"{what} has {len(columns)} columns; select the one that is meant")
    column = _whole(columns[0])
    if pa.types.is_dictionary(column.type) and is_number(column.type.value_type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return column if column.null_count or not is_number(column.type) else numpy_of(column)


def is_number(kind: pa.DataType) -> bool:
    """Whether a type of Arrow is one of numbers, or booleans."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def is_table(values: object) -> bool:
    """Whether these are rows of numbers rather than one column; rows of different lengths are a table gone wrong."""
    import numpy as np

    if _speaks_arrow(values):
        columns = _arrow_columns(values)
        return len(columns) != 1 or _is_list(columns[0].type)
    try:
        return np.ndim(values) == 2  # type: ignore[arg-type] # anything has a dimension
    except ValueError:
        return True


def table_of(values: object, what: str) -> np.ndarray:
    """Rows of numbers as numpy has them, of any shape and type: who calls looks at these."""
    import numpy as np

    if not _speaks_arrow(values):
        return np.asarray(values)
    columns = [_whole(column) for column in _arrow_columns(values)]
    if len(columns) == 1 and _is_list(columns[0].type):
        return _list_rows(columns[0], what)
    return np.stack([numpy_of(column) for column in columns], axis=1) if columns else np.zeros((0, 0))


def rows_of(values: Iterable[object] | SupportsArrow, what: str) -> list[object]:
    """A column, or rows of numbers, as a list with an entry for each row."""
    if not _speaks_arrow(values):
        return list(cast(Iterable[object], values))
    columns = _arrow_columns(values)
    return list(table_of(values, what)) if len(columns) != 1 else cast("list[object]", columns[0].to_pylist())


def numpy_of(column: pa.Array) -> np.ndarray:
    """An array of Arrow as one of numpy."""
    return cast("np.ndarray", column.to_numpy(zero_copy_only=False))


def _speaks_arrow(values: object) -> bool:
    return hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__")


def _arrow_columns(values: object) -> list[pa.Array | pa.ChunkedArray]:
    """The columns of anything that speaks Arrow: an index of pandas is none of them."""
    import pyarrow as pa

    if isinstance(values, pa.Array | pa.ChunkedArray):
        return [values]
    if not hasattr(values, "columns"):  # a series
        return [pa.chunked_array(values)]
    is_pandas = hasattr(values, "iloc")
    table = pa.Table.from_pandas(values, preserve_index=False) if is_pandas else pa.table(values)
    return cast("list[pa.Array | pa.ChunkedArray]", table.columns)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # as older versions do, of no chunk or of many
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _list_rows(column: pa.Array, what: str) -> np.ndarray:
    """(n, m), of lists of one length."""
    import numpy as np
    import pyarrow.compute as pc

    lengths = numpy_of(pc.fill_null(pc.list_value_length(column), -1))
    if not len(lengths):
        return np.zeros((0, 0))
    odd = np.flatnonzero((lengths != lengths[0]) | (lengths < 0))
    if len(odd):
        has = "none" if lengths[odd[0]] < 0 else str(lengths[odd[0]])
        raise InvalidInputError(f"{what} has {has} numbers in row {odd[0]}, and {lengths[0]} in the first one")
    return numpy_of(column.flatten()).reshape(len(column), -1)


def _listed_column(values: list[object], what: str) -> np.ndarray | pa.Array:
    import numpy as np

    kinds = set(map(type, values))
    if values and all(issubclass(kind, str | NoneType) for kind in kinds):
        return _texts(values)
    if all(issubclass(kind, int | float | np.generic) for kind in kinds):
        column = np.asarray(values)
        rounded = column.dtype.kind == "f" and all(issubclass(kind, int | np.integer) for kind in kinds)
        if column.ndim == 1 and column.dtype.kind in NUMBERS and not (values and rounded):
            return column
    if any(issubclass(kind, list | np.ndarray) for kind in kinds):
        shape = np.shape(np.asarray(values, object))
        raise InvalidInputError(f"{what} has shape {shape}; it must be (n,): one column")
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _texts(values: list[object]) -> pa.Array:
    """Texts; of nothing but missing values, nulls, which may stand for numbers, too."""
    import pyarrow as pa

    column = pa.array(values, pa.large_string())
    return column if column.null_count < len(column) else pa.nulls(len(column))


def _arrow_numbers(column: pa.Array, what: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_null(kind):
        column = column.cast(pa.float64())
    elif not is_number(kind):
        raise InvalidInputError(f"{what} holds {kind}, not numbers")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    return numpy_of(pc.fill_null(column, pa.scalar(0, column.type)))


def _object_numbers(column: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    numbers, there = np.zeros(len(column)), np.ones(len(column), bool)
    for row, value in enumerate(column.tolist()):
        if value is None:
            there[row] = False
            continue
        number = number_of(value)
        if number is None:
            raise InvalidInputError(f"{what} is {value!r} in row {row}, which is no number")
        numbers[row] = number
    return numbers, there
