"""A registered model at work: loaded by its name, and asked for predictions."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeAlias

from localreg.definitions.finding import recipe_of
from localreg.definitions.plan import Plan
from localreg.definitions.recipe import Recipe
from localreg.definitions.worker.base import Worker
from localreg.errors import InvalidInputError
from localreg.models import ModelVersion
from localreg.names import check_text, shown_value
from localreg.session import Session

__all__ = ["Limits", "Loaded", "WorkerKind", "load", "started"]

WorkerKind: TypeAlias = Literal["process", "thread"]


LONGEST_S = 10**9
"""What clocks of all systems take."""


class Limits(NamedTuple):
    """How long it may take, in seconds; None = for ever."""

    load_s: float | None
    predict_s: float | None

    def checked(self) -> Limits:
        """The same.

        Raises:
            InvalidInputError: one of them cannot be.
        """
        for name, value in zip(("load_timeout_s", "predict_timeout_s"), self, strict=True):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 < value <= LONGEST_S):
                raise InvalidInputError(
                    f"{name} is {shown_value(value)}; it must be a number of seconds up to {LONGEST_S:,}, or None"
                )
        return self


class Loaded:
    """A model version that is loaded. Made by `Registry.load`; may be shared between threads.

    Its code runs in a process of its own, or in a thread of this one; what it prints goes to the logger
    `localreg.model`. To be closed, as a context manager or by `close`; else it ends with this process.
    """

    def __init__(self, version: ModelVersion, recipe: Recipe, worker: Worker, folder: Path) -> None:
        self._version = version
        self._recipe = recipe
        self._worker = worker
        self._remove_folder = weakref.finalize(self, _removed, folder, os.getpid())

    @property
    def version(self) -> ModelVersion:
        """The version that is loaded."""
        return self._version

    @property
    def batch_size(self) -> int | None:
        """How many datapoints its `predict` is given at once, at most; None = all."""
        return self._recipe.max_size

    def predict(self, datapoints: Iterable[object]) -> list[Any]:
        """What the model says of some datapoints, in their order.

        Args:
            datapoints: whatever its `predict` takes; they are handed over in batches of at most `batch_size`. A
                process is sent them as pickles.

        Returns:
            A prediction for each: what `predict` returned for it, by key if the definition names keys. Arrays are
            those of numpy, also where the model made tensors.

        Raises:
            InvalidInputError: too few or too many predictions, a key is missing, lists of one prediction are of
                different lengths, the process died, or took too long (`code` tells which).
            Exception: what the model's code raised.
        """
        if isinstance(datapoints, str | bytes | Mapping) or not isinstance(datapoints, Iterable):
            raise InvalidInputError(f"datapoints are {shown_value(datapoints)}; give a list of datapoints")
        listed = datapoints if isinstance(datapoints, Sequence) else list(datapoints)
        return [prediction for batch in self._worker.predict([listed]) for prediction in batch] if len(listed) else []

    def predict_batches(self, batches: Iterable[Sequence[object]]) -> Iterator[list[Any]]:
        """The same of batches that come one after another: while one is at work, the next is made ready."""
        return self._worker.predict(batches)

    def close(self) -> None:
        """End the process or thread, and let go of the model."""
        self._worker.close()
        self._remove_folder()

    def __enter__(self) -> Loaded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Loaded {self._recipe.model!r}>"


def _removed(folder: Path, owner: int) -> None:
    """Remove the folder of a model, which a fork only borrows: its process `owner` does that."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def load(session: Session, version: ModelVersion, *, worker: WorkerKind, device: str | None, limits: Limits) -> Loaded:
    """Load a version; see `Registry.load`."""
    limits.checked()
    if worker not in ("process", "thread"):
        raise InvalidInputError(f"worker is {shown_value(worker)}; it must be 'process' or 'thread'")
    folder = Path(tempfile.mkdtemp(prefix="localreg-model-"))
    try:
        recipe = recipe_of(session, version, None if device is None else check_text(device, what="device"), folder)
        at_work = started(recipe.plan(), worker, limits)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Loaded(version, recipe, at_work, folder)


def started(plan: Plan, worker: WorkerKind, limits: Limits) -> Worker:
    """A worker that has loaded a model."""
    if worker == "process":
        from localreg.definitions.worker.process import ModelProcess

        return ModelProcess(plan, load_timeout_s=limits.load_s, predict_timeout_s=limits.predict_s)
    from localreg.definitions.worker.thread import ModelThread

    return ModelThread(plan, load_timeout_s=limits.load_s, predict_timeout_s=limits.predict_s)
