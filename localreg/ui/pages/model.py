"""One model: what is said of it, its versions, runs, lineage and history."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from starlette.responses import Response

from localreg.names import WELL_KNOWN
from localreg.query.quoting import literal
from localreg.ui.graph import graph
from localreg.ui.pages.found import address_of, model_of, row_of
from localreg.ui.undoable import can_undo
from localreg.ui.view import View
from localreg.written import written_value

__all__ = ["Entry", "entries", "fields_of", "happened", "page"]

MOST_VERSIONS = 10
"""Newest ones whose lineage is drawn together."""
TABS = ("overview", "versions", "runs", "lineage", "history")


class Entry(NamedTuple):
    """A key of metadata."""

    key: str
    value: Any
    typed: str
    """The value as one would type it."""
    inherited: bool = False
    """It is the model's, and the version says nothing of its own."""


def page(view: View) -> Response:
    """`/models/{id}`."""
    model = model_of(view)
    tab = view.text("tab") if view.text("tab") in TABS else "overview"
    versions = view.registry.model_versions(where=f"model = {literal(model.name)}").dicts()
    told: dict[str, Any] = {
        "model": row_of(view, "models", "model"),
        "versions": versions,
        "tabs": TABS,
        "tab": tab,
        "section": "Models",
        "title": model.name,
    }
    if tab == "overview":
        numbers = view.registry.model_metrics(where=f"model = {literal(model.name)}").dicts()
        told |= {
            "metadata": list(entries(model.metadata)),
            "aliases": {alias: version.version for alias, version in model.aliases().items()},
            "datasets": model.datasets().dicts(),
            "numbers": numbers,
        }
    elif tab == "runs":
        told["runs"] = view.registry.test_runs(
            where=f"model = {literal(model.name)}", order_by="created_at DESC"
        ).dicts()
    elif tab == "lineage":
        edges = [edge for version in model.versions()[-MOST_VERSIONS:] for edge in version.lineage().dicts()]
        told["lineage"] = graph(edges, lambda kind, id: address_of(view, kind, id))
    elif tab == "history":
        told["events"] = list(happened(model.history().dicts()))
    return view.page("model.html", **told)


def entries(metadata: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Iterator[Entry]:
    """Metadata as it is shown: well-known keys first, the others by name.

    Args:
        metadata: all of it.
        own: what of it the thing itself says; None = all.
    """
    known = [key for key in WELL_KNOWN if key in metadata]
    for key in [*known, *sorted(metadata.keys() - set(known))]:
        yield Entry(key, metadata[key], fields_of(metadata[key]), own is not None and key not in own)


def fields_of(value: Any) -> str:
    """A value as one would type it, so that `written_value` gives it back."""
    if isinstance(value, str) and written_value(value) == value:
        return value
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 60 else json.dumps(value, ensure_ascii=False, indent=2)


def happened(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events, newest first, with what can be looked at and taken back."""
    for each in reversed(events):
        yield {**each, "can_undo": can_undo(each)}
