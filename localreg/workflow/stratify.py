"""A test suite cut into strata: a new suite, whose test cases are the strata of the other's samples.

Samples are known already, so that nothing is looked up: rows are taken by number, and written as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, LocalregError
from localreg.log import State
from localreg.query.strata import Stratum
from localreg.records.files import FilePointer
from localreg.records.workflows import TestCaseRecord, TestCaseVersionRecord, TestSuiteVersionRecord
from localreg.session import Changes, Session
from localreg.tables import write_rows
from localreg.workflow.case_content import VersionRows, first_difference, version_rows
from localreg.workflow.samples import SAID, case_indices, concatenated, sample_count
from localreg.workflow.strata_rows import StrataRows
from localreg.workflow.versioned import check_belongs
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["StrataChange", "stratified"]

TABLE = "samples"
LONGEST_NAME = 200


class Cut(NamedTuple):
    """The strata of a suite, each as the rows of it that it holds.

    Attributes:
        truths: `ground_truth` and what is said beside it, for each row of the suite.
        strata: each with its rows; a sample stands in one of them once.
    """

    truths: pa.Table
    strata: list[Stratum]


def stratified(session: Session, workflow: Workflow, version: TestSuiteVersionRecord, by: str, bins: int) -> Cut:
    """The strata of what a version of a test suite holds.

    Raises:
        InvalidInputError: there are no samples; one of them has two ground truths; see `localreg.query.strata`, too.
    """
    rows = StrataRows(session, session.state(), workflow, version.test_cases)
    if not len(rows.indices):
        raise InvalidInputError("the test suite holds no test samples to stratify; add some")
    _refuse_two_truths(rows)
    found = rows.strata(by, bins)
    return Cut(rows.truths, [Stratum(each.name, _once(each.rows, rows.indices)) for each in found])


def _once(rows: Indices, indices: Indices) -> Indices:
    """The first row of each sample."""
    import numpy as np

    _, first = np.unique(indices[rows], return_index=True)
    return rows[np.sort(first)]


def _refuse_two_truths(rows: StrataRows) -> None:
    import numpy as np
    import pyarrow as pa

    order = np.argsort(rows.indices, kind="stable")
    again = np.flatnonzero(rows.indices[order][1:] == rows.indices[order][:-1])
    if not len(again):
        return
    one, other = (rows.truths.take(pa.array(order[each])) for each in (again, again + 1))
    number = first_difference(one, other)
    if number is not None:
        shown = rows.samples["sample"][int(rows.places[order[again[number]]])].as_py()
        raise InvalidInputError(
            f"the test sample {shown} has different ground truths in two test cases of the suite, and would have both "
            "in one stratum; stratify a suite in which it has one"
        )


def case_name(suite: str, stratum: str) -> str:
    """The name of a stratum's test case: stable, and different from those of others, however long."""
    name = f"{suite}: {stratum}"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 10].rstrip()}… {digest}"


@dataclass(eq=False)
class _Staged:
    rows: VersionRows
    files: list[FilePointer]


class StrataChange:
    """An operation that makes the test cases of strata, or their next versions; may be run again on a newer state.

    Attributes:
        versions: ids of the versions that hold the strata, in order, once it was run.
    """

    def __init__(
        self, session: Session, workflow: Workflow, source: TestSuiteVersionRecord, suite: str, cut: Cut
    ) -> None:
        self._session = session
        self._workflow = workflow
        self._source = source
        self._suite = suite
        self._cut = cut
        self._staged: dict[str, _Staged] = {}
        self.versions: list[str] = []

    def __call__(self, changes: Changes) -> None:
        """Put the changes into the draft."""
        workflow_id = self._workflow.ensure(changes)
        # Where samples stand in the suite stays the same, whatever numbers they get.
        indices = concatenated(case_indices(self._session, changes.draft, id) for id in self._source.test_cases)
        self.versions = [self._put(changes, workflow_id, stratum, indices) for stratum in self._cut.strata]

    def _put(self, changes: Changes, workflow_id: str, stratum: Stratum, indices: Indices) -> str:
        """Id of the version that holds a stratum."""
        import pyarrow as pa

        name = case_name(self._suite, stratum.name)
        rows = VersionRows(indices[stratum.rows], self._cut.truths.take(pa.array(stratum.rows)))
        row = changes.draft.find("test_case", name)
        if row is None:
            record = TestCaseRecord(id=changes.new_id("test_case", name), name=name, workflow=workflow_id)
        else:
            record = row.load(TestCaseRecord)
            check_belongs(changes.draft, record, self._workflow)
            newest = changes.draft.find("test_case_version", str(record.version), record.id)
            types = self._workflow.types(changes.draft)
            if newest is not None and rows.same_as(version_rows(self._session, changes.draft, types, newest.id)):
                return newest.id
        record = record.replaced(version=record.version + 1)
        version = TestCaseVersionRecord(
            id=changes.new_id("test_case_version", record.id),
            name=str(record.version),
            test_case=record.id,
            samples=len(rows.indices),
            details=self._details(changes.draft),
        )
        if row is None:
            changes.create(record)
        else:
            changes.update(row, record)
        changes.create(version, files=self._files(changes.draft, workflow_id, version.id, rows))
        return version.id

    def _details(self, state: State) -> JsonObject:
        """What the test cases say of all their samples together, if none of them says something else."""
        found = [state.get("test_case_version", id) for id in self._source.test_cases]
        told = [row.load(TestCaseVersionRecord).details for row in found if row is not None]
        said = [details for details in told if details]
        return said[0] if said and all(each == said[0] for each in said) else {}

    def _files(self, state: State, workflow_id: str, owner: str, rows: VersionRows) -> tuple[FilePointer, ...]:
        """The parts of a version: staged now, or by an earlier attempt if the samples have the same numbers still."""
        staged = self._staged.get(owner)
        if staged is None or not staged.rows.same_as(rows):
            self._discard(staged)
            table = rows.table()
            columns: list[Any] = [name for name in table.column_names if name in SAID]
            details: JsonObject = {"workflow": workflow_id, "columns": columns}
            files = write_rows(self._session.store, "ground_truths", owner, table, details)
            staged = self._staged[owner] = _Staged(rows, files)
        count = sample_count(state, workflow_id)
        place: JsonObject = {"workflow": workflow_id, "first": count, "staged_first": count}
        return tuple(replace(part, details={**part.details, **place}) for part in staged.files)

    def _discard(self, staged: _Staged | None) -> None:
        files: Sequence[FilePointer] = () if staged is None else staged.files
        for part in files:
            try:
                self._session.store.delete(part.path)
            except LocalregError:
                return  # an invisible orphan: garbage collection finds it
