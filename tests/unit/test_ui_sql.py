"""The console: what is asked, shown, refused and downloaded."""

from __future__ import annotations

import csv
import io
import json
from threading import BoundedSemaphore
from typing import Any

import pyarrow.parquet as pq
import pytest

from localreg import Registry
from localreg.query import Result
from localreg.ui.pages import sql
from tests.flow import compare_two_models
from tests.pages import Browser, Node

HOSTILE = '<script>alert("x")</script> \'"& rtl'


@pytest.fixture
def browser(registry: Registry) -> Browser:
    registry.create_model("meadow", metadata={"lr": 0.5, "layers": [{"units": 3}]}, tags={"b", "a"})
    registry.create_model("brook")
    return Browser(registry)


def cells(page: Node) -> list[list[str]]:
    return [[each.text for each in row.all("td")] for row in page.one("table", class_="rows").one("tbody").all("tr")]


def test_rows_are_shown_on_one_line_each(browser: Browser) -> None:
    page = browser.get("/sql", q="SELECT name, tags, metadata, owner, 1.5 AS x, true AS y FROM models").main
    assert [each.text for each in page.one("table", class_="rows").all("th")] == [
        *("name", "tags", "metadata", "owner", "x", "y"),
    ]
    assert cells(page) == [
        ["meadow", "a, b", '{"layers": [{"units": 3}], "lr": 0.5}', "null", "1.5", "true"],
        ["brook", "", "{}", "null", "1.5", "true"],
    ]
    assert "2 rows in" in page.text
    assert page.one("textarea").text == "SELECT name, tags, metadata, owner, 1.5 AS x, true AS y FROM models"


def test_only_the_first_rows_are_fetched(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    page = browser.get("/sql", q="SELECT range AS n FROM range(10000000000)").main  # which nothing could hold
    assert len(cells(page)) == 1000
    assert cells(page)[-1] == ["999"]
    assert "The first 1,000 rows" in page.text
    monkeypatch.setattr(sql, "MOST_ROWS", 2)
    exactly = browser.get("/sql", q="FROM models SELECT name").main
    assert "2 rows in" in exactly.text


def test_a_cell_is_cut_before_it_is_fetched(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    real = Result.dicts

    def counted(self: Result) -> list[dict[str, Any]]:
        fetched.append(self.arrow().nbytes)
        return real(self)

    monkeypatch.setattr(Result, "dicts", counted)
    query = (
        "SELECT range(100000 + n) AS l, {'a': range(100000 + n)} AS s, repeat('ä', 100000 + n::INT) AS t, "
        "repeat('x', 100000 + n::INT)::BLOB AS b FROM range(1) AS r(n)"
    )
    shown = cells(browser.get("/sql", q=query).main)[0]
    assert [each[:8] for each in shown] == ["[0,1,2,3", '{"a":[0,', "ää" * 4, "78" * 4]
    assert all(each.endswith("…") and len(each) == 300 for each in shown)
    assert max(fetched) < 100_000


def test_types_that_python_has_no_values_of_are_shown_as_duckdb_prints_them(browser: Browser) -> None:
    query = (
        "SELECT INTERVAL 3 MONTH, '101'::BIT, TIME '24:00:00', '10:00:00+02'::TIMETZ, '\\x01x'::BLOB, MAP {'k': 1}, "
        "['a', 'b'], [1, NULL], union_value(a := 1), 'infinity'::TIMESTAMP, '[]'::JSON, 1.50::DECIMAL(4, 2)"
    )
    assert cells(browser.get("/sql", q=query).main) == [
        [
            *("3 months", "101", "24:00:00", "10:00:00+02", "0178", '{"k": 1}'),
            *("a, b", "[1, null]", "1", "infinity", "", "1.5"),
        ]
    ]


def test_names_that_come_twice_and_what_is_behind_a_semicolon_are_taken(browser: Browser) -> None:
    page = browser.get("/sql", q="SELECT 'ä;' AS a, 2 AS a; -- two; of a name").main
    assert [each.text for each in page.one("table", class_="rows").all("th")] == ["a", "a_1"]
    assert cells(page) == [["ä;", "2"]]


def test_there_are_only_so_many_queries_at_one_time(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "PLACES", BoundedSemaphore(1))
    monkeypatch.setattr(sql, "WAIT_S", 0.01)
    for _ in range(2):  # each gives its place back, whether it was answered, refused, or sent
        assert browser.get("/sql", q="SELECT 1").status == 200
        assert browser.get("/sql", q="SELECT nope").status == 400
        assert browser.get("/sql/rows", q="SELECT nope").status == 400
        assert browser.get("/sql/rows", q="SELECT 1").status == 200
    with sql.PLACES:
        answer = browser.get("/sql", q="SELECT 1")
        assert (answer.status, "wait until one has ended" in answer.main.one(id="error").text) == (400, True)
        assert "wait until one has ended" in browser.get("/sql/rows", q="SELECT 1").main.text
        assert browser.get("/sql").status == 200


def test_csv_tells_which_numbers_are_none(browser: Browser) -> None:
    query = "SELECT 'NaN'::DOUBLE AS a, 'inf'::DOUBLE AS b, '-inf'::FLOAT AS c, NULL::DOUBLE AS d"
    assert browser.get("/sql/rows", q=query).text == "a,b,c,d\nNaN,inf,-inf,\n"
    assert json.loads(browser.get("/sql/rows", q=query, format="json").body) == [dict.fromkeys("abcd")]


def test_what_is_wrong_is_told_and_the_text_kept(browser: Browser) -> None:
    for query in ("SELECT nope FROM models", "DROP TABLE models", "FROM read_csv('/etc/passwd')", "SELECT 1; SELECT 2"):
        answer = browser.get("/sql", q=query)
        assert answer.status == 400
        assert answer.main.one(id="error").text.startswith("cannot run sql: ")
        assert answer.main.one("textarea").text == query
    assert "did you mean" in browser.get("/sql", q="SELECT nam FROM models").main.one(id="error").text


def test_a_query_that_takes_too_long_is_given_up(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "PATIENCE_S", 0.2)
    answer = browser.get("/sql", q="SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b")
    assert answer.status == 400
    assert "given up after 0.2 s" in answer.main.one(id="error").text


def test_all_tables_stand_beside_with_their_columns(browser: Browser, registry: Registry) -> None:
    compare_two_models(registry)
    tables = {each.one("summary").text: each for each in browser.get("/sql").main.one("section").all("details")}
    assert {"models", "audit_events", "inferences", '"Animals".inferences'} <= set(tables)
    types = [each.text for each in tables["models"].all("dd")]
    assert dict(zip([each.text for each in tables["models"].all("dt")], types, strict=True))["created_at"] == "time"
    assert "animal" in [each.text for each in tables['"Animals".inferences'].all("dt")]
    for name in ("models", '"Animals".inferences'):
        answer = browser.get(tables[name].one("a").attributes["href"])
        assert answer.status == 200
        assert answer.main.one("textarea").text == f"SELECT * FROM {name} LIMIT 100"


def test_the_past_and_all_namespaces_can_be_asked(browser: Browser, registry: Registry) -> None:
    registry.namespace("vision").create_model("far")
    query = "SELECT namespace, name FROM models ORDER BY ALL"
    assert cells(browser.get("/sql", q=query, at=1).main) == [["default", "meadow"]]
    everything = [["default", "brook"], ["default", "meadow"], ["vision", "far"]]
    assert cells(browser.get("/sql", q=query, namespace="*").main) == everything
    assert cells(browser.get("/sql", q=query, namespace="vision").main) == everything[2:]


def test_all_rows_are_downloaded(browser: Browser) -> None:
    query = "SELECT range AS n, [range, NULL] AS l, {'a': range} AS s, 'NaN'::DOUBLE AS x, 'ä' AS t FROM range(25000)"
    first = browser.get("/sql/rows", q=query)
    assert first.headers["content-disposition"] == 'attachment; filename="rows.csv"'
    assert first.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(first.text)))
    assert len(rows) == 25_000
    assert rows[-1] == {"n": "24999", "l": "[24999, null]", "s": '{"a": 24999}', "x": "NaN", "t": "ä"}
    objects = json.loads(browser.get("/sql/rows", q=query, format="json").body)
    assert (len(objects), objects[7]) == (25_000, {"n": 7, "l": [7, None], "s": {"a": 7}, "x": None, "t": "ä"})
    table = pq.read_table(io.BytesIO(browser.get("/sql/rows", q=query, format="parquet").body))
    assert table["n"].to_pylist() == list(range(25_000))


def test_no_rows_are_downloaded_as_such(browser: Browser) -> None:
    query = "SELECT name, metadata FROM models WHERE false"
    assert browser.get("/sql/rows", q=query).text == "name,metadata\n"
    assert json.loads(browser.get("/sql/rows", q=query, format="json").body) == []
    table = pq.read_table(io.BytesIO(browser.get("/sql/rows", q=query, format="parquet").body))
    assert (table.num_rows, table.column_names) == (0, ["name", "metadata"])


def test_a_download_of_what_cannot_be_is_refused(browser: Browser) -> None:
    for asked in ({"q": "SELECT nope"}, {"q": "FROM models", "format": "xls"}, {}):
        assert browser.get("/sql/rows", **asked).status == 400
    odd = browser.get("/sql/rows", q="SELECT INTERVAL 1 MONTH AS i", format="parquet")
    assert (odd.status, "Parquet cannot hold these rows" in odd.main.text) == (400, True)


def test_links_to_downloads_hold_the_query(browser: Browser) -> None:
    page = browser.get("/sql", q="SELECT 'a&b' AS x", namespace="default").main
    link = next(each for each in page.all("a") if each.text == "CSV")
    assert browser.get(link.attributes["href"]).text == "x\na&b\n"


def test_hostile_values_stay_values(browser: Browser, registry: Registry) -> None:
    registry.create_model(HOSTILE, metadata={HOSTILE: HOSTILE})
    query = "SELECT name AS \"<b>\", metadata FROM models WHERE name LIKE '<script>%'"
    answer = browser.get("/sql", q=query)
    assert [each[0] for each in cells(answer.main)] == [HOSTILE]
    assert answer.main.one("table", class_="rows").all("th")[0].text == "<b>"
    assert not [each for each in answer.page.all("script") if not each.attributes["src"].startswith("/static/")]
