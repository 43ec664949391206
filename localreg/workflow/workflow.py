"""A workflow: a problem type, by its three Python types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.models import delete
from localreg.names import check_name
from localreg.records.workflows import WorkflowRecord
from localreg.session.current import current_session
from localreg.tables import Node, merged
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.test_sample import TestSample
from localreg.workflow.typed import TypedColumn, schema_of

if TYPE_CHECKING:
    from localreg.session import Changes

__all__ = ["Types", "Workflow"]

PARTS = ("test_sample", "ground_truth", "inference")


@dataclass(frozen=True)
class Types:
    """A workflow's types as a registry stores them: the recorded schemas, which may be wider than the classes.

    Attributes:
        test_sample: column `sample`.
        ground_truth: column `ground_truth`.
        inference: column `inference`.
    """

    test_sample: TypedColumn
    ground_truth: TypedColumn
    inference: TypedColumn

    @property
    def whole(self) -> Types:
        """The same for who computes: see `TypedColumn.whole`."""
        return Types(self.test_sample.whole, self.ground_truth.whole, self.inference.whole)


@dataclass(frozen=True, eq=False)
class Workflow:
    """The types of one problem. Writes nothing: the first typed use records it in the registry.

    What is recorded grows: a class with more fields adds columns, one with fewer reads and writes those that it has
    (with `extra="allow"`, a keyword that names another column is written there). Only a changed type is refused.

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
        # Types that cannot be stored are refused here and now, not at the first use.
        if not self.schemas["test_sample"].fields:
            raise InvalidInputError(
                f"{self.test_sample_type.__name__} has no field to tell one sample from another; add one"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Workflow):
            return NotImplemented
        return (self.name, self.schemas) == (other.name, other.schemas)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.test_sample_type, self.ground_truth_type, self.inference_type)

    @cached_property
    def schemas(self) -> dict[str, Node]:
        """The schemas of the three classes, by `test_sample`, `ground_truth`, `inference`."""
        return {
            "test_sample": schema_of(self.test_sample_type),
            "ground_truth": schema_of(self.ground_truth_type),
            "inference": schema_of(self.inference_type),
        }

    def types(self, state: State) -> Types:
        """The types as they are stored in a namespace, or will be by the first use.

        Raises:
            WorkflowMismatchError: a field was recorded with another type.
        """
        row = state.find("workflow", self.name)
        return self._types_of({} if row is None else row.fields)

    def _types_of(self, fields: Mapping[str, object]) -> Types:
        recorded = [cast("JsonObject | None", fields.get(part)) for part in PARTS]
        known: tuple[list[JsonObject | None], Types] | None = self.__dict__.get("_known")
        if known is None or known[0] != recorded:
            known = recorded, self._merged(recorded)
            self.__dict__["_known"] = known  # one assignment: threads may share the class
        return known[1]

    def _merged(self, recorded: list[JsonObject | None]) -> Types:
        classes = (self.test_sample_type, self.ground_truth_type, self.inference_type)
        columns = []
        for part, schema, cls, name in zip(PARTS, recorded, classes, ("sample", *PARTS[1:]), strict=True):
            node = self.schemas[part]
            if schema is not None:
                try:
                    node = merged(Node.from_json(schema), node, cls.__name__)
                except WorkflowMismatchError as error:
                    raise WorkflowMismatchError(
                        f"workflow {self.name!r} was recorded with another {part.replace('_', ' ')}: {error}; use the "
                        "recorded types, or another workflow name"
                    ) from error
            columns.append(TypedColumn(name, cls, node))
        return Types(*columns)

    def ensure(self, changes: Changes) -> str:
        """The workflow's id in a namespace; recorded there if this is its first use, widened if the classes are wider.

        Raises:
            WorkflowMismatchError: a workflow of that name has other types.
        """
        row = changes.draft.find("workflow", self.name)
        types = self._types_of({} if row is None else row.fields)
        stored: dict[str, Any] = {
            part: column.node.to_json()
            for part, column in zip(PARTS, (types.test_sample, types.ground_truth, types.inference), strict=True)
        }
        if row is None:
            record = WorkflowRecord(id=changes.new_id("workflow", self.name), name=self.name, **stored)
            changes.ensure(record)
            return record.id
        changes.update(row, row.load(WorkflowRecord).replaced(**stored))
        return row.id

    def check(self, row: Row) -> None:
        """Raise `WorkflowMismatchError` if the recorded workflow has other types than this one."""
        self._types_of(row.fields)

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
