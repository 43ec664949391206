"""What keeps `registry.sql` and `where` reading, and reading only the registry.

Two independent lines. First the text: exactly one SELECT that DuckDB's own serializer can show us whole, calling only
table functions that are known to read nothing. Then the connection: no file but the named ones, no extension, no
setting, no Python variable. The second line alone would not do: a SELECT on a locked connection can still call
`enable_logging(storage := 'file', …)`, which makes a directory where it likes and then fails every later query.

Not guarded against: a query that takes long or much memory. It is the caller's own process.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError, StorageError
from localreg.query.allowed import TABLE_FUNCTIONS, reaches_out
from localreg.query.failures import damaged_file
from localreg.query.quoting import literal
from localreg.query.shared import connected
from localreg.query.syntax import Node, SyntaxFault, check_text, clean_message, parse, parse_cursor, walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["check_select", "locked_connection", "referenced_tables"]

_CATALOGUE_FUNCTIONS = frozenset(
    {
        "duckdb_columns",
        "duckdb_schemas",
        "duckdb_tables",
        "duckdb_views",
        "pragma_table_info",
        "pragma_show",
    }
)
_CATALOGUE_SCHEMAS = frozenset({"information_schema", "pg_catalog"})
_CATALOGUE_TABLES = frozenset({"sqlite_master", "sqlite_schema", "duckdb_tables", "duckdb_columns", "duckdb_views"})

_ADVICE = "`sql` takes one SELECT (WITH, FROM, VALUES, DESCRIBE, SUMMARIZE and SHOW are fine)"
_KINDS = {
    "EXPLAIN": "EXPLAIN shows a plan, not data",
    "PRAGMA": "PRAGMA is for settings; to see columns, use DESCRIBE",
    "CALL": "CALL runs a procedure",
}


def check_select(sql: str) -> str:
    """The text of one SELECT, without the semicolon at its end.

    DESCRIBE, SHOW and SUMMARIZE are SELECTs to DuckDB, and read only the catalogue or the rows. EXPLAIN is not, and
    with ANALYZE it runs what it explains, COPY included.

    Raises:
        InvalidInputError: empty, unparsable, several statements, anything but a SELECT, or one that calls a table
            function that reaches outside.
    """
    try:
        statements = parse(check_text(sql))
    except SyntaxFault as fault:
        raise InvalidInputError(f"cannot run sql: {_explain(sql, fault)}") from None
    if len(statements) != 1:
        counted = f"it holds {len(statements)} statements" if statements else "it is empty"
        raise InvalidInputError(f"cannot run sql: {counted}; {_ADVICE}")
    for name in _called_table_functions(statements[0]):
        if name not in TABLE_FUNCTIONS:
            raise InvalidInputError(
                f"cannot run sql: {name}() is not taken; `sql` reads the registry's own tables only"
            )
    for name in _called_functions(statements[0]):
        if reaches_out(name):
            raise InvalidInputError(
                f"cannot run sql: {name}() is about the database rather than the rows, and is not taken; leave it out"
            )
    return sql.strip().rstrip(";").rstrip()


def _explain(sql: str, fault: SyntaxFault) -> str:
    if fault.kind != "not implemented" or "serialized to json" not in str(fault):
        return f"{fault}; write it flatter" if fault.kind == "depth" else str(fault)
    kinds = _statement_kinds(sql)
    if kinds == ["CREATE", "SELECT"] and re.search(r"(?i)\bpivot", sql):
        return "PIVOT has to know its columns: add IN (…) after ON"
    if len(kinds) > 1:
        return f"it holds {len(kinds)} statements; {_ADVICE}"
    kind = kinds[0] if kinds else "this"
    return f"{_KINDS.get(kind, f'{kind} is not a SELECT')}; {_ADVICE}"


def _statement_kinds(sql: str) -> list[str]:
    """DuckDB's words for the statements in a text that holds something else than SELECTs."""
    import duckdb

    try:
        kinds = [statement.type.name for statement in parse_cursor().extract_statements(sql)]
    except duckdb.Error:  # IMPORT DATABASE and some PRAGMAs act when merely parsed; here they cannot
        kinds = ["SELECT"]
    if kinds == ["SELECT"]:  # a PRAGMA may pass for what it expands to
        return [sql.split(maxsplit=1)[0].upper()]
    return kinds


def _called_table_functions(statement: Node) -> Iterator[str]:
    for node in walk(statement):
        if node.get("type") == "TABLE_FUNCTION":
            yield node["function"]["function_name"].lower()


def _called_functions(statement: Node) -> Iterator[str]:
    for node in walk(statement):
        if node.get("class") == "FUNCTION":
            yield node["function_name"].lower()


def referenced_tables(sql: str) -> set[tuple[str | None, str]] | None:
    """The tables that a SELECT names, as (schema or None, table), in lower case; None if that cannot be told.

    Names of its own WITH clauses are left out where they are in scope: in `WITH models AS (FROM models) …` the inner
    `models` is the table. A query that looks into the catalogue could see any table: None, too.
    """
    try:
        statements = parse(check_text(sql))
    except SyntaxFault:
        return None
    if any(_shows_catalogue(node) for node in walk(statements)):
        return None
    found: set[tuple[str | None, str]] = set()
    pending: list[tuple[object, frozenset[str]]] = [(statements, frozenset())]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE" and not (
                not node["schema_name"] and node["table_name"].lower() in scope
            ):
                found.add((node["schema_name"].lower() or None, node["table_name"].lower()))
            pending.extend(_scoped_children(node, scope))
        elif isinstance(node, list):
            pending.extend((child, scope) for child in node)
    return found


def _shows_catalogue(node: Node) -> bool:
    kind = node.get("type")
    if kind == "SHOW_REF":
        return node["query"] is None
    if kind == "TABLE_FUNCTION":
        return node["function"]["function_name"].lower() in _CATALOGUE_FUNCTIONS
    if kind == "BASE_TABLE":
        return node["schema_name"].lower() in _CATALOGUE_SCHEMAS or node["table_name"].lower() in _CATALOGUE_TABLES
    return False


def _scoped_children(node: Node, scope: frozenset[str]) -> Iterator[tuple[object, frozenset[str]]]:
    """What lies below a node, each with the WITH names that it sees: those before it, and its own if recursive."""
    for entry in node.get("cte_map", {}).get("map", []):
        name, query = entry["key"].lower(), entry["value"]["query"]
        recursive = query["node"]["type"] == "RECURSIVE_CTE_NODE"
        yield query, scope | {name} if recursive else scope
        scope = scope | {name}
    for field, child in node.items():
        if field != "cte_map":
            yield child, scope


def locked_connection(paths: Sequence[str], *, setup: Callable[[DuckDBPyConnection], None]) -> DuckDBPyConnection:
    """A connection in memory that reads the files `paths` and what `setup` registered, and nothing else.

    About 9 ms, of which 7.5 are DuckDB's own start, and 16 µs a path: keep it as long as its views are good. Times are
    shown in UTC, so that a result does not depend on the machine. What does not fit into memory is spilled to a
    directory of this process under the system's temporary one, made when needed and removed at the close.

    Arrow tables are registered with the connection, not the database: its cursors do not see them. So one connection
    serves one query at a time, unless `setup` copies what it registers (`CREATE TABLE … AS FROM …`).

    Args:
        paths: absolute paths of the files; no patterns.
        setup: makes views and registers Arrow tables while the connection is still open.

    Raises:
        StorageError: `setup` failed, as when a file cannot be read.
    """
    import duckdb

    connection = connected(
        {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
    )
    try:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")  # of cursors, too
        # The default is `.tmp` in the working directory, which is the user's, and perhaps not writable.
        spill = os.path.join(tempfile.gettempdir(), f"localreg-duckdb-{os.getpid()}")
        connection.execute(f"SET temp_directory = {literal(spill)}")
        setup(connection)
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, paths))}]")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        reason = clean_message(str(error))
        raise damaged_file(reason) or StorageError(f"cannot set up the tables for a query: {reason}") from error
    except BaseException:
        connection.close()
        raise
    return connection
