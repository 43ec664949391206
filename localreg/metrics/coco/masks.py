"""Masks as run lengths, the way COCO counts pixels: down the columns, from the upper left.

A mask is kept as the stretches of pixels that it has; no mask is ever painted. What two have in common is the sum, over
the stretches of one, of how many pixels the other has up to the end, less how many up to the begin: one binary search
among the stretches of all masks at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.coco.polygons import polygon_edges
from localreg.metrics.coco.runs import decompressed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["Masks"]

LARGEST = 1 << 31
"""Pixels of an image, at most: so that a pixel and the mask it is of fit into one number."""


STRETCHES = 1 << 21
"""Stretches of pixels that are compared at once."""
AT_ONCE = 1 << 14
"""Masks that are read at once."""


@dataclass(frozen=True, eq=False)
class Masks:
    """Masks, each as stretches of pixels `begin <= pixel < end`, rising, none empty.

    Attributes:
        size: int64 (n, 2), height and width of the image of each.
        offsets: int64 (n + 1,), where the stretches of each mask begin, and where those of the last end.
        begin: int64 (stretches,).
        end: int64 (stretches,).
    """

    size: Indices
    offsets: Indices
    begin: Indices
    end: Indices

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def area(self) -> Indices:
        """Pixels of each."""
        return self._before[self.offsets[1:]] - self._before[self.offsets[:-1]]

    @cached_property
    def _before(self) -> Indices:
        """How many pixels stand in the stretches before each, and in all."""
        import numpy as np

        return np.concatenate([[0], np.cumsum(self.end - self.begin)])

    @cached_property
    def _span(self) -> Indices:
        """(n, 2): the first pixel of each, and the one after the last; zeros of those without any."""
        import numpy as np

        span = np.zeros((len(self), 2), np.int64)
        some = np.flatnonzero(np.diff(self.offsets))
        span[some, 0], span[some, 1] = self.begin[self.offsets[some]], self.end[self.offsets[some + 1] - 1]
        return span

    @cached_property
    def _keys(self) -> Indices:
        """Each stretch's mask and begin in one number; these rise."""
        import numpy as np

        return np.repeat(np.arange(len(self)), np.diff(self.offsets)) * LARGEST + self.begin

    def pixels(self, number: int) -> npt.NDArray[np.uint8]:
        """One mask, painted: (height, width), 0 and 1."""
        import numpy as np

        height, width = self.size[number].tolist()
        flat = np.zeros(height * width + 1, np.int8)
        own = slice(self.offsets[number], self.offsets[number + 1])
        np.add.at(flat, self.begin[own], 1)
        np.add.at(flat, self.end[own], -1)
        return np.cumsum(flat[:-1]).astype(np.uint8).reshape((height, width), order="F")

    def overlaps(
        self, own: Indices, others: Masks, other: Indices, crowd: Flags, least: float
    ) -> tuple[Indices, Numbers]:
        """Which pairs of masks overlap enough, and by how much.

        Args:
            own: numbers of masks of these (detections).
            others: what they are paired with (truths).
            other: numbers of masks of those.
            crowd: whether each of the latter is a crowd: then what counts is the share of one's own area in it.
            least: the least IoU.

        Raises:
            InvalidInputError: masks of one image have different sizes.
        """
        import numpy as np

        wrong = (self.size[own] != others.size[other]).any(axis=1)
        if wrong.any():
            first = int(np.argmax(wrong))
            sizes = self.size[own[first]].tolist(), others.size[other[first]].tolist()
            raise InvalidInputError(f"masks of one image have sizes {sizes[0]} and {sizes[1]} (height, width)")
        mine, theirs = self.area[own], others.area[other]
        with np.errstate(invalid="ignore", divide="ignore"):
            at_most = np.minimum(mine, theirs) / np.where(crowd, mine, np.maximum(mine, theirs))
        kept = np.flatnonzero(at_most >= least)
        met = self._span[own[kept]], others._span[other[kept]]
        kept = kept[(met[0][:, 0] < met[1][:, 1]) & (met[1][:, 0] < met[0][:, 1])]
        both = self._common(own[kept], others, other[kept])
        union = np.where(crowd[kept], mine[kept], mine[kept] + theirs[kept] - both)
        iou = both / union
        enough = np.flatnonzero(iou >= least)
        return kept[enough], iou[enough]

    def _common(self, own: Indices, others: Masks, other: Indices) -> Indices:
        """Pixels that both masks of each pair have."""
        import numpy as np

        stretches = np.cumsum(np.diff(self.offsets)[own])
        cuts = np.searchsorted(stretches, np.arange(STRETCHES, int(stretches[-1]) if len(own) else 0, STRETCHES))
        parts = zip(np.split(own, cuts), np.split(other, cuts), strict=True)
        return np.concatenate([self._shared(*part, others) for part in parts])

    def _shared(self, own: Indices, other: Indices, others: Masks) -> Indices:
        """The same of so many pairs that their stretches fit into memory."""
        import numpy as np

        count = np.diff(self.offsets)[own]
        within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        stretch = np.repeat(self.offsets[own], count) + within
        of_other = np.repeat(other, count)
        shared = others._upto(of_other, self.end[stretch]) - others._upto(of_other, self.begin[stretch])
        sums = np.concatenate([[0], np.cumsum(shared)])
        ends = np.cumsum(count)
        return np.asarray(sums[ends] - sums[ends - count], np.int64)

    def _upto(self, mask: Indices, pixel: Indices) -> Indices:
        """How many pixels before this one are in masks up to this one."""
        import numpy as np

        if not len(self.begin):
            return np.zeros(len(mask), np.int64)
        # The last stretch that begins at this pixel or before: of this mask, or else of one before it.
        place = np.searchsorted(self._keys, mask * LARGEST + pixel, "right") - 1
        reached = np.minimum(self.end[place], pixel) - self.begin[place]
        own = place >= self.offsets[mask]
        return np.where(own, self._before[place] + reached, self._before[place + 1])

    @classmethod
    def of(cls, given: pa.StructArray, size: Indices, what: str) -> Masks:
        """Masks of what COCO files say.

        Args:
            given: `polygons`, `size`, `counts` and `runs`, as `segmentations_of` makes them; none is null.
            size: int64 (n, 2), height and width of the image of each; what polygons are cut off at.
            what: these are, for messages.

        Raises:
            InvalidInputError: run lengths do not fill their image, or a polygon is none.
        """
        import numpy as np
        import pyarrow.compute as pc

        polygons = given.field("polygons")
        drawn = np.asarray(pc.is_valid(polygons), bool)
        told = given.field("size")
        sizes = np.stack([pc.fill_null(told.field(name), 0).to_numpy() for name in ("height", "width")], axis=1)
        size = np.where(drawn[:, None], size, sizes).astype(np.int64)
        if (size < 0).any() or (size[:, 0] * size[:, 1] >= LARGEST).any():
            raise InvalidInputError(f"{what} have a mask whose size is negative, or {LARGEST:,} pixels or more")
        some = range(0, max(1, len(size)), AT_ONCE)
        parts = [_stretches(given.slice(first, AT_ONCE), size, first, what) for first in some]
        mask, begin, end = (np.concatenate(each) for each in zip(*parts, strict=True))
        offsets = np.searchsorted(mask, np.arange(len(size) + 1))
        return cls(size, offsets, begin, end)


def _stretches(given: pa.StructArray, size: Indices, first: int, what: str) -> tuple[Indices, Indices, Indices]:
    """The stretches of masks from the `first` on, by mask: of each its number, the begin and the end."""
    import numpy as np
    import pyarrow.compute as pc

    polygons, texts, runs = (given.field(name) for name in ("polygons", "counts", "runs"))
    drawn, text, listed = (np.asarray(pc.is_valid(each), bool) for each in (polygons, texts, runs))
    rows = np.arange(first, first + len(given))
    parts = [
        polygon_edges(polygons, rows[drawn], size, what),
        _edges(*decompressed(texts.filter(pc.is_null(polygons))), rows[~drawn & text], size, what),
        _edges(*_listed(runs.filter(pc.is_null(polygons))), rows[~drawn & listed], size, what),
    ]
    mask, begin, end = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(mask, kind="stable")
    return mask[order], begin[order], end[order]


def _listed(runs: pa.ListArray) -> tuple[Indices, Indices]:
    """All numbers of the lists that there are, and how many each has."""
    import numpy as np
    import pyarrow.compute as pc

    there = runs.drop_null()
    return np.asarray(there.flatten().to_numpy(), np.int64), np.asarray(
        pc.list_value_length(there).to_numpy(), np.int64
    )


def _edges(
    runs: Indices, lengths: Indices, masks: Indices, size: Indices, what: str
) -> tuple[Indices, Indices, Indices]:
    """The stretches of run lengths that begin with background: of each the mask, the begin and the end."""
    import numpy as np

    if not len(masks):
        return (np.empty(0, np.int64),) * 3
    sums = np.concatenate([[0], np.cumsum(runs)])
    ends = np.cumsum(lengths)
    pixels = size[masks, 0] * size[masks, 1]
    negative = np.concatenate([[0], np.cumsum(runs < 0)])
    bad = (sums[ends] - sums[ends - lengths] != pixels) | (negative[ends] != negative[ends - lengths])
    if bad.any():
        first = int(masks[np.argmax(bad)])
        raise InvalidInputError(
            f"{int(np.count_nonzero(bad)):,} {what} have a mask whose run lengths do not fill its image; the first "
            f"is row {first:,}, of size {size[first].tolist()}"
        )
    place = np.arange(len(runs)) - np.repeat(ends - lengths, lengths)
    filled = np.flatnonzero((place % 2 == 1) & (runs > 0))
    of = np.repeat(np.arange(len(masks)), lengths)[filled]
    base = sums[ends - lengths][of]
    return masks[of], sums[filled] - base, sums[filled + 1] - base
