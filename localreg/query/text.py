"""Values and tables as plain text: what `Result` shows, and what the command line prints."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite

__all__ = ["aligned", "cell", "plain"]

LEAST_WIDTH = 8


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


def cell(value: object) -> str:
    """A value on one line, as a person reads it."""
    match value:
        case None:
            text = ""
        case float():
            text = f"{value:.6g}"
        case datetime():
            text = _moment(value)
        case list() if all(isinstance(item, str) for item in value):
            text = ", ".join(value)
        case bool() | dict() | list():
            text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
        case _:
            text = str(plain(value))
    return _CONTROL.sub(lambda match: " " if match[0] in "\n\r\t" else repr(match[0])[1:-1], text)


def _moment(value: datetime) -> str:
    """A time to the second, as `--at` and `localreg.times` read it: in UTC and with a Z, unless it has no zone."""
    if value.utcoffset() is None:
        return value.isoformat(sep=" ", timespec="seconds")
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ', timespec='seconds')}Z"


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def aligned(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, room: int | None = None, longest: int | None = None
) -> Iterator[str]:
    """A table's lines: head, rule, rows.

    Args:
        columns: the head.
        rows: values, in the order of the columns.
        room: columns of a terminal that it must fit into; None = as wide as it is.
        longest: no cell is longer.
    """
    cells = [list(columns), *([cell(value) for value in row] for row in rows)]
    widths = [min(max(map(_width, column)), longest or sys.maxsize) for column in zip(*cells, strict=True)]
    if room is not None:
        soft = {place for row in rows for place, value in enumerate(row) if isinstance(value, (str, list, dict))}
        _shrink(widths, soft, room)
    lines = ["  ".join(_fit(text, width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("─" * width for width in widths))
    if room is not None and len(lines[1]) > room:  # numbers and times alone: cut off
        lines = [_fit(line, room).rstrip() for line in lines]
    yield from lines


def _shrink(widths: list[int], soft: Collection[int], room: int) -> None:
    """Take from the widest column of texts until the table fits; numbers and times stay whole."""
    least = LEAST_WIDTH
    while sum(widths) + 2 * (len(widths) - 1) > room:
        widest = max(soft, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= 1:
            return
        if widths[widest] <= least:
            least = 1  # many columns: better narrow than broken
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
