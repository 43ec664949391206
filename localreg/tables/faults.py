"""What does not fit in a column, and where: found for whole columns at once, told one value at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Rows = npt.NDArray[np.int64]

__all__ = ["Fault", "first_fault"]

LONGEST = 200
"""Characters of a value that a message shows."""


@dataclass(frozen=True, eq=False)
class Fault:
    """Values of one field that break one rule.

    Attributes:
        rows: in which rows they stand, int64, ascending; a row several times if several of its values break it.
        path: of the field, such as `inference.boxes[].score`.
        values: the values themselves, one for each of `rows`; None where nothing is there.
        wanted: what must be, as in `it must be a finite number`.
    """

    rows: Rows
    path: str
    values: pa.Array | None
    wanted: str

    def told(self, number: int = 0) -> str:
        """One of them in words."""
        if self.values is None:
            return f"{self.path} is missing; it must {self.wanted}"
        return f"{self.path} is {_shown(self.values[number])}; it must {self.wanted}"


def _shown(value: pa.Scalar) -> str:
    """A value of any column, in short: there are some that Python has no object for."""
    try:
        text = repr(value.as_py())
    except (ValueError, ArithmeticError):
        return f"a {value.type} that Python has no value for"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def first_fault(faults: Iterable[Fault]) -> Fault | None:
    """The one that stands in the first row; of several in that row the one that was found first."""
    return min(faults, key=lambda fault: int(fault.rows[0]), default=None)
