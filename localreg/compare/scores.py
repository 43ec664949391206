"""Whose score it is that stands beside a label, and the metrics of scores of two models.

A score beside a label may be that of the label that the model says, or that of one label whatever it says. Where
both could be meant, nothing is guessed: metrics of scores are null then, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from localreg.compare.clusters import Sampling
from localreg.compare.task import Measured
from localreg.compare.units import WHOLE, Unit
from localreg.compare.values import RowsOfUnits
from localreg.errors import InvalidInputError
from localreg.names import did_you_mean, shown_value
from localreg.statistics import Estimate
from localreg.statistics.auc import RANKING_METRICS
from localreg.statistics.scores import CALIBRATION, LOSSES, calibration_error, compare_losses, compare_scores
from localreg.tables import NO_LABEL

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Codes = npt.NDArray[np.signedinteger]
    Floats = npt.NDArray[np.float64]

__all__ = [
    "LOWER_IS_BETTER",
    "NO_OTHER",
    "NO_PROBABILITIES",
    "NO_SCORES",
    "WHOSE",
    "ModelScores",
    "ScoreOf",
    "ScoredPair",
    "Scoring",
    "check_scoring",
    "positive_label",
    "turned",
    "whose",
    "why_unclear",
]

LOWER_IS_BETTER = (*LOSSES, CALIBRATION)
NO_SCORES = "inferences have no score beside their label"
WHOSE = (
    "it is not clear whether scores are of the label that is said or of {positive!r}; say score_of='predicted' or "
    "score_of='positive'"
)
OF_ANOTHER = "scores are of {other!r}, as far as can be told, and not of {positive!r}; say positive={other!r}"
NO_PROBABILITIES = "scores are no probabilities between 0 and 1"
NO_OTHER = "scores of the label that is said tell nothing of {positive!r} where another one is said"
NO_CONFIDENCE = "scores of {positive!r} tell nothing of how sure a model is of other labels"
NO_INTERVAL = "it is a mean over bins, and biased by how many there are: there is no interval"

FAR_BELOW = 0.25
"""A ROC AUC that has no interval is no bad luck below."""

ScoreOf = Literal["predicted", "positive"]


class Scoring(NamedTuple):
    """What is said of scores.

    Attributes:
        positive: the label that is positive; None = of two labels the one that comes last in order of the alphabet.
        score_of: whose the scores are; None = told by the scores, where only one can be.
    """

    positive: str | None = None
    score_of: ScoreOf | None = None

    @property
    def is_asked(self) -> bool:
        """Whether anything was said."""
        return self != Scoring()


def check_scoring(positive: object, score_of: object) -> Scoring:
    """What is passed.

    Raises:
        InvalidInputError: it cannot be meant.
    """
    if positive is not None and not isinstance(positive, str):
        raise InvalidInputError(f"positive is {shown_value(positive)}; it must be a label, as text")
    if score_of not in (None, "predicted", "positive"):
        raise InvalidInputError(f"score_of is {shown_value(score_of)}; it must be 'predicted' or 'positive'")
    return Scoring(positive, score_of)


class ModelScores(NamedTuple):
    """What a model says of each row of the suite.

    Attributes:
        codes: of labels; below 0 for none.
        scores: NaN where there is none.
    """

    codes: Codes
    scores: Floats

    @property
    def known(self) -> Bools:
        """Rows with a label and a finite score."""
        import numpy as np

        return (self.codes > NO_LABEL) & np.isfinite(self.scores)

    def where(self, rows: npt.NDArray[np.generic]) -> ModelScores:
        """Of some rows."""
        return ModelScores(self.codes[rows], self.scores[rows])


def whose(model: ModelScores, positive: int | None, labels: int) -> ScoreOf | None:
    """Whose the scores of a model can only be; None = of either, or of neither.

    They can be of the label that is said if all are probabilities of at least one in so many labels as there are: the
    label that is said is the likeliest. They can be of the positive label if all that is said to be so has higher ones.

    Args:
        model: rows with a label and a score.
        positive: the code of the label; None = there is none.
        labels: how many there are.
    """
    scores = model.scores
    if not len(scores):
        return None
    is_probable = bool(scores.min() >= 1 / max(2, labels) and scores.max() <= 1)
    if positive is None:
        return "predicted" if is_probable else None
    says = model.codes == positive
    if says.all():
        return "positive"  # both mean the same
    is_ordered = not says.any() or bool(scores[~says].max() <= scores[says].min())
    if is_probable is is_ordered:
        return None
    return "predicted" if is_probable else "positive"


def why_unclear(models: Iterable[ModelScores], positive: str, labels: Sequence[str]) -> str:
    """What to say where scores could be of either, or of neither; with the other of two labels, if they are its.

    Args:
        models: rows with a label and a score, as for `whose`.
        positive: the label that they were taken to be of.
        labels: by their codes.
    """
    others = [label for label in labels if label != positive]
    known = [each for each in models if len(each.scores)]
    if len(others) == 1 and known:
        code = labels.index(others[0])
        if all(whose(each, code, len(labels)) == "positive" for each in known):
            return OF_ANOTHER.format(other=others[0], positive=positive)
    return WHOSE.format(positive=positive)


def positive_label(scoring: Scoring, labels: Sequence[str]) -> str | None:
    """The positive label: the one that is named, or the last of two.

    Raises:
        InvalidInputError: the one that is named does not occur.
    """
    if scoring.positive is None:
        return max(labels) if len(labels) == 2 else None
    if scoring.positive not in labels:
        hint = did_you_mean(scoring.positive, labels) or f"; there are {', '.join(sorted(labels))}"
        raise InvalidInputError(
            f"positive is {scoring.positive!r}, which no sample and no inference has as label{hint}"
        )
    return scoring.positive


class ScoredPair:
    """Scores of two models on the rows of a suite.

    Args:
        truth: codes of the labels.
        models: what both say; None = there are no scores.
        labels: by their codes.
        scoring: what is said of scores.
        units: the rows of each unit.
        sampling: of the suite.

    Raises:
        InvalidInputError: the positive label does not occur.
    """

    def __init__(
        self,
        truth: Codes,
        models: tuple[ModelScores, ModelScores] | None,
        labels: Sequence[str],
        scoring: Scoring,
        units: RowsOfUnits,
        sampling: Sampling,
    ) -> None:
        self._truth = truth
        self._models = models
        self._labels = labels
        self._positive = positive_label(scoring, labels)
        self._is_told = scoring.positive is not None
        self._of_units = units
        self._sampling = sampling
        if models is not None:
            self._known = (truth > NO_LABEL) & models[0].known & models[1].known
            code = None if self._positive is None else labels.index(self._positive)
            known = [each.where(self._known) for each in models]
            self._unclear = NO_PROBABILITIES if self._positive is None else why_unclear(known, self._positive, labels)
            self._whose = [scoring.score_of or whose(each, code, len(labels)) for each in known]
            self._are_probabilities = all(
                not len(each.scores) or (each.scores.min() >= 0 and each.scores.max() <= 1) for each in known
            )

    def measured(self, unit: Unit, metrics: Sequence[str], confidence: float) -> list[Measured]:
        """Metrics of scores of a unit, in the order asked for."""
        reasons = {metric: self.why_none(metric) for metric in metrics}
        found = {
            metric: Estimate(metric, None, *(None,) * 6, 0, reason=reason)
            for metric, reason in reasons.items()
            if reason
        }
        wanted = [metric for metric in metrics if metric not in found]
        if wanted:
            rows = self._of_units.rows(unit)
            rows = rows[self._known[rows]]
            found |= {each.metric: self._told(each) for each in self._of_rows(rows, wanted, confidence)}
            if CALIBRATION in wanted:
                found[CALIBRATION] = self._calibration(rows)
        return [Measured(found[metric]) for metric in metrics]

    def _of_rows(self, rows: npt.NDArray[np.int64], metrics: Sequence[str], confidence: float) -> Iterator[Estimate]:
        """Metrics of the scores of the positive label."""
        ranking, losses = ([name for name in metrics if name in names] for names in (RANKING_METRICS, LOSSES))
        if not ranking and not losses:
            return
        clusters, draws = self._sampling.clusters, self._sampling.draws
        groups = None if clusters is None else clusters.codes[rows]
        positive = self._truth[rows] == self._code
        a = self.of_positive(0, rows)
        b = a if self._models is not None and self._models[0] is self._models[1] else self.of_positive(1, rows)
        yield from compare_scores(positive, a, b, ranking, groups=groups, confidence=confidence)
        for name in losses:
            yield compare_losses(positive, a, b, name, groups=groups, confidence=confidence, draws=draws)

    @property
    def _code(self) -> int:
        assert self._positive is not None, "looked at before"
        return self._labels.index(self._positive)

    def _told(self, estimate: Estimate) -> Estimate:
        """With a word on scores that rank the wrong way round, and on which label is positive, if nobody said."""
        taken = None if self._is_told else f"{self._positive!r} is taken for positive; positive= names another"
        reasons = [each for each in (estimate.reason, self._turned_round(estimate), taken) if each is not None]
        return replace(estimate, reason="; ".join(reasons) or None)

    def _turned_round(self, estimate: Estimate) -> str | None:
        """Of a ROC AUC below chance for both models: whose the scores may be instead."""
        ends = (estimate.a, estimate.a_high), (estimate.b, estimate.b_high)
        if estimate.metric != "roc_auc" or not all(_is_below_chance(*each) for each in ends):
            return None
        if "predicted" in self._whose:
            return "below 0.5: scores seem not to be of the label that is said; score_of='positive'?"
        others = [label for label in self._labels if label != self._positive]
        which, hint = ("the other", f"; positive={others[0]!r}?") if len(others) == 1 else ("another", "")
        return f"below 0.5: scores seem to be of {which} label{hint}"

    @property
    def positive(self) -> str | None:
        """The positive label; None = there is none."""
        return self._positive

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The suite's rows with a truth, and a label and a score of both models."""
        rows = self._of_units.rows(WHOLE)
        return rows[self._known[rows]] if self._models is not None else rows[:0]

    def truth_of(self, rows: npt.NDArray[np.int64]) -> tuple[Bools | None, tuple[Bools, Bools]]:
        """Of some rows, whether they are positive (None = no label is), and whether both models are right."""
        assert self._models is not None, "there are rows"
        truth = self._truth[rows]
        a, b = (model.codes[rows] == truth for model in self._models)
        return None if self._positive is None else truth == self._code, (a, b)

    def why_none(self, metric: str) -> str | None:
        """Why there is no such metric of scores; None = there is one."""
        if self._models is None:
            return NO_SCORES
        if metric != CALIBRATION and self._positive is None:
            return f"there are {len(self._labels)} labels; say which one is positive, as positive={self._labels[0]!r}"
        if None in self._whose:
            return self._unclear
        binary = len(self._labels) == 2
        if metric == CALIBRATION:
            if "positive" in self._whose and not binary:
                return NO_CONFIDENCE.format(positive=self._positive)
            return None if self._are_probabilities else NO_PROBABILITIES
        if "predicted" in self._whose and not binary:
            return NO_OTHER.format(positive=self._positive)
        needed = metric in LOSSES or "predicted" in self._whose
        return NO_PROBABILITIES if needed and not self._are_probabilities else None

    def why_unsure(self) -> str | None:
        """Why it is not known how sure models are of what they say, be it by probabilities or not; None = it is."""
        if self._models is None or self._positive is None:
            return None if self._models is not None else NO_SCORES
        is_said = "positive" not in self._whose and None not in self._whose
        return None if is_said else self.why_none(CALIBRATION)

    def of_positive(self, number: int, rows: npt.NDArray[np.int64]) -> Floats:
        """The score of the positive label."""
        assert self._models is not None, "looked at before"
        model = self._models[number].where(rows)
        return turned(model, self._code) if self._whose[number] == "predicted" else model.scores

    def of_said(self, number: int, rows: npt.NDArray[np.int64]) -> Floats:
        """The score of the label that a model says."""
        assert self._models is not None, "looked at before"
        model = self._models[number].where(rows)
        return turned(model, self._code) if self._whose[number] == "positive" else model.scores

    def _calibration(self, rows: npt.NDArray[np.int64]) -> Estimate:
        import numpy as np

        assert self._models is not None, "looked at before"
        said = [self.of_said(number, rows) for number in range(2)]
        right = self.truth_of(rows)[1]
        a, b = (calibration_error(*each) for each in zip(right, said, strict=True))
        if a is not None and all(np.array_equal(*each) for each in (right, said)):
            return Estimate(CALIBRATION, None, a, a, 0.0, 0.0, 0.0, 1.0, len(rows), standard_error=0.0)
        difference = None if a is None or b is None else b - a
        reason = "there is no sample" if a is None else NO_INTERVAL
        return Estimate(CALIBRATION, None, a, b, difference, None, None, None, len(rows), reason=reason)


def _is_below_chance(auc: float | None, high: float | None) -> bool:
    """Whether a ROC AUC is below 0.5 by more than luck; without an interval, by far."""
    return auc is not None and (auc < FAR_BELOW if high is None else high < 0.5)


def turned(model: ModelScores, positive: int) -> Floats:
    """Of two labels: scores of the one that is said as those of the positive one, and the other way round."""
    import numpy as np

    return np.where(model.codes == positive, model.scores, 1 - model.scores)
