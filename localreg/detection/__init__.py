"""Object detection, ready made: boxes, masks and labels in images.

    from localreg.detection import InferenceModel, TestCase, TestImage, TestSuite, test
    from localreg.detection import ground_truth, inference

A workflow named "Object Detection" of `localreg.workflow`, under the names that scripts of hosted clients use. All is
loaded when it is first used. The modules `ground_truth` and `inference` hold the annotations.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.detection.ground_truth import GroundTruth
    from localreg.detection.inference import Inference
    from localreg.detection.test_image import TestImage
    from localreg.detection.workflow import InferenceModel, Model, TestCase, TestRun, TestSuite, test

_HOMES = {
    "ground_truth": ("GroundTruth",),
    "inference": ("Inference",),
    "test_image": ("TestImage",),
    "workflow": ("InferenceModel", "Model", "TestCase", "TestRun", "TestSuite", "test"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "GroundTruth",
    "Inference",
    "InferenceModel",
    "Model",
    "TestCase",
    "TestImage",
    "TestRun",
    "TestSuite",
    "test",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_HOMES})
