"""Test cases: named, versioned sets of (test sample, ground truth)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from localreg.canonical import JsonObject, parse
from localreg.errors import InvalidInputError, LocalregError, NotFoundError, WorkflowMismatchError
from localreg.log import Row, State
from localreg.names import check_name, check_text, did_you_mean
from localreg.records.files import FilePointer
from localreg.records.workflows import TestCaseRecord, TestCaseVersionRecord
from localreg.session import Changes, Session
from localreg.session.current import current_session
from localreg.tables import objects_of, read_part, struct_column, write_part
from localreg.workflow.ground_truth import GroundTruth
from localreg.workflow.labels import refuse_bad_labels
from localreg.workflow.samples import absolute_indices, files_of, sample_count, sample_rows, samples_at, split_known
from localreg.workflow.test_sample import TestSample
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["TestCase"]

SampleT = TypeVar("SampleT", bound=TestSample)
TruthT = TypeVar("TruthT", bound=GroundTruth)


class TestCase(Generic[SampleT, TruthT]):
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
    workflow: ClassVar[Workflow]

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
        content = None if test_samples is None else _Content(self._session, self.workflow, test_samples)
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
        assert row is not None, "a suite's version names only case versions that exist"
        case._row = row
        return case

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Id of the test case, the same for all its versions."""
        return self._row.parent

    @property
    def version(self) -> int:
        """Number of the version that this object shows; 0 is empty."""
        return int(self._row.name)

    @property
    def name(self) -> str:
        """The name of the test case."""
        return self._record().name

    @property
    def description(self) -> str | None:
        """Free text."""
        return self._record().description

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

    def _record(self) -> TestCaseRecord:
        row = self._session.state().get("test_case", self._row.parent)
        assert row is not None, "a version outlives its case only if the log is damaged"
        return row.load(TestCaseRecord)

    # --- finding and making -----------------------------------------------------------------------------------------

    def _find(self, state: State, name: str, version: int | None) -> Row:
        case = state.find("test_case", name)
        if case is None:
            hint = did_you_mean(name, [row.name for row in state.children("test_case")])
            raise NotFoundError(f"no test case {name!r} in namespace {self._session.namespace!r}{hint}")
        record = case.load(TestCaseRecord)
        _check_workflow(state, self.workflow, record.workflow, f"test case {name!r}")
        row = state.find("test_case_version", str(record.version if version is None else version), case.id)
        if row is None:
            raise NotFoundError(f"test case {name!r} has no version {version}; the newest is {record.version}")
        return row

    def _ensure(
        self, changes: Changes, name: str, description: str | None, content: _Content | None, reset: bool
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
        _check_workflow(changes.draft, self.workflow, record.workflow, f"test case {name!r}")
        if content is None:
            return
        if content.same_as(changes.draft, record):
            return
        self._ignored = bool(record.version) and not reset
        if not self._ignored:
            newer = record.replaced(version=record.version + 1)
            changes.update(row, newer, action="update")
            self._add_version(changes, newer, content)

    def _add_version(self, changes: Changes, case: TestCaseRecord, content: _Content | None) -> None:
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

    def __eq__(self, other: object) -> bool:
        return self._row.id == other._row.id if isinstance(other, TestCase) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._row.id)


class _Content:
    """Samples and ground truths on their way into a version of a test case.

    They are staged against the samples known at that moment. If another commit lands first, the staged files still
    serve as long as it brought no sample that we bring, too: new indices just begin later.
    """

    def __init__(self, session: Session, workflow: Workflow, pairs: Sequence[tuple[object, object]]) -> None:
        self._session = session
        self._workflow = workflow
        samples, truths = _unzipped(workflow, pairs)
        self.count = len(samples)
        self._samples = sample_rows(workflow, samples)
        wanted = workflow.ground_truth_type

        def named(number: int) -> str:
            return f"the ground truth of test_samples[{number}], {samples[number]!r}"

        self._truths = struct_column(truths, workflow.ground_truth, what=wanted.__name__, named=named)
        refuse_bad_labels(self._truths, wanted, named=named)
        self._indices: np.ndarray | None = None
        self.metadata_ignored = 0
        self._staged: list[FilePointer] = []

    def files(self, state: State, workflow_id: str, owner: str) -> tuple[FilePointer, ...]:
        """The parts for a version of a test case: staged now, or those of an earlier attempt if they still serve."""
        first = sample_count(state, workflow_id)
        if not self._still_serve(state, workflow_id):
            self._discard()
            self._stage(state, workflow_id, owner, first)
        return tuple(
            replace(part, owner=_owner(part, workflow_id, owner), details={**part.details, "first": first})
            for part in self._staged
        )

    def _stage(self, state: State, workflow_id: str, owner: str, first: int) -> None:
        indices, new, keys = split_known(self._session, state, workflow_id, self._samples)
        self._refuse_doubles(indices)
        self.metadata_ignored = self._count_ignored_metadata(state, workflow_id, indices, first)
        place: JsonObject = {"workflow": workflow_id, "first": first, "staged_first": first}
        store = self._session.store
        if new.num_rows:
            self._staged.append(write_part(store, "test_samples", workflow_id, new, {**place, **keys}))
        self._staged.append(write_part(store, "ground_truths", owner, self._rows(indices), place))
        self._indices = indices

    def _count_ignored_metadata(self, state: State, workflow_id: str, indices: np.ndarray, first: int) -> int:
        """How many of the known samples come with metadata other than the recorded one."""
        import numpy as np

        given = np.array(self._samples["metadata"].to_pylist(), object)
        rows = np.flatnonzero((indices < first) & (given != None))  # noqa: E711 - one by one, in numpy
        if not len(rows):
            return 0
        recorded = samples_at(self._session, state, workflow_id, indices[rows])["metadata"].to_pylist()
        return int((given[rows] != np.array(recorded, object)).sum())

    def _still_serve(self, state: State, workflow_id: str) -> bool:
        """Whether parts are staged, and each sample is still known, or new, as it was then.

        A sample that was known in a transaction of ours may have moved, too: then the indices are written again.
        """
        if self._indices is None or self._staged[-1].details["workflow"] != workflow_id:
            return False
        details = {**self._staged[-1].details, "first": sample_count(state, workflow_id)}
        indices, _, _ = split_known(self._session, state, workflow_id, self._samples)
        return bool((indices == absolute_indices(self._indices, details)).all())

    def same_as(self, state: State, case: TestCaseRecord) -> bool:
        """Whether the newest version of a case holds just this."""
        version = state.find("test_case_version", str(case.version), case.id)
        if case.version == 0:
            return self.count == 0
        if version is None or version.fields["samples"] != self.count:
            return False
        indices, _, _ = split_known(self._session, state, case.workflow, self._samples)
        if not (indices == case_indices(self._session, state, version.id)).all():
            return False
        pointers = files_of(state, version.id, "ground_truths")
        columns = [read_part(self._session.store, pointer, ["ground_truth"])["ground_truth"] for pointer in pointers]
        return all(column.combine_chunks().equals(self._truths) for column in columns)

    def _rows(self, indices: np.ndarray) -> pa.Table:
        import pyarrow as pa

        return pa.table({"sample_idx": pa.array(indices, pa.int64()), "ground_truth": self._truths})

    def _refuse_doubles(self, indices: np.ndarray) -> None:
        import numpy as np

        values, counts = np.unique(indices, return_counts=True)
        if (counts > 1).any():
            double = int(np.flatnonzero(indices == values[counts > 1][0])[0])
            sample = self._samples["sample"][double].as_py()
            raise InvalidInputError(f"the test sample {sample} stands in the test case twice; leave one out")

    def _discard(self) -> None:
        for pointer in self._staged:
            try:
                self._session.store.delete(pointer.path)
            except LocalregError:
                break  # an invisible orphan: garbage collection finds it
        self._staged = []
        self._indices = None


def _owner(part: FilePointer, workflow_id: str, version_id: str) -> str:
    return workflow_id if part.table == "test_samples" else version_id


def _unzipped(workflow: Workflow, pairs: Sequence[tuple[object, object]]) -> tuple[list[object], list[object]]:
    samples, truths = [], []
    if not isinstance(pairs, Iterable):
        raise InvalidInputError(f"test_samples is {pairs!r}; it must be a list of (test sample, ground truth)")
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise InvalidInputError(f"test_samples[{number}] is {pair!r}; it must be a (test sample, ground truth)")
        for value, wanted in zip(pair, (workflow.test_sample_type, workflow.ground_truth_type), strict=True):
            if not isinstance(value, wanted):
                raise InvalidInputError(
                    f"test_samples[{number}] holds {value!r} where workflow {workflow.name!r} wants a {wanted.__name__}"
                )
        samples.append(pair[0])
        truths.append(pair[1])
    return samples, truths


def _check_workflow(state: State, workflow: Workflow, workflow_id: str, what: str) -> None:
    row = state.get("workflow", workflow_id)
    if row is None or row.name != workflow.name:
        other = "another workflow" if row is None else f"workflow {row.name!r}"
        raise WorkflowMismatchError(f"{what} belongs to {other}, not to {workflow.name!r}; choose another name")
    workflow.check(row)


def case_indices(session: Session, state: State, version_id: str) -> np.ndarray:
    """The `sample_idx` of each sample (int64) of a test case version, in the order of adding."""
    import numpy as np

    parts = [
        absolute_indices(read_part(session.store, pointer, ["sample_idx"])["sample_idx"].to_numpy(), pointer.details)
        for pointer in files_of(state, version_id, "ground_truths")
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def objects_at(
    session: Session, state: State, workflow: Workflow, workflow_id: str, indices: np.ndarray
) -> list[TestSample]:
    """Test samples as objects, in the order of `indices`."""
    if not len(indices):
        return []
    rows = samples_at(session, state, workflow_id, indices)
    extra: dict[str, list[object]] = {}
    if workflow.has_metadata:
        extra["metadata"] = [{} if text is None else parse(text) for text in rows["metadata"].to_pylist()]
    return objects_of(rows["sample"], workflow.test_sample, workflow.test_sample_type, **extra)
