"""The rows of a test suite: which sample, in which test case, and what is true of it; all of them as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from localreg.errors import InvalidInputError
from localreg.log import Row, State
from localreg.records.files import FilePointer
from localreg.records.workflows import TestSuiteRecord, TestSuiteVersionRecord
from localreg.session import Session
from localreg.tables import CodedRows, Vocabulary, coded_rows, read_part
from localreg.workflow.samples import absolute_indices, case_name, files_of, sample_count, staged_range

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Codes = npt.NDArray[np.signedinteger]
    Floats = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.signedinteger]
    NumbersT = TypeVar("NumbersT", bound=npt.NDArray[Any])

__all__ = ["SuiteRows"]


AT_ONCE = 2**18
"""Rows that are looked at in one go."""


class SuiteRows:
    """The rows (test case, sample) of one version of a test suite, case by case.

    Args:
        session: where it lies.
        state: as of which commit.
        suite: the suite.
        version: which version of it.
        span: only rows of these samples, by `sample_idx`; None = all.

    Attributes:
        suite: the suite.
        version: its version.
        case_ids: ids of the versions of its test cases.
        case_names: their names.
        indices: the `sample_idx` of each row.
        ends: behind the last row of each test case, int64.
        samples: how many samples the workflow has.
        span: those that rows may be of.
    """

    def __init__(
        self, session: Session, state: State, suite: TestSuiteRecord, version: Row, span: range | None = None
    ) -> None:
        import numpy as np

        self._session = session
        self._state = state
        self.suite = suite
        self.version = version
        self.case_ids = version.load(TestSuiteVersionRecord).test_cases
        self.case_names = [case_name(state, each) or each for each in self.case_ids]
        self.samples = sample_count(state, suite.workflow)
        self.span = range(self.samples) if span is None else span
        parts = [files_of(state, each, "ground_truths") for each in self.case_ids]
        self._pointers = [pointer for held in parts for pointer in held]
        if not sum(pointer.rows for pointer in self._pointers):
            raise InvalidInputError(f"test suite {suite.name!r} holds no test samples; there is nothing to compare on")
        kind: type[np.signedinteger] = np.int32 if self.samples < 2**31 else np.int64
        found = [[each for pointer in held for each in self._indices(pointer, kind)] for held in parts]
        self.indices: Indices = np.concatenate([np.empty(0, kind), *(each for held in found for each in held)])
        self.ends = np.cumsum([sum(map(len, held)) for held in found])

    @property
    def workflow(self) -> Row:
        """The workflow that the suite was made with."""
        row = self._state.get("workflow", self.suite.workflow)
        assert row is not None, "a suite names a workflow that is there"
        return row

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def pointers(self) -> list[FilePointer]:
        """The parts of the ground truths, whose rows are these rows."""
        return self._pointers

    def _rows(
        self,
        pointer: FilePointer,
        leaves: Sequence[tuple[Sequence[str], Vocabulary]] = (),
        numbers: Sequence[str] = (),
        floats: Sequence[Sequence[str]] = (),
    ) -> Iterator[CodedRows]:
        """Rows of a part of the ground truths, row group by row group; see `coded_rows`."""
        import numpy as np

        store = self._session.store
        if len(self.span) == self.samples:
            yield from coded_rows(store, pointer, leaves, numbers, floats)
            return
        where = "sample_idx", staged_range(self.span, pointer.details)
        for found in coded_rows(store, pointer, leaves, ["sample_idx"], floats, where=where):
            indices = absolute_indices(found.numbers[0], pointer.details)
            within = np.flatnonzero((indices >= self.span.start) & (indices < self.span.stop))
            codes = [each[within] for each in found.codes]
            own = [each[within] for each in found.numbers]
            yield CodedRows(codes, own, [each[within] for each in found.floats])

    def _indices(self, pointer: FilePointer, kind: type[np.signedinteger]) -> list[Indices]:
        """The `sample_idx` of each row of a part, row group by row group."""
        return [
            absolute_indices(found, pointer.details).astype(kind)
            for _, (found,), _ in self._rows(pointer, numbers=["sample_idx"])
        ]

    @cached_property
    def _is_run(self) -> bool:
        """Whether the rows are samples that follow each other."""
        return all(
            _is_run(self.indices[begin : begin + AT_ONCE]) and self.indices[begin] == self.indices[0] + begin
            for begin in range(0, len(self), AT_ONCE)
        )

    def truths(self, path: Sequence[str], vocabulary: Vocabulary) -> Codes:
        """The label of each row's ground truth, as a number; `NO_LABEL` where there is none."""
        import numpy as np

        codes = np.empty(len(self), np.int16)
        begin = 0
        for pointer in self._pointers:
            for (found,), *_ in self._rows(pointer, [(("ground_truth", *path), vocabulary)]):
                codes = vocabulary.fitting(codes)
                codes[begin : begin + len(found)] = found
                begin += len(found)
        return codes

    def true_numbers(self, path: Sequence[str]) -> Floats:
        """The number in each row's ground truth; NaN where there is none."""
        import numpy as np

        values = np.empty(len(self))
        begin = 0
        for pointer in self._pointers:
            for *_, (found,) in self._rows(pointer, floats=[("ground_truth", *path)]):
                values[begin : begin + len(found)] = found
                begin += len(found)
        return values

    def of_samples(self, codes: NumbersT, chunk: slice = slice(None)) -> NumbersT:
        """Of codes or numbers of the span's samples, those of the rows, or some; runs are not copied."""
        if self._is_run:
            first = int(self.indices[0]) - self.span.start
            return cast("NumbersT", codes[first : first + len(self)][chunk])
        places = self.indices[chunk]
        return cast("NumbersT", codes[places - self.span.start if self.span.start else places])

    def once(self, truth: Codes | Floats) -> npt.NDArray[np.bool_] | None:
        """The rows that count in the suite's total: the first of each (sample, ground truth); None = all of them."""
        import numpy as np

        if len(self.ends) == 1 or self._has_each_sample_once():
            return None
        if truth.dtype.kind == "f":
            truth = np.unique(truth, return_inverse=True)[1]
        key = self.indices.astype(np.int64) * (int(truth.max(initial=0)) + 2) + truth
        once = np.zeros(len(self), bool)
        once[np.unique(key, return_index=True)[1]] = True
        return once

    def truth_codes(self) -> Codes:
        """A number for each row, equal where a sample stands twice with the same ground truth, whatever its type."""
        import numpy as np
        import pyarrow as pa

        codes: Codes = np.zeros(len(self), np.int64)
        if self._has_each_sample_once():
            return codes
        _, place, count = np.unique(self.indices, return_inverse=True, return_counts=True)
        again = np.flatnonzero(count[place] > 1)
        parts = [read_part(self._session.store, pointer, ["ground_truth"]) for pointer in self._pointers]
        truths = pa.concat_tables(parts, promote_options="permissive")["ground_truth"].take(pa.array(again))
        codes[again] = np.unique([repr(truth) for truth in truths.to_pylist()], return_inverse=True)[1]
        return codes

    def repeated(self, once: npt.NDArray[np.bool_] | None) -> int:
        """Of the rows that count in the suite's total, how many repeat a sample: with another ground truth."""
        import numpy as np

        if once is None:
            return 0
        counted = self.indices[once]
        return len(counted) - len(np.unique(counted))

    def _has_each_sample_once(self) -> bool:
        import numpy as np

        seen = np.zeros(len(self.span), bool)
        seen[self.indices - self.span.start] = True
        return int(np.count_nonzero(seen)) == len(self)


def _is_run(indices: Indices) -> bool:
    """Whether each number is the one after the one before."""
    import numpy as np

    return bool((np.diff(indices) == 1).all())
