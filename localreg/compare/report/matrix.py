"""Metrics and test cases as one table: a row for each test case, a column for each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from localreg.compare.compared import Compared
from localreg.compare.report.bars import extent, small_bar
from localreg.compare.report.tables import SIGNS, row_note
from localreg.compare.report.wording import difference, in_points, is_share, named, value
from localreg.compare.rows import MetricRow
from localreg.html.markup import Markup, isolated, joined, tag

__all__ = ["matrix"]

MOST_CELLS = 64
"""Of more, those test cases that differ most in any metric: a page stays light, and `metrics` has all."""
MOST_METRICS = 8


def matrix(rows: Sequence[MetricRow], comparison: Compared) -> Markup | None:
    """The table; None if there is nothing to cross.

    Args:
        rows: of one candidate, over the suite and in test cases.
        comparison: that they are of.
    """
    cases = list(dict.fromkeys(row.test_case for row in rows if row.test_case is not None))
    there = {row.metric for row in rows if row.test_case is not None and row.difference is not None}
    metrics = [each for each in dict.fromkeys(row.metric for row in rows) if each in there]
    if len(cases) < 2 or not metrics:
        return None
    shown = metrics[:MOST_METRICS]
    found = {(row.test_case, row.metric): row for row in rows}
    listed = _most_different(cases, shown, found)
    reach = {metric: extent([row for row in rows if row.metric == metric]) for metric in shown}
    points = [each for metric, each in reach.items() if each is not None and is_share(metric)]
    reach |= {metric: max(points) for metric in shown if is_share(metric) and points}
    heads = [tag("th", "test case", scope="col"), *(_head(metric, comparison) for metric in shown)]
    body = [
        _row(
            None if case is None else case, [(found.get((case, metric)), reach[metric]) for metric in shown], comparison
        )
        for case in (None, *listed)
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body), class_="matrix")
    scrolling = tag("div", table, class_="scrolls", tabindex="0", role="region", aria_label="metrics by test case")
    return joined(scrolling, *_notes(len(listed), len(cases), shown, metrics))


def _most_different(
    cases: Sequence[str], metrics: Sequence[str], found: Mapping[tuple[str | None, str], MetricRow]
) -> list[str]:
    """The test cases that are listed, in their order."""
    most = max(1, MOST_CELLS // len(metrics))
    if len(cases) <= most:
        return list(cases)

    def size(case: str) -> float:
        rows = [found.get((case, metric)) for metric in metrics]
        return max((abs(row.difference or 0.0) for row in rows if row is not None and in_points(row.metric)), default=0)

    kept = set(sorted(cases, key=lambda case: -size(case))[:most])
    return [case for case in cases if case in kept]


def _head(metric: str, comparison: Compared) -> Markup:
    return tag("th", isolated(named(metric, comparison), 60), scope="col")


def _row(case: str | None, cells: Sequence[tuple[MetricRow | None, float | None]], comparison: Compared) -> Markup:
    head = tag("th", "whole suite" if case is None else isolated(case, 80), scope="row")
    return tag("tr", head, *(_cell(row, reach, comparison) for row, reach in cells), class_=None if case else "whole")


def _cell(row: MetricRow | None, reach: float | None, comparison: Compared) -> Markup:
    """Both values, the difference with its interval, and the verdict as a sign and in a word."""
    if row is None:
        return tag("td")
    if row.difference is None:
        values = f"{value(row, row.a)} → {value(row, row.b)}"
        return tag("td", tag("small", values), title=row.reason)
    return tag(
        "td",
        tag("small", f"{value(row, row.a)} → {value(row, row.b)}"),
        tag("b", difference(row)),
        small_bar(row, reach),
        tag("em", f"{SIGNS[row.verdict]} {row.verdict}"),
        class_=row.verdict,
        title=row_note(row, comparison),
    )


def _notes(listed: int, cases: int, shown: Sequence[str], metrics: Sequence[str]) -> list[Markup]:
    notes = []
    if listed < cases:
        notes.append(f"The {listed} of {cases:,} test cases that differ most; the tables to download have all.")
    if len(shown) < len(metrics):
        notes.append(f"The first {len(shown)} of {len(metrics):,} metrics.")
    if any(map(is_share, shown)):
        notes.append("Differences of shares are in points (hundredths); bars of shares are on one scale.")
    return [tag("p", each, class_="note") for each in notes]
