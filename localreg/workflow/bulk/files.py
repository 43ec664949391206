"""Files of rows that users bring: Parquet, CSV, JSON lines, Arrow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError, LocalregError, NotFoundError
from localreg.names import shown_value
from localreg.workflow.bulk.csv_kinds import ALL_KINDS, Kinds, narrowed
from localreg.workflow.bulk.source import BATCH_BYTES, BATCH_ROWS, Source, told

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["opened_file"]

MAX_COLUMNS = 10_000
MAX_GROUP_VALUES = 2**28
"""In one column of one row group."""
MAX_LIST_BYTES = 16 * 2**30
"""Of texts in lists in one row group, where one list might hold them all."""
BUFFER_BYTES = 2**20


def opened_file(given: str | Path) -> Source:
    """A file, by its ending.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: its kind is unknown, it is damaged, or it is made to fill the memory.
    """
    path = Path(given)
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if not os.path.isfile(path):  # False also where there can be none of that name
        raise _not_found(path)
    with _told(path):
        if kind in ("parquet", "pq"):
            return _parquet(path)
        if kind in ("csv", "tsv"):
            return _csv(path, "\t" if kind == "tsv" else ",")
        if kind in ("jsonl", "ndjson"):
            return _json_lines(path)
        if kind in ("arrow", "feather", "ipc"):
            return _ipc(path)
    if kind == "json":
        raise InvalidInputError(
            f"{path.name} is JSON as a whole; write an object a line, as .jsonl, or read it, and give the list of dicts"
        )
    raise InvalidInputError(
        f"{path.name} is of no kind that is known by its ending; name it .parquet, .csv, .tsv, .jsonl or .arrow, or "
        "read it into a table, and give that"
    )


def _not_found(path: Path) -> LocalregError:
    if os.path.isdir(path):
        return InvalidInputError(f"{str(path)!r} is a folder; give the files in it, as a list of their paths")
    pattern = "; a pattern is no path: give a list of paths" if any(each in path.name for each in "*?[") else ""
    return NotFoundError(f"there is no file {shown_value(str(path))}{pattern}")


def _told(path: Path) -> AbstractContextManager[None]:
    return told(path.name, OSError, UnicodeDecodeError)


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Source:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow.remove_metadata(), file.metadata.num_rows
        if file.metadata.num_columns > MAX_COLUMNS:
            raise InvalidInputError(
                f"{path.name} has {file.metadata.num_columns:,} columns; write the few that are wanted to a file"
            )

    def read(columns: list[str]) -> Iterator[pa.Table]:
        with _told(path):
            yield from _row_groups(path, columns)

    return Source(schema, read, rows, path.name)


def _row_groups(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """The rows, row group by row group, in batches that cannot take more memory than a batch may.

    A few bytes of Parquet can say that one text of a megabyte stands there a million times: what a dictionary holds is
    looked at before it is multiplied.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=BUFFER_BYTES) as file:
        for group in range(file.num_row_groups):
            rows = _rows_at_once(path, file, group, columns)
            for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
                yield pa.Table.from_batches([batch])


def _rows_at_once(path: Path, file: pq.ParquetFile, group: int, columns: list[str]) -> int:
    """How many rows of a row group can be read at once.

    Raises:
        InvalidInputError: not even one.
    """
    told = file.metadata.row_group(group)
    leaves = [told.column(number) for number in range(told.num_columns)]
    # The name of a column may have dots of its own.
    leaves = [leaf for leaf in leaves if any(f"{leaf.path_in_schema}.".startswith(f"{name}.") for name in columns)]
    texts = [leaf for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    longest = _longest_text(path, group, [leaf.path_in_schema for leaf in texts], columns) if texts else 0
    row_bytes = 0
    for leaf in leaves:
        value_bytes = longest if leaf.physical_type == "BYTE_ARRAY" else 16
        if leaf.num_values > MAX_GROUP_VALUES or (
            leaf.num_values > told.num_rows and value_bytes * leaf.num_values > MAX_LIST_BYTES
        ):
            raise InvalidInputError(
                f"row group {group} of {path.name} holds {leaf.num_values:,} values of {leaf.path_in_schema}, more "
                "than can be read at once; write the file with smaller row groups"
            )
        row_bytes += value_bytes * -(-leaf.num_values // max(1, told.num_rows))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))


def _longest_text(path: Path, group: int, leaves: list[str], columns: list[str]) -> int:
    """The length of the longest text in the dictionaries of a row group; others take the room that they take."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, read_dictionary=leaves) as file:
        for batch in file.iter_batches(1, row_groups=[group], columns=columns):
            return max(map(_longest_in, batch.columns), default=0)
    return 0


def _longest_in(column: pa.Array) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary.cast(pa.large_binary()))
        return int(pc.max(lengths).as_py() or 0)
    if pa.types.is_struct(column.type):
        return max((_longest_in(column.field(number)) for number in range(column.type.num_fields)), default=0)
    if pa.types.is_map(column.type):
        return max(_longest_in(column.keys), _longest_in(column.items))
    return _longest_in(column.values) if pa.types.is_list(column.type) else 0


# --- texts ------------------------------------------------------------------------------------------------------------


def _csv(path: Path, delimiter: str) -> Source:
    """CSV with a header: all columns as texts, of which an empty one that is not quoted is null."""
    import pyarrow as pa
    from pyarrow import csv

    options = {
        "read_options": csv.ReadOptions(block_size=8 * 2**20),
        "parse_options": csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
    }
    with csv.open_csv(path, **options) as reader:
        names = reader.schema.names
    nulls = {"null_values": [""], "strings_can_be_null": True, "quoted_strings_can_be_null": False}
    texts = csv.ConvertOptions(column_types={name: pa.string() for name in names}, **nulls)

    def read(columns: list[str]) -> Iterator[pa.Table]:
        with _told(path), csv.open_csv(path, convert_options=texts, **options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])

    def look(columns: list[str]) -> Kinds:
        found = dict.fromkeys(columns, ALL_KINDS)
        only = csv.ConvertOptions(include_columns=columns, column_types=texts.column_types, **nulls)
        with _told(path), csv.open_csv(path, convert_options=only, **options) as reader:
            for batch in reader:
                for name in columns:
                    found[name] = narrowed(found[name], batch[name])
        return found

    schema = pa.schema([(name, pa.string()) for name in names])
    return Source(schema, read, None, path.name, is_text=True, look=look)


def _json_lines(path: Path) -> Source:
    """One JSON object a line: the types are found by a look at the whole file, and texts stay texts."""
    import duckdb
    import pyarrow as pa

    from localreg.query.quoting import literal

    options = f"{literal(str(path))}, format = 'newline_delimited', maximum_object_size = {2**28}"
    with duckdb.connect(":memory:") as connection:
        query = f"FROM read_json({options}, sample_size = -1, map_inference_threshold = -1)"
        first = connection.execute(f"{query} LIMIT 1").to_arrow_table()
        if not first.num_rows:  # DuckDB says that there is a column `json`
            return Source(pa.schema([]), lambda _: [], 0, path.name)
        found = first.schema
        told = connection.execute(f"DESCRIBE {query}").fetchall()
    mixed = frozenset(name for name, kind, *_ in told if _MIXED.search(kind))
    return _json_columns(path, options, found, mixed)


_MIXED = re.compile(r"\bJSON\b")
"""In the type that DuckDB finds: values of several types, or objects without keys."""


def _json_columns(path: Path, options: str, found: pa.Schema, mixed: frozenset[str]) -> Source:
    import duckdb
    import pyarrow as pa

    from localreg.query.quoting import identifier, literal

    types = {field.name: "JSON" if field.name in mixed else _json_type(field.type) for field in found}
    kinds = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())

    def read(columns: list[str]) -> Iterator[pa.Table]:
        wanted = ", ".join(map(identifier, columns)) or "*"
        query = f"SELECT {wanted} FROM read_json({options}, columns = {{{kinds}}})"
        with _told(path), duckdb.connect(":memory:") as connection:
            for batch in connection.execute(query).to_arrow_reader(BATCH_ROWS):
                yield pa.Table.from_batches([batch])

    return Source(
        found,
        read,
        None,
        path.name,
        json=mixed,
        reread=lambda objects: _json_columns(path, options, found, objects & {*found.names}),
    )


def _json_type(kind: pa.DataType) -> str:
    """The DuckDB type of what was found in JSON, where texts that look like dates stay texts."""
    import pyarrow as pa

    from localreg.query.quoting import identifier

    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{identifier(field.name)} {_json_type(field.type)}' for field in kind)})"
    if pa.types.is_list(kind):
        return f"{_json_type(kind.value_type)}[]"
    if pa.types.is_boolean(kind):
        return "BOOLEAN"
    if pa.types.is_floating(kind):
        return "DOUBLE"
    if pa.types.is_decimal(kind):
        return "HUGEINT"
    if pa.types.is_integer(kind):
        return "UBIGINT" if kind == pa.uint64() else "BIGINT"
    return "VARCHAR"


def _ipc(path: Path) -> Source:
    import pyarrow as pa
    from pyarrow import ipc

    def batches(reader: Any) -> Iterator[pa.Table]:
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])

    def read(columns: list[str]) -> Iterator[pa.Table]:
        with _told(path), pa.memory_map(str(path)) as file:
            yield from batches(ipc.open_file(file))

    with pa.memory_map(str(path)) as file:
        schema = ipc.open_file(file).schema
    return Source(schema, read, None, path.name)
