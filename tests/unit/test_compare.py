from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

import localreg
from localreg import Comparison, InvalidInputError, NotFoundError, Registry, WorkflowMismatchError
from localreg.statistics import METRICS
from localreg.workflow import (
    ClassificationLabel,
    GroundTruth,
    Inference,
    ScoredClassificationLabel,
    TestSample,
    define_workflow,
    test,
)


@dataclass(frozen=True)
class Photo(TestSample):
    n: int


@dataclass(frozen=True)
class Word(GroundTruth):
    label: str


@dataclass(frozen=True)
class Labelled(GroundTruth):
    note: str
    animal: ClassificationLabel


@dataclass(frozen=True)
class Guess(Inference):
    note: str | None
    animal: ScoredClassificationLabel


@dataclass(frozen=True)
class Said(Inference):
    text: str


_, Case, Suite, Net = define_workflow("Animals", Photo, Word, Guess)

Labels = Mapping[int, str | None]


def case(name: str, truths: Labels) -> Any:
    return Case(name, test_samples=[(Photo(n), Word(str(label))) for n, label in truths.items()])


def run(model: str, labels: Labels, suite: str) -> None:
    """Run a model that says these labels; None = skipped."""

    def infer(photo: Photo) -> Guess | None:
        said = labels[photo.n]
        return None if said is None else Guess("n", ScoredClassificationLabel(said, 0.5))

    test(Net(model, infer), Suite(suite))


def counts(comparison: Comparison) -> list[tuple[Any, ...]]:
    """Accuracy of the suite and its test cases."""
    rows = [row for row in comparison.rows if row.metric == "accuracy" and row.by is None]
    return [(row.test_case, row.n, row.a, row.b, row.fixed, row.broken, row.verdict) for row in rows]


def listed(comparison: Comparison, which: str) -> list[tuple[Any, ...]]:
    rows = getattr(comparison, which)
    return [(row["test_case"], row["sample"]["n"], row["ground_truth"], row["a"], row["b"]) for row in rows]


def test_a_small_comparison_by_hand(registry: Registry) -> None:
    truth = {1: "cat", 2: "dog", 3: "cat", 4: "cow"}
    Suite("s", test_cases=[case("farm", truth)])
    run("old", {1: "cat", 2: "cat", 3: "dog", 4: "cow"}, "s")
    run("new", {1: "cat", 2: "dog", 3: "cat", 4: "cat"}, "s")
    comparison = registry.compare("old", "new", suite="s")
    assert counts(comparison) == [
        (None, 4, 0.5, 0.75, 2, 1, "inconclusive"),
        ("farm", 4, 0.5, 0.75, 2, 1, "inconclusive"),
    ]
    assert (comparison.baseline, comparison.candidate) == ("old@1", "new@1")
    assert (comparison.n, comparison.values) == (4, (0.5, 0.75))
    assert (comparison.difference, comparison.p) == (0.25, 1.0)
    assert (comparison.verdict, comparison.suite, comparison.suite_version) == ("inconclusive", "s", 1)
    assert listed(comparison, "fixed") == [("farm", 2, "dog", "cat", "dog"), ("farm", 3, "cat", "dog", "cat")]
    assert listed(comparison, "broken") == [("farm", 4, "cow", "cow", "cat")]
    first = comparison.metrics.dicts()[0]
    assert first["low"] < 0.25 < first["high"]
    assert first == {
        "metric": "accuracy",
        "label": None,
        "test_case": None,
        "by": None,
        "slice": None,
        "candidate": "new@1",
        "a": 0.5,
        "b": 0.75,
        "difference": 0.25,
        "low": first["low"],
        "high": first["high"],
        "p": 1.0,
        "p_adjusted": 1.0,
        "n": 4,
        "fixed": 2,
        "broken": 1,
        "verdict": "inconclusive",
        "least_detectable": first["least_detectable"],
        "reason": None,
    }
    mirrored = registry.compare("new", "old", suite="s")
    assert (mirrored.difference, mirrored.p) == (-0.25, comparison.p)
    assert listed(mirrored, "fixed") == [("farm", 4, "cow", "cat", "cow")]


@pytest.mark.parametrize(
    ("fixed", "broken", "verdict"),
    [(0, 0, "equal"), (3, 3, "inconclusive"), (5, 0, "inconclusive"), (6, 0, "improved"), (0, 6, "regressed")],
)
def test_the_verdict_goes_by_the_five_percent_level(registry: Registry, fixed: int, broken: int, verdict: str) -> None:
    truth = dict.fromkeys(range(12), "x")
    Suite("s", test_cases=[case("c", truth)])
    run("a", {n: "y" if n < fixed else "x" for n in truth}, "s")
    run("b", {n: "y" if fixed <= n < fixed + broken else "x" for n in truth}, "s")
    comparison = registry.compare("a", "b", suite="s")
    assert comparison.verdict == verdict
    assert (comparison.rows[0].fixed, comparison.rows[0].broken) == (fixed, broken)


def test_counts_are_told_with_commas_and_no_p_reads_zero(registry: Registry) -> None:
    numbers = range(1_200)
    Suite("s", test_cases=[case("farm", dict.fromkeys(numbers, "cat"))])
    run("wrong", dict.fromkeys(numbers, "dog"), "s")
    run("right", dict.fromkeys(numbers, "cat"), "s")
    told = str(registry.compare("wrong", "right", suite="s"))
    assert "1,200 samples paired" in told
    assert "1,200 fixed, 0 broken" in told
    assert "< 1e-300" in told
    Suite("one", test_cases=[case("field", {0: "cat"})])
    assert "1 sample paired" in str(registry.compare("wrong", "right", suite="one"))


def test_a_model_is_equal_to_itself(registry: Registry) -> None:
    Suite("s", test_cases=[case("c", {1: "x", 2: "y"})])
    run("m", {1: "x", 2: "x"}, "s")
    comparison = registry.compare("m", "m@1", suite="s")
    assert (comparison.verdict, comparison.difference, comparison.p) == ("equal", 0.0, 1.0)
    assert (len(comparison.fixed), len(comparison.broken)) == (0, 0)


def test_a_model_differs_from_itself_by_nothing_by_any_metric(registry: Registry) -> None:
    truth = {n: "xyz"[n % 3] for n in range(30)}
    said = {**truth, 1: "x", 2: "x", 6: "y"}
    Suite("s", test_cases=[case("low", {n: truth[n] for n in range(20)}), case("high", truth)])
    for name in ("m", "agreeing"):
        run(name, said, "s")
    names = [*METRICS]
    for more in ({}, {"bootstrap": 100}, {"by": "n % 2", "group_by": "n // 5"}):
        rows = registry.compare("m", "m", suite="s", metrics=names, **more).rows
        assert {(each.difference, each.low, each.high, each.p, each.verdict) for each in rows} == {
            (0, 0, 0, 1, "equal")
        }
    other = registry.compare("m", "agreeing", suite="s", metrics=names)
    for each in other.rows:
        assert each.low is not None
        assert each.low < 0, "they may differ on other samples"
    measured = registry.measure("m", suite="s", metrics=names)
    for one in measured.rows:
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.high, "a value is as uncertain as it was"


def test_a_critical_part_of_one_class_regresses_by_evidence_alone(registry: Registry) -> None:
    hens = dict.fromkeys(range(48), "hen")
    others = {n: "abc"[n % 3] for n in range(48, 108)}
    Suite("s", test_cases=[case("hens", hens), case("others", others)])
    run("a", {**hens, **others}, "s")
    run("b", {**hens, **others, 0: "b", 1: "c", 2: "b", 3: "c"}, "s")
    comparison = registry.compare("a", "b", suite="s", metrics=["accuracy", "recall_macro", "balanced_accuracy"])
    row = comparison.row("recall_macro", test_case="hens")
    assert (row.a, row.broken) == (1, 4)
    assert row.b == pytest.approx(44 / 48), "over the classes that there are, whatever else is said"
    assert row.verdict == "inconclusive"
    assert row.p == pytest.approx(0.069, abs=1e-3)
    assert registry.compare("a", "b", suite="s").gate(critical=["hens"]).passed
    assert comparison.gate(critical=["hens"]).passed
    assert not any("no sample" in each for each in comparison.warnings), "bs and cs are among the others"
    run("c", {**hens, **others, **dict.fromkeys(range(8), "b")}, "s")
    assert not registry.compare("a", "c", suite="s").gate(critical=["hens"]).passed


def test_a_sample_of_overlapping_cases_counts_once_unless_its_truths_differ(registry: Registry) -> None:
    Suite(
        "s",
        test_cases=[
            case("one", {1: "x", 2: "x"}),
            case("two", {3: "x", 2: "x", 1: "y"}),
        ],
    )
    run("a", {1: "y", 2: "y", 3: "x"}, "s")
    run("b", {1: "x", 2: "x", 3: "x"}, "s")
    comparison = registry.compare("a", "b", suite="s")
    assert counts(comparison) == [
        (None, 4, 0.5, 0.75, 2, 1, "inconclusive"),
        ("one", 2, 0.0, 1.0, 2, 0, "inconclusive"),
        ("two", 3, 2 / 3, 2 / 3, 1, 1, "inconclusive"),
    ]
    assert listed(comparison, "fixed") == [("one", 1, "x", "y", "x"), ("one", 2, "x", "y", "x")]
    assert listed(comparison, "broken") == [("two", 1, "y", "y", "x")]


def test_labels_that_no_sample_has_are_named(registry: Registry) -> None:
    truth = {n: "xy"[n % 2] for n in range(60)}
    Suite("s", test_cases=[case("all", truth)])
    run("a", truth, "s")
    run("b", {**truth, 0: "X", **{n: f"y{n}" for n in range(1, 13, 2)}}, "s")
    said = "b@1 says 'X', 'y1', 'y11', 'y3', 'y5' and 2 more, which no sample is of (another spelling: 'X' for 'x')"
    told = f"{said}: wrong, and in no macro average"
    assert told in registry.compare("a", "b", suite="s").warnings
    assert told in registry.compare("b", "a", suite="s").warnings
    assert [each for each in registry.measure("b", suite="s").warnings if "no sample" in each] == [told]
    assert not any("no sample" in each for each in registry.measure("a", suite="s").warnings)


def test_classes_of_the_ground_truth_in_two_spellings_are_told(registry: Registry) -> None:
    truth = {n: "xy"[n % 2] for n in range(60)}
    Suite("s", test_cases=[case("all", {**truth, 7: "Y ", 8: "xx"})])
    run("a", truth, "s")
    told = "the ground truth holds 'Y ' and 'y', which count as classes of their own: one, perhaps, in two spellings"
    assert [each for each in registry.measure("a", suite="s").warnings if "spelling" in each] == [told]


def test_what_is_skipped_or_missing_is_told_and_left_out_unless_strict(registry: Registry) -> None:
    truth = dict.fromkeys(range(6), "x")
    Suite("few", test_cases=[case("few", dict.fromkeys(range(4), "x"))])
    Suite("s", test_cases=[case("all", truth)])
    run("a", {0: "x", 1: "y", 2: None, 3: "x", 4: "x", 5: "x"}, "s")
    run("b", {0: "x", 1: "x", 2: "x", 3: None}, "few")
    loose = registry.compare("a", "b", suite="s")
    assert [vars_of(each) for each in loose.coverage] == [(5, 1, 0, 0), (3, 1, 0, 2)]
    assert counts(loose)[0] == (None, 2, 0.5, 1.0, 1, 0, "inconclusive")
    assert loose.warnings[:2] == ("of a@1, 1 skipped: left out", "of b@1, 1 skipped, 2 missing: left out")
    assert "warning: of a@1, 1 skipped: left out\n" in str(loose)
    strict = registry.compare("a", "b", suite="s", strict=True)
    assert strict.strict
    assert counts(strict)[0] == (None, 6, 4 / 6, 0.5, 2, 3, "inconclusive")
    assert strict.difference == pytest.approx(-1 / 6)
    assert listed(strict, "fixed") == [("all", 1, "x", "y", "x"), ("all", 2, "x", None, "x")]
    assert listed(strict, "broken") == [("all", n, "x", "x", None) for n in (3, 4, 5)]
    assert "2 missing: counted as wrong\n" in str(strict)
    assert strict.coverage == loose.coverage


def vars_of(coverage: Any) -> tuple[int, int, int, int]:
    return coverage.ok, coverage.skipped, coverage.error, coverage.missing


def test_models_without_a_common_sample_cannot_be_compared_unless_strict(registry: Registry) -> None:
    Suite("s", test_cases=[case("c", {1: "x", 2: "x"})])
    run("a", {1: "x", 2: None}, "s")
    run("b", {1: None, 2: "x"}, "s")
    with pytest.raises(InvalidInputError, match=r"'a@1' and 'b@1' have no inference of the same sample.*strict=True"):
        registry.compare("a", "b", suite="s")
    assert counts(registry.compare("a", "b", suite="s", strict=True))[0] == (None, 2, 0.5, 0.5, 1, 1, "inconclusive")


def test_an_empty_case_in_a_suite_counts_nothing(registry: Registry) -> None:
    Suite("s", test_cases=[Case("empty"), case("c", {1: "x"})])
    run("m", {1: "x"}, "s")
    assert counts(registry.compare("m", "m", suite="s"))[1:] == [
        ("empty", 0, None, None, 0, 0, "inconclusive"),
        ("c", 1, 1.0, 1.0, 0, 0, "equal"),
    ]


def test_what_cannot_be_compared_is_refused(registry: Registry) -> None:
    Suite("s", test_cases=[case("c", {1: "x"})])
    Suite("other", test_cases=[case("d", {2: "x"})])
    Suite("empty")
    run("m", {1: "x"}, "s")
    Net("unrun")
    with pytest.raises(NotFoundError, match="'unrun' has no version yet"):
        registry.compare("m", "unrun", suite="s")
    with pytest.raises(NotFoundError, match="'m@1' has no inferences on test suite 'other'"):
        registry.compare("m", "m", suite="other")
    with pytest.raises(NotFoundError, match="no test suite 'ss'"):
        registry.compare("m", "m", suite="ss")
    with pytest.raises(InvalidInputError, match="'empty' holds no test samples"):
        registry.compare("m", "m", suite="empty")
    _, case_class, suite_class, model_class = define_workflow("Other", Photo, Word, Guess)
    there = suite_class("there", test_cases=[case_class("e", test_samples=[(Photo(1), Word("x"))])])
    test(model_class("stranger", lambda _: None), there)
    with pytest.raises(WorkflowMismatchError, match="'stranger@1' belongs to another workflow than test suite 's'"):
        registry.compare("m", "stranger", suite="s")
    unbound = registry.create_model("unbound").create_version("1")
    with pytest.raises(NotFoundError, match="'unbound@1' has no inferences"):
        registry.compare("m", unbound, suite="s")


@dataclass(frozen=True)
class TwoWords(GroundTruth):
    first: str
    second: str


@dataclass(frozen=True)
class TwoLabels(Inference):
    first: ScoredClassificationLabel
    second: ScoredClassificationLabel


@dataclass(frozen=True)
class Number(GroundTruth):
    value: float


@pytest.mark.parametrize(
    ("truth", "inference", "message"),
    [
        (TwoWords("a", "b"), Said("a"), "ground truth 'TwoWords' does not say what is right.*first, second"),
        (Number(1.0), Said("a"), "ground truth 'Number' .*there is none"),
        (
            Word("a"),
            TwoLabels(ScoredClassificationLabel("a", 1), ScoredClassificationLabel("a", 1)),
            "inference 'TwoLabels' .*first, second",
        ),
    ],
)
def test_types_that_do_not_say_what_is_right_are_refused(
    registry: Registry, truth: GroundTruth, inference: Inference, message: str
) -> None:
    _, case_class, suite_class, model_class = define_workflow("w", Photo, type(truth), type(inference))
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(Photo(1), truth)])])
    test(model_class("m", lambda _: inference), suite)
    with pytest.raises(InvalidInputError, match=message):
        registry.compare("m", "m", suite="s")


@pytest.mark.parametrize("truth_type", [Word, Labelled])
@pytest.mark.parametrize("inference_type", [Said, Guess])
def test_a_text_or_a_label_says_what_is_right_and_a_label_wins(
    registry: Registry, truth_type: type[GroundTruth], inference_type: type[Inference]
) -> None:
    def truth(label: str) -> Any:
        return Word(label) if truth_type is Word else Labelled("not this", ClassificationLabel(label))

    def said(label: str) -> Any:
        return Said(label) if inference_type is Said else Guess(None, ScoredClassificationLabel(label, 0.1))

    _, case_class, suite_class, model_class = define_workflow("w", Photo, truth_type, inference_type)
    content = [(Photo(n), truth(label)) for n, label in enumerate("xyz")]
    suite = suite_class("s", test_cases=[case_class("c", test_samples=content)])
    test(model_class("a", lambda photo: said("x")), suite)
    test(model_class("b", lambda photo: None if photo.n == 2 else said("xy"[photo.n])), suite)
    comparison = registry.compare("a", "b", suite="s")
    assert counts(comparison)[0][1:6] == (2, 0.5, 1.0, 1, 0)
    assert registry.compare("a", "b", suite="s", strict=True).values == (1 / 3, 2 / 3)


def test_versions_of_one_model_are_compared_by_reference_handle_or_alias(registry: Registry) -> None:
    Suite("s", test_cases=[case("c", {1: "x", 2: "y"})])
    run("m", {1: "x", 2: "x"}, "s")
    model = registry.get_model("m")
    model.create_version("2")
    run("m", {1: "x", 2: "y"}, "s")
    model.set_alias("production", "1")
    expected = registry.compare("m@1", "m@2", suite="s")
    assert (expected.baseline, expected.candidate, expected.values) == ("m@1", "m@2", (0.5, 1.0))
    for baseline, candidate in (("m@production", "m"), (model.resolve("production"), model)):
        assert str(registry.compare(baseline, candidate, suite="s")) == str(expected)


def test_the_past_is_compared_as_it_was(registry: Registry) -> None:
    Suite("s", test_cases=[case("c", {1: "x", 2: "y"})])
    run("a", {1: "x", 2: "x"}, "s")
    run("b", {1: "x", 2: "y"}, "s")
    then = registry.commit
    expected = str(registry.compare("a", "b", suite="s"))
    registry.get_model("b").rename("z")
    Suite("s", test_cases=[case("d", {3: "x"})], reset=True)
    assert str(registry.at(commit=then).compare("a", "b", suite="s")) == expected
    b = registry.get_model("z")
    assert str(registry.at(commit=then).compare("a", b, suite="s")) == expected
    with pytest.raises(NotFoundError, match="no inferences"):
        registry.compare("a", "z", suite="s")
    with pytest.raises(NotFoundError):
        registry.at(commit=1).compare("a", "b", suite="s")


def test_a_suite_without_its_python_classes_can_be_compared(registry: Registry, tmp_path: Any) -> None:
    Suite("s", test_cases=[case("c", {1: "x"})])
    run("m", {1: "x"}, "s")
    with localreg.use(localreg.open(tmp_path / "empty")):
        reader = localreg.open(registry.uri, read_only=True)
        assert reader.compare("m", "m", suite="s").values == (1.0, 1.0)


def test_the_same_inputs_give_the_same_bytes(registry: Registry) -> None:
    truth = {n: "xyz"[n % 3] for n in range(200)}
    dice = random.Random(7)
    Suite("s", test_cases=[case("even", {n: truth[n] for n in truth if n % 2 == 0}), case("all", truth)])
    for model in "ab":
        run(model, {n: dice.choice("xyz") for n in truth}, "s")

    def told(handle: Registry) -> tuple[object, ...]:
        it = handle.compare("a", "b", suite="s")
        return str(it), repr(it), it.metrics.dicts(), it.fixed.dicts(), it.broken.dicts()

    assert told(registry) == told(registry) == told(localreg.open(registry.uri))


def test_accuracy_and_counts_are_those_of_scikit_learn(registry: Registry) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    dice = random.Random(1)
    truth = {n: dice.choice("abcd") for n in range(500)}
    said = {model: {n: dice.choice([label, "a", None]) for n, label in truth.items()} for model in ("m", "n")}
    Suite("s", test_cases=[case("c", truth)])
    for model, labels in said.items():
        run(model, labels, "s")
    both = [n for n in truth if said["m"][n] is not None and said["n"][n] is not None]
    expected = [metrics.accuracy_score([truth[n] for n in both], [said[m][n] for n in both]) for m in ("m", "n")]
    comparison = registry.compare("m", "n", suite="s")
    assert comparison.n == len(both)
    assert comparison.values == pytest.approx(tuple(expected), abs=1e-15)
    table = [[0, 0], [0, 0]]
    for n in both:
        table[said["m"][n] == truth[n]][said["n"][n] == truth[n]] += 1
    assert (comparison.rows[0].fixed, comparison.rows[0].broken) == (table[0][1], table[1][0])
