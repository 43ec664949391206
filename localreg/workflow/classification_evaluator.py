"""The evaluator `classification`: one label in the ground truth, one in the inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Literal

from localreg.errors import InvalidInputError
from localreg.metrics.confusion import Metric
from localreg.metrics.tallying import coded_pair, defined, marginals_of
from localreg.metrics.thresholds import f1_optimal_threshold
from localreg.names import shown_value
from localreg.workflow.evaluator import (
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
)
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import results_of
from localreg.workflow.meaning import meaning
from localreg.workflow.recorded_columns import node_of
from localreg.workflow.right import LabelPath, evaluating, label_path, value_at

__all__ = [
    "ClassificationOfCase",
    "ClassificationOfClass",
    "ClassificationOfSample",
    "ClassificationOfSuite",
    "Threshold",
    "classification",
]

HIGHER, ASIDE = meaning(better="higher"), meaning(aside=True)
OF_CLASSES: tuple[Metric, ...] = ("precision", "recall", "f1")


@dataclass(frozen=True)
class Threshold(EvaluatorConfiguration):
    """Of two labels the positive one is said from a score on, whatever label stands beside the score.

    Raises:
        InvalidInputError: `at` is no finite number, or `score_of` neither of both.
    """

    positive: str
    at: float | None = None
    """None = where F1 of the positive label is highest over the suite: `localreg.metrics.f1_optimal_threshold`."""
    score_of: Literal["predicted", "positive"] = "predicted"
    """Whose the scores are: of the label that is said, or of the positive one whatever is said."""

    def __post_init__(self) -> None:
        at: object = self.at
        if at is not None and not (isinstance(at, int | float) and isfinite(at)):
            raise InvalidInputError(f"at is {shown_value(at)}; it must be a finite number, or None for the best F1")
        if self.score_of not in ("predicted", "positive"):
            raise InvalidInputError(f"score_of is {shown_value(self.score_of)}; it must be 'predicted' or 'positive'")

    def display_name(self) -> str:
        """The label and where it begins."""
        return f"{self.positive} from {'best F1' if self.at is None else format(self.at, 'g')}"


@dataclass(frozen=True)
class ClassificationOfSample(MetricsTestSample):
    """Of one sample; `right` is None where the model skipped it, or the ground truth has no label."""

    truth: str | None
    predicted: str | None
    right: bool | None = field(metadata=HIGHER)
    score: float | None = field(default=None, metadata=ASIDE)
    """As it stands beside the label; with a threshold that of the positive one."""


@dataclass(frozen=True)
class ClassificationOfClass(MetricsTestCase):
    """Of one class."""

    label: str
    support: int = field(metadata=ASIDE)
    """Samples of the class."""
    precision: float | None = field(metadata=HIGHER)
    recall: float | None = field(metadata=HIGHER)
    f1: float | None = field(metadata=HIGHER)


@dataclass(frozen=True)
class ClassificationOfCase(MetricsTestCase):
    """Of the samples that have a label and an inference; None where undefined, as in `localreg.metrics`.

    Macro averages are over the classes that the samples have, so that a test case of one class is not averaged over
    what else is said of it; in `localreg.metrics` that is `labels=` of these.
    """

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Samples that were skipped, or have no label."""
    accuracy: float | None = field(metadata=meaning(better="higher", mean_of="right", beside=True))
    balanced_accuracy: float | None = field(metadata=HIGHER)
    precision_macro: float | None = field(metadata=HIGHER)
    recall_macro: float | None = field(metadata=HIGHER)
    f1_macro: float | None = field(metadata=HIGHER)
    matthews_corrcoef: float | None = field(metadata=HIGHER)
    cohen_kappa: float | None = field(metadata=HIGHER)
    threshold: float | None = field(default=None, metadata=ASIDE)
    """From which score on the positive label was said; None = labels as they were said."""
    by_class: list[ClassificationOfClass] = field(default_factory=list)


@dataclass(frozen=True)
class ClassificationOfSuite(ClassificationOfCase, MetricsTestSuite):
    """The same of all samples of the suite, each once."""


def classification(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: Threshold | None = None,
) -> EvaluationResults:
    """What is right, and accuracy, F1 and so on of each test case and the suite.

    Raises:
        InvalidInputError: the types have not one label each; or there is a threshold, and not two labels with scores.
    """
    metrics, threshold = _of_samples(ground_truths, inferences), None
    if configuration is not None:
        metrics, threshold = _cut(metrics, configuration)

    def summed(places: Sequence[int]) -> dict[str, Any]:
        return _of_all([metrics[place] for place in places], threshold)

    given = (test_samples, ground_truths, inferences, test_cases)
    return results_of(given, metrics, of_case=ClassificationOfCase, of_suite=ClassificationOfSuite, summed=summed)


def _of_samples(truths: Sequence[Any], inferences: Sequence[Any]) -> list[ClassificationOfSample]:
    said = next((each for each in inferences if each is not None), None)
    truth_node = node_of(truths[0])
    said_node = truth_node if said is None else node_of(said)
    advice = evaluating("classification", truth_node, said_node)
    of_truth = label_path(truth_node, "ground truth", advice)
    of_said = LabelPath((), None) if said is None else label_path(said_node, "inference", advice)
    metrics = []
    for truth, inference in zip(truths, inferences, strict=True):
        label = value_at(truth, of_truth.label)
        predicted = None if inference is None else value_at(inference, of_said.label)
        score = None if inference is None or of_said.score is None else value_at(inference, of_said.score)
        right = None if label is None or inference is None else label == predicted
        metrics.append(ClassificationOfSample(_text(label), _text(predicted), right, score))
    return metrics


def _text(label: Any) -> str | None:
    """A label as text: an enum by its value, as it is stored."""
    return None if label is None else str(getattr(label, "value", label))


# --- thresholds -------------------------------------------------------------------------------------------------------


def _cut(
    metrics: Sequence[ClassificationOfSample], configuration: Threshold
) -> tuple[list[ClassificationOfSample], float | None]:
    """With labels said by the scores, and the threshold; None = there is no positive to find one by: labels as said."""
    labels = sorted({label for each in metrics for label in (each.truth, each.predicted) if label is not None})
    positive = configuration.positive
    if len(labels) != 2 or positive not in labels:
        raise InvalidInputError(
            f"configuration {configuration.display_name()!r} needs two labels, one of them {positive!r}; there are "
            f"{', '.join(labels) or 'none'}"
        )
    (negative,) = (label for label in labels if label != positive)
    turned = [_turned(each, configuration) for each in metrics]
    at = configuration.at if configuration.at is not None else _best(turned, positive)
    if at is None:
        return turned, None
    cut = []
    for each in turned:
        if each.score is None or each.right is None:
            cut.append(each)
            continue
        predicted = positive if each.score >= at else negative
        cut.append(replace(each, predicted=predicted, right=predicted == each.truth))
    return cut, at


def _turned(each: ClassificationOfSample, configuration: Threshold) -> ClassificationOfSample:
    """With the score of the positive label."""
    if each.predicted is not None and each.score is None:
        raise InvalidInputError(
            f"configuration {configuration.display_name()!r} needs scores, and an inference has none beside its label"
        )
    if each.score is None or configuration.score_of == "positive" or each.predicted == configuration.positive:
        return each
    return replace(each, score=1 - each.score)


def _best(metrics: Sequence[ClassificationOfSample], positive: str) -> float | None:
    """The threshold, one of the scores, at which F1 of the positive label is highest; None = it is 0 at each.

    Source:
        Z. C. Lipton, C. Elkan and B. Naryanaswamy, ECML PKDD 2014, 225: the threshold is picked on the samples that it
        is then measured on, and so is optimistic.
    """
    known = [each for each in metrics if each.score is not None and each.right is not None]
    best = f1_optimal_threshold([each.truth == positive for each in known], [each.score for each in known])
    return None if best is None else best.threshold


# --- metrics ----------------------------------------------------------------------------------------------------------


def _of_all(metrics: Sequence[ClassificationOfSample], threshold: float | None) -> dict[str, Any]:
    known = [each for each in metrics if each.right is not None]
    codes = coded_pair([each.truth for each in known], [each.predicted for each in known])
    counts = marginals_of(codes)
    of_classes = [[defined(value) for value in counts.per_class(name)] for name in OF_CLASSES]
    rows, true = zip(codes.labels, counts.support.tolist(), *of_classes, strict=True), counts.support > 0
    return {
        "n": len(known),
        "left_out": len(metrics) - len(known),
        "accuracy": defined(counts.accuracy()),
        "balanced_accuracy": defined(counts.balanced_accuracy()),
        **{f"{name}_macro": defined(counts.averaged(name, "macro", over=true)) for name in OF_CLASSES},
        "matthews_corrcoef": defined(counts.mcc()),
        "cohen_kappa": defined(counts.kappa()),
        "threshold": threshold,
        "by_class": [ClassificationOfClass(str(label), *row) for label, *row in rows],
    }
