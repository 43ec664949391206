"""Reported events: what programs said that happened, by time."""

from __future__ import annotations

from starlette.responses import Response

from localreg.ui.pages.artifacts import owner_address
from localreg.ui.pages.listing import Listing
from localreg.ui.view import View

__all__ = ["listing"]

COLUMNS = ("wallclock", "name", "owner", "source", "metadata", "commit")
FACETS = ("name", "owner_kind", "owner", "source")
TITLES = {"wallclock": "when", "owner_kind": "kind of owner"}


def listing(view: View) -> Response:
    """`/events`."""
    table = Listing(view, "events", facets=FACETS, titles=TITLES, has_archived=False)
    found = table.found("-wallclock")
    return view.page(
        "events.html",
        title="Events",
        section="Events",
        rows=[{**row, "owner_address": owner_address(view, row)} for row in found.rows],
        **table.told(found, COLUMNS, "-wallclock"),
    )
