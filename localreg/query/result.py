"""What a query gives: rows that are fetched when they are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
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

    Iterating gives one dict a row. Time stamps are aware datetimes in UTC.
    """

    def __init__(self, fetch: Callable[[], pa.Table]) -> None:
        self._fetch = fetch
        self._table: pa.Table | None = None

    def arrow(self) -> pa.Table:
        """The rows as a PyArrow table; JSON columns are text."""
        if self._table is None:
            self._table = self._fetch()
        return self._table

    def df(self) -> pd.DataFrame:
        """The rows as a pandas data frame (extra `pandas`)."""
        try:
            import pandas  # noqa: F401 - only to tell that it is missing
        except ImportError as error:
            raise InvalidInputError("pandas is not installed: pip install 'localreg-registry[pandas]'") from error
        return self.arrow().to_pandas()

    def pl(self) -> pl.DataFrame:
        """The rows as a Polars data frame (extra `polars`)."""
        try:
            import polars
        except ImportError as error:
            raise InvalidInputError("polars is not installed: pip install 'localreg-registry[polars]'") from error
        frame = polars.from_arrow(self.arrow())
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

    def __getitem__(self, number: int) -> dict[str, Any]:
        if not -len(self) <= number < len(self):
            raise IndexError(number)  # the protocol of sequences: list() and unpacking rely on it
        return _dicts(self.arrow().slice(number % len(self), 1))[0]

    def __repr__(self) -> str:
        return self.text()

    def text(self, *, rows: int = SHOWN_ROWS) -> str:
        """A plain table of the first rows, for a terminal."""
        values = [list(row.values()) for row in self._first(rows)]
        return "\n".join([*aligned(self.columns, values, longest=SHOWN_WIDTH), *self._more(rows)])

    def _repr_html_(self) -> str:
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
    rows: list[dict[str, Any]] = table.to_pylist()
    for name in [field.name for field in table.schema if field.metadata == JSON_FIELD]:
        for row in rows:
            row[name] = None if row[name] is None else json.loads(row[name])  # NaN may stand in it
    return rows
