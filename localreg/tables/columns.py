"""Objects ↔ whole columns of them, with the first value that does not fit named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.garbage import without_collector
from localreg.tables.codecs import StructCodec
from localreg.tables.plain_codecs import MisfitError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["objects_of", "struct_column"]


def struct_column(
    values: Sequence[object], codec: StructCodec, *, what: str, named: Callable[[int], str] | None = None
) -> pa.Array:
    """Objects as one column.

    Args:
        values: objects of the codec's class; None where there is none.
        codec: what turns them into a column.
        what: what the values are, for messages.
        named: says for a message which the n-th value is, such as `test_samples[4]`.

    Raises:
        InvalidInputError: a value is not of its field's type; the field and the first such value are named.
    """
    absent = sum(value is None for value in values)
    try:
        with without_collector():
            return codec.encode(values, what, absent)
    except MisfitError as misfit:
        number, first = _first_misfit(values, codec, what) or (0, misfit)
        raise InvalidInputError(f"{named(number) if named else f'number {number}'}: {first}") from first.__cause__


def _first_misfit(values: Sequence[object], codec: StructCodec, what: str) -> tuple[int, MisfitError] | None:
    """The first value that cannot be stored: looked for one by one, once it is known that there is one."""
    for number, value in enumerate(values):
        try:
            codec.encode([value], what, int(value is None))
        except MisfitError as misfit:
            return number, misfit
    return None


def objects_of(column: pa.Array | pa.ChunkedArray, codec: StructCodec, **beside: Sequence[object]) -> list[Any]:
    """The objects that a column holds, None where there is none.

    Args:
        column: as `struct_column` makes it; fields that it lacks have their defaults.
        codec: what it was made with, or one of a wider or narrower class.
        beside: further fields, one value for each row.
    """
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    made: list[Any] = []
    with without_collector():
        for chunk in chunks:
            begin, end = len(made), len(made) + len(chunk)
            made += codec.decode(chunk, **{name: values[begin:end] for name, values in beside.items()})
    return made
