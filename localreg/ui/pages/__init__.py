"""All pages by address. A page is a function from a view to an answer; what changes something is asked for by POST."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from starlette.responses import Response

from localreg.ui.pages import audit, case, diff, edits, model, models, run, sql, suite, tested, undo, verify, version
from localreg.ui.view import View

__all__ = ["PAGES"]

Page: TypeAlias = Callable[[View], Response]


class Pages(NamedTuple):
    """Pages by path, as routes are written."""

    looks: Mapping[str, Page]
    changes: Mapping[str, Page]


PAGES = Pages(
    looks={
        "/": models.listing,
        "/columns": models.choosing,
        "/models/{id}": model.page,
        "/versions/{id}": version.page,
        "/suites": tested.suites,
        "/suites/{id}": suite.page,
        "/cases": tested.cases,
        "/cases/{id}": case.page,
        "/workflows": tested.workflows,
        "/runs": tested.runs,
        "/runs/{id}": run.page,
        "/runs/{id}/counts": run.counts,
        "/audit": audit.timeline,
        "/audit/diff": diff.page,
        "/audit/moments": audit.moments,
        "/audit/{commit}/{event}": audit.event,
        "/verify": verify.page,
        "/sql": sql.console,
        "/sql/rows": sql.download,
    },
    changes={
        "/models/{id}": edits.edit_model,
        "/versions/{id}": edits.edit_version,
        "/suites/{id}": suite.edit,
        "/cases/{id}": case.edit,
        "/verify": verify.start,
        "/undo": undo.undo,
    },
)
