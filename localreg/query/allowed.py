"""What an expression and a SELECT may call: the lists that the walk over a text goes by.

Operators of an expression and table functions of a SELECT go by what may be. Scalar functions, of which there are
hundreds, and nearly all compute from their arguments alone, go by what may not: see at each release of DuckDB what is
new.
"""

from __future__ import annotations

import difflib

from localreg.query.syntax import FunctionInfo, functions
from localreg.query.user_text import UserText

__all__ = ["OPERATORS", "TABLE_FUNCTIONS", "allowed_function", "reaches_out"]

OPERATORS = frozenset(
    {
        "OPERATOR_NOT",
        "OPERATOR_IS_NULL",
        "OPERATOR_IS_NOT_NULL",
        "OPERATOR_COALESCE",
        "OPERATOR_TRY",
        "COMPARE_IN",
        "COMPARE_NOT_IN",
        "ARRAY_EXTRACT",
        "ARRAY_SLICE",
        "STRUCT_EXTRACT",
    }
)
"""DuckDB's names of those that an expression may hold."""

_HIDDEN_AGGREGATES = frozenset(
    {
        "json_group_array",
        "json_group_object",
        "json_group_structure",
        "wavg",
        "weighted_avg",
        "geomean",
        "geometric_mean",
    }
)
"""Macros over aggregates, which DuckDB lists as macros."""

TABLE_FUNCTIONS = frozenset(
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


def reaches_out(function: str) -> bool:
    """Whether a scalar function of that lower-case name does more than compute from its arguments."""
    return function in _SIDE_EFFECTS or function.startswith(("pg_", "has_", "inet_"))


def allowed_function(name: str, written: UserText) -> FunctionInfo:
    """What DuckDB knows of a function, if it computes one value from one row and does nothing else.

    Raises:
        InvalidInputError: there is no such function, or an expression may not call it.
    """
    info = functions().get(name)
    if info is None:
        near = difflib.get_close_matches(name, functions(), n=1)
        raise written.error(f"no function '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    if "aggregate" in info.kinds or name in _HIDDEN_AGGREGATES:
        raise written.error(f"{name}() is over many rows, which only `registry.sql` takes")
    if not info.kinds & {"scalar", "macro"}:
        raise written.error(f"{name}() gives rows, not a value; `registry.sql` takes it")
    if reaches_out(name):
        raise written.error(f"{name}() is about the database rather than the row, and is not taken")
    return info
