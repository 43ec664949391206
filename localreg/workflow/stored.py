"""What the registry holds of workflows, test cases, test suites and test runs, without the Python types behind them.

For who keeps a registry in order: to look a record up by its name, hide it, or delete it needs no dataclass. What is
in it, sample by sample, `sql` tells, or the classes of `define_workflow`.
"""

from __future__ import annotations

from typing import Self, TypeVar

from localreg.canonical import JsonObject
from localreg.errors import NotFoundError
from localreg.models.handle import Handle
from localreg.names import check_id, check_name, did_you_mean
from localreg.records.base import Record
from localreg.records.workflows import TestCaseRecord, TestRunRecord, TestSuiteRecord, WorkflowRecord
from localreg.session import Session

__all__ = [
    "StoredTestCase",
    "StoredTestRun",
    "StoredTestSuite",
    "StoredWorkflow",
    "get_stored_test_run",
    "get_stored_test_case",
    "get_stored_test_suite",
    "get_stored_workflow",
]

RecordT = TypeVar("RecordT", bound=Record)
CaseOrSuiteT = TypeVar("CaseOrSuiteT", TestCaseRecord, TestSuiteRecord)


class _Stored(Handle[RecordT]):
    def delete(self, *, force: bool = False) -> None:
        """Delete it. Its history stays in the audit log, and its name is free.

        Args:
            force: delete what depends on it, too, in one commit. Of a workflow: its test cases, test suites and their
                test runs; models stay, and are no longer bound to it. Of a test case: the test suites that hold any
                version of it. Of a test suite: its test runs and their inferences.

        Raises:
            ConflictError: something depends on it; it is named.
        """
        self._delete(force=force)

    def _stated(self) -> JsonObject:
        return {key: value for key, value in self.record.to_json().items() if key not in ("id", "name")}


class _Archivable(_Stored[CaseOrSuiteT]):
    @property
    def archived(self) -> bool:
        """Whether it is hidden from listings."""
        return self.record.archived

    def archive(self) -> Self:
        """Hide it, in all versions, from listings. It is not locked: it can be loaded, changed and run as before."""
        return self._change(lambda record, _: record.replaced(archived=True), action="archive")

    def restore(self) -> Self:
        """Show it in listings again."""
        return self._change(lambda record, _: record.replaced(archived=False), action="restore")


class StoredWorkflow(_Stored[WorkflowRecord]):
    """A workflow by its name; its `record` has the schemas of its types."""

    _record_class = WorkflowRecord


class StoredTestCase(_Archivable[TestCaseRecord]):
    """A test case by its name, in all its versions."""

    _record_class = TestCaseRecord


class StoredTestSuite(_Archivable[TestSuiteRecord]):
    """A test suite by its name, in all its versions."""

    _record_class = TestSuiteRecord


class StoredTestRun(_Stored[TestRunRecord]):
    """A test run by its id. To delete it deletes the inferences that it made: the next run makes them again."""

    _record_class = TestRunRecord


def get_stored_workflow(session: Session, name: str) -> StoredWorkflow:
    """See `Registry.get_workflow`."""
    return StoredWorkflow(session, _id_of(session, WorkflowRecord, name))


def get_stored_test_case(session: Session, name: str) -> StoredTestCase:
    """See `Registry.get_test_case`."""
    return StoredTestCase(session, _id_of(session, TestCaseRecord, name))


def get_stored_test_suite(session: Session, name: str) -> StoredTestSuite:
    """See `Registry.get_test_suite`."""
    return StoredTestSuite(session, _id_of(session, TestSuiteRecord, name))


def get_stored_test_run(session: Session, id: str) -> StoredTestRun:
    """See `Registry.get_test_run`."""
    id = check_id(id, what="id of a test run")
    if session.state().get(TestRunRecord.kind, id) is None:
        raise NotFoundError(f"no test run {id} in namespace {session.namespace!r}; registry.test_runs() lists them")
    return StoredTestRun(session, id)


def _id_of(session: Session, record_class: type[Record], name: str) -> str:
    noun = record_class.kind.replace("_", " ")
    state = session.state()
    row = state.find(record_class.kind, check_name(name, what=f"{noun} name"))
    if row is None:
        hint = did_you_mean(name, state.names(record_class.kind))
        raise NotFoundError(f"no {noun} {name!r} in namespace {session.namespace!r}{hint}")
    return row.id
