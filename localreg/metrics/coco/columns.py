"""What is in images, and what a detector saw in them, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.masks import Masks

    Ids = npt.NDArray[np.generic]
    Numbers = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

__all__ = ["Detections", "Truths"]


@dataclass(frozen=True, eq=False)
class Truths:
    """What is in images; of several objects in one image, the order decides between equal overlaps.

    Attributes:
        image_id: (n,), whole numbers or texts.
        category_id: (n,), whole numbers or texts.
        shapes: float64 (n, 4), `[x, y, width, height]` as COCO writes boxes; or masks.
        area: float64 (n,), as the annotation says it, which need not be that of the shape.
        iscrowd: bool (n,): a group of objects that are not told apart; however many detections lie in it,
            neither they nor it count.
        images: all images, those without objects, too; None = those that truths and detections name.
        categories: all categories; detections of others are left out. None = those that truths and detections name.
    """

    image_id: Ids
    category_id: Ids
    shapes: Numbers | Masks
    area: Numbers
    iscrowd: Flags
    images: Ids | None = None
    categories: Ids | None = None

    def __post_init__(self) -> None:
        _check(self, "area", ("category_id", "area", "iscrowd"), "truths")

    def __len__(self) -> int:
        return len(self.image_id)


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector saw in images; of equal scores in one image, the one given first is ranked first.

    Attributes:
        image_id: (n,), whole numbers or texts.
        category_id: (n,), whole numbers or texts.
        shapes: float64 (n, 4), `[x, y, width, height]`; or masks.
        score: float64 (n,), any finite number.
        area: float64 (n,): what small, medium and large goes by.
    """

    image_id: Ids
    category_id: Ids
    shapes: Numbers | Masks
    score: Numbers
    area: Numbers

    def __post_init__(self) -> None:
        _check(self, "score", ("category_id", "score", "area"), "detections")

    def __len__(self) -> int:
        return len(self.image_id)


def _check(given: Truths | Detections, number: str, columns: tuple[str, ...], what: str) -> None:
    """Refuse columns of different lengths, numbers that are not finite, and boxes turned inside out."""
    import numpy as np

    count = len(given.image_id)
    lengths = {name: len(getattr(given, name)) for name in (*columns, "shapes")}
    if {*lengths.values()} - {count}:
        told = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise InvalidInputError(f"columns of {what} are of different lengths: image_id {count:,}, {told}")
    for name in {number, "area"}:
        _refuse(~np.isfinite(getattr(given, name)), f"{what} have a {name} that is not finite")
    if isinstance(given.shapes, np.ndarray):
        boxes = given.shapes
        if boxes.shape != (count, 4):
            raise InvalidInputError(f"boxes of {what} have shape {boxes.shape}; they must be [x, y, width, height]")
        with np.errstate(over="ignore", invalid="ignore"):
            infinite = ~np.isfinite(boxes[:, :2] + boxes[:, 2:])
        _refuse(infinite[:, 0] | infinite[:, 1], f"{what} have a box that is not finite")
        _refuse((boxes[:, 2] < 0) | (boxes[:, 3] < 0), f"{what} have a box of negative width or height")


def _refuse(bad: Flags, why: str) -> None:
    import numpy as np

    if bad.any():
        raise InvalidInputError(f"{int(np.count_nonzero(bad)):,} {why}; the first is row {int(np.argmax(bad)):,}")
