"""The rows of a test suite: which sample, in which test case, and what is true of it; all of them as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.log import Row, State
from localreg.records.workflows import TestSuiteRecord, TestSuiteVersionRecord
from localreg.session import Session
from localreg.tables import Vocabulary, coded_rows
from localreg.workflow.samples import absolute_indices, files_of, sample_count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]
    Indices = npt.NDArray[np.signedinteger]

__all__ = ["SuiteRows", "case_name"]


class SuiteRows:
    """The rows (test case, sample) of one version of a test suite, case by case.

    Args:
        session: where it lies.
        state: as of which commit.
        suite: the suite.
        version: which version of it.

    Attributes:
        suite: the suite.
        version: its version.
        case_ids: ids of the versions of its test cases.
        case_names: their names.
        indices: the `sample_idx` of each row.
        ends: behind the last row of each test case, int64.
        samples: how many samples the workflow has.
    """

    def __init__(self, session: Session, state: State, suite: TestSuiteRecord, version: Row) -> None:
        import numpy as np

        self._session = session
        self._state = state
        self.suite = suite
        self.version = version
        self.case_ids = version.load(TestSuiteVersionRecord).test_cases
        self.case_names = [case_name(state, each) for each in self.case_ids]
        self.samples = sample_count(state, suite.workflow)
        parts = [files_of(state, each, "ground_truths") for each in self.case_ids]
        self._pointers = [pointer for held in parts for pointer in held]
        self.ends = np.cumsum([sum(pointer.rows for pointer in held) for held in parts])
        if not sum(pointer.rows for pointer in self._pointers):
            raise InvalidInputError(f"test suite {suite.name!r} holds no test samples; there is nothing to compare on")
        self.indices = self._indices()

    def __len__(self) -> int:
        return len(self.indices)

    def _indices(self) -> Indices:
        import numpy as np

        indices = np.empty(int(self.ends[-1]), np.int32 if self.samples < 2**31 else np.int64)
        begin = 0
        for pointer in self._pointers:
            for _, (found,) in coded_rows(self._session.store, pointer, [], ["sample_idx"]):
                indices[begin : begin + len(found)] = absolute_indices(found, pointer.details)
                begin += len(found)
        return indices

    def truths(self, path: Sequence[str], vocabulary: Vocabulary) -> Codes:
        """The label of each row's ground truth, as a number; `NO_LABEL` where there is none."""
        import numpy as np

        codes = np.empty(len(self), np.int16)
        begin = 0
        for pointer in self._pointers:
            for (found,), _ in coded_rows(self._session.store, pointer, [(("ground_truth", *path), vocabulary)]):
                codes = vocabulary.fitting(codes)
                codes[begin : begin + len(found)] = found
                begin += len(found)
        return codes

    def of_samples(self, codes: Codes, chunk: slice = slice(None)) -> Codes:
        """Of codes of all samples, those of the rows, or of some of them; nothing is copied if these follow each other."""
        indices = self.indices[chunk]
        run = _as_slice(indices)
        return codes[indices if run is None else run]

    def once(self, truth: Codes) -> npt.NDArray[np.bool_] | None:
        """The rows that count in the suite's total: the first of each (sample, ground truth); None = all of them."""
        import numpy as np

        if len(self.ends) == 1 or self._has_each_sample_once():
            return None
        key = self.indices.astype(np.int64) * (int(truth.max(initial=0)) + 2) + truth
        once = np.zeros(len(self), bool)
        once[np.unique(key, return_index=True)[1]] = True
        return once

    def _has_each_sample_once(self) -> bool:
        import numpy as np

        seen = np.zeros(self.samples, bool)
        seen[self.indices] = True
        return int(np.count_nonzero(seen)) == len(self)


def _as_slice(indices: Indices) -> slice | None:
    """Numbers as a slice, where each is the one after the one before."""
    import numpy as np

    if len(indices) and indices[-1] - indices[0] == len(indices) - 1 and bool((np.diff(indices) == 1).all()):
        return slice(int(indices[0]), int(indices[-1]) + 1)
    return None


def case_name(state: State, version_id: str) -> str:
    """The name of the test case that a version is of."""
    version = state.get("test_case_version", version_id)
    case = None if version is None else state.get("test_case", version.parent)
    return version_id if case is None else case.name
