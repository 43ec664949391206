"""What a running test run has made and not yet committed: parts that no log entry names.

They lie near the committed ones, `data/inferences/<model version>/open-<writer>-<number>.parquet`, and are merged into
a few when the run ends. A killed run leaves them: the next one takes them over, so that only what was in memory is
lost. One that was being written when its writer died cannot be read; it is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from localreg.errors import LocalregError
from localreg.storage import Store
from localreg.tables import write_part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["OpenParts"]

_NAME = re.compile(r"open-(?P<writer>[0-9a-f]{32})-[0-9]{8}\.parquet")

MANY, SMALL = 64, 5_000
"""So many parts of so few rows are joined to one: a slow model makes one a second."""
KEPT_BYTES = 256 * 2**20
"""Rows beyond these are read again when the run ends."""


class OpenParts:
    """The open parts of one model version, or of a model that has none yet, read once each.

    Args:
        store: the namespace's.
        owners: ids of what they are made for; the first is the one to write for.
        area: `inferences`, or where a reset collects what is to take the place of what is there.
        split: as `write_part` takes it.
    """

    def __init__(
        self, store: Store, owners: Sequence[str], area: str = "inferences", split: Sequence[str] = ()
    ) -> None:
        self._store = store
        self._owners = owners
        self._area = area
        self._split = split
        self._seen: dict[str, pa.Table | None] = {}
        self._kept_bytes = 0
        self._written = 0
        self._small: list[str] = []

    def refresh(self) -> list[pa.Table]:
        """The rows of parts that came since the last look, of other writers."""
        came = []
        for path in [path for owner in self._owners for path in self._store.list(f"data/{self._area}/{owner}")]:
            if path not in self._seen and _NAME.fullmatch(path.rpartition("/")[2]):
                rows = self._rows(path)
                if rows is not None:
                    self._keep(path, rows)
                    came.append(rows)
        return came

    def _keep(self, path: str, rows: pa.Table) -> None:
        self._kept_bytes += rows.nbytes
        self._seen[path] = rows if self._kept_bytes <= KEPT_BYTES else None

    def _rows(self, path: str) -> pa.Table | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = self._store.get(path, fresh=True)
        try:
            return None if data is None else pq.read_table(pa.BufferReader(data))
        except (pa.ArrowException, OSError):
            return None  # on its way, or all that its writer could write

    def tables(self) -> Iterator[pa.Table]:
        """The rows of all parts that were seen or written."""
        for path in self._seen:
            rows = self._of(path)
            if rows is not None:
                yield rows

    def add(self, writer: str, rows: pa.Table) -> None:
        """Write a part: durable, and seen by whoever refreshes."""
        path = self._write(writer, rows)
        if rows.num_rows < SMALL:
            self._small.append(path)
        if len(self._small) >= MANY:
            self._join(writer)

    def _write(self, writer: str, rows: pa.Table) -> str:
        self._written += 1
        name = f"open-{writer}-{self._written:08}"
        path = write_part(self._store, self._area, self._owners[0], rows, {}, name=name, split=self._split).path
        self._keep(path, rows)
        return path

    def _join(self, writer: str) -> None:
        """Make one part of all small ones of this writer, then remove them: who reads both finds equal rows."""
        import pyarrow as pa

        small, self._small = self._small, []
        tables = [rows for rows in map(self._of, small) if rows is not None]
        self.add(writer, pa.concat_tables(tables, promote_options="default"))
        self._remove(small)

    def _of(self, path: str) -> pa.Table | None:
        kept = self._seen[path]
        return self._rows(path) if kept is None else kept

    def discard(self, indices: Indices | None = None) -> None:
        """Remove the parts that were seen or written and hold rows of these samples alone, or all: once committed."""
        import numpy as np

        covered = [
            path
            for path in self._seen
            if indices is None
            or (rows := self._of(path)) is None
            or np.isin(rows["sample_idx"].to_numpy(), indices).all()
        ]
        self._remove(covered)

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            self._seen.pop(path, None)
            with suppress(LocalregError):  # it is committed: what stays is an orphan, and equal
                self._store.delete(path)
