"""Comparisons of models that say how alike two images are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import localreg
from localreg import Comparison, Gate, InvalidInputError, Registry, fr
from localreg.compare import read_gate
from localreg.compare.verified_pair import METRICS
from localreg.metrics.verification import Comparisons, comparisons, fnmr_at_fmr
from localreg.statistics.auc import compare_rankings
from localreg.statistics.paired import mcnemar_exact
from localreg.testing import assert_no_regression
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.pairs import Case, Suite, genuine_of, judged, pairs, said_by
from tests.reports import Page

COUNT = 1_500
A, B = said_by("a", COUNT, 2.0), said_by("b", COUNT, 2.6)


@pytest.fixture
def compared(registry: Registry) -> Registry:
    """1,500 pairs, a model, one that is better, and one that says the same as the first."""
    Suite("s", test_cases=[Case("all", test_samples=pairs(range(COUNT)))])
    return judged(registry, {"a": A, "b": B, "same": A})


def of(said: Any, numbers: Any = range(COUNT)) -> Comparisons:
    return comparisons([genuine_of(n) for n in numbers], [said[n] for n in numbers])


def eer(found: Comparisons) -> float:
    equal = found.equal_error_rate()
    assert equal is not None
    return equal.rate


def values(comparison: Comparison, metric: str, **where: Any) -> tuple[float | None, float | None]:
    row = comparison.row(metric, **where)
    return row.a, row.b


def test_metrics_are_those_of_the_columns(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", fmr=0.01)
    assert comparison.task == "verification"
    assert [row.metric for row in comparison.rows if row.test_case is None] == [
        "fnmr_at_fmr", "equal_error_rate", "roc_auc", "fmr", "failure_to_enrol_rate",
    ]  # fmt: skip
    both = of(A), of(B)
    at = [each.at_fmr(0.01) for each in both]
    assert values(comparison, "fnmr_at_fmr") == tuple(each.fnmr for each in at)
    assert values(comparison, "fmr") == tuple(each.fmr for each in at)
    assert values(comparison, "equal_error_rate") == tuple(map(eer, both))
    truth = [genuine_of(n) for n in range(COUNT)]
    auc = compare_rankings(truth, list(A.values()), list(B.values()))[0]  # type: ignore[arg-type]
    row = comparison.row("roc_auc")
    assert (row.a, row.b, row.low, row.p) == pytest.approx((auc.a, auc.b, auc.low, auc.p))
    assert values(comparison, "failure_to_enrol_rate") == (0.0, 0.0)
    first = comparison.rows[0]
    assert first.reason is not None
    assert (
        f"accepted from {at[0].threshold:.6g} (a) and {at[1].threshold:.6g} (b) on, at an FMR of 0.01" in first.reason
    )
    told = f"accepted from {at[0].threshold:.6g} (a@1) and {at[1].threshold:.6g} (b@1) on, at an FMR of 0.01"
    assert str(comparison).count(told) == 1, "in one line, with the models by their names"
    assert f"accepted from {at[1].threshold:.6g} on, at an FMR of 0.01" in str(
        compared.measure("b", suite="s", fmr=0.01)
    )
    assert first.n == COUNT
    assert comparison.row("fmr").n == sum(not each for each in truth)


def test_one_model_is_measured_and_given_as_columns(compared: Registry) -> None:
    measured = {
        row.metric: row.value for row in compared.measure("b", suite="s", fmr=0.05).rows if row.test_case is None
    }
    comparison = compared.compare("a", "b", suite="s", fmr=0.05)
    assert measured == {row.metric: row.b for row in comparison.rows if row.test_case is None}
    columns = compared.predictions("b", suite="s")
    assert columns.truth.dtype == bool
    assert fnmr_at_fmr(columns.truth, columns.predicted, 0.05).fnmr == pytest.approx(measured["fnmr_at_fmr"])
    assert columns.scores is None


def test_thresholds_are_fixed_where_one_is_named(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", fmr=0.01, score_threshold=1)
    assert values(comparison, "fnmr") == (of(A).fnmr(1), of(B).fnmr(1))
    assert values(comparison, "fmr") == (of(A).fmr(1), of(B).fmr(1))
    assert values(comparison, "fnmr_at_fmr") == (of(A).at_fmr(0.01).fnmr, of(B).at_fmr(0.01).fnmr)
    genuine = [n for n in range(COUNT) if genuine_of(n)]
    up = sum(A[n] < 1 <= B[n] for n in genuine)  # type: ignore[operator]
    down = sum(B[n] < 1 <= A[n] for n in genuine)  # type: ignore[operator]
    row = comparison.row("fnmr")
    assert (row.fixed, row.broken, row.n, row.p) == (up, down, len(genuine), mcnemar_exact(up, down))
    assert row.verdict == "improved"
    without = compared.compare("a", "b", suite="s", fmr=0.01, metrics=["fnmr", "fnmr_at_fmr"])
    assert [(row.a, row.b, row.low) for row in without.rows[:1]] == [
        (row.a, row.b, row.low) for row in without.rows[1:2]
    ]


def test_less_of_an_error_is_better(compared: Registry) -> None:
    better, worse = (compared.compare(*names, suite="s", fmr=0.01) for names in (("a", "b"), ("b", "a")))
    for metric in ("fnmr_at_fmr", "equal_error_rate", "roc_auc"):
        assert (better.row(metric).verdict, worse.row(metric).verdict) == ("improved", "regressed"), metric
        assert better.row(metric).p == worse.row(metric).p
        assert better.row(metric).low == pytest.approx(-(worse.row(metric).high or 0))
    assert compared.compare("a", "same", suite="s", fmr=0.01).verdict == "equal"
    assert better.to_dict() == compared.compare("a", "b", suite="s", fmr=0.01).to_dict()


def test_a_pair_is_right_if_it_is_accepted_and_genuine_or_neither(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", fmr=0.01)
    at = [float(each.at_fmr(0.01).threshold or 0) for each in (of(A), of(B))]
    rows = comparison.samples().dicts()
    assert len(rows) == COUNT
    for row in rows:
        n, said = row["sample"]["n"], (row["a"], row["b"])
        assert (row["ground_truth"], said) == (genuine_of(n), (A[n], B[n]))
        accepted = [each >= own for each, own in zip(said, at, strict=True)]
        assert [row["accepted_a"], row["accepted_b"]] == accepted
        right = accepted[0] is genuine_of(n), accepted[1] is genuine_of(n)
        told = {(True, True): "both_right", (False, False): "both_wrong", (False, True): "fixed"}.get(right, "broken")
        assert row["outcome"] == told
    first = comparison.rows[0]
    assert (first.fixed, first.broken) == (len(comparison.fixed), len(comparison.broken))


def test_an_fmr_that_cannot_be_measured_is_told(compared: Registry) -> None:
    comparison = compared.compare("a", "b", suite="s", fmr=0.0001)
    for metric in ("fnmr_at_fmr", "fmr"):
        row = comparison.row(metric)
        assert (row.a, row.b, row.verdict, row.fixed) == (None, None, "inconclusive", None)
        assert row.reason == (
            "an FMR of 0.0001 cannot be measured with 1,000 impostor pairs; it takes 10,000 of them; ask for another "
            "one by fmr="
        )
    assert comparison.row("equal_error_rate").verdict == "improved"
    assert len(comparison.fixed) == 0
    assert "outcome" not in comparison.samples().arrow().column_names
    usual = compared.compare("a", "b", suite="s")
    assert "at an FMR of 0.001, which 1 of 1,000 impostor pairs may reach" in str(usual.rows[0].reason)


def test_pairs_that_failed_to_enrol_are_left_out_or_not_accepted(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=pairs(range(COUNT), {1: None}))])
    failed_a, failed_b = [3, 4, 6, 9], [4, 6, 7]
    a = {n: None if n in failed_a else said for n, said in A.items() if n != 12}
    b = {n: None if n in failed_b else float("inf") if n == 10 else said for n, said in B.items()}
    judged(registry, {"a": a, "b": b})
    comparison = registry.compare("a", "b", suite="s", fmr=0.01)
    left = [n for n in range(COUNT) if n not in (1, 12, 10, *failed_a, *failed_b)]
    assert comparison.n == len(left)
    assert values(comparison, "fnmr_at_fmr") == (of(A, left).at_fmr(0.01).fnmr, of(B, left).at_fmr(0.01).fnmr)
    assert values(comparison, "failure_to_enrol_rate") == (4 / (COUNT - 1), 4 / (COUNT - 1))
    enrolled = comparison.row("failure_to_enrol_rate")
    assert (enrolled.n, enrolled.fixed, enrolled.broken) == (COUNT - 1, 2, 2)
    assert comparison.warnings[:4] == (
        "of a@1, 1 skipped: left out",
        "1 sample without a boolean in the ground truth: left out",
        "of a@1, 4 inferences without a similarity: left out",
        "of b@1, 4 inferences without a similarity: left out",
    )
    told = {row["sample"]["n"]: (row["accepted_a"], row["accepted_b"]) for row in comparison.samples("other").dicts()}
    assert set(told.values()) == {(None, None)}
    other = set(told)
    assert other == {1, 12, 10, *failed_a, *failed_b}
    strict = registry.compare("a", "b", suite="s", fmr=0.01, strict=True)
    never = {n: -1e9 if n in (12, *failed_a) else said for n, said in A.items()}
    known = [n for n in range(COUNT) if n != 1]
    assert strict.n == len(known)
    assert strict.rows[0].a == of(never, known).at_fmr(0.01).fnmr
    assert strict.row("equal_error_rate").a == pytest.approx(eer(of(never, known)))
    assert values(strict, "failure_to_enrol_rate") == (5 / COUNT, 4 / COUNT)
    assert "of a@1, 1 skipped: counted as not accepted" in strict.warnings
    assert "of a@1, 4 inferences without a similarity: counted as not accepted" in strict.warnings
    (row,) = (row for row in strict.samples() if row["sample"]["n"] == 4)
    assert (row["a"], row["accepted_a"], row["outcome"]) == (None, False, "both_right")
    low = registry.compare("a", "b", suite="s", fmr=0.01, strict=True, score_threshold=-1e6)
    assert low.row("fnmr").fixed == 3  # 3, 9 and 12 have a similarity by b alone


def test_test_cases_and_slices_go_by_the_thresholds_of_the_suite(registry: Registry) -> None:
    Suite("s", test_cases=[
        Case("low", test_samples=pairs(range(900))), Case("high", test_samples=pairs(range(600, COUNT))),
    ])  # fmt: skip
    judged(registry, {"a": A, "b": B})
    comparison = registry.compare("a", "b", suite="s", fmr=0.01, by="light", metrics=METRICS)
    at = [float(each.at_fmr(0.01).threshold or 0) for each in (of(A), of(B))]
    units: list[tuple[dict[str, str], range]] = [
        ({"test_case": "low"}, range(900)),
        ({"test_case": "high"}, range(600, COUNT)),
        ({"slice": "day"}, range(1, COUNT, 2)),
    ]
    for where, numbers in units:
        both = of(A, numbers), of(B, numbers)
        expected = [each.fnmr(own) for each, own in zip(both, at, strict=True)]
        assert values(comparison, "fnmr_at_fmr", **where) == tuple(expected)
        assert values(comparison, "fmr", **where) == tuple(each.fmr(own) for each, own in zip(both, at, strict=True))
        assert values(comparison, "equal_error_rate", **where)[0] == eer(both[0])
        assert comparison.row("fnmr_at_fmr", **where).n == len(numbers)
        row = comparison.row("fnmr_at_fmr", **where)
        assert row.low is not None
        assert row.low < (row.difference or 0) < (row.high or 0)
    genuine = registry.compare("a", "b", suite="s", fmr=0.01, by="ground_truth.same")
    assert genuine.row("fnmr_at_fmr", slice="false").reason == "there are no genuine pairs"
    assert genuine.row("equal_error_rate", slice="true").reason == "there are no impostor pairs"
    assert genuine.row("fmr", slice="true").a is None


def test_baseline_test_cases_set_the_thresholds(registry: Registry) -> None:
    dice = np.random.default_rng(0)
    names = [f"{n}.png" for n in range(400)]
    rows = [(names[n], names[(n + 1) % 400], n % 2 == 0) for n in range(400)]
    base = fr.TestCase.create("base", data=rows[:250])
    # Some pairs stand in both, and first in the one that sets no threshold.
    other = fr.TestCase.create("other", data=rows[200:])
    suite = fr.TestSuite.create("faces", non_baseline_test_cases=[other])
    with suite.edit() as editor:
        editor.add(base, is_baseline=True)
    said: dict[str, dict[str, float]] = {}
    for model, apart in (("a", 0.1), ("b", 0.2)):
        own = {row[0]: float(np.float32(dice.normal(row[2] * apart, 0.1))) for row in rows}
        said[model] = own

        def extract(locator: str, own: dict[str, float] = own) -> Any:
            return np.array([own[locator]])

        fr.test(fr.InferenceModel(model, extract, lambda left, right: float(left[0])), suite)
    comparison = registry.compare("a", "b", suite="faces", fmr=0.05, metrics=["fnmr", "fmr"])
    for place, model in enumerate("ab"):
        found = comparisons([row[2] for row in rows[:250]], [said[model][row[0]] for row in rows[:250]])
        threshold = float(found.at_fmr(0.05).threshold or 0)
        every = comparisons([row[2] for row in rows], [said[model][row[0]] for row in rows])
        assert values(comparison, "fnmr")[place] == pytest.approx(every.fnmr(threshold), abs=1e-12)
        assert values(comparison, "fmr")[place] == pytest.approx(every.fmr(threshold), abs=1e-12)
        assert comparison.row("fmr", test_case="base").a == pytest.approx(6 / 125)
    none = fr.TestSuite.create("none", non_baseline_test_cases=[base, other])
    for model in "ab":
        fr.test(fr.InferenceModel(model, lambda _: None, lambda left, right: 0.0), none)
    of_all = registry.compare("a", "b", suite="none", fmr=0.05, metrics=["fmr"])
    assert of_all.row("fmr").a == pytest.approx(10 / 200)


def test_persons_make_pairs_dependent(compared: Registry) -> None:
    asked = {"suite": "s", "fmr": 0.05, "metrics": METRICS, "group_by": "metadata.person"}
    comparison = compared.compare("a", "b", **asked)  # type: ignore[arg-type]
    alone = compared.compare("a", "b", suite="s", fmr=0.05, metrics=METRICS)
    for metric in METRICS[:4]:
        row, plain = comparison.row(metric), alone.row(metric)
        assert (row.a, row.b) == (plain.a, plain.b)
        assert row.low is not None
        assert row.low != plain.low
    few = compared.compare("a", "b", suite="s", fmr=0.05, group_by="n // 150")
    assert "there are 10 clusters only" in str(few.rows[0].reason)
    fixed = compared.compare("a", "b", score_threshold=1.0, **asked)  # type: ignore[arg-type]
    assert fixed.row("fnmr").p != compared.compare("a", "b", suite="s", score_threshold=1.0).row("fnmr").p


def test_draws_may_be_asked_for(compared: Registry) -> None:
    usual, more = (
        compared.compare("a", "b", suite="s", fmr=0.05, score_threshold=1.0, bootstrap=draws) for draws in (None, 1_000)
    )
    for metric in ("fnmr_at_fmr", "equal_error_rate", "fnmr", "fmr"):
        widths = [(row.high or 0) - (row.low or 0) for row in (usual.row(metric), more.row(metric))]
        assert widths[0] != widths[1], metric
        assert widths[0] == pytest.approx(widths[1], rel=0.2)


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_gates_leaderboards_and_assertions_know_the_direction(compared: Registry, tmp_path: Path) -> None:
    comparison = compared.compare("b", "a", suite="s", fmr=0.01)
    assert not comparison.gate(fnmr_at_fmr=Gate(max_drop=0.01)).passed
    assert (
        compared.compare("a", "b", suite="s", fmr=0.01).gate(equal_error_rate=Gate(max_drop=0.0, max_value=0.3)).passed
    )
    board = compared.leaderboard("a", "b", suites="s", fmr=0.01).dicts()
    assert board[0]["value"] == comparison.rows[0].a
    assert [board[0][name] for name in ("model", "verdict", "metric")] == ["b@1", "leads", "fnmr_at_fmr"]
    with pytest.raises(AssertionError, match=r"fnmr_at_fmr: regressed.*") as raised:
        assert_no_regression("a", "b", "s", registry=compared, fmr=0.01)
    assert "accepted_a" in str(raised.value)
    assert assert_no_regression("b", "a", "s", registry=compared, score_threshold=1.0, fmr=0.01) is not None
    (tmp_path / "gate.yaml").write_text("metrics: {fnmr_at_fmr: {max_drop: 0.01}}\nfmr: 0.01")
    rules = read_gate(tmp_path / "gate.yaml")
    assert rules.asked() == {"fmr": 0.01}
    assert not compared.compare("b", "a", suite="s", **rules.asked()).gate(rules.metrics).passed
    markdown = compared.compare("a", "b", suite="s", fmr=0.01).to_markdown()
    assert "accepted_b" in markdown


def test_the_page_has_a_det_curve(compared: Registry, tmp_path: Path) -> None:
    comparison = compared.compare("a", "b", suite="s", fmr=0.01)
    spec = comparison.plots()["det"]
    curve, *points = spec["layer"]
    at = [each.at_fmr(0.01) for each in (of(A), of(B))]
    assert [(each["data"]["values"][0]["x"], each["data"]["values"][0]["y"]) for each in points] == [
        (each.fmr, each.fnmr) for each in at
    ]
    for name, said in (("a@1", A), ("b@1", B)):
        drawn = [(each["x"], each["y"]) for each in curve["data"]["values"] if each["model"] == name]
        _, fmr, fnmr = of(said).det
        known = {(float(f"{x:.6g}"), float(f"{y:.6g}")) for x, y in zip(fmr, fnmr, strict=True)}
        assert set(drawn) <= known
        assert 50 < len(drawn) <= 300
        assert drawn == sorted(drawn, key=lambda point: (-point[0], point[1]))
        assert all(x > 0 and y > 0 for x, y in drawn)
    assert curve["encoding"]["x"]["scale"] == {"type": "log", "domain": [0.001, 1]}
    text = Page(comparison.to_html(tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert f"b@1 is better than a@1: FNMR at FMR 0.01 {at[1].fnmr:.3f}"[:45] in text
    told = (
        f"FNMR at FMR: accepted from {at[0].threshold:.6g} (a@1) and {at[1].threshold:.6g} (b@1) on, at an FMR of 0.01"
    )
    assert told in text
    assert re.search(r"Broken · .*?ground truth(True|true)baseline-?[\d.]+ acceptedcandidate-?[\d.]+ rejected", text)
    assert "FNMR at FMR 0.01" in comparison.to_markdown()
    assert "FNMR at FMR 0.001 " in compared.compare("a", "b", suite="s").to_markdown()
    assert "drawn again" in text
    nothing = compared.compare("a", "b", suite="s", fmr=0.00001)
    assert len(nothing.plots()["det"]["layer"]) == 1
    nothing.to_html(tmp_path / "nothing.html")


def test_models_that_make_no_error_have_no_det_curve(registry: Registry) -> None:
    Suite("s", test_cases=[Case("all", test_samples=pairs(range(90)))])
    judged(registry, {name: {n: float(genuine_of(n)) for n in range(90)} for name in "ab"})
    comparison = registry.compare("a", "b", suite="s", fmr=0.05)
    assert comparison.verdict == "equal"
    assert comparison.rows[0].b == 0
    assert "det" not in comparison.plots()
    assert comparison.row("roc_auc").b == 1


# --- which task it is -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sized(GroundTruth):
    new: bool
    size: float


@dataclass(frozen=True)
class Named(GroundTruth):
    new: bool
    label: str


@dataclass(frozen=True)
class Flags(GroundTruth):
    one: bool
    two: bool


@dataclass(frozen=True)
class Size(Inference):
    size: float


@dataclass(frozen=True)
class Label(Inference):
    label: str
    score: float


@dataclass(frozen=True)
class Two(Inference):
    x: float
    y: float


@dataclass(frozen=True)
class Scored(Inference):
    x: float
    score: float


@dataclass(frozen=True)
class Genuine(GroundTruth):
    new: bool
    person: str = "p"


@pytest.mark.parametrize(
    ("truth", "said", "task"),
    [
        (Sized(True, 1.0), Size(2.0), "regression"),
        (Named(True, "a"), Label("a", 0.5), "classification"),
        (Genuine(True), Size(2.0), "verification"),
        (Genuine(True), Scored(1.0, 0.5), "verification"),
    ],
)
def test_numbers_and_labels_in_both_come_first(registry: Registry, truth: Any, said: Any, task: str) -> None:
    _, case_class, suite_class, net_class = define_workflow("w", Thing, type(truth), type(said))
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(Thing(n), truth) for n in range(3)])])
    test(net_class("m", lambda _: said), suite)
    assert registry.compare("m", "m", suite="s").task == task


@dataclass(frozen=True)
class Thing(TestSample):
    n: int


@pytest.mark.parametrize(
    ("truth", "said", "message"),
    [
        (Flags(True, False), Size(2.0), r"'Flags' .*one field with a boolean is needed, and there is one, two"),
        (Genuine(True), Two(1.0, 2.0), r"'Two' .*one field with a number is needed, and there is x, y"),
    ],
)
def test_types_that_do_not_say_which_are_refused(registry: Registry, truth: Any, said: Any, message: str) -> None:
    _, case_class, suite_class, net_class = define_workflow("w", Thing, type(truth), type(said))
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(Thing(1), truth)])])
    test(net_class("m", lambda _: said), suite)
    with pytest.raises(InvalidInputError, match=message):
        registry.compare("m", "m", suite="s")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fmr": 0}, r"fmr is 0; it must be between 0 and 1, as 0\.001"),
        ({"fmr": 1.0}, "it must be between 0 and 1"),
        ({"fmr": "low"}, "fmr is 'low'"),
        ({"fmr": True}, "fmr is True"),
        ({"iou": 0.5}, "iou speaks of boxes, and here similarities are compared"),
        ({"score_threshold": "f1_optimal"}, r"score_threshold='f1_optimal' speaks of boxes"),
        ({"score_threshold": float("nan")}, "score_threshold is nan"),
        ({"positive": "x"}, "positive and score_of speak of labels, and here similarities are compared"),
        ({"metrics": ["fnmr_at_fmrs"]}, r"is no metric of verification; did you mean 'fnmr_at_fmr'"),
    ],
)
def test_what_cannot_be_meant_is_refused(compared: Registry, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        compared.compare("a", "b", suite="s", **asked)


@pytest.mark.parametrize(
    ("truth", "said", "what"), [(Sized(True, 1.0), Size(2.0), "numbers"), (Named(True, "a"), Label("a", 0.5), "labels")]
)
def test_an_fmr_is_of_verification_alone(registry: Registry, truth: Any, said: Any, what: str) -> None:
    _, case_class, suite_class, net_class = define_workflow("w", Thing, type(truth), type(said))
    suite = suite_class("s", test_cases=[case_class("c", test_samples=[(Thing(n), truth) for n in range(3)])])
    test(net_class("m", lambda _: said), suite, "classification" if what == "labels" else None)
    with pytest.raises(InvalidInputError, match=f"fmr speaks of pairs that are genuine or not, and here {what} are"):
        registry.compare("m", "m", suite="s", fmr=0.1)
    if what == "labels":
        with pytest.raises(InvalidInputError, match="here the metrics of an evaluator are compared"):
            registry.compare("m", "m", suite="s", fmr=0.1, evaluator="classification")


# --- real data --------------------------------------------------------------------------------------------------------


def test_digits_are_told_apart_better_by_more_components(registry: Registry) -> None:
    """Whose digit is it: pairs of scikit-learn's digits, compared by 8 and by 32 principal components."""
    datasets = pytest.importorskip("sklearn.datasets")
    data, target = datasets.load_digits(return_X_y=True)
    centred = data - data[:900].mean(axis=0)
    axes = np.linalg.svd(centred[:900], full_matrices=False)[2]
    dice = np.random.default_rng(0)
    chosen = [tuple(map(int, dice.choice(np.arange(900, len(data)), 2, replace=False))) for _ in range(6_000)]
    rows = list(dict.fromkeys((str(one), str(two), bool(target[one] == target[two])) for one, two in chosen))
    suite = fr.TestSuite.create("digits", baseline_test_cases=[fr.TestCase.create("pairs", data=rows)])
    embedded = {}
    for components in (8, 32):
        vectors = embedded[components] = (centred @ axes[:components].T).astype(np.float32)

        def extract(locator: str, vectors: Any = vectors) -> Any:
            return vectors[int(locator)]

        fr.test(fr.InferenceModel(f"pca-{components}", extract, _cosine), suite)
    comparison = localreg.open(registry.uri).compare("pca-8", "pca-32", suite="digits", fmr=0.01)
    for place, vectors in enumerate(embedded.values()):
        found = comparisons(
            [row[2] for row in rows], [_cosine(vectors[int(row[0])], vectors[int(row[1])]) for row in rows]
        )
        assert comparison.rows[0].metric == "fnmr_at_fmr"
        assert comparison.values[place] == pytest.approx(found.at_fmr(0.01).fnmr, abs=1e-12)
        assert values(comparison, "roc_auc")[place] == pytest.approx(found.ranked.roc_auc())
    assert comparison.verdict == "improved"
    assert comparison.row("failure_to_enrol_rate").verdict == "equal"


def _cosine(left: Any, right: Any) -> float:
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_a_model_by_itself_is_told_of_as_one(compared: Registry) -> None:
    found = compared.measure("a", suite="s", fmr=0.01)
    for metric in ("fnmr_at_fmr", "equal_error_rate", "fmr"):
        row = found.row(metric)
        assert row.value is not None
        assert row.low is not None, metric
        assert row.high is not None, metric
        assert 0 <= row.low < row.value < row.high, metric
    assert found.row("equal_error_rate").reason is None
    at = of(A).at_fmr(0.01).threshold
    assert str(found.row("fnmr_at_fmr").reason).startswith(f"accepted from {at:.6g} on, at an FMR of 0.01")
    itself = compared.compare("a", "a", suite="s", fmr=0.01)
    assert {(row.difference, row.low, row.high, row.p, row.verdict) for row in itself.rows} == {(0, 0, 0, 1, "equal")}
    agreeing = compared.compare("a", "same", suite="s", fmr=0.01).row("equal_error_rate")
    assert (agreeing.low, agreeing.verdict) == (None, "equal")


def test_no_accepted_impostor_is_no_proof_that_none_is(compared: Registry) -> None:
    highest = max(said for n, said in A.items() if not genuine_of(n) and said is not None)
    row = compared.measure("a", suite="s", score_threshold=highest + 0.1, metrics=["fmr"]).row()
    assert (row.value, row.low) == (0, 0)
    assert row.high == pytest.approx(3.8416 / (row.n + 3.8416), rel=1e-3)  # E. Wilson, 1927
