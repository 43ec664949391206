"""Training frameworks in small: the hooks that they call, in their order and with their arguments.

With these the loggers are tested everywhere; `tests/integration/test_*_logger.py` hold them to the frameworks, where
these are installed. Each trains two epochs of two batches, with a validation and a checkpoint after each epoch.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import localreg
from localreg.experiments import Experiment

EPOCHS, BATCHES = 2, 2
LR = 0.125
"""A float of 32 bits, too."""

Call = tuple[object, ...]
"""A hook's name, and what it was told: numbers, texts and names of mappings."""


def adapter(name: str, stand_ins: Mapping[str, Any], patch: pytest.MonkeyPatch) -> Any:
    """A module of `localreg.loggers`, loaded anew upon stand-ins by their module's name; None = not installed."""
    for path, names in stand_ins.items():
        module = None if names is None else ModuleType(path)
        if module is not None:
            vars(module).update(names)
        patch.setitem(sys.modules, path, module)
    path = f"localreg.loggers.{name}"
    spec = spec_from_file_location(path, Path(localreg.__file__).parent / "loggers" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    patch.setitem(sys.modules, path, module)
    spec.loader.exec_module(module)
    return module


def watched(logger: Any, hooks: Iterable[str]) -> list[Call]:
    """What a framework calls on a logger from now on, of some hooks."""
    calls: list[Call] = []

    def watch(hook: str) -> None:
        original = getattr(logger, hook)

        def call(*args: Any, **options: Any) -> Any:
            said = [_told(each) for each in (*args, *(options[name] for name in sorted(options)))]
            calls.append((hook, *(each for each in said if each is not None)))
            return original(*args, **options)

        setattr(logger, hook, call)

    for hook in hooks:
        watch(hook)
    return calls


def _told(value: Any) -> object:
    if isinstance(value, Mapping):
        return tuple(sorted(value)) or None
    if hasattr(value, "log_history"):  # the state of a trainer of Transformers
        return value.global_step
    return value if isinstance(value, int | str) else None


def shown(framework: str) -> str:
    """The example of the README for a framework."""
    text = Path(localreg.__file__).parents[1].joinpath("README.md").read_text("utf-8")
    (block,) = [
        each for each in re.findall(r"^```py\n(.*?)^```$", text, re.M | re.S) if f"loggers.{framework} " in each
    ]
    return str(block)


def values(experiment: Experiment, key: str) -> list[tuple[int | None, float]]:
    """Step and value of the points of a series."""
    return [(row["step"], row["value"]) for row in experiment.points(key)]


def steps(experiment: Experiment) -> dict[str, list[int | None]]:
    """Of each series."""
    names: list[str] = experiment.keys()
    return {key: [step for step, _ in values(experiment, key)] for key in names}


class Module:
    """What is trained, as PyTorch prints it and counts its parameters."""

    def __init__(self, *, trainer: Any = None, config: Any = None) -> None:
        self._trainer, self.config = trainer, config

    @property
    def trainer(self) -> Any:
        if self._trainer is None:
            raise RuntimeError("Module is not attached to a `Trainer`.")
        return self._trainer

    def __str__(self) -> str:
        return "Linear(in_features=4, out_features=1)"

    def parameters(self) -> list[Any]:
        return [SimpleNamespace(numel=lambda size=size: size, requires_grad=size > 1) for size in (4, 1)]
