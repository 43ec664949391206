"""A query whose cells DuckDB itself cuts to what a page shows, however much one of them holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localreg.query.guard import check_select
from localreg.query.quoting import identifier
from localreg.query.result import JSON_FIELD

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ShortCells"]

LONGEST = 2000
"""Characters of a cell, and items of a list; one more is fetched, which tells that it was cut."""


class ShortCells:
    """A query with short cells: numbers and days as they are, all else as text, nested values as JSON.

    Args:
        query: see `statement`.
        schema: of what `head` of it gives.
    """

    def __init__(self, query: str, schema: pa.Schema) -> None:
        self._query = query
        self.columns: list[str] = schema.names
        self._json = [_is_nested(field) for field in schema]
        self._expressions = [_expression(field, f"c{number}") for number, field in enumerate(schema)]

    @staticmethod
    def statement(query: str) -> str:
        """One SELECT, without the semicolon at its end and what is said behind that.

        Raises:
            InvalidInputError: it is none.
        """
        import duckdb

        checked = check_select(query)
        tokens = duckdb.tokenize(checked)  # places are counted in bytes
        last = checked.encode()[tokens[-1][0] :].decode()
        return checked.encode()[: tokens[-1][0]].decode() if last.startswith(";") else checked

    @staticmethod
    def head(query: str) -> str:
        """A query for the columns of one alone."""
        return f"FROM (\n{query}\n) LIMIT 0"

    def first(self, count: int) -> str:
        """A query for its first rows."""
        names = [f"c{number}" for number in range(len(self.columns))]
        told = [f"{each} AS {identifier(own)}" for each, own in zip(self._expressions, self.columns, strict=True)]
        rows = f"(\n{self._query}\n) AS t({', '.join(names)})"
        return f"SELECT {', '.join(told)} FROM {rows} LIMIT {count}"

    def values(self, row: dict[str, Any]) -> list[Any]:
        """What a row of `first` shows."""
        return [_read(value) if is_json else value for value, is_json in zip(row.values(), self._json, strict=True)]


def _is_nested(field: pa.Field) -> bool:
    import pyarrow.types as types

    is_list = types.is_list(field.type) or types.is_large_list(field.type) or types.is_fixed_size_list(field.type)
    is_object = types.is_struct(field.type) or types.is_map(field.type)
    return bool(is_list or is_object or field.metadata == JSON_FIELD)


def _expression(field: pa.Field, name: str) -> str:
    """What is fetched for a column.

    Args:
        field: the column.
        name: what the query calls it.
    """
    import pyarrow.types as types

    kind = field.type
    if _is_nested(field):
        some = f"array_slice({name}, 1, {LONGEST + 1})" if types.is_list(kind) else name
        return f"left(CAST(to_json({some}) AS VARCHAR), {LONGEST + 1})"
    if types.is_binary(kind) or types.is_large_binary(kind):  # BIT comes as this, too
        blob = f"lower(hex(array_slice(CAST({name} AS BLOB), 1, {LONGEST // 2 + 1})))"
        return f"CASE typeof({name}) WHEN 'BLOB' THEN {blob} ELSE left(CAST({name} AS VARCHAR), {LONGEST + 1}) END"
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if is_number or types.is_boolean(kind) or types.is_timestamp(kind) or types.is_date(kind):
        return name
    return f"left(CAST({name} AS VARCHAR), {LONGEST + 1})"


def _read(text: str | None) -> object:
    """The value of a JSON text; the text itself if it was cut, or Python's reader cannot take it."""
    if text is None or len(text) > LONGEST:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
