"""One namespace in a database: its records, its events and its bulk rows as relations of a schema.

Files are read by DuckDB itself through native paths; what the snapshot does not hold yet comes as a small Arrow table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from localreg.arrow import array
from localreg.canonical import JsonObject, canonical, quoted
from localreg.errors import FormatError, IntegrityError, NotFoundError
from localreg.log import PastEvents, Row, State
from localreg.log.history import HISTORY_DAMAGED, events_table
from localreg.log.layer_rows import as_json, rows_table
from localreg.query.bulk import create_bulk
from localreg.query.bulk_tables import BULK, SAID, BulkTable
from localreg.query.database import file_gone, load
from localreg.query.quoting import literal
from localreg.query.tables import INTERNAL, TABLES
from localreg.storage import Store
from localreg.tables import EMPTY, VECTORS, Node

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Files", "Source", "schema_names"]


class Files(NamedTuple):
    """What a connection reads of one namespace.

    Attributes:
        layers: those of the snapshot, oldest first; none if the records come from memory.
        events: the log.
        parts: bulk files, each with what its rows belong to and, as `file`, its native path; as `vectors` that of
            the vectors of its rows, None if there are none.
    """

    layers: list[Path]
    events: PastEvents
    parts: list[dict[str, Any]]

    def paths(self) -> list[str]:
        """All of them."""
        bulk = [part[key] for part in self.parts for key in ("file", "vectors") if part[key] is not None]
        return [*map(str, [*self.layers, *self.events.files]), *bulk]


class Source:
    """A namespace at one state.

    Args:
        state: what is shown.
        namespace: its name, for the `namespace` columns.
        store: where its files lie.
        events: the log up to the state, read only if a query asks for it.
        schema: of its relations in the database.
    """

    def __init__(
        self,
        state: State,
        namespace: str,
        store: Store,
        events: Callable[[], PastEvents],
        *,
        schema: str = INTERNAL,
    ) -> None:
        self.state = state
        self.namespace = namespace
        self.store = store
        self.schema = schema
        self._events = events
        self._live_parts: dict[str, list[dict[str, Any]]] = {}

    def files(self, tables: Iterable[str], layers: list[Path]) -> Files:
        """What some documented tables read, over layers from `state.base.files()`."""
        bulk = BULK.keys() & set(tables)
        bulk |= {SAID} if "test_samples" in bulk else set()
        events = self._past_events() if "audit_events" in tables else PastEvents(0, [], [])
        parts = [part for table in sorted(bulk) for part in self._parts(table)]
        paths = [path for part in parts for path in (part["path"], part["vectors"]) if path is not None]
        native = dict(zip(paths, self._native(paths), strict=True))
        there = [{**part, "file": native[part["path"]], "vectors": native.get(part["vectors"])} for part in parts]
        return Files(layers, events, there)

    def create(
        self, connection: DuckDBPyConnection, tables: set[str], files: Files, schemas: Mapping[str, str]
    ) -> None:
        """Make the schema with a view for each of the documented tables, which shows the state.

        Args:
            connection: not locked yet.
            tables: their names.
            files: what `files` said.
            schemas: where to put typed views of bulk rows, by id of the workflow.
        """
        connection.execute(f"CREATE SCHEMA {self.schema}")
        self._create_records(connection, files.layers)
        if "audit_events" in tables:
            self._create_events(connection, files.events)
        for name in tables & TABLES.keys():
            connection.execute(f"CREATE VIEW {self.schema}.{name} AS {TABLES[name].select(self.schema)}")
        for name in tables & BULK.keys():
            parts = {table: [part for part in files.parts if part["table"] == table] for table in (name, SAID)}
            create_bulk(connection, self.schema, name, parts[name], said=parts[SAID], types=self._type, schemas=schemas)

    # --- records ------------------------------------------------------------------------------------------------------

    def _create_records(self, connection: DuckDBPyConnection, layers: list[Path]) -> None:
        """The view of all records: those in the layers of a snapshot under those that changed since.

        Of each layer it shows what no newer one says anew. Only rows that replace older ones are looked at for that.
        """
        self.show(connection, layers, None)
        sources = [f"read_parquet({literal(str(file))})" for file in layers]
        connection.execute(f"CREATE TABLE {self.schema}.shadows (kind VARCHAR, id VARCHAR, layer INTEGER)")
        for number, layer in enumerate(sources[1:], 1):
            connection.execute(
                f"INSERT INTO {self.schema}.shadows SELECT kind, id, {number} FROM {layer} WHERE replaces OR removed"
            )
        shown = [f"SELECT * FROM {self.schema}.overlay"]
        for number, layer in enumerate(sources):
            newer = f"SELECT kind, id FROM {self.schema}.changed"
            if number < len(sources) - 1:
                newer += f" UNION ALL SELECT kind, id FROM {self.schema}.shadows WHERE layer > {number}"
            shown.append(
                f"SELECT l.* FROM {layer} l ANTI JOIN ({newer}) n ON n.kind = l.kind AND n.id = l.id "
                "WHERE NOT l.removed"
            )
        connection.execute(
            f"""CREATE VIEW {self.schema}.records AS SELECT {literal(self.namespace)} AS namespace,
                kind, parent, name, id, record, metadata, created_commit, created_event, created_by, updated_commit,
                CAST(created_at AS TIMESTAMPTZ) AS created_at, CAST(updated_at AS TIMESTAMPTZ) AS updated_at
            FROM ({" UNION ALL ".join(shown)})"""
        )

    def show(self, connection: DuckDBPyConnection, layers: list[Path], shown: State | None) -> set[str] | None:
        """Let the records be those of this state, on a connection that was made for these layers.

        Gives the kinds of the records that are others now; None = it may be any.

        Args:
            connection: where `create` was called.
            layers: what it was called with.
            shown: the state that the records are of now; None = none.
        """
        if shown is not None and shown.base is self.state.base:
            kinds = self._go_on(connection, shown)
            if kinds is not None:
                return kinds
        if layers:
            overlay = list(self.state.overlay())
            self._swap(connection, (row for _, row in overlay if row is not None), (key for key, _ in overlay))
        else:
            self._swap(connection, self.state.rows(), ())
        return None

    def _go_on(self, connection: DuckDBPyConnection, shown: State) -> set[str] | None:
        """From one state to a later one on the same base: only what differs is replaced, however long the tail is."""
        before, now = dict(shown.overlay()), dict(self.state.overlay())
        if any(key not in now for key in before):  # an earlier one
            return None
        news = [(key, row) for key, row in now.items() if key not in before or before[key] is not row]
        load(connection, f"{self.schema}.news", as_json(rows_table(row for _, row in news if row is not None)))
        load(connection, f"{self.schema}.news_keys", _keys_table(key for key, _ in news))
        connection.execute(
            f"DELETE FROM {self.schema}.overlay o USING {self.schema}.news_keys k WHERE o.kind = k.kind AND o.id = k.id"
        )
        connection.execute(f"INSERT INTO {self.schema}.overlay FROM {self.schema}.news")
        connection.execute(f"INSERT INTO {self.schema}.changed FROM {self.schema}.news_keys")
        return {kind for (kind, _), _ in news}

    def _swap(self, connection: DuckDBPyConnection, rows: Iterable[Row], changed: Iterable[tuple[str, str]]) -> None:
        """Replace the records that stand over the layers, and the (kind, id) of those in the layers to hide."""
        load(connection, f"{self.schema}.overlay", as_json(rows_table(rows)))
        load(connection, f"{self.schema}.changed", _keys_table(changed))

    # --- events -------------------------------------------------------------------------------------------------------

    def _past_events(self) -> PastEvents:
        try:
            return self._events()
        except (NotFoundError, FormatError) as error:
            if isinstance(error, FormatError) and error.code != HISTORY_DAMAGED:
                raise
            # Those that were not sound had been left out: this one was merged with others in between.
            raise file_gone("history segments") from error

    def _create_events(self, connection: DuckDBPyConnection, events: PastEvents) -> None:
        load(connection, f"{self.schema}.recent_events", events_table(events.tail))
        union = f"FROM {self.schema}.recent_events"
        if events.files:
            files = ", ".join(literal(str(file)) for file in events.files)
            union += f" UNION ALL FROM read_parquet([{files}]) WHERE commit <= {events.upto}"
        connection.execute(
            f"CREATE VIEW {self.schema}.log AS SELECT {literal(self.namespace)} AS namespace, * FROM ({union})"
        )

    # --- bulk rows --------------------------------------------------------------------------------------------------

    def _parts(self, table: str) -> list[dict[str, Any]]:
        """The live bulk files of one table, each with what its rows belong to; found once.

        Those whose owner is gone are left out: deletion leaves the files to garbage collection.
        """
        if table not in self._live_parts:
            holding = self.state.containing("file", f'"table":{quoted(table)}')
            rows = sorted((row for row in holding if row.fields["table"] == table), key=lambda row: row.created)
            kinds = ("workflow",) if table == SAID else BULK[table].owners
            parents = {row.parent for row in rows}
            owners = {
                owner.id: owner for kind in kinds for owner in self.state.get_many({(kind, id) for id in parents})
            }
            look = cache(self.state.get)
            self._live_parts[table] = [
                self._part(row, owners[row.parent], look) for row in rows if row.parent in owners
            ]
        return self._live_parts[table]

    def _part(self, row: Row, owner: Row, look: Callable[[str, str], Row | None]) -> dict[str, Any]:
        def name_of(kind: str, id: object) -> str | None:
            found = look(kind, str(id))
            return found.name if found is not None else None

        fields = row.fields
        details = cast(JsonObject, fields.get("details", {}))
        part: dict[str, Any] = {
            "path": fields["path"],
            "table": fields["table"],
            "owner": fields["owner"],
            "namespace": self.namespace,
            "workflow_id": details.get("workflow", ""),  # of rows that no workflow types
            "workflow": name_of("workflow", details.get("workflow", "")),
            "first": details.get("first", 0),  # not of tables whose rows go by other keys than `sample_idx`
            "staged_first": details.get("staged_first", 0),
            "columns": details.get("columns", ["metadata"] if fields["table"] == "test_samples" else []),
            "empty": details.get(EMPTY, False),
            "vectors": self._vectors.get(fields["path"]),
        }
        if fields["table"] == "ground_truths":
            part["version"] = owner.number
            part["test_case"] = name_of("test_case", owner.parent)
        elif fields["table"] in ("inferences", "embeddings"):
            is_run = owner.kind == "test_run"
            version = look("model_version", owner.parent) if is_run else owner
            part["test_run"] = owner.id if is_run else None
            part["model_version"] = version.name if version else None
            part["version_id"] = owner.parent if is_run else owner.id
            part["replaces"] = details.get("replaces", False)
            part["model"] = name_of("model", version.parent if version else "")
        elif fields["table"] == "events":
            part |= {"owner_kind": owner.kind, "owner_name": self._owner_name(owner, look), "commit": row.created[0]}
        elif owner.kind == "experiment":
            part["experiment"] = owner.name
        elif owner.kind == "evaluation":
            part |= self._of_evaluation(owner, details, look)
        return part

    def _owner_name(self, owner: Row, look: Callable[[str, str], Row | None]) -> str:
        """As the column `owner` of artifacts has it."""
        if owner.kind == "model_version":
            model = look("model", owner.parent)
            return owner.name if model is None else f"{model.name}@{owner.name}"
        if owner.kind == "checkpoint":
            experiment = look("experiment", owner.parent)
            return owner.name if experiment is None else f"{experiment.name}: {owner.name}"
        return owner.name

    def _of_evaluation(
        self, evaluation: Row, details: JsonObject, look: Callable[[str, str], Row | None]
    ) -> dict[str, Any]:
        """What results belong to; a name is null where a record was redacted."""

        def within(kind: str, row: Row | None) -> Row | None:
            return None if row is None else look(kind, row.parent)

        def name_of(row: Row | None) -> str | None:
            return None if row is None else row.name

        run = within("test_run", evaluation)
        fields: JsonObject = {} if run is None else run.fields
        version = within("model_version", run)
        of_suite = look("test_suite_version", str(fields.get("test_suite_version")))
        cases = () if of_suite is None else cast("list[str]", of_suite.fields.get("test_cases", []))
        schema = cast(JsonObject, details.get("schema", {}))
        return {
            "test_run": evaluation.parent,
            "model": name_of(within("model", version)),
            "model_version": name_of(version),
            "test_suite": name_of(within("test_suite", of_suite)),
            "test_suite_version": None if of_suite is None else of_suite.number,
            "test_cases": [name_of(within("test_case", look("test_case_version", id))) for id in cases],
            "evaluator": fields.get("evaluator"),
            "configuration": evaluation.fields.get("configuration"),
            "schema": canonical(schema),
            "has_fields": bool(schema.get("fields")),
        }

    def _native(self, paths: list[str]) -> list[str]:
        """Native paths of files, fetched several at once where they lie behind a network."""
        try:
            return [str(file) for file in self.store.local_files(paths)]
        except NotFoundError as error:
            missing = next((path for path in paths if self.store.size(path) is None), "a file")
            raise IntegrityError(
                f"{self.store.uri}/{missing} is missing; restore it from a copy", code="file_missing"
            ) from error

    @cached_property
    def _vectors(self) -> dict[object, str]:
        """The file of the vectors that stand beside a part, by its path."""
        rows = self.state.containing("file", f'"table":{quoted(VECTORS)}')
        files = [row.fields for row in rows if row.fields["table"] == VECTORS]
        return {cast(JsonObject, file["details"]).get("beside"): str(file["path"]) for file in files}

    def _type(self, workflow: str, bulk: BulkTable) -> Node:
        row = self.state.get("workflow", workflow)
        typed = bulk.typed or ""
        schema = row.fields.get({"sample": "test_sample"}.get(typed, typed)) if row is not None else None
        return Node.from_json(schema) if isinstance(schema, dict) else Node("struct")


def _keys_table(keys: Iterable[tuple[str, str]]) -> pa.Table:
    """(kind, id) as a table."""
    import pyarrow as pa

    kinds, ids = [list(column) for column in zip(*keys, strict=True)] or [[], []]
    return pa.Table.from_arrays([array(kinds, pa.string()), array(ids, pa.string())], names=["kind", "id"])


_TAKEN_SCHEMAS = ("main", "temp", "system", "memory", "pg_catalog", "information_schema", INTERNAL)


def schema_names(state: State) -> dict[str, str]:
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
