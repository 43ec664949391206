"""The console: one SELECT, which can only read, its rows, and the tables that it may ask."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, NamedTuple

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from localreg.errors import InvalidInputError, LocalregError
from localreg.names import shown_value
from localreg.query import Result
from localreg.ui.row_files import WRITERS
from localreg.ui.short_cells import ShortCells
from localreg.ui.view import View

__all__ = ["console", "download"]

MOST_ROWS = 1000
"""Shown; a download has all."""
PATIENCE_S = 60.0
"""Of the console; a download has more."""
DOWNLOAD_S = 300.0
PLACES = BoundedSemaphore(6)
"""Queries at one time: all pages share some forty threads, and these take longest."""
WAIT_S = 5.0
"""For a place."""
COLUMNS = """
SELECT schema_name AS schema, table_name AS "table", list(column_name ORDER BY column_index) AS names,
    list(data_type ORDER BY column_index) AS types
FROM duckdb_columns() WHERE NOT internal AND schema_name NOT LIKE 'localreg_internal%' GROUP BY schema_name, table_name
ORDER BY (schema_name = 'main') DESC, 1, 2
"""


class Table(NamedTuple):
    """A documented table."""

    name: str
    """As it is written in a query."""
    columns: list[tuple[str, str]]
    """Name and type."""
    address: str
    """Of the console with a first look at it."""


class Answer(NamedTuple):
    """What came of a query."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool
    duration_s: float


def console(view: View) -> Response:
    """`/sql`: `q` is the query."""
    query, answer, error = view.text("q"), None, None
    if query is not None:
        try:
            answer = _answer(view, query)
        except LocalregError as refusal:
            error = refusal.message
    return view.page(
        "sql.html",
        title="SQL",
        section="SQL",
        status=400 if error else 200,
        q=query or "",
        answer=answer,
        error=error,
        tables=list(_tables(view)),
        most=MOST_ROWS,
        formats=list(WRITERS),
    )


def download(view: View) -> Response:
    """`/sql/rows`: the rows of the query `q`, all of them, as `format` says; written as they come."""
    format = view.text("format") or "csv"
    if format not in WRITERS:
        raise InvalidInputError(f"format is {shown_value(format)}; it is one of {', '.join(WRITERS)}")
    writer = WRITERS[format]
    _take_place()
    try:
        pieces = writer.pieces(_asked(view, view.text("q") or "", DOWNLOAD_S).batches())
        first = next(pieces, b"")  # what is wrong with the query is told before anything is sent
    except BaseException:
        PLACES.release()
        raise
    headers = {"content-disposition": f'attachment; filename="rows.{format}"'}
    return _Download(_after(first, pieces), media_type=writer.media_type, headers=headers)


class _Download(StreamingResponse):
    """Gives its place back when all is sent, or nobody listens any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            PLACES.release()


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _take_place() -> None:
    """Wait for a place; whoever takes one gives it back.

    Raises:
        InvalidInputError: there was none for some seconds.
    """
    if not PLACES.acquire(timeout=WAIT_S):
        raise InvalidInputError(
            "other queries and downloads of this page are still running, as many as may at one time; "
            "wait until one has ended, then run this again"
        )


@contextmanager
def _place() -> Iterator[None]:
    _take_place()
    try:
        yield
    finally:
        PLACES.release()


def _asked(view: View, query: str, timeout_s: float) -> Result:
    return view.everything.sql(query, timeout_s=timeout_s)


def _answer(view: View, query: str) -> Answer:
    """The first rows, their cells cut to what is shown; no more are fetched."""
    with _place():
        began = time.monotonic()
        statement = ShortCells.statement(query)
        short = ShortCells(statement, _asked(view, ShortCells.head(statement), PATIENCE_S).arrow().schema)
        rows = [short.values(row) for row in _asked(view, short.first(MOST_ROWS + 1), PATIENCE_S)]
    return Answer(short.columns, rows[:MOST_ROWS], len(rows) > MOST_ROWS, time.monotonic() - began)


def _tables(view: View) -> Iterator[Table]:
    """All that a query may name, with their columns."""
    for row in view.everything.sql(COLUMNS):
        name = _written(row["table"]) if row["schema"] == "main" else f"{_written(row['schema'])}.{row['table']}"
        query = f"SELECT * FROM {name} LIMIT 100"
        yield Table(name, list(zip(row["names"], row["types"], strict=True)), view.link("/sql", q=query))


def _written(name: str) -> str:
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
