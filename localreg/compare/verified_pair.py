"""Two models of verification 1:1 on a suite: error rates at each one's threshold, and over all thresholds.

Thresholds that come from impostors, and the rates at them, carry how far they could have been others: see
`localreg.statistics.error_rates`. Rates at a fixed threshold are shares of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from localreg.compare.coverage import Coverage
from localreg.compare.pair_truth import PairTruth
from localreg.compare.predictions import Predicted
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.compare.values import RowsOfUnits, coverage_of
from localreg.metrics.ranking import Ranked
from localreg.metrics.verification import AtFmr, Comparisons
from localreg.statistics import Estimate, compare_counts, joint_counts
from localreg.statistics.auc import compare_rankings
from localreg.statistics.error_rates import DRAWN_METRICS, DRAWS, FEW_ABOVE, PairScores, told_of_draws
from localreg.statistics.estimate import with_itself
from localreg.statistics.resampled import resampled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

__all__ = ["METRICS", "Similarities", "VerifiedPair"]

METRICS = ("fnmr_at_fmr", "equal_error_rate", "roc_auc", "fnmr", "fmr", "failure_to_enrol_rate")
DRAWS_OF_PARTS = 200
PARTS = 50
"""Test cases and slices of which pairs are drawn again."""


class Similarities(NamedTuple):
    """Of the pairs that were compared.

    Attributes:
        genuine: whether each is.
        scores: of baseline and candidate; -infinity = none, and so not accepted.
        thresholds: from which on they accept; None = there is none.
    """

    genuine: Bools
    scores: tuple[Floats, Floats]
    thresholds: tuple[float | None, float | None]


class VerifiedPair:
    """Two models; see `localreg.compare.task.Pair`.

    Args:
        pairs: what is true.
        models: what they say of each row of the suite.
        units: the rows of each unit.
        target: the FMR that sets thresholds.
        threshold: a fixed one for both; None = by the target.
        draws: how often pairs are drawn again; None = `DRAWS`, of parts `DRAWS_OF_PARTS`.
        strict: take pairs without a similarity as not accepted.
        itself: whether both are one model.

    Attributes:
        compared: by pair, whether it is.
    """

    def __init__(
        self,
        pairs: PairTruth,
        models: tuple[Predicted, Predicted],
        units: RowsOfUnits,
        *,
        target: float,
        threshold: float | None,
        draws: int | None,
        strict: bool,
        itself: bool = False,
    ) -> None:
        import numpy as np

        self._pairs = pairs
        self._models = models
        self._of_units = units
        self.units = units.units
        self.only_case = units.only_case
        self._target = target
        self._threshold = threshold
        self._draws = draws
        self._strict = strict
        self._itself = itself
        values = [each.values[pairs.first] for each in models]
        self._scored = [np.isfinite(each) for each in values]
        self._scores = [np.where(there, each, -np.inf) for each, there in zip(values, self._scored, strict=True)]
        self.compared: Bools = pairs.known if strict else pairs.known & self._scored[0] & self._scored[1]

    # --- what is compared ---------------------------------------------------------------------------------------------

    @property
    def unlabelled(self) -> int:
        """Rows of the suite of which it is not known whether they are genuine."""
        return int((~self._pairs.known[self._pairs.place[self._of_units.rows(WHOLE)]]).sum())

    def coverage(self) -> tuple[Coverage, Coverage]:
        """What became of the suite's rows under baseline and candidate."""
        whole = self._of_units.rows(WHOLE)
        return coverage_of(self._models[0].status[whole]), coverage_of(self._models[1].status[whole])

    def remarks(self) -> Sequence[str]:
        """Nothing is hardly meant here."""
        return ()

    def silent(self) -> tuple[int, int]:
        """Inferences of baseline and candidate without a similarity: an image failed to enrol."""
        import numpy as np

        whole = self._of_units.rows(WHOLE)
        a, b = (int(((each.status[whole] == 0) & ~np.isfinite(each.values[whole])).sum()) for each in self._models)
        return a, b

    def n(self, unit: Unit) -> int:
        """How many pairs of a unit are compared."""
        return int((self._unit(unit) & self.compared).sum())

    def _unit(self, unit: Unit) -> Bools:
        """By pair, whether it is of the unit."""
        import numpy as np

        chosen = np.zeros(len(self._pairs.first), bool)
        chosen[self._pairs.place[self._of_units.rows(unit)]] = True
        return chosen

    @property
    def similarities(self) -> Similarities:
        """Of all pairs of the suite that are compared."""
        a, b = (each[self.compared] for each in self._scores)
        return Similarities(self._pairs.genuine[self.compared], (a, b), self.thresholds)

    # --- right and wrong ----------------------------------------------------------------------------------------------

    @cached_property
    def at_fmr(self) -> tuple[AtFmr, AtFmr]:
        """Where each model accepts no more than the target of the suite's impostors."""
        base = self._pairs.base & self.compared
        a, b = (_comparisons(self._pairs.genuine[base], each[base]).at_fmr(self._target) for each in self._scores)
        return a, b

    @property
    def thresholds(self) -> tuple[float | None, float | None]:
        """From which similarity on baseline and candidate accept; None = that cannot be measured."""
        if self._threshold is not None:
            return self._threshold, self._threshold
        a, b = self.at_fmr
        return a.threshold, b.threshold

    def accepted(self) -> tuple[Bools, Bools] | None:
        """By pair, whether baseline and candidate accept it; None if one of them has no threshold."""
        a, b = self.thresholds
        if a is None or b is None:
            return None
        return self._scores[0] >= a, self._scores[1] >= b

    def right(self) -> tuple[Bools, Bools] | None:
        """By pair, whether baseline and candidate are right; None if one of them has no threshold."""
        accepted = self.accepted()
        if accepted is None:
            return None
        return accepted[0] == self._pairs.genuine, accepted[1] == self._pairs.genuine

    # --- numbers ------------------------------------------------------------------------------------------------------

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of a unit; what is fixed and broken among its pairs, of FNMR and FMR among those that they are of."""
        return _Unit(self, unit, confidence).measured(metrics)

    @cached_property
    def _all_scores(self) -> PairScores:
        pairs, chosen = self._pairs, self.compared
        a, b = (each[chosen] for each in self._scores)
        groups = None if pairs.groups is None else pairs.groups[chosen]
        return PairScores(pairs.genuine[chosen], a, b, base=pairs.base[chosen], groups=groups)

    def drawn(self, unit: Unit, chosen: Bools, metrics: Sequence[str]) -> Floats | None:
        """See `PairScores.drawn`; None = not of this unit."""
        parts = [each for each in self.units if each not in (WHOLE, self.only_case)]
        if unit in parts and parts.index(unit) >= PARTS:
            return None
        draws = self._draws or (DRAWS_OF_PARTS if unit in parts else DRAWS)
        return self._all_scores.drawn(chosen[self.compared], metrics, target=self._target, draws=draws)


class _Unit:
    """The metrics of one unit."""

    def __init__(self, pair: VerifiedPair, unit: Unit, confidence: float) -> None:
        self._pair = pair
        self._unit = unit
        self._confidence = confidence
        self._pairs = pair._pairs
        self._chosen = pair._unit(unit)
        self._compared = self._chosen & pair.compared
        genuine = self._pairs.genuine[self._compared]
        self._n = {"fnmr": int(genuine.sum()), "fmr": int((~genuine).sum())}
        self._of_model = [_comparisons(genuine, each[self._compared]) for each in pair._scores]

    def measured(self, metrics: Sequence[str]) -> list[Measured]:
        """In the order asked for."""
        drawn = [metric for metric in metrics if self._is_drawn(metric)]
        found = self._drawn(drawn) if drawn else {}
        plain = {"roc_auc": self._roc_auc, "failure_to_enrol_rate": self._failures}
        for metric in metrics:
            if metric not in found:
                found[metric] = plain[metric]() if metric in plain else self._at_fixed(metric)
        if self._pair._itself:
            found = {metric: with_itself(each) for metric, each in found.items()}
        return [Measured(found[metric], None, *self._changes(metric)) for metric in metrics]

    def _is_drawn(self, metric: str) -> bool:
        """Whether its thresholds come from the pairs."""
        fixed = self._pair._threshold is not None
        return metric in ("fnmr_at_fmr", "equal_error_rate") or (metric in ("fnmr", "fmr") and not fixed)

    def _changes(self, metric: str) -> tuple[int | None, int | None]:
        """How many pairs are fixed and broken; of failures to enrol, how many only one of the models has."""
        enrols = metric == "failure_to_enrol_rate"
        right = self._pair._scored if enrols else self._pair.right()
        if right is None:
            return None, None
        chosen = self._asked if enrols else self._compared & self._of(metric)
        a, b = (each[chosen] for each in right)
        return int((b & ~a).sum()), int((a & ~b).sum())

    def _of(self, metric: str) -> Bools:
        """Which pairs it is the rate of."""
        import numpy as np

        genuine = self._pairs.genuine
        return {"fnmr": genuine, "fmr": ~genuine}.get(metric, np.ones(len(genuine), bool))

    @property
    def _groups(self) -> Indices | None:
        return self._pairs.groups

    # --- by draws -----------------------------------------------------------------------------------------------------

    def _drawn(self, metrics: Sequence[str]) -> dict[str, Estimate]:
        values = {metric: self._values(metric) for metric in metrics}
        found = {
            metric: Estimate(metric, None, a, b, None, None, None, None, self._size(metric), reason=reason)
            for metric, (a, b, reason) in values.items()
            if a is None or b is None
        }
        rest = [metric for metric in metrics if metric not in found]
        if not rest:
            return found
        names = [_DRAWN_AS.get(metric, metric) for metric in rest]
        drawn = self._pair.drawn(self._unit, self._compared, names)
        clusters = self._pair._all_scores.units(self._compared[self._pair.compared])
        for place, metric in enumerate(rest):
            a, b, reason = values[metric]
            assert a is not None, "looked at above"
            assert b is not None, "looked at above"
            n, trials = self._size(metric), self._n.get(_ERRORS_OF.get(metric, metric))
            if drawn is None:
                told = f"only the first {PARTS} test cases and slices get intervals of it; compare by less at once"
                found[metric] = Estimate(metric, None, a, b, b - a, None, None, None, n, reason=told)
                continue
            found[metric] = told_of_draws(
                metric, (a, b), drawn[:, :, place], n=n, trials=trials, clusters=clusters, caution=reason,
                confidence=self._confidence, itself=self._pair._itself,
            )  # fmt: skip
        return found

    def _values(self, metric: str) -> tuple[float | None, float | None, str | None]:
        """Of both models, and why one is None, or what to beware of."""
        if metric == "equal_error_rate":
            rates = [each.equal_error_rate() for each in self._of_model]
            a, b = (None if each is None else each.rate for each in rates)
            return a, b, None if a is not None else self._lacking("genuine", "impostor")
        at = self._pair.at_fmr
        if at[0].threshold is None or at[1].threshold is None:
            return None, None, f"{at[0].reason}; ask for another one by fmr="
        kind = "impostor" if metric == "fmr" else "genuine"
        rates_at = [
            each.fmr(own.threshold) if metric == "fmr" else each.fnmr(own.threshold)
            for each, own in zip(self._of_model, at, strict=True)
            if own.threshold is not None
        ]
        lacking = self._lacking(kind)
        return rates_at[0], rates_at[1], lacking or (self._told_thresholds() if metric != "fmr" else None)

    def _told_thresholds(self) -> str | None:
        """Where each model accepts, and whether few impostors say it."""
        pair, (a, b) = self._pair, self._pair.at_fmr
        if self._unit not in (WHOLE, pair.only_case):
            return None
        target, impostors = pair._target, int((pair._pairs.base & pair.compared & ~pair._pairs.genuine).sum())
        both = f"{a.threshold:.6g}" if pair._itself else f"{a.threshold:.6g} (a) and {b.threshold:.6g} (b)"
        told = f"accepted from {both} on, at an FMR of {target:g}"
        above = int(target * impostors + 1e-9)
        if above >= FEW_ABOVE:
            return told
        return f"{told}, which {above} of {impostors:,} impostor pairs may reach: thresholds by so few are rough"

    def _lacking(self, *kinds: str) -> str | None:
        """Which of these pairs the unit lacks."""
        counts = {"genuine": self._n["fnmr"], "impostor": self._n["fmr"]}
        return next((f"there are no {kind} pairs" for kind in kinds if not counts[kind]), None)

    def _size(self, metric: str) -> int:
        return self._n.get(metric, int(self._compared.sum()))

    # --- in closed form -----------------------------------------------------------------------------------------------

    def _roc_auc(self) -> Estimate:
        import numpy as np

        pair, chosen = self._pair, self._compared
        a, b = (np.unique(each[chosen], return_inverse=True)[1] for each in pair._scores)  # only the order counts
        groups = None if self._groups is None else self._groups[chosen]
        found = compare_rankings(self._pairs.genuine[chosen], a, b, groups=groups, confidence=self._confidence)[0]
        lacking = self._lacking("genuine", "impostor")
        return replace(found, reason=lacking) if lacking else found

    def _at_fixed(self, metric: str) -> Estimate:
        accepted = self._pair.accepted()
        assert accepted is not None, "there is a threshold"
        chosen = self._compared & self._of(metric)
        kind = "impostor" if metric == "fmr" else "genuine"
        a, b = (each[chosen] if metric == "fmr" else ~each[chosen] for each in accepted)
        return self._share(metric, a, b, chosen, f"there are no {kind} pairs")

    @property
    def _asked(self) -> Bools:
        """The unit's pairs that both models were asked; strictly, all."""
        if self._pair._strict:
            return self._chosen
        asked = self._chosen.copy()
        for each in self._pair._models:
            asked &= each.status[self._pairs.first] == 0
        return asked

    def _failures(self) -> Estimate:
        """Pairs without a similarity."""
        chosen = self._asked
        a, b = (~each[chosen] for each in self._pair._scored)
        return self._share("failure_to_enrol_rate", a, b, chosen, "there is no pair that both models were asked")

    def _share(self, metric: str, a: Bools, b: Bools, chosen: Bools, none: str) -> Estimate:
        """A share of pairs; see `localreg.statistics.compare_counts`."""
        import numpy as np

        if not len(a):
            return Estimate(metric, None, *(None,) * 6, 0, reason=none)
        groups = None if self._groups is None else self._groups[chosen]
        said = [each.astype(np.int64) for each in (a, b)]
        joint = joint_counts(np.ones_like(said[0]), *said, classes=2, groups=groups)
        found = compare_counts(joint, metrics=["accuracy"], confidence=self._confidence)
        if self._pair._draws is not None:
            found = resampled(joint, found, draws=self._pair._draws, confidence=self._confidence)
        return replace(found[0], metric=metric)


_DRAWN_AS = dict(zip(("fnmr", "fmr"), DRAWN_METRICS[:2], strict=True))
_ERRORS_OF = {"fnmr_at_fmr": "fnmr"}


def _comparisons(genuine: Bools, scores: Floats) -> Comparisons:
    """Sorted; -infinity is below any threshold."""
    import numpy as np

    return Comparisons(Ranked(np.sort(scores[genuine]), np.sort(scores[~genuine])), 0, 0)
