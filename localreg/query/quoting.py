"""Values and names as SQL text, in one place, for the SQL that we write ourselves.

What users write as SQL becomes no part of ours before it is parsed, and written out again from its tree. These are for
values that could be bound, too: to bind one, DuckDB imports pandas where that is installed, for half a second; and for
what cannot be bound: paths in a view, names of schemas and columns, values inside an expression that is parsed whole.
"""

from __future__ import annotations

__all__ = ["identifier", "literal"]


def literal(text: str) -> str:
    """A text as an SQL literal. DuckDB knows no escapes in it but the doubled quote."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name of a schema, table or column as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
