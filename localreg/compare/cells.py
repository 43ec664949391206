"""Joint counts: of how many rows the truth is t, and what the two models said a and b.

All counting metrics, of both models and of their difference, and all that can be told of the difference's uncertainty
follow from these cells. So rows are looked at once, and what comes after costs as much for a thousand rows as for ten
million. Cells of parts of the rows add up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from localreg.threads import in_threads

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]
    Numbers = npt.NDArray[np.int64]

__all__ = ["CHUNK", "JointCells", "Sizes", "count_cells", "put_together"]

DENSE = 2**20
"""Up to so many possible cells there is a counter for each; beyond, those that occur are sorted."""

CHUNK = 2**18
"""Rows that are counted at once: what comes of them on the way stays near the processor."""

MANY_CELLS = 2**22
"""Cells of chunks wait for each other until there are so many."""


@dataclass(frozen=True, eq=False)
class JointCells:
    """Cells with a count that is not 0, sorted by group, truth, a and b.

    Attributes:
        group: to which group the rows belong; by its code.
        truth: code of the label; below 0 for none.
        a: what the first model said; below 0 for none, and why.
        b: the same of the second one.
        count: of rows.
        cluster: of the rows; None = each row stands for itself.
    """

    group: Numbers
    truth: Numbers
    a: Numbers
    b: Numbers
    count: Numbers
    cluster: Numbers | None = None

    def where(self, chosen: npt.NDArray[np.bool_] | slice) -> JointCells:
        """Some of the cells."""
        columns = (self.group, self.truth, self.a, self.b, self.count)
        group, truth, a, b, count = (each[chosen] for each in columns)
        return JointCells(group, truth, a, b, count, None if self.cluster is None else self.cluster[chosen])

    def recoded(self, codes: Codes) -> JointCells:
        """With other codes of labels, each at the place of the one that it stands for."""
        import numpy as np

        known = np.asarray(codes, np.int64)
        truth, a, b = (
            np.where(each < 0, each, known[np.maximum(each, 0)]) if len(known) else each
            for each in (self.truth, self.a, self.b)
        )
        return replace(self, truth=truth, a=a, b=b)

    def within(self, clusters: int) -> JointCells:
        """The cells of groups that were counted cluster by cluster: group x clusters + cluster."""
        return replace(self, group=self.group // clusters, cluster=self.group % clusters)

    def of_groups(self, groups: Sequence[int]) -> JointCells:
        """The cells of some groups, put together."""
        import numpy as np

        if len(groups) == 1:  # those of one group follow each other
            begin, end = np.searchsorted(self.group, [groups[0], groups[0] + 1])
            return self.where(slice(begin, end))
        chosen = self.where(np.isin(self.group, groups))
        return summed(chosen) if self.cluster is None else chosen  # equal cells of a cluster may stay apart


class Sizes(NamedTuple):
    """How many there may be of what is counted.

    Attributes:
        groups: codes of groups are below.
        labels: codes of labels are below; a truth is one of them, or -1.
        gaps: codes below 0 that stand for no label, and why; what a model says is a label, or one of them.
    """

    groups: int
    labels: int
    gaps: int

    @property
    def possible(self) -> int:
        """Cells that there may be."""
        return self.groups * (self.labels + 1) * (self.labels + self.gaps) ** 2

    def keys(self, group: Codes, truth: Codes, a: Codes, b: Codes) -> Codes:
        """One number for each row, equal for rows of one cell, in the order of cells."""
        import numpy as np

        said = self.labels + self.gaps
        kind: type[np.signedinteger] = np.int32 if self.possible < 2**31 else np.int64
        keys: Codes = group.astype(kind)
        for codes, size, gaps in ((truth, self.labels + 1, 1), (a, said, self.gaps), (b, said, self.gaps)):
            keys *= size
            keys += codes
            keys += gaps
        return keys

    def cells(self, keys: Numbers, counts: Numbers) -> JointCells:
        """The cells that keys stand for, which are sorted."""
        said = self.labels + self.gaps
        rest, b = keys // said, keys % said
        rest, a = rest // said, rest % said
        truths = self.labels + 1
        return JointCells(rest // truths, rest % truths - 1, a - self.gaps, b - self.gaps, counts)


Rows: TypeAlias = "tuple[Codes, Codes, Codes, Codes]"
"""Group, truth, a and b of some rows."""


def count_cells(rows: int, rows_of: Callable[[slice], Rows], sizes: Sizes) -> JointCells:
    """The joint counts of rows, some at a time, in threads.

    Args:
        rows: how many there are.
        rows_of: codes of some of them.
        sizes: how many of each there may be.
    """
    import numpy as np

    chunks = [slice(begin, min(rows, begin + CHUNK)) for begin in range(0, rows, CHUNK)]
    workers = os.cpu_count() or 1
    if sizes.possible <= DENSE:
        counts = np.zeros(sizes.possible, np.int64)

        def counted(chunk: slice) -> Numbers:
            return np.bincount(sizes.keys(*rows_of(chunk)), minlength=sizes.possible)

        for each in in_threads(counted, chunks, workers=workers):
            counts += each
        keys = np.flatnonzero(counts)
        return sizes.cells(keys, counts[keys])
    keys, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    waiting: list[tuple[Numbers, Numbers]] = []
    for found in in_threads(lambda chunk: _distinct(sizes.keys(*rows_of(chunk))), chunks, workers=workers):
        waiting.append(found)
        if sum(len(each) for each, _ in waiting) > MANY_CELLS:
            waiting = [_added(waiting)]
    if waiting:
        keys, counts = _added(waiting)
    return sizes.cells(keys, counts)


def _distinct(keys: Codes) -> tuple[Numbers, Numbers]:
    """Each key once, sorted, and how often it is there."""
    import numpy as np

    keys.sort()
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[begins].astype(np.int64), np.diff(begins, append=len(keys))


def _added(found: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """The keys of several lists, each once, and their counts together."""
    import numpy as np

    keys, counts = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[begins], np.add.reduceat(counts, begins)


def put_together(parts: Sequence[JointCells]) -> JointCells:
    """The cells of several parts of the rows, without their groups."""
    import numpy as np

    columns = ([getattr(each, name) for each in parts] for name in ("group", "truth", "a", "b", "count"))
    together = JointCells(*(np.concatenate(each) for each in columns))
    clusters = [each.cluster for each in parts if each.cluster is not None]
    return replace(together, cluster=np.concatenate(clusters)) if clusters else summed(together)


def summed(cells: JointCells) -> JointCells:
    """The cells without their groups: equal ones become one."""
    import numpy as np

    if not len(cells.count):
        return cells
    keys = cells.truth, cells.a, cells.b
    order = np.lexsort(keys[::-1])
    truth, a, b = (each[order] for each in keys)
    changed = np.any([each[1:] != each[:-1] for each in (truth, a, b)], axis=0)
    begins = np.flatnonzero(np.append(True, changed))
    counts = np.add.reduceat(cells.count[order], begins)
    return JointCells(np.zeros(len(begins), np.int64), truth[begins], a[begins], b[begins], counts)
