"""The content of a test case on its way from Python objects into the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, LocalregError
from localreg.log import State
from localreg.records.files import FilePointer
from localreg.records.workflows import TestCaseRecord
from localreg.session import Session
from localreg.tables import read_part, struct_column, write_part
from localreg.workflow.labels import refuse_bad_labels
from localreg.workflow.samples import (
    absolute_indices,
    case_indices,
    files_of,
    sample_count,
    sample_rows,
    samples_at,
    split_known,
)
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["CaseContent"]


class CaseContent:
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
