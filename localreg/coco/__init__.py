"""COCO JSON in and out: images with boxes and masks, and what models see in them, exactly as the files say it.

    suite = registry.import_coco("instances_val2017.json", suite="val2017")
    registry.import_coco_results("results.json", suite="val2017", model="meadow-5")
    registry.get_model("meadow-5").export_inferences("again.json", suite="val2017")
    registry.export_coco("annotations.json", suite="val2017")

A workflow named "COCO Detection" of `localreg.workflow`, whose classes are here: `Model("meadow-5", infer)` and
`localreg.workflow.test` go on with a suite that was imported. All is loaded when it is first used.

Taken are boxes, polygons, masks (`segmentation`, compressed and not), keypoints, `area`, `iscrowd` and `ignore`; images
without annotations; what else a file says of an image, as its metadata, of an annotation, as extra fields, and at its
head, with the test case. Not taken are captions and panoptic segments. An export has all of that but the extra fields
of annotations. What the COCO tools say of the exported files is what they say of those that were imported: for boxes
and for masks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localreg.coco.types import Detection, Detections, Image, Object, Objects, Segmentation
    from localreg.coco.workflow import Model, TestCase, TestSuite
    from localreg.workflow.test_run import TestRun, test

_HOMES = {
    "localreg.coco.types": ("Detection", "Detections", "Image", "Object", "Objects", "Segmentation"),
    "localreg.coco.workflow": ("Model", "TestCase", "TestSuite"),
    "localreg.workflow.test_run": ("TestRun", "test"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Detection",
    "Detections",
    "Image",
    "Model",
    "Object",
    "Objects",
    "Segmentation",
    "TestCase",
    "TestRun",
    "TestSuite",
    "test",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
