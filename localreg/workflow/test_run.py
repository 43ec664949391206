"""Running a model on a test suite: infer what is not inferred yet, and store it in one commit."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject
from localreg.errors import (
    ConflictError,
    InvalidInputError,
    LocalregError,
    NonDeterministicError,
    NotFoundError,
    WorkflowMismatchError,
)
from localreg.log import Row, State
from localreg.models import delete, ensure_version
from localreg.names import shown_value
from localreg.records.files import FilePointer
from localreg.records.models import ModelRecord
from localreg.records.workflows import TestRunRecord, TestSuiteVersionRecord
from localreg.session import Changes
from localreg.tables import struct_column
from localreg.workflow.inferences import MISSING, Inferences, write_inferences
from localreg.workflow.labels import refuse_bad_labels
from localreg.workflow.model import Model, check_binding
from localreg.workflow.samples import case_indices, objects_at, sample_count
from localreg.workflow.test_suite import TestSuite

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["TestRun", "test"]


def test(model: Model[Any, Any], test_suite: TestSuite) -> TestRun:
    """Run a model on a test suite: see `TestRun`.

    Raises:
        InvalidInputError: the suite is empty, the model has no `infer`, or an inference is not of the workflow's type;
            nothing is stored.
        WorkflowMismatchError: model and suite belong to different workflows.
    """
    run = TestRun(model, test_suite)
    run.run()
    return run


test.__test__ = False  # type: ignore[attr-defined]


class TestRun:
    """One model version on one version of a test suite. The same two are the same run.

    Samples that the model version has inferred before are not inferred again, whatever suite they came with.
    """

    __test__ = False

    def __init__(self, model: Model[Any, Any], test_suite: TestSuite) -> None:
        if not isinstance(model, Model) or not isinstance(test_suite, TestSuite):
            raise InvalidInputError(
                f"a test run takes a model and a test suite of a workflow, not {shown_value(model)} and "
                f"{shown_value(test_suite)}; see define_workflow"
            )
        if model.workflow != test_suite.workflow:
            raise WorkflowMismatchError(
                f"model {model.name!r} belongs to workflow {model.workflow.name!r}, "
                f"and test suite {test_suite.name!r} to {test_suite.workflow.name!r}"
            )
        if not model.session.is_same_namespace(test_suite.session):
            raise InvalidInputError(f"{model!r} and {test_suite!r} lie in different registries or namespaces")
        self.model = model
        self.test_suite = test_suite
        self._session = model.session
        self._inferred: int | None = None

    def run(self) -> int:
        """Infer what is missing and store it: one commit, none if nothing is missing.

        Returns:
            How many samples were inferred now.
        """
        state = self._session.state()
        version = self._newest_version(state)
        positions, made = self._infer(state, version)
        work = _Upload(self, version, positions, made)
        self._session.change(work.operation)
        self._inferred = len(made)
        return self._inferred

    def delete(self) -> None:
        """Delete this run of the model's newest version, with the inferences that it made.

        Those are then missing wherever they were used: the next run of any suite with these samples infers them again.

        Raises:
            NotFoundError: it was never run, or is deleted already.
        """

        def operation(changes: Changes) -> None:
            version = self._newest_version(changes.draft)
            run = version and _find_run(changes.draft, version, self.test_suite.version_id)
            if not run:
                raise NotFoundError(f"there is no test run of {self.model.name!r} on {self.test_suite!r} to delete")
            delete(changes, run, force=False)

        self._session.change(operation)

    def _newest_version(self, state: State) -> str | None:
        """Id of the model version that is run: the newest now; None if there is none, and the run makes it."""
        versions = state.outlines("model_version", self.model.id)
        return versions[-1].id if versions else None

    def _infer(self, state: State, version: str | None) -> tuple[np.ndarray, pa.Array]:
        """Call `infer` for each sample that lacks an inference: positions in the suite's rows, and the inferences."""
        rows = self._sample_indices(state)
        if not len(rows):
            raise InvalidInputError(f"test suite {self.test_suite.name!r} holds no test samples; add some")
        positions = _missing(rows, self._inferences(state, version))
        workflow = self.model.workflow
        samples = objects_at(self._session, state, workflow, self.model.workflow_id(state), rows[positions])
        if samples and self.model.infer is None:
            raise InvalidInputError(
                f"model {self.model.name!r} was made without infer, and {len(samples)} samples lack an inference; "
                "pass infer="
            )
        made = [self._checked(sample, self.model.infer(sample)) for sample in samples if self.model.infer]
        return positions, self._column(samples, made)

    def _column(self, samples: Sequence[object], made: Sequence[object | None]) -> pa.Array:
        """The inferences as they are stored; refused here, with the sample named, if they cannot be."""
        workflow = self.model.workflow
        wanted = workflow.inference_type

        def named(number: int) -> str:
            return f"the inference of model {self.model.name!r} for {samples[number]!r}"

        column = struct_column(made, workflow.inference, what=wanted.__name__, named=named)
        refuse_bad_labels(column, wanted, named=named)
        return column

    def _checked(self, sample: object, inference: object) -> object | None:
        wanted = self.model.workflow.inference_type
        if inference is not None and not isinstance(inference, wanted):
            raise InvalidInputError(
                f"infer of model {self.model.name!r} returned {inference!r} for {sample!r}; it must return a "
                f"{wanted.__name__}, or None to skip the sample"
            )
        return inference

    def _sample_indices(self, state: State) -> np.ndarray:
        """The `sample_idx` of each row of each test case of the suite, one after the other."""
        import numpy as np

        row = self._suite_version(state)
        cases = row.load(TestSuiteVersionRecord).test_cases
        parts = [case_indices(self._session, state, case) for case in cases]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _suite_version(self, state: State) -> Row:
        row = state.get("test_suite_version", self.test_suite.version_id)
        if row is None:
            raise ConflictError(
                f"version {self.test_suite.version} of the test suite is not in {self._session.namespace!r}: it was "
                "deleted, or the transaction that made it was not committed; make it again"
            )
        return row

    def _inferences(self, state: State, version: str | None) -> Inferences | None:
        if version is None:
            return None
        return Inferences(self._session, state, version, sample_count(state, self.model.workflow_id(state)))

    def __repr__(self) -> str:
        done = "" if self._inferred is None else f": {self._inferred} samples inferred now, the others before"
        return f"<TestRun of {self.model.name!r} on {self.test_suite.name!r} version {self.test_suite.version}{done}>"


def _missing(rows: np.ndarray, inferences: Inferences | None) -> np.ndarray:
    """Positions of the first row of each sample that has no inference, in order."""
    import numpy as np

    _, first = np.unique(rows, return_index=True)
    first.sort()
    return first if inferences is None else first[inferences.status[rows[first]] == MISSING]


def _find_run(state: State, version_id: str, suite_version_id: str) -> Row | None:
    runs = state.children("test_run", version_id)
    return next((row for row in runs if row.fields.get("test_suite_version") == suite_version_id), None)


def _run_name(state: State, version_id: str, suite_version: Row) -> str:
    """For people: `suite@version`; told apart by the id where another suite had that name before."""
    suite = state.get("test_suite", suite_version.parent)
    name = f"{suite.name if suite else suite_version.parent}@{suite_version.name}"
    return name if state.find("test_run", name, version_id) is None else f"{name} ({suite_version.id})"


class _Upload:
    """Inferences on their way into the log. Staged again only if what is missing, or its indices, changed meanwhile.

    They belong to the version that was the newest when `infer` was called, whatever has been made since.
    """

    def __init__(self, run: TestRun, version: str | None, positions: np.ndarray, made: pa.Array) -> None:
        self._run = run
        self._version = version
        self._places = {position: place for place, position in enumerate(positions.tolist())}
        self._made = made
        self._staged: tuple[list[int], FilePointer] | None = None

    def operation(self, changes: Changes) -> None:
        run, workflow = self._run, self._run.model.workflow
        workflow_id = workflow.ensure(changes)
        model = changes.draft.get("model", run.model.id)
        if model is None:
            raise ConflictError(f"model {run.model.id} was deleted during the test run; make it again")
        record = model.load(ModelRecord)
        check_binding(changes.draft, record, workflow)
        if record.workflow is None:
            changes.update(model, record.replaced(workflow=workflow_id))
        version = self._ensure_version(changes, model)
        rows = run._sample_indices(changes.draft)
        inferences = run._inferences(changes.draft, version)
        missing = [position for position in _missing(rows, inferences).tolist() if position in self._places]
        self._refuse_other_answers(inferences, rows, set(missing))
        existing = _find_run(changes.draft, version, run.test_suite.version_id)
        owner = existing.id if existing else changes.new_id("test_run", run.test_suite.version_id)
        files = (self._stage(changes.draft, workflow_id, owner, rows, missing),) if missing else ()
        if existing is None:
            changes.create(
                TestRunRecord(
                    id=owner,
                    name=_run_name(changes.draft, version, run._suite_version(changes.draft)),
                    model=model.id,
                    model_version=version,
                    test_suite_version=run.test_suite.version_id,
                    fingerprint=fingerprint(),
                ),
                files=files,
            )
        elif files:
            changes.note(existing, action="upload", files=files)

    def _ensure_version(self, changes: Changes, model: Row) -> str:
        if self._version is None:
            return ensure_version(changes, model).id
        if changes.draft.get("model_version", self._version) is None:
            raise ConflictError(f"the version of model {model.name!r} was deleted during the test run; run it again")
        return self._version

    def _stage(self, state: State, workflow_id: str, owner: str, rows: np.ndarray, missing: list[int]) -> FilePointer:
        indices = rows[missing]
        if self._staged is None or self._staged[0] != indices.tolist():
            if self._staged is not None:
                self._discard(self._staged[1])
            made = self._made.take([self._places[position] for position in missing])
            pointer = write_inferences(self._run._session, workflow_id, owner, indices, made)
            self._staged = (indices.tolist(), pointer)
        count = sample_count(state, workflow_id)
        place: JsonObject = {"first": count, "staged_first": count}
        pointer = self._staged[1]
        return replace(pointer, owner=owner, details={**pointer.details, **place})

    def _refuse_other_answers(self, inferences: Inferences | None, rows: np.ndarray, missing: set[int]) -> None:
        """Another process may have run the same version meanwhile: the same inferences are fine, others are not."""
        done = [position for position in self._places if position not in missing]
        theirs = inferences.column(rows[done]) if inferences is not None and done else None
        if theirs is None:
            return
        ours = self._made.take([self._places[position] for position in done])
        if theirs.combine_chunks().equals(ours):
            return
        pairs = zip(done, ours.to_pylist(), theirs.to_pylist(), strict=True)
        # Compared as text, where NaN is like NaN.
        odd = next(((at, mine, other) for at, mine, other in pairs if repr(mine) != repr(other)), None)
        if odd is not None:
            raise NonDeterministicError(
                f"model {self._run.model.name!r} gave {odd[1]!r} for the sample with sample_idx {int(rows[odd[0]])}, "
                f"and another run of the same version has stored {odd[2]!r}; make a new version for a changed model"
            )

    def _discard(self, pointer: FilePointer) -> None:
        try:
            self._run._session.store.delete(pointer.path)
        except LocalregError:
            return  # an invisible orphan: garbage collection finds it


def fingerprint() -> JsonObject:
    """What ran: the Python and the platform, so that a later difference can be told."""
    return {"python": platform.python_version(), "platform": sys.platform, "machine": platform.machine()}
