"""Evaluators as functions: all samples of a suite in, all metrics out.

    def evaluate(test_samples, ground_truths, inferences, test_cases):
        metrics = [score(truth, inference) for truth, inference in zip(ground_truths, inferences)]
        of_cases = [
            (case, summarise(of_case))
            for case, _, _, _, of_case in test_cases.iter(test_samples, ground_truths, inferences, metrics)
        ]
        return EvaluationResults(list(zip(test_samples, metrics)), of_cases)

A fifth parameter, if there is one, takes the configuration.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

from localreg.errors import InvalidInputError
from localreg.names import check_name, shown_value
from localreg.workflow.evaluator import (
    Evaluator,
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
)
from localreg.workflow.plot import Plot

if TYPE_CHECKING:
    from localreg.workflow.test_case import TestCase
    from localreg.workflow.test_sample import TestSample

__all__ = [
    "BasicEvaluatorFunction",
    "EvaluationResults",
    "EvaluatorForm",
    "TestCases",
    "form_of",
    "no_op_evaluator",
    "sample_key",
]

SampleT = TypeVar("SampleT")
TruthT = TypeVar("TruthT")
InferenceT = TypeVar("InferenceT")
MetricsT = TypeVar("MetricsT")


class TestCases:
    """The test cases of a suite, for an evaluator that was given the samples of all of them at once.

    Args:
        members: each test case with the positions of its samples in `test_samples`, in the test case's order. A
            position stands for a sample with its ground truth: a sample with two truths in two cases has two positions.
        test_samples: all samples, as the evaluator is given them.

    Raises:
        InvalidInputError: a position where there is no sample.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    def __init__(
        self, members: Iterable[tuple[TestCase[Any, Any], Sequence[int]]], test_samples: Sequence[TestSample]
    ) -> None:
        self._samples = list(test_samples)
        self._members = [(case, list(positions)) for case, positions in members]
        for case, positions in self._members:
            for position in positions:
                if not 0 <= position < len(self._samples):
                    raise InvalidInputError(f"{case!r} has position {position}; there are {len(self._samples)} samples")

    def iter(
        self,
        test_samples: Sequence[SampleT],
        ground_truths: Sequence[TruthT],
        inferences: Sequence[InferenceT],
        metrics_test_sample: Sequence[MetricsT],
    ) -> Iterator[tuple[TestCase[Any, Any], list[SampleT], list[TruthT], list[InferenceT], list[MetricsT]]]:
        """Each test case with what belongs to its samples, in its order.

        The arguments may be in another order than the evaluator was given them, as long as all four are in the same:
        what belongs to whom is told by the samples.

        Raises:
            InvalidInputError: arguments of unequal length, or a test case's sample that is not among `test_samples`.
        """
        given = {
            "test_samples": test_samples,
            "ground_truths": ground_truths,
            "inferences": inferences,
            "metrics_test_sample": metrics_test_sample,
        }
        lengths = {name: len(values) for name, values in given.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{length} {name}" for name, length in lengths.items())
            raise InvalidInputError(f"TestCases.iter was given {told}; give one of each for each sample")
        places = self._places(test_samples)
        for case, positions in self._members:
            there = [places[position] for position in positions]
            for position, place in zip(positions, there, strict=True):
                if place is None:
                    shown = shown_value(self._samples[position])
                    raise InvalidInputError(
                        f"{shown}, of {case!r}, is not among the test_samples given to TestCases.iter; "
                        "give all that the evaluator was given"
                    )
            here = cast("list[int]", there)
            yield (
                case,
                [test_samples[place] for place in here],
                [ground_truths[place] for place in here],
                [inferences[place] for place in here],
                [metrics_test_sample[place] for place in here],
            )

    def _places(self, given: Sequence[object]) -> Sequence[int | None]:
        """Where each of our samples stands among those given; None = nowhere. The n-th of equal ones is the n-th."""
        if len(given) == len(self._samples) and all(a is b for a, b in zip(given, self._samples, strict=True)):
            return range(len(given))
        by_key: dict[object, deque[int]] = defaultdict(deque)
        for place, sample in enumerate(given):
            by_key[sample_key(sample)].append(place)
        return [found.popleft() if (found := by_key.get(sample_key(sample))) else None for sample in self._samples]


def sample_key(sample: Any) -> tuple[object, ...]:
    """What tells a sample: its class and its fields, but for metadata. By `repr`, since fields may not be hashable."""
    if isinstance(sample, Mapping):  # of a recorded workflow
        return (dict, *sorted(f"{name}: {value!r}" for name, value in sample.items() if name != "metadata"))
    fields = [field.name for field in dataclasses.fields(sample) if field.name != "metadata"]
    return (type(sample), *(repr(getattr(sample, name)) for name in fields))


@dataclass(frozen=True)
class EvaluationResults:
    """What an evaluator function gives back.

    Attributes:
        metrics_test_sample: metrics of each sample, in any order.
        metrics_test_case: metrics of each test case, in any order.
        plots_test_case: plots of test cases; may leave some out.
        metrics_test_suite: metrics of the whole; None = there are none.

    Raises:
        InvalidInputError: something else stands in one of these.
    """

    metrics_test_sample: Sequence[tuple[TestSample, MetricsTestSample]]
    metrics_test_case: Sequence[tuple[TestCase[Any, Any], MetricsTestCase]]
    plots_test_case: Sequence[tuple[TestCase[Any, Any], Sequence[Plot]]] = ()
    metrics_test_suite: MetricsTestSuite | None = None

    def __post_init__(self) -> None:
        for name, wanted in {"metrics_test_sample": MetricsTestSample, "metrics_test_case": MetricsTestCase}.items():
            for place, (_, metrics) in enumerate(self._pairs(name)):
                if not isinstance(metrics, wanted):
                    raise InvalidInputError(
                        f"EvaluationResults.{name}[{place}] has {shown_value(metrics)}; subclass {wanted.__name__}"
                    )
        for place, (_, plots) in enumerate(self._pairs("plots_test_case")):
            if not isinstance(plots, Iterable) or not all(isinstance(plot, Plot) for plot in plots):
                shown = shown_value(plots)
                raise InvalidInputError(f"EvaluationResults.plots_test_case[{place}] has {shown}; give a list of plots")
        suite = cast(object, self.metrics_test_suite)
        if suite is not None and not isinstance(suite, MetricsTestSuite):
            shown = shown_value(suite)
            raise InvalidInputError(f"EvaluationResults.metrics_test_suite is {shown}; subclass MetricsTestSuite")

    def _pairs(self, name: str) -> list[tuple[Any, Any]]:
        given: object = getattr(self, name)
        if not isinstance(given, Iterable):
            raise InvalidInputError(f"EvaluationResults.{name} is {shown_value(given)}; give a list of pairs")
        pairs = list(given)
        for place, pair in enumerate(pairs):
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise InvalidInputError(
                    f"EvaluationResults.{name}[{place}] is {shown_value(pair)}; give a pair, of whom and what"
                )
        object.__setattr__(self, name, pairs)
        return pairs


BasicEvaluatorFunction: TypeAlias = Callable[..., EvaluationResults | None]
"""A function `(test_samples, ground_truths, inferences, test_cases)`, or with the configuration as a fifth."""


def no_op_evaluator(
    test_samples: Sequence[TestSample],
    ground_truths: Sequence[object],
    inferences: Sequence[object],
    test_cases: TestCases,
) -> EvaluationResults:
    """An evaluator that measures nothing: for who wants the inferences alone."""
    metrics = [MetricsTestSample() for _ in test_samples]
    cases = [case for case, *_ in test_cases.iter(test_samples, ground_truths, inferences, metrics)]
    return EvaluationResults(
        list(zip(test_samples, metrics, strict=True)), [(case, MetricsTestCase()) for case in cases]
    )


# --- what an evaluator is ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EvaluatorForm:
    """What is to be known of an evaluator before it is run.

    Attributes:
        evaluator: the function, or the object; made if its class was given.
        is_class: whether it is an `Evaluator`; else it is a function.
        display_name: what test runs know it by.
        takes_configuration: whether it is to be given one, if there is one.
        needs_configuration: whether it cannot run without.
        configurations: those that it was made with.
    """

    evaluator: Evaluator | BasicEvaluatorFunction
    is_class: bool
    display_name: str
    takes_configuration: bool
    needs_configuration: bool
    configurations: tuple[EvaluatorConfiguration, ...] = ()


def form_of(evaluator: object) -> EvaluatorForm:
    """Look at an evaluator: an `Evaluator`, its class, or a function.

    Raises:
        InvalidInputError: it is none of these, or could not be called as one.
    """
    if isinstance(evaluator, type):
        evaluator = _made(evaluator)
    if isinstance(evaluator, Evaluator):
        return _form_of_object(evaluator)
    if not callable(evaluator):
        raise InvalidInputError(f"evaluator is {shown_value(evaluator)}; pass an Evaluator or a function")
    name = _function_name(evaluator)
    kind = _configuration_of(evaluator, 4, f"evaluator {name}")
    return EvaluatorForm(evaluator, False, name, kind != "none", kind == "required")


def _made(cls: type) -> Evaluator:
    if not issubclass(cls, Evaluator):
        raise InvalidInputError(f"evaluator is the class {cls.__name__}; subclass Evaluator, or pass a function")
    try:
        return cls()
    except TypeError as error:
        raise InvalidInputError(f"{cls.__name__}() cannot be made: {error}; pass an object of it") from error


_METHODS = {
    "compute_test_sample_metrics": 2,
    "compute_test_case_metrics": 3,
    "compute_test_case_plots": 3,
    "compute_test_suite_metrics": 2,
}
"""How many arguments each takes beside the configuration."""


def _form_of_object(evaluator: Evaluator) -> EvaluatorForm:
    cls = type(evaluator).__name__
    kinds = {
        name: _configuration_of(getattr(evaluator, name), count, f"{cls}.{name}") for name, count in _METHODS.items()
    }
    takes = kinds["compute_test_sample_metrics"] != "none"
    for name, kind in kinds.items():
        if (kind == "none") if takes else (kind == "required"):
            one, other = ("takes", "does not") if takes else ("does not take", "does")
            raise InvalidInputError(
                f"{cls}.compute_test_sample_metrics {one} a configuration, and {name} {other}; let all take it, or none"
            )
    name = check_name(evaluator.display_name(), what=f"display name of {cls}")
    given = tuple(getattr(evaluator, "configurations", ()))  # a subclass may not have called our constructor
    return EvaluatorForm(evaluator, True, name, takes, "required" in kinds.values(), given)


def _function_name(function: Callable[..., object]) -> str:
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    if name == "<lambda>":
        raise InvalidInputError("evaluator is a lambda, which has no name for test runs to know it by; write a def")
    if inspect.iscoroutinefunction(function):
        raise InvalidInputError(f"evaluator {name} is async; write a plain def")
    return check_name(name, what="name of the evaluator")


def _configuration_of(
    function: Callable[..., object], count: int, what: str
) -> Literal["none", "optional", "required"]:
    """Whether what takes `count` arguments takes a configuration after them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} does not tell its parameters; wrap it in a def of {count}") from error
    by_place = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in by_place if each.default is each.empty]
    by_name = [each for each in parameters if each.kind is each.KEYWORD_ONLY and _is_wanted(function, each)]
    takes_any = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    if by_name or len(needed) > count + 1 or (len(by_place) < count and not takes_any):
        shown = inspect.Signature([each.replace(annotation=each.empty) for each in parameters])
        raise InvalidInputError(
            f"{what} has the parameters {shown}; it must take {count}, or those and a configuration"
        )
    if len(needed) == count + 1:
        return "required"
    if len(by_place) > count:
        return "optional" if _means_configuration(function, by_place[count]) else "none"
    return "optional" if takes_any else "none"


def _is_wanted(function: object, parameter: inspect.Parameter) -> bool:
    """Whether something must be given by keyword. What a `partial` has given already is not wanted."""
    if isinstance(function, partial):
        return parameter.default is parameter.empty
    return parameter.default is parameter.empty or "config" in parameter.name.lower()


def _means_configuration(function: Callable[..., object], parameter: inspect.Parameter) -> bool:
    """Whether a parameter that may be left out is for the configuration; it could be anything, such as a threshold."""
    if "config" in parameter.name.lower():
        return True
    try:
        hint = typing.get_type_hints(function).get(parameter.name)
    except (NameError, TypeError):  # an annotation of names that are not there, or a callable object
        hint = parameter.annotation
    members = typing.get_args(hint) or (hint,)
    return any(isinstance(each, type) and issubclass(each, EvaluatorConfiguration) for each in members)
