"""Measuring one model version on a test suite.

A task knows pairs of models only: here a model is paired with itself, and of each estimate its own value and interval
are kept. So a measurement says the same numbers as a comparison, for every kind of inference that can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from localreg.compare.asked import Asked, checked
from localreg.compare.caveats import FEW, LeftOut, about_samples
from localreg.compare.comparing import find_suite, measured_units, metrics_of, of_workflow, refuse_nothing
from localreg.compare.measurement import Measurement
from localreg.compare.opened import Opened
from localreg.compare.rows import MeasuredRow
from localreg.compare.task import Measured, Pair, Task
from localreg.compare.telling import NO_INTERVAL, apart, naming
from localreg.compare.units import WHOLE, Unit
from localreg.errors import InvalidInputError
from localreg.models import ModelVersion
from localreg.names import amount
from localreg.session import Session
from localreg.statistics import images
from localreg.statistics.auc import RANKING_METRICS
from localreg.statistics.scores import CALIBRATION
from localreg.statistics.value_of import OF_ORDER
from localreg.workflow.test_suite import TestSuite

__all__ = ["measure"]

ALONE = {images.ALIKE: "on all images it is the same: how far it may vary cannot be told"}
"""What is said of a difference, as it is to be said of one model."""
BARE = {
    **dict.fromkeys(OF_ORDER, "a metric of the order of samples has no interval"),
    **dict.fromkeys(RANKING_METRICS, "at the end of its range, its standard error tells nothing"),
    CALIBRATION: "it is a mean over bins, and biased by how many there are",
}
"""Why there is no interval where nothing else is said: two equal models differ by nothing, for sure."""


def measure(session: Session, version: ModelVersion, *, suite: str | TestSuite, asked: Asked) -> Measurement:
    """Measure a model version; see `Registry.measure`."""
    settings = checked(asked)
    state = session.state()
    record, row = find_suite(session, state, suite)
    (name,) = of_workflow([version], record)
    held = Opened(session, state, record, row, [(version.id, name)], asked, settings)
    task = held.task()
    metrics = metrics_of(asked.metrics, task)
    pair = task.pair(version.id, held.slices, strict=asked.strict)
    coverage = pair.coverage()[0]
    refuse_nothing(name, record.name, coverage)
    if not pair.n(WHOLE):
        raise InvalidInputError(
            f"of no sample of test suite {record.name!r} there are {task.truth_is} in the ground truth and an "
            f"inference of {name!r}; infer those that are missing, or pass strict=True to count them as wrong"
        )
    found = tuple(_found(task, pair, metrics, asked.confidence))
    empty = [each.by for each in held.slices if each.empty]
    left_out = LeftOut.of(task, pair, pair.silent()[:1])
    return Measurement(
        model=name,
        suite=record.name,
        suite_version=row.number,
        task=task.name,
        strict=asked.strict,
        confidence=asked.confidence,
        rows=found,
        coverage=coverage,
        warnings=(
            *about_samples([(name, coverage)], left_out, asked.strict, held.clusters, empty),
            *dict.fromkeys(naming(each, name, name) for each in pair.remarks()),
            *_small(found),
        ),
        lower_is_better=frozenset(task.lower_is_better),
        undirected=frozenset(task.undirected),
        commit=state.head.commit,
    )


def _found(task: Task, pair: Pair, metrics: Sequence[str], confidence: float) -> Iterator[MeasuredRow]:
    for unit, measured in measured_units(task, pair, metrics, confidence):
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
        reason=_reason(it.reason, it.metric, has_interval=low is not None),
    )


def _reason(reason: str | None, metric: str, *, has_interval: bool) -> str | None:
    """A reason that speaks of two models, as it is to be said of one; None if it spoke of their difference alone."""
    text, note = apart(reason)
    for of_two, of_one in ALONE.items():
        text = text.replace(of_two, "" if has_interval else of_one)
    text = re.sub(r"(\S+) \(a\) and \1 \(b\)", r"\1", text)
    text = re.sub(r"\bmodel a( and b)?\b", "the model", text.removeprefix("; "))
    why = text or ("" if has_interval else BARE.get(metric, NO_INTERVAL))
    return "; ".join(each for each in (why, note) if each) or None


def _small(rows: Sequence[MeasuredRow]) -> Iterator[str]:
    n = rows[0].n
    if n < FEW:
        yield f"only {amount(n, 'sample')}: intervals are rough"
    parts = {(row.test_case, row.by, row.slice) for row in rows if 0 < row.n < FEW and row.label is None}
    parts.discard((None, None, None))
    if parts and n >= FEW:
        yield f"{len(parts):,} of the test cases and slices have fewer than {FEW} samples: take them for hints"
