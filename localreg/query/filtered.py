"""Rows in memory that fit a condition, as `where` has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.query.database import load
from localreg.query.failures import explain_error
from localreg.query.guard import locked_connection
from localreg.query.quoting import identifier

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["filtered"]


def filtered(rows: pa.Table, condition: str, columns: Mapping[str, str], *, table: str, where: str) -> pa.Table:
    """The rows that fit, in their order.

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
    import pyarrow as pa

    def setup(connection: DuckDBPyConnection) -> None:
        place = pa.array(range(len(rows)), pa.int64())
        load(connection, "incoming", rows.select([*columns]).append_column("_place", place))
        typed = ", ".join(f"CAST({identifier(name)} AS {kind}) AS {identifier(name)}" for name, kind in columns.items())
        connection.execute(f"CREATE VIEW {table} AS SELECT {typed}, _place FROM incoming")

    connection = locked_connection([], setup=setup)
    try:
        fits = connection.execute(f"SELECT _place FROM {table} WHERE {condition} ORDER BY _place").to_arrow_table()
        return rows.take(fits["_place"])
    except duckdb.Error as error:
        raise explain_error(error, {"where": where}, columns) from error
    finally:
        connection.close()
