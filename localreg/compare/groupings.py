"""Which units a row of the suite counts for: the whole, a test case, slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.units import WHOLE, Unit

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]

__all__ = ["Grouping", "groupings"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Rows in groups, of which units are made: a row is in one group, and a group may belong to several units.

    Attributes:
        codes: of each row, the number of its group.
        count: how many groups there are.
        units: the groups of each unit.
    """

    codes: Codes
    count: int
    units: dict[Unit, tuple[int, ...]]


def groupings(rows: SuiteRows, once: npt.NDArray[np.bool_] | None, slices: Sequence[Slices]) -> list[Grouping]:
    """The suite, its test cases and its slices, in as few passes over the rows as will do.

    Args:
        rows: of the suite.
        once: those that count in its total, and in slices of it; None = all.
        slices: of the rows.
    """
    made = [_by_slice(each, once) for each in slices]
    if not made or once is not None or len(rows.ends) > 1:
        return [_by_case(rows, once), *made]
    every = tuple(range(made[0].count))
    only = {WHOLE: every, Unit(rows.case_names[0]): every}
    return [Grouping(made[0].codes, made[0].count, {**only, **made[0].units}), *made[1:]]


def _by_case(rows: SuiteRows, once: npt.NDArray[np.bool_] | None) -> Grouping:
    """Each test case in two groups: rows that count in the suite's total, and those that repeat one."""
    import numpy as np

    cases = len(rows.ends)
    sizes = np.diff(rows.ends, prepend=0)
    numbers: Codes = np.arange(cases).astype(np.int16 if cases < 2**14 else np.int32)
    codes: Codes = np.repeat(2 * numbers, sizes)
    if once is not None:
        codes = codes + ~once
    units = {WHOLE: tuple(range(0, 2 * cases, 2))}
    units |= {Unit(name): (2 * case, 2 * case + 1) for case, name in enumerate(rows.case_names)}
    return Grouping(codes, 2 * cases, units)


def _by_slice(slices: Slices, once: npt.NDArray[np.bool_] | None) -> Grouping:
    import numpy as np

    names = slices.names
    codes = slices.codes if once is None else np.where(once, slices.codes, len(names)).astype(slices.codes.dtype)
    return Grouping(codes, len(names) + 1, {Unit(by=slices.by, slice=name): (n,) for n, name in enumerate(names)})
