"""The thing that an address means: by its id, which outlives renaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localreg.errors import NotFoundError
from localreg.models import Model, ModelVersion
from localreg.names import check_id
from localreg.query.quoting import literal
from localreg.registry import Registry
from localreg.ui.view import ALL, View

__all__ = ["PATHS", "address_of", "marks", "model_of", "registry_of", "row_of", "version_of"]

PATHS = {
    "model": "/models/{id}",
    "model_version": "/versions/{id}",
    "experiment": "/experiments/{id}",
    "checkpoint": "/checkpoints/{id}",
    "artifact": "/artifacts/{id}",
    "test_suite": "/suites/{id}",
    "test_case": "/cases/{id}",
    "test_run": "/runs/{id}",
}
"""Pages of single things, by kind."""


def address_of(view: View, kind: str, id: str, namespace: str | None = None) -> str | None:
    """The address of a thing's page, in its namespace if that is given; None = things of that kind have none."""
    path = PATHS.get(kind)
    if path is None:
        return None
    return view.link(path.format(id=id)) if namespace is None else view.own(path.format(id=id), namespace)


def row_of(view: View, table: str, noun: str) -> Mapping[str, Any]:
    """The row of the record whose id stands in the address.

    Raises:
        NotFoundError: there is none, at the moment that is looked at.
    """
    id = check_id(view.parts["id"], what=f"{noun} id")
    rows = view.registry.page(table, f"id = {literal(id)}", limit=1).rows.dicts()
    if not rows:
        when = f" as of {view.moment}" if view.moment else ""
        raise NotFoundError(f"no {noun} {id} in namespace {view.namespace!r}{when}; it was deleted, or not made yet")
    return rows[0]


def registry_of(view: View, row: Mapping[str, Any]) -> Registry:
    """The namespace that a row of a table is of, as it is looked at."""
    return view.site.registry.namespace(row["namespace"]) if view.namespace == ALL else view.registry


def marks(values: Sequence[object]) -> str:
    """A question mark for each value that is bound, as they stand in a list of SQL."""
    return ", ".join("?" for _ in values)


def model_of(view: View) -> Model:
    """The model of the address."""
    return view.registry.get_model(row_of(view, "models", "model")["name"])


def version_of(view: View) -> ModelVersion:
    """The model version of the address."""
    row = row_of(view, "model_versions", "model version")
    return view.registry.get_model(row["model"]).version(row["version"])
