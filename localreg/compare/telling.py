"""A comparison in a few lines, for terminals and notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from localreg.compare.rows import MeasuredRow, MetricRow, RowT
from localreg.compare.slices import NO_VALUE
from localreg.query.text import aligned

__all__ = [
    "NO_INTERVAL",
    "apart",
    "breakdowns",
    "interval",
    "json_text",
    "named_notes",
    "naming",
    "notes",
    "number",
    "overall",
    "others_of_parts",
    "p_heading",
    "p_value",
    "parts",
    "signed",
    "summary",
]

MOST = 50
"""Test cases or slices of a breakdown that a text shows."""
NO_INTERVAL = "there is no interval of it"
"""Why a measured value has no interval, if nothing better is known."""

LEAST_P = 1e-300


def number(value: float | None) -> str:
    """A metric's value."""
    return "none" if value is None else f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def signed(value: float | None) -> str:
    """A difference."""
    return "none" if value is None else f"{value:+.4f}" if abs(value) < 1000 else f"{value:+.6g}"


def p_value(value: float | None) -> str:
    """A p-value; below a thousandth only its size counts, and it never is 0."""
    if value is None:
        return "none"
    if value < LEAST_P:
        return f"< {LEAST_P:.0e}"  # no float holds what such a p is exactly
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def p_heading(rows: Sequence[MetricRow]) -> str:
    """Over p-values: an adjusted one may be large where the interval, which is of one row alone, is beyond zero."""
    return "p" if all(row.p == row.p_adjusted for row in rows) else "p adjusted"


def summary(rows: Sequence[MetricRow], baseline: str, confidence: float) -> Iterator[str]:
    """Lines of a table of some rows of one candidate."""
    if not rows:
        return
    yield from aligned(["metric", *_heads(rows, baseline, confidence)], [[_named(row), *_cells(row)] for row in rows])


def _heads(rows: Sequence[MetricRow], baseline: str, confidence: float) -> list[str]:
    interval, p = f"{100 * confidence:g} % interval", p_heading(rows)
    return [baseline, rows[0].candidate, "difference", interval, p, "verdict"]


def _cells(row: MetricRow) -> list[str]:
    return [
        number(row.a),
        number(row.b),
        signed(row.difference),
        interval(row),
        p_value(row.p_adjusted),
        row.verdict,
    ]


def interval(row: MetricRow) -> str:
    """Of the difference."""
    return "none" if row.low is None or row.high is None else f"{signed(row.low)} to {signed(row.high)}"


def overall(rows: Sequence[RowT]) -> list[RowT]:
    """Of the rows of the suite those that a short text shows: without single classes, unless only these were asked for.

    Then nothing else is there but their averages, which go before them.
    """
    of_all = [row for row in rows if row.label is None]
    averages = {f"{row.metric}_macro" for row in rows if row.label is not None}
    return list(rows) if all(row.metric in averages for row in of_all) else of_all


def _named(row: MetricRow | MeasuredRow) -> str:
    return row.metric if row.label is None else f"{row.metric} of {row.label}"


def breakdowns(rows: Sequence[MetricRow], baseline: str, confidence: float) -> Iterator[str]:
    """Lines of tables of the deciding metric, the first one, in test cases and slices: one for each breakdown."""
    for candidate in dict.fromkeys(row.candidate for row in rows):
        own = [row for row in rows if row.candidate == candidate]
        of_first = [row for row in parts(own) if row.metric == own[0].metric]
        for by in dict.fromkeys(row.by for row in of_first):
            there = [row for row in of_first if row.by == by]
            yield from ["", f"{own[0].metric} by {'test case' if by is None else by}:"]
            columns = ["test case" if by is None else "slice", "n", *_heads(there, baseline, confidence)]
            cells = [[_part(row), f"{row.n:,}", *_cells(row)] for row in there[:MOST]]
            yield from aligned(columns, cells)
            if len(there) > MOST:
                yield f"… and {len(there) - MOST:,} more"
            for each in notes([replace(row, metric=_part(row)) for row in there[:MOST]]):
                yield naming(each, baseline, candidate)


def _part(row: MetricRow) -> str:
    """The test case or slice."""
    return str(row.test_case if row.by is None else row.slice)


def others_of_parts(rows: Sequence[RowT]) -> int:
    """How many metrics there are in test cases and slices beside the first one."""
    return len({row.metric for row in parts(rows)} - {rows[0].metric})


def parts(rows: Sequence[RowT]) -> list[RowT]:
    """Rows of test cases and slices; not those of a suite's only test case that say what the suite's say already.

    An expression that has no value for any sample makes no slices: a warning tells that.
    """
    whole = {row for row in rows if row.test_case is row.by is None}
    slices: dict[str | None, set[str | None]] = {}
    for row in rows:
        slices.setdefault(row.by, set()).add(row.slice)
    there = [row for row in rows if row not in whole and (row.by is None or slices[row.by] != {NO_VALUE})]
    if len({row.test_case for row in there if row.test_case is not None}) > 1:
        return there
    return [row for row in there if row.test_case is None or replace(row, test_case=None) not in whole]


def notes(rows: Sequence[MetricRow | MeasuredRow]) -> Iterator[str]:
    """What is to be known of numbers, and why some are not there: a line for each reason."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        for told in _told(row):
            found.setdefault(told, {})[_named(row)] = None
    for (lead, reason), names in found.items():
        yield f"{lead}{', '.join(names)}" + (f": {reason}" if reason else "")


def _told(row: MetricRow | MeasuredRow) -> Iterator[tuple[str, str]]:
    """What is said of a row: which number is missing, and why; or what to beware of."""
    why, note = apart(row.reason)
    value = row.difference if isinstance(row, MetricRow) else row.value
    if value is None:
        if why:
            yield "none for ", why
    elif row.low is None and (why or isinstance(row, MeasuredRow)):
        lacking = (why or NO_INTERVAL).removesuffix(": there is no interval")
        yield "no interval of ", "" if lacking == NO_INTERVAL else lacking
    elif why:
        yield "", why
    if note:
        yield "", note


_POSITIVE = re.compile(r"""(?:^|; )((['"]).*\2 is taken for positive; positive= names another)$""", re.DOTALL)


def apart(reason: str | None) -> tuple[str, str]:
    """Why something is as it is, and which label was taken for positive, which is true of all that has a value."""
    text = reason or ""
    found = _POSITIVE.search(text)
    return (text, "") if found is None else (text[: found.start()], found[1])


def naming(reason: str, baseline: str, candidate: str) -> str:
    """What is said of models a and b, with their names."""
    names = {"a": baseline, "b": candidate}
    told = re.sub(r"\((a|b)\)", lambda found: f"({names[found[1]]})", reason)
    told = re.sub(r"\bmodel a and b\b", f"{baseline} and {candidate}", told)
    return re.sub(r"\bmodel (a|b)\b", lambda found: names[found[1]], told)


def named_notes(rows: Sequence[MetricRow], baseline: str) -> Iterator[str]:
    """`notes` of the rows of one candidate, by the names of the models."""
    yield from (naming(each, baseline, rows[0].candidate) for each in notes(rows))


def json_text(value: object) -> str:
    """JSON to read and to keep: the same value, the same text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True) + "\n"
