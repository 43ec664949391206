"""What can be done with workflows, test cases, suites and runs by name alone: the same as with their classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import localreg
from localreg import InvalidInputError, NotFoundError, ReadOnlyError, Registry
from localreg.workflow import (
    EvaluationResults,
    GroundTruth,
    Inference,
    Metadata,
    MetricsTestCase,
    MetricsTestSample,
    ScoredLabeledBoundingBox,
    TestCases,
    TestSample,
    TestSuite,
    Vector,
    define_workflow,
    test,
)
from localreg.workflow.recorded import RecordedWorkflow


@dataclass(frozen=True)
class Scene(TestSample):
    number: int
    boxes: list[ScoredLabeledBoundingBox] = field(default_factory=list)
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True)
class Person(GroundTruth):
    name: str
    face: Vector[3]


@dataclass(frozen=True)
class Said(Inference):
    name: str


_, Case, Suite, Model = define_workflow("Scenes", Scene, Person, Said)

BOX = ScoredLabeledBoundingBox((0.0, 1.0), (2.0, 3.0), "face", 0.5, occluded=True)  # type: ignore[call-arg]


@pytest.fixture
def suite(registry: Registry) -> TestSuite:
    """Two cases that share a sample; a run of which one sample failed, one was skipped, and one is missing."""
    pairs = [
        (Scene(n, [BOX] if n == 1 else [], {"light": n} if n else {}), Person("ab"[n % 2], np.full(3, n, np.float32)))
        for n in range(5)
    ]
    suite = Suite("scenes", test_cases=[Case("early", test_samples=pairs[:4]), Case("late", test_samples=pairs[3:])])

    def infer(scene: Scene) -> Said | None:
        if scene.number == 1:
            raise RuntimeError("too dark")
        return None if scene.number == 2 else Said("a")

    run_on = Suite("scenes but the last", test_cases=[Case.load("early")])
    test(Model("sayer", infer), run_on, on_error="record")
    return suite


def right(
    samples: list[Scene], truths: list[Person], inferences: list[Said | None], cases: TestCases
) -> EvaluationResults:
    @dataclass(frozen=True)
    class OfSample(MetricsTestSample):
        right: bool

    @dataclass(frozen=True)
    class OfCase(MetricsTestCase):
        right: int

    metrics = [
        OfSample(each is not None and each.name == truth.name) for truth, each in zip(truths, inferences, strict=True)
    ]
    of_cases = [
        (case, OfCase(sum(each.right for each in own)))
        for case, _, _, _, own in cases.iter(samples, truths, inferences, metrics)
    ]
    return EvaluationResults(list(zip(samples, metrics, strict=True)), of_cases)


def content(suite: TestSuite) -> list[tuple[str, list[tuple[int, str, list[float]]]]]:
    return [
        (case.name, [(sample.number, truth.name, truth.face.tolist()) for sample, truth in case.load_test_samples()])
        for case in suite.test_cases
    ]


@pytest.mark.parametrize(
    "by", ["number", "metadata.light", "ground_truth.name", "test_case", "len(boxes)", "boxes[1].label"]
)
def test_a_suite_is_cut_by_its_name_as_by_its_class(registry: Registry, suite: TestSuite, by: str) -> None:
    """Which includes what nobody looks at meanwhile: vectors, and what is said beside the fields."""
    made = registry.get_test_suite("scenes").stratify(by, bins=2)
    commit = registry.commit
    assert made.name == f"scenes by {by}"
    assert content(suite.stratify(by, bins=2)) == content(Suite.load(made.name))
    assert registry.commit == commit, "the class finds that nothing is left to be done"
    assert [tuple(member) for member in made.members] == [
        (case.name, case.version, len(case)) for case in Suite.load(made.name).test_cases
    ]
    shared = by == "test_case"
    assert sum(member.samples for member in made.members) == 5 + shared, "each sample once in a stratum"
    assert registry.verify().ok


def test_a_suite_that_is_cut_by_its_name_has_a_name_of_its_own(registry: Registry, suite: TestSuite) -> None:
    assert registry.get_test_suite("scenes").stratify("number", name="cut").name == "cut"
    with pytest.raises(InvalidInputError, match="'nummer'"):
        registry.get_test_suite("scenes").stratify("nummer")
    with pytest.raises(ReadOnlyError):
        registry.at(commit=registry.commit).get_test_suite("scenes").stratify("number")


def test_what_is_said_of_suites_and_cases_is_changed_without_a_new_version(
    registry: Registry, suite: TestSuite
) -> None:
    stored, case = registry.get_test_suite("scenes"), registry.get_test_case("early")
    stored.update(description="of 2026", tag=["nightly", "b"])
    commit = registry.commit
    stored.update(tag=["c", "nightly"], untag=["b", "absent"])
    case.update(description="before noon")
    assert registry.commit == commit + 2
    assert (suite.description, suite.tags) == ("of 2026", ["c", "nightly"])
    assert Case.load("early").description == "before noon"
    assert (stored.info.version, case.info.version) == (1, 1)
    stored.update(tag=["c"])
    assert registry.commit == commit + 2, "there was nothing to change"
    stored.update(description=None)
    assert (suite.description, suite.tags) == (None, ["c", "nightly"])
    with pytest.raises(InvalidInputError, match="tag is one text"):
        stored.update(tag="night")


def test_samples_of_a_run_are_counted_and_those_that_failed_are_dicts(registry: Registry, suite: TestSuite) -> None:
    (row,) = registry.test_runs()
    stored = registry.get_test_run(row["id"])
    assert stored.counts() == {"ok": 2, "skipped": 1, "error": 1, "missing": 0}
    ((sample, error),) = stored.errors()
    box = sample["boxes"][0]
    assert (sample["number"], sample["metadata"], box["label"], box["occluded"]) == (1, {"light": 1}, "face", True)
    assert (error["type"], error["message"]) == ("RuntimeError", "too dark")
    assert "raise RuntimeError" in str(error["traceback"])
    sayer = Model("sayer", lambda _: Said("b"))
    test(sayer, suite)
    assert stored.counts() == {"ok": 3, "skipped": 1, "error": 0, "missing": 0}, "another run inferred it"
    assert stored.errors() == []
    (other,) = registry.test_runs("test_suite = 'scenes'")
    both = registry.get_test_run(other["id"])
    assert both.counts() == {"ok": 4, "skipped": 1, "error": 0, "missing": 0}, "a sample of two test cases is one"
    assert registry.at(commit=registry.commit - 1).get_test_run(row["id"]).counts()["error"] == 1


def test_results_are_those_that_the_class_gives_with_samples_as_dicts(registry: Registry, suite: TestSuite) -> None:
    run = test(Model("sayer", lambda _: Said("b")), suite, right)
    (row,) = registry.test_runs("evaluator IS NOT NULL")
    stored = registry.get_test_run(row["id"])
    assert stored.configurations() == [None]
    theirs, ours = run.results(), stored.results()
    assert (ours.suite, ours.cases, ours.coverage) == (theirs.suite, theirs.cases, theirs.coverage)
    assert [(each.test_sample["number"], each.metrics) for each in ours.samples] == [
        (each.test_sample.number, each.metrics) for each in theirs.samples
    ]
    (other,) = registry.test_runs("evaluator IS NULL AND test_suite = 'scenes but the last'")
    assert registry.get_test_run(other["id"]).configurations() == []
    with pytest.raises(NotFoundError, match="test run 'scenes but the last@1' was not evaluated"):
        registry.get_test_run(other["id"]).results()


def test_a_workflow_that_was_deleted_has_no_types(registry: Registry, suite: TestSuite) -> None:
    stored: Any = registry.get_test_suite("scenes")
    registry.get_workflow("Scenes").delete(force=True)
    with pytest.raises(NotFoundError, match="deleted"):
        stored.stratify("number")
    with localreg.use(registry), pytest.raises(NotFoundError, match="'Scenes' is not there any more"):
        RecordedWorkflow("Scenes").types(registry._session.state())
