"""Artifacts: the table, and one with its files, which can be taken away where their bytes are stored here."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from localreg.artifacts import Artifact
from localreg.errors import NotFoundError
from localreg.ui.graph import graph
from localreg.ui.pages.found import address_of, row_of
from localreg.ui.pages.listing import Listing
from localreg.ui.pages.model import entries, happened
from localreg.ui.view import View

__all__ = ["artifact_of", "download", "listing", "owner_address", "page"]

COLUMNS = ("name", "owner", "bytes", "files", "media_type", "sha256", "uri", "created_at", "created_by")
FACETS = ("owner_kind", "media_type", "folder")
TITLES = {
    "bytes": "size",
    "media_type": "media type",
    "uri": "where",
    "created_at": "made",
    "created_by": "by",
    "owner_kind": "kind of owner",
}
TABS = ("overview", "lineage", "history")
MOST_FILES = 500
HELD = 8
"""Pieces that are read before anything is sent: what is wrong with a file that has no more is told as such."""


def listing(view: View) -> Response:
    """`/artifacts`."""
    table = Listing(view, "artifacts", facets=FACETS, titles=TITLES, has_archived=False)
    found = table.found("-created_at")
    return view.page(
        "artifacts.html",
        title="Artifacts",
        section="Artifacts",
        rows=[{**row, "owner_address": owner_address(view, row)} for row in found.rows],
        **table.told(found, COLUMNS, "-created_at"),
    )


def owner_address(view: View, row: dict[str, Any]) -> str | None:
    """The address of the page of what something belongs to, in its namespace; None = it has none."""
    return address_of(view, row["owner_kind"], row["owner_id"], row["namespace"])


def artifact_of(view: View) -> Artifact:
    """The artifact of the address.

    Raises:
        NotFoundError: there is none, at the moment that is looked at.
    """
    row, registry = row_of(view, "artifacts", "artifact"), view.registry
    kind, owner, name = row["owner_kind"], row["owner_id"], row["name"]
    match kind:
        case "model":
            return registry.get_model(row["owner"]).get_artifact(name)
        case "experiment":
            return registry.get_experiment(row["owner"]).get_artifact(name)
        case "checkpoint":
            found = registry.sql("SELECT experiment, name FROM checkpoints WHERE id = ?", [owner]).dicts()[0]
            return registry.get_experiment(found["experiment"]).get_checkpoint(found["name"]).get_artifact(name)
        case "model_version":
            found = registry.sql("SELECT model, version FROM model_versions WHERE id = ?", [owner]).dicts()[0]
            return registry.get_model(found["model"]).version(found["version"]).get_artifact(name)
    raise NotFoundError(f"artifact {name!r} belongs to a {kind}, which this page does not know; upgrade localreg")


def page(view: View) -> Response:
    """`/artifacts/{id}`."""
    row = dict(row_of(view, "artifacts", "artifact"))
    row["owner_address"] = owner_address(view, row)
    artifact = artifact_of(view)
    tab = view.text("tab") if view.text("tab") in TABS else "overview"
    told: dict[str, Any] = {
        "row": row,
        "tabs": TABS,
        "tab": tab,
        "section": "Artifacts",
        "title": row["name"],
    }
    if tab == "overview":
        files = [] if row["uri"] else artifact.files().dicts()
        told |= {"metadata": list(entries(artifact.metadata)), "files": files[:MOST_FILES], "count": len(files)}
    elif tab == "lineage":
        told["lineage"] = graph(artifact.lineage().dicts(), lambda kind, id: address_of(view, kind, id))
    else:
        told["events"] = list(happened(artifact.history().dicts()))
    return view.page("artifact.html", **told)


def download(view: View) -> Response:
    """`POST /artifacts/{id}/download`: one stored file; field `path` says which of a folder.

    By POST, since the audit log tells who took it; and never as something that a browser would show.

    Raises:
        IntegrityError: its bytes are not those that were stored. Of a file of more than `HELD` pieces that may be known
            only when the answer has begun, which then ends before its last piece.
    """
    artifact = artifact_of(view)
    path = view.form.text("path") or None
    name = PurePosixPath(path or artifact.name).name or "file"
    files = {each["path"]: each["bytes"] for each in artifact.files()}
    pieces = artifact.stream(path)
    size = files[path or artifact.name]
    begun = list(islice(pieces, HELD))
    return StreamingResponse(chain(begun, pieces), media_type="application/octet-stream", headers=_headers(name, size))


def _headers(name: str, size: int) -> dict[str, str]:
    plain = "".join(each if each.isascii() and each.isprintable() and each not in '"\\%;' else "_" for each in name)
    return {
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "content-length": str(size),
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
