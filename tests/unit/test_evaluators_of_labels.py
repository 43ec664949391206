"""The named evaluators `multilabel`, `identification` and `retrieval`, on real data and by oracles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
import pytest

from localreg import InvalidInputError, Registry
from localreg.workflow import (
    ClassificationLabel,
    GroundTruth,
    Inference,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)
from localreg.workflow.multilabel_evaluator import ScoreThreshold
from localreg.workflow.top_k import TopK

datasets = pytest.importorskip("sklearn.datasets")
linear_model = pytest.importorskip("sklearn.linear_model")
metrics = pytest.importorskip("sklearn.metrics")
multiclass = pytest.importorskip("sklearn.multiclass")

PROPERTIES = {"loop": {0, 6, 8, 9}, "even": {0, 2, 4, 6, 8}, "prime": {2, 3, 5, 7}, "nine": {9}}


@dataclass(frozen=True)
class Digit(TestSample):
    n: int
    part: str = ""


@dataclass(frozen=True)
class Properties(GroundTruth):
    labels: list[ClassificationLabel]


@dataclass(frozen=True)
class Found(Inference):
    labels: list[ScoredClassificationLabel]


class Kind(Enum):
    one = "ONE"
    two = "TWO"


@dataclass(frozen=True)
class Kinds(GroundTruth):
    kinds: list[Kind] | None


@dataclass(frozen=True)
class Said(Inference):
    other: list[float]
    kinds: list[str] | None


@dataclass(frozen=True)
class Which(GroundTruth):
    digit: str | None


@dataclass(frozen=True)
class Ranked(Inference):
    digits: list[ScoredClassificationLabel]


@dataclass(frozen=True)
class Plain(Inference):
    digits: list[str]


@dataclass(frozen=True)
class Relevant(GroundTruth):
    ids: list[str]


@dataclass(frozen=True)
class Gains(GroundTruth):
    gains: dict[str, float]


@dataclass(frozen=True)
class Judged:
    page: str
    gain: int


@dataclass(frozen=True)
class Judgements(GroundTruth):
    pages: list[Judged] = field(default_factory=list)


@dataclass(frozen=True)
class Pages(Inference):
    pages: list[str] | None


_, Case, Suite, Net = define_workflow("Properties", Digit, Properties, Found)
_, KindCase, KindSuite, KindNet = define_workflow("Kinds", Digit, Kinds, Said)
_, WhoCase, WhoSuite, WhoNet = define_workflow("Who", Digit, Which, Ranked)
_, PlainCase, PlainSuite, PlainNet = define_workflow("Plain", Digit, Which, Plain)
_, PageCase, PageSuite, PageNet = define_workflow("Pages", Digit, Relevant, Pages)
_, GainCase, GainSuite, GainNet = define_workflow("Gains", Digit, Gains, Pages)
_, JudgedCase, JudgedSuite, JudgedNet = define_workflow("Judged", Digit, Judgements, Pages)


@cache
def digits() -> tuple[Any, Any, Any, Any]:
    """Half of scikit-learn's digits to learn, a sixth to test."""
    found = datasets.load_digits()
    return found.data[:898], found.target[:898], found.data[-300:], found.target[-300:]


def flags(target: Any) -> Any:
    return np.array([[digit in own for own in PROPERTIES.values()] for digit in target])


@cache
def scores(pixels: int) -> Any:
    """Of each property, by a model that sees so many pixels."""
    train, target, held, _ = digits()
    model = multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=200))
    return model.fit(train[:, :pixels] / 16, flags(target)).predict_proba(held[:, :pixels] / 16).round(3)


def halves(samples: list[Any]) -> dict[str, list[Any]]:
    """Two test cases that overlap."""
    return {"first": samples[:180], "second": samples[120:]}


def suite_of(case: Any, suite: Any, samples: list[Any], name: str = "s") -> Any:
    return suite(name, test_cases=[case(name, test_samples=own) for name, own in halves(samples).items()])


# --- multilabel -------------------------------------------------------------------------------------------------------


def property_suite() -> Any:
    _, _, _, target = digits()
    content = [
        (
            Digit(n, "even" if n % 2 else "odd"),
            Properties([ClassificationLabel(p) for p, own in PROPERTIES.items() if d in own]),
        )
        for n, d in enumerate(target)
    ]
    return suite_of(Case, Suite, content)


def property_net(name: str, pixels: int, least: float = 0.5) -> Any:
    said = scores(pixels)
    return Net(
        name,
        lambda digit: Found(
            [
                ScoredClassificationLabel(p, float(s))
                for p, s in zip(PROPERTIES, said[digit.n], strict=True)
                if s >= least
            ]
        ),
    )


def check_labels(own: Mapping[str, Any], truth: Any, said: Any) -> None:
    """All metrics of a test case, or the suite, are those of scikit-learn."""

    def f1(average: str | None) -> Any:
        return metrics.f1_score(truth, said, average=average, zero_division=np.nan)

    assert own["n"] == len(truth)
    assert own["subset_accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert own["mean_hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, said))
    assert own["f1_micro"] == pytest.approx(f1("micro"))
    assert own["f1_macro"] == pytest.approx(f1("macro"))
    assert own["f1_weighted"] == pytest.approx(f1("weighted"))
    assert own["f1_samples"] == pytest.approx(f1("samples"))
    assert own["precision_micro"] == pytest.approx(metrics.precision_score(truth, said, average="micro"))
    assert own["recall_micro"] == pytest.approx(metrics.recall_score(truth, said, average="micro"))
    each = {of["label"]: of for of in own["by_class"]}
    for place, (label, recall, precision) in enumerate(
        zip(
            PROPERTIES,
            metrics.recall_score(truth, said, average=None),
            metrics.precision_score(truth, said, average=None, zero_division=0),
            strict=True,
        )
    ):
        assert (each[label]["recall"], each[label]["precision"]) == pytest.approx((recall, precision))
        assert each[label]["f1"] == pytest.approx(f1(None)[place])
        assert each[label]["support"] == truth[:, place].sum()


def test_several_labels_are_measured_as_by_scikit_learn(registry: Registry) -> None:
    found = test(property_net("m", 40), property_suite(), "multilabel").results()
    truth, said = flags(digits()[3]), scores(40) >= 0.5
    assert found.suite is not None
    check_labels(found.suite, truth, said)
    check_labels(found.cases["first"], truth[:180], said[:180])
    check_labels(found.cases["second"], truth[120:], said[120:])
    ranking = np.where(said, scores(40), scores(40)[said].min() - 1)
    some = truth.any(axis=1)
    assert found.suite["label_ranking_average_precision"] == pytest.approx(
        metrics.label_ranking_average_precision_score(truth[some], ranking[some])
    )
    for row in (0, 5, 77):
        own = found.samples[row].metrics
        assert own["exact_match"] is bool((truth[row] == said[row]).all())
        both, either = (truth[row] & said[row]).sum(), (truth[row] | said[row]).sum()
        assert own["jaccard"] == (pytest.approx(both / either) if either else None)
        assert own["hamming_loss"] == pytest.approx((truth[row] != said[row]).mean())
        assert own["f1"] == (pytest.approx(2 * both / (both + either)) if either else None)


@pytest.mark.parametrize("at", [0.7, None])
def test_a_threshold_is_fixed_or_the_best_over_the_whole_suite(registry: Registry, at: float | None) -> None:
    found = test(property_net("m", 24, 0.1), property_suite(), "multilabel", [ScoreThreshold(at)]).results()
    truth, score = flags(digits()[3]), np.where(scores(24) >= 0.1, scores(24), -1)

    def f1(threshold: float) -> float:
        return float(metrics.f1_score(truth, score >= threshold, average="micro"))

    best = max(np.unique(score[score >= 0.1]), key=lambda threshold: (f1(threshold), threshold))
    assert found.suite is not None
    assert found.suite["threshold"] == (at or best)
    assert {own["threshold"] for own in found.cases.values()} == {at or best}
    check_labels(found.suite, truth, score >= (at or best))
    assert found.configuration == ("from best F1" if at is None else "from 0.7")


def test_models_of_several_labels_are_compared(registry: Registry) -> None:
    suite = property_suite()
    test(property_net("few pixels", 24), suite, "multilabel")
    test(property_net("many", 56), suite, "multilabel")
    comparison = registry.compare("few pixels", "many", suite="s", evaluator="multilabel", by="part")
    truth, a, b = flags(digits()[3]), scores(24) >= 0.5, scores(56) >= 0.5
    verdicts = {row.metric: row.verdict for row in comparison.rows if row.test_case is row.by is row.label is None}
    for name in ("exact_match", "f1", "jaccard", "hamming_loss", "f1_micro", "precision_micro"):
        assert verdicts[name] == "improved", name
    assert comparison.row("ranking_average_precision").verdict == "improved"
    assert not {"hits", "n", "subset_accuracy", "threshold"} & verdicts.keys()
    right = [(truth == said).all(axis=1) for said in (a, b)]
    assert [row["sample"]["n"] for row in comparison.fixed] == np.flatnonzero(right[1] & ~right[0]).tolist()
    assert [row["sample"]["n"] for row in comparison.broken] == np.flatnonzero(right[0] & ~right[1]).tolist()
    micro = comparison.row("f1_micro")
    assert (micro.a, micro.b) == pytest.approx([metrics.f1_score(truth, said, average="micro") for said in (a, b)])
    assert micro.low is not None
    assert micro.p is not None
    (of_odd,) = (row for row in comparison.rows if row.metric == "f1_micro" and row.slice == "odd")
    assert of_odd.b == pytest.approx(metrics.f1_score(truth[::2], b[::2], average="micro"))
    named = registry.compare("few pixels", "many", suite="s", evaluator="multilabel", metrics=["subset_accuracy"])
    assert named.row("subset_accuracy").p == comparison.row("exact_match").p
    assert [row["sample"]["n"] for row in named.fixed] == [row["sample"]["n"] for row in comparison.fixed]


def kinds(labels: Mapping[int, list[Kind] | None], said: Callable[[Digit], Said | None]) -> Any:
    content = [(Digit(n), Kinds(own)) for n, own in labels.items()]
    return test(KindNet("m", said), KindSuite("s", test_cases=[KindCase("c", test_samples=content)]), "multilabel")


def test_what_is_said_beside_the_classes_is_wrong_and_makes_no_class_more(registry: Registry) -> None:
    answers = {0: ["ONE"], 1: ["ONE", "what?", "ever"], 2: [], 3: ["TWO", "TWO"], 4: ["ONE"]}
    found = kinds(
        {0: [Kind.one], 1: [Kind.one], 2: [], 3: [Kind.one, Kind.two], 4: None},
        lambda digit: Said([0.0], answers[digit.n]),
    ).results()
    own = {each.test_sample.n: each.metrics for each in found.samples}
    assert [own[n]["exact_match"] for n in range(5)] == [True, False, True, False, None]
    assert [own[n]["hamming_loss"] for n in range(5)] == [0, 1, 0, 0.5, None]
    assert (own[2]["f1"], own[2]["jaccard"]) == (None, None)
    assert own[3]["f1"] == pytest.approx(2 / 3)
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"]) == (4, 1)
    assert found.suite["mean_hamming_loss"] == pytest.approx(1.5 / 4)
    assert found.suite["label_ranking_average_precision"] is None, "there are no scores"
    assert {each["label"]: each["precision"] for each in found.suite["by_class"]} == {
        "ONE": 1.0,
        "TWO": 1.0,
        "what?": 0.0,
        "ever": 0.0,
    }


def test_skips_are_left_out_of_several_labels(registry: Registry) -> None:
    nothing = kinds({0: [Kind.one], 1: []}, lambda digit: None).results()
    assert nothing.suite is not None
    assert (nothing.suite["n"], nothing.suite["left_out"], nothing.suite["f1_micro"]) == (0, 2, None)
    assert [each.metrics["exact_match"] for each in nothing.samples] == [None, None]


# --- identification ---------------------------------------------------------------------------------------------------


@cache
def decisions(pixels: int) -> Any:
    train, target, held, _ = digits()
    model = linear_model.LogisticRegression(max_iter=200).fit(train[:, :pixels] / 16, target)
    return model.predict_proba(held[:, :pixels] / 16)


def who_suite(name: str = "s") -> Any:
    return suite_of(WhoCase, WhoSuite, [(Digit(n), Which(str(d))) for n, d in enumerate(digits()[3])], name)


def who_net(name: str, pixels: int) -> Any:
    said = decisions(pixels)
    return WhoNet(
        name, lambda digit: Ranked([ScoredClassificationLabel(str(d), float(s)) for d, s in enumerate(said[digit.n])])
    )


def test_identification_is_top_k_accuracy(registry: Registry) -> None:
    target, said = digits()[3], decisions(40)
    found = test(who_net("m", 40), who_suite(), "identification", [TopK(3)]).results()
    for own, rows in (
        (found.suite, slice(None)),
        (found.cases["first"], slice(180)),
        (found.cases["second"], slice(120, None)),
    ):
        assert own is not None
        for name, k in (("rank_1_accuracy", 1), ("rank_k_accuracy", 3)):
            assert own[name] == pytest.approx(metrics.top_k_accuracy_score(target[rows], said[rows], k=k))
        ranks = 1 + (said[rows] > said[rows][np.arange(len(target[rows])), target[rows]][:, None]).sum(axis=1)
        assert own["mean_reciprocal_rank"] == pytest.approx((1 / ranks).mean())
        assert (own["n"], own["not_listed"], own["k"]) == (len(ranks), 0, 3)
    assert test(who_net("m", 40), WhoSuite("s"), "identification").results().suite["k"] == 5  # type: ignore[index]


def test_a_plain_list_is_ranked_as_it_stands(registry: Registry) -> None:
    lists = {0: ["a", "b"], 1: ["b", "a", "a"], 2: ["b", "b", "c"], 3: [], 4: ["a"]}
    content = [(Digit(n), Which(None if n == 4 else "a")) for n in range(6)]
    held = PlainSuite("s", test_cases=[PlainCase("c", test_samples=content)])
    model = PlainNet("m", lambda digit: Plain(lists[digit.n]) if digit.n in lists else None)
    found = test(model, held, "identification", [TopK(2)]).results()
    own = [each.metrics for each in found.samples]
    assert [each["rank"] for each in own] == [1, 2, None, None, None, None]
    assert [each["rank_1"] for each in own] == [True, False, False, False, None, None]
    assert [each["rank_k"] for each in own] == [True, True, False, False, None, None]
    assert [each["reciprocal_rank"] for each in own] == [1, 0.5, 0, 0, None, None]
    assert found.suite is not None
    assert (found.suite["n"], found.suite["left_out"], found.suite["not_listed"]) == (4, 2, 2)


def test_equal_scores_count_against_the_model_and_templates_once(registry: Registry) -> None:
    def listed(*pairs: tuple[str, float]) -> Ranked:
        return Ranked([ScoredClassificationLabel(*pair) for pair in pairs])

    said = {
        0: listed(("b", 0.5), ("a", 0.5), ("c", 0.5)),
        1: listed(("a", 0.6), ("b", 0.5), ("b", 0.4), ("a", 0.1)),
        2: listed(("b", 0.5), ("b", 0.4), ("a", 0.3)),
    }
    held = WhoSuite("s", test_cases=[WhoCase("c", test_samples=[(Digit(n), Which("a")) for n in said])])
    found = test(WhoNet("m", lambda digit: said[digit.n]), held, "identification").results()
    assert [each.metrics["rank"] for each in found.samples] == [3, 1, 2]


def test_identification_is_compared(registry: Registry) -> None:
    suite = who_suite()
    for name, pixels in (("few", 24), ("many", 56)):
        test(who_net(name, pixels), suite, "identification", [TopK(2)])
    comparison = registry.compare("few", "many", suite="s", evaluator="identification")
    right = [decisions(pixels).argmax(axis=1) == digits()[3] for pixels in (24, 56)]
    assert [row["sample"]["n"] for row in comparison.fixed] == np.flatnonzero(right[1] & ~right[0]).tolist()
    for name in ("rank_1", "rank_k", "reciprocal_rank"):
        assert comparison.row(name).verdict == "improved"


# --- retrieval --------------------------------------------------------------------------------------------------------

GALLERY = 150


@cache
def order(pixels: int) -> Any:
    """The gallery's images from the nearest to the farthest, for each query."""
    train, _, held, _ = digits()
    apart = ((held[:, None, :pixels] - train[None, :GALLERY, :pixels]) ** 2).sum(axis=2)
    return np.argsort(apart, axis=1, kind="stable")


def page_suite() -> Any:
    _, target, _, asked = digits()
    content = [
        (Digit(n), Relevant([f"image-{i}" for i in np.flatnonzero(target[:GALLERY] == d)])) for n, d in enumerate(asked)
    ]
    return suite_of(PageCase, PageSuite, content)


def page_net(name: str, pixels: int, listed: int) -> Any:
    ranking = order(pixels)
    return PageNet(name, lambda digit: Pages([f"image-{i}" for i in ranking[digit.n][:listed]]))


@pytest.mark.parametrize("listed", [GALLERY, 30, 3])
def test_retrieval_is_that_of_scikit_learn(registry: Registry, listed: int) -> None:
    found = test(page_net("m", 40, listed), page_suite(), "retrieval", [TopK(10)]).results()
    _, target, _, asked = digits()
    relevant = (target[:GALLERY][order(40)] == asked[:, None]).astype(float)
    rank = np.arange(1, GALLERY + 1)
    seen = relevant * (rank <= listed)
    gains = seen / np.log2(rank + 1)
    total = relevant.sum(axis=1)
    ideal = np.array([(1 / np.log2(rank + 1))[: min(10, int(count))].sum() for count in total])
    expected = {
        "ndcg_at_k": gains[:, :10].sum(axis=1) / ideal,
        "average_precision": (seen * np.cumsum(seen, axis=1) / rank).sum(axis=1) / total,
        "reciprocal_rank": np.where(seen.any(axis=1), 1 / (1 + seen.argmax(axis=1)), 0),
        "recall_at_k": seen[:, :10].sum(axis=1) / total,
        "precision_at_k": seen[:, :10].sum(axis=1) / 10,
        "hit_at_k": seen[:, :10].any(axis=1),
    }
    for name, values in expected.items():
        assert [each.metrics[name] for each in found.samples] == pytest.approx(values.tolist()), name
        mean = "hit_rate_at_k" if name == "hit_at_k" else f"mean_{name}"
        assert found.suite is not None
        assert found.suite[mean] == pytest.approx(values.mean())
        assert found.cases["second"][mean] == pytest.approx(values[120:].mean())
    if listed == GALLERY:
        falling = np.tile(-rank, (len(asked), 1))
        assert found.suite is not None
        assert found.suite["mean_ndcg_at_k"] == pytest.approx(metrics.ndcg_score(relevant, falling, k=10))
        assert found.suite["mean_average_precision"] == pytest.approx(
            np.mean([metrics.average_precision_score(r, s) for r, s in zip(relevant, falling, strict=True)])
        )


def test_retrieval_is_compared(registry: Registry) -> None:
    suite = page_suite()
    test(page_net("few", 16, 30), suite, "retrieval", [TopK(1)])
    test(page_net("many", 64, 30), suite, "retrieval", [TopK(1)])
    comparison = registry.compare("few", "many", suite="s", evaluator="retrieval")
    _, target, _, asked = digits()
    hit = [target[order(pixels)[:, 0]] == asked for pixels in (16, 64)]
    assert [row["sample"]["n"] for row in comparison.fixed] == np.flatnonzero(hit[1] & ~hit[0]).tolist()
    for name in ("hit_at_k", "ndcg_at_k", "average_precision", "reciprocal_rank", "recall_at_k"):
        assert comparison.row(name).verdict == "improved"


def test_gains_are_those_of_a_mapping_or_of_a_class(registry: Registry) -> None:
    gains = {0: {"a": 3.0, "b": 1.0, "c": 0.0}, 1: {"a": 2.0}, 2: {"c": 0.0}, 3: {}}
    lists = {0: ["c", "b", "a", "b"], 1: [], 2: ["c"], 3: ["c"]}
    held = GainSuite("s", test_cases=[GainCase("c", test_samples=[(Digit(n), Gains(own)) for n, own in gains.items()])])
    found = test(GainNet("m", lambda digit: Pages(lists[digit.n])), held, "retrieval").results()
    judged = [(Digit(n), Judgements([Judged(page, int(g)) for page, g in own.items()])) for n, own in gains.items()]
    other = JudgedSuite("t", test_cases=[JudgedCase("d", test_samples=judged)])
    same = test(JudgedNet("m2", lambda digit: Pages(lists[digit.n])), other, "retrieval").results()
    for each in (found, same):
        own = [sample.metrics for sample in each.samples]
        assert own[0]["ndcg_at_k"] == pytest.approx(metrics.ndcg_score([[0, 1, 3]], [[3, 2, 1]]))
        assert own[0]["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
        assert (own[0]["reciprocal_rank"], own[0]["recall_at_k"]) == (0.5, 1)
        assert (own[1]["ndcg_at_k"], own[1]["average_precision"], own[1]["hit_at_k"]) == (0, 0, False)
        assert own[2]["hit_at_k"] is own[3]["hit_at_k"] is None
        assert each.suite is not None
        assert (each.suite["n"], each.suite["left_out"]) == (2, 2)


# --- what is refused --------------------------------------------------------------------------------------------------


def page_run(evaluator: str, configurations: Any = None, said: Any = None) -> None:
    held = PageSuite("s", test_cases=[PageCase("c", test_samples=[(Digit(0), Relevant(["a"]))])])
    test(PageNet("m", lambda digit: Pages(["a"]) if said is None else said), held, evaluator, configurations)


def test_what_cannot_be_evaluated_is_refused(registry: Registry) -> None:
    with pytest.raises(
        InvalidInputError, match=r"evaluator 'identification' cannot tell .* in ground truth 'Relevant'"
    ):
        page_run("identification")
    with pytest.raises(InvalidInputError, match=r"'Which': one field with a list of labels .* there is none"):
        test(who_net("w", 40), who_suite("w"), "multilabel")
    with pytest.raises(InvalidInputError, match=r"'from 0\.5' needs scores, and an inference has a label without one"):
        page_run("multilabel", [ScoreThreshold(0.5)])
    with pytest.raises(InvalidInputError, match="at is nan; it must be a finite number"):
        ScoreThreshold(float("nan"))
    with pytest.raises(InvalidInputError, match="k is 0; it must be a whole number, 1 or more"):
        TopK(0)
    held = GainSuite("g", test_cases=[GainCase("g", test_samples=[(Digit(0), Gains({"a": -1.0}))])])
    with pytest.raises(InvalidInputError, match="a ground truth gives 'a' the gain -1; gains are 0 or more"):
        test(GainNet("g", lambda digit: Pages(["a"])), held, "retrieval")
