"""Evaluators as classes, and the metrics that evaluators of either form give.

Metrics are frozen dataclasses. A class of metrics may hold others, such as one for each class that is told apart:

    @dataclass(frozen=True)
    class OfOneClass(MetricsTestCase):
        label: str
        recall: float

    @dataclass(frozen=True)
    class OfTheCase(MetricsTestCase):
        macro_recall: float
        by_class: list[OfOneClass]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localreg.errors import InvalidInputError
from localreg.names import check_name, shown_value
from localreg.workflow.plot import (  # scripts import them from here, too
    AxisConfig,
    BarPlot,
    ConfusionMatrix,
    Curve,
    CurvePlot,
    Histogram,
    Plot,
)

__all__ = [
    "AxisConfig",
    "BarPlot",
    "ConfusionMatrix",
    "Curve",
    "CurvePlot",
    "Evaluator",
    "EvaluatorConfiguration",
    "Histogram",
    "MetricsTestCase",
    "MetricsTestSample",
    "MetricsTestSuite",
    "Plot",
    "check_configurations",
]


@dataclass(frozen=True)
class MetricsTestSample:
    """Base of what an evaluator says of one test sample. May have no fields."""


@dataclass(frozen=True)
class MetricsTestCase:
    """Base of what an evaluator says of a test case, and of what is nested in it. May have no fields."""


@dataclass(frozen=True)
class MetricsTestSuite:
    """Base of what an evaluator says of a whole test suite. May have no fields."""


@dataclass(frozen=True)
class EvaluatorConfiguration(ABC):
    """Base of what can be set about an evaluation, such as a threshold: subclass it as a frozen dataclass."""

    @abstractmethod
    def display_name(self) -> str:
        """What tells it from other configurations: results are kept by it."""


class Evaluator(ABC):
    """Turns inferences into metrics, test case by test case. Once for each configuration, if there are any.

    Parameters have no narrower types here, so that yours can: a subclass says its own workflow's.

    Args:
        configurations: those to evaluate with; None = evaluate once, without any.

    Raises:
        InvalidInputError: an empty list, something that is no configuration, two of one display name.
    """

    configurations: list[EvaluatorConfiguration]

    def __init__(self, configurations: Iterable[EvaluatorConfiguration] | None = None) -> None:
        self.configurations = check_configurations(configurations)

    def display_name(self) -> str:
        """What test runs know the evaluator by; by default the name of its class."""
        return type(self).__name__

    @abstractmethod
    def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
        """Metrics of each sample of a test case.

        Args:
            test_case: the `TestCase`.
            inferences: a list of `(test sample, ground truth, inference)`, in the test case's order.
            configuration: the configuration to use.

        Returns:
            A list of `(test sample, MetricsTestSample)`, one for each sample, in any order.
        """

    @abstractmethod
    def compute_test_case_metrics(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> MetricsTestCase:
        """Metrics of a test case as a whole.

        Args:
            test_case: the `TestCase`.
            inferences: as for `compute_test_sample_metrics`.
            metrics: what that method gave, the metrics alone, in the order of `inferences`.
            configuration: the configuration to use.
        """

    def compute_test_case_plots(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> list[Plot] | None:
        """Plots of a test case; none unless a subclass draws some. Arguments as of `compute_test_case_metrics`."""
        return None

    def compute_test_suite_metrics(
        self, test_suite: Any, metrics: Any, configuration: Any = None
    ) -> MetricsTestSuite | None:
        """Metrics across the test cases of a suite; none unless a subclass computes some.

        Args:
            test_suite: the `TestSuite`.
            metrics: a list of `(test case, MetricsTestCase)`, in the suite's order.
            configuration: the configuration to use.
        """
        return None


def check_configurations(configurations: Iterable[EvaluatorConfiguration] | None) -> list[EvaluatorConfiguration]:
    """The configurations to evaluate with, as a list; None = none, and one evaluation without.

    Raises:
        InvalidInputError: an empty list, something that is no configuration, two of one display name.
    """
    if configurations is None:
        return []
    if not isinstance(configurations, Iterable):
        raise InvalidInputError(f"configurations is {shown_value(configurations)}; write a list")
    given = list(configurations)
    if not given:
        raise InvalidInputError("configurations is empty; leave it out to evaluate once, without any")
    seen: set[str] = set()
    for place, each in enumerate(given):
        if not isinstance(each, EvaluatorConfiguration):
            raise InvalidInputError(
                f"configurations[{place}] is {shown_value(each)}; make it an EvaluatorConfiguration"
            )
        name = check_name(each.display_name(), what=f"display name of configurations[{place}]")
        if name in seen:
            raise InvalidInputError(
                f"two configurations are called {name!r}; results could not be told apart, rename one"
            )
        seen.add(name)
    return given
