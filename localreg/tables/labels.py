"""One leaf column of parts as numbers of labels: what is counted needs no text a row.

Text stands in Parquet as a dictionary and numbers into it, row group by row group. Those numbers are handed on, brought
to one vocabulary, so that a million rows cost a few milliseconds, and no text is made of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.errors import IntegrityError
from localreg.records.files import FilePointer
from localreg.tables.parts import part_file

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

    from localreg.storage import Store

    Codes = npt.NDArray[np.signedinteger]

__all__ = ["NO_LABEL", "CodedRows", "Vocabulary", "coded_rows"]

NO_LABEL = -1
"""The code of a row that has no label."""

FEW = 2**15 - 1
"""Codes up to this one take two bytes."""

SHORT = 32
"""Texts that are shorter stand in statistics whole."""


class Vocabulary:
    """The labels that were seen, each with its number, in the order in which they came. Threads may share one."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._codes)

    def labels(self) -> list[str]:
        """All of them, by their numbers."""
        return list(self._codes)

    def codes(self, labels: Sequence[str | None]) -> Codes:
        """The number of each label, new ones included; None = `NO_LABEL`. In two bytes as long as there are few."""
        import numpy as np

        with self._lock:
            known = self._codes
            numbers = (NO_LABEL if label is None else known.setdefault(label, len(known)) for label in labels)
            codes = np.fromiter(numbers, np.int32, len(labels))
            return codes.astype(np.int16) if len(known) <= FEW else codes

    def fitting(self, codes: Codes) -> Codes:
        """Codes, in four bytes once there are many labels."""
        import numpy as np

        return codes.astype(np.int32) if codes.dtype == np.int16 and len(self) > FEW else codes

    def ranks(self) -> Codes:
        """Where each number stands when labels are sorted: what is told must not depend on who came first."""
        import numpy as np

        ranks = np.empty(len(self), np.int32)
        labels = self.labels()
        ranks[sorted(range(len(labels)), key=labels.__getitem__)] = np.arange(len(labels))
        return ranks


class CodedRows(NamedTuple):
    """The rows of one row group.

    Attributes:
        codes: of each leaf that was asked for, in that order.
        numbers: the values of each column of numbers that was asked for.
        floats: the values of each leaf of numbers, NaN where there is none.
    """

    codes: list[Codes]
    numbers: list[npt.NDArray[Any]]
    floats: list[npt.NDArray[np.float64]]


def coded_rows(
    store: Store,
    pointer: FilePointer,
    leaves: Sequence[tuple[Sequence[str], Vocabulary]],
    numbers: Sequence[str] = (),
    floats: Sequence[Sequence[str]] = (),
    *,
    where: tuple[str, range] | None = None,
) -> Iterator[CodedRows]:
    """Some leaves of a part, row group by row group, in one pass over the file.

    Args:
        store: where the part lies.
        pointer: the part.
        leaves: paths of leaves of text, whole numbers or booleans, within the part's columns, and what takes up their
            labels: numbers as their digits, booleans as `true` and `false`.
        numbers: columns that are numbers, without nulls.
        floats: paths of leaves of numbers or booleans, which may be null.
        where: a column of whole numbers, and those of its values that are wanted: row groups whose statistics say that
            they have none are passed over.

    Raises:
        IntegrityError: the file is missing or cannot be parsed.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    file, columns = part_file(store, pointer), [".".join(path) for path, _ in leaves]
    try:
        with pq.ParquetFile(file, read_dictionary=columns) as parquet:
            places = {parquet.schema.column(number).path: number for number in range(len(parquet.schema))}
            for group in range(parquet.num_row_groups):
                found = parquet.metadata.row_group(group)
                if where is not None and not _may_have(found.column(places[where[0]]), where[1]):
                    continue
                only = {name: _only_label(found.column(places[name])) for name in columns if name in places}
                wanted = [name for name in columns if name in only and only[name] is None]
                there = [".".join(path) for path in floats if ".".join(path) in places]
                rows = _group(parquet, file, group, list(dict.fromkeys([*wanted, *numbers, *there])))
                codes = [
                    _codes(rows, path, vocabulary)
                    if name in wanted
                    else np.full(found.num_rows, vocabulary.codes([only.get(name)])[0])
                    for name, (path, vocabulary) in zip(columns, leaves, strict=True)
                ]
                values = [
                    _floats(rows, path) if ".".join(path) in there else np.full(found.num_rows, np.nan)
                    for path in floats
                ]
                yield CodedRows(codes, [rows.column(name).to_numpy() for name in numbers], values)
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(
            f"{store.uri}/{pointer.path} cannot be read ({error}); restore it from a copy", code="file_altered"
        ) from error


def _may_have(column: pq.ColumnChunkMetaData, wanted: range) -> bool:
    """Whether a row group may have one of some numbers that follow each other."""
    found = column.statistics
    if found is None or not found.has_min_max:
        return True
    return bool(found.min < wanted.stop and found.max >= wanted.start)


def _only_label(column: pq.ColumnChunkMetaData) -> str | None:
    """The short text that all rows of a row group have, if its statistics say so: then it need not be read."""
    found = column.statistics
    if found is None or not found.has_min_max or not found.has_null_count or found.null_count:
        return None
    least: object = found.min
    return least if isinstance(least, str) and len(least) < SHORT and least == found.max else None


def _group(parquet: pq.ParquetFile, file: Path, group: int, columns: list[str]) -> pa.RecordBatch:
    """Columns of one row group, leaves of text as dictionaries if they are kept as such throughout."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = parquet.metadata.row_group(group).num_rows
    try:
        batch = next(parquet.iter_batches(max(1, size), row_groups=[group], columns=columns, use_threads=False), None)
        if batch is not None and batch.num_rows == size:
            return batch
    except pa.ArrowNotImplementedError:
        pass  # where the writer gave a dictionary up in the middle, Arrow cannot put the halves into one struct
    with pq.ParquetFile(file) as plain:
        rows = plain.read_row_group(group, columns, use_threads=False).combine_chunks()
    return rows.to_batches()[0] if size else pa.RecordBatch.from_pylist([], rows.schema)


def _codes(rows: pa.RecordBatch, path: Sequence[str], vocabulary: Vocabulary) -> Codes:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    leaf = _leaf(rows, path)
    if not pa.types.is_dictionary(leaf.type):
        leaf = leaf.dictionary_encode()
    codes = vocabulary.codes(leaf.dictionary.cast(pa.string()).to_pylist())
    known = np.append(codes, codes.dtype.type(NO_LABEL))
    numbers = leaf.indices
    found: Codes = known[(pc.fill_null(numbers, len(codes)) if numbers.null_count else numbers).to_numpy()]
    return found


def _floats(rows: pa.RecordBatch, path: Sequence[str]) -> npt.NDArray[np.float64]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    leaf = _leaf(rows, path)
    if pa.types.is_boolean(leaf.type):
        leaf = leaf.cast(pa.int8())
    values = leaf.cast(pa.float64(), safe=False)
    filled: npt.NDArray[np.float64] = (pc.fill_null(values, np.nan) if values.null_count else values).to_numpy()
    return filled


def _leaf(rows: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    import pyarrow.compute as pc

    return pc.struct_field(rows.column(path[0]), list(path[1:])) if len(path) > 1 else rows.column(path[0])
