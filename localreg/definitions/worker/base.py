"""What a worker is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

__all__ = ["Worker"]


class Worker(Protocol):
    """A model that is loaded, and answers. Threads may share it; its calls are made one after another."""

    @property
    def modules(self) -> Collection[str]:
        """Names of the top-level modules that are loaded where the model is."""
        ...

    def predict(self, batches: Iterable[Sequence[object]]) -> Iterator[list[object]]:
        """Predictions, checked: for each batch a list, with one for each of its datapoints, in order.

        Batches are taken as they are needed, some ahead. A batch never shares a call of the model with another one; one
        that is longer than `Plan.max_size` is split.

        Raises:
            InvalidInputError: what the model said is no prediction (`bad_prediction`), it took too long (`timed_out`),
                its process ended (`process_died`), the worker was closed (`closed`).
            Exception: what the model's code raised, once what came before it was taken up.
        """
        ...

    def close(self) -> None:
        """End it. May be called again."""
        ...
