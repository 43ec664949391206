"""The checkpoints of an experiment, as a program saves and finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from localreg.experiments.logged import HasPoints

if TYPE_CHECKING:
    from localreg.experiments.checkpoints import Checkpoint

__all__ = ["HasCheckpoints"]


class HasCheckpoints(HasPoints):
    """An experiment, of which weights are saved."""

    def checkpoint(
        self,
        content: object,
        *,
        step: int | None = None,
        epoch: int | None = None,
        metrics: Mapping[str, float] | None = None,
        name: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> Checkpoint:
        """Save weights: their bytes, once for each content, and one commit that names them.

        Args:
            content: the path of a file or folder, bytes, or a binary file object.
            step: how far training has come.
            epoch: likewise.
            metrics: what they are worth, for `best_checkpoint`; what was logged at the same step need not be said.
            name: unique in the experiment; None = `epoch 3, step 1200`, as far as these are said.
            metadata: any JSON object.

        Raises:
            AlreadyExistsError: there is a checkpoint of that name.
            InvalidInputError: it has no name, or see `upload`.
            LocalregError: see `upload`.
        """
        from localreg.experiments.checkpoints import save

        return save(self, content, step=step, epoch=epoch, metrics=metrics, name=name, metadata=metadata)

    def checkpoints(self) -> list[Checkpoint]:
        """All of them, by step, else epoch, else as they were saved."""
        from localreg.experiments.checkpoints import checkpoints

        return checkpoints(self)

    def get_checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint of that name, such as `step 30`.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.experiments.checkpoints import named

        return named(self, name)

    def latest_checkpoint(self) -> Checkpoint | None:
        """The last of `checkpoints`; None if there is none yet."""
        from localreg.experiments.checkpoints import latest

        return latest(self)

    def best_checkpoint(self, key: str, *, mode: Literal["min", "max"]) -> Checkpoint:
        """The checkpoint with the lowest or highest value of a metric, the first of equal ones.

        Args:
            key: as it was said with the checkpoints, or logged at their steps.
            mode: whether less or more is better.

        Raises:
            NotFoundError: it is known of none.
        """
        from localreg.experiments.checkpoints import best

        return best(self, key, mode)
