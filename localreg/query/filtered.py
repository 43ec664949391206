"""Rows in memory that fit a condition, as `where` has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.query.database import load
from localreg.query.failures import explain_error
from localreg.query.guard import locked_connection
from localreg.query.quoting import identifier
from localreg.tables import unpacked

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["filtered", "fitting", "sql_types"]


def filtered(rows: pa.Table, condition: str, columns: Mapping[str, str], *, table: str, where: str) -> pa.Table:
    """The rows that fit, in their order; see `fitting`."""
    import pyarrow as pa

    return rows.take(pa.array(fitting(rows, condition, columns, table=table, where=where)))


def fitting(
    rows: pa.Table, condition: str, columns: Mapping[str, str], *, table: str, where: str
) -> npt.NDArray[np.int64]:
    """Places of the rows that fit, ascending.

    Args:
        rows: with these columns, of JSON as text, and perhaps others.
        condition: what `rewrite_where` made of what the user wrote.
        columns: name → DuckDB type.
        table: what the condition calls the rows.
        where: what the user wrote, for messages.

    Raises:
        InvalidInputError: the condition cannot be evaluated.
    """
    import duckdb
    import numpy as np
    import pyarrow as pa

    def setup(connection: DuckDBPyConnection) -> None:
        place = pa.array(range(len(rows)), pa.int64())
        load(connection, "incoming", _plain(rows.select([*columns])).append_column("_place", place))
        typed = ", ".join(f"CAST({identifier(name)} AS {kind}) AS {identifier(name)}" for name, kind in columns.items())
        connection.execute(f"CREATE VIEW {table} AS SELECT {typed}, _place FROM incoming")

    connection = locked_connection([], setup=setup)
    try:
        fits = connection.execute(f"SELECT _place FROM {table} WHERE {condition} ORDER BY _place").to_arrow_table()
        return np.asarray(fits["_place"].to_numpy(), np.int64)
    except duckdb.Error as error:
        raise explain_error(error, {"where": where}, columns) from error
    finally:
        connection.close()


def sql_types(rows: pa.Table) -> dict[str, str]:
    """The DuckDB type of each column, by its name; of names that differ in case alone only the first one's."""
    kinds: list[tuple[str, str]] = []

    def setup(connection: DuckDBPyConnection) -> None:
        load(connection, "incoming", _plain(rows.slice(0, 0)))
        kinds.extend(connection.execute("SELECT column_name, column_type FROM (DESCRIBE incoming)").fetchall())

    locked_connection([], setup=setup).close()
    found: dict[str, tuple[str, str]] = {}
    for name, (_, kind) in zip(rows.column_names, kinds, strict=True):
        found.setdefault(name.lower(), (name, kind))
    return dict(found.values())


def _plain(rows: pa.Table) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: unpacked(rows[name]) for name in rows.column_names})
