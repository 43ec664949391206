"""Lists of any origin on their way to sets, maps and vectors: see `localreg.tables.fitting`.

Lists are told here by where each begins, with one number more at the end, and by their items, one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from localreg.errors import InvalidInputError
from localreg.tables.codecs import codec_of
from localreg.tables.schema import Node

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

__all__ = ["as_sets", "fields_as_pairs", "floats_of_32_bits", "is_number", "with_doubles", "without"]

_SORTED_ALIKE = ("str", "int", "bytes", "date", "datetime", "timedelta", "uuid")
"""Types whose columns are sorted as their Python values are."""


def as_sets(begins: Indices, items: pa.Array, node: Node, hint: Any) -> tuple[Indices, pa.Array]:
    """Lists that stand for sets: each item once, in the order in which the codec of sets stores it.

    Args:
        begins: of the lists.
        items: under their schema, without faults.
        node: of the lists.
        hint: their Python type.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(items):
        return begins, items
    if cast(Node, node.items).type not in _SORTED_ALIKE or items.null_count:
        codec = codec_of(node, hint)
        made = codec.encode(codec.decode(pa.ListArray.from_arrays(pa.array(begins, pa.int32()), items)), "", 0)
        return made.offsets.to_numpy().astype(np.int64), made.values
    of = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    rows = pa.table({"of": of, "item": items})
    order = pc.sort_indices(rows, sort_keys=[("of", "ascending"), ("item", "ascending")])
    items, of = items.take(order), of[order.to_numpy()]
    first = np.ones(len(items), bool)
    first[1:] = (of[1:] != of[:-1]) | pc.not_equal(items.slice(1), items.slice(0, len(items) - 1)).to_numpy(False)
    return _begins(np.bincount(of[first], minlength=len(begins) - 1)), items.filter(pa.array(first))


def _begins(lengths: Indices) -> Indices:
    import numpy as np

    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def with_doubles(begins: Indices, items: pa.Array) -> Mask:
    """Which lists hold an item more than once."""
    import numpy as np
    import pyarrow as pa

    twice = np.zeros(len(begins) - 1, bool)
    codes = items if pa.types.is_dictionary(items.type) else items.dictionary_encode()
    lists = np.repeat(np.arange(len(twice)), np.diff(begins))
    base = len(codes.dictionary) + 1
    pairs = np.sort(lists * base + codes.indices.fill_null(base - 1).to_numpy(zero_copy_only=False))
    twice[pairs[1:][pairs[1:] == pairs[:-1]] // base] = True
    return twice


def without(begins: Indices, gone: Mask, *items: pa.Array) -> tuple[Any, ...]:
    """The lists with some of them emptied: where each begins, and the items that are left."""
    import numpy as np
    import pyarrow as pa

    lengths = np.diff(begins)
    kept = pa.array(np.repeat(~gone, lengths))
    return _begins(np.where(gone, 0, lengths)), *(each.filter(kept) for each in items)


def fields_as_pairs(column: pa.Array, nobody: pa.Array | None) -> tuple[Indices, pa.Array, pa.Array]:
    """The fields of structs, where JSON objects were read as such: names and values of those that are not null.

    Args:
        column: of structs.
        nobody: which of them do not count; None = all do.
    """
    import numpy as np
    import pyarrow as pa

    names = [field.name for field in column.type if not pa.types.is_null(field.type)]
    if not names:
        return np.zeros(len(column) + 1, np.int64), pa.nulls(0), pa.nulls(0)
    if len({column.type.field(name).type for name in names}) > 1:
        raise InvalidInputError(f"the fields of {column.type} have several types, and a map has one; give a map")
    there = np.stack([column.field(name).is_valid().to_numpy(zero_copy_only=False) for name in names], axis=1)
    if nobody is not None:
        there[nobody.to_numpy(zero_copy_only=False)] = False
    rows, fields = np.nonzero(there)
    values = pa.concat_arrays([column.field(name) for name in names]).take(fields * len(column) + rows)
    return _begins(there.sum(axis=1)), pa.array(names, pa.string()).take(fields), values


def floats_of_32_bits(numbers: pa.Array) -> npt.NDArray[np.float32]:
    """Numbers as floats of 32 bits; infinite where they are too large."""
    import numpy as np

    with np.errstate(over="ignore"):
        return cast("npt.NDArray[np.float32]", numbers.to_numpy(zero_copy_only=False).astype(np.float32, copy=False))


def is_number(kind: pa.DataType) -> bool:
    """Whether numpy has numbers of an Arrow type."""
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
