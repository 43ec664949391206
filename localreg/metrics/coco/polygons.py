"""Polygons to pixels, the way COCO does it.

COCO draws the outline on a grid that is five times as fine, each edge as a line of dots, one for each step along its
longer side. Where the outline goes from one dot to the next across the middle of a column of pixels, the column changes
between outside and inside: at the first pixel whose middle is not above the higher of the two dots. A pixel is in the
polygon if the column changed an odd number of times down to it. Fewer than three corners have no pixels.

Only those crossings are computed here, edge by edge and column by column, and never the dots between: where an edge is
flatter than steep, the step is known; where it is steep, it is computed and mended by a step, so that rounding
is that of the dots. The pixels of several polygons of one object are all those of any.

Source:
    `rleFrPoly` and `rleMerge` of the COCO API (P. Dollár, T.-Y. Lin, 2015), by what they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.int64]
    Numbers = npt.NDArray[np.float64]

__all__ = ["polygon_edges"]

FINER = 5
MIDDLE = 2
"""Of five dots, the one after which the middle of a pixel is crossed."""
FARTHEST = 1e8
"""A coordinate, at most: COCO's dots are whole numbers of 32 bits."""
PIXEL_BITS = 31
"""Of the number of a pixel of an image."""
EDGES = 1 << 18
"""Edges that are drawn at once."""


def polygon_edges(given: pa.ListArray, masks: Indices, size: Indices, what: str) -> tuple[Indices, Indices, Indices]:
    """The stretches of pixels of polygons.

    Args:
        given: of each mask its polygons, `[[x, y, x, y, …], …]`; null where there are none.
        masks: rows that are not null.
        size: int64 (rows, 2), height and width.
        what: these are, for messages.

    Returns:
        Of each stretch the row, the first pixel and the one after the last.

    Raises:
        InvalidInputError: a polygon is an odd number of coordinates, or one of these lies too far out.
    """
    import numpy as np
    import pyarrow.compute as pc

    there = given.drop_null()
    polygon_of = masks[pc.list_parent_indices(there).to_numpy()]
    polygons = there.flatten()
    lengths = np.asarray(pc.list_value_length(polygons).to_numpy(), np.int64)
    numbers = np.asarray(polygons.flatten().to_numpy(), np.float64)
    _check(polygon_of, lengths, numbers, what)
    x, y = _dots(numbers[0::2]), _dots(numbers[1::2])
    corners = lengths // 2
    polygon = np.repeat(np.arange(len(corners)), corners)
    following = np.arange(1, len(x) + 1)
    following[np.cumsum(corners)[corners > 0] - 1] = (np.cumsum(corners) - corners)[corners > 0]
    crossings = []
    for begin in range(0, len(x), EDGES):
        start = np.arange(begin, min(len(x), begin + EDGES))
        end = following[start]
        rows = polygon_of[polygon[start]]
        edge, column, dot = _crossings(x[start], y[start], x[end], y[end], size[rows, 1])
        height = size[rows[edge], 0]
        pixel = np.clip((dot + MIDDLE) // FINER, 0, height)
        crossings.append((polygon[start][edge], column * height + pixel))
    if not crossings:
        return (np.empty(0, np.int64),) * 3
    of, pixel = (np.concatenate(each) for each in zip(*crossings, strict=True))
    return _united(polygon_of, of, pixel)


def _check(row: Indices, lengths: Indices, numbers: Numbers, what: str) -> None:
    import numpy as np

    if (lengths % 2).any():
        first = int(row[np.argmax(lengths % 2)])
        raise InvalidInputError(f"{what} have a polygon of an odd number of coordinates; the first is row {first:,}")
    if not (np.abs(numbers) <= FARTHEST).all():
        raise InvalidInputError(f"{what} have a polygon with a coordinate beyond {FARTHEST:,.0f}, or not finite")


def _dots(numbers: Numbers) -> Indices:
    import numpy as np

    return np.trunc(FINER * numbers + 0.5).astype(np.int64)


def _crossings(
    x: Indices, y: Indices, to_x: Indices, to_y: Indices, width: Indices
) -> tuple[Indices, Indices, Indices]:
    """Where edges cross the middles of columns: of each crossing the edge, the column, and the higher dot's y."""
    import numpy as np

    across, down = np.abs(to_x - x), np.abs(to_y - y)
    flat = across >= down
    # COCO draws towards greater x, or y: from the other end, sums would round otherwise.
    turned = np.where(flat, x > to_x, y > to_y)
    from_x, from_y = np.where(turned, to_x, x), np.where(turned, to_y, y)
    along = np.where(turned, x, to_x) - from_x
    fall = np.where(turned, y, to_y) - from_y
    low, high = np.minimum(x, to_x), np.maximum(x, to_x)
    first = np.maximum(-((MIDDLE - low) // FINER), 0)  # of the columns whose dot MIDDLE is in low, …, high - 1
    last = np.minimum((high - 1 - MIDDLE) // FINER, width - 1)
    count = np.maximum(last - first + 1, 0)
    edge = np.repeat(np.arange(len(x)), count)
    column = np.repeat(first, count) + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    dot = FINER * column + MIDDLE
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(flat, fall / along, along / fall)[edge]
    from_x, from_y = from_x[edge], from_y[edge]
    step = (dot - from_x).astype(np.float64)
    upper = np.minimum(_dot(from_y, slope, step), _dot(from_y, slope, step + 1))
    steep = np.flatnonzero(~flat[edge])
    upper[steep] = from_y[steep] + _steps(from_x[steep], slope[steep], dot[steep])
    return edge, column, upper


def _dot(start: Indices, slope: Numbers, step: Numbers) -> Indices:
    """Where the line is after so many steps, rounded as COCO does."""
    import numpy as np

    return np.trunc(start + slope * step + 0.5).astype(np.int64)


def _steps(start: Indices, slope: Numbers, dot: Indices) -> Indices:
    """After how many steps a steep line is about to leave a column of dots, or to enter it from the right."""
    import numpy as np

    rising = slope > 0
    step = np.floor((dot + 0.5 - start) / slope)
    # Rising, the last step at which it is at `dot` or left of it; falling, the last at which it is right of it.
    for _ in range(2):
        ahead = _dot(start, slope, step + 1)
        step += np.where(rising, ahead <= dot, ahead > dot)
        here = _dot(start, slope, step)
        step -= np.where(rising, here > dot, here <= dot)
    return step.astype(np.int64)


def _united(row: Indices, of: Indices, pixel: Indices) -> tuple[Indices, Indices, Indices]:
    """The stretches between crossings of each polygon, joined over all polygons of a row."""
    import numpy as np

    # Of each polygon an even number, since each column is left as it was entered. Sorted as single numbers, which is
    # faster than by several.
    crossing = np.sort((of << PIXEL_BITS) | pixel)
    ends = np.arange(len(crossing)) % 2
    pixel = crossing & ((1 << PIXEL_BITS) - 1)
    crossing = np.sort((row[crossing >> PIXEL_BITS] << (PIXEL_BITS + 1)) | (pixel << 1) | ends)
    pixel = (crossing >> 1) & ((1 << PIXEL_BITS) - 1)
    depth = np.cumsum(1 - 2 * (crossing & 1))
    opens = np.flatnonzero((depth == 1) & (crossing & 1 == 0))
    closes = np.flatnonzero(depth == 0)
    filled = np.flatnonzero(pixel[opens] < pixel[closes])
    opens, closes = opens[filled], closes[filled]
    return crossing[opens] >> (PIXEL_BITS + 1), pixel[opens], pixel[closes]
