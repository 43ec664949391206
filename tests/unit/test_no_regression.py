"""`assert_no_regression`: what it looks at, and what it makes of metrics that nothing can be told of."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import pytest

from localreg import InvalidInputError, Registry
from localreg.compare.asked import Asked, Options
from localreg.testing import assert_no_regression
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.animals import animal_case, animal_suite, run_animals


@dataclass(frozen=True)
class Bridge(TestSample):
    n: int


@dataclass(frozen=True)
class Length(GroundTruth):
    metres: float


@dataclass(frozen=True)
class Guess(Inference):
    metres: float


_, Case, Suite, Net = define_workflow("Bridges", Bridge, Length, Guess)


def measured(model: str, errors: Mapping[int, float]) -> None:
    test(Net(model, lambda bridge: Guess(100.0 * bridge.n + errors[bridge.n])), Suite("s"))


@pytest.fixture
def bridges(registry: Registry) -> Registry:
    """40 bridges; a model, one that errs a little and one that errs a lot more, each time by the same."""
    samples = [(Bridge(n), Length(100.0 * n)) for n in range(40)]
    Suite("s", test_cases=[Case("c1", test_samples=samples[:30]), Case("c2", test_samples=samples[20:])])
    measured("good", dict.fromkeys(range(40), 0.01))
    measured("bad", {n: (-1) ** (n // 2) * (50.0 + n * n) for n in range(40)})
    return registry


@pytest.fixture
def animals(registry: Registry) -> Registry:
    """200 samples; of one class the candidate gets a half, of another one all."""
    truth = {n: "ab"[n % 2] for n in range(200)}
    animal_suite("s", [animal_case("c1", truth)])
    run_animals("good", truth, "s")
    run_animals("bad", {n: "b" if n % 4 == 0 else label for n, label in truth.items()}, "s")
    return registry


@pytest.mark.parametrize("metric", ["f1", "recall", "precision"])
def test_metrics_of_classes_that_are_named_are_looked_at_in_each_class(animals: Registry, metric: str) -> None:
    worse = {"f1": ["a", "b"], "recall": ["a"], "precision": ["b"]}[metric]
    with pytest.raises(AssertionError) as raised:
        assert_no_regression("bad", "good", "s", registry=animals, metrics=[metric])
    first, others, *_ = (line.strip() for line in str(raised.value).splitlines()[1:])
    assert first.startswith(f"{metric}_macro: regressed, difference")
    assert others == f"regressed, too: {', '.join(f'{metric} of {label!r}' for label in worse)}"
    assert assert_no_regression("good", "good", "s", registry=animals, metrics=[metric]) is not None


@pytest.mark.parametrize("metric", ["median_absolute_error", "spearman"])
def test_a_named_metric_without_a_p_value_fails_where_it_seems_worse(bridges: Registry, metric: str) -> None:
    told = f"{metric}: whether it regressed cannot be told: difference .*; pass bootstrap=2000"
    with pytest.raises(AssertionError, match=told):
        assert_no_regression("bad", "good", "s", registry=bridges, metrics=[metric])
    with pytest.raises(AssertionError, match=f"{metric}: regressed, difference"):
        assert_no_regression("bad", "good", "s", registry=bridges, metrics=[metric], bootstrap=200)
    for baseline, candidate in (("good", "good"), ("bad", "good")):
        assert assert_no_regression(candidate, baseline, "s", registry=bridges, metrics=[metric]) is not None


def test_a_gate_fails_where_nothing_can_be_told_of_what_was_named(bridges: Registry) -> None:
    compared = bridges.compare("good", "bad", suite="s", metrics=["median_absolute_error"])
    (reason,) = compared.gate(critical=["c1"]).reasons
    assert reason.startswith("critical median_absolute_error in test case 'c1': whether it regressed cannot be told")
    assert bridges.compare("good", "good", suite="s", metrics=["median_absolute_error"]).gate(critical=["c1"]).passed
    usual = bridges.compare("good", "bad", suite="s").gate(critical=["c1"])
    assert not any("cannot be told" in each for each in usual.reasons)
    assert any(note.startswith("median_absolute_error seems worse somewhere") for note in usual.notes)


def test_a_metric_that_cannot_become_worse_is_refused(bridges: Registry) -> None:
    with pytest.raises(InvalidInputError, match="neither more nor less of 'mean_bias' is better"):
        assert_no_regression("bad", "good", "s", registry=bridges, metrics=["mean_bias"])


def test_it_takes_what_a_comparison_takes(animals: Registry) -> None:
    taken = set(inspect.signature(Registry.compare).parameters) - {"self", "baseline", "candidates", "suite"}
    assert {*Options.__annotations__, "metrics", "strict"} == taken == set(Asked._fields)
    hints: dict[str, Any] = get_type_hints(Asked)
    assert get_type_hints(Options) == {name: hints[name] for name in Options.__annotations__}
    it = assert_no_regression(
        "good", "good", "s", registry=animals, by="n % 3", confidence=0.9, group_by="n", adjust="bh"
    )
    assert it is not None
    assert (it.confidence, it.adjust) == (0.9, "bh")
    assert any(row.by == "n % 3" for row in it.rows)
    with pytest.raises(TypeError, match="grup_by"):
        assert_no_regression("good", "good", "s", registry=animals, grup_by="n")  # type: ignore[call-arg]
