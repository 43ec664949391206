"""Tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["aligned", "decimal"]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Cells in columns, the first to the left, the others to the right, two blanks between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def decimal(value: float | None) -> str:
    """A number with four decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.4f}"
