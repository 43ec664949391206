from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from localreg import InvalidInputError, Registry
from localreg.classification import InferenceModel, Model, TestCase, TestImage, TestRun, TestSuite
from localreg.classification import test as run_test
from localreg.detection import ground_truth

Made = list[tuple[str, float]] | None

LABELS = {"a.png": ["cat"], "b.png": ["dog"], "c.png": ["cat", "dog"], "d.png": []}


def images() -> list[TestImage]:
    return [TestImage(name, "pets", labels, {"night": True}) for name, labels in LABELS.items()]


def suite() -> TestSuite:
    return TestSuite("suite", test_cases=[TestCase("case", images=images())])


def saying(answers: dict[str, Made], asked: list[TestImage] | None = None) -> Callable[[TestImage], Made]:
    def infer(image: TestImage) -> Made:
        if asked is not None:
            asked.append(image)
        return answers[image.locator]

    return infer


def test_labels_and_confidences_come_back_as_they_were_given(registry: Registry) -> None:
    answers: dict[str, Made] = {
        "a.png": [("cat", 0.5), ("dog", 0.25)],
        "b.png": [],
        "c.png": None,
        "d.png": [("x", -3)],
    }
    tests = suite()
    assert tests.test_cases[0].load_images() == images()  # type: ignore[attr-defined]
    run_test(InferenceModel("m", saying(answers)), tests)
    assert Model("m").load_inferences(tests) == list(zip(images(), answers.values(), strict=True))
    statuses = registry.sql("SELECT status FROM inferences").dicts()
    assert [row["status"] for row in statuses] == ["ok", "ok", "skipped", "ok"]


def test_each_image_is_inferred_once_and_never_with_its_labels(registry: Registry) -> None:
    asked: list[TestImage] = []
    model = InferenceModel("m", saying({name: [("cat", 1.0)] for name in LABELS}, asked))
    run_test(model, suite())
    run_test(model, suite())
    assert asked == [TestImage(name, "pets", [], {"night": True}) for name in LABELS]


def test_a_rerun_after_an_exception_goes_on_with_what_is_missing(registry: Registry) -> None:
    with pytest.raises(KeyError):
        run_test(InferenceModel("m", saying({"a.png": []})), suite())
    asked: list[TestImage] = []
    run_test(InferenceModel("m", saying({name: [] for name in LABELS}, asked)), suite())
    assert [image.locator for image in asked] == ["b.png", "c.png", "d.png"]


def test_labels_may_be_objects_that_have_a_label() -> None:
    truths: list[Any] = [ground_truth.ClassificationLabel("cat"), "dog"]
    image = TestImage("a.png", labels=truths)
    assert image.labels == ["cat", "dog"]
    assert image.filter(lambda label: label == "dog").labels == ["dog"]
    assert TestImage("a.png", labels=None) == TestImage("a.png", None, [], None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("cat", "labels of 'a.png' is 'cat'; it must be a list of names"),
        (5, "labels of 'a.png' is 5; it must be a list of names"),
        (["cat", 5], r"labels\[1\] of 'a.png' is 5; it must be a name"),
        ([" "], r"labels\[0\] of 'a.png' is ' '; it must be a name, not blank"),
    ],
)
def test_labels_of_wrong_types_are_refused_by_the_locator(labels: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TestImage("a.png", labels=labels)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("cat", "what infer of model 'm' returned for 'a.png' is 'cat'; it must be a list of"),
        (["cat"], "for 'a.png' is a list whose item 0 is 'cat'; it must be a pair of a label and a confidence"),
        ([("cat", 1), ("dog", "high")], "for 'a.png' is a list whose item 1 is"),
        ([("cat", None)], "for 'a.png' is a list whose item 0 is"),
        ([("cat", 1), ("dog", float("nan"))], "'a.png'.*score is nan; it must be a finite number"),
        ([("", 1)], "'a.png'.*label is ''; it must not be blank"),
    ],
)
def test_what_cannot_be_an_inference_is_refused_with_its_image(registry: Registry, made: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        run_test(InferenceModel("m", lambda _: made), suite())
    assert Model("m").load_inferences(suite()) == []


def test_confidences_may_be_numbers_of_numpy(registry: Registry) -> None:
    run_test(InferenceModel("m", lambda _: [("cat", np.float32(0.5)), ("dog", np.int8(1))]), suite())  # type: ignore[list-item]
    assert Model("m").load_inferences(suite())[0][1] == [("cat", 0.5), ("dog", 1.0)]


def test_models_are_compared_by_the_best_label_against_the_only_one(registry: Registry) -> None:
    one: list[TestImage] = [image for image in images() if len(image.labels) == 1]
    tests = TestSuite("one label each", test_cases=[TestCase("one", images=one)])
    run_test(InferenceModel("good", saying({"a.png": [("dog", 0.1), ("cat", 0.9)], "b.png": [("dog", 1)]})), tests)
    run_test(InferenceModel("bad", saying({"a.png": [("dog", 0.9), ("cat", 0.1)], "b.png": []})), tests)
    assert registry.compare("bad", "good", suite="one label each").values == (0.0, 1.0)


def test_what_a_model_says_can_be_given_by_hand(registry: Registry) -> None:
    with TestRun(Model("m"), suite()) as run:
        for image in run.iter_images():
            run.add_inferences(image, [("cat", 0.5)])
    assert [made for _, made in Model("m").load_inferences(suite())] == [[("cat", 0.5)]] * 4
