"""Connections that outlive a state: what differs from one commit to the next is swapped under the same views.

Opening DuckDB, locking it and making views costs more than most queries. So a connection is kept with the snapshot
files that it reads, and a new commit only replaces the small tables of what changed since the snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from localreg.log import Row, State
from localreg.log.layer_writer import as_json, rows_table
from localreg.query.quoting import literal
from localreg.query.tables import INTERNAL

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Database", "Databases", "create_records", "load", "show_records"]

KEPT = 4
"""Connections that stay open: different tables, and the present beside a look into the past."""


class Database:
    """A locked connection and the state that its tables show at the moment.

    Attributes:
        connection: with views and tables in place.
        shown: the state; None before the first.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self.connection = connection
        self.shown: State | None = None


class Databases:
    """The connections of one session, the most recently used ones."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._kept: dict[Hashable, Database] = {}

    def get(self, key: Hashable, make: Callable[[], DuckDBPyConnection]) -> Database:
        """The connection of that key, made if need be. To be called, and used, under `lock`."""
        database = self._kept.pop(key, None) or Database(make())
        self._kept[key] = database
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept))).connection.close()
        return database


def load(connection: DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Copy a table into the database: DuckDB cannot push all its join filters into one of Arrow's, and then fails."""
    connection.register("_incoming", table)
    connection.execute(f"CREATE OR REPLACE TABLE {INTERNAL}.{name} AS FROM _incoming")
    connection.unregister("_incoming")


def create_records(connection: DuckDBPyConnection, namespace: str, files: Sequence[Path]) -> None:
    """The view of all records: those in the layers of a snapshot, oldest first, under those that changed since.

    Of each layer it shows what no newer one says anew. Only rows that replace older ones are looked at for that.
    """
    show_records(connection, (), ())
    layers = [f"read_parquet({literal(str(file))})" for file in files]
    connection.execute(f"CREATE TABLE {INTERNAL}.shadows (kind VARCHAR, id VARCHAR, layer INTEGER)")
    for number, layer in enumerate(layers[1:], 1):
        connection.execute(
            f"INSERT INTO {INTERNAL}.shadows SELECT kind, id, {number} FROM {layer} WHERE replaces OR removed"
        )
    shown = [f"SELECT * FROM {INTERNAL}.overlay"]
    for number, layer in enumerate(layers):
        newer = f"SELECT kind, id FROM {INTERNAL}.changed"
        if number < len(layers) - 1:
            newer += f" UNION ALL SELECT kind, id FROM {INTERNAL}.shadows WHERE layer > {number}"
        shown.append(
            f"SELECT l.* FROM {layer} l ANTI JOIN ({newer}) n ON n.kind = l.kind AND n.id = l.id WHERE NOT l.removed"
        )
    connection.execute(
        f"""CREATE VIEW {INTERNAL}.records AS SELECT {literal(namespace)} AS namespace, kind, parent, name, id, record,
            metadata, created_commit, created_event, created_by, updated_commit,
            CAST(created_at AS TIMESTAMPTZ) AS created_at, CAST(updated_at AS TIMESTAMPTZ) AS updated_at
        FROM ({" UNION ALL ".join(shown)})"""
    )


def show_records(connection: DuckDBPyConnection, rows: Iterable[Row], changed: Iterable[tuple[str, str]]) -> None:
    """Replace what stands over the layers.

    Args:
        connection: where `create_records` was called.
        rows: the records to show beside them.
        changed: (kind, id) of those in the layers to hide.
    """
    import pyarrow as pa

    load(connection, "overlay", as_json(rows_table(rows)))
    kinds, ids = [list(column) for column in zip(*changed, strict=True)] or [[], []]
    load(connection, "changed", pa.table({"kind": pa.array(kinds, pa.string()), "id": pa.array(ids, pa.string())}))
