"""The evaluator `regression`: one number in the ground truth, one in the inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from localreg.metrics import regression as numbers
from localreg.tables import schema_of
from localreg.workflow.evaluator import MetricsTestCase, MetricsTestSample, MetricsTestSuite
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.meaning import meaning
from localreg.workflow.right import evaluating, number_path

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
    truth_path, said_path = _paths(ground_truths, inferences)
    metrics = [
        _of_sample(_at(truth, truth_path), _at(said, said_path))
        for truth, said in zip(ground_truths, inferences, strict=True)
    ]
    of_cases = [
        (case, RegressionOfCase(**_of_all(own)))
        for case, *_, own in test_cases.iter(test_samples, ground_truths, inferences, metrics)
    ]
    pairs = list(zip(test_samples, metrics, strict=True))
    return EvaluationResults(pairs, of_cases, (), RegressionOfSuite(**_of_all(metrics)))


def _paths(truths: Sequence[Any], inferences: Sequence[Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the numbers stand; of inferences that are all None nothing is asked."""
    said = next((each for each in inferences if each is not None), None)
    if said is None:
        return (), ()
    truth, inference = schema_of(type(truths[0])), schema_of(type(said))
    advice = evaluating("regression", truth, inference)
    return number_path(truth, inference, "ground truth", advice), number_path(inference, truth, "inference", advice)


def _at(value: Any, path: Sequence[str]) -> float | None:
    """The number at a path; None if there is none that is finite."""
    for name in path:
        value = None if value is None else getattr(value, name)
    return float(value) if path and value is not None and isfinite(value) else None


def _of_sample(truth: float | None, said: float | None) -> RegressionOfSample:
    if truth is None or said is None:
        return RegressionOfSample(truth, said, None, None)
    return RegressionOfSample(truth, said, said - truth, abs(said - truth))


def _of_all(metrics: Sequence[RegressionOfSample]) -> dict[str, Any]:
    known = [asdict(each) for each in metrics if each.error is not None]
    truth, said = ([each[name] for each in known] for name in ("truth", "predicted"))
    values = {name: metric(truth, said) for name, metric in METRICS.items()}
    return {"n": len(known), "left_out": len(metrics) - len(known), **values}
