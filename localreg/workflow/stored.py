"""What the registry holds of workflows, test cases, test suites and test runs, without the Python types behind them.

For who keeps a registry in order: to look a record up by its name, describe it, cut it into strata, hide it, or delete
it needs no dataclass. Samples are dicts here, without their vectors, except for a model that is run; the classes of
`define_workflow` give objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from localreg.canonical import JsonObject
from localreg.errors import NotFoundError
from localreg.handles.handle import UNCHANGED, Handle, Unchanged, checked_texts
from localreg.handles.lineage import HasLineage
from localreg.log import Row, State
from localreg.names import check_id, check_name, check_tags, check_whole, did_you_mean
from localreg.records.base import Record
from localreg.records.workflows import (
    EvaluationRecord,
    TestCaseRecord,
    TestCaseVersionRecord,
    TestRunRecord,
    TestSuiteRecord,
    TestSuiteVersionRecord,
    WorkflowRecord,
)
from localreg.session import Session
from localreg.session.current import use_session

if TYPE_CHECKING:
    from localreg.workflow.bulk.add import OnKnown
    from localreg.workflow.bulk.report import BulkReport, OnInvalid
    from localreg.workflow.evaluation_results import EvaluationView
    from localreg.workflow.evaluator import EvaluatorConfiguration
    from localreg.workflow.model import Model
    from localreg.workflow.run_content import ChangedFile, RunContent
    from localreg.workflow.test_case import TestCase
    from localreg.workflow.test_suite import TestSuite

__all__ = [
    "CaseVersion",
    "SuiteMember",
    "SuiteVersion",
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
        return {key: value for key, value in self.info.to_json().items() if key not in ("id", "name")}


class _Archivable(_Stored[CaseOrSuiteT]):
    @property
    def archived(self) -> bool:
        """Whether it is hidden from listings."""
        return self.info.archived

    def archive(self) -> Self:
        """Hide it, in all versions, from listings. It is not locked: it can be loaded, changed and run as before."""
        return self._change(lambda record, _: record.replaced(archived=True), action="archive")

    def restore(self) -> Self:
        """Show it in listings again."""
        return self._change(lambda record, _: record.replaced(archived=False), action="restore")


class StoredWorkflow(_Stored[WorkflowRecord]):
    """A workflow by its name; its `info` has the schemas of its types."""

    _record_class = WorkflowRecord

    def test_suite(self, name: str) -> TestSuite:
        """A test suite of the workflow, made if there is none of that name; its samples are dicts.

        Raises:
            WorkflowMismatchError: the name belongs to a suite of another workflow.
        """
        with use_session(self._session):
            return self._classes()[1](name)

    def model(self, name: str) -> Model[Any, Any, Any]:
        """A model of the workflow, made if there is none of that name; `name@version` means that version.

        Its inferences are dicts. To run it, set `infer`: a function from the dict of a sample, with its vectors and its
        `metadata`, to the dict of an inference, or None to skip the sample. Keys that are no fields of the inference
        are refused, but for `metadata`; where a field may be of several classes, a key `type` names the one.

        Raises:
            WorkflowMismatchError: the name belongs to a model of another workflow.
        """
        with use_session(self._session):
            return self._classes()[2](name)

    def _classes(self) -> tuple[type[TestCase[Any, Any]], type[TestSuite], type[Model[Any, Any, Any]]]:
        from localreg.workflow.define_workflow import bound_classes
        from localreg.workflow.recorded import RecordedWorkflow

        return bound_classes(RecordedWorkflow(self.name))


class CaseVersion(NamedTuple):
    """One version of a test case.

    Attributes:
        version: its number.
        samples: how many it holds.
        created_at: when it was made, by its maker's clock, UTC.
        created_by: the actor who made it.
        commit: number of the commit that made it.
    """

    version: int
    samples: int
    created_at: datetime
    created_by: str
    commit: int


class StoredTestCase(_Archivable[TestCaseRecord]):
    """A test case by its name, in all its versions."""

    _record_class = TestCaseRecord

    def versions(self) -> list[CaseVersion]:
        """Its versions, oldest first. The empty version 0 is none: nothing was ever recorded of it."""
        state = self._session.state()
        return [
            CaseVersion(row.number, row.load(TestCaseVersionRecord).samples, *_made(row))
            for row in sorted(state.children("test_case_version", self._row(state).id), key=lambda row: row.number)
        ]

    def update(self, *, description: str | Unchanged | None = UNCHANGED) -> Self:
        """Change what is said of it, without a new version; None removes the description.

        Raises:
            InvalidInputError: a malformed text.
        """
        said = checked_texts(description=description)
        return self._change(lambda record, _: record.replaced(**said))


class SuiteMember(NamedTuple):
    """A test case as a test suite holds it.

    Attributes:
        name: of the test case.
        version: which of its versions.
        samples: how many that holds.
    """

    name: str
    version: int
    samples: int


class SuiteVersion(NamedTuple):
    """One version of a test suite.

    Attributes:
        version: its number.
        members: its test cases, in the order of adding.
        created_at: when it was made, by its maker's clock, UTC.
        created_by: the actor who made it.
        commit: number of the commit that made it.
    """

    version: int
    members: list[SuiteMember]
    created_at: datetime
    created_by: str
    commit: int


class StoredTestSuite(_Archivable[TestSuiteRecord]):
    """A test suite by its name, in all its versions."""

    _record_class = TestSuiteRecord

    @property
    def members(self) -> list[SuiteMember]:
        """The test cases of its newest version, in the order of adding."""
        state = self._session.state()
        version = state.find("test_suite_version", str(self._row(state).load(TestSuiteRecord).version), self._id)
        return _members(state, version)

    def versions(self) -> list[SuiteVersion]:
        """Its versions, oldest first. The empty version 0 is none: nothing was ever recorded of it."""
        state = self._session.state()
        return [
            SuiteVersion(row.number, _members(state, row), *_made(row))
            for row in sorted(state.children("test_suite_version", self._row(state).id), key=lambda row: row.number)
        ]

    def update(
        self,
        *,
        description: str | Unchanged | None = UNCHANGED,
        tag: Iterable[str] = (),
        untag: Iterable[str] = (),
    ) -> Self:
        """Change what is said of it, without a new version; one audited act, and none if nothing differs.

        Args:
            description: free text; None removes it.
            tag: tags to add; those already there are fine.
            untag: tags to remove; absent ones are fine.

        Raises:
            InvalidInputError: a malformed text or tag.
        """
        said = checked_texts(description=description)
        added, removed = check_tags(tag, what="tag"), check_tags(untag, what="untag")

        def edit(record: TestSuiteRecord, _: object) -> TestSuiteRecord:
            return record.replaced(tags=sorted({*record.tags, *added} - {*removed}), **said)

        return self._change(edit)

    def add(
        self,
        table: object,
        case: str | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        metadata: Sequence[str] = (),
        on_invalid: OnInvalid = "raise",
        on_known: OnKnown = "raise",
    ) -> BulkReport:
        """Add test samples with their ground truths from a table: see `TestSuite.add`."""
        return self.test_suite().add(
            table, case, columns=columns, metadata=metadata, on_invalid=on_invalid, on_known=on_known
        )

    def stratify(self, by: str, *, bins: int = 4, name: str | None = None) -> StoredTestSuite:
        """A test suite of the same samples, with a test case for each stratum: see `TestSuite.stratify`."""
        return StoredTestSuite(self._session, self.test_suite().stratify(by, bins=bins, name=name).id)

    def test_suite(self) -> TestSuite:
        """Its newest version, as the class of its workflow would show it, with samples as dicts."""
        from localreg.workflow.recorded import recorded_suite

        return recorded_suite(self._session, self._session.state(), self._id)


class StoredTestRun(_Stored[TestRunRecord], HasLineage[TestRunRecord]):
    """A test run by its id. To delete it deletes the inferences that it made: the next run makes them again."""

    _record_class = TestRunRecord

    def counts(self) -> dict[str, int]:
        """How many samples of the suite are `ok`, `skipped`, `error` and `missing`, whatever run inferred them."""
        return self._content().counts()

    def errors(self, *, offset: int = 0, limit: int | None = None) -> list[tuple[Any, JsonObject]]:
        """The suite's samples for which `infer` raised, as dicts, each with its `type`, `message` and `traceback`.

        Args:
            offset: how many are passed over first.
            limit: at most so many; None = all.

        Raises:
            InvalidInputError: one of them is no whole number.
        """
        most = None if limit is None else check_whole(limit, what="limit")
        return self._content().errors(check_whole(offset, what="offset"), most)

    def changed_files(self) -> list[ChangedFile]:
        """The local files that hold other bytes than when the suite's samples were inferred: see `TestRun`."""
        return self._content().changed_files()

    def configurations(self) -> list[str | None]:
        """Display names of the configurations that it was evaluated with; None = without any."""
        rows = self._session.state().children(EvaluationRecord.kind, self._id)
        return [row.load(EvaluationRecord).configuration for row in rows]

    def results(self, configuration: EvaluatorConfiguration | str | None = None) -> EvaluationView:
        """What the evaluator said, with samples as dicts: see `TestRun.results`."""
        from localreg.workflow.evaluation_results import EvaluationView, find_evaluation

        state = self._session.state()
        row = find_evaluation(state, self._row(state), configuration, f"test run {self.name!r}")
        return EvaluationView(self._session, state, row, self._suite(state))

    def _suite(self, state: State) -> TestSuite:
        from localreg.workflow.recorded import recorded_suite

        version = state.get("test_suite_version", self._row(state).load(TestRunRecord).test_suite_version)
        assert version is not None, "a run goes with its suite"
        return recorded_suite(self._session, state, version.parent, version.id)

    def _content(self) -> RunContent:
        from localreg.workflow.run_content import RunContent, unique
        from localreg.workflow.samples import case_indices, concatenated

        state = self._session.state()
        suite = self._suite(state)
        rows = unique(concatenated(case_indices(self._session, state, case.version_id) for case in suite.test_cases))
        workflow = state.find("workflow", suite.workflow.name)
        assert workflow is not None, "a test suite of it was found"
        return RunContent(self._session, state, suite.workflow, workflow.id, self._row(state).parent, rows)


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


def _made(row: Row) -> tuple[datetime, str, int]:
    return datetime.fromisoformat(row.created_at), row.created_by, row.created[0]


def _members(state: State, version: Row | None) -> list[SuiteMember]:
    held = [] if version is None else version.load(TestSuiteVersionRecord).test_cases
    return [_member(state, id) for id in held]


def _member(state: State, version_id: str) -> SuiteMember:
    row = state.get("test_case_version", version_id)
    case = None if row is None else state.get(TestCaseRecord.kind, row.parent)
    assert row is not None, "a suite names only versions that exist"
    assert case is not None, "a version goes with its test case"
    return SuiteMember(case.name, row.number, row.load(TestCaseVersionRecord).samples)


def _id_of(session: Session, record_class: type[Record], name: str) -> str:
    noun = record_class.kind.replace("_", " ")
    state = session.state()
    row = state.find(record_class.kind, check_name(name, what=f"{noun} name"))
    if row is None:
        hint = did_you_mean(name, state.names(record_class.kind))
        raise NotFoundError(f"no {noun} {name!r} in namespace {session.namespace!r}{hint}")
    return row.id
