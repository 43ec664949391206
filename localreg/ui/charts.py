"""Plots of many series, drawn here: lines of few bytes, told apart by colour and marker, that fit any width.

A plot is three drawings side by side: the numbers on the left, the field with its lines, the numbers below. Only the
lines are stretched to the room there is; text and markers keep their size. Colours are classes of the style sheet.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from localreg.compare.report.wording import MINUS
from localreg.html.markup import Markup, joined, tag
from localreg.ui.curves import GREATEST_POWER, Curve, Facts, Thinned, facts, log_ticks, smoothed, thinned, ticks

if TYPE_CHECKING:
    import numpy as np

__all__ = ["COLORS", "MARKERS", "Axis", "Panel", "markers", "panel", "swatch", "told", "x_unit"]

WIDE, HIGH = 1120, 440
"""Units of the field in which lines are drawn."""
COLUMNS = 560
"""Of which each holds the least and the greatest value of a series."""
FEWEST = 60
BUDGET = 60 * COLUMNS
"""Columns of all series of a page together: its weight stays about the same, however many there are."""
MARKED = 5
"""Markers on a line."""
MANY = 16
"""Lines that are drawn thinner."""
COLORS = 8
"""Hues of the style sheet: classes `h0` to `h7`."""
FLAT = 1e-300
"""A height of the field that is less is none: parts of it are no numbers any more."""
MARKERS = (
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "M-3 -3h6v6h-6z",
    "M0 -4L4 3.2H-4z",
    "M0 -4.6L4 0L0 4.6L-4 0z",
    "M0 4L4 -3.2H-4z",
    "M-3.4 -3.4L3.4 3.4M-3.4 3.4L3.4 -3.4",
    "M-4.2 0H4.2M0 -4.2V4.2",
)
"""Shapes; as there are seven, and eight hues, 56 lines differ in one of both."""
UNITS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


class Axis(NamedTuple):
    """How values are placed: the same in all plots of a page.

    Attributes:
        by: what runs from left to right: `step`, or `time`.
        log: whether the other one is logarithmic.
        weight: of smoothing, 0 = none.
    """

    by: str = "step"
    log: bool = False
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot.

    Attributes:
        title: what it shows.
        drawing: the plot; None = there is nothing to be drawn.
        rows: each curve with what is told of it.
        notes: what the drawing leaves out, as sentences.
    """

    title: str
    drawing: Markup | None
    rows: list[tuple[Curve, Facts]]
    notes: list[str]


def panel(title: str, curves: Sequence[Curve], axis: Axis, *, series: int = 1, values: str = "") -> Panel:
    """A plot of some series.

    Args:
        title: what it shows, such as the name of a metric.
        curves: its lines.
        axis: how values are placed.
        series: how many the whole page draws: of more of them each has less detail.
        values: the address of the numbers, for who points at the plot.
    """
    rows = [(each, facts(each.x, each.y)) for each in curves]
    notes = list(_notes(rows, axis))
    placed = [_placed(each, axis) for each in curves]
    drawn = [(curve, raw, even) for curve, (raw, even) in zip(curves, placed, strict=True) if _is_there(raw)]
    if not drawn:
        return Panel(title, None, rows, notes)
    field = _Field(*_width([curve.x for curve, *_ in drawn]), *_extent([raw for _, raw, _ in drawn], axis))
    columns = min(COLUMNS, max(FEWEST, BUDGET // max(1, series)))
    lines = [_line(field, curve, raw, even, columns, axis) for curve, raw, even in drawn]
    return Panel(title, _drawing(title, field, axis, lines, len(drawn), values), rows, notes)


class _Field(NamedTuple):
    """What the corners of the field mean."""

    left: float
    right: float
    low: float
    high: float

    def across(self, x: np.ndarray) -> np.ndarray:
        return (x - self.left) / (self.right - self.left)

    def down(self, y: np.ndarray) -> np.ndarray:
        # In halves: the whole may be twice the greatest number.
        return (self.high / 2 - y / 2) / (self.high / 2 - self.low / 2)


def _is_there(y: np.ndarray) -> bool:
    import numpy as np

    return bool(np.isfinite(y).any())


def _placed(curve: Curve, axis: Axis) -> tuple[np.ndarray, np.ndarray | None]:
    """The values as the axis has them, and smoothed; None = they are not."""
    import numpy as np

    even = smoothed(curve.y, axis.weight) if axis.weight > 0 else None
    if not axis.log:
        return curve.y, even
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [None if y is None else np.where(y > 0, np.log10(y), np.nan) for y in (curve.y, even)]
    assert logs[0] is not None
    return logs[0], logs[1]


def _width(along: Sequence[np.ndarray]) -> tuple[float, float]:
    """From where to where the field reaches from left to right: so far that numbers between the ends differ."""
    left, right = min(float(x[0]) for x in along), max(float(x[-1]) for x in along)
    least = max(abs(left), abs(right)) * 1e-9
    return left, right if right - left > least else left + max(1.0, least)


def _extent(values: Sequence[np.ndarray], axis: Axis) -> tuple[float, float]:
    """From where to where the field reaches from below, with a little room, but not beyond what numbers can be."""
    import numpy as np

    kept = [y[np.isfinite(y)] for y in values]
    low, high = min(float(y.min()) for y in kept), max(float(y.max()) for y in kept)
    half = high / 2 - low / 2
    room = half * 0.08 if half > FLAT else abs(high) * 0.1 if abs(high) > FLAT else 1.0
    most = GREATEST_POWER if axis.log else sys.float_info.max
    return max(low - room, -sys.float_info.max), min(high + room, most)


def _notes(rows: Sequence[tuple[Curve, Facts]], axis: Axis) -> Iterator[str]:
    """What a line cannot show."""
    for count, what in (
        (sum(each.nan for _, each in rows), "not a number (NaN)"),
        (sum(each.infinite for _, each in rows), "infinite"),
    ):
        if count:
            yield f"{count:,} {'value is' if count == 1 else 'values are'} {what}: gaps in the lines"
    lost = sum(each.not_positive for _, each in rows) if axis.log else 0
    if lost:
        are = "value is" if lost == 1 else "values are"
        yield f"{lost:,} {are} 0 or less, which a logarithmic axis has no place for"


def _line(
    field: _Field, curve: Curve, raw: np.ndarray, even: np.ndarray | None, columns: int, axis: Axis
) -> tuple[Markup, Markup]:
    """The line of a series, the unsmoothed one faint behind it; and its markers."""
    hue = f"h{curve.style % COLORS}"
    points = thinned(curve.x, raw, field.left, field.right, columns)
    faint = None
    if even is not None:
        faint = tag("path", d=_path(field, points), class_=f"{hue} faint")
        points = thinned(curve.x, even, field.left, field.right, max(FEWEST, columns // 2))
    line = tag("path", d=_path(field, points), class_=hue, data_line=str(curve.style))
    return joined(faint, line), _marks(field, points, curve.style)


def _path(field: _Field, points: Thinned) -> str:
    """Points as a path of few characters: whole units, each from the one before."""
    import numpy as np

    if not len(points.x):
        return ""
    across = np.rint(field.across(points.x) * WIDE).astype(np.int64)
    down = np.rint(np.clip(field.down(points.y), -1, 2) * HIGH).astype(np.int64)
    same = np.concatenate([[False], (np.diff(across) == 0) & (np.diff(down) == 0)]) & ~points.begins
    across, down, begins = across[~same], down[~same], points.begins[~same]
    pieces = []
    starts = [*np.flatnonzero(begins).tolist(), len(across)]
    for begin, end in pairwise(starts):
        xs, ys = across[begin:end], down[begin:end]
        steps = zip(np.diff(xs).tolist(), np.diff(ys).tolist(), strict=True)
        # A point alone is a line to itself, whose round ends make a dot.
        pieces.append(f"M{xs[0]} {ys[0]}l" + (" ".join(f"{x} {y}" for x, y in steps) or "0 0"))
    return "".join(pieces).replace(" -", "-")


def _marks(field: _Field, points: Thinned, style: int) -> Markup:
    """Markers along a line, at other places than those of the lines beside it."""
    count = len(points.x)
    wanted = min(MARKED, count)
    places = sorted({int((part + (style % 9 + 1) / 10) * count / wanted) for part in range(wanted)})
    across, down = field.across(points.x), field.down(points.y)
    return joined(
        *(
            tag(
                "use",
                href=f"#marker-{style % len(MARKERS)}",
                x=f"{across[place] * 100:.1f}%",
                y=f"{down[place] * 100:.1f}%",
                class_=f"h{style % COLORS}",
                data_line=str(style),
            )
            for place in places
            if place < count
        )
    )


def _drawing(
    title: str, field: _Field, axis: Axis, lines: Sequence[tuple[Markup, Markup]], count: int, values: str
) -> Markup:
    at_y = log_ticks(field.low, field.high) if axis.log else ticks(field.low, field.high)
    factor, unit = x_unit(axis, field.right - field.left)
    at_x = [each * factor for each in ticks(field.left / factor, field.right / factor, 5)]
    down = [(float(field.down(each)), _power(each) if axis.log else _number(each)) for each in at_y]  # type: ignore[arg-type]
    across = [(float(field.across(each)), _number(each / factor)) for each in at_x]  # type: ignore[arg-type]
    grid = [tag("line", x1="0", x2="100%", y1=_share(at), y2=_share(at), class_="grid") for at, _ in down]
    grid += [tag("line", y1="0", y2="100%", x1=_share(at), x2=_share(at), class_="grid") for at, _ in across]
    stretched = tag(
        "svg",
        *(line for line, _ in lines),
        viewBox=f"0 0 {WIDE} {HIGH}",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
        class_="lines",
    )
    scale = ", logarithmic" if axis.log else ""
    plot = tag(
        "svg",
        *grid,
        stretched,
        *(marks for _, marks in lines),
        class_="field",
        role="img",
        tabindex="0",
        aria_label=f"{title} by {unit}{scale}: {count} {'line' if count == 1 else 'lines'}; the table has numbers",
        data_left=repr(field.left),
        data_right=repr(field.right),
        data_low=repr(field.low),
        data_high=repr(field.high),
        data_log="1" if axis.log else None,
        data_factor=repr(factor),
        data_unit=unit,
        data_values=values or None,
    )
    beside = [tag("text", text, x="100%", y=_share(at), dx="-6", dy="4", text_anchor="end") for at, text in down]
    below = [tag("text", text, x=_share(at), y="15", text_anchor=_anchor(at)) for at, text in across]
    name = tag("text", unit, x="100%", y="31", text_anchor="end", class_="unit")
    return tag(
        "div",
        tag("svg", *beside, class_="beside-field", aria_hidden="true"),
        plot,
        tag("svg", *below, name, class_="below-field", aria_hidden="true"),
        class_="plot many" if count > MANY else "plot",
    )


def x_unit(axis: Axis, span: float) -> tuple[float, str]:
    """By what the values from left to right are divided, and what they are then."""
    if axis.by == "step":
        return 1.0, "step"
    return next((each for each in UNITS if span >= 2 * each[0]), UNITS[-1])


def _share(at: float) -> str:
    return f"{at * 100:.2f}%"


def _anchor(at: float) -> str:
    return "start" if at < 0.03 else "end" if at > 0.97 else "middle"


def _number(value: float) -> str:
    """A number at an axis."""
    if value and not 1e-4 <= abs(value) < 1e6:
        mantissa, _, power = f"{value:.3g}".partition("e")
        return f"{mantissa}e{int(power)}" if power else mantissa
    return f"{value:,.6g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _power(exponent: float) -> str:
    """A number at a logarithmic axis, by its exponent: the number itself may be too small to be one."""
    if abs(exponent) < 300:
        return _number(10.0**exponent)
    whole = math.floor(exponent + 1e-9)
    return f"{10 ** (exponent - whole):.3g}e{whole}"


def told(value: float | None) -> str:
    """A number in a table: six digits, and words for what is none; "" = there is none."""
    if value is None:
        return ""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{value:.6g}"


def markers() -> Markup:
    """The shapes, once on a page."""
    shapes = [tag("path", d=shape, id=f"marker-{number}") for number, shape in enumerate(MARKERS)]
    return tag("svg", tag("defs", *shapes), class_="hidden", aria_hidden="true")


def swatch(style: int) -> Markup:
    """How the line of a series looks, beside its name."""
    line = tag("line", x1=0, x2=30, y1=6, y2=6)
    shape = tag("use", href=f"#marker-{style % len(MARKERS)}", x=15, y=6)
    return tag("svg", line, shape, class_=f"swatch h{style % COLORS}", width=30, height=12, aria_hidden="true")
