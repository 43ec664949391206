"""Running a model on a test suite: infer what is not inferred yet, keep it as it comes, and evaluate it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject
from localreg.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    WorkflowMismatchError,
)
from localreg.log import Row, State
from localreg.models import delete, ensure_version
from localreg.names import shown_value
from localreg.records.models import ModelRecord
from localreg.records.workflows import TestRunRecord, TestSuiteVersionRecord
from localreg.session import Changes
from localreg.session.changes import Operation
from localreg.workflow.fingerprint import changes_since, fingerprint
from localreg.workflow.inferences import ERROR, MISSING, OK, SKIPPED, Inferences, inference_rows
from localreg.workflow.model import Model, check_binding
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.progress import Progress, progress, tell
from localreg.workflow.running import OnError, Runner, Stretches
from localreg.workflow.samples import case_indices, concatenated, objects_at, sample_count
from localreg.workflow.sharing import Claims, claim_next
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.typed import TypedColumn
from localreg.workflow.upload import Upload, deduplicated, refuse_deleted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["TestRun", "test", "unique_indices"]

BATCH = 10_000


def test(
    model: Model[Any, Any, Any],
    test_suite: TestSuite,
    *,
    reset: bool = False,  # noqa: PT028 - no test of pytest's
    on_error: OnError = "raise",  # noqa: PT028
    batch_size: int | None = None,  # noqa: PT028
) -> TestRun:
    """Run a model on a test suite: see `TestRun`.

    Raises:
        InvalidInputError: the suite is empty, the model has no `infer`, or an inference is not of the workflow's type.
        WorkflowMismatchError: model and suite belong to different workflows.
    """
    run = TestRun(model, test_suite, reset=reset, on_error=on_error, batch_size=batch_size)
    run.run()
    return run


test.__test__ = False  # type: ignore[attr-defined]


class TestRun:
    """One model version on one version of a test suite. The same two are the same run.

    Samples that the model version has inferred before are not inferred again, whatever suite they came with.

    Args:
        model: with `infer`, if anything is to be inferred.
        test_suite: of the same workflow.
        reset: infer all samples again; what is stored is replaced in one commit, when all are done.
        on_error: what an exception in `infer` does: `raise` ends the run with it, `record` goes on with the next
            sample. Either way it is kept with its sample, what was inferred is kept, and the next run tries again.
        batch_size: call `infer` with lists of so many samples, for a list of inferences. If it raises, the samples of
            the batch are tried one by one.
    """

    __test__ = False

    def __init__(
        self,
        model: Model[Any, Any, Any],
        test_suite: TestSuite,
        *,
        reset: bool = False,
        on_error: OnError = "raise",
        batch_size: int | None = None,
    ) -> None:
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
        self.model = model
        self._model_name = model.name  # as it was, for messages: it may be deleted meanwhile
        self.test_suite = test_suite
        self.reset = reset
        self._on_error: OnError = on_error
        self._batch_size = batch_size
        self._session = model.session
        self._inferred: int | None = None
        self._failed = 0

    # --- running ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Infer what is missing and store it.

        What is inferred is written every second, or every 10,000 samples, and becomes one commit when the run ends;
        a run that was killed is taken up where that ended. Several processes may run the same at once: each infers
        other samples.

        Returns:
            How many samples were inferred now.
        """
        state = self._session.state()
        rows = unique_indices(self._suite_indices(state))
        if not len(rows):
            raise InvalidInputError(f"test suite {self.test_suite.name!r} holds no test samples; add some")
        if self._session.transaction_here() is not None:
            self._inferred = self._run_at_once(state, rows)
        elif self.reset or self._lacking(state, rows).any() or self._find_run(state) is None:
            self._inferred = self._run_shared(rows)
        else:
            self._tell_other_code(state)
            self._inferred = 0
        return self._inferred

    def _run_at_once(self, state: State, rows: Indices) -> int:
        """Infer all in one go, as part of a transaction: what is new in it has no final place to be written to yet."""
        import numpy as np
        import pyarrow as pa

        lacking = rows if self.reset else rows[self._lacking(state, rows)]
        column, version = self._inference_column(state), self._version_id(state)
        kept = [inference_rows(column, lacking[:0], [], {}, str)]
        self._infer(state, lacking, kept.append)
        merged = pa.concat_tables(kept, promote_options="default")
        # Where the samples stand in the suite stays the same, whatever numbers they get.
        order = np.argsort(suite := self._suite_indices(state), kind="stable")
        positions = order[np.searchsorted(suite, merged["sample_idx"].to_numpy(), sorter=order)]
        self._store(column, merged, version, places=lambda newer: self._suite_indices(newer)[positions])
        return len(lacking)

    def _run_shared(self, rows: Indices) -> int:
        """Infer with whoever else runs the same."""
        self._require_infer(self._session.state(), rows)
        state = self._session.change(self._begin)
        version = self._version_id(state)
        assert version is not None, "the run was begun with one"
        self._tell_other_code(state)
        area = "resets" if self.reset else "inferences"
        claims = Claims(self._session.store, f"{area}-{version}-{self.test_suite.version_id}")
        parts = OpenParts(self._session.store, version, area)
        work = _SharedWork(self, state, rows, version, claims, parts)
        try:
            return work.run()
        finally:
            self._commit(list(parts.tables()), rows=rows, version=version)
            parts.discard()

    def _require_infer(self, state: State, rows: Indices) -> None:
        lacking = rows if self.reset else rows[self._lacking(state, rows)]
        if self.model.infer is None and len(lacking):
            raise InvalidInputError(
                f"model {self._model_name!r} was made without infer, and {len(lacking)} samples lack an inference; "
                "pass infer="
            )

    def _infer(self, state: State, indices: Indices, keep: Any) -> Runner | None:
        """Infer samples, and hand over their rows."""
        if not len(indices):
            return None
        self._require_infer(state, indices)
        runner = self._runner(keep)
        column = self.model.workflow.types(state).test_sample
        workflow_id = self.model.workflow_id(state)
        for begin in range(0, len(indices), BATCH):
            batch = indices[begin : begin + BATCH]
            runner.run(batch, objects_at(self._session, state, workflow_id, column, batch))
        self._failed += runner.failed
        return runner

    def _runner(self, keep: Any) -> Runner:
        return Runner(
            self._model_name,
            self.model.infer or (lambda _: None),  # then it was seen that nothing is missing
            self._inference_column(self._session.state()),
            on_error=self._on_error,
            batch_size=self._batch_size,
            keep=keep,
        )

    def _commit(self, tables: Sequence[pa.Table], *, rows: Indices, version: str) -> None:
        """Commit rows of the suite's samples; those of other samples are left to the run that they belong to."""
        import numpy as np
        import pyarrow as pa

        if not tables:
            return
        merged = pa.concat_tables(tables, promote_options="default")
        mine = np.isin(merged["sample_idx"].to_numpy(), rows)
        merged = deduplicated(merged if mine.all() else merged.filter(pa.array(mine)))
        if self.reset and merged.num_rows < len(rows):
            return  # what a reset has made so far takes the place of nothing
        self._store(self._inference_column(self._session.state()), merged, version)

    def _store(
        self,
        column: TypedColumn,
        rows: pa.Table,
        version: str | None,
        *,
        places: Callable[[State], Indices] | None = None,
    ) -> None:
        """Put rows into the log, and what they belong to."""

        def ensure(changes: Changes) -> tuple[str, str, str]:
            return self._ensure(changes, version)

        upload = Upload(
            self._session, self._model_name, column, rows, replaces=self.reset, ensure=ensure, places=places
        )
        self._session.change(self._with(upload))

    def _with(self, upload: Operation) -> Operation:
        """An upload, and what else is to be in its commit."""
        return upload

    # --- what it belongs to -----------------------------------------------------------------------------------------

    def _begin(self, changes: Changes) -> None:
        self._ensure(changes, self._version_id(changes.draft))

    def _ensure(self, changes: Changes, version_id: str | None) -> tuple[str, str, str]:
        """Ids of the workflow, the model version and the test run, which are made if need be."""
        workflow_id = self.model.workflow.ensure(changes)
        model = changes.draft.get("model", self.model.id)
        if model is None:
            raise refuse_deleted(f"model {self.model.id}")
        record = model.load(ModelRecord)
        check_binding(changes.draft, record, self.model.workflow)
        if record.workflow is None:
            changes.update(model, record.replaced(workflow=workflow_id))
        if version_id is None:
            version_id = ensure_version(changes, model).id
        elif changes.draft.get("model_version", version_id) is None:
            raise refuse_deleted(f"the version of model {model.name!r}")
        run = self._find_run(changes.draft, version_id)
        if run is not None:
            return workflow_id, version_id, run.id
        suite = self._suite_version(changes.draft)
        made = TestRunRecord(
            id=changes.new_id("test_run", suite.id),
            name=_run_name(changes.draft, version_id, suite),
            model=model.id,
            model_version=version_id,
            test_suite_version=suite.id,
            fingerprint=self._fingerprint(),
        )
        changes.create(made)
        return workflow_id, version_id, made.id

    def _fingerprint(self) -> JsonObject:
        if not hasattr(self, "_told"):
            self._told = fingerprint(self.model.infer, self.model.version_metadata())
        return self._told

    def _tell_other_code(self, state: State) -> None:
        """Tell where stored inferences come from other code, or other weights, than this model has now."""
        row = self._find_run(state)
        if row is None or self.model.infer is None or self.reset:
            return
        changed = changes_since(row.load(TestRunRecord).fingerprint, self.model.infer, self.model.version_metadata())
        if changed:
            tell(
                f"{' and '.join(changed)} changed since model {self._model_name!r} was first run on test suite "
                f"{self.test_suite.name!r}, and what is stored is used again; if the model changed, give it a new "
                "version: model.create_version(…)"
            )

    def _version_id(self, state: State) -> str | None:
        """Id of the model version that is run; None if there is none yet, and the run makes it."""
        return self.model.version_id(state)

    def _find_run(self, state: State, version_id: str | None = None) -> Row | None:
        version_id = version_id or self._version_id(state)
        runs = () if version_id is None else state.children("test_run", version_id)
        wanted = self.test_suite.version_id
        return next((row for row in runs if row.fields.get("test_suite_version") == wanted), None)

    def _suite_indices(self, state: State) -> Indices:
        """The `sample_idx` of each row of each test case of the suite, one after the other."""
        cases = self._suite_version(state).load(TestSuiteVersionRecord).test_cases
        return concatenated(case_indices(self._session, state, case) for case in cases)

    def _suite_version(self, state: State) -> Row:
        row = state.get("test_suite_version", self.test_suite.version_id)
        if row is None:
            raise ConflictError(
                f"version {self.test_suite.version} of the test suite is not in {self._session.namespace!r}: it was "
                "deleted, or the transaction that made it was not committed; make it again"
            )
        return row

    def _inference_column(self, state: State) -> TypedColumn:
        return self.model.workflow.types(state).inference

    def _lacking(self, state: State, rows: Indices) -> npt.NDArray[np.bool_]:
        """Which samples have neither an inference nor a skip."""
        import numpy as np

        version = self._version_id(state)
        if version is None:
            return np.ones(len(rows), bool)
        status = self._inferences(state, version).status[rows]
        return np.asarray((status == MISSING) | (status == ERROR))

    def _inferences(self, state: State, version: str) -> Inferences:
        return Inferences(self._session, state, version, sample_count(state, self.model.workflow_id(state)))

    # --- by hand ----------------------------------------------------------------------------------------------------

    def load_test_samples(self) -> list[Any]:
        """The suite's test samples that still lack an inference, each once; all of them for a run with `reset`."""
        return list(self.iter_test_samples())

    def iter_test_samples(self) -> Iterator[Any]:
        """The same, made in batches."""
        state = self._session.state()
        rows = unique_indices(self._suite_indices(state))
        lacking = rows if self.reset else rows[self._lacking(state, rows)]
        column, workflow_id = self.model.workflow.types(state).test_sample, self.model.workflow_id(state)
        for begin in range(0, len(lacking), BATCH):
            yield from objects_at(self._session, state, workflow_id, column, lacking[begin : begin + BATCH])

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

        state = self._session.state()
        suite = unique_indices(self._suite_indices(state))
        rows = given_rows(self._session, state, self.model.workflow, suite, inferences)
        given = rows["sample_idx"].to_numpy()
        if not self.reset and not self._lacking(state, given).all():
            count = int((~self._lacking(state, given)).sum())
            raise AlreadyExistsError(
                f"model {self._model_name!r} has inferences for {count} of these samples already; leave them out "
                "(load_test_samples gives those that lack one), or make the run with reset=True"
            )
        self._store(self._inference_column(state), deduplicated(rows), self._version_id(state))
        self._inferred = len(given)

    def errors(self) -> list[tuple[Any, JsonObject]]:
        """The suite's samples for which `infer` raised, each with its `type`, `message` and `traceback`."""
        import numpy as np

        state = self._session.state()
        version = self._version_id(state)
        if version is None:
            return []
        rows = unique_indices(self._suite_indices(state))
        inferences = self._inferences(state, version)
        failed = rows[np.flatnonzero(inferences.status[rows] == ERROR)]
        column, workflow_id = self.model.workflow.types(state).test_sample, self.model.workflow_id(state)
        told = inferences.rows(self._inference_column(state), failed)["error"].to_pylist() if len(failed) else []
        return list(zip(objects_at(self._session, state, workflow_id, column, failed), told, strict=True))

    def delete(self) -> None:
        """Delete this run, with the inferences that it made.

        Those are then missing wherever they were used: the next run of any suite with these samples infers them again.

        Raises:
            NotFoundError: it was never run, or is deleted already.
        """

        def operation(changes: Changes) -> None:
            run = self._find_run(changes.draft)
            if run is None:
                raise NotFoundError(f"there is no test run of {self._model_name!r} on {self.test_suite!r} to delete")
            delete(changes, run, force=False)

        self._session.change(operation)

    def __repr__(self) -> str:
        done = ""
        if self._inferred is not None:
            parts = [f"{self._inferred:,} samples inferred now"]
            total = len(unique_indices(self._suite_indices(self._session.state())))
            if total > self._inferred:
                parts.append(f"{total - self._inferred:,} before")
            if self._failed:
                parts.append(f"{self._failed:,} failed")
            done = f": {', '.join(parts)}"
        return f"<TestRun of {self._model_name!r} on {self.test_suite.name!r} version {self.test_suite.version}{done}>"


class _SharedWork:
    """The samples of one run that this process infers, stretch by stretch, beside others that do the same."""

    def __init__(
        self, run: TestRun, state: State, rows: Indices, version: str, claims: Claims, parts: OpenParts
    ) -> None:
        import numpy as np

        self._run = run
        self._state = state
        self._rows = rows
        self._version = version
        self._claims = claims
        self._parts = parts
        self._done = np.zeros(len(rows), bool)
        self._place = np.full(int(rows.max()) + 1, -1, np.int64)
        self._place[rows] = np.arange(len(rows))
        self._committed: State | None = None

    def run(self) -> int:
        """Infer until nothing is missing; how many samples it were."""
        with self._claims.taking_part():
            if self._run.reset and not self._claims.others():
                self._parts.refresh()
                self._parts.discard()  # of a reset that did not end, perhaps by other code
            self._refresh()
            missing = int((~self._done).sum())
            model, suite = self._run._model_name, self._run.test_suite.name
            with progress(f"{model} on {suite}", missing) as shown:
                count = self._stretches(shown)
            self._claims.clear()
        return count

    def _stretches(self, shown: Progress) -> int:
        count, sizes = 0, Stretches()
        runner = self._run._runner(self._keep)
        column = self._run.model.workflow.types(self._state).test_sample
        workflow_id = self._run.model.workflow_id(self._state)
        try:
            while (claimed := claim_next(self._claims, self._done, sizes.count, self._refresh)) is not None:
                indices = self._rows[claimed]
                samples = objects_at(self._run._session, self._state, workflow_id, column, indices)
                began = time.monotonic()
                runner.run(indices, samples)
                sizes.took(len(samples), time.monotonic() - began)
                self._done[claimed] = True
                count += len(claimed)
                shown.advance(len(claimed))
        finally:
            self._run._failed += runner.failed
        return count

    def _keep(self, rows: pa.Table) -> None:
        self._parts.add(self._claims.writer, rows)

    def _refresh(self) -> None:
        """See what others have made: open parts first, so that what is committed between the looks shows in one."""
        import numpy as np

        for rows in self._parts.refresh():
            indices = rows["sample_idx"].to_numpy()
            indices = indices[np.asarray([status != "error" for status in rows["status"].to_pylist()])]
            places = self._place[indices[indices < len(self._place)]]
            self._done[places[places >= 0]] = True
        state = self._run._session.state()
        if not self._run.reset and state is not self._committed:
            self._committed = state
            status = self._run._inferences(state, self._version).status[self._rows]
            self._done |= (status == OK) | (status == SKIPPED)


def unique_indices(rows: Indices) -> Indices:
    """Each sample once, in order of its first row."""
    import numpy as np

    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]


def _run_name(state: State, version_id: str, suite_version: Row) -> str:
    """For people: `suite@version`; told apart by the id where another suite had that name before."""
    suite = state.get("test_suite", suite_version.parent)
    name = f"{suite.name if suite else suite_version.parent}@{suite_version.name}"
    return name if state.find("test_run", name, version_id) is None else f"{name} ({suite_version.id})"
