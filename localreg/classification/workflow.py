"""Test cases, test suites, models and test runs of image classification."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from localreg.classification.test_image import Labels, TestImage
from localreg.errors import InvalidInputError
from localreg.metrics.reading import number_of
from localreg.names import shown_value
from localreg.tasks.image import Image, ImageTask, ImageWithTruth
from localreg.tasks.images import ImageModel, ImageTestCase, ImageTestRun
from localreg.workflow import inference
from localreg.workflow.annotation import ScoredClassificationLabel
from localreg.workflow.executors import ExecutorLike
from localreg.workflow.test_suite import TestSuite as AnySuite
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    from localreg.workflow.test_case import TestCase as AnyCase

__all__ = ["InferenceModel", "Model", "TestCase", "TestRun", "TestSuite", "test"]


@dataclass(frozen=True)
class Predictions(inference.Inference):
    """The labels that a model gives one image, as they are stored.

    Attributes:
        best: the one of highest confidence, of equals the first; None if there is none. It is what
            `registry.compare` looks at.
        labels: all of them, in the model's order.
    """

    best: ScoredClassificationLabel | None
    labels: list[ScoredClassificationLabel]


class _Task(ImageTask):
    image_class: type[ImageWithTruth] = TestImage

    def stored(self, made: object, whose: str) -> Predictions:
        if not isinstance(made, list | tuple):
            raise InvalidInputError(
                f"{whose} is {shown_value(made)}; it must be a list of (label, confidence), [] if there is none, or "
                "None to ignore the image"
            )
        labels = [_label(each, f"{whose} is a list whose item {number}") for number, each in enumerate(made)]
        return Predictions(max(labels, key=lambda label: label.score, default=None), labels)

    def shown(self, inference: Predictions) -> list[Any]:
        return [(label.label, label.score) for label in inference.labels]


def _label(pair: object, what: str) -> ScoredClassificationLabel:
    if isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str):
        confidence = number_of(pair[1])
        if confidence is not None:
            return ScoredClassificationLabel(pair[0], confidence)
    raise InvalidInputError(f"{what} is {shown_value(pair)}; it must be a pair of a label and a confidence")


WORKFLOW = Workflow("Classification", Image, Labels, Predictions)
_TASK = _Task()


class TestCase(ImageTestCase[TestImage]):
    """A named, versioned set of images with their labels; its arguments are told by `ImageTestCase`."""

    workflow = WORKFLOW
    _task = _TASK


class TestSuite(AnySuite):
    """A named, versioned list of test cases; its arguments are told by `localreg.workflow.TestSuite`."""

    workflow = WORKFLOW
    test_case_class: ClassVar[type[AnyCase[Any, Any]]] = TestCase


class Model(ImageModel[TestImage, tuple[str, float]]):
    """A classifier of images, by its name: to look at what it made. To run one, take `InferenceModel`.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
    """

    workflow = WORKFLOW
    _task = _TASK

    def __init__(self, name: str, metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(name, None, metadata)


class InferenceModel(Model):
    """A classifier of images with its function, created or loaded by name.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        infer: from an image, which comes without its labels, to a list of (label, confidence): [] = none fits, None =
            the image is ignored. Confidences are finite numbers.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
    """

    def __init__(
        self,
        name: str,
        infer: Callable[[TestImage], Sequence[tuple[str, float]] | None],
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        ImageModel.__init__(self, name, infer, metadata)  # `Model` takes no function


class TestRun(ImageTestRun[TestImage, tuple[str, float]]):
    """A model on a test suite, by hand, in a `with` block; its arguments are told by `ImageTestRun`."""


def test(
    model: InferenceModel,
    test_suite: TestSuite,
    reset: bool = False,  # noqa: PT028 - no test of pytest's
    *,
    executor: ExecutorLike | None = None,  # noqa: PT028
) -> TestRun:
    """Run a model on a test suite, for the images that it has not inferred before.

    What was inferred is kept as it comes: a run that was killed, or ended by an exception, is taken up there.

    Args:
        model: with its `infer`.
        test_suite: of classification.
        reset: infer all images again; what is stored is replaced in one commit, when all are done.
        executor: where `infer` is called, as `localreg.workflow.TestRun` tells it; None = here.

    Raises:
        InvalidInputError: the suite is empty, or `infer` returned something else; the image is named.
        Exception: what `infer` raised; what was inferred before is kept.
    """
    run = TestRun(model, test_suite, reset=reset, executor=executor)
    run.run()
    return run


test.__test__ = False  # type: ignore[attr-defined]
