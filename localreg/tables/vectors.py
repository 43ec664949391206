"""Vectors in a column of their own: fields of the root of a schema, such as the embedding of an inference.

In tables in memory they stand in one struct column, `vectors`, beside the struct column of the other fields; on disk
in a file of their own, row by row beside the part, so that who reads labels does not read them. Vectors further down
stay where they are.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import LocalregError
from localreg.records.files import FilePointer
from localreg.tables.parts import write_part
from localreg.tables.schema import Field, Node, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.storage import Store

__all__ = ["EMPTY", "VECTORS", "split_vectors", "vector_digests", "vector_fields", "without_vectors", "write_rows"]

VECTORS = "vectors"
"""The column in memory, and the bulk table of the files."""

EMPTY = "empty"
"""In the details of a part: its typed values had no fields but vectors, and are booleans."""

_TYPED = ("sample", "ground_truth", "inference")


def vector_fields(node: Node) -> tuple[Field, ...]:
    """The fields of a root that are kept beside it."""
    return tuple(field for field in node.fields if field.node.type == "vector")


def without_vectors(node: Node) -> Node:
    """What stands in the struct column itself."""
    return replace(node, fields=tuple(field for field in node.fields if field.node.type != "vector"))


def split_vectors(column: pa.Array, node: Node) -> tuple[pa.Array, pa.Array | None]:
    """The struct column of a root without its vectors, and the vectors, as structs; None if it has no such field."""
    import pyarrow as pa
    import pyarrow.compute as pc

    beside = vector_fields(node)
    if not beside:
        return column, None
    fields = [pa.field(field.name, arrow_type(field.node)) for field in beside]
    vectors = pa.StructArray.from_arrays([column.field(field.name) for field in beside], fields=fields)
    inner = without_vectors(node)
    if not inner.fields:
        return pc.if_else(column.is_valid(), True, None), vectors
    mask = column.is_null() if column.null_count else None
    children = [column.field(field.name) for field in inner.fields]
    return pa.StructArray.from_arrays(children, fields=list(arrow_type(inner)), mask=mask), vectors


def vector_digests(vectors: pa.ChunkedArray) -> pa.Array:
    """What tells the vectors of a row from others: 16 bytes, null if there are none.

    The first half of the SHA-256 of, for each vector that is there, by name: its name in UTF-8, a zero byte, its
    numbers as little-endian floats of 32 bits, -0.0 as 0.0, and NaN with the bits 0x7fc00000.
    """
    import numpy as np
    import pyarrow as pa

    count = len(vectors)
    hashes = [hashlib.sha256() for _ in range(count)]
    some = [False] * count
    for field in sorted(vectors.type, key=lambda field: field.name):
        column = pa.chunked_array([chunk.field(field.name) for chunk in vectors.chunks], field.type).combine_chunks()
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)).tolist()
        numbers = column.drop_null().flatten().to_numpy(zero_copy_only=False) + np.float32(0)
        numbers[np.isnan(numbers)] = np.float32(np.nan)
        table = np.ascontiguousarray(numbers, "<f4").reshape(-1, field.type.list_size)
        label = field.name.encode() + b"\0"
        for row, vector in zip(rows, table, strict=True):
            hashes[row].update(label)
            hashes[row].update(vector.data)
            some[row] = True
    digests = [each.digest()[:16] if there else None for each, there in zip(hashes, some, strict=True)]
    return pa.array(digests, pa.binary())


def write_rows(
    store: Store, table: str, owner: str, rows: pa.Table, details: JsonObject, *, name: str | None = None
) -> list[FilePointer]:
    """Write rows as a part, with their vectors, if there are any, in a file beside it; see `write_part`."""
    import pyarrow as pa

    typed = next(name for name in rows.column_names if name in _TYPED) if set(rows.column_names) & {*_TYPED} else None
    if typed is not None and pa.types.is_boolean(rows[typed].type):
        details = {**details, EMPTY: True}
    if VECTORS not in rows.column_names:
        return [write_part(store, table, owner, rows, details, name=name)]
    part = write_part(store, table, owner, rows.drop_columns(VECTORS), details, name=name)
    vectors = pa.table(
        {
            field.name: pa.chunked_array([chunk.field(field.name) for chunk in rows[VECTORS].chunks], field.type)
            for field in rows[VECTORS].type
        }
    )
    if all(column.null_count == len(column) for column in vectors.columns):
        return [part]
    place: JsonObject = {**details, "beside": part.path}
    split = [f"{name}.list.element" for name in vectors.column_names]
    try:
        return [part, write_part(store, VECTORS, owner, vectors, place, split=split)]
    except LocalregError:
        with suppress(LocalregError):  # an invisible orphan: garbage collection finds it
            store.delete(part.path)
        raise
