"""Measuring one model version on a test suite.

A task knows pairs of models only: here a model is paired with itself, and of each estimate its own value and interval
are kept. So a measurement says the same numbers as a comparison, for every kind of inference that can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from localreg.compare.asked import Asked, checked
from localreg.compare.caveats import FEW, LeftOut, about_samples
from localreg.compare.clusters import Sampling, clustered
from localreg.compare.comparing import metrics_of, of_workflow, refuse_nothing, suite_rows
from localreg.compare.measurement import MeasuredRow, Measurement
from localreg.compare.slices import sliced
from localreg.compare.task import Measured, Pair, Task
from localreg.compare.tasks import task_for
from localreg.compare.units import WHOLE, Unit
from localreg.errors import InvalidInputError
from localreg.models import ModelVersion
from localreg.session import Session
from localreg.statistics import auc, images, values
from localreg.workflow.test_suite import TestSuite

__all__ = ["measure"]

ALONE = {
    auc.ALIKE: "at the end of its range, its standard error tells nothing",
    images.ALIKE: "on all images it is the same: how far it may vary cannot be told",
    values.NO_INTERVAL: "a metric of the order of samples has no interval",
}
"""What is said of a difference, as it is to be said of one model."""
NO_INTERVAL = "there is no interval of it"


def measure(session: Session, version: ModelVersion, *, suite: str | TestSuite, asked: Asked) -> Measurement:
    """Measure a model version; see `Registry.measure`."""
    settings = checked(asked)
    state = session.state()
    rows = suite_rows(session, state, suite)
    (name,) = of_workflow([version], rows.suite)
    clusters = None if settings.group_by is None else clustered(session, state, rows, settings.group_by)
    task = task_for(session, state, rows, {version.id: name}, settings, Sampling(clusters, settings.draws))
    metrics = metrics_of(asked.metrics, task)
    slices = [sliced(session, state, rows, each, bins=asked.bins) for each in settings.expressions]
    pair = task.pair(version.id, slices, strict=asked.strict)
    coverage = pair.coverage()[0]
    refuse_nothing(name, rows.suite.name, coverage)
    if not pair.n(WHOLE):
        raise InvalidInputError(
            f"of no sample of test suite {rows.suite.name!r} there are {task.truth_is} in the ground truth and an "
            f"inference of {name!r}; infer those that are missing, or pass strict=True to count them as wrong"
        )
    found = tuple(_found(task, pair, metrics, asked.confidence))
    empty = [each.by for each in slices if each.empty]
    return Measurement(
        model=name,
        suite=rows.suite.name,
        suite_version=int(rows.version.name),
        task=task.name,
        strict=asked.strict,
        confidence=asked.confidence,
        rows=found,
        coverage=coverage,
        warnings=(
            *about_samples([(name, coverage)], _left_out(task, pair), asked.strict, clusters, empty),
            *_small(found),
        ),
        lower_is_better=frozenset(task.lower_is_better),
        commit=state.head.commit,
    )


def _found(task: Task, pair: Pair, metrics: Sequence[str], confidence: float) -> Iterator[MeasuredRow]:
    """The rows of all units; of single classes only for the whole suite."""
    overall = [name for name in metrics if name not in task.of_classes]
    whole = pair.measured(WHOLE, metrics, confidence)
    for unit in pair.units:
        if unit == WHOLE:
            measured = whole
        elif unit == pair.only_case:
            measured = [each for each in whole if each.estimate.metric in overall and each.label is None]
        else:
            measured = pair.measured(unit, overall, confidence)
        yield from (_row(each, unit) for each in measured)


def _row(measured: Measured, unit: Unit) -> MeasuredRow:
    it = measured.estimate
    low, high = (it.a_low, it.a_high) if it.a is not None else (None, None)
    return MeasuredRow(
        metric=it.metric,
        label=measured.label,
        test_case=unit.test_case,
        by=unit.by,
        slice=unit.slice,
        value=it.a,
        low=low,
        high=high,
        n=it.n,
        reason=_reason(it.reason, has_interval=low is not None),
    )


def _reason(reason: str | None, *, has_interval: bool) -> str | None:
    """A reason that speaks of two models, as it is to be said of one; None if it spoke of their difference alone."""
    text = reason or ""
    for of_two, of_one in ALONE.items():
        text = text.replace(of_two, "" if has_interval else of_one)
    text = re.sub(r"\bmodel a( and b)?\b", "the model", text.removeprefix("; "))
    return text or (None if has_interval else NO_INTERVAL)


def _left_out(task: Task, pair: Pair) -> LeftOut:
    return LeftOut(task.truth_is, pair.unlabelled, pair.silent()[:1], task.twice(), task.said_is, task.strictly)


def _small(rows: Sequence[MeasuredRow]) -> Iterator[str]:
    n = rows[0].n
    if n < FEW:
        yield f"only {n:,} {'sample' if n == 1 else 'samples'}: intervals are rough"
    parts = {(row.test_case, row.by, row.slice) for row in rows if 0 < row.n < FEW and row.label is None}
    parts.discard((None, None, None))
    if parts and n >= FEW:
        yield f"{len(parts):,} of the test cases and slices have fewer than {FEW} samples: take them for hints"
