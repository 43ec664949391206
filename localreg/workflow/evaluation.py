"""Calling an evaluator, and checking what it gives back: results are matched to samples by the samples they name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import is_
from typing import Any, cast

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.workflow.evaluation_inputs import Given, Member
from localreg.workflow.evaluator import (
    Evaluator,
    EvaluatorConfiguration,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    check_configurations,
)
from localreg.workflow.evaluator_function import EvaluationResults, EvaluatorForm, TestCases, sample_key
from localreg.workflow.plot import Plot
from localreg.workflow.test_suite import TestSuite

__all__ = ["Measured", "SampleMetrics", "configurations_for", "measured"]


@dataclass(frozen=True, eq=False)
class SampleMetrics:
    """Metrics of samples.

    Attributes:
        case: place of the test case that they were measured in; None = in none alone.
        positions: of the samples, as of `Given`.
        metrics: of each.
    """

    case: int | None
    positions: Sequence[int]
    metrics: list[Any]


@dataclass(eq=False)
class Measured:
    """All that an evaluator said with one configuration, checked. Test cases go by their place in the suite."""

    samples: list[SampleMetrics] = field(default_factory=list)
    cases: dict[int, MetricsTestCase] = field(default_factory=dict)
    plots: dict[int, list[Plot]] = field(default_factory=dict)
    suite: MetricsTestSuite | None = None


def configurations_for(
    form: EvaluatorForm | None, configurations: Iterable[EvaluatorConfiguration] | None
) -> list[EvaluatorConfiguration]:
    """The configurations to evaluate with; empty = once, without any.

    Raises:
        InvalidInputError: none where the evaluator needs one, some where it takes none, or others than it was made
            with.
    """
    given = check_configurations(configurations)
    if form is None:
        if given:
            raise InvalidInputError("configurations are given, and no evaluator to take them; pass evaluator=, too")
        return []
    name = form.display_name
    own = check_configurations(form.configurations or None)
    if given and own and given != own:
        raise InvalidInputError(f"evaluator {name!r} was made with other configurations; leave configurations= out")
    wanted = own or given
    if wanted and not form.takes_configuration:
        raise InvalidInputError(
            f"evaluator {name!r} takes no configuration, and {len(wanted)} are given; give it a parameter for one, or "
            "leave them out"
        )
    if not wanted and form.needs_configuration:
        where = "pass configurations to its constructor" if form.is_class else "pass configurations=[…]"
        raise InvalidInputError(f"evaluator {name!r} takes a configuration, and none is given; {where}")
    return wanted


def measured(
    form: EvaluatorForm, configuration: EvaluatorConfiguration | None, suite: TestSuite, given: Given
) -> Measured:
    """What an evaluator says of a suite; empty if it gives None.

    Test cases of which no sample was inferred are left out.

    Raises:
        Exception: what the evaluator raised, with a note where.
        InvalidInputError: it gave something else than metrics, or not those of each sample and each test case once.
    """
    call = _Call(form, configuration, suite, given)
    return call.of_class() if form.is_class else call.of_function()


class _Call:
    """One evaluator at work with one configuration."""

    def __init__(
        self, form: EvaluatorForm, configuration: EvaluatorConfiguration | None, suite: TestSuite, given: Given
    ) -> None:
        self._form = form
        self._configuration = () if configuration is None else (configuration,)
        self._suite = suite
        self._given = given
        self._members = [member for member in given.members if member.positions]
        self._name = form.display_name
        if configuration is not None:
            self._name += f" with configuration {configuration.display_name()}"

    # --- functions ----------------------------------------------------------------------------------------------------

    def of_function(self) -> Measured:
        """The results of an evaluator function."""
        given = self._given
        cases = TestCases([(member.case, member.positions) for member in self._members], given.samples)
        function = cast(Any, self._form.evaluator)
        with self._noted():  # it is given copies, which it may sort
            results = function(
                list(given.samples), list(given.truths), list(given.inferences), cases, *self._configuration
            )
        if results is None:
            return Measured()
        if not isinstance(results, EvaluationResults):
            raise InvalidInputError(f"{self} returned {shown_value(results)}; return EvaluationResults, or None")
        positions = self._matched(given.samples, [sample for sample, _ in results.metrics_test_sample], "the suite")
        made = Measured(suite=results.metrics_test_suite)
        made.samples += self._by_case(positions, [metrics for _, metrics in results.metrics_test_sample])
        made.cases = self._of_cases(results.metrics_test_case, "metrics")
        for member in self._members:
            if member.place not in made.cases:
                raise InvalidInputError(f"{self} gave no metrics of {member.case!r}; give some of each test case")
        plots = self._of_cases(results.plots_test_case, "plots")
        made.plots = {place: list(each) for place, each in plots.items() if each}
        return made

    def _by_case(self, positions: Sequence[int], metrics: list[Any]) -> Iterator[SampleMetrics]:
        """Where a sample has several ground truths, its metrics are told apart by the first test case of each."""
        rows = self._given.samples
        if len({id(sample) for sample in rows}) == len(rows):
            yield SampleMetrics(None, positions, metrics)
            return
        times: dict[int, int] = defaultdict(int)
        for sample in rows:
            times[id(sample)] += 1
        case_of = {at: member.place for member in reversed(self._members) for at in member.positions}
        blocks: dict[int | None, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
        for position, each in zip(positions, metrics, strict=True):
            block = blocks[case_of[position] if times[id(rows[position])] > 1 else None]
            block[0].append(position)
            block[1].append(each)
        for case, (own, values) in blocks.items():
            yield SampleMetrics(case, own, values)

    def _of_cases(self, pairs: Sequence[tuple[Any, Any]], what: str) -> dict[int, Any]:
        places = {member.case: member.place for member in self._given.members}
        found: dict[int, Any] = {}
        for case, value in pairs:
            place = places.get(case)
            if place is None:
                raise InvalidInputError(f"{self} gave {what} of {shown_value(case)}, which is not in {self._suite!r}")
            if place in found:
                raise InvalidInputError(f"{self} gave {what} of {case!r} twice; give them once")
            found[place] = value
        return found

    # --- classes ------------------------------------------------------------------------------------------------------

    def of_class(self) -> Measured:
        """The results of an `Evaluator`."""
        evaluator = cast(Evaluator, self._form.evaluator)
        made = Measured()
        for member in self._members:
            self._of_case(evaluator, member, made)
        with self._noted():
            suite = evaluator.compute_test_suite_metrics(
                self._suite,
                [(member.case, made.cases[member.place]) for member in self._members],
                *self._configuration,
            )
        self._check(suite, "compute_test_suite_metrics", MetricsTestSuite, optional=True)
        made.suite = suite
        return made

    def _of_case(self, evaluator: Evaluator, member: Member, made: Measured) -> None:
        given, case = self._given, member.case
        samples = [given.samples[at] for at in member.positions]
        inferences = [(given.samples[at], given.truths[at], given.inferences[at]) for at in member.positions]
        with self._noted(case):
            pairs = evaluator.compute_test_sample_metrics(case, list(inferences), *self._configuration)
        pairs = self._pairs(pairs)
        places = self._matched(samples, [sample for sample, _ in pairs], repr(case))
        metrics: list[Any] = [None] * len(samples)
        for place, (_, each) in zip(places, pairs, strict=True):
            metrics[place] = each
        made.samples.append(SampleMetrics(member.place, member.positions, list(metrics)))
        with self._noted(case):
            of_case = evaluator.compute_test_case_metrics(case, list(inferences), list(metrics), *self._configuration)
        self._check(of_case, "compute_test_case_metrics", MetricsTestCase)
        made.cases[member.place] = of_case
        with self._noted(case):
            drawn = evaluator.compute_test_case_plots(case, inferences, metrics, *self._configuration)
        plots = list(drawn) if isinstance(drawn, Iterable) else [] if drawn is None else [drawn]
        for plot in plots:
            self._check(plot, "compute_test_case_plots", Plot)
        if plots:
            made.plots[member.place] = plots

    def _pairs(self, given: object) -> list[tuple[Any, Any]]:
        what = "compute_test_sample_metrics"
        pairs: list[Any] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
        for pair in pairs:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise InvalidInputError(
                    f"{self}: {what} returned {shown_value(pair)}; return a list of (test sample, metrics)"
                )
            if not isinstance(pair[1], MetricsTestSample):
                self._check(pair[1], what, MetricsTestSample)
        return pairs

    # --- both ---------------------------------------------------------------------------------------------------------

    def _check(self, value: object, method: str, wanted: type, *, optional: bool = False) -> None:
        if not isinstance(value, wanted) and not (optional and value is None):
            raise InvalidInputError(f"{self}: {method} returned {shown_value(value)}; subclass {wanted.__name__}")

    def _matched(self, ours: Sequence[Any], given: Sequence[Any], whose: str) -> Sequence[int]:
        """The position of each sample that results name: the same object, else an equal one.

        Raises:
            InvalidInputError: one that is not ours, or is named too often, or not at all.
        """
        if len(given) == len(ours) and all(map(is_, given, ours)):
            return range(len(ours))
        by_id: dict[int, list[int]] = {}
        for position in range(len(ours) - 1, -1, -1):
            by_id.setdefault(id(ours[position]), []).append(position)
        found = [places.pop() if (places := by_id.get(id(sample))) else -1 for sample in given]
        free = sorted(position for places in by_id.values() for position in places)
        if -1 in found:
            free = self._match_equal(ours, given, found, free, whose)
        if free:
            more = "" if len(free) == 1 else f", and of {len(free) - 1} more"
            raise InvalidInputError(
                f"{self} gave no metrics of {shown_value(ours[free[0]])} of {whose}{more}; give some of each sample"
            )
        return found

    def _match_equal(
        self, ours: Sequence[Any], given: Sequence[Any], found: list[int], free: list[int], whose: str
    ) -> list[int]:
        """Find places for the samples that have none (-1) among the free ones; those that stay free."""
        by_key: dict[object, list[int]] = defaultdict(list)
        for position in reversed(free):
            by_key[sample_key(ours[position])].append(position)
        for number in (number for number, position in enumerate(found) if position < 0):
            sample = given[number]
            is_sample = hasattr(type(sample), "__dataclass_fields__") or isinstance(sample, Mapping)
            places = by_key.get(sample_key(sample)) if is_sample else None
            if not places:
                shown, keys = shown_value(sample), {sample_key(each) for each in ours}
                if is_sample and sample_key(sample) in keys:
                    raise InvalidInputError(f"{self} gave metrics of {shown} of {whose} twice; give them once")
                raise InvalidInputError(f"{self} gave metrics of {shown}, which is no sample of {whose} to evaluate")
            found[number] = places.pop()
        taken = set(found)
        return [position for position in free if position not in taken]

    @contextmanager
    def _noted(self, case: object = None) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            of = f" for {case!r}" if case is not None else ""
            error.add_note(f"localreg: {self} raised this{of}. Nothing of this evaluation is kept; inferences are.")
            raise

    def __str__(self) -> str:
        return f"evaluator {self._name}"
