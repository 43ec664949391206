"""Training loggers, upon frameworks in small: what is trained is kept, and nothing that is not kept stops training."""

from __future__ import annotations

import pickle
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import localreg
from localreg import AlreadyExistsError, InvalidInputError, Registry, StorageError
from localreg.experiments import Experiment
from localreg.loggers.frameworks import class_of
from localreg.loggers.plain import numbers, params_of, structure
from localreg.loggers.training import Training
from tests.frameworks import LR, Module, adapter, steps, values
from tests.frameworks.keras import Model, ModelCheckpoint, check_keras, keras
from tests.frameworks.lightning import Trainer, check_lightning, lightning
from tests.frameworks.transformers import HuggingFaceTrainer, check_transformers, transformers

FULL = MemoryError("no room on the card")


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Any:
    """What a test left running is ended, lest the next one finds it."""
    yield
    from localreg.loggers import training

    for each in list(training._RUNNING):
        each.end("the test is over")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "ckpts"
    path.mkdir()
    return path


Run = Callable[..., Any]
"""Trains with a logger of its own, made of the arguments, and returns the logger; `fails=` lets training fail."""


@pytest.fixture(params=["lightning", "keras", "transformers"])
def run(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Each framework."""
    stand_ins = {"lightning": lightning(), "keras": keras(), "transformers": transformers()}
    module = adapter(request.param, stand_ins[request.param], monkeypatch)

    def train(*args: Any, fails: BaseException | None = None, **options: Any) -> Any:
        if request.param == "lightning":
            logger = module.LocalregLogger(*args, **options)
            Trainer(logger, folder).fit({"lr": LR}, fails=fails)
        elif request.param == "keras":
            logger = module.LocalregCallback(*args, checkpoints=folder / "*.keras", **options)
            Model().fit([logger, ModelCheckpoint(folder)], fails=fails)
        else:
            logger = module.LocalregCallback(*args, **options)
            HuggingFaceTrainer(logger, folder).train(fails=fails)
        return logger

    return train


def failure(experiment: Experiment) -> tuple[str, object]:
    return experiment.status, (experiment.error or {}).get("message")


def loss(experiment: Experiment) -> list[int | None]:
    """The steps of the training loss, whatever it is called."""
    found = steps(experiment)
    return next(found[key] for key in ("train_loss", "train/loss", "loss") if key in found)


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_is_kept(registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    absent = {"lightning": None} if package == "pytorch_lightning" else {}
    module = adapter("lightning", {**lightning(package), **absent}, monkeypatch)
    logger = module.LocalregLogger(registry, "lr 0.1 ../b", tags=["night"])
    trainer = Trainer(logger, folder)
    trainer.fit({"lr": LR})
    check_lightning(logger.experiment)
    assert logger.experiment == registry.get_experiment("lr 0.1 ../b")
    assert (logger.name, logger.version) == ("lr_0.1_.._b", logger.experiment.id)
    assert (logger.experiment.tags, logger.experiment.refused) == (["night"], 0)
    trainer.test()
    assert (logger.experiment.status, values(logger.experiment, "test_loss")) == ("finished", [(4, 0.5)])
    actions = [each["action"] for each in registry.audit(kind="experiment").dicts()]
    assert actions == ["create", "update", "finish", "resume", "finish"], "nothing is said twice"


def test_keras_is_kept(registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.joinpath("00.keras").write_text("weights of another time")
    module = adapter("keras", keras(), monkeypatch)
    callback = module.LocalregCallback(registry, "e", batches=1, checkpoints=folder / "*.keras")
    Model().fit([callback, ModelCheckpoint(folder)])
    check_keras(callback.experiment)
    assert callback.experiment.get_artifact("model summary").media_type == "text/plain"
    Model().evaluate([callback])
    assert (callback.experiment.status, values(callback.experiment, "test/loss")) == ("finished", [(None, 0.25)])


def test_keras_is_asked_of_few_batches_or_none(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("keras", keras(), monkeypatch)
    few, none = module.LocalregCallback(registry, "few", batches=3), module.LocalregCallback(registry, "none")
    Model().fit([few, none])
    assert steps(few.experiment)["batch/loss"] == [0, 3]
    assert "batch/loss" not in none.experiment.keys()  # noqa: SIM118 - of series
    assert (few.async_safe, none.async_safe) == (False, True), "Keras does not wait for callbacks that do nothing"


def test_transformers_are_kept(registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("transformers", transformers(), monkeypatch)
    callback = module.LocalregCallback(registry, "e")
    trainer = HuggingFaceTrainer(callback, folder)
    trainer.state.log_history.append({"earlier": 1.0, "step": 0})
    trainer.train()
    callback.on_save(trainer.args, trainer.state, None)
    check_transformers(callback.experiment)
    assert "train/earlier" not in callback.experiment.get_checkpoint("checkpoint-2").metrics
    assert callback.experiment.get_checkpoint("checkpoint-2").content.info.files == 1
    trainer.evaluate()
    assert callback.experiment.status == "finished"
    trainer.predict()
    assert (callback.experiment.status, values(callback.experiment, "test/loss")) == ("finished", [(4, 0.5)])
    actions = [each["action"] for each in registry.audit(kind="experiment").dicts()]
    assert actions == ["create", "update", "finish", *["resume", "finish"] * 2]


def test_the_last_file_is_kept_unless_the_same_weights_are(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = adapter("lightning", lightning(), monkeypatch)
    logger = module.LocalregLogger(registry, "e", strict=True)
    trainer = Trainer(logger, folder, save_last=True)
    trainer.fit({"lr": LR})
    names = ["epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt"]
    assert [each.name for each in logger.experiment.checkpoints()] == names
    trainer.global_step = 6
    trainer.write(folder / "last.ckpt")
    trainer.global_step = 8
    trainer.write(folder / "last.ckpt")
    trainer.write(folder / "last.ckpt")
    assert [each.name for each in logger.experiment.checkpoints()] == [*names, "last.ckpt", "last.ckpt (2)"]


def test_a_checkpoint_without_a_trainer_has_the_step_of_its_name(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = adapter("lightning", lightning(), monkeypatch)
    logger = module.LocalregLogger(registry, "e", strict=True)
    (folder / "epoch=0-step=20.ckpt").write_text("weights")
    paths = {str(folder / "epoch=0-step=20.ckpt"): 0.5, "s3://bucket/remote.ckpt": 0.25}
    saved = SimpleNamespace(monitor="val_loss", current_score=0.5, best_k_models=paths)
    logger.after_save_checkpoint(saved)
    module_alone = Module()
    logger.log_graph(module_alone)
    logger.after_save_checkpoint(saved)
    (checkpoint,) = logger.experiment.checkpoints()
    assert (checkpoint.step, checkpoint.epoch, checkpoint.metrics) == (20, None, {"val_loss": 0.5})


@pytest.mark.parametrize("option", ["checkpoints", "summary"])
def test_what_is_not_wanted_is_not_kept(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    logger = adapter("lightning", lightning(), monkeypatch).LocalregLogger(registry, "l", **{option: False})
    Trainer(logger, folder).fit({"lr": LR})
    callback = adapter("transformers", transformers(), monkeypatch).LocalregCallback(registry, "t", **{option: False})
    HuggingFaceTrainer(callback, folder).train()
    for experiment in (logger.experiment, callback.experiment):
        assert len(experiment.checkpoints()) == (0 if option == "checkpoints" else 2)
        assert len(experiment.artifacts()) == (1 if option == "checkpoints" else 0)


def test_other_processes_than_the_first_keep_nothing(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = adapter("lightning", lightning(rank=1), monkeypatch).LocalregLogger(registry, "l")
    Trainer(logger, folder).fit({"lr": LR})
    assert logger.experiment.log({"x": 1}) is None, "what programs do with it is done by the first alone"
    assert (logger.name, logger.version) == ("l", None)
    callback = adapter("transformers", transformers(), monkeypatch).LocalregCallback(registry, "t")
    HuggingFaceTrainer(callback, folder, rank=1).train()
    torch = SimpleNamespace(is_available=lambda: True, is_initialized=lambda: True, get_rank=lambda: 1)
    jax = SimpleNamespace(process_index=lambda: 1)
    for backend, name, module in (("torch", "torch.distributed", torch), ("jax", "jax", jax)):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, module)
            Model().fit([adapter("keras", keras(backend=backend), patch).LocalregCallback(registry, "k")])
    assert len(registry.experiments()) == 0


# --- its life ---------------------------------------------------------------------------------------------------------


def test_training_goes_on_by_name_and_params_of_the_user_come_first(registry: Registry, run: Run) -> None:
    run(registry, "e", params={"mine": 1})
    with pytest.raises(AlreadyExistsError, match="pass resume=True"):
        run(registry, "e")
    experiment = run(registry.uri, "e", params={"mine": 2, "output_dir": "here"}, resume=True).experiment
    assert experiment.status == "finished"
    assert {"mine": 2, "output_dir": "here"}.items() <= experiment.params.items()
    assert len(loss(experiment)) in (4, 8), "twice two epochs"
    assert len(registry.experiments()) == 1


def test_a_running_experiment_is_ended_by_its_owner(registry: Registry, run: Run) -> None:
    with registry.experiment("e") as experiment:
        run(experiment)
        assert failure(experiment) == ("running", None)
        experiment.log({"mine": 1.0}, step=9)
    assert failure(experiment) == ("finished", None)
    assert len(loss(experiment)) in (2, 4)
    assert steps(experiment)["mine"] == [9]


def test_an_experiment_that_ended_goes_on_and_ends_again(registry: Registry, run: Run) -> None:
    with registry.experiment("e") as experiment:
        pass
    again = registry.get_experiment("e")
    assert run(again).experiment is again
    assert experiment.status == "finished"
    assert len(loss(experiment)) in (2, 4)


def test_an_exception_fails_the_experiment_that_is_handed_over(registry: Registry, run: Run) -> None:
    experiment = registry.experiment("e")
    with pytest.raises(MemoryError), experiment:
        run(experiment, fails=FULL)
    assert failure(experiment) == ("failed", "no room on the card")


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt("enough")], ids=lambda error: type(error).__name__)
def test_lightning_tells_what_training_failed_with(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    logger = adapter("lightning", lightning(), monkeypatch).LocalregLogger(registry, "e")
    with pytest.raises(type(error)):
        Trainer(logger, folder).fit({"lr": LR}, fails=error)
    assert failure(logger.experiment) == ("failed", str(error))
    assert (logger.experiment.error or {})["type"] == type(error).__name__
    logger.log_metrics({"x": 1.0}, step=5)
    logger.finalize("aborted")
    assert failure(logger.experiment) == ("failed", "training ended: aborted")


def test_a_backend_of_keras_that_ends_in_spite_of_an_exception_tells_it(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = adapter("keras", keras(backend="jax"), monkeypatch)
    callback = module.LocalregCallback(registry, "e")
    with pytest.raises(MemoryError):
        Model().fit([callback], fails=FULL, ends=True)
    assert failure(callback.experiment) == ("failed", "no room on the card")
    try:
        raise FULL
    except MemoryError:
        Model().fit([callback], ends=True)
    assert callback.experiment.status == "finished", "another exception is no failure of this training"


def test_a_cell_that_failed_and_is_run_again_goes_on(registry: Registry, run: Run) -> None:
    with pytest.raises(MemoryError):
        run(registry, "e", fails=FULL, resume=True)
    experiment = run(registry, "e", resume=True).experiment
    assert (experiment.status, experiment.error) == ("finished", None)
    assert registry.audit(kind="experiment").dicts()[-1]["action"] == "finish"
    assert registry.verify().ok


@pytest.mark.parametrize(
    ("unended", "end", "expected"),
    [
        ("the process ended early", "raise RuntimeError('out of memory')", ("failed", "out of memory")),
        ("the process ended early", "raise SystemExit(3)", ("failed", "the process ended early")),
        ("the process ended early", "training.end()", ("finished", None)),
        (None, "pass", ("finished", None)),
    ],
)
def test_the_end_of_the_process_ends_what_no_framework_ended(
    registry: Registry, tmp_path: Path, unended: str | None, end: str, expected: tuple[str, str | None]
) -> None:
    lines = [
        "from localreg.loggers.training import Training",
        f"place, unended = {registry.uri!r}, {unended!r}",
        "training = Training(place, 'e', {'code': False}, framework='f', strict=True, unended=unended)",
        "training.log({'loss': 0.5}, step=0)",
        end,
    ]
    subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=Path(localreg.__file__).parents[1], capture_output=True
    )
    experiment = registry.get_experiment("e")
    assert failure(experiment) == expected
    assert values(experiment, "loss") == [(0, 0.5)]


def test_processes_that_a_framework_starts_go_on_with_one_experiment(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = adapter("lightning", lightning(), monkeypatch)
    monkeypatch.setattr(module.LocalregLogger, "__module__", module.__name__)
    logger = module.LocalregLogger(registry.uri, "e")
    for training in range(2):
        trainer = Trainer(pickle.loads(pickle.dumps(logger)), folder)
        trainer.fit({"lr": LR})
        assert len(loss(logger.experiment)) == 4 * (training + 1)
        assert logger.experiment.status == "finished", "it is looked at, not begun again"
    with pytest.raises(InvalidInputError, match="give the logger its address, and a name"):
        pickle.dumps(module.LocalregLogger(registry, "f"))


def test_a_logger_that_was_sent_to_a_process_which_did_not_come_to_it_begins_itself(registry: Registry) -> None:
    training = Training(registry.uri, "e", {}, framework="f", strict=True, unended=None)
    pickle.dumps(training)
    assert training.experiment.status == "running"


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_what_cannot_be_kept_stops_no_training(
    registry: Registry, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StorageError("the share is gone")

    with monkeypatch.context() as patch:
        for name in ("log_params", "log_model_summary", "checkpoint", "finish"):
            patch.setattr(Experiment, name, broken)
        experiment = run(registry, "e").experiment
        assert len(loss(experiment)) in (2, 4)
        for what in ("hyperparameters", "model summary", "its end", "checkpoint '"):
            assert f"experiment 'e': {what}" in caplog.text
        assert caplog.text.count("hyperparameters") == 1
        with pytest.raises(StorageError, match="the share is gone"):
            run(registry, "strict", strict=True)


def test_a_value_that_cannot_be_logged_keeps_no_other_from_it(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training(registry, "e", {}, framework="f", strict=False, unended=None)
    for step in range(2):
        training.log({"loss": 0.5, "odd": object(), "none": None, "matrix": np.eye(2), "text": "a"}, step=step)
    assert set(steps(training.experiment)) == {"loss", "matrix", "text"}
    assert (caplog.text.count("metric 'odd' is"), caplog.text.count("metric 'none' is")) == (1, 1)
    strict = Training(registry, "strict", {}, framework="f", strict=True, unended=None)
    with pytest.raises(InvalidInputError, match="metric 'odd' is"):
        strict.log({"odd": object()}, step=0)


def test_what_cannot_begin_raises_before_anything_is_trained(registry: Registry, run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no registry")
    with pytest.raises(localreg.LocalregError):
        run(tmp_path / "notes.txt", "e")
    with pytest.raises(localreg.ReadOnlyError):
        run(registry.at(commit=0), "e")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "name of the experiment is of type NoneType"),
        ((3, "e"), {}, "registry is 3; give an experiment, a registry, or a path"),
        (("reg", "e"), {"parms": {}}, "no option 'parms'; did you mean 'params'"),
        (("reg", "e"), {"strict": 1}, "strict"),
        (("reg", "e"), {"summary": "no"}, "summary"),
    ],
)
def test_bad_arguments_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    for name, stand_ins in (("lightning", lightning()), ("keras", keras()), ("transformers", transformers())):
        module = adapter(name, stand_ins, monkeypatch)
        with pytest.raises(InvalidInputError, match=message):
            getattr(module, module.__all__[0])(*arguments, **options)


@pytest.mark.parametrize("options", [{"batches": 0}, {"batches": 1.5}, {"checkpoints": True}])
def test_bad_arguments_for_keras_are_told_at_once(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        adapter("keras", keras(), monkeypatch).LocalregCallback("reg", "e", **options)


def test_an_experiment_has_its_name_already(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("keras", keras(), monkeypatch)
    with registry.experiment("e") as experiment:
        for options in ({"name": "f"}, {"tags": ["x"]}):
            with pytest.raises(InvalidInputError, match="has its name and options"):
                module.LocalregCallback(experiment, **options)


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("lightning", ("lightning", "lightning.pytorch", "lightning.pytorch.loggers", "pytorch_lightning.loggers")),
        ("keras", ("keras", "keras.callbacks")),
        ("transformers", ("transformers",)),
    ],
)
def test_a_framework_that_is_not_installed_is_told_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch, name: str, absent: tuple[str, ...]
) -> None:
    module = adapter(name, dict.fromkeys(absent), monkeypatch)
    with pytest.raises(InvalidInputError, match=rf"{name} .*: pip install 'localreg-registry\[{name}\]'") as caught:
        getattr(module, module.__all__[0])("reg", "e")
    assert isinstance(caught.value.__cause__, ImportError)


def test_a_framework_that_lacks_what_it_needs_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import no_such_backend\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = class_of("Callback", ["half_installed"], extra="keras")
    with pytest.raises(InvalidInputError, match=r"cannot be imported \(No module named 'no_such_backend'\)"):
        found(1, name="x")


def test_the_package_that_is_loaded_already_is_built_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("json.decoder", "tests_second.loggers"):
        module = ModuleType(place)
        module.Logger = type(place, (), {})  # type: ignore[attr-defined]
        if place != "json.decoder":
            monkeypatch.setitem(sys.modules, place, module)
    places = ["no_such_package.loggers", "tests_second.loggers"]
    assert class_of("Logger", places, extra="x").__name__ == "tests_second.loggers"
    monkeypatch.setitem(sys.modules, "tests_second", ModuleType("tests_second"))
    first = ModuleType("tests_first.loggers")
    first.Logger = type("first", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_first.loggers", first)
    places = ["tests_first.loggers", "tests_second.loggers"]
    assert class_of("Logger", places, extra="x").__name__ == "tests_second.loggers"
    monkeypatch.setitem(sys.modules, "tests_first", ModuleType("tests_first"))
    assert class_of("Logger", places, extra="x").__name__ == "first"


# --- what is handed over ----------------------------------------------------------------------------------------------


class Kind(Enum):
    SMALL = Path("small")


@dataclass
class Settings:
    rate: float
    act: Any


class Tensor:
    ndim = 0

    def item(self) -> float:
        return 0.5


def test_hyperparameters_that_json_cannot_hold_are_text() -> None:
    given: Any = {
        "plain": {"a": [1, 2.5, None, True]},
        "nan": float("nan"),
        "path": Path("data") / "x",
        "kind": Kind.SMALL,
        "settings": Settings(0.1, len),
        "set": {1},
        "tuple": (np.float32(0.5), Path("y")),
        "class": Settings,
        "object": object(),
        "lone": "\ud800",
        "long": Exception("x" * 5_000),
        "tensor": Tensor(),
        "space": Namespace(lr=0.1, data=Path("z")),
        3: "three",
    }
    told = params_of(given)
    assert told.pop("long") == "x" * 1_000
    assert told == {
        "plain": {"a": [1, 2.5, None, True]},
        "nan": "nan",
        "path": str(Path("data") / "x"),
        "kind": "small",
        "settings": {"rate": 0.1, "act": "builtins.len"},
        "set": [1],
        "tuple": [0.5, "y"],
        "class": f"{__name__}.Settings",
        "object": "builtins.object",
        "lone": "\\ud800",
        "tensor": 0.5,
        "space": {"lr": 0.1, "data": "z"},
        "3": "three",
    }
    assert params_of(Namespace(lr=0.1)) == {"lr": 0.1}
    ring: list[Any] = []
    ring.append(ring)
    assert "[...]" in str(params_of({"ring": ring}))


def test_of_metrics_the_numbers_are_told_with_a_checkpoint() -> None:
    given: Any = {
        "a": 1,
        "b": np.float32(0.5),
        "c": "0.5",
        "d": [1],
        "e": None,
        "f": np.array([1, 2]),
        "g": b"1",
        3: True,
    }
    assert numbers(given) == {"a": 1.0, "b": 0.5, "3": 1.0}


def test_the_structure_of_a_module_tells_its_parameters() -> None:
    assert structure(Module()).endswith("out_features=1)\n\n5 parameters, 4 of them trained\n")

    class Lazy(Module):
        def parameters(self) -> list[Any]:
            raise ValueError("uninitialized")

    assert structure(Lazy()) == "Linear(in_features=4, out_features=1)"
