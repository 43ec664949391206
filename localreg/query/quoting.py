"""Values and names as SQL text, in one place, for the SQL that we write ourselves.

What users write as SQL never comes this way: DuckDB's parser takes it as a bound parameter. These are for what cannot
be bound: paths in a view, names of schemas and columns, and values inside an expression that is parsed as a whole.
"""

from __future__ import annotations

__all__ = ["identifier", "literal"]


def literal(text: str) -> str:
    """A text as an SQL literal. DuckDB knows no escapes in it but the doubled quote."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name of a schema, table or column as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
