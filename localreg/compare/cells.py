"""Joint counts: of how many rows the truth is t, and what the two models said a and b.

All counting metrics, of both models and of their difference, and all that can be told of the difference's uncertainty
follow from these cells. So rows are looked at once, and what comes after costs as much for a thousand rows as for ten
million. Cells of parts of the rows add up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localreg.threads import in_threads

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]
    Numbers = npt.NDArray[np.int64]

__all__ = ["JointCells", "count_cells", "count_in_chunks", "summed"]

DENSE = 2**22
"""Up to so many possible cells there is a counter for each; beyond, those that occur are sorted."""

CHUNK = 2**18
"""Rows that are counted at once: what comes of them on the way stays near the processor."""

MANY_CELLS = 2**22
"""Cells of chunks wait for each other until there are so many."""


@dataclass(frozen=True, eq=False)
class JointCells:
    """Cells with a count that is not 0, sorted by group, truth, a and b.

    Attributes:
        group: to which group the rows belong; codes as given to `count_cells`.
        truth: code of the label; below 0 for none.
        a: what the first model said; below 0 for none, and why.
        b: the same of the second one.
        count: of rows.
    """

    group: Numbers
    truth: Numbers
    a: Numbers
    b: Numbers
    count: Numbers

    def where(self, chosen: npt.NDArray[np.bool_] | slice) -> JointCells:
        """Some of the cells."""
        return JointCells(*(each[chosen] for each in (self.group, self.truth, self.a, self.b, self.count)))

    def of_groups(self, groups: Sequence[int]) -> JointCells:
        """The cells of some groups, put together."""
        import numpy as np

        if len(groups) == 1:  # those of one group follow each other
            begin, end = np.searchsorted(self.group, [groups[0], groups[0] + 1])
            return self.where(slice(begin, end))
        chosen = self.where(np.isin(self.group, groups))
        return summed([replace(chosen, group=np.zeros_like(chosen.group))])


def count_cells(group: Codes, truth: Codes, a: Codes, b: Codes, sizes: tuple[int, int, int]) -> JointCells:
    """The joint counts of rows.

    Args:
        group: of each row, from 0.
        truth: of each row: a label's code, from -1.
        a: what the first model said: a label's code, from -gaps.
        b: the same of the second one.
        sizes: how many groups there may be, how many labels, and how many codes below 0 (gaps).
    """
    import numpy as np

    groups, labels, gaps = sizes
    truths, said = labels + 1, labels + gaps
    possible = groups * truths * said * said
    kind = np.int32 if possible < 2**31 else np.int64
    key = group.astype(kind)
    for codes, size, least in ((truth, truths, 1), (a, said, gaps), (b, said, gaps)):
        key *= size
        key += codes
        key += least
    if possible <= DENSE:
        counts = np.bincount(key, minlength=possible)
        keys = np.flatnonzero(counts)
        return _cells(keys, counts[keys], truths, said, gaps)
    key.sort()
    begins = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.empty(0, np.int64)
    return _cells(key[begins].astype(np.int64), np.diff(begins, append=len(key)), truths, said, gaps)


def _cells(keys: Numbers, counts: Numbers, truths: int, said: int, gaps: int) -> JointCells:
    rest, b = keys // said, keys % said
    rest, a = rest // said, rest % said
    return JointCells(rest // truths, rest % truths - 1, a - gaps, b - gaps, counts)


def summed(pieces: list[JointCells]) -> JointCells:
    """The cells of all rows from those of some rows each; equal cells become one."""
    import numpy as np

    columns = [
        np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("group", "truth", "a", "b", "count")
    ]
    *keys, counts = columns
    if not len(counts):
        return pieces[0]
    order = np.lexsort(keys[::-1])
    keys = [each[order] for each in keys]
    changed = np.any([each[1:] != each[:-1] for each in keys], axis=0)
    begins = np.flatnonzero(np.concatenate([[True], changed]))
    return JointCells(*(each[begins] for each in keys), np.add.reduceat(counts[order], begins))


def count_in_chunks(
    rows: int, chunk_of: Callable[[slice], tuple[Codes, Codes, Codes, Codes]], sizes: tuple[int, int, int]
) -> JointCells:
    """The joint counts of many rows, some at a time, in threads.

    Args:
        rows: how many there are.
        chunk_of: group, truth, a and b of some rows, as `count_cells` takes them.
        sizes: as `count_cells` takes them.
    """

    def counted(begin: int) -> JointCells:
        return count_cells(*chunk_of(slice(begin, min(rows, begin + CHUNK))), sizes)

    pieces: list[JointCells] = []
    for piece in in_threads(counted, range(0, rows, CHUNK), workers=os.cpu_count() or 1):
        pieces.append(piece)
        if sum(len(each.count) for each in pieces) > MANY_CELLS:
            pieces = [summed(pieces)]
    return summed(pieces or [count_cells(*chunk_of(slice(0, 0)), sizes)])
