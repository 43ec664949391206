"""Outlines of masks: of run lengths, and of local images that a ground truth or an inference names.

A mask is looked at in at most `SIDE` places along each side, and in fewer if its outline is ragged, so that what is
drawn is bounded, however large it is. Corners are those of its pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from localreg.errors import InvalidInputError
from localreg.workflow.mask_files import read_mask
from localreg.workflow.shape_leaves import segmentations

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.int64]

__all__ = ["file_rings", "rings_of", "run_length_rings"]

SIDE = 256
MOST_EDGES = 3_000
"""Sides of pixels that an outline may have."""
MOST_RINGS = 40
LEAST_SIDE = 16
"""Places along a side, below which an outline would say nothing."""
MOST_RUNS = 2**20
MOST_PIXELS = 64 * 10**6
MOST_CLASSES = 20

Ring: TypeAlias = "tuple[tuple[float, float], ...]"


def run_length_rings(mask: Mapping[str, Any]) -> tuple[Ring, ...]:
    """The outline of a mask in run lengths, as COCO has them; none if it is none.

    Args:
        mask: `size` (`height` and `width`), and `counts` (text) or `runs` (numbers).
    """
    import numpy as np
    import pyarrow as pa

    from localreg.metrics.coco.masks import Masks

    size, counts, runs = (mask.get(name) for name in ("size", "counts", "runs"))
    if not isinstance(size, dict) or max(len(each) for each in (counts or "", runs or "")) > MOST_RUNS:
        return ()
    try:
        columns = {"size": pa.array([size]), "counts": pa.array([counts]), "runs": pa.array([runs])}
        found = Masks.of(segmentations(columns, 1), np.zeros((1, 2), np.int64), "masks")
    except (InvalidInputError, pa.ArrowException, ValueError, TypeError, OverflowError):
        return ()
    height, width = found.size[0].tolist()
    if not (height and width and len(found.begin)):
        return ()
    row, column = _places(height), _places(width)
    pixel = column[None, :] * height + row[:, None]  # down the columns
    stretch = np.searchsorted(found.begin, pixel, "right") - 1
    return rings_of((stretch >= 0) & (pixel < found.end[stretch]), width, height)


def file_rings(
    locator: str, labels: Mapping[int, str] | None, width: int, height: int, most: int
) -> Iterator[tuple[str, tuple[Ring, ...]]]:
    """The outlines in a local image that holds a mask, each with its label; none if it cannot be read.

    Args:
        locator: of the image, of one channel of 8 bits.
        labels: the class that each value means; None = what is not 0 is the mask, and has no label.
        width: of the picture that it lies over, in pixels.
        height: likewise.
        most: corners of all outlines together, about.
    """
    import numpy as np

    try:
        values = read_mask(locator, "a mask", most_pixels=MOST_PIXELS)
    except InvalidInputError:
        return
    if not values.size:
        return
    places = _places(values.shape[0])[:, None], _places(values.shape[1])[None, :]
    small = values[places]
    if labels is None:
        yield "", rings_of(small != 0, width, height, most)
        return
    there = set(np.unique(small).tolist())
    shown = [(value, label) for value, label in labels.items() if value in there][:MOST_CLASSES]
    for value, label in shown:
        yield label, rings_of(small == value, width, height, most // len(shown))


def _places(length: int) -> Indices:
    """The middles of at most `SIDE` equal parts of a side of so many pixels."""
    import numpy as np

    count = min(length, SIDE)
    return (2 * np.arange(count) + 1) * length // (2 * count)


def rings_of(inside: Flags, width: float, height: float, most: int = MOST_EDGES) -> tuple[Ring, ...]:
    """The outlines of pixels, stretched to a size; the longest ones.

    Args:
        inside: (rows, columns), what is within.
        width: that `columns` stand for.
        height: that `rows` stand for.
        most: corners of all of them together, about; to have no more, it is looked at in fewer places.
    """
    import numpy as np

    while True:
        edges = _edges(inside)
        rings = sorted(_joined(edges.tolist()), key=len, reverse=True)[:MOST_RINGS] if len(edges) <= MOST_EDGES else []
        is_small = max(inside.shape) <= LEAST_SIDE
        if len(edges) <= MOST_EDGES and (is_small or sum(map(len, rings)) <= most):
            break
        inside = inside[::2, ::2]
    rows, columns = inside.shape
    scale = np.array([width / columns, height / rows])
    return tuple(tuple((x, y) for x, y in (np.array(ring) * scale).tolist()) for ring in rings)


def _edges(inside: Flags) -> Indices:
    """(n, 4): the sides of pixels between inside and outside, from x, y to x, y, with the inside at the right."""
    import numpy as np

    framed = np.pad(inside, 1)
    below, above = framed[1:, 1:-1], framed[:-1, 1:-1]
    after, before = framed[1:-1, 1:], framed[1:-1, :-1]
    found = []
    for (row, column), (x, y, to_x, to_y) in (
        (np.nonzero(below & ~above), (0, 0, 1, 0)),
        (np.nonzero(above & ~below), (1, 0, 0, 0)),
        (np.nonzero(after & ~before), (0, 1, 0, 0)),
        (np.nonzero(before & ~after), (0, 0, 0, 1)),
    ):
        found.append(np.stack([column + x, row + y, column + to_x, row + to_y], axis=1))
    return np.concatenate(found).astype(np.int64)


def _joined(edges: list[list[int]]) -> Iterator[list[tuple[int, int]]]:
    """Edges put together to rings, of which only the corners are told."""
    following: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for x, y, to_x, to_y in edges:
        following[x, y].append((to_x, to_y))
    for start, ends in following.items():
        while ends:
            ring, at = [start], ends.pop()
            while at != start:
                ring.append(at)
                at = following[at].pop()
            yield _corners(ring)


def _corners(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without the points at which a ring goes straight on."""
    around = zip([ring[-1], *ring[:-1]], ring, [*ring[1:], ring[0]], strict=True)
    return [at for (x, y), at, (to_x, to_y) in around if x != to_x and y != to_y]
