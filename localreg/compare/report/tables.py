"""Tables of a report: metrics with interval bars, confusions, what was compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localreg.compare.compared import Compared
from localreg.compare.confusions import Confusion, confused
from localreg.compare.report.bars import extent, interval_bar
from localreg.compare.report.wording import (
    change,
    difference,
    in_points,
    interval,
    is_share,
    least,
    named,
    p_text,
    readable,
    value,
    with_names,
)
from localreg.compare.rows import MetricRow, Verdict
from localreg.html.markup import Markup, isolated, joined, tag
from localreg.statistics.scores import CALIBRATION, SCORE_METRICS

__all__ = ["MOST_ROWS", "confusion_table", "coverage_table", "metric_table", "part_table", "row_note"]

MOST_ROWS = 100
"""Rows of a table; of more, those that differ most."""

MOST_CONFUSIONS = 12
MOST_OPEN = 8
LONGEST = 2000

SIGNS: dict[Verdict, str] = {"improved": "▲", "regressed": "▼", "different": "◆", "inconclusive": "○", "equal": "■"}


def metric_table(rows: Sequence[MetricRow], comparison: Compared) -> Markup:
    """Metrics over the whole suite, one below the other, and what has to be known of them."""
    cells = [[tag("th", named(row.metric, comparison), scope="row"), *_numbers(row)] for row in rows]
    return joined(_bars_table("metric", rows, cells, comparison), *_known(rows, comparison))


def _known(rows: Sequence[MetricRow], comparison: Compared) -> Iterator[Markup]:
    """What stands beside metrics, each thing once, such as which label is positive and where models accept."""
    told: dict[str, list[str]] = {}
    for row in rows:
        reasons = [with_names(row.reason, comparison, row.candidate)] if row.reason and _has_bar(row) else []
        for reason in [*reasons, *_positive(row, comparison)]:
            told.setdefault(reason, []).append(readable(row.metric))
    yield from (
        tag("p", isolated(f"{', '.join(names)}: {reason}.", LONGEST), class_="note") for reason, names in told.items()
    )
    yield from _still_open([(readable(row.metric), row) for row in rows])


def _positive(row: MetricRow, comparison: Compared) -> Iterator[str]:
    """The label that was named as positive; of one that was not, the row itself says it."""
    asked = None if comparison._question is None else comparison._question.asked.positive
    if asked is not None and row.metric in SCORE_METRICS and row.metric != CALIBRATION:
        yield f"{asked!r} is positive, as it was asked for"


def _still_open(rows: Sequence[tuple[str, MetricRow]]) -> Iterator[Markup]:
    """Rows that are inconclusive, though their interval leaves out zero."""
    found = [
        f"{name} (p = {p_text(row.p)}, adjusted {p_text(row.p_adjusted)})"
        for name, row in rows
        if row.verdict == "inconclusive" and row.low is not None and row.high is not None and row.low * row.high > 0
    ]
    if found:
        more = f" and {len(found) - MOST_OPEN:,} more" if len(found) > MOST_OPEN else ""
        told = f"Inconclusive though the interval leaves out zero: {', '.join(found[:MOST_OPEN])}{more}. "
        told += "The verdict goes by the p-value, of an exact test where there is one, adjusted for how many there are."
        yield tag("p", isolated(told, LONGEST), class_="note")


def part_table(head: str, names: Sequence[str], rows: Sequence[MetricRow], comparison: Compared) -> Markup:
    """One metric in the parts of a breakdown, or of classes, as they stand; of many those that differ most.

    Args:
        head: what the parts are.
        names: of the parts.
        rows: of the parts.
        comparison: that they are of.
    """
    listed = sorted(zip(names, rows, strict=True), key=lambda pair: -abs(pair[1].difference or 0.0))[:MOST_ROWS]
    kept = {id(row) for _, row in listed}
    pairs = [(name, row) for name, row in zip(names, rows, strict=True) if id(row) in kept]
    cells = [
        [tag("th", isolated(name or "(empty)"), scope="row"), *_numbers(row), tag("td", f"{row.n:,}", class_="n count")]
        for name, row in pairs
    ]
    table = _bars_table(head, [row for _, row in pairs], cells, comparison, "n")
    table = joined(table, *_still_open([(name or "(empty)", row) for name, row in pairs]))
    if len(pairs) == len(rows):
        return table
    return joined(table, tag("p", f"The {MOST_ROWS} of {len(rows):,} with the largest differences.", class_="note"))


def _numbers(row: MetricRow) -> list[Markup]:
    """The cells of a row that do not depend on the others; the bar comes later."""
    return [
        tag("td", value(row, row.a), class_="n"),
        tag("td", value(row, row.b), class_="n"),
        tag("td", difference(row), class_="n"),
        tag("td", interval(row), class_="n interval"),
    ]


def _bars_table(
    head: str, rows: Sequence[MetricRow], cells: Sequence[list[Markup]], comparison: Compared, *more: str
) -> Markup:
    """Rows with their bars on one scale, where their metrics have one."""
    shared = [row for row in rows if in_points(row.metric)]
    # Points of shares and plain differences of others, such as kappa, are drawn on one scale: hundredths of both.
    reach = extent([row for row in shared if is_share(row.metric)])
    signed = extent([row for row in shared if not is_share(row.metric)])
    whole = max(filter(None, (reach, 100 * signed if signed else None)), default=None)
    of_own = {row.metric: extent([each for each in rows if each.metric == row.metric]) for row in rows}
    body = []
    for row, own in zip(rows, cells, strict=True):
        scale = of_own[row.metric] if row not in shared else whole if is_share(row.metric) or not whole else whole / 100
        verdict = [tag("span", SIGNS[row.verdict], aria_hidden="true"), tag("span", f" {row.verdict}", class_="word")]
        told = tag("td", *verdict, class_=f"verdict {row.verdict}", title=row_note(row, comparison))
        body.append(tag("tr", *own[:5], tag("td", _drawn(row, scale), class_="drawn"), told, *own[5:]))
    heads: list[tuple[str, str | None]] = [(head, None), ("baseline", "n"), ("candidate", "n"), ("difference", "n")]
    heads += [(f"{100 * comparison.confidence:g} % interval", "n interval"), ("", None), ("verdict", "verdict")]
    return joined(
        _scrolling(_table([*heads, *((name, "n count") for name in more)], body, class_="bars")),
        tag("p", _scales([row.metric for row in rows], whole), class_="note"),
    )


def _scales(metrics: Sequence[str], whole: float | None) -> str:
    """How far bars reach, and what differences are in: of the metrics that there are."""
    has_shares = any(map(is_share, metrics))
    others = {metric for metric in metrics if not in_points(metric)}
    told = "Bars have zero in the middle"
    if whole:
        reach = f"{whole:.3g} points" if has_shares else f"{whole / 100:.3g}"
        told = f"Bars reach {reach} to both sides of zero"
    if len(others) > 1 or (others and len(others) < len(set(metrics))):
        told += "; metrics that are no shares are drawn each on its own scale" if whole else ", each on its own scale"
    return f"{told}. Differences of shares are in points (hundredths)." if has_shares else f"{told}."


def _drawn(row: MetricRow, scale: float | None) -> Markup:
    """The bar; or why there is none."""
    if not _has_bar(row) and row.reason:
        return tag("span", row.reason, class_="note")
    return interval_bar(row, scale)


def _has_bar(row: MetricRow) -> bool:
    return row.difference is not None


def row_note(row: MetricRow, comparison: Compared) -> str:
    """What there is no column for."""
    told = [f"n = {row.n:,}"]
    if row.p is not None:
        told.append(f"p = {p_text(row.p)}, adjusted {p_text(row.p_adjusted)}")
    if row.fixed is not None and row.broken is not None:
        told.append(f"{row.fixed:,} fixed, {row.broken:,} broken")
    if row.least_detectable is not None:
        told.append(f"least detectable difference {least(row)}")
    return "; ".join([*told, *([with_names(row.reason, comparison, row.candidate)] if row.reason else [])])


def confusion_table(found: Confusion) -> Markup | None:
    """The mistakes whose number changed most; None if none did."""
    cells = [each for each in confused(found) if each[0] != each[1] and each[2] != each[3]]
    if not cells:
        return None
    names = [*found.labels, "(no answer)"]
    cells.sort(key=lambda each: (-abs(each[3] - each[2]), each))
    body = [
        tag(
            "tr",
            tag("th", isolated(names[truth]), scope="row"),
            tag("td", isolated(names[said])),
            *(tag("td", f"{count:,}", class_="n") for count in (a, b)),
            tag("td", change(b - a), class_="n"),
        )
        for truth, said, a, b in cells[:MOST_CONFUSIONS]
    ]
    table = _scrolling(
        _table(
            [("ground truth", None), ("taken for", None), *((n, "n") for n in ("baseline", "candidate", "change"))],
            body,
        )
    )
    if len(cells) <= MOST_CONFUSIONS:
        return table
    return joined(table, tag("p", f"The {MOST_CONFUSIONS} of {len(cells):,} that changed most.", class_="note"))


def coverage_table(comparison: Compared) -> Markup:
    """What became of the suite's samples under each model."""
    names = ("ok", "skipped", "error", "missing")
    body = []
    for number, side in enumerate(comparison.sides):
        level = "not verified" if side.determinism is None else side.determinism.level
        counts = (tag("td", f"{getattr(side.coverage, name):,}", class_="n") for name in names)
        role = "candidate" if number else "baseline"
        cells = [tag("th", isolated(side.name), scope="row"), tag("td", role), *counts, tag("td", level)]
        body.append(tag("tr", *cells))
    counted = [(name, "n") for name in ("inferred", "skipped", "error", "missing")]
    return _scrolling(_table([("model", None), ("", None), *counted, ("determinism", None)], body))


def _table(heads: Sequence[tuple[str, str | None]], body: Sequence[Markup], class_: str | None = None) -> Markup:
    """A table, whose heads stand with their classes."""
    cells = [tag("th", head, scope="col", class_=own) for head, own in heads]
    return tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *body), class_=class_)


def _scrolling(table: Markup) -> Markup:
    """What is too wide for a phone scrolls by itself, also by keys."""
    return tag("div", table, class_="scrolls", tabindex="0", role="region", aria_label="table")
