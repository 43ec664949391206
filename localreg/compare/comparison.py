"""The answer to "is the new model better, where, on which samples, and can I be sure?"."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from localreg.compare.coverage import Coverage
from localreg.compare.rows import MetricRow, Verdict, as_table
from localreg.compare.task import OUTCOMES
from localreg.compare.telling import summary
from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import check_whole, did_you_mean, shown_value
from localreg.query import Result
from localreg.records.determinism import Determinism

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.compare.evidence import Evidence
    from localreg.compare.verdicts import Adjust

__all__ = ["Comparison", "Outcome", "Side"]

Outcome = Literal["fixed", "broken", "both_right", "both_wrong", "other"]
"""What became of a sample: only the candidate is right; only the baseline; both; neither; or it was not compared."""


@dataclass(frozen=True, slots=True)
class Side:
    """A model version that is compared.

    Attributes:
        name: `name@version`.
        coverage: what became of the suite's samples under it.
        determinism: the last verdict on it; None = not verified.
        changed_files: of how many paired samples the local files held other bytes when this model was asked than when
            the baseline was, as far as that was kept.
    """

    name: str
    coverage: Coverage
    determinism: Determinism | None
    changed_files: int = 0


@dataclass(frozen=True, repr=False)
class Comparison:
    """Candidates against a baseline on one test suite, sample by sample.

    Samples count if both have an inference; how many do not is in `coverage`, and told by `str()`. Properties that
    speak of one candidate mean the first one.

    Attributes:
        sides: the baseline, then the candidates.
        suite: name of the test suite.
        suite_version: its version.
        task: what kind of inferences were compared, such as `classification`.
        strict: whether samples without an inference were counted as wrong instead.
        confidence: of the intervals; a difference is told as real if its adjusted p-value is below 1 - confidence.
        rows: the suite's rows first, then those of classes, of test cases, of slices; candidate by candidate.
        warnings: what should be known before the numbers are believed.
        commit: the registry was asked as of this commit.
        adjust: how p-values were adjusted for how many there are.
    """

    sides: tuple[Side, ...]
    suite: str
    suite_version: int
    task: str
    strict: bool
    confidence: float
    rows: tuple[MetricRow, ...]
    warnings: tuple[str, ...]
    commit: int
    adjust: Adjust
    _list: Callable[[int, str | None], pa.Table] = field(repr=False, compare=False)
    _evidence: Callable[[], Evidence] = field(repr=False, compare=False)

    @property
    def baseline(self) -> str:
        """`name@version`."""
        return self.sides[0].name

    @property
    def candidates(self) -> tuple[str, ...]:
        """`name@version` of each."""
        return tuple(side.name for side in self.sides[1:])

    @property
    def candidate(self) -> str:
        """`name@version` of the first one."""
        return self.sides[1].name

    @property
    def coverage(self) -> tuple[Coverage, ...]:
        """Of the baseline and each candidate."""
        return tuple(side.coverage for side in self.sides)

    @property
    def determinism(self) -> tuple[Determinism | None, ...]:
        """The last verdict on the baseline and each candidate; None = not verified."""
        return tuple(side.determinism for side in self.sides)

    @property
    def changed_files(self) -> int:
        """Of how many paired samples the local files changed between the two models, as far as that was kept."""
        return self.sides[1].changed_files

    @property
    def n(self) -> int:
        """Paired samples over the whole suite."""
        return self.rows[0].n

    @property
    def values(self) -> tuple[float | None, float | None]:
        """The first metric over the whole suite, of baseline and candidate."""
        return self.rows[0].a, self.rows[0].b

    @property
    def difference(self) -> float | None:
        """Candidate minus baseline, of the first metric over the whole suite."""
        return self.rows[0].difference

    @property
    def p(self) -> float | None:
        """Two-sided p-value of the first metric over the whole suite."""
        return self.rows[0].p

    @property
    def verdict(self) -> Verdict:
        """By the first metric over the whole suite."""
        return self.rows[0].verdict

    def row(
        self,
        metric: str | None = None,
        *,
        test_case: str | None = None,
        slice: str | None = None,
        label: str | None = None,
        candidate: str | None = None,
    ) -> MetricRow:
        """One row; by default that of the first metric over the whole suite.

        Raises:
            NotFoundError: there is none such.
        """
        wanted = {"metric": metric or self.rows[0].metric, "candidate": candidate or self.candidate}
        wanted |= {"test_case": test_case, "slice": slice, "label": label}  # type: ignore[dict-item]
        for row in self.rows:
            if all(getattr(row, name) == value for name, value in wanted.items()):
                return row
        told = ", ".join(f"{name} {value!r}" for name, value in wanted.items() if value is not None)
        hint = did_you_mean(str(wanted["metric"]), {row.metric for row in self.rows})
        raise NotFoundError(f"the comparison has no row of {told}{hint}; .metrics shows those that there are")

    @property
    def metrics(self) -> Result:
        """The rows as a table, with the fields of `MetricRow` as columns."""
        return Result(lambda: as_table(self.rows))

    def samples(self, outcome: Outcome | None = None, *, candidate: str | None = None) -> Result:
        """The suite's rows with what both models made of them.

        Columns: `test_case, sample_idx, sample, ground_truth, a, b, score_a, score_b, outcome`, and one for each
        expression of `by`. They are read when they are looked at.

        Args:
            outcome: only those with this outcome; None = all, in the order of the suite.
            candidate: `name@version`; None = the first.

        Raises:
            InvalidInputError: there is no such outcome.
            NotFoundError: there is no such candidate.
        """
        if outcome is not None and outcome not in OUTCOMES:
            raise InvalidInputError(f"outcome is {shown_value(outcome)}; it must be one of {', '.join(OUTCOMES)}")
        number = 0 if candidate is None else self._number(candidate)
        return Result(lambda: self._list(number, outcome))

    def _number(self, candidate: str) -> int:
        if candidate not in self.candidates:
            hint = did_you_mean(candidate, self.candidates)
            raise NotFoundError(f"{candidate!r} is not compared here{hint}; there are {', '.join(self.candidates)}")
        return self.candidates.index(candidate)

    @property
    def fixed(self) -> Result:
        """Samples that only the candidate gets right; see `samples`."""
        return self.samples("fixed")

    @property
    def broken(self) -> Result:
        """Samples that only the baseline gets right; see `samples`."""
        return self.samples("broken")

    def confusion(
        self, which: Literal["difference", "a", "b"] = "difference", *, candidate: str | None = None
    ) -> Result:
        """Which class was taken for which, how often; pairs that never occurred are left out.

        Columns: `ground_truth, predicted, count` of one model; `ground_truth, predicted, a, b, difference` of both.
        `predicted` is null where there was no label.

        Args:
            which: of the baseline (`a`), of the candidate (`b`), or both, and by how much the candidate's is larger.
            candidate: `name@version`; None = the first.

        Raises:
            InvalidInputError: there is no such `which`, or what was compared has no classes.
            NotFoundError: there is no such candidate.
        """
        if which not in ("difference", "a", "b"):
            raise InvalidInputError(f"which is {shown_value(which)}; it must be 'difference', 'a' or 'b'")
        from localreg.compare.evidence import confusion_rows

        number = 0 if candidate is None else self._number(candidate)
        found = self._evidence().confusion(number)
        if found is None:
            raise InvalidInputError(f"there is no confusion in a comparison of {self.task}: it has no classes")
        return Result(lambda: confusion_rows(found, which))

    def plots(self) -> dict[str, dict[str, Any]]:
        """The plots of the report as Vega-Lite specifications, by name; with several candidates, `candidate: name`.

        Names: `by EXPRESSION` and `by test case` (differences with intervals), `confusion`, `reliability`, `roc`,
        `precision_recall`, `coverage`; those that there is something to draw for.
        """
        from localreg.compare.report import plots

        return plots(self)

    def to_html(self, path: str | os.PathLike[str], *, title: str | None = None, samples: int = 50) -> Path:
        """Write a report: one file that can be opened, sent and kept, without network and without scripts.

        Plots need the extra `ui`; without it the page has its tables, and says so. Samples whose `locator` is a local
        picture are shown with it (Pillow): what they name is put into the file. Equal comparisons give equal bytes.

        Args:
            path: of the file, which is replaced if it is there.
            title: None = the names of models and suite.
            samples: how many to list of those that were fixed, broken, and wrong under both; 0 = none.

        Returns:
            The path.

        Raises:
            InvalidInputError: the path is no local one, or `samples` no number.
            StorageError: the file cannot be written.
        """
        from localreg.compare.report import page
        from localreg.workflow.export.new_file import checked_target, new_file

        count = check_whole(samples, what="samples")
        if title is not None and (not isinstance(title, str) or not title.strip()):
            raise InvalidInputError(f"title is {shown_value(title)}; write a text, or None")
        target = checked_target(path, overwrite=True)
        told = page(self, title=title, samples=count).encode()
        with new_file(target, overwrite=True) as file:
            file.write(told)
        return target

    def __repr__(self) -> str:
        return str(self)  # what a notebook shows

    def __str__(self) -> str:
        lines = [f"test suite {self.suite!r} version {self.suite_version}: {self.n:,} samples paired", ""]
        for candidate in self.candidates:
            rows = [row for row in self.rows if row.candidate == candidate and row.label is None and row.by is None]
            lines += summary([row for row in rows if row.test_case is None], self.baseline, self.confidence)
            if rows and rows[0].fixed is not None:
                lines += ["", f"{rows[0].fixed:,} fixed, {rows[0].broken:,} broken", ""]
        return "\n".join([*lines[:-1], *(f"warning: {each}" for each in self.warnings)])
