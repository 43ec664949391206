"""Precision, recall, F1 and specificity of each class, of two models on the same samples.

All that they depend on is for each class a table of 2 x 2 x 2 counts: is it the truth, does a say so, does b. The
standard error of a difference is that of the delta method on this table, smoothed: `SMOOTHING` is added to each cell,
so that a class on which the models never differed in a handful of samples does not pass for one on which they never
will. The interval stands around the smoothed difference. For recall that is the interval of A. Agresti and Y. Min,
Statistics in Medicine 24 (2005) 729, within the class; it is carried over to the other metrics. 0.25, or an interval
around the plain difference, covers as little as 72 % (`tests/simulations`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from localreg.statistics.marginals import counted
from localreg.statistics.proportions import f1_interval, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from localreg.statistics.joint import JointCounts

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["PER_CLASS", "ClassTables", "quotients"]

PER_CLASS = ("precision", "recall", "f1", "specificity")
SMOOTHING = 0.5


def quotients(hits: Floats, support: Floats, predicted: Floats, n: float) -> dict[str, tuple[Floats, Floats]]:
    """Each of `PER_CLASS` as numerator and denominator; of a denominator 0 the metric is undefined."""
    negatives = n - support
    return {
        "precision": (hits, predicted),
        "recall": (hits, support),
        "f1": (2 * hits, support + predicted),
        "specificity": (negatives - predicted + hits, negatives),
    }


@dataclass(frozen=True, eq=False)
class ClassTables:
    """Counts by class.

    Attributes:
        cells: int64 (2, 2, 2, classes): is the class the truth, does a say so, does b; 1 = yes. float64 if smoothed.
    """

    cells: Ints | Floats

    @classmethod
    def of(cls, joint: JointCounts) -> ClassTables:
        """From joint counts; clusters do not matter here."""
        import numpy as np

        truth, a, b, weights, width = joint.truth, joint.a, joint.b, joint.count.astype(np.float64), joint.classes
        right_a, right_b, agree = truth == a, truth == b, a == b

        def those(classes: Ints, which: NDArray[np.bool_]) -> Floats:
            return counted(classes, weights * which, width + 1)[:width]

        cells = np.zeros((2, 2, 2, width))
        cells[1, 1, 1] = those(truth, right_a & right_b)
        cells[1, 1, 0] = those(truth, right_a & ~right_b)
        cells[1, 0, 1] = those(truth, ~right_a & right_b)
        cells[1, 0, 0] = those(truth, ~right_a & ~right_b)
        cells[0, 1, 1] = those(a, ~right_a & agree)
        cells[0, 1, 0] = those(a, ~right_a & ~agree)
        cells[0, 0, 1] = those(b, ~right_b & ~agree)
        cells[0, 0, 0] = weights.sum() - cells.sum(axis=(0, 1, 2))
        return cls(cells.astype(np.int64))

    def marginals(self, model: int) -> tuple[Floats, Floats, Floats]:
        """Hits, support and predictions of a (0) or b (1), each (classes,)."""
        import numpy as np

        cells = self.cells.astype(np.float64)
        said = cells[:, 1] if model == 0 else cells[:, :, 1]
        return said[1].sum(axis=0), cells[1].sum(axis=(0, 1)), said.sum(axis=(0, 1))

    @property
    def n(self) -> float:
        """Samples."""
        return float(self.cells[..., 0].sum()) if self.cells.shape[-1] else 0.0

    def values(self, model: int) -> dict[str, Floats]:
        """Each of `PER_CLASS` of a (0) or b (1), (classes,); NaN = undefined."""
        import numpy as np

        found = quotients(*self.marginals(model), self.n)
        values = {
            metric: np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
            for metric, (above, below) in found.items()
        }
        return {**values, "precision": np.where(self.never_said(model), 0.0, values["precision"])}

    def never_said(self, model: int) -> Bools:
        """Bool (classes,): the class has truth, and a (0) or b (1) never says it: its precision is 0 by convention."""
        _, support, predicted = self.marginals(model)
        never: Bools = (predicted == 0) & (support > 0)
        return never

    def sizes(self) -> dict[str, Ints]:
        """Samples that each of `PER_CLASS` is made of, (classes,): of one model twice, what precision is a share of."""
        support = self.cells[1].sum(axis=(0, 1))
        said = self.n - self.cells[:, 0, 0].sum(axis=0)
        touched = self.n - self.cells[0, 0, 0]
        return {"precision": said, "recall": support, "f1": touched, "specificity": self.n - support}

    def discordant(self) -> dict[str, tuple[Ints, Ints]]:
        """Samples that only b, and that only a gets right, of metrics that are shares of the same samples of both."""
        return {
            "recall": (self.cells[1, 0, 1], self.cells[1, 1, 0]),
            "specificity": (self.cells[0, 1, 0], self.cells[0, 0, 1]),
        }

    def smoothed(self, smoothing: float = SMOOTHING) -> ClassTables:
        """The tables with something in each cell, float64."""
        import numpy as np

        return ClassTables(self.cells.astype(np.float64) + smoothing)

    def variances(self) -> dict[str, Floats]:
        """Of the difference b - a of each of `PER_CLASS`, (classes,), by the delta method; of smoothed tables."""
        import numpy as np

        cells = self.cells
        models = [quotients(*self.marginals(model), self.n) for model in (0, 1)]
        found = {metric: np.zeros(cells.shape[-1]) for metric in PER_CLASS}
        for truth, a, b in product((0, 1), repeat=3):
            for metric in PER_CLASS:
                influence = [
                    (_above(metric, truth, said) - above / below * _below(metric, truth, said)) / below
                    for said, (above, below) in zip((a, b), (each[metric] for each in models), strict=True)
                ]
                found[metric] += cells[truth, a, b] * (influence[1] - influence[0]) ** 2
        return found

    def intervals(self, model: int, z: float) -> dict[str, tuple[Floats, Floats]]:
        """Of the values of a (0) or b (1) by themselves: Wilson's, and for F1 what follows from it."""
        hits, support, predicted = self.marginals(model)
        found = quotients(hits, support, predicted, self.n)
        intervals = {metric: wilson_interval(*found[metric], z) for metric in ("precision", "recall", "specificity")}
        return {**intervals, "f1": f1_interval(hits, support + predicted - 2 * hits, z)}


def _above(metric: str, truth: int, said: int) -> int:
    """What a sample adds to the numerator."""
    hit = truth * said
    return {"precision": hit, "recall": hit, "f1": 2 * hit, "specificity": (1 - truth) * (1 - said)}[metric]


def _below(metric: str, truth: int, said: int) -> int:
    """What a sample adds to the denominator."""
    return {"precision": said, "recall": truth, "f1": truth + said, "specificity": 1 - truth}[metric]
