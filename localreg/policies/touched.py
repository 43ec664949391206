"""Which versions and checkpoints a commit touches: what policies look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from localreg.log import Change, State

__all__ = ["Touched", "touched"]


@dataclass
class Touched:
    """Ids of what changed.

    Attributes:
        models: whose versions may all be judged anew.
        versions: of any model.
        checkpoints: that came, or changed.
        experiments: whose checkpoints may all be judged anew.
    """

    models: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    checkpoints: set[str] = field(default_factory=set)
    experiments: set[str] = field(default_factory=set)

    def add(self, kind: str, id: str) -> None:
        """Something changed about a record of a kind that policies look at."""
        match kind:
            case "model":
                self.models.add(id)
            case "model_version":
                self.versions.add(id)
            case "checkpoint":
                self.checkpoints.add(id)
            case "experiment":
                self.experiments.add(id)


def touched(changes: Iterable[Change], state: State) -> Touched:
    """What changes touch, in the state after them."""
    found = Touched()
    for change in changes:
        if change.effect == "none":  # a note, such as a download: nothing is otherwise than before
            continue
        said = cast("dict[str, Any]", change.after or change.before or {})
        match change.kind:
            case "model" | "model_version" | "checkpoint" | "experiment":
                found.add(change.kind, change.id)
            case "alias":
                for each in (change.before, change.after):
                    if isinstance(each, dict) and "version" in each:
                        found.versions.add(str(each["version"]))
            case "metrics" | "artifact" | "dataset":
                found.add(str(said.get("owner_kind")), change.parent)
            case "test_run":
                found.versions.add(change.parent)
            case "evaluation":
                run = state.get("test_run", change.parent)
                if run is not None:
                    found.versions.add(run.parent)
            case "comparison":
                question = said.get("question")
                found.versions.update(question.get("versions", ()) if isinstance(question, dict) else ())
    found.versions = {id for id in found.versions if state.get("model_version", id) is not None}
    found.checkpoints = {id for id in found.checkpoints if state.get("checkpoint", id) is not None}
    return found
