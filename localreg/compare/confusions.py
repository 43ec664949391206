"""Which classes two models took for which, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localreg.statistics import JointCounts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Confusion", "confused", "confusion_rows"]


class Confusion(NamedTuple):
    """How often which truth met which two answers.

    Attributes:
        labels: the classes, sorted.
        joint: counts, whose codes are places in `labels`; as many as there are labels = no answer.
    """

    labels: list[str]
    joint: JointCounts


def confused(found: Confusion) -> list[tuple[int, int, int, int]]:
    """Truth, answer, how often the baseline gave it, how often the candidate; where either did, sorted."""
    import numpy as np

    joint, width = found.joint, len(found.labels) + 1
    keys, places = np.unique(
        np.concatenate([joint.truth * width + said for said in (joint.a, joint.b)]), return_inverse=True
    )
    cells = len(joint.count)
    a, b = (
        np.bincount(which, joint.count, minlength=len(keys)).astype(np.int64)
        for which in (places[:cells], places[cells:])
    )
    return list(zip((keys // width).tolist(), (keys % width).tolist(), a.tolist(), b.tolist(), strict=True))


def confusion_rows(found: Confusion, which: str) -> pa.Table:
    """The rows of `Comparison.confusion`."""
    import pyarrow as pa

    names: list[str | None] = [*found.labels, None]
    cells = [(names[truth], names[said], a, b, b - a) for truth, said, a, b in confused(found)]
    columns = ("ground_truth", "predicted", "a", "b", "difference")
    kinds = (pa.string(), pa.string(), pa.int64(), pa.int64(), pa.int64())
    table = pa.table(
        {name: pa.array([row[n] for row in cells], kinds[n]) for n, name in enumerate(columns)},
    )
    if which == "difference":
        return table
    own = table.select(["ground_truth", "predicted", which]).rename_columns(["ground_truth", "predicted", "count"])
    return own.filter(pa.array([count > 0 for count in own["count"].to_pylist()], pa.bool_()))
