"""One version of a model: files, what it was made of and ran as, what it inferred, its lineage and history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from localreg.models import ModelVersion
from localreg.query.quoting import literal
from localreg.ui.graph import graph
from localreg.ui.pages.found import address_of, row_of, version_of
from localreg.ui.pages.model import entries, happened
from localreg.ui.view import View

__all__ = ["page"]

TABS = ("overview", "inferences", "runs", "lineage", "history")
SIZE = 40


def page(view: View) -> Response:
    """`/versions/{id}`."""
    version = version_of(view)
    tab = view.text("tab") if view.text("tab") in TABS else "overview"
    name = f"{version.model.name}@{version.version}"
    told: dict[str, Any] = {
        "model": version.model,
        "version": row_of(view, "model_versions", "model version"),
        "reference": name,
        "tabs": TABS,
        "tab": tab,
        "section": "Models",
        "title": name,
    }
    match tab:
        case "overview":
            told |= _overview(version)
        case "inferences":
            told |= _inferences(view, version)
        case "runs":
            of_it = f"model = {literal(version.model.name)} AND version = {literal(version.version)}"
            told["runs"] = view.registry.test_runs(where=of_it, order_by="created_at DESC").dicts()
        case "lineage":
            told["lineage"] = graph(version.lineage().dicts(), lambda kind, id: address_of(view, kind, id))
        case "history":
            told["events"] = list(happened(version.history().dicts()))
    return view.page("version.html", **told)


def _overview(version: ModelVersion) -> Mapping[str, Any]:
    definition = version.definition
    return {
        "metadata": list(entries(version.metadata, version.info.metadata)),
        "files": version.artifacts().dicts(),
        "datasets": version.datasets().dicts(),
        "numbers": version.metrics(),
        "determinism": version.determinism,
        "machines": version.machines,
        "checkpoint": version.checkpoint,
        "definition": None if definition is None else definition.yaml(),
        "consumers": version.consumers().dicts(),
    }


def _inferences(view: View, version: ModelVersion) -> Mapping[str, Any]:
    """A page of what it inferred: on a test suite with the ground truths, else by sample."""
    suites = view.registry.test_runs(
        where=f"model = {literal(version.model.name)} AND version = {literal(version.version)}"
    ).dicts()
    names = list(dict.fromkeys(each["test_suite"] for each in suites))
    suite = view.text("suite") or (names[0] if names else None)
    number = max(1, view.whole("page", 1))
    found = version.inferences(suite)
    return {
        "suites": names,
        "suite": suite,
        "columns": [each for each in found.columns if each not in ("sample_idx", "extra")],
        "rows": found[(number - 1) * SIZE : number * SIZE],
        "total": len(found),
        "page": number,
        "size": SIZE,
    }
