"""Events from tables, many at once: columns `name`, and perhaps `source`, `wallclock` and `metadata`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.events.rows import FIRST, LAST, checked_moment, event_schema
from localreg.experiments.bulk import wallclocks
from localreg.names import check_name, did_you_mean
from localreg.tables import Fitting
from localreg.times import NOW
from localreg.workflow.bulk.json_text import json_objects
from localreg.workflow.bulk.source import opened

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["tables_of_events"]

COLUMNS = ("name", "source", "wallclock", "metadata")


def tables_of_events(given: object) -> Iterator[pa.Table]:
    """Events as rows of a part, batch by batch; `sequence` is the number of the row, from 0.

    Args:
        given: a table of any kind, see `localreg.workflow.bulk.source`.

    Raises:
        InvalidInputError: a column is missing, or is another than these; a value that its column cannot hold.
    """
    import pyarrow as pa

    source = opened(given)
    names = source.schema.names
    if "name" not in names:
        raise InvalidInputError(f"there is no column name among {', '.join(names)}; it says what happened")
    odd = next((name for name in names if name not in COLUMNS), None)
    if odd is not None:
        hint = did_you_mean(odd, COLUMNS) or "; put it into metadata"
        raise InvalidInputError(f"column {odd!r} is none of an event: {', '.join(COLUMNS)}{hint}")
    now, begin = checked_moment(NOW, what="wallclock"), 0
    source = source.with_objects(["metadata"] if "metadata" in names else [])
    for batch in source.batches(names):
        columns = {
            "name": _texts(batch, "name", begin, needed=True),
            "source": _texts(batch, "source", begin),
            "wallclock": _wallclocks(batch, now, begin),
            "metadata": _metadata(batch, begin),
            "sequence": pa.array(range(begin, begin + len(batch)), pa.int64()),
        }
        yield pa.table(columns, schema=event_schema())
        begin += len(batch)


def _texts(batch: pa.Table, name: str, begin: int, *, needed: bool = False) -> pa.Array:
    """A column of names, each distinct one checked."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name not in batch.column_names:
        return pa.nulls(len(batch), pa.string())
    column = batch[name].combine_chunks()
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or column.null_count == len(column)):
        raise InvalidInputError(f"column {name} holds {kind}; it must hold texts")
    if needed and column.null_count:
        row = begin + pc.index(column.is_null(), True).as_py()
        raise InvalidInputError(f"row {row} has no {name}; each event needs one")
    codes = column.cast(pa.string()).dictionary_encode()
    what = "name of the event" if needed else name
    known = [check_name(each, what=what) for each in codes.dictionary.to_pylist()]
    return pa.array(known, pa.string()).take(codes.indices)


def _wallclocks(batch: pa.Table, now: int, begin: int) -> pa.Array:
    """Moments of the years that an event may have; now if there is no column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moment = pa.timestamp("us", "UTC")
    if "wallclock" not in batch.column_names:
        return pa.array([now] * len(batch), pa.int64()).cast(moment)
    column = batch["wallclock"].combine_chunks()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        found = _of_texts(column)
    else:
        found = wallclocks(batch)
    micros = found.cast(pa.int64())
    odd = pc.invert(pc.and_(pc.greater_equal(micros, FIRST), pc.less_equal(micros, LAST))).fill_null(True)
    if odd.true_count:
        row = begin + pc.index(odd, True).as_py()
        raise InvalidInputError(
            f"row {row} has no wallclock of the years 1 to 9999; say one for each event, or leave the column out: that "
            "is now"
        )
    return found


def _of_texts(column: pa.Array) -> pa.Array:
    """Of seconds, or of ISO 8601, as texts."""
    import pyarrow as pa

    codes = column.cast(pa.string()).dictionary_encode()
    known = [_of_text(text) for text in codes.dictionary.to_pylist()]
    return pa.array(known, pa.int64()).take(codes.indices).cast(pa.timestamp("us", "UTC"))


def _of_text(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        return checked_moment(text, what="wallclock")
    return checked_moment(seconds, what="wallclock")


def _metadata(batch: pa.Table, begin: int) -> pa.Array:
    import pyarrow as pa

    if "metadata" not in batch.column_names:
        return pa.nulls(len(batch), pa.string())
    found = Fitting()
    column = batch["metadata"].combine_chunks()
    texts = json_objects(column, "metadata", found)
    if found.faults:
        fault = found.faults[0]
        raise InvalidInputError(f"row {begin + int(fault.rows[0])}: {fault.told()}")
    return texts
