"""Making and editing test suites."""

from __future__ import annotations

from typing import Any

from localreg.errors import AlreadyExistsError, ConflictError
from localreg.log import State
from localreg.records.workflows import TestSuiteRecord, TestSuiteVersionRecord
from localreg.session import Changes, Session
from localreg.workflow.versioned import check_belongs
from localreg.workflow.workflow import Workflow

__all__ = ["SuiteChange", "content_of"]


class SuiteChange:
    """An operation that makes or edits a test suite; may be run again on a newer state.

    Attributes:
        name: of the suite, made if there is none.
        said: `description` and `tags`, where given.
        content: ids of versions of test cases; None = as they are.
        baseline: those among them by which thresholds are set; None = all of them.
        reset: the content takes the place of what an existing suite holds, as a new version.
        is_new: there must be no suite of that name.
        edited: the version that an edit began with; it must still be the newest.
        ignored: whether the suite holds something else already, and the content was left aside.
    """

    def __init__(
        self, session: Session, workflow: Workflow, name: str, said: dict[str, Any], content: list[str] | None
    ) -> None:
        self._session = session
        self._workflow = workflow
        self.name = name
        self.said = said
        self.content = content
        self.baseline: list[str] | None = None
        self.reset = False
        self.is_new = False
        self.edited: int | None = None
        self.ignored = False

    def __call__(self, changes: Changes) -> None:
        """Put the changes into the draft."""
        workflow_id = self._workflow.ensure(changes)
        self._refuse_lost_cases(changes.draft)
        row = changes.draft.find("test_suite", self.name)
        if row is None:
            record = TestSuiteRecord(
                id=changes.new_id("test_suite", self.name),
                name=self.name,
                workflow=workflow_id,
                version=int(bool(self.content)),
                **self.said,
            )
            changes.create(record)
            self._add_version(changes, record)
            return
        record = row.load(TestSuiteRecord)
        check_belongs(changes.draft, record, self._workflow)
        self._refuse(record)
        newer = record.replaced(**self.said)
        if self.content is not None and (self.content, self.baseline) != content_of(changes.draft, record):
            self.ignored = bool(record.version) and not self.reset and self.edited is None
            if not self.ignored:
                newer = newer.replaced(version=record.version + 1)
        changes.update(row, newer)
        if self.content is not None and newer.version != record.version:
            self._add_version(changes, newer)

    def _add_version(self, changes: Changes, suite: TestSuiteRecord) -> None:
        changes.create(
            TestSuiteVersionRecord(
                id=changes.new_id("test_suite_version", suite.id),
                name=str(suite.version),
                test_suite=suite.id,
                test_cases=self.content or [],
                baseline=self.baseline,
            )
        )

    def _refuse_lost_cases(self, state: State) -> None:
        if any(state.get("test_case_version", id) is None for id in self.content or ()):
            raise ConflictError(
                f"a test case given to test suite {self.name!r} is not in {self._session.namespace!r}: it was deleted, "
                "the transaction that made it was not committed, or another writer made one of its name first; make it "
                "again"
            )

    def _refuse(self, record: TestSuiteRecord) -> None:
        if self.is_new:
            raise AlreadyExistsError(f"test suite {self.name!r} exists already; load it, or choose another name")
        if self.edited is not None and record.version != self.edited:
            raise ConflictError(
                f"test suite {self.name!r} was at version {self.edited} when this edit began, and is at version "
                f"{record.version} now: another edit was faster; load the suite again, and repeat the edit"
            )


def content_of(state: State, suite: TestSuiteRecord) -> tuple[list[str], list[str] | None]:
    """The test cases of the newest version, and those of them that are its baseline."""
    row = state.find("test_suite_version", str(suite.version), suite.id)
    if row is None:
        return [], None
    version = row.load(TestSuiteVersionRecord)
    return version.test_cases, version.baseline
