"""The evaluator `regression`: one number in the ground truth, one in the inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from localreg.metrics import regression as numbers
from localreg.workflow.evaluator import MetricsTestCase, MetricsTestSample, MetricsTestSuite
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import results_of
from localreg.workflow.meaning import meaning
from localreg.workflow.recorded_columns import node_of
from localreg.workflow.right import evaluating, number_at, number_path

__all__ = ["RegressionOfCase", "RegressionOfSample", "RegressionOfSuite", "regression"]

HIGHER, LOWER, ASIDE = meaning(better="higher"), meaning(better="lower"), meaning(aside=True)

METRICS = {
    "mean_absolute_error": numbers.mean_absolute_error,
    "mean_squared_error": numbers.mean_squared_error,
    "mean_absolute_percentage_error": numbers.mean_absolute_percentage_error,
    "mean_bias": numbers.mean_bias,
    "root_mean_squared_error": numbers.root_mean_squared_error,
    "r2": numbers.r2_score,
    "pearson": numbers.pearson,
    "median_absolute_error": numbers.median_absolute_error,
    "spearman": numbers.spearman,
}


@dataclass(frozen=True)
class RegressionOfSample(MetricsTestSample):
    """Of one sample; None where the model skipped it, or one of both has no finite number."""

    truth: float | None = field(metadata=ASIDE)
    predicted: float | None = field(metadata=ASIDE)
    error: float | None = field(metadata=ASIDE)
    """predicted - truth."""
    absolute_error: float | None = field(metadata=LOWER)


@dataclass(frozen=True)
class RegressionOfCase(MetricsTestCase):
    """Of the samples that have both numbers; None where undefined, as in `localreg.metrics.regression`."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Samples without both numbers: skipped, or not finite."""
    mean_absolute_error: float | None = field(metadata=meaning(better="lower", mean_of="absolute_error", beside=True))
    mean_squared_error: float | None = field(metadata=LOWER)
    mean_absolute_percentage_error: float | None = field(metadata=LOWER)
    mean_bias: float | None = field(metadata=meaning(mean_of="error", beside=True))
    root_mean_squared_error: float | None = field(metadata=LOWER)
    r2: float | None = field(metadata=HIGHER)
    pearson: float | None = field(metadata=HIGHER)
    median_absolute_error: float | None = field(metadata=LOWER)
    spearman: float | None = field(metadata=HIGHER)


@dataclass(frozen=True)
class RegressionOfSuite(RegressionOfCase, MetricsTestSuite):
    """The same of all samples of the suite, each once."""


def regression(
    test_samples: Sequence[Any], ground_truths: Sequence[Any], inferences: Sequence[Any], test_cases: TestCases
) -> EvaluationResults:
    """Errors of each sample, and MAE, RMSE, R² and so on of each test case and the suite.

    Raises:
        InvalidInputError: the types have not one number each; the message names those that they have.
    """
    metrics = [_of_sample(truth, said) for truth, said in _numbers(ground_truths, inferences)]

    def summed(places: Sequence[int]) -> dict[str, Any]:
        return _of_all([metrics[place] for place in places])

    given = (test_samples, ground_truths, inferences, test_cases)
    return results_of(given, metrics, of_case=RegressionOfCase, of_suite=RegressionOfSuite, summed=summed)


def _numbers(truths: Sequence[Any], inferences: Sequence[Any]) -> list[tuple[float | None, float | None]]:
    """True and predicted ones; of inferences that are all None nothing is asked."""
    one = next((each for each in inferences if each is not None), None)
    if one is None:
        return [(None, None)] * len(truths)
    truth, inference = node_of(truths[0]), node_of(one)
    advice = evaluating("regression", truth, inference)
    of_truth = number_path(truth, inference, "ground truth", advice)
    of_said = number_path(inference, truth, "inference", advice)
    pairs = zip(truths, inferences, strict=True)
    return [(number_at(true, of_truth), number_at(said, of_said)) for true, said in pairs]


def _of_sample(truth: float | None, said: float | None) -> RegressionOfSample:
    if truth is None or said is None:
        return RegressionOfSample(truth, said, None, None)
    return RegressionOfSample(truth, said, said - truth, abs(said - truth))


def _of_all(metrics: Sequence[RegressionOfSample]) -> dict[str, Any]:
    known = [asdict(each) for each in metrics if each.error is not None]
    truth, said = ([each[name] for each in known] for name in ("truth", "predicted"))
    values = {name: metric(truth, said) for name, metric in METRICS.items()}
    return {"n": len(known), "left_out": len(metrics) - len(known), **values}
