"""Rows of any number as a file, piece by piece: CSV, JSON or Parquet, as they come from the query.

CSV and JSON have the values that the command line writes: each digit, times as ISO 8601, bytes as hex. Of numbers that
are none CSV says which: `NaN`, `inf`, `-inf`; JSON has null.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import InvalidInputError
from localreg.query import Result
from localreg.query.text import cell, plain

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["WRITERS", "Writer", "batches_of"]

GROUP_ROWS = 100_000
"""Of a row group of Parquet: small ones are read slowly."""

BATCH_ROWS = 10_000
"""That are made text at one time."""

Batches = Iterator["pa.RecordBatch"]


class Writer(NamedTuple):
    """A format."""

    media_type: str
    pieces: Callable[[Batches], Iterator[bytes]]


def batches_of(table: pa.Table) -> Batches:
    """A table as writers take it: first a batch that may have no rows, so that its columns are told."""
    return chain([_without_rows(table.schema)], table.to_batches(max_chunksize=BATCH_ROWS))


def _without_rows(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """A batch as dicts, as `Result.dicts` gives them."""
    import pyarrow as pa

    return Result(lambda: pa.Table.from_batches([batch])).dicts()


def _csv(batches: Batches) -> Iterator[bytes]:
    for number, batch in enumerate(batches):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not number:
            writer.writerow(batch.schema.names)
        writer.writerows([_cell(value) for value in row.values()] for row in _rows(batch))
        yield text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    told = plain(value)
    return cell(told) if isinstance(told, bool | dict | list) else told


def _json(batches: Batches) -> Iterator[bytes]:
    begin = "["
    for batch in batches:
        text = []
        for row in _rows(batch):
            text.append(f"{begin}\n {json.dumps(plain(row), ensure_ascii=False, allow_nan=False)}")
            begin = ","
        yield "".join(text).encode()
    yield (b"[]\n" if begin == "[" else b"\n]\n")


def _parquet(batches: Batches) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    first = next(batches)
    try:
        writer = pq.ParquetWriter(sink, first.schema, compression="zstd")
    except pa.ArrowException as error:
        raise InvalidInputError(f"Parquet cannot hold these rows: {error}; cast the column to VARCHAR") from error
    with writer:
        held: list[pa.RecordBatch] = []
        for batch in batches:
            held.append(batch)
            if sum(each.num_rows for each in held) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(held))
                held = []
                yield _taken(sink)
        if held:
            writer.write_table(pa.Table.from_batches(held))
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    """What was written since the last time; the writer counts its bytes itself."""
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data


WRITERS = {
    "csv": Writer("text/csv; charset=utf-8", _csv),
    "json": Writer("application/json", _json),
    "parquet": Writer("application/vnd.apache.parquet", _parquet),
}
"""By the ending of a file's name."""
