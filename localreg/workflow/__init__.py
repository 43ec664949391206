"""Typed workflows: define the types of a problem, its test cases and suites, and run models on them.

Everything but `define_workflow` is loaded when it is first used, so that who needs annotations alone waits for nothing
else. The vocabulary is in the modules, too: `localreg.workflow.annotation`, `.asset`, `.plot`, `.evaluator` and so on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# At once, and light: loaded later, the module of this name would take the function's place in the package.
from localreg.workflow.define_workflow import define_workflow

if TYPE_CHECKING:
    from localreg.tables.hints import Vector
    from localreg.workflow.annotation import (
        Annotation,
        BitmapMask,
        BoundingBox,
        BoundingBox3D,
        ClassificationLabel,
        Keypoints,
        Keypoints3D,
        Label,
        LabeledBoundingBox,
        LabeledBoundingBox3D,
        LabeledPolygon,
        LabeledTextSegment,
        LabeledTimeSegment,
        Polygon,
        Polyline,
        Polyline3D,
        ScoredBoundingBox,
        ScoredBoundingBox3D,
        ScoredClassificationLabel,
        ScoredLabel,
        ScoredLabeledBoundingBox,
        ScoredLabeledBoundingBox3D,
        ScoredLabeledPolygon,
        ScoredLabeledTextSegment,
        ScoredLabeledTimeSegment,
        ScoredPolygon,
        ScoredTextSegment,
        ScoredTimeSegment,
        SegmentationMask,
        TextSegment,
        TimeSegment,
    )
    from localreg.workflow.data_object import DataObject
    from localreg.workflow.evaluation_results import EvaluationView, SampleResult
    from localreg.workflow.evaluator import (
        Evaluator,
        EvaluatorConfiguration,
        MetricsTestCase,
        MetricsTestSample,
        MetricsTestSuite,
    )
    from localreg.workflow.evaluator_function import (
        BasicEvaluatorFunction,
        EvaluationResults,
        TestCases,
        no_op_evaluator,
    )
    from localreg.workflow.ground_truth import GroundTruth
    from localreg.workflow.inference import Inference
    from localreg.workflow.model import Model
    from localreg.workflow.model_name import ModelName
    from localreg.workflow.plot import AxisConfig, BarPlot, ConfusionMatrix, Curve, CurvePlot, Histogram, Plot
    from localreg.workflow.stored import (
        CaseVersion,
        StoredTestCase,
        StoredTestRun,
        StoredTestSuite,
        StoredWorkflow,
        SuiteMember,
        SuiteVersion,
    )
    from localreg.workflow.test_case import TestCase, TestCaseEditor
    from localreg.workflow.test_run import TestRun, test
    from localreg.workflow.test_sample import (
        Audio,
        BaseVideo,
        Composite,
        Document,
        Image,
        ImagePair,
        ImageText,
        Metadata,
        PointCloud,
        TestSample,
        Text,
        Video,
    )
    from localreg.workflow.test_suite import TestSuite, TestSuiteEditor
    from localreg.workflow.workflow import Workflow

_HOMES = {
    "annotation": (
        "Annotation",
        "BitmapMask",
        "BoundingBox",
        "BoundingBox3D",
        "ClassificationLabel",
        "Keypoints",
        "Keypoints3D",
        "Label",
        "LabeledBoundingBox",
        "LabeledBoundingBox3D",
        "LabeledPolygon",
        "LabeledTextSegment",
        "LabeledTimeSegment",
        "Polygon",
        "Polyline",
        "Polyline3D",
        "ScoredBoundingBox",
        "ScoredBoundingBox3D",
        "ScoredClassificationLabel",
        "ScoredLabel",
        "ScoredLabeledBoundingBox",
        "ScoredLabeledBoundingBox3D",
        "ScoredLabeledPolygon",
        "ScoredLabeledTextSegment",
        "ScoredLabeledTimeSegment",
        "ScoredPolygon",
        "ScoredTextSegment",
        "ScoredTimeSegment",
        "SegmentationMask",
        "TextSegment",
        "TimeSegment",
    ),
    "data_object": ("DataObject",),
    "evaluation_results": ("EvaluationView", "SampleResult"),
    "evaluator": (
        "Evaluator",
        "EvaluatorConfiguration",
        "MetricsTestCase",
        "MetricsTestSample",
        "MetricsTestSuite",
    ),
    "evaluator_function": ("BasicEvaluatorFunction", "EvaluationResults", "TestCases", "no_op_evaluator"),
    "ground_truth": ("GroundTruth",),
    "inference": ("Inference",),
    "model": ("Model",),
    "model_name": ("ModelName",),
    "plot": ("AxisConfig", "BarPlot", "ConfusionMatrix", "Curve", "CurvePlot", "Histogram", "Plot"),
    "stored": (
        "CaseVersion",
        "StoredTestCase",
        "StoredTestRun",
        "StoredTestSuite",
        "StoredWorkflow",
        "SuiteMember",
        "SuiteVersion",
    ),
    "test_case": ("TestCase", "TestCaseEditor"),
    "test_run": ("TestRun", "test"),
    "test_sample": (
        "Audio",
        "BaseVideo",
        "Composite",
        "Document",
        "Image",
        "ImagePair",
        "ImageText",
        "Metadata",
        "PointCloud",
        "TestSample",
        "Text",
        "Video",
    ),
    "test_suite": ("TestSuite", "TestSuiteEditor"),
    "workflow": ("Workflow",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}
_SUBMODULES = {*_HOMES, "asset", "metrics"}

__all__ = [
    "Annotation",
    "Audio",
    "AxisConfig",
    "BarPlot",
    "BaseVideo",
    "BasicEvaluatorFunction",
    "BitmapMask",
    "BoundingBox",
    "BoundingBox3D",
    "CaseVersion",
    "ClassificationLabel",
    "Composite",
    "ConfusionMatrix",
    "Curve",
    "CurvePlot",
    "DataObject",
    "Document",
    "EvaluationResults",
    "EvaluationView",
    "Evaluator",
    "EvaluatorConfiguration",
    "GroundTruth",
    "Histogram",
    "Image",
    "ImagePair",
    "ImageText",
    "Inference",
    "Keypoints",
    "Keypoints3D",
    "Label",
    "LabeledBoundingBox",
    "LabeledBoundingBox3D",
    "LabeledPolygon",
    "LabeledTextSegment",
    "LabeledTimeSegment",
    "Metadata",
    "MetricsTestCase",
    "MetricsTestSample",
    "MetricsTestSuite",
    "Model",
    "ModelName",
    "Plot",
    "PointCloud",
    "Polygon",
    "Polyline",
    "Polyline3D",
    "SampleResult",
    "ScoredBoundingBox",
    "ScoredBoundingBox3D",
    "ScoredClassificationLabel",
    "ScoredLabel",
    "ScoredLabeledBoundingBox",
    "ScoredLabeledBoundingBox3D",
    "ScoredLabeledPolygon",
    "ScoredLabeledTextSegment",
    "ScoredLabeledTimeSegment",
    "ScoredPolygon",
    "ScoredTextSegment",
    "ScoredTimeSegment",
    "SegmentationMask",
    "StoredTestCase",
    "StoredTestRun",
    "StoredTestSuite",
    "StoredWorkflow",
    "SuiteMember",
    "SuiteVersion",
    "TestCase",
    "TestCaseEditor",
    "TestCases",
    "TestRun",
    "TestSample",
    "TestSuite",
    "TestSuiteEditor",
    "Text",
    "TextSegment",
    "TimeSegment",
    "Vector",
    "Video",
    "Workflow",
    "define_workflow",
    "no_op_evaluator",
    "test",
]


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name == "Vector":
        value = globals()[name] = import_module("localreg.tables.hints").Vector
        return value
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
