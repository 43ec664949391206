"""`define_workflow`: three types in, four names out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.test_sample import TestSample

if TYPE_CHECKING:
    from localreg.workflow.model import Model
    from localreg.workflow.test_case import TestCase
    from localreg.workflow.test_suite import TestSuite
    from localreg.workflow.workflow import Workflow

__all__ = ["bound_classes", "define_workflow"]

SampleT = TypeVar("SampleT", bound=TestSample)
TruthT = TypeVar("TruthT", bound=GroundTruth)
InferenceT = TypeVar("InferenceT", bound=Inference)


def define_workflow(
    name: str, test_sample_type: type[SampleT], ground_truth_type: type[TruthT], inference_type: type[InferenceT]
) -> tuple[Workflow, type[TestCase[SampleT, TruthT]], type[TestSuite], type[Model[SampleT, TruthT, InferenceT]]]:
    """The workflow and its test case, test suite and model classes. Opens and writes nothing.

    Args:
        name: of the workflow; unique in a namespace.
        test_sample_type: a frozen dataclass that subclasses `TestSample`.
        ground_truth_type: a frozen dataclass that subclasses `GroundTruth`.
        inference_type: a frozen dataclass that subclasses `Inference`.

    Raises:
        InvalidInputError: a blank name, or a field whose type cannot be stored.
    """
    from localreg.workflow.workflow import Workflow

    workflow = Workflow(name, test_sample_type, ground_truth_type, inference_type)
    return workflow, *bound_classes(workflow)


def bound_classes(workflow: Workflow) -> tuple[type[TestCase[Any, Any]], type[TestSuite], type[Model[Any, Any, Any]]]:
    """The classes of test cases, test suites and models of a workflow."""
    from localreg.workflow.model import Model
    from localreg.workflow.test_case import TestCase
    from localreg.workflow.test_suite import TestSuite

    bound: dict[str, Any] = {"workflow": workflow}
    case = type("TestCase", (TestCase,), {**bound, "__doc__": TestCase.__doc__})
    suite = type("TestSuite", (TestSuite,), {**bound, "test_case_class": case, "__doc__": TestSuite.__doc__})
    model = type("Model", (Model,), {**bound, "__doc__": Model.__doc__})
    return case, suite, model
