"""One test run: what ran, what came of it by configuration, and where it raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from localreg.query.quoting import literal
from localreg.records.differences import Difference
from localreg.ui.pages.found import row_of
from localreg.ui.pages.model import happened
from localreg.ui.view import View
from localreg.workflow import EvaluationView, StoredTestRun

__all__ = ["counts", "page"]

SIZE = 20
"""Errors on one page."""
MOST_CASES = 200
"""Test cases whose results are shown."""
TABS = ("results", "errors", "code", "history")


class Results(NamedTuple):
    """What an evaluator said with one configuration."""

    view: EvaluationView
    metrics: list[str]
    rows: list[tuple[str | None, list[Any]]]
    """Test case (None = the suite) and a value for each metric."""
    left_out: int
    """Test cases that are not shown."""


def page(view: View) -> Response:
    """`/runs/{id}`."""
    row = row_of(view, "test_runs", "test run")
    run = view.registry.get_test_run(row["id"])
    counted = run.counts()
    usual = "errors" if counted["error"] and not run.configurations() else "results"
    tab = view.text("tab") if view.text("tab") in TABS else usual
    told: dict[str, Any] = {"run": row, "counts": counted, "tab": tab, "tabs": TABS, **_ids(view, row)}
    previous = _previous(view, row)
    told |= {"previous": previous, "changed": [] if previous is None else _changed(view, run, previous)}
    match tab:
        case "results":
            told["results"] = [_results(run.results(name)) for name in run.configurations()]
        case "errors":
            number = max(1, view.whole("page", 1))
            told |= {
                "errors": run.errors(offset=(number - 1) * SIZE, limit=SIZE),
                "page": number,
                "size": SIZE,
                "total": counted["error"],
            }
        case "history":
            told["events"] = list(happened(run.history().dicts()))
    title = f"{row['model']}@{row['version']} on {row['test_suite']}"
    return view.page("one_run.html", title=title, section="Suites", **told)


def counts(view: View) -> Response:
    """`/runs/{id}/counts`: how many samples went how, for tables."""
    run = view.registry.get_test_run(row_of(view, "test_runs", "test run")["id"])
    return view.page("counts.html", title="Samples", counts=run.counts())


def _ids(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the pages of its model version and its suite go by."""
    version = view.registry.sql(
        "SELECT id FROM model_versions WHERE model = ? AND version = ?", [row["model"], row["version"]]
    ).dicts()
    suite = view.registry.sql("SELECT id FROM test_suites WHERE name = ?", [row["test_suite"]]).dicts()
    return {"version_id": version[0]["id"] if version else None, "suite_id": suite[0]["id"] if suite else None}


def _previous(view: View, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The run of the model, in any version, that was made before this one."""
    found = view.registry.test_runs(
        f"model = {literal(row['model'])} AND id <> '{row['id']}' AND "
        f"created_at < CAST({literal(row['created_at'].isoformat())} AS TIMESTAMPTZ)",
        order_by="created_at DESC",
        limit=1,
    ).dicts()
    return found[0] if found else None


def _changed(view: View, run: StoredTestRun, previous: Mapping[str, Any]) -> list[Difference]:
    """What of the code differs from the run before."""
    found = view.registry.get_test_run(previous["id"]).differences(run)
    begin = "fingerprint."
    return [each._replace(path=each.path.removeprefix(begin)) for each in found if each.path.startswith(begin)]


def _results(said: EvaluationView) -> Results:
    rows: list[tuple[str | None, Mapping[str, Any]]] = [] if said.suite is None else [(None, said.suite)]
    rows += list(said.cases.items())[:MOST_CASES]
    flat = [(case, dict(_flat(values))) for case, values in rows]
    metrics = list(dict.fromkeys(name for _, values in flat for name in values))
    told = [(case, [values.get(name) for name in metrics]) for case, values in flat]
    return Results(said, metrics, told, max(0, len(said.cases) - MOST_CASES))


def _flat(values: Mapping[str, Any], before: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    """Metrics within metrics under the names of both."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, [*before, name])
        else:
            yield ".".join([*before, name]), value
