"""Workflows, test cases, test suites and test runs."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from localreg.records.base import Record

__all__ = [
    "EvaluationRecord",
    "TestCaseRecord",
    "TestCaseVersionRecord",
    "TestRunRecord",
    "TestSuiteRecord",
    "TestSuiteVersionRecord",
    "WorkflowRecord",
]


class WorkflowRecord(Record):
    """A problem type, with the schemas of its three types, so that the data can be read without the classes."""

    kind: ClassVar[str] = "workflow"

    test_sample: dict[str, Any]
    """Schema of a test sample: see `localreg.tables.schema`."""

    ground_truth: dict[str, Any]
    """Schema of a ground truth."""

    inference: dict[str, Any]
    """Schema of an inference."""


class _CaseOrSuiteRecord(Record):
    workflow: str
    """Id of the workflow."""

    version: int = 0
    """The newest version: 0 is empty, +1 with each effective edit."""

    description: str | None = None
    """Free text."""

    archived: bool = False
    """Hidden from listings, unless asked for."""


class TestCaseRecord(_CaseOrSuiteRecord):
    """A named, versioned set of (test sample, ground truth)."""

    __test__ = False
    kind: ClassVar[str] = "test_case"


class TestSuiteRecord(_CaseOrSuiteRecord):
    """A named, versioned list of test cases."""

    __test__ = False
    kind: ClassVar[str] = "test_suite"

    tags: list[str] = Field(default_factory=list)
    """Sorted, unique."""


class TestCaseVersionRecord(Record):
    """One version of a test case. `name` is the number; it owns the files of table `ground_truths`."""

    __test__ = False
    kind: ClassVar[str] = "test_case_version"

    test_case: str
    """Id of the test case."""

    samples: int
    """How many it holds."""

    details: dict[str, Any] = Field(default_factory=dict)
    """What belongs to all of its samples together: under `coco` the head of the COCO file that they came from."""

    @property
    def parent(self) -> str:
        """Version numbers are unique within a test case."""
        return self.test_case


class TestSuiteVersionRecord(Record):
    """One version of a test suite. `name` is the number."""

    __test__ = False
    kind: ClassVar[str] = "test_suite_version"

    test_suite: str
    """Id of the test suite."""

    test_cases: list[str]
    """Ids of test case versions, in the order of adding."""

    baseline: list[str] | None = None
    """Those among them by which thresholds are set, for the others too; None = all of them."""

    @property
    def parent(self) -> str:
        """Version numbers are unique within a test suite."""
        return self.test_suite


class TestRunRecord(Record):
    """One model version on one version of a suite, with one evaluator. `name`: `suite@version evaluator`."""

    __test__ = False
    kind: ClassVar[str] = "test_run"

    model: str
    """Id of the model."""

    model_version: str
    """Id of the model version."""

    test_suite_version: str
    """Id of the suite's version."""

    evaluator: str | None = None
    """Display name of the evaluator; None = none, or the one that the types decide."""

    fingerprint: dict[str, Any] = Field(default_factory=dict)
    """The code that ran: Python, platform, packages, git commit."""

    @property
    def parent(self) -> str:
        """A model version runs a suite version once per evaluator."""
        return self.model_version


class EvaluationRecord(Record):
    """What the evaluator of a test run said with one configuration, or without any; `name` is for people.

    It owns the files of tables `sample_metrics`, `metric_values` and `plots`. One that is made anew takes the place of
    the one before, which is removed.
    """

    kind: ClassVar[str] = "evaluation"

    test_run: str
    """Id of the test run."""

    configuration: str | None = None
    """Display name of the configuration; None = without any."""

    settings: dict[str, Any] | None = None
    """What the configuration says; None = without any."""

    key: str | None = None
    """Digest of all that the results hang on; None = unknown, so that they are made anew each time."""

    samples: dict[str, int] = Field(default_factory=dict)
    """How many samples: `evaluated`, `skipped` (of these), `failed` and `missing` (beside these)."""

    @property
    def parent(self) -> str:
        """A run is evaluated once with each configuration."""
        return self.test_run
