"""Parts: the immutable Parquet files of bulk rows, written once under a name of random digits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO

from localreg.canonical import JsonObject
from localreg.errors import IntegrityError, NotFoundError
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.storage.disk import unreadable

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from localreg.storage import Store

__all__ = ["part_file", "read_part", "write_part"]

ROW_GROUP = 131_072
MANY_GROUPS = 4
VECTOR_GROUP_BYTES = 16 * 2**20


class _Hashing:
    """A file being written: passes everything on, and keeps its size and SHA-256."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        self.digest.update(view)
        self.size += view.nbytes
        self._file.write(view)
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True  # the store closes the file itself: only it knows whether the block ended well


def write_part(
    store: Store,
    table: str,
    owner: str,
    rows: pa.Table,
    details: JsonObject,
    *,
    name: str | None = None,
    split: Sequence[str] = (),
) -> FilePointer:
    """Write rows as a part, durable but invisible until a log entry names it.

    Args:
        store: the namespace's.
        table: which bulk table.
        owner: id of the record that the rows belong to.
        rows: one table; struct columns stay native.
        details: what a reader must know of the part.
        name: of the file, without its ending; nobody else's. None = random.
        split: leaf columns of floats, by path, whose bytes are split into streams (BYTE_STREAM_SPLIT): such as the
            numbers of embeddings, of which hardly one occurs twice, so that a dictionary would only cost.
    """
    import pyarrow.parquet as pq

    path = f"data/{table}/{owner}/{name or new_id()}.parquet"
    with store.writer(path) as file:
        sink = _Hashing(file)
        pq.write_table(rows, sink, compression="zstd", compression_level=1, **_layout(rows, split))
    return FilePointer(path, table, owner, rows.num_rows, sink.size, sink.digest.hexdigest(), details)


def _layout(rows: pa.Table, split: Sequence[str]) -> dict[str, Any]:
    """How the leaves of a table are laid out: for rows of predictions smaller and faster than the defaults.

    Dictionaries are for texts: of other values hardly one occurs twice, and a row group is too short for the writer to
    give its attempt up. Whole numbers are kept as differences; the bytes of floats are split into streams.
    """
    if split:
        count = max(1, VECTOR_GROUP_BYTES * rows.num_rows // max(1, rows.nbytes))
        plain = {"use_dictionary": False, "use_byte_stream_split": list(split), "write_statistics": False}
        return {**plain, "row_group_size": min(count, ROW_GROUP)}
    leaves = [leaf for field in rows.schema for leaf in _leaves(field.name, field.type)]
    return {
        "use_dictionary": [path for path, encoding in leaves if encoding is None] or False,
        "column_encoding": {path: encoding for path, encoding in leaves if encoding is not None},
        "row_group_size": ROW_GROUP,
    }


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, str | None]]:
    """The leaf columns of a field in Parquet, each with its encoding; None = a dictionary."""
    import pyarrow as pa

    types = pa.types
    if types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif types.is_map(kind):
        yield from _leaves(f"{path}.key_value.key", kind.key_type)
        yield from _leaves(f"{path}.key_value.value", kind.item_type)
    elif types.is_list(kind) or types.is_fixed_size_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    elif types.is_floating(kind):
        yield path, "BYTE_STREAM_SPLIT"
    elif types.is_unsigned_integer(kind) or types.is_boolean(kind):
        yield path, "PLAIN"  # hashes: neither their differences nor their values are small in number
    elif types.is_integer(kind) or types.is_temporal(kind):
        yield path, "DELTA_BINARY_PACKED"
    else:
        yield path, None


def part_file(store: Store, pointer: FilePointer) -> Path:
    """The path of a part, for readers that open it themselves.

    Raises:
        IntegrityError: the file is missing.
    """
    try:
        return store.local_file(pointer.path)
    except (NotFoundError, FileNotFoundError) as error:
        raise IntegrityError(
            f"{store.uri}/{pointer.path} is missing; restore it from a copy", code="file_missing"
        ) from error


def read_part(store: Store, pointer: FilePointer, columns: list[str] | None = None) -> pa.Table:
    """The rows of a part, or some of its columns; `sample.locator` is that field of a struct alone.

    Raises:
        IntegrityError: the file is missing or cannot be parsed.
        StorageError: the disk or the share does not give it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = part_file(store, pointer)
    try:
        with pq.ParquetFile(file) as parquet:
            groups = parquet.num_row_groups
            if columns is None or len(columns) > 1 or groups < MANY_GROUPS:
                return parquet.read(columns)
        # Arrow reads columns side by side, but the row groups of one column one after the other.
        halves = [range(groups // 2), range(groups // 2, groups)]
        with ThreadPoolExecutor(len(halves), "localreg-read") as pool:
            return pa.concat_tables(pool.map(lambda half: _read_groups(file, half, columns), halves))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # not what Arrow says of bytes, but what the system says
            raise unreadable(str(file), error) from error
        raise IntegrityError(
            f"{store.uri}/{pointer.path} cannot be read ({error}); restore it from a copy", code="file_altered"
        ) from error


def _read_groups(file: Path, groups: Sequence[int], columns: list[str]) -> pa.Table:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        return parquet.read_row_groups(list(groups), columns)
