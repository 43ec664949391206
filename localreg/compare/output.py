"""A comparison as JSON, as Markdown for pull requests, and as a table in a notebook.

Guarantees: the same comparison, the same bytes; names are text, whatever they hold, and never markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.compare.report.wording import sentence
from localreg.compare.rows import MetricRow
from localreg.compare.telling import interval, named_notes, number, overall, p_heading, p_value, parts, signed
from localreg.errors import NotFoundError, StorageError
from localreg.markdown import safe, table
from localreg.names import amount
from localreg.query.text import cell, plain

if TYPE_CHECKING:
    from localreg.compare.compared import Compared

__all__ = ["as_dict", "as_html", "as_markdown", "written"]

LISTED = 10
"""Samples of one outcome that stand in a document."""

HEAD = ("metric", "baseline", "candidate", "difference", "interval", "p", "verdict")
MARKS = {"improved": "▲", "regressed": "▼", "different": "◆", "inconclusive": "○", "equal": "="}


def as_dict(it: Compared) -> JsonObject:
    """All but the samples."""
    names = ("suite", "suite_version", "task", "strict", "confidence", "adjust", "baseline", "candidates")
    told = {name: getattr(it, name) for name in (*names, "n", "verdict", "difference", "p")}
    sides = [
        {
            "name": side.name,
            "coverage": asdict(side.coverage),
            "determinism": None if side.determinism is None else side.determinism.to_json(),
            "changed_files": side.changed_files,
            "paired": side.paired,
        }
        for side in it.sides
    ]
    there = {row.metric for row in it.rows}
    better = {name: sorted(there & set(getattr(it, name))) for name in ("lower_is_better", "undirected")}
    metrics = [asdict(row) for row in it.rows]
    return cast(JsonObject, plain({**told, **better, "sides": sides, "metrics": metrics, "warnings": it.warnings}))


def written(text: str, path: str | PathLike[str] | None) -> str:
    """The text, once it stands in the file, if there is to be one."""
    if path is not None:
        try:
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise StorageError(f"cannot write {fspath(path)!r}: {error.strerror or error}") from error
    return text


def _cells(row: MetricRow) -> list[str]:
    mark = f"{MARKS[row.verdict]} {row.verdict}"
    return [number(row.a), number(row.b), signed(row.difference), interval(row), p_value(row.p_adjusted), mark]


def _metric(row: MetricRow) -> str:
    return row.metric if row.label is None else f"{row.metric} of {row.label}"


def _part(row: MetricRow) -> str:
    """The test case or slice that a row is of."""
    return str(row.test_case) if row.by is None else f"{row.by} = {row.slice}"


# --- Markdown ---------------------------------------------------------------------------------------------------------


MOST = 60_000
"""Characters of a document: GitHub takes no comment of more than 65,536."""

ROWS = (200, 50, 20, 10, 5, 2)
"""Of one table that is folded away: the first of these with which all of it is short enough."""


def as_markdown(it: Compared) -> str:
    """For pull requests; GitHub's flavour, and short enough for it."""
    blocks = list(_markdown(it))
    told = (_joined(blocks, rows) for rows in ROWS)
    return next((text for text in told if len(text) <= MOST), None) or _joined(blocks, 0)


@dataclass(frozen=True)
class _Folded:
    """A table that is folded away, of which not every row need be shown.

    Attributes:
        title: what is seen of it.
        head: of the table.
        rows: of it.
        rest: where the rows are that are left out.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    rest: str = "comparison.metrics"

    def lines(self, most: int) -> list[str]:
        """Lines of Markdown; none if it is empty."""
        if not self.rows:
            return []
        left_out = len(self.rows) - most
        more = [f"{left_out:,} more: `{self.rest}` has them.", ""] if left_out > 0 else []
        title = f"<details><summary>{self.title}</summary>"
        return [title, "", *table(self.head, self.rows[:most]), *more, "</details>", ""]


def _joined(blocks: Sequence[str | _Folded], most: int) -> str:
    lines = [each for block in blocks for each in ([block] if isinstance(block, str) else block.lines(most))]
    return "\n".join(lines) + "\n"


def _markdown(it: Compared) -> Iterator[str | _Folded]:
    for candidate in it.candidates:
        rows = [row for row in it.rows if row.candidate == candidate]
        first = rows[0]
        yield from [f"**{MARKS[first.verdict]} {safe(sentence(it, candidate))}**", ""]
        paired = it.side(candidate).paired or 0
        yield from [f"{amount(paired, 'sample')} of {safe(it.suite)}, version {it.suite_version}.", ""]
        whole = [row for row in rows if row.test_case is row.by is None]
        of_all, of_classes = ([row for row in whole if (row.label is None) is wanted] for wanted in (True, False))
        yield from table(_head(of_all), [[_metric(row), *_cells(row)] for row in of_all])
        yield from (line for each in named_notes(of_all, it.baseline) for line in (safe(each), ""))
        yield _Folded("Classes", _head(of_classes), [[_metric(row), *_cells(row)] for row in of_classes])
        yield from _of_parts(parts(rows), first.metric)
        if first.fixed is not None:
            yield from _samples(it, candidate, "broken", first.broken or 0)
            yield from _samples(it, candidate, "fixed", first.fixed)
    yield from (f"> warning: {safe(each)}  " for each in it.warnings)


def _of_parts(rows: Sequence[MetricRow], deciding: str) -> Iterator[_Folded]:
    """Test cases and slices: of the metric that decides first, of the others apart."""
    of_first, others = ([row for row in rows if (row.metric == deciding) is wanted] for wanted in (True, False))
    titles = ("Test cases and slices", "Test cases and slices, other metrics")
    for title, there in zip(titles, (of_first, others), strict=True):
        listed = [[_part(row), _metric(row), *_cells(row), f"{row.n:,}"] for row in there]
        yield _Folded(title, ("test case or slice", *_head(there), "n"), listed)


def _head(rows: Sequence[MetricRow]) -> tuple[str, ...]:
    return tuple(p_heading(rows) if each == "p" else each for each in HEAD)


def _samples(it: Compared, candidate: str, outcome: Any, count: int) -> Iterator[str | _Folded]:
    if not count:
        return
    try:
        found = it.samples(outcome, candidate=candidate).arrow().slice(0, LISTED)
    except NotFoundError as error:  # of a saved comparison, what it looked at may be gone
        yield from [f"{count:,} {outcome}, not listed: {safe(str(error))}", ""]
        return
    names = [name for name in found.column_names if name != "outcome"]
    rows = [[cell(row[name]) for name in names] for row in found.to_pylist()]
    title = f"{count:,} {outcome}" + (f", the first {LISTED}" if count > LISTED else "")
    yield _Folded(title, names, rows, f"comparison.{outcome}")


# --- notebooks --------------------------------------------------------------------------------------------------------

STYLE = (
    "<style>.localreg table{border-collapse:collapse}.localreg th,.localreg td{padding:.2em .7em;text-align:left;"
    "border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent)}.localreg .improved{color:#0a7d4b}"
    ".localreg .regressed{color:#c22f1f}@media (prefers-color-scheme:dark){.localreg .improved{color:#4fd19a}"
    ".localreg .regressed{color:#ff8a7a}}</style>"
)
"""Text and lines take their colour from the page, so that they can be read on light and dark."""


def as_html(it: Compared) -> str:
    """A table for notebooks: the suite's rows, with the verdict above and the warnings below."""
    return "".join(_html(it))


def _html(it: Compared) -> Iterator[str]:
    yield f'<div class="localreg">{STYLE}'
    for candidate in it.candidates:
        of_suite = [row for row in it.rows if row.candidate == candidate and row.test_case is row.by is None]
        rows = overall(of_suite)
        verdict = rows[0].verdict
        told = escape(sentence(it, candidate))
        yield f'<p><b class="{verdict}">{MARKS[verdict]}</b> {told}</p><table><thead><tr>'
        yield "".join(f"<th>{each}</th>" for each in _head(rows)) + "</tr></thead><tbody>"
        for row in rows:
            *cells, mark = [escape(each) for each in (_metric(row), *_cells(row))]
            yield "<tr>" + "".join(f"<td>{each}</td>" for each in cells)
            yield f'<td class="{row.verdict}">{mark}</td></tr>'
        yield "</tbody></table>"
    yield "".join(f"<p>warning: {escape(each)}</p>" for each in it.warnings)
    yield "</div>"
