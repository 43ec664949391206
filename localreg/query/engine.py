"""DuckDB over one state: documented views, made only as far as a query needs them, on a locked connection.

An engine belongs to one immutable state, so its connection is made once and kept. Files are read by DuckDB itself
through native paths; what the snapshot does not hold yet comes as a small Arrow table.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject, canonical
from localreg.errors import IntegrityError, InvalidInputError, LocalregError, NotFoundError
from localreg.log import Entry, Row, State
from localreg.log.snapshot import rows_table
from localreg.names import check_whole
from localreg.query.expressions import rewrite_order_by, rewrite_where
from localreg.query.guard import check_select, explain_error, locked_connection, referenced_tables, translate_error
from localreg.query.quoting import identifier, literal
from localreg.query.result import JSON_FIELD, Result
from localreg.query.syntax import clean_message
from localreg.query.tables import BULK, INTERNAL, TABLES, BulkTable
from localreg.storage import Store

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Engine"]


class Engine:
    """Answers queries about one state of one namespace.

    Args:
        state: what is shown.
        namespace: its name, for the `namespace` columns.
        store: where its files lie.
        entries: the log up to the state, read only if a query asks for it.
    """

    def __init__(self, state: State, namespace: str, store: Store, entries: Callable[[], Iterable[Entry]]) -> None:
        self.state = state
        self.namespace = namespace
        self._store = store
        self._entries = entries
        self._connections: dict[tuple[frozenset[str], str | None], DuckDBPyConnection] = {}
        self._lock = threading.RLock()

    def sql(self, sql: str, parameters: Sequence[object] = ()) -> Result:
        """The rows of one SELECT over the documented tables.

        Raises:
            InvalidInputError: not exactly one SELECT, an unknown table or column, a file outside the registry.
        """
        checked, values = check_select(sql), _checked_parameters(parameters)

        def fetch() -> pa.Table:
            return self._fetch(checked, values, lambda: self._needed(checked), _sql_error(checked))

        return Result(fetch)

    def select(
        self,
        table: str,
        *,
        where: str | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """Rows of one documented table; see `Registry.models` for `where` and `order_by`.

        Raises:
            InvalidInputError: the expression does not parse or names an unknown column; the limit is no whole number.
        """
        columns = TABLES[table].columns
        condition = "true" if where is None else rewrite_where(where, columns, table=table)
        order = "_order" if order_by is None else f"{rewrite_order_by(order_by, columns, table=table)}, _order"
        bound = "" if limit is None else f" LIMIT {check_whole(limit, what='limit', hint=_LIMIT_HINT)}"
        sql = f"SELECT * EXCLUDE (_order) FROM {INTERNAL}.{table} WHERE {condition} ORDER BY {order}{bound}"

        def told(error: Exception) -> LocalregError:
            # Without a `where` of the user's, whatever fails is the registry's.
            return _sql_error(sql)(error) if where is None else explain_error(error, where, columns)

        return Result(lambda: self._fetch(sql, (), lambda: {table}, told))

    def _fetch(
        self,
        sql: str,
        parameters: Sequence[object],
        tables: Callable[[], set[str]],
        told: Callable[[Exception], LocalregError],
    ) -> pa.Table:
        import duckdb

        with self._lock:
            try:
                cursor = _executed(self._connection(tables()), sql, parameters)
                types = [str(column[1]) for column in cursor.description or ()]
                return _labelled(cursor.to_arrow_table(), types)
            except duckdb.Error as error:
                raise told(error) from error
            except RuntimeError as error:
                if "interrupted" in str(error):  # how DuckDB tells that Ctrl-C was pressed
                    raise KeyboardInterrupt from None
                raise told(error) from error

    # --- relations --------------------------------------------------------------------------------------------------

    def _needed(self, sql: str) -> set[str]:
        """Names of the documented tables that a query uses; all of them if that cannot be told."""
        named = referenced_tables(sql)
        if named is None:
            return {*TABLES, *BULK}
        return {name for _, name in named if name in TABLES or name in BULK}

    def _connection(self, tables: set[str]) -> DuckDBPyConnection:
        # Looked for at each query: the snapshot may be cleaned up while we live, and then the records come from memory.
        base = self._base_file()
        key = (frozenset(tables), base)
        parts: list[dict[str, Any]] = []
        paths: list[str] = []
        if key not in self._connections or self._store.remote:  # a cache of remote files may have been emptied since
            parts = self._parts() if tables & BULK.keys() else []
            paths = self._all_native([part["path"] for part in parts if part["table"] in tables])
        if key not in self._connections:
            self._connections[key] = locked_connection(
                [*paths, *([base] if base else [])],
                setup=lambda connection: self._create_views(connection, tables, parts, base),
            )
        return self._connections[key]

    def _create_views(
        self, connection: DuckDBPyConnection, tables: set[str], parts: list[dict[str, Any]], base: str | None
    ) -> None:
        connection.execute(f"CREATE SCHEMA {INTERNAL}")
        self._create_records(connection, base)
        if "audit_events" in tables:
            _load(connection, "events", _events_table(self.namespace, self._entries()))
        for name in tables & TABLES.keys():
            connection.execute(f"CREATE VIEW {INTERNAL}.{name} AS {TABLES[name].sql}")
            columns = ", ".join(f'"{column}"' for column in TABLES[name].columns)
            connection.execute(f'CREATE VIEW "{name}" AS SELECT {columns} FROM {INTERNAL}.{name} ORDER BY _order')
        for name in tables & BULK.keys():
            self._create_bulk(connection, name, [part for part in parts if part["table"] == name])

    def _base_file(self) -> str | None:
        """Native path of the snapshot under the state; None if there is none, or if it has just been cleaned up."""
        if self.state.base.file is None:
            return None
        try:
            return str(self._store.local_file(self.state.base.file))
        except LocalregError:
            return None

    def _create_records(self, connection: DuckDBPyConnection, base: str | None) -> None:
        import pyarrow as pa

        overlay = list(self.state.overlay())
        rows = self.state.rows() if base is None else (row for _, row in overlay if row is not None)
        _load(connection, "overlay", rows_table(rows))
        union = f"SELECT * FROM {INTERNAL}.overlay"
        if base is not None:
            changed = {"kind": [kind for (kind, _), _ in overlay], "id": [id for (_, id), _ in overlay]}
            _load(connection, "changed", pa.table(changed, pa.schema([("kind", pa.string()), ("id", pa.string())])))
            kept = f"read_parquet({literal(base)}) b ANTI JOIN {INTERNAL}.changed USING (kind, id)"
            union += f" UNION ALL SELECT b.* FROM {kept}"
        connection.execute(
            f"""CREATE VIEW {INTERNAL}.records AS SELECT {literal(self.namespace)} AS namespace, kind, parent, name, id,
                CAST(record AS JSON) AS record, created_commit, created_event, created_by,
                CAST(created_at AS TIMESTAMPTZ) AS created_at, CAST(updated_at AS TIMESTAMPTZ) AS updated_at
            FROM ({union})"""
        )

    # --- bulk rows --------------------------------------------------------------------------------------------------

    def _parts(self) -> list[dict[str, Any]]:
        """The live bulk files, each with what its rows belong to."""
        rows = sorted(self.state.rows("file"), key=lambda row: row.created)
        return [self._part(row) for row in rows if row.fields.get("table") in BULK]

    def _part(self, row: Row) -> dict[str, Any]:
        fields = row.fields
        details = cast(JsonObject, fields.get("details", {}))
        part: dict[str, Any] = {
            "path": fields["path"],
            "table": fields["table"],
            "owner": fields["owner"],
            "namespace": self.namespace,
            "workflow_id": details["workflow"],
            "workflow": self._name_of("workflow", details["workflow"]),
            "first": details["first"],
            "staged_first": details["staged_first"],
        }
        owner = str(fields["owner"])
        if fields["table"] == "ground_truths":
            version = self.state.get("test_case_version", owner)
            part["version"] = int(version.name) if version else None
            part["test_case"] = self._name_of("test_case", version.parent if version else "")
        elif fields["table"] == "inferences":
            run = self.state.get("test_run", owner)
            version = self.state.get("model_version", run.parent if run else "")
            part["model_version"] = version.name if version else None
            part["model"] = self._name_of("model", version.parent if version else "")
        return part

    def _name_of(self, kind: str, id: object) -> str | None:
        row = self.state.get(kind, str(id))
        return row.name if row is not None else None

    def _all_native(self, paths: list[str]) -> list[str]:
        """Native paths of files, fetched several at once where they lie behind a network."""
        try:
            return [str(file) for file in self._store.local_files(paths)]
        except NotFoundError:
            return [self._native(path) for path in paths]  # names the one

    def _native(self, path: object) -> str:
        try:
            return str(self._store.local_file(str(path)))
        except NotFoundError as error:
            raise IntegrityError(
                f"{self._store.uri}/{path} is missing; restore it from a copy", code="file_missing"
            ) from error

    def _create_bulk(self, connection: DuckDBPyConnection, name: str, parts: list[dict[str, Any]]) -> None:
        """One view over all workflows with the values as JSON, and one with typed columns in each workflow's schema."""
        import pyarrow as pa

        bulk = BULK[name]
        schemas = _schema_names(self.state)
        generic = []
        for number, workflow in enumerate(sorted({part["workflow_id"] for part in parts})):
            own = [part for part in parts if part["workflow_id"] == workflow]
            native = [self._native(part["path"]) for part in own]
            source = f"{name}_parts_{number}"
            located = [{**part, "file": file} for part, file in zip(own, native, strict=True)]
            _load(connection, source, pa.Table.from_pylist(located))
            files = ", ".join(map(literal, native))
            rows = (
                f"FROM read_parquet([{files}], filename = true, file_row_number = true, union_by_name = true) d "
                f"JOIN {INTERNAL}.{source} p ON p.file = d.filename"
            )
            columns = ", ".join(f'{sql} AS "{column}"' for column, (_, sql) in bulk.columns.items())
            fields = self._fields(workflow, bulk)
            # A type without fields is a BOOLEAN in Parquet: true where there is one.
            value = f"to_json(d.{bulk.typed})" if fields else f"CASE WHEN d.{bulk.typed} THEN CAST('{{}}' AS JSON) END"
            generic.append(f"SELECT {columns}, {value} AS {bulk.typed} {rows}")
            typed = "".join(
                f", struct_extract(d.{bulk.typed}, {literal(field)}) AS {identifier(column)}"
                for field, column in _typed_columns(fields, bulk).items()
            )
            schema = identifier(schemas[workflow])
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f"CREATE VIEW {schema}.{name} AS SELECT {columns}{typed} {rows}")
        empty = ", ".join(f'CAST(NULL AS {kind}) AS "{column}"' for column, (kind, _) in bulk.columns.items())
        body = " UNION ALL ".join(generic) or f"SELECT {empty}, CAST(NULL AS JSON) AS {bulk.typed} WHERE false"
        connection.execute(f"CREATE VIEW {name} AS {body}")

    def _fields(self, workflow: str, bulk: BulkTable) -> list[str]:
        row = self.state.get("workflow", workflow)
        kind = {"sample": "test_sample"}.get(bulk.typed, bulk.typed)
        schema = row.fields.get(kind) if row is not None else None
        fields = schema.get("fields") if isinstance(schema, dict) else None
        return [str(cast(JsonObject, field)["name"]) for field in cast("list[object]", fields or [])]


_LIMIT_HINT = "it must be a whole number, 0 or more, or None for all"
_TAKEN_SCHEMAS = ("main", "temp", "system", "memory", "pg_catalog", "information_schema", INTERNAL)


def _schema_names(state: State) -> dict[str, str]:
    """The schema of each workflow, by id: its name.

    DuckDB does not tell upper from lower case, and has names of its own: a workflow that comes second is `name (2)`.
    """
    taken = set(_TAKEN_SCHEMAS)
    schemas: dict[str, str] = {}
    for row in state.children("workflow"):
        names = chain([row.name], (f"{row.name} ({number})" for number in count(2)))
        schemas[row.id] = next(name for name in names if name.lower() not in taken)
        taken.add(schemas[row.id].lower())
    return schemas


def _typed_columns(fields: list[str], bulk: BulkTable) -> dict[str, str]:
    """The column of each field: its name, after the struct's if it would be called like another column."""
    taken = {name.lower() for name in (*bulk.columns, *fields)}
    own = {column.lower() for column in bulk.columns}
    columns = {field: field for field in fields}
    for field in fields:
        while columns[field].lower() in own or (columns[field] != field and columns[field].lower() in taken):
            columns[field] = f"{bulk.typed}_{columns[field]}"
        taken.add(columns[field].lower())
    return columns


def _events_table(namespace: str, entries: Iterable[Entry]) -> pa.Table:
    import pyarrow as pa

    names = ("commit", "event", "time", "actor", "host", "message", "action", "kind", "id", "name", "parent", "digest")
    objects = ("details", "before", "after")
    columns: dict[str, list[Any]] = {name: [] for name in (*names, *objects)}
    for entry in entries:
        for event in entry.events:
            for name in names:
                columns[name].append(getattr(event, name))
            for name in objects:
                value = getattr(event, name)
                columns[name].append(None if value is None else canonical(value))
    whole = {"commit", "event"}
    arrays = {name: pa.array(values, pa.int64() if name in whole else pa.string()) for name, values in columns.items()}
    return pa.table({"namespace": pa.array([namespace] * len(columns["commit"]), pa.string()), **arrays})


def _load(connection: DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Copy a table into the database: DuckDB cannot push all its join filters into one of Arrow's, and then fails."""
    connection.register("_incoming", table)
    connection.execute(f"CREATE TABLE {INTERNAL}.{name} AS FROM _incoming")
    connection.unregister("_incoming")


def _checked_parameters(parameters: Sequence[object]) -> list[object]:
    """The values of `?`, from now on independent of the caller's list; what each may be is DuckDB's to say."""
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Sequence):
        kind = type(parameters).__qualname__
        raise InvalidInputError(f"parameters is of type {kind}; pass a list with one value for each ? in the query")
    return list(parameters)


def _executed(connection: DuckDBPyConnection, sql: str, parameters: Sequence[object]) -> DuckDBPyConnection:
    """The connection with the query run on it."""
    import duckdb

    try:
        return connection.execute(sql, list(parameters))
    except duckdb.Error as error:
        if parameters and isinstance(error, duckdb.NotImplementedException):
            raise _unbindable(parameters, error) from error
        raise
    except Exception as error:  # DuckDB lets out what its own casts and a value's own methods raise
        raise _unbindable(parameters, error) from error


def _unbindable(parameters: Sequence[object], error: Exception) -> InvalidInputError:
    kinds = ", ".join(sorted({type(value).__qualname__ for value in parameters})) or "none"
    return InvalidInputError(
        f"cannot run sql: a parameter (types: {kinds}) cannot be given to DuckDB, {clean_message(str(error))[:200]!r}; "
        "pass valid text, numbers, times, lists or dicts of them"
    )


def _labelled(table: pa.Table, types: Sequence[str]) -> pa.Table:
    """The table with each name once (`id, id_1`), and with columns of JSON text marked for `Result`."""
    import pyarrow as pa

    fields: dict[str, pa.Field] = {}
    for field, kind in zip(table.schema, types, strict=True):
        names = chain([field.name], (f"{field.name}_{number}" for number in count(1)))
        name = next(name for name in names if name not in fields)
        fields[name] = field.with_name(name).with_metadata(JSON_FIELD if kind == "JSON" else None)
    return pa.Table.from_arrays(table.columns, schema=pa.schema(list(fields.values())))


def _sql_error(sql: str) -> Callable[[Exception], LocalregError]:
    return lambda error: translate_error(error, sql, tables=[*TABLES, *BULK])
