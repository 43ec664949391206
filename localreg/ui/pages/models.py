"""The models: found by words and facets, sorted, in the columns that one chooses."""

from __future__ import annotations

from starlette.responses import Response

from localreg.ui.pages.listing import SIZE, Listing
from localreg.ui.view import View

__all__ = ["listing"]

USUAL = ("name", "latest_version", "aliases", "workflow", "tags", "owner", "metadata.framework", "updated_at")
OFFERED = (
    *("name", "latest_version", "aliases", "workflow", "tags", "owner", "task", "description"),
    *("created_at", "created_by", "updated_at"),
)
"""Columns that are no metadata."""
FACETS = ("tags", "owner", "workflow", "metadata.framework")
TITLES = {
    "latest_version": "newest version",
    "created_at": "created",
    "created_by": "by",
    "updated_at": "updated",
}


def listing(view: View) -> Response:
    """The page at `/`."""
    table = Listing(view, "models", facets=FACETS, lists=("tags", "aliases"), titles=TITLES)
    found = table.found()
    columns = view.texts("column") or list(USUAL)
    return view.page(
        "models.html",
        title="Models",
        section="Models",
        rows=[{**row, "cells": table.cells(row, columns)} for row in found.rows],
        total=found.total,
        page=found.page,
        size=SIZE,
        columns=table.columns(columns),
        facets=found.facets,
        offered=OFFERED,
        is_asked=table.is_asked,
        chosen=view.texts("is"),
    )
