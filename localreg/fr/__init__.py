"""Face recognition 1:1, ready made: do two images show the same person?

    from localreg.fr import InferenceModel, TestCase, TestSuite, test

A workflow named "Face Recognition 1:1" of `localreg.workflow`, under the names that scripts of hosted clients use. A
model *extracts* an embedding from each image, once, and *compares* the embeddings of each pair. All is loaded when it
is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.fr.model import InferenceModel, Model
    from localreg.fr.test_case import TestCase
    from localreg.fr.test_run import TestRun, test
    from localreg.fr.test_suite import TestSuite

_HOMES = {
    "model": ("InferenceModel", "Model"),
    "test_case": ("TestCase",),
    "test_run": ("TestRun", "test"),
    "test_suite": ("TestSuite",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["InferenceModel", "Model", "TestCase", "TestRun", "TestSuite", "test"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_HOMES})
