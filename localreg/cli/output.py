"""Answers in three formats: a table for people, JSON and CSV for programs.

Guarantees: `json` and `csv` hold every column and every digit; what is no JSON of its own (times, decimals, bytes) is
ISO 8601, a number, hex; NaN and infinity are null. A table is never cut in a pipe; on a terminal its widest columns
shrink to fit. No colours.
"""

import csv
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from localreg.query.text import aligned, cell, plain

if TYPE_CHECKING:
    from localreg.log.verify import VerifyReport
    from localreg.query import Result
    from localreg.upkeep import DoctorReport

__all__ = ["Answer", "Card", "Format", "Listing", "Report", "Rows", "show"]


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
        print("\n".join(answer.lines()))  # at once: where stdout is not buffered, each line would be a system call
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
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    shown: Sequence[str] | None = None
    ok: bool = True

    @classmethod
    def of(cls, result: "Result", *, shown: Sequence[str] | None = None) -> "Rows":
        """The rows of a query."""
        return cls(result.columns, [list(row.values()) for row in result], shown)

    def lines(self) -> Iterator[str]:
        """The shown columns, aligned."""
        places = [self.columns.index(name) for name in self.shown] if self.shown else range(len(self.columns))
        room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        columns = [self.columns[place] for place in places]
        yield from aligned(columns, [[row[place] for place in places] for row in self.rows], room=room)
        if not self.rows:
            yield "0 rows"

    def json(self) -> list[dict[str, object]]:
        """One object a row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def csv(self) -> "Rows":
        """Itself."""
        return self


@dataclass(frozen=True)
class Listing:
    """Rows of a query, of which a table shows some columns: the others are not even taken apart for it."""

    result: "Result"
    shown: Sequence[str]
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """The shown columns, aligned."""
        from localreg.query import Result

        wanted = list(dict.fromkeys(self.shown))
        yield from Rows.of(Result(lambda: self.result.arrow().select(wanted)), shown=self.shown).lines()

    def json(self) -> list[dict[str, object]]:
        """One object a row, with every column."""
        return self.csv().json()

    def csv(self) -> Rows:
        """Every column."""
        return Rows.of(self.result)


@dataclass(frozen=True)
class Card:
    """One record, a line for each thing that is said of it.

    Attributes:
        row: a listing's only row.
        first: keys of the metadata that come before the others.
        told: what is shown in the place of a field, for people alone.
        more: what stands beside the row's columns: for people, listings below the others; for programs, all of it.
    """

    row: Rows
    first: Sequence[str] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """What is not empty; metadata indented, a line each."""
        fields = {**self.row.json()[0], **self.told}
        metadata = fields.pop("metadata", None)
        lines = [(name, value) for name, value in fields.items() if value not in (None, [], {}, "")]
        if isinstance(metadata, Mapping) and metadata:
            keys = sorted(
                metadata, key=lambda key: (key not in self.first, self.first.index(key) if key in self.first else 0)
            )
            lines += [("metadata", ""), *((f"  {key}", metadata[key]) for key in keys)]
        width = max(len(name) for name, _ in lines)
        for name, value in lines:
            yield f"{name:<{width}}  {cell(value)}".rstrip()
        for listing in self.more.values():
            if isinstance(listing, Rows):
                yield from ["", *listing.lines()]

    def json(self) -> dict[str, object]:
        """The row as one object, with what stands beside it."""
        more = {name: each.json() if isinstance(each, Rows) else each for name, each in self.more.items()}
        return {**self.row.json()[0], **more}

    def csv(self) -> Rows:
        """A listing of one row."""
        values = self.json()
        return Rows(tuple(values), [tuple(values.values())])


@dataclass(frozen=True)
class Report:
    """A report of the library's, shown as it shows itself; exit code 1 if it found a fault.

    Attributes:
        report: with the attribute `ok`.
        found: what stands in it, a row each.
        columns: attributes of what was found.
        more: a line for people, below it.
    """

    report: "VerifyReport | DoctorReport"
    found: Sequence[object]
    columns: Sequence[str]
    more: str = ""

    @property
    def ok(self) -> bool:
        """Nothing was found wrong."""
        return self.report.ok

    def lines(self) -> Iterator[str]:
        """The report in words."""
        from localreg.cli.wording import for_shell

        yield for_shell(str(self.report))
        if self.more:
            yield for_shell(self.more)

    def json(self) -> dict[str, object]:
        """Its attributes."""
        return {"ok": self.report.ok, **asdict(self.report)}

    def csv(self) -> Rows:
        """What was found."""
        return Rows(self.columns, [[getattr(each, name) for name in self.columns] for each in self.found])


def _csv_cell(value: object) -> object:
    value = plain(value)
    return cell(value) if isinstance(value, (dict, list, bool)) else value
