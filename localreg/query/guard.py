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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from localreg.errors import IntegrityError, InvalidInputError, LocalregError, StorageError
from localreg.names import did_you_mean
from localreg.query.quoting import literal
from localreg.query.scope import quote
from localreg.query.syntax import Node, SyntaxFault, check_text, clean_message, parse, parse_cursor, walk

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "check_select",
    "explain_error",
    "is_of_storage",
    "locked_connection",
    "reaches_out",
    "referenced_tables",
    "translate_error",
]

_TABLE_FUNCTIONS = frozenset(
    {
        "range",
        "generate_series",
        "repeat",
        "repeat_row",
        "unnest",
        "json_each",
        "json_tree",
        "icu_calendar_names",
        "pg_timezone_names",
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_schemas",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
        "pragma_table_info",
        "pragma_show",
        "pragma_version",
    }
)
"""Those that compute from their arguments or show the catalogue. Everything else is refused: readers of files have
nothing to read here, `query` and `query_table` hide what they read, and some act (`enable_logging`, `checkpoint`)."""

_SIDE_EFFECTS = frozenset(
    {
        "current_setting",
        "getvariable",
        "getenv",
        "setseed",
        "error",
        "nextval",
        "currval",
        "write_log",
        "sleep_ms",
        "stats",
        "json_serialize_plan",
        "json_execute_serialized_sql",
        "current_query",
        "current_query_id",
        "current_connection_id",
        "current_transaction_id",
        "txid_current",
        "current_database",
        "current_catalog",
        "current_schema",
        "current_schemas",
        "current_role",
        "current_user",
        "session_user",
        "user",
        "in_search_path",
    }
)
"""Scalar functions that read or change the process or the connection rather than compute from the row: refused in
`where`, `order_by` and `sql` alike. `pg_…`, `has_…` and `inet_…` are, too."""

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
        if name not in _TABLE_FUNCTIONS:
            raise InvalidInputError(
                f"cannot run sql: {name}() is not taken; `sql` reads the registry's own tables only"
            )
    for name in _called_functions(statements[0]):
        if reaches_out(name):
            raise InvalidInputError(
                f"cannot run sql: {name}() is about the database rather than the rows, and is not taken; leave it out"
            )
    return sql.strip().rstrip(";").rstrip()


def reaches_out(function: str) -> bool:
    """Whether a scalar function of that lower-case name does more than compute from its arguments."""
    return function in _SIDE_EFFECTS or function.startswith(("pg_", "has_", "inet_"))


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

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        },
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        # The default is `.tmp` in the working directory, which is the user's, and perhaps not writable.
        spill = os.path.join(tempfile.gettempdir(), f"localreg-duckdb-{os.getpid()}")
        connection.execute(f"SET temp_directory = {literal(spill)}")
        setup(connection)
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, paths))}]")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        reason = clean_message(str(error))
        raise _damaged(reason) or StorageError(f"cannot set up the tables for a query: {reason}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def translate_error(
    error: Exception, sql: str, *, tables: Collection[str] = (), what: str = "run sql"
) -> LocalregError:
    """The error to raise for one of DuckDB's in running `sql`, with the cause chained and without SQL in its message.

    Args:
        error: what DuckDB raised.
        sql: what the user wrote.
        tables: the documented tables, to suggest one where a name is unknown.
        what: what the user asked for, for messages.
    """
    import duckdb

    reason = clean_message(str(error))
    translated: LocalregError
    if isinstance(error, duckdb.PermissionException):
        translated = _translate_permission(reason, sql, what)
    elif isinstance(error, duckdb.OutOfMemoryException):
        translated = StorageError(f"cannot {what}: it needs more memory or temporary disk than there is: {reason}")
    elif isinstance(error, duckdb.InterruptException):
        translated = StorageError("the query was interrupted; nothing was read")
    elif _is_of_files(error):
        translated = _damaged(reason) or StorageError(
            f"cannot {what}: {reason}; see that the registry can be read, and what `verify` says, then try again"
        )
    elif isinstance(error, duckdb.CatalogException) and (unknown := re.match(r"Table with name (.+) does not", reason)):
        translated = InvalidInputError(f"cannot {what}: no table '{unknown[1]}'{_suggest(unknown[1], tables)}")
    elif "configuration has been locked" in reason:
        translated = InvalidInputError(f"cannot {what}: settings cannot be changed here")
    else:
        translated = InvalidInputError(f"cannot {what}: {reason}{_candidates(error)}")
    translated.__cause__ = error
    return translated


def _damaged(reason: str) -> IntegrityError | None:
    """The error to raise where DuckDB names a bulk file that it cannot make sense of; None if it says something else.

    Snapshots and history are caches, which whoever looks at them again makes anew: nothing has to be restored.
    """
    named = re.search(r"""['"]([^'"]*/data/[^'"]+\.parquet)['"]""", reason)
    if named is None:
        return None
    return IntegrityError(
        f"{named[1]} cannot be read ({reason.replace(named[1], '…')}); restore it from a copy, and see `localreg "
        "verify`",
        code="file_altered",
    )


def _translate_permission(reason: str, sql: str, what: str) -> LocalregError:
    """What was not permitted: a file that the user named, or one of ours that is gone.

    DuckDB takes a file that it does not find for a pattern, and says that patterns are not permitted.
    """
    named = re.search(r'"(.+)"', reason)
    path = named[1].removesuffix("/**/*.parquet") if named else ""
    if named and literal(path)[1:-1] not in sql and path not in sql:
        return StorageError(f"cannot {what}: the file {path!r} is gone; open the registry again, and see `verify`")
    return InvalidInputError(
        f"cannot {what}: it reaches outside the registry, whose tables are all that `sql` reads ({reason})"
    )


def is_of_storage(error: Exception) -> bool:
    """Whether an error of DuckDB's is no fault of the text: memory or files are missing, or it was interrupted."""
    import duckdb

    others = (duckdb.PermissionException, duckdb.OutOfMemoryException, duckdb.InterruptException)
    return isinstance(error, others) or _is_of_files(error)


def _is_of_files(error: Exception) -> bool:
    import duckdb

    corrupt = type(error) is duckdb.Error or str(error).startswith("Invalid Input Error: Failed to read file")
    return corrupt or isinstance(error, _storage_errors())


def _storage_errors() -> tuple[type[Exception], ...]:
    import duckdb

    return (
        duckdb.IOException,
        duckdb.HTTPException,
        duckdb.InternalError,
        duckdb.FatalException,
        duckdb.SerializationException,
        duckdb.ConnectionException,
        duckdb.TransactionException,
    )


def _suggest(name: str, tables: Collection[str]) -> str:
    if not tables:
        return ""
    return f"{did_you_mean(name, tables)}; there are {', '.join(sorted(tables))}"


def _candidates(error: Exception) -> str:
    """DuckDB's list of near column names, which stands on a line of its own."""
    found = re.search(r"^Candidate bindings: (.+)$", str(error), re.MULTILINE)
    return f"; did you mean {found[1]}?" if found else ""


def explain_error(error: Exception, texts: Mapping[str, str], columns: Mapping[str, str]) -> InvalidInputError:
    """The error to raise when DuckDB refuses rewritten expressions, in the user's words, with the cause chained.

    Args:
        error: what DuckDB raised.
        texts: what the user wrote, by argument, such as `where`.
        columns: documented name → type; those that the text mentions are told with their types.
    """
    words = {word.lower() for word in re.findall(r"\w+", " ".join(texts.values()))}
    mentioned = [f"{name} is {type_}" for name, type_ in columns.items() if name.lower() in words]
    types = f" ({', '.join(mentioned)})" if mentioned else ""
    given = ", ".join(f"{label} {quote(text)}" for label, text in texts.items())
    translated = InvalidInputError(f"cannot use {given}: {clean_message(str(error))}{types}")
    translated.__cause__ = error
    return translated
