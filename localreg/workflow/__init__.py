"""Typed workflows: define the types of a problem, its test cases and suites, and run models on them."""

from localreg.workflow.annotation import ClassificationLabel, Label, ScoredClassificationLabel, ScoredLabel
from localreg.workflow.define_workflow import define_workflow
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.model import Model
from localreg.workflow.stored import StoredTestCase, StoredTestRun, StoredTestSuite, StoredWorkflow
from localreg.workflow.test_case import TestCase
from localreg.workflow.test_run import TestRun, test
from localreg.workflow.test_sample import Metadata, TestSample
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.workflow import Workflow

__all__ = [
    "ClassificationLabel",
    "GroundTruth",
    "Inference",
    "Label",
    "Metadata",
    "Model",
    "ScoredClassificationLabel",
    "ScoredLabel",
    "StoredTestCase",
    "StoredTestRun",
    "StoredTestSuite",
    "StoredWorkflow",
    "TestCase",
    "TestRun",
    "TestSample",
    "TestSuite",
    "Workflow",
    "define_workflow",
    "test",
]
