"""What a `Registry` says of one model on a test suite: numbers, and the columns that anybody makes numbers of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from localreg import models
from localreg.models import Model, ModelVersion
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.compare.measurement import Measurement
    from localreg.compare.predicted import Predictions
    from localreg.workflow import TestSuite
    from localreg.workflow.evaluator import Evaluator, EvaluatorConfiguration
    from localreg.workflow.evaluator_function import BasicEvaluatorFunction

__all__ = ["Measuring"]


class Measuring:
    """One model on a test suite; `Registry.compare` is of two and more."""

    _session: Session

    def measure(
        self,
        model: str | Model | ModelVersion,
        *,
        suite: str | TestSuite,
        metrics: Sequence[str] | None = None,
        by: str | Sequence[str] | None = None,
        bins: int = 10,
        strict: bool = False,
        confidence: float = 0.95,
        group_by: str | None = None,
        evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None,
        configuration: EvaluatorConfiguration | str | None = None,
        better: Mapping[str, Literal["higher", "lower"]] | None = None,
        positive: str | None = None,
        score_of: Literal["predicted", "positive"] | None = None,
        score_threshold: float | Literal["f1_optimal"] | None = None,
        iou: float | None = None,
    ) -> Measurement:
        """The metrics of one model on a test suite, with their intervals; see `localreg.compare.Measurement`.

        They are those of `compare`, for the suite, its test cases, slices and classes.

        Args:
            model: a model or version; references as in `get_version`.
            suite: name of the test suite, at its newest version; or a `TestSuite`, at the version that it shows.
            metrics: their names; None = the usual ones of its kind of inferences.
            by: as for `compare`.
            bins: as for `compare`.
            strict: count a sample without an inference as wrong, instead of leaving it out.
            confidence: of the intervals.
            group_by: as for `compare`.
            evaluator: as for `compare`.
            configuration: as for `compare`.
            better: as for `compare`.
            positive: as for `compare`.
            score_of: as for `compare`.
            score_threshold: as for `compare`.
            iou: as for `compare`.

        Raises:
            NotFoundError: the model, the suite or its inferences are not there.
            InvalidInputError: the types do not say what is right; a metric or an expression is not known.
            WorkflowMismatchError: the model is of another workflow.
        """
        from localreg.compare.asked import Asked
        from localreg.compare.measuring import measure

        asked = Asked(
            strict=strict,
            by=by,
            bins=bins,
            metrics=metrics,
            confidence=confidence,
            group_by=group_by,
            evaluator=evaluator,
            configuration=configuration,
            better=better,
            positive=positive,
            score_of=score_of,
            score_threshold=score_threshold,
            iou=iou,
        )
        return measure(self._session, models.get_version(self._session, model), suite=suite, asked=asked)

    def predictions(
        self,
        model: str | Model | ModelVersion,
        *,
        suite: str | TestSuite,
        by: str | Sequence[str] | None = None,
        bins: int = 10,
        strict: bool = False,
    ) -> Predictions:
        """What one model said of a test suite beside what is true, as columns for `localreg.metrics` or anything else.

        Labels, or numbers: one in the ground truth and one in the inference. `model.inferences(suite)` has all fields
        of any type, and rows without an inference, too.

        Args:
            model: a model or version; references as in `get_version`.
            suite: name of the test suite, at its newest version; or a `TestSuite`, at the version that it shows.
            by: SQL expressions as for `compare`, such as `metadata.weather`: each becomes a column, with its values, or
                bins of numbers, as text.
            bins: a number of more different values than that is cut into so many.
            strict: give a row, with a null for the prediction, to a sample without an inference, too: metrics of labels
                count it as wrong.

        Raises:
            NotFoundError: the model, the suite or its inferences are not there.
            InvalidInputError: the types have not one label each, or one number; an expression is not known.
            WorkflowMismatchError: the model is of another workflow.
        """
        from localreg.compare.predicted import predictions

        version = models.get_version(self._session, model)
        return predictions(self._session, version, suite=suite, by=by, bins=bins, strict=strict)
