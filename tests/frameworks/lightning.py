"""Lightning in small."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localreg.experiments import Experiment
from tests.frameworks import BATCHES, EPOCHS, LR, Module, steps, values

LIGHTNING_HOOKS = ("log_hyperparams", "log_graph", "log_metrics", "after_save_checkpoint", "finalize")


class Logger(ABC):
    """`lightning.pytorch.loggers.Logger`."""

    @property
    @abstractmethod
    def name(self) -> str | None: ...

    @property
    @abstractmethod
    def version(self) -> int | str | None: ...

    @abstractmethod
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None: ...

    @abstractmethod
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None: ...

    def save(self) -> None:
        return None


def lightning(package: str = "lightning.pytorch", *, rank: int = 0) -> dict[str, Any]:
    """Its modules."""
    top = package.partition(".")[0]
    rank_zero_only = SimpleNamespace(rank=rank)
    return {
        **{name: {} for name in {top, package, "lightning_utilities", "lightning_utilities.core"}},
        f"{package}.loggers": {"Logger": Logger},
        "lightning_utilities.core.rank_zero": {"rank_zero_only": rank_zero_only},
    }


class Trainer:
    """`Trainer(log_every_n_steps=1, callbacks=[ModelCheckpoint(monitor="val_loss", save_top_k=-1)])`."""

    def __init__(self, logger: Any, folder: Path, *, save_last: bool = False) -> None:
        self.logger, self.folder, self.save_last = logger, folder, save_last
        self.global_step, self.current_epoch = 0, 0
        self.module = Module(trainer=self)
        self.callback_metrics: dict[str, float] = {}
        self.checkpoint = SimpleNamespace(
            monitor="val_loss", current_score=None, best_k_models={}, best_model_path="", last_model_path=""
        )

    def fit(self, hparams: Mapping[str, Any], *, fails: BaseException | None = None) -> None:
        """Train on, and raise in the last epoch if it is to fail."""
        _ = self.logger.experiment
        self.logger.log_hyperparams(dict(hparams))
        self.logger.log_graph(self.module)
        self.logger.save()
        try:
            for self.current_epoch in range(EPOCHS):
                self._epoch(fails if self.current_epoch == EPOCHS - 1 else None)
        except BaseException:
            self.logger.finalize("failed")
            raise
        self.logger.finalize("success")

    def _epoch(self, fails: BaseException | None) -> None:
        for _ in range(BATCHES):
            self._log({"train_loss": 1 / (self.global_step + 1)}, self.global_step)
            self.global_step += 1
            if fails is not None:
                raise fails
        self._log({"val_loss": 1 / self.global_step}, self.global_step - 1)
        self._save()

    def test(self) -> None:
        """Log once more."""
        _ = self.logger.experiment
        self.logger.log_hyperparams({"lr": LR})
        self.logger.log_graph(self.module)
        self._log({"test_loss": 0.5}, self.global_step)
        self.logger.finalize("success")

    def _log(self, metrics: dict[str, float], step: int) -> None:
        self.callback_metrics.update(metrics)
        self.logger.log_metrics(metrics={**metrics, "epoch": self.current_epoch}, step=step)
        self.logger.save()

    def _save(self) -> None:
        path = self.folder / f"epoch={self.current_epoch}-step={self.global_step}.ckpt"
        self.checkpoint.current_score = self.callback_metrics["val_loss"]
        self.checkpoint.best_k_models[str(path)] = self.checkpoint.current_score
        self.checkpoint.best_model_path = str(path)
        self.write(path)
        if self.save_last:
            self.checkpoint.last_model_path = str(self.folder / "last.ckpt")
            self.write(self.folder / "last.ckpt")

    def write(self, path: Path) -> None:
        path.write_text(f"weights of step {self.global_step} for {path.name}")
        self.logger.after_save_checkpoint(self.checkpoint)


def check_lightning(experiment: Experiment) -> None:
    """What is to be there after `fit({"lr": LR})`."""
    assert (experiment.status, experiment.info.framework) == ("finished", "lightning")
    assert experiment.params == {"lr": LR}
    assert steps(experiment) == {
        "epoch": [0, 1, 1, 2, 3, 3],
        "train_loss": [0, 1, 2, 3],
        "val_loss": [1, 3],
    }
    told = [(each.name, each.step, each.epoch) for each in experiment.checkpoints()]
    assert told == [("epoch=0-step=2.ckpt", 2, 0), ("epoch=1-step=4.ckpt", 4, 1)]
    for each, (_, loss) in zip(experiment.checkpoints(), values(experiment, "val_loss"), strict=True):
        assert each.metrics["val_loss"] == pytest.approx(loss)
        assert "train_loss" in each.metrics
    assert experiment.get_artifact("model summary").media_type == "text/plain"
