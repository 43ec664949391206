"""The answer to "is the new model better, where, on which samples, and can I be sure?"."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Literal

from localreg.canonical import JsonObject
from localreg.compare.coverage import Coverage
from localreg.compare.gate import Gate, GateResult, gated
from localreg.compare.gate_file import read_gate
from localreg.compare.output import as_dict, as_html, as_markdown, written
from localreg.compare.rows import MetricRow, Verdict, as_table
from localreg.compare.task import OUTCOMES
from localreg.compare.telling import json_text, summary
from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import did_you_mean, shown_value
from localreg.query import Result
from localreg.records.determinism import Determinism

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.compare.saved import SavedComparison
    from localreg.session import Session

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
        lower_is_better: metrics of which less is more.
        commit: as of which commit the inferences were compared.
    """

    sides: tuple[Side, ...]
    suite: str
    suite_version: int
    task: str
    strict: bool
    confidence: float
    rows: tuple[MetricRow, ...]
    warnings: tuple[str, ...]
    _list: Callable[[int, str | None], pa.Table] = field(repr=False, compare=False)
    lower_is_better: Collection[str] = frozenset()
    commit: int = 0
    _session: Session | None = field(default=None, repr=False, compare=False)

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

    def breakdown(self, by: str | None = None, *, metric: str | None = None, candidate: str | None = None) -> Result:
        """One metric in each test case, or in each slice.

        Columns: `slice` or `test_case`, then those of `metrics` that have values.

        Args:
            by: the expression of the slices; None = test cases.
            metric: its name; None = the first one.
            candidate: `name@version`; None = the first.

        Raises:
            NotFoundError: there is no such breakdown, metric or candidate.
        """
        first = self.row(metric, candidate=candidate)
        unit = "test_case" if by is None else "slice"
        rows = [
            row
            for row in self.rows
            if (row.metric, row.candidate, row.by) == (first.metric, first.candidate, by)
            and getattr(row, unit) is not None
        ]
        if not rows:
            there = ", ".join(dict.fromkeys(repr(row.by) for row in self.rows if row.by is not None))
            raise NotFoundError(
                f"nothing was compared by {by!r}, but by {there or 'test cases alone'}; pass by= to compare"
            )
        columns = [
            unit,
            "n",
            "a",
            "b",
            "difference",
            "low",
            "high",
            "p_adjusted",
            "fixed",
            "broken",
            "verdict",
            "reason",
        ]

        def fetch() -> pa.Table:
            table = as_table(rows).select(columns)
            return table.select([name for name in columns if table[name].null_count < len(table)])

        return Result(fetch)

    def samples(self, outcome: Outcome | None = None, *, candidate: str | None = None) -> Result:
        """The suite's rows with what both models made of them.

        Columns: `test_case, sample_idx, sample`; of labels `ground_truth, a, b, score_a, score_b`, of numbers
        `ground_truth, a, b, error_a, error_b`, of an evaluator each metric as `right_a, right_b`; `outcome` where
        anything is right or wrong; and one for each expression of `by`. They are read when they are looked at.

        Args:
            outcome: only those with this outcome; None = all, in the order of the suite.
            candidate: `name@version`; None = the first.

        Raises:
            InvalidInputError: there is no such outcome.
            NotFoundError: there is no such candidate.
        """
        if outcome is not None and outcome not in OUTCOMES:
            raise InvalidInputError(f"outcome is {shown_value(outcome)}; it must be one of {', '.join(OUTCOMES)}")
        number = 0 if candidate is None else self.sides.index(self.side(candidate)) - 1
        return Result(lambda: self._list(number, outcome))

    def side(self, candidate: str) -> Side:
        """A candidate by its `name@version`.

        Raises:
            NotFoundError: there is no such candidate.
        """
        for side in self.sides[1:]:
            if side.name == candidate:
                return side
        hint = did_you_mean(candidate, self.candidates)
        raise NotFoundError(f"{candidate!r} is not compared here{hint}; there are {', '.join(self.candidates)}")

    @property
    def fixed(self) -> Result:
        """Samples that only the candidate gets right; see `samples`."""
        return self.samples("fixed")

    @property
    def broken(self) -> Result:
        """Samples that only the baseline gets right; see `samples`."""
        return self.samples("broken")

    # --- decisions and documents ------------------------------------------------------------------------------------

    def gate(
        self,
        rules: Mapping[str, Gate] | str | PathLike[str] | None = None,
        /,
        *,
        critical: Sequence[str] = (),
        candidate: str | None = None,
        require_improvement: bool = False,
        **metrics: Gate,
    ) -> GateResult:
        """Whether the candidates keep all rules; if not, every reason why: `gate(accuracy=Gate(max_drop=0.01))`.

        A rule holds for the metric over the whole suite (of a metric of classes, in each class), and in each critical
        part. What cannot be measured fails. See `Gate` for what a rule says.

        Args:
            rules: by the name of the metric, where that is no word of Python; or the path of a gate file, whose
                `by`, `bins`, `strict`, `confidence` and `adjust` say how to compare, and are not looked at here.
            critical: names of test cases or of values of slices (`night`, or `metadata.weather=night` where several
                have that name), in which the same rules hold; a significant regression of any metric that was compared
                there fails, whatever the rules say.
            candidate: `name@version`; None = every one, and all have to pass.
            require_improvement: fail unless the first metric has improved, over the whole suite.
            metrics: more rules, by the name of the metric.

        Raises:
            InvalidInputError: a rule of a metric that was not compared, or nothing is asked.
            NotFoundError: no such candidate, test case, slice or file.
        """
        given = rules or {}
        if isinstance(given, str | PathLike):
            file = read_gate(given)
            given, critical = file.metrics, [*file.critical, *critical]
            require_improvement = require_improvement or file.require_improvement
        return gated(
            self,
            {**given, **metrics},
            critical=critical,
            candidate=candidate,
            require_improvement=require_improvement,
        )

    def to_dict(self) -> JsonObject:
        """All of it but the samples, as JSON has it; the same for the same inferences. `samples` has the others."""
        return as_dict(self)

    def to_json(self) -> str:
        """`to_dict` as text; the same bytes for the same inferences."""
        return json_text(self.to_dict())

    def to_markdown(self, path: str | PathLike[str] | None = None) -> str:
        """What a reviewer wants to know, for pull requests: the verdict first, in one sentence.

        Test cases, slices and the first samples that were fixed and broken are folded away.

        Args:
            path: a file to write it to as well, in the place of what it holds.

        Raises:
            StorageError: the file cannot be written.
        """
        return written(as_markdown(self), path)

    def save(self, name: str | None = None) -> SavedComparison:
        """Keep what was found in the registry, whatever becomes of the models: `registry.get_comparison(name)`.

        Rows, warnings and text are kept, and the commit that was looked at; samples are not.

        Args:
            name: free text, unique in the namespace; None = from what was compared.

        Raises:
            AlreadyExistsError: the name is taken.
            ReadOnlyError: the registry was opened read-only, or this is a look at its past.
        """
        from localreg.compare.saved import save

        assert self._session is not None, "a comparison is made by a registry"
        return save(self._session, self, name)

    def _repr_html_(self) -> str:
        return as_html(self)

    def __repr__(self) -> str:
        return str(self)  # what a debugger shows

    def __str__(self) -> str:
        paired = f"{self.n:,} {'sample' if self.n == 1 else 'samples'} paired"
        lines = [f"test suite {self.suite!r} version {self.suite_version}: {paired}", ""]
        for candidate in self.candidates:
            rows = [row for row in self.rows if row.candidate == candidate and row.label is None and row.by is None]
            lines += summary([row for row in rows if row.test_case is None], self.baseline, self.confidence)
            if rows and rows[0].fixed is not None:
                lines += ["", f"{rows[0].fixed:,} fixed, {rows[0].broken:,} broken", ""]
        return "\n".join([*lines[:-1], *(f"warning: {each}" for each in self.warnings)])
