"""Comparisons of the scores beside labels, beside scikit-learn."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from localreg import Comparison, InvalidInputError, Registry
from localreg.statistics.auc import compare_rankings
from localreg.statistics.scores import SCORE_METRICS, calibration_error
from localreg.workflow import GroundTruth, Inference, ScoredLabel, TestSample, define_workflow, test

np = pytest.importorskip("numpy")
metrics = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")


@dataclass(frozen=True)
class Scan(TestSample):
    n: int
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding(GroundTruth):
    label: str | None


@dataclass(frozen=True)
class Said(Inference):
    finding: ScoredLabel | None


@dataclass(frozen=True)
class Bare(Inference):
    label: str


_, Case, Suite, Net = define_workflow("Scans", Scan, Finding, Said)

COUNT = 120


def truths(labels: str = "ny") -> list[str]:
    dice = random.Random(9)
    return [dice.choice(labels) for _ in range(COUNT)]


def suite(labels: list[str]) -> None:
    samples = [(Scan(n, {"patient": n // 4, "site": n % 2}), Finding(label)) for n, label in enumerate(labels)]
    Suite("s", test_cases=[Case("all", test_samples=samples)])


def probabilities(name: str, labels: list[str], noise: float) -> list[float]:
    """Of "y", in tenths, so that there are ties."""
    dice = random.Random(name)
    return [min(1.0, max(0.0, round((label == "y") * 0.4 + 0.3 + dice.gauss(0, noise), 1))) for label in labels]


def record(name: str, said: list[tuple[str, float]]) -> None:
    test(Net(name, lambda scan: Said(ScoredLabel(*said[scan.n]))), Suite("s"))


def of_positive(scores: list[float]) -> list[tuple[str, float]]:
    return [("y" if score >= 0.5 else "n", score) for score in scores]


def of_predicted(scores: list[float]) -> list[tuple[str, float]]:
    return [("y", score) if score >= 0.5 else ("n", 1 - score) for score in scores]


@pytest.fixture
def compared(registry: Registry) -> tuple[list[str], list[float], list[float]]:
    """Two models, `a` and `b` with the probability of "y", `pa` and `pb` with that of the label that they say."""
    labels = truths()
    suite(labels)
    a, b = probabilities("a", labels, 0.3), probabilities("b", labels, 0.15)
    for name, scores in (("a", a), ("b", b)):
        record(name, of_positive(scores))
        record(f"p{name}", of_predicted(scores))
    return labels, a, b


def values(comparison: Comparison) -> dict[str, tuple[float | None, float | None]]:
    return {name: (comparison.row(name).a, comparison.row(name).b) for name in SCORE_METRICS}


@pytest.mark.parametrize("names", [("a", "b"), ("pa", "pb"), ("a", "pb")])
def test_values_are_those_of_scikit_learn_whosever_the_score_is(
    registry: Registry, compared: tuple[list[str], list[float], list[float]], names: tuple[str, str]
) -> None:
    labels, *scores = compared
    positive = [label == "y" for label in labels]
    found = values(registry.compare(*names, suite="s"))
    oracles = {
        "roc_auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
        "log_loss": metrics.log_loss,
        "brier_score": metrics.brier_score_loss,
    }
    for metric, oracle in oracles.items():
        assert found[metric] == pytest.approx(tuple(oracle(positive, each) for each in scores)), metric


def test_intervals_are_delongs_and_those_of_paired_t(
    registry: Registry, compared: tuple[list[str], list[float], list[float]]
) -> None:
    labels, a, b = compared
    comparison = registry.compare("a", "b", suite="s", positive="y")
    positive = np.array(labels) == "y"
    for each in compare_rankings(positive, a, b):
        row = comparison.row(each.metric)
        assert (row.low, row.high, row.p) == pytest.approx((each.low, each.high, each.p))
        assert row.reason is None
    losses = [np.where(positive, np.subtract(1, each), each) ** 2 for each in (a, b)]
    brier = comparison.row("brier_score")
    assert brier.p == pytest.approx(stats.ttest_rel(losses[1], losses[0]).pvalue)
    assert (brier.verdict, comparison.row("roc_auc").verdict) == ("improved", "improved")
    assert comparison.row("log_loss").verdict in ("improved", "inconclusive")
    error = comparison.row("expected_calibration_error")
    assert (error.low, error.verdict) == (None, "inconclusive")
    assert "no interval" in str(error.reason)


def test_the_calibration_error_is_that_of_bins_by_hand() -> None:
    dice = np.random.default_rng(1)
    said, right = dice.random(500), dice.random(500) < 0.6
    expected = 0.0
    for low in range(15):
        inside = (said > low / 15) & (said <= (low + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - said[inside].mean())
    assert calibration_error(right, said) == pytest.approx(expected)
    assert calibration_error(right[:0], said[:0]) is None


def test_the_positive_label_is_named_or_told(
    registry: Registry, compared: tuple[list[str], list[float], list[float]]
) -> None:
    labels, a, _ = compared
    it = registry.compare("a", "b", suite="s")
    row = it.row("roc_auc")
    assert row.reason == "'y' is taken for positive; positive= names another"
    (line,) = [line for line in str(it).splitlines() if "is taken for positive" in line]
    assert line == f"roc_auc, average_precision, log_loss, brier_score: {row.reason}"
    other = registry.compare("pa", "pb", suite="s", positive="n").row("average_precision")
    assert other.a == pytest.approx(
        metrics.average_precision_score([label == "n" for label in labels], 1 - np.array(a))
    )
    with pytest.raises(InvalidInputError, match=r"positive is 'yes', .*; there are n, y"):
        registry.compare("a", "b", suite="s", positive="yes")


def test_scores_that_could_be_of_either_are_not_guessed(registry: Registry) -> None:
    labels = truths()
    suite(labels)
    # Above a threshold of 0.8 it says "y": all are 0.5 or more, and those of "y" are higher.
    scores = [0.9 if label == "y" else 0.6 for label in labels]
    record("m", [("y" if score > 0.8 else "n", score) for score in scores])
    assert "roc_auc" not in {row.metric for row in registry.compare("m", "m", suite="s").rows}
    asked = registry.compare("m", "m", suite="s", metrics=["accuracy", "roc_auc", "brier_score"])
    assert (asked.row("roc_auc").a, asked.row("roc_auc").difference) == (None, None)
    assert "it is not clear whether scores are of the label that is said or of 'y'" in str(asked.row("roc_auc").reason)
    told: dict[str, Comparison] = {
        "positive": registry.compare("m", "m", suite="s", score_of="positive"),
        "predicted": registry.compare("m", "m", suite="s", score_of="predicted"),
    }
    assert {name: each.row("brier_score").a for name, each in told.items()} == pytest.approx(
        {
            "positive": np.mean([(score - (label == "y")) ** 2 for score, label in zip(scores, labels, strict=True)]),
            "predicted": np.mean([(1 - score) ** 2 for score in scores]),
        }
    )


def test_of_many_labels_one_must_be_named_and_scores_be_its(registry: Registry) -> None:
    labels = truths("xyz")
    suite(labels)
    scores = probabilities("m", labels, 0.2)
    record("own", [("y" if score >= 0.5 else "x", score) for score in scores])
    record("said", [("y", score) if score >= 0.5 else ("x", 1 - score) for score in scores])
    wanted = {"suite": "s", "metrics": ["accuracy", "roc_auc", "expected_calibration_error"]}
    unnamed = registry.compare("said", "said", **wanted)  # type: ignore[arg-type]
    assert unnamed.row("roc_auc").reason == "there are 3 labels; say which one is positive, as positive='" + (
        labels[0] + "'"
    )
    error = unnamed.row("expected_calibration_error").a
    assert error is not None
    assert 0 < error < 1
    own = registry.compare("own", "own", **wanted, positive="y", score_of="positive")  # type: ignore[arg-type]
    assert own.row("roc_auc").a == pytest.approx(metrics.roc_auc_score([label == "y" for label in labels], scores))
    assert own.row("expected_calibration_error").a is None
    said = registry.compare("said", "said", **wanted, positive="y", score_of="predicted")  # type: ignore[arg-type]
    assert said.row("roc_auc").reason == (
        "scores of the label that is said tell nothing of 'y' where another one is said"
    )
    assert "none for roc_auc: " in str(said)
    assert str(said.row("roc_auc").reason) in str(said)


def test_scores_that_are_no_probabilities_can_be_ranked_only(registry: Registry) -> None:
    labels = truths()
    suite(labels)
    margins = [(2 * (label == "y") - 1) * (1 + n % 5) - (n % 7) / 2 for n, label in enumerate(labels)]
    record("m", [("y" if margin >= 0 else "n", margin) for margin in margins])
    found = registry.compare("m", "m", suite="s")
    assert found.row("roc_auc").a == pytest.approx(metrics.roc_auc_score([label == "y" for label in labels], margins))
    assert (found.row("log_loss").a, found.row("log_loss").reason) == (
        None,
        "scores are no probabilities between 0 and 1",
    )


def test_pairs_without_both_scores_are_left_out(registry: Registry) -> None:
    suite(["y", "n", "y", "n", "y"])
    record("a", [("y", 0.9), ("n", 0.1), ("y", 0.8), ("y", 0.7), ("n", 0.8)])
    test(
        Net("b", lambda scan: None if scan.n == 0 else Said(None if scan.n in (1, 4) else ScoredLabel("y", 0.6))),
        Suite("s"),
    )
    row = registry.compare("a", "b", suite="s", metrics=["accuracy", "brier_score"]).row("brier_score")
    assert row.n == 2
    assert row.a == pytest.approx((0.04 + 0.49) / 2)


def test_slices_and_clusters_of_scores(
    registry: Registry, compared: tuple[list[str], list[float], list[float]]
) -> None:
    labels, a, b = compared
    comparison = registry.compare("a", "b", suite="s", by="metadata.site", group_by="metadata.patient")
    positive, groups = np.array(labels) == "y", np.arange(COUNT) // 4
    for site, rows in {None: np.arange(COUNT), "0": np.arange(0, COUNT, 2)}.items():
        expected = compare_rankings(positive[rows], np.array(a)[rows], np.array(b)[rows], groups=groups[rows])
        for each in expected:
            row = comparison.row(each.metric, slice=site)
            assert (row.a, row.low, row.p) == pytest.approx((each.a, each.low, each.p))


def test_one_class_of_truth_has_no_ranking(registry: Registry) -> None:
    suite(["y"] * 5)
    record("m", [("y", 0.9), ("n", 0.2), ("y", 0.8), ("y", 0.7), ("y", 0.6)])
    row = registry.compare("m", "m", suite="s", metrics=["accuracy", "roc_auc"]).row("roc_auc")
    assert row.a is None
    assert str(row.reason).startswith("there is no negative")


def test_a_model_is_equal_to_itself_by_every_metric_of_scores(
    registry: Registry, compared: tuple[list[str], list[float], list[float]]
) -> None:
    comparison = registry.compare("pa", "pa", suite="s", metrics=list(SCORE_METRICS))
    assert {row.metric for row in comparison.rows} == set(SCORE_METRICS)
    assert {(row.verdict, row.difference, row.low, row.high) for row in comparison.rows} == {("equal", 0, 0, 0)}
    other = registry.compare("pa", "pb", suite="s", metrics=["expected_calibration_error"]).row()
    assert (other.verdict, other.low) == ("inconclusive", None)


def test_pairs_are_told_even_where_the_first_metric_is_undefined(registry: Registry) -> None:
    suite([*"nnyy" * 10])
    for name in ("a", "b"):
        Net(name).record([{"n": n, "label": "n"} for n in range(40)], on="n")
    comparison = registry.compare("a", "b", suite="s", metrics=["roc_auc", "accuracy"])
    assert (comparison.row().difference, comparison.n) == (None, 40)
    assert "40 samples paired" in str(comparison)
    assert "40 samples of s" in comparison.to_markdown()
    assert comparison.to_dict()["n"] == 40
    assert not [each for each in comparison.warnings if "paired" in each]


def test_labels_without_scores_say_so(registry: Registry) -> None:
    _, case, suite_class, net = define_workflow("bare", Scan, Finding, Bare)
    test(
        net("m", lambda scan: Bare("y")),
        suite_class("s", test_cases=[case("c", test_samples=[(Scan(1), Finding("y"))])]),
    )
    comparison = registry.compare("m", "m", suite="s", metrics=["accuracy", "roc_auc"])
    assert comparison.row("roc_auc").reason == "inferences have no score beside their label"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"positive": 1}, "positive is 1; it must be a label"), ({"score_of": "x"}, "score_of is 'x'; it must be 'pred")],
)
def test_what_cannot_be_meant_is_refused(registry: Registry, arguments: dict[str, Any], message: str) -> None:
    suite(["y", "n"])
    record("m", [("y", 0.9), ("n", 0.8)])
    with pytest.raises(InvalidInputError, match=message):
        registry.compare("m", "m", suite="s", **arguments)


def test_scores_of_the_other_label_are_said_to_be_so(registry: Registry) -> None:
    labels = truths()
    suite(labels)
    scores = [min(0.99, max(0.01, each)) for each in probabilities("a", labels, 0.15)]
    record("m", of_positive(scores))
    found = registry.compare("m", "m", suite="s", metrics=["roc_auc", "brier_score"], positive="n")
    told = "scores are of 'y', as far as can be told, and not of 'n'; say positive='y'"
    assert [row.reason for row in found.rows if row.test_case is None] == [told, told]
    with pytest.raises(InvalidInputError, match="scores are of 'y', as far as can be told"):
        registry.predictions("m", suite="s").positive_scores("n")
    wrong = {"suite": "s", "metrics": ["roc_auc", "brier_score"], "positive": "n", "score_of": "positive"}
    insisted = registry.compare("m", "m", **wrong)  # type: ignore[arg-type]
    auc = insisted.row("roc_auc")
    assert auc.a == pytest.approx(1 - metrics.roc_auc_score([label == "y" for label in labels], scores))
    assert auc.reason == "below 0.5: scores seem to be of the other label; positive='y'?"
    assert insisted.row("brier_score").reason is None
    assert registry.measure("m", **wrong).row("roc_auc").reason == auc.reason  # type: ignore[arg-type]
    right = registry.compare("m", "m", suite="s", metrics=["roc_auc"], positive="y").row()
    assert right.reason is None


def test_one_model_that_ranks_the_wrong_way_round_is_just_bad(registry: Registry) -> None:
    labels = truths()
    suite(labels)
    scores = probabilities("a", labels, 0.15)
    record("good", of_positive(scores))
    record("bad", of_positive([1 - each for each in scores]))
    for names, is_noted in ((("good", "bad"), False), (("bad", "bad"), True)):
        found = registry.compare(*names, suite="s", metrics=["roc_auc"], positive="y", score_of="positive").row()
        assert ("below 0.5" in str(found.reason)) is is_noted
