"""What became of the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from localreg.errors import InvalidInputError
from localreg.names import amount
from localreg.tables import Fault

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]

__all__ = ["BulkReport", "Leftovers", "OnInvalid", "RowFault", "check_on_invalid"]

OnInvalid = Literal["raise", "skip"]

TOLD = 1_000
"""Rows that are left out are told one by one up to here, and counted beyond."""


@dataclass(frozen=True)
class RowFault:
    """A row that was left out.

    Attributes:
        row: its number in the table, from 0.
        reason: why.
    """

    row: int
    reason: str


@dataclass(frozen=True)
class BulkReport:
    """What became of the rows of a table.

    Attributes:
        rows: how many there were.
        stored: rows that are in the registry now and were not before.
        unchanged: rows that were there already, and the same.
        replaced: rows that took the place of others.
        invalid: rows that were left out since a value cannot be stored.
        unknown: rows that were left out since their sample is not known.
        lacking: rows that were left out since they have no value, and a column `status`, as exports have it, says
            `error` or `missing`.
        faults: the first 1,000 of the rows that were left out, in order.
        unused_columns: columns of the table that stand for no field.
    """

    rows: int = 0
    stored: int = 0
    unchanged: int = 0
    replaced: int = 0
    invalid: int = 0
    unknown: int = 0
    lacking: int = 0
    faults: tuple[RowFault, ...] = ()
    unused_columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        counts = [
            f"{count:,} {what}"
            for count, what in (
                (self.stored, "stored"),
                (self.replaced, "replaced"),
                (self.unchanged, "there already"),
                (self.invalid, "left out as invalid"),
                (self.unknown, "left out, of unknown samples"),
                (self.lacking, "left out, without an inference"),
            )
            if count
        ]
        text = f"{amount(self.rows, 'row')}: {', '.join(counts) or 'nothing to store'}"
        if self.unused_columns:
            text += f"; columns not used: {', '.join(self.unused_columns)}"
        return text

    def __repr__(self) -> str:
        return f"<BulkReport: {self}>"


class Leftovers:
    """Collects the rows that are left out.

    Args:
        what: is read, for messages.
        on_invalid: whether the first invalid row ends it all.
    """

    def __init__(self, what: str, on_invalid: OnInvalid) -> None:
        self._what = what
        self._on_invalid = on_invalid
        self.invalid = 0
        self.faults: list[RowFault] = []

    def leave_out(self, faults: Iterable[Fault], first_row: int) -> Rows:
        """The rows of a batch that have a fault, ascending.

        Raises:
            InvalidInputError: there is one, and it is not to be left out; the first row is told, and how many more.
        """
        import numpy as np

        found = list(faults)
        if not found:
            return np.empty(0, np.int64)
        rows = np.unique(np.concatenate([fault.rows for fault in found]))
        reasons = _reasons(found, rows[:TOLD])
        if self._on_invalid == "raise":
            more = f" ({len(rows) - 1:,} more in the rows up to there)" if len(rows) > 1 else ""
            raise InvalidInputError(
                f"row {first_row + int(rows[0])} of {self._what}: {reasons[0]}{more}; mend it, or pass "
                "on_invalid='skip' to leave such rows out"
            )
        self.invalid += len(rows)
        self.tell(first_row + rows[:TOLD], reasons)
        return rows

    def double(self, rows: Rows, reasons: list[str], count: int) -> None:
        """Leave out rows whose sample stands in an earlier one.

        Raises:
            InvalidInputError: they are not to be left out.
        """
        if self._on_invalid == "raise":
            more = f" ({count - 1:,} more such rows up to there)" if count > 1 else ""
            raise InvalidInputError(
                f"row {int(rows[0])} of {self._what}: {reasons[0]}{more}; leave one out, or pass on_invalid='skip' to "
                "take the first"
            )
        self.invalid += count
        self.tell(rows, reasons)

    def tell(self, rows: Rows, reasons: Iterable[str]) -> None:
        """Note why rows are left out, as long as there is room."""
        for row, reason in zip(rows.tolist(), reasons, strict=False):
            if len(self.faults) >= TOLD:
                break
            self.faults.append(RowFault(row, reason))


def _reasons(faults: list[Fault], rows: Rows) -> list[str]:
    """Why each row is left out: its first fault."""
    import numpy as np

    told: dict[int, str] = {}
    wanted = set(rows.tolist())
    for fault in faults:
        distinct, numbers = np.unique(fault.rows, return_index=True)
        for row, number in zip(distinct[:TOLD].tolist(), numbers[:TOLD].tolist(), strict=True):
            if row in wanted:
                told.setdefault(row, fault.told(number))
    return [told.get(row, "several faults") for row in rows.tolist()]


def check_on_invalid(value: object) -> OnInvalid:
    """Refuse anything but the two words."""
    if value not in ("raise", "skip"):
        raise InvalidInputError(f"on_invalid is {value!r}; it must be 'raise' or 'skip'")
    return "raise" if value == "raise" else "skip"
