"""Running a model on a test suite: infer what is not inferred yet, keep it as it comes, and evaluate it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject
from localreg.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    WorkflowMismatchError,
)
from localreg.log import State
from localreg.models import delete
from localreg.names import check_flag, shown_value
from localreg.records.access import RUNNER
from localreg.session import Changes
from localreg.session.changes import Operation
from localreg.workflow.evaluating import Evaluating
from localreg.workflow.evaluation import configurations_for
from localreg.workflow.evaluation_results import EvaluationView, find_evaluation
from localreg.workflow.evaluator import Evaluator, EvaluatorConfiguration
from localreg.workflow.evaluator_function import BasicEvaluatorFunction, EvaluatorForm, form_of
from localreg.workflow.evaluators import evaluator_named
from localreg.workflow.executors import Workers, check_executor, opened
from localreg.workflow.inferences import keeps_files
from localreg.workflow.inferring import BATCH, Inferring
from localreg.workflow.model import Model
from localreg.workflow.run_content import ChangedFile, RunContent, unique
from localreg.workflow.run_record import RunRecord
from localreg.workflow.running import OnError
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.upload import deduplicated

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["TestRun", "test"]


def test(
    model: Model[Any, Any, Any],
    test_suite: TestSuite,
    evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None,  # noqa: PT028 - none of pytest's
    configurations: Iterable[EvaluatorConfiguration] | None = None,  # noqa: PT028
    reset: bool = False,  # noqa: PT028
    on_error: OnError = "raise",  # noqa: PT028
    batch_size: int | None = None,  # noqa: PT028
    executor: Executor | str | None = None,  # noqa: PT028
    hash_files: bool = True,  # noqa: PT028
) -> TestRun:
    """Run a model on a test suite, and evaluate it: see `TestRun`.

    Raises:
        InvalidInputError: the suite is empty, the model has no `infer`, an inference is not of the workflow's type, or
            the evaluator cannot be called, or does not give metrics of each sample and test case.
        WorkflowMismatchError: model and suite belong to different workflows.
    """
    run = TestRun(model, test_suite, evaluator, configurations, reset, on_error, batch_size, executor, hash_files)
    run.run()
    return run


test.__test__ = False  # type: ignore[attr-defined]


class TestRun:
    """One model version on one version of a test suite, with one evaluator. The same three are the same run.

    Samples that the model version has inferred before are not inferred again, whatever suite they came with. Results of
    the evaluator are kept for each configuration, and not computed again while evaluator, configuration, inferences and
    ground truths stay the same.

    Args:
        model: with `infer`, if anything is to be inferred.
        test_suite: of the same workflow.
        evaluator: an `Evaluator`, its class, or a function; known by its display name. Or the
            name of one that is there: see `localreg.workflow.evaluators`. None = only infer.
        configurations: to evaluate with, one after the other, for a function; an `Evaluator` brings its own. Results
            with other configurations stay beside these.
        reset: infer all samples again; what is stored is replaced in one commit, when all are done.
        on_error: what an exception in `infer` does: `raise` ends the run with it, `record` goes on with the next
            sample. Either way it is kept with its sample, what was inferred is kept, and the next run tries again.
        batch_size: call `infer` with lists of so many samples, for a list of inferences. If it raises, the samples of
            the batch are tried one by one.
        executor: where `infer` is called, and, in other processes, several configurations are evaluated at once:
            `processes` or `processes:8` on this machine, which end with the run; a cluster of Dask,
            `dask://host:8786`; or any `concurrent.futures.Executor`, which stays open. None = here. A sample at which
            its worker dies twice counts as one for which `infer` raised. Worker processes import the script: what it
            does must stand below `if __name__ == "__main__":`. Where a worker has several threads, as in Dask's by
            default, these call `infer` at once.
        hash_files: keep with each inference the sha256 of the local files that its sample names by a `locator`, so that
            a file that changes later is told; each is read once more for it, right after `infer`.

    Raises:
        InvalidInputError: an evaluator that cannot be called as one, or that takes a configuration and is given none.
    """

    __test__ = False

    def __init__(
        self,
        model: Model[Any, Any, Any],
        test_suite: TestSuite,
        evaluator: Evaluator | type[Evaluator] | BasicEvaluatorFunction | str | None = None,
        configurations: Iterable[EvaluatorConfiguration] | None = None,
        reset: bool = False,
        on_error: OnError = "raise",
        batch_size: int | None = None,
        executor: Executor | str | None = None,
        hash_files: bool = True,
    ) -> None:
        _check(model, test_suite, on_error, batch_size)
        self._executor = check_executor(executor)
        self.model = model
        self._model_name = model.name  # as it was, for messages: it may be deleted meanwhile
        self.test_suite = test_suite
        self.reset = check_flag(reset, what="reset")
        named = evaluator_named(evaluator) if isinstance(evaluator, str) else evaluator
        self._form = None if named is None else form_of(named)
        self.evaluator = None if self._form is None else self._form.evaluator
        self.configurations = configurations_for(self._form, configurations)
        self._session = model.session
        self._record = RunRecord(model, test_suite, None if self._form is None else self._form.display_name)
        self._inferring = Inferring(
            model,
            test_suite,
            self._record,
            reset=self.reset,
            on_error=on_error,
            batch_size=batch_size,
            hash_files=check_flag(hash_files, what="hash_files"),
            committed_with=self._with,
        )
        self._inferred: int | None = None

    # --- running ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Infer what is missing and store it; then evaluate.

        What is inferred is written every second, or every 10,000 samples, and becomes one commit when the run ends;
        a run that was killed is taken up where that ended. Several processes may run the same at once: each infers
        other samples.

        Returns:
            How many samples were inferred now.
        """
        state = self._session.state()
        rows = unique(self._record.suite_indices(state))
        if not len(rows):
            raise InvalidInputError(
                f"test suite {self.test_suite.name!r} version {self.test_suite.version} holds no test samples; add "
                "some, or, if its name is mistyped, take TestSuite.load, which makes no new one"
            )
        with opened(self._executor) as workers:
            if self._session.transaction_here() is not None:
                self._inferred = self._inferring.at_once(state, rows, workers)
            elif self.reset or self._inferring.lacking(state, rows).any() or self._record.find(state) is None:
                self._tell_changes(state)
                self._inferred = self._inferring.shared(state, rows, workers)
            else:
                self._tell_changes(state)
                self._inferred = 0
            if self._form is not None:
                self._evaluate(self._form, workers, refresh=False)
        return self._inferred

    def _with(self, upload: Operation) -> Operation:
        """An upload, and what else is to be in its commit."""
        return upload

    # --- evaluating -------------------------------------------------------------------------------------------------

    def evaluate(self, refresh: bool = False) -> None:
        """Evaluate what is inferred, with each configuration, and store all results in one commit.

        Samples that the model skipped are given to the evaluator with None as inference; those that failed or were not
        inferred are left out, and it is told how many. A test case of which none is left is left out, too. What is
        stored already is not computed again, if that can be told: not for evaluators that were written at a prompt or
        in a notebook, or that hold objects of installed packages.

        Args:
            refresh: compute it again in any case, such as after an installed package changed.

        Raises:
            InvalidInputError: this run has no evaluator, nothing is inferred, or results are not of each sample and
                test case once; nothing is stored.
            Exception: what the evaluator raised; nothing is stored.
        """
        if self._form is None:
            raise InvalidInputError(f"{self!r} was made without an evaluator; pass evaluator=")
        check_flag(refresh, what="refresh")
        with opened(self._executor) as workers:
            self._evaluate(self._form, workers, refresh=refresh)

    def _evaluate(self, form: EvaluatorForm, workers: Workers | None, *, refresh: bool) -> None:
        state = self._session.state()
        version = self.model.version_id(state)
        work = Evaluating(
            self._session,
            form,
            self.configurations,
            self.test_suite,
            ensure=lambda changes: self._record.ensure(changes, version),
            suite_rows=self._record.suite_indices,
        )
        work.run(state, version, self._record.find(state), refresh=refresh, workers=workers)

    def results(self, configuration: EvaluatorConfiguration | str | None = None) -> EvaluationView:
        """What the evaluator said: metrics of samples, test cases and the suite, and plots.

        Args:
            configuration: with which one, or its display name; None = without any, or the only one that there is.

        Raises:
            NotFoundError: it was not evaluated so.
            InvalidInputError: it was evaluated with several configurations, and none is named.
        """
        state = self._session.state()
        row = find_evaluation(state, self._record.find(state), configuration, repr(self))
        return EvaluationView(self._session, state, row, self.test_suite)

    # --- what is stored -----------------------------------------------------------------------------------------------

    def _tell_changes(self, state: State) -> None:
        """Tell what is not as it was when the stored inferences were made, if these are to be used again."""
        if not self.reset:
            self._record.tell_other_code(state)
            self._record.tell_changed_files(self.changed_files())

    # --- by hand ----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """Of what is stored of it (column `id` of `test_runs`); None if nothing is."""
        row = self._record.find(self._session.state())
        return None if row is None else row.id

    def load_test_samples(self) -> list[Any]:
        """The suite's test samples that still lack an inference, each once; all of them for a run with `reset`."""
        return list(self.iter_test_samples())

    def iter_test_samples(self) -> Iterator[Any]:
        """The same, made in batches."""
        state = self._session.state()
        rows = unique(self._record.suite_indices(state))
        lacking = rows if self.reset else rows[self._inferring.lacking(state, rows)]
        for begin in range(0, len(lacking), BATCH):
            yield from self._inferring.samples(state, lacking[begin : begin + BATCH])

    def upload_inferences(self, inferences: Sequence[tuple[Any, Any]]) -> None:
        """Store inferences that were made elsewhere, in one commit.

        Args:
            inferences: (test sample, inference) pairs; None = skipped.

        Raises:
            InvalidInputError: a sample is not in the suite or stands there twice, or an inference cannot be stored;
                nothing is stored.
            AlreadyExistsError: a sample has an inference already, and this is no run with `reset`.
        """
        from localreg.workflow.given import given_rows

        self._session.refuse_without(RUNNER)
        state = self._session.state()
        suite = unique(self._record.suite_indices(state))
        rows = given_rows(self._session, state, self.model.workflow, suite, inferences)
        given = rows["sample_idx"].to_numpy()
        if not self.reset and not self._inferring.lacking(state, given).all():
            count = int((~self._inferring.lacking(state, given)).sum())
            raise AlreadyExistsError(
                f"model {self._model_name!r} has inferences for {count} of these samples already; leave them out "
                "(load_test_samples gives those that lack one), or make the run with reset=True"
            )
        self._inferring.store(state, deduplicated(rows), self.model.version_id(state))
        self._inferred = len(given)

    def errors(self) -> list[tuple[Any, JsonObject]]:
        """The suite's samples for which `infer` raised, each with its `type`, `message` and `traceback`."""
        state = self._session.state()
        version = self.model.version_id(state)
        return [] if version is None else self._content(state, version).errors()

    def changed_files(self) -> list[ChangedFile]:
        """The local files of the suite's samples that hold other bytes now than when the version inferred the sample.

        Their inferences are used as they are stored: to make them anew, run with `reset=True`, or a new version.
        """
        state = self._session.state()
        version = self.model.version_id(state)
        if version is None or not keeps_files(state, version):
            return []
        return self._content(state, version).changed_files()

    def _content(self, state: State, version: str) -> RunContent:
        rows = unique(self._record.suite_indices(state))
        return RunContent(self._session, state, self.model.workflow, self.model.workflow_id(state), version, rows)

    def delete(self) -> None:
        """Delete this run, with its results and the inferences that it made.

        Those are then missing wherever they were used: the next run of any suite with these samples infers them again.

        Raises:
            NotFoundError: it was never run, or is deleted already.
        """

        def operation(changes: Changes) -> None:
            run = self._record.find(changes.draft)
            if run is None:
                raise NotFoundError(f"there is no test run of {self._model_name!r} on {self.test_suite!r} to delete")
            delete(changes, run, force=False)

        self._session.change(operation)

    def __repr__(self) -> str:
        done = ""
        if self._inferred is not None:
            parts = [f"{self._inferred:,} samples inferred now"]
            total = len(unique(self._record.suite_indices(self._session.state())))
            if total > self._inferred:
                parts.append(f"{total - self._inferred:,} before")
            if self._inferring.failed:
                parts.append(f"{self._inferring.failed:,} failed")
            done = f": {', '.join(parts)}"
        return f"<TestRun of {self._model_name!r} on {self.test_suite.name!r} version {self.test_suite.version}{done}>"


def _check(model: object, test_suite: object, on_error: object, batch_size: object) -> None:
    if not isinstance(model, Model) or not isinstance(test_suite, TestSuite):
        raise InvalidInputError(
            f"a test run takes a model and a test suite of a workflow, not {shown_value(model)} and "
            f"{shown_value(test_suite)}; see define_workflow"
        )
    if model.workflow.name != test_suite.workflow.name:
        raise WorkflowMismatchError(
            f"model {model.name!r} belongs to workflow {model.workflow.name!r}, "
            f"and test suite {test_suite.name!r} to {test_suite.workflow.name!r}"
        )
    if not model.session.is_same_namespace(test_suite.session):
        raise InvalidInputError(f"{model!r} and {test_suite!r} lie in different registries or namespaces")
    if on_error not in ("raise", "record"):
        raise InvalidInputError(f"on_error is {on_error!r}; it must be 'raise' or 'record'")
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise InvalidInputError(f"batch_size is {batch_size!r}; it must be a whole number from 1 on, or None")
