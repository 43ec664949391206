"""Comparing model versions on a test suite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from localreg.compare.caveats import caveats
from localreg.compare.comparison import Comparison, Side
from localreg.compare.detected import check_matching
from localreg.compare.files import rows_with_other_files
from localreg.compare.listing import SampleList
from localreg.compare.slices import check_by, sliced
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Pair, Task
from localreg.compare.tasks import task_by_types
from localreg.compare.units import WHOLE
from localreg.compare.verdicts import Adjust, Found, judged
from localreg.errors import InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.models import ModelVersion
from localreg.names import did_you_mean, shown_value
from localreg.records.workflows import TestSuiteRecord
from localreg.session import Session
from localreg.workflow.inferences import Inferences, keeps_files
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.versioned import deleted, find_named

__all__ = ["compare"]

BINS = 10
"""Numbers of more different values than that are cut into so many slices."""


class Asked(NamedTuple):
    """What a comparison is asked for, beside the models and the suite; see `Registry.compare`."""

    strict: bool = False
    by: str | Sequence[str] | None = None
    bins: int = BINS
    metrics: Sequence[str] | None = None
    confidence: float = 0.95
    adjust: Adjust = "holm"
    score_threshold: float | Literal["f1_optimal"] | None = None
    iou: float | None = None


def compare(session: Session, versions: Sequence[ModelVersion], *, suite: str | TestSuite, asked: Asked) -> Comparison:
    """Compare model versions with the first of them; see `Registry.compare`."""
    expressions = _checked(asked)
    if len(versions) < 2:
        raise InvalidInputError("there is nothing to compare the baseline with; name a candidate, or several")
    state = session.state()
    record, version = _suite(session, state, suite)
    names = [f"{each.model.name}@{each.version}" for each in versions]
    for name, each in zip(names, versions, strict=True):
        if each.model.info.workflow not in (None, record.workflow):
            raise WorkflowMismatchError(
                f"model {name!r} belongs to another workflow than test suite {record.name!r}; compare it on a suite of "
                "its own workflow"
            )
    rows = SuiteRows(session, state, record, version)

    matching = check_matching(asked.score_threshold, asked.iou)

    def task_of() -> Task:
        return task_by_types(session, state, rows, versions[0].id, matching)

    task = task_of()
    metrics = _metrics(asked.metrics, task)
    slices = [sliced(session, state, rows, each, bins=asked.bins) for each in expressions]
    pairs = [task.pair(each.id, slices, strict=asked.strict) for each in versions[1:]]
    _refuse_nothing(names, record.name, pairs)
    found = [
        each
        for name, pair in zip(names[1:], pairs, strict=True)
        for each in _found(task, pair, name, metrics, asked.confidence)
    ]
    judgements = judged(found, confidence=asked.confidence, adjust=asked.adjust)
    sides = _sides(session, state, rows, versions, names, pairs)
    candidates = [each.id for each in versions[1:]]
    listing = SampleList(session, state, rows, slices, task_of, candidates, asked.strict)
    return Comparison(
        sides=sides,
        suite=record.name,
        suite_version=int(version.name),
        task=task.name,
        strict=asked.strict,
        confidence=asked.confidence,
        rows=judgements,
        warnings=tuple(
            caveats(sides, judgements, strict=asked.strict, unlabelled=pairs[0].unlabelled, twice=task.twice())
        ),
        _list=listing.table,
    )


def _checked(asked: Asked) -> list[str]:
    """The expressions of `by`; refuses what cannot be meant."""
    if not isinstance(asked.confidence, float) or not 0 < asked.confidence < 1:
        raise InvalidInputError(f"confidence is {shown_value(asked.confidence)}; it must be between 0 and 1, as 0.95")
    if asked.adjust not in ("holm", "bh", "none"):
        raise InvalidInputError(f"adjust is {shown_value(asked.adjust)}; it must be 'holm', 'bh' or 'none'")
    return check_by(asked.by)


def _metrics(asked: Sequence[str] | None, task: Task) -> Sequence[str]:
    """Names of metrics, each once."""
    if asked is None:
        return task.default
    if isinstance(asked, str) or not asked:
        raise InvalidInputError(f"metrics is {shown_value(asked)}; it must be a list of names")
    for name in asked:
        if name not in task.metrics:
            hint = did_you_mean(str(name), task.metrics) or f"; there are {', '.join(task.metrics)}"
            raise InvalidInputError(f"{shown_value(name)} is no metric of {task.name}{hint}")
    return tuple(dict.fromkeys(asked))


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


def _refuse_nothing(names: Sequence[str], suite: str, pairs: Sequence[Pair]) -> None:
    """There must be something to compare."""
    coverage = [pairs[0].coverage()[0], *(pair.coverage()[1] for pair in pairs)]
    for name, each in zip(names, coverage, strict=True):
        if not each.ok + each.skipped + each.error:
            raise NotFoundError(
                f"{name!r} has no inferences on test suite {suite!r}; run it there, or record some, first"
            )
    for name, pair in zip(names[1:], pairs, strict=True):
        if not pair.n(WHOLE):
            raise InvalidInputError(
                f"{names[0]!r} and {name!r} have no inference of the same sample of test suite {suite!r}; infer those "
                "that are missing, or pass strict=True to count them as wrong"
            )


def _found(task: Task, pair: Pair, candidate: str, metrics: Sequence[str], confidence: float) -> list[Found]:
    """The estimates of all units; of single classes only for the whole suite."""
    overall = [name for name in metrics if name not in task.of_classes]
    whole = pair.measured(WHOLE, metrics, confidence)
    found = []
    for unit in pair.units:
        if unit == WHOLE:
            measured = whole
        elif unit == pair.only_case:
            measured = [each for each in whole if each.estimate.metric in overall and each.label is None]
        else:
            measured = pair.measured(unit, overall, confidence)
        found += [Found(each, unit, candidate, each.estimate.metric in task.lower_is_better) for each in measured]
    return found


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
        sides.append(Side(name, pair.coverage()[1], version.determinism, changed))
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
