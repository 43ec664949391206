"""Parquet that another program wrote, or that was damaged: read in full, trusted in nothing.

An entry may be replaced by a twin (a redaction by another tool, a copy through one), so any encoding, compression and
nullability is welcome. Damage is as likely, and pyarrow does not survive all of it: its accessors for metadata abort
the process on some broken footers. So the footer is vetted here first, in plain Python: pyarrow only sees a file
whose parts lie inside it and whose claims of size are those of a log entry.

Guarantees: `FormatError` and nothing else. Accepted: a compressed page may still unpack to more than its chunk
claims, up to the 2 GiB that a page can have.

Source: Apache Parquet format 2.11 (`parquet.thrift`); Apache Thrift, "Compact protocol encoding".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from localreg.errors import FormatError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LARGEST_ENTRY", "Compact", "read_columns", "torn"]

LARGEST_ENTRY = 2**30
"""Bytes of an entry, at most: page sizes are 32-bit, and readers hold an entry in memory. Bulk rows live elsewhere."""

_LARGEST_FOOTER = 2**20
"""Bytes: to look through that many takes a second or two."""
_MOST_COLUMNS = 1_000
_PROVEN_ROWS = 1_000
"""Rows believed without proof. Beyond, each must bring the 32 bytes that no encoding of a SHA-256 can save."""

Thrift: TypeAlias = "bool | int | bytes | list[Thrift] | dict[int, Thrift] | None"
"""A value of the compact protocol; a struct is a dict by field id."""


def torn(name: str, reason: str) -> FormatError:
    """The error for a file whose bytes are damaged."""
    return FormatError(
        f"log entry {name} is damaged: {reason}; restore this file from a copy; `localreg verify` lists all damage",
        code="entry_torn",
    )


def read_columns(data: bytes, types: Mapping[str, type], *, name: str) -> list[list[Any]]:
    """The values of some columns of a Parquet file; null in a text column is given as None.

    Args:
        data: the whole file.
        types: the columns wanted, with `int` or `str`.
        name: what to call the file in messages.

    Raises:
        FormatError: with code `entry_torn`, the bytes are damaged, or claim what no entry has; with code
            `entry_columns`, a column is missing or of another type.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        largest_chunk = _vet(data)
        file = parquet.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        for column, type_ in types.items():
            _check_type(file.schema_arrow, column, type_, name)
        return _read(file, list(types), max(1, LARGEST_ENTRY // (largest_chunk + 1)))
    except FormatError:
        raise
    except Exception as error:  # damaged bytes raise whatever was met first: ArrowInvalid, OSError, KeyError…
        raise torn(name, f"it cannot be read as Parquet ({type(error).__name__}: {str(error)[:200]})") from error


def _check_type(schema: pa.Schema, column: str, wanted: type, name: str) -> None:
    from pyarrow import types

    places = schema.get_all_field_indices(column)
    if len(places) != 1:
        raise _no_entry(name, f"it has {len(places) or 'no'} columns named '{column}'")
    found = schema.field(places[0]).type
    value = found.value_type if types.is_dictionary(found) else found
    is_text = types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)
    if not (is_text if wanted is str else types.is_integer(value)):
        raise _no_entry(name, f"its column '{column}' has the type {str(found)[:80]}")


def _no_entry(name: str, reason: str) -> FormatError:
    return FormatError(
        f"{name} is a Parquet file, but no log entry: {reason}; restore this file from a copy; "
        "`localreg verify` lists all damage",
        code="entry_columns",
    )


def _read(file: pa.parquet.ParquetFile, columns: list[str], rows_at_once: int) -> list[list[Any]]:
    """The values in small portions: a dictionary or shared prefixes may turn kilobytes into any number of bytes.

    No text is larger than its column chunk, so a portion of `LARGEST_ENTRY / chunk` rows stays within bounds.
    """
    values: list[list[Any]] = [[] for _ in columns]
    size = 0
    for batch in file.iter_batches(batch_size=min(rows_at_once, 65_536), columns=columns, use_threads=False):
        for column, found in zip(columns, values, strict=True):
            array = batch.column(column)
            if hasattr(array, "dictionary"):
                array = array.dictionary_decode()
            size += array.nbytes
            if size > LARGEST_ENTRY:
                raise ValueError(f"its texts have more than {LARGEST_ENTRY:,} bytes, which no log entry has")
            found += array.to_pylist()
    if {len(found) for found in values} != {file.metadata.num_rows}:  # batches end, in silence, with the shortest
        raise ValueError("its columns are of unequal length")
    return values


# --- the footer, vetted -----------------------------------------------------------------------------------------------


def _vet(data: bytes) -> int:
    """The bytes of the largest column chunk, unpacked.

    Raises some error for a footer that lies about sizes, or that pyarrow might not survive.
    """
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if start < 4 or len(data) - start > _LARGEST_FOOTER:
        raise ValueError("the footer does not fit")
    if Compact(data[start:-8]).columns() > _MOST_COLUMNS:
        raise ValueError("it has more columns than any log entry")
    footer: Any = Compact(data[start:-8]).struct()  # Any: whatever is not as it must be raises on the way
    leaves = sum(1 for element in footer[2] if not element.get(5))
    rows = 0
    chunk_sizes = [0]
    for group in footer[4]:
        if len(group[1]) != leaves:
            raise ValueError("a row group without all columns")
        rows += _natural(group[3])
        chunk_sizes += [_vet_chunk(chunk[3], start) for chunk in group[1]]
    unpacked = sum(chunk_sizes)
    if rows != footer[3] or rows > _PROVEN_ROWS + len(data) // 32 or unpacked > LARGEST_ENTRY:
        raise ValueError(f"it claims {rows:,} rows and {unpacked:,} bytes, which no log entry of its size has")
    return max(chunk_sizes)


def _vet_chunk(metadata: Any, end: int) -> int:
    """The bytes that a column chunk unpacks to."""
    begin = min(_natural(metadata[9]), _natural(metadata.get(11, 0)) or metadata[9])  # a dictionary may stand first
    if begin + _natural(metadata[7]) > end:
        raise ValueError("a column lies outside the file")
    return _natural(metadata[6])


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a size that is none")
    return value


class Compact:
    """Reads Thrift's compact protocol; every step consumes bytes or raises, so damage cannot make it loop."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        taken = self.data[self.position : self.position + size]
        if len(taken) != size:
            raise ValueError("the footer ends too soon")
        self.position += size
        return taken

    def varint(self) -> int:
        """A natural number."""
        value = shift = 0
        while shift < 70:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ValueError("an integer without end")

    def struct(self) -> dict[int, Thrift]:
        """Its fields, by their ids."""
        fields: dict[int, Thrift] = {}
        id_ = 0
        while (head := self.take(1)[0]) != 0:
            delta, kind = head >> 4, head & 0x0F
            id_ = id_ + delta if delta else self.integer()
            fields[id_] = kind == 1 if kind in (1, 2) else self.value(kind)
        return fields

    def columns(self) -> int:
        """How many elements the schema of a footer has; to be asked first."""
        begins = self.take(1), self.integer() and self.take(1)  # the version, an I32, and a list
        if begins != (b"\x15", b"\x19"):
            raise ValueError("the footer does not begin as one does")
        return self.list_head()[0]

    def list_head(self) -> tuple[int, int]:
        """How many there are, and of what kind."""
        head = self.take(1)[0]
        return head >> 4 if head < 0xF0 else self.varint(), head & 0x0F

    def integer(self) -> int:
        """A number that may be negative."""
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def value(self, kind: int) -> Thrift:
        """A value of a kind."""
        if kind in (1, 2, 3):  # within a list a boolean is a byte
            return self.take(1)[0]
        if kind in (4, 5, 6):
            return self.integer()
        if kind == 7:  # a double: none matters here
            return self.take(8)
        if kind == 8:
            return self.take(self.varint())
        if kind in (9, 10):
            size, of = self.list_head()
            return [self.value(of) for _ in range(size)]
        if kind == 12:
            return self.struct()
        raise ValueError("a kind of value that Parquet does not use")
