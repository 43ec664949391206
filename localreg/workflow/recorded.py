"""Workflows by what was recorded of them, where nobody has the Python types: what is read comes as dicts.

The command line needs it, and whoever looks at a registry of others'. Classes of a recorded workflow do all that those
of `define_workflow` do, but make samples: nobody can say whether a dict is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from localreg.canonical import JsonObject, parse
from localreg.errors import NotFoundError
from localreg.log import State
from localreg.records.workflows import TestSuiteRecord, WorkflowRecord
from localreg.session import Session
from localreg.tables import JSON_FIELD, Node, StructCodec, objects_of, without_vectors
from localreg.workflow.define_workflow import bound_classes
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.test_sample import TestSample
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.typed import EXTRA, TypedColumn
from localreg.workflow.workflow import PARTS, Types, Workflow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecordedWorkflow", "put_into_dicts", "recorded_suite"]


class _RecordedColumn(TypedColumn):
    """One of the types as dicts, without vectors: they are for computing, and who computes has the classes."""

    has_vectors = False
    has_metadata = True
    """Whether the class had such a field is not recorded."""
    hint = None

    @cached_property
    def codec(self) -> StructCodec:
        """What turns dicts into the struct column, and back."""
        return StructCodec(self.node, None)

    @cached_property
    def _stored(self) -> StructCodec:
        return StructCodec(without_vectors(self.node), None)

    def objects(self, rows: pa.Table) -> list[Any]:
        """The dicts of rows, with what was said beside the fields; None where the struct column is null."""
        made = objects_of(rows[self.name], self._stored)
        for name in (JSON_FIELD, EXTRA):
            texts = rows[name].to_pylist() if name in rows.column_names else []
            for value, text in zip(made, texts, strict=False):
                if text is not None:
                    put_into_dicts(value, {JSON_FIELD: parse(text)} if name == JSON_FIELD else parse(text))
        return made


class RecordedWorkflow(Workflow):
    """A workflow of which only the record is known.

    Args:
        name: of a workflow that is there.
    """

    def __init__(self, name: str) -> None:
        given = {"name": name, "test_sample_type": TestSample, "ground_truth_type": GroundTruth}
        for attribute, value in {**given, "inference_type": Inference}.items():
            object.__setattr__(self, attribute, value)

    def _types_of(self, fields: Mapping[str, object]) -> Types:
        """The types that stand there, which no class can widen.

        Raises:
            NotFoundError: the workflow was deleted.
        """
        if not fields:
            raise NotFoundError(f"workflow {self.name!r} is not there any more: it was deleted")
        classes = (TestSample, GroundTruth, Inference)
        nodes = [Node.from_json(cast(JsonObject, fields[part])) for part in PARTS]
        return Types(*map(_RecordedColumn, ("sample", *PARTS[1:]), classes, nodes))


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


def put_into_dicts(value: Any, extra: Any) -> None:
    """Give values, as dicts and lists, what was said beyond their fields."""
    if isinstance(value, list) and isinstance(extra, list):
        for item, more in zip(value, extra, strict=False):
            put_into_dicts(item, more)
    elif isinstance(value, dict) and isinstance(extra, dict):
        for name, more in extra.items():
            if isinstance(value.get(name), dict | list):
                put_into_dicts(value[name], more)
            else:
                value[name] = more
