"""Rows of a suite that are not independent of each other: of one patient, one video, one site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from localreg.compare.slices import NO_VALUE, sliced
from localreg.compare.suite_rows import SuiteRows
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import shown_value
from localreg.session import Session

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Clusters", "Sampling", "check_draws", "check_group_by", "clustered"]

LEAST_DRAWS, MOST_DRAWS = 100, 1_000_000
"""Fewer give no interval; more take hours, and tell nothing new."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of an expression.

    Attributes:
        by: the expression.
        codes: of each row of the suite, the number of its cluster.
        count: how many there are.
        empty: whether no row has a value, so that each sample is a cluster of its own.
    """

    by: str
    codes: npt.NDArray[np.int64]
    count: int
    empty: bool = False

    def of_rows(self, rows: npt.NDArray[np.int64]) -> Clusters:
        """The clusters of some rows, by the same numbers."""
        return replace(self, codes=self.codes[rows])


@dataclass(frozen=True, eq=False)
class Sampling:
    """How samples are taken to have come, and what intervals are made by.

    Attributes:
        clusters: came together; None = each sample for itself.
        draws: of the bootstrap; None = closed forms.
    """

    clusters: Clusters | None = None
    draws: int | None = None


def check_group_by(by: object) -> str | None:
    """An expression as it is passed.

    Raises:
        InvalidInputError: it is no text.
    """
    if by is None:
        return None
    if not isinstance(by, str) or not by.strip():
        raise InvalidInputError(f"group_by is {shown_value(by)}; it must be an SQL expression, as metadata.patient")
    return by


def check_draws(draws: object) -> int | None:
    """A number of draws as it is passed.

    Raises:
        InvalidInputError: it is no whole number, or too few.
    """
    if draws is None:
        return None
    if not isinstance(draws, int) or isinstance(draws, bool) or not LEAST_DRAWS <= draws <= MOST_DRAWS:
        raise InvalidInputError(
            f"bootstrap is {shown_value(draws)}; it must be a number of draws, {LEAST_DRAWS} to {MOST_DRAWS:,}, as 2000"
        )
    return draws


def clustered(session: Session, state: State, rows: SuiteRows, by: str) -> Clusters:
    """Put the rows into clusters by the value of an expression; a sample without a value is a cluster of its own.

    Args:
        session: where the suite lies.
        state: as of which commit.
        rows: of the suite.
        by: as for slices; it may have any number of values.

    Raises:
        InvalidInputError: see `localreg.query.strata`.
    """
    import numpy as np

    slices = sliced(session, state, rows, by, bins=None)
    codes = slices.codes.astype(np.int64)
    if slices.names and slices.names[-1] == NO_VALUE:
        alone = codes == len(slices.names) - 1
        codes[alone] = len(slices.names) + rows.indices[alone]
    distinct, codes = np.unique(codes, return_inverse=True)
    return Clusters(by, codes.astype(np.int64), len(distinct), slices.empty)
