"""DuckDB over immutable states: documented views, made only as far as a query needs them, on a locked connection.

An engine belongs to the states that it shows; the connections that it asks are shared with the engines after it.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from localreg.arrow import numbers
from localreg.errors import InvalidInputError, LocalregError, StorageError
from localreg.log import State
from localreg.names import shown_value
from localreg.query.bulk_tables import BULK
from localreg.query.database import FILE_GONE, Database, Databases, answer, file_gone, load
from localreg.query.facets import facets_sql
from localreg.query.failures import translate_error
from localreg.query.guard import check_select, locked_connection, referenced_tables
from localreg.query.kept import Kept, forget, kept_rows
from localreg.query.lineage import AROUND
from localreg.query.page import Asked, ListingPage, checked_limit
from localreg.query.result import Result
from localreg.query.rows import Rows
from localreg.query.source import Source, schema_names
from localreg.query.streamed import begun, streamed
from localreg.query.tables import INTERNAL, TABLES

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

__all__ = ["Engine"]

FetchedT = TypeVar("FetchedT")


class Engine:
    """Answers queries about one state of a namespace, or of several.

    Args:
        sources: the namespaces; the schema of one alone is `INTERNAL`.
        databases: the session's connections, shared with the engines of other states.
    """

    def __init__(self, sources: Sequence[Source], databases: Databases) -> None:
        self.sources = tuple(sources)
        self._databases = databases

    def sql(self, sql: str, parameters: Sequence[object] = (), *, timeout_s: float | None = None) -> Result:
        """The rows of one SELECT over the documented tables; see `Registry.sql`.

        Raises:
            InvalidInputError: not exactly one SELECT, an unknown table or column, a file outside the registry.
        """
        checked, values = check_select(sql), _checked_parameters(parameters)
        most = _checked_timeout(timeout_s)

        def fetch() -> pa.Table:
            return self._fetch(checked, values, self._needed(checked), _sql_error(checked))

        def stream() -> Iterator[pa.RecordBatch]:
            return self._streamed(checked, values, most)

        def fetch_in_time() -> pa.Table:
            import pyarrow as pa

            return pa.Table.from_batches(stream())

        if most is not None:
            return Result(fetch_in_time, stream=stream)
        return Result(lambda: self._again_if_moved(fetch), stream=stream)

    def _streamed(self, sql: str, values: Sequence[object], timeout_s: float | None) -> Iterator[pa.RecordBatch]:
        """The rows of a query as they come; nobody waits for the lock meanwhile. The first batch has no rows."""
        for attempt in count(1):
            batches = self._stream_begun(sql, values, timeout_s)
            try:
                yield next(batches)
                break
            except StorageError as error:
                if error.code != FILE_GONE or attempt == ATTEMPTS:
                    raise
        yield from batches

    def _stream_begun(self, sql: str, values: Sequence[object], timeout_s: float | None) -> Iterator[pa.RecordBatch]:
        import duckdb

        told = _sql_error(sql)
        with self._databases.lock, self._asking(self._needed(sql), told) as database:
            layers, files, cursor = database.layers, database.files, begun(database.connection)
        try:
            yield from streamed(cursor, sql, values, timeout_s=timeout_s)
        except duckdb.InterruptException as error:
            raise InvalidInputError(
                f"the query was given up after {timeout_s:g} s; ask for less, or with more time", code="timeout"
            ) from error
        except duckdb.Error as error:
            self._refuse_moved(layers, files, error)
            raise told(error) from error

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
        """Rows of one documented table, of bulk rows one that has an order; see `Registry.models` for the arguments.

        Raises:
            InvalidInputError: an expression does not parse or names an unknown column; the limit is no whole number.
        """
        rows = Rows(table, where, search, archived, order_by, has_key=lambda key: self._has_key(table, key))
        return self._selected(rows, checked_limit(limit))

    def _selected(self, rows: Rows, most: int | None, offset: int = 0) -> Result:
        bound = ("" if most is None else f" LIMIT {most}") + (f" OFFSET {offset}" if offset else "")
        order, table = rows.order(), rows.table
        where_and_order = f"WHERE {rows.condition()} ORDER BY {order}{bound}"
        chooses = bool((rows.where, rows.search, most) != (None, None, None) or rows.archived or offset)
        if len(self.sources) == 1 and table == "audit_events" and most is not None:
            return self._result(lambda: self._few_events(rows, where_and_order))
        if len(self.sources) > 1 or table in BULK or not TABLES[table].has_ids or not chooses:
            sql = f"SELECT {rows.documented()} FROM {rows.source} {where_and_order}"
            return self._result(lambda: self._rows(rows, sql))

        def fetch() -> pa.Table:
            # All columns of a row cost much more than those that it is chosen by: ids first. In a table of their own,
            # since DuckDB would not know how few they are, and hash all the records instead.
            found = self._rows(rows, f"SELECT id FROM {rows.source} {where_and_order}")
            among = TABLES[table].among(f"{INTERNAL}.found")
            documented = f"SELECT {rows.documented()} FROM ({among}) ORDER BY {order}"
            return self._fetch(documented, (), {table}, rows.told, found=found)

        return self._result(fetch)

    def _few_events(self, rows: Rows, where_and_order: str) -> pa.Table:
        """Some rows of the audit log: their places first, then all columns of the commits between them alone."""
        found = self._rows(rows, f"SELECT commit, event FROM {rows.source} {where_and_order}")
        commits = numbers(found["commit"])
        first, last = (int(commits.min()), int(commits.max())) if len(commits) else (0, 0)
        among = f"{rows.source} SEMI JOIN {INTERNAL}.found USING (commit, event)"
        sql = f"SELECT {rows.documented()} FROM {among} WHERE commit BETWEEN {first} AND {last} ORDER BY {rows.order()}"
        return self._fetch(sql, (), {rows.table}, rows.told, found=found)

    def page(
        self,
        table: str,
        *,
        where: str | None = None,
        search: str | None = None,
        archived: bool | None = None,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        facets: str | Sequence[str] = (),
        most: int | None = None,
    ) -> ListingPage:
        """Some rows of a listing, how many there are, and their facets; see `Registry.page`.

        Raises:
            InvalidInputError: as in `select` and `facets`, or the table has no listing.
        """
        rows = Rows(table, where, search, archived, order_by, has_key=lambda key: self._has_key(table, key))
        asked = Asked.of(rows, facets, limit=limit, offset=offset, most=most)
        return self._again_if_moved(lambda: self._page(asked))

    def _page(self, asked: Asked) -> ListingPage:
        table = asked.rows.table
        kept = None
        if table in RECORDS:  # events and bulk rows may be many, and their connections last for one state only
            with self._asking({table}, Rows(table).told) as database:
                kept = kept_rows(database, table)
        return self._page_at_once(asked) if kept is None else self._page_of_kept(kept, asked.of_kept())

    def _page_of_kept(self, kept: Kept, asked: Asked) -> ListingPage:
        rows, counts = asked.rows, {}
        with self._asking({rows.table}, rows.told):
            fits = kept.fitting(rows)
            shown = kept.page(rows, fits, limit=asked.limit, offset=asked.offset)
        for by, each in asked.counted.items():
            with self._asking({rows.table}, each.told):
                counts[by] = kept.facet(each, fits, most=asked.most)
        return ListingPage.of(shown, int(fits.sum()), counts)

    def _page_at_once(self, asked: Asked) -> ListingPage:
        rows = asked.rows
        total = self._rows(rows, f"SELECT count(*) FROM {rows.source} WHERE {rows.condition()}")[0][0].as_py()
        shown = self._selected(rows, asked.limit, asked.offset).arrow()
        counts = {by: self._rows(each, facets_sql(each, limit=asked.most)) for by, each in asked.counted.items()}
        return ListingPage.of(shown, total, counts)

    def around(self, id: str) -> Result:
        """What a thing comes from and what it leads to; see `HasLineage.lineage`. Of one namespace."""

        def fetch() -> pa.Table:
            return self._fetch(AROUND, [id, id], {"lineage"}, _sql_error(AROUND))

        return self._result(fetch)

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
        rows = Rows(table, where, search, archived, by=by, has_key=lambda key: self._has_key(table, key))
        sql = facets_sql(rows, limit=checked_limit(limit))
        return self._result(lambda: self._rows(rows, sql))

    def _result(self, fetch: Callable[[], pa.Table]) -> Result:
        """What `fetch` gives, when it is looked at."""
        return Result(lambda: self._again_if_moved(fetch))

    def _again_if_moved(self, fetch: Callable[[], FetchedT]) -> FetchedT:
        """What `fetch` gives under the lock; again if files that it read were cleaned up meanwhile."""
        with self._databases.lock:
            for _ in range(ATTEMPTS - 1):
                try:
                    return fetch()
                except StorageError as error:
                    if error.code != FILE_GONE:
                        raise
            return fetch()

    def _has_key(self, table: str, key: str) -> bool:
        """Whether a record's metadata has a key at its top. Not of bulk tables, which may be too large for a hint."""
        sql = f"SELECT 1 FROM {table} WHERE list_contains(json_keys(metadata), ?) LIMIT 1"
        with suppress(LocalregError), self._databases.lock:
            return table in TABLES and len(self._fetch(sql, [key], {table}, _sql_error(sql))) > 0
        return False

    def _rows(self, rows: Rows, sql: str) -> pa.Table:
        return self._fetch(sql, (), {rows.table}, rows.told)

    def _fetch(
        self,
        sql: str,
        parameters: Sequence[object],
        tables: set[str],
        told: Callable[[Exception], LocalregError],
        *,
        found: pa.Table | None = None,
    ) -> pa.Table:
        """The rows of a query, with ids that it asks for in the table `found`. To be called under the lock."""
        with self._asking(tables, told) as database:
            if found is not None:
                load(database.connection, f"{INTERNAL}.found", found)
            return answer(database.connection, sql, parameters)

    @contextmanager
    def _asking(self, tables: set[str], told: Callable[[Exception], LocalregError]) -> Iterator[Database]:
        """A database that shows these tables, with DuckDB's errors as `told`. To be used under the lock."""
        import duckdb

        try:
            database = self.database(tables)
            try:
                yield database
            except (duckdb.Error, LocalregError) as error:
                self._refuse_moved(database.layers, database.files, error)
                raise
        except duckdb.Error as error:
            raise told(error) from error
        except RuntimeError as error:
            if "interrupted" in str(error):  # how DuckDB tells that Ctrl-C was pressed
                raise KeyboardInterrupt from None
            raise told(error) from error

    def _refuse_moved(self, layers: Sequence[Sequence[Path]], files: Sequence[str], error: Exception) -> None:
        """Raise `StorageError` if a query failed on files that are others by now: then it says nothing of the query."""
        if not all(map(os.path.exists, files)) or self._layers() != layers:
            raise file_gone("files that the query read") from error

    def _layers(self) -> list[list[Path]]:
        # Asked for at each query: layers may be cleaned up while we live, and then the records come from memory.
        return [source.state.base.files() for source in self.sources]

    # --- relations --------------------------------------------------------------------------------------------------

    def _needed(self, sql: str) -> set[str]:
        """Names of the documented tables that a query uses; all of them if that cannot be told."""
        named = referenced_tables(sql)
        if named is None:
            return {*TABLES, *BULK}
        return {name for _, name in named if name in TABLES or name in BULK}

    def database(self, tables: set[str]) -> Database:
        """A database in which these documented tables show what they should. To be used under the databases' lock."""
        layers = self._layers()
        # Tables of records are swapped; events and bulk rows belong to one state.
        own = None if tables <= RECORDS else self
        namespaces = tuple(source.namespace for source in self.sources)
        key = (frozenset(tables), namespaces, tuple(map(tuple, layers)), own)
        for source, files in zip(self.sources, layers, strict=True):
            if own and source.store.remote:
                source.files(tables, files)  # the cache may have been emptied since the connection was made
        database = self._databases.get(key, lambda: self._new_database(tables, layers))
        states = [source.state for source in self.sources]
        if len(database.shown) != len(states) or any(map(operator.is_not, database.shown, states)):
            shown: Sequence[State | None] = database.shown or [None] * len(states)
            database.shown = ()  # until all is in its place
            for source, files, before in zip(self.sources, layers, shown, strict=True):
                forget(database, source.show(database.connection, files, before))
            database.shown = states
        return database

    def _new_database(self, tables: set[str], layers: list[list[Path]]) -> Database:
        files = [source.files(tables, each) for source, each in zip(self.sources, layers, strict=True)]
        alone = len(self.sources) == 1

        def create(connection: DuckDBPyConnection) -> None:
            for source, each in zip(self.sources, files, strict=True):
                source.create(connection, tables, each, schema_names(source.state) if alone else {})
            if not alone:
                connection.execute(f"CREATE SCHEMA {INTERNAL}")
            for name in tables:
                self._create_documented(connection, name, alone)

        paths = [path for each in files for path in each.paths()]
        try:
            database = Database(locked_connection(paths, setup=create), paths, layers)
        except StorageError as error:
            self._refuse_moved(layers, paths, error)
            raise
        database.shown = [source.state for source in self.sources]
        return database

    def _create_documented(self, connection: DuckDBPyConnection, name: str, alone: bool) -> None:
        """The view that users name; of several namespaces, all their rows, in order of namespace."""
        listed = f"{INTERNAL}.{name}"
        if not alone:
            ordered = "SELECT * REPLACE ((namespace, _order) AS _order)" if name in TABLES else "SELECT *"
            union = " UNION ALL ".join(f"{ordered} FROM {source.schema}.{name}" for source in self.sources)
            connection.execute(f"CREATE VIEW {listed} AS {union}")
        if name in TABLES:
            columns = ", ".join(f'"{column}"' for column in TABLES[name].columns)
            connection.execute(f'CREATE VIEW "{name}" AS SELECT {columns} FROM {listed} ORDER BY _order')
        else:
            connection.execute(f"CREATE VIEW {name} AS FROM {listed}")


ATTEMPTS = 3
"""How often a query is tried whose files are cleaned up while it runs. The second time records come from memory;
history segments may have been merged again."""

RECORDS = TABLES.keys() - {"audit_events"}
"""Tables that are made of records alone."""


def _checked_parameters(parameters: Sequence[object]) -> list[object]:
    """The values of `?`, from now on independent of the caller's list; what each may be is DuckDB's to say."""
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Sequence):
        kind = type(parameters).__qualname__
        raise InvalidInputError(f"parameters is of type {kind}; pass a list with one value for each ? in the query")
    return list(parameters)


LONGEST_S = 1e6
"""Seconds: eleven days."""


def _checked_timeout(timeout_s: float | None) -> float | None:
    if timeout_s is None:
        return None
    is_number = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
    if not is_number or not 0 < timeout_s <= LONGEST_S:
        raise InvalidInputError(f"timeout_s is {shown_value(timeout_s)}; write seconds, or None for no end")
    return float(timeout_s)


def _sql_error(sql: str) -> Callable[[Exception], LocalregError]:
    return lambda error: translate_error(error, sql, tables=[*TABLES, *BULK])
