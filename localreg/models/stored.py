"""Workflows, test cases and test suites as they are stored: by name, and without the Python types of their data."""

from __future__ import annotations

from typing import Self, TypeVar

from localreg.errors import NotFoundError
from localreg.models.deletion import noun
from localreg.models.handle import Handle
from localreg.names import check_name, did_you_mean
from localreg.records.workflows import TestCaseRecord, TestSuiteRecord, WorkflowRecord
from localreg.session import Session

__all__ = ["StoredTestCase", "StoredTestSuite", "StoredWorkflow", "get_stored"]


class StoredWorkflow(Handle[WorkflowRecord]):
    """A workflow of a namespace; `localreg.workflow.define_workflow` gives the classes to work with it."""

    _record_class = WorkflowRecord

    def delete(self, *, force: bool = False) -> None:
        """Delete the workflow.

        Args:
            force: delete its test suites, test cases and runs, too, in one commit. Its models stay, unbound.

        Raises:
            ConflictError: something depends on it; it is named.
        """
        self._delete(force=force)


class StoredTestCase(Handle[TestCaseRecord]):
    """A test case of a namespace, in all its versions."""

    _record_class = TestCaseRecord

    def archive(self) -> Self:
        """Hide it from listings; it is not locked."""
        return self._change(lambda record, _: record.replaced(archived=True), action="archive")

    def restore(self) -> Self:
        """Show it in listings again."""
        return self._change(lambda record, _: record.replaced(archived=False), action="restore")

    def delete(self, *, force: bool = False) -> None:
        """Delete it with all its versions; its test samples belong to the workflow, and stay.

        Args:
            force: delete the test suites that hold it, too, in one commit.

        Raises:
            ConflictError: something depends on it; it is named.
        """
        self._delete(force=force)


class StoredTestSuite(Handle[TestSuiteRecord]):
    """A test suite of a namespace, in all its versions."""

    _record_class = TestSuiteRecord

    def archive(self) -> Self:
        """Hide it from listings; it is not locked."""
        return self._change(lambda record, _: record.replaced(archived=True), action="archive")

    def restore(self) -> Self:
        """Show it in listings again."""
        return self._change(lambda record, _: record.replaced(archived=False), action="restore")

    def delete(self, *, force: bool = False) -> None:
        """Delete it with all its versions.

        Args:
            force: delete its test runs and their inferences, too, in one commit.

        Raises:
            ConflictError: something depends on it; it is named.
        """
        self._delete(force=force)


StoredT = TypeVar("StoredT", StoredWorkflow, StoredTestCase, StoredTestSuite)


def get_stored(session: Session, handle: type[StoredT], name: str) -> StoredT:
    """The one of that name.

    Raises:
        NotFoundError: there is none; near names are suggested.
    """
    kind = handle._record_class.kind
    state = session.state()
    row = state.find(kind, check_name(name, what=f"{noun(kind)} name"))
    if row is None:
        hint = did_you_mean(name, state.names(kind))
        raise NotFoundError(f"no {noun(kind)} {name!r} in namespace {session.namespace!r}{hint}")
    return handle(session, row.id)
