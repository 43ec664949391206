"""Images with their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.tasks.image import Image, check_image
from localreg.workflow.ground_truth import GroundTruth

__all__ = ["Labels", "TestImage"]


@dataclass(frozen=True)
class Labels(GroundTruth):
    """The labels of one image, as they are stored.

    Attributes:
        label: the only one; None if there are none, or several. It is what `registry.compare` looks at.
        labels: all of them.
    """

    label: str | None
    labels: list[str]


@dataclass(frozen=True)
class TestImage:
    """An image and its labels.

    Attributes:
        locator: where it lies: a path, or a URL such as `s3://bucket/image.png`.
        dataset: which data set it belongs to; "" if nothing was said. The same locator in another data set is
            another image.
        labels: their names, none blank; models never see them. Of objects that have a `label`, such as a
            `ClassificationLabel`, that is the name.
        metadata: any JSON object; models see it. The last that was said of an image counts, in all test cases.

    Raises:
        InvalidInputError: a field of another type; the locator is named.
    """

    __test__: ClassVar[bool] = False

    locator: str
    dataset: str = ""
    labels: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_image(self)
        given: object = [] if self.labels is None else self.labels
        if not isinstance(given, Iterable) or isinstance(given, str):
            raise InvalidInputError(f"labels of {self.locator!r} is {shown_value(given)}; it must be a list of names")
        names = [getattr(label, "label", label) for label in given]
        for number, name in enumerate(names):
            if not isinstance(name, str) or not name.strip():
                raise InvalidInputError(
                    f"labels[{number}] of {self.locator!r} is {shown_value(name)}; it must be a name, not blank"
                )
        object.__setattr__(self, "labels", names)

    def filter(self, predicate: Callable[[str], bool]) -> TestImage:
        """A copy with those labels alone of which the predicate is true."""
        return replace(self, labels=[label for label in self.labels if predicate(label)])

    def _truth(self) -> Labels:
        return Labels(self.labels[0] if len(self.labels) == 1 else None, self.labels)

    @classmethod
    def _shown(cls, image: Image, truth: GroundTruth | None) -> Self:
        labels = [] if truth is None else cast("Labels", truth).labels
        return cls(image.locator, image.dataset, labels, image.metadata)
