"""Test cases, test suites, models and test runs of object detection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from localreg.detection.inference import Inference
from localreg.detection.test_image import Annotations, TestImage
from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tasks.image import Image, ImageTask, ImageWithTruth
from localreg.tasks.images import ImageModel, ImageTestCase, ImageTestRun
from localreg.workflow import inference
from localreg.workflow.executors import ExecutorLike
from localreg.workflow.test_suite import TestSuite as AnySuite
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    from localreg.workflow.test_case import TestCase as AnyCase

__all__ = ["InferenceModel", "Model", "TestCase", "TestRun", "TestSuite", "test"]


@dataclass(frozen=True)
class Detections(inference.Inference):
    """What a model sees in one image, as it is stored."""

    annotations: list[Inference]


class _Task(ImageTask):
    image_class: type[ImageWithTruth] = TestImage

    def stored(self, made: object, whose: str) -> Detections:
        if not isinstance(made, list | tuple):
            raise InvalidInputError(
                f"{whose} is {shown_value(made)}; it must be a list of what is seen, [] if that is nothing, or None "
                "to ignore the image"
            )
        for number, each in enumerate(made):
            if not isinstance(each, get_args(Inference)):
                raise InvalidInputError(
                    f"{whose} is a list whose item {number} is {shown_value(each)}; it must be a BoundingBox, "
                    "SegmentationMask or ClassificationLabel of localreg.detection.inference"
                )
        return Detections(list(made))

    def shown(self, inference: Detections) -> list[Any]:
        return inference.annotations


WORKFLOW = Workflow("Object Detection", Image, Annotations, Detections)
_TASK = _Task()


class TestCase(ImageTestCase[TestImage]):
    """A named, versioned set of images with what is to be found in them; its arguments are told by `ImageTestCase`."""

    workflow = WORKFLOW
    _task = _TASK


class TestSuite(AnySuite):
    """A named, versioned list of test cases; its arguments are told by `localreg.workflow.TestSuite`."""

    workflow = WORKFLOW
    test_case_class: ClassVar[type[AnyCase[Any, Any]]] = TestCase


class Model(ImageModel[TestImage, Inference]):
    """A model for object detection, by its name: to look at what it made. To run one, take `InferenceModel`.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
    """

    workflow = WORKFLOW
    _task = _TASK

    def __init__(self, name: str, metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(name, None, metadata)


class InferenceModel(Model):
    """A model for object detection with its function, created or loaded by name.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        infer: from an image, which comes without its ground truths, to a list of boxes, masks and labels of
            `localreg.detection.inference`: [] = nothing is there, None = the image is ignored.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
    """

    def __init__(
        self,
        name: str,
        infer: Callable[[TestImage], Sequence[Inference] | None],
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        ImageModel.__init__(self, name, infer, metadata)  # `Model` takes no function


class TestRun(ImageTestRun[TestImage, Inference]):
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
        test_suite: of object detection.
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
