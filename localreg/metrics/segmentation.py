"""Metrics of semantic segmentation: label maps, a class for each pixel.

Maps are whole numbers of any shape, one map or a list of maps (which may differ in size). Pixels are counted over all
maps together, as the benchmarks do. Undefined is None.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.confusion import Confusion
from localreg.metrics.reading import whole_number_of
from localreg.metrics.tallying import defined

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = [
    "dice_per_class",
    "iou_per_class",
    "mean_dice",
    "mean_iou",
    "pixel_accuracy",
    "segmentation_confusion",
]


def segmentation_confusion(
    truth: ArrayLike | Sequence[ArrayLike],
    predicted: ArrayLike | Sequence[ArrayLike],
    *,
    classes: int,
    ignore: int | None = None,
) -> Confusion:
    """How many pixels of each class were predicted as which: all other metrics here are made of it.

    Args:
        truth: a map of classes in [0, classes), or a list of maps.
        predicted: the same; `ignore` there = not predicted, which is wrong.
        classes: how many.
        ignore: pixels whose truth is this value do not count.

    Returns:
        Labels are 0 to classes - 1.

    Raises:
        InvalidInputError: shapes differ, or a value is none of the classes; the map is named.
    """
    import numpy as np

    classes = whole_number_of(classes, "classes")
    pairs = _maps(truth, predicted)
    cells = np.zeros((classes, classes + 1), np.int64)
    for number, (true, said) in enumerate(pairs):
        here = f"in map {number}" if len(pairs) > 1 else "in the map"
        kept = slice(None) if ignore is None else true != ignore
        rows, columns = true[kept].ravel().astype(np.int64), said[kept].ravel().astype(np.int64)
        missing = np.zeros(len(columns), bool) if ignore is None else columns == ignore
        columns = np.where(missing, -1, columns)
        _check(rows, classes, f"truth {here}")
        _check(columns[~missing], classes, f"predicted {here}")
        cells += np.bincount(rows * (classes + 1) + columns + 1, minlength=cells.size).reshape(cells.shape)
    return Confusion(tuple(range(classes)), cells[:, 1:].copy(), cells[:, 0].copy())


def iou_per_class(confusion: Confusion) -> dict[Hashable, float | None]:
    """Intersection over union of each class, TP / (TP + FP + FN); None for one that is neither true nor predicted.

    Source:
        M. Everingham et al., International Journal of Computer Vision 88 (2010) 303, section 4.1.4.
    """
    marginals = confusion.marginals
    return _per_class(confusion, marginals.tp, marginals.support + marginals.predicted - marginals.tp)


def mean_iou(confusion: Confusion) -> float | None:
    """Plain mean of the IoU of the classes that are true or predicted; None if there is none."""
    return _mean(iou_per_class(confusion))


def dice_per_class(confusion: Confusion) -> dict[Hashable, float | None]:
    """Dice's coefficient of each class, 2 TP / (2 TP + FP + FN); None for one that is neither true nor predicted.

    Source:
        L. R. Dice, Ecology 26 (1945) 297.
    """
    return dict(zip(confusion.labels, map(defined, confusion.marginals.per_class("f1")), strict=True))


def mean_dice(confusion: Confusion) -> float | None:
    """Plain mean of Dice's coefficient of the classes that are true or predicted; None if there is none."""
    return _mean(dice_per_class(confusion))


def pixel_accuracy(confusion: Confusion) -> float | None:
    """Share of pixels that are right; None if there is none."""
    value = float(confusion.marginals.accuracy())
    return value if value == value else None


def _per_class(confusion: Confusion, part: np.ndarray, whole: np.ndarray) -> dict[Hashable, float | None]:
    pairs = zip(part.tolist(), whole.tolist(), strict=True)
    ratios = [count / of if of else None for count, of in pairs]
    return dict(zip(confusion.labels, ratios, strict=True))


def _mean(values: dict[Hashable, float | None]) -> float | None:
    there = [value for value in values.values() if value is not None]
    return sum(there) / len(there) if there else None


def _maps(truth: object, predicted: object) -> list[tuple[np.ndarray, np.ndarray]]:
    import numpy as np

    listed = isinstance(truth, list | tuple) and bool(truth) and np.ndim(truth[0]) >= 2
    if listed and (not isinstance(predicted, list | tuple) or len(predicted) != len(truth)):  # type: ignore[arg-type]
        raise InvalidInputError("truth is a list of maps, so predicted must be a list of as many")
    pairs = list(zip(truth, predicted, strict=True)) if listed else [(truth, predicted)]  # type: ignore[call-overload]
    read = [(np.asarray(true), np.asarray(said)) for true, said in pairs]
    for number, (true, said) in enumerate(read):
        if true.shape != said.shape:
            raise InvalidInputError(
                f"map {number} has shape {true.shape} in truth and {said.shape} in predicted; they must be equal"
            )
        if any(side.dtype.kind not in "iub" and side.size for side in (true, said)):
            raise InvalidInputError(f"map {number} holds {true.dtype} and {said.dtype}; classes are whole numbers")
    return read


def _check(codes: np.ndarray, classes: int, what: str) -> None:
    if len(codes) and (codes.min() < 0 or codes.max() >= classes):
        wrong = int(codes.min() if codes.min() < 0 else codes.max())
        raise InvalidInputError(
            f"{what} holds {wrong}, which is none of {classes} classes from 0; or pass ignore={wrong}"
        )
