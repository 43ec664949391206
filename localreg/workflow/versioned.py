"""What test cases and test suites share: a name in the namespace, and numbered versions that never change."""

from __future__ import annotations

from typing import ClassVar, Generic, Self, TypeVar

from localreg.errors import NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.models import delete
from localreg.names import check_name, did_you_mean
from localreg.records.workflows import TestCaseRecord, TestSuiteRecord
from localreg.session import Changes, Session
from localreg.workflow.workflow import Workflow

__all__ = ["Versioned", "check_belongs", "deleted", "find_named"]

RecordT = TypeVar("RecordT", TestCaseRecord, TestSuiteRecord)


class Versioned(Generic[RecordT]):
    """One version of a named thing of a workflow. Equal if it is the same version of the same thing."""

    workflow: ClassVar[Workflow]
    _record_class: type[RecordT]
    _session: Session
    _row: Row
    """Of the version."""

    @property
    def id(self) -> str:
        """Identity of the thing, the same for all its versions."""
        return self._row.parent

    @property
    def version_id(self) -> str:
        """Identity of the version that this object shows."""
        return self._row.id

    @property
    def version(self) -> int:
        """Number of the version that this object shows; 0 is empty."""
        return self._row.number

    @property
    def name(self) -> str:
        """The name, the same for all versions."""
        return self._record().name

    @property
    def description(self) -> str | None:
        """Free text."""
        return self._record().description

    @property
    def session(self) -> Session:
        """Where it lies."""
        return self._session

    @property
    def archived(self) -> bool:
        """Whether it is hidden from listings."""
        return self._record().archived

    def archive(self) -> Self:
        """Hide it, in all versions, from listings. It is not locked: it can be loaded, changed and run as before."""
        return self._set_archived(True, "archive")

    def restore(self) -> Self:
        """Show it in listings again."""
        return self._set_archived(False, "restore")

    def delete(self, *, force: bool = False) -> None:
        """Delete it with all its versions. Its history stays in the audit log, and its name is free.

        Test samples belong to the workflow, and stay.

        Args:
            force: delete what depends on it, too, in one commit: of a test case the test suites that hold any version
                of it; of a test suite its test runs and their inferences.

        Raises:
            ConflictError: something depends on it; it is named.
        """
        self._session.change(lambda changes: delete(changes, self._thing(changes.draft), force=force))

    def _set_archived(self, archived: bool, action: str) -> Self:
        def operation(changes: Changes) -> None:
            row = self._thing(changes.draft)
            changes.update(row, row.load(self._record_class).replaced(archived=archived), action=action)

        self._session.change(operation)
        return self

    def _record(self) -> RecordT:
        return self._thing(self._session.state()).load(self._record_class)

    def _thing(self, state: State) -> Row:
        """The row of the thing itself.

        Raises:
            NotFoundError: it was deleted.
        """
        row = state.get(self._record_class.kind, self._row.parent)
        if row is None:
            raise deleted(self._record_class.kind, self._row.parent, self._session)
        return row

    def _find(self, state: State, name: str, version: int | None) -> Row:
        """The row of a version; None = the newest."""
        row, record = find_named(self._session, state, self._record_class, name)
        check_belongs(state, record, self.workflow)
        number = record.version if version is None else version
        found = state.find(f"{row.kind}_version", str(number), row.id)
        if found is None:
            noun = row.kind.replace("_", " ")
            raise NotFoundError(f"{noun} {name!r} has no version {version}; the newest is {record.version}")
        return found

    @classmethod
    def _showing(cls, session: Session, row: Row) -> Self:
        """The object that shows a version, by its row."""
        made = cls.__new__(cls)
        made._session, made._row = session, row
        return made

    @classmethod
    def _loaded(cls, session: Session, state: State, name: str, version: int | None = None) -> Self:
        """The object that shows a version, by its name and number; None = the newest."""
        made = cls.__new__(cls)
        made._session = session
        made._row = made._find(state, name, version)
        return made

    def __eq__(self, other: object) -> bool:
        return self._row.id == other._row.id if isinstance(other, Versioned) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._row.id)


def check_belongs(state: State, record: TestCaseRecord | TestSuiteRecord, workflow: Workflow) -> None:
    """Refuse a test case or test suite of another workflow.

    Raises:
        WorkflowMismatchError: it belongs to another one, or the workflow was recorded with other types.
    """
    row = state.get("workflow", record.workflow)
    if row is None or row.name != workflow.name:
        other = "another workflow" if row is None else f"workflow {row.name!r}"
        raise WorkflowMismatchError(
            f"{record.kind.replace('_', ' ')} {record.name!r} belongs to {other}, not to {workflow.name!r}; "
            "choose another name"
        )
    workflow.check(row)


def deleted(kind: str, id: str, session: Session) -> NotFoundError:
    """The error to raise for what an object still stands for, and the registry no longer holds."""
    return NotFoundError(
        f"{kind.replace('_', ' ')} {id} is not in {session.namespace!r}: it was deleted, or not made yet at the commit "
        "that is shown"
    )


def find_named(session: Session, state: State, record_class: type[RecordT], name: str) -> tuple[Row, RecordT]:
    """A test case or test suite by its name.

    Raises:
        NotFoundError: there is none; near names are suggested.
    """
    noun = record_class.kind.replace("_", " ")
    row = state.find(record_class.kind, check_name(name, what=f"{noun} name"))
    if row is None:
        hint = did_you_mean(name, state.names(record_class.kind))
        raise NotFoundError(f"no {noun} {name!r} in namespace {session.namespace!r}{hint}")
    return row, row.load(record_class)
