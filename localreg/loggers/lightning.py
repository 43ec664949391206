"""Lightning: `Trainer(logger=LocalregLogger("registry", "lr 0.1"))`, of `lightning` or of `pytorch_lightning`.

| Lightning | the experiment |
|---|---|
| `save_hyperparameters()` | params |
| `self.log(…)`, `LearningRateMonitor` | points under the same names, and `epoch`, at Lightning's step |
| what a `ModelCheckpoint` saves | a checkpoint of that file's name, with all metrics that are known then |
| the module | artifact `model summary` |
| the end of `fit`, `validate`, `test` | finished; with an exception or an interrupt, failed with it |

A trainer that is used again goes on with the experiment. In distributed training only the process of rank zero logs.
"""

from __future__ import annotations

import os
import re
import weakref
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from localreg.experiments.watching import last_number
from localreg.loggers.frameworks import class_of
from localreg.loggers.plain import structure
from localreg.loggers.training import Options, Place, Training, raised
from localreg.names import check_flag

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from localreg.experiments import Experiment
else:
    Logger = class_of("Logger", ("lightning.pytorch.loggers", "pytorch_lightning.loggers"), extra="lightning")

__all__ = ["LocalregLogger"]


class LocalregLogger(Logger):
    """Keeps what a trainer does as an experiment.

    Args:
        registry: an experiment, which its owner ends if it runs; or an open registry, its address, or None as for
            `localreg.open`.
        name: of the experiment, if `registry` is none.
        checkpoints: keep the files that `ModelCheckpoint` saves; those of remote file systems are left where they are.
        summary: keep the structure of the module.
        strict: let everything raise, which else is told in the log of Python.
        **options: as of `Registry.experiment`, such as `params`, `tags` and `resume`.

    Raises:
        InvalidInputError: a malformed argument, or Lightning is not installed.
    """

    def __init__(
        self,
        registry: Place = None,
        name: str | None = None,
        *,
        checkpoints: bool = True,
        summary: bool = True,
        strict: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__()
        self._keeps_checkpoints = check_flag(checkpoints, what="checkpoints")
        self._keeps_summary = check_flag(summary, what="summary")
        # Fabric has no end that it tells of: what was logged until the process ended well is what there is.
        self._training = Training(registry, name, options, framework="lightning", strict=strict, unended=None)
        self._module: weakref.ref[Any] | None = None
        self._kept: dict[str, tuple[int, int]] = {}
        self._kept_steps: set[int | None] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_module": None}  # strategies that spawn send the logger before there is one

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Experiment:
        """The experiment; on ranks other than zero what takes any call and does nothing.

        Raises:
            LocalregError: it cannot begin; see `Registry.experiment`.
        """
        return cast("Experiment", _Nobody()) if _rank() else self._training.experiment

    @property
    def name(self) -> str:
        """The experiment's name, as a folder may be called: a `ModelCheckpoint` without `dirpath` makes one of it."""
        return re.sub(r"[^\w.-]+", "_", self._training.name).strip(".") or "_"

    @property
    def version(self) -> str | None:
        """The experiment's id; None on ranks other than zero."""
        return None if _rank() else self._training.experiment.id

    # --- what the trainer tells ---------------------------------------------------------------------------------------

    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Params of the experiment; what JSON cannot hold as text."""
        if not _rank():
            self._training.log_params(params)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Points of a step."""
        if not _rank():
            self._training.log(metrics, step=step)

    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """The structure of the module, told when `fit` begins."""
        if _rank():
            return
        self._module = weakref.ref(model)
        if self._keeps_summary:
            with self._training.spared("model summary"):
                self._training.sum_up(structure(model))

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Checkpoints of the files that a `ModelCheckpoint` wrote since the last time."""
        if _rank() or not self._keeps_checkpoints:
            return
        with self._training.spared("checkpoints"):
            for path in self._written(checkpoint_callback):
                self._keep(path, checkpoint_callback)

    def _written(self, callback: Any) -> Iterator[str]:
        """Its files that are new, or look otherwise than they did; the one that is always the last comes last."""
        last = getattr(callback, "last_model_path", "")
        best = getattr(callback, "best_model_path", "")
        for path in dict.fromkeys([*getattr(callback, "best_k_models", ()), best, last]):
            real = os.path.realpath(path) if path else ""
            if not os.path.exists(real):
                continue
            looks = os.stat(real).st_size, os.stat(real).st_mtime_ns
            if self._kept.get(real) != looks:
                self._kept[real] = looks
                yield path

    def _keep(self, path: str, callback: Any) -> None:
        trainer = self._trainer()
        step = trainer.global_step if trainer is not None else last_number(Path(path))
        if path == getattr(callback, "last_model_path", "") and step in self._kept_steps:
            return  # the same weights as those that were kept because they are good
        metrics = dict(trainer.callback_metrics) if trainer is not None else {}
        monitor, score = getattr(callback, "monitor", None), getattr(callback, "current_score", None)
        if monitor is not None and score is not None:
            metrics[monitor] = score
        epoch = trainer.current_epoch if trainer is not None else None
        self._training.checkpoint(path, name=Path(path).name, step=step, epoch=epoch, metrics=metrics)
        self._kept_steps.add(step)

    def _trainer(self) -> Any:
        """Of the module that is trained; None if there is none."""
        module = self._module() if self._module is not None else None
        if module is None:
            return None
        try:
            return module.trainer
        except RuntimeError:  # it is attached to none
            return None

    def finalize(self, status: str) -> None:
        """The end of what the trainer does: `success` and `finished`, else failed."""
        if _rank():
            return
        if status in ("success", "finished"):
            self._training.end()
        else:
            self._training.end(raised() or f"training ended: {status}")


class _Nobody:
    """Takes any call, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def _rank() -> int:
    """Of this process among those that train, as Lightning tells it."""
    from lightning_utilities.core.rank_zero import rank_zero_only

    return getattr(rank_zero_only, "rank", None) or 0
