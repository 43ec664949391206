from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from localreg.errors import InvalidInputError
from localreg.workflow.annotation import LabeledBoundingBox
from localreg.workflow.evaluator import (
    Evaluator,
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    check_configurations,
)
from localreg.workflow.evaluator_function import EvaluationResults, TestCases, form_of, no_op_evaluator
from localreg.workflow.plot import Plot
from localreg.workflow.test_sample import Metadata, TestSample


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str
    regions: list[LabeledBoundingBox] = field(default_factory=list)
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold(EvaluatorConfiguration):
    value: float

    def display_name(self) -> str:
        return f"threshold {self.value}"


@dataclass(frozen=True)
class OfSample(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class OfClass(MetricsTestCase):
    label: str
    recall: float


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    accuracy: float
    by_class: list[OfClass] = field(default_factory=list)


class Accuracy(Evaluator):
    def compute_test_sample_metrics(
        self, test_case: str, inferences: list[Any], configuration: Threshold | None = None
    ) -> list[tuple[Photo, OfSample]]:
        return [(sample, OfSample(truth == inference)) for sample, truth, inference in inferences]

    def compute_test_case_metrics(
        self, test_case: str, inferences: list[Any], metrics: list[OfSample], configuration: Threshold | None = None
    ) -> OfCase:
        return OfCase(sum(each.right for each in metrics) / len(metrics))


SAMPLES = [Photo(name, [LabeledBoundingBox((0, 0), (1, 1), name)], {"n": 1}) for name in "abcd"]
CASES: list[Any] = [("night", [2, 0]), ("day", [1]), ("none", [])]


# --- the class form ---------------------------------------------------------------------------------------------------


def test_an_evaluator_is_known_by_its_class_and_has_the_configurations_it_was_given() -> None:
    configurations = [Threshold(0.1), Threshold(0.2)]
    evaluator = Accuracy(iter(configurations))
    assert (evaluator.display_name(), evaluator.configurations) == ("Accuracy", configurations)
    assert Accuracy().configurations == []
    assert evaluator.compute_test_case_plots("night", [], []) is None
    assert evaluator.compute_test_suite_metrics("all", [], Threshold(0.1)) is None
    assert evaluator.compute_test_sample_metrics("night", [(SAMPLES[0], 1, 1)])[0][1] == OfSample(True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"configurations is empty; leave it out"),
        (5, r"configurations is 5; write a list"),
        ([Threshold(0.1), 0.5], r"configurations\[1\] is 0\.5; make it an EvaluatorConfiguration"),
        ([Threshold(0.1), Threshold(0.1)], r"two configurations are called 'threshold 0\.1'"),
    ],
)
def test_configurations_that_cannot_be_told_apart_are_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Accuracy(given)
    with pytest.raises(InvalidInputError, match=message):
        check_configurations(given)


def test_a_configuration_must_say_its_name() -> None:
    @dataclass(frozen=True)
    class Nameless(EvaluatorConfiguration):
        def display_name(self) -> str:
            return " "

    with pytest.raises(InvalidInputError, match=r"display name of configurations\[0\] '' is blank"):
        Accuracy([Nameless()])
    abstract: Any = EvaluatorConfiguration
    with pytest.raises(TypeError, match="display_name"):
        abstract()


# --- test cases -------------------------------------------------------------------------------------------------------


def grouped(cases: TestCases, order: list[int], samples: list[Photo] | None = None) -> list[tuple[object, ...]]:
    given = [(samples or SAMPLES)[place] for place in order]
    locators = [sample.locator for sample in given]
    return list(cases.iter(given, [f"truth {name}" for name in locators], [name.upper() for name in locators], order))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [2, 1, 0]])
def test_what_belongs_to_a_sample_is_told_by_the_sample_in_whatever_order(order: list[int]) -> None:
    a, b, c, _ = SAMPLES
    assert grouped(TestCases(CASES, SAMPLES), order) == [
        ("night", [c, a], ["truth c", "truth a"], ["C", "A"], [2, 0]),
        ("day", [b], ["truth b"], ["B"], [1]),
        ("none", [], [], [], []),
    ]


def test_a_copy_of_a_sample_is_that_sample_whatever_its_metadata() -> None:
    copies = [replace(sample, metadata={"seen": True}) for sample in SAMPLES]
    ((_, samples, _, _, metrics), *_) = grouped(TestCases(CASES, SAMPLES), [3, 2, 1, 0], copies)
    assert (samples, metrics) == ([copies[2], copies[0]], [2, 0])


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [2, 0, 1]])
def test_a_sample_with_two_ground_truths_has_each_in_its_own_case(order: list[int]) -> None:
    """Among equal samples the order must stay: nothing else tells one from the other."""
    a, b = SAMPLES[:2]
    samples, truths = [a, a, b], ["a in first", "a in second", "b"]
    cases: Any = [("first", [0]), ("second", [1, 2])]
    given, of_given = [samples[place] for place in order], [truths[place] for place in order]
    found: Any = TestCases(cases, samples).iter(given, of_given, order, order)
    assert [(case, given) for case, _, given, _, _ in found] == [
        ("first", ["a in first"]),
        ("second", ["a in second", "b"]),
    ]


def test_what_does_not_belong_together_is_refused() -> None:
    cases = TestCases(CASES, SAMPLES)
    with pytest.raises(InvalidInputError, match="4 test_samples, 4 ground_truths, 3 inferences, 4 metrics_test_sample"):
        next(cases.iter(SAMPLES, [1] * 4, [1] * 3, [1] * 4))
    with pytest.raises(InvalidInputError, match=r"Photo\(locator.*of 'night', is not among the test_samples"):
        grouped(cases, [1, 2, 3])
    for position in (4, -1):
        with pytest.raises(InvalidInputError, match=f"'x' has position {position}; there are 4 samples"):
            TestCases(CASES + [("x", [position])], SAMPLES)  # noqa: RUF005 - a list of anything stays one
    assert TestCases.__test__ is False


# --- results ----------------------------------------------------------------------------------------------------------


def test_an_evaluator_that_measures_nothing_says_so_of_everything() -> None:
    results = no_op_evaluator(SAMPLES, SAMPLES, SAMPLES, TestCases(CASES, SAMPLES))
    assert list(results.metrics_test_sample) == [(sample, MetricsTestSample()) for sample in SAMPLES]
    assert list(results.metrics_test_case) == [(case, MetricsTestCase()) for case, _ in CASES]
    assert (list(results.plots_test_case), results.metrics_test_suite) == ([], None)


def test_results_are_lists_of_pairs_whatever_was_given() -> None:
    given: Any = zip(SAMPLES, [OfSample(True)] * 4, strict=True)
    results = EvaluationResults(given, [(CASES[0][0], OfCase(1.0, [OfClass("cat", 0.5)]))])
    assert results.metrics_test_sample == [(sample, OfSample(True)) for sample in SAMPLES]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"metrics_test_sample": [(SAMPLES[0], OfCase(1.0))]},
            r"metrics_test_sample\[0\] has .*; subclass MetricsTestSample",
        ),
        ({"metrics_test_sample": [OfSample(True)]}, r"metrics_test_sample\[0\] is OfSample\(right=True\); give a pair"),
        ({"metrics_test_sample": 5}, r"metrics_test_sample is 5; give a list of pairs"),
        (
            {"metrics_test_case": [("night", {"accuracy": 1})]},
            r"metrics_test_case\[0\] has .*; subclass MetricsTestCase",
        ),
        ({"plots_test_case": [("night", Plot())]}, r"plots_test_case\[0\] has Plot\(\); give a list of plots"),
        ({"plots_test_case": [("night", [1])]}, r"plots_test_case\[0\] has \[1\]; give a list of plots"),
        ({"plots_test_case": [("night", None)]}, r"plots_test_case\[0\] has None; give a list of plots"),
        ({"metrics_test_suite": OfCase(1.0)}, r"metrics_test_suite is .*; subclass MetricsTestSuite"),
    ],
)
def test_results_of_other_kinds_are_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"EvaluationResults\.{message}"):
        EvaluationResults(**{"metrics_test_sample": [], "metrics_test_case": [], **given})
    assert EvaluationResults([], [], [], MetricsTestSuite()).metrics_test_suite == MetricsTestSuite()


# --- what an evaluator is ---------------------------------------------------------------------------------------------


def four(test_samples: Any, ground_truths: Any, inferences: Any, test_cases: Any) -> None: ...
def five(samples: Any, truths: Any, inferences: Any, cases: Any, configuration: Threshold) -> None: ...
def any_name(samples: Any, truths: Any, inferences: Any, cases: Any, anything: Any) -> None: ...
def typed(samples: Any, truths: Any, inferences: Any, cases: Any, cut: Threshold | None = None) -> None: ...
def named(samples: Any, truths: Any, inferences: Any, cases: Any, config: Any = None) -> None: ...
def unrelated(samples: Any, truths: Any, inferences: Any, cases: Any, threshold: float = 0.5) -> None: ...
def unresolved(samples: Any, truths: Any, inferences: Any, cases: Any, x: Nowhere = None) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def anything(*arguments: Any) -> None: ...
def three(samples: Any, truths: Any, inferences: Any) -> None: ...
def six(samples: Any, truths: Any, inferences: Any, cases: Any, configuration: Any, more: Any) -> None: ...
def by_name(samples: Any, truths: Any, inferences: Any, cases: Any, *, configuration: Any = None) -> None: ...
def more(samples: Any, truths: Any, inferences: Any, cases: Any, *, factor: float) -> None: ...
async def later(samples: Any, truths: Any, inferences: Any, cases: Any) -> None: ...


class Callable_:
    def __call__(self, samples: Any, truths: Any, inferences: Any, cases: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "name", "takes", "needs"),
    [
        (four, "four", False, False),
        (no_op_evaluator, "no_op_evaluator", False, False),
        (five, "five", True, True),
        (any_name, "any_name", True, True),
        (typed, "typed", True, False),
        (named, "named", True, False),
        (unrelated, "unrelated", False, False),
        (unresolved, "unresolved", False, False),
        (anything, "anything", True, False),
        (Callable_(), "Callable_", False, False),
        (functools.partial(five, configuration=Threshold(0.5)), "five", False, False),
    ],
)
def test_a_function_is_known_by_its_name_and_parameters(
    function: Callable[..., Any], name: str, takes: bool, needs: bool
) -> None:
    form = form_of(function)
    assert (form.is_class, form.display_name, form.takes_configuration) == (False, name, takes)
    assert (form.needs_configuration, form.evaluator, form.configurations) == (needs, function, ())


def test_a_class_or_an_object_of_it_is_known_by_its_display_name() -> None:
    class Named(Accuracy):
        def display_name(self) -> str:
            return "accuracy, strict"

    evaluator = Named([Threshold(0.5)])
    form = form_of(evaluator)
    assert (form.is_class, form.display_name, form.evaluator) == (True, "accuracy, strict", evaluator)
    assert (form.takes_configuration, form.needs_configuration) == (True, False)
    assert form.configurations == (Threshold(0.5),)
    assert isinstance(form_of(Accuracy).evaluator, Accuracy)


def test_a_class_may_leave_configurations_out_and_need_not_call_our_constructor() -> None:
    class Plain(Evaluator):
        def __init__(self) -> None: ...

        def compute_test_sample_metrics(self, test_case: Any, inferences: Any) -> Any: ...  # type: ignore[override]

        def compute_test_case_metrics(self, test_case: Any, inferences: Any, metrics: Any) -> Any: ...  # type: ignore[override]

    form = form_of(Plain)
    assert (form.takes_configuration, form.needs_configuration, form.configurations) == (False, False, ())


class Half(Accuracy):
    def compute_test_case_metrics(self, test_case: Any, inferences: Any, metrics: Any) -> Any: ...  # type: ignore[override]


class OtherHalf(Accuracy):
    def compute_test_sample_metrics(self, test_case: Any, inferences: Any) -> Any: ...  # type: ignore[override]

    def compute_test_case_metrics(  # type: ignore[override]
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any
    ) -> Any: ...


class Few(Accuracy):
    def compute_test_case_plots(self, test_case: Any) -> Any: ...  # type: ignore[override]


class Blank(Accuracy):
    def display_name(self) -> str:
        return ""


class Unfinished(Evaluator): ...


class Needy(Accuracy):
    def __init__(self, path: str) -> None: ...


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (None, r"evaluator is None; pass an Evaluator or a function"),
        ("accuracy", r"evaluator is 'accuracy'; pass an Evaluator"),
        (dict, r"evaluator is the class dict; subclass Evaluator"),
        (Callable_, r"evaluator is the class Callable_; subclass Evaluator"),
        (Unfinished, r"Unfinished\(\) cannot be made: .*abstract"),
        (Needy, r"Needy\(\) cannot be made: .*'path'; pass an object of it"),
        (Half, r"Half\.compute_test_sample_metrics takes a configuration, and compute_test_case_metrics does not"),
        (OtherHalf, r"OtherHalf\.compute_test_sample_metrics does not take a configuration, and .*case_metrics does"),
        (Few, r"Few\.compute_test_case_plots has the parameters \(test_case.*\); it must take 3, or those and a conf"),
        (Blank, r"display name of Blank '' is blank"),
        (lambda a, b, c, d: None, r"evaluator is a lambda, which has no name"),
        (three, r"evaluator three has the parameters \(samples.*\); it must take 4, or those and a configuration"),
        (six, r"evaluator six has the parameters"),
        (by_name, r"evaluator by_name has the parameters .*\*, configuration"),
        (more, r"evaluator more has the parameters .*\*, factor"),
        (later, r"evaluator later is async; write a plain def"),
    ],
)
def test_what_cannot_be_run_as_an_evaluator_is_refused(evaluator: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        form_of(evaluator)
