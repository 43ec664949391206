"""What a comparison found: rows of numbers, and the samples behind them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, Self

from localreg.compare.coverage import Coverage
from localreg.compare.rows import MetricRow, Verdict, as_table, one_row
from localreg.compare.task import OUTCOMES
from localreg.compare.telling import breakdowns, named_notes, overall, summary
from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import amount, check_whole, did_you_mean, shown_value
from localreg.query import Result
from localreg.records.determinism import Determinism

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.compare.evidence import Evidence
    from localreg.compare.listing import Examples
    from localreg.compare.question import Question
    from localreg.compare.verdicts import Adjust
    from localreg.session import Session

__all__ = ["Compared", "Outcome", "Side"]

Outcome = Literal["fixed", "broken", "both_right", "both_wrong", "other"]
"""What became of a sample: only the candidate is right; only the baseline; both; neither; or it was not compared."""


WORST_HINT = "write how many samples, 1 or more"


@dataclass(frozen=True, slots=True)
class Side:
    """A model version that is compared.

    Attributes:
        name: `name@version`.
        coverage: what became of the suite's samples under it.
        determinism: the last verdict on it; None = not verified.
        changed_files: of how many paired samples the local files held other bytes when this model was asked than when
            the baseline was, as far as that was kept.
        paired: how many samples are compared, with those of the baseline; None = it is the baseline.
    """

    name: str
    coverage: Coverage
    determinism: Determinism | None
    changed_files: int = 0
    paired: int | None = None


@dataclass(frozen=True, repr=False)
class Compared:
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
        undirected: metrics of which neither more nor less is better.
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
    lower_is_better: Collection[str]
    undirected: Collection[str]
    _list: Callable[[int, str | None, str | None], pa.Table] = field(repr=False, compare=False)
    _evidence: Callable[[], Evidence] = field(repr=False, compare=False)
    _session: Session = field(repr=False, compare=False)
    _question: Question | None = field(repr=False, compare=False)

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
        """Paired samples over the whole suite; a metric of which some have no value is of fewer (`MetricRow.n`)."""
        return self.sides[1].paired or 0

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
        by: str | None = None,
        slice: str | None = None,
        label: str | None = None,
        candidate: str | None = None,
    ) -> MetricRow:
        """One row; by default that of the first metric over the whole suite.

        Raises:
            InvalidInputError: several expressions have a slice of that name; `by` says which is meant.
            NotFoundError: there is none such.
        """
        wanted = {"test_case": test_case, "slice": slice, "label": label, **({} if by is None else {"by": by})}
        first = {"metric": metric or self.rows[0].metric, "candidate": candidate or self.candidate}
        return one_row(self.rows, "comparison", **first, **wanted)

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

    def samples(
        self, outcome: Outcome | None = None, *, where: str | None = None, candidate: str | None = None
    ) -> Result:
        """The suite's rows with what both models made of them.

        Columns: `test_case, sample_idx, sample`; of labels `ground_truth, a, b, score_a, score_b`, of numbers
        `ground_truth, a, b, error_a, error_b`, of an evaluator each metric as `right_a, right_b`; `outcome` where
        anything is right or wrong; and one for each expression of `by`. They are read when they are looked at.

        Args:
            outcome: only those with this outcome; None = all, in the order of the suite.
            where: only those that fit this expression over the columns, and `metadata` of the sample:
                `"sample.weather = 'fog' AND metadata.iso > 800 AND score_b > 0.9"`.
            candidate: `name@version`; None = the first.

        Raises:
            InvalidInputError: there is no such outcome; at the look, `where` cannot be used.
            NotFoundError: there is no such candidate.
        """
        number = self._asked_for(outcome, where, candidate)
        return Result(lambda: self._list(number, outcome, where))

    def examples(
        self,
        outcome: Outcome | None = None,
        *,
        where: str | None = None,
        offset: int = 0,
        limit: int = 50,
        candidate: str | None = None,
    ) -> Examples:
        """Rows of `samples` page by page, each with all that is known of it, as plain values.

        Only what stands on the page is read, and what `where` speaks of.

        Args:
            outcome: only those with this outcome; None = all.
            where: as in `samples`.
            offset: how many to pass over, in the order of the suite.
            limit: how many at most.
            candidate: `name@version`; None = the first.

        Returns:
            `total`, how many there are on all pages, and `examples`, those of this one: `test_case`, `sample_idx`,
            `sample` (its fields), `metadata` (JSON text), `typed` (ground truth, and the inferences of baseline and
            candidate, with all fields), `slices` by the expressions of `by`, and `shown`, the columns of `samples`
            that are none of these.

        Raises:
            InvalidInputError: there is no such outcome, `where` cannot be used, or a number is none.
            NotFoundError: there is no such candidate.
        """
        number = self._asked_for(outcome, where, candidate)
        begin = check_whole(offset, what="offset")
        wanted = range(begin, begin + check_whole(limit, what="limit"))
        return self._evidence().stretch(number, outcome, where, wanted)

    def worst_examples(self, *, offset: int = 0, limit: int = 50, candidate: str | None = None) -> Examples:
        """Rows of `worst` page by page, each with all that is known of it, as `examples` has them.

        Args:
            offset: how many to pass over, of the worst ones first.
            limit: how many at most.
            candidate: `name@version`; None = the first.

        Raises:
            InvalidInputError: no numbers were compared, or a number is none.
            NotFoundError: there is no such candidate.
        """
        self._refuse_without_errors()
        begin, most = check_whole(offset, what="offset"), check_whole(limit, what="limit")
        found = self._evidence().grown(self._number(candidate), most, begin)
        assert found is not None, "numbers have errors"
        return found

    def remembering(self) -> Self:
        """The same comparison, keeping what it reads of the samples: for who looks at one page of them after another.

        That takes memory, up to some hundred bytes a sample, until it is let go. Not to be used by several threads at
        once.
        """
        same = copy(self)
        vars(same)["_evidence"] = cache(self._evidence)
        return same

    def _asked_for(self, outcome: object, where: object, candidate: str | None) -> int:
        """The number of the candidate, once what samples are asked for by is known to be of the right kind."""
        if outcome is not None and outcome not in OUTCOMES:
            raise InvalidInputError(f"outcome is {shown_value(outcome)}; it must be one of {', '.join(OUTCOMES)}")
        if where is not None and not isinstance(where, str):
            raise InvalidInputError(f"where is {shown_value(where)}; write a condition as text, or None")
        return self._number(candidate)

    def worst(self, n: int = 10, *, candidate: str | None = None) -> Result:
        """The samples on which a candidate's error is larger than the baseline's, by most first.

        Columns: those of `samples` for numbers, and `growth`: by how much the error is larger, without its sign.

        Args:
            n: how many at most.
            candidate: `name@version`; None = the first.

        Raises:
            InvalidInputError: no numbers were compared, or `n` is no number of samples.
            NotFoundError: there is no such candidate.
        """
        if check_whole(n, what="n", hint=WORST_HINT) < 1:
            raise InvalidInputError(f"n is {n}; {WORST_HINT}")
        self._refuse_without_errors()
        number = self._number(candidate)
        return Result(lambda: _grown(self._list(number, None, None), n))

    def _refuse_without_errors(self) -> None:
        if self.task != "regression":
            raise InvalidInputError(f"there are no errors in a comparison of {self.task}; .broken has what got worse")

    def _number(self, candidate: str | None) -> int:
        """Place among the candidates; None = the first."""
        return 0 if candidate is None else self.sides.index(self.side(candidate)) - 1

    def side(self, candidate: str) -> Side:
        """A candidate by its `name@version`.

        Raises:
            NotFoundError: there is no such candidate.
        """
        for side in self.sides[1:]:
            if side.name == candidate:
                return side
        hint = did_you_mean(candidate, self.candidates) or f"; there are {', '.join(self.candidates)}"
        raise NotFoundError(f"{candidate!r} is not compared here{hint}")

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
        from localreg.compare.confusions import confusion_rows

        number = self._number(candidate)
        found = self._evidence().confusion(number)
        if found is None:
            raise InvalidInputError(f"there is no confusion in a comparison of {self.task}: it has no classes")
        return Result(lambda: confusion_rows(found, which))

    def __repr__(self) -> str:
        return str(self)  # what a debugger shows

    def __str__(self) -> str:
        paired = f"{amount(self.n, 'sample')} paired"
        lines = [f"test suite {self.suite!r} version {self.suite_version}: {paired}", ""]
        for candidate in self.candidates:
            rows = [row for row in self.rows if row.candidate == candidate and row.by is row.test_case is None]
            whole = overall(rows)
            if whole:
                lines += [*summary(whole, self.baseline, self.confidence), *named_notes(whole, self.baseline), ""]
            counted = next((row for row in self.rows if row.candidate == candidate and row.label is None), None)
            if counted is not None and counted.fixed is not None:
                lines += [f"{counted.fixed:,} fixed, {counted.broken:,} broken", ""]
        _, *told = [*breakdowns(self.rows, self.baseline, self.confidence)] or [""]
        warnings = [f"warning: {each}" for each in self.warnings]
        return "\n".join([*lines[:-1], *([""] if told else []), *told, *([""] if told and warnings else []), *warnings])


def _grown(samples: pa.Table, n: int) -> pa.Table:
    """The rows whose error grew most."""
    import pyarrow.compute as pc

    growth = pc.subtract(pc.abs(samples["error_b"]), pc.abs(samples["error_a"]))
    grown = samples.append_column("growth", growth)
    grown = grown.filter(pc.greater(grown["growth"], 0))  # what was not compared has none
    return grown.take(pc.sort_indices(grown, [("growth", "descending")])[:n])
