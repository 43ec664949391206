"""One test case: what is said of it, its versions, and its samples with their ground truths, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from localreg.errors import NotFoundError
from localreg.ui.pages.edits import edited, text_of
from localreg.ui.pages.found import row_of
from localreg.ui.pages.model import happened
from localreg.ui.view import View
from localreg.workflow import CaseVersion

__all__ = ["edit", "page"]

SIZE = 50
TABS = ("samples", "versions", "history")
MOST_FIELDS = 6
"""Fields of a sample that are columns; what has more is told as a whole."""

OF_VERSION = "FROM ground_truths WHERE workflow = ? AND test_case = ? AND version = ?"
CHANGED = """
WITH g AS (SELECT version, sample_idx, to_json((ground_truth, metadata, extra)) AS told
    FROM ground_truths WHERE workflow = ? AND test_case = ?)
SELECT coalesce(b.version, a.version + 1) AS version,
    count(*) FILTER (a.sample_idx IS NULL) AS added, count(*) FILTER (b.sample_idx IS NULL) AS removed,
    count(*) FILTER (a.told <> b.told) AS changed
FROM g b FULL JOIN g a ON a.version = b.version - 1 AND a.sample_idx = b.sample_idx GROUP BY ALL
"""
"""What each version changed of the one before."""


def page(view: View) -> Response:
    """`/cases/{id}`."""
    row = row_of(view, "test_cases", "test case")
    case = view.registry.get_test_case(row["name"])
    tab = view.text("tab") if view.text("tab") in TABS else "samples"
    versions = case.versions()
    told: dict[str, Any] = {"case": row, "tab": tab, "tabs": TABS, "versions": versions[::-1]}
    if tab == "samples":
        told |= _samples(view, row, versions)
    elif tab == "versions":
        counts = view.registry.sql(CHANGED, [row["workflow"], row["name"]])
        told["changes"] = {each["version"]: each for each in counts}
    else:
        told["events"] = list(happened(case.history().dicts()))
    suites = "SELECT id, name FROM test_suites WHERE list_contains(test_cases, ?) ORDER BY name LIMIT 20"
    told["suites"] = view.registry.sql(suites, [row["name"]]).dicts()
    return view.page("case.html", title=row["name"], section="Suites", **told)


def edit(view: View) -> Response:
    """`POST /cases/{id}`: the field `verb` says which edit."""
    row = row_of(view, "test_cases", "test case")
    return edited(view, EDITS, view.registry.get_test_case(row["name"]), f"/cases/{row['id']}")


EDITS = {
    "describe": lambda case, form: case.update(description=text_of(form, "description")),
    "archive": lambda case, _: case.archive(),
    "restore": lambda case, _: case.restore(),
}


def _samples(view: View, row: Mapping[str, Any], versions: Sequence[CaseVersion]) -> dict[str, Any]:
    """A page of the samples of a version, in the order in which they came into the registry."""
    number = view.whole("version", row["version"])
    version = next((each for each in versions if each.version == number), None)
    page = max(1, view.whole("page", 1))
    if version is None:
        if number != row["version"]:
            raise NotFoundError(f"test case {row['name']!r} has no version {number}; its newest is {row['version']}")
        return {"version": number, "rows": [], "fields": [], "total": 0, "page": page, "size": SIZE}
    truths = view.registry.sql(
        f"SELECT sample_idx, ground_truth, metadata {OF_VERSION} ORDER BY sample_idx LIMIT ? OFFSET ?",
        [row["workflow"], row["name"], number, SIZE, (page - 1) * SIZE],
    ).dicts()
    samples = view.registry.sql(
        "SELECT sample_idx, sample, metadata FROM test_samples WHERE workflow = ? AND list_contains(?, sample_idx)",
        [row["workflow"], [each["sample_idx"] for each in truths]],
    )
    by_index = {each["sample_idx"]: each for each in samples}
    rows = [_row(each, by_index[each["sample_idx"]]) for each in truths]
    fields = list(dict.fromkeys(field for each in rows for field in each["sample"]))
    return {
        "version": number,
        "rows": rows,
        "fields": fields if len(fields) <= MOST_FIELDS else [],
        "total": version.samples,
        "page": page,
        "size": SIZE,
    }


def _row(truth: Mapping[str, Any], sample: Mapping[str, Any]) -> dict[str, Any]:
    told = truth["ground_truth"] or {}
    alone = next(iter(told.values())) if len(told) == 1 else told
    return {
        "sample_idx": truth["sample_idx"],
        "sample": sample["sample"] or {},
        "metadata": sample["metadata"] or {},
        "ground_truth": alone if told else None,
        "of_truth": truth["metadata"] or {},
    }
