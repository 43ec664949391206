"""A workflow: a problem type, by its three Python types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.log import Row
from localreg.models import delete
from localreg.names import check_name
from localreg.records.workflows import WorkflowRecord
from localreg.session.current import current_session
from localreg.tables import ANY_JSON_FIELDS, Node, schema_of
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.test_sample import TestSample

if TYPE_CHECKING:
    from localreg.session import Changes

__all__ = ["Workflow"]


@dataclass(frozen=True, eq=False)
class Workflow:
    """The types of one problem. Writes nothing: the first typed use records it in the registry.

    Equal if the name and the schemas are: a notebook cell that is run again defines the same workflow again.

    Attributes:
        name: unique in the namespace.
        test_sample_type: a subclass of `TestSample`.
        ground_truth_type: a subclass of `GroundTruth`.
        inference_type: a subclass of `Inference`.

    Raises:
        InvalidInputError: a blank name, or a type that cannot be stored; the field is named.
    """

    name: str
    test_sample_type: type[TestSample]
    ground_truth_type: type[GroundTruth]
    inference_type: type[Inference]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", check_name(self.name, what="workflow name"))
        bases = {"test_sample_type": TestSample, "ground_truth_type": GroundTruth, "inference_type": Inference}
        for attribute, base in bases.items():
            given = getattr(self, attribute)
            if not (isinstance(given, type) and issubclass(given, base)):
                raise InvalidInputError(
                    f"{attribute} is {given!r}; it must be a subclass of localreg.workflow.{base.__name__}"
                )
        if not self.test_sample.fields:
            raise InvalidInputError(
                f"{self.test_sample_type.__name__} has no field to tell one sample from another; add one"
            )
        self.schemas()  # refuses types that cannot be stored here and now, not at the first use

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Workflow):
            return NotImplemented
        return (self.name, self.schemas()) == (other.name, other.schemas())

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def test_sample(self) -> Node:
        """Schema of a test sample."""
        return schema_of(self.test_sample_type, without=ANY_JSON_FIELDS)

    @cached_property
    def ground_truth(self) -> Node:
        """Schema of a ground truth."""
        return schema_of(self.ground_truth_type)

    @cached_property
    def inference(self) -> Node:
        """Schema of an inference."""
        return schema_of(self.inference_type)

    @property
    def has_metadata(self) -> bool:
        """Whether samples carry metadata."""
        return "metadata" in self.test_sample_type.__dataclass_fields__

    def schemas(self) -> dict[str, JsonObject]:
        """The three schemas, as the log records them."""
        return {
            "test_sample": self.test_sample.to_json(),
            "ground_truth": self.ground_truth.to_json(),
            "inference": self.inference.to_json(),
        }

    def ensure(self, changes: Changes) -> str:
        """The workflow's id in a namespace; recorded there if this is its first use.

        Raises:
            WorkflowMismatchError: a workflow of that name has other types.
        """
        row = changes.draft.find("workflow", self.name)
        if row is None:
            record = WorkflowRecord(id=changes.new_id("workflow", self.name), name=self.name, **self.schemas())
            changes.ensure(record)
            return record.id
        self.check(row)
        return row.id

    def delete(self, *, force: bool = False) -> None:
        """Delete the workflow from the current registry, with its test samples; its name is free.

        Args:
            force: delete its test cases, test suites and their test runs, too, in one commit. Models stay, and are no
                longer bound to it.

        Raises:
            NotFoundError: it has not been used there.
            WorkflowMismatchError: a workflow of that name has other types.
            ConflictError: test cases, test suites or models depend on it; they are named.
        """
        session = current_session()

        def operation(changes: Changes) -> None:
            row = changes.draft.find("workflow", self.name)
            if row is None:
                raise NotFoundError(f"no workflow {self.name!r} in namespace {session.namespace!r}")
            self.check(row)
            delete(changes, row, force=force)

        session.change(operation)

    def check(self, row: Row) -> None:
        """Raise `WorkflowMismatchError` if the recorded workflow has other types than this one."""
        for part, schema in self.schemas().items():
            recorded = row.fields.get(part)
            if recorded != schema:
                raise WorkflowMismatchError(
                    f"workflow {self.name!r} was recorded with another {part.replace('_', ' ')}: "
                    f"{_difference(recorded, schema)}; use the recorded types, or another workflow name"
                )


def _difference(recorded: object, given: JsonObject) -> str:
    old, new = _field_types(recorded), _field_types(given)
    lines = [f"{name} was {old[name]}" for name in old if name not in new]
    lines += [f"{name} is new" for name in new if name not in old]
    lines += [f"{name} was {old[name]}, now {new[name]}" for name in old if name in new and old[name] != new[name]]
    return ", ".join(lines) or "the class or the order of its fields differs"


def _field_types(schema: object) -> dict[str, str]:
    fields = schema.get("fields", []) if isinstance(schema, dict) else []
    return {field["name"]: str(field.get("class", field["type"])) for field in fields}
