"""Comparisons of models that predict numbers."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localreg import InvalidInputError, Registry
from localreg.compare.report.rendering import rendered
from localreg.compare.report.wording import how
from localreg.html import theme
from localreg.statistics.values import VALUE_METRICS, compare_values
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.reports import Page


@dataclass(frozen=True)
class House(TestSample):
    n: int
    town: str = "x"
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Price(GroundTruth):
    price: float | None
    year: int = 0


@dataclass(frozen=True)
class Guess(Inference):
    price: float | None
    seconds: float = 0.0


_, Case, Suite, Net = define_workflow("Houses", House, Price, Guess)

TRUTH = {n: 100.0 + 7 * (n % 13) + n for n in range(60)}


def houses(truth: Mapping[int, float | None]) -> list[Any]:
    return [(House(n, "ab"[n % 2], {"street": n // 4}), Price(price)) for n, price in truth.items()]


def run(model: str, said: Mapping[int, float | None], suite: str = "s") -> None:
    """Run a model that says these numbers; None where it skips."""

    def infer(house: House) -> Guess | None:
        return None if said[house.n] is None else Guess(said[house.n])

    test(Net(model, infer), Suite(suite))


@pytest.fixture
def compared(registry: Registry) -> Registry:
    """60 houses, a model, one that is better, and one that says the same as the first."""
    dice = random.Random(3)
    Suite("s", test_cases=[Case("all", test_samples=houses(dict(TRUTH)))])
    for name, spread in (("a", 20.0), ("b", 4.0)):
        run(name, {n: price + dice.gauss(0, spread) for n, price in TRUTH.items()})
    run("same", {row["sample"]["n"]: row["a"] for row in registry.compare("a", "b", suite="s").samples()})
    return registry


def columns(comparison: Any) -> tuple[list[float], list[float], list[float]]:
    table = comparison.samples().arrow()
    return tuple(table[name].to_pylist() for name in ("ground_truth", "a", "b"))


def test_metrics_are_those_of_the_columns_with_their_intervals(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s")
    assert comparison.task == "regression"
    expected = {each.metric: each for each in compare_values(*columns(comparison))}
    assert {row.metric for row in comparison.rows} == set(VALUE_METRICS)
    for row in comparison.rows:
        it = expected[row.metric]
        assert (row.a, row.b, row.low, row.high, row.p) == (it.a, it.b, it.low, it.high, it.p)
        assert (row.fixed, row.broken) == (None, None)
    assert comparison.rows[0].metric == "mean_absolute_error"


def test_the_verdict_goes_by_the_direction_of_the_metric(compared: Registry) -> None:
    better, worse = compared.compare("a", "b", suite="s"), compared.compare("b", "a", suite="s")
    for metric in ("mean_absolute_error", "root_mean_squared_error", "r2", "pearson"):
        assert (better.row(metric).verdict, worse.row(metric).verdict) == ("improved", "regressed"), metric
    assert better.difference is not None
    assert better.difference < 0
    assert better.row("spearman").verdict == "inconclusive"
    assert "bootstrap" in str(better.row("spearman").reason)
    assert compared.compare("a", "b", suite="s", bootstrap=200).row("spearman").verdict == "improved"


def test_a_bias_is_told_to_be_different_and_no_more(compared: Registry) -> None:
    run("high", {n: price + 50 + n % 3 for n, price in TRUTH.items()})
    for names in (("a", "high"), ("high", "a")):
        assert compared.compare(*names, suite="s", metrics=["mean_bias"]).verdict == "different"


def test_models_that_say_the_same_are_equal(compared: Registry) -> None:
    comparison = compared.compare("a", "same", suite="s")
    assert comparison.verdict == "equal"
    assert comparison.rows[0].least_detectable is None
    assert {row.metric for row in comparison.rows} >= {"median_absolute_error", "spearman"}
    assert {(row.verdict, row.difference, row.low, row.high, row.p) for row in comparison.rows} == {
        ("equal", 0, 0, 0, 1)
    }
    assert "same@1 and a@1 are equal on all samples: mean absolute error" in comparison.to_markdown()
    assert "fixed" not in comparison.to_markdown()
    drawn = compared.compare("a", "same", suite="s", bootstrap=200)
    assert {(row.verdict, row.difference) for row in drawn.rows} == {("equal", 0)}
    grouped = compared.compare("a", "same", suite="s", group_by="metadata.street")
    assert {(row.verdict, row.difference) for row in grouped.rows} == {("equal", 0)}


def test_samples_show_numbers_and_errors_in_the_order_of_the_suite(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=houses({3: 10.0, 1: None, 2: 5.0}))])
    run("a", {3: 12.0, 1: 1.0, 2: 5.0})
    run("b", {3: None, 1: 2.0, 2: 4.0})
    comparison = registry.compare("a", "b", suite="s")
    told = [
        (row["sample"]["n"], *(row[name] for name in ("ground_truth", "a", "b", "error_a", "error_b")))
        for row in comparison.samples()
    ]
    assert told == [
        (3, 10.0, 12.0, None, 2.0, None),
        (1, None, 1.0, 2.0, None, None),
        (2, 5.0, 5.0, 4.0, 0.0, -1.0),
    ]
    assert "outcome" not in comparison.samples().arrow().column_names
    assert len(comparison.fixed) == len(comparison.broken) == 0
    assert comparison.n == 1


def test_what_is_left_out_is_told(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=houses({**TRUTH, 99: None}))])
    run("a", {**TRUTH, 99: 1.0, 0: None})
    nan, infinite = float("nan"), float("inf")
    run("b", {**TRUTH, 99: 1.0, 1: nan, 2: infinite})
    comparison = registry.compare("a", "b", suite="s")
    assert comparison.n == 57
    assert comparison.coverage[0].skipped == 1
    assert comparison.coverage[1].ok == 61
    assert comparison.warnings[:3] == (
        "of a@1, 1 skipped: left out",
        "1 sample without a number in the ground truth: left out",
        "of b@1, 2 inferences without a number: left out",
    )
    with pytest.raises(InvalidInputError, match=r"strict counts .* a number is not right or wrong; pass strict=False"):
        registry.compare("a", "b", suite="s", strict=True)


def test_test_cases_and_slices_are_told_apart(registry: Registry) -> None:
    low, high = ({n: price for n, price in TRUTH.items() if (n < 30) is first} for first in (True, False))
    Suite("s", test_cases=[Case("low", test_samples=houses(low)), Case("high", test_samples=houses(high))])
    dice = random.Random(1)
    for name in "ab":
        run(name, {n: price + dice.gauss(0, 5) for n, price in TRUTH.items()})
    comparison = registry.compare("a", "b", suite="s", by="town", metrics=["mean_absolute_error", "r2"])
    truth, a, b = columns(comparison)
    for unit, rows in {
        "low": range(30),
        "high": range(30, 60),
    }.items():
        expected = compare_values(*([each[n] for n in rows] for each in (truth, a, b)), metrics=["r2"])[0]
        assert comparison.row("r2", test_case=unit).b == pytest.approx(expected.b)
        assert comparison.row("r2", test_case=unit).low == pytest.approx(expected.low)
    for town, first in (("a", 0), ("b", 1)):
        expected = compare_values(*(each[first::2] for each in (truth, a, b)), metrics=["r2"])[0]
        assert comparison.row("r2", slice=town).p == pytest.approx(expected.p)


def test_a_sample_of_two_cases_counts_once_unless_its_truths_differ(registry: Registry) -> None:
    Suite("s", test_cases=[
        Case("one", test_samples=houses({1: 1.0, 2: 2.0, 4: None})),
        Case("two", test_samples=houses({2: 2.0, 1: 5.0, 3: 3.0, 4: None})),
    ])  # fmt: skip
    for name in "ab":
        run(name, {1: 1.0, 2: 2.0, 3: 4.0, 4: 0.0})
    comparison = registry.compare("a", "b", suite="s", metrics=["mean_absolute_error"])
    assert [(row.test_case, row.n, row.a) for row in comparison.rows] == [
        (None, 4, (0 + 0 + 4 + 1) / 4),
        ("one", 2, 0.0),
        ("two", 3, 5 / 3),
    ]
    assert "1 sample without a number in the ground truth: left out" in comparison.warnings
    assert "1 sample with different ground truths in two test cases: counted once for each" in comparison.warnings


@dataclass(frozen=True)
class Count(GroundTruth):
    count: int


@dataclass(frozen=True)
class Answer(Inference):
    answer: float


@dataclass(frozen=True)
class Two(Inference):
    x: float
    y: float


@dataclass(frozen=True)
class Value:
    value: float
    unit: str = "m"


@dataclass(frozen=True)
class Measured(Inference):
    length: Value


@dataclass(frozen=True)
class Flag(Inference):
    yes: bool


@pytest.mark.parametrize(("made", "error"), [(Answer(3.0), 1.0), (Measured(Value(4.0)), 2.0)])
def test_the_one_number_of_each_type_is_meant(registry: Registry, made: Inference, error: float) -> None:
    _, case_class, suite_class, model_class = define_workflow("w", House, Count, type(made))
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(House(n), Count(2)) for n in range(3)])])
    test(model_class("m", lambda _: made), suite)
    assert registry.compare("m", "m", suite="s").values == (error, error)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            Two(1, 2),
            r"inference 'Two' does not say what is right: one field with a number is needed, and there is x, y; ",
        ),
        (Flag(True), r"'Count' .*one field with a label is needed, and there is none; .* evaluator=…"),
    ],
)
def test_types_that_do_not_say_what_is_right_are_refused(registry: Registry, made: Inference, message: str) -> None:
    _, case_class, suite_class, model_class = define_workflow("w", House, Count, type(made))
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(House(1), Count(2))])])
    test(model_class("m", lambda _: made), suite)
    with pytest.raises(InvalidInputError, match=message):
        registry.compare("m", "m", suite="s")


def test_a_newer_row_takes_the_place_of_an_older_one(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=houses({1: 1.0, 2: 2.0}))])
    run("a", {1: 1.0, 2: 5.0})
    test(Net("a", lambda house: Guess(float(house.n))), Suite("s"), reset=True)
    assert registry.compare("a", "a", suite="s").values == (0.0, 0.0)


def test_each_metric_of_each_candidate_is_printed(compared: Registry) -> None:
    comparison = compared.compare("a", "b", "same", suite="s", metrics=["mean_absolute_error", "r2"])
    lines = str(comparison).splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("mean_absolute_error", "r2"))] == [
        "mean_absolute_error",
        "r2",
    ] * 2
    (line,) = [each for each in str(compared.compare("a", "b", suite="s", metrics=["r2"])).splitlines() if "r2" in each]
    assert f"{comparison.row('r2').a:.4f}" in line


def test_adjusted_p_values_are_called_so(compared: Registry) -> None:
    assert " p adjusted " in str(compared.compare("a", "b", "same", suite="s"))
    assert " adjusted" not in str(compared.compare("a", "b", suite="s"))


def test_the_page_lists_the_samples_whose_error_grew_most(compared: Registry, tmp_path: Path) -> None:
    comparison = compared.compare("b", "a", suite="s")
    worst = comparison.worst(60).dicts()
    text = Page(comparison.to_html(tmp_path / "r.html", samples=5).read_text(encoding="utf-8")).text
    assert f"Larger errors · 5 of {len(worst)}, the worst first" in text
    listed = re.findall(r"test casealln(\d+)town", text)
    assert [int(each) for each in listed] == [each["sample_idx"] for each in worst[:5]]
    first = worst[0]
    for side, name in (("a", "baseline"), ("b", "candidate")):
        error = f"{first[f'error_{side}']:+.3g}".replace("-", "\N{MINUS SIGN}")
        assert re.search(rf"{name}{str(first[side])[:5]}\S* error {re.escape(error)}", text)
    assert f"ground truth{first['ground_truth']:g}"[:14] in text
    assert "Samples" not in Page(comparison.to_html(tmp_path / "r.html", samples=0).read_text(encoding="utf-8")).text
    same = compared.compare("a", "same", suite="s")
    assert "There are none." in Page(same.to_html(tmp_path / "r.html").read_text(encoding="utf-8")).text


def test_the_page_draws_the_errors_of_both_models(compared: Registry, tmp_path: Path) -> None:
    comparison = compared.compare("a", "b", suite="s")
    spec = comparison.plots()["errors"]
    drawn = spec["layer"][-1]["data"]["values"]
    samples = comparison.samples().dicts()
    expected = [(each["error_a"], each["error_b"]) for each in samples]
    assert [(each["x"], each["y"]) for each in drawn] == [pytest.approx(each, rel=1e-5) for each in expected]
    smaller = [abs(b) < abs(a) for a, b in expected]
    assert [each["kind"] == "smaller error" for each in drawn] == smaller
    assert 0 < sum(smaller) < len(smaller)
    reach = max(abs(error) for each in expected for error in each)
    assert spec["layer"][-1]["encoding"]["x"]["scale"]["domain"] == [-reach, reach]
    svg = rendered(spec, "p")
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) - {"none", "transparent"} <= set(theme.DARK)
    kept = comparison.save("kept")
    assert kept.plots()["errors"] == spec
    page = kept.to_html(tmp_path / "kept.html").read_bytes()
    assert b"Larger errors" in page


def test_whole_numbers_that_may_be_classes_are_told(registry: Registry) -> None:
    Suite("digits", test_cases=[Case("all", test_samples=houses({n: float(n % 10) for n in range(60)}))])
    for name, shift in (("a", 0), ("b", 1)):
        run(name, {n: float((n + (shift if n % 5 == 0 else 0)) % 10) for n in range(60)}, "digits")
    told = "all numbers are whole, and the ground truth holds 10 different ones: if they are classes, keep them as text"
    for warnings in (
        registry.compare("a", "b", suite="digits").warnings,
        registry.measure("a", suite="digits").warnings,
    ):
        assert len([each for each in warnings if each.startswith(told)]) == 1
    run("half", {n: n % 10 + 0.5 for n in range(60)}, "digits")
    assert not any("whole" in each for each in registry.compare("a", "half", suite="digits").warnings)


def test_numbers_of_many_values_are_no_classes(compared: Registry) -> None:
    assert not any("whole" in each for each in compared.compare("a", "b", suite="s").warnings)


def test_a_report_says_how_intervals_were_made(compared: Registry) -> None:
    plain = how(compared.compare("a", "b", suite="s"))
    assert plain[-1].startswith("Tests and intervals: MAE, MSE, MAPE and bias: paired t")
    drawn = how(compared.compare("a", "b", suite="s", group_by="metadata.street", bootstrap=200))
    assert drawn[len(plain) :] == [
        "Samples of one metadata.street are left out, or drawn, together, and none of the tests is exact",
        "200 draws of samples took the place of that",
    ]


def test_the_worst_are_shown_page_by_page(compared: Registry) -> None:
    comparison = compared.compare("b", "a", suite="s")
    worst = comparison.worst(100).dicts()
    found = [comparison.worst_examples(offset=n, limit=7) for n in (0, 7, len(worst) - 1, len(worst))]
    assert {each.total for each in found} == {len(worst)}
    seen = [[one.sample["n"] for one in each.examples] for each in found]
    assert seen == [[row["sample"]["n"] for row in worst[n : n + 7]] for n in (0, 7, len(worst) - 1, len(worst))]
    with pytest.raises(InvalidInputError, match="limit"):
        comparison.worst_examples(limit=-1)
    comparison.save("kept")
    assert (
        compared.get_comparison("kept").worst_examples(limit=3).examples == comparison.worst_examples(limit=3).examples
    )


def test_without_numbers_there_is_no_worst(registry: Registry) -> None:
    from tests.reports import compared as labels

    with pytest.raises(InvalidInputError, match="there are no errors in a comparison of classification"):
        labels(registry, ["a", "b"], ["a", "a"], ["a", "b"]).worst_examples()
