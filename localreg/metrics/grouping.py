"""Any metric, for each group of samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar, cast

from localreg.metrics.coding import codes_of
from localreg.metrics.reading import Column, check_lengths, column_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["per_group"]

T = TypeVar("T")


def per_group(groups: Column, metric: Callable[..., T], *columns: Column) -> dict[Hashable, T]:
    """A metric of each group alone: `per_group(ethnicity, equal_error_rate, is_same, scores)`.

    Args:
        groups: (n,) the group of each sample; None = a group of its own, the last.
        metric: a function of columns; give it options with a lambda or `functools.partial`.
        *columns: (n,) each, what it takes.

    Returns:
        By group, in the order of the groups.

    Raises:
        InvalidInputError: lengths differ, groups do not compare, or what the metric raises.
    """
    import numpy as np

    codes = codes_of({"groups": groups}, required=())
    places = codes.columns[0]
    read = {f"column {number}": column_of(column, f"column {number}") for number, column in enumerate(columns, 1)}
    check_lengths(groups=places, **read)
    found: dict[Hashable, T] = {}
    order = np.argsort(np.where(places < 0, len(codes.labels), places), kind="stable")
    ends = np.cumsum(np.bincount(np.where(places < 0, len(codes.labels), places), minlength=len(codes.labels) + 1))
    for label, begin, end in zip([*codes.labels, None], [0, *ends], ends, strict=False):
        if begin < end:
            rows = order[begin:end]
            found[label] = metric(*[cast(Column, _taken(column, rows)) for column in read.values()])
    return found


def _taken(column: np.ndarray | pa.Array, rows: np.ndarray) -> np.ndarray | pa.Array:
    import numpy as np

    return column[rows] if isinstance(column, np.ndarray) else column.take(rows)
