"""All pages by address. A page is a function from a view to an answer; what changes something is asked for by POST.

They stand here by name, module and function: a module is imported when the first of its pages is asked for, so that the
page is there soon after the command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple, TypeAlias

from starlette.responses import Response

from localreg.ui.view import View

__all__ = ["PAGES", "Page", "page_of"]

Page: TypeAlias = Callable[[View], Response]


class Pages(NamedTuple):
    """Names of pages by path, as routes are written."""

    looks: Mapping[str, str]
    changes: Mapping[str, str]


def page_of(name: str) -> Page:
    """The page that is called so here."""
    module, _, function = name.partition(".")
    page: Page = getattr(import_module(f"localreg.ui.pages.{module}"), function)
    return page


PAGES = Pages(
    looks={
        "/": "models.listing",
        "/columns": "models.choosing",
        "/models/{id}": "model.page",
        "/versions/{id}": "version.page",
        "/suites": "tested.suites",
        "/suites/{id}": "suite.page",
        "/cases": "tested.cases",
        "/cases/{id}": "case.page",
        "/workflows": "tested.workflows",
        "/runs": "tested.runs",
        "/runs/{id}": "run.page",
        "/runs/{id}/counts": "run.counts",
        "/audit": "audit.timeline",
        "/audit/diff": "diff.page",
        "/audit/moments": "audit.moments",
        "/audit/{commit}/{event}": "audit.event",
        "/verify": "verify.page",
        "/sql": "sql.console",
        "/sql/rows": "sql.download",
        "/experiments": "experiments.listing",
        "/experiments/curves": "experiments.curves",
        "/experiments/values": "experiments.values",
        "/experiments/params": "experiments.params",
        "/experiments/{id}": "experiment.page",
        "/checkpoints/{id}": "experiment.checkpoint",
        "/artifacts": "artifacts.listing",
        "/artifacts/{id}": "artifacts.page",
        "/events": "events.listing",
        "/policies": "policies.listing",
        "/policies/plan": "policies.plan",
        "/compare": "compare.compare",
        "/compare/choices": "compare.choices",
        "/compare/download": "compare_files.download",
        "/compare/part": "compare.part",
        "/compare/sample": "samples.one",
        "/compare/samples": "samples.gallery",
        "/picture": "samples.shown_picture",
    },
    changes={
        "/models/{id}": "edits.edit_model",
        "/versions/{id}": "edits.edit_version",
        "/suites/{id}": "suite.edit",
        "/cases/{id}": "case.edit",
        "/verify": "verify.start",
        "/experiments/{id}": "tracked_edits.edit_experiment",
        "/artifacts/{id}": "tracked_edits.edit_artifact",
        "/artifacts/{id}/download": "artifacts.download",
        "/compare/delete": "compare.delete",
        "/compare/save": "compare.save",
        "/undo": "undo.undo",
    },
)
