"""Hugging Face Transformers: `Trainer(…, callbacks=[LocalregCallback("registry", "lr 5e-5")])`.

| Transformers | the experiment |
|---|---|
| `TrainingArguments`, tokens masked; the model's `config`; those of a trial | params; params `model`; params `trial` |
| `Trainer.log` | points `train/loss`, `train/learning_rate`, `eval/loss`…, and `epoch`, at the global step |
| a folder `checkpoint-<step>` | a checkpoint of that name, with what was logged at its step |
| `evaluate` and `predict` outside `train` | points `eval/…`, `test/…`; the experiment goes on meanwhile |
| the model | artifact `model summary` |
| the end of `train` | finished |

Of an exception in `train` the trainer tells its callbacks nothing. An experiment that is handed over in its `with`
block fails with it: `with registry.experiment("x") as e: Trainer(…, callbacks=[LocalregCallback(e)]).train()`; any
other one when the process ends, with what ended it. In distributed training only the process of rank zero logs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from localreg.loggers.frameworks import class_of
from localreg.loggers.plain import structure
from localreg.loggers.training import Options, Place, Training
from localreg.names import check_flag

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from localreg.experiments import Experiment
else:
    TrainerCallback = class_of("TrainerCallback", ("transformers",), extra="transformers")

__all__ = ["LocalregCallback"]

GROUPS = ("eval", "test")
"""Of metrics whose names begin so; all others are of training."""
UNENDED = "the process ended before training did"


class LocalregCallback(TrainerCallback):
    """Keeps what a trainer does as an experiment.

    Args:
        registry: an experiment, which its owner ends if it runs; or an open registry, its address, or None as for
            `localreg.open`.
        name: of the experiment, if `registry` is none.
        checkpoints: keep the folders that the trainer saves, with all that is in them.
        summary: keep the structure of the model.
        strict: let everything raise, which else is told in the log of Python.
        **options: as of `Registry.experiment`, such as `params`, `tags` and `resume`.

    Raises:
        InvalidInputError: a malformed argument, or Transformers is not installed.
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
        self._training = Training(registry, name, options, framework="transformers", strict=strict, unended=UNENDED)
        self._trains = False
        self._kept_step: int | None = None

    @property
    def experiment(self) -> Experiment:
        """The experiment.

        Raises:
            LocalregError: it cannot begin; see `Registry.experiment`.
        """
        return self._training.experiment

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Params and structure; an experiment that cannot begin raises here."""
        if not state.is_world_process_zero:
            return
        self._training.begin()
        self._trains, self._kept_step = True, None
        with self._training.spared("hyperparameters"):
            self._training.log_params(_params(args, state, model))
        if self._keeps_summary and model is not None:
            with self._training.spared("model summary"):
                self._training.sum_up(structure(model))

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Points of the global step."""
        if state.is_world_process_zero:
            self._training.log(_grouped(logs or {}), step=state.global_step)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The end, if nothing is being trained; the metrics were logged."""
        if state.is_world_process_zero and not self._trains:
            self._training.end()

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any], **_: Any) -> None:
        """Points of a prediction, which the trainer does not log."""
        if state.is_world_process_zero:
            self._training.log(_grouped(metrics), step=state.global_step)
            self.on_evaluate(args, state, control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint of the folder that was saved."""
        if not state.is_world_process_zero or not self._keeps_checkpoints:
            return
        step = state.global_step
        if step == self._kept_step:
            return  # the last step may be saved as such, and as the end of its epoch
        self._kept_step, name = step, f"checkpoint-{step}"
        with self._training.spared("checkpoints"):
            logged = [each for each in state.log_history if each.get("step") == step]
            metrics = {key: value for each in logged for key, value in _grouped(each).items()}
            metrics.pop("train/step", None)
            epoch = int(state.epoch) if state.epoch is not None and float(state.epoch).is_integer() else None
            path = os.path.join(args.output_dir, name)
            self._training.checkpoint(path, name=name, step=step, epoch=epoch, metrics=metrics)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The end."""
        if state.is_world_process_zero:
            self._trains = False
            self._training.end()


def _params(args: Any, state: Any, model: Any) -> dict[str, Any]:
    """What training begins with; secrets are masked by `to_dict`."""
    trial = getattr(state, "trial_params", None)
    config: Any = getattr(model, "config", None)
    told = config.to_dict() if hasattr(config, "to_dict") else config
    return {
        **args.to_dict(),
        **({} if told is None else {"model": told}),
        **({} if trial is None else {"trial": trial}),
    }


def _grouped(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """`eval_loss` as `eval/loss`, `loss` as `train/loss`; the epoch is of no group."""
    return {_series(name): value for name, value in metrics.items()}


def _series(name: str) -> str:
    group, separator, rest = name.partition("_")
    if separator and rest and group in GROUPS:
        return f"{group}/{rest}"
    return name if name == "epoch" else f"train/{name}"
