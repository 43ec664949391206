"""What stays the same however often each image counts: which detections precision is asked of, and what goes before.

Made once for each threshold and size; after that, an AP of resampled images is a few sums over whole columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localreg.metrics.coco.found import Found

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.int64]
    Places = npt.NDArray[np.int32]

__all__ = ["Layout", "Sized", "layout_of", "sized"]


@dataclass(frozen=True, eq=False)
class Sized:
    """Detections whose own size is in a range, in the order of `Found`.

    Attributes:
        image: int64, of each.
        before: int32 (detections + 1,), how many of them stand before each place, and before the end.
    """

    image: Indices
    before: Places


@dataclass(frozen=True, eq=False)
class Layout:
    """True positives at one threshold and size, in the order of `Found`.

    `Sized` are counted before each of them, and of these corrected what counts though it is of another size, or does
    not count though it is of this one.

    Attributes:
        image: int64 (n,).
        class_: int64 (n,).
        rank: int64 (n,), the place among the detections of that class in that image.
        bounds: int64 (classes + 1,), where those of each class begin, and where the last ones end.
        seen: int32 (n,), how many `Sized` go before, itself with them.
        begin: int32 (classes,), how many `Sized` stand before the class.
        odd_image: int64 (m,), of the corrections.
        odd_class: int64 (m,).
        odd_sign: int64 (m,), 1 or -1.
        odd_seen: int64 (n,), how many corrections go before.
        odd_begin: int64 (classes,), how many stand before the class.
    """

    image: Indices
    class_: Indices
    rank: Indices
    bounds: Indices
    seen: Places
    begin: Places
    odd_image: Indices
    odd_class: Indices
    odd_sign: Indices
    odd_seen: Indices
    odd_begin: Indices


def sized(found: Found, area: int) -> Sized:
    """Of a range of sizes."""
    import numpy as np

    inside = found.inside[:, area]
    before = np.zeros(len(inside) + 1, np.int32)
    np.cumsum(inside, out=before[1:])
    return Sized(found.image if inside.all() else found.image[inside], before)


def layout_of(found: Found, threshold: int, area: int, before: Places) -> Layout:
    """Of a threshold and a range of sizes, whose `Sized.before` is given."""
    import numpy as np

    hits = found.hits
    right, ignored = found.flags(threshold, area, hits)
    true = hits[right]
    class_ = found.class_[true]
    sign = (~ignored).astype(np.int64) - found.inside[hits, area]
    odd = hits[sign != 0]
    return Layout(
        image=found.image[true],
        class_=class_,
        rank=found.rank[true],
        bounds=np.searchsorted(class_, np.arange(len(found.classes) + 1)),
        seen=before[true + 1],
        begin=before[found.starts[:-1]],
        odd_image=found.image[odd],
        odd_class=found.class_[odd],
        odd_sign=sign[sign != 0],
        odd_seen=np.searchsorted(odd, true, side="right"),
        odd_begin=np.searchsorted(odd, found.starts[:-1]),
    )
