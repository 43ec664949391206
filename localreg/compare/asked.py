"""What a comparison is asked for, and whether that can be meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

from localreg.compare.clusters import check_draws, check_group_by
from localreg.compare.detected import Matching, check_matching
from localreg.compare.evaluated import Better, By
from localreg.compare.scores import ScoreOf, Scoring, check_scoring
from localreg.compare.slices import check_by
from localreg.compare.verdicts import Adjust
from localreg.compare.verified import Accepting, check_accepting
from localreg.errors import InvalidInputError
from localreg.names import check_whole, shown_value
from localreg.workflow.evaluator import Evaluator, EvaluatorConfiguration
from localreg.workflow.evaluator_function import BasicEvaluatorFunction, form_of
from localreg.workflow.executors import ExecutorLike, check_executor
from localreg.workflow.shape_lists import IouType

__all__ = ["Asked", "Options", "Settings", "checked"]

BINS = 10
"""Numbers of more different values than that are cut into so many slices."""
BINS_HINT = "write a whole number, 2 or more"


class Asked(NamedTuple):
    """What a comparison is asked for, beside the models and the suite; see `Registry.compare`."""

    strict: bool = False
    by: str | Sequence[str] | None = None
    bins: int = BINS
    metrics: Sequence[str] | None = None
    confidence: float = 0.95
    adjust: Adjust = "holm"
    group_by: str | None = None
    evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None
    configuration: EvaluatorConfiguration | str | None = None
    better: Better | None = None
    positive: str | None = None
    score_of: ScoreOf | None = None
    bootstrap: int | None = None
    score_threshold: float | Literal["f1_optimal"] | None = None
    iou: float | None = None
    executor: ExecutorLike | None = None
    fmr: float | None = None
    iou_type: IouType | None = None


class Options(TypedDict, total=False):
    """Arguments of `Registry.compare` beside models and suite, for functions that hand them on.

    `metrics` and `strict` are missing: such functions have something of their own to say of them.
    """

    by: str | Sequence[str] | None
    bins: int
    confidence: float
    adjust: Adjust
    group_by: str | None
    evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None
    configuration: EvaluatorConfiguration | str | None
    better: Better | None
    positive: str | None
    score_of: ScoreOf | None
    bootstrap: int | None
    score_threshold: float | Literal["f1_optimal"] | None
    iou: float | None
    executor: ExecutorLike | None
    fmr: float | None
    iou_type: IouType | None


class Settings(NamedTuple):
    """What was asked for, checked.

    Attributes:
        expressions: of slices.
        group_by: of clusters; None = each sample for itself.
        draws: of the bootstrap; None = none.
        evaluator: whose metrics are compared; None = those that the types decide.
        scoring: what is said of scores beside labels.
        matching: what counts as right of boxes and pixels; None = nothing was said.
        executor: counts labels; None = this process does.
        accepting: which pairs are accepted, in verification.
    """

    expressions: list[str]
    group_by: str | None
    draws: int | None
    evaluator: By | None
    scoring: Scoring
    matching: Matching | None
    executor: ExecutorLike | None
    accepting: Accepting


def checked(asked: Asked) -> Settings:
    """What was asked for.

    Raises:
        InvalidInputError: it cannot be meant.
    """
    return Settings(
        _expressions(asked),
        check_group_by(asked.group_by),
        check_draws(asked.bootstrap),
        _by(asked),
        check_scoring(asked.positive, asked.score_of),
        check_matching(asked.score_threshold, asked.iou, asked.iou_type),
        check_executor(asked.executor),
        check_accepting(asked.fmr, asked.score_threshold, asked.iou, asked.iou_type, strict=asked.strict),
    )


def _by(asked: Asked) -> By | None:
    """Which evaluator's metrics are compared; None = those that the types decide."""
    if asked.evaluator is None:
        for name, given in (("configuration", asked.configuration), ("better", asked.better)):
            if given is not None:
                raise InvalidInputError(
                    f"{name} is {shown_value(given)}, and no evaluator is named; pass evaluator=, too"
                )
        return None
    named = asked.evaluator
    name = named if isinstance(named, str) else form_of(named).display_name
    if asked.better is not None and not isinstance(asked.better, Mapping):
        raise InvalidInputError(
            f"better is {shown_value(asked.better)}; it must be a dict, such as {{'loss': 'lower'}}"
        )
    return By(name, asked.configuration, asked.better or {}, asked.metrics)


def _expressions(asked: Asked) -> list[str]:
    """The expressions of `by`, once all the rest is checked."""
    if not isinstance(asked.confidence, float) or not 0 < asked.confidence < 1:
        raise InvalidInputError(f"confidence is {shown_value(asked.confidence)}; it must be between 0 and 1, as 0.95")
    if check_whole(asked.bins, what="bins", hint=BINS_HINT) < 2:
        raise InvalidInputError(f"bins is {asked.bins}; {BINS_HINT}")
    if asked.adjust not in ("holm", "bh", "none"):
        raise InvalidInputError(f"adjust is {shown_value(asked.adjust)}; it must be 'holm', 'bh' or 'none'")
    metrics: object = asked.metrics
    if metrics is not None and (isinstance(metrics, str) or not isinstance(metrics, Sequence) or not metrics):
        raise InvalidInputError(f"metrics is {shown_value(metrics)}; it must be a list of names")
    return check_by(asked.by)
