"""Models as model testers hold them: a name, and a function from test sample to inference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import localreg.models as registered
from localreg.canonical import JsonObject, checked_object
from localreg.errors import InvalidInputError, WorkflowMismatchError
from localreg.log import State
from localreg.names import check_name, check_tags, new_id, shown_value
from localreg.records.models import ModelRecord
from localreg.session import Changes, Session
from localreg.session.current import current_session
from localreg.tables import objects_of
from localreg.workflow.inference import Inference
from localreg.workflow.inferences import Inferences
from localreg.workflow.samples import sample_count
from localreg.workflow.test_case import TestCase
from localreg.workflow.test_sample import TestSample
from localreg.workflow.workflow import Workflow

__all__ = ["Model"]

SampleT = TypeVar("SampleT", bound=TestSample)
InferenceT = TypeVar("InferenceT", bound=Inference)


class Model(Generic[SampleT, InferenceT]):
    """A model of a workflow, created or loaded by name. Get the class from `define_workflow`.

    Args:
        name: unique in the namespace, across workflows.
        infer: from a test sample to its inference; None = skipped. Never sees ground truth. May be left out if only
            stored inferences are wanted.
        metadata: any JSON object, for a model that is made now; on an existing one it is not applied, with a warning.
        tags: as `metadata`.

    Raises:
        WorkflowMismatchError: the model belongs to another workflow.
    """

    workflow: ClassVar[Workflow]

    def __init__(
        self,
        name: str,
        infer: Callable[[SampleT], InferenceT | None] | None = None,
        metadata: Mapping[str, object] | None = None,
        tags: Iterable[str] | None = None,
    ) -> None:
        self._session = current_session()
        if infer is not None and not callable(infer):
            raise InvalidInputError(f"infer is {shown_value(infer)}; pass a function from test sample to inference")
        self.infer = infer
        name = check_name(name)
        asked: dict[str, Any] = {}
        if metadata is not None:
            asked["metadata"] = checked_object(metadata, what="metadata")
        if tags is not None:
            asked["tags"] = check_tags(tags)
        fresh = new_id()
        state = self._session.state()
        row = state.find("model", name)
        if row is None:
            state = self._session.change(lambda changes: self._create(changes, fresh, name, asked))
            row = state.find("model", name)
            assert row is not None, "the change made it, or found it"
        record = row.load(ModelRecord)
        check_binding(state, record, self.workflow)
        if record.id != fresh:
            registered.warn_of_differences(row, asked, stacklevel=2)
        self.registered = registered.Model(self._session, record.id)

    def _create(self, changes: Changes, fresh: str, name: str, asked: dict[str, Any]) -> None:
        if changes.draft.find("model", name) is None:
            registered.refuse_shadowing(changes.draft, name)
            changes.create(ModelRecord(id=fresh, name=name, workflow=self.workflow.ensure(changes), **asked))

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Id of the model."""
        return self.registered.id

    @property
    def name(self) -> str:
        """Its name now."""
        return self.registered.name

    @property
    def metadata(self) -> JsonObject:
        """A copy: change it with `update`."""
        return self.registered.metadata

    @property
    def tags(self) -> list[str]:
        """Sorted, unique."""
        return self.registered.tags

    @property
    def session(self) -> Session:
        """Where the model lies."""
        return self._session

    def update(self, *, metadata: Mapping[str, object] | None = None, unset: Iterable[str] = ()) -> None:
        """Merge metadata by top-level key, and remove the keys in `unset`."""
        self.registered.update(metadata=metadata, unset=unset)

    # --- what it made -----------------------------------------------------------------------------------------------

    def load_inferences(self, test_case: TestCase[SampleT, Any]) -> list[tuple[SampleT, Any, InferenceT | None]]:
        """Each sample of a test case that the newest version has inferred, with its ground truth and the inference.

        A sample that the model skipped has the inference None; samples not yet inferred are left out.
        """
        state = self._session.state()
        version = self.registered.latest_version
        if version is None:
            return []
        indices = test_case.sample_indices()
        inferences = Inferences(self._session, state, version.id, sample_count(state, self.workflow_id(state)))
        column = inferences.column(indices)
        if column is None:
            return []
        made = objects_of(column, self.workflow.inference, self.workflow.inference_type)
        done = inferences.place[indices] >= 0
        return [
            (sample, truth, inference)
            for (sample, truth), inference, there in zip(test_case.load_test_samples(), made, done, strict=True)
            if there
        ]

    def workflow_id(self, state: State) -> str:
        """Id of the workflow in the namespace.

        Raises:
            WorkflowMismatchError: it was not recorded there, or with other types.
        """
        row = state.find("workflow", self.workflow.name)
        if row is None:
            raise WorkflowMismatchError(f"workflow {self.workflow.name!r} has not been used in this namespace yet")
        self.workflow.check(row)
        return row.id

    def __repr__(self) -> str:
        return f"<Model {self.name!r} of workflow {self.workflow.name!r}>"


def check_binding(state: State, model: ModelRecord, workflow: Workflow) -> None:
    """Raise `WorkflowMismatchError` if a model is bound to another workflow."""
    bound = None if model.workflow is None else state.get("workflow", model.workflow)
    if bound is None:
        return
    if bound.name != workflow.name:
        raise WorkflowMismatchError(
            f"model {model.name!r} belongs to workflow {bound.name!r}, not to {workflow.name!r}; choose another name"
        )
    workflow.check(bound)
