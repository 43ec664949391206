"""What a `Registry` says of models on a test suite: which is better, and what one is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from localreg.models import Model, ModelVersion, get_version
from localreg.session import Session

if TYPE_CHECKING:
    from localreg.compare import Comparison
    from localreg.compare.measurement import Measurement
    from localreg.compare.predicted import Predictions
    from localreg.compare.saved import SavedComparison
    from localreg.query import Result
    from localreg.workflow import TestSuite
    from localreg.workflow.evaluator import Evaluator, EvaluatorConfiguration
    from localreg.workflow.evaluator_function import BasicEvaluatorFunction
    from localreg.workflow.executors import ExecutorLike

__all__ = ["Comparing"]


class Comparing:
    """Models on test suites, by what was inferred and kept."""

    _session: Session

    def compare(
        self,
        baseline: str | Model | ModelVersion,
        *candidates: str | Model | ModelVersion,
        suite: str | TestSuite,
        by: str | Sequence[str] | None = None,
        bins: int = 10,
        metrics: Sequence[str] | None = None,
        strict: bool = False,
        confidence: float = 0.95,
        adjust: Literal["holm", "bh", "none"] = "holm",
        group_by: str | None = None,
        evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None,
        configuration: EvaluatorConfiguration | str | None = None,
        better: Mapping[str, Literal["higher", "lower"]] | None = None,
        positive: str | None = None,
        score_of: Literal["predicted", "positive"] | None = None,
        bootstrap: int | None = None,
        score_threshold: float | Literal["f1_optimal"] | None = None,
        iou: float | None = None,
        executor: ExecutorLike | None = None,
        fmr: float | None = None,
        iou_type: Literal["bbox", "segm"] | None = None,
    ) -> Comparison:
        """Whether candidates are better than the baseline on a test suite; see `localreg.compare.Comparison`.

        Args:
            baseline: a model or version; references as in `get_version`.
            candidates: those that might be better, each of which is compared with the baseline.
            suite: name of the test suite, at its newest version; or a `TestSuite`, at the version that it shows.
            by: SQL expressions over the samples' fields, `metadata`, `ground_truth` and `test_case`, such as
                `metadata.weather`: the comparison is told for each of their values, too.
            bins: a number of more different values than that is cut into so many slices.
            metrics: their names; the first one is what the verdict goes by. None = accuracy, and those that go with it.
            strict: count a sample without an inference as wrong, instead of leaving it out.
            confidence: of the intervals.
            adjust: how p-values of one metric in several test cases, slices, classes or candidates are adjusted: by
                Holm ("holm": the chance of any false alarm is bounded), Benjamini and Hochberg ("bh": their share), or
                not at all ("none").
            group_by: an SQL expression as in `by`, such as `metadata.patient`: samples of one value are not independent
                of each other, and intervals and p-values come from leaving out one such cluster after the other.
                Samples without a value count each for itself.
            evaluator: compare what this one said; its display name, or as passed to `test`: numbers of samples
                by their means, booleans by the share of True (which also tells what is fixed and broken), numbers of
                test cases and of the suite as they are. None = what the types decide: a label in ground truth and
                inference is classification, a number in both regression, a list of labelled boxes detection, a list of
                labelled polygons or masks segmentation, a boolean in the ground truth and a number in the inference
                verification (is the pair genuine, how alike is it).
            configuration: of the evaluator, or its display name; None = without any, or with the only one.
            better: whether more or less of a metric of the evaluator is better, such as `{"seconds": "lower"}`. None =
                as its metrics say themselves (`localreg.workflow.meaning`), those of named evaluators do. Of a boolean
                True is, if nothing is said; of a number it is not known then, and a difference that is no luck is told
                as "different".
            positive: the label whose scores make ROC AUC, average precision, log loss and Brier score. None = of two
                labels the last one in order of the alphabet.
            score_of: whose the scores beside labels are: of the label that the model says ("predicted"), or of the
                positive one whatever it says ("positive"). None = what they can only be; else their metrics are null.
            bootstrap: make intervals and p-values by drawing samples, or clusters, so many times again, such as 2,000:
                also of metrics that have none otherwise, as Spearman's. Those of single classes, of ROC AUC and of
                average precision stay. Seeds follow from the data: the same comparison, the same interval.
            score_threshold: of detectors, for precision, recall, F1 and what is fixed or broken: shapes of this score
                and above count. "f1_optimal" = of each model the score at which its F1 is highest over the suite.
                None = 0.5. In verification, pairs of this similarity and above are accepted; None = see `fmr`.
            iou: by which a shape must overlap an object then, to have found it. None = 0.5.
            iou_type: of what: of boxes ("bbox"), or of pixels ("segm"), which polygons and masks have. None = of boxes,
                where both types have a list of these.
            executor: who counts labels, as for `test`: each worker counts some samples from the files themselves, and
                the joint counts are added up, so that every number is the same as without. Scores are looked at here.
                None = this process, in threads; which is enough up to some ten million samples.
            fmr: in verification, each model's threshold is the smallest that accepts no more than this share of the
                suite's impostors (of those in baseline test cases, if the suite has some). None = 0.001. A person who
                stands in many pairs makes them dependent: say so by `group_by`, such as `metadata.person`.

        Raises:
            NotFoundError: a model, suite or its inferences are not there.
            InvalidInputError: the types do not say what is right; the models have no sample in common; a metric or an
                expression is not known.
            WorkflowMismatchError: a model is of another workflow.
        """
        from localreg.compare import Asked, compare

        versions = [get_version(self._session, each) for each in (baseline, *candidates)]
        asked = Asked(
            strict=strict,
            by=by,
            bins=bins,
            metrics=metrics,
            confidence=confidence,
            adjust=adjust,
            group_by=group_by,
            evaluator=evaluator,
            configuration=configuration,
            better=better,
            positive=positive,
            score_of=score_of,
            bootstrap=bootstrap,
            score_threshold=score_threshold,
            iou=iou,
            executor=executor,
            fmr=fmr,
            iou_type=iou_type,
        )
        return compare(self._session, versions, suite=suite, asked=asked)

    def get_comparison(self, name: str) -> SavedComparison:
        """A comparison that was saved, which can do what it could when it was made; `comparisons` lists them.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.compare.saved import get_saved

        return get_saved(self._session, name)

    def leaderboard(
        self,
        *models: str | Model | ModelVersion,
        suites: str | Sequence[str | TestSuite],
        metric: str | None = None,
        strict: bool = True,
        confidence: float = 0.95,
        group_by: str | None = None,
        evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None,
        configuration: EvaluatorConfiguration | str | None = None,
        better: Mapping[str, Literal["higher", "lower"]] | None = None,
        positive: str | None = None,
        score_of: Literal["predicted", "positive"] | None = None,
        bootstrap: int | None = None,
        score_threshold: float | Literal["f1_optimal"] | None = None,
        iou: float | None = None,
        iou_type: Literal["bbox", "segm"] | None = None,
        fmr: float | None = None,
    ) -> Result:
        """Models on test suites, best first: who leads on each, and who cannot be told from the leader.

        Columns: `test_suite, rank, model, metric, value, n, missing` (samples without an inference), then how the model
        differs from the leader of that suite: `difference, low, high, p_adjusted, verdict` ("regressed" = behind it,
        "inconclusive" = that may be luck), and `reason` where there is no number, or what to know of it. Where no model
        has a value, nobody leads. The leader is chosen by what is compared then, which flatters it a little: Holm's
        adjustment covers that there are several others, and not the choice.

        Args:
            models: models or versions; references as in `get_version`.
            suites: names of test suites, at their newest versions; or `TestSuite`s, at the versions that they show.
            metric: by which they are ranked; None = the first that is told for their kind of inferences. One of single
                classes ranks by its average over them.
            strict: count a sample without an inference as wrong, so that all are measured on the same samples. False =
                leave it out; numbers, and what an evaluator says, have to be compared so where one is missing.
            confidence: of the intervals.
            group_by: as for `compare`.
            evaluator: as for `compare`.
            configuration: as for `compare`.
            better: as for `compare`; an evaluator's number of which nobody said it ranks nobody.
            positive: as for `compare`.
            score_of: as for `compare`.
            bootstrap: as for `compare`.
            score_threshold: as for `compare`.
            iou: as for `compare`.
            iou_type: as for `compare`.
            fmr: as for `compare`.

        Raises:
            NotFoundError: a model or suite is not there.
            InvalidInputError: see `compare`; or neither more nor less of the metric is better.
            WorkflowMismatchError: a model is of another workflow than a suite.
        """
        from localreg.compare import Asked
        from localreg.compare.leaderboard import leaderboard
        from localreg.query import Result

        versions = [get_version(self._session, each) for each in models]
        asked = Asked(
            strict=strict,
            metrics=None if metric is None else [metric],
            confidence=confidence,
            group_by=group_by,
            evaluator=evaluator,
            configuration=configuration,
            better=better,
            positive=positive,
            score_of=score_of,
            bootstrap=bootstrap,
            score_threshold=score_threshold,
            iou=iou,
            iou_type=iou_type,
            fmr=fmr,
        )
        table = leaderboard(self._session, versions, suites, asked)
        return Result(lambda: table)

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
        iou_type: Literal["bbox", "segm"] | None = None,
        fmr: float | None = None,
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
            iou_type: as for `compare`.
            fmr: as for `compare`.

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
            iou_type=iou_type,
            fmr=fmr,
        )
        return measure(self._session, get_version(self._session, model), suite=suite, asked=asked)

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

        Labels, or numbers: one in the ground truth and one in the inference; of pairs, whether they are genuine, and
        how alike they are. `model.inferences(suite)` has all fields
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

        version = get_version(self._session, model)
        return predictions(self._session, version, suite=suite, by=by, bins=bins, strict=strict)
