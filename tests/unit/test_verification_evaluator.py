"""The evaluator `verification`: what it says, and that comparison says the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from localreg import InvalidInputError, Registry, fr
from localreg.metrics.verification import comparisons
from localreg.workflow import TestRun, test
from localreg.workflow.verification_evaluator import Acceptance
from tests.pairs import Case, Net, Suite, genuine_of, judged, pairs, said_by

COUNT = 1_600
A, B = said_by("a", COUNT, 2.0), said_by("b", COUNT, 2.6)
FAILED = (3, 4)


def two_cases(registry: Registry) -> Any:
    """Test cases that overlap, and two models, of which two pairs failed to enrol and one is skipped."""
    suite = Suite("s", test_cases=[
        Case("low", test_samples=pairs(range(900), {1: None})),
        Case("high", test_samples=pairs(range(600, COUNT))),
    ])  # fmt: skip
    for name, said in (("a", A), ("b", B)):
        known = {n: None if n in FAILED else value for n, value in said.items() if n != 12}
        judged(registry, {name: known})
    return suite


def evaluated(suite: Any, name: str, configuration: Acceptance | None = None) -> Any:
    return test(Net(name), suite, "verification", None if configuration is None else [configuration]).results()


@pytest.mark.parametrize(
    "configuration",
    [None, Acceptance(0.02), Acceptance(threshold=1.2), Acceptance(0.02, baseline=("high",))],
    ids=["as it is", "FMR", "fixed", "of one test case"],
)
def test_rates_are_those_of_the_pairs(registry: Registry, configuration: Acceptance | None) -> None:
    found = evaluated(two_cases(registry), "a", configuration)
    known = [n for n in range(COUNT) if n not in (1, 12, *FAILED)]
    base = [n for n in known if n >= 600] if configuration and configuration.baseline else known

    def of(numbers: list[int]) -> Any:
        return comparisons([genuine_of(n) for n in numbers], [A[n] for n in numbers])

    asked = configuration if configuration is not None else Acceptance(0.001)
    threshold = float(of(base).at_fmr(asked.fmr).threshold if asked.threshold is None else asked.threshold)
    for own, numbers, size, failed in (
        (found.suite, known, COUNT, 2 / (COUNT - 1)),
        (found.cases["low"], [n for n in known if n < 900], 900, 2 / 899),
        (found.cases["high"], [n for n in known if n >= 600], 1_000, 0),
    ):
        pairs_of = of(numbers)
        assert own == {
            "n": len(numbers),
            "left_out": size - len(numbers),
            "genuine_pairs": pairs_of.genuine,
            "impostor_pairs": pairs_of.impostors,
            "threshold": threshold,
            "fmr": pairs_of.fmr(threshold),
            "fnmr": pairs_of.fnmr(threshold),
            "equal_error_rate": pairs_of.equal_error_rate().rate,
            "roc_auc": pairs_of.ranked.roc_auc(),
            "failure_to_enrol_rate": failed,
            "reason": None,
        }
    for each in found.samples:
        n = each.test_sample.n
        similarity = None if n in (12, *FAILED) else A[n]
        genuine = None if n == 1 else genuine_of(n)
        accepted = None if similarity is None else bool(similarity >= threshold)
        right = None if accepted is None or genuine is None else accepted == genuine
        assert each.metrics == {
            "genuine": genuine,
            "similarity": similarity,
            "accepted": accepted,
            "right": right,
            "failed_to_enrol": None if n == 12 else n in FAILED,
        }


@pytest.mark.parametrize("asked", [{"fmr": 0.02}, {"score_threshold": 1.2}, {}])
def test_comparison_says_the_same(registry: Registry, asked: dict[str, float]) -> None:
    suite = two_cases(registry)
    configuration = Acceptance(asked.get("fmr"), asked.get("score_threshold")) if asked else None
    found = [evaluated(suite, name, configuration) for name in "ab"]
    metrics = ["fnmr", "fmr", "equal_error_rate", "roc_auc", "failure_to_enrol_rate"]
    comparison = registry.compare("a", "b", suite="s", metrics=metrics, **asked)  # type: ignore[arg-type]
    for case in (None, "low", "high"):
        own = [each.suite if case is None else each.cases[case] for each in found]
        for metric in metrics:
            row = comparison.row(metric, test_case=case)
            assert (row.a, row.b) == pytest.approx((own[0][metric], own[1][metric]), abs=1e-15), (case, metric)
    by_evaluator = registry.compare("a", "b", suite="s", evaluator="verification")
    assert len(comparison.fixed)
    for outcome in ("fixed", "broken"):
        numbers = [[row["sample"]["n"] for row in getattr(each, outcome)] for each in (comparison, by_evaluator)]
        assert numbers[0] == numbers[1]


def test_runs_of_faces_are_evaluated_on_the_baseline_of_their_suite(registry: Registry) -> None:
    rows = [(f"{n}", f"{n + 1}", n % 2 == 0) for n in range(300)]
    base, other = (
        fr.TestCase.create(name, data=rows[where]) for name, where in (("x", slice(200)), ("y", slice(200, 300)))
    )
    suite = fr.TestSuite.create("faces", baseline_test_cases=[base], non_baseline_test_cases=[other])
    for name, spread in (("a", 90), ("b", 40)):

        def likeness(left: Any, right: Any, spread: int = spread) -> float:
            return float((int(left[0]) * 37) % spread + 30 * (int(left[0]) % 2 == 0))

        fr.test(fr.InferenceModel(name, lambda locator: np.array([float(locator)]), likeness), suite)
    configuration = Acceptance(0.05, baseline=("x",))
    comparison = registry.compare("a", "b", suite="faces", fmr=0.05, metrics=["fnmr", "fmr"])
    for place, name in enumerate("ab"):
        run = TestRun(fr.Model.load(name), suite, "verification", [configuration])
        run.run()
        found = run.results(configuration).suite
        assert found is not None
        for row in comparison.rows[:2]:
            assert (row.a, row.b)[place] == pytest.approx(found[row.metric])
    assert comparison.rows[0].a != comparison.rows[0].b


def test_what_cannot_be_measured_is_told(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("all", test_samples=pairs(range(30)))])
    judged(registry, {"a": A, "none": dict.fromkeys(range(30))})
    found = evaluated(suite, "a")
    assert (found.suite["threshold"], found.suite["fnmr"], found.suite["fmr"]) == (None, None, None)
    assert found.suite["reason"] == "an FMR of 0.001 cannot be measured with 20 impostor pairs; it takes 1,000 of them"
    assert found.suite["equal_error_rate"] is not None
    assert all(each.metrics["accepted"] is None and each.metrics["right"] is None for each in found.samples)
    nothing = evaluated(suite, "none").suite
    assert (nothing["n"], nothing["failure_to_enrol_rate"], nothing["roc_auc"]) == (0, 1.0, None)
    assert nothing["reason"] == "there are no impostor pairs"


def test_a_threshold_above_all_scores_is_kept(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("all", test_samples=pairs(range(30)))])
    judged(registry, {"a": dict.fromkeys(range(30), 0.5)})
    found = evaluated(suite, "a", Acceptance(0.1)).suite
    assert (found["threshold"], found["fnmr"], found["fmr"]) == (float("inf"), 1.0, 0.0)


def test_models_that_skip_all_pairs_are_told(registry: Registry) -> None:
    suite = Suite("s", test_cases=[Case("all", test_samples=pairs(range(6)))])
    test(Net("a", lambda _: None), suite)
    found = evaluated(suite, "a").suite
    assert (found["n"], found["left_out"], found["failure_to_enrol_rate"]) == (0, 6, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fmr": 0.1, "threshold": 0.5}, "fmr and threshold are both given"),
        ({"fmr": 0}, "fmr is 0; it must be between 0 and 1"),
        ({"fmr": "x"}, "fmr is 'x'"),
        ({"threshold": float("inf")}, "threshold is inf; it must be a finite number"),
        ({"threshold": True}, "threshold is True"),
        ({"baseline": "low"}, "baseline is 'low'; it must be a list of names"),
    ],
)
def test_configurations_that_cannot_be_meant_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Acceptance(**given)


def test_a_baseline_that_is_not_there_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match="baseline names 'lo', which is no test case of the suite; did"):
        evaluated(two_cases(registry), "a", Acceptance(0.1, baseline=("lo",)))


def test_configurations_have_names() -> None:
    assert [each.display_name() for each in (Acceptance(), Acceptance(0.02), Acceptance(threshold=0.5))] == [
        "FMR 0.001",
        "FMR 0.02",
        "from 0.5",
    ]
    assert Acceptance(0.02, baseline=("x", "y")).display_name() == "FMR 0.02 of x, y"
