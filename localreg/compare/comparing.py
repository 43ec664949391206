"""Comparing model versions on a test suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from localreg.compare.asked import Asked, checked
from localreg.compare.caveats import LeftOut, caveats
from localreg.compare.comparison import Comparison, Side
from localreg.compare.coverage import Coverage
from localreg.compare.files import rows_with_other_files
from localreg.compare.listing import refuse_taken
from localreg.compare.opened import Opened
from localreg.compare.question import Question
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Measured, Pair, Task
from localreg.compare.telling import naming
from localreg.compare.units import WHOLE, Unit
from localreg.compare.verdicts import Found, judged
from localreg.errors import InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.models import ModelVersion
from localreg.names import did_you_mean, shown_value
from localreg.records.workflows import TestSuiteRecord
from localreg.session import Session
from localreg.statistics import METRICS
from localreg.statistics.scores import SCORE_METRICS
from localreg.workflow.executors import opened
from localreg.workflow.inferences import Inferences, keeps_files
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.versioned import deleted, find_named

__all__ = [
    "compare",
    "find_suite",
    "measured_units",
    "metrics_of",
    "named",
    "of_workflow",
    "refuse_nothing",
    "refuse_twice",
    "suite_rows",
]


def compare(session: Session, versions: Sequence[ModelVersion], *, suite: str | TestSuite, asked: Asked) -> Comparison:
    """Compare model versions with the first of them; see `Registry.compare`."""
    settings = checked(asked)
    state = session.state()
    record, version = find_suite(session, state, suite)
    names = _names(versions, record)
    ids = [each.id for each in versions]
    held = Opened(session, state, record, version, list(zip(ids, names, strict=True)), asked, settings)
    with opened(settings.executor) as workers:
        task = held.task(workers)
        check_metrics(asked.metrics, task)
        refuse_taken(settings.expressions, task)
        pairs = [task.pair(each, held.slices, strict=asked.strict) for each in ids[1:]]
    metrics = metrics_of(asked.metrics, task)
    _refuse_nothing(names, record.name, pairs)
    found = [
        each
        for name, pair in zip(names[1:], pairs, strict=True)
        for each in _found(task, pair, name, metrics, asked.confidence)
    ]
    judgements = judged(found, confidence=asked.confidence, adjust=asked.adjust)
    sides = _sides(session, state, held.rows, versions, names, pairs)
    return Comparison(
        sides=sides,
        suite=record.name,
        suite_version=version.number,
        task=task.name,
        strict=asked.strict,
        confidence=asked.confidence,
        rows=judgements,
        warnings=tuple(
            caveats(
                sides,
                judgements,
                _left_out(task, pairs),
                strict=asked.strict,
                clusters=held.clusters,
                empty=[each.by for each in held.slices if each.empty],
                remarks=_remarks(names, pairs),
            )
        ),
        commit=state.head.commit,
        adjust=asked.adjust,
        lower_is_better=frozenset(task.lower_is_better),
        undirected=frozenset(task.undirected),
        _list=held.samples,
        _evidence=held.evidence,
        _session=session,
        _question=Question(ids, version.id, asked),
    )


def _names(versions: Sequence[ModelVersion], suite: TestSuiteRecord) -> list[str]:
    """`name@version` of each.

    Raises:
        InvalidInputError: there is only one, or a candidate is named twice.
        WorkflowMismatchError: one is of another workflow than the suite.
    """
    if len(versions) < 2:
        raise InvalidInputError("there is nothing to compare the baseline with; name a candidate, or several")
    names = of_workflow(versions, suite)
    refuse_twice(names[1:])
    return names


def refuse_twice(names: Sequence[str]) -> None:
    """A model that is there twice would count as two where p-values are adjusted."""
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"{name!r} is named twice; name each model once")


def named(version: ModelVersion) -> str:
    """`name@version`."""
    return f"{version.model.name}@{version.version}"


def of_workflow(versions: Sequence[ModelVersion], suite: TestSuiteRecord) -> list[str]:
    """`name@version` of each, all of the suite's workflow; inferences of another one are of other samples.

    Raises:
        WorkflowMismatchError: one is of another workflow.
    """
    names = [named(each) for each in versions]
    for name, each in zip(names, versions, strict=True):
        if each.model.info.workflow not in (None, suite.workflow):
            raise WorkflowMismatchError(
                f"model {name!r} belongs to another workflow than test suite {suite.name!r}; compare it on a suite of "
                "its own workflow"
            )
    return names


def metrics_of(asked: Sequence[str] | None, task: Task) -> Sequence[str]:
    """Names of metrics, each once; what is told if none are asked for may hang on the pairs that were made.

    The first one decides, which none of single classes can: their average over classes goes before it.
    """
    check_metrics(asked, task)
    if asked is None:
        return task.default
    average = f"{asked[0]}_macro"
    first = [average] if asked[0] in task.of_classes and average in task.metrics else []
    return tuple(dict.fromkeys([*first, *asked]))


OF_LABELS = {*METRICS, *SCORE_METRICS}
"""Metrics of classification."""


def check_metrics(asked: Sequence[str] | None, task: Task) -> None:
    """Whether there are such metrics.

    Raises:
        InvalidInputError: there are not.
    """
    for name in asked or ():
        if name not in task.metrics:
            hint = did_you_mean(str(name), task.metrics) or f"; there are {', '.join(task.metrics)}"
            if task.name == "regression" and name in OF_LABELS:
                hint += "; it is one of labels: if the numbers are classes, keep them as text or an enum"
            raise InvalidInputError(f"{shown_value(name)} is no metric of {task.name}{hint}")


def suite_rows(session: Session, state: State, suite: str | TestSuite) -> SuiteRows:
    """The rows of a suite: at its newest version by name, or as an object shows it."""
    return SuiteRows(session, state, *find_suite(session, state, suite))


def find_suite(session: Session, state: State, suite: str | TestSuite) -> tuple[TestSuiteRecord, Row]:
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


def _refuse_nothing(names: Sequence[str], suite: str, pairs: Sequence[Pair]) -> None:
    """There must be something to compare."""
    coverage = [pairs[0].coverage()[0], *(pair.coverage()[1] for pair in pairs)]
    for name, each in zip(names, coverage, strict=True):
        refuse_nothing(name, suite, each)
    for name, pair in zip(names[1:], pairs, strict=True):
        if not pair.n(WHOLE):
            raise InvalidInputError(
                f"{names[0]!r} and {name!r} have no inference of the same sample of test suite {suite!r}; infer those "
                "that are missing, or pass strict=True to count them as wrong"
            )


def refuse_nothing(name: str, suite: str, coverage: Coverage) -> None:
    """A model must have been asked about something."""
    if not coverage.ok + coverage.skipped + coverage.error:
        raise NotFoundError(f"{name!r} has no inferences on test suite {suite!r}; run it there, or record some, first")


def measured_units(
    task: Task, pair: Pair, metrics: Sequence[str], confidence: float
) -> Iterator[tuple[Unit, list[Measured]]]:
    """The estimates of each unit; of single classes only for the whole suite."""
    overall = [name for name in metrics if name not in task.of_classes]
    whole = pair.measured(WHOLE, metrics, confidence)
    for unit in pair.units:
        if unit == WHOLE:
            yield unit, whole
        elif unit == pair.only_case:
            yield unit, [each for each in whole if each.estimate.metric in overall and each.label is None]
        else:
            yield unit, pair.measured(unit, overall, confidence)


def _found(task: Task, pair: Pair, candidate: str, metrics: Sequence[str], confidence: float) -> Iterator[Found]:
    for unit, measured in measured_units(task, pair, metrics, confidence):
        for each in measured:
            yield Found(each, unit, candidate, _better(task, each.estimate.metric))


def _better(task: Task, metric: str) -> Literal["higher", "lower"] | None:
    if metric in task.undirected:
        return None
    return "lower" if metric in task.lower_is_better else "higher"


def _left_out(task: Task, pairs: Sequence[Pair]) -> LeftOut:
    silent = [pairs[0].silent()[0], *(pair.silent()[1] for pair in pairs)]
    return LeftOut.of(task, pairs[0], silent)


def _remarks(names: Sequence[str], pairs: Sequence[Pair]) -> Iterator[str]:
    for name, pair in zip(names[1:], pairs, strict=True):
        yield from (naming(each, names[0], name) for each in pair.remarks())


def _sides(
    session: Session,
    state: State,
    rows: SuiteRows,
    versions: Sequence[ModelVersion],
    names: Sequence[str],
    pairs: Sequence[Pair],
) -> tuple[Side, ...]:
    first = Side(names[0], pairs[0].coverage()[0], versions[0].determinism)
    sides = [first]
    for name, version, pair in zip(names[1:], versions[1:], pairs, strict=True):
        changed = _changed_files(session, state, rows, versions[0].id, version.id)
        sides.append(Side(name, pair.coverage()[1], version.determinism, changed, pair.n(WHOLE)))
    return tuple(sides)


def _changed_files(session: Session, state: State, rows: SuiteRows, *versions: str) -> int:
    """Of how many paired samples the local files were others when the one model was asked than for the other."""
    import numpy as np

    if not all(keeps_files(state, each) for each in versions):
        return 0
    inferences = [Inferences(session, state, each, rows.samples) for each in versions]
    indices = np.unique(rows.indices).astype(np.int64)
    paired = indices[np.all([each.status[indices] == 0 for each in inferences], axis=0)]
    return rows_with_other_files(*(each.files(paired) for each in inferences))
