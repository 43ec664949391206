from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import localreg
from localreg import InvalidInputError, NonDeterministicError, NotFoundError, Registry, WorkflowMismatchError
from localreg.detection import InferenceModel, Model, TestCase, TestImage, TestRun, TestSuite, ground_truth, inference
from localreg.detection import test as run_test
from localreg.metrics import match_inferences
from localreg.workflow.fingerprint import code_digest

Made = list[inference.Inference] | None

BOX = ground_truth.BoundingBox("cat", (1, 2), (3, 4.5))
MASK = ground_truth.SegmentationMask("dog", [(0, 0), (1, 1), (2, 0)], difficult=True)
LABEL = ground_truth.ClassificationLabel("indoors", source="caption")  # type: ignore[call-arg]
SEEN: list[inference.Inference] = [
    inference.BoundingBox("cat", 0.75, (1, 2), (3, 4)),
    inference.SegmentationMask("dog", -2, [(0, 0), (1, 1), (2, 0)]),
    inference.ClassificationLabel("indoors", 1, layer=3),  # type: ignore[call-arg]
]


def images(*names: str) -> list[TestImage]:
    return [TestImage(f"{name}.png", "pets", [BOX, MASK, LABEL], {"seen": name}) for name in names]


def suite(*names: str) -> TestSuite:
    return TestSuite("suite", test_cases=[TestCase("case", images=images(*names))])


class Counting:
    """An `infer` that remembers what it was asked."""

    def __init__(self, answer: Callable[[TestImage], Made] = lambda _: list(SEEN)) -> None:
        self.asked: list[TestImage] = []
        self._answer = answer

    def __call__(self, image: TestImage) -> Made:
        self.asked.append(image)
        return self._answer(image)

    @property
    def names(self) -> list[str]:
        return [image.locator for image in self.asked]


# --- images and test cases --------------------------------------------------------------------------------------------


def test_every_annotation_comes_back_as_it_was_given(registry: Registry) -> None:
    case = TestCase("case", images=images("a", "b"))
    assert case.load_images() == list(case.iter_images()) == images("a", "b")
    (image, _) = case.load_images()
    assert image.ground_truths == [BOX, MASK, LABEL]
    assert image.ground_truths[2].source == "caption"  # type: ignore[union-attr]
    assert [truth.difficult for truth in image.ground_truths] == [False, True, False]
    run_test(InferenceModel("m", lambda _: list(SEEN)), TestSuite("suite", test_cases=[case]))
    loaded = Model("m").load_inferences(case)
    assert loaded == [(image, SEEN) for image in images("a", "b")]
    assert loaded[0][1][2].layer == 3  # type: ignore[index, union-attr]


def test_sql_reaches_into_a_box(registry: Registry) -> None:
    run_test(InferenceModel("m", lambda _: SEEN[:1]), suite("a"))
    found = registry.sql(
        """SELECT locator, dataset, box.BoundingBox.confidence AS confidence, box.BoundingBox.top_left.y AS y
        FROM (SELECT *, unnest(annotations) AS box FROM "Object Detection".inferences)
        JOIN "Object Detection".test_samples USING (sample_idx)"""
    )
    assert found.dicts() == [{"locator": "a.png", "dataset": "pets", "confidence": 0.75, "y": 2.0}]


def test_what_is_not_said_of_an_image_is_empty() -> None:
    image = TestImage("a.png", None, None, None)  # type: ignore[arg-type]
    assert (image.dataset, image.ground_truths, image.metadata) == ("", [], {})
    assert image == TestImage("a.png")
    assert TestImage("a.png", ground_truths=[BOX, MASK]).filter(lambda each: each.difficult).ground_truths == [MASK]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"locator": 5}, "the locator of a test image is 5; give a path or a URL"),
        ({"locator": " "}, "the locator of a test image is ' '"),
        ({"dataset": 5}, "the dataset of 'a.png' is 5; give its name"),
        ({"metadata": [1]}, r"the metadata of 'a.png' is \[1\]; give a dict"),
        ({"ground_truths": BOX}, r"ground_truths of 'a.png' is BoundingBox.*; it must be a list"),
        ({"ground_truths": [BOX, SEEN[0]]}, r"ground_truths\[1\] of 'a.png' is .*; it must be a BoundingBox, "),
        ({"ground_truths": "cat"}, r"ground_truths of 'a.png' is 'cat'; it must be a list"),
    ],
)
def test_an_image_of_wrong_types_is_refused_by_its_locator(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TestImage(**{"locator": "a.png", **arguments})


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (ground_truth.ClassificationLabel(" "), r"label is ' '; it must not be blank"),
        (ground_truth.BoundingBox("x", (3, 0), (1, 1)), "top_left.x is 3.0; it must not be beyond bottom_right's"),
        (ground_truth.SegmentationMask("x", [(0, 0), (1, 1)]), "points is .*; it must have at least 3"),
    ],
)
def test_an_impossible_ground_truth_is_refused_with_its_image(
    registry: Registry, truth: ground_truth.GroundTruth, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"'bad.png'.*{message}"):
        TestCase("case", images=[*images("a"), TestImage("bad.png", ground_truths=[truth])])
    assert registry.commit == 0


def test_a_test_case_is_edited_by_its_images(registry: Registry) -> None:
    case = TestCase("case", images=images("a", "b"))
    changed = TestImage("a.png", "pets", [BOX])
    with case.edit() as editor:
        editor.add(changed)
        editor.remove(TestImage("b.png", "pets"))
        editor.remove(TestImage("never.png"))
        editor.add(images("c")[0])
        editor.description("fewer")
    assert (case.version, case.description) == (2, "fewer")
    assert [image.locator for image in case.load_images()] == ["a.png", "c.png"]
    assert case.load_images()[0].ground_truths == [BOX]
    assert TestCase.load("case", 1).load_images()[1].locator == "b.png"
    with case.edit(reset=True) as editor:
        editor.add(images("z")[0])
    assert [image.locator for image in TestCase("case").load_images()] == ["z.png"]
    with (
        pytest.raises(InvalidInputError, match=r"the image to add is 'a.png'; it must be a TestImage"),
        case.edit() as e,
    ):
        e.add("a.png")  # type: ignore[arg-type]
    assert case.version == 3


def test_many_test_cases_are_made_in_one_commit(registry: Registry) -> None:
    first, second = TestCase.init_many([("one", images("a")), ("two", images("a", "b"))])
    assert registry.commit == 1
    assert (first.name, len(first), len(second)) == ("one", 1, 2)
    assert TestCase.create("three", images=images("a")).load_images() == images("a")
    refused: list[tuple[Any, str]] = [
        (5, "data is 5; it must be a list of"),
        (["one"], r"data\[0\] is 'one'"),
        ([("one", ["a.png"])], r"images\[0\] is 'a.png'; it must be a TestImage"),
    ]
    for given, message in refused:
        with pytest.raises(InvalidInputError, match=message):
            TestCase.init_many(given)
    with pytest.raises(InvalidInputError, match=r"images is 'a.png'; it must be a list of TestImage objects"):
        TestCase("four", images="a.png")  # type: ignore[arg-type]


# --- models and runs --------------------------------------------------------------------------------------------------


def test_none_is_ignored_and_an_empty_list_is_nothing_found(registry: Registry) -> None:
    answers: dict[str, Made] = {"a.png": None, "b.png": [], "c.png": SEEN[:1]}
    infer = Counting(lambda image: answers[image.locator])
    run_test(InferenceModel("m", infer), suite("a", "b", "c"))
    loaded = Model("m").load_inferences(TestSuite("suite"))
    assert [(image.locator, made) for image, made in loaded] == list(answers.items())
    assert [row["status"] for row in registry.sql("SELECT status FROM inferences")] == ["skipped", "ok", "ok"]
    run_test(InferenceModel("m", infer), TestSuite("suite"))  # what was ignored is not asked again
    assert len(infer.asked) == 3


def test_infer_sees_metadata_and_no_ground_truth(registry: Registry) -> None:
    infer = Counting()
    run_test(InferenceModel("m", infer), suite("a"))
    assert infer.asked == [TestImage("a.png", "pets", [], {"seen": "a"})]


def test_each_image_is_inferred_once_over_suites_and_reruns(registry: Registry) -> None:
    infer = Counting()
    model = InferenceModel("m", infer, metadata={"framework": "torch"})
    assert model.metadata == {"framework": "torch"}
    run_test(model, suite("a", "b"))
    run_test(model, suite("a", "b"))
    more = TestCase("more", images=images("b", "c"))
    run_test(model, TestSuite("other", test_cases=[more]))
    assert infer.names == ["a.png", "b.png", "c.png"]
    run_test(model, TestSuite("other"), reset=True)
    assert sorted(infer.names[3:]) == ["b.png", "c.png"]


def test_a_rerun_after_an_exception_goes_on_with_what_is_missing(registry: Registry) -> None:
    def failing(image: TestImage) -> Made:
        if image.locator == "c.png":
            raise RuntimeError("out of memory")
        return []

    with pytest.raises(RuntimeError, match="out of memory"):
        run_test(InferenceModel("m", failing), suite("a", "b", "c", "d"))
    infer = Counting(lambda _: [])
    run_test(InferenceModel("m", infer), TestSuite("suite"))
    assert infer.names == ["c.png", "d.png"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (5, "what infer of model 'm' returned for 'a.png' is 5; it must be a list of what is seen"),
        ([5], "what infer of model 'm' returned for 'a.png' is a list whose item 0 is 5; it must be a BoundingBox, "),
        ([BOX], "whose item 0 is BoundingBox.*of localreg.detection.inference"),
        ([inference.ClassificationLabel("x", float("nan"))], "'a.png'.*confidence is nan; it must be a finite number"),
        ([inference.BoundingBox("x", float("inf"), (0, 0), (1, 1))], "'a.png'.*confidence is inf"),
        ([inference.BoundingBox("x", 0.5, (0, 9), (1, 1))], "'a.png'.*top_left.y is 9.0; it must not be beyond"),
        ([inference.SegmentationMask("x", float("nan"), [(0, 0)] * 3)], "'a.png'.*confidence is nan"),
        ([inference.SegmentationMask("x", 0.5, [(0, 0)] * 2)], "'a.png'.*points is .*; it must have at least 3"),
        ([inference.BoundingBox("", 0.5, (0, 0), (1, 1))], "'a.png'.*label is ''; it must not be blank"),
    ],
)
def test_what_cannot_be_an_inference_is_refused_with_its_image(registry: Registry, made: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        run_test(InferenceModel("m", lambda _: made), suite("a"))
    assert Model("m").load_inferences(TestSuite("suite")) == []


def test_an_image_of_several_cases_comes_once_unless_its_truths_differ(registry: Registry) -> None:
    cases = TestCase.init_many(
        [("one", images("a", "b")), ("two", images("b", "c")), ("three", [TestImage("c.png", "pets", [BOX])])]
    )
    both = TestSuite("both", test_cases=cases)
    model = InferenceModel("m", lambda _: [])
    run_test(model, both)
    assert [image.locator for image, _ in model.iter_inferences(both)] == ["a.png", "b.png", "c.png", "c.png"]
    by_case = model.load_inferences_by_test_case(both)
    assert [[image.locator for image, _ in by_case[case.id]] for case in cases] == [
        ["a.png", "b.png"],
        ["b.png", "c.png"],
        ["c.png"],
    ]


def test_what_a_model_sees_can_be_given_by_hand(registry: Registry) -> None:
    model, tests = Model("m"), suite("a", "b", "c", "d")
    with TestRun(model, tests) as run:
        assert [image.ground_truths for image in run.load_images()] == [[]] * 4
        for image in run.iter_images():
            if image.locator != "d.png":
                run.add_inferences(image, {"a.png": SEEN[:1], "b.png": [], "c.png": None}[image.locator])
        run.add_inferences(TestImage("a.png", "pets"), SEEN[1:])
    assert [made for _, made in model.load_inferences(tests)] == [SEEN, [], None]
    with pytest.raises(RuntimeError), TestRun(model, tests) as run:  # noqa: PT012 - also when it ends by an exception
        run.add_inferences(run.load_images()[0], [])
        raise RuntimeError
    assert [made for _, made in model.load_inferences(tests)] == [SEEN, [], None, []]
    with TestRun(model, tests, reset=True) as run:
        assert len(run.load_images()) == 4
        run.add_inferences(TestImage("c.png", "pets"), SEEN[2:])
    assert [made for _, made in model.load_inferences(tests)] == [SEEN, [], SEEN[2:], []]
    with TestRun(model, tests) as run:
        assert run.load_images() == []
        with pytest.raises(InvalidInputError, match=r"'a.png' is 5; it must be a list"):
            run.add_inferences(TestImage("a.png", "pets"), 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="works in a block: with TestRun"):
        run.add_inferences(TestImage("a.png", "pets"), [])


def test_an_image_is_not_ignored_and_seen_in_at_once(registry: Registry) -> None:
    (image,) = images("a")
    for one, other in ((None, SEEN), (SEEN, None), ([], None)):
        with TestRun(Model("m"), suite("a"), reset=True) as run:
            run.add_inferences(image, one)
            with pytest.raises(InvalidInputError, match=r"'a.png' is said to be ignored .* and to show something"):
                run.add_inferences(image, other)
        assert [made for _, made in Model("m").load_inferences(suite("a"))] == [one]


def test_images_are_loaded_a_few_at_a_time(registry: Registry) -> None:
    run = TestRun(Model("m"), suite("a", "b", "c"))
    assert [image.locator for image in run.load_images(batch_size=2)] == ["a.png", "b.png"]
    assert len(run.load_images(5)) == len(run.load_images()) == 3
    for size in (0, -1, "2"):
        with pytest.raises(InvalidInputError, match=r"batch_size is .*; write how many images to load at most"):
            run.load_images(batch_size=size)  # type: ignore[arg-type]


def test_a_model_to_look_at_takes_its_metadata_second(registry: Registry) -> None:
    from localreg import classification

    classes: list[Any] = [Model, classification.Model]
    for number, model_class in enumerate(classes):
        model = model_class(f"m{number}", {"epochs": 3})
        assert (model.metadata, model.infer) == ({"epochs": 3}, None)
        with pytest.raises(InvalidInputError, match="metadata"):
            model_class("n", "not an object")
    assert InferenceModel("i", Counting(), {"epochs": 4}).metadata == {"epochs": 4}
    assert classification.InferenceModel("c", lambda _: [], {"epochs": 5}).metadata == {"epochs": 5}


def test_another_answer_for_the_same_version_is_told(registry: Registry) -> None:
    tests, model = suite("a"), Model("m")
    first, second = TestRun(model, tests), TestRun(model, tests)
    with pytest.raises(localreg.LocalregError) as error, first, second:  # noqa: PT012 - both are open at once
        first.add_inferences(TestImage("a.png", "pets"), [])
        second.add_inferences(TestImage("a.png", "pets"), SEEN[:1])
    assert isinstance(error.value, NonDeterministicError | localreg.AlreadyExistsError)
    assert len(model.load_inferences(tests)) == 1


def test_models_and_suites_of_other_workflows_are_refused(registry: Registry) -> None:
    from localreg import classification

    classification.TestCase("labels", images=[classification.TestImage("a.png")])
    other = classification.TestSuite("other", test_cases=[classification.TestCase("labels")])
    with pytest.raises(WorkflowMismatchError, match="'labels' belongs to workflow 'Classification'"):
        TestCase("labels")
    with pytest.raises(WorkflowMismatchError, match="'Object Detection'"):
        run_test(InferenceModel("m", lambda _: []), other)  # type: ignore[arg-type]
    with pytest.raises(WorkflowMismatchError, match="is no test case of workflow 'Object Detection'"):
        Model("m").load_inferences(classification.TestCase("labels"))
    with pytest.raises(InvalidInputError, match="is no model of this task; make one with InferenceModel"):
        TestRun("m", suite("a"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="made without infer"):
        run_test(Model("m"), suite("a"))  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="no model 'n'"):
        Model.load("n")


def test_a_changed_infer_is_seen_through_what_calls_it(registry: Registry) -> None:
    def infer(_: TestImage) -> Made:
        return []

    run_test(InferenceModel("m", infer), suite("a"))
    told = registry.test_runs()[0]["fingerprint"]["infer"]
    assert told == code_digest(infer) != code_digest(lambda _: [])
    counting = Counting(lambda _: [])
    run_test(InferenceModel("n", counting), TestSuite("suite"))
    assert registry.test_runs(where="model = 'n'")[0]["fingerprint"]["infer"] == code_digest(counting)


def test_metrics_match_what_the_task_holds() -> None:
    found = match_inferences([BOX], [inference.BoundingBox("cat", 0.75, (1, 2), (3, 4))], iou_threshold=0.5)
    ((truth, made),) = found.matched
    assert (truth, made.label, made.iou) == (BOX, "cat", pytest.approx(0.8))  # type: ignore[attr-defined]
    assert [each.score for each in SEEN] == [0.75, -2, 1]


def test_content_that_is_ignored_is_told_where_it_was_written(registry: Registry) -> None:
    suite("a")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TestSuite("suite", test_cases=[])
        TestCase("case", images=[])
    assert [each.filename for each in caught] == [__file__] * 2


# --- the package ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["detection", "classification", "fr"])
def test_a_task_loads_nothing_before_it_is_used(task: str) -> None:
    code = (
        f"import sys, localreg.{task} as task\n"
        "assert task.__all__ == sorted(task.__all__, key=lambda name: (name[0].islower(), name))\n"
        "assert not {'duckdb', 'pyarrow', 'numpy', 'pydantic'} & {name.partition('.')[0] for name in sys.modules}\n"
        "assert all(getattr(task, name) for name in task.__all__) and set(task.__all__) <= set(dir(task))\n"
        "assert not hasattr(task, 'Nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_here_is_taken_for_a_test_by_pytest() -> None:
    for each in (TestCase, TestSuite, TestImage, TestRun, run_test):
        assert getattr(each, "__test__", True) is False


def by_process(image: TestImage) -> Made:
    return [inference.ClassificationLabel(image.locator, float(os.getpid()))]


def test_images_are_inferred_by_workers_where_an_executor_is_given(registry: Registry) -> None:
    tests = suite("a", "b")
    run_test(InferenceModel("m", by_process), tests, executor="processes:1")
    seen: list[Any] = [made[0] for _, made in Model("m").load_inferences(tests) if made]
    assert [label.label for label in seen] == ["a.png", "b.png"]
    pids = {label.score for label in seen}
    assert len(pids) == 1
    assert pids != {float(os.getpid())}
