"""Workflows by what was recorded of them, where nobody has the Python types: what is read comes as dicts.

The command line needs it, and whoever looks at a registry of others'. Classes of a recorded workflow do all that those
of `define_workflow` do, but make samples: nobody can say whether a dict is one. Models of it run, too, with an `infer`
from dict to dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from localreg.canonical import JsonObject
from localreg.errors import NotFoundError
from localreg.log import State
from localreg.records.workflows import TestSuiteRecord, WorkflowRecord
from localreg.session import Session
from localreg.tables import Node
from localreg.workflow.define_workflow import bound_classes
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.recorded_columns import RecordedColumn
from localreg.workflow.test_sample import TestSample
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.workflow import PARTS, Types, Workflow

__all__ = ["RecordedWorkflow", "recorded_suite"]


class RecordedWorkflow(Workflow):
    """A workflow of which only the record is known.

    Args:
        name: of a workflow that is there.
    """

    def __init__(self, name: str) -> None:
        given = {"name": name, "test_sample_type": TestSample, "ground_truth_type": GroundTruth}
        for attribute, value in {**given, "inference_type": Inference}.items():
            object.__setattr__(self, attribute, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name,)

    def _types_of(self, fields: Mapping[str, object]) -> Types:
        """The types that stand there, which no class can widen.

        Raises:
            NotFoundError: the workflow was deleted.
        """
        if not fields:
            raise NotFoundError(f"workflow {self.name!r} is not there any more: it was deleted")
        classes = (TestSample, GroundTruth, Inference)
        nodes = [Node.from_json(cast(JsonObject, fields[part])) for part in PARTS]
        return Types(*map(RecordedColumn, ("sample", *PARTS[1:]), classes, nodes))


def recorded_suite(session: Session, state: State, suite_id: str, version_id: str | None = None) -> TestSuite:
    """A test suite as its class would show it.

    Args:
        session: where it lies.
        state: what is there.
        suite_id: of the suite.
        version_id: which version; None = the newest.

    Raises:
        NotFoundError: it was deleted.
    """
    row = state.get(TestSuiteRecord.kind, suite_id)
    record = None if row is None else row.load(TestSuiteRecord)
    workflow = None if record is None else state.get(WorkflowRecord.kind, record.workflow)
    if record is None or workflow is None:
        raise NotFoundError(f"test suite {suite_id} is not in {session.namespace!r}: it was deleted")
    if version_id is None:
        version = state.find("test_suite_version", str(record.version), suite_id)
    else:
        version = state.get("test_suite_version", version_id)
    assert version is not None, "a suite and its runs name only versions that exist"
    _, suite_class, _ = bound_classes(RecordedWorkflow(workflow.name))
    return suite_class._showing(session, version)
