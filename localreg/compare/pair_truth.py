"""The pairs of a suite for verification 1:1: which are genuine, and which help to set thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localreg.compare.clusters import Sampling
from localreg.compare.suite_rows import SuiteRows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["PairTruth"]


@dataclass(frozen=True, eq=False)
class PairTruth:
    """The suite's pairs, each (sample, ground truth) once.

    Attributes:
        first: of each pair, a row of the suite.
        place: of each row, its pair.
        genuine: whether a pair is; False where that is not known.
        known: whether it is known.
        base: whether its score helps to set thresholds, if it is an impostor's.
        groups: of each pair, its cluster; None = each for itself.
    """

    first: Indices
    place: Indices
    genuine: Bools
    known: Bools
    base: Bools
    groups: Indices | None

    @staticmethod
    def of(rows: SuiteRows, truth: Floats, base: Bools | None, sampling: Sampling) -> PairTruth:
        """From the rows of a suite.

        Args:
            rows: of the suite.
            truth: of each row 1 = genuine, 0 = not; NaN = not known.
            base: rows that set thresholds; None = all.
            sampling: of the suite.
        """
        import numpy as np

        key = rows.indices.astype(np.int64) * 3 + np.where(np.isnan(truth), 2, truth).astype(np.int64)
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        helps = np.ones(len(first), bool)
        if base is not None:
            helps = np.bincount(place, base, minlength=len(first)) > 0
        clusters = sampling.clusters
        groups = None if clusters is None else clusters.codes[first]
        return PairTruth(first, place, truth[first] == 1, ~np.isnan(truth[first]), helps, groups)
