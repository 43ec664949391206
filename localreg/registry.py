"""The user's door: a registry, opened at one namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from localreg import models
from localreg.exchange import Exchange
from localreg.measuring import Measuring
from localreg.models import Listings, Model, ModelVersion
from localreg.names import check_whole
from localreg.past import COMMIT_HINT, Past
from localreg.session import Session, Transaction
from localreg.times import utc

if TYPE_CHECKING:
    from localreg.compare import Comparison
    from localreg.compare.saved import SavedComparison
    from localreg.query import Engine, Result
    from localreg.workflow import StoredTestCase, StoredTestRun, StoredTestSuite, StoredWorkflow, TestSuite
    from localreg.workflow.evaluator import Evaluator, EvaluatorConfiguration
    from localreg.workflow.evaluator_function import BasicEvaluatorFunction
    from localreg.workflow.executors import ExecutorLike

__all__ = ["AllNamespaces", "Registry"]


class Registry(Listings, Exchange, Measuring, Past):
    """An open registry at one namespace. Make one with `localreg.open`.

    Reads show the newest commit of any process; each call that changes something is one commit, durable when it
    returns. May be shared between threads, and used as a context manager.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- where it is ------------------------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        """Where the registry lies."""
        return self._session.root.uri

    @property
    def id(self) -> str:
        """The registry's identity: 32 hex digits, kept by every copy."""
        return self._session.file.registry

    @property
    def namespace_name(self) -> str:
        """The namespace that this handle is opened at."""
        return self._session.namespace

    @property
    def actor(self) -> str:
        """Who is named in the audit log for what this handle does."""
        return self._session.actor

    @property
    def read_only(self) -> bool:
        """Whether every change is refused: asked for, not permitted by the folder, or a look into the past."""
        return bool(self._session.read_only)

    @property
    def commit(self) -> int:
        """Number of the commit that is shown; 0 before the first."""
        return self._session.state().head.commit

    def namespace(self, name: str) -> Registry:
        """The same registry at another namespace, which is made by its first use.

        Raises:
            InvalidInputError: not a namespace's name.
        """
        return Registry(self._session.at_namespace(name))

    def namespaces(self) -> list[str]:
        """Names of the namespaces that there are: those in which something was committed."""
        return self._session.namespaces()

    def all(self) -> AllNamespaces:
        """All namespaces that may be read, to be asked together; nothing can be changed through it.

        Listings, facets, `sql` and `audit` have the rows of all of them, told apart by their column `namespace`. The
        schemas of workflows, with their typed columns, are there in one namespace alone.
        """
        return AllNamespaces(self._session)

    # --- models -----------------------------------------------------------------------------------------------------

    def create_model(
        self,
        name: str,
        *,
        metadata: Mapping[str, object] | None = None,
        tags: Iterable[str] = (),
        owner: str | None = None,
        description: str | None = None,
        task: str | None = None,
        exist_ok: bool = False,
    ) -> Model:
        """Make a model.

        Args:
            name: free text, unique in the namespace; kept exactly, but stripped.
            metadata: any JSON object.
            tags: words to find it by.
            owner: whom to ask.
            description: free text.
            task: what it is for, such as `detection`.
            exist_ok: return the model if there is one; what differs is left as it is, with a warning.

        Raises:
            AlreadyExistsError: the name is taken.
            InvalidInputError: a malformed name, or metadata that is no JSON object; the key is named.
        """
        return models.create_model(
            self._session,
            name,
            metadata=metadata,
            tags=tags,
            owner=owner,
            description=description,
            task=task,
            exist_ok=exist_ok,
        )

    def get_model(self, name: str) -> Model:
        """The model of that name.

        Raises:
            NotFoundError: there is none; near names are suggested, and a renamed one is told.
        """
        return models.get_model(self._session, name)

    def find_model(self, name: str) -> Model | None:
        """The model of that name, or None."""
        return models.find_model(self._session, name)

    def get_version(self, reference: str | Model | ModelVersion) -> ModelVersion:
        """The version meant by `name` (the newest), `name@2` or `name@production`; an exact model name wins.

        Raises:
            NotFoundError: no such model, version or alias.
        """
        return models.get_version(self._session, reference)

    # --- workflows, without their Python types ----------------------------------------------------------------------

    def get_workflow(self, name: str) -> StoredWorkflow:
        """The workflow of that name, to be looked at or deleted; run things with the classes of `define_workflow`.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.workflow.stored import get_stored_workflow

        return get_stored_workflow(self._session, name)

    def get_test_case(self, name: str) -> StoredTestCase:
        """The test case of that name in all its versions, to be looked at, archived or deleted.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.workflow.stored import get_stored_test_case

        return get_stored_test_case(self._session, name)

    def get_test_suite(self, name: str) -> StoredTestSuite:
        """The test suite of that name in all its versions, to be looked at, archived or deleted.

        Raises:
            NotFoundError: there is none; near names are suggested.
        """
        from localreg.workflow.stored import get_stored_test_suite

        return get_stored_test_suite(self._session, name)

    def get_test_run(self, id: str) -> StoredTestRun:
        """The test run of that id (column `id` of `test_runs`), to be looked at or deleted.

        Raises:
            NotFoundError: there is none.
        """
        from localreg.workflow.stored import get_stored_test_run

        return get_stored_test_run(self._session, id)

    # --- many changes, one commit -----------------------------------------------------------------------------------

    def transaction(self, message: str | None = None) -> AbstractContextManager[Transaction]:
        """A block in which all changes through this handle become one commit, or none if the block raises.

        Reads inside see the block's own changes. Another writer's commits in between are no conflict unless they
        change the same records. Threads started inside do not join.

        Raises:
            ConflictError: (at the end of the block) another writer changed a record that the block changes, too.
            InvalidInputError: a transaction is open already.
        """
        return self._session.transaction(message)

    # --- questions --------------------------------------------------------------------------------------------------

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

        versions = [self.get_version(each) for each in (baseline, *candidates)]
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
        fmr: float | None = None,
    ) -> Result:
        """Models on test suites, best first: who leads on each, and who cannot be told from the leader.

        Columns: `test_suite, rank, model, metric, value, n`, then how the model differs from the leader of that suite:
        `difference, low, high, p_adjusted, verdict` ("regressed" = behind it, "inconclusive" = that may be luck), and
        `reason` where there is no number. The leader is chosen by what is compared then, which flatters it a little:
        Holm's adjustment covers that there are several others, and not the choice.

        Args:
            models: models or versions; references as in `get_version`.
            suites: names of test suites, at their newest versions; or `TestSuite`s, at the versions that they show.
            metric: by which they are ranked; None = the first that is told for their kind of inferences.
            strict: count a sample without an inference as wrong, so that all are measured on the same samples. False =
                leave it out; numbers have to be compared so where one is missing.
            confidence: of the intervals.
            fmr: which sets thresholds, in verification; see `compare`.

        Raises:
            NotFoundError: a model or suite is not there.
            InvalidInputError: see `compare`.
            WorkflowMismatchError: a model is of another workflow than a suite.
        """
        from localreg.compare import Asked
        from localreg.compare.leaderboard import leaderboard
        from localreg.query import Result

        versions = [self.get_version(each) for each in models]
        asked = Asked(strict=strict, metrics=None if metric is None else [metric], confidence=confidence, fmr=fmr)
        table = leaderboard(self._session, versions, suites, asked)
        return Result(lambda: table)

    # --- history ----------------------------------------------------------------------------------------------------

    def at(self, *, commit: int | None = None, time: datetime | str | None = None) -> Registry:
        """The registry as it was, read-only.

        Args:
            commit: as that commit left it; 0 is before the first.
            time: as the last commit not later than this left it: an aware datetime, or ISO 8601 text. Commits whose
                writers' clocks ran ahead count with the latest time before them, so that order is never by clock.

        Raises:
            InvalidInputError: no such commit, or a time without a zone.
        """
        number = None if commit is None else check_whole(commit, what="commit", hint=COMMIT_HINT)
        return Registry(self._session.at(commit=number, time=None if time is None else utc(time, what="time")))

    def frozen(self) -> Registry:
        """The registry as it is now, read-only and for good: many reads of one state, none of which asks the store.

        May be used as a context manager. An open transaction does not show: what it will come to is not known yet.
        """
        return Registry(self._session.frozen())

    def _asked(self) -> Engine:
        return self._session.engine()

    def close(self) -> None:
        """Let go of what is kept in memory. Nothing needs to be flushed: every commit is durable already."""
        self._session.close()

    def __enter__(self) -> Registry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Registry {self.uri!r}, namespace {self.namespace_name!r}{', read-only' if self.read_only else ''}>"


class AllNamespaces(Listings):
    """The questions of a `Registry`, asked of all its namespaces at once. Made by `Registry.all`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def namespaces(self) -> list[str]:
        """Names of the namespaces that there are."""
        return self._session.namespaces()

    def _asked(self) -> Engine:
        return self._session.engine_of_all()

    def __repr__(self) -> str:
        return f"<AllNamespaces of {self._session.root.uri!r}>"
