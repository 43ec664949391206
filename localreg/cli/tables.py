"""What commands share that read tables of users: which column holds what, and what became of the rows."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.place import Account

if TYPE_CHECKING:
    from localreg.workflow.bulk.report import BulkReport

__all__ = ["Choice", "Column", "File", "OnInvalid", "mapping", "told"]


class Choice(StrEnum):
    """What becomes of rows."""

    RAISE = "raise"
    SKIP = "skip"


SHOWN = 10
"""Rows that were left out which are printed one by one."""

File = Annotated[str, typer.Argument(metavar="FILE", help="Parquet, CSV, TSV, JSON lines or Arrow; texts also as .gz.")]
Column = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=COLUMN", help="Which column holds a field, as label=class; repeatable."),
]
OnInvalid = Annotated[
    Choice,
    typer.Option("--on-invalid", help="A row that cannot be stored: raise refuses all, skip leaves it out."),
]


def mapping(columns: Sequence[str] | None) -> dict[str, str] | None:
    """The columns by field."""
    made: dict[str, str] = {}
    for each in columns or ():
        field, separator, column = each.partition("=")
        if not separator or not field or not column:
            raise typer.BadParameter(f"--column {each!r} is no FIELD=COLUMN")
        if field in made:
            raise typer.BadParameter(f"--column names {field!r} twice")
        made[field] = column
    return made or None


def told(report: "BulkReport") -> Account:
    """What became of the rows."""
    lines = [str(report), *(f"  row {fault.row}: {fault.reason}" for fault in report.faults[:SHOWN])]
    left_out = report.invalid + report.unknown + report.lacking
    if left_out > SHOWN:
        lines.append(f"  and {left_out - min(SHOWN, len(report.faults)):,} more")
    return Account("\n".join(lines))
