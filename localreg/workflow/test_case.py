"""Test cases: named, versioned sets of (test sample, ground truth)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from localreg.errors import InvalidInputError
from localreg.names import check_flag, check_name, check_text, shown_value
from localreg.records.workflows import TestCaseRecord, TestCaseVersionRecord
from localreg.session import Session
from localreg.session.current import current_session
from localreg.workflow.case_changes import CaseChange, CaseRequest
from localreg.workflow.case_content import CaseContent, version_rows
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.samples import case_indices, samples_at
from localreg.workflow.test_sample import TestSample
from localreg.workflow.versioned import Versioned, deleted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["TestCase", "TestCaseEditor"]

SampleT = TypeVar("SampleT", bound=TestSample)
TruthT = TypeVar("TruthT", bound=GroundTruth)

BATCH = 10_000
"""Rows that `iter_test_samples` turns into objects at once."""


class TestCaseEditor(Generic[SampleT, TruthT]):
    """Collects the changes of one `with case.edit()` block; they become one version when the block ends."""

    __test__ = False

    def __init__(self) -> None:
        self._steps: list[tuple[SampleT, TruthT | None]] = []
        self._description: str | None = None

    def description(self, description: str) -> None:
        """Replace the description; that alone makes no new version."""
        self._description = check_text(description, what="description")

    def add(self, test_sample: SampleT, ground_truth: TruthT) -> None:
        """Add a sample at the end; one that is there already gets this ground truth, and moves to the end."""
        if ground_truth is None:
            raise InvalidInputError(f"the ground truth of {test_sample!r} is None; give one, which may have no fields")
        self._steps.append((test_sample, ground_truth))

    def remove(self, test_sample: SampleT) -> None:
        """Remove a sample; one that is not there is no mistake."""
        self._steps.append((test_sample, None))


class TestCase(Versioned[TestCaseRecord], Generic[SampleT, TruthT]):
    """One version of a test case. Get the class from `define_workflow`, which binds it to the types.

    Args:
        name: unique in the namespace, across workflows.
        version: load this version; None = the newest, made if there is none.
        description: free text; where given, applied without a new version.
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
        self._open(name, version, description, test_samples, reset)

    def _open(
        self,
        name: str,
        version: int | None,
        description: str | None,
        test_samples: Sequence[tuple[SampleT, TruthT]] | None,
        reset: bool,
    ) -> None:
        """What the constructor does, and those of subclasses with parameters of their own."""
        self._session = current_session()
        name = check_name(name, what="test case name")
        if version is not None and test_samples is not None:
            raise InvalidInputError(f"a version of test case {name!r} does not change; leave out test_samples")
        state = self._session.state()
        is_missing = version is None and state.find("test_case", name) is None
        if is_missing or test_samples is not None or description is not None:
            request = self._request(name, description, test_samples, reset=reset)
            state = self._make(self._session, [request], stacklevel=3)
        self._row = self._find(state, name, version)

    @classmethod
    def create(
        cls,
        name: str,
        description: str | None = None,
        test_samples: Sequence[tuple[SampleT, TruthT]] | None = None,
    ) -> Self:
        """Make a test case.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        session = current_session()
        name = check_name(name, what="test case name")
        state = cls._make(session, [cls._request(name, description, test_samples, is_new=True)])
        return cls._loaded(session, state, name)

    @classmethod
    def load(cls, name: str, version: int | None = None) -> Self:
        """A test case that is there; the newest version, if none is named.

        Raises:
            NotFoundError: there is none of that name or version.
        """
        session = current_session()
        return cls._loaded(session, session.state(), check_name(name, what="test case name"), version)

    @classmethod
    def init_many(cls, data: Sequence[tuple[str, Sequence[tuple[SampleT, TruthT]]]], reset: bool = False) -> list[Self]:
        """Make or load many test cases in one commit, as the constructor does for one.

        Args:
            data: name and content of each.
            reset: replace the content of existing ones, as new versions.

        Raises:
            InvalidInputError: as the constructor, or a name stands there twice; nothing is written.
        """
        session = current_session()
        requests: dict[str, CaseRequest] = {}
        for number, item in enumerate(_pairs(data)):
            name = check_name(item[0], what="test case name")
            if name in requests:
                raise InvalidInputError(
                    f"data[{number}], {name!r}, is the name of an earlier one; join them, or rename"
                )
            requests[name] = cls._request(name, None, item[1], reset=reset)
        state = cls._make(session, list(requests.values())) if requests else session.state()
        return [cls._loaded(session, state, name) for name in requests]

    @contextmanager
    def edit(self, reset: bool = False) -> Iterator[TestCaseEditor[SampleT, TruthT]]:
        """Change the test case in a `with` block; when it ends, the changes become the next version.

        This object then shows that version. An edit without effect makes no version, and an exception inside the block
        changes nothing.

        Args:
            reset: begin with nothing, instead of what the case holds.

        Raises:
            ConflictError: the case was edited by somebody else since this object was loaded.
        """
        onto = None if check_flag(reset, what="reset") else self.version_id
        editor: TestCaseEditor[SampleT, TruthT] = TestCaseEditor()
        yield editor
        types = self.workflow.types(self._session.state())
        content = CaseContent.of_edit(types, editor._steps, onto=onto)
        request = CaseRequest(self.name, editor._description, content, edited=self.version)
        state = self._make(self._session, [request])
        self._row = self._find(state, self.name, None)

    @classmethod
    def _request(
        cls,
        name: str,
        description: str | None,
        test_samples: Sequence[tuple[SampleT, TruthT]] | None,
        *,
        reset: bool = False,
        is_new: bool = False,
    ) -> CaseRequest:
        text = None if description is None else check_text(description, what="description")
        content = None
        if test_samples is not None:
            content = CaseContent.of(cls.workflow.types(current_session().state()), test_samples)
        return CaseRequest(name, text, content, reset=check_flag(reset, what="reset"), is_new=is_new)

    @classmethod
    def _make(cls, session: Session, requests: list[CaseRequest], stacklevel: int = 2) -> Any:
        change = CaseChange(session, cls.workflow, requests)
        state = change.commit()
        for name in change.ignored:
            warnings.warn(
                f"test case {name!r} exists already, and the test samples given are ignored; pass reset=True to make "
                "them its next version",
                stacklevel=stacklevel + 1,
            )
        return state

    @classmethod
    def _of_version(cls, session: Session, version_id: str) -> Self:
        row = session.state().get("test_case_version", version_id)
        if row is None:  # deleted with its suites, one of which the caller still holds
            raise deleted("test_case_version", version_id, session)
        return cls._showing(session, row)

    def __len__(self) -> int:
        """How many samples it holds."""
        return self._row.load(TestCaseVersionRecord).samples

    def load_test_samples(self) -> list[tuple[SampleT, TruthT]]:
        """The samples and their ground truths, in the order of adding."""
        return list(self.iter_test_samples())

    def iter_test_samples(self) -> Iterator[tuple[SampleT, TruthT]]:
        """The samples and their ground truths, in the order of adding, made in batches."""
        state = self._session.state()
        types = self.workflow.types(state)
        workflow_id = self._record().workflow
        vectors = types.ground_truth.has_vectors
        rows = version_rows(self._session, state, types, self.version_id, vectors=vectors)
        found = samples_at(self._session, state, workflow_id, types.test_sample, rows.indices)
        for begin in range(0, len(rows.indices), BATCH):
            samples = types.test_sample.objects(found.slice(begin, BATCH))
            truths = types.ground_truth.objects(rows.truths.slice(begin, BATCH))
            yield from zip(cast("list[SampleT]", samples), cast("list[TruthT]", truths), strict=True)

    def sample_indices(self) -> npt.NDArray[np.int64]:
        """The `sample_idx` of each sample (int64), in the order of adding."""
        return case_indices(self._session, self._session.state(), self._row.id)

    def __repr__(self) -> str:
        return f"<TestCase {self.name!r} version {self.version}, {len(self)} samples>"


def _pairs(data: object) -> list[Any]:
    if not isinstance(data, Iterable) or isinstance(data, str):
        raise InvalidInputError(f"data is {shown_value(data)}; it must be a list of (name, test samples)")
    pairs = list(data)
    for number, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InvalidInputError(f"data[{number}] is {shown_value(pair)}; it must be a (name, test samples)")
    return pairs
