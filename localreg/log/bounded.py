"""Parquet of our caches, read within bounds: a file of some kilobytes may claim, and unpack to, any number of bytes.

Snapshots and history segments are checked by digests, and whoever may write a folder can make these fit. So before
pyarrow sees a footer its size and its columns are looked at, and rows are read in portions where texts that repeat, or
claims of many rows, could fill the memory.

Guarantees: `FormatError`, or what pyarrow raises. Accepted: a single page may still unpack to the 2 GiB that
it can have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localreg.errors import FormatError
from localreg.log.foreign import Compact

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["UNPACKED", "read_group", "refuse_absurd_footer"]

UNPACKED = 512 << 20
"""Bytes that the columns of a row group may always have in memory."""
RATIO = 100
"""And how many times as many as they have in the file, if that is more."""
AT_ONCE = 32 << 20
"""Bytes that a portion may have, in about."""

COLUMNS = 1_000
FOOTER = 4 << 20
"""Bytes that any footer may have; that of a large file an eighth of it."""


def refuse_absurd_footer(view: memoryview) -> None:
    """Before a parser makes objects of each column and each row group.

    Args:
        view: the whole file.

    Raises:
        FormatError: the footer is too large for such a file, or has too many columns.
    """
    size = int.from_bytes(view[-8:-4], "little") + 8
    if size > min(len(view), max(FOOTER, len(view) // 8)):
        raise FormatError("its footer is larger than that of any such file")
    try:
        columns = Compact(bytes(view[-size : -size + 64])).columns()
    except ValueError as error:
        raise FormatError(f"its footer cannot be read: {error}") from error
    if columns > COLUMNS:
        raise FormatError(f"it has {columns:,} columns, which no such file has")


def read_group(file: pq.ParquetFile, group: int, columns: Sequence[str]) -> pa.Table:
    """Some columns of one row group.

    Raises:
        FormatError: they unpack to more than rows of that many bytes in a file can have.
    """
    import pyarrow as pa

    claims = file.metadata.row_group(group)
    if claims.num_rows * claims.total_byte_size <= UNPACKED:  # were each row as large as all are now
        return file.read_row_group(group, columns=list(columns), use_threads=False)
    most = max(UNPACKED, RATIO * sum(claims.column(place).total_compressed_size for place in range(claims.num_columns)))
    rows = min(65_536, max(1, AT_ONCE // (claims.total_byte_size + 1)))
    batches, size = [], 0
    for batch in file.iter_batches(rows, row_groups=[group], columns=list(columns), use_threads=False):
        size += batch.nbytes
        if size > most:
            raise FormatError(f"a row group of it unpacks to more than {most:,} bytes")
        batches.append(batch)
    table = pa.Table.from_batches(batches, batches[0].schema if batches else None)
    if table.num_rows != claims.num_rows:
        raise FormatError("a row group of it has fewer rows than it claims")
    return table.combine_chunks()
