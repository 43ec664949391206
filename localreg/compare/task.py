"""What a kind of inference must know to be compared: where its numbers come from, and which metrics there are.

`comparing` asks a task for a pair of models at a time, and the pair for estimates of the suite, its test cases and its
slices; verdicts, warnings and everything that is shown do not depend on the task.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from localreg.compare.coverage import Coverage
from localreg.compare.slices import Slices
from localreg.compare.units import Unit
from localreg.statistics import Estimate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["OUTCOMES", "Measured", "Pair", "Task"]

OUTCOMES = ("other", "both_wrong", "broken", "fixed", "both_right")
"""Outcomes by number: 1 + 2 x (the candidate is right) + (the baseline is right), 0 where nothing was compared."""


class Measured(NamedTuple):
    """A metric of two models on a unit.

    Attributes:
        estimate: its values, their difference, and how sure that is.
        label: the class that it is of; None = of all.
        fixed: rows that only the candidate gets right; None where right and wrong do not exist.
        broken: rows that only the baseline gets right.
    """

    estimate: Estimate
    label: str | None = None
    fixed: int | None = None
    broken: int | None = None


class Pair(Protocol):
    """Baseline and a candidate on the suite."""

    @property
    def units(self) -> list[Unit]:
        """What there are estimates of: the suite first, then test cases, then slices."""

    @property
    def only_case(self) -> Unit | None:
        """The suite's test case, if there is only one: all that is true of it is true of the suite."""

    @property
    def unlabelled(self) -> int:
        """How many rows of the suite say nothing of either model: their ground truth does not say what is right."""

    def silent(self) -> tuple[int, int]:
        """How many inferences of baseline and candidate say nothing that could be compared, and are left out."""

    def remarks(self) -> Sequence[str]:
        """What the types allow and is hardly meant, one line each, of `model a` and `model b`."""

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""

    def n(self, unit: Unit) -> int:
        """How many rows of a unit are compared."""

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of a unit, in the order asked for; those of classes come for each class."""


class Task(Protocol):
    """One kind of inference, with a baseline that others are compared with."""

    @property
    def name(self) -> str:
        """Such as `classification`."""

    @property
    def truth_is(self) -> str:
        """What a ground truth must have to be compared with, such as `a label`."""

    @property
    def said_is(self) -> str:
        """What an inference must have: mostly the same."""

    @property
    def strictly(self) -> str:
        """What is done, where asked to be strict, with a sample that has no inference: `counted as wrong`."""

    @property
    def metrics(self) -> Sequence[str]:
        """All that there are."""

    @property
    def default(self) -> Sequence[str]:
        """Those that are told if none are named; the first one decides."""

    @property
    def of_classes(self) -> Collection[str]:
        """Those that are of single classes, and told for the whole suite only."""

    @property
    def lower_is_better(self) -> Collection[str]:
        """Those of which less is more."""

    @property
    def undirected(self) -> Collection[str]:
        """Those of which neither more nor less is better: they are told to be different, and no more."""

    @property
    def columns(self) -> Collection[str]:
        """What columns of `shown` may be called."""

    @property
    def once(self) -> npt.NDArray[np.bool_] | None:
        """Rows that count in the suite's total; None = all of them."""

    def twice(self) -> int:
        """How many samples have two different ground truths."""

    def pair(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> Pair:
        """Baseline and candidate.

        Args:
            candidate: id of the model version.
            slices: of the suite's rows.
            strict: take samples without an inference as wrong, instead of leaving them out.
        """

    def outcomes(self, candidate: str, *, strict: bool) -> npt.NDArray[np.int8] | None:
        """What became of each row, as places in `OUTCOMES`; None where right and wrong do not exist."""

    def shown(self, candidate: str, rows: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
        """What is listed of some rows beside their samples, by the name of the column."""
