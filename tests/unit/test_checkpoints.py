"""Checkpoints: weights at a step, the last and the best of them, and the versions that they become."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError, Registry
from localreg.artifacts import upload
from localreg.experiments import Checkpoint, Experiment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def disk(folder: Path) -> Registry:
    return localreg.open(folder)


def trained(registry: Registry, losses: list[float], name: str = "e") -> Experiment:
    """An experiment with a checkpoint at each step, of which it logged a loss."""
    with registry.experiment(name) as experiment:
        for step, loss in enumerate(losses):
            experiment.log({"val_loss": loss}, step=step)
            experiment.checkpoint(f"weights {step}".encode(), step=step)
    return experiment


def test_weights_come_back_and_are_named_in_one_commit(disk: Registry, tmp_path: Path) -> None:
    weights = tmp_path / "net.pt"
    weights.write_bytes(b"first")
    experiment = disk.experiment("e")
    commit = disk.commit
    saved = experiment.checkpoint(weights, step=3, epoch=1, metrics={"acc": 0.5, "nan": math.nan}, metadata={"a": 1})
    assert disk.commit == commit + 1
    assert (saved.name, saved.step, saved.epoch) == ("epoch 1, step 3", 3, 1)
    assert (saved.metrics, saved.metadata, saved.experiment) == ({"acc": 0.5, "nan": None}, {"a": 1}, experiment)
    assert saved.download(tmp_path / "out") == tmp_path / "out" / "net.pt"
    assert (tmp_path / "out" / "net.pt").read_bytes() == b"first"
    saved.upload(b"more", name="optimizer")
    assert saved.content.name == "net.pt", "the weights are what was saved first"
    assert [(row["owner"], row["name"]) for row in disk.artifacts()] == [
        ("e: epoch 1, step 3", "net.pt"),
        ("e: epoch 1, step 3", "optimizer"),
    ]
    row = disk.checkpoints("metrics.acc = 0.5").dicts()[0]
    assert (row["experiment"], row["name"], row["step"], row["versions"]) == ("e", "epoch 1, step 3", 3, [])
    experiment.finish()
    assert disk.verify().ok


def test_the_last_and_the_best_are_found(registry: Registry) -> None:
    experiment = trained(registry, [0.9, 0.2, math.nan, 0.5])
    assert [each.step for each in experiment.checkpoints()] == [0, 1, 2, 3]
    last = experiment.latest_checkpoint()
    assert last is not None
    assert last.step == 3
    assert experiment.best_checkpoint("val_loss", mode="min").step == 1
    assert experiment.best_checkpoint("val_loss", mode="max").step == 0
    experiment.checkpoint(b"", name="said", metrics={"val_loss": 0.1})
    assert experiment.best_checkpoint("val_loss", mode="min").name == "said"
    with pytest.raises(NotFoundError, match=r"of no checkpoint of .* 'acc' is known"):
        experiment.best_checkpoint("acc", mode="max")
    with pytest.raises(InvalidInputError, match="mode is 'best'"):
        experiment.best_checkpoint("val_loss", mode="best")  # type: ignore[arg-type]
    assert registry.experiment("none").latest_checkpoint() is None


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({}, InvalidInputError, "a checkpoint has no name; say step=, epoch= or name="),
        ({"step": "x"}, InvalidInputError, "step is 'x'"),
        ({"epoch": 0.5}, InvalidInputError, "epoch is 0.5"),
        ({"step": 1, "metrics": {"acc": "high"}}, InvalidInputError, "metric 'acc' is 'high'; write a number"),
        ({"step": 0}, AlreadyExistsError, "has a checkpoint 'step 0' already; say another step"),
    ],
)
def test_what_is_no_checkpoint_is_refused(registry: Registry, said: Any, error: Any, message: str) -> None:
    experiment = trained(registry, [0.5])
    with pytest.raises(error, match=message):
        experiment.checkpoint(b"", **said)
    assert len(registry.checkpoints()) == len(registry.artifacts()) == 1


def test_nothing_is_half_saved(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = registry.experiment("e")

    def fail(*_: object, **__: object) -> None:
        raise InvalidInputError("no artifact")

    monkeypatch.setattr(upload.Stored, "name_in", fail)
    with pytest.raises(InvalidInputError, match="no artifact"):
        experiment.checkpoint(b"x", step=1)
    assert len(registry.checkpoints()) == len(registry.artifacts()) == 0


def promoted(registry: Registry) -> Checkpoint:
    registry.create_model("m")
    checkpoint = trained(registry, [0.5, 0.25]).best_checkpoint("val_loss", mode="min")
    checkpoint.promote("m", 1, metadata={"note": "x"})
    return checkpoint


def test_a_promotion_makes_a_version_and_says_of_what(registry: Registry) -> None:
    checkpoint = promoted(registry)
    version = registry.get_version("m@1")
    assert (version.metadata, version.info.checkpoint) == ({"note": "x"}, checkpoint.id)
    (event,) = registry.audit(kind="model_version").dicts()
    assert (event["action"], event["details"]) == ("promote", {"experiment": "e", "checkpoint": "step 1"})
    assert registry.checkpoints("name = 'step 1'").dicts()[0]["versions"] == ["m@1"]
    with pytest.raises(AlreadyExistsError, match="model 'm' has a version '1' already"):
        checkpoint.promote("m", "1")
    registry.get_model("m").set_alias("production", "1")
    with pytest.raises(AlreadyExistsError, match="has an alias 'production'"):
        checkpoint.promote("m", "production")
    with pytest.raises(NotFoundError, match="no model 'n'"):
        checkpoint.promote("n", "1")


def test_what_versions_were_made_of_stands_in_the_way_of_its_end(registry: Registry) -> None:
    checkpoint = promoted(registry)
    with pytest.raises(ConflictError, match=r"checkpoint 'e@step 1' cannot be deleted: .*'m@1' depends on it"):
        checkpoint.delete()
    with pytest.raises(ConflictError, match="experiment 'e' cannot be deleted"):
        checkpoint.experiment.delete()
    commit = registry.commit
    checkpoint.experiment.delete(force=True)
    assert [f"{row['action']} {row['kind']} {row['name']}" for row in registry.audit(since=commit)] == [
        "delete artifact checkpoint",
        "delete checkpoint step 0",
        "delete model_version 1",
        "delete artifact checkpoint",
        "delete checkpoint step 1",
        "delete experiment e",
    ]
    registry.undo(registry.commit)
    assert registry.checkpoints("name = 'step 1'").dicts()[0]["versions"] == ["m@1"]
    assert checkpoint.content.sha256 is not None
