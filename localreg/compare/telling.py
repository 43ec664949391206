"""A comparison in a few lines, for terminals and notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from localreg.compare.rows import MetricRow
from localreg.query.text import aligned

__all__ = ["json_text", "number", "p_heading", "p_value", "parts", "signed", "summary", "undefined"]


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
    interval, p = f"{100 * confidence:g} % interval", p_heading(rows)
    columns = ["metric", baseline, rows[0].candidate, "difference", interval, p, "verdict"]
    cells = [
        [
            row.metric,
            number(row.a),
            number(row.b),
            signed(row.difference),
            "none" if row.low is None or row.high is None else f"{signed(row.low)} to {signed(row.high)}",
            p_value(row.p_adjusted),
            row.verdict,
        ]
        for row in rows
    ]
    yield from aligned(columns, cells)


def parts(rows: Sequence[MetricRow]) -> list[MetricRow]:
    """Rows of test cases and slices; not those of a suite's only test case that say what the suite's say already."""
    whole = {row for row in rows if row.test_case is row.by is None}
    there = [row for row in rows if row not in whole]
    if len({row.test_case for row in there if row.test_case is not None}) > 1:
        return there
    return [row for row in there if row.test_case is None or replace(row, test_case=None) not in whole]


def undefined(rows: Sequence[MetricRow]) -> Iterator[str]:
    """Why some rows have no value, a line for each reason."""
    metrics: dict[str, list[str]] = {}
    for row in rows:
        if row.difference is None and row.reason:
            metrics.setdefault(row.reason, []).append(row.metric)
    for reason, names in metrics.items():
        yield f"none for {', '.join(names)}: {reason}"


def json_text(value: object) -> str:
    """JSON to read and to keep: the same value, the same text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True) + "\n"
