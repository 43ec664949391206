"""Image classification, ready made: the labels of an image, and those that a model gives it.

    from localreg.classification import InferenceModel, TestCase, TestImage, TestSuite, test

A workflow named "Classification" of `localreg.workflow`, under the names that scripts of hosted clients use. All is
loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.classification.test_image import TestImage
    from localreg.classification.workflow import InferenceModel, Model, TestCase, TestRun, TestSuite, test

_HOMES = {
    "test_image": ("TestImage",),
    "workflow": ("InferenceModel", "Model", "TestCase", "TestRun", "TestSuite", "test"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["InferenceModel", "Model", "TestCase", "TestImage", "TestRun", "TestSuite", "test"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_HOMES})
