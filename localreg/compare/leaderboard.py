"""Many models on many test suites: who leads, and who cannot be told from the leader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from localreg.compare.asked import Asked
from localreg.compare.comparing import compare, named, of_workflow, refuse_twice, suite_rows
from localreg.compare.comparison import Comparison
from localreg.compare.measuring import measure
from localreg.compare.rows import RowT
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.telling import naming
from localreg.errors import InvalidInputError
from localreg.models import ModelVersion
from localreg.names import shown_value
from localreg.session import Session
from localreg.workflow.inferences import MISSING, Inferences
from localreg.workflow.test_suite import TestSuite

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["leaderboard"]

NOT_RUN = "it has no inferences on this test suite"
ANOTHER = "it belongs to another workflow than this test suite"
ALONE = "no other model has inferences on this test suite"


def leaderboard(
    session: Session, versions: Sequence[ModelVersion], suites: str | Sequence[str | TestSuite], asked: Asked
) -> pa.Table:
    """The models on each suite, best first; see `Registry.leaderboard`."""
    import pyarrow as pa

    asked_for = [suites] if isinstance(suites, str | TestSuite) else suites
    if not isinstance(asked_for, Sequence):
        raise InvalidInputError(f"suites is {shown_value(suites)}; it must be a list of names of test suites")
    if not versions or not asked_for:
        raise InvalidInputError("a leaderboard is of some models on some test suites; name at least one of each")
    schema = pa.schema(
        [
            ("test_suite", pa.string()),
            ("rank", pa.int64()),
            ("model", pa.string()),
            ("metric", pa.string()),
            ("value", pa.float64()),
            ("n", pa.int64()),
            ("missing", pa.int64()),
            ("difference", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("p_adjusted", pa.float64()),
            ("verdict", pa.string()),
            ("reason", pa.string()),
        ]
    )
    held = [suite_rows(session, session.state(), suite) for suite in asked_for]
    workflows = {each.model.info.workflow for each in versions}
    if None not in workflows and not any(each.suite.workflow in workflows for each in held):
        of_workflow(versions, held[0].suite)
    rows = [
        row
        for suite, own in zip(asked_for, held, strict=True)
        for row in _of_suite(session, versions, suite, own, asked)
    ]
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema)


def _of_suite(
    session: Session, versions: Sequence[ModelVersion], suite: str | TestSuite, held: SuiteRows, asked: Asked
) -> Iterator[dict[str, Any]]:
    import numpy as np

    refuse_twice([named(each) for each in versions])
    of_suite = [each for each in versions if each.model.info.workflow in (None, held.suite.workflow)]
    name = {"test_suite": held.suite.name}
    there = [each for each in of_suite if _has_any(session, each, held)]
    if len(there) > 1:
        yield from ({**name, **row} for row in _ranked(session, there, suite, asked))
    elif there:
        yield {**name, **_alone(session, there[0], suite, asked)}
    for each in versions:
        if each not in there:
            reason = NOT_RUN if each in of_suite else ANOTHER
            yield {**name, "model": named(each), "missing": len(np.unique(held.indices)), "reason": reason}


def _has_any(session: Session, version: ModelVersion, held: SuiteRows) -> bool:
    status = Inferences(session, session.state(), version.id, held.samples).status
    return bool((status[held.indices] != MISSING).any())


def _alone(session: Session, version: ModelVersion, suite: str | TestSuite, asked: Asked) -> dict[str, Any]:
    """The one model that has inferences: what it is worth, and nobody whom it leads."""
    found = measure(session, version, suite=suite, asked=asked)
    if found.rows[0].metric in found.undirected:
        raise _undirected(found.rows[0].metric)
    (row,) = _whole(found.rows)
    told = {"model": found.model, "metric": row.metric, "value": row.value, "n": row.n, "missing": found.coverage.gaps}
    return {**told, "reason": ALONE if row.value is not None else row.reason}


def _ranked(
    session: Session, versions: Sequence[ModelVersion], suite: str | TestSuite, asked: Asked
) -> Iterator[dict[str, Any]]:
    """The models by their values, each compared with the first of them."""
    found = compare(session, versions, suite=suite, asked=asked)
    if found.rows[0].metric in found.undirected:
        raise _undirected(found.rows[0].metric)
    sign = -1 if found.rows[0].metric in found.lower_is_better else 1
    values = _values(found)
    order = sorted(range(len(versions)), key=lambda place: _key(values[place], sign))
    if order[0] != 0:
        versions = [versions[place] for place in order]
        found = compare(session, versions, suite=suite, asked=asked._replace(metrics=[found.rows[0].metric]))
        values, order = _values(found), list(range(len(versions)))
    whole = {row.candidate: row for row in _whole(found.rows)}
    nobody_leads = values[order[0]] is None
    rank = 0
    for number, place in enumerate(order):
        side, value = found.sides[place], values[place]
        rank = number + 1 if number == 0 or value != values[order[number - 1]] else rank
        told: dict[str, Any] = {"model": side.name, "metric": found.rows[0].metric, "value": value}
        told |= {"rank": None if value is None else rank, "missing": side.coverage.gaps}
        row = whole.get(side.name)
        if row is None:
            row = _whole(found.rows)[0]
            lacking = row.reason if nobody_leads else None
            yield {**told, "n": found.n, "verdict": None if nobody_leads else "leads", "reason": lacking}
            continue
        yield {**told, **{key: getattr(row, key) for key in ("n", "difference", "low", "high", "p_adjusted")}} | {
            "verdict": None if nobody_leads else row.verdict,
            "reason": row.reason and naming(row.reason, found.baseline, row.candidate),
        }


def _undirected(metric: str) -> InvalidInputError:
    return InvalidInputError(
        f"neither more nor less of {metric!r} is better, as far as was said, so that nobody leads by it; rank by "
        "another metric, or say which by better="
    )


def _values(found: Comparison) -> list[float | None]:
    """Of the first metric over the whole suite, the baseline's first."""
    whole = _whole(found.rows)
    return [whole[0].a, *(row.b for row in whole)]


def _whole(rows: Sequence[RowT]) -> list[RowT]:
    """Those of the first metric over the whole suite.

    Raises:
        InvalidInputError: there are none: it is told of test cases alone.
    """
    metric = rows[0].metric
    found = [row for row in rows if (row.metric, row.label, row.test_case, row.by) == (metric, None, None, None)]
    if found:
        return found
    raise InvalidInputError(f"{metric!r} is told of single test cases, which rank no models; rank by another metric")


def _key(value: float | None, sign: int) -> tuple[bool, float]:
    """Best first; what has no value comes last."""
    return value is None, 0.0 if value is None else -sign * value
