"""Views of bulk rows: Parquet parts, each with what its rows belong to.

One view over all workflows shows the typed values as JSON; in the schema of each workflow they are columns. Parts of
older schemas lack fields, which are null: DuckDB joins struct columns by name (`union_by_name`). Where each part has a
schema of its own, as metrics do, only parts of one schema are read together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localreg.query.bulk_tables import BULK, SAMPLE_INDEX, BulkTable
from localreg.query.database import load
from localreg.query.quoting import identifier, literal
from localreg.query.typed_columns import grown, sql_type, typed_columns
from localreg.tables import Node, vector_fields, without_vectors

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
    types: Callable[[str, BulkTable], Node],
    schemas: Mapping[str, str],
) -> None:
    """Make the views of one bulk table.

    Args:
        connection: where to.
        schema: of the view over all workflows.
        name: of the table.
        parts: its files, each with `workflow_id`, `file` and what its rows belong to.
        said: files of what was said of samples after they came.
        types: what the typed values are, by id of the workflow.
        schemas: where to put typed views, by id of the workflow.
    """
    bulk = BULK[name]
    generic = []
    for number, (workflow, own) in enumerate(_alike(parts)):
        node = types(workflow, bulk)
        source = f"{schema}.{name}_parts_{number}"
        rows = _rows(connection, source, own, bulk, without_vectors(node))
        if name == "test_samples":
            later = [part for part in said if part["workflow_id"] == workflow]
            rows += _said(connection, f"{schema}.sample_metadata_parts_{number}", later)
        columns, beside = _selected(bulk.columns), _selected(bulk.beside)
        if bulk.typed is None:
            generic.append(f"SELECT {columns} {rows}")
            continue
        generic.append(f"SELECT {columns}, {_as_json(bulk.typed, node)} AS {bulk.typed}, {beside} {rows}")
        if workflow in schemas:
            typed, beside_rows = typed_columns(node, bulk), _vectors(source, own, node)
            own_schema = identifier(schemas[workflow])
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {own_schema}")
            connection.execute(
                f"CREATE VIEW {own_schema}.{name} AS SELECT {columns}, {typed}{beside} {rows}{beside_rows}"
            )
    body = " UNION ALL ".join(generic) or _empty(bulk)
    connection.execute(f"CREATE VIEW {schema}.{name} AS {body}")


def _selected(columns: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(f'{sql} AS "{column}"' for column, (_, sql) in columns.items())


def _as_json(typed: str, node: Node) -> str:
    """The SQL of a value as JSON, in which vectors have no place."""
    if without_vectors(node).fields:
        return f"to_json(d.{typed})"
    # A type without fields is a BOOLEAN in Parquet: true where there is one.
    return f"CASE WHEN d.{typed} THEN CAST('{{}}' AS JSON) END"


def _alike(parts: Sequence[Part]) -> list[tuple[str, list[Part]]]:
    """Parts that can be read as one, with the id of their workflow."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part["workflow_id"], part.get("schema", "")), []).append(part)
    return [(workflow, groups[workflow, schema]) for workflow, schema in sorted(groups)]


def _rows(connection: DuckDBPyConnection, source: str, parts: Sequence[Part], bulk: BulkTable, node: Node) -> str:
    """The FROM of some parts: `d` are the rows, `p` what they belong to."""
    _load(connection, source, parts)
    there = {column for part in parts for column in part["columns"]}
    absent = "".join(f", {null} AS {column}" for column, null in bulk.optional.items() if column not in there)
    rows = f"FROM (SELECT *{absent} FROM {_read(parts, bulk, node)}) d JOIN {source} p ON p.file = d.filename"
    newer = [part for part in parts if part.get("replaces")]
    if not newer:
        return rows
    # Of a sample that was inferred again, or an image that was extracted again, only the last row counts.
    return f"""{rows} ANTI JOIN (
        SELECT p.version_id, {bulk.key} AS key, max(p.place) AS place
        FROM read_parquet([{_files(newer)}], filename = true) d JOIN {source} p ON p.file = d.filename GROUP BY ALL
    ) n ON n.version_id = p.version_id AND n.key = {bulk.key} AND n.place > p.place"""


def _read(parts: Sequence[Part], bulk: BulkTable, node: Node) -> str:
    """The rows of all parts, those from before the type had fields included."""
    read = "read_parquet([{}], filename = true, file_row_number = true, union_by_name = true)"
    empty = [part for part in parts if part["empty"]]
    if bulk.typed is None or not empty or not node.fields:
        return read.format(_files(parts))
    typed, kind, rest = bulk.typed, sql_type(node), [part for part in parts if not part["empty"]]
    made = grown(typed, kind, node.fields[0].name)
    rows = [f"SELECT * REPLACE ({made} AS {typed}) FROM {read.format(_files(empty))}"]
    if rest:
        rows.append(f"SELECT * REPLACE (CAST({typed} AS {kind}) AS {typed}) FROM {read.format(_files(rest))}")
    return f"({' UNION ALL BY NAME '.join(rows)})"


def _vectors(source: str, parts: Sequence[Part], node: Node) -> str:
    """The vectors that stand beside rows, joined as `v`; empty where the type has none."""
    fields = vector_fields(node)
    if not fields:
        return ""
    files = [part for part in parts if part["vectors"]]
    columns = "".join(f", {identifier(field.name)}" for field in fields)
    nulls = "".join(f", NULL::{sql_type(field.node)} AS {identifier(field.name)}" for field in fields)
    told = f"SELECT 0 AS place, 0 AS file_row_number{nulls} WHERE false"
    if files:
        # A vector field that came later stands in none of the older files.
        paths = ", ".join(literal(part["vectors"]) for part in files)
        read = f"read_parquet([{paths}], filename = true, file_row_number = true, union_by_name = true)"
        told = f"""SELECT p.place, v.file_row_number{columns} FROM ({told.replace("0 AS place", "'' AS filename")}
            UNION ALL BY NAME FROM {read}) v JOIN {source} p ON p.vectors = v.filename"""
    return f" LEFT JOIN ({told}) v ON v.place = p.place AND v.file_row_number = d.file_row_number"


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
    columns = {**kinds, **({} if bulk.typed is None else {bulk.typed: "JSON"}), **beside}
    nulls = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in columns.items())
    return f"SELECT {nulls} WHERE false"
