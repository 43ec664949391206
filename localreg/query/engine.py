"""DuckDB over one state: documented views, made only as far as a query needs them, on a locked connection.

An engine belongs to one immutable state; the connections that it asks are shared with the states after it. Files are
read by DuckDB itself through native paths; what the snapshot does not hold yet comes as a small Arrow table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.errors import IntegrityError, InvalidInputError, LocalregError, NotFoundError
from localreg.log import PastEvents, Row, State
from localreg.log.history import events_table
from localreg.names import check_whole
from localreg.query.database import Databases, create_records, load, show_records
from localreg.query.facets import facets_sql
from localreg.query.guard import check_select, locked_connection, referenced_tables, translate_error
from localreg.query.quoting import identifier, literal
from localreg.query.result import JSON_FIELD, Result
from localreg.query.rows import Rows
from localreg.query.syntax import clean_message
from localreg.query.tables import BULK, INTERNAL, TABLES, BulkTable
from localreg.storage import Store

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Engine"]


class Engine:
    """Answers queries about one state of one namespace.

    Args:
        state: what is shown.
        namespace: its name, for the `namespace` columns.
        store: where its files lie.
        events: the log up to the state, read only if a query asks for it.
        databases: the session's connections, shared with the engines of other states.
    """

    def __init__(
        self, state: State, namespace: str, store: Store, events: Callable[[], PastEvents], databases: Databases
    ) -> None:
        self.state = state
        self.namespace = namespace
        self._store = store
        self._events = events
        self._databases = databases

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
        search: str | None = None,
        archived: bool | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Result:
        """Rows of one documented table; see `Registry.models` for the arguments.

        Raises:
            InvalidInputError: an expression does not parse or names an unknown column; the limit is no whole number.
        """
        rows = Rows(table, where, search, archived)
        condition, order, most = rows.condition(), rows.order(order_by), _checked_limit(limit)

        bound = "" if most is None else f" LIMIT {most}"
        where_and_order = f"WHERE {condition} ORDER BY {order}{bound}"
        if not TABLES[table].has_ids or (condition, bound) == ("true", ""):
            sql = f"SELECT {rows.documented()} FROM {rows.source} {where_and_order}"
            return Result(lambda: self._rows(rows, sql))

        def fetch() -> pa.Table:
            # All columns of a row cost much more than those that it is chosen by: ids first. In a table of their own,
            # since DuckDB would not know how few they are, and hash all the records instead.
            with self._databases.lock:
                found = self._rows(rows, f"SELECT id FROM {rows.source} {where_and_order}")
                load(self.connection({table}), "found", found)
                among = TABLES[table].among(f"{INTERNAL}.found")
                return self._rows(rows, f"SELECT {rows.documented()} FROM ({among}) ORDER BY {order}")

        return Result(fetch)

    def facets(
        self,
        table: str,
        *,
        by: str,
        where: str | None = None,
        search: str | None = None,
        archived: bool | None = None,
        limit: int | None = None,
    ) -> Result:
        """Values and how many rows have them; see `Registry.facets`."""
        rows = Rows(table, where, search, archived)
        sql = facets_sql(rows, by, limit=_checked_limit(limit))
        return Result(lambda: self._rows(rows, sql))

    def _rows(self, rows: Rows, sql: str) -> pa.Table:
        return self._fetch(sql, (), lambda: {rows.table}, rows.told)

    def _fetch(
        self,
        sql: str,
        parameters: Sequence[object],
        tables: Callable[[], set[str]],
        told: Callable[[Exception], LocalregError],
    ) -> pa.Table:
        import duckdb

        with self._databases.lock:
            try:
                cursor = _executed(self.connection(tables()), sql, parameters)
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

    def connection(self, tables: set[str]) -> DuckDBPyConnection:
        """A connection on which these documented tables show this state. To be used under the databases' lock."""
        # Asked for at each query: layers may be cleaned up while we live, and then the records come from memory.
        layers = self.state.base.files()
        # Tables of records are swapped; events and bulk rows belong to one state.
        own = None if tables <= RECORDS else self
        key = (frozenset(tables), tuple(layers), own)
        database = self._databases.get(key, lambda: self._new_connection(tables, layers))
        if database.shown is not self.state:
            database.shown = None  # until all is in its place
            self._show(database.connection, layers)
            database.shown = self.state
        return database.connection

    def _show(self, connection: DuckDBPyConnection, layers: list[Path]) -> None:
        if not layers:
            show_records(connection, self.state.rows(), ())
            return
        overlay = list(self.state.overlay())
        show_records(connection, (row for _, row in overlay if row is not None), (key for key, _ in overlay))

    def _new_connection(self, tables: set[str], layers: list[Path]) -> DuckDBPyConnection:
        parts = [part for part in self._parts() if part["table"] in tables] if tables & BULK.keys() else []
        events = self._events() if "audit_events" in tables else PastEvents(0, [], [])
        paths = [*(self._native(part["path"]) for part in parts), *map(str, [*layers, *events.files])]

        def create(connection: DuckDBPyConnection) -> None:
            connection.execute(f"CREATE SCHEMA {INTERNAL}")
            create_records(connection, self.namespace, layers)
            self._create_events(connection, events)
            for name in tables & TABLES.keys():
                connection.execute(f"CREATE VIEW {INTERNAL}.{name} AS {TABLES[name].sql}")
                columns = ", ".join(f'"{column}"' for column in TABLES[name].columns)
                connection.execute(f'CREATE VIEW "{name}" AS SELECT {columns} FROM {INTERNAL}.{name} ORDER BY _order')
            for name in tables & BULK.keys():
                self._create_bulk(connection, name, [part for part in parts if part["table"] == name])

        return locked_connection(paths, setup=create)

    def _create_events(self, connection: DuckDBPyConnection, events: PastEvents) -> None:
        load(connection, "recent_events", events_table(events.tail))
        union = f"FROM {INTERNAL}.recent_events"
        if events.files:
            files = ", ".join(literal(str(file)) for file in events.files)
            union += f" UNION ALL FROM read_parquet([{files}]) WHERE commit <= {events.upto}"
        connection.execute(
            f"CREATE VIEW {INTERNAL}.events AS SELECT {literal(self.namespace)} AS namespace, * FROM ({union})"
        )

    # --- bulk rows --------------------------------------------------------------------------------------------------

    def _parts(self) -> list[dict[str, Any]]:
        """The live bulk files, each with what its rows belong to."""
        rows = sorted(self.state.rows("file"), key=lambda row: row.created)
        return [self._part(row) for row in rows if row.fields.get("table") in BULK and self._has_owner(row)]

    def _has_owner(self, row: Row) -> bool:
        """Whether the record that a part belongs to is there: deletion leaves the files to garbage collection."""
        return self.state.get(BULK[str(row.fields["table"])].owner, row.parent) is not None

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
            load(connection, source, pa.Table.from_pylist(located))
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


RECORDS = TABLES.keys() - {"audit_events"}
"""Tables that are made of records alone."""


_LIMIT_HINT = "it must be a whole number, 0 or more, or None for all"
_TAKEN_SCHEMAS = ("main", "temp", "system", "memory", "pg_catalog", "information_schema", INTERNAL)


def _checked_limit(limit: int | None) -> int | None:
    return None if limit is None else check_whole(limit, what="limit", hint=_LIMIT_HINT)


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
