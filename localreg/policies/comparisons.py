"""Saved comparisons as conditions and gates see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.log import Row, State
from localreg.names import amount
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.compare.rows import MetricRow

__all__ = ["newest_comparison"]


def newest_comparison(
    session: Session, state: State, candidate: str, *, baseline: str | None = None, suite: str | None = None
) -> dict[str, Any] | None:
    """The comparison that was saved last in which a version is a candidate.

    Args:
        session: where its rows lie.
        state: as of which comparisons count.
        candidate: id of the version.
        baseline: id of the version that it must be compared with; None = any.
        suite: name of the test suite that it must be on; None = any.

    Returns:
        `name`, `baseline`, `test_suite`, `verdict`, `difference`, `p`, `samples`, `regressed`, `improved`; see
        `VersionColumns`. `leaves_out`: what it did not look at, in words.
    """
    fitting = [row for row in state.children("comparison") if _fits(row, candidate, baseline, suite)]
    if not fitting:
        return None
    row = fitting[-1]
    content = cast(JsonObject, row.fields["content"])
    versions = _versions(row)
    name = cast("list[str]", content["candidates"])[versions.index(candidate, 1) - 1]
    rows = [each for each in _rows(session, state, row) if each.candidate == name]
    first = rows[0]
    return {
        "name": row.name,
        "baseline": content["baseline"],
        "test_suite": content["suite"],
        "verdict": first.verdict,
        "difference": first.difference,
        "p": first.p,
        "samples": first.n,
        "regressed": [_told(each) for each in rows if each.verdict == "regressed"],
        "improved": [_told(each) for each in rows if each.verdict == "improved"],
        "leaves_out": _left_out(state, row, name),
    }


def _left_out(state: State, row: Row, candidate: str) -> str | None:
    """What a comparison did not look at, and could have; None = nothing."""
    content, question = cast("dict[str, Any]", row.fields["content"]), cast("dict[str, Any]", row.fields["question"])
    if question.get("asked", {}).get("metrics"):
        return "is of chosen metrics alone"
    suite = state.find("test_suite", content["suite"])
    newest = None if suite is None else suite.fields.get("version")
    if newest is not None and newest != content.get("suite_version"):
        return f"is on version {content.get('suite_version')} of {content['suite']!r}, which is at {newest}"
    coverage = next(side["coverage"] for side in content["sides"] if side["name"] == candidate)
    gaps = sum(coverage[each] for each in ("skipped", "error", "missing"))
    return f"leaves out {amount(gaps, 'sample')} (strict=True counts them)" if gaps and not content["strict"] else None


def _fits(row: Row, candidate: str, baseline: str | None, suite: str | None) -> bool:
    versions = _versions(row)
    if candidate not in versions[1:] or (baseline is not None and versions[0] != baseline):
        return False
    return suite is None or cast(JsonObject, row.fields["content"]).get("suite") == suite


def _versions(row: Row) -> list[str]:
    """Ids of the versions that were compared, the baseline first; none where an earlier release did not keep them."""
    question = row.fields.get("question")
    return cast("list[str]", question.get("versions", [])) if isinstance(question, dict) else []


def _rows(session: Session, state: State, row: Row) -> list[MetricRow]:
    from localreg.compare.rows import MetricRow
    from localreg.compare.saved import TABLE
    from localreg.tables.parts import read_part
    from localreg.workflow.samples import files_of

    return [
        MetricRow(**each)
        for pointer in files_of(state, row.id, TABLE)
        for each in read_part(session.store, pointer).to_pylist()
    ]


def _told(row: MetricRow) -> str:
    """A row in words: `recall of 'cat' in test case 'night'`."""
    of = "" if row.label is None else f" of {row.label!r}"
    where = f" in test case {row.test_case!r}" if row.test_case is not None else ""
    return f"{row.metric}{of}{where}{f' where {row.by} is {row.slice}' if row.slice is not None else ''}"
