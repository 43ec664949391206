"""The logger of Lightning in Lightning itself, and what stands for Lightning in other tests held to it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from localreg import Registry
from tests.frameworks import BATCHES, EPOCHS, LR, adapter, shown, values, watched
from tests.frameworks.lightning import LIGHTNING_HOOKS, Trainer, check_lightning, lightning

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of Lightning are no concern of ours


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One of the two packages, as if the other one were not installed."""
    for each in PACKAGES:
        pytest.importorskip(each)
    for each in PACKAGES:
        if each != request.param:
            monkeypatch.setitem(sys.modules, f"{each}.loggers", None)
    return import_module(request.param)


def trainer(package: Any, logger: Any, folder: Path, **options: Any) -> Any:
    saving = package.callbacks.ModelCheckpoint(folder, monitor="val_loss", save_top_k=-1)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    options = {"accelerator": "cpu", "max_epochs": EPOCHS, "log_every_n_steps": 1, "callbacks": [saving], **options}
    return package.Trainer(logger=logger, default_root_dir=folder, **quiet, **options)


def net(package: Any, *, fails_in: int = EPOCHS) -> Any:
    import torch

    class Net(package.LightningModule):  # type: ignore[misc]
        def __init__(self, lr: float = LR) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(4, 1)

        def loss(self, batch: Any) -> Any:
            return self.layer(batch[0]).pow(2).mean()

        def training_step(self, batch: Any, index: int) -> Any:
            loss = self.loss(batch)
            self.log("train_loss", loss)
            if self.current_epoch == fails_in:
                raise MemoryError("no room on the card")
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", self.loss(batch))

        def test_step(self, batch: Any, index: int) -> None:
            self.log("test_loss", self.loss(batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])

    return Net()


def batches() -> Any:
    import torch

    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(torch.randn(2 * BATCHES, 4))
    return torch.utils.data.DataLoader(data, batch_size=2)


def test_training_and_testing_are_kept(
    registry: Registry, tmp_path: Path, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = adapter("lightning", {}, monkeypatch)
    logger = module.LocalregLogger(registry, "e")
    assert isinstance(logger, package.loggers.Logger)
    running = trainer(package, logger, tmp_path / "ckpts")
    model = net(package)
    running.fit(model, batches(), batches())
    check_lightning(logger.experiment)
    best = logger.experiment.best_checkpoint("val_loss", mode="min")
    restored = type(model).load_from_checkpoint(best.download(tmp_path / "out"), map_location="cpu")
    assert restored.hparams["lr"] == LR
    running.test(model, batches())
    assert logger.experiment.status == "finished"
    assert len(values(logger.experiment, "test_loss")) == 1
    with pytest.raises(MemoryError):
        trainer(package, logger, tmp_path / "other").fit(net(package, fails_in=1), batches(), batches())
    assert (logger.experiment.status, (logger.experiment.error or {})["message"]) == ("failed", "no room on the card")


def test_the_example_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("lightning.pytorch")
    monkeypatch.chdir(tmp_path)
    adapter("lightning", {}, monkeypatch)
    names: dict[str, Any] = {"model": net(package), "batches": batches()}
    exec(shown("lightning"), names)
    assert names["best"].metrics.keys() >= {"val_loss", "train_loss"}


def test_what_stands_for_lightning_calls_the_same(
    registry: Registry, tmp_path: Path, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = {}
    for name in ("real", "stand-in"):
        with monkeypatch.context() as patch:
            module = adapter("lightning", lightning() if name == "stand-in" else {}, patch)
            logger = module.LocalregLogger(registry, name)
            called[name] = watched(logger, LIGHTNING_HOOKS)
            folder = tmp_path / name
            folder.mkdir()
            if name == "real":
                trainer(package, logger, folder).fit(net(package), batches(), batches())
            else:
                Trainer(logger, folder).fit({"lr": LR})
    assert called["stand-in"] == called["real"]
