"""Keras in small."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localreg.experiments import Experiment
from tests.frameworks import BATCHES, EPOCHS, LR, steps, values

KERAS_HOOKS = ("on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_test_end", "on_epoch_end", "on_train_end")


class Callback:
    """`keras.callbacks.Callback`."""

    def __init__(self) -> None:
        self.params: Any = None
        self._model: Any = None

    def set_params(self, params: Any) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    @property
    def model(self) -> Any:
        return self._model

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *_, **__: None
        raise AttributeError(name)


def keras(*, backend: str = "torch") -> dict[str, Any]:
    """Its modules."""
    return {
        "keras": {"backend": SimpleNamespace(backend=lambda: backend)},
        "keras.callbacks": {"Callback": Callback},
    }


class ModelCheckpoint(Callback):
    """`keras.callbacks.ModelCheckpoint(folder / "{epoch:02d}.keras")`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{epoch + 1:02}.keras").write_text(f"weights of epoch {epoch}")


class Model:
    """`keras.Model`, of backends that call nothing when training fails; with `ends=True` of those that do."""

    loss = "mse"
    optimizer = SimpleNamespace(learning_rate=LR, get_config=lambda: {"name": "sgd", "learning_rate": LR})

    def summary(self, *, print_fn: Any, line_length: int) -> None:
        print_fn("Total params: 5")

    def fit(self, callbacks: list[Any], *, fails: BaseException | None = None, ends: bool = False) -> None:
        """Train, and raise in the last epoch if it is to fail."""
        self._given(callbacks, {"verbose": 0, "epochs": EPOCHS, "steps": BATCHES})
        self._call(callbacks, "on_train_begin", None)
        logs: dict[str, float] = {}
        try:
            for epoch in range(EPOCHS):
                self._call(callbacks, "on_epoch_begin", epoch, None)
                for batch in range(BATCHES):
                    logs = {"loss": 1 / (1 + epoch * BATCHES + batch)}
                    self._call(callbacks, "on_train_batch_end", batch, logs)
                self._call(callbacks, "on_test_end", {"loss": 0.5})
                logs = {**logs, "val_loss": 1 / (1 + epoch)}
                if fails is not None and epoch == EPOCHS - 1:
                    raise fails
                self._call(callbacks, "on_epoch_end", epoch, logs)
        finally:
            if ends or fails is None:
                self._call(callbacks, "on_train_end", logs)

    def evaluate(self, callbacks: list[Any]) -> None:
        """Tell what it is worth."""
        self._given(callbacks, {"verbose": 0, "epochs": 1, "steps": 1})
        self._call(callbacks, "on_test_end", {"loss": 0.25})

    def _given(self, callbacks: list[Any], params: dict[str, Any]) -> None:
        for each in callbacks:
            each.set_params(params)
            each.set_model(self)

    def _call(self, callbacks: list[Any], hook: str, *told: Any) -> None:
        for each in callbacks:
            getattr(each, hook)(*told)


def check_keras(experiment: Experiment) -> None:
    """What is to be there after `fit`, with all batches and checkpoints."""
    assert (experiment.status, experiment.info.framework) == ("finished", "keras")
    assert {key: experiment.params[key] for key in ("epochs", "steps", "loss")} == {
        "epochs": EPOCHS,
        "steps": BATCHES,
        "loss": "mse",
    }
    assert isinstance(experiment.params["optimizer"], dict)
    assert experiment.params["optimizer"]["learning_rate"] == LR
    epochs: list[int | None] = [0, 1]
    assert steps(experiment) == {
        "batch/loss": [0, 1, 2, 3],
        **dict.fromkeys(("learning_rate", "loss", "val_loss"), epochs),
    }
    assert values(experiment, "learning_rate") == [(0, LR), (1, LR)]
    told = [(each.name, each.step, each.epoch) for each in experiment.checkpoints()]
    assert told == [("01.keras", 0, 0), ("02.keras", 1, 1)]
    for each, (_, loss) in zip(experiment.checkpoints(), values(experiment, "val_loss"), strict=True):
        assert each.metrics["val_loss"] == pytest.approx(loss)
