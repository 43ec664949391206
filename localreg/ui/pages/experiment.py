"""One experiment: what was tried, its curves, checkpoints, files and events; kept fresh while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from localreg.experiments import Experiment
from localreg.query.quoting import literal
from localreg.ui.charts import markers, told
from localreg.ui.graph import graph
from localreg.ui.pages.experiments import duration, status_of
from localreg.ui.pages.found import address_of, row_of
from localreg.ui.pages.model import entries, happened
from localreg.ui.pages.series import plots
from localreg.ui.view import View

__all__ = ["checkpoint", "experiment_of", "page"]

TABS = ("overview", "checkpoints", "artifacts", "events", "lineage", "history")
SIZE = 50


def experiment_of(view: View) -> Experiment:
    """The experiment of the address."""
    return view.registry.get_experiment(row_of(view, "experiments", "experiment")["name"])


def page(view: View) -> Response:
    """`/experiments/{id}`."""
    row = row_of(view, "experiments", "experiment")
    experiment = view.registry.get_experiment(row["name"])
    tab = view.text("tab") if view.text("tab") in TABS else "overview"
    told_of: dict[str, Any] = {
        "row": row,
        "state": status_of(view, row),
        "duration": duration(row),
        "tabs": TABS,
        "tab": tab,
        "section": "Experiments",
        "title": row["name"],
        "told": told,
    }
    match tab:
        case "overview":
            told_of |= _overview(view, row)
        case "checkpoints":
            told_of |= _checkpoints(view, row)
        case "artifacts":
            told_of |= {"artifacts": experiment.artifacts().dicts(), "datasets": experiment.datasets().dicts()}
        case "events":
            told_of |= _events(view, experiment)
        case "lineage":
            told_of["lineage"] = graph(experiment.lineage().dicts(), lambda kind, id: address_of(view, kind, id))
        case "history":
            told_of["events"] = list(happened(experiment.history().dicts()))
    return view.page("experiment.html", **told_of)


def _overview(view: View, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "shown": plots(view, [row], values=view.link("/experiments/values", **_placing(view, row))),
        "markers": markers,
        "params": list(entries(row["params"] or {})),
        "metadata": list(entries(row["metadata"] or {})),
        "environment": row["environment"] or {},
    }


def _placing(view: View, row: Mapping[str, Any]) -> dict[str, Any]:
    """What of the address says how lines are placed."""
    return {"experiment": [row["id"]], **{name: view.text(name) for name in ("x", "log", "smooth")}}


def _checkpoints(view: View, row: Mapping[str, Any]) -> Mapping[str, Any]:
    found = view.registry.checkpoints(
        f"experiment = {literal(row['name'])}", order_by=["coalesce(step, epoch) DESC NULLS LAST", "created_at DESC"]
    ).dicts()
    return {"checkpoints": found, "measured": sorted({key for each in found for key in each["metrics"]})}


def _events(view: View, experiment: Experiment) -> Mapping[str, Any]:
    """A page of what was reported and done, newest first."""
    number = max(1, view.whole("page", 1))
    rows = experiment.timeline(live=view.moment is None).dicts()[::-1]
    return {
        "timeline": rows[(number - 1) * SIZE : number * SIZE],
        "total": len(rows),
        "page": number,
        "size": SIZE,
    }


def checkpoint(view: View) -> Response:
    """`/checkpoints/{id}`: where it stands among those of its experiment."""
    found = row_of(view, "checkpoints", "checkpoint")
    experiment = view.registry.get_experiment(found["experiment"])
    place = view.link(f"/experiments/{experiment.id}", tab="checkpoints")
    return RedirectResponse(f"{place}#checkpoint-{found['id']}", 303)
