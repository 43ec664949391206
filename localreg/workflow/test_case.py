"""Test cases: named, versioned sets of (test sample, ground truth)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from localreg.errors import InvalidInputError
from localreg.names import check_name, check_text
from localreg.records.workflows import TestCaseRecord, TestCaseVersionRecord
from localreg.session import Changes, Session
from localreg.session.current import current_session
from localreg.tables import objects_of, read_part
from localreg.workflow.case_content import CaseContent
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.samples import case_indices, files_of, objects_at
from localreg.workflow.test_sample import TestSample
from localreg.workflow.versioned import Versioned, deleted

if TYPE_CHECKING:
    import numpy as np

__all__ = ["TestCase"]

SampleT = TypeVar("SampleT", bound=TestSample)
TruthT = TypeVar("TruthT", bound=GroundTruth)


class TestCase(Versioned[TestCaseRecord], Generic[SampleT, TruthT]):
    """One version of a test case. Get the class from `define_workflow`, which binds it to the types.

    Args:
        name: unique in the namespace, across workflows.
        version: load this version; None = the newest, made if there is none.
        description: free text; applied when the case is made.
        test_samples: the content, in order. Given for an existing case it is ignored with a warning, unless the case
            is empty or `reset` is set.
        reset: replace the content by `test_samples`, as a new version.

    Raises:
        InvalidInputError: a sample or ground truth of another type, or one sample twice; nothing is written.
        WorkflowMismatchError: the name belongs to a case of another workflow.
        NotFoundError: no such version.
    """

    __test__ = False
    _record_class = TestCaseRecord

    def __init__(
        self,
        name: str,
        version: int | None = None,
        description: str | None = None,
        test_samples: Sequence[tuple[SampleT, TruthT]] | None = None,
        reset: bool = False,
    ) -> None:
        self._session = current_session()
        self._ignored = False
        name = check_name(name, what="test case name")
        if version is not None and test_samples is not None:
            raise InvalidInputError(f"a version of test case {name!r} does not change; leave out test_samples")
        content = None if test_samples is None else CaseContent(self._session, self.workflow, test_samples)
        state = self._session.state()
        if content is not None or (version is None and state.find("test_case", name) is None):
            text = None if description is None else check_text(description, what="description")
            state = self._session.change(lambda changes: self._ensure(changes, name, text, content, reset))
        if self._ignored:
            warnings.warn(
                f"test case {name!r} exists already, and the test samples given are ignored; pass reset=True to make "
                "them its next version",
                stacklevel=2,
            )
        if content is not None and content.metadata_ignored:
            warnings.warn(
                f"{content.metadata_ignored} test samples of test case {name!r} are known already with other metadata, "
                "which stays as it is",
                stacklevel=2,
            )
        self._row = self._find(state, name, version)

    @classmethod
    def _of_version(cls, session: Session, version_id: str) -> TestCase[SampleT, TruthT]:
        case = cls.__new__(cls)
        case._session = session
        row = session.state().get("test_case_version", version_id)
        if row is None:  # deleted with its suites, one of which the caller still holds
            raise deleted("test_case_version", version_id, session)
        case._row = row
        return case

    def __len__(self) -> int:
        """How many samples it holds."""
        return self._row.load(TestCaseVersionRecord).samples

    def load_test_samples(self) -> list[tuple[SampleT, TruthT]]:
        """The samples and their ground truths, in the order of adding."""
        state = self._session.state()
        workflow_id = self._record().workflow
        samples = objects_at(self._session, state, self.workflow, workflow_id, self.sample_indices())
        truths: list[TruthT] = []
        for pointer in files_of(state, self._row.id, "ground_truths"):
            column = read_part(self._session.store, pointer, ["ground_truth"])["ground_truth"]
            truths += objects_of(column, self.workflow.ground_truth, self.workflow.ground_truth_type)
        return list(zip(cast("list[SampleT]", samples), truths, strict=True))

    def sample_indices(self) -> np.ndarray:
        """The `sample_idx` of each sample (int64), in the order of adding."""
        return case_indices(self._session, self._session.state(), self._row.id)

    def _ensure(
        self, changes: Changes, name: str, description: str | None, content: CaseContent | None, reset: bool
    ) -> None:
        workflow_id = self.workflow.ensure(changes)
        row = changes.draft.find("test_case", name)
        if row is None:
            record = TestCaseRecord(
                id=changes.new_id("test_case", name),
                name=name,
                workflow=workflow_id,
                version=int(content is not None and content.count > 0),
                description=description,
            )
            changes.create(record)
            self._add_version(changes, record, content)
            return
        record = row.load(TestCaseRecord)
        self._check_workflow(changes.draft, record)
        if content is None or content.same_as(changes.draft, record):
            return
        self._ignored = bool(record.version) and not reset
        if not self._ignored:
            newer = record.replaced(version=record.version + 1)
            changes.update(row, newer)
            self._add_version(changes, newer, content)

    def _add_version(self, changes: Changes, case: TestCaseRecord, content: CaseContent | None) -> None:
        version = TestCaseVersionRecord(
            id=changes.new_id("test_case_version", case.id),
            name=str(case.version),
            test_case=case.id,
            samples=0 if content is None else content.count,
        )
        files = () if content is None or not content.count else content.files(changes.draft, case.workflow, version.id)
        changes.create(version, files=files)

    def __repr__(self) -> str:
        return f"<TestCase {self.name!r} version {self.version}, {len(self)} samples>"
