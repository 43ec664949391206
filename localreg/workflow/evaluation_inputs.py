"""What an evaluator is given: the samples of a suite that were inferred, with their ground truths and inferences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.canonical import JsonValue, canonical, sha256_hex
from localreg.errors import InvalidInputError
from localreg.garbage import without_collector
from localreg.log import State
from localreg.session import Session
from localreg.workflow.case_content import version_rows
from localreg.workflow.inferences import ERROR, MISSING, OK, SKIPPED, Inferences
from localreg.workflow.samples import case_indices, concatenated, files_of, said_since, sample_count, samples_at
from localreg.workflow.test_case import TestCase
from localreg.workflow.test_suite import TestSuite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["Coverage", "Given", "Inputs", "Member"]


class Coverage(NamedTuple):
    """How many samples of the suite, each counted once, an evaluation is about.

    Attributes:
        evaluated: given to the evaluator.
        skipped: those of them whose inference is None, since the model skipped them.
        failed: left out, since `infer` raised.
        missing: left out, since they were not inferred.
    """

    evaluated: int
    skipped: int
    failed: int
    missing: int


class Member(NamedTuple):
    """A test case, and which of the given samples are its.

    Attributes:
        case: the test case.
        place: its place in the suite.
        positions: of its samples in `Given.samples`, in the case's order.
    """

    case: TestCase[Any, Any]
    place: int
    positions: list[int]


@dataclass(frozen=True, eq=False)
class Given:
    """Objects, by position. A sample has as many positions as it has different ground truths, mostly one.

    Attributes:
        rows: of each, the place among all rows of all test cases of the suite, one case after the other.
    """

    samples: list[Any]
    truths: list[Any]
    inferences: list[Any]
    rows: Indices
    members: list[Member]


class Inputs:
    """The same, as it lies in a state: to be counted and hashed without an object being made.

    Args:
        session: the namespace.
        state: what is stored.
        suite: the version of the suite.
        version: id of the model version; None = none yet.

    Raises:
        InvalidInputError: no sample of the suite was inferred.
    """

    def __init__(self, session: Session, state: State, suite: TestSuite, version: str | None) -> None:
        import numpy as np

        self._session = session
        self._state = state
        self._suite = suite
        self.types = suite.workflow.types(state).whole
        workflow = state.find("workflow", suite.workflow.name)
        assert workflow is not None, "a test suite of it was loaded"
        self._workflow = workflow.id
        self._cases = suite.test_cases
        self._indices = [case_indices(session, state, case.version_id) for case in self._cases]
        self._all = concatenated(self._indices)
        if version is None:
            raise self._nothing()
        self._inferences = Inferences(session, state, version, sample_count(state, self._workflow))
        self._unique = np.unique(self._all)
        status = self._inferences.status[self._unique]
        count = [int((status == each).sum()) for each in (OK, SKIPPED, ERROR, MISSING)]
        self.coverage = Coverage(count[0] + count[1], *count[1:])
        if not self.coverage.evaluated:
            raise self._nothing()

    def _nothing(self) -> InvalidInputError:
        return InvalidInputError(
            f"no sample of test suite {self._suite.name!r} has an inference to evaluate; run the test run first"
        )

    def digest(self) -> str:
        """Of all that an evaluator would be given."""
        cases: list[JsonValue] = [
            [
                case.version_id,
                [file.sha256 for file in files_of(self._state, case.version_id, "ground_truths")],
                sha256_hex(indices.astype("<i8").tobytes()),
            ]
            for case, indices in zip(self._cases, self._indices, strict=True)
        ]
        said = said_since(self._session, self._state, self._workflow, self._unique)
        told: dict[str, JsonValue] = {
            name: [[place, text] for place, text in sorted(texts.items())] for name, texts in said.items()
        }
        return sha256_hex(
            canonical([self._suite.version_id, cases, self._inferences.digest(self._unique), told]).encode()
        )

    @cached_property
    def given(self) -> Given:
        """The objects."""
        import numpy as np

        status = self._inferences.status
        done = [np.flatnonzero((status[rows] == OK) | (status[rows] == SKIPPED)) for rows in self._indices]
        begins = np.cumsum([0, *map(len, self._indices)])
        rows = concatenated(begin + each for begin, each in zip(begins.tolist(), done, strict=False))
        wanted, of_row = np.unique(indices := self._all[rows], return_inverse=True)
        if len(wanted) == len(indices):  # no sample stands in two cases: all stay in order
            wanted, of_row = indices, np.arange(len(indices))
        with without_collector():
            samples = self.types.test_sample.given(
                samples_at(self._session, self._state, self._workflow, self.types.test_sample, wanted)
            )
            inferences = self.types.inference.given(self._inferences.rows(self.types.inference, wanted))
            truths = [truth for case, each in zip(self._cases, done, strict=True) for truth in self._truths(case, each)]
            position, first = _positions(of_row.tolist(), truths) if len(wanted) < len(indices) else (None, None)
            members, begin = [], 0
            for place, (case, each) in enumerate(zip(self._cases, done, strict=True)):
                own = range(begin, begin := begin + len(each))
                members.append(Member(case, place, list(own) if position is None else [position[row] for row in own]))
            if first is None:
                return Given(samples, truths, inferences, rows, members)
            of_position = [int(of_row[row]) for row in first]
            return Given(
                [samples[each] for each in of_position],
                [truths[row] for row in first],
                [inferences[each] for each in of_position],
                rows[first],
                members,
            )

    def _truths(self, case: TestCase[Any, Any], done: Indices) -> list[Any]:
        import pyarrow as pa

        truths = version_rows(self._session, self._state, self.types, case.version_id).truths
        return self.types.ground_truth.given(
            truths if len(done) == truths.num_rows else truths.take(pa.array(done)),
        )


def _positions(of_row: list[int], truths: list[Any]) -> tuple[list[int], list[int]]:
    """The position of each row, and the first row of each position: rows of one sample and equal truths share one."""
    position: list[int] = []
    first: list[int] = []
    known: dict[tuple[int, str], int] = {}
    for row, (sample, truth) in enumerate(zip(of_row, truths, strict=True)):
        place = known.setdefault((sample, repr(truth)), len(first))
        if place == len(first):
            first.append(row)
        position.append(place)
    return position, first
