"""Test cases, models and test runs of tasks on images, in the words of `localreg.detection` and `.classification`.

They are those of `localreg.workflow`, over samples that are called images and carry their ground truths with them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar

from localreg.errors import InvalidInputError
from localreg.names import check_whole, shown_value
from localreg.tasks.image import Image, ImageTask, ImageWithTruth
from localreg.workflow.executors import ExecutorLike
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.model import Model
from localreg.workflow.test_case import TestCase, TestCaseEditor
from localreg.workflow.test_run import TestRun
from localreg.workflow.test_suite import TestSuite

__all__ = ["ImageModel", "ImageTestCase", "ImageTestRun"]

ImageT = TypeVar("ImageT", bound=ImageWithTruth)
MadeT = TypeVar("MadeT")

_BATCH_HINT = "write how many images to load at most, 1 or more"


class ImageTestCaseEditor(Generic[ImageT]):
    """Collects the changes of one `with case.edit()` block; they become one version when the block ends."""

    def __init__(self, editor: TestCaseEditor[Image, GroundTruth], task: ImageTask) -> None:
        self._editor = editor
        self._task = task

    def description(self, description: str) -> None:
        """Replace the description; that alone makes no new version."""
        self._editor.description(description)

    def add(self, image: ImageT) -> None:
        """Add an image at the end; one that is there already gets these ground truths, and moves to the end."""
        self._editor.add(*_stored(self._task, image, "the image to add"))

    def remove(self, image: ImageT) -> None:
        """Remove an image, whatever its ground truths; one that is not there is no mistake."""
        self._editor.remove(_stored(self._task, image, "the image to remove")[0])


class ImageTestCase(TestCase[Image, GroundTruth], Generic[ImageT]):
    """One version of a test case: a named, versioned set of images with their ground truths.

    Args:
        name: unique in the namespace, across workflows.
        version: load this version; None = the newest, made if there is none.
        description: free text; where given, applied without a new version.
        images: the content, in order. Given for an existing case it is ignored with a warning, unless the case is
            empty or `reset` is set.
        reset: replace the content by `images`, as a new version.

    Raises:
        InvalidInputError: something else than an image, an annotation that cannot be stored, or one image twice.
        WorkflowMismatchError: the name belongs to a case of another workflow.
        NotFoundError: no such version.
    """

    _task: ClassVar[ImageTask]

    def __init__(
        self,
        name: str,
        version: int | None = None,
        description: str | None = None,
        images: Sequence[ImageT] | None = None,
        reset: bool = False,
    ) -> None:
        self._open(name, version, description, self._pairs(images), reset)

    @classmethod
    def create(  # type: ignore[override] # here a sample and its ground truth are one thing
        cls, name: str, description: str | None = None, images: Sequence[ImageT] | None = None
    ) -> Self:
        """Make a test case.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        return super().create(name, description, cls._pairs(images))

    @classmethod
    def init_many(cls, data: Sequence[tuple[str, Sequence[ImageT]]], reset: bool = False) -> list[Self]:  # type: ignore[override]
        """Make or load many test cases in one commit: name and images of each, as the constructor does for one."""
        content: list[Any] = [
            (each[0], cls._pairs(each[1]) or []) if isinstance(each, tuple | list) and len(each) == 2 else each
            for each in _listed(data, "data", "(name, images)")
        ]
        return super().init_many(content, reset)

    @contextmanager
    def edit(self, reset: bool = False) -> Iterator[ImageTestCaseEditor[ImageT]]:  # type: ignore[override]
        """Change the test case in a `with` block; when it ends, the changes become the next version.

        An edit without effect makes no version, and an exception inside the block changes nothing.

        Args:
            reset: begin with nothing, instead of what the case holds.

        Raises:
            ConflictError: the case was edited by somebody else since this object was loaded.
        """
        with super().edit(reset) as editor:
            yield ImageTestCaseEditor(editor, self._task)

    def load_images(self) -> list[ImageT]:
        """The images with their ground truths, in the order of adding."""
        return list(self.iter_images())

    def iter_images(self) -> Iterator[ImageT]:
        """The same, made in batches."""
        for image, truth in self.iter_test_samples():
            yield _shown(self._task, image, truth)

    @classmethod
    def _pairs(cls, images: Sequence[ImageT] | None) -> list[tuple[Image, GroundTruth]] | None:
        if images is None:
            return None
        listed = _listed(images, "images", f"{cls._task.image_class.__name__} objects")
        return [_stored(cls._task, image, f"images[{number}]") for number, image in enumerate(listed)]


class ImageModel(Model[Image, GroundTruth, Inference], Generic[ImageT, MadeT]):
    """A model of a task on images, created or loaded by name.

    Args:
        name: unique in the namespace, across workflows; `name@version` and `name@alias` mean that version.
        infer: from an image, which comes without its ground truths, to a list of what is seen in it; [] = nothing,
            None = the image is ignored. May be left out if only stored inferences are wanted.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.

    Raises:
        WorkflowMismatchError: the model belongs to another workflow.
    """

    _task: ClassVar[ImageTask]

    def __init__(
        self,
        name: str,
        infer: Callable[[ImageT], Sequence[MadeT] | None] | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(name, infer, metadata)  # type: ignore[arg-type] # what runs is `_running`

    def load_inferences(  # type: ignore[override] # an image and its ground truths are one thing here
        self, test_object: TestCase[Any, Any] | TestSuite
    ) -> list[tuple[ImageT, list[MadeT] | None]]:
        """Each image of a test case or test suite that was inferred, with its ground truths and what was seen.

        None = the model ignored it; [] = it saw nothing. Images not inferred, or that failed, are left out. An image
        that several test cases of a suite hold comes once, or once for each of its ground truths if they differ.
        """
        return list(self.iter_inferences(test_object))

    def iter_inferences(  # type: ignore[override]
        self, test_object: TestCase[Any, Any] | TestSuite
    ) -> Iterator[tuple[ImageT, list[MadeT] | None]]:
        """The same, made in batches.

        Raises:
            InvalidInputError: neither a test case nor a test suite.
            WorkflowMismatchError: it belongs to another workflow.
        """
        if isinstance(test_object, TestSuite):
            yield from self._once_each(test_object)
            return
        for image, truth, inference in super().iter_inferences(test_object):
            made = None if inference is None else self._task.shown(inference)
            yield _shown(self._task, image, truth), made

    def _once_each(self, suite: TestSuite) -> Iterator[tuple[ImageT, list[MadeT] | None]]:
        seen: dict[tuple[str, str], list[ImageT]] = {}
        for case in suite.test_cases:
            for image, made in self.iter_inferences(case):
                known = seen.setdefault((image.locator, image.dataset), [])
                if image not in known:
                    known.append(image)
                    yield image, made

    def load_inferences_by_test_case(self, test_suite: TestSuite) -> dict[str, list[tuple[ImageT, list[MadeT] | None]]]:
        """The same by test case, by its `id`."""
        return {case.id: self.load_inferences(case) for case in test_suite.test_cases}

    def _running(self) -> Self:
        """See `localreg.workflow.Model`: what users write takes an image and returns a list."""
        running = copy.copy(self)
        if self.infer is not None:
            running.infer = _adapted(self._task, self.infer, self.name)
        return running


class ImageTestRun(TestRun, Generic[ImageT, MadeT]):
    """A model on a test suite, by hand: give what it sees in each image, in a `with` block.

    What was added is stored in one commit when the block ends, also when it ends by an exception.

    Args:
        model: the model.
        test_suite: of the same workflow.
        reset: what is stored of the images that are given is replaced; `load_images` gives all of them.
        executor: where `run` calls the model's `infer`; see `localreg.workflow.TestRun`.
    """

    def __init__(
        self,
        model: ImageModel[ImageT, MadeT],
        test_suite: TestSuite,
        reset: bool = False,
        *,
        executor: ExecutorLike | None = None,
    ) -> None:
        if not isinstance(model, ImageModel):
            raise InvalidInputError(f"{shown_value(model)} is no model of this task; make one with InferenceModel")
        super().__init__(model._running(), test_suite, reset=reset, executor=executor)
        self._task = model._task
        self._added: dict[tuple[str, str], tuple[Image, list[Any] | None]] = {}
        self._is_open = False

    def __enter__(self) -> Self:
        self._is_open, self._added = True, {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        if self._added:
            whose = f"what was added for model {self._model_name!r} and image "
            stored = [
                (image, None if made is None else self._task.stored(made, f"{whose}{image.locator!r}"))
                for image, made in self._added.values()
            ]
            self.upload_inferences(stored)

    def load_images(self, batch_size: int | None = None) -> list[ImageT]:
        """The suite's images that lack an inference, without ground truths, each once; all for a run with `reset`.

        Args:
            batch_size: only the first so many; None = all.
        """
        if batch_size is None:
            return list(self.iter_images())
        if not (count := check_whole(batch_size, what="batch_size", hint=_BATCH_HINT)):
            raise InvalidInputError(f"batch_size is 0; {_BATCH_HINT}")
        return list(islice(self.iter_images(), count))

    def iter_images(self) -> Iterator[ImageT]:
        """The same, made in batches."""
        for image in self.iter_test_samples():
            yield _shown(self._task, image, None)

    def add_inferences(self, image: ImageT, inferences: Sequence[MadeT] | None) -> None:
        """Say what the model sees in an image; said again of one image, both count, and both must ignore it or neither.

        Args:
            image: one of the suite's.
            inferences: as `infer` returns it: [] = nothing, None = ignored.

        Raises:
            InvalidInputError: outside of a `with` block, something else than an image or such a list, or the image is
                said to be ignored and to show something.
        """
        if not self._is_open:
            raise InvalidInputError("add_inferences works in a block: with TestRun(model, test_suite) as run: …")
        sample, _ = _stored(self._task, image, "the image")
        if inferences is not None:
            self._task.stored(inferences, f"what is added for {image.locator!r}")
        key = sample.locator, sample.dataset
        if key in self._added and (self._added[key][1] is None) != (inferences is None):
            raise InvalidInputError(
                f"image {sample.locator!r} is said to be ignored (None), and to show something, in one block; say one"
            )
        made = None if inferences is None else [*(self._added.get(key, (sample, []))[1] or []), *inferences]
        self._added[key] = sample, made


def _adapted(task: ImageTask, infer: Callable[[Any], Any], name: str) -> Callable[[Image], Inference | None]:
    def adapted(image: Image) -> Inference | None:
        made = infer(_shown(task, image, None))
        whose = f"what infer of model {name!r} returned for {image.locator!r}"
        return None if made is None else task.stored(made, whose)

    adapted.__localreg_calls__ = (infer,)  # type: ignore[attr-defined] # whose code the fingerprint tells
    return adapted


def _shown(task: ImageTask, image: Image, truth: GroundTruth | None) -> Any:
    return task.image_class._shown(image, truth)


def _stored(task: ImageTask, image: object, what: str) -> tuple[Image, GroundTruth]:
    if not isinstance(image, task.image_class):
        raise InvalidInputError(f"{what} is {shown_value(image)}; it must be a {task.image_class.__name__}")
    return Image(image.locator, image.dataset, image.metadata), image._truth()


def _listed(values: object, what: str, wanted: str) -> list[Any]:
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise InvalidInputError(f"{what} is {shown_value(values)}; it must be a list of {wanted}")
    return list(values)
