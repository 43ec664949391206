"""Rows that have to be looked at as a whole, kept in memory while they are few, and in a temporary file beyond."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Spool"]

KEPT_BYTES = 256 * 2**20


class Spool:
    """A context that collects tables of one schema. The file, if there is one, goes when it ends."""

    def __init__(self) -> None:
        self._kept: list[pa.Table] = []
        self._kept_bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._file: Any = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept = []
        self._close()
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, rows: pa.Table) -> None:
        """Take rows."""
        self._kept.append(rows)
        self._kept_bytes += rows.nbytes
        if self._kept_bytes > KEPT_BYTES:
            self._write()

    def _write(self) -> None:
        from pyarrow import ipc

        if self._writer is None:
            self._folder = tempfile.TemporaryDirectory(prefix="localreg-", ignore_cleanup_errors=True)
            self._file = open(Path(self._folder.name) / "rows.arrow", "wb")  # noqa: SIM115 - closed with the spool
            # A file, unlike a stream, has one dictionary for all batches.
            self._writer = ipc.new_stream(self._file, self._kept[0].schema)
        for table in self._kept:
            self._writer.write_table(table)
        self._kept, self._kept_bytes = [], 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._file.close()
            self._writer = None

    def table(self, empty: pa.Table) -> pa.Table:
        """All rows, as long as the context lasts; `empty` has their schema."""
        import pyarrow as pa
        from pyarrow import ipc

        if self._folder is None:
            return pa.concat_tables([empty, *self._kept])
        self._write()
        self._close()
        return ipc.open_stream(pa.memory_map(str(Path(self._folder.name) / "rows.arrow"))).read_all()
