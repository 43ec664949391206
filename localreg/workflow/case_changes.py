"""Making and editing test cases: any number of them in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError, ConflictError
from localreg.log import Row, State
from localreg.records.files import FilePointer
from localreg.records.workflows import TestCaseRecord, TestCaseVersionRecord
from localreg.session import Changes, Operation, Session
from localreg.workflow.case_content import CaseContent, VersionRows, version_rows
from localreg.workflow.look_up import LookUp
from localreg.workflow.staging import Staging
from localreg.workflow.versioned import check_belongs
from localreg.workflow.workflow import Workflow

__all__ = ["CaseChange", "CaseRequest"]


@dataclass(frozen=True, eq=False)
class CaseRequest:
    """What is asked of one test case.

    Attributes:
        name: of the case, made if there is none.
        description: None = as it is.
        content: None = as it is.
        reset: the content takes the place of what an existing case holds, as a new version.
        is_new: there must be no case of that name.
        edited: the version that an edit began with; it must still be the newest.
        details: what belongs to all samples of the content together; None = as the version before has it.
    """

    name: str
    description: str | None = None
    content: CaseContent | None = None
    reset: bool = False
    is_new: bool = False
    edited: int | None = None
    details: JsonObject | None = None


@dataclass(eq=False)
class _Case:
    request: CaseRequest
    number: int | None
    """Of the content in the staging."""
    row: Row | None
    record: TestCaseRecord
    rows: VersionRows | None = None
    """Of the next version, if there is to be one."""


class CaseChange:
    """An operation that makes or edits test cases; may be run again on a newer state.

    Attributes:
        ignored: names of the cases that hold something else already, whose content was left aside.
    """

    def __init__(self, session: Session, workflow: Workflow, requests: Sequence[CaseRequest]) -> None:
        self._session = session
        self._workflow = workflow
        self._requests = requests
        self._staging = Staging(session, workflow, [each.content for each in requests if each.content is not None])
        self.ignored: list[str] = []

    def commit(self, operation: Operation | None = None) -> State:
        """Make the changes, or what they are a part of, durable; what was staged goes if they are refused."""
        with self._staging.discarded_if_refused():
            return self._session.change(operation or self)

    def __call__(self, changes: Changes) -> None:
        """Put the changes into the draft."""
        workflow_id = self._workflow.ensure(changes)
        cases = self._cases(changes, workflow_id)
        self.ignored = []
        accepted: list[int] = []
        known = self._staging.look_up(changes.draft, workflow_id) if self._staging.contents else None
        if known is not None:
            wanted = [case for case in cases if self._wants_version(changes, known, case)]
            accepted = [
                case.number for case in cases if case.number is not None and case.request.name not in self.ignored
            ]
            numbered = self._staging.indices(known, accepted)
            for case in wanted:
                assert case.number is not None, "only content makes a version"
                case.rows = self._staging.rows(changes.draft, known, case.number, numbered)
        self._put(changes, workflow_id, known, cases, accepted)

    def _cases(self, changes: Changes, workflow_id: str) -> list[_Case]:
        cases, number = [], -1
        for request in self._requests:
            row = changes.draft.find("test_case", request.name)
            if row is None:
                record = TestCaseRecord(
                    id=changes.new_id("test_case", request.name), name=request.name, workflow=workflow_id
                )
            else:
                record = row.load(TestCaseRecord)
                check_belongs(changes.draft, record, self._workflow)
                self._refuse(request, record)
            if request.description is not None:
                record = record.replaced(description=request.description)
            number += request.content is not None
            cases.append(_Case(request, None if request.content is None else number, row, record))
        return cases

    def _refuse(self, request: CaseRequest, record: TestCaseRecord) -> None:
        if request.is_new:
            raise AlreadyExistsError(f"test case {request.name!r} exists already; load it, or choose another name")
        if request.edited is not None and record.version != request.edited:
            raise ConflictError(
                f"test case {request.name!r} was at version {request.edited} when this edit began, and is at version "
                f"{record.version} now: another edit was faster; load the case again, and repeat the edit"
            )

    def _wants_version(self, changes: Changes, known: LookUp, case: _Case) -> bool:
        """Whether the content makes a new version; told as ignored if it differs and may not."""
        if case.number is None:
            return False
        alone = self._staging.indices(known, [case.number])
        given = self._staging.rows(changes.draft, known, case.number, alone)
        if case.row is None or case.record.version == 0:
            return len(given.indices) > 0
        version = changes.draft.find("test_case_version", str(case.record.version), case.record.id)
        assert version is not None, "a case names only versions that exist"
        types = self._workflow.types(changes.draft)
        same = given.same_as(version_rows(self._session, changes.draft, types, version.id))
        if same and case.request.details in (None, version.load(TestCaseVersionRecord).details):
            return False
        if case.request.reset or case.request.edited is not None:
            return True
        self.ignored.append(case.request.name)
        return False

    def _details(self, state: State, case: _Case) -> JsonObject:
        """What belongs to a new version; what belonged to the one before, if nothing else is said."""
        if case.request.details is not None:
            return case.request.details
        before = state.find("test_case_version", str(case.record.version - 1), case.record.id)
        return {} if before is None else before.load(TestCaseVersionRecord).details

    def _put(
        self, changes: Changes, workflow_id: str, known: LookUp | None, cases: list[_Case], accepted: list[int]
    ) -> None:
        """Records of cases and versions; all files come with the first version that has some, else alone."""
        versions: list[tuple[_Case, TestCaseVersionRecord]] = []
        for case in cases:
            if case.rows is not None:
                case.record = case.record.replaced(version=case.record.version + 1)
            if case.row is None or case.rows is not None:
                version = TestCaseVersionRecord(
                    id=changes.new_id("test_case_version", case.record.id),
                    name=str(case.record.version),
                    test_case=case.record.id,
                    samples=0 if case.rows is None else len(case.rows.indices),
                    details=self._details(changes.draft, case),
                )
                versions.append((case, version))
        owners = {
            case.number: version.id for case, version in versions if case.rows is not None and case.number is not None
        }
        rows = [case.rows for case, _ in versions if case.rows is not None]
        files: tuple[FilePointer, ...] = ()
        if known is not None:
            files = self._staging.files(changes.draft, workflow_id, known, owners, rows, accepted)
        for case in cases:
            if case.row is None:
                changes.create(case.record)
            else:
                changes.update(case.row, case.record)
            for of, version in versions:
                if of is case:
                    changes.create(version, files=files if case.rows is not None else ())
                    files = files if case.rows is None else ()
        if files:  # nothing is new but what is said of known samples
            workflow = changes.draft.get("workflow", workflow_id)
            assert workflow is not None, "it was ensured"
            changes.note(workflow, action="upload", files=files)
