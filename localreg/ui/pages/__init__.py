"""All pages by address. A page is a function from a view to an answer; what changes something is asked for by POST."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from starlette.responses import Response

from localreg.ui.pages import (
    artifacts,
    edits,
    events,
    experiment,
    experiments,
    model,
    models,
    policies,
    tracked_edits,
    undo,
    version,
)
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
        "/models/{id}": model.page,
        "/versions/{id}": version.page,
        "/experiments": experiments.listing,
        "/experiments/curves": experiments.curves,
        "/experiments/values": experiments.values,
        "/experiments/params": experiments.params,
        "/experiments/{id}": experiment.page,
        "/checkpoints/{id}": experiment.checkpoint,
        "/artifacts": artifacts.listing,
        "/artifacts/{id}": artifacts.page,
        "/events": events.listing,
        "/policies": policies.listing,
        "/policies/plan": policies.plan,
    },
    changes={
        "/models/{id}": edits.edit_model,
        "/versions/{id}": edits.edit_version,
        "/experiments/{id}": tracked_edits.edit_experiment,
        "/artifacts/{id}": tracked_edits.edit_artifact,
        "/artifacts/{id}/download": artifacts.download,
        "/undo": undo.undo,
    },
)
