"""Boxes and pixels of the objects of a COCO file, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any

from localreg.metrics.coco.entries import Entries, not_finite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Numbers = npt.NDArray[np.float64]

__all__ = ["box_numbers", "pair", "segmentations_of"]


def box_numbers(entries: Entries) -> tuple[Numbers, pa.Array]:
    """`[x, y, width, height]` of each, and where there is no `bbox`, or `[]`: zeros there.

    Raises:
        InvalidInputError: a box is no list of four finite numbers, or its width or height is negative.
    """
    import numpy as np
    import pyarrow as pa

    said = [None if value is None or _length(value) == 0 else value for value in entries.values("bbox")]
    boxes = entries.column("bbox", pa.list_(pa.float64(), 4), wanted="[x, y, width, height]", values=said)
    entries.refuse(_lacking(boxes), "have a bbox with a number that is null", "bbox")
    entries.refuse(not_finite(boxes), "have a bbox with a number that is not finite", "bbox")
    # Without what stands under nulls, which is not told.
    numbers = boxes.fill_null([0.0] * 4).flatten().to_numpy().reshape(-1, 4)
    entries.refuse((numbers[:, 2:] < 0).any(axis=1), "have a bbox of negative width or height", "bbox")
    with np.errstate(over="ignore"):
        far = numbers[:, :2] + numbers[:, 2:]
    entries.refuse(~np.isfinite(far).all(axis=1), "have a bbox that ends beyond all numbers", "bbox")
    return numbers, boxes.is_null()


def _lacking(boxes: pa.FixedSizeListArray) -> npt.NDArray[np.bool_]:
    """Where one of the four numbers of a box is null."""
    import numpy as np

    bad = np.zeros(len(boxes), bool)
    there = np.flatnonzero(boxes.is_valid())
    bad[there] = np.asarray(boxes.drop_null().flatten().is_null(), bool).reshape(-1, 4).any(axis=1)
    return bad


def _length(value: object) -> int:
    """The length of a list; -1 of what has none."""
    return len(value) if isinstance(value, Sized) else -1


def pair(first: Any, second: Any, names: tuple[str, str], none: pa.Array) -> pa.StructArray:
    """Two columns as one of pairs, null where `none` says so."""
    import pyarrow as pa

    return pa.StructArray.from_arrays([pa.array(first), pa.array(second)], list(names), mask=none)


def segmentations_of(entries: Entries) -> pa.StructArray:
    """Polygons and masks, as they are; null where there is none.

    Raises:
        InvalidInputError: one is neither a list of polygons nor a mask with `size` and `counts`.
    """
    import numpy as np
    import pyarrow as pa

    key = "segmentation"
    said = entries.values(key)
    odd = [value is not None and not isinstance(value, list | tuple | Mapping) for value in said]
    entries.refuse(np.asarray(odd, bool), "must have polygons or a mask as segmentation", key)
    masks = [value if isinstance(value, Mapping) else None for value in said]
    lacking = [mask is not None and not {"size", "counts"} <= mask.keys() for mask in masks]
    entries.refuse(np.asarray(lacking, bool), "have a mask without size or counts as segmentation", key)
    counts = [None if mask is None else mask["counts"] for mask in masks]
    polygons = [None if mask is not None else value for value, mask in zip(said, masks, strict=True)]
    wanted = "polygons ([[x, y, …], …]) or a mask"
    outlines = entries.column(key, pa.list_(pa.list_(pa.float64())), wanted=wanted, values=polygons)
    entries.refuse(not_finite(outlines), "have a segmentation with a number that is not finite", key)
    sizes = entries.column(
        key,
        pa.list_(pa.int64(), 2),
        wanted="a mask whose size is [height, width]",
        values=[None if mask is None else mask["size"] for mask in masks],
    )
    numbers = sizes.fill_null([0, 0]).flatten().to_numpy().reshape(-1, 2)
    texts = [value if isinstance(value, str | bytes) else None for value in counts]
    runs = [None if isinstance(value, str | bytes) else value for value in counts]
    columns = {
        "polygons": outlines,
        "size": pair(numbers[:, 0], numbers[:, 1], ("height", "width"), sizes.is_null()),
        "counts": entries.column(key, pa.string(), wanted="counts of ASCII", values=texts),
        "runs": entries.column(key, pa.list_(pa.int64()), wanted="counts that are text or numbers", values=runs),
    }
    none = pa.array([value is None for value in said], pa.bool_())
    return pa.StructArray.from_arrays(list(columns.values()), list(columns), mask=none)
