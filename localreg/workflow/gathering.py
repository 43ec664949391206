"""Rows of many parts as one long table, of which some are read by their places.

Memory is bounded by what is asked for at once and by a few blocks that are kept: row groups of a part, or whole parts
for who wants all rows anyway. Rows that follow each other are slices of what was read; only others are taken.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from localreg.errors import IntegrityError
from localreg.records.files import FilePointer
from localreg.storage import Store
from localreg.tables import part_file, read_part
from localreg.workflow.samples import conformed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

    Indices = npt.NDArray[np.int64]

__all__ = ["Gathered", "Stretch", "is_run"]

KEPT_BLOCKS = 8
"""Row groups that stay in memory: as many as the largest part that we write has. Or as many whole parts."""


class Stretch(NamedTuple):
    """Some rows of the long table: those of a part, or nulls.

    Attributes:
        pointer: of the part; None = nulls.
        rows: how many.
    """

    pointer: FilePointer | None
    rows: int


class Gathered:
    """The parts, one after the other.

    Args:
        store: where they lie.
        stretches: in order.
        types: the columns that are wanted, and their types; those that a part lacks are null.
        whole: read whole parts, which is faster, instead of row groups.
    """

    def __init__(
        self, store: Store, stretches: Sequence[Stretch], types: Mapping[str, pa.DataType], *, whole: bool
    ) -> None:
        import numpy as np

        self._store = store
        self._stretches = stretches
        self._types = types
        self._whole = whole
        self._begins = np.cumsum([0, *(each.rows for each in stretches)])
        self._blocks: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._bounds: dict[int, Indices] = {}

    def rows(self, places: Indices) -> pa.Table:
        """The rows at some places, in that order; -1 = a row of nulls."""
        import numpy as np
        import pyarrow as pa

        if not len(places):
            return self._nulls(0)
        if is_run(places) and places[0] >= 0:
            return pa.concat_tables(self._run(int(places[0]), int(places[-1]) + 1))
        order = np.zeros(len(places), np.int64)
        pieces, begin = [self._nulls(1)], 1
        numbers = np.searchsorted(self._begins, places, side="right") - 1
        for number in np.unique(numbers[places >= 0]).tolist():
            at = np.flatnonzero((numbers == number) & (places >= 0))
            pieces.append(self._some(places[at]))
            order[at] = begin + np.arange(len(at))
            begin += len(at)
        if (places >= 0).all() and is_run(order):
            return pa.concat_tables(pieces[1:])
        return pa.concat_tables(pieces).combine_chunks().take(pa.array(order))

    def _some(self, places: Indices) -> pa.Table:
        """Rows of one part, in the order of `places`."""
        import pyarrow as pa

        first, last = int(places.min()), int(places.max())
        rows = pa.concat_tables(self._run(first, last + 1))
        return rows if is_run(places) else rows.combine_chunks().take(pa.array(places - first))

    def _run(self, begin: int, end: int) -> list[pa.Table]:
        """The rows from one place to another, as slices of blocks."""
        import numpy as np

        slices = []
        number = int(np.searchsorted(self._begins, begin, side="right")) - 1
        while begin < end:
            start = int(self._begins[number])
            upto = min(end, int(self._begins[number + 1]))
            slices += self._within(number, begin - start, upto - start)
            begin, number = upto, number + 1
        return slices

    def _within(self, number: int, begin: int, end: int) -> list[pa.Table]:
        import numpy as np

        stretch = self._stretches[number]
        if stretch.pointer is None:
            return [self._nulls(end - begin)]
        bounds = self._bounds_of(number, stretch.pointer)
        slices = []
        block = int(np.searchsorted(bounds, begin, side="right")) - 1
        while begin < end:
            start, upto = int(bounds[block]), min(end, int(bounds[block + 1]))
            slices.append(self._block(number, block).slice(begin - start, upto - begin))
            begin, block = upto, block + 1
        return slices

    def _bounds_of(self, number: int, pointer: FilePointer) -> Indices:
        """Where the blocks of a part begin, and where the last one ends."""
        import numpy as np

        if number not in self._bounds:
            with self._opened(pointer) as file:
                found = file.metadata
                groups = [found.row_group(block).num_rows for block in range(found.num_row_groups)]
            bounds = np.cumsum([0, sum(groups)] if self._whole else [0, *groups])
            if bounds[-1] != pointer.rows:
                raise IntegrityError(
                    f"{self._store.uri}/{pointer.path} has {bounds[-1]:,} rows where the log says {pointer.rows:,}; "
                    "restore it from a copy",
                    code="file_altered",
                )
            self._bounds[number] = bounds
        return self._bounds[number]

    def _block(self, number: int, block: int) -> pa.Table:
        key = number, block
        if key not in self._blocks:
            pointer = self._stretches[number].pointer
            assert pointer is not None, "nulls have no blocks"
            with self._opened(pointer) as file:
                columns = [name for name in self._types if name in file.schema_arrow.names]
                rows = None if self._whole else file.read_row_group(block, columns)
            # Row groups in parallel, where all of them are wanted.
            rows = read_part(self._store, pointer, columns) if rows is None else rows
            self._blocks[key] = conformed(rows, self._types)
            while len(self._blocks) > KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    @contextmanager
    def _opened(self, pointer: FilePointer) -> Iterator[pq.ParquetFile]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(part_file(self._store, pointer)) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            raise IntegrityError(
                f"{self._store.uri}/{pointer.path} cannot be read ({error}); restore it from a copy",
                code="file_altered",
            ) from error

    def _nulls(self, count: int) -> pa.Table:
        import pyarrow as pa

        return pa.table({name: pa.nulls(count, kind) for name, kind in self._types.items()})


def is_run(places: Indices) -> bool:
    """Whether each place is the one after the one before."""
    import numpy as np

    return int(places[-1] - places[0]) == len(places) - 1 and bool((np.diff(places) == 1).all())
