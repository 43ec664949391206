"""Comparisons by what an evaluator said of samples, test cases and the suite."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from localreg import Gate, InvalidInputError, NotFoundError, Registry
from localreg.statistics import mcnemar_exact
from localreg.workflow import (
    EvaluationResults,
    Evaluator,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    TestCases,
    TestSample,
    define_workflow,
    no_op_evaluator,
    test,
)

stats = pytest.importorskip("scipy.stats")


@dataclass(frozen=True)
class Page(TestSample):
    n: int
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Text(GroundTruth):
    words: list[str]


@dataclass(frozen=True)
class Read(Inference):
    words: list[str]


@dataclass(frozen=True)
class Timing:
    seconds: float


@dataclass(frozen=True)
class OfPage(MetricsTestSample):
    exact: bool | None
    overlap: float
    timing: Timing
    note: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class OfWord(MetricsTestCase):
    word: str
    recall: float


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    overlap: float
    words: int
    by_word: list[OfWord] = field(default_factory=list)


@dataclass(frozen=True)
class OfSuite(MetricsTestSuite):
    worst: float


@dataclass(frozen=True)
class Cut(EvaluatorConfiguration):
    at: int

    def display_name(self) -> str:
        return f"cut at {self.at}"


_, Case, Suite, Net = define_workflow("Pages", Page, Text, Read)

TRUTH = {n: ["the", "cat", f"w{n % 3}"] for n in range(40)}


def pages(numbers: Sequence[int]) -> list[tuple[Page, Text]]:
    return [(Page(n, {"book": n // 4}), Text(TRUTH[n])) for n in numbers]


def of_page(truth: Text, said: Read | None) -> OfPage:
    if said is None:
        return OfPage(None, float("nan"), Timing(0.5))
    share = sum(a == b for a, b in zip(truth.words, said.words, strict=True)) / len(truth.words)
    return OfPage(share == 1, share, Timing(len(said.words[0]) + share), wrong=share < 1)


def reading(
    samples: list[Page], truths: list[Text], inferences: list[Read | None], cases: TestCases
) -> EvaluationResults:
    metrics = [of_page(truth, said) for truth, said in zip(truths, inferences, strict=True)]
    of_cases = []
    for case, _, _, _, own in cases.iter(samples, truths, inferences, metrics):
        overlap = max(each.overlap for each in own)
        of_cases.append((case, OfCase(overlap, 3 * len(own), [OfWord("the", overlap / 2), OfWord("cat", 0.25)])))
    worst = min(metrics.overlap for _, metrics in of_cases)
    return EvaluationResults(list(zip(samples, metrics, strict=True)), of_cases, (), OfSuite(worst))


def reader(name: str, right: float) -> Callable[[Page], Read]:
    def infer(page: Page) -> Read:
        dice = random.Random(f"{name} {page.n}")
        return Read([word if dice.random() < right else "?" for word in TRUTH[page.n]])

    return infer


@pytest.fixture
def compared(registry: Registry) -> Registry:
    """40 pages in two overlapping test cases, read by two models."""
    suite = Suite(
        "s", test_cases=[Case("one", test_samples=pages(range(25))), Case("two", test_samples=pages(range(15, 40)))]
    )
    for name, right in (("a", 0.5), ("b", 0.85)):
        test(Net(name, reader(name, right)), suite, reading)
    return registry


def said() -> tuple[list[OfPage], list[OfPage]]:
    models = [("a", 0.5), ("b", 0.85)]
    a, b = ([of_page(Text(TRUTH[n]), reader(*model)(Page(n))) for n in TRUTH] for model in models)
    return a, b


def test_numbers_are_compared_by_paired_t_and_booleans_by_mcnemar(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", evaluator="reading")
    strict = compared.compare("a", "b", suite="s", evaluator="reading", strict=True)
    assert strict.rows == comparison.rows, "nothing is missing"
    a, b = said()
    exact, overlap = comparison.row("exact"), comparison.row("overlap")
    fixed = sum(new.exact is True and old.exact is False for old, new in zip(a, b, strict=True))
    broken = sum(new.exact is False and old.exact is True for old, new in zip(a, b, strict=True))
    assert (exact.a, exact.b) == pytest.approx(tuple(sum(bool(each.exact) for each in own) / 40 for own in (a, b)))
    assert (exact.fixed, exact.broken, exact.n) == (fixed, broken, 40)
    assert exact.p == mcnemar_exact(fixed, broken)
    expected = stats.ttest_rel([each.overlap for each in b], [each.overlap for each in a])
    interval = expected.confidence_interval(0.95)
    assert (overlap.p, overlap.low, overlap.high) == pytest.approx((expected.pvalue, interval.low, interval.high))
    assert (overlap.fixed, overlap.broken) == (None, None)
    assert comparison.row("timing.seconds").n == 40
    assert comparison.task == "evaluator 'reading'"
    with pytest.raises(NotFoundError):
        comparison.row("note")


def test_booleans_say_what_is_fixed_and_broken(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", evaluator=reading)
    a, b = said()
    fixed = [n for n in TRUTH if b[n].exact and not a[n].exact]
    assert [row["sample"]["n"] for row in comparison.fixed] == fixed
    assert {(row["exact_a"], row["exact_b"]) for row in comparison.fixed} == {(False, True)}
    assert comparison.fixed.arrow()["overlap_b"].to_pylist() == [1.0] * len(fixed)
    inverted = compared.compare("a", "b", suite="s", evaluator=reading, metrics=["wrong"], better={"wrong": "lower"})
    assert [row["sample"]["n"] for row in inverted.fixed] == fixed
    assert inverted.row().fixed == len(fixed)
    assert inverted.verdict == "improved"


def test_the_direction_of_a_number_is_told_and_not_guessed(compared: Registry) -> None:
    directions: dict[str, Mapping[str, Literal["higher", "lower"]] | None] = {
        "": None,
        "higher": {"overlap": "higher"},
        "lower": {"overlap": "lower"},
    }
    told = {
        name: compared.compare("a", "b", suite="s", evaluator="reading", metrics=["overlap"], better=better).verdict
        for name, better in directions.items()
    }
    assert told == {"": "different", "higher": "improved", "lower": "regressed"}


def test_models_are_ranked_by_what_an_evaluator_said_if_it_is_known_which_way(compared: Registry) -> None:
    asked: dict[str, Any] = {"evaluator": "reading", "strict": False}
    ways: list[tuple[Literal["higher", "lower"], Any]] = [("higher", max), ("lower", min)]
    for way, better in ways:
        board = compared.leaderboard("a", "b", suites="s", metric="overlap", better={"overlap": way}, **asked)
        values = board.arrow()["value"].to_pylist()
        assert values[0] == better(values) != values[1]
    with pytest.raises(InvalidInputError, match=r"neither more nor less of 'overlap'.* which by better="):
        compared.leaderboard("a", "b", suites="s", metric="overlap", **asked)


def test_an_evaluator_is_kept_with_a_saved_comparison_by_its_name(compared: Registry) -> None:
    live = compared.compare("a", "b", suite="s", evaluator=reading, better={"timing.seconds": "lower"}, by="n % 2")
    found = live.save("release")
    assert found.samples().arrow() == live.samples().arrow()
    assert found.broken.arrow() == live.broken.arrow()
    assert found.lower_is_better == ["timing.seconds"]
    assert "overlap" in found.undirected
    with pytest.raises(InvalidInputError, match="neither more nor less of 'overlap' is better"):
        found.gate(overlap=Gate(max_drop=1))
    content = {key: value for key, value in found.info.content.items() if key != "undirected"}
    found._change(lambda record, _: record.model_copy(update={"content": content}))
    before = compared.get_comparison("release")
    assert before.undirected == set(live.undirected), "as an earlier release saved it"


def test_what_was_evaluated_before_it_was_inferred_anew_is_refused(compared: Registry) -> None:
    before, commit = compared.compare("a", "b", suite="s", evaluator="reading"), compared.commit
    suite = Suite("s")
    test(Net("b", reader("b", 0.85)), suite, reset=True)
    again = compared.compare("a", "b", suite="s", evaluator="reading")
    assert again.rows == before.rows, "the answers are the same"
    test(Net("b", reader("b", 0.1)), suite, reset=True)
    stale = r"no evaluation of 'b@1' on test suite 's' .* as it is now: .* before \d+ of the samples were inferred anew"
    with pytest.raises(NotFoundError, match=stale + rf"; run test.* again, or compare registry\.at\(commit={commit}\)"):
        compared.compare("a", "b", suite="s", evaluator="reading")
    assert compared.at(commit=commit).compare("a", "b", suite="s", evaluator="reading").rows == before.rows
    test(Net("b", reader("b", 0.1)), suite, reading)
    after = compared.compare("a", "b", suite="s", evaluator="reading")
    assert after.row("exact").b < before.row("exact").b  # type: ignore[operator]


def test_parts_that_were_only_merged_are_what_was_evaluated(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("one", test_samples=pages(range(24)))])
    test(Net("a", reader("a", 0.5)), suite, reading)
    net, infer = Net("b"), reader("b", 0.85)
    for begin in range(0, 24, 2):
        net.record([{"n": n, "words": infer(Page(n)).words} for n in range(begin, begin + 2)], on="n")
    test(Net("b", infer), suite, reading)
    before = registry.compare("a", "b", suite="s", evaluator="reading").rows
    assert registry.compact().parts_after < 12
    assert registry.compare("a", "b", suite="s", evaluator="reading").rows == before


def test_what_is_said_of_the_only_test_case_is_told(registry: Registry) -> None:
    suite = Suite("one", test_cases=[Case("alone", test_samples=pages(range(25)))])
    for name, right in (("a", 0.5), ("b", 0.85)):
        test(Net(name, reader(name, right)), suite, reading)
    text = registry.compare("a", "b", suite="one", evaluator="reading").to_markdown()
    told = text.partition("Test cases and slices")[2].partition("</details>")[0]
    assert "| alone | words | 75.0000 | 75.0000 |" in told
    assert "| alone | exact |" not in told, "the suite says it already"


def test_what_is_said_of_cases_and_the_suite_is_told_without_an_interval(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", evaluator="reading")
    rows = {(row.metric, row.test_case, row.label): row for row in comparison.rows}
    worst = rows["worst", None, None]
    assert worst.a is not None
    assert (worst.low, worst.p, worst.verdict) == (None, None, "inconclusive")
    assert "does not tell how it would vary" in str(worst.reason)
    assert (rows["words", "one", None].a, rows["words", "two", None].b) == (75.0, 75.0)
    assert (rows["words", None, None].a, rows["words", None, None].reason) == (
        None,
        "the evaluator says it of test cases only",
    )
    assert ("worst", "one", None) not in rows
    # What is also a metric of samples is told apart from it.
    assert rows["reported_overlap", "one", None].a == 1.0
    assert rows["overlap", "one", None].low is not None
    assert rows["recall", "one", "the"].b == rows["reported_overlap", "one", None].b / 2  # type: ignore[operator]
    assert rows["recall", "two", "cat"].a == 0.25
    assert str(comparison)


def test_slices_and_clusters_are_those_of_samples(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", evaluator="reading", by="n % 2", group_by="metadata.book")
    a, b = said()
    for parity in (0, 1):
        differences = [b[n].overlap - a[n].overlap for n in TRUTH if n % 2 == parity]
        row = comparison.row("overlap", slice=str(parity))
        assert row.n == 20
        assert row.difference == pytest.approx(sum(differences) / 20)
    plain = compared.compare("a", "b", suite="s", evaluator="reading")
    for metric in ("exact", "overlap"):
        assert comparison.row(metric).a == pytest.approx(plain.row(metric).a)
        assert comparison.row(metric).p != plain.row(metric).p
    assert "10 clusters only" in str(comparison.row("overlap").reason)


def test_samples_that_were_not_evaluated_are_left_out_and_told(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("one", test_samples=pages(range(4)))])
    skipping: Mapping[int, bool] = {0: True}

    def infer(page: Page) -> Read | None:
        return None if page.n in skipping else Read(TRUTH[page.n])

    def failing(page: Page) -> Read:
        if page.n == 1:
            raise ValueError("no")
        return Read(["a", "b", "c"])

    test(Net("a", infer), suite, reading)
    test(Net("b", failing), suite, reading, on_error="record")
    comparison = registry.compare("a", "b", suite="s", evaluator="reading")
    assert (comparison.row("exact").n, comparison.row("overlap").n, comparison.row("timing.seconds").n) == (2, 2, 3)
    assert [(each.ok, each.skipped, each.error) for each in comparison.coverage] == [(3, 1, 0), (3, 0, 1)]
    with pytest.raises(InvalidInputError, match="strict counts a sample without an inference as wrong"):
        registry.compare("a", "b", suite="s", evaluator="reading", strict=True)
    test(Net("b", lambda page: Read(["a", "b", "c"])), suite)  # infers what failed, and evaluates nothing
    comparison = registry.compare("a", "b", suite="s", evaluator="reading")
    assert "of b@1, 1 inference without metrics of the evaluator: left out" in comparison.warnings


def test_classes_say_something_in_each_test_case(registry: Registry) -> None:
    suite = Suite(
        "s", test_cases=[Case("one", test_samples=pages(range(3))), Case("two", test_samples=pages(range(2, 5)))]
    )
    test(Net("a", lambda page: Read(["0"])), suite, ByCase)
    test(Net("b", lambda page: Read(["1"])), suite, ByCase)
    comparison = registry.compare("a", "b", suite="s", evaluator=ByCase, metrics=["value"])
    rows = {row.test_case: (row.n, row.a, row.b) for row in comparison.rows}
    # Page 2 is of both: 2 in the one, 102 in the other; the first one counts for the suite.
    assert rows == {
        "one": (3, 1.0, 2.0),
        "two": (3, 103.0, 104.0),
        None: (5, pytest.approx((0 + 1 + 2 + 103 + 104) / 5), pytest.approx(43.0)),
    }


@dataclass(frozen=True)
class Value(MetricsTestSample):
    value: float


class ByCase(Evaluator):
    def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
        base = 0 if test_case.name == "one" else 100
        return [(page, Value(base + page.n + float(said.words[0]))) for page, _, said in inferences]

    def compute_test_case_metrics(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> MetricsTestCase:
        return MetricsTestCase()


def cutting(
    samples: list[Page], truths: list[Text], inferences: list[Read], cases: TestCases, configuration: Cut
) -> EvaluationResults:
    metrics = [Value(len(said.words[: configuration.at])) for said in inferences]
    of_cases = [(case, MetricsTestCase()) for case, *_ in cases.iter(samples, truths, inferences, metrics)]
    return EvaluationResults(list(zip(samples, metrics, strict=True)), of_cases)


def test_configurations_are_named(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("one", test_samples=pages(range(3)))])
    for name in "ab":
        test(Net(name, lambda page: Read(["a", "b", "c"])), suite, cutting, [Cut(1), Cut(2)])
    for configuration in (Cut(2), "cut at 2"):
        comparison = registry.compare("a", "b", suite="s", evaluator="cutting", configuration=configuration)
        assert comparison.values == (2.0, 2.0)
        assert comparison.verdict == "equal"
    with pytest.raises(InvalidInputError, match="several configurations: 'cut at 1', 'cut at 2'; pass the one"):
        registry.compare("a", "b", suite="s", evaluator="cutting")


def test_what_was_not_evaluated_says_what_to_run(compared: Registry) -> None:
    test(Net("c", reader("c", 0.5)), Suite("s"))
    with pytest.raises(
        NotFoundError,
        match=r"no evaluation of 'c@1' on test suite 's' version 1 by 'reading'; run test\(model, suite, evaluator\)",
    ):
        compared.compare("a", "c", suite="s", evaluator="reading")
    with pytest.raises(NotFoundError, match=r"by 'readin' \(there is one by 'reading'\); did you mean 'reading'"):
        compared.compare("a", "b", suite="s", evaluator="readin")
    test(Net("c"), Suite("s"), no_op_evaluator)
    with pytest.raises(InvalidInputError, match="evaluator 'no_op_evaluator' said no numbers"):
        compared.compare("c", "c", suite="s", evaluator=no_op_evaluator)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"better": {"overlp": "lower"}}, "better names 'overlp', .*did you mean 'overlap'"),
        ({"better": {"overlap": "less"}}, "'overlap'] is 'less'; it must be 'higher' or 'lower'"),
        ({"better": "lower"}, "better is 'lower'; it must be a dict"),
        ({"metrics": ["exakt"]}, "'exakt' is no metric of evaluator 'reading'; did you mean 'exact'"),
        ({"metrics": 3}, "metrics is 3; it must be a list"),
        ({"evaluator": None, "better": {"x": "lower"}}, "better is .* pass evaluator=, too"),
        ({"evaluator": None, "configuration": "x"}, "configuration is 'x', and no evaluator is named"),
        ({"evaluator": 3}, "evaluator is 3; pass an Evaluator or a function"),
    ],
)
def test_what_cannot_be_meant_is_refused(compared: Registry, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        compared.compare("a", "b", suite="s", **{"evaluator": "reading", **arguments})
