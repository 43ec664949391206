"""Records as rows of an Arrow table, with the columns of a snapshot file, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from localreg.arrow import array
from localreg.canonical import JsonObject, canonical, parse
from localreg.log.row import Row

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "JSON_COLUMNS", "OUTLINE", "all_rows", "as_json", "plain", "rows", "rows_table", "schema"]

COLUMNS = (
    "kind",
    "parent",
    "name",
    "id",
    "record",
    "metadata",
    "created_commit",
    "created_event",
    "created_at",
    "created_by",
    "updated_commit",
    "updated_event",
    "updated_at",
    "updated_by",
    "removed",
    "replaces",
)

OUTLINE = (*COLUMNS[:4], "created_commit", "created_event", "created_at", "created_by", "removed")
"""What the fold needs to know of a record that is put anew."""

_INTEGERS = frozenset({"created_commit", "created_event", "updated_commit", "updated_event"})
_BOOLEANS = frozenset({"removed", "replaces"})
JSON_COLUMNS = ("record", "metadata")
"""JSON text; marked as such in the file, so that a query reads paths in it without another look at the whole."""


def schema() -> pa.Schema:
    """Columns and types of a layer."""
    import pyarrow as pa

    def kind(column: str) -> pa.DataType:
        return pa.int64() if column in _INTEGERS else pa.bool_() if column in _BOOLEANS else pa.string()

    return pa.schema([(column, kind(column)) for column in COLUMNS])


def rows_table(rows: Iterable[Row]) -> pa.Table:
    """Rows as an Arrow table with the columns of a layer; `record` and `metadata` are canonical JSON text.

    Metadata has a column of its own: it is what people search by, and the rest of a record need not be parsed for it.
    """
    import pyarrow as pa

    values = [
        (
            *row[:4],
            *_texts(row.record),
            *row.created,
            row.created_at,
            row.created_by,
            *row.updated,
            row.updated_at,
            row.updated_by,
            False,
            False,
        )
        for row in rows
    ]
    columns: Sequence[Sequence[object]] = list(zip(*values, strict=True)) or [()] * len(COLUMNS)
    arrays = [array(column, kind) for column, kind in zip(columns, schema().types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema())


def _texts(record: JsonObject | None) -> tuple[str | None, str | None]:
    if record is None or "metadata" not in record:
        return None if record is None else canonical(record), None
    rest = {key: value for key, value in record.items() if key != "metadata"}
    return canonical(rest), canonical(record["metadata"])


def as_json(table: pa.Table) -> pa.Table:
    """The table with its JSON columns marked as such."""
    import pyarrow as pa

    for name in JSON_COLUMNS:
        chunks = [pa.ExtensionArray.from_storage(pa.json_(pa.utf8()), chunk) for chunk in table[name].chunks]
        marked = pa.chunked_array(chunks, pa.json_(pa.utf8()))
        table = table.set_column(table.column_names.index(name), name, marked)
    return table


def plain(table: pa.Table) -> pa.Table:
    """JSON columns as the text that they are."""
    import pyarrow as pa

    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if isinstance(column.type, pa.BaseExtensionType):
            text = pa.chunked_array([chunk.storage for chunk in column.chunks], pa.string())
            table = table.set_column(place, name, text)
    return table


def rows(table: pa.Table, columns: tuple[str, ...] = COLUMNS) -> Iterator[Row]:
    """The rows of those that are not gone; of columns that are not there, None."""
    return (row for row, removed in all_rows(table, columns) if not removed)


def all_rows(table: pa.Table, columns: tuple[str, ...] = COLUMNS) -> Iterator[tuple[Row, bool]]:
    """The rows, each with whether it is gone."""
    nothing = [None] * table.num_rows
    values = [table[name].to_pylist() if name in columns else nothing for name in COLUMNS]
    for row in zip(*values, strict=True):
        yield _row(row), bool(row[-2])


def _row(values: Sequence[Any]) -> Row:
    """From the values of `COLUMNS`."""
    text, metadata = values[4:6]
    record = None if text is None else cast(JsonObject, parse(text))
    if record is not None and metadata is not None:
        record["metadata"] = parse(metadata)
    return Row._make((*values[:4], record, values[6:8], *values[8:10], values[10:12], *values[12:14]))
