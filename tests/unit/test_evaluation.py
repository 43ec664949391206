from __future__ import annotations

import dataclasses
import importlib
import math
import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import localreg
from localreg import InvalidInputError, NotFoundError, Registry
from localreg.errors import FormatError
from localreg.workflow import (
    BarPlot,
    Curve,
    CurvePlot,
    EvaluationResults,
    Evaluator,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    Plot,
    ScoredLabel,
    TestCases,
    TestRun,
    TestSample,
    TestSuite,
    define_workflow,
    no_op_evaluator,
    test,
)
from localreg.workflow.annotation import BoundingBox
from localreg.workflow.metric_rows import metric_rows, metrics_of


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredLabel


@dataclass(frozen=True)
class OfSample(MetricsTestSample):
    right: bool | None
    score: float = 0.0


@dataclass(frozen=True)
class OfClass(MetricsTestCase):
    label: str
    recall: float


@dataclass(frozen=True)
class OfCase(MetricsTestCase):
    accuracy: float
    by_class: list[OfClass] = field(default_factory=list)


@dataclass(frozen=True)
class OfSuite(MetricsTestSuite):
    worst: float


@dataclass(frozen=True)
class Threshold(EvaluatorConfiguration):
    value: float
    note: str = ""

    def display_name(self) -> str:
        return f"at {self.value}"


Animals, Case, Suite, Net = define_workflow("Animals", Photo, Animal, Guess)

TRUTH = {"a.png": "cat", "b.png": "dog", "c.png": "cat", "d.png": "dog"}


def infer(photo: Photo) -> Guess:
    return Guess(ScoredLabel("cat", 0.25 * (1 + list(TRUTH).index(photo.locator))))


def suite_of(*cases: Sequence[str], name: str = "animals") -> TestSuite:
    made = [
        Case(f"{name} {number}", test_samples=[(Photo(each), Animal(TRUTH[each])) for each in names])
        for number, names in enumerate(cases)
    ]
    return Suite(name, test_cases=made)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = localreg.open(tmp_path / "registry")
    with localreg.use(opened):
        yield opened


@pytest.fixture
def suite(registry: Registry) -> TestSuite:
    return suite_of(["a.png", "b.png"], ["c.png", "d.png"])


def metrics_for(truth: Animal, inference: Guess | None) -> OfSample:
    if inference is None:
        return OfSample(None)
    return OfSample(inference.animal.label == truth.label, inference.animal.score)


def case_metrics(metrics: Sequence[OfSample]) -> OfCase:
    return OfCase(sum(bool(each.right) for each in metrics) / len(metrics))


def accuracy(
    samples: list[Photo], truths: list[Animal], inferences: list[Guess | None], cases: TestCases
) -> EvaluationResults:
    metrics = [metrics_for(truth, inference) for truth, inference in zip(truths, inferences, strict=True)]
    of_cases = [(case, case_metrics(own)) for case, *_, own in cases.iter(samples, truths, inferences, metrics)]
    worst = min(each.accuracy for _, each in of_cases)
    return EvaluationResults(list(zip(samples, metrics, strict=True)), of_cases, (), OfSuite(worst))


class Accuracy(Evaluator):
    def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
        least = 0.0 if configuration is None else configuration.value
        return [(sample, OfSample(guess.animal.score >= least, guess.animal.score)) for sample, _, guess in inferences]

    def compute_test_case_metrics(
        self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
    ) -> Any:
        return case_metrics(metrics)

    def compute_test_case_plots(self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None) -> Any:
        return [CurvePlot("scores", "n", "score", [Curve(range(len(metrics)), [each.score for each in metrics])])]

    def compute_test_suite_metrics(self, test_suite: Any, metrics: Any, configuration: Any = None) -> Any:
        return OfSuite(min(each.accuracy for _, each in metrics))


def commits(registry: Registry) -> int:
    return int(registry.sql("SELECT max(commit) AS n FROM audit_events").dicts()[0]["n"])


def counted(function: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """An evaluator that calls another, under the same name, and remembers that it was called; never cached."""
    calls: list[int] = []
    unknowable = threading.Lock()

    def accuracy(samples: Any, truths: Any, inferences: Any, cases: Any) -> Any:
        with unknowable:
            calls.append(len(samples))
        return function(samples, truths, inferences, cases)

    return accuracy, calls


# --- running and reading back -----------------------------------------------------------------------------------------


def test_a_run_infers_evaluates_and_gives_the_results_back(registry: Registry, suite: TestSuite) -> None:
    run = test(Net("m", infer), suite, accuracy)
    results = run.results()
    assert results.suite == {"worst": 0.5}
    assert results.cases == {
        "animals 0": {"accuracy": 0.5, "by_class": []},
        "animals 1": {"accuracy": 0.5, "by_class": []},
    }
    assert [(each.test_sample, each.metrics, each.test_case) for each in results.samples] == [
        (Photo(name), {"right": TRUTH[name] == "cat", "score": infer(Photo(name)).animal.score}, None) for name in TRUTH
    ]
    assert results.plots == {}
    assert results.coverage == (4, 0, 0, 0)


def test_an_evaluator_object_is_run_case_by_case(registry: Registry, suite: TestSuite) -> None:
    results = test(Net("m", infer), suite, Accuracy()).results()
    assert results.suite == {"worst": 1.0}
    assert {name: each["accuracy"] for name, each in results.cases.items()} == {"animals 0": 1.0, "animals 1": 1.0}
    assert {name: [plot.title for plot in plots] for name, plots in results.plots.items()} == {  # type: ignore[attr-defined]
        "animals 0": ["scores"],
        "animals 1": ["scores"],
    }
    assert [each.test_case for each in results.samples] == ["animals 0", "animals 0", "animals 1", "animals 1"]


def test_the_arguments_stand_in_the_order_of_the_hosted_client(registry: Registry, suite: TestSuite) -> None:
    run = TestRun(Net("m", infer), suite, Accuracy, None, True, "record", 2)
    assert isinstance(run.evaluator, Accuracy)
    assert run.reset
    with pytest.raises(InvalidInputError, match="on_error is 'raise it'"):
        TestRun(Net("m", infer), suite, Accuracy, None, True, "raise it")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="batch_size is 0"):
        test(Net("m", infer), suite, Accuracy, None, True, "raise", 0)


def test_the_same_model_suite_and_evaluator_are_the_same_run(registry: Registry, suite: TestSuite) -> None:
    model = Net("m", infer)
    for evaluator in (accuracy, accuracy, Accuracy(), None):
        test(model, suite, evaluator)
    runs = registry.sql("SELECT evaluator FROM test_runs ORDER BY evaluator NULLS FIRST").dicts()
    assert [row["evaluator"] for row in runs] == [None, "Accuracy", "accuracy"]
    assert registry.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 4}]


def test_a_run_without_an_evaluator_has_nothing_to_evaluate(registry: Registry, suite: TestSuite) -> None:
    run = test(Net("m", infer), suite)
    with pytest.raises(InvalidInputError, match="made without an evaluator"):
        run.evaluate()
    with pytest.raises(NotFoundError, match="not evaluated yet"):
        run.results()


def test_no_op_evaluator_gives_metrics_without_fields(registry: Registry, suite: TestSuite) -> None:
    results = test(Net("m", infer), suite, no_op_evaluator).results()
    assert results.suite is None
    assert results.cases == {"animals 0": {}, "animals 1": {}}
    assert [each.metrics for each in results.samples] == [{}] * 4
    assert {
        row["metrics"] for row in registry.sql("SELECT CAST(metrics AS VARCHAR) AS metrics FROM sample_metrics")
    } == {"{}"}


def test_none_is_no_result(registry: Registry, suite: TestSuite) -> None:
    def nothing(samples: Any, truths: Any, inferences: Any, cases: Any) -> None:
        return None

    results = test(Net("m", infer), suite, nothing).results()
    assert (results.suite, results.cases, results.samples, results.plots) == (None, {}, [], {})


def test_nothing_inferred_is_nothing_to_evaluate(registry: Registry, suite: TestSuite) -> None:
    with pytest.raises(InvalidInputError, match="no sample of test suite 'animals' has an inference"):
        TestRun(Net("m", infer), suite, accuracy).evaluate()


def test_skipped_samples_are_given_with_none_and_failed_ones_are_left_out(
    registry: Registry, suite: TestSuite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="localreg")

    def picky(photo: Photo) -> Guess | None:
        if photo.locator == "a.png":
            raise ValueError("too dark")
        return None if photo.locator == "c.png" else infer(photo)

    given: list[Any] = []

    def looks(samples: Any, truths: Any, inferences: Any, cases: Any) -> Any:
        given.extend(zip(samples, inferences, strict=True))
        return accuracy(samples, truths, inferences, cases)

    run = test(Net("m", picky), suite, looks, on_error="record")
    assert given == [
        (Photo("b.png"), infer(Photo("b.png"))),
        (Photo("c.png"), None),
        (Photo("d.png"), infer(Photo("d.png"))),
    ]
    assert run.results().coverage == (3, 1, 1, 0)
    assert "leaves out 1 sample that infer failed on, of test suite 'animals'" in caplog.text
    assert [each.metrics["right"] for each in run.results().samples] == [False, None, False]


def test_a_test_case_of_which_nothing_is_inferred_is_left_out(registry: Registry) -> None:
    def fails(photo: Photo) -> Guess:
        if photo.locator == "a.png":
            raise ValueError("too dark")
        return infer(photo)

    suite = suite_of(["a.png"], ["b.png"])
    for evaluator in (accuracy, Accuracy()):
        assert list(test(Net("m", fails), suite, evaluator, on_error="record").results().cases) == ["animals 1"]


# --- by sample, never by position -------------------------------------------------------------------------------------


def test_results_in_another_order_land_at_their_samples(registry: Registry, suite: TestSuite) -> None:
    def shuffled(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        random.Random(1).shuffle(made.metrics_test_sample)  # type: ignore[arg-type]
        assert [sample for sample, _ in made.metrics_test_sample] != samples
        return dataclasses.replace(made, metrics_test_case=list(made.metrics_test_case)[::-1])

    def copied(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = shuffled(samples, truths, inferences, cases)
        equal: list[tuple[TestSample, MetricsTestSample]] = [
            (dataclasses.replace(sample), each) for sample, each in made.metrics_test_sample
        ]
        return dataclasses.replace(made, metrics_test_sample=equal)

    model = Net("m", infer)
    wanted = test(model, suite, accuracy).results()
    for evaluator in (shuffled, copied):
        results = test(model, suite, evaluator).results()
        assert results.samples == wanted.samples
        assert results.cases == wanted.cases


def test_an_evaluator_object_gets_its_sample_metrics_in_the_order_of_the_inferences(
    registry: Registry, suite: TestSuite
) -> None:
    class Backwards(Accuracy):
        def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
            return super().compute_test_sample_metrics(test_case, inferences)[::-1]

        def compute_test_case_metrics(
            self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
        ) -> Any:
            assert [each.score for each in metrics] == [guess.animal.score for _, _, guess in inferences]
            return super().compute_test_case_metrics(test_case, inferences, metrics)

    model = Net("m", infer)
    assert test(model, suite, Backwards()).results().samples == test(model, suite, Accuracy()).results().samples


def test_an_evaluator_may_sort_what_it_is_given(registry: Registry, suite: TestSuite) -> None:
    def sorts(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        samples.clear()
        inferences.reverse()
        return made

    assert [each.test_sample.locator for each in test(Net("m", infer), suite, sorts).results().samples] == [*TRUTH]


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        (lambda pairs: pairs[1:], r"gave no metrics of Photo\(locator='a.png'\)"),
        (lambda pairs: [*pairs, pairs[2]], r"gave metrics of Photo\(locator='c.png'\) of the suite twice"),
        (lambda pairs: [*pairs[:3], pairs[2]], r"gave metrics of Photo\(locator='c.png'\) of the suite twice"),
        (lambda pairs: [*pairs, (Photo("z.png"), OfSample(True))], r"Photo\(locator='z.png'\), which is no sample"),
        (lambda pairs: [*pairs[:3], ("d.png", OfSample(True))], r"metrics of 'd.png', which is no sample"),
        (lambda pairs: [(Photo("a.png"), pairs[0][1]), *pairs], r"Photo\(locator='a.png'\) of the suite twice"),
    ],
)
def test_samples_that_are_foreign_twice_or_missing_are_refused_by_name(
    registry: Registry, suite: TestSuite, spoiled: Callable[[Any], Any], message: str
) -> None:
    def spoils(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        return dataclasses.replace(made, metrics_test_sample=spoiled(made.metrics_test_sample))

    model = Net("m", infer)
    TestRun(model, suite, spoils)
    test(model, suite)
    run = TestRun(model, suite, spoils)
    before = commits(registry)
    with pytest.raises(InvalidInputError, match=message):
        run.evaluate()
    assert commits(registry) == before


def test_an_evaluator_object_that_returns_too_little_is_refused(registry: Registry, suite: TestSuite) -> None:
    class Lazy(Accuracy):
        def compute_test_sample_metrics(self, test_case: Any, inferences: Any, configuration: Any = None) -> Any:
            return super().compute_test_sample_metrics(test_case, inferences)[:1]

    with pytest.raises(InvalidInputError, match=r"no metrics of Photo\(locator='b.png'\) of <TestCase 'animals 0'"):
        test(Net("m", infer), suite, Lazy())
    assert registry.sql("FROM metric_values").dicts() == []


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        (lambda pairs: pairs[1:], "no metrics of <TestCase 'animals 0'"),
        (lambda pairs: [*pairs, pairs[0]], "metrics of <TestCase 'animals 0' version 1, 2 samples> twice"),
        (lambda pairs: [*pairs, ("animals 2", pairs[0][1])], "metrics of 'animals 2', which is not in"),
    ],
)
def test_test_cases_that_are_foreign_twice_or_missing_are_refused_by_name(
    registry: Registry, suite: TestSuite, spoiled: Callable[[Any], Any], message: str
) -> None:
    def spoils(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        return dataclasses.replace(made, metrics_test_case=spoiled(made.metrics_test_case))

    with pytest.raises(InvalidInputError, match=message):
        test(Net("m", infer), suite, spoils)


def test_what_an_evaluator_returns_must_be_metrics(registry: Registry, suite: TestSuite) -> None:
    class Wrong(Accuracy):
        def compute_test_case_metrics(
            self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
        ) -> Any:
            return {"accuracy": 1.0}

    def wrong(samples: Any, truths: Any, inferences: Any, cases: Any) -> Any:
        return {"accuracy": 1.0}

    with pytest.raises(InvalidInputError, match=r"compute_test_case_metrics returned {'accuracy': 1\.0}; subclass"):
        test(Net("m", infer), suite, Wrong())
    with pytest.raises(InvalidInputError, match=r"evaluator wrong returned {'accuracy': 1\.0}; return Eval"):
        test(Net("m", infer), suite, wrong)


def test_a_sample_in_two_test_cases_is_given_once_with_one_truth_and_twice_with_two(registry: Registry) -> None:
    pairs = [(Photo("a.png"), Animal("cat")), (Photo("b.png"), Animal("dog"))]
    cases = [
        Case("both", test_samples=pairs),
        Case("same", test_samples=pairs[:1]),
        Case("other", test_samples=[(Photo("b.png"), Animal("cat"))]),
    ]
    seen: dict[str, list[tuple[str, str]]] = {}

    def looks(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        for case, own, of, *_ in cases.iter(samples, truths, inferences, samples):
            seen[case.name] = [(sample.locator, truth.label) for sample, truth in zip(own, of, strict=True)]
        assert [sample.locator for sample in samples] == ["a.png", "b.png", "b.png"]
        return accuracy(samples, truths, inferences, cases)

    model, suite = Net("m", infer), Suite("overlap", test_cases=cases)
    results = test(model, suite, looks).results()
    assert seen == {
        "both": [("a.png", "cat"), ("b.png", "dog")],
        "same": [("a.png", "cat")],
        "other": [("b.png", "cat")],
    }
    told = [(each.test_sample.locator, each.metrics["right"], each.test_case) for each in results.samples]
    assert told == [("a.png", True, None), ("b.png", False, "both"), ("b.png", True, "other")]
    by_case = test(model, suite, Accuracy()).results()
    assert [(each.test_sample.locator, each.test_case) for each in by_case.samples] == [
        ("a.png", "both"),
        ("a.png", "same"),
        ("b.png", "both"),
        ("b.png", "other"),
    ]


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rich(MetricsTestCase):
    nan: float
    low: float
    count: int
    huge: int
    flag: bool
    text: str
    nothing: float | None
    numbers: list[float]
    empty: list[float]
    by_name: dict[str, float]
    box: BoundingBox
    by_class: list[OfClass]


RICH = Rich(
    math.nan,
    -math.inf,
    3,
    2**60 + 1,
    True,
    "0.5",
    None,
    [1.0, math.inf, math.nan],
    [],
    {"a.b [x]": 1.5, "é": 2.0},
    BoundingBox((0.0, 1.0), (2.0, 3.0), iou=0.5),  # type: ignore[call-arg]
    [OfClass("cat", math.nan), OfClass("dog", 1.0)],
)


def test_values_of_all_kinds_come_back_as_they_were() -> None:
    made = metrics_of(row._asdict() for row in metric_rows(RICH, ""))
    box = made.pop("box")
    assert (box["top_left"], box["bottom_right"], box["iou"]) == ([0.0, 1.0], [2.0, 3.0], 0.5)
    wanted = {each.name: getattr(RICH, each.name) for each in dataclasses.fields(RICH) if each.name != "box"}
    wanted["by_class"] = [{"label": "cat", "recall": math.nan}, {"label": "dog", "recall": 1.0}]
    assert repr(made) == repr(wanted)
    assert [type(made[name]) for name in ("count", "huge", "flag", "low")] == [int, int, bool, float]


def test_values_are_rows_that_sql_can_ask_for(registry: Registry, suite: TestSuite) -> None:
    def rich(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        plots = [(case, [BarPlot("n", "x", "y", ["a"], [math.nan])]) for case, _ in made.metrics_test_case[:1]]
        metrics = [(sample, OfSample(True, math.nan)) for sample in samples]
        return EvaluationResults(
            metrics, [(case, RICH) for case, _ in made.metrics_test_case], plots, OfSuite(math.inf)
        )

    results = test(Net("m", infer), suite, rich).results()
    select = "SELECT class, value FROM metric_values WHERE test_case = 'animals 1' AND metric = 'recall' ORDER BY class"
    assert repr(registry.sql(select).dicts()) == "[{'class': 'cat', 'value': nan}, {'class': 'dog', 'value': 1.0}]"
    of_suite = registry.sql("SELECT metric, value, evaluator FROM metric_values WHERE test_case IS NULL").dicts()
    assert of_suite == [{"metric": "worst", "value": math.inf, "evaluator": "rich"}]
    keyed = registry.sql("SELECT DISTINCT class, value FROM metric_values WHERE metric = 'by_name' ORDER BY value")
    assert keyed.dicts() == [{"class": "a.b [x]", "value": 1.5}, {"class": "é", "value": 2.0}]
    huge = registry.sql("SELECT DISTINCT text FROM metric_values WHERE metric = 'huge'").dicts()
    assert huge == [{"text": str(2**60 + 1)}]
    samples = (
        "SELECT count(*) AS n FROM sample_metrics WHERE isnan(CAST(metrics->>'score' AS DOUBLE)) AND evaluator = 'rich'"
    )
    assert registry.sql(samples).dicts() == [{"n": 4}]
    plots = registry.sql("SELECT test_case, name, plot->>'data_type' AS kind FROM plots").dicts()
    assert plots == [{"test_case": "animals 0", "name": "n", "kind": "BarPlot"}]
    (plot,) = results.plots["animals 0"]
    assert isinstance(plot, BarPlot)
    assert math.isnan(plot.values[0] or 0.0)
    assert math.isnan(results.samples[0].metrics["score"])


def test_samples_may_have_metrics_of_different_classes_and_extras(registry: Registry, suite: TestSuite) -> None:
    @dataclass(frozen=True)
    class Boxed(MetricsTestSample):
        right: str
        box: BoundingBox

    def mixed(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        box = BoundingBox((0.0, 0.0), (1.0, 1.0), iou=0.5)  # type: ignore[call-arg]
        metrics = [(samples[0], Boxed("yes", box)), *made.metrics_test_sample[1:]]
        return dataclasses.replace(made, metrics_test_sample=metrics)

    first, second, *_ = test(Net("m", infer), suite, mixed).results().samples
    assert first.metrics["right"] == "yes"
    assert first.metrics["box"]["iou"] == 0.5
    assert second.metrics == {"right": False, "score": 0.5}
    told = registry.sql("SELECT CAST(metrics AS VARCHAR) AS m FROM sample_metrics ORDER BY sample_idx").dicts()
    assert told[0]["m"].startswith('{"right":"yes","box":')
    assert told[1]["m"] == '{"right":false,"score":0.5}'  # no more, and no other types, than its class has


def test_a_value_that_cannot_be_stored_is_refused_by_name_and_nothing_is_written(
    registry: Registry, suite: TestSuite
) -> None:
    @dataclass(frozen=True)
    class Odd(MetricsTestCase):
        values: list[object]

    def odd(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        return dataclasses.replace(
            made, metrics_test_case=[(case, Odd([1, b"x"])) for case, _ in made.metrics_test_case]
        )

    def ill(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        metrics = [(sample, OfSample("no")) for sample in samples]  # type: ignore[arg-type]
        return dataclasses.replace(made, metrics_test_sample=metrics)

    with pytest.raises(InvalidInputError, match=r"Odd of test case 'animals 0'.values\[1\] is b'x'"):
        test(Net("m", infer), suite, odd)
    with pytest.raises(InvalidInputError, match=r"the metrics of Photo\(locator='a.png'\): .*right is 'no'"):
        test(Net("m", infer), suite, ill)
    assert registry.sql("FROM sample_metrics").dicts() == []


def test_metrics_of_a_class_that_is_no_dataclass_are_refused(registry: Registry, suite: TestSuite) -> None:
    class Undecorated(MetricsTestCase):
        accuracy: float

    made = Undecorated()
    with pytest.raises(InvalidInputError, match="of class Undecorated, whose fields are not those of a dataclass"):
        metric_rows(made, "")


def test_a_plot_of_a_users_own_class_needs_no_title(registry: Registry, suite: TestSuite) -> None:
    @dataclass(frozen=True)
    class Dial(Plot):
        hand: float

    def drawn(samples: Any, truths: Any, inferences: Any, cases: Any) -> EvaluationResults:
        made = accuracy(samples, truths, inferences, cases)
        return dataclasses.replace(made, plots_test_case=[(made.metrics_test_case[0][0], [Dial(0.5)])])

    assert test(Net("m", infer), suite, drawn).results().plots == {"animals 0": [Dial(0.5)]}
    assert registry.sql("SELECT name FROM plots").dicts() == [{"name": None}]


@pytest.mark.parametrize("path", ["a..", "a b", "[x]", "a[", "."])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(FormatError, match="is no path of a metric"):
        metrics_of([{"path": path, "type": "null"}])


# --- configurations ---------------------------------------------------------------------------------------------------


def thresholded(samples: Any, truths: Any, inferences: Any, cases: Any, configuration: Threshold) -> EvaluationResults:
    metrics = [OfSample(guess.animal.score >= configuration.value) for guess in inferences]
    of_cases = [(case, case_metrics(own)) for case, *_, own in cases.iter(samples, truths, inferences, metrics)]
    return EvaluationResults(list(zip(samples, metrics, strict=True)), of_cases)


def test_results_are_kept_by_configuration_and_accumulate(registry: Registry, suite: TestSuite) -> None:
    model = Net("m", infer)
    run = test(model, suite, thresholded, [Threshold(0.3)])
    run = test(model, suite, thresholded, [Threshold(0.6), Threshold(0.9)])
    assert [registry.sql("SELECT count(*) AS n FROM test_runs").dicts()[0]["n"]] == [1]
    accuracies = {each: run.results(each).cases["animals 0"]["accuracy"] for each in ("at 0.3", "at 0.6", "at 0.9")}
    assert accuracies == {"at 0.3": 0.5, "at 0.6": 0.0, "at 0.9": 0.0}
    assert run.results(Threshold(0.6)).settings == {"value": 0.6, "note": ""}
    with pytest.raises(InvalidInputError, match=r"several configurations: 'at 0\.3', 'at 0\.6', 'at 0\.9'"):
        run.results()
    with pytest.raises(NotFoundError, match=r"not evaluated with configuration 'at 0\.7'"):
        run.results("at 0.7")
    with pytest.raises(InvalidInputError, match=r"configuration is 0\.3; pass one, or its display name"):
        run.results(0.3)  # type: ignore[arg-type]


def test_all_configurations_of_one_evaluation_are_one_commit(registry: Registry, suite: TestSuite) -> None:
    run = test(Net("m", infer), suite, thresholded, [Threshold(0.3), Threshold(0.6)])
    rows = registry.sql("SELECT DISTINCT commit FROM audit_events WHERE kind = 'evaluation'").dicts()
    assert len(rows) == 1
    told = str(registry.diff(commits(registry) - 1))
    assert "evaluation 'at 0.3 (" in told
    assert "of test run 'animals@1 thresholded' of 'm@1'" in told
    assert len(run.results("at 0.3").samples) == 4


def test_configurations_of_one_name_are_told_apart_by_what_they_say(registry: Registry, suite: TestSuite) -> None:
    model = Net("m", infer)
    for note in ("first", "second"):
        run = test(model, suite, thresholded, [Threshold(0.3, note)])
    assert run.results(Threshold(0.3, "first")).settings == {"value": 0.3, "note": "first"}
    with pytest.raises(InvalidInputError, match=r"several configurations: 'at 0\.3', 'at 0\.3'"):
        run.results("at 0.3")


def test_an_evaluator_object_brings_its_configurations(registry: Registry, suite: TestSuite) -> None:
    model = Net("m", infer)
    run = test(model, suite, Accuracy([Threshold(0.6), Threshold(0.9)]))
    assert run.results("at 0.9").suite == {"worst": 0.0}
    assert run.results("at 0.6").cases["animals 1"]["accuracy"] == 1.0
    test(model, suite, Accuracy())
    assert run.results().configuration is None  # without any is what None means, where there is one
    with pytest.raises(InvalidInputError, match="was made with other configurations"):
        TestRun(model, suite, Accuracy([Threshold(0.6)]), [Threshold(0.9)])


def test_configurations_must_fit_the_evaluator(registry: Registry, suite: TestSuite) -> None:
    model = Net("m", infer)
    with pytest.raises(InvalidInputError, match="evaluator 'thresholded' takes a configuration, and none is given"):
        TestRun(model, suite, thresholded)
    with pytest.raises(InvalidInputError, match="evaluator 'accuracy' takes no configuration, and 1 are given"):
        TestRun(model, suite, accuracy, [Threshold(0.5)])
    with pytest.raises(InvalidInputError, match="no evaluator to take them"):
        TestRun(model, suite, None, [Threshold(0.5)])


def test_a_configuration_with_nan_is_one_that_stays_the_same(registry: Registry, suite: TestSuite) -> None:
    run = test(Net("m", infer), suite, thresholded, [Threshold(math.nan)])
    before = commits(registry)
    test(Net("m", infer), suite, thresholded, [Threshold(math.nan)])
    assert commits(registry) == before
    assert run.results().settings == {"value": "NaN", "note": ""}


# --- what is stored is not computed again -----------------------------------------------------------------------------

MODULE = """
from localreg.workflow import EvaluationResults, MetricsTestCase, MetricsTestSample
import helper_of_evaluator
calls = []
LEVEL = 1
def made(samples):
    return [MetricsTestSample() for _ in samples]
def graded(samples, truths, inferences, cases):
    calls.append(1)
    metrics = made(samples)
    helper_of_evaluator.helped()
    str(LEVEL)
    return EvaluationResults(
        list(zip(samples, metrics)),
        [(case, MetricsTestCase()) for case, *_ in cases.iter(samples, truths, inferences, metrics)],
    )
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Writes a module of an evaluator and loads it, as another process would."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = ("graded_evaluator", "helper_of_evaluator")

    def load(source: str = MODULE, helper: str = "def helped(): pass\n") -> ModuleType:
        (folder / "graded_evaluator.py").write_text(source)
        (folder / "helper_of_evaluator.py").write_text(helper)
        for name in names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("graded_evaluator")

    yield load
    for name in names:
        sys.modules.pop(name, None)


def test_results_are_computed_again_only_if_something_changed(
    registry: Registry, suite: TestSuite, module: Callable[..., ModuleType]
) -> None:
    model, loaded = Net("m", infer), module()

    def computed(loaded: ModuleType) -> bool:
        before = len(loaded.calls), commits(registry)
        test(model, suite, loaded.graded)
        assert (len(loaded.calls) == before[0]) == (commits(registry) == before[1])  # a hit commits nothing
        return len(loaded.calls) > before[0]

    assert computed(loaded)
    assert not computed(loaded)
    assert not computed(module())  # as in the next process
    assert computed(module(MODULE.replace("MetricsTestSample() for", "MetricsTestSample() for ")))
    assert computed(module())
    assert computed(module(helper="def helped(): return 1\n"))  # it uses another module of the project
    loaded = module()
    assert computed(loaded)
    vars(loaded)["LEVEL"] = 2
    assert computed(loaded)
    before = commits(registry)
    TestRun(model, suite, loaded.graded).evaluate(refresh=True)
    assert (len(loaded.calls), commits(registry)) == (3, before + 1)
    assert registry.sql("SELECT count(DISTINCT test_run) AS n, count(*) AS rows FROM sample_metrics").dicts() == [
        {"n": 1, "rows": 4}  # what is computed anew takes the place of what was
    ]


def test_a_file_that_was_edited_and_not_loaded_again_is_not_taken_for_what_ran(
    registry: Registry, suite: TestSuite, module: Callable[..., ModuleType], tmp_path: Path
) -> None:
    model, old = Net("m", infer), module()
    edited = MODULE.replace("for _ in samples]", "for each in samples]")  # not in the evaluator itself
    (tmp_path / "project" / "graded_evaluator.py").write_text(edited)
    test(model, suite, old.graded)
    new = module(edited)
    test(model, suite, new.graded)
    assert len(new.calls) == 1


def test_other_inferences_and_other_truths_are_evaluated_anew(
    registry: Registry, suite: TestSuite, module: Callable[..., ModuleType]
) -> None:
    loaded = module()
    test(Net("m", infer), suite, loaded.graded)
    test(Net("m", lambda photo: Guess(ScoredLabel("dog", 0.5))), suite, loaded.graded, reset=True)
    assert len(loaded.calls) == 2
    elsewhere = suite_of(["a.png", "b.png"], name="elsewhere")
    test(Net("m", infer), elsewhere, loaded.graded)
    assert len(loaded.calls) == 3
    test(Net("m", infer), suite, loaded.graded)  # what was inferred of other samples does not matter
    assert len(loaded.calls) == 3
    case = Case("animals 0")
    with case.edit() as edit:
        edit.add(Photo("a.png"), Animal("horse"))
    test(Net("m", infer), Suite("animals", test_cases=[case], reset=True), loaded.graded)
    assert len(loaded.calls) == 4


def test_inferences_of_more_samples_elsewhere_leave_results_valid(
    registry: Registry, suite: TestSuite, module: Callable[..., ModuleType]
) -> None:
    loaded = module()
    first = suite_of(["a.png"], name="first")
    test(Net("m", infer), first, loaded.graded)
    test(Net("m", infer), suite)
    test(Net("m", infer), first, loaded.graded)
    assert len(loaded.calls) == 1


class Graded(Accuracy):
    """Counts its evaluations where its state does not show it."""

    calls: list[str] = []  # noqa: RUF012 - meant to be shared

    def __init__(self, level: object, configurations: Sequence[EvaluatorConfiguration] | None = None) -> None:
        super().__init__(configurations)
        self.level = level

    def compute_test_suite_metrics(self, test_suite: Any, metrics: Any, configuration: Any = None) -> Any:
        self.calls.append(repr(self.level))
        return None


def test_the_state_of_an_evaluator_object_counts(
    registry: Registry, suite: TestSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Graded, "calls", calls)
    model = Net("m", infer)
    levels: list[object] = [1, 1, 2, 2, {"b": [math.nan]}, {"b": [math.nan]}, 1.0, True]
    for level in levels:
        test(model, suite, Graded(level))
    assert calls == ["1", "2", "{'b': [nan]}", "1.0", "True"]
    calls.clear()
    for _ in range(2):
        test(model, suite, Graded(threading.Lock()))  # nobody can tell what that is
    assert len(calls) == 2


CALLS: list[int] = []


def test_what_a_closure_holds_counts(registry: Registry, suite: TestSuite, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(level: int) -> Any:
        def leveled(samples: Any, truths: Any, inferences: Any, cases: Any) -> Any:
            CALLS.append(level)
            return no_op_evaluator(samples, truths, inferences, cases)

        return leveled

    monkeypatch.setitem(globals(), "CALLS", [])
    model = Net("m", infer)
    for wrapped in (lambda function: function, partial):
        for level in (1, 1, 2, 2):
            test(model, suite, wrapped(made(level)))
    assert CALLS == [1, 2, 1, 2]


@pytest.mark.parametrize("file", [None, __file__])
def test_code_that_was_typed_in_is_evaluated_each_time(
    registry: Registry, suite: TestSuite, monkeypatch: pytest.MonkeyPatch, file: str | None
) -> None:
    main = ModuleType("__main__")  # at a prompt it has no file; in a script that ends in one, it has
    main.__file__ = file
    monkeypatch.setitem(sys.modules, "__main__", main)
    space: dict[str, Any] = {"no_op": no_op_evaluator, "calls": [], "__name__": "__main__"}
    source = "def typed(a, b, c, d):\n    calls.append(1)\n    return no_op(a, b, c, d)\n"
    exec(compile(source, (file and "<stdin>") or __file__, "exec"), space)
    for _ in range(2):
        test(Net("m", infer), suite, space["typed"])
    assert len(space["calls"]) == 2
    assert registry.sql("SELECT count(*) AS n FROM sample_metrics").dicts() == [{"n": 4}]


# --- the registry -----------------------------------------------------------------------------------------------------


def test_an_exception_in_the_evaluator_keeps_the_inferences_and_writes_nothing_else(
    registry: Registry, suite: TestSuite
) -> None:
    def breaks(samples: Any, truths: Any, inferences: Any, cases: Any, configuration: Threshold) -> EvaluationResults:
        if configuration.value > 0.5:
            raise ZeroDivisionError("no positives")
        return thresholded(samples, truths, inferences, cases, configuration)

    class Breaks(Accuracy):
        def compute_test_case_metrics(
            self, test_case: Any, inferences: Any, metrics: Any, configuration: Any = None
        ) -> Any:
            raise ZeroDivisionError("no positives")

    with pytest.raises(ZeroDivisionError, match="no positives") as caught:
        test(Net("m", infer), suite, breaks, [Threshold(0.3), Threshold(0.6)])
    assert "evaluator breaks with configuration at 0.6 raised this" in caught.value.__notes__[0]
    with pytest.raises(ZeroDivisionError) as caught:
        test(Net("m", infer), suite, Breaks())
    assert "for <TestCase 'animals 0' version 1, 2 samples>" in caught.value.__notes__[0]
    assert registry.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 4}]
    assert registry.sql("SELECT count(*) AS n FROM metric_values").dicts() == [{"n": 0}]
    assert registry.sql("SELECT count(*) AS n FROM audit_events WHERE kind = 'evaluation'").dicts() == [{"n": 0}]


class Meeting(Accuracy):
    """Waits for the other one, while it is evaluated."""

    meet: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self, unknown: object = None) -> None:
        super().__init__()
        self.unknown = unknown

    def compute_test_suite_metrics(self, test_suite: Any, metrics: Any, configuration: Any = None) -> Any:
        type(self).meet()
        return OfSuite(0.25)


@pytest.mark.parametrize("unknown", [None, threading.Lock()])
def test_two_handles_that_evaluate_at_once_leave_one_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unknown: object
) -> None:
    """Where it is known that both computed the same, the second leaves it; else the last one counts."""
    registries = [localreg.open(tmp_path / "registry") for _ in range(2)]
    with localreg.use(registries[0]):
        test(Net("m", infer), suite_of(["a.png", "b.png"], ["c.png", "d.png"]))
    both, failures = threading.Barrier(2), list[BaseException]()
    monkeypatch.setattr(Meeting, "meet", staticmethod(lambda: both.wait(30)))

    def evaluate(registry: Registry) -> None:
        try:
            with localreg.use(registry):
                test(Net("m"), Suite.load("animals"), Meeting(unknown))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=evaluate, args=(registry,)) for registry in registries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    again = localreg.open(tmp_path / "registry")
    assert again.sql("SELECT count(*) AS n FROM sample_metrics").dicts() == [{"n": 4}]
    assert again.sql("SELECT value FROM metric_values WHERE metric = 'worst'").dicts() == [{"value": 0.25}]
    assert again.sql("SELECT count(*) AS n FROM test_runs").dicts() == [{"n": 2}]
    made = "SELECT count(*) AS n FROM audit_events WHERE kind = 'evaluation' AND action = 'create'"
    assert again.sql(made).dicts() == [{"n": 1 if unknown is None else 2}]
    assert len(list((tmp_path / "registry").rglob("data/sample_metrics/*/*.parquet"))) == (1 if unknown is None else 2)
    assert again.verify().ok


def test_a_run_in_a_transaction_is_part_of_its_commit(registry: Registry) -> None:
    suite_of(["d.png"], name="before")
    before = commits(registry)
    with registry.transaction():
        suite = suite_of(["a.png", "b.png"], ["c.png"])
        run = test(Net("m", infer), suite, accuracy)
        assert run.results().suite == {"worst": 0.5}
        localreg_other = localreg.open(registry.uri)
        with localreg.use(localreg_other):  # its samples take the numbers that ours were given
            Case("others", test_samples=[(Photo("z.png"), Animal("cat"))])
    assert commits(registry) == before + 2
    assert [each.test_sample.locator for each in run.results().samples] == ["a.png", "b.png", "c.png"]
    told = registry.sql(
        "SELECT s.sample->>'locator' AS name FROM sample_metrics m JOIN test_samples s USING (sample_idx) ORDER BY name"
    )
    assert [row["name"] for row in told] == ["a.png", "b.png", "c.png"]


def test_a_transaction_that_fails_leaves_no_results(registry: Registry, suite: TestSuite) -> None:
    test(Net("m", infer), suite)

    def fails() -> None:
        with registry.transaction():
            test(Net("m", infer), suite, accuracy)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    with pytest.raises(NotFoundError):
        TestRun(Net("m"), suite, accuracy).results()


def test_deleting_the_run_deletes_its_results_and_undo_brings_them_back(registry: Registry, suite: TestSuite) -> None:
    model = Net("m", infer)
    test(model, suite)
    run = test(model, suite, accuracy)
    wanted = run.results().cases
    run.delete()
    for table in ("metric_values", "sample_metrics"):
        assert registry.sql(f"FROM {table}").dicts() == []
    with pytest.raises(NotFoundError):
        run.results()
    assert registry.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 4}]
    registry.undo(commits(registry))
    assert run.results().cases == wanted


def test_deleting_the_suite_with_force_deletes_results(registry: Registry, suite: TestSuite) -> None:
    test(Net("m", infer), suite, accuracy)
    suite.delete(force=True)
    assert registry.sql("FROM metric_values").dicts() == []
    assert registry.verify().ok


def test_results_of_the_past_are_still_there(registry: Registry, suite: TestSuite) -> None:
    counting, calls = counted(accuracy)
    model = Net("m", infer)
    test(model, suite, counting)
    then = commits(registry)
    test(model, suite, counting)
    assert len(calls) == 2
    at = registry.at(commit=then)
    assert at.sql("SELECT count(*) AS n FROM sample_metrics").dicts() == [{"n": 4}]
    ids = [
        each.sql("SELECT id FROM audit_events WHERE kind = 'evaluation' AND action = 'create'")
        for each in (at, registry)
    ]
    assert [len(each.dicts()) for each in ids] == [1, 2]


def test_plots_are_plots_again(registry: Registry, suite: TestSuite) -> None:
    (plot,) = test(Net("m", infer), suite, Accuracy()).results().plots["animals 0"]
    assert isinstance(plot, Plot)
    assert plot == CurvePlot("scores", "n", "score", [Curve([0, 1], [0.25, 0.5])])
