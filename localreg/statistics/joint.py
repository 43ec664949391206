"""The joint counts of two models: how often which truth met which two predictions.

All that a counting metric of either model, or its difference between the two, depends on; the number of samples does
not matter any more. Sparse: only combinations that occur are kept, so 1,000 classes cost what occurs, and not 10⁹
cells. Counts of parts of a suite add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Ints = NDArray[np.int64]

__all__ = ["JointCounts", "joint_counts"]

DENSE_UPTO = 1 << 24
"""Possible cells up to which counting by index is cheaper than sorting."""


@dataclass(frozen=True, eq=False)
class JointCounts:
    """Counts of (truth, a, b); see `joint_counts`, which makes them.

    Attributes:
        truth: int64 (cells,), class of the ground truth, 0 to classes - 1.
        a: int64 (cells,), class that the first model (the baseline) says; `classes` = it says nothing.
        b: int64 (cells,), the same of the second model (the candidate).
        count: int64 (cells,), samples in the cell, 1 or more.
        classes: how many classes there are, whether they occur or not.
        groups: int64 (cells,), the cluster that the cell's samples belong to; None = each sample stands for itself.
    """

    truth: Ints
    a: Ints
    b: Ints
    count: Ints
    classes: int
    groups: Ints | None = None

    @property
    def n(self) -> int:
        """Samples."""
        return int(self.count.sum())

    def clusters(self) -> tuple[int, Ints]:
        """How many clusters there are, and which of them each cell belongs to; without groups each cell is one."""
        import numpy as np

        if self.groups is None:
            return len(self.count), np.arange(len(self.count))
        names, group = np.unique(self.groups, return_inverse=True)
        return len(names), group.astype(np.int64)

    @staticmethod
    def sum(parts: Iterable[JointCounts]) -> JointCounts:
        """The counts of disjoint parts of a suite together; they must have the same classes."""
        import numpy as np

        parts = list(parts)
        if not parts:
            raise InvalidInputError("there are no joint counts to add; pass at least one part")
        classes = {part.classes for part in parts}
        grouped = {part.groups is not None for part in parts}
        if len(classes) > 1 or len(grouped) > 1:
            raise InvalidInputError(
                f"parts have {sorted(classes)} classes, and clusters in {sorted(grouped)}; code them all the same way"
            )
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "a", "b", "count"))
        truth, a, b, count = columns
        groups = (
            np.concatenate([part.groups for part in parts if part.groups is not None]) if grouped == {True} else None
        )
        return joint_counts(truth, a, b, count=count, classes=classes.pop(), groups=groups)


def joint_counts(
    truth: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    classes: int,
    count: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> JointCounts:
    """Count what two models say of the same samples.

    Args:
        truth: int (n,), class of each sample, 0 to classes - 1.
        a: int (n,), class that the first model says; -1 or `classes` = it says nothing, which is wrong.
        b: int (n,), the same of the second model.
        classes: how many classes there are.
        count: int (n,), how many samples each row stands for, 0 or more; None = one each.
        groups: int (n,), 0 or more: samples of one group (a patient, a video) are not independent of each other.

    Returns:
        Cells in ascending order of (group, truth, a, b), each once, none empty.

    Raises:
        InvalidInputError: shapes differ, a code is out of range, or a count is negative.
    """
    import numpy as np

    columns = {"truth": _codes("truth", truth), "a": _codes("a", a), "b": _codes("b", b)}
    columns["count"] = np.ones_like(columns["truth"]) if count is None else _codes("count", count)
    if groups is not None:
        columns["groups"] = _codes("groups", groups)
    shapes = {name: column.shape for name, column in columns.items()}
    if len(set(shapes.values())) > 1 or columns["truth"].ndim != 1:
        raise InvalidInputError(f"columns have the shapes {shapes}; all must be (n,)")
    for name, (low, high) in {"truth": (0, classes - 1), "a": (-1, classes), "b": (-1, classes)}.items():
        _within(name, columns[name], low, high)
    for name in columns.keys() & {"count", "groups"}:
        _within(name, columns[name], 0, np.iinfo(np.int64).max)
    said = {name: np.where(columns[name] < 0, classes, columns[name]) for name in ("a", "b")}
    return _cells(columns["truth"], said["a"], said["b"], columns["count"], classes, columns.get("groups"))


def _cells(truth: Ints, a: Ints, b: Ints, count: Ints, classes: int, groups: Ints | None) -> JointCounts:
    import numpy as np

    width = classes + 1
    group = np.zeros_like(truth) if groups is None else groups
    possible = classes * width * width * (int(group.max(initial=0)) + 1)
    if possible > np.iinfo(np.int64).max:
        raise InvalidInputError(f"{classes} classes in so many groups are {possible} cells; number the groups from 0")
    keys = ((group * classes + truth) * width + a) * width + b
    if possible <= DENSE_UPTO and possible <= 64 * len(keys) + 4096:
        # float64 holds whole numbers exactly up to 2**53, beyond any count of samples.
        dense = np.bincount(keys, weights=count, minlength=possible)
        found = np.flatnonzero(dense)
        totals = dense[found].astype(np.int64)
    else:
        found, inverse = np.unique(keys[count > 0], return_inverse=True)
        totals = np.bincount(inverse, weights=count[count > 0], minlength=len(found)).astype(np.int64)
    rest, b = np.divmod(found, width)
    rest, a = np.divmod(rest, width)
    group, truth = np.divmod(rest, classes)
    return JointCounts(truth, a, b, totals, classes, None if groups is None else group)


def _codes(name: str, values: ArrayLike) -> Ints:
    import numpy as np

    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} holds {array.dtype}; codes and counts are whole numbers")
    return array.astype(np.int64, copy=False)


def _within(name: str, values: Ints, low: int, high: int) -> None:
    import numpy as np

    wrong = np.flatnonzero((values < low) | (values > high))
    if len(wrong):
        raise InvalidInputError(f"{name} is {values[wrong[0]]} in row {wrong[0]}; it must be {low} to {high}")
