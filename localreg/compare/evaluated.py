"""Metrics of an evaluator: what it said of each sample, compared as if it had been built in.

Numbers are compared by their means, booleans by the share of True, sample by sample. What it said of test cases and of
the suite is told beside them, without an interval: one number does not tell how it would vary. Where the metric says
what it is made of (`localreg.workflow.meaning`), it is made anew of the samples that both models have, in slices, too,
and does have one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from localreg.compare.clusters import Sampling
from localreg.compare.evaluated_pair import EvaluatedPair, OfModel
from localreg.compare.evaluations import (
    Evaluation,
    Reported,
    counted_rows,
    evaluation_of,
)
from localreg.compare.groupings import groupings
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.values import RowsOfUnits
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.names import did_you_mean, shown_value
from localreg.session import Session
from localreg.workflow.evaluator import EvaluatorConfiguration
from localreg.workflow.inferences import Inferences
from localreg.workflow.meaning import Direction, Meaning

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    Statuses = npt.NDArray[np.int8]

__all__ = ["Better", "By", "Evaluated"]

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
        self.default: Sequence[str] = [name for name in self.metrics if _is_told(self._meaning(name))] or self.metrics
        self._telling = [name for name in self._kinds if not self._meaning(name).aside] or list(self._kinds)
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

    def _of(self, version_id: str) -> OfModel:
        status = Inferences(self._session, self._state, version_id, self._rows.samples).status
        found = self._found[version_id]
        samples, status = found.samples(), self._rows.of_samples(status)
        return OfModel(samples, status, self._named(found), counted_rows(samples, status, self._telling))

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

    @property
    def columns(self) -> Sequence[str]:
        """What columns of `shown` are called."""
        return [f"{name}_{side}" for name in self._asked for side in "ab"]

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
            models,
            units,
            self._kinds,
            self._meanings,
            inverted,
            self._telling,
            self._rows.case_names,
            self._sampling,
        )
        if strict and any(each.gaps for each in pair.coverage()):
            raise InvalidInputError(
                "strict counts a sample without an inference as wrong, and what an evaluator would say of it is "
                "not known; leave it out: samples that a model skips are given to evaluators"
            )
        return pair


def _is_told(told: Meaning) -> bool:
    """Whether a metric is compared if none are named."""
    return not told.aside and (told.mean_of is None or told.beside)


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
