"""What one model version is worth on a test suite: of each metric and part of the suite a value, with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import cast

from localreg.canonical import JsonObject
from localreg.compare.coverage import Coverage
from localreg.compare.rows import MeasuredRow, as_table, one_row
from localreg.compare.telling import json_text, notes, number, overall
from localreg.names import amount
from localreg.query import Result
from localreg.query.text import aligned, plain

__all__ = ["MeasuredRow", "Measurement"]


@dataclass(frozen=True, repr=False)
class Measurement:
    """One model version on one test suite.

    Attributes:
        model: `name@version`.
        suite: name of the test suite.
        suite_version: its version.
        task: what kind of inferences were measured, such as `classification`.
        strict: whether samples without an inference were counted as wrong, instead of left out.
        confidence: of the intervals.
        rows: the suite's rows first, then those of classes, of test cases, of slices.
        coverage: what became of the suite's samples.
        warnings: what should be known before the numbers are believed.
        lower_is_better: metrics of which less is more.
        undirected: metrics of which neither more nor less is better.
        commit: the registry was asked as of this commit.
    """

    model: str
    suite: str
    suite_version: int
    task: str
    strict: bool
    confidence: float
    rows: tuple[MeasuredRow, ...]
    coverage: Coverage
    warnings: tuple[str, ...]
    lower_is_better: frozenset[str]
    undirected: frozenset[str]
    commit: int

    @property
    def n(self) -> int:
        """Samples of the first metric over the whole suite."""
        return self.rows[0].n

    @property
    def metrics(self) -> Result:
        """The rows as a table, with the fields of `MeasuredRow` as columns."""
        return Result(lambda: as_table(self.rows, MeasuredRow))

    def row(
        self,
        metric: str | None = None,
        *,
        test_case: str | None = None,
        by: str | None = None,
        slice: str | None = None,
        label: str | None = None,
    ) -> MeasuredRow:
        """One row; by default that of the first metric over the whole suite.

        Raises:
            InvalidInputError: several expressions have a slice of that name; `by` says which is meant.
            NotFoundError: there is none such.
        """
        wanted = {"test_case": test_case, "slice": slice, "label": label, **({} if by is None else {"by": by})}
        return one_row(self.rows, "measurement", metric=metric or self.rows[0].metric, **wanted)

    def to_dict(self) -> JsonObject:
        """All of it, as JSON has it; the same for the same inferences."""
        names = ("model", "suite", "suite_version", "task", "strict", "confidence", "n")
        told = {name: getattr(self, name) for name in names}
        lower = sorted({row.metric for row in self.rows} & self.lower_is_better)
        more = {"lower_is_better": lower, "coverage": asdict(self.coverage)}
        rows = [asdict(row) for row in self.rows]
        return cast(JsonObject, plain({**told, **more, "metrics": rows, "warnings": self.warnings}))

    def to_json(self) -> str:
        """`to_dict` as text; the same bytes for the same inferences."""
        return json_text(self.to_dict())

    def __repr__(self) -> str:
        return str(self)  # what a debugger shows

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        samples = amount(self.n, "sample")
        yield from [f"{self.model} on test suite {self.suite!r} version {self.suite_version}: {samples}", ""]
        of_suite = [row for row in self.rows if row.test_case is row.by is None]
        whole = overall(of_suite)
        cells = [
            [row.metric if row.label is None else f"{row.metric} of {row.label}", number(row.value), interval(row)]
            for row in whole
        ]
        yield from aligned(["metric", "value", f"{100 * self.confidence:g} % interval"], cells)
        yield from notes(whole)
        if self.warnings:
            yield from ["", *(f"warning: {each}" for each in self.warnings)]

    def _repr_html_(self) -> str:
        warnings = "".join(f"<p>warning: {escape(each)}</p>" for each in self.warnings)
        return f"<p>{escape(next(self._lines()))}</p>{self.metrics._repr_html_()}{warnings}"


def interval(row: MeasuredRow) -> str:
    """The ends of the interval of a value, for people."""
    return "none" if row.low is None or row.high is None else f"{number(row.low)} to {number(row.high)}"
