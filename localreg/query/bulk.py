"""Views of bulk rows: Parquet parts, each with what its rows belong to.

One view over all workflows shows the typed values as JSON; in the schema of each workflow they are columns. Parts of
older schemas lack fields, which are null: DuckDB joins struct columns by name (`union_by_name`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localreg.query.database import load
from localreg.query.quoting import identifier, literal
from localreg.query.tables import BULK, SAMPLE_INDEX, BulkTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["create_bulk"]

Part = Mapping[str, Any]


def create_bulk(
    connection: DuckDBPyConnection,
    schema: str,
    name: str,
    parts: Sequence[Part],
    *,
    said: Sequence[Part],
    fields: Callable[[str, BulkTable], list[str]],
    schemas: Mapping[str, str],
) -> None:
    """Make the views of one bulk table.

    Args:
        connection: where to.
        schema: of the view over all workflows.
        name: of the table.
        parts: its files, each with `workflow_id`, `file` and what its rows belong to.
        said: files of what was said of samples after they came.
        fields: names of the typed fields, by id of the workflow.
        schemas: where to put typed views, by id of the workflow.
    """
    bulk = BULK[name]
    generic = []
    for number, workflow in enumerate(sorted({part["workflow_id"] for part in parts})):
        own = [part for part in parts if part["workflow_id"] == workflow]
        rows = _rows(connection, f"{schema}.{name}_parts_{number}", own, bulk)
        if name == "test_samples":
            later = [part for part in said if part["workflow_id"] == workflow]
            rows += _said(connection, f"{schema}.sample_metadata_parts_{number}", later)
        columns = ", ".join(f'{sql} AS "{column}"' for column, (_, sql) in bulk.columns.items())
        if not bulk.typed:
            generic.append(f"SELECT {columns} {rows}")
            continue
        beside = ", ".join(f'{sql} AS "{column}"' for column, (_, sql) in bulk.beside.items())
        names = fields(workflow, bulk)
        # A type without fields is a BOOLEAN in Parquet: true where there is one.
        value = f"to_json(d.{bulk.typed})" if names else f"CASE WHEN d.{bulk.typed} THEN CAST('{{}}' AS JSON) END"
        generic.append(f"SELECT {columns}, {value} AS {bulk.typed}, {beside} {rows}")
        if workflow in schemas:
            typed = "".join(
                f"struct_extract(d.{bulk.typed}, {literal(field)}) AS {identifier(column)}, "
                for field, column in _typed_columns(names, bulk).items()
            )
            own_schema = identifier(schemas[workflow])
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {own_schema}")
            connection.execute(f"CREATE VIEW {own_schema}.{name} AS SELECT {columns}, {typed}{beside} {rows}")
    body = " UNION ALL ".join(generic) or _empty(bulk)
    connection.execute(f"CREATE VIEW {schema}.{name} AS {body}")


def _rows(connection: DuckDBPyConnection, source: str, parts: Sequence[Part], bulk: BulkTable) -> str:
    """The FROM of some parts: `d` are the rows, `p` what they belong to."""
    _load(connection, source, parts)
    there = {column for part in parts for column in part["columns"]}
    absent = "".join(f", {null} AS {column}" for column, null in bulk.optional.items() if column not in there)
    read = f"read_parquet([{_files(parts)}], filename = true, file_row_number = true, union_by_name = true)"
    rows = f"FROM (SELECT *{absent} FROM {read}) d JOIN {source} p ON p.file = d.filename"
    newer = [part for part in parts if part.get("replaces")]
    if not newer:
        return rows
    # Of a sample that was inferred again, or an image that was extracted again, only the last row counts.
    return f"""{rows} ANTI JOIN (
        SELECT p.version_id, {bulk.key} AS key, max(p.place) AS place
        FROM read_parquet([{_files(newer)}], filename = true) d JOIN {source} p ON p.file = d.filename GROUP BY ALL
    ) n ON n.version_id = p.version_id AND n.key = {bulk.key} AND n.place > p.place"""


def _load(connection: DuckDBPyConnection, name: str, parts: Sequence[Part]) -> None:
    """What rows of files belong to, as a table; `place` is the order of commit."""
    import pyarrow as pa

    rows = [{**part, "place": place} for place, part in enumerate(parts)]
    load(connection, name, pa.Table.from_pylist(rows).drop_columns("columns"))


def _files(parts: Sequence[Part]) -> str:
    return ", ".join(literal(part["file"]) for part in parts)


def _said(connection: DuckDBPyConnection, source: str, parts: Sequence[Part]) -> str:
    """The last that was said of each sample, joined as `s`."""
    told = "SELECT NULL::BIGINT AS idx, NULL::VARCHAR AS metadata, NULL::VARCHAR AS extra WHERE false"
    if parts:
        _load(connection, source, parts)
        told = f"""SELECT {SAMPLE_INDEX} AS idx, arg_max_null(d.metadata, p.place) AS metadata,
            arg_max_null(d.extra, p.place) AS extra
            FROM read_parquet([{_files(parts)}], filename = true) d JOIN {source} p ON p.file = d.filename
            GROUP BY ALL"""
    return f" LEFT JOIN ({told}) s ON s.idx = p.first + d.file_row_number"


def _empty(bulk: BulkTable) -> str:
    kinds = {name: kind for name, (kind, _) in bulk.columns.items()}
    beside = {name: kind for name, (kind, _) in bulk.beside.items()}
    columns = {**kinds, **({bulk.typed: "JSON"} if bulk.typed else {}), **beside}
    nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items())
    return f"SELECT {nulls} WHERE false"


def _typed_columns(fields: list[str], bulk: BulkTable) -> dict[str, str]:
    """The column of each field: its name, after the struct's if it would be called like another column."""
    own = {column.lower() for column in (*bulk.columns, *bulk.beside)}
    taken = own | {name.lower() for name in fields}
    columns = {field: field for field in fields}
    for field in fields:
        while columns[field].lower() in own or (columns[field] != field and columns[field].lower() in taken):
            columns[field] = f"{bulk.typed}_{columns[field]}"
        taken.add(columns[field].lower())
    return columns
