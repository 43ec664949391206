"""Evaluators that are there, by name."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from localreg import InvalidInputError, Registry
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, test
from localreg.workflow.classification_evaluator import Threshold

metrics = pytest.importorskip("sklearn.metrics")


@dataclass(frozen=True)
class Scan(TestSample):
    n: int


@dataclass(frozen=True)
class Finding(GroundTruth):
    label: str | None


@dataclass(frozen=True)
class Said(Inference):
    finding: ScoredLabel


@dataclass(frozen=True)
class Size(GroundTruth):
    size: float


@dataclass(frozen=True)
class Guess(Inference):
    size: float


_, Case, Suite, Net = define_workflow("Scans", Scan, Finding, Said)
_, SizeCase, SizeSuite, SizeNet = define_workflow("Sizes", Scan, Size, Guess)

TRUTH = ["ny"[n % 3 == 0] for n in range(60)]


def scores(name: str, spread: float) -> list[float]:
    """Of "y"."""
    dice = random.Random(name)
    return [min(1.0, max(0.0, round(0.35 + 0.3 * (label == "y") + dice.gauss(0, spread), 2))) for label in TRUTH]


def suite() -> Any:
    content = [(Scan(n), Finding(label)) for n, label in enumerate(TRUTH)]
    cases = [Case("low", test_samples=content[:35]), Case("high", test_samples=content[25:])]
    return Suite("s", test_cases=cases)


def net(name: str, spread: float = 0.2) -> Any:
    said = scores(name, spread)
    return Net(
        name, lambda scan: Said(ScoredLabel("y" if said[scan.n] >= 0.5 else "n", max(said[scan.n], 1 - said[scan.n])))
    )


def test_classification_is_that_of_scikit_learn(registry: Registry) -> None:
    found = test(net("m"), suite(), "classification").results()
    said = ["y" if score >= 0.5 else "n" for score in scores("m", 0.2)]
    for own, rows in (
        (found.suite, slice(None)),
        (found.cases["low"], slice(35)),
        (found.cases["high"], slice(25, None)),
    ):
        assert own is not None
        truth, predicted = TRUTH[rows], said[rows]
        assert own["n"] == len(truth)
        assert own["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
        assert own["f1_macro"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
        assert own["matthews_corrcoef"] == pytest.approx(metrics.matthews_corrcoef(truth, predicted))
        each = {of_class["label"]: of_class for of_class in own["by_class"]}
        assert each["y"]["recall"] == pytest.approx(metrics.recall_score(truth, predicted, pos_label="y"))
        assert each["y"]["support"] == truth.count("y")
    right = [each.metrics["right"] for each in found.samples]
    assert right == [a == b for a, b in zip(TRUTH, said, strict=True)]


@pytest.mark.parametrize("at", [0.3, None])
def test_thresholds_are_fixed_or_the_best_over_the_whole_suite(registry: Registry, at: float | None) -> None:
    configuration = Threshold("y", at)
    found = test(net("m"), suite(), "classification", [configuration]).results()
    score = scores("m", 0.2)

    def f1(threshold: float) -> float:
        said = ["y" if each >= threshold - 1e-9 else "n" for each in score]
        return float(metrics.f1_score(TRUTH, said, pos_label="y"))

    assert found.suite is not None
    of_y = next(each for each in found.suite["by_class"] if each["label"] == "y")
    threshold = found.suite["threshold"]
    if at is None:
        of_thresholds = {each: f1(each) for each in score}
        best = max(of_thresholds.values())
        assert of_y["f1"] == pytest.approx(best)
        assert threshold == pytest.approx(max(each for each in score if of_thresholds[each] == best))
    else:
        assert (threshold, of_y["f1"]) == (at, pytest.approx(f1(at)))
    assert {each["threshold"] for each in found.cases.values()} == {threshold}


def test_what_a_named_evaluator_says_is_compared(registry: Registry) -> None:
    held = suite()
    for name in ("a", "b"):
        test(net(name, 0.1 if name == "b" else 0.4), held, "classification")
    by_types = registry.compare("a", "b", suite="s")
    by_evaluator = registry.compare("a", "b", suite="s", evaluator="classification")
    for name in ("fixed", "broken"):
        numbers = [[row["sample"]["n"] for row in getattr(each, name)] for each in (by_types, by_evaluator)]
        assert numbers[0] == numbers[1]
    assert by_evaluator.row("right").p == by_types.row("accuracy").p
    assert by_evaluator.row("f1_macro").b == pytest.approx(by_types.row("f1_macro").b)
    assert by_evaluator.row("recall", label="y").a == pytest.approx(by_types.row("recall", label="y").a)


def test_what_is_skipped_or_has_no_label_is_left_out(registry: Registry) -> None:
    content = [(Scan(1), Finding("y")), (Scan(2), Finding(None)), (Scan(3), Finding("y"))]
    held = Suite("s", test_cases=[Case("c", test_samples=content)])
    model = Net("m", lambda scan: None if scan.n == 1 else Said(ScoredLabel("y", 0.9)))
    found = test(model, held, "classification").results()
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"], found.suite["accuracy"]) == (1, 2, 1.0)
    assert [each.metrics["right"] for each in found.samples] == [None, None, True]
    nothing = test(Net("none", lambda scan: None), held, "classification").results()
    assert nothing.suite is not None
    assert (nothing.suite["n"], nothing.suite["accuracy"]) == (0, None)


def test_regression_is_that_of_scikit_learn(registry: Registry) -> None:
    dice = random.Random(5)
    truth = [dice.gauss(5, 2) for _ in range(40)]
    said = [each + dice.gauss(0, 1) for each in truth]
    content = [(Scan(n), Size(size)) for n, size in enumerate(truth)]
    held = SizeSuite(
        "s", test_cases=[SizeCase("one", test_samples=content[:10]), SizeCase("two", test_samples=content[10:])]
    )
    run = test(SizeNet("m", lambda scan: None if scan.n == 0 else Guess(said[scan.n])), held, "regression")
    found = run.results()
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"]) == (39, 1)
    assert found.suite["r2"] == pytest.approx(metrics.r2_score(truth[1:], said[1:]))
    assert found.cases["two"]["median_absolute_error"] == pytest.approx(
        metrics.median_absolute_error(truth[10:], said[10:])
    )
    assert [each.metrics["error"] for each in found.samples][:2] == [None, said[1] - truth[1]]
    nothing = test(SizeNet("none", lambda scan: None), held, "regression").results()
    assert nothing.suite is not None
    assert nothing.suite["mean_absolute_error"] is None


def test_results_of_named_evaluators_are_kept(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    held = suite()
    test(net("m"), held, "classification")
    before = registry.commit
    assert test(net("m"), held, "classification").results().suite is not None
    assert registry.commit == before


@pytest.mark.parametrize(
    ("evaluator", "configurations", "message"),
    [
        ("clasification", None, "evaluator is 'clasification', and there is none of that name; did you mean 'class"),
        ("quux", None, "there are classification, regression"),
        ("regression", None, "ground truth 'Finding' does not say what is right: one field with a number is needed"),
        ("classification", [Threshold("x")], "'x from best F1' needs two labels, one of them 'x'; there are n, y"),
        ("regression", [Threshold("y")], "evaluator 'regression' takes no configuration"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    registry: Registry, evaluator: str, configurations: Any, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        test(net("m"), suite(), evaluator, configurations)
    with pytest.raises(InvalidInputError, match="at is nan; it must be a finite number"):
        Threshold("y", float("nan"))
    with pytest.raises(InvalidInputError, match="score_of is 'both'"):
        Threshold("y", score_of="both")  # type: ignore[arg-type]
