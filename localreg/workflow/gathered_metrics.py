"""From metrics of samples to the results of an evaluator: by test case, and over the suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from localreg.workflow.evaluator import MetricsTestCase, MetricsTestSample, MetricsTestSuite
from localreg.workflow.evaluator_function import EvaluationResults, TestCases

__all__ = ["mean_of", "results_of"]

SampleT = TypeVar("SampleT", bound=MetricsTestSample)
CaseT = TypeVar("CaseT", bound=MetricsTestCase)
SuiteT = TypeVar("SuiteT", bound=MetricsTestSuite)


def results_of(
    given: tuple[Sequence[Any], Sequence[Any], Sequence[Any], TestCases],
    metrics: Sequence[SampleT],
    *,
    of_case: type[CaseT],
    of_suite: type[SuiteT],
    summed: Callable[[Sequence[int]], dict[str, Any]],
) -> EvaluationResults:
    """What an evaluator gives back.

    Args:
        given: test samples, ground truths, inferences and test cases, as it was called with.
        metrics: of each sample.
        of_case: class of the metrics of a test case.
        of_suite: the same of the suite.
        summed: from places of samples to the fields of either.
    """
    samples, truths, inferences, cases = given
    places = range(len(samples))
    return EvaluationResults(
        list(zip(samples, metrics, strict=True)),
        [(case, of_case(**summed(own))) for case, *_, own in cases.iter(samples, truths, inferences, places)],
        (),
        of_suite(**summed(places)),
    )


def mean_of(values: Iterable[float | None]) -> float | None:
    """The plain mean of those that there are; None if there are none."""
    known = [each for each in values if each is not None]
    return sum(known) / len(known) if known else None
