"""The checkpoint that a version was made of, as the handles of versions offer it.

They belong to the layer of experiments, which stands above this one, and says here how (`serve_checkpoints`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from localreg.canonical import JsonObject
from localreg.handles.handle import Handle
from localreg.records.experiments import ExperimentRecord
from localreg.session import Session

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SavedWeights", "checkpoint_of", "serve_checkpoints"]


class SavedWeights(Protocol):
    """What a version shows of its checkpoint: a `localreg.experiments.Checkpoint`."""

    @property
    def id(self) -> str:
        """Its identity."""

    @property
    def name(self) -> str:
        """Such as `step 30`."""

    @property
    def step(self) -> int | None:
        """How far training had come; None = not said."""

    @property
    def epoch(self) -> int | None:
        """Likewise."""

    @property
    def metrics(self) -> dict[str, float | None]:
        """What it was worth then."""

    @property
    def metadata(self) -> JsonObject:
        """Any JSON object."""

    @property
    def experiment(self) -> Handle[ExperimentRecord]:
        """The experiment that saved it."""

    def download(self, to: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Copy the weights into a folder."""


_served: list[Callable[[Session, str], SavedWeights]] = []


def serve_checkpoints(make: Callable[[Session, str], SavedWeights]) -> None:
    """Say what makes a handle of a checkpoint, by its id; asked when somebody wants one."""
    _served[:] = [make]


def checkpoint_of(session: Session, id: str | None) -> SavedWeights | None:
    """The checkpoint of that id; None stays None."""
    return None if id is None else _served[0](session, id)
