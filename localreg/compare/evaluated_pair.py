"""What an evaluator said of two models: of samples, pair by pair; of test cases and the suite, number beside number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from localreg.compare.clusters import Sampling
from localreg.compare.coverage import Coverage
from localreg.compare.evaluations import SampleValues, differing_rows
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.compare.values import RowsOfUnits
from localreg.statistics import Estimate, compare_counts, joint_counts
from localreg.statistics.ratios import compare_ratios
from localreg.statistics.resampled import resampled
from localreg.statistics.values import compare_means
from localreg.workflow.inferences import ERROR, MISSING, OK, SKIPPED
from localreg.workflow.meaning import Meaning, Ratio

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    Statuses = npt.NDArray[np.int8]

__all__ = ["EvaluatedPair", "OfModel"]

WHY_NO_INTERVAL = "said by the evaluator as one number, which does not tell how it would vary; metrics of samples do"
OTHER_SAMPLES = "the models were evaluated on different samples: {count:,} of {rows:,} of one of them only"
NOT_SAID = "the evaluator says it of test cases only"


class OfModel(NamedTuple):
    """What an evaluator said of one model.

    Attributes:
        samples: metrics of the rows.
        status: what became of each row.
        reported: by the place of a test case (None = the suite): by metric and class.
        counted: rows that these numbers are made of.
    """

    samples: SampleValues
    status: Statuses
    reported: dict[int | None, dict[tuple[str, str | None], float]]
    counted: Bools


class EvaluatedPair:
    """What an evaluator said of two models.

    Args:
        models: both.
        units: the rows of each unit.
        kinds: of metrics of samples.
        meanings: what is known of metrics.
        inverted: booleans of which False is good.
        telling: metrics of samples that say whether one counts.
        cases: names of the test cases, by their places.
        sampling: of the suite.
    """

    only_case = None
    """What is said of a test case and of the suite may differ even where there is one only."""
    unlabelled = 0

    def __init__(
        self,
        models: tuple[OfModel, OfModel],
        units: RowsOfUnits,
        kinds: Mapping[str, str],
        meanings: Mapping[str, Meaning],
        inverted: Sequence[str],
        telling: Sequence[str],
        cases: Sequence[str],
        sampling: Sampling,
    ) -> None:
        self._models = models
        self._of_units = units
        self.units = units.units
        self._kinds = kinds
        self._meanings = meanings
        self._inverted = inverted
        self._places = {name: place for place, name in enumerate(cases)}
        self._sampling = sampling
        self._differing = differing_rows(
            [each.samples for each in models],
            [each.status for each in models],
            [each.counted for each in models],
            telling,
        )

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._of_units.rows(WHOLE)

        def of(status: Statuses) -> Coverage:
            return Coverage(*(int((status[whole] == code).sum()) for code in (OK, SKIPPED, ERROR, MISSING)))

        return of(self._models[0].status), of(self._models[1].status)

    def remarks(self) -> Sequence[str]:
        """Nothing is hardly meant here."""
        return ()

    def silent(self) -> tuple[int, int]:
        """Samples that the evaluator said nothing of, beside those that it was given as skipped."""
        whole = self._of_units.rows(WHOLE)
        a, b = (
            int(
                (((each.status == OK) & ~each.counted) | ((each.status == SKIPPED) & ~each.samples.evaluated))[
                    whole
                ].sum()
            )
            for each in self._models
        )
        return a, b

    def n(self, unit: Unit) -> int:
        """How many rows of a unit the evaluator said something of, for both models."""
        rows = self._of_units.rows(unit)
        a, b = (each.counted[rows] for each in self._models)
        return int((a & b).sum())

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of a unit: of samples, or made of these, everywhere; others where the evaluator said them."""
        found = []
        for metric in metrics:
            told = self._meanings.get(metric, Meaning())
            if metric in self._kinds:
                found.append(self._of_samples(unit, metric, metric, confidence))
            elif told.mean_of is not None:
                found.append(self._of_samples(unit, metric, told.mean_of, confidence))
            elif told.ratio is not None:
                found.append(self._of_sums(unit, metric, told.ratio, confidence))
            else:
                found += self._said(unit, metric)
        return found

    def _of_sums(self, unit: Unit, metric: str, ratio: Ratio, confidence: float) -> Measured:
        """A sum over samples as a share of another."""
        import numpy as np

        rows = self._of_units.rows(unit)
        sums = [
            np.stack([_summed(each.samples.values, side, rows) for side in (ratio.of, ratio.to)])
            for each in self._models
        ]
        both = np.isfinite(np.concatenate(sums)).all(axis=0)
        clusters = self._sampling.clusters
        found = compare_ratios(
            sums[0][:, both],
            sums[1][:, both],
            metric=metric,
            most=ratio.most,
            groups=None if clusters is None else clusters.codes[rows][both],
            confidence=confidence,
            draws=self._sampling.draws,
        )
        return Measured(found)

    def _of_samples(self, unit: Unit, metric: str, column: str, confidence: float) -> Measured:
        """The mean of a metric of samples, under its own name or another."""
        import numpy as np

        rows = self._of_units.rows(unit)
        columns = [each.samples.values.get(column) for each in self._models]
        if columns[0] is None or columns[1] is None:
            reason = "the evaluator says it of one of the models only; evaluate both anew"
            return Measured(Estimate(metric, None, *(None,) * 6, 0, reason=reason))
        a, b = (each[rows] for each in columns if each is not None)
        both = np.isfinite(a) & np.isfinite(b)
        clusters = self._sampling.clusters
        groups = None if clusters is None else clusters.codes[rows][both]
        if self._kinds[column] == "number":
            found = compare_means(
                a[both], b[both], metric=metric, groups=groups, confidence=confidence, draws=self._sampling.draws
            )
            return Measured(found)
        yes_a, yes_b = (each[both].astype(np.int64) for each in (a, b))
        joint = joint_counts(np.ones_like(yes_a), yes_a, yes_b, classes=2, groups=groups)
        counted = compare_counts(joint, metrics=["accuracy"], confidence=confidence)
        if self._sampling.draws is not None:
            counted = resampled(joint, counted, draws=self._sampling.draws, confidence=confidence)
        up, down = int((yes_b > yes_a).sum()), int((yes_a > yes_b).sum())
        fixed, broken = (down, up) if column in self._inverted else (up, down)
        return Measured(replace(counted[0], metric=metric), None, fixed, broken)

    def _said(self, unit: Unit, metric: str) -> list[Measured]:
        """A metric of test cases or the suite; of classes one after the other."""
        if unit.by is not None:
            return []
        place = None if unit.test_case is None else self._places[unit.test_case]
        a, b = (
            {label: value for (name, label), value in each.reported.get(place, {}).items() if name == metric}
            for each in self._models
        )
        labels = list(dict.fromkeys([*a, *b]))
        if not labels and unit == WHOLE:
            return [Measured(Estimate(metric, None, *(None,) * 6, self.n(unit), reason=NOT_SAID))]
        differing = self._differing[self._of_units.rows(unit)]
        return [
            Measured(_plain(metric, a.get(label), b.get(label), self.n(unit), differing), label) for label in labels
        ]


def _summed(values: Mapping[str, Floats], factors: Mapping[str, float], rows: Indices) -> Floats:
    """What the samples of some rows add to a sum; NaN where there is nothing."""
    import numpy as np

    nothing = np.full(len(rows), np.nan)
    parts = [factor * (values[name][rows] if name in values else nothing) for name, factor in factors.items()]
    return np.asarray(np.sum(parts, axis=0))


def _plain(metric: str, a: float | None, b: float | None, n: int, differing: Bools) -> Estimate:
    """Two numbers, and their difference if they are of the same samples: else a model would gain by what it skips."""
    a, b = (None if each is None or not isfinite(each) else each for each in (a, b))
    if a is None or b is None:
        missing = " and ".join(name for name, each in (("a", a), ("b", b)) if each is None)
        return Estimate(metric, None, a, b, *(None,) * 4, n, reason=f"the evaluator says no number of model {missing}")
    if differing.any():
        reason = OTHER_SAMPLES.format(count=int(differing.sum()), rows=len(differing))
        return Estimate(metric, None, a, b, *(None,) * 4, n, reason=reason)
    return Estimate(metric, None, a, b, b - a, None, None, None, n, reason=WHY_NO_INTERVAL)
