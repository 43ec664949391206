"""Connections that outlive a state: what differs from one commit to the next is swapped under the same views.

Opening DuckDB, locking it and making views costs more than most queries. So a connection is kept with the snapshot
files that it reads, and a new commit only replaces the small tables of what changed since the snapshot.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from localreg.errors import StorageError
from localreg.log import State

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["FILE_GONE", "Database", "Databases", "file_gone", "load"]

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
    """

    def __init__(self, connection: DuckDBPyConnection, files: Sequence[str], layers: Sequence[Sequence[Path]]) -> None:
        self.connection = connection
        self.files = files
        self.layers = layers
        self.shown: Sequence[State] = ()


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
