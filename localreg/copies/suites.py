"""A test suite, brought into another namespace: new records there, of the same rows.

Records refer only within their namespace, so what a suite stands on comes along: its workflow, by the recorded schemas,
its test cases, and their samples and ground truths, as columns from end to end. What is there already is found by its
content, as it is when a suite is made. One commit names all, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, cast

from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError, ConflictError, NotFoundError
from localreg.log import Row, State
from localreg.names import amount, check_text, did_you_mean, split_reference
from localreg.progress import progress
from localreg.records.access import WRITER
from localreg.records.workflows import (
    TestCaseRecord,
    TestCaseVersionRecord,
    TestSuiteRecord,
    TestSuiteVersionRecord,
    WorkflowRecord,
)
from localreg.session import Changes, Session
from localreg.tables import Node, merged
from localreg.workflow.case_changes import CaseChange, CaseRequest
from localreg.workflow.case_content import CaseContent, version_rows
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.inference import Inference
from localreg.workflow.recorded import RecordedWorkflow
from localreg.workflow.recorded_columns import whole_column
from localreg.workflow.samples import as_rows, complete_samples, samples_at
from localreg.workflow.suite_change import SuiteChange
from localreg.workflow.test_sample import TestSample
from localreg.workflow.workflow import PARTS, Types

__all__ = ["Original", "SuiteCopyReport", "copy_suite", "find_suite"]


@dataclass(frozen=True, slots=True)
class SuiteCopyReport:
    """A test suite that was copied, or would be."""

    suite: str
    """Its name, in both namespaces."""

    version: int
    """The version that was copied."""

    cases: int
    """How many test cases it holds."""

    samples: int
    """How many test samples these hold; one that stands in two counts twice."""

    target: str
    """Where the registry lies that it was copied to."""

    namespace: str
    """The namespace there."""

    changed: bool | None
    """Whether anything was not there already; None = it was not looked, in a dry run."""

    def __str__(self) -> str:
        what = f"test suite '{self.suite}@{self.version}'"
        where = f"namespace {self.namespace!r} of {self.target}"
        held = f"{amount(self.cases, 'test case')}, {amount(self.samples, 'test sample')}"
        if self.changed is None:
            return f"would copy {what} to {where}: {held}"
        return f"copied {what} to {where}: {held}" if self.changed else f"{what} is in {where} already: {held}"


@dataclass(frozen=True)
class Original:
    """What is copied, as of one commit."""

    session: Session
    state: State
    suite: TestSuiteRecord
    version: TestSuiteVersionRecord
    number: int
    """By which the version is called."""
    cases: list[tuple[TestCaseRecord, Row]]
    """The test cases, each with the row of its version."""
    workflow: _CopiedWorkflow
    workflow_id: str

    @property
    def samples(self) -> int:
        """How many its test cases hold; one that stands in two counts twice."""
        return sum(version.load(TestCaseVersionRecord).samples for _, version in self.cases)


class _CopiedWorkflow(RecordedWorkflow):
    """A workflow that is recorded elsewhere: here it is made, or widened, by its schemas there."""

    def __init__(self, name: str, nodes: list[Node]) -> None:
        super().__init__(name)
        object.__setattr__(self, "nodes", nodes)

    def _types_of(self, fields: Mapping[str, object]) -> Types:
        columns = []
        for part, node, base in zip(PARTS, self.__dict__["nodes"], (TestSample, GroundTruth, Inference), strict=True):
            there = fields.get(part)
            both = node if there is None else merged(Node.from_json(cast(JsonObject, there)), node, part)
            columns.append(whole_column("sample" if part == PARTS[0] else part, base, both))
        return Types(*columns)


def find_suite(source: Session, suite: str) -> Original:
    """A test suite, with all that it stands on.

    Args:
        source: its namespace.
        suite: its name, or `name@version`.

    Raises:
        NotFoundError: there is none.
    """
    session = source if source.is_pinned else source.frozen()
    state = session.committed()
    row, version = _version(session, state, check_text(suite, what="suite", limit=1_024))
    record = row.load(TestSuiteRecord)
    workflow = state.get(WorkflowRecord.kind, record.workflow)
    assert workflow is not None, "a suite goes with its workflow"
    nodes = [Node.from_json(cast(JsonObject, workflow.fields[part])) for part in PARTS]
    held = version.load(TestSuiteVersionRecord)
    cases = []
    for id in held.test_cases:
        of = state.get(TestCaseVersionRecord.kind, id)
        case = None if of is None else state.get(TestCaseRecord.kind, of.parent)
        assert of is not None, "a suite names only versions that exist"
        assert case is not None, "a version goes with its test case"
        cases.append((case.load(TestCaseRecord), of))
    return Original(
        session, state, record, held, version.number, cases, _CopiedWorkflow(workflow.name, nodes), workflow.id
    )


def copy_suite(
    original: Original, target: Session | None, *, uri: str, namespace: str, reset: bool, message: str | None
) -> SuiteCopyReport:
    """Copy a test suite; see `Registry.copy_suite`.

    Args:
        original: what to copy.
        target: the namespace that it is copied to; None = only tell.
        uri: where that registry lies.
        namespace: the namespace there.
        reset: whether what is there under the same names, and is not the same, gets a new version.
        message: why.
    """
    changed = None
    if target is not None:
        target.refuse_without(WRITER)  # before anything is read
        with nullcontext() if message is None else target.transaction(message):
            changed = _Copy(original, target, reset).commit()
    number = original.number
    return SuiteCopyReport(original.suite.name, number, len(original.cases), original.samples, uri, namespace, changed)


def _version(session: Session, state: State, suite: str) -> tuple[Row, Row]:
    """The rows of a suite and of the version that is meant: the newest, unless one is named."""
    for name, number in split_reference(suite):
        row = state.find(TestSuiteRecord.kind, name)
        if row is None:
            continue
        wanted = str(row.load(TestSuiteRecord).version) if number is None else number
        version = state.find(TestSuiteVersionRecord.kind, wanted, row.id)
        if version is None:
            newest = row.load(TestSuiteRecord).version
            raise NotFoundError(f"test suite {name!r} has no version {wanted!r}; the newest is {newest}")
        return row, version
    hint = did_you_mean(suite, state.names(TestSuiteRecord.kind))
    raise NotFoundError(f"no test suite {suite!r} in namespace {session.namespace!r}{hint}")


class _Copy:
    """An operation that makes the suite; may be run again on a newer state."""

    def __init__(self, original: Original, target: Session, reset: bool) -> None:
        self._original = original
        self._target = target
        self._reset = reset
        self._cases = CaseChange(target, original.workflow, self._requests(target.state()))
        self._made = False

    def commit(self) -> bool:
        """Make it durable; whether anything was not there."""
        self._cases.commit(self)
        return self._made

    def __call__(self, changes: Changes) -> None:
        """Put the changes into the draft."""
        made = len(changes.made)
        self._cases(changes)
        if self._cases.ignored:
            raise self._other(f"test case {self._cases.ignored[0]!r}")
        content = self._newest(changes.draft)
        name = self._original.suite.name
        there = changes.draft.find(TestSuiteRecord.kind, name)
        said: dict[str, Any] = {}
        if there is None:
            said = {"description": self._original.suite.description, "tags": self._original.suite.tags}
        suite = SuiteChange(self._target, self._original.workflow, name, said, list(content.values()))
        baseline = self._original.version.baseline
        suite.baseline = None if baseline is None else [content[id] for id in baseline]
        suite.reset = self._reset
        suite(changes)
        if suite.ignored:
            raise self._other(f"test suite {name!r}")
        self._made = len(changes.made) > made
        row = changes.draft.find(TestSuiteRecord.kind, name)
        if self._made and row is not None:
            changes.note(row, action="copy", details=self._origin())

    def _requests(self, state: State) -> list[CaseRequest]:
        requests = []
        with progress(f"copying {self._original.suite.name}", len(self._original.cases)) as shown:
            for case, version in self._original.cases:
                content = self._content(state, version) if version.load(TestCaseVersionRecord).samples else None
                requests.append(
                    CaseRequest(
                        case.name,
                        case.description if state.find(TestCaseRecord.kind, case.name) is None else None,
                        content,
                        reset=self._reset,
                        details=version.load(TestCaseVersionRecord).details,
                    )
                )
                shown.advance(1)
        return requests

    def _content(self, state: State, version: Row) -> CaseContent:
        """What a test case holds, as columns of the types that the target has, or will have."""
        original = self._original
        here = original.workflow.types(original.state)
        there = original.workflow.types(state)
        rows = version_rows(original.session, original.state, here, version.id)
        samples = samples_at(
            original.session, original.state, original.workflow_id, here.test_sample, rows.indices, vectors=True
        )
        return CaseContent(
            complete_samples(as_rows(samples, "sample", there.test_sample)),
            as_rows(rows.truths, "ground_truth", there.ground_truth),
        )

    def _newest(self, state: State) -> dict[str, str]:
        """By the id of each version in the original, that of the version that holds the same here."""
        versions = {}
        for case, version in self._original.cases:
            row = state.find(TestCaseRecord.kind, case.name)
            record = None if row is None else row.load(TestCaseRecord)
            newest = None if record is None else state.find(TestCaseVersionRecord.kind, str(record.version), record.id)
            if newest is None:
                raise ConflictError(f"test case {case.name!r} was deleted meanwhile; copy the suite again")
            if not version.load(TestCaseVersionRecord).samples and newest.load(TestCaseVersionRecord).samples:
                raise self._other(f"test case {case.name!r}")
            versions[version.id] = newest.id
        return versions

    def _origin(self) -> JsonObject:
        """Where it came from, for the audit log."""
        original = self._original
        return {
            "registry": original.session.file.registry,
            "namespace": original.session.namespace,
            "commit": original.state.head.commit,
            "suite": original.suite.name,
            "version": original.number,
        }

    def _other(self, what: str) -> AlreadyExistsError:
        return AlreadyExistsError(
            f"{what} is in namespace {self._target.namespace!r} already, and holds something else; pass reset=True to "
            "make a new version of it; nothing was changed"
        )
