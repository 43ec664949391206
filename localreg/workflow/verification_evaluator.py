"""The evaluator `verification`: a boolean in the ground truth (is the pair genuine?), one number in the inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from localreg.errors import InvalidInputError
from localreg.metrics.reading import number_of
from localreg.metrics.verification import AtFmr, Comparisons, comparisons
from localreg.names import did_you_mean, shown_value
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
from localreg.workflow.right import evaluating, flag_path, number_at, similarity_path, value_at

__all__ = [
    "FMR",
    "Acceptance",
    "VerificationOfCase",
    "VerificationOfSample",
    "VerificationOfSuite",
    "verification",
]

HIGHER, LOWER, ASIDE = meaning(better="higher"), meaning(better="lower"), meaning(aside=True)
FMR = 1e-3
"""The target where none is named: what Frontex asks of gates at borders (Best Practice Technical Guidelines for
Automated Border Control Systems, 2015: a false accept rate of 0.1 %), and a thousand impostors can measure."""


@dataclass(frozen=True)
class Acceptance(EvaluatorConfiguration):
    """From which similarity on a pair is accepted: from a fixed one, or from the smallest that few impostors reach.

    Raises:
        InvalidInputError: a number is out of range, or both are given; `baseline` is no list of names.
    """

    fmr: float | None = None
    """The share of impostors that may be accepted; None = 0.001, if there is no threshold."""
    threshold: float | None = None
    """A fixed one."""
    baseline: tuple[str, ...] = ()
    """Names of the test cases whose impostors count for `fmr`; none = those of the whole suite."""

    def __post_init__(self) -> None:
        if self.fmr is not None and self.threshold is not None:
            raise InvalidInputError("fmr and threshold are both given, and either says where to accept; pass one")
        fmr = None if isinstance(self.fmr, bool) else number_of(self.fmr)
        if self.fmr is not None and (fmr is None or not 0 < fmr < 1):
            raise InvalidInputError(f"fmr is {shown_value(self.fmr)}; it must be between 0 and 1, as 0.001")
        at = None if isinstance(self.threshold, bool) else number_of(self.threshold)
        if self.threshold is not None and (at is None or not isfinite(at)):
            raise InvalidInputError(f"threshold is {shown_value(self.threshold)}; it must be a finite number")
        names: object = self.baseline
        if isinstance(names, str) or not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            raise InvalidInputError(f"baseline is {shown_value(names)}; it must be a list of names of test cases")

    def display_name(self) -> str:
        """The threshold, or what sets it."""
        if self.threshold is not None:
            return f"from {self.threshold:g}"
        told = f"FMR {FMR if self.fmr is None else self.fmr:g}"
        return f"{told} of {', '.join(self.baseline)}" if self.baseline else told


@dataclass(frozen=True)
class VerificationOfSample(MetricsTestSample):
    """Of one pair."""

    right: bool | None = field(metadata=HIGHER)
    """Accepted and genuine, or neither; None = that cannot be told."""
    accepted: bool | None = field(metadata=ASIDE)
    """None = there is no similarity, or no threshold."""
    genuine: bool | None = field(metadata=ASIDE)
    similarity: float | None = field(metadata=ASIDE)
    """None = an image failed to enrol, or the model skipped the pair."""
    failed_to_enrol: bool | None = field(default=None, metadata=meaning(better="lower", aside=True))
    """None = the model skipped the pair."""


@dataclass(frozen=True)
class VerificationOfCase(MetricsTestCase):
    """Of the pairs that have a similarity; None where undefined, as in `localreg.metrics.verification`."""

    n: int = field(metadata=ASIDE)
    left_out: int = field(metadata=ASIDE)
    """Pairs that failed to enrol or were skipped, or of which it is not known whether they are genuine."""
    genuine_pairs: int = field(metadata=ASIDE)
    impostor_pairs: int = field(metadata=ASIDE)
    threshold: float | None = field(metadata=ASIDE)
    """From which similarity on pairs are accepted: the same for the whole suite."""
    fmr: float | None = field(metadata=LOWER)
    fnmr: float | None = field(metadata=LOWER)
    equal_error_rate: float | None = field(metadata=LOWER)
    roc_auc: float | None = field(metadata=HIGHER)
    failure_to_enrol_rate: float | None = field(
        metadata=meaning(better="lower", mean_of="failed_to_enrol", beside=True)
    )
    """The share without a similarity among pairs that were not skipped."""
    reason: str | None
    """Why there is no threshold; None = there is one."""


@dataclass(frozen=True)
class VerificationOfSuite(VerificationOfCase, MetricsTestSuite):
    """The same of all pairs of the suite, each once."""


def verification(
    test_samples: Sequence[Any],
    ground_truths: Sequence[Any],
    inferences: Sequence[Any],
    test_cases: TestCases,
    configuration: Acceptance | None = None,
) -> EvaluationResults:
    """Which pairs are accepted, and FMR, FNMR, EER and so on of each test case and the suite.

    Raises:
        InvalidInputError: the types have not a boolean and a number; the configuration names a test case that is not
            there.
    """
    asked = configuration or Acceptance()
    pairs = _pairs(ground_truths, inferences)
    given = (test_samples, ground_truths, inferences, test_cases)
    cases = [(case.name, own) for case, *_, own in test_cases.iter(*given[:3], range(len(pairs)))]
    at = _threshold(asked, pairs, cases)
    metrics = [_of_sample(each, at.threshold) for each in pairs]

    def summed(places: Sequence[int]) -> dict[str, Any]:
        return _of_all([pairs[place] for place in places], at)

    return results_of(given, metrics, of_case=VerificationOfCase, of_suite=VerificationOfSuite, summed=summed)


@dataclass(frozen=True)
class _Pair:
    """What is known of a pair: whether it is genuine, whether it was asked for, and how alike it is."""

    genuine: bool | None
    asked: bool
    similarity: float | None

    @property
    def is_known(self) -> bool:
        return self.genuine is not None and self.similarity is not None


def _pairs(truths: Sequence[Any], inferences: Sequence[Any]) -> list[_Pair]:
    said = next((each for each in inferences if each is not None), None)
    if said is None:
        return [_Pair(None, False, None) for _ in truths]
    truth, inference = node_of(truths[0]), node_of(said)
    advice = evaluating("verification", truth, inference)
    of_truth = flag_path(truth, "ground truth", advice)
    of_said = similarity_path(inference, "inference", advice)
    return [
        _Pair(value_at(true, of_truth), one is not None, number_at(one, of_said))
        for true, one in zip(truths, inferences, strict=True)
    ]


def _threshold(asked: Acceptance, pairs: Sequence[_Pair], cases: Sequence[tuple[str, Sequence[int]]]) -> AtFmr:
    """Where to accept."""
    if asked.threshold is not None:
        return AtFmr(0.0, float(asked.threshold), None, None, None)
    there = [name for name, _ in cases]
    for name in asked.baseline:
        if name not in there:
            hint = did_you_mean(name, there) or f"; there are {', '.join(there)}"
            raise InvalidInputError(f"baseline names {name!r}, which is no test case of the suite{hint}")
    chosen = {place for name, own in cases for place in own if name in asked.baseline}
    base = [pairs[place] for place in sorted(chosen)] if asked.baseline else pairs
    return _compared(base).at_fmr(FMR if asked.fmr is None else asked.fmr)


def _compared(pairs: Sequence[_Pair]) -> Comparisons:
    known = [each for each in pairs if each.is_known]
    return comparisons([bool(each.genuine) for each in known], [each.similarity for each in known])


def _of_sample(pair: _Pair, threshold: float | None) -> VerificationOfSample:
    accepted = None if pair.similarity is None or threshold is None else pair.similarity >= threshold
    right = None if accepted is None or pair.genuine is None else accepted is pair.genuine
    failed = pair.similarity is None if pair.asked else None
    return VerificationOfSample(right, accepted, pair.genuine, pair.similarity, failed)


def _of_all(pairs: Sequence[_Pair], at: AtFmr) -> dict[str, Any]:
    found = _compared(pairs)
    equal = found.equal_error_rate()
    asked = [each for each in pairs if each.asked]
    return {
        "n": found.genuine + found.impostors,
        "left_out": len(pairs) - found.genuine - found.impostors,
        "genuine_pairs": found.genuine,
        "impostor_pairs": found.impostors,
        "threshold": at.threshold,
        "fmr": None if at.threshold is None else found.fmr(at.threshold),
        "fnmr": None if at.threshold is None else found.fnmr(at.threshold),
        "equal_error_rate": None if equal is None else equal.rate,
        "roc_auc": found.ranked.roc_auc(),
        "failure_to_enrol_rate": sum(each.similarity is None for each in asked) / len(asked) if asked else None,
        "reason": at.reason if at.threshold is None else None,
    }
