"""What a query gives: rows that are fetched when they are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, overload

from localreg.errors import InvalidInputError
from localreg.names import check_whole, shown_value, whole_number
from localreg.query.syntax import parse_cursor
from localreg.query.text import aligned, cell

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Result"]

JSON_FIELD = {b"localreg": b"json"}
"""Marks the Arrow field of a column that DuckDB calls JSON: Arrow itself knows it as text."""

SHOWN_ROWS = 20
SHOWN_WIDTH = 48


class Result:
    """Rows of a query over one commit. Fetched once, at the first look, then kept.

    Iterating gives one dict a row; `batches` streams. Time stamps are aware datetimes in UTC; those that Python has no
    datetime for, `infinity` and years beyond 1 to 9999, stand in dicts as DuckDB prints them.
    """

    def __init__(
        self, fetch: Callable[[], pa.Table], *, stream: Callable[[], Iterator[pa.RecordBatch]] | None = None
    ) -> None:
        self._fetch = fetch
        self._stream = stream
        self._table: pa.Table | None = None

    def arrow(self) -> pa.Table:
        """The rows as a PyArrow table; JSON columns are text."""
        if self._table is None:
            self._table = self._fetch()
        return self._table

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow record batches of one schema, in order.

        Inferences, and what `registry.sql` is asked, are read as they are asked for, and not kept, however many there
        are; the rows of listings are fetched first, as `arrow()` has them.
        """
        if self._table is None and self._stream is not None:
            return self._stream()
        batches: list[pa.RecordBatch] = self.arrow().to_batches()
        return iter(batches)

    def df(self) -> pd.DataFrame:
        """The rows as a pandas data frame (extra `pandas`)."""
        try:
            import pandas  # noqa: F401 - only to tell that it is missing
        except ImportError as error:
            raise InvalidInputError("pandas is not installed: pip install 'localreg-registry[pandas]'") from error
        table = self.arrow()
        try:
            return table.to_pandas()
        except (ValueError, OverflowError, NotImplementedError) as error:  # Arrow's own errors are among these
            raise _no_frame("pandas", error) from error

    def pl(self) -> pl.DataFrame:
        """The rows as a Polars data frame (extra `polars`)."""
        try:
            import polars
        except ImportError as error:
            raise InvalidInputError("polars is not installed: pip install 'localreg-registry[polars]'") from error
        table = self.arrow()
        try:
            frame = polars.from_arrow(table)
        except Exception as error:  # Polars has a tree of errors of its own
            raise _no_frame("Polars", error) from error
        assert isinstance(frame, polars.DataFrame)
        return frame

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts; nested values, and columns of JSON such as metadata, are lists and dicts."""
        return _dicts(self.arrow())

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        names: list[str] = self.arrow().column_names
        return names

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.dicts())

    def __len__(self) -> int:
        return int(self.arrow().num_rows)

    def __bool__(self) -> bool:
        """Whether there is a row."""
        return len(self) > 0

    @overload
    def __getitem__(self, number: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, number: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, number: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(number, slice):
            return self._sliced(number)
        place = whole_number(number)
        if place is None:
            raise InvalidInputError(
                f"a result has rows, and {type(number).__qualname__} is no row's number; "
                "write result[0], result[0:5], or result[0]['name']"
            )
        if not -len(self) <= place < len(self):
            raise IndexError(shown_value(number))  # the protocol of sequences: list() and unpacking rely on it
        return _dicts(self.arrow().slice(place % len(self), 1))[0]

    def _sliced(self, wanted: slice) -> list[dict[str, Any]]:
        try:
            places = range(*wanted.indices(len(self)))
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"{wanted!r} is no slice of rows: {error}; write result[0:5]") from error
        if places.step == 1:
            return _dicts(self.arrow().slice(places.start, len(places)))
        return _dicts(self.arrow().take(list(places))) if places else []

    def __repr__(self) -> str:
        return self.text()

    def text(self, *, rows: int = SHOWN_ROWS) -> str:
        """A plain table of the first rows, for a terminal."""
        rows = check_whole(rows, what="rows")
        values = [list(row.values()) for row in self._first(rows)]
        return "\n".join([*aligned(self.columns, values, longest=SHOWN_WIDTH), *self._more(rows)])

    def _repr_html_(self) -> str:
        from html import escape  # with all of HTML's entities, which nothing but a notebook needs

        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in self._first(SHOWN_ROWS)
        )
        more = "".join(f"<p>{line}</p>" for line in self._more(SHOWN_ROWS))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _first(self, rows: int) -> list[dict[str, Any]]:
        return _dicts(self.arrow().slice(0, rows))

    def _more(self, rows: int) -> list[str]:
        return (
            [f"… {len(self) - rows} more rows"] if len(self) > rows else [f"{len(self)} rows"] if not len(self) else []
        )


def _dicts(table: pa.Table) -> list[dict[str, Any]]:
    columns = map(_values, table.columns)
    rows = [dict(zip(table.column_names, values, strict=True)) for values in zip(*columns, strict=True)]
    for name in [field.name for field in table.schema if field.metadata == JSON_FIELD]:
        for row in rows:
            row[name] = _json_value(row[name])
    return rows


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A column's values; what Python cannot hold, such as the time `infinity`, as the text that DuckDB prints."""
    import pyarrow as pa

    try:
        if column.type == pa.timestamp("us", tz="UTC"):  # pyarrow would load pandas for these
            # As views: a cast would load `pyarrow.compute`, for 30 ms.
            moments = chain.from_iterable(chunk.view(pa.int64()).to_pylist() for chunk in column.chunks)
            return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in moments]
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        return [_value(scalar, text) for scalar, text in zip(column, _printed(column), strict=True)]
    return values


def _value(scalar: pa.Scalar, text: str | None) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return text


def _printed(column: pa.ChunkedArray) -> list[str | None]:
    import pyarrow as pa

    cursor = parse_cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.register("printed", pa.Table.from_arrays([column], names=["value"]))
    return [text for (text,) in cursor.execute("SELECT CAST(value AS VARCHAR) FROM printed").fetchall()]


def _json_value(text: str | None) -> object:
    """The value of a JSON text, in which NaN may stand; the text itself if Python's reader cannot take it."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # 5,000 digits, 5,000 brackets: JSON to DuckDB, too much for Python
        return text


def _no_frame(library: str, error: Exception) -> InvalidInputError:
    return InvalidInputError(f"{library} cannot hold this result: {error}; use arrow(), or cast the column to VARCHAR")
