"""A difference and its interval around zero, as a small drawing in a table cell."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from localreg.compare.report.wording import difference, interval, points
from localreg.compare.rows import MetricRow
from localreg.html.markup import Markup, joined, tag
from localreg.html.theme import GRID, INK, VERDICT_COLORS

__all__ = ["extent", "interval_bar", "small_bar"]

WIDTH, HEIGHT = 160, 20
MARGIN = 9
SMALL = WIDTH / 2 + MARGIN
MOST = 4
"""Intervals that are so many times wider than the median are cut, and say so: else they would flatten all others."""


def extent(rows: Sequence[MetricRow]) -> float | None:
    """How far bars reach to both sides of zero, so that all of some rows are drawn on one scale.

    Returns:
        The reach in the unit of `points`; None = there is nothing to draw.
    """
    reach = [max(abs(end) for end in _ends(row)) for row in rows if row.difference is not None]
    reach = [each for each in reach if each > 0]
    return min(max(reach), MOST * median(reach)) if reach else None


def interval_bar(row: MetricRow, reach: float | None) -> Markup:
    """The drawing: zero, the interval as a line with ends, the difference as a shape that tells the verdict.

    Args:
        row: what is drawn.
        reach: see `extent`.
    """
    if row.difference is None:
        return joined("")
    reach = reach or 1.0
    color = VERDICT_COLORS[row.verdict]
    low, high, at = (_place(end, reach) for end in (*_ends(row)[:2], _ends(row)[2]))
    parts = [
        tag("line", x1=0, x2=WIDTH, y1=HEIGHT / 2, y2=HEIGHT / 2, stroke=GRID),
        tag("line", x1=WIDTH / 2, x2=WIDTH / 2, y1=0, y2=HEIGHT, stroke=INK),
    ]
    if row.low is not None and row.high is not None:
        parts.append(tag("line", x1=low, x2=high, y1=HEIGHT / 2, y2=HEIGHT / 2, stroke=color, stroke_width=2.5))
        parts += [_end(low, row.low, -1, reach, row.metric, color), _end(high, row.high, 1, reach, row.metric, color)]
    parts.append(_shape(row, at, color))
    told = f"{difference(row, unit=True)}, interval {interval(row)}: {row.verdict}"
    return tag(
        "svg", tag("title", told), *parts, class_="bar", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=told
    )


def small_bar(row: MetricRow, reach: float | None) -> Markup:
    """The same in few bytes and without words, for tables that have one in each cell and say the rest beside it."""
    reach = reach or 1.0
    color = VERDICT_COLORS[row.verdict]
    low, high, at = (MARGIN / 2 + _place(end, reach) / 2 for end in _ends(row))
    drawn = f"M{at - 2:.0f} 1h4v10h-4z"
    if row.low is not None and row.high is not None:
        drawn += f"M{low:.0f} 5H{high:.0f}v2H{low:.0f}z"
    zero = tag("path", d=f"M{SMALL / 2:g} 0v12", stroke=GRID)
    return tag("svg", zero, tag("path", d=drawn, fill=color), viewBox=f"0 0 {SMALL:g} 12", aria_hidden="true")


def _ends(row: MetricRow) -> tuple[float, float, float]:
    """Low, high and the difference, as they are drawn."""
    at = points(row.metric, row.difference) or 0.0
    low, high = points(row.metric, row.low), points(row.metric, row.high)
    return at if low is None else low, at if high is None else high, at


def _place(number: float, reach: float) -> float:
    share = max(-1.0, min(1.0, number / reach))
    return WIDTH / 2 + share * (WIDTH / 2 - MARGIN)


def _end(x: float, number: float, side: int, reach: float, metric: str, color: str) -> Markup:
    """A stroke at the end of the interval; an arrow if it ends beyond the drawing."""
    middle = HEIGHT / 2
    if abs(points(metric, number) or 0.0) <= reach * (1 + 1e-9):
        return tag("line", x1=x, x2=x, y1=middle - 4, y2=middle + 4, stroke=color, stroke_width=2)
    side = 1 if number > 0 else -1
    return tag("path", d=f"M{x:g} {middle - 5:g}l{side * 7} 5l{side * -7} 5z", fill=color)


def _shape(row: MetricRow, x: float, color: str) -> Markup:
    """Up = improved, down = regressed, a diamond = different, a square = equal, a ring = open: without colours, too."""
    middle = HEIGHT / 2
    if row.verdict == "improved":
        return tag("path", d=f"M{x:.2f} {middle - 6:g}l6 11h-12z", fill=color)
    if row.verdict == "regressed":
        return tag("path", d=f"M{x:.2f} {middle + 6:g}l6 -11h-12z", fill=color)
    if row.verdict == "different":
        return tag("path", d=f"M{x:.2f} {middle - 6:g}l6 6l-6 6l-6 -6z", fill=color)
    if row.verdict == "equal":
        return tag("rect", x=x - 4, y=middle - 4, width=8, height=8, fill=color)
    return tag("circle", cx=x, cy=middle, r=4.5, class_="ring", stroke=color, stroke_width=2)
