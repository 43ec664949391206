"""Comparisons of samples that come in clusters."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from localreg import InvalidInputError, Registry
from localreg.statistics import compare_counts, joint_counts
from localreg.statistics.values import compare_values
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test


@dataclass(frozen=True)
class Scan(TestSample):
    n: int
    site: str = "x"
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding(GroundTruth):
    label: str


@dataclass(frozen=True)
class Said(Inference):
    label: str


@dataclass(frozen=True)
class Size(GroundTruth):
    size: float


@dataclass(frozen=True)
class Guess(Inference):
    size: float


PATIENTS = 25


def scans(count: int) -> list[Scan]:
    return [Scan(n, "pq"[n % 2], {"patient": f"p{n % PATIENTS}", "age": n % 3}) for n in range(count)]


def saying(labels: list[str]) -> Callable[[Scan], Said]:
    return lambda scan: Said(labels[scan.n])


def guessing(sizes: list[float]) -> Callable[[Scan], Guess]:
    return lambda scan: Guess(sizes[scan.n])


@pytest.fixture
def labels(registry: Registry) -> tuple[list[str], list[str], list[str]]:
    """200 scans of 25 patients; whether a model is right hangs on the patient."""
    _, case, suite, net = define_workflow("scans", Scan, Finding, Said)
    dice = random.Random(2)
    truth = [dice.choice("xyz") for _ in range(200)]
    suite("s", test_cases=[case("all", test_samples=list(zip(scans(200), map(Finding, truth), strict=True)))])
    said = []
    for name, level in (("a", 0.6), ("b", 0.7)):
        chances = [min(1.0, max(0.0, dice.gauss(level, 0.3))) for _ in range(PATIENTS)]
        labels = [t if dice.random() < chances[n % PATIENTS] else dice.choice("xyz") for n, t in enumerate(truth)]
        test(net(name, saying(labels)), suite("s"))
        said.append(labels)
    return truth, said[0], said[1]


@pytest.mark.parametrize("group_by", ["metadata.patient", "n % 25"])
def test_counts_are_jackknifed_by_cluster(registry: Registry, labels: Any, group_by: str) -> None:
    comparison = registry.compare("a", "b", suite="s", by="site", group_by=group_by)
    codes = [["xyz".index(each) for each in column] for column in labels]
    for unit, rows in {None: range(200), "p": range(0, 200, 2), "q": range(1, 200, 2)}.items():
        columns = [[column[n] for n in rows] for column in codes]
        joint = joint_counts(*columns, classes=3, groups=[n % PATIENTS for n in rows])
        for each in compare_counts(joint, metrics=["accuracy", "f1_macro", "cohen_kappa"]):
            row = comparison.row(each.metric, slice=unit)
            told = (row.a, row.b, row.low, row.high, row.p, row.n)
            assert told == pytest.approx((each.a, each.b, each.low, each.high, each.p, each.n), rel=1e-9)
    plain = registry.compare("a", "b", suite="s")
    assert (plain.row().a, plain.row().fixed) == (comparison.row().a, comparison.row().fixed)
    assert plain.row().high - plain.row().low < comparison.row().high - comparison.row().low  # type: ignore[operator]
    assert not any("cluster" in each for each in comparison.warnings)


def test_classes_are_jackknifed_by_cluster_too(registry: Registry, labels: Any) -> None:
    comparison = registry.compare("a", "b", suite="s", group_by="metadata.patient", metrics=["accuracy", "recall"])
    joint = joint_counts(
        *(["xyz".index(each) for each in column] for column in labels),
        classes=3,
        groups=[n % PATIENTS for n in range(200)],
    )
    for each in compare_counts(joint, metrics=["recall"]):
        row = comparison.row("recall", label="xyz"[each.label or 0])
        assert (row.a, row.low, row.p) == pytest.approx((each.a, each.low, each.p))


def test_few_clusters_are_told(registry: Registry, labels: Any) -> None:
    comparison = registry.compare("a", "b", suite="s", group_by="metadata.age")
    assert "only 3 clusters by metadata.age: intervals may be too narrow" in comparison.warnings
    assert "3 clusters only" in str(comparison.row().reason)
    alone = registry.compare("a", "b", suite="s", group_by="n < 1000")
    assert (alone.row().p, alone.row().reason) == (None, "all samples are of one cluster")
    assert alone.verdict == "inconclusive"


def test_numbers_are_jackknifed_by_cluster(registry: Registry) -> None:
    _, case, suite, net = define_workflow("sizes", Scan, Size, Guess)
    dice = random.Random(4)
    truth = [dice.gauss(5, 1) for _ in range(150)]
    suite("s", test_cases=[case("all", test_samples=list(zip(scans(150), map(Size, truth), strict=True)))])
    said = []
    for name in "ab":
        shifts = [dice.gauss(0, 1) for _ in range(PATIENTS)]
        numbers = [t + shifts[n % PATIENTS] + dice.gauss(0, 0.2) for n, t in enumerate(truth)]
        test(net(name, guessing(numbers)), suite("s"))
        said.append(numbers)
    comparison = registry.compare("a", "b", suite="s", group_by="metadata.patient")
    for each in compare_values(truth, *said, groups=[n % PATIENTS for n in range(150)]):
        row = comparison.row(each.metric)
        assert (row.low, row.high, row.p) == (
            pytest.approx((each.low, each.high, each.p), rel=1e-9) if each.p is not None else (None,) * 3
        )


def test_a_sample_without_a_value_is_a_cluster_of_its_own(registry: Registry) -> None:
    _, case, suite, net = define_workflow("scans", Scan, Finding, Said)
    truth = ["xy"[n % 2] for n in range(60)]
    samples = [Scan(n, metadata={"patient": n // 3} if n < 30 else {}) for n in range(60)]
    suite("s", test_cases=[case("all", test_samples=list(zip(samples, map(Finding, truth), strict=True)))])
    dice, said = random.Random(1), []
    for name in "ab":
        labels = [dice.choice("xy") for _ in truth]
        test(net(name, saying(labels)), suite("s"))
        said.append(labels)
    row = registry.compare("a", "b", suite="s", group_by="metadata.patient").row()
    codes = [["xy".index(each) for each in column] for column in (truth, *said)]
    joint = joint_counts(*codes, classes=2, groups=[n // 3 if n < 30 else n for n in range(60)])
    (expected,) = compare_counts(joint, metrics=["accuracy"])
    assert (row.low, row.p) == pytest.approx((expected.low, expected.p))


def test_clusters_and_cases_that_overlap(registry: Registry) -> None:
    _, case, suite, net = define_workflow("scans", Scan, Finding, Said)
    truth = ["xyz"[n % 3] for n in range(90)]
    content = list(zip(scans(90), map(Finding, truth), strict=True))
    suite("s", test_cases=[case("one", test_samples=content[:60]), case("two", test_samples=content[30:])])
    dice, said = random.Random(1), []
    for name in "ab":
        labels = [dice.choice("xyz") for _ in truth]
        test(net(name, saying(labels)), suite("s"))
        said.append(labels)
    comparison = registry.compare("a", "b", suite="s", group_by="metadata.patient", metrics=["f1_macro"])
    codes = [["xyz".index(each) for each in column] for column in (truth, *said)]
    for unit, rows in {None: range(90), "one": range(60), "two": range(30, 90)}.items():
        columns = [[column[n] for n in rows] for column in codes]
        joint = joint_counts(*columns, classes=3, groups=[n % PATIENTS for n in rows])
        (expected,) = compare_counts(joint, metrics=["f1_macro"])
        row = comparison.row(test_case=unit)
        assert (row.n, row.low, row.p) == pytest.approx((expected.n, expected.low, expected.p))


@pytest.mark.parametrize(
    ("group_by", "message"),
    [(3, "group_by is 3; it must be an SQL expression"), ("metadta.patient", "metadta.*did you mean 'metadata'")],
)
def test_what_cannot_be_meant_is_refused(registry: Registry, labels: Any, group_by: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        registry.compare("a", "b", suite="s", group_by=group_by)


@pytest.mark.parametrize("group_by", [None, "metadata.patient"])
def test_intervals_are_bootstrapped_on_request(registry: Registry, labels: Any, group_by: str | None) -> None:
    wanted: dict[str, Any] = {"suite": "s", "group_by": group_by, "metrics": ["accuracy", "f1_macro", "recall"]}
    closed, drawn = (registry.compare("a", "b", **wanted, bootstrap=draws) for draws in (None, 400))
    assert drawn.rows == registry.compare("a", "b", **wanted, bootstrap=400).rows
    for metric in ("accuracy", "f1_macro"):
        one, other = closed.row(metric), drawn.row(metric)
        assert (one.a, one.b, one.fixed) == (other.a, other.b, other.fixed)
        assert (one.low, one.p) != (other.low, other.p)
        assert None not in (one.low, one.high, other.low, other.high)
        assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.3)  # type: ignore[operator]
        assert other.p is not None
        assert (other.p < 0.05) == (not other.low <= 0 <= other.high)  # type: ignore[operator]
    assert closed.row("recall", label="x") == drawn.row("recall", label="x")


@pytest.mark.parametrize("draws", [0, 50, True, "many", 2.5, 10**18])
def test_no_sensible_number_of_draws_is_refused(registry: Registry, labels: Any, draws: Any) -> None:
    with pytest.raises(InvalidInputError, match="it must be a number of draws, 100 to 1,000,000, as 2000"):
        registry.compare("a", "b", suite="s", bootstrap=draws)


@pytest.mark.parametrize(
    ("typo", "told"),
    [
        ("metadata.patiant", "no sample has metadata.patiant; did you mean metadata.patient\\?$"),
        ("metadata['PATIENT']", "no sample has metadata.PATIENT; did you mean metadata.patient\\?$"),
        ("metadata.patient.name", "no sample has metadata.patient.name; there are no keys$"),
        (
            "coalesce(metadata.wether::VARCHAR, 'dry')",
            "no sample has metadata.wether; there are metadata.age, metadata.patient$",
        ),
        ("metadata.age::INT + metadata['two words']::INT", r"no sample has metadata\['two words'\]"),
    ],
)
def test_a_key_that_no_sample_has_is_refused(registry: Registry, labels: Any, typo: str, told: str) -> None:
    both: list[dict[str, Any]] = [{"by": typo}, {"group_by": typo}]
    for asked in both:
        with pytest.raises(InvalidInputError, match=told):
            registry.compare("a", "b", suite="s", **asked)
    with pytest.raises(InvalidInputError, match=told):
        registry.measure("a", suite="s", by=typo)


def test_a_key_that_some_samples_have_is_fine(registry: Registry) -> None:
    _, case, suite, net = define_workflow("scans", Scan, Finding, Said)
    held = [Scan(n, metadata={"fog": None if n else True} if n < 9 else {}) for n in range(40)]
    suite("s", test_cases=[case("all", test_samples=[(scan, Finding("x")) for scan in held])])
    test(net("a", saying(["x"] * 40)), suite("s"))
    compared = registry.compare("a", "a", suite="s", by="metadata.fog", group_by="metadata.fog")
    assert [row.slice for row in compared.rows if row.by and row.metric == "accuracy"] == ["true", "null"]


def test_an_expression_without_any_value_is_told(registry: Registry, labels: Any) -> None:
    nothing = "nullif(metadata.patient::VARCHAR, metadata.patient::VARCHAR)"
    sliced = registry.compare("a", "b", suite="s", by=nothing)
    assert (
        f"{nothing} has no value for any sample, so there are no slices by it; look at its spelling" in sliced.warnings
    )
    grouped = registry.compare("a", "b", suite="s", group_by=nothing)
    assert f"{nothing} has no value for any sample, so each counts for itself; look at its spelling" in grouped.warnings
    right = registry.compare("a", "b", suite="s", by="metadata.patient", group_by="metadata.patient")
    assert not any("has no value" in each for each in right.warnings)
