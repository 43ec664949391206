"""One log entry as bytes: a Parquet file of a fixed layout, written and read by hand.

A general writer needs hundreds of microseconds for one row and a general reader more to open a file; a commit and a
tail of 63 entries would mostly wait for them. So the layout is fixed, and the constant parts of its metadata are
templates made at import:

    PAR1 · six pages, one a column · footer (FileMetaData) · length of the footer · PAR1

One row group, one data page (v1) a column: PLAIN, uncompressed, no dictionary, no statistics, all columns REQUIRED:
`commit`, `event` INT64; `record`, `payload`, `digest`, `signature` BYTE_ARRAY with the type STRING. An empty payload is
a redacted one, an empty signature is none.

Guarantees: any Parquet reader reads what `encode` writes. `decode` reads it back, and every other Parquet file that
has these columns, too, whatever its encodings, compression or nullability (`localreg.log.foreign`). It takes the short
way only for a file whose every byte outside the values is what `encode` would have written, so both ways see the same
rows. It raises `FormatError` and nothing else, and hostile sizes are refused before memory is spent on them. It does
not judge the values: the chain of digests does (`localreg.log.entry`).

Source: Apache Parquet format 2.11 (`parquet.thrift`, "Plain encoding"); Apache Thrift, "Compact protocol encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from localreg.errors import FormatError, InvalidInputError
from localreg.log.foreign import LARGEST_ENTRY, read_columns, torn
from localreg.names import is_digest

__all__ = ["COLUMNS", "EntryRow", "decode", "encode", "last_digest"]


class EntryRow(NamedTuple):
    """One audit event of an entry, as stored."""

    commit: int
    """The entry's number, from 1."""
    event: int
    """The event's place within the entry, from 1."""
    record: str
    """Canonical JSON of all that the chain of digests covers."""
    payload: str
    """Canonical JSON of before, after, message and nonce; empty when redacted."""
    digest: str
    """SHA-256 over the previous digest and the record, in hexadecimal digits."""
    signature: str
    """On the last row of a signed entry; else empty."""


COLUMNS = EntryRow._fields
"""The columns, in the order of the file."""

_MAGIC = b"PAR1"
_LENGTH = struct.Struct("<I")


# --- the constant parts -----------------------------------------------------------------------------------------------
# Thrift's compact protocol, as far as needed: a field is a byte (distance from the previous field's id << 4 | type)
# and its value; an integer is zigzagged and cut into groups of 7 bits; a struct ends with a zero byte.

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


@lru_cache(maxsize=8192)  # the sizes and offsets of small entries come again and again
def _number(value: int) -> bytes:
    """A non-negative integer, zigzag (times two) and varint."""
    value <<= 1
    groups = []
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _text(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 0x80  # the length is one byte: a varint that is not zigzagged
    return bytes([len(data)]) + data


def _list(kind: int, *items: bytes) -> bytes:
    return bytes([len(items) << 4 | kind]) + b"".join(items)


def _struct(*fields: tuple[int, int, bytes]) -> bytes:
    """Fields as (id, type, value), in the order of their ids."""
    previous = 0
    parts = []
    for id_, kind, value in fields:
        parts += [bytes([id_ - previous << 4 | kind]), value]
        previous = id_
    return b"".join(parts) + b"\0"


_SLOT = b"\xff\xff"  # where a template takes a number: no thrift of ours has these bytes


def _template(thrift: bytes) -> bytes:
    """For the `%` operator. A percent sign is also the head of an I32 field, two ids on."""
    return thrift.replace(b"%", b"%%").replace(_SLOT, b"%b")


_INT64, _BYTE_ARRAY = _number(2), _number(6)  # Type
_PLAIN, _RLE = _number(0), _number(3)  # Encoding
_ZERO = _number(0)  # REQUIRED, UTF8, UNCOMPRESSED, DATA_PAGE
_STRING = _struct((1, _STRUCT, _struct()))  # LogicalType

_PYTHON_TYPES: dict[str, type] = dict.fromkeys(COLUMNS[:2], int) | dict.fromkeys(COLUMNS[2:], str)
_TYPES = {name: _INT64 if type_ is int else _BYTE_ARRAY for name, type_ in _PYTHON_TYPES.items()}


def _schema_element(name: str) -> bytes:
    fields = [(1, _I32, _TYPES[name]), (3, _I32, _ZERO), (4, _BINARY, _text(name))]
    if _TYPES[name] == _BYTE_ARRAY:
        fields += [(6, _I32, _ZERO), (10, _STRUCT, _STRING)]
    return _struct(*fields)


def _column_chunk(name: str) -> bytes:
    column_metadata = _struct(
        (1, _I32, _TYPES[name]),
        (2, _LIST, _list(_I32, _PLAIN, _RLE)),
        (3, _LIST, _list(_BINARY, _text(name))),
        (4, _I32, _ZERO),
        (5, _I64, _SLOT),  # values
        (6, _I64, _SLOT),  # bytes with the page's header, uncompressed
        (7, _I64, _SLOT),  # the same, compressed
        (9, _I64, _SLOT),  # offset of the page
    )
    return _struct((2, _I64, _ZERO), (3, _STRUCT, column_metadata))


_PAGE_HEADER = _template(
    _struct(
        (1, _I32, _ZERO),
        (2, _I32, _SLOT),  # bytes, uncompressed
        (3, _I32, _SLOT),  # bytes, compressed
        (5, _STRUCT, _struct((1, _I32, _SLOT), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE))),
    )
)

_SCHEMA = _list(
    _STRUCT,
    _struct((4, _BINARY, _text("schema")), (5, _I32, _number(len(COLUMNS)))),
    *map(_schema_element, COLUMNS),
)

_ROW_GROUP = _struct(
    (1, _LIST, _list(_STRUCT, *map(_column_chunk, COLUMNS))),
    (2, _I64, _SLOT),  # bytes of all chunks, uncompressed
    (3, _I64, _SLOT),  # rows
    (6, _I64, _SLOT),  # bytes of all chunks, compressed
)

# What `decode` needs to find the values: the number of rows and the sizes of the four text pages. It stands at a
# fixed distance from the end, in decimal digits, since metadata must be text.
_LAYOUT = b"%010d %010d %010d %010d %010d"
_LAYOUT_SIZE = 5 * 10 + 4
_KEY_VALUE = _struct((1, _BINARY, _text("localreg.layout")), (2, _BINARY, bytes([_LAYOUT_SIZE]) + _SLOT))

_FOOTER = _template(
    _struct(
        (1, _I32, _number(1)),
        (2, _LIST, _SCHEMA),
        (3, _I64, _SLOT),  # rows
        (4, _LIST, _list(_STRUCT, _ROW_GROUP)),
        (5, _LIST, _list(_STRUCT, _KEY_VALUE)),
        (6, _BINARY, _text("localreg version 1.0.0 (build log)")),
    )
)
_LAYOUT_END = len(_FOOTER) - _FOOTER.rindex(b"%b") - 2 + 4 + len(_MAGIC)
"""Bytes from the end of the layout to that of the file."""


class _Frame(NamedTuple):
    """All bytes of a file but its values."""

    headers: list[bytes]
    """One a page."""
    end: bytes
    """The footer, its length and the magic bytes."""
    start: int
    """Where `end` begins."""


def _frame(count: int, text_sizes: Sequence[int]) -> _Frame:
    rows = _number(count)
    headers: list[bytes] = []
    slots: list[bytes] = []
    position = len(_MAGIC)
    for size in (8 * count, 8 * count, *text_sizes):
        page = _number(size)
        header = _PAGE_HEADER % (page, page, rows)
        chunk_size = len(header) + size
        chunk = _number(chunk_size)
        headers.append(header)
        slots += (rows, chunk, chunk, _number(position))
        position += chunk_size
    chunks = _number(position - len(_MAGIC))
    footer = _FOOTER % (rows, *slots, chunks, rows, chunks, _LAYOUT % (count, *text_sizes))
    return _Frame(headers, footer + len(footer).to_bytes(4, "little") + _MAGIC, position)


# --- writing ----------------------------------------------------------------------------------------------------------


def encode(rows: Sequence[EntryRow]) -> bytes:
    """The Parquet file of an entry, the same bytes for the same rows.

    Raises:
        InvalidInputError: half of a surrogate pair in a text, a number beyond 64 bits, more than 1 GiB in all.
    """
    count = len(rows)
    commits, events, *texts = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    try:
        integers = struct.Struct(f"<{count}q")
        pages = [[integers.pack(*commits)], [integers.pack(*events)], *map(_plain_texts, texts)]
    except (struct.error, UnicodeEncodeError, OverflowError) as error:
        raise InvalidInputError(f"a log entry cannot hold this: {error}; nothing was written") from error
    frame = _frame(count, [sum(map(len, page)) for page in pages[2:]])
    if frame.start > LARGEST_ENTRY:
        raise InvalidInputError(
            f"the commit has {frame.start:,} bytes of records, more than {LARGEST_ENTRY:,}; split the transaction"
        )
    parts = [_MAGIC]
    for header, page in zip(frame.headers, pages, strict=True):
        parts.append(header)
        parts += page
    parts.append(frame.end)
    return b"".join(parts)


def _plain_texts(texts: Sequence[str]) -> list[bytes]:
    """The parts of a page: each text in UTF-8 behind its length. They are joined but once, with the whole file."""
    if len(texts) == 1:  # nearly every entry
        data = texts[0].encode()
        return [_LENGTH.pack(len(data)), data]
    encoded = list(map(str.encode, texts))
    parts = [b""] * (2 * len(encoded))
    parts[::2] = map(_LENGTH.pack, map(len, encoded))
    parts[1::2] = encoded
    return parts


# --- reading ----------------------------------------------------------------------------------------------------------


def decode(data: bytes, *, name: str) -> list[EntryRow]:
    """The rows of an entry's file, whoever wrote it.

    Args:
        data: the whole file.
        name: what to call it in messages.

    Raises:
        FormatError: with code `entry_torn`, the bytes are damaged or no Parquet file; with code `entry_columns`, a
            Parquet file that is no log entry.
    """
    if len(data) < 12 or not data.startswith(_MAGIC) or not data.endswith(_MAGIC):
        raise torn(name, "it does not begin and end as a Parquet file does")
    try:
        rows = _decode_ours(data)
    except (ValueError, struct.error):  # UnicodeDecodeError is a ValueError
        rows = None
    return _decode_foreign(data, name) if rows is None else rows


def last_digest(data: bytes) -> str | None:
    """What an entry's file says its last digest is, unchecked; None if it cannot be told.

    Of a file that `encode` wrote no other value is looked at: an entry may hold a hundred thousand events.
    """
    try:
        count, *sizes = _layout(data)
        frame = _frame(count, sizes)
        end = frame.start - sizes[3] - len(frame.headers[5])
        text = data[end - 64 : end].decode()
        if frame.start + len(frame.end) == len(data) and is_digest(text):
            return text
    except (ValueError, struct.error, IndexError):
        pass
    try:
        return decode(data, name="")[-1].digest
    except (FormatError, IndexError):
        return None


def _layout(data: bytes) -> list[int]:
    """How many rows, and the sizes of the four text pages, as a file of ours says."""
    return list(map(int, data[-_LAYOUT_END - _LAYOUT_SIZE : -_LAYOUT_END].split(b" ")))


def _decode_ours(data: bytes) -> list[EntryRow] | None:
    """The rows of a file that `encode` wrote; None (or an error from a value that cannot be parsed) for any other."""
    count, *sizes = _layout(data)
    if len(sizes) != 4 or count < 0 or min(sizes) < 0:
        return None
    frame = _frame(count, sizes)
    # Every byte of the frame must be the one expected: what the layout says is then what other readers see.
    if frame.start + len(frame.end) != len(data) or not data.endswith(frame.end):
        return None
    starts: list[int] = []
    position = len(_MAGIC)
    for header, size in zip(frame.headers, (8 * count, 8 * count, *sizes), strict=True):
        if not data.startswith(header, position):
            return None
        starts.append(position + len(header))
        position += len(header) + size
    integers = struct.Struct(f"<{count}q")
    commits, events = (integers.unpack_from(data, start) for start in starts[:2])
    texts = [_texts(data, start, size, count) for start, size in zip(starts[2:], sizes, strict=True)]
    return list(map(EntryRow._make, zip(commits, events, *texts, strict=True)))


def _texts(data: bytes, start: int, size: int, count: int) -> list[str]:
    """The values of a page. Slices of bytes never reach outside the file, whatever the lengths in it say."""
    texts = []
    end = start
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, end)
        begin = end + 4
        end = begin + length
        texts.append(data[begin:end].decode())
    if end != start + size:
        raise ValueError("the lengths of the texts do not add up to the page")
    return texts


def _decode_foreign(data: bytes, name: str) -> list[EntryRow]:
    columns = dict(zip(COLUMNS, read_columns(data, _PYTHON_TYPES, name=name), strict=True))
    for column in ("payload", "signature"):  # null is how others write a text that is not there
        columns[column] = [value or "" for value in columns[column]]
    for column, values in columns.items():
        if None in values:
            raise torn(name, f"a value in its column '{column}' is null")
    return list(map(EntryRow._make, zip(*columns.values(), strict=True)))
