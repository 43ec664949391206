"""Right, wrong and overlooked at one score and one IoU: per image, per class and over all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.found import Found

    Flags = npt.NDArray[np.bool_]
    Ids = npt.NDArray[np.generic]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["BestThreshold", "CountTable", "Counts", "best_threshold", "count_table"]


@dataclass(frozen=True)
class Counts:
    """What a detector got right, and what not.

    Attributes:
        tp: detections that are matched.
        fp: those that are not.
        fn: truths that are not.
    """

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP); None if nothing was detected."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN); None if nothing is there."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None if nothing was detected and nothing is there."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None


@dataclass(frozen=True)
class BestThreshold:
    """The score from which on F1 is highest.

    Attributes:
        score: detections of this score and above count.
        counts: what is right then.
    """

    score: float
    counts: Counts


@dataclass(frozen=True, eq=False)
class CountTable:
    """Counts of each image and class; those of which nothing was seen and nothing is there have no row.

    Attributes:
        image: int64 (n,), of each row, a place in `DetectionMatches.images`.
        class_: int64 (n,), a place in `DetectionMatches.classes`; rows rise by class, then by image.
        tp: int64 (n,).
        fp: int64 (n,).
        fn: int64 (n,).
        images: how many there are.
        classes: ids.
        weights: int64 (images,), how often each image counts in the sums below (not in the rows); None = once.
    """

    image: Indices
    class_: Indices
    tp: Indices
    fp: Indices
    fn: Indices
    images: int
    classes: Ids
    weights: Indices | None = None

    def total(self) -> Counts:
        """Over all classes."""
        each = self._weighted()
        return Counts(*(int(column.sum()) for column in each))

    def per_class(self) -> dict[object, Counts]:
        """By id of the class, those without anything, too."""
        import numpy as np

        sums = np.zeros((len(self.classes), 3), np.int64)
        np.add.at(sums, self.class_, np.stack(self._weighted(), axis=1))
        return {id: Counts(*row) for id, row in zip(self.classes.tolist(), sums.tolist(), strict=True)}

    def per_image(self) -> Indices:
        """(images, 3): TP, FP and FN of each image over all classes, without weights."""
        import numpy as np

        sums = np.zeros((self.images, 3), np.int64)
        np.add.at(sums, self.image, np.stack([self.tp, self.fp, self.fn], axis=1))
        return sums

    def _weighted(self) -> tuple[Indices, Indices, Indices]:
        if self.weights is None:
            return self.tp, self.fp, self.fn
        each = self.weights[self.image]
        return self.tp * each, self.fp * each, self.fn * each


def count_table(found: Found, threshold: int, area: int, score: float, weights: Indices | None) -> CountTable:
    """Count detections of `score` and above."""
    import numpy as np

    images = max(1, len(found.images))
    right, ignored = found.flags(threshold, area)
    shown = (found.score >= score) & ~ignored
    groups = found.class_ * images + found.image
    counted = found.counted[:, area]
    of_truth = (found.truth_class * images + found.truth_image)[counted]
    there = np.unique(np.concatenate([groups[shown], of_truth]))

    def count(of: Indices) -> Indices:
        return np.bincount(np.searchsorted(there, of), minlength=len(there))

    tp = count(groups[shown & right])
    return CountTable(
        image=there % images,
        class_=there // images,
        tp=tp,
        fp=count(groups[shown & ~right]),
        fn=count(of_truth) - tp,
        images=len(found.images),
        classes=found.classes,
        weights=weights,
    )


def best_threshold(score: Numbers, right: Flags, weights: Indices | None, truths: int) -> BestThreshold | None:
    """The highest score at which F1 is as high as it gets.

    Args:
        score: of all detections that count, in any order.
        right: which of them are matched.
        weights: how often each counts; None = once.
        truths: how many there are.

    Returns:
        None if nothing is right at any score.
    """
    import numpy as np

    order = np.argsort(-score, kind="stable")
    score, right = score[order], right[order]
    each = np.ones(len(score), np.int64) if weights is None else weights[order]
    seen, true = np.cumsum(each), np.cumsum(np.where(right, each, 0))
    last = np.flatnonzero(np.diff(score, append=-np.inf))  # whoever has the same score is shown with it
    if not len(last) or not true[-1]:
        return None
    best = last[np.argmax(2 * true[last] / (seen[last] + truths))]
    tp = int(true[best])
    return BestThreshold(float(score[best]), Counts(tp, int(seen[best]) - tp, truths - tp))
