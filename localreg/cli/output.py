"""Answers in three formats: a table for people, JSON and CSV for programs.

Guarantees: `json` and `csv` hold every column and every digit; what is no JSON of its own (times, decimals, bytes) is
ISO 8601, a number, hex; NaN and infinity are null. A table is never cut in a pipe; on a terminal its widest columns
shrink to fit. No colours.
"""

import csv
import json
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from localreg.query import Result

__all__ = ["Answer", "Card", "Format", "Rows", "aligned", "plain", "show"]

JSON_COLUMNS = frozenset({"metadata", "before", "after"})
"""Columns of listings that hold JSON text; in JSON output they are nested values."""

LEAST_WIDTH = 8


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Answer(Protocol):
    """What a reading command returns."""

    @property
    def ok(self) -> bool:
        """False = exit code 1."""

    def lines(self) -> Iterator[str]:
        """For people."""

    def json(self) -> object:
        """A value of dicts, lists and scalars."""

    def csv(self) -> "Rows":
        """As one table."""


def show(answer: Answer, format: Format) -> None:
    """Write an answer to stdout."""
    if format is Format.TABLE:
        for line in answer.lines():
            print(line)
    elif format is Format.JSON:
        _write_json(answer.json())
    else:
        rows = answer.csv()
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows([_csv_cell(value) for value in row] for row in rows.rows)


def _write_json(value: object) -> None:
    ascii_only = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    if not isinstance(value, list):
        print(json.dumps(plain(value), ensure_ascii=ascii_only, allow_nan=False, indent=2))
        return
    end = ""
    print("[", end="")
    for item in value:  # a line each: as easy to read, to grep and to page as a table
        print(f"{end}\n", json.dumps(plain(item), ensure_ascii=ascii_only, allow_nan=False), end="")
        end = ","
    print("\n]" if value else "]")


@dataclass(frozen=True)
class Rows:
    """A listing.

    Attributes:
        columns: all of them.
        rows: values in the order of the columns.
        shown: the columns of the table; None = all.
        nested: whether columns known to hold JSON text are nested values in JSON output.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    shown: Sequence[str] | None = None
    nested: bool = True
    ok: bool = True

    @classmethod
    def of(cls, result: "Result", *, shown: Sequence[str] | None = None, nested: bool = True) -> "Rows":
        """The rows of a query. Taken column by column: two columns may have one name."""
        table = result.arrow()
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return cls(table.column_names, rows, shown, nested)

    def lines(self) -> Iterator[str]:
        """The shown columns, aligned."""
        places = [self.columns.index(name) for name in self.shown] if self.shown else range(len(self.columns))
        yield from aligned(
            [self.columns[place] for place in places], [[row[place] for place in places] for row in self.rows]
        )
        if not self.rows:
            yield "0 rows"

    def json(self) -> list[dict[str, object]]:
        """One object a row."""
        return [
            {name: self._value(name, value) for name, value in zip(self.columns, row, strict=True)} for row in self.rows
        ]

    def csv(self) -> "Rows":
        """Itself."""
        return self

    def _value(self, name: str, value: object) -> object:
        return json.loads(value) if self.nested and name in JSON_COLUMNS and isinstance(value, str) else value


@dataclass(frozen=True)
class Card:
    """One record, a line for each thing that is said of it.

    Attributes:
        row: a listing's only row.
        first: keys of the metadata that come before the others.
    """

    row: Rows
    first: Sequence[str] = ()
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """What is not empty; metadata indented, a line each."""
        fields = self.json()
        metadata = fields.pop("metadata", None)
        lines = [(name, value) for name, value in fields.items() if value not in (None, [], "")]
        if isinstance(metadata, Mapping) and metadata:
            keys = sorted(
                metadata, key=lambda key: (key not in self.first, self.first.index(key) if key in self.first else 0)
            )
            lines += [("metadata", ""), *((f"  {key}", metadata[key]) for key in keys)]
        width = max(len(name) for name, _ in lines)
        for name, value in lines:
            yield f"{name:<{width}}  {_cell(value)}".rstrip()

    def json(self) -> dict[str, object]:
        """The row as one object."""
        return self.row.json()[0]

    def csv(self) -> Rows:
        """A listing of one row."""
        return self.row


# --- values ---------------------------------------------------------------------------------------------------------


def plain(value: object) -> object:
    """A value as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)


def _csv_cell(value: object) -> object:
    value = plain(value)
    if isinstance(value, (dict, list, bool)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return value


def _cell(value: object) -> str:
    """A value on one line, as a person reads it."""
    match value:
        case None:
            text = ""
        case float():
            text = f"{value:.6g}"
        case datetime():
            text = f"{value:%Y-%m-%d %H:%M:%S}"
        case list() if all(isinstance(item, str) for item in value):
            text = ", ".join(value)
        case bool() | dict() | list():
            text = str(_csv_cell(value))
        case _:
            text = str(plain(value))
    return _CONTROL.sub(lambda match: " " if match[0] in "\n\r\t" else repr(match[0])[1:-1], text)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


# --- tables ---------------------------------------------------------------------------------------------------------


def aligned(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table's lines: head, rule, rows."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    if sys.stdout.isatty():
        soft = {place for row in rows for place, value in enumerate(row) if isinstance(value, (str, list, dict))}
        _shrink(widths, soft, shutil.get_terminal_size().columns)
    for number, line in enumerate(cells):
        yield "  ".join(_fit(text, width) for text, width in zip(line, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("─" * width for width in widths)


def _shrink(widths: list[int], soft: Collection[int], room: int) -> None:
    """Take from the widest column of texts until the table fits; numbers and times stay whole."""
    while sum(widths) + 2 * (len(widths) - 1) > room:
        widest = max(soft, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= LEAST_WIDTH:
            return
        widths[widest] -= 1


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: two for an emoji."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, width: int) -> str:
    room = width - _width(text)
    if room >= 0:
        return text + " " * room
    from rich.cells import set_cell_size

    return f"{set_cell_size(text, width - 1)}…"
