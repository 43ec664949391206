"""The callback of Keras in Keras itself, and what stands for Keras in other tests held to it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from localreg import Registry
from tests.frameworks import BATCHES, EPOCHS, LR, adapter, shown, values, watched
from tests.frameworks.keras import KERAS_HOOKS, Model, check_keras, keras

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Keras are no concern of ours


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keras, with a backend that is there."""
    there = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
    if not there:
        pytest.skip("there is no backend that Keras can train with")
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", there[0]))
    return pytest.importorskip("keras")


def net(package: Any) -> Any:
    model = package.Sequential([package.Input((4,)), package.layers.Dense(1)])
    model.compile(package.optimizers.SGD(LR), "mse")
    return model


def data() -> tuple[Any, Any]:
    import numpy as np

    inputs = np.random.default_rng(0).random((2 * BATCHES, 4))
    return inputs, inputs.sum(axis=1, keepdims=True)


@pytest.fixture
def module(package: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ours, upon it."""
    return adapter("keras", {}, monkeypatch)


def fit(package: Any, callbacks: list[Any]) -> Any:
    model = net(package)
    model.fit(*data(), epochs=EPOCHS, batch_size=2, validation_data=data(), verbose=0, callbacks=callbacks)
    return model


def test_training_and_evaluation_are_kept(registry: Registry, tmp_path: Path, package: Any, module: Any) -> None:
    callback = module.LocalregCallback(registry, "e", batches=1, checkpoints=tmp_path / "*.keras")
    model = fit(package, [callback, package.callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}.keras")])
    check_keras(callback.experiment)
    summary = callback.experiment.get_artifact("model summary").download(tmp_path / "out").read_text("utf-8")
    assert "Trainable params: 5" in summary
    best = callback.experiment.best_checkpoint("val_loss", mode="min")
    restored = package.models.load_model(best.download(tmp_path / "out"))
    assert restored.count_params() == 5
    model.evaluate(*data(), verbose=0, callbacks=[callback])
    assert callback.experiment.status == "finished"
    assert len(values(callback.experiment, "test/loss")) == 1


def test_an_exception_fails_the_experiment_that_is_handed_over(registry: Registry, package: Any, module: Any) -> None:
    class Fails(package.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise MemoryError("no room on the card")

    with pytest.raises(MemoryError), registry.experiment("e") as experiment:
        fit(package, [module.LocalregCallback(experiment), Fails()])
    assert (experiment.status, (experiment.error or {})["message"]) == ("failed", "no room on the card")


@pytest.mark.usefixtures("module")
def test_the_example_of_the_readme(package: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inputs, targets = data()
    names: dict[str, Any] = {"model": net(package), "inputs": inputs, "targets": targets}
    exec(shown("keras"), names)
    assert names["best"].metrics.keys() >= {"val_loss", "loss"}


def test_what_stands_for_keras_calls_the_same(
    registry: Registry, package: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.LocalregCallback(registry, "real", batches=1)
    called = watched(real, KERAS_HOOKS)
    fit(package, [real])
    with monkeypatch.context() as patch:
        stand_in = adapter("keras", keras(), patch).LocalregCallback(registry, "stand-in", batches=1)
        expected = watched(stand_in, KERAS_HOOKS)
        Model().fit([stand_in])
    assert expected == called
