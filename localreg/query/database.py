"""Connections that outlive a state: what differs from one commit to the next is swapped under the same views.

Opening DuckDB, locking it and making views costs more than most queries. So a connection is kept with the snapshot
files that it reads, and a new commit only replaces the small tables of what changed since the snapshot.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError, StorageError
from localreg.log import State
from localreg.query.result import JSON_FIELD
from localreg.query.syntax import clean_message

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from localreg.query.kept import Kept

__all__ = ["FILE_GONE", "Database", "Databases", "answer", "executed", "file_gone", "labelled_schema", "load"]

FILE_GONE = "file_gone"
"""Code of the error of a query whose files were cleaned up while it read them: it is run again."""

KEPT = 4
"""Connections that stay open: different tables, and the present beside a look into the past."""


class Database:
    """A locked connection and the states that its tables show at the moment.

    Attributes:
        connection: with views and tables in place.
        files: native paths of what it reads.
        layers: those of them that are layers of snapshots, for each namespace.
        shown: the states, one of each namespace; none before the first.
        kept: rows of these states that are kept, by table; None for one that has too many.
    """

    def __init__(self, connection: DuckDBPyConnection, files: Sequence[str], layers: Sequence[Sequence[Path]]) -> None:
        self.connection = connection
        self.files = files
        self.layers = layers
        self.shown: Sequence[State] = ()
        self.kept: dict[str, Kept | None] = {}


class Databases:
    """The connections of one session, the most recently used ones."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._kept: dict[Hashable, Database] = {}

    def get(self, key: Hashable, make: Callable[[], Database]) -> Database:
        """The connection of that key, made if need be, also anew when its files are gone: most are caches.

        To be called, and used, under `lock`.
        """
        database = self._kept.pop(key, None)
        if database is None or not all(map(os.path.exists, database.files)):
            database = make()
        self._kept[key] = database
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept))).connection.close()
        return database


def load(connection: DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Copy a table into the database: DuckDB cannot push all its join filters into one of Arrow's, and then fails."""
    # As a stream: to register a table, DuckDB loads `pyarrow.dataset`, and that loads pandas, for 0.2 s.
    connection.register("_incoming", table.__arrow_c_stream__())
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM _incoming")
    connection.unregister("_incoming")


def file_gone(what: str) -> StorageError:
    """The error of a query that came too late to read what is kept only until something newer stands for it."""
    return StorageError(
        f"{what} were cleaned up meanwhile, since other writers made newer ones; run it again", code=FILE_GONE
    )


def answer(connection: DuckDBPyConnection, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
    """The rows of a query, each column by a name of its own.

    Raises:
        InvalidInputError: a parameter that DuckDB cannot take.
        duckdb.Error: the query fails.
    """
    cursor = executed(connection, sql, parameters)
    types = [str(column[1]) for column in cursor.description or ()]
    return _labelled(cursor.to_arrow_table(), types)


def executed(connection: DuckDBPyConnection, sql: str, parameters: Sequence[object]) -> DuckDBPyConnection:
    """The connection with the query run on it.

    Raises:
        InvalidInputError: a parameter that DuckDB cannot take.
        duckdb.Error: the query fails.
    """
    import duckdb

    try:
        return connection.execute(sql, list(parameters))
    except duckdb.Error as error:
        if parameters and isinstance(error, duckdb.NotImplementedException):
            raise _unbindable(parameters, error) from error
        raise
    except Exception as error:  # DuckDB lets out what its own casts and a value's own methods raise
        raise _unbindable(parameters, error) from error


def _unbindable(parameters: Sequence[object], error: Exception) -> InvalidInputError:
    kinds = ", ".join(sorted({type(value).__qualname__ for value in parameters})) or "none"
    return InvalidInputError(
        f"cannot run sql: a parameter (types: {kinds}) cannot be given to DuckDB, {clean_message(str(error))[:200]!r}; "
        "pass valid text, numbers, times, lists or dicts of them"
    )


def _labelled(table: pa.Table, types: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_arrays(table.columns, schema=labelled_schema(table.schema, types))


def labelled_schema(schema: pa.Schema, types: Sequence[str]) -> pa.Schema:
    """The schema with each name once (`id, id_1`), and with columns of JSON text marked for `Result`.

    Args:
        schema: of an answer.
        types: what DuckDB calls those of its columns.
    """
    import pyarrow as pa

    fields: dict[str, pa.Field] = {}
    for field, kind in zip(schema, types, strict=True):
        names = chain([field.name], (f"{field.name}_{number}" for number in count(1)))
        name = next(name for name in names if name not in fields)
        fields[name] = field.with_name(name).with_metadata(JSON_FIELD if kind == "JSON" else None)
    return pa.schema(list(fields.values()))
