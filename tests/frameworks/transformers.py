"""Transformers in small."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localreg.experiments import Experiment
from tests.frameworks import BATCHES, EPOCHS, LR, Module, steps, values

TRANSFORMERS_HOOKS = ("on_train_begin", "on_log", "on_evaluate", "on_predict", "on_save", "on_train_end")
SPEED = ("runtime", "samples_per_second", "steps_per_second")


def transformers() -> dict[str, Any]:
    """Its modules."""
    return {"transformers": {"TrainerCallback": type("TrainerCallback", (), {})}}


class Arguments:
    """`transformers.TrainingArguments`."""

    def __init__(self, folder: Path) -> None:
        self.output_dir = str(folder)

    def to_dict(self) -> dict[str, Any]:
        return {"output_dir": self.output_dir, "learning_rate": LR, "hub_token": "<HUB_TOKEN>"}


class HuggingFaceTrainer:
    """`transformers.Trainer`, which logs every step, and evaluates and saves after each epoch."""

    def __init__(self, callback: Any, folder: Path, *, rank: int = 0, step: int = 0) -> None:
        self.callback, self.args = callback, Arguments(folder)
        self.state = SimpleNamespace(
            is_world_process_zero=rank == 0, global_step=step, epoch=step / BATCHES, log_history=[], trial_params=None
        )
        self.model = Module(config=SimpleNamespace(to_dict=lambda: {"hidden_size": 8}))

    def train(self, *, fails: BaseException | None = None) -> None:
        """Train on, and raise in the last epoch if it is to fail."""
        self._call("on_train_begin")
        for epoch in range(EPOCHS):
            for _ in range(BATCHES):
                self.state.global_step += 1
                self.state.epoch = self.state.global_step / BATCHES
                self._log({"loss": 1 / self.state.global_step, "grad_norm": 1.0, "learning_rate": LR})
            if fails is not None and epoch == EPOCHS - 1:
                raise fails
            self.evaluate()
            folder = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "model.safetensors").write_text(f"weights of step {self.state.global_step}")
            self._call("on_save")
        self._log({"train_loss": 0.5, "total_flos": 1.0, **{f"train_{name}": 1.0 for name in SPEED}})
        self._call("on_train_end")

    def evaluate(self) -> None:
        """Log the metrics of an evaluation."""
        metrics = {"eval_loss": 1 / (1 + self.state.global_step), **{f"eval_{name}": 1.0 for name in SPEED}}
        self._log(metrics)
        self._call("on_evaluate", metrics=metrics)

    def predict(self) -> None:
        """Tell the metrics of a prediction."""
        self._call("on_predict", metrics={"test_loss": 0.5, **{f"test_{name}": 1.0 for name in SPEED}})

    def _log(self, logs: dict[str, float]) -> None:
        logs["epoch"] = self.state.epoch
        self.state.log_history.append({**logs, "step": self.state.global_step})
        self._call("on_log", logs=logs)

    def _call(self, hook: str, **told: Any) -> None:
        getattr(self.callback, hook)(self.args, self.state, object(), model=self.model, optimizer=None, **told)


def check_transformers(experiment: Experiment) -> None:
    """What is to be there after `train`."""
    assert (experiment.status, experiment.info.framework) == ("finished", "transformers")
    assert experiment.params["learning_rate"] == LR
    assert experiment.params["hub_token"] == "<HUB_TOKEN>"
    assert isinstance(experiment.params["model"], dict)
    assert experiment.params["model"]["hidden_size"] == 8
    assert steps(experiment) == {
        "epoch": [1, 2, 2, 3, 4, 4, 4],
        **{f"train/{name}": [1, 2, 3, 4] for name in ("loss", "grad_norm", "learning_rate")},
        **{f"eval/{name}": [2, 4] for name in ("loss", *SPEED)},
        **{f"train/{name}": [4] for name in ("train_loss", "total_flos", *(f"train_{each}" for each in SPEED))},
    }
    told = [(each.name, each.step, each.epoch) for each in experiment.checkpoints()]
    assert told == [("checkpoint-2", 2, 1), ("checkpoint-4", 4, 2)]
    for each, (_, loss) in zip(experiment.checkpoints(), values(experiment, "eval/loss"), strict=True):
        assert each.metrics["eval/loss"] == pytest.approx(loss)
        assert {"train/loss", "epoch"} <= each.metrics.keys()
    assert experiment.get_artifact("model summary").media_type == "text/plain"
