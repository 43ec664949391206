"""Series of numbers, made small enough to be drawn: smoothed, thinned to what a screen can tell, and told of."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["GREATEST_POWER", "Curve", "Facts", "Thinned", "facts", "log_ticks", "smoothed", "thinned", "ticks"]

BLOCK = 512
"""Values that are smoothed at once."""
REACH = 200
"""Powers of ten between the weights of a block."""
GREAT = 1e100
"""What is smoothed as parts of the greatest of its values: times `REACH` it would be too much."""
GREATEST_POWER = math.log10(sys.float_info.max)
"""Of ten, that is a number."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a plot.

    Attributes:
        name: what it is called in the legend.
        style: which colour and marker it has.
        x: float64 (n,), finite, ascending.
        y: float64 (n,); NaN and infinite ones are gaps.
        address: of the page of what it is of.
    """

    name: str
    style: int
    x: np.ndarray
    y: np.ndarray
    address: str = ""


class Facts(NamedTuple):
    """What can be read of a series without a plot; of finite numbers alone, None where there are none."""

    points: int
    last_x: float | None
    last: float | None
    least: float | None
    most: float | None
    mean: float | None
    nan: int
    infinite: int
    not_positive: int
    """Finite numbers that a logarithmic axis has no place for."""


def facts(x: np.ndarray, y: np.ndarray) -> Facts:
    """See `Facts`; `last` is the last value, whatever it is."""
    import numpy as np

    finite = np.isfinite(y)
    own = y[finite]
    nan = int(np.isnan(y).sum())
    return Facts(
        points=len(y),
        last_x=float(x[-1]) if len(y) else None,
        last=float(y[-1]) if len(y) else None,
        least=float(own.min()) if len(own) else None,
        most=float(own.max()) if len(own) else None,
        mean=_mean(own) if len(own) else None,
        nan=nan,
        infinite=int(len(y) - len(own) - nan),
        not_positive=int((own <= 0).sum()),
    )


def _mean(own: np.ndarray) -> float:
    """The mean of finite numbers, whose sum may be none."""
    import numpy as np

    with np.errstate(over="ignore"):
        mean = float(own.mean())
    return mean if math.isfinite(mean) else float((own / len(own)).sum())


def smoothed(y: np.ndarray, weight: float) -> np.ndarray:
    """The exponential moving average of finite values, without the pull to zero of its beginning; others stay.

    `s[t] = (w s[t-1] + (1 - w) y[t])`, told as `s[t] / (1 - w^(t+1))`.

    Args:
        y: float64 (n,).
        weight: of what was before, from 0 (as it is) to below 1.

    Source: D. P. Kingma and J. Ba, Adam, 2015, section 3: initialization bias correction.
    """
    import numpy as np

    finite = np.isfinite(y)
    own = y[finite]
    if weight <= 0 or not len(own):
        return y
    greatest = float(np.abs(own).max())
    if greatest > GREAT:  # divided by the weights it would be no number
        told = smoothed(y / greatest, weight)
        told[finite] = np.clip(told[finite], -1, 1) * greatest
        return told
    size = max(1, min(BLOCK, int(REACH / -math.log10(weight)), len(own)))
    powers = weight ** np.arange(size + 1)
    blocks = np.zeros(-(-len(own) // size) * size)
    blocks[: len(own)] = own
    # Within a block s[k] is w^k times the sum of y[j] / w^j, which is no larger than numbers go.
    sums = np.cumsum(blocks.reshape(-1, size) / powers[:-1], axis=1) * (powers[:-1] * (1 - weight))
    carried = 0.0
    for row in sums:  # each begins with what the one before it came to
        row += carried * powers[1:]
        carried = row[-1]
    told = y.copy()
    told[finite] = sums.ravel()[: len(own)] / -np.expm1(np.arange(1, len(own) + 1) * math.log(weight))
    return told


class Thinned(NamedTuple):
    """Points of a series that look the same as all of them.

    Attributes:
        x: float64 (m,).
        y: float64 (m,), finite.
        begins: bool (m,): no line leads here, since it is the first, or a gap is before it.
    """

    x: np.ndarray
    y: np.ndarray
    begins: np.ndarray


def thinned(x: np.ndarray, y: np.ndarray, low: float, high: float, columns: int) -> Thinned:
    """In each column of the screen the least and the greatest value, in their order.

    Args:
        x: float64 (n,), ascending.
        y: float64 (n,).
        low: the left end.
        high: the right end.
        columns: how many there are from left to right.
    """
    import numpy as np

    finite = np.isfinite(y)
    part = np.cumsum(~finite)[finite]
    x, y = x[finite], y[finite]
    if len(y) > 2 * columns:
        column = ((x - low) * ((columns - 1) / (high - low or 1.0))).astype(np.int64)
        group = np.concatenate([[True], (np.diff(column) != 0) | (np.diff(part) != 0)])
        begins = np.flatnonzero(group)
        number, sizes = np.cumsum(group), np.diff(np.append(begins, len(y)))
        ends = [each.reduceat(y, begins) for each in (np.minimum, np.maximum)]
        places = [np.flatnonzero(y == np.repeat(end, sizes)) for end in ends]
        # Of equal ones in a column the first.
        kept = np.unique(np.concatenate([at[np.diff(number[at], prepend=0) != 0] for at in places]))
        x, y, part = x[kept], y[kept], part[kept]
    begins = np.concatenate([[True], np.diff(part) != 0]) if len(y) else np.zeros(0, bool)
    return Thinned(x, y, begins)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` + 1 of them, at least one step apart."""
    span = high - low
    if math.isinf(span):
        return [2 * each for each in ticks(low / 2, high / 2, most)]
    if not span > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next((times * power for times in (1, 2, 5, 10) if span / (times * power) <= most), 10 * power)
    begin = math.ceil(low / step - 1e-9)
    end = math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(begin, end + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> Sequence[float]:
    """Powers of ten from `low` to `high`, which are logarithms; of less than three of them 2 and 5 times these, too.

    Returns:
        Logarithms.
    """
    begin, end = math.ceil(low - 1e-9), math.floor(high + 1e-9)
    if end - begin < 2:
        times = (1, 2, 5) if high - low > 1 else (1, 2, 3, 5, 7)
        finer = [math.log10(each) + power for power in range(begin - 1, end + 1) for each in times]
        found = [each for each in finer if low <= each <= high]
        if len(found) > 1 or not -300 < low < high < 300:  # what is beyond has powers that are no numbers
            return found or [low]
        return [math.log10(each) for each in ticks(10**low, 10**high, most) if each > 0]
    every = -(-(end - begin + 1) // most)
    return [float(power) for power in range(begin, end + 1, every)]
