"""What is tested: the tables of test suites, test cases, workflows and test runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from localreg.ui.pages.found import registry_of
from localreg.ui.pages.listing import Listing
from localreg.ui.view import View

__all__ = ["cases", "runs", "suites", "workflows"]

TITLES = {
    "test_cases": "test cases",
    "test_suite": "test suite",
    "created_at": "made",
    "created_by": "by",
    "updated_at": "changed",
}


class _Kind(NamedTuple):
    """One of the tables."""

    table: str
    path: str
    title: str
    noun: str
    columns: Sequence[str]
    facets: Sequence[str]
    empty: str
    """What to say where there are none."""
    step: str
    """Code that makes the first."""
    lists: Sequence[str] = ()
    has_archived: bool = True
    usual: str | None = None


SUITES = _Kind(
    "test_suites",
    "/suites",
    "Test suites",
    "test suite",
    ("name", "workflow", "version", "test_cases", "samples", "tags", "description", "created_by", "updated_at"),
    ("tags", "workflow", "created_by"),
    "There are no test suites yet. Make one of a table, a row for each sample:",
    "localreg suites import truth.csv --suite plates --workflow Plates",
    lists=("tags", "test_cases"),
)
CASES = _Kind(
    "test_cases",
    "/cases",
    "Test cases",
    "test case",
    ("name", "workflow", "version", "samples", "description", "created_by", "updated_at"),
    ("workflow", "created_by"),
    "There are no test cases yet. They come with the first test suite:",
    "localreg suites import truth.csv --suite plates --workflow Plates --case day",
)
WORKFLOWS = _Kind(
    "workflows",
    "/workflows",
    "Workflows",
    "workflow",
    ("name", "test_sample", "ground_truth", "inference", "created_by", "created_at"),
    (),
    "There are no workflows yet. They come with their first use:",
    'Workflow, TestCase, TestSuite, Model = define_workflow("Plates", Plate, Reading, Guess)',
    has_archived=False,
)
RUNS = _Kind(
    "test_runs",
    "/runs",
    "Test runs",
    "test run",
    ("model", "version", "test_suite", "evaluator", "counts", "code", "created_at", "created_by"),
    ("model", "test_suite", "evaluator", "created_by"),
    "Nothing has been run yet. Run a model on a test suite:",
    "localreg test meadow-6 --suite plates --evaluator classification",
    has_archived=False,
    usual="-created_at",
)
KINDS = (SUITES, CASES, WORKFLOWS, RUNS)


def suites(view: View) -> Response:
    """`/suites`."""
    return _listing(view, SUITES, lambda row: {"samples": sum(each.samples for each in _members(view, row))})


def cases(view: View) -> Response:
    """`/cases`."""
    return _listing(view, CASES, lambda _: {})


def workflows(view: View) -> Response:
    """`/workflows`."""
    return _listing(view, WORKFLOWS, _fields)


def runs(view: View) -> Response:
    """`/runs`."""
    return _listing(view, RUNS, lambda row: {"code": row["fingerprint"], "counts": row["id"]})


def _listing(view: View, kind: _Kind, more: Callable[[dict[str, Any]], Mapping[str, Any]]) -> Response:
    """A table.

    Args:
        view: who asks.
        kind: which.
        more: columns of a row that its table does not have.
    """
    table = Listing(
        view, kind.table, facets=kind.facets, lists=kind.lists, titles=TITLES, has_archived=kind.has_archived
    )
    found = table.found(kind.usual)
    return view.page(
        "tested.html",
        title=kind.title,
        section="Suites",
        kind=kind,
        kinds=KINDS,
        rows=[{**row, **more(row)} for row in found.rows],
        **table.told(found, kind.columns, kind.usual),
    )


def _members(view: View, row: Mapping[str, Any]) -> Sequence[Any]:
    return registry_of(view, row).get_test_suite(row["name"]).members


def _fields(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The types of a workflow as names and fields."""
    return {name: _told(row[name]) for name in ("test_sample", "ground_truth", "inference")}


def _told(schema: Mapping[str, Any]) -> str:
    fields = ", ".join(each["name"] for each in schema.get("fields", []))
    return f"{schema.get('class', '')}({fields})"
