"""Differences along test cases and slices, and confusions, as Vega-Lite specifications."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from localreg.compare.confusions import Confusion, confused
from localreg.compare.report.bars import extent
from localreg.compare.report.wording import MINUS, change, is_share, points, readable, whole_numbers
from localreg.compare.rows import MetricRow
from localreg.compare.slices import NO_VALUE
from localreg.html.markup import cut
from localreg.html.theme import (
    BETTER,
    GRID,
    INK,
    MUTED,
    SHAPES,
    VERDICT_COLORS,
    WORSE,
    Spec,
    framed,
    lines,
)

__all__ = ["MOST_CLASSES", "WIDE", "breakdown_name", "confusion_plot", "forest_plot"]

WIDE, NARROW = 720, 330
"""Pixels that a plot takes on a page, and on a phone."""

MOST_ROWS = 40
MOST_CLASSES = 20
NO_ANSWER = "(no answer)"


def breakdown_name(row: MetricRow) -> str:
    """What a row's slice or test case is one of."""
    return "test case" if row.by is None else row.by


def part_name(row: MetricRow) -> str:
    """The slice or the test case."""
    return whole_numbers((row.test_case if row.by is None else row.slice) or "")


def forest_plot(rows: Sequence[MetricRow], whole: MetricRow, baseline: str, *, width: int = WIDE) -> Spec | None:
    """A metric's difference in each part of one breakdown, with its interval, beside the difference over all.

    Args:
        rows: one metric of one candidate in one breakdown.
        whole: the same over the suite.
        baseline: name of the baseline.
        width: pixels.
    """
    drawn = [row for row in rows if row.difference is not None]
    if not drawn:
        return None
    if len(drawn) > MOST_ROWS or not all(_is_of_numbers(row) for row in rows):
        drawn.sort(key=lambda row: -(row.difference or 0.0))
    notes = ["Interval around each difference; the dashed line is the whole suite.", *_left_out(rows, drawn)]
    if len(drawn) > MOST_ROWS:
        drawn = [*drawn[: MOST_ROWS // 2], *drawn[-MOST_ROWS // 2 :]]
    values = list(_forest_values(drawn, whole.metric))
    domain = _domain(drawn, values)
    if any(_beyond(each, domain) for each in values):
        notes.append("Intervals that end in an arrow reach further.")
    unit = "points" if is_share(whole.metric) else "in its own unit"
    title = f"difference of {readable(whole.metric)}, {unit}: {whole.candidate} {MINUS} {baseline}"
    encoding = _forest_encoding(domain, lines(title, width * 3 // 5), width)
    frame = {
        "width": width,
        "height": {"step": 22},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": values},
        "layer": list(_forest_layers(encoding, domain, points(whole.metric, whole.difference))),
    }
    head = f"{whole.candidate} against {baseline}, by {breakdown_name(rows[0])}"
    return framed(cut(head, width // 8), [line for note in notes for line in lines(note, width)], frame)


def _is_of_numbers(row: MetricRow) -> bool:
    """Whether a slice is a number, a bin or null: in their order they show a trend."""
    name = row.slice or ""
    return row.by is not None and (
        name == NO_VALUE or re.search(r"^-?[\d.]+(e[+-]?\d+)?$| [≤>] -?[\d.]", name) is not None
    )


def _domain(rows: Sequence[MetricRow], values: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """From where to where differences are drawn: zero is always there, and a few wide intervals do not flatten all."""
    reach = extent(rows) or 1.0
    ends = [(each["difference"] if each[end] is None else each[end]) for each in values for end in ("low", "high")]
    at = [each["difference"] for each in values]
    low, high = min(0.0, max(min(ends), -reach), *at), max(0.0, min(max(ends), reach), *at)
    room = (high - low or 1.0) * 0.04
    return low - room, high + room


def _beyond(value: dict[str, Any], domain: tuple[float, float]) -> bool:
    return value["low"] is not None and (value["low"] < domain[0] or value["high"] > domain[1])


def _forest_encoding(domain: tuple[float, float], title: list[str], width: int) -> Spec:
    axis = {"title": title, "grid": True, "tickCount": 6}
    scale = {"domain": list(domain), "zero": False, "nice": False}
    legend = {"columns": 2 if width < WIDE else 4, "symbolOpacity": 1}
    parts = {"title": None, "labelLimit": min(240, width * 2 // 5), "ticks": False, "domain": False, "labelPadding": 6}
    verdict = {"field": "verdict", "type": "nominal", "title": None, "legend": legend}
    return {
        "x": {"field": "difference", "type": "quantitative", "axis": axis, "scale": scale},
        "y": {"field": "part", "type": "nominal", "sort": None, "axis": parts},
        "color": {**verdict, "scale": _scale(VERDICT_COLORS)},
        "shape": {**verdict, "scale": _scale(SHAPES)},
    }


def _forest_layers(encoding: Spec, domain: tuple[float, float], whole: float | None) -> Iterator[Spec]:
    """Zero, the whole suite, intervals, arrows where they are cut, differences."""
    x, y, color = encoding["x"], encoding["y"], encoding["color"]
    yield {"mark": {"type": "rule", "color": INK}, "encoding": {"x": {"datum": 0, "type": "quantitative"}}}
    if whole is not None:
        line = {"type": "rule", "color": MUTED, "strokeDash": [4, 3], "clip": True}
        yield {"mark": line, "encoding": {"x": {"datum": whole, "type": "quantitative"}}}
    yield {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "rule", "strokeWidth": 2.5, "clip": True},
        "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": color},
    }
    for place, shape, beyond in (
        (domain[0], "triangle-left", f"isValid(datum.low) && datum.low < {domain[0]!r}"),
        (domain[1], "triangle-right", f"isValid(datum.high) && datum.high > {domain[1]!r}"),
    ):
        mark = {"type": "point", "filled": True, "size": 60, "opacity": 1, "shape": shape}
        at = {"datum": place, "type": "quantitative"}
        yield {"transform": [{"filter": beyond}], "mark": mark, "encoding": {"x": at, "y": y, "color": color}}
    mark = {"type": "point", "filled": True, "size": 80, "opacity": 1}
    yield {"mark": mark, "encoding": {"x": x, "y": y, "color": color, "shape": encoding["shape"]}}


def _left_out(rows: Sequence[MetricRow], drawn: Sequence[MetricRow]) -> Iterator[str]:
    if len(drawn) > MOST_ROWS:
        half = MOST_ROWS // 2
        yield f"Of {len(drawn):,} only the {half} best and the {half} worst; the others lie between."
    if len(drawn) < len(rows):
        yield f"{len(rows) - len(drawn):,} have no difference to draw."


def _forest_values(rows: Sequence[MetricRow], metric: str) -> Iterator[dict[str, Any]]:
    taken: set[str] = set()
    for row in rows:
        name = cut(part_name(row), 34) or "(empty)"
        label, count = f"{name} (n = {row.n:,})", 1
        while label in taken:  # two names may begin alike
            count += 1
            label = f"{name} ·{count} (n = {row.n:,})"
        taken.add(label)
        low, at, high = (points(metric, each) for each in (row.low, row.difference, row.high))
        yield {"part": label, "low": low, "difference": at, "high": high, "verdict": row.verdict}


def _scale(of: dict[Any, str]) -> Spec:
    return {"domain": list(of), "range": list(of.values())}


def confusion_plot(found: Confusion, baseline: str, candidate: str, *, width: int = WIDE) -> Spec | None:
    """Where the candidate's confusion matrix differs from the baseline's.

    Colour and sign go by what is good: more on the diagonal and less beside it is better.

    Args:
        found: the joint counts.
        baseline: its name.
        candidate: its name.
        width: pixels.
    """
    cells = confused(found)
    if not cells:
        return None
    names = [*found.labels, NO_ANSWER]
    used = sorted({each for truth, said, *_ in cells for each in (truth, said)})
    notes = "Rows: ground truth; columns: answer. Numbers: samples, candidate minus baseline. "
    notes += "Blue is better (more right answers, fewer mistakes), orange worse. "
    if len(used) > MOST_CLASSES:
        changes = dict.fromkeys(used, 0)
        for truth, said, a, b in cells:
            for code in {truth, said}:
                changes[code] += abs(b - a)
        kept = sorted(sorted(used, key=lambda code: (-changes[code], code))[:MOST_CLASSES])
        notes += f"Of {len(used):,} classes the {MOST_CLASSES} with most changes; samples of others are not shown."
        used = kept
    step = max(12, min(44, (width - 110) // len(used)))
    labels = _unique([cut(names[code], 16 if width >= WIDE else 12) for code in used])
    label_of = dict(zip(used, labels, strict=True))
    values = [
        {
            "truth": label_of[truth],
            "said": label_of[said],
            "difference": b - a,
            "shown": change(b - a),
            "change": _change(truth == said, b - a),
            "size": abs(b - a),
        }
        for truth, said, a, b in cells
        if truth in label_of and said in label_of
    ]
    frame = {
        "width": step * len(used),
        "height": step * len([code for code in used if code < len(found.labels)]),
        "data": {"values": values},
        "layer": _confusion_layers(labels, used, found, values, step),
    }
    head = f"Confusions: {candidate} minus {baseline}"
    return framed(cut(head, width // 7), lines(notes, min(width, max(NARROW, 120 + step * len(used)))), frame)


def _confusion_layers(
    labels: list[str], used: list[int], found: Confusion, values: list[dict[str, Any]], step: int
) -> list[Spec]:
    truths = [label for label, code in zip(labels, used, strict=True) if code < len(found.labels)]
    largest = max((each["size"] for each in values), default=0) or 1
    axis = {"labelLimit": 90, "ticks": False, "domain": False, "grid": False}
    top = {"orient": "top", "labelAngle": -90 if 6 * max(map(len, labels)) > step else 0}
    x = {"field": "said", "type": "nominal", "scale": {"domain": labels}, "axis": {**axis, **top, "title": "answer"}}
    y = {"field": "truth", "type": "nominal", "scale": {"domain": truths}, "axis": {**axis, "title": "ground truth"}}
    colors = {"better": BETTER, "worse": WORSE, "same": GRID}
    fill = {"field": "change", "type": "nominal", "scale": _scale(colors), "legend": None}
    # From nothing to a shade on which text can still be read, on light and dark pages.
    opacity: Spec = {"field": "size", "type": "quantitative", "legend": None}
    opacity["scale"] = {"domain": [0, largest], "range": [0.06, 0.62]}
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "stroke": GRID, "strokeWidth": 1},
            "encoding": {"x": x, "y": y, "fill": fill, "fillOpacity": opacity},
        }
    ]
    longest = max((len(each["shown"]) for each in values), default=1)
    if step >= 7 * longest + 2:
        mark = {"type": "text", "fontSize": 11, "color": INK}
        layers.append({"mark": mark, "encoding": {"x": x, "y": y, "text": {"field": "shown", "type": "nominal"}}})
    else:  # too small for numbers: the sign alone
        for text, sign in (("+", "datum.difference > 0"), (MINUS, "datum.difference < 0")):
            mark = {"type": "text", "fontSize": 11, "color": INK, "text": text}
            layers.append({"transform": [{"filter": sign}], "mark": mark, "encoding": {"x": x, "y": y}})
    return layers


def _change(right: bool, difference: int) -> str:
    return "same" if difference == 0 else "better" if (difference > 0) is right else "worse"


def _unique(labels: list[str]) -> list[str]:
    """Labels, those that became equal by being cut told apart."""
    taken: dict[str, int] = {}
    made = []
    for label in labels:
        taken[label] = taken.get(label, 0) + 1
        made.append(label if taken[label] == 1 else f"{label}·{taken[label]}")
    return made
