"""The record of a test run: which it is, how it is made, and what it says of the code that ran."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from localreg.canonical import JsonObject
from localreg.errors import ConflictError
from localreg.handles.words import listed
from localreg.log import Row, State
from localreg.models import ensure_version
from localreg.names import amount
from localreg.progress import tell
from localreg.records.models import ModelRecord
from localreg.records.workflows import TestRunRecord, TestSuiteVersionRecord
from localreg.session import Changes
from localreg.workflow.fingerprint import changes_since, fingerprint
from localreg.workflow.model import Model, check_binding
from localreg.workflow.run_content import ChangedFile
from localreg.workflow.samples import case_indices, concatenated
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.upload import Target, refuse_deleted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["RunRecord", "ensure_model_version"]


class RunRecord:
    """The record of one model version on one version of a suite, with one evaluator, as far as it is there.

    Args:
        model: the model; which of its versions, it says.
        suite: the version of the suite.
        evaluator: display name; None = none.
    """

    def __init__(self, model: Model[Any, Any, Any], suite: TestSuite, evaluator: str | None) -> None:
        self._model = model
        self._model_name = model.name  # as it was: it may be deleted meanwhile
        self._suite = suite
        self._evaluator = evaluator
        self._session = model.session

    def owners(self, state: State) -> list[str]:
        """What open parts are made for: the version; the model as long as it has none, since a run's end makes it."""
        versions = [row.id for row in state.outlines("model_version", self._model.id)]
        version = self._model.version_id(state)
        if version is None:
            return [self._model.id]
        return [version, self._model.id] if version == versions[0] else [version]

    def begin(self, changes: Changes) -> None:
        """Make it if need be, with what it belongs to."""
        self.ensure(changes, self._model.version_id(changes.draft))

    def ensure(self, changes: Changes, version_id: str | None) -> tuple[str, str, str]:
        """Ids of the workflow, the model version and the test run, which are made if need be; see `target`."""
        target = self.target(changes, version_id)
        if target.new is not None:
            changes.create(target.new)
        return target.workflow_id, target.version_id, target.run_id

    def target(self, changes: Changes, version_id: str | None) -> Target:
        """Workflow and model version, which are made if need be, and the test run, which is found or described.

        Args:
            changes: where to.
            version_id: of the model; None = there is none yet.

        Raises:
            ConflictError: the model, its version or the suite was deleted.
        """
        workflow_id, version_id = ensure_model_version(changes, self._model, version_id)
        run = self.find(changes.draft, version_id)
        if run is not None:
            return Target(workflow_id, version_id, run.id, None)
        suite = self._suite_version(changes.draft)
        made = TestRunRecord(
            id=changes.new_id("test_run", f"{suite.id} {self._evaluator}"),
            name=self._name(changes.draft, version_id, suite),
            model=self._model.id,
            model_version=version_id,
            test_suite_version=suite.id,
            evaluator=self._evaluator,
            fingerprint=self._fingerprint,
        )
        return Target(workflow_id, version_id, made.id, made)

    def _name(self, state: State, version_id: str, suite_version: Row) -> str:
        """For people: `suite@version evaluator`; told apart by the id where another suite had that name before."""
        suite = state.get("test_suite", suite_version.parent)
        name = f"{suite.name if suite else suite_version.parent}@{suite_version.name}"
        name = name if self._evaluator is None else f"{name} {self._evaluator}"
        return name if state.find("test_run", name, version_id) is None else f"{name} ({suite_version.id})"

    @cached_property
    def _fingerprint(self) -> JsonObject:
        return fingerprint(self._model.infer, self._model.version_metadata())

    def tell_other_code(self, state: State) -> None:
        """Tell where stored inferences come from other code, or other weights, than this model has now."""
        row = next(iter(self._runs(state, self._model.version_id(state))), None)  # whatever the evaluator
        if row is None or self._model.infer is None:
            return
        was = row.load(TestRunRecord).fingerprint
        changed = changes_since(was, self._model.infer, self._model.version_metadata())
        if changed:
            tell(
                f"{' and '.join(changed)} changed since model {self._model_name!r} was first run on test suite "
                f"{self._suite.name!r}, and what is stored is used again; if the model changed, give it a new "
                "version: model.create_version(…)"
            )

    def tell_changed_files(self, changed: Sequence[ChangedFile]) -> None:
        """Tell of files that hold other bytes than those that stored inferences were made from."""
        if changed:
            files = listed([repr(locator) for locator in dict.fromkeys(each.locator for each in changed)], 3)
            samples = len({id(each.sample) for each in changed})
            tell(
                f"files of {amount(samples, 'sample')} changed since model "
                f"{self._model_name!r} inferred them ({files}), and what is stored is used again; to infer the suite "
                "anew, run with reset=True. run.changed_files() lists them"
            )

    def find(self, state: State, version_id: str | None = None) -> Row | None:
        """Its row in a state; None if there is none.

        Args:
            state: where to look.
            version_id: of the model; None = the one that the model says.
        """
        runs = self._runs(state, version_id or self._model.version_id(state))
        return next((row for row in runs if row.fields.get("evaluator") == self._evaluator), None)

    def _runs(self, state: State, version_id: str | None) -> list[Row]:
        """Those of a model version on this version of the suite, with any evaluator, in order of creation."""
        runs = () if version_id is None else state.children("test_run", version_id)
        return [row for row in runs if row.fields.get("test_suite_version") == self._suite.version_id]

    def suite_indices(self, state: State) -> Indices:
        """The `sample_idx` of each row of each test case of the suite, one after the other."""
        cases = self._suite_version(state).load(TestSuiteVersionRecord).test_cases
        return concatenated(case_indices(self._session, state, case) for case in cases)

    def _suite_version(self, state: State) -> Row:
        row = state.get("test_suite_version", self._suite.version_id)
        if row is None:
            raise ConflictError(
                f"version {self._suite.version} of the test suite is not in {self._session.namespace!r}: it was "
                "deleted, or the transaction that made it was not committed; make it again"
            )
        return row


def ensure_model_version(changes: Changes, model: Model[Any, Any, Any], version_id: str | None) -> tuple[str, str]:
    """Ids of the workflow, to which the model is bound if need be, and of the model version, made if there is none.

    Args:
        changes: where to.
        model: the model.
        version_id: of which version; None = there is none yet.

    Raises:
        ConflictError: the model or its version was deleted.
    """
    workflow_id = model.workflow.ensure(changes)
    row = changes.draft.get("model", model.id)
    if row is None:
        raise refuse_deleted(f"model {model.id}")
    record = row.load(ModelRecord)
    check_binding(changes.draft, record, model.workflow)
    if record.workflow is None:
        changes.update(row, record.replaced(workflow=workflow_id))
    if version_id is None:
        version_id = ensure_version(changes, row).id
    elif changes.draft.get("model_version", version_id) is None:
        raise refuse_deleted(f"the version of model {row.name!r}")
    return workflow_id, version_id
