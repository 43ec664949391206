"""What must hold of annotations beyond their types, checked on whole columns when they are written."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError
from localreg.tables.hints import hints_of, peeled
from localreg.workflow.annotation import ClassificationLabel

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["refuse_bad_labels"]


def refuse_bad_labels(column: pa.Array, cls: type, *, named: Callable[[int], str]) -> None:
    """Refuse blank labels and scores that are NaN or infinite, wherever annotations stand in a column.

    A score has no range: the decision function of a classifier may give any finite number.

    Args:
        column: objects of `cls`, as `struct_column` makes it.
        cls: their class.
        named: says for the message which the n-th object is.

    Raises:
        InvalidInputError: the first object with such a value, and its field, are named.
    """
    import numpy as np

    fault = min(_faults(column, cls, cls.__name__, np.arange(len(column))), default=None)
    if fault is not None:
        row, what = fault
        raise InvalidInputError(f"{named(row)}: {what}")


def _faults(array: pa.Array, hint: Any, path: str, rows: np.ndarray) -> Iterator[tuple[int, str]]:
    """The first fault of each field, with the row that it stands in; `rows` says where each value stands."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(array.type):
        item = next(iter(typing.get_args(peeled(hint)[0])), None)
        yield from _faults(array.flatten(), item, f"{path}[]", rows[pc.list_parent_indices(array).to_numpy()])
    cls = peeled(hint)[0]
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls) and pa.types.is_struct(array.type)):
        return
    hints = hints_of(cls)
    for field in array.type:
        values = pc.struct_field(array, field.name)
        if issubclass(cls, ClassificationLabel):
            yield from _first(_is_bad(values, field.name), values, f"{path}.{field.name}", rows)
        if field.name in hints:
            yield from _faults(values, hints[field.name], f"{path}.{field.name}", rows)


def _is_bad(values: pa.Array, name: str) -> pa.Array | None:
    import pyarrow.compute as pc

    if name == "label":
        return pc.equal(pc.utf8_trim_whitespace(values), "")
    return pc.invert(pc.is_finite(values)) if name == "score" else None


def _first(bad: pa.Array | None, values: pa.Array, path: str, rows: np.ndarray) -> Iterator[tuple[int, str]]:
    import pyarrow.compute as pc

    number = -1 if bad is None else pc.index(bad, True).as_py()
    if number >= 0:
        wanted = "not be blank" if path.endswith("label") else "be a finite number"
        yield int(rows[number]), f"{path} is {values[number].as_py()!r}; it must {wanted}"
