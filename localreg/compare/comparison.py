"""Two model versions on one test suite, paired by sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from localreg.canonical import JsonObject
from localreg.compare.files import rows_with_other_files
from localreg.compare.labels import label_path, labels
from localreg.errors import InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.metrics import mcnemar_exact
from localreg.models import ModelVersion
from localreg.query import Result
from localreg.records.determinism import Determinism, is_as_good
from localreg.records.workflows import TestSuiteRecord, TestSuiteVersionRecord, WorkflowRecord
from localreg.session import Session
from localreg.tables import Node, read_part
from localreg.workflow.inferences import ERROR, MISSING, OK, SKIPPED, Inferences, keeps_files
from localreg.workflow.samples import case_indices, files_of, sample_count, samples_at
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.typed import TypedColumn
from localreg.workflow.versioned import deleted, find_named

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["Comparison", "Coverage", "Verdict", "compare"]

Verdict = Literal["improved", "regressed", "inconclusive", "equal"]

SIGNIFICANT = 0.05
"""A difference counts as real if luck would bring it in fewer than one of twenty comparisons."""

LEAST_P = 1e-300
"""Below, p is not told as a number: it would come to read 0, which it never is."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What became of the suite's samples under one model version."""

    ok: int
    """Inferred."""

    skipped: int
    """`infer` returned None."""

    error: int
    """`infer` raised."""

    missing: int
    """Not run yet."""


@dataclass(frozen=True)
class MetricRow:
    """One metric of both, on the suite or on one test case."""

    metric: str
    test_case: str | None
    """None = the whole suite, where a sample of several cases counts once."""
    a: float | None
    b: float | None
    difference: float | None
    p: float | None
    """McNemar's exact two-sided p-value, of this row alone."""
    n: int
    """Paired samples; one that has two different ground truths, in two test cases, counts as two."""
    fixed: int
    broken: int
    verdict: Verdict


@dataclass(frozen=True, repr=False)
class Comparison:
    """The answer to "is the candidate better than the baseline?", sample by sample.

    Samples count if both have an inference; how many do not is in `coverage`, and told by `str()`.

    Attributes:
        baseline: `name@version`.
        candidate: `name@version`.
        suite: name of the test suite.
        suite_version: its version.
        strict: whether samples without an inference were counted as wrong instead.
        coverage: of baseline and candidate.
        determinism: the last verdict on baseline and candidate; None = not verified.
        changed_files: of how many paired samples the local files held other bytes when the one model was asked than
            when the other was, as far as that was kept.
        rows: the suite's row first, then one for each test case.
        fixed: samples that only the candidate gets right: `test_case, sample_idx, sample, ground_truth, a, b`.
        broken: samples that only the baseline gets right.
    """

    baseline: str
    candidate: str
    suite: str
    suite_version: int
    strict: bool
    coverage: tuple[Coverage, Coverage]
    determinism: tuple[Determinism | None, Determinism | None]
    changed_files: int
    rows: tuple[MetricRow, ...]
    fixed: Result = field(repr=False)
    broken: Result = field(repr=False)

    @property
    def n(self) -> int:
        """Paired samples over the whole suite."""
        return self.rows[0].n

    @property
    def accuracy(self) -> tuple[float | None, float | None]:
        """Of baseline and candidate, over the whole suite; None if no sample is paired."""
        return self.rows[0].a, self.rows[0].b

    @property
    def difference(self) -> float | None:
        """Candidate minus baseline."""
        return self.rows[0].difference

    @property
    def p(self) -> float | None:
        """McNemar's exact two-sided p-value over the whole suite."""
        return self.rows[0].p

    @property
    def verdict(self) -> Verdict:
        """For the whole suite, at the 5 % level."""
        return self.rows[0].verdict

    @property
    def metrics(self) -> Result:
        """The rows as a table: `metric, test_case, a, b, difference, p, n, fixed, broken, verdict`."""
        import pyarrow as pa

        schema = pa.schema(
            [
                ("metric", pa.string()),
                ("test_case", pa.string()),
                ("a", pa.float64()),
                ("b", pa.float64()),
                ("difference", pa.float64()),
                ("p", pa.float64()),
                ("n", pa.int64()),
                ("fixed", pa.int64()),
                ("broken", pa.int64()),
                ("verdict", pa.string()),
            ]
        )
        rows = [{name: getattr(row, name) for name in schema.names} for row in self.rows]
        return Result(lambda: pa.Table.from_pylist(rows, schema))

    def __repr__(self) -> str:
        return str(self)  # what a notebook shows

    def __str__(self) -> str:
        width = max(len(self.baseline), len(self.candidate))
        suite = self.rows[0]
        paired = f"{self.n:,} {'sample' if self.n == 1 else 'samples'} paired"
        lines = [
            f"test suite {self.suite!r} version {self.suite_version}: {paired}",
            f"  baseline   {self.baseline:<{width}}  accuracy {_number(suite.a)}",
            f"  candidate  {self.candidate:<{width}}  accuracy {_number(suite.b)}",
        ]
        if suite.p is not None:
            lines.append(
                f"  {suite.verdict}: difference {suite.difference:+.6f}, {suite.fixed:,} fixed, "
                f"{suite.broken:,} broken, {_p_value(suite.p)} (McNemar, exact)"
            )
        return "\n".join([*lines, *self._uncovered(), *self._other_files(), *self._undetermined()])

    def _undetermined(self) -> list[str]:
        """What is known of a model that may say something else the next time.

        That one is not verified is told if the other is; of neither, `determinism` says it, and not each comparison.
        """
        sides = list(zip((self.baseline, self.candidate), self.determinism, strict=True))
        lines = [
            f"  warning: {name} is {verdict.level} ({verdict.broken_by}): some of this may come from chance"
            for name, verdict in sides
            if verdict is not None and not is_as_good(verdict.level, "decision-stable")
        ]
        unknown = [name for name, verdict in sides if verdict is None]
        return [*lines, *([f"  determinism not verified: {unknown[0]}"] if len(unknown) == 1 else [])]

    def _other_files(self) -> list[str]:
        count = self.changed_files
        of = f"{count:,} {'sample' if count == 1 else 'samples'}"
        return [f"  warning: the local files of {of} changed between the two models"] if count else []

    def _uncovered(self) -> list[str]:
        treated = "counted as wrong" if self.strict else "left out"
        lines = []
        for name, coverage in zip((self.baseline, self.candidate), self.coverage, strict=True):
            gaps = [
                f"{getattr(coverage, gap):,} {gap}" for gap in ("skipped", "error", "missing") if getattr(coverage, gap)
            ]
            if gaps:
                lines.append(f"  warning: of {name}, {', '.join(gaps)}: {treated}")
        return lines


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6f}"


def _p_value(p: float) -> str:
    return f"p = {p:.3g}" if p >= LEAST_P else f"p < {LEAST_P:.0e}"  # no float holds what such a p is exactly


def compare(
    session: Session, baseline: ModelVersion, candidate: ModelVersion, *, suite: str | TestSuite, strict: bool = False
) -> Comparison:
    """Compare two model versions; see `Registry.compare`."""
    state = session.state()
    record, version = _suite(session, state, suite)
    cases = version.load(TestSuiteVersionRecord).test_cases
    samples = _Samples(session, state, record, cases)
    sides = [_Side(session, state, record, each, samples) for each in (baseline, candidate)]
    rows = [_row(None, samples.once, samples, sides, strict)]
    for number, case in enumerate(cases):
        rows.append(_row(_case_name(state, case), samples.case == number, samples, sides, strict))
    return Comparison(
        baseline=sides[0].name,
        candidate=sides[1].name,
        suite=record.name,
        suite_version=int(version.name),
        strict=strict,
        coverage=(sides[0].coverage(samples.once), sides[1].coverage(samples.once)),
        determinism=(baseline.determinism, candidate.determinism),
        changed_files=_changed_files(samples.indices[_counted(samples.once, sides, strict=False)], sides),
        rows=tuple(rows),
        fixed=_listed(session, state, samples, sides, strict, right=1),
        broken=_listed(session, state, samples, sides, strict, right=0),
    )


def _suite(session: Session, state: State, suite: str | TestSuite) -> tuple[TestSuiteRecord, Row]:
    """A suite by its name, at its newest version; or as an object, at the version that it shows."""
    if not isinstance(suite, TestSuite):
        _, record = find_named(session, state, TestSuiteRecord, suite)
        version = state.find("test_suite_version", str(record.version), record.id)
        assert version is not None, "a suite names only versions that exist"
        return record, version
    row, version = state.get("test_suite", suite.id), state.get("test_suite_version", suite.version_id)
    if row is None or version is None:
        raise deleted("test_suite", suite.id, session)
    return row.load(TestSuiteRecord), version


class _Samples:
    """The suite's rows (case, sample, ground truth), one after the other.

    Attributes:
        indices: `sample_idx`, int64.
        case: number of the test case, int64.
        truth: label of the ground truth, text.
        once: whether a row counts in the suite's total: the first of its (sample, ground truth).
    """

    def __init__(self, session: Session, state: State, suite: TestSuiteRecord, cases: list[str]) -> None:
        import numpy as np
        import pyarrow as pa

        row = state.get("workflow", suite.workflow)
        assert row is not None, "a suite names the workflow that it was made with"
        self.workflow = row.load(WorkflowRecord)
        node = Node.from_json(cast(JsonObject, self.workflow.test_sample))
        self.sample = TypedColumn("sample", object, node)
        self.case_names = [_case_name(state, case) for case in cases]
        path = label_path(Node.from_json(cast(JsonObject, self.workflow.ground_truth)), "ground truth")
        indices, numbers, truths = [], [], []
        for number, case in enumerate(cases):
            of_case = case_indices(session, state, case)
            indices.append(of_case)
            numbers.append(np.full(len(of_case), number))
            for pointer in files_of(state, case, "ground_truths"):
                truths.append(labels(read_part(session.store, pointer, ["ground_truth"])["ground_truth"], path))
        if not truths:
            raise InvalidInputError(f"test suite {suite.name!r} holds no test samples; there is nothing to compare on")
        self.indices = np.concatenate(indices)
        self.case = np.concatenate(numbers)
        self.truth: pa.Array = pa.concat_arrays(truths)
        self.once = self._first_of_each()

    def _first_of_each(self) -> np.ndarray:
        import numpy as np

        truths = self.truth.dictionary_encode(null_encoding="encode").indices.to_numpy()
        _, first = np.unique(np.stack([self.indices, truths]), axis=1, return_index=True)
        once = np.zeros(len(self.indices), bool)
        once[first] = True
        return once


class _Side:
    """One model version on the suite's rows.

    Attributes:
        name: `name@version`.
        inferences: all that it made.
        keeps_files: whether the local files of samples stand beside any of them.
        status: of each row, as in `workflow.inferences`.
        label: predicted label of each row, text; null where there is none.
        right: whether it is the ground truth's.
    """

    def __init__(
        self, session: Session, state: State, suite: TestSuiteRecord, version: ModelVersion, samples: _Samples
    ) -> None:
        import numpy as np
        import pyarrow.compute as pc

        self.name = f"{version.model.name}@{version.version}"
        bound = version.model.info.workflow
        if bound is not None and bound != suite.workflow:
            raise WorkflowMismatchError(
                f"model {self.name!r} belongs to another workflow than test suite {suite.name!r}"
            )
        inferences = Inferences(session, state, version.id, sample_count(state, suite.workflow))
        self.inferences = inferences
        self.keeps_files = keeps_files(state, version.id)
        self.status = inferences.status[samples.indices]
        if (self.status == MISSING).all():
            raise NotFoundError(f"{self.name!r} has no inferences on test suite {suite.name!r}; run it there first")
        node = Node.from_json(cast(JsonObject, samples.workflow.inference))
        made = inferences.rows(TypedColumn("inference", object, node), samples.indices)["inference"]
        self.label: pa.Array = labels(made, label_path(node, "inference"))
        self.right = np.asarray(pc.fill_null(pc.equal(self.label, samples.truth), False))

    def coverage(self, rows: np.ndarray) -> Coverage:
        """What became of some rows."""
        status = self.status[rows]
        return Coverage(*(int((status == code).sum()) for code in (OK, SKIPPED, ERROR, MISSING)))


def _counted(rows: np.ndarray, sides: list[_Side], strict: bool) -> np.ndarray:
    """The rows that count: all of them in strict mode, else those that both models have inferred."""
    return rows if strict else rows & (sides[0].status == OK) & (sides[1].status == OK)


def _changed_files(indices: np.ndarray, sides: list[_Side]) -> int:
    import numpy as np

    if not all(side.keeps_files for side in sides):
        return 0
    return rows_with_other_files(*(side.inferences.files(np.unique(indices)) for side in sides))


def _row(case: str | None, rows: np.ndarray, samples: _Samples, sides: list[_Side], strict: bool) -> MetricRow:
    counted = _counted(rows, sides, strict)
    a, b = sides[0].right[counted], sides[1].right[counted]
    n, fixed, broken = len(a), int((b & ~a).sum()), int((a & ~b).sum())
    if n == 0:
        return MetricRow("accuracy", case, None, None, None, None, 0, 0, 0, "inconclusive")
    p = mcnemar_exact(fixed, broken)
    share_a, share_b = float(a.mean()), float(b.mean())
    difference = (fixed - broken) / n
    return MetricRow("accuracy", case, share_a, share_b, difference, p, n, fixed, broken, _verdict(fixed, broken, p))


def _verdict(fixed: int, broken: int, p: float) -> Verdict:
    if fixed == broken == 0:
        return "equal"
    if p >= SIGNIFICANT:
        return "inconclusive"
    return "improved" if fixed > broken else "regressed"


def _listed(
    session: Session, state: State, samples: _Samples, sides: list[_Side], strict: bool, *, right: int
) -> Result:
    """The rows of the suite that one side gets right and the other wrong."""

    def fetch() -> pa.Table:
        import numpy as np
        import pyarrow as pa

        differ = sides[right].right & ~sides[1 - right].right & _counted(samples.once, sides, strict)
        rows = np.flatnonzero(differ)
        indices = samples.indices[rows]
        columns: dict[str, Any] = {
            "test_case": pa.array([samples.case_names[number] for number in samples.case[rows]], pa.string()),
            "sample_idx": pa.array(indices),
            "sample": samples_at(session, state, samples.workflow.id, samples.sample, indices)["sample"],
            "ground_truth": samples.truth.take(pa.array(rows)),
            "a": sides[0].label.take(pa.array(rows)),
            "b": sides[1].label.take(pa.array(rows)),
        }
        return pa.table(columns)

    return Result(fetch)


def _case_name(state: State, version_id: str) -> str:
    version = state.get("test_case_version", version_id)
    case = state.get("test_case", version.parent) if version is not None else None
    return case.name if case is not None else version_id
