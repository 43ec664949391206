"""Columns of older or narrower parts, brought to the type that a schema has now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["conform", "unpacked", "unpacked_type"]


def conform(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """A column with the fields that it lacks as nulls, in the order of a type; the same column if there is none.

    Args:
        column: written under a schema that has grown since, or by another program.
        wanted: the Arrow type of the schema now.
    """
    import pyarrow as pa

    if column.type == wanted:
        return column
    if pa.types.is_struct(wanted):
        return _conform_struct(column, wanted)
    if pa.types.is_list(wanted) and not pa.types.is_fixed_size_list(column.type):
        items = conform(column.flatten(), wanted.value_type)
        return pa.ListArray.from_arrays(_offsets(column), items, mask=column.is_null() if column.null_count else None)
    if pa.types.is_map(wanted):
        return _conform_map(column, wanted)
    if pa.types.is_dictionary(wanted):
        plain = column.cast(wanted.value_type) if pa.types.is_dictionary(column.type) else column
        return plain.dictionary_encode().cast(wanted)
    return column.cast(wanted)


def unpacked(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column with plain texts for dictionaries at any depth: DuckDB fails on some that stand in lists."""
    import pyarrow as pa

    wanted = unpacked_type(column.type)
    return pa.chunked_array([conform(chunk, wanted) for chunk in column.chunks], wanted)


def unpacked_type(type: pa.DataType) -> pa.DataType:
    """A type with plain texts for dictionaries at any depth."""
    import pyarrow as pa

    if pa.types.is_dictionary(type):
        return type.value_type
    if pa.types.is_struct(type):
        return pa.struct([pa.field(field.name, unpacked_type(field.type)) for field in type])
    if pa.types.is_list(type):
        return pa.list_(unpacked_type(type.value_type))
    if pa.types.is_map(type):
        return pa.map_(unpacked_type(type.key_type), unpacked_type(type.item_type))
    return type


def _conform_struct(column: pa.Array, wanted: pa.StructType) -> pa.Array:
    import pyarrow as pa

    names = {field.name for field in column.type} if pa.types.is_struct(column.type) else set()
    children = [
        conform(column.field(field.name), field.type) if field.name in names else pa.nulls(len(column), field.type)
        for field in wanted
    ]
    return pa.StructArray.from_arrays(
        children, fields=list(wanted), mask=column.is_null() if column.null_count else None
    )


def _conform_map(column: pa.Array, wanted: pa.MapType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    # As a list, which forgets what lies before a slice, and under nulls.
    pairs = column.cast(pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])))
    flat = pairs.flatten()
    keys, items = (pc.struct_field(flat, name) for name in ("key", "value"))
    mask = column.is_null() if column.null_count else None
    keys, items = conform(keys, wanted.key_type), conform(items, wanted.item_type)
    return pa.MapArray.from_arrays(_offsets(pairs), keys, items, mask=mask)


def _offsets(column: pa.Array) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
