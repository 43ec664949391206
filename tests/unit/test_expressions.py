"""`where` and `order_by`: every rewritten expression is run by a real DuckDB over odd JSON."""

from __future__ import annotations

import json
import operator
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localreg.errors import InvalidInputError
from localreg.query import syntax
from localreg.query.expressions import rewrite_order_by, rewrite_where

COLUMNS = {
    "id": "VARCHAR",
    "name": "VARCHAR",
    "tags": "VARCHAR[]",
    "metadata": "JSON",
    "after": "JSON",
    "commit": "BIGINT",
    "value": "DOUBLE",
    "archived": "BOOLEAN",
    "created_at": "TIMESTAMP WITH TIME ZONE",
    "box": "STRUCT(x DOUBLE, y DOUBLE)",
}

# What stands under the key "x" of each row's metadata, by the row's name.
X: dict[str, object] = {
    "number": 0.9,
    "one": 1,
    "negative": -3.5,
    "big": 9007199254740993,
    "vast": 1e300,
    "digits": "0.9",
    "word": "auto",
    "true": True,
    "false": False,
    "word true": "true",
    "null": None,
    "list": [1, "auto", None, True, 0.5],
    "words": ["a", "b"],
    "empty list": [],
    "object": {"y": {"z": 1}},
    "date": "2024-05-06",
    "moment": "2024-05-06T07:08:09Z",
}
MISSING = {"missing", "no metadata"}
NUMBERS = {"number", "one", "negative", "big", "vast"}
TEXTS = {"digits", "word", "word true", "date", "moment"}
EVERY = {*X, *MISSING}


@pytest.fixture(scope="module")
def models() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in COLUMNS.items())
    connection.execute(f"CREATE TABLE models ({columns})")
    metadata: dict[str, dict[str, object] | None] = {name: {"x": x} for name, x in X.items()}
    metadata |= {"missing": {"other": 1}, "no metadata": None}
    for number, (name, value) in enumerate(metadata.items()):
        connection.execute(
            "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                f"id{number}",
                name,
                ["detector", "fast"] if name == "number" else [],
                None if value is None else json.dumps(value),
                json.dumps({"x": 1, "list": [0.9, "auto"]}),
                9007199254740993 if name == "big" else 1,
                0.12345678901234567,
                name == "true",
                "2024-05-06 07:08:09+00",
                {"x": 0.5, "y": 1.5},
            ],
        )
    yield connection
    connection.close()


def matching(models: duckdb.DuckDBPyConnection, where: str) -> set[str]:
    condition = rewrite_where(where, COLUMNS, table="models")
    return {name for (name,) in models.execute(f"SELECT name FROM models WHERE {condition}").fetchall()}


def refusal(where: object, **columns: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        rewrite_where(where, columns or COLUMNS, table="models")  # type: ignore[arg-type]
    return str(caught.value)


def evaluate(models: duckdb.DuckDBPyConnection, where: str, metadata: object) -> object:
    """What the condition is for one row: True, False or None."""
    condition = rewrite_where(where, COLUMNS, table="models")
    row = models.execute(
        f"SELECT ({condition}) FROM (SELECT CAST(? AS JSON) AS metadata)", [json.dumps(metadata)]
    ).fetchone()
    assert row is not None
    return row[0]


# --- a path takes the type of what it meets -------------------------------------------------------------------------

COMPARISONS: list[tuple[str, set[str]]] = [
    # numbers
    ("metadata.x > 0.5", {"number", "one", "big", "vast"}),
    ("0.5 < metadata.x", {"number", "one", "big", "vast"}),
    ("metadata.x = 0.9", {"number"}),
    ("metadata.x <> 0.9", NUMBERS - {"number"}),
    ("NOT metadata.x = 0.9", NUMBERS - {"number"}),
    ("NOT (metadata.x = 0.9 OR metadata.x = 1)", NUMBERS - {"number", "one"}),
    ("metadata.x <= -3.5", {"negative"}),
    ("metadata.x = -3.5", {"negative"}),
    ("metadata.x = -(3.5)", {"negative"}),
    ("metadata.x = +1", {"one"}),
    ("metadata.x = 1e0", {"one"}),
    ("metadata.x >= 1e300", {"vast"}),
    ("metadata.x BETWEEN 0.5 AND 1", {"number", "one"}),
    ("metadata.x NOT BETWEEN 0.5 AND 1", NUMBERS - {"number", "one"}),
    ("0.95 BETWEEN metadata.x AND after.x", {"number", "negative"}),
    ("metadata.x IN (1, 0.9)", {"number", "one"}),
    ("metadata.x NOT IN (1, 0.9)", NUMBERS - {"number", "one"}),
    ("metadata.x IN [1, 0.9]", {"number", "one"}),
    ("metadata.x IS DISTINCT FROM 1", EVERY - {"one"}),
    ("metadata.x IS NOT DISTINCT FROM 1", {"one"}),
    # whole numbers of any size, exactly
    ("metadata.x = 9007199254740993", {"big"}),
    ("metadata.x = 9007199254740992", set()),
    ("metadata.x > 9007199254740992", {"big", "vast"}),
    ("metadata.x > 9007199254740993", {"vast"}),
    ("metadata.x < 9007199254740993", {"number", "one", "negative"}),
    ("metadata.x IN (1, 9007199254740993)", {"one", "big"}),
    ("metadata.x BETWEEN 9007199254740993 AND 9007199254740994", {"big"}),
    ("metadata.x > 99999999999999999999999999999999", {"vast"}),
    ("metadata.x = commit", {"one", "big"}),
    ("metadata.x = CAST(commit AS BIGINT)", {"one", "big"}),
    ("coalesce(metadata.x, commit) > 1", {"big", "vast"}),
    # text
    ("metadata.x = 'auto'", {"word"}),
    ("metadata.x = '0.9'", {"digits"}),
    ("metadata.x <> 'auto'", TEXTS - {"word"}),
    ("metadata.x > 'a'", {"word", "word true"}),
    ("metadata.x IN ('auto', '0.9', '1', 'true')", {"word", "digits", "word true"}),
    ("metadata.x = name", set()),
    ("metadata.x LIKE 'a%'", {"word"}),
    ("metadata.x NOT LIKE 'a%'", TEXTS - {"word"}),
    ("metadata.x ILIKE 'AU%'", {"word"}),
    ("metadata.x NOT ILIKE 'AU%'", TEXTS - {"word"}),
    ("metadata.x LIKE '0#.%' ESCAPE '#'", {"digits"}),
    ("metadata.x GLOB 'a*'", {"word"}),
    ("metadata.x ~ 'a.*'", {"word"}),
    ("metadata.x !~ 'a.*'", TEXTS - {"word"}),
    ("metadata.x SIMILAR TO 'a.*'", {"word"}),
    ("metadata.x ^@ 'au'", {"word"}),
    ("starts_with(metadata.x, 'au')", {"word"}),
    ("upper(metadata.x) = 'AUTO'", {"word"}),
    ("length(metadata.x) = 4", {"word", "word true"}),
    ("metadata.x.upper() = 'AUTO'", {"word"}),
    ("metadata.x || '!' = 'auto!'", {"word"}),
    ("metadata.x COLLATE NOCASE = 'AUTO'", {"word"}),
    ("metadata.x = NULL", set()),
    # booleans
    ("metadata.x", {"true"}),
    ("NOT metadata.x", {"false"}),
    ("metadata.x AND true", {"true"}),
    ("metadata.x OR name = 'one'", {"true", "one"}),
    ("metadata.x = true", {"true"}),
    ("metadata.x <> true", {"false"}),
    ("metadata.x IS TRUE", {"true"}),
    ("metadata.x IS NOT TRUE", EVERY - {"true"}),
    ("metadata.x IS FALSE", {"false"}),
    ("metadata.x = archived", {"true", "false"}),
    ("metadata.x = (name = 'true')", {"true", "false"}),
    ("CASE WHEN metadata.x THEN true ELSE false END", {"true"}),
    # NULL
    ("metadata.x IS NULL", {"null", *MISSING}),
    ("metadata.x IS NOT NULL", EVERY - {"null", *MISSING}),
    ("metadata.x ISNULL", {"null", *MISSING}),
    ("metadata.x.y.z IS NOT NULL", {"object"}),
    ("metadata IS NULL", {"no metadata"}),
    # moments
    ("metadata.x = DATE '2024-05-06'", {"date", "moment"}),
    ("metadata.x > '2024-01-01'::DATE", {"date", "moment"}),
    ("metadata.x >= TIMESTAMP '2024-05-06 07:00:00'", {"moment"}),
    ("metadata.x = created_at", {"moment"}),
    ("metadata.x BETWEEN '2024-05-06' AND DATE '2024-05-07'", {"date", "moment"}),
    ("metadata.x + INTERVAL 1 DAY > created_at", {"date", "moment"}),
    ("metadata.x < now() - INTERVAL 1 DAY", {"date", "moment"}),
    ("metadata.x < current_date", {"date", "moment"}),
    ("year(metadata.x) = 2024", {"date", "moment"}),
    # arithmetic
    ("metadata.x + 1 > 1.5", {"number", "one", "big", "vast"}),
    ("2 * metadata.x = 1.8", {"number"}),
    ("-metadata.x > 3", {"negative"}),
    ("metadata.x - after.x = 0", {"one"}),
    ("metadata.x % 2 = 1", {"one"}),
    ("abs(metadata.x) = 3.5", {"negative"}),
    ("round(metadata.x) = 1", {"number", "one"}),
    # another path
    ("metadata.x = metadata['x']", EVERY - {"null", *MISSING}),
    ("metadata.x = after.x", {"one"}),
    ("metadata.x < after.x", {"number", "negative"}),
    ("metadata.x <> after.x", EVERY - {"one", "null", *MISSING}),
    ("metadata.x IN (after.x, after.list[0])", {"one", "number"}),
    # what is made of paths takes its type from outside, too
    ("coalesce(metadata.x, 0) = 0", EVERY - NUMBERS),
    ("coalesce(metadata.x, metadata.other) = 1", {"one", "missing"}),
    ("coalesce(metadata.x, metadata.other) = 'auto'", {"word"}),
    ("greatest(metadata.x, 0) = 0.9", {"number"}),
    ("nullif(metadata.x, 1) > 0", {"number", "big", "vast"}),
    ("CASE WHEN name = 'one' THEN metadata.x ELSE 5 END = 1", {"one"}),
    ("CASE metadata.x WHEN 1 THEN true WHEN 0.9 THEN true END", {"one", "number"}),
    ("if(name = 'one', metadata.x, after.x) = 1", EVERY),
    # explicit casts read the text of whatever stands there
    ("metadata.x::DOUBLE = 0.9", {"number", "digits"}),
    ("CAST(metadata.x AS INTEGER) = 1", {"number", "one", "digits"}),
    ("TRY_CAST(metadata.x AS INTEGER) = 1", {"number", "one", "digits"}),
    ("metadata.x::VARCHAR = 'true'", {"true", "word true"}),
    ("metadata.x::BOOLEAN", {"one", "true", "word true"}),
    ("metadata.x::VARCHAR LIKE '%0.9%'", {"number", "digits"}),
    ("metadata.x::VARCHAR[] = ['a', 'b']", {"words"}),
    ('metadata.x::JSON = \'{"y":{"z":1}}\'', {"object"}),
    ("metadata.x::DATE = '2024-05-06'", {"date", "moment"}),
    # lists
    ("'auto' IN metadata.x", {"list", "word"}),
    ("'a' IN metadata.x", {"words", "word"}),
    ("1 IN metadata.x", {"list"}),
    ("'1' IN metadata.x", set()),
    ("DATE '2024-05-06' IN metadata.x", set()),
    ("0.5 IN metadata.x", {"list"}),
    ("true IN metadata.x", {"list"}),
    ("NOT 'auto' IN metadata.x", (TEXTS | {"words", "empty list"}) - {"word"}),
    ("list_contains(metadata.x, 'auto')", {"list"}),
    ("contains(metadata.x, 'ut')", {"word"}),
    ("metadata.x IN after.list", {"number", "word"}),
    ("metadata.x = ['a', 'b']", {"words"}),
    ("metadata.x[0] = 1", {"list"}),
    ("metadata.x[1] = 'auto'", {"list"}),
    ("metadata.x[-1] = 0.5", {"list"}),
    ("metadata.x[7] IS NULL AND metadata.x IS NOT NULL", EVERY - {"null", *MISSING}),
    ("json_array_length(metadata.x) = 2", {"words"}),
    ("list_has_any(metadata.x, ['b', 'c'])", {"words"}),
    ("'b' IN [metadata.x[0], metadata.x[1]]", {"words"}),
    ("len(list_filter(metadata.x, lambda e: e = 'a')) = 1", {"words"}),
    ("metadata.x.y.z = 1", {"object"}),
    ("(metadata.x).y.z = 1", {"object"}),
    ("metadata['x']['y'].z = 1", {"object"}),
    ("METADATA.x = 1", {"one"}),
    ("models.metadata.x = 1", {"one"}),
    ("Models.Name = 'one'", {"one"}),
    ("metadata.X = 1", set()),
]


@pytest.mark.parametrize(("where", "expected"), COMPARISONS, ids=[where for where, _ in COMPARISONS])
def test_a_path_is_read_as_the_type_of_what_it_meets(
    models: duckdb.DuckDBPyConnection, where: str, expected: set[str]
) -> None:
    assert matching(models, where) == expected


COLUMNS_ONLY: list[tuple[str, set[str]]] = [
    ("name = 'one'", {"one"}),
    ("NAME = 'one'", {"one"}),
    ("\"name\" = 'one'", {"one"}),
    ("name.upper() = 'ONE'", {"one"}),
    ("name LIKE 'empty%' OR name = 'it''s'", {"empty list"}),
    ("'detector' IN tags", {"number"}),
    ("'detector' NOT IN tags", EVERY - {"number"}),
    ("list_contains(tags, 'fast')", {"number"}),
    ("tags = ['detector', 'fast']", {"number"}),
    ("tags[1] = 'detector'", {"number"}),  # SQL lists count from 1
    ("len(tags[1:2]) = 2", {"number"}),
    ("metadata.x IN (0.9, 1) AND tags[2] = 'fast'", {"number"}),
    ("list_filter(tags, t -> t = 'fast') = ['fast']", {"number"}),
    ("list_filter(tags, lambda name: name = 'fast') = ['fast']", {"number"}),  # a parameter hides a column
    ("len(list_filter([{'x': 5}], lambda metadata: metadata.x = 5)) = 1", EVERY),
    ("list_reduce(tags, lambda a, b: a || b, '') = 'detectorfast'", {"number"}),
    ("[t || '!' for t in tags if t <> 'fast'] = ['detector!']", {"number"}),
    ("value = 0.12345678901234567", EVERY),  # as the same digits in Python or JSON
    ("value IN (0.12345678901234567, 5.0)", EVERY),
    ("box.x = 0.5", EVERY),
    ("0.1 + 0.2 = 0.3", EVERY),  # DECIMAL, as in DuckDB
    ("archived", {"true"}),
    ("created_at > '2024-01-01' AND created_at < current_timestamp", EVERY),
    ("commit > 1", {"big"}),
    ("name = 'one' -- the first", {"one"}),
    ("name = 'one' /* ) */", {"one"}),
    ("metadata->>'x' = 'auto'", {"word"}),
    ("TRUE", EVERY),
    ("NULL", set()),
]


@pytest.mark.parametrize(("where", "expected"), COLUMNS_ONLY, ids=[where for where, _ in COLUMNS_ONLY])
def test_columns_are_used_as_in_duckdb(models: duckdb.DuckDBPyConnection, where: str, expected: set[str]) -> None:
    assert matching(models, where) == expected


def test_one_model_with_text_where_others_have_a_number_spoils_nothing(models: duckdb.DuckDBPyConnection) -> None:
    rates = [{"lr": 0.1}, {"lr": "auto"}, {"lr": "0.1"}, {"lr": [0.1]}, {"lr": None}, {}]
    assert [evaluate(models, "metadata.lr < 0.5", each) for each in rates] == [True, None, None, None, None, None]
    assert [evaluate(models, "metadata.lr = 'auto'", each) for each in rates] == [None, True, False, None, None, None]


@pytest.mark.parametrize("read", ["metadata.lr", "coalesce(metadata.lr, 0)", "abs(metadata.lr)", "metadata.lr::DOUBLE"])
@pytest.mark.parametrize("value", [0.12345678901234567, 0.30000000000000004, 5e-324, 1.7976931348623157e308])
def test_a_number_is_equal_to_the_digits_that_python_shows(
    models: duckdb.DuckDBPyConnection, read: str, value: float
) -> None:
    assert evaluate(models, f"{read} = {value!r}", {"lr": value}) is True
    assert evaluate(models, f"{read} IN ({value!r}, 5)", {"lr": value}) is True
    assert evaluate(models, f"{read} BETWEEN {value!r} AND {value!r}", {"lr": value}) is True


KEYS = [
    "a.b", "a b", 'q"q', "it's", "a]b", "a[0]", "[0]", "😀", "$", "$.x", "*", "**", "\\", "a\\b", '\\"', '"', "'\"",
    "/", "~", "a/b", "~1", "#", "#-1", "?", "", ".", "..", "0", "-1", "a\nb", "a\tb", "é",
    "%", "a:b", "null", "x" * 300,
    " ",
    "metadata", "[*]", "*.*", "select", "--", "/*",
    "\u200b", "\ufeff", "\x7f", "\x01",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=ascii)
def test_any_key_is_found_by_its_exact_characters(models: duckdb.DuckDBPyConnection, key: str) -> None:
    decoys = {each: {"deep": 0} for each in KEYS if each != key}
    quoted = key.replace("'", "''")
    for metadata, path in (
        ({**decoys, key: {"deep": 41}}, f"metadata['{quoted}'].deep"),
        ({"outer": {**decoys, key: 41}}, f"metadata.outer['{quoted}']"),
        ({"outer": [{**decoys, key: {key: 41}}]}, f"metadata.outer[0]['{quoted}']['{quoted}']"),
    ):
        assert evaluate(models, f"{path} = 41", metadata) is True
    assert evaluate(models, f"metadata['{quoted}'] IS NULL", decoys) is True
    if key:
        identifier = key.replace('"', '""')
        assert evaluate(models, f'metadata."{identifier}" = 41', {**decoys, key: 41}) is True


def test_a_key_of_digits_is_no_index_and_an_index_no_key(models: duckdb.DuckDBPyConnection) -> None:
    assert evaluate(models, "metadata.x['0'] IS NULL", {"x": [7]}) is True
    assert evaluate(models, "metadata.x[0] IS NULL", {"x": {"0": 7}}) is True
    assert evaluate(models, "metadata['*'] IS NULL", {"x": 7}) is True
    assert evaluate(models, "metadata.x[''] IS NULL", {"x": [7]}) is True


# --- refusals -------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, str]] = [
    ("", "empty"),
    ("  \n", "empty"),
    ("-- only a comment", "too early"),
    ("name =", "too early"),
    ("name = 'one", "unterminated"),
    ("name = 'one' /*", "unterminated"),
    ("name = = 'one'", "syntax error"),
    ("name = 'a\x00b'", "NUL"),
    ("name = '\ud800'", "surrogate"),
    ("at = 1", "`at` is a reserved word"),
    ("nam = 'one'", "no column 'nam' in models; did you mean 'name'? Columns: id, name, tags"),
    ("zzz = 1", "no column 'zzz' in models. Columns: id"),
    ("other.name = 1", "no column 'other'"),
    ("rowid = 1", "no column 'rowid'"),
    ("lambda_x = 1", "no column"),
    ("name.first = 'one'", "'name' is VARCHAR, not JSON"),
    ("models.name.first = 'one'", "'name' is VARCHAR, not JSON"),
    ("tags.first = 'one'", "'tags' is VARCHAR[], not JSON"),
    ("metadata[name] = 1", "in brackets after metadata"),
    ("metadata[1.5] = 1", "in brackets after metadata"),
    ("metadata[NULL] = 1", "in brackets after metadata"),
    ("metadata.x[1:2] = ['a']", "a slice of metadata.x"),
    ("metadata->'x' = 1", "`->`"),
    ("(metadata->'x') = 1", "`->`"),
    ("lower(metadata->'x') = 'a'", "`->`"),
    ("metadata.x IN (1, 'a')", "several types"),
    ("metadata.x BETWEEN 1 AND 'b'", "several types"),
    ("metadata.x = true OR metadata.x IN (true, 1)", "several types"),
    ("typeof(metadata.x) = 'a'", "nothing tells the type of metadata.x"),
    ("(metadata.x, name) = (1, 'a')", "nothing tells the type of metadata.x"),
    ("metadata.x = (SELECT 1)", "subquery"),
    ("EXISTS (SELECT 1)", "subquery"),
    ("name IN (SELECT 'a')", "subquery"),
    ("name = ANY(['a'])", "subquery"),
    ("lower(name) FILTER (WHERE EXISTS (SELECT 1)) = 'a'", "FILTER"),
    ("lower(DISTINCT name) = 'a'", "DISTINCT"),
    ("lower(name ORDER BY id) = 'a'", "ORDER BY"),
    ("row_number() OVER () = 1", "window function"),
    ("sum(commit) OVER () = 1", "window function"),
    ("sum(commit) > 1", "sum() is over many rows"),
    ("count(*) > 1", "over many rows"),
    ("json_group_array(name) IS NULL", "over many rows"),
    ("unnest(tags) = 'a'", "gives rows"),
    ("read_text('/etc/passwd') IS NULL", "gives rows"),
    ("read_csv('/etc/passwd') IS NULL", "gives rows"),
    ("glob('/etc/*') IS NULL", "gives rows"),
    ("query('SELECT 1') IS NULL", "gives rows"),
    ("query_table('models') IS NULL", "gives rows"),
    ("getvariable('x') = 1", "about the database"),
    ("current_setting('memory_limit') = 'a'", "about the database"),
    ("nextval('s') = 1", "about the database"),
    ("write_log('x') IS NULL", "about the database"),
    ("sleep_ms(1) IS NULL", "about the database"),
    ("pg_typeof(name) = 'a'", "about the database"),
    ("main.write_log('x') IS NULL", "about the database"),
    ("system.main.lower('x') = 'a'", "no column 'system'"),
    ("WRITE_LOG('x') IS NULL", "about the database"),
    ("lowr(name) = 'a'", "no function 'lowr'; did you mean 'lower'?"),
    ("? = 1", "parameters"),
    ("$1 = 1", "parameters"),
    ("$x = 1", "parameters"),
    ("COLUMNS('n.*') = 'a'", "COLUMNS()"),
    ("* = 1", "COLUMNS()"),
    ("metadata.* = 1", "COLUMNS()"),
    ("#1 = 'a'", "position"),
    ("DEFAULT", "DEFAULT"),
    ("GROUPING(name) = 1", "grouping function has no place"),
    ("name = 1e999", "range of DOUBLE"),
    # smuggling
    ("name = 'a'); DROP TABLE models; --", "syntax error"),
    ("name = 'a'; DROP TABLE models", "syntax error"),
    ("1=1) UNION SELECT * FROM models WHERE (1=1", "syntax error"),
    ("1=1) OR (1=1", "syntax error"),
    ("1=1) --", "syntax error"),
    ("1=1 UNION SELECT 1", "syntax error"),
    ("1=1 ORDER BY name", "syntax error"),
    ("1=1 LIMIT 1", "syntax error"),
    ("1=1 GROUP BY name", "syntax error"),
    ("true THEN 0 WHEN false", "more than one expression"),
    ("true THEN 1 ELSE 0 END = 0 OR CASE WHEN true", "more than one expression"),
    ("true THEN 0 END ORDER BY CASE WHEN true", "more than one expression"),
    ("true THEN 0 END LIMIT CASE WHEN true", "more than one expression"),
    ("true THEN 0 END GROUP BY CASE WHEN true", "more than one expression"),
    ("true THEN 0 END UNION SELECT CASE WHEN true", "more than one expression"),
    ("true THEN 0 END; SELECT CASE WHEN true", "more than one expression"),
    ("true THEN 0 END; DROP TABLE models; SELECT CASE WHEN true", "another statement"),
    ("true THEN 0 END; COPY (SELECT 1) TO '/tmp/x'; SELECT CASE WHEN true", "another statement"),
    ("true THEN 0 ELSE CASE WHEN true THEN 0 END END --", "too early"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "expected"), REFUSED, ids=[ascii(where) for where, _ in REFUSED])
def test_what_a_where_may_not_hold_is_refused_with_a_reason(where: str, expected: str) -> None:
    message = refusal(where)
    assert expected in message
    assert message.startswith("cannot use where ")
    assert repr(where) in message
    assert "THEN 0" not in message.replace(repr(where), "")  # nothing of what we put around it
    assert "\n" not in message.replace(repr(where), "")
    assert "LINE 1" not in message


@pytest.mark.parametrize("where", [None, 5, b"name = 'a'", ["name = 'a'"]])
def test_a_where_that_is_no_text_is_refused(where: object) -> None:
    assert "must be text, not" in refusal(where)


def test_at_is_left_alone_where_it_is_no_column() -> None:
    assert "reserved" not in refusal("created_at AT TIME ZONE 'UTC' = = 1")
    assert "reserved" not in refusal("name = 'at' AND")
    assert "reserved" not in refusal("format = = 1")


def test_a_long_text_is_cut_in_the_message_and_a_longer_one_is_refused() -> None:
    assert len(refusal("nam = '" + "x" * 1000 + "'", name="VARCHAR")) < 400
    assert "characters; the most is" in refusal("true AND " * 100_000 + "true")


DEEP = {
    "parentheses": "(" * 10_000 + "true" + ")" * 10_000,
    "NOT": "NOT " * 10_000 + "archived",
    "minus": "- " * 10_000 + "commit = 1",
    "plus": "1 + " * 10_000 + "1 = 1",
    "some hundred plus": "1 + " * 400 + "1 = 1",
    "a hundred and some plus": "1 + " * 120 + "1 = 1",
    "CASE": "CASE WHEN " * 900 + "true" + " THEN true END" * 900,
    "index": "metadata.x" + "[0]" * 900 + " = 1",
    "list": "[" * 900 + "1" + "]" * 900 + " IS NULL",
    "functions": "lower(" * 500 + "name" + ")" * 500 + " = 'a'",
    "quotes": "(" * 10_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_hostile_depth_is_an_error_and_no_crash(text: str) -> None:
    assert re.search("too deeply|too early", refusal(text))


def test_nesting_that_doubles_the_work_at_each_level_ends() -> None:
    where = "metadata.a = 1"
    for _ in range(45):
        where = f"metadata.a IN (commit, CASE WHEN {where} THEN 1 END)"
    assert re.search("too large|too deeply", refusal(where))


def test_depth_is_no_matter_for_chains_that_people_write(models: duckdb.DuckDBPyConnection) -> None:
    names = [f"name = 'n{i}'" for i in range(2000)]
    assert matching(models, " OR ".join([*names, "name = 'one'"])) == {"one"}
    assert matching(models, f"name IN ({', '.join(repr(f'n{i}') for i in range(5000))}, 'one')") == {"one"}
    assert matching(models, "(" * 50 + "name = 'one'" + ")" * 50) == {"one"}


# --- order ----------------------------------------------------------------------------------------------------------


def ordered(models: duckdb.DuckDBPyConnection, order_by: str | list[str], where: str = "true") -> list[str]:
    order = rewrite_order_by(order_by, COLUMNS, table="models")
    condition = rewrite_where(where, COLUMNS, table="models")
    rows = models.execute(f"SELECT name FROM models WHERE {condition} ORDER BY {order}").fetchall()
    return [name for (name,) in rows]


SOME = "name IN ('number', 'one', 'big', 'negative', 'word', 'digits', 'null')"


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("metadata.x, name", ["negative", "number", "one", "big", "digits", "word", "null"]),
        ("metadata.x DESC, name", ["big", "one", "number", "negative", "word", "digits", "null"]),
        ("metadata.x ASC NULLS FIRST", ["null", "digits", "word", "negative", "number", "one", "big"]),
        (["metadata.x", "name"], ["negative", "number", "one", "big", "digits", "word", "null"]),
        ("coalesce(metadata.x, metadata.y) NULLS LAST", ["negative", "number", "one", "big", "digits", "word", "null"]),
        ("name", ["big", "digits", "negative", "null", "number", "one", "word"]),
        ("models.NAME DESC", ["word", "one", "number", "null", "negative", "digits", "big"]),
        (
            "len(tags) DESC, commit DESC, length(name), name",
            ["number", "big", "one", "null", "word", "digits", "negative"],
        ),
        ("name = 'one' DESC, name -- first the one", ["one", "big", "digits", "negative", "null", "number", "word"]),
        ("metadata.x > 0 DESC, name", ["big", "number", "one", "negative", "digits", "null", "word"]),
    ],
)
def test_order_by_puts_numbers_by_value_then_text_then_what_is_missing(
    models: duckdb.DuckDBPyConnection, order_by: str | list[str], expected: list[str]
) -> None:
    assert ordered(models, order_by, SOME) == expected


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("", "empty"),
        ([], "empty"),
        (["name", ""], "empty"),
        (5, "must be text, not int"),
        ([5], "must be text, not int"),
        ("nam", "no column 'nam'"),
        ("1", "a constant orders nothing"),
        ("'name'", "a constant orders nothing"),
        ("ALL", "COLUMNS()"),
        ("*", "COLUMNS()"),
        ("name LIMIT 1", "more than an order"),
        ("name OFFSET 1", "more than an order"),
        ("name USING SAMPLE 10%", "syntax error"),
        ("name FOR UPDATE", "SELECT locking clause is not supported"),
        ("name; DROP TABLE models", "another statement"),
        ("name; SELECT 1", "more than an order"),
        ("(SELECT 1)", "subquery"),
        ("sum(commit)", "over many rows"),
        ("name UNION SELECT 1", "syntax error"),
        ("name,", "too early"),
        ("random(", "too early"),
        ("- " * 10_000 + "commit", "too deeply"),
    ],
)
def test_what_an_order_by_may_not_hold_is_refused_with_a_reason(order_by: str | list[str], expected: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(expected)) as caught:
        rewrite_order_by(order_by, COLUMNS, table="models")
    assert str(caught.value).startswith(("cannot use order_by ", "order_by is empty"))


# --- the parser behind it -------------------------------------------------------------------------------------------


def test_expressions_are_rewritten_by_many_threads_at_once() -> None:
    def rewrite(number: int) -> str:
        return rewrite_where(f"metadata.k{number} = {number}", COLUMNS, table="models")

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(rewrite, range(400)))
    assert all(f'"k{number}"' in sql and sql.endswith(f"= {number})") for number, sql in enumerate(written))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork on Windows")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_parses_on_a_connection_of_its_own() -> None:
    before = rewrite_where("metadata.x = 1", COLUMNS, table="models")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        same = rewrite_where("metadata.x = 1", COLUMNS, table="models") == before
        os.write(writer, b"same" if same and syntax._parser.pid == os.getpid() else b"no")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"same"
    assert os.waitpid(child, 0)[1] == 0
    assert syntax._parser.pid == os.getpid()


def test_parsing_touches_no_file(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("CREATE TABLE t (a INTEGER);")
    assert "syntax error" in refusal(f"true; IMPORT DATABASE '{tmp_path}'")
    with pytest.raises(duckdb.PermissionException):
        syntax.parse_cursor().execute(f"SELECT * FROM read_text('{tmp_path}/schema.sql')")


def test_importing_the_module_does_not_import_duckdb() -> None:
    import subprocess

    code = "import sys, localreg.query.rewriting, localreg.query.scope; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- against an oracle ----------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
WHOLE = st.integers(-(2**100), 2**100) | st.integers(2**53 - 2, 2**53 + 2) | st.integers(-2, 2)
NUMBER = WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 0.5, 1.0, -1.0])
WORDS = st.sampled_from(["a", "b", "true", "1", "0.1", "null", ""])
SCALAR = NUMBER | TEXT | WORDS | st.booleans() | st.none()
VALUE = st.recursive(SCALAR, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3), max_leaves=4)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def literal(constant: object) -> str:
    if isinstance(constant, str):
        return "'" + constant.replace("'", "''") + "'"
    return repr(constant) if not isinstance(constant, bool) else str(constant).upper()


def family(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "other"


def oracle(value: object, symbol: str, constant: object) -> bool | None:
    """NULL for another type; two whole numbers exactly, else numbers as DOUBLE."""
    if family(value) != family(constant):
        return None
    if family(value) == "number" and (isinstance(value, float) or isinstance(constant, float)):
        value, constant = float(value), float(constant)  # type: ignore[arg-type]
    return OPERATORS[symbol](value, constant)


RELAXED = settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])


@RELAXED
@given(
    value=VALUE,
    symbol=st.sampled_from(list(OPERATORS)),
    constant=NUMBER | TEXT | WORDS | st.booleans(),
    flip=st.booleans(),
)
def test_a_comparison_agrees_with_python(
    models: duckdb.DuckDBPyConnection, value: object, symbol: str, constant: object, flip: bool
) -> None:
    where = f"{literal(constant)} {symbol} metadata.x" if flip else f"metadata.x {symbol} {literal(constant)}"
    mirrored = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(symbol, symbol) if flip else symbol
    assert evaluate(models, where, {"x": value}) is oracle(value, mirrored, constant)


@RELAXED
@given(value=VALUE, constants=st.lists(NUMBER, min_size=1, max_size=4) | st.lists(TEXT | WORDS, min_size=1, max_size=4))
def test_in_agrees_with_python(models: duckdb.DuckDBPyConnection, value: object, constants: list[object]) -> None:
    where = f"metadata.x IN ({', '.join(map(literal, constants))})"
    same = family(value) == family(constants[0])
    # One DOUBLE among whole numbers makes DuckDB compare them all as DOUBLE.
    constants = [float(c) for c in constants] if any(isinstance(c, float) for c in constants) else constants  # type: ignore[arg-type]
    expected = any(oracle(value, "=", constant) for constant in constants) if same else None
    assert evaluate(models, where, {"x": value}) is expected


@RELAXED
@given(value=VALUE)
def test_null_and_truth_agree_with_python(models: duckdb.DuckDBPyConnection, value: object) -> None:
    assert evaluate(models, "metadata.x IS NULL", {"x": value}) is (value is None)
    assert evaluate(models, "metadata.x", {"x": value}) is (value if isinstance(value, bool) else None)
    assert evaluate(models, "metadata.x = metadata.y", {"x": value, "y": value}) is (None if value is None else True)


@RELAXED
@given(key=TEXT, other=TEXT)
def test_random_keys_are_matched_exactly(models: duckdb.DuckDBPyConnection, key: str, other: str) -> None:
    where = f"metadata[{literal(key)}] = 1"
    assert evaluate(models, where, {other: 2, key: 1}) is True
    assert evaluate(models, where, {other: 1}) is (True if other == key else None)


@settings(deadline=None, max_examples=300)
@given(text=st.text(st.sampled_from("name=1'\"()[]{}-/*;,.<>!~?$#:| \n\\") | st.characters(codec="utf-8"), max_size=30))
def test_random_text_gives_an_expression_or_our_error(text: str) -> None:
    messages = []
    for rewrite in (rewrite_where, rewrite_order_by):
        try:
            rewrite(text, COLUMNS, table="models")
        except InvalidInputError as error:
            messages.append(str(error))
    assert not any("LINE 1" in message for message in messages)
