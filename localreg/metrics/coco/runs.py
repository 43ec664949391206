"""The text in which COCO files keep run lengths.

Each number is written in digits of five bits, the least first, as characters from `0` on; a sixth bit says that another
digit follows, and the fifth bit of the last one that the number is negative. From the fourth number on, what is written
is the difference to the number before the last, since stretches of one column are about as long as those of the next.

Source:
    `rleToString` and `rleFrString` of the COCO API (P. Dollár, T.-Y. Lin, 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["decompressed"]

FIRST, LAST = ord("0"), ord("0") + 63
MORE, SIGN, DIGIT = 0x20, 0x10, 0x1F
LONGEST = 12
"""Digits of a number of 60 bits."""


def decompressed(texts: pa.StringArray) -> tuple[Indices, Indices]:
    """The run lengths of all texts, one after another, and how many each has. Nulls are left out.

    Raises:
        InvalidInputError: a text is no such list.
    """
    import numpy as np
    import pyarrow as pa

    there = texts.drop_null().cast(pa.large_binary())
    count = len(there)
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    offsets = np.frombuffer(there.buffers()[1], np.int64)[there.offset : there.offset + count + 1]
    data = there.buffers()[2]
    letters = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data else np.empty(0, np.uint8)
    offsets = offsets - offsets[0]
    if ((letters < FIRST) | (letters > LAST)).any():
        raise InvalidInputError("a mask's counts have characters that run lengths are not written in")
    digits = letters.astype(np.int64) - FIRST
    ends = np.flatnonzero(digits & MORE == 0)
    lengths = np.diff(np.searchsorted(ends, offsets))
    filled = offsets[1:][offsets[1:] > offsets[:-1]]
    if not np.isin(filled - 1, ends).all():
        raise InvalidInputError("a mask's counts end within a number")
    if not len(ends):
        return np.empty(0, np.int64), lengths
    begins = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(digits)) - np.repeat(begins, ends - begins + 1)
    if place.max() >= LONGEST:
        raise InvalidInputError("a mask's counts have a number of more than 60 bits")
    values = np.add.reduceat((digits & DIGIT) << (5 * place), begins)
    values -= np.where(digits[ends] & SIGN, np.int64(1) << (5 * (ends - begins + 1)), 0)
    return _summed(values, lengths), lengths


def _summed(values: Indices, lengths: Indices) -> Indices:
    """Differences to the number before the last, summed up in each list."""
    import numpy as np

    begins = np.cumsum(lengths) - lengths
    place = np.arange(len(values)) - np.repeat(begins, lengths)
    runs = values.copy()
    for first in (1, 2):
        # Of each list every second number, from this one on; then the sums that all lists before have brought go.
        chain = np.flatnonzero((place >= first) & (place % 2 == first % 2))
        sums = np.cumsum(values[chain])
        heads = np.flatnonzero(place[chain] == first)
        before = np.concatenate([[0], sums])[heads]
        runs[chain] = sums - np.repeat(before, np.diff(heads, append=len(chain)))
    return runs
