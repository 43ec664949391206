"""Rows of a query as they come, on a cursor of their own: no other query waits for it, and it can be given up.

Guarantees: the rows are those of the state that was shown when it began, whatever is shown on the connection since
then; no more than a batch of them is in memory, but for what the query itself has to keep, such as to sort.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from localreg.query.database import executed, labelled_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["begun", "streamed"]

BATCH_ROWS = 10_000


def begun(connection: DuckDBPyConnection) -> DuckDBPyConnection:
    """A cursor that shows what the connection shows now. To be called while nobody swaps its tables."""
    cursor = connection.cursor()
    cursor.execute("BEGIN TRANSACTION")
    cursor.execute("FROM duckdb_schemas() LIMIT 1").fetchall()  # a transaction begins with its first look
    return cursor


def streamed(
    cursor: DuckDBPyConnection, sql: str, parameters: Sequence[object], *, timeout_s: float | None
) -> Iterator[pa.RecordBatch]:
    """The rows of a query, after a batch without rows, which has the columns. The cursor is closed at the end.

    Args:
        cursor: see `begun`.
        sql: the query.
        parameters: values of `?`.
        timeout_s: seconds that DuckDB may work on it, without those in which nobody asks for more; None = no end.

    Raises:
        duckdb.InterruptException: it took longer.
        duckdb.Error: the query fails.
        InvalidInputError: a parameter that DuckDB cannot take.
    """
    import pyarrow as pa

    patience = _Patience(cursor, timeout_s)
    try:
        with patience:
            answer = executed(cursor, sql, parameters)
            types = [str(column[1]) for column in answer.description or ()]
            reader = answer.to_arrow_reader(BATCH_ROWS)
            schema = labelled_schema(reader.schema, types)
        yield pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
        while True:
            with patience:
                batch = next(reader, None)
            if batch is None:
                return
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
    finally:
        cursor.close()


class _Patience:
    """Interrupts what a cursor does, once that took too long in all."""

    def __init__(self, cursor: DuckDBPyConnection, timeout_s: float | None) -> None:
        self._cursor = cursor
        self._left = timeout_s
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        self._began = time.monotonic()
        if self._left is not None:
            self._timer = threading.Timer(max(0.0, self._left), self._cursor.interrupt)
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None and self._left is not None:
            self._timer.cancel()
            self._left -= time.monotonic() - self._began
