"""Similarity of embeddings, pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

__all__ = ["cosine_similarity"]

BLOCK = 1 << 17
"""Numbers of each side that are taken at once: what is read from memory for the product is still near for the norms."""


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """The cosine of the angle between the vectors of each pair: row by row, not all with all.

    Args:
        a: (n, d) finite numbers.
        b: (n, d) finite numbers.

    Returns:
        (n,) in [-1, 1]; float32 if both sides are (to some 1e-6), else float64. NaN where a vector is zero, which has
        no direction: such a pair has no similarity, and the metrics of this package refuse it until it is left out.

    Raises:
        InvalidInputError: shapes differ, or a number is NaN or infinite; the row is named.
    """
    import numpy as np

    left, right = _table(a, "a"), _table(b, "b")
    if left.shape != right.shape:
        raise InvalidInputError(f"a has shape {left.shape} and b {right.shape}; both must be (n, d)")
    dtype = np.result_type(left.dtype, right.dtype)
    left, right = left.astype(dtype, copy=False), right.astype(dtype, copy=False)
    found = np.empty(len(left), dtype)
    rows = max(1, BLOCK // max(1, left.shape[1]))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        for begin in range(0, len(left), rows):
            x, y = left[begin : begin + rows], right[begin : begin + rows]
            np.divide(_dots(x, y), np.sqrt(_dots(x, x)) * np.sqrt(_dots(y, y)), out=found[begin : begin + rows])
    odd = np.flatnonzero(~(np.abs(found) <= 1))  # NaN, too: zero, or its square over- or underflowed, or it was rounded
    if len(odd):
        found[odd] = _carefully(left[odd], right[odd], odd)
    return found


def _carefully(left: np.ndarray, right: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """In double precision, each vector scaled by its largest number."""
    import numpy as np

    sides = []
    for what, side in (("a", left), ("b", right)):
        wide = side.astype(np.float64)
        largest = np.abs(wide).max(axis=1, initial=0.0)
        if not np.isfinite(largest).all():
            row = int(rows[int((~np.isfinite(largest)).argmax())])
            raise InvalidInputError(f"{what} is NaN or infinite in row {row}; numbers must be finite")
        sides.append(wide / np.where(largest > 0, largest, np.nan)[:, None])
    x, y = sides
    if not x.shape[1]:
        return np.full(len(x), np.nan)
    return np.asarray(np.clip(_dots(x, y) / np.sqrt(_dots(x, x) * _dots(y, y)), -1, 1))


def _dots(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    import numpy as np

    if hasattr(np, "vecdot"):  # from numpy 2.0, by BLAS: half the time
        return np.asarray(np.vecdot(x, y))
    return np.asarray(np.einsum("ij,ij->i", x, y))


def _table(values: ArrayLike, what: str) -> np.ndarray:
    import numpy as np

    try:
        table = np.asarray(values)
        table = table if table.dtype == np.float32 else table.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} is no table of numbers; it must be (n, d): {error}") from error
    if table.ndim != 2:
        raise InvalidInputError(f"{what} has shape {table.shape}; it must be (n, d)")
    return table
