"""`sql` reads, and reads only the registry: the text is checked, the connection is locked, errors are ours."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg.errors import InvalidInputError, LocalregError, StorageError
from localreg.query.failures import explain_error, translate_error
from localreg.query.guard import (
    check_select,
    locked_connection,
    referenced_tables,
)

# --- one SELECT -----------------------------------------------------------------------------------------------------

SELECTS = [
    "SELECT 1",
    "select * from models where name = 'a;b' -- ; DROP TABLE x",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r",
    "FROM models",
    "TABLE models",
    "VALUES (1), (2)",
    "(SELECT 1)",
    "SELECT 1 UNION ALL SELECT 2",
    "DESCRIBE models",
    "DESCRIBE SELECT 1",
    "SUMMARIZE models",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "PIVOT models ON task IN ('a', 'b') USING count(*)",
    "UNPIVOT t ON a, b INTO NAME k VALUE v",
    "SELECT * FROM models TABLESAMPLE 10%",
    "SELECT DISTINCT ON (name) * FROM a ASOF JOIN b ON a.x >= b.x QUALIFY row_number() OVER () = 1",
    "SELECT * EXCLUDE (a) REPLACE (b AS c), COLUMNS('x.*') FROM t GROUP BY ALL ORDER BY ALL",
    "SELECT * FROM range(3), generate_series(1, 2), unnest([1])",
    "SELECT * FROM models, json_each(metadata)",
    "SELECT * FROM duckdb_columns()",
    "SELECT ?, ?",
    "SELECT $name",
    "SELECT 1e400",
]


@pytest.mark.parametrize("sql", SELECTS)
def test_one_select_of_any_shape_is_taken_as_it_stands(sql: str) -> None:
    assert check_select(sql) == sql


def test_the_semicolon_at_the_end_is_taken_off() -> None:
    assert check_select(" SELECT 1 ;\n") == "SELECT 1"
    assert check_select("SELECT ';' ;;") == "SELECT ';'"


REFUSED = [
    ("", "empty"),
    ("  \n", "empty"),
    (";", "empty"),
    ("-- nothing", "empty"),
    ("/* nothing */ ;", "empty"),
    ("SELEC 1", "syntax error"),
    ("SELECT 1 WHERE (", "syntax error"),
    ("SELECT 'a\x00b'", "NUL"),
    ("SELECT '\ud800'", "surrogate"),
    ("SELECT ?, $name", "parameters"),
    ("SELECT 1; SELECT 2", "2 statements"),
    ("SELECT 1; DROP TABLE x", "2 statements"),
    ("DROP TABLE x; SELECT 1", "2 statements"),
    ("SELECT 1; SELECT 2; SELECT 3", "3 statements"),
    ("INSERT INTO models VALUES (1)", "INSERT is not a SELECT"),
    ("WITH a AS (SELECT 1) INSERT INTO models FROM a", "INSERT is not a SELECT"),
    ("UPDATE models SET name = 'a'", "UPDATE is not a SELECT"),
    ("DELETE FROM models", "DELETE is not a SELECT"),
    ("TRUNCATE models", "DELETE is not a SELECT"),
    ("CREATE TABLE x (a INTEGER)", "CREATE is not a SELECT"),
    ("CREATE TEMP VIEW x AS SELECT 1", "CREATE is not a SELECT"),
    ("CREATE SECRET s (TYPE s3)", "not a SELECT"),
    ("CREATE MACRO f(a) AS a", "CREATE is not a SELECT"),
    ("DROP VIEW models", "DROP is not a SELECT"),
    ("ALTER TABLE models RENAME TO x", "ALTER is not a SELECT"),
    ("COPY (SELECT 1) TO '/tmp/x.csv'", "COPY is not a SELECT"),
    ("COPY models FROM '/tmp/x.csv'", "COPY is not a SELECT"),
    ("EXPORT DATABASE '/tmp/x'", "EXPORT is not a SELECT"),
    ("IMPORT DATABASE '/tmp/x'", "IMPORT is not a SELECT"),
    ("ATTACH '/tmp/x.db'", "ATTACH is not a SELECT"),
    ("DETACH x", "DETACH is not a SELECT"),
    ("USE x", "SET is not a SELECT"),
    ("INSTALL httpfs", "LOAD is not a SELECT"),
    ("LOAD httpfs", "LOAD is not a SELECT"),
    ("SET memory_limit = '1GB'", "SET is not a SELECT"),
    ("RESET memory_limit", "SET is not a SELECT"),
    ("PRAGMA database_list", "PRAGMA is for settings"),
    ("PRAGMA show_tables", "PRAGMA is for settings"),
    ("PRAGMA version; ", "PRAGMA is for settings"),
    ("PRAGMA enable_profiling", "PRAGMA is for settings"),
    ("PRAGMA json_execute_serialized_sql('x')", "PRAGMA is for settings"),
    ("CALL enable_logging()", "CALL runs a procedure"),
    ("CHECKPOINT", "CALL runs a procedure"),
    ("BEGIN", "TRANSACTION is not a SELECT"),
    ("VACUUM", "VACUUM is not a SELECT"),
    ("PREPARE p AS SELECT 1", "PREPARE is not a SELECT"),
    ("EXECUTE p", "EXECUTE is not a SELECT"),
    ("EXPLAIN SELECT 1", "EXPLAIN shows a plan, not data"),
    ("EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/x.csv'", "EXPLAIN shows a plan, not data"),
    ("SELECT 1 INTO x", "SELECT INTO not supported"),
    ("PIVOT models ON task USING count(*)", "add IN (…)"),
    ("SELECT * FROM (PIVOT models ON task USING count(*))", "add IN (…)"),
    ("SELECT * FROM query('SELECT 1')", "query() is not taken"),
    ("SELECT * FROM query_table('models')", "query_table() is not taken"),
    ("SELECT * FROM read_csv('/etc/passwd')", "read_csv() is not taken"),
    ("SELECT * FROM main.read_text('/etc/passwd')", "read_text() is not taken"),
    ("SELECT * FROM Read_Parquet('x.parquet')", "read_parquet() is not taken"),
    ("SELECT * FROM (SELECT (SELECT count(*) FROM glob('/*')))", "glob() is not taken"),
    ("WITH a AS (FROM sniff_csv('/etc/passwd')) FROM a", "sniff_csv() is not taken"),
    ("PIVOT (FROM parquet_metadata('x')) ON a IN (1) USING count(*)", "parquet_metadata() is not taken"),
    ("SELECT * FROM enable_logging(storage := 'file', storage_path := '/tmp/x')", "enable_logging() is not taken"),
    ("SELECT * FROM checkpoint()", "checkpoint() is not taken"),
    ("SELECT * FROM duckdb_secrets()", "duckdb_secrets() is not taken"),
    ("SELECT * FROM pandas_scan(1, 2, 3)", "pandas_scan() is not taken"),
    ("SELECT 1 UNION ALL FROM arrow_scan(1, 2, 3)", "arrow_scan() is not taken"),
    ("DESCRIBE FROM read_blob('/etc/passwd')", "read_blob() is not taken"),
    ("SELECT " + "(" * 10_000 + "1" + ")" * 10_000, "too deeply"),
    ("SELECT " + "NOT " * 10_000 + "true", "too deeply"),
    ("SELECT " + "1 + " * 900 + "1", "too deeply"),
    ("SELECT " + "1, " * 100_000 + "1", "characters; the most is"),
]


@pytest.mark.parametrize(("sql", "expected"), REFUSED, ids=[ascii(sql[:60]) for sql, _ in REFUSED])
def test_anything_but_one_select_is_refused_and_told_what_it_is(sql: str, expected: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(expected)) as caught:
        check_select(sql)
    assert str(caught.value).startswith("cannot run sql: ")
    assert "LINE 1" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sql", [None, 5, b"SELECT 1"])
def test_sql_that_is_no_text_is_refused(sql: object) -> None:
    with pytest.raises(InvalidInputError, match="must be text, not"):
        check_select(sql)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("SELECT FROMa1;'\"()*-/, \n") | st.characters(codec="utf-8"), max_size=30))
def test_random_text_is_one_select_or_refused(sql: str) -> None:
    try:
        checked = check_select(sql)
    except InvalidInputError:
        return
    assert [each.type.name for each in duckdb.extract_statements(checked)] == ["SELECT"]


# --- what it names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", set()),
        ("SELECT * FROM models", {(None, "models")}),
        ('SELECT * FROM Models JOIN "PLATES"."Inferences" USING (id)', {(None, "models"), ("plates", "inferences")}),
        ("SELECT * FROM memory.main.models", {("main", "models")}),
        ("FROM a, b JOIN c ON true, LATERAL (FROM d)", {(None, name) for name in "abcd"}),
        (
            "SELECT (SELECT count(*) FROM a) WHERE EXISTS (FROM b) ORDER BY (SELECT x FROM c)",
            {(None, n) for n in "abc"},
        ),
        ("SELECT x IN (SELECT y FROM a), x = ANY(SELECT y FROM b)", {(None, "a"), (None, "b")}),
        ("FROM a UNION FROM b EXCEPT FROM c", {(None, name) for name in "abc"}),
        ("DESCRIBE models", {(None, "models")}),
        ("SUMMARIZE models", {(None, "models")}),
        ("PIVOT models ON task IN ('a') USING count(*)", {(None, "models")}),
        ("UNPIVOT models ON a, b INTO NAME k VALUE v", {(None, "models")}),
        ("FROM 'file.parquet'", {(None, "file.parquet")}),
        ("FROM range(3)", set()),
        # names of WITH are no tables, where they are in scope
        ("WITH a AS (FROM models) FROM a", {(None, "models")}),
        ("WITH A AS (FROM models) FROM a", {(None, "models")}),
        ("WITH models AS (FROM models) FROM models", {(None, "models")}),
        ("WITH models AS (SELECT 1) FROM models", set()),
        ("WITH models AS (SELECT 1) FROM main.models", {("main", "models")}),
        ("WITH a AS (FROM b), b AS (FROM a) FROM b", {(None, "b")}),
        ("WITH RECURSIVE r AS (SELECT 1 UNION ALL FROM r, models) FROM r", {(None, "models")}),
        ("SELECT * FROM (WITH a AS (FROM b) FROM a), a", {(None, "a"), (None, "b")}),
        ("WITH a AS (SELECT 1) SELECT (WITH b AS (FROM a) SELECT count(*) FROM b, c)", {(None, "c")}),
        # what looks into the catalogue may see any table
        ("SHOW TABLES", None),
        ("SHOW ALL TABLES", None),
        ("DESCRIBE", None),
        ("FROM information_schema.tables", None),
        ("SELECT (SELECT count(*) FROM duckdb_views())", None),
        ("FROM duckdb_tables", None),
        ("FROM sqlite_master", None),
        ("FROM pragma_table_info('models')", None),
        ("not even SQL", None),
        ("PRAGMA show_tables", None),
    ],
)
def test_the_tables_that_a_query_names_are_known(sql: str, expected: set[tuple[str | None, str]] | None) -> None:
    assert referenced_tables(sql) == expected


def test_a_with_clause_of_a_tables_name_still_finds_the_table() -> None:
    sql = "WITH models AS (FROM models) SELECT * FROM models"
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE TABLE models AS SELECT 7 AS a")
    assert connection.execute(check_select(sql)).fetchall() == [(7,)]
    connection.close()


# --- the locked connection ------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a registry"
    folder.mkdir()
    writer = duckdb.connect(":memory:")
    for number, columns in enumerate(("range AS id, 'n' || range AS name", "range + 3 AS id, 0.5 AS score")):
        file = str(folder / f"part{number}.parquet").replace("'", "''")
        writer.execute(f"COPY (SELECT {columns} FROM range(3)) TO '{file}'")
    writer.close()
    (folder / "secret.csv").write_text("a,b\n1,2\n")
    return folder


@pytest.fixture
def locked(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    paths = [str(path) for path in sorted(folder.glob("*.parquet"))]

    def setup(connection: duckdb.DuckDBPyConnection) -> None:
        files = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        connection.execute(f"CREATE VIEW models AS FROM read_parquet([{files}], union_by_name = true)")
        connection.register("overlay", pa.table({"x": [1, 2]}))
        connection.execute("CREATE VIEW doubled AS SELECT 2 * x AS x FROM overlay")
        connection.execute("CREATE TABLE copied AS FROM overlay")

    connection = locked_connection(paths, setup=setup)
    yield connection
    connection.close()


def test_views_over_the_named_files_and_arrow_tables_are_read(locked: duckdb.DuckDBPyConnection) -> None:
    assert locked.execute("SELECT count(*), count(score), max(name) FROM models").fetchall() == [(6, 3, "n2")]
    assert locked.execute("SELECT sum(x) FROM doubled").fetchall() == [(6,)]
    assert locked.execute("SELECT * FROM (VALUES (1)) v(a), range(2)").fetchall() == [(1, 0), (1, 1)]
    assert locked.execute("SELECT sum(x) FROM overlay").fetchall() == [(3,)]


def test_cursors_see_files_and_copies_but_not_what_was_registered(locked: duckdb.DuckDBPyConnection) -> None:
    def count(_: int) -> object:
        return locked.cursor().execute("SELECT count(*) FROM models, copied").fetchone()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(100))) == {(12,)}
    with pytest.raises(duckdb.CatalogException):
        locked.cursor().execute("FROM overlay")


HOSTILE = [
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM read_csv('{folder}/part0.parquet/../secret.csv')",
    "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "SELECT * FROM parquet_metadata('{folder}/other.parquet')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{folder}/x.csv''')",
    "SELECT * FROM python_variable",
    "COPY (SELECT 1) TO '{folder}/x.csv'",
    "COPY (SELECT 1) TO '{folder}/part0.parquet'",
    "EXPORT DATABASE '{folder}/x'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/x.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '1GB'",
    "SET TimeZone = 'Europe/Paris'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET python_enable_replacements = true",
    "RESET allowed_paths",
    "SET temp_directory = '{folder}'",
    "SET VARIABLE x = (SELECT content FROM read_text('/etc/passwd'))",
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_even_unchecked_sql_cannot_leave_a_locked_connection(
    locked: duckdb.DuckDBPyConnection, folder: Path, sql: str
) -> None:
    python_variable = pa.table({"secret": [1]})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(duckdb.Error):
        locked.execute(sql.replace("{folder}", str(folder).replace("'", "''"))).fetchall()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert python_variable.num_rows == 1


def test_times_are_shown_in_utc_whatever_the_machine_says(
    locked: duckdb.DuckDBPyConnection,
) -> None:
    sql = "SELECT CAST(TIMESTAMPTZ '2024-05-06 07:08:09+02' AS VARCHAR)"
    assert locked.execute(sql).fetchall() == [("2024-05-06 05:08:09+00",)]


def test_what_does_not_fit_into_memory_is_spilled_outside_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()

    def setup(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("SET memory_limit = '60MB'; SET threads = 1")

    connection = locked_connection([], setup=setup)
    texts = "SELECT hash(range)::VARCHAR || repeat('x', 90) AS h FROM range(1500000) ORDER BY h"
    assert connection.execute(f"SELECT count(*), max(h) FROM ({texts})").fetchall()[0][0] == 1_500_000
    where = connection.execute("SELECT current_setting('temp_directory')").fetchall()[0][0]
    assert Path(where).parent == tmp_path / "tmp"
    connection.close()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_a_setup_that_fails_is_a_storage_error_and_leaves_no_connection(tmp_path: Path) -> None:
    def setup(connection: duckdb.DuckDBPyConnection) -> None:
        opened.append(connection)
        connection.execute(f"CREATE VIEW v AS FROM read_parquet('{tmp_path}/gone.parquet')")

    opened: list[duckdb.DuckDBPyConnection] = []
    with pytest.raises(StorageError, match=r"cannot set up the tables for a query: No files found.*gone\.parquet"):
        locked_connection([], setup=setup)
    with pytest.raises(duckdb.ConnectionException):
        opened[0].execute("SELECT 1")


def test_setup_does_not_take_a_python_variable_for_a_table() -> None:
    def setup(connection: duckdb.DuckDBPyConnection) -> None:
        models = pa.table({"x": [1]})
        connection.execute("CREATE VIEW v AS FROM models")
        assert models.num_rows == 1

    with pytest.raises(StorageError, match="Table with name models does not exist"):
        locked_connection([], setup=setup)


def test_an_error_of_ours_in_setup_is_let_through() -> None:
    def setup(connection: duckdb.DuckDBPyConnection) -> None:
        raise StorageError("the share is away")

    with pytest.raises(StorageError, match="the share is away"):
        locked_connection([], setup=setup)


# --- errors ---------------------------------------------------------------------------------------------------------

TRANSLATED: list[tuple[str, type[LocalregError], str]] = [
    (
        "SELECT nam FROM models",
        InvalidInputError,
        'Referenced column "nam" not found in FROM clause!; did you mean "name"',
    ),
    ("SELECT * FROM modles", InvalidInputError, "no table 'modles'; did you mean 'models'?; there are doubled, models"),
    ("SELECT lowr('a')", InvalidInputError, "Scalar Function with name lowr does not exist!"),
    ("SELECT sum(name) FROM models", InvalidInputError, "No function matches"),
    ("SELECT CAST('a' AS INTEGER)", InvalidInputError, "Could not convert string 'a' to INT32"),
    ("SELECT 9223372036854775807 + 1::BIGINT", InvalidInputError, "Overflow"),
    ("SELECT ?", InvalidInputError, "Values were not provided"),
    ("SELECT error('no')", InvalidInputError, "cannot run sql: no"),
    ("SELECT regexp_matches('a', '(')", InvalidInputError, "missing )"),
    ("FROM read_text('/etc/passwd')", InvalidInputError, "reaches outside the registry"),
    ("FROM 'secret.csv'", InvalidInputError, "reaches outside the registry"),
    ("SET threads = 1", InvalidInputError, "settings cannot be changed here"),
]


@pytest.mark.parametrize(("sql", "expected", "message"), TRANSLATED, ids=[sql for sql, _, _ in TRANSLATED])
def test_errors_of_duckdb_become_ours_without_sql_in_them(
    locked: duckdb.DuckDBPyConnection, sql: str, expected: type[LocalregError], message: str
) -> None:
    with pytest.raises(duckdb.Error) as caught:
        locked.execute(sql).fetchall()
    translated = translate_error(caught.value, sql, tables=["models", "doubled"])
    assert type(translated) is expected
    assert message in str(translated)
    assert "LINE 1" not in str(translated)
    assert "\n" not in str(translated)
    assert translated.__cause__ is caught.value
    assert str(pickle.loads(pickle.dumps(translated))) == str(translated)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate 1 MB"), "more memory or temporary disk"),
        (duckdb.IOException('IO Error: Cannot open file "x.parquet"'), 'Cannot open file "x.parquet"; see that'),
        (duckdb.InternalException("INTERNAL Error: oops"), "oops"),
        (duckdb.FatalException("FATAL Error: gone"), "gone"),
        (duckdb.InterruptException("INTERRUPT Error: Interrupted!"), "interrupted"),
    ],
)
def test_faults_of_disk_memory_and_engine_are_storage_errors(error: duckdb.Error, expected: str) -> None:
    translated = translate_error(error, "SELECT 1")
    assert isinstance(translated, StorageError)
    assert expected in str(translated)
    assert translated.__cause__ is error


def test_a_file_that_vanishes_after_the_views_were_made_is_a_storage_error(
    locked: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    os.unlink(folder / "part0.parquet")
    with pytest.raises(duckdb.Error) as caught:
        locked.execute("SELECT count(*) FROM models WHERE id > 0").fetchall()
    translated = translate_error(caught.value, "SELECT count(*) FROM models WHERE id > 0")
    assert isinstance(translated, StorageError)
    assert 'part0.parquet" is gone; open the registry again' in str(translated)


def test_a_where_that_duckdb_refuses_is_told_in_the_users_words() -> None:
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE TABLE models AS SELECT 'a' AS name, 1 AS id")
    with pytest.raises(duckdb.Error) as caught:
        connection.execute("SELECT * FROM models WHERE (name = 5)").fetchall()
    columns = {"name": "VARCHAR", "id": "BIGINT"}
    translated = explain_error(caught.value, {"where": "Name = 5"}, columns)
    assert isinstance(translated, InvalidInputError)
    assert str(translated).startswith("cannot use where 'Name = 5': Could not convert string 'a' to INT32")
    assert str(translated).endswith("(name is VARCHAR)")
    assert translated.__cause__ is caught.value
    connection.close()


# --- functions about the database -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT current_setting('memory_limit')",
        "SELECT getvariable('x')",
        "SELECT 1 WHERE sleep_ms(5) IS NULL",
        "SELECT 1 UNION ALL SELECT setseed(1)",
        "SELECT Write_Log('x')",
        "SELECT [current_setting(x) FOR x IN ['threads']]",
        "SELECT list_transform(['threads'], lambda x: main.current_setting(x))",
        "SELECT * FROM range(txid_current())",
        "WITH a AS (SELECT pg_backend_pid()) FROM a",
        "FROM models ORDER BY setseed(0.5)",
    ],
)
def test_what_where_refuses_is_refused_in_sql_as_well(sql: str) -> None:
    with pytest.raises(InvalidInputError, match="is about the database rather than the rows"):
        check_select(sql)
