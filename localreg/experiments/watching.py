"""Checkpoints that a framework writes by itself: files of a pattern, saved once they stop growing."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import AlreadyExistsError, LocalregError

if TYPE_CHECKING:
    from localreg.experiments.experiment import Experiment

__all__ = ["DirWatch", "last_number", "save_beside"]

LOGGER = logging.getLogger("localreg")


class _Seen(NamedTuple):
    """How a file looked."""

    size: int
    modified_ns: int


def last_number(path: Path) -> int | None:
    """The last number in a file's name: `epoch=3-step=120.ckpt` is of step 120."""
    found = re.findall(r"\d+", path.stem)
    return int(found[-1]) if found else None


class DirWatch:
    """Saves each file of a pattern as a checkpoint, once it looks the same twice in a row.

    Args:
        experiment: where to.
        pattern: of paths, as `glob` takes it; `**` for any folders.
        step: tells the step of a file; None = it has none.
    """

    def __init__(self, experiment: Experiment, pattern: str, step: Callable[[Path], int | None]) -> None:
        self._experiment = experiment
        self._pattern = os.path.abspath(pattern)
        self._step = step
        self._seen: dict[str, _Seen] = {}
        self._done: dict[str, _Seen] = {}

    def look(self, *, last: bool = False) -> None:
        """Look once; what grows is left to the next look, but for the last one, after training has ended."""
        for path in sorted(glob.glob(self._pattern, recursive=True)):
            try:
                told = os.stat(path)
            except OSError:
                continue  # gone again
            now = _Seen(told.st_size, told.st_mtime_ns)
            if self._done.get(path) == now or os.path.isdir(path):
                continue
            if last or self._seen.get(path) == now:
                self._save(Path(path), now)
            self._seen[path] = now

    def _save(self, path: Path, seen: _Seen) -> None:
        try:
            save_beside(self._experiment, path, path.name, step=self._step(path))
        except LocalregError as error:  # it may have begun to grow again
            LOGGER.warning("%s is not saved yet: %s", path, error)
            return
        self._done[str(path)] = seen


def save_beside(
    experiment: Experiment,
    path: Path,
    name: str,
    *,
    step: int | None,
    epoch: int | None = None,
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Save a checkpoint; if the name is taken, as `name (2)` and so on: files are written anew.

    Raises:
        LocalregError: see `Experiment.checkpoint`.
    """
    for number in count(1):
        called = name if number == 1 else f"{name} ({number})"
        try:
            experiment.checkpoint(path, step=step, epoch=epoch, metrics=metrics, name=called)
            return
        except AlreadyExistsError:
            continue
