"""What named evaluators say of their metrics, and what a comparison makes of it where models leave samples out."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from localreg import Gate, InvalidInputError, Registry
from localreg.workflow import (
    EvaluationResults,
    GroundTruth,
    Inference,
    LabeledBoundingBox,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    ScoredLabeledBoundingBox,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.evaluators import EVALUATORS
from localreg.workflow.meaning import KEY
from localreg.workflow.verification_evaluator import Acceptance

NO_DIRECTION = {"mean_bias", "error", "truth", "predicted", "genuine", "accepted", "similarity", "threshold", "score"}


@dataclass(frozen=True)
class Scan(TestSample):
    n: int


@dataclass(frozen=True)
class Size(GroundTruth):
    size: float


@dataclass(frozen=True)
class Guess(Inference):
    size: float


@dataclass(frozen=True)
class Finding(GroundTruth):
    label: str


@dataclass(frozen=True)
class Found(Inference):
    label: str


@dataclass(frozen=True)
class Genuine(GroundTruth):
    genuine: bool


@dataclass(frozen=True)
class Alike(Inference):
    similarity: float | None


@dataclass(frozen=True)
class Labels(GroundTruth):
    labels: list[str]


@dataclass(frozen=True)
class SaidLabels(Inference):
    labels: list[str]


@dataclass(frozen=True)
class There(GroundTruth):
    boxes: list[LabeledBoundingBox]


@dataclass(frozen=True)
class Seen(Inference):
    boxes: list[ScoredLabeledBoundingBox]


COUNT = 60
WRONG = range(6)


def made(name: str, truth: type[Any], said: type[Any], truths: Callable[[int], Any]) -> tuple[Any, Any]:
    """A suite of 60 samples in two test cases, the hard ones in the first, and the class of its models."""
    _, case, suite, model = define_workflow(name, Scan, truth, said)
    content = [(Scan(n), truths(n)) for n in range(COUNT)]
    cases = [case("hard", test_samples=content[:30]), case("easy", test_samples=content[30:])]
    return suite("s", test_cases=cases), model


# --- what each evaluator declares -------------------------------------------------------------------------------------


def fields(cls: type[Any]) -> Iterator[tuple[dataclasses.Field[Any], object]]:
    hints = typing.get_type_hints(cls)
    for each in dataclasses.fields(cls):
        if set(typing.get_args(hints[each.name]) or (hints[each.name],)) & {bool, int, float}:
            yield each, cls


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_each_number_of_a_named_evaluator_says_what_it_means(evaluator: str) -> None:
    module = import_module(EVALUATORS[evaluator])
    base = (MetricsTestSample, MetricsTestCase)
    classes = [getattr(module, name) for name in module.__all__ if isinstance(getattr(module, name), type)]
    found = [field for cls in classes if issubclass(cls, base) for field in fields(cls)]
    assert found
    for field, cls in found:
        assert KEY in field.metadata, f"{cls}.{field.name}"
        meant = field.metadata[KEY]
        assert meant.better or meant.aside or field.name in NO_DIRECTION, f"{cls}.{field.name}"


def test_errors_that_grow_are_worse_and_can_be_gated(registry: Registry) -> None:
    suite, model = made("Sizes", Size, Guess, lambda n: Size(float(n)))
    test(model("a", lambda scan: Guess(scan.n + 0.01 * (1 + scan.n % 2))), suite, "regression")
    test(model("b", lambda scan: Guess(scan.n + 50.0 + scan.n % 2)), suite, "regression")
    found = registry.compare("a", "b", suite="s", evaluator="regression")
    assert (found.rows[0].metric, found.verdict) == ("absolute_error", "regressed")
    told = list(dict.fromkeys(row.metric for row in found.rows))
    assert not {"truth", "predicted", "error", "n", "left_out"} & set(told)
    assert set(told) & set(found.undirected) == {"mean_bias"}
    mean = found.row("mean_absolute_error")
    assert mean.verdict == "regressed"
    assert (mean.a, mean.b) == pytest.approx((0.015, 50.5))
    assert found.row("mean_bias").verdict == "different"
    for name in ("mean_absolute_error", "root_mean_squared_error", "r2"):
        rules: Any = {name: Gate(max_drop=0.1)}
        assert not found.gate(**rules)
    assert registry.compare("b", "a", suite="s", evaluator="regression").gate(
        mean_absolute_error=Gate(margin=0), root_mean_squared_error=Gate(max_drop=0), r2=Gate(max_drop=0)
    )


def test_verification_tells_what_is_right_first_and_failures_to_enrol_pair_by_pair(registry: Registry) -> None:
    suite, model = made("Pairs", Genuine, Alike, lambda n: Genuine(n % 2 == 0))

    def alike(scan: Any) -> float:
        return float(scan.n / 100 + (scan.n % 2 == 0))

    test(model("a", lambda scan: Alike(alike(scan))), suite, "verification", [Acceptance(threshold=0.8)])
    test(
        model("b", lambda scan: Alike(None if scan.n < 20 else alike(scan))),
        suite,
        "verification",
        [Acceptance(threshold=0.8)],
    )
    found = registry.compare("a", "b", suite="s", evaluator="verification")
    assert found.rows[0].metric == "right"
    assert not {"genuine", "threshold", "similarity"} & {row.metric for row in found.rows}
    failed = found.row("failure_to_enrol_rate")
    assert (failed.n, failed.verdict) == (60, "regressed")
    assert (failed.a, failed.b) == pytest.approx((0, 20 / 60))
    assert found.row("fnmr").difference is None
    assert "different samples: 20 of 60 of one" in str(found.row("fnmr").reason)


# --- numbers that are not of the same samples -------------------------------------------------------------------------


def labels(registry: Registry) -> None:
    suite, model = made("Scans", Finding, Found, lambda n: Finding("ny"[n % 2]))

    def right(scan: Any) -> Found:
        return Found("ny"[(scan.n + (scan.n in WRONG)) % 2])

    test(model("a", right), suite, "classification")
    test(model("b", lambda scan: None if scan.n in WRONG else right(scan)), suite, "classification")
    test(model("same", right), suite, "classification")


def test_a_model_that_skips_what_is_hard_gains_nothing_by_it(registry: Registry) -> None:
    labels(registry)
    found = registry.compare("a", "b", suite="s", evaluator="classification")
    assert found.n == 54
    assert str(found).startswith("test suite 's' version 1: 54 samples paired")
    assert found.rows[0].metric == "right"
    accuracy = found.row("accuracy")
    assert (accuracy.a, accuracy.b, accuracy.n) == (1.0, 1.0, 54), "of the samples that both have"
    macro = found.row("f1_macro")
    assert (macro.difference, macro.p, macro.verdict) == (None, None, "inconclusive")
    assert macro.reason == "the models were evaluated on different samples: 6 of 60 of one of them only"
    assert "6 of 30" in str(found.row("f1_macro", test_case="hard").reason)
    assert found.row("f1_macro", test_case="easy").difference == 0, "there both are of the same"
    assert found.row("f1", label="n").difference is None
    for rule in (Gate(max_drop=1), Gate(margin=1), Gate(min_value=0)):
        told = found.gate(f1_macro=rule)
        assert not told
        assert "different samples" in told.reasons[0]
    assert "cannot be told" in found.gate(f1_macro=Gate(max_value=2)).reasons[0]


def test_models_that_are_of_the_same_samples_are_told_as_they_are(registry: Registry) -> None:
    labels(registry)
    found = registry.compare("a", "same", suite="s", evaluator="classification")
    assert (found.row("f1_macro").difference, found.n) == (0, 60)
    assert found.gate(f1_macro=Gate(max_drop=0, min_value=0.8))
    alone = registry.measure("b", suite="s", evaluator="classification", metrics=["f1_macro"])
    assert [row.value for row in alone.rows] == [1.0, 1.0, 1.0]


def test_lists_of_labels_and_boxes_of_other_samples_have_no_difference(registry: Registry) -> None:
    suite, model = made("Tags", Labels, SaidLabels, lambda n: Labels(["x", "yz"[n % 2]]))
    test(
        model("a", lambda scan: SaidLabels(["x"] if scan.n in WRONG else ["x", "yz"[scan.n % 2]])), suite, "multilabel"
    )
    test(model("b", lambda scan: None if scan.n in WRONG else SaidLabels(["x", "yz"[scan.n % 2]])), suite, "multilabel")
    found = registry.compare("a", "b", suite="s", evaluator="multilabel")
    assert (found.row("f1_macro").a != 1, found.row("f1_macro").b, found.row("f1_macro").difference) == (True, 1, None)


def test_detectors_of_other_images_have_no_difference(registry: Registry) -> None:
    corners = ((0.0, 0.0), (10.0, 10.0))
    suite, model = made("Photos", There, Seen, lambda n: There([LabeledBoundingBox(*corners, "cat")]))
    full, nothing = Seen([ScoredLabeledBoundingBox(*corners, "cat", 0.9)]), Seen([])
    test(model("a", lambda scan: nothing if scan.n in WRONG else full), suite, "detection")
    test(model("b", lambda scan: None if scan.n in WRONG else full), suite, "detection")
    found = registry.compare("a", "b", suite="s", evaluator="detection")
    assert (found.rows[0].metric, found.n) == ("right", 54)
    assert not {"n", "left_out", "threshold", "support"} & {row.metric for row in found.rows}
    for metric in ("AP", "f1"):
        assert (found.row(metric).b, found.row(metric).difference) == (1.0, None)
    easy = found.row("AP", test_case="easy")
    assert (easy.difference, "AP" in found.undirected) == (0, False)


@dataclass(frozen=True)
class Strictly(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class Share(MetricsTestCase):
    share: float


@dataclass(frozen=True)
class ShareOfSuite(Share, MetricsTestSuite):
    pass


def strictly(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
    """Counts a skipped sample as wrong."""
    right = [
        Strictly(said is not None and said.label == truth.label) for truth, said in zip(truths, inferences, strict=True)
    ]

    def share(own: list[Strictly]) -> float:
        return sum(each.right for each in own) / len(own)

    of_cases = [(case, Share(share(own))) for case, *_, own in cases.iter(samples, truths, inferences, right)]
    return EvaluationResults(list(zip(samples, right, strict=True)), of_cases, (), ShareOfSuite(share(right)))


def test_skipped_samples_that_an_evaluator_counts_are_of_both(registry: Registry) -> None:
    suite, model = made("Scans", Finding, Found, lambda n: Finding("ny"[n % 2]))
    test(model("a", lambda scan: Found("ny"[scan.n % 2])), suite, strictly)
    test(model("b", lambda scan: None if scan.n in WRONG else Found("ny"[scan.n % 2])), suite, strictly)
    found = registry.compare("a", "b", suite="s", evaluator="strictly")
    assert found.n == 60
    assert (found.row("share").difference, found.row("right").b) == pytest.approx((-0.1, 0.9))


# --- advice -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "said", "evaluator", "message"),
    [
        ((Finding, Found), ("n", "n"), "regression", "there is none; name the evaluator 'classification', which fits"),
        ((Size, Guess), (1.0, 1.0), "classification", "name the evaluator 'regression', which fits"),
        ((Size, Guess), (1.0, 1.0), "verification", "name the evaluator 'regression', which fits"),
        ((Genuine, Alike), (True, 1.0), "regression", "name the evaluator 'verification', which fits"),
        ((Labels, SaidLabels), ([], []), "regression", "evaluator 'regression' takes one; name another evaluator"),
    ],
)
def test_an_evaluator_that_does_not_fit_names_the_one_that_does(
    registry: Registry, types: tuple[Any, Any], said: tuple[Any, Any], evaluator: str, message: str
) -> None:
    suite, model = made("Scans", *types, lambda n: types[0](said[0]))
    with pytest.raises(InvalidInputError, match=message) as refused:
        test(model("a", lambda scan: types[1](said[1])), suite, evaluator)
    assert "compare(" not in str(refused.value)
