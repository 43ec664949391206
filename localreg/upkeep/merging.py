"""Rows of many parts as the rows of a few: read part by part, brought to one schema, cut where a part is full.

No more is held than what becomes one part. Each file is compared with its digest before its rows are written under
another one: what a disk has altered must not become what the log says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING

from localreg.errors import IntegrityError
from localreg.events.rows import COMMIT
from localreg.records.files import FilePointer
from localreg.storage import Store
from localreg.tables import VECTORS, part_file, read_part, unpacked_type
from localreg.workflow.samples import conformed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["PART_BYTES", "PART_ROWS", "EventsPiece", "Piece", "joined"]

PART_ROWS = 1_000_000
PART_BYTES = 256 * 2**20
"""Of rows in memory, after which a part is full; as files they are smaller."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What is taken of one part.

    Attributes:
        part: whose rows they are.
        vectors: of the part; None = none.
        rows: which of them, in order; None = all.
        indices: the `sample_idx` of these rows, to stand in the place of what the part says; None = as it says.
    """

    part: FilePointer
    vectors: FilePointer | None
    rows: Indices | None = None
    indices: Indices | None = None

    @property
    def files(self) -> list[FilePointer]:
        """The part, and its vectors."""
        return [self.part] if self.vectors is None else [self.part, self.vectors]

    @property
    def bytes(self) -> int:
        """Of the files."""
        return sum(file.bytes for file in self.files)

    @property
    def count(self) -> int:
        """How many rows are taken."""
        return self.part.rows if self.rows is None else len(self.rows)

    def table(self, store: Store, types: dict[str, pa.DataType]) -> pa.Table:
        """The rows, under types that lack nothing of what the part has.

        Raises:
            IntegrityError: a file is missing, or was altered.
        """
        import pyarrow as pa

        for file in self.files:
            _refuse_altered(store, file)
        table = read_part(store, self.part)
        if self.vectors is not None:
            beside = read_part(store, self.vectors).combine_chunks()
            table = table.append_column(VECTORS, pa.chunked_array(beside.to_struct_array().chunks))
        if self.rows is not None and len(self.rows) < table.num_rows:
            table = table.take(pa.array(self.rows))
        if self.indices is not None:
            place = table.column_names.index("sample_idx")
            table = table.set_column(place, "sample_idx", pa.array(self.indices, pa.int64()))
        return conformed(table, types)


@dataclass(frozen=True, eq=False)
class EventsPiece(Piece):
    """Events, of which it is kept what brought them.

    Attributes:
        commit: that brought the part; rows that an earlier merge has written say it themselves.
    """

    commit: int = 0

    def table(self, store: Store, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Piece.table`."""
        import pyarrow as pa

        table = super().table(store, {**types, COMMIT: pa.int64()})
        place = table.column_names.index(COMMIT)
        return table.set_column(place, COMMIT, table[COMMIT].fill_null(self.commit))


def joined(store: Store, pieces: Sequence[Piece]) -> Iterator[pa.Table]:
    """The rows of pieces, one after the other, as tables that are a part each.

    Columns are those of all pieces, and so are the fields of structs: what a part lacks is null.
    """
    import pyarrow as pa

    types = _united(store, pieces)
    waiting: list[pa.Table] = []
    rows = size = 0
    for piece in pieces:
        if not piece.count:
            continue
        table = piece.table(store, types)
        rows, size = rows + table.num_rows, size + table.nbytes
        if waiting and (rows > PART_ROWS or size > PART_BYTES):
            yield pa.concat_tables(waiting)
            waiting, rows, size = [], table.num_rows, table.nbytes
        waiting.append(table)
    if waiting:
        yield pa.concat_tables(waiting)


def _united(store: Store, pieces: Sequence[Piece]) -> dict[str, pa.DataType]:
    """The columns of all pieces, each of a type that has the fields of all of them; only footers are read."""
    import pyarrow as pa

    found: dict[str, list[pa.DataType]] = {}
    for piece in pieces:
        for field in _schema(store, piece.part):
            found.setdefault(field.name, []).append(unpacked_type(field.type))
        if piece.vectors is not None:
            found.setdefault(VECTORS, []).append(pa.struct(list(_schema(store, piece.vectors))))
    return {name: _one_type(types) for name, types in found.items()}


def _one_type(types: list[pa.DataType]) -> pa.DataType:
    import pyarrow as pa

    distinct = list(dict.fromkeys(types))
    # A struct that had no fields yet was a BOOLEAN.
    grown = [kind for kind in distinct if not pa.types.is_boolean(kind)] or distinct
    return pa.unify_schemas([pa.schema([("", kind)]) for kind in grown], promote_options="permissive").field(0).type


def _schema(store: Store, pointer: FilePointer) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = part_file(store, pointer)
    try:
        return pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise _altered(store, pointer) from error


def _refuse_altered(store: Store, pointer: FilePointer) -> None:
    try:
        with part_file(store, pointer).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _altered(store, pointer) from error
    if digest != pointer.sha256:
        raise _altered(store, pointer)


def _altered(store: Store, pointer: FilePointer) -> IntegrityError:
    return IntegrityError(
        f"{store.uri}/{pointer.path} is not the file that the log names; restore it from a copy", code="file_altered"
    )
