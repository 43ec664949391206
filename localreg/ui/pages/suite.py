"""One test suite: what is said of it, its versions and what changed between them, its test cases, and who ran on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from localreg.query.quoting import literal
from localreg.ui.pages.edits import edited, lines_of, text_of
from localreg.ui.pages.found import row_of
from localreg.ui.pages.model import happened
from localreg.ui.view import View
from localreg.workflow import StoredTestSuite, SuiteMember, SuiteVersion

__all__ = ["edit", "page"]

SIZE = 100
"""Test cases, or runs, on one page."""
MOST_CHANGES = 20
"""Told of one version."""
TABS = ("cases", "runs", "versions", "history")


class Step(NamedTuple):
    """A version, and what it changed."""

    version: SuiteVersion
    samples: int
    changes: list[str]
    left_out: int
    """Changes that are not told."""


def page(view: View) -> Response:
    """`/suites/{id}`."""
    row = row_of(view, "test_suites", "test suite")
    suite = view.registry.get_test_suite(row["name"])
    tab = view.text("tab") if view.text("tab") in TABS else "cases"
    told: dict[str, Any] = {"suite": row, "tab": tab, "tabs": TABS, "page": max(1, view.whole("page", 1)), "size": SIZE}
    members = suite.members
    told |= {"total": len(members), "samples": sum(each.samples for each in members)}
    if tab == "cases":
        told["members"] = _with_ids(view, members[(told["page"] - 1) * SIZE : told["page"] * SIZE])
    elif tab == "runs":
        found = view.registry.page(
            "test_runs",
            f"test_suite = {literal(row['name'])}",
            order_by="created_at DESC",
            limit=SIZE,
            offset=(told["page"] - 1) * SIZE,
        )
        told |= {"runs": found.rows.dicts(), "total": found.total}
    elif tab == "versions":
        told["steps"] = list(_steps(suite.versions()))[::-1]
    else:
        told["events"] = list(happened(suite.history().dicts()))
    return view.page("suite.html", title=row["name"], section="Suites", **told)


def edit(view: View) -> Response:
    """`POST /suites/{id}`: the field `verb` says which edit."""
    row = row_of(view, "test_suites", "test suite")
    return edited(view, EDITS, view.registry.get_test_suite(row["name"]), f"/suites/{row['id']}")


def _tagged(suite: StoredTestSuite, tags: Sequence[str]) -> object:
    return suite.update(tag=tags, untag=set(suite.info.tags) - set(tags))


EDITS = {
    "describe": lambda suite, form: suite.update(description=text_of(form, "description")),
    "tags": lambda suite, form: _tagged(suite, lines_of(form, "tags")),
    "archive": lambda suite, _: suite.archive(),
    "restore": lambda suite, _: suite.restore(),
}


def _with_ids(view: View, members: Sequence[SuiteMember]) -> list[dict[str, Any]]:
    """Test cases with what their pages go by."""
    names = [each.name for each in members]
    asked = "SELECT name, id, version, description FROM test_cases WHERE list_contains(?, name)"
    rows = {row["name"]: row for row in view.registry.sql(asked, [names])}
    return [
        {
            **each._asdict(),
            "id": rows[each.name]["id"],
            "newest": rows[each.name]["version"],
            "description": rows[each.name]["description"],
        }
        for each in members
    ]


def _steps(versions: Sequence[SuiteVersion]) -> Iterator[Step]:
    before: dict[str, SuiteMember] = {}
    for version in versions:
        now = {each.name: each for each in version.members}
        changes = list(_changes(before, now))
        yield Step(
            version,
            sum(each.samples for each in version.members),
            changes[:MOST_CHANGES],
            max(0, len(changes) - MOST_CHANGES),
        )
        before = now


def _changes(before: dict[str, SuiteMember], now: dict[str, SuiteMember]) -> Iterator[str]:
    yield from (f"+ {name}, version {each.version}" for name, each in now.items() if name not in before)
    yield from (f"- {name}" for name in before if name not in now)
    for name, each in now.items():
        if name in before and before[name].version != each.version:
            yield f"{name}: version {before[name].version} → {each.version}"
