"""The typed values of bulk rows as columns: their DuckDB types, and the SQL that reads them from parts of any age."""

from __future__ import annotations

from typing import cast

from localreg.query.bulk_tables import BulkTable
from localreg.query.quoting import identifier, literal
from localreg.tables import Node, vector_fields, without_vectors
from localreg.tables.schema import TAG

__all__ = ["column_names", "grown", "holds_vectors", "sql_type", "typed_columns"]

_TYPES = {
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "bytes": "BLOB",
    "datetime": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "timedelta": "BIGINT",
}


def sql_type(node: Node) -> str:
    """The DuckDB type of a node's column."""
    if node.type == "list":
        return f"{sql_type(cast(Node, node.items))}[]"
    if node.type == "map":
        return f"MAP({sql_type(cast(Node, node.keys))}, {sql_type(cast(Node, node.items))})"
    if node.type == "vector":
        return f"FLOAT[{node.size}]"
    if node.type in ("struct", "tuple", "union"):
        fields = [f"{identifier(field.name)} {sql_type(field.node)}" for field in node.fields]
        if node.type == "union":
            fields.insert(0, f"{identifier(TAG)} VARCHAR")
        return f"STRUCT({', '.join(fields)})" if fields else "BOOLEAN"
    return _TYPES.get(node.type, "VARCHAR")


def grown(flag: str, kind: str, field: str) -> str:
    """A boolean, as a class without fields was written, as the struct that it is now.

    Args:
        flag: SQL of the boolean.
        kind: type of the struct.
        field: any field of it.
    """
    return f"CASE WHEN {flag} THEN CAST(struct_pack({identifier(field)} := NULL) AS {kind}) END"


def holds_vectors(node: Node) -> bool:
    """Whether there are vectors in the struct itself, of which DuckDB does not know the size."""
    inner = [each for each in (node.items, node.keys) if each is not None]
    return node.type == "vector" or any(map(holds_vectors, [*inner, *(field.node for field in node.fields)]))


def typed_columns(node: Node, bulk: BulkTable) -> str:
    """The columns of a type, over `d` (the rows) and `v` (their vectors), each followed by a comma."""
    names = column_names([field.name for field in node.fields], bulk)
    inner = without_vectors(node)
    typed = f"d.{bulk.typed}"
    if holds_vectors(inner):
        typed = f"CAST({typed} AS {sql_type(inner)})"
    columns = {field.name: f"struct_extract({typed}, {literal(field.name)})" for field in inner.fields}
    for field in vector_fields(node):
        columns[field.name] = f"CAST(v.{identifier(field.name)} AS {sql_type(field.node)})"
    return "".join(f"{columns[field]} AS {identifier(column)}, " for field, column in names.items())


def column_names(fields: list[str], bulk: BulkTable) -> dict[str, str]:
    """The column of each field: its name, after the struct's if it would be called like another column."""
    own = {column.lower() for column in (*bulk.columns, *bulk.beside)}
    taken = own | {name.lower() for name in fields}
    columns = {field: field for field in fields}
    for field in fields:
        while columns[field].lower() in own or (columns[field] != field and columns[field].lower() in taken):
            columns[field] = f"{bulk.typed}_{columns[field]}"
        taken.add(columns[field].lower())
    return columns
