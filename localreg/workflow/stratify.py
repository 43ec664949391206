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
from localreg.query.database import load
from localreg.query.quoting import identifier, literal
from localreg.query.strata import Stratum, strata
from localreg.query.typed_columns import sql_type
from localreg.records.files import FilePointer
from localreg.records.workflows import TestCaseRecord, TestCaseVersionRecord, TestSuiteVersionRecord
from localreg.session import Changes, Session
from localreg.tables import JSON_FIELD, Node, unpacked, without_vectors, write_rows
from localreg.workflow.case_content import VersionRows, first_difference, version_rows
from localreg.workflow.samples import SAID, case_indices, concatenated, sample_count, samples_at
from localreg.workflow.versioned import check_belongs
from localreg.workflow.workflow import Types, Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

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
    import numpy as np
    import pyarrow as pa

    state = session.state()
    types = workflow.types(state)
    cases = [version_rows(session, state, types, id) for id in version.test_cases]
    indices = concatenated(case.indices for case in cases)
    if not len(indices):
        raise InvalidInputError("the test suite holds no test samples to stratify; add some")
    truths = pa.concat_tables([case.truths for case in cases])
    row = state.find("workflow", workflow.name)
    assert row is not None, "a test suite of it was loaded"
    distinct, first, places = np.unique(indices, return_index=True, return_inverse=True)
    samples = samples_at(session, state, row.id, types.test_sample, distinct, vectors=False)
    _refuse_two_truths(indices, truths, lambda index: samples["sample"][int(np.searchsorted(distinct, index))].as_py())
    names = [_case_name(state, id) for id in version.test_cases]
    numbers = np.repeat(np.arange(len(cases)), [len(case.indices) for case in cases])
    columns = {
        "place": pa.array(np.arange(len(indices))),
        "sample": unpacked(samples["sample"].take(pa.array(places))),
        JSON_FIELD: samples[JSON_FIELD].take(pa.array(places)),
        "ground_truth": unpacked(truths["ground_truth"]),
        "test_case": pa.array(names, pa.string()).take(pa.array(numbers)),
    }
    counted = np.zeros(len(indices), bool)
    counted[first] = True
    found = _found(types, pa.table(columns), by, bins, counted)
    return Cut(truths, [Stratum(each.name, _once(each.rows, indices)) for each in found])


def _case_name(state: State, version_id: str) -> str:
    version = state.get("test_case_version", version_id)
    case = None if version is None else state.get("test_case", version.parent)
    return "" if case is None else case.name


def _once(rows: Indices, indices: Indices) -> Indices:
    """The first row of each sample."""
    import numpy as np

    _, first = np.unique(indices[rows], return_index=True)
    return rows[np.sort(first)]


def _refuse_two_truths(indices: Indices, truths: pa.Table, sample: Any) -> None:
    import numpy as np
    import pyarrow as pa

    order = np.argsort(indices, kind="stable")
    again = np.flatnonzero(indices[order][1:] == indices[order][:-1])
    if not len(again):
        return
    one, other = (truths.take(pa.array(order[each])) for each in (again, again + 1))
    number = first_difference(one, other)
    if number is not None:
        shown = sample(indices[order[again[number]]])
        raise InvalidInputError(
            f"the test sample {shown} has different ground truths in two test cases of the suite, and would have both "
            "in one stratum; stratify a suite in which it has one"
        )


def _found(types: Types, rows: pa.Table, by: str, bins: int, counted: npt.NDArray[np.bool_]) -> list[Stratum]:
    """The strata of rows, over the columns that an expression may name."""
    sample, truth = without_vectors(types.test_sample.node), without_vectors(types.ground_truth.node)
    own = {"sample": sql_type(sample), JSON_FIELD: "JSON", "ground_truth": sql_type(truth), "test_case": "VARCHAR"}
    fields = {field.name: sql_type(field.node) for field in sample.fields if field.name.lower() not in own}

    def make(connection: DuckDBPyConnection) -> None:
        load(connection, "loaded", rows)
        columns = "".join(f"struct_extract(sample, {literal(name)}) AS {identifier(name)}, " for name in fields)
        connection.execute(
            f"CREATE VIEW {TABLE} AS SELECT place, {columns}sample, CAST(metadata AS JSON) AS metadata, ground_truth, "
            "test_case FROM loaded"
        )

    names = sorted(_names_within(sample) | _names_within(truth))
    return strata(make, {**fields, **own}, by, table=TABLE, bins=bins, counted=counted, field_names=names)


def _names_within(node: Node) -> set[str]:
    inner = [each for each in (node.items, node.keys) if each is not None]
    names = {field.name for field in node.fields}
    return names.union(*map(_names_within, [*inner, *(field.node for field in node.fields)]))


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
