"""Leaves of shapes: from struct arrays to numbers, and from these to digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.metrics.coco.masks import Masks

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]

__all__ = ["bits_of", "digests", "floats_at", "mixed", "one_polygon_each", "segmentations", "starts_of"]


def floats_at(items: pa.StructArray, *path: str) -> Floats:
    """A leaf; NaN where there is none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if items.type.get_field_index(path[0]) < 0:
        return np.full(len(items), np.nan)
    leaf = pc.struct_field(items, list(path))
    if pa.types.is_boolean(leaf.type):
        leaf = leaf.cast(pa.int8())
    return np.asarray(leaf.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def one_polygon_each(points: pa.ListArray) -> pa.ListArray:
    """Lists of points as lists of one polygon, `[[x, y, x, y, …]]`."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    corners = points.flatten()
    numbers = np.stack([floats_at(corners, axis) for axis in "xy"], axis=1).ravel()
    lengths = np.asarray(pc.list_value_length(points).to_numpy(), np.int64)
    ends = np.concatenate([[0], 2 * np.cumsum(lengths)]).astype(np.int32)
    polygons = pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers))
    return pa.ListArray.from_arrays(pa.array(np.arange(len(points) + 1, dtype=np.int32)), polygons)


def starts_of(lists: pa.ListArray) -> Indices:
    """Where the items of each list begin among those of all."""
    import numpy as np
    import pyarrow.compute as pc

    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(), np.int64)
    return np.asarray(np.cumsum(lengths) - lengths)


def segmentations(columns: dict[str, pa.Array], count: int) -> pa.StructArray:
    """What stands for pixels, with nulls where a column is not there."""
    import pyarrow as pa

    types = {
        "polygons": pa.list_(pa.list_(pa.float64())),
        "size": pa.struct([("height", pa.int64()), ("width", pa.int64())]),
        "counts": pa.string(),
        "runs": pa.list_(pa.int64()),
    }
    given = [columns[name].cast(type) if name in columns else pa.nulls(count, type) for name, type in types.items()]
    return pa.StructArray.from_arrays(given, list(types))


def digests(masks: Masks) -> Words:
    """A number for each mask, by its pixels and the size of its image."""
    import numpy as np

    stretches = mixed(masks.begin.astype(np.uint64) ^ mixed(masks.end.astype(np.uint64)))
    sums = np.zeros(len(masks), np.uint64)
    np.add.at(sums, np.repeat(np.arange(len(masks)), np.diff(masks.offsets)), stretches)
    height, width = masks.size.T.astype(np.uint64)
    return np.asarray(sums ^ mixed(height ^ mixed(width)))


def bits_of(values: Floats) -> Words:
    """The bits of each."""
    import numpy as np

    return np.asarray(values, np.float64).view(np.uint64)


def mixed(values: Words) -> Words:
    """Other 64 bits, of which each depends on all (splitmix64, G. Steele et al., 2014)."""
    import numpy as np

    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
