"""What a query gives: rows that are fetched when they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Result"]

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
        """The rows as a PyArrow table."""
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
        """The rows as dicts; nested values are lists and dicts."""
        rows: list[dict[str, Any]] = self.arrow().to_pylist()
        return rows

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
        row: dict[str, Any] = self.arrow().slice(number % len(self), 1).to_pylist()[0]
        return row

    def __repr__(self) -> str:
        return self.text()

    def text(self, *, rows: int = SHOWN_ROWS) -> str:
        """A plain table of the first rows, for a terminal."""
        lines = [self.columns, *(list(map(shown, row.values())) for row in self._first(rows))]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        text.insert(1, "  ".join("─" * width for width in widths))
        return "\n".join([*text, *self._more(rows)])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(shown(value))}</td>" for value in row.values()) + "</tr>"
            for row in self._first(SHOWN_ROWS)
        )
        more = "".join(f"<p>{line}</p>" for line in self._more(SHOWN_ROWS))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _first(self, rows: int) -> list[dict[str, Any]]:
        first: list[dict[str, Any]] = self.arrow().slice(0, rows).to_pylist()
        return first

    def _more(self, rows: int) -> list[str]:
        return (
            [f"… {len(self) - rows} more rows"] if len(self) > rows else [f"{len(self)} rows"] if not len(self) else []
        )


def shown(value: object, width: int = SHOWN_WIDTH) -> str:
    """A value in one short line."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, list):
        text = ", ".join(str(item) for item in value)
    elif hasattr(value, "strftime"):
        text = f"{value:%Y-%m-%d %H:%M:%S}"
    else:
        text = str(value).replace("\n", " ")
    return text if len(text) <= width else f"{text[: width - 1]}…"
