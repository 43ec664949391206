"""Similarity of embeddings, pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.metrics.reading import table_of

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
    xy, xx, yy = _products(left, right)
    with np.errstate(all="ignore"):
        found: np.ndarray = np.clip(xy / (np.sqrt(xx) * np.sqrt(yy)), -1, 1)
    least = np.finfo(dtype).tiny / np.finfo(dtype).eps  # below, squares of what matters may have underflowed
    plain = (np.minimum(xx, yy) >= least) & (np.maximum(xx, yy) < np.inf)  # neither is NaN
    if not plain.all():
        odd = np.flatnonzero(~plain)
        found[odd] = _carefully(left[odd], right[odd], odd)
    return found


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(3, n): of each pair the product, and the square of either side."""
    import numpy as np

    found = np.empty((3, len(left)), left.dtype)
    rows = max(1, BLOCK // max(1, left.shape[1]))

    with np.errstate(all="ignore"):
        for begin in range(0, len(left), rows):
            here = slice(begin, begin + rows)
            x, y = left[here], right[here]
            _dots(x, y, found[0, here])
            _dots(x, x, found[1, here])
            _dots(y, y, found[2, here])
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


def _dots(x: np.ndarray, y: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    import numpy as np

    if hasattr(np, "vecdot"):  # from numpy 2.0, by BLAS: half the time
        return np.asarray(np.vecdot(x, y, out=out))
    return np.asarray(np.einsum("ij,ij->i", x, y, out=out))


def _table(values: ArrayLike, what: str) -> np.ndarray:
    import numpy as np

    try:
        table = table_of(values, what)
        table = table if table.dtype == np.float32 else table.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{what} is no table of numbers; it must be (n, d): {error}") from error
    if table.ndim != 2:
        raise InvalidInputError(f"{what} has shape {table.shape}; it must be (n, d)")
    return table
