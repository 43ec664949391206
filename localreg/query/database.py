"""Connections that outlive a state: what differs from one commit to the next is swapped under the same views.

Opening DuckDB, locking it and making views costs more than most queries. So a connection is kept with the snapshot
files that it reads, and a new commit only replaces the small tables of what changed since the snapshot.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Hashable, Sequence
from itertools import count
from typing import TYPE_CHECKING

from localreg.log import State
from localreg.query.quoting import literal

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Database", "Databases", "load"]

FEW = 5_000
"""Rows up to which a table is handed over as text."""
FEW_LOADS = 12
"""Loads of a process after which it pays to register tables: it asks more than the one question of a command."""
_loads = count()

KEPT = 4
"""Connections that stay open: different tables, and the present beside a look into the past."""


class Database:
    """A locked connection and the states that its tables show at the moment.

    Attributes:
        connection: with views and tables in place.
        files: native paths of what it reads.
        shown: the states, one of each namespace; none before the first.
    """

    def __init__(self, connection: DuckDBPyConnection, files: Sequence[str]) -> None:
        self.connection = connection
        self.files = files
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
    if "pyarrow.dataset" not in sys.modules and next(_loads) < FEW_LOADS and _is_small_and_plain(table):
        _load_as_json(connection, name, table)
        return
    connection.register("_incoming", table)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM _incoming")
    connection.unregister("_incoming")


def _load_as_json(connection: DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """`load` by way of a text: to register a table, DuckDB loads `pyarrow.dataset`, and that pandas, for 0.2 s."""
    kinds = {field.name: _PLAIN[str(field.type)] for field in table.schema}
    rows = json.dumps(table.to_pylist())  # no parameter: DuckDB would load pandas to look at it
    structure = json.dumps([dict.fromkeys(kinds, "VARCHAR")])
    columns = ", ".join(f'CAST(row."{column}" AS {kind}) AS "{column}"' for column, kind in kinds.items())
    connection.execute(
        f"CREATE OR REPLACE TABLE {name} AS SELECT {columns} FROM "
        f"(SELECT unnest(from_json({literal(rows)}, {literal(structure)})) AS row)"
    )


def _is_small_and_plain(table: pa.Table) -> bool:
    return table.num_rows <= FEW and all(str(field.type) in _PLAIN for field in table.schema)


_PLAIN = {"string": "VARCHAR", "int64": "BIGINT", "bool": "BOOLEAN", "extension<arrow.json>": "JSON"}
"""DuckDB's types of the columns that a text can carry."""
