"""The models: found by words and facets, sorted, in the columns that one chooses."""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from localreg.ui.pages.listing import Listing, path_to
from localreg.ui.serving import FACETS
from localreg.ui.view import View

__all__ = ["listing"]

USUAL = ("name", "latest_version", "aliases", "workflow", "tags", "owner", "metadata.framework", "updated_at")
OFFERED = (
    *("name", "latest_version", "aliases", "workflow", "tags", "owner", "task", "description"),
    *("created_at", "created_by", "updated_at"),
)
"""Columns that are no metadata."""
TITLES = {
    "latest_version": "newest version",
    "created_at": "created",
    "created_by": "by",
    "updated_at": "updated",
}
FACETABLE = ("latest_version", "aliases", "workflow", "tags", "owner", "task", "created_by")
KEYS = """
SELECT key FROM (SELECT unnest(json_keys(metadata)) AS key FROM models)
GROUP BY key ORDER BY count(*) DESC, key LIMIT 200
"""


class Choice(NamedTuple):
    """What can be a column, or be chosen by."""

    by: str
    title: str
    is_column: bool
    is_facet: bool | None
    """None = it cannot be."""


def listing(view: View) -> Response:
    """The page at `/`."""
    table = _table(view)
    found = table.found()
    columns = view.texts("column") or list(USUAL)
    return view.page(
        "models.html",
        title="Models",
        section="Models",
        rows=[{**row, "cells": table.cells(row, columns)} for row in found.rows],
        **table.told(found, columns),
    )


def choosing(view: View) -> Response:
    """`/columns`: which columns and facets the table has; the keys of metadata are counted only here."""
    table = _table(view)
    paths = [path_to("metadata", each["key"]) for each in view.everything.sql(KEYS)]
    columns = view.texts("column") or list(USUAL)
    return view.page(
        "columns.html",
        title="Columns",
        section="Models",
        choices=[
            Choice(by, table.title(by), by in columns, table.is_chosen(by) if by in FACETABLE or by in paths else None)
            for by in dict.fromkeys([*columns, *OFFERED, *paths])
        ],
    )


def _table(view: View) -> Listing:
    return Listing(view, "models", facets=FACETS, lists=("tags", "aliases"), titles=TITLES)
