"""The evaluator `retrieval`: what is relevant in the ground truth, a ranked list in the inference; both of ids.

Relevant ones may have gains, for nDCG; for all else what has a gain above 0 is relevant. Ids with scores are ranked by
these; a plain list is ranked as it stands. An id that stands there twice counts once, where it is best. What is not
listed was not found, however long the list is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localreg.errors import InvalidInputError
from localreg.metrics.retrieval import (
    mean_average_precision,
    mean_reciprocal_rank,
    ndcg_score,
    precision_at_k,
    recall_at_k,
)
from localreg.workflow.evaluator import MetricsTestCase, MetricsTestSample, MetricsTestSuite
from localreg.workflow.evaluator_function import EvaluationResults, TestCases
from localreg.workflow.gathered_metrics import mean_of, results_of
from localreg.workflow.meaning import meaning
from localreg.workflow.shapes import GAINS, LABELS, fields_of, numbers_by_label
from localreg.workflow.top_k import TopK, ranking_scores

__all__ = ["RetrievalOfCase", "RetrievalOfSample", "RetrievalOfSuite", "retrieval"]

HIGHER, ASIDE = meaning(better="higher"), meaning(aside=True)
DEFAULT = TopK(10)
OF_SAMPLES = ("hit_at_k", "ndcg_at_k", "average_precision", "reciprocal_rank", "recall_at_k", "precision_at_k")


@dataclass(frozen=True)
class RetrievalOfSample(MetricsTestSample):
    """Of one query; all None where the model skipped it, or nothing is relevant."""

    hit_at_k: bool | None = field(default=None, metadata=HIGHER)
    """Whether anything relevant is among the first k: what is right, or wrong."""
    ndcg_at_k: float | None = field(default=None, metadata=HIGHER)
    average_precision: float | None = field(default=None, metadata=HIGHER)
    """Of the whole list."""
    reciprocal_rank: float | None = field(default=None, metadata=HIGHER)
    """Of the first relevant one in the whole list; 0 where there is none."""
    recall_at_k: float | None = field(default=None, metadata=HIGHER)
    precision_at_k: float | None = field(default=None, metadata=HIGHER)


@dataclass(frozen=True)
class RetrievalOfCase(MetricsTestCase):
    """Means over the queries that have something relevant, and an inference; None where there is none."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Queries that were skipped, or of which nothing is relevant."""
    k: int = field(metadata=ASIDE)
    hit_rate_at_k: float | None = field(metadata=meaning(better="higher", mean_of="hit_at_k"))
    mean_ndcg_at_k: float | None = field(metadata=meaning(better="higher", mean_of="ndcg_at_k"))
    mean_average_precision: float | None = field(metadata=meaning(better="higher", mean_of="average_precision"))
    mean_reciprocal_rank: float | None = field(metadata=meaning(better="higher", mean_of="reciprocal_rank"))
    mean_recall_at_k: float | None = field(metadata=meaning(better="higher", mean_of="recall_at_k"))
    mean_precision_at_k: float | None = field(metadata=meaning(better="higher", mean_of="precision_at_k"))


@dataclass(frozen=True)
class RetrievalOfSuite(RetrievalOfCase, MetricsTestSuite):
    """The same of all queries of the suite, each once."""


def retrieval(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: TopK | None = None,
) -> EvaluationResults:
    """nDCG, average precision, reciprocal rank, recall and precision, at k (10 without a configuration).

    Raises:
        InvalidInputError: the types have not one list, or mapping, of ids each; or a gain is negative.
    """
    k = (configuration or DEFAULT).k
    of_truth, of_said = fields_of("retrieval", ground_truths, inferences, GAINS, LABELS)
    metrics = []
    for truth, said in zip(ground_truths, inferences, strict=True):
        relevant, listed = of_truth.of(truth), of_said.of(said)
        gains = {} if relevant is None else _gains(numbers_by_label(relevant, of_truth.node))
        known = bool(gains) and listed is not None
        metrics.append(_of_sample(gains, numbers_by_label(listed, of_said.node), k) if known else RetrievalOfSample())

    def summed(places: Sequence[int]) -> dict[str, Any]:
        own = [metrics[place] for place in places]
        known = [each for each in own if each.hit_at_k is not None]
        hit, *others = ([getattr(each, name) for each in known] for name in OF_SAMPLES)
        means = {f"mean_{name}": mean_of(each) for name, each in zip(OF_SAMPLES[1:], others, strict=True)}
        return {"n": len(known), "left_out": len(own) - len(known), "k": k, "hit_rate_at_k": mean_of(hit), **means}

    given = (test_samples, ground_truths, inferences, test_cases)
    return results_of(given, metrics, of_case=RetrievalOfCase, of_suite=RetrievalOfSuite, summed=summed)


def _of_sample(gains: Mapping[str, float], found: Mapping[str, float | None], k: int) -> RetrievalOfSample:
    """Of what is relevant, at least one, and what is listed."""
    scores = ranking_scores(found, "an inference")
    relevance = [gains.get(each, 0.0) for each in found]
    # What is relevant and not listed must count as relevant, and not as found: it is put behind the list, and k others.
    last = min(scores, default=0.0)
    missing = [gain for each, gain in gains.items() if each not in found]
    graded = [*relevance, *[0.0] * k, *missing]
    ranks = [*scores, *[last - 1] * k, *[last - 2] * len(missing)]
    binary = [float(gain > 0) for gain in graded]
    recall = recall_at_k([binary], [ranks], k=k)
    own = [float(gain > 0) for gain in relevance]
    average = mean_average_precision([own], [scores]) or 0.0
    return RetrievalOfSample(
        hit_at_k=bool(recall),
        ndcg_at_k=ndcg_score([graded], [ranks], k=k),
        average_precision=average * sum(own) / len(gains),
        reciprocal_rank=mean_reciprocal_rank([own], [scores]) or 0.0,
        recall_at_k=recall,
        precision_at_k=precision_at_k([binary], [ranks], k=k),
    )


def _gains(found: Mapping[str, float | None]) -> dict[str, float]:
    """What is relevant, and how much; 1 where nothing is said."""
    gains = {each: 1.0 if gain is None else gain for each, gain in found.items()}
    for each, gain in gains.items():
        if gain < 0:
            raise InvalidInputError(f"a ground truth gives {each!r} the gain {gain:g}; gains are 0 or more")
    return {each: gain for each, gain in gains.items() if gain > 0}
