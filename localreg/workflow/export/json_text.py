"""Rows as JSON text, by DuckDB: nested values natively, and what JSON has no room for by one rule.

NaN and infinity are the texts "NaN", "Infinity", "-Infinity"; bytes are hexadecimal; times ISO 8601 in UTC; keys of
maps text. Doubles are printed in the fewest digits that read back as the same double.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from localreg.query.quoting import identifier, literal
from localreg.query.result import JSON_FIELD as IS_JSON

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_texts", "is_plain", "json_of", "lines_of", "selected"]


def json_of(value: str, type: pa.DataType, depth: int = 0) -> str:
    """SQL of the JSON of a value; NULL for null.

    Args:
        value: SQL of it.
        type: its Arrow type, without dictionaries.
        depth: how many lambdas there are around it.
    """
    import pyarrow as pa

    if _is_ready(type):
        return f"to_json({value})"
    if pa.types.is_floating(type):
        told = f"CASE WHEN isnan({value}) THEN 'NaN' WHEN {value} > 0 THEN 'Infinity' ELSE '-Infinity' END"
        return f"CASE WHEN isfinite({value}) THEN to_json({value}) WHEN {value} IS NOT NULL THEN to_json({told}) END"
    if pa.types.is_struct(type):
        members = (
            f"{literal(field.name)}, {json_of(f'struct_extract({value}, {literal(field.name)})', field.type, depth)}"
            for field in type
        )
        return f"CASE WHEN {value} IS NOT NULL THEN json_object({', '.join(members)}) END"
    if pa.types.is_map(type):
        keys, items = f"map_keys({value})", f"map_values({value})"
        texts = _each(keys, lambda key: text_of(key, type.key_type), depth)
        return f"to_json(map({texts}, {_each(items, lambda item: json_of(item, type.item_type, depth + 1), depth)}))"
    if pa.types.is_list(type) or pa.types.is_fixed_size_list(type):
        return f"to_json({_each(value, lambda item: json_of(item, type.value_type, depth + 1), depth)})"
    return f"to_json({text_of(value, type)})"


def text_of(value: str, type: pa.DataType) -> str:
    """SQL of the text of a value that is no struct, list or map; NULL for null."""
    import pyarrow as pa

    if pa.types.is_binary(type):
        return f"lower(hex({value}))"
    if pa.types.is_timestamp(type):
        return f"strftime({value}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    if pa.types.is_floating(type):
        return f"({json_of(value, type)}->>'$')"
    return f"CAST({value} AS VARCHAR)"


def _each(values: str, of: Callable[[str], str], depth: int) -> str:
    item = f"item_{depth}"
    return f"list_transform({values}, lambda {item}: {of(item)})"


def is_plain(type: pa.DataType) -> bool:
    """Whether a value is one number, text or time."""
    import pyarrow as pa

    return not (pa.types.is_nested(type) or pa.types.is_fixed_size_list(type))


def _is_ready(type: pa.DataType) -> bool:
    """Whether DuckDB's own JSON says it by the rule."""
    import pyarrow as pa

    if pa.types.is_floating(type) or pa.types.is_binary(type) or pa.types.is_timestamp(type) or pa.types.is_map(type):
        return False
    inner = [field.type for field in type] if pa.types.is_struct(type) else []
    if pa.types.is_list(type) or pa.types.is_fixed_size_list(type):
        inner = [type.value_type]
    return all(map(_is_ready, inner))


def lines_of(schema: pa.Schema) -> str:
    """SQL of each row as a JSON object with all columns; over `given`."""
    members = ", ".join(f"{literal(field.name)}, {_column_json(identifier(field.name), field)}" for field in schema)
    return f"SELECT json_object({members}) AS line FROM given"


def _column_json(name: str, field: pa.Field) -> str:
    return f"CAST({name} AS JSON)" if field.metadata == IS_JSON else json_of(name, field.type)


def as_texts(schema: pa.Schema) -> str:
    """SQL of the same columns, what is nested as JSON text, what CSV has no type for as text; over `given`."""
    import pyarrow as pa

    told = []
    for field in schema:
        name = identifier(field.name)
        kept = pa.types.is_boolean(field.type) or pa.types.is_integer(field.type) or pa.types.is_string(field.type)
        said = name if kept else text_of(name, field.type) if is_plain(field.type) else json_of(name, field.type)
        told.append(f"{said if kept else f'CAST({said} AS VARCHAR)'} AS {name}")
    return f"SELECT {', '.join(told)} FROM given"


def selected(sql: str, rows: pa.Table, **others: pa.Table) -> pa.Table:
    """What a SELECT over the table `given`, and others by name, gives; its rows in order."""
    import duckdb

    tables: Mapping[str, pa.Table] = {"given": rows, **others}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in tables.items():
            connection.register(name, table.__arrow_c_stream__())  # a table would load pyarrow.dataset, and pandas
        return connection.execute(sql).to_arrow_table()
