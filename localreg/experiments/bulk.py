"""Points from tables, many at once.

Either each row is a point, with columns `key` and `value`; or each column of numbers is a series, but for `step` and
`wallclock`, which belong to all values of the row. A null is no point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.experiments.points import check_key, point_schema
from localreg.workflow.bulk.source import opened

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["tables_of_points", "wallclocks"]

BESIDE = ("step", "wallclock")


def tables_of_points(given: object) -> Iterator[pa.Table]:
    """Points as rows of a part, batch by batch; `sequence` is the number of the row that they stand in, from 0.

    Args:
        given: a table of any kind, see `localreg.workflow.bulk.source`.

    Raises:
        InvalidInputError: a column of series holds no numbers, or there is none; a step is no whole number.
    """
    import pyarrow as pa

    source = opened(given)
    names = source.schema.names
    is_long = {"key", "value"} <= set(names)
    series = ["key", "value"] if is_long else [name for name in names if name not in BESIDE]
    if not series:
        raise InvalidInputError(
            f"there is no series among the columns {', '.join(names) or '(none)'}; each but step and wallclock is one, "
            "or there are columns key and value"
        )
    begin = 0
    for batch in source.batches([*series, *(name for name in BESIDE if name in names)]):
        beside = {
            "step": _steps(batch),
            "wallclock": wallclocks(batch),
            "sequence": pa.array(range(begin, begin + len(batch)), pa.int64()),
        }
        begin += len(batch)
        tables = [_long(batch, beside)] if is_long else [_series(batch, name, beside) for name in series]
        yield pa.concat_tables(tables)


def _series(batch: pa.Table, name: str, beside: dict[str, pa.Array]) -> pa.Table:
    import pyarrow as pa

    key = pa.DictionaryArray.from_arrays(pa.array([0] * len(batch), pa.int32()), [check_key(name)]).dictionary_decode()
    return _rows(key, _numbers(batch, name), beside)


def _long(batch: pa.Table, beside: dict[str, pa.Array]) -> pa.Table:
    import pyarrow as pa

    keys = batch["key"].combine_chunks()
    if not pa.types.is_string(keys.type) and not pa.types.is_large_string(keys.type):
        raise InvalidInputError(f"column key holds {keys.type}; it must hold the names of series, as text")
    if keys.null_count:
        raise InvalidInputError("column key holds a null; each row needs the name of its series")
    for key in keys.unique().to_pylist():
        check_key(key)
    return _rows(keys.cast(pa.string()), _numbers(batch, "value"), beside)


def _rows(keys: pa.Array, values: pa.Array, beside: dict[str, pa.Array]) -> pa.Table:
    import pyarrow as pa

    schema = point_schema()
    columns = {"key": keys, "value": values, **beside}
    arrays = [columns.get(field.name) for field in schema]
    filled = [
        pa.nulls(len(keys), field.type) if array is None else array for field, array in zip(schema, arrays, strict=True)
    ]
    return pa.Table.from_arrays(filled, schema=schema).filter(values.is_valid())


def _numbers(batch: pa.Table, name: str) -> pa.Array:
    import pyarrow as pa

    column = batch[name].combine_chunks()
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise InvalidInputError(f"column {name} holds {kind}, and a series is of numbers; leave it out, or convert it")
    return (column.cast(pa.int8()) if pa.types.is_boolean(kind) else column).cast(pa.float64(), safe=False)


def _steps(batch: pa.Table) -> pa.Array:
    import pyarrow as pa

    if "step" not in batch.column_names:
        return pa.nulls(len(batch), pa.int64())
    try:
        return batch["step"].combine_chunks().cast(pa.int64())
    except pa.ArrowException as error:
        raise InvalidInputError(f"column step cannot be read as whole numbers: {error}") from error


def wallclocks(batch: pa.Table) -> pa.Array:
    """The column `wallclock`; null where there is none.

    Raises:
        InvalidInputError: it holds no times.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.timestamp("us", "UTC")
    if "wallclock" not in batch.column_names:
        return pa.nulls(len(batch), kind)
    column = batch["wallclock"].combine_chunks()
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        micros = pc.round(pc.multiply(column.cast(pa.float64()), 1e6))
        return micros.cast(pa.int64()).cast(kind)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return column.cast(kind, safe=False)
    raise InvalidInputError(
        f"column wallclock holds {column.type}; write seconds since 1970, or time stamps with a time zone"
    )
