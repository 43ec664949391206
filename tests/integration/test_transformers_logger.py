"""The callback of Transformers in Transformers itself, and what stands for them in other tests held to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localreg import Registry
from tests.frameworks import BATCHES, EPOCHS, LR, adapter, shown, values, watched
from tests.frameworks.transformers import TRANSFORMERS_HOOKS, HuggingFaceTrainer, check_transformers, transformers

pytestmark = pytest.mark.filterwarnings("ignore")  # those of Transformers are no concern of ours


@pytest.fixture
def package() -> Any:
    for each in ("torch", "accelerate"):
        pytest.importorskip(each)
    return pytest.importorskip("transformers")


@pytest.fixture
def module(package: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ours, upon it."""
    return adapter("transformers", {}, monkeypatch)


def trainer(package: Any, callback: Any, folder: Path, **options: Any) -> Any:
    import torch

    torch.manual_seed(0)
    small = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16}
    config = package.BertConfig(vocab_size=20, hidden_size=8, **small)
    data = [{"input_ids": torch.arange(6), "labels": torch.tensor(place % 2)} for place in range(2 * BATCHES)]
    args = package.TrainingArguments(
        str(folder),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=2,
        learning_rate=LR,
        lr_scheduler_type="constant",
        logging_steps=1,
        eval_strategy="epoch",
        save_strategy="epoch",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        hub_token="a secret",
        **options,
    )
    model = package.BertForSequenceClassification(config)
    return package.Trainer(model, args, train_dataset=data, eval_dataset=data, callbacks=[callback])


def test_training_evaluation_and_prediction_are_kept(
    registry: Registry, tmp_path: Path, package: Any, module: Any
) -> None:
    callback = module.LocalregCallback(registry, "e")
    running = trainer(package, callback, tmp_path / "out")
    running.train()
    check_transformers(callback.experiment)
    best = callback.experiment.best_checkpoint("eval/loss", mode="min").download(tmp_path / "best")
    assert package.BertForSequenceClassification.from_pretrained(best).config.hidden_size == 8
    running.evaluate()
    running.predict(running.eval_dataset)
    assert callback.experiment.status == "finished"
    assert len(values(callback.experiment, "eval/loss")) == EPOCHS + 1
    assert len(values(callback.experiment, "test/loss")) == 1
    resumed = module.LocalregCallback(registry, "e", resume=True)
    trainer(package, resumed, tmp_path / "out", max_steps=6).train(resume_from_checkpoint=True)
    assert [step for step, _ in values(resumed.experiment, "train/loss")] == [1, 2, 3, 4, 5, 6]
    assert [each.name for each in resumed.experiment.checkpoints()][-1] == "checkpoint-6"


def test_an_exception_fails_the_experiment_that_is_handed_over(
    registry: Registry, tmp_path: Path, package: Any, module: Any
) -> None:
    class Fails(package.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            raise MemoryError("no room on the card")

    def train() -> None:
        with experiment:
            running = trainer(package, module.LocalregCallback(experiment), tmp_path / "out")
            running.add_callback(Fails())
            running.train()

    experiment = registry.experiment("e")
    with pytest.raises(MemoryError):
        train()
    assert (experiment.status, (experiment.error or {})["message"]) == ("failed", "no room on the card")


@pytest.mark.usefixtures("module")
def test_the_example_of_the_readme(package: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    like = trainer(package, package.TrainerCallback(), tmp_path / "out")
    names: dict[str, Any] = {"model": like.model, "arguments": like.args, "data": like.train_dataset}
    exec(shown("transformers"), names)
    assert names["experiment"].status == "finished"
    assert names["best"].metrics.keys() >= {"eval/loss", "train/loss"}


def test_what_stands_for_transformers_calls_the_same(
    registry: Registry, tmp_path: Path, package: Any, module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.LocalregCallback(registry, "real")
    called = watched(real, TRANSFORMERS_HOOKS)
    running = trainer(package, real, tmp_path / "real")
    running.train()
    running.predict(running.eval_dataset)
    with monkeypatch.context() as patch:
        stand_in = adapter("transformers", transformers(), patch).LocalregCallback(registry, "stand-in")
        expected = watched(stand_in, TRANSFORMERS_HOOKS)
        small = HuggingFaceTrainer(stand_in, tmp_path / "stand-in")
        small.train()
        small.predict()
    assert expected == called
