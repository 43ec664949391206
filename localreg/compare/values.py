"""Regression: one number in the ground truth, one in the inference."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from localreg.compare.clusters import Sampling
from localreg.compare.coverage import Coverage
from localreg.compare.groupings import Grouping, groupings
from localreg.compare.predictions import ERROR, MISSING, SKIPPED, Predicted, predicted_numbers
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.session import Session
from localreg.statistics.values import LOWER_IS_BETTER, UNDIRECTED, VALUE_METRICS, compare_values

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["RowsOfUnits", "ValuePair", "Values", "coverage_of"]

DEFAULT = (
    "mean_absolute_error",
    "root_mean_squared_error",
    "r2",
    "median_absolute_error",
    "mean_absolute_percentage_error",
    "mean_bias",
    "pearson",
    "spearman",
    "mean_squared_error",
)


MOST_CLASSES = 20
"""Different whole numbers that may be classes."""


class Values:
    """Reads numbers, row by row of the suite; see `localreg.compare.task.Task`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        truth: where the number stands in the ground truth.
        said: where it stands in the inference.
        sampling: of the suite.
    """

    name = "regression"
    truth_is = "a number"
    said_is = truth_is
    strictly = "counted as wrong"
    metrics: Sequence[str] = VALUE_METRICS
    default: Sequence[str] = DEFAULT
    of_classes: Collection[str] = ()
    lower_is_better: Collection[str] = LOWER_IS_BETTER
    undirected: Collection[str] = UNDIRECTED
    columns = ("ground_truth", "a", "b", "error_a", "error_b")

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        baseline: str,
        *,
        truth: Sequence[str],
        said: Sequence[str],
        sampling: Sampling,
    ) -> None:
        self._session = session
        self._state = state
        self._rows = rows
        self._path = said
        self._sampling = sampling
        self._version = baseline
        self._truth = rows.true_numbers(truth)
        self.once = rows.once(self._truth)
        self._baseline = self._predicted(baseline)

    def _predicted(self, version_id: str) -> Predicted:
        return predicted_numbers(self._session, self._state, version_id, self._path, self._rows.span)

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        return self._rows.repeated(self.once)

    def outcomes(self, candidate: str, *, strict: bool) -> None:
        """None: a number is near or far, and not right or wrong."""

    def shown(self, candidate: str, rows: Indices) -> dict[str, pa.Array]:
        """Numbers and errors of some rows."""
        import pyarrow as pa

        indices, truth = self._rows.indices[rows], self._truth[rows]
        said = {"a": self._baseline.values[indices], "b": self._predicted(candidate).values[indices]}
        columns = {"ground_truth": truth, **said, **{f"error_{name}": each - truth for name, each in said.items()}}
        return {name: pa.array(each, pa.float64(), from_pandas=True) for name, each in columns.items()}  # NaN = null

    def pair(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> ValuePair:
        """Baseline and candidate.

        Raises:
            InvalidInputError: `strict`, and there are samples without an inference, of which nothing can be made.
        """
        models = self._baseline, self._baseline if candidate == self._version else self._predicted(candidate)
        pair = ValuePair(self._rows, self._truth, models, groupings(self._rows, self.once, slices), self._sampling)
        if strict and any(each.gaps for each in pair.coverage()):
            raise InvalidInputError(
                "strict counts a sample without an inference as wrong, and a number is not right or wrong; pass "
                "strict=False, and look at .coverage for how many there are"
            )
        return pair


class ValuePair:
    """Two models' numbers.

    Args:
        rows: of the suite.
        truth: of each row.
        models: what they say of each sample.
        groups: of the rows.
        sampling: of the suite.
    """

    def __init__(
        self,
        rows: SuiteRows,
        truth: Floats,
        models: tuple[Predicted, Predicted],
        groups: Sequence[Grouping],
        sampling: Sampling,
    ) -> None:
        import numpy as np

        self._truth = truth
        self._said = [rows.of_samples(each.values) for each in models]
        self._status = [rows.of_samples(each.status) for each in models]
        self._sampling = sampling
        self._known = np.isfinite(truth)
        paired = self._known.copy()
        for each in self._said:
            paired &= np.isfinite(each)
        self._paired = paired
        self._of_units = RowsOfUnits(groups)
        self.units = self._of_units.units
        self.only_case = self._of_units.only_case

    @property
    def unlabelled(self) -> int:
        """Rows of the suite without a finite number in the ground truth."""
        return int((~self._known[self._of_units.rows(WHOLE)]).sum())

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._of_units.rows(WHOLE)
        return coverage_of(self._status[0][whole]), coverage_of(self._status[1][whole])

    def remarks(self) -> Sequence[str]:
        """Whether the numbers may be classes."""
        import numpy as np

        rows = self._compared(WHOLE)
        if not all(_is_whole(each[rows]) for each in (self._truth, *self._said)):
            return ()
        numbers = np.unique(self._truth[rows])
        if not 1 < len(numbers) <= MOST_CLASSES:
            return ()
        return [
            f"all numbers are whole, and the ground truth holds {len(numbers)} different ones: if they are classes, "
            "keep them as text or an enum, and they are compared as labels"
        ]

    def silent(self) -> tuple[int, int]:
        """Inferences of baseline and candidate that hold no finite number."""
        import numpy as np

        whole = self._of_units.rows(WHOLE)
        a, b = (
            int(((status[whole] == 0) & ~np.isfinite(said[whole])).sum())
            for status, said in zip(self._status, self._said, strict=True)
        )
        return a, b

    def _compared(self, unit: Unit) -> Indices:
        rows = self._of_units.rows(unit)
        return rows[self._paired[rows]]

    def n(self, unit: Unit) -> int:
        """How many rows of a unit are compared."""
        return len(self._compared(unit))

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of a unit; see `localreg.statistics.values.compare_values`."""
        rows, clusters = self._compared(unit), self._sampling.clusters
        a, b = (each[rows] for each in self._said)
        found = compare_values(
            self._truth[rows],
            a,
            b,
            metrics=metrics,
            groups=None if clusters is None else clusters.codes[rows],
            confidence=confidence,
            draws=self._sampling.draws,
        )
        return [Measured(each) for each in found]


class RowsOfUnits:
    """Which rows of the suite belong to which unit: rows are sorted by group, once for each grouping.

    Attributes:
        units: the suite first, then test cases, then slices that have a row.
        only_case: the suite's test case, if there is only one.
    """

    def __init__(self, groups: Sequence[Grouping]) -> None:
        import numpy as np

        self._found: dict[Unit, list[Indices]] = {}
        for grouping in groups:
            order = np.argsort(grouping.codes, kind="stable")
            edges = np.searchsorted(grouping.codes[order], np.arange(grouping.count + 1))
            for unit, numbers in grouping.units.items():
                parts = [order[edges[number] : edges[number + 1]] for number in numbers]
                if unit.by is None or any(map(len, parts)):
                    self._found[unit] = parts
        self.units = sorted(self._found, key=lambda unit: (unit.by is not None, unit.test_case is not None))
        cases = [unit for unit in self._found if unit.test_case is not None]
        self.only_case = cases[0] if len(cases) == 1 else None

    def rows(self, unit: Unit) -> Indices:
        """The rows of a unit, in order."""
        import numpy as np

        parts = self._found[unit]
        return parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))


def _is_whole(column: Floats) -> bool:
    return bool((column == column.round()).all())


def coverage_of(status: npt.NDArray[np.int8]) -> Coverage:
    """What became of rows."""
    gaps = [int((status == code).sum()) for code in (SKIPPED, ERROR, MISSING)]
    return Coverage(len(status) - sum(gaps), *gaps)
