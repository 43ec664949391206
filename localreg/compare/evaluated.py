"""Metrics of an evaluator: what it said of each sample, compared as if it had been built in.

Numbers are compared by their means, booleans by the share of True, sample by sample. What it said of test cases and of
the suite is told beside them, without an interval: one number does not tell how it would vary. Where the metric says
what it is made of (`localreg.workflow.meaning`), it is made anew of the samples that both models have, in slices, too,
and does have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from localreg.compare.clusters import Sampling
from localreg.compare.coverage import Coverage
from localreg.compare.evaluations import Evaluation, Reported, SampleValues, evaluation_of
from localreg.compare.groupings import groupings
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.compare.values import RowsOfUnits
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import did_you_mean, shown_value
from localreg.session import Session
from localreg.statistics import Estimate, compare_counts, joint_counts
from localreg.statistics.ratios import compare_ratios
from localreg.statistics.resampled import resampled
from localreg.statistics.values import compare_means
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.inferences import ERROR, MISSING, OK, SKIPPED, Inferences
from localreg.workflow.meaning import Direction, Meaning, Ratio

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    Statuses = npt.NDArray[np.int8]

__all__ = ["Better", "By", "Evaluated", "EvaluatedPair"]

WHY_NO_INTERVAL = "said by the evaluator as one number, which does not tell how it would vary; metrics of samples do"
NOT_SAID = "the evaluator says it of test cases only"

Better: TypeAlias = Mapping[str, Direction]


class By(NamedTuple):
    """Which evaluator's metrics are compared.

    Attributes:
        evaluator: its display name.
        configuration: with which it was run; None = without any, or with the only one.
        better: by metric, whether more or less of it is better.
        metrics: those asked for; None = all.
    """

    evaluator: str
    configuration: EvaluatorConfiguration | str | None = None
    better: Better | None = None
    metrics: Sequence[str] | None = None


class Evaluated:
    """Reads what an evaluator said of models on the suite; see `localreg.compare.task.Task`.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        versions: ids of the model versions, the baseline's first, and their names.
        by: which evaluator.
        sampling: of the suite.

    Raises:
        NotFoundError: a model was not evaluated so.
        InvalidInputError: the evaluator said no numbers, or `better` names none of them.
    """

    truth_is = "metrics of the evaluator"
    said_is = truth_is
    strictly = "counted as wrong"
    of_classes: Sequence[str] = ()

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        versions: Mapping[str, str],
        by: By,
        sampling: Sampling,
    ) -> None:
        self.name = f"evaluator {by.evaluator!r}"
        self._session = session
        self._state = state
        self._rows = rows
        self._sampling = sampling
        self._found = {
            id: Evaluation(
                session, state, rows, evaluation_of(session, state, id, name, rows, by.evaluator, by.configuration)
            )
            for id, name in versions.items()
        }
        self._version = next(iter(versions))
        self._kinds = _kinds(list(self._found.values()))
        said = [each for one in self._found.values() for own in one.reported.values() for each in own]
        self._reported = {self._told(each): each.metric for each in said}
        self.metrics: Sequence[str] = tuple(dict.fromkeys([*self._kinds, *self._reported]))
        self._meanings = self._meant()
        told = [name for name in self.metrics if not (self._meaning(name).aside or self._meaning(name).mean_of)]
        self.default: Sequence[str] = told or self.metrics
        if not self.metrics:
            raise InvalidInputError(f"{self.name} said no numbers and no booleans, so there is nothing to compare")
        self._check(by.better or {})
        better = {name: each.better for name, each in self._meanings.items() if each.better} | dict(by.better or {})
        self.lower_is_better = [name for name, direction in better.items() if direction == "lower"]
        known = {name for name, kind in self._kinds.items() if kind == "bool"} | better.keys()
        self.undirected = [name for name in self.metrics if name not in known]
        self.once = rows.once(rows.truth_codes())
        asked = self.default if by.metrics is None else by.metrics
        sources = [self._meaning(name).mean_of or name for name in asked]
        self._asked = [name for name in dict.fromkeys(sources) if name in self._kinds]
        self._baseline = self._of(self._version)

    def _told(self, reported: Reported) -> str:
        """What a metric of test cases or the suite is called, beside those of samples."""
        return f"reported_{reported.metric}" if reported.metric in self._kinds else reported.metric

    def _meant(self) -> dict[str, Meaning]:
        """What is known of metrics; what it was made of only where that is there for all models."""
        found = list(self._found.values())
        of_samples = {name: told for each in reversed(found) for name, told in each.meanings.items()}
        reported = {name: told for each in reversed(found) for name, told in each.meanings_reported.items()}
        of_samples |= {name: reported[own] for name, own in self._reported.items() if own in reported}
        return {
            name: told if _made_of(told) <= self._kinds.keys() else replace(told, mean_of=None, ratio=None)
            for name, told in of_samples.items()
            if name in self.metrics
        }

    def _meaning(self, name: str) -> Meaning:
        return self._meanings.get(name, Meaning())

    def _check(self, better: Better) -> None:
        for name, direction in better.items():
            if name not in self.metrics:
                hint = did_you_mean(str(name), self.metrics) or f"; there are {', '.join(self.metrics)}"
                raise InvalidInputError(f"better names {shown_value(name)}, which is no metric of {self.name}{hint}")
            if direction not in ("higher", "lower"):
                raise InvalidInputError(f"better[{name!r}] is {shown_value(direction)}; it must be 'higher' or 'lower'")

    def _of(self, version_id: str) -> _Model:
        status = Inferences(self._session, self._state, version_id, self._rows.samples).status
        found = self._found[version_id]
        return _Model(found.samples(), self._rows.of_samples(status), self._named(found))

    def _named(self, found: Evaluation) -> dict[int | None, dict[tuple[str, str | None], float]]:
        return {
            place: {(self._told(each), each.label): value for each, value in own.items()}
            for place, own in found.reported.items()
        }

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        return self._rows.repeated(self.once)

    def outcomes(self, candidate: str, *, strict: bool) -> npt.NDArray[np.int8] | None:
        """By the first boolean among the metrics asked for; None if there is none."""
        import numpy as np

        name = next((name for name in self._asked if self._kinds[name] == "bool"), None)
        if name is None:
            return None
        a, b = (self._right(each.samples.values, name) for each in (self._baseline, self._of(candidate)))
        compared = np.isfinite(a) & np.isfinite(b)
        return np.where(compared, 1 + 2 * (b == 1) + (a == 1), 0).astype(np.int8)

    def _right(self, values: Mapping[str, Floats], name: str) -> Floats:
        import numpy as np

        column = values[name] if name in values else np.full(len(self._rows), np.nan)
        return 1 - column if name in self.lower_is_better else column

    def shown(self, candidate: str, rows: Indices) -> dict[str, pa.Array]:
        """Metrics of some rows."""
        import pyarrow as pa

        columns = {}
        models = {"a": self._baseline, "b": self._of(candidate)}
        for name in self._asked:
            for side, model in models.items():
                values = model.samples.values.get(name)
                column = (
                    pa.nulls(len(rows), pa.float64()) if values is None else pa.array(values[rows], from_pandas=True)
                )
                columns[f"{name}_{side}"] = column.cast(pa.bool_()) if self._kinds[name] == "bool" else column
        return columns

    def pair(self, candidate: str, slices: Sequence[Slices], *, strict: bool) -> EvaluatedPair:
        """Baseline and candidate.

        Raises:
            InvalidInputError: `strict`, and inferences are missing: what one counts is for the evaluator to say.
        """
        units = RowsOfUnits(groupings(self._rows, self.once, slices))
        models = self._baseline, self._baseline if candidate == self._version else self._of(candidate)
        inverted = [name for name in self.lower_is_better if self._kinds.get(name) == "bool"]
        pair = EvaluatedPair(
            models, units, self._kinds, self._meanings, inverted, self._rows.case_names, self._sampling
        )
        if strict and any(each.gaps for each in pair.coverage()):
            raise InvalidInputError(
                "strict counts a sample without an inference as wrong, and what an evaluator would say of it is "
                "not known; leave it out: samples that a model skips are given to evaluators"
            )
        return pair


class _Model(NamedTuple):
    samples: SampleValues
    status: Statuses
    reported: dict[int | None, dict[tuple[str, str | None], float]]


def _made_of(told: Meaning) -> set[str]:
    """Metrics of samples that a metric is made of."""
    summed = set() if told.ratio is None else {*told.ratio.of, *told.ratio.to}
    return summed | ({told.mean_of} if told.mean_of else set())


def _kinds(found: Sequence[Evaluation]) -> dict[str, str]:
    """Metrics of samples: booleans where all evaluations say so."""
    kinds: dict[str, str] = {}
    for each in found:
        for name, kind in each.kinds.items():
            kinds[name] = kind if kinds.get(name, kind) == kind else "number"
    return kinds


class EvaluatedPair:
    """What an evaluator said of two models.

    Args:
        models: both.
        units: the rows of each unit.
        kinds: of metrics of samples.
        meanings: what is known of metrics.
        inverted: booleans of which False is good.
        cases: names of the test cases, by their places.
        sampling: of the suite.
    """

    only_case = None
    """What is said of a test case and of the suite may differ even where there is one only."""
    unlabelled = 0

    def __init__(
        self,
        models: tuple[_Model, _Model],
        units: RowsOfUnits,
        kinds: Mapping[str, str],
        meanings: Mapping[str, Meaning],
        inverted: Sequence[str],
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

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._of_units.rows(WHOLE)

        def of(status: Statuses) -> Coverage:
            return Coverage(*(int((status[whole] == code).sum()) for code in (OK, SKIPPED, ERROR, MISSING)))

        return of(self._models[0].status), of(self._models[1].status)

    def silent(self) -> tuple[int, int]:
        """Samples that a model inferred or skipped, and the evaluator said nothing of."""
        import numpy as np

        whole = self._of_units.rows(WHOLE)
        a, b = (
            int((np.isin(each.status[whole], (OK, SKIPPED)) & ~each.samples.evaluated[whole]).sum())
            for each in self._models
        )
        return a, b

    def n(self, unit: Unit) -> int:
        """How many rows of a unit were evaluated for both models."""
        rows = self._of_units.rows(unit)
        a, b = (each.samples.evaluated[rows] for each in self._models)
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
        return [Measured(_plain(metric, a.get(label), b.get(label), self.n(unit)), label) for label in labels]


def _summed(values: Mapping[str, Floats], factors: Mapping[str, float], rows: Indices) -> Floats:
    """What the samples of some rows add to a sum; NaN where there is nothing."""
    import numpy as np

    nothing = np.full(len(rows), np.nan)
    parts = [factor * (values[name][rows] if name in values else nothing) for name, factor in factors.items()]
    return np.asarray(np.sum(parts, axis=0))


def _plain(metric: str, a: float | None, b: float | None, n: int) -> Estimate:
    """Two numbers and their difference."""
    a, b = (None if each is None or not isfinite(each) else each for each in (a, b))
    if a is None or b is None:
        missing = " and ".join(name for name, each in (("a", a), ("b", b)) if each is None)
        return Estimate(metric, None, a, b, *(None,) * 4, n, reason=f"the evaluator says no number of model {missing}")
    return Estimate(metric, None, a, b, b - a, None, None, None, n, reason=WHY_NO_INTERVAL)
