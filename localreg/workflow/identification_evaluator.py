"""The evaluator `identification`: one label in the ground truth, a ranked list of labels in the inference.

Who is it, of those enrolled? It is as well what top-k accuracy of a classifier asks: is the class among the first k?

Labels with scores are ranked by these, equal ones against the model; a plain list is ranked as it stands. A label that
stands there twice, such as that of several templates, counts where it is best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localreg.metrics.identification import identification_ranks
from localreg.workflow.evaluator import MetricsTestCase, MetricsTestSample, MetricsTestSuite
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import mean_of, results_of
from localreg.workflow.meaning import meaning
from localreg.workflow.shapes import LABEL, LABELS, fields_of, label_in, numbers_by_label
from localreg.workflow.top_k import TopK, ranking_scores

__all__ = ["IdentificationOfCase", "IdentificationOfSample", "IdentificationOfSuite", "identification"]

HIGHER, ASIDE = meaning(better="higher"), meaning(aside=True)
DEFAULT = TopK(5)


@dataclass(frozen=True)
class IdentificationOfSample(MetricsTestSample):
    """Of one sample; all None where the model skipped it, or the ground truth has no label."""

    rank_1: bool | None = field(default=None, metadata=HIGHER)
    """Whether the true one comes first: what is right, or wrong."""
    rank_k: bool | None = field(default=None, metadata=HIGHER)
    """Whether it is among the first k."""
    reciprocal_rank: float | None = field(default=None, metadata=HIGHER)
    """1 / rank; 0 where it is not listed."""
    rank: int | None = field(default=None, metadata=ASIDE)
    """From 1; None, too, where it is not listed."""


@dataclass(frozen=True)
class IdentificationOfCase(MetricsTestCase):
    """Of the samples that have both; None where there is none."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Samples that were skipped, or have no label in the ground truth."""
    not_listed: int = field(metadata=meaning(better="lower", aside=True))
    """Samples whose true one is not in the list at all."""
    k: int = field(metadata=ASIDE)
    rank_1_accuracy: float | None = field(metadata=meaning(better="higher", mean_of="rank_1"))
    rank_k_accuracy: float | None = field(metadata=meaning(better="higher", mean_of="rank_k"))
    mean_reciprocal_rank: float | None = field(metadata=meaning(better="higher", mean_of="reciprocal_rank"))


@dataclass(frozen=True)
class IdentificationOfSuite(IdentificationOfCase, MetricsTestSuite):
    """The same of all samples of the suite, each once."""


def identification(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: TopK | None = None,
) -> EvaluationResults:
    """At which place the true one stands, and how often first or among the first k (5 without a configuration).

    Raises:
        InvalidInputError: the types have not one label, and one list of labels.
    """
    k = (configuration or DEFAULT).k
    of_truth, of_said = fields_of("identification", ground_truths, inferences, LABEL, LABELS)
    metrics = []
    for truth, said in zip(ground_truths, inferences, strict=True):
        label, listed = label_in(of_truth.of(truth), of_truth.node), of_said.of(said)
        known = label is not None and listed is not None
        metrics.append(
            _of_sample(label, numbers_by_label(listed, of_said.node), k) if known else IdentificationOfSample()
        )

    def summed(places: Sequence[int]) -> dict[str, Any]:
        own = [metrics[place] for place in places]
        known = [each for each in own if each.rank_1 is not None]
        return {
            "n": len(known),
            "left_out": len(own) - len(known),
            "not_listed": sum(each.rank is None for each in known),
            "k": k,
            "rank_1_accuracy": mean_of(each.rank_1 for each in known),
            "rank_k_accuracy": mean_of(each.rank_k for each in known),
            "mean_reciprocal_rank": mean_of(each.reciprocal_rank for each in known),
        }

    given = (test_samples, ground_truths, inferences, test_cases)
    return results_of(given, metrics, of_case=IdentificationOfCase, of_suite=IdentificationOfSuite, summed=summed)


def _of_sample(truth: str | None, listed: Mapping[str, float | None], k: int) -> IdentificationOfSample:
    if truth not in listed:
        return IdentificationOfSample(rank_1=False, rank_k=False, reciprocal_rank=0.0)
    rank = int(identification_ranks([truth], list(listed), [ranking_scores(listed, "an inference")])[0])
    return IdentificationOfSample(rank_1=rank == 1, rank_k=rank <= k, reciprocal_rank=1 / rank, rank=rank)
