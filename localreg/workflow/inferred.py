"""What a model version inferred, as rows: sample, ground truth, status and inference side by side, native and nested.

The same columns come for classes of `define_workflow` and for workflows of which only the record is known. The rows of
a test suite come in its order, one for each sample of each test case, whatever became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError, NotFoundError
from localreg.log import Row, State
from localreg.models import SuiteVersion
from localreg.names import check_name, did_you_mean, shown_value
from localreg.query import Result
from localreg.query.result import JSON_FIELD as IS_JSON
from localreg.records.files import FilePointer
from localreg.records.models import ModelVersionRecord
from localreg.records.workflows import TestSuiteVersionRecord, WorkflowRecord
from localreg.session import Session
from localreg.tables import arrow_type, read_part, unpacked, vector_fields
from localreg.workflow.gathering import Gathered, Stretch
from localreg.workflow.inferences import MISSING, STATUSES, Inferences, error_type
from localreg.workflow.recorded import RecordedWorkflow
from localreg.workflow.samples import (
    SAID,
    absolute_indices,
    case_indices,
    case_name,
    files_of,
    sample_count,
    vectors_beside,
)
from localreg.workflow.typed import TypedColumn
from localreg.workflow.workflow import Types

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["BATCH", "Inferred", "Source", "inferred_rows", "suite_rows"]

BATCH = 131_072
"""Rows of a batch: those of a row group, so that a suite in the order of its samples reads each of these once."""
AT_ONCE = 1_000_000
"""Rows that are put together at once by who wants all of them anyway: columns of more text would not fit."""

OWN = ("sample_idx", "test_case", "metadata", "extra", "status", "error")
"""Columns that are ours; a field of such a name goes behind that of its struct."""


def inferred_rows(session: Session, version_id: str, suite: str | SuiteVersion | None) -> Inferred:
    """What a model version inferred of a test suite, as of now; see `Model.inferences`.

    Args:
        session: where it lies.
        version_id: of the model.
        suite: its name, for the newest version; or one that shows a version; None = all samples that were inferred.

    Raises:
        NotFoundError: there is no such suite, or the model belongs to no workflow yet.
    """
    state = session.state()
    version = state.get(ModelVersionRecord.kind, version_id)
    model = None if version is None else state.get("model", version.parent)
    if model is None:
        raise NotFoundError(f"model version {version_id} is not in {session.namespace!r}: it was deleted")
    suite_version = None if suite is None else _suite_version(session, state, suite)
    workflow = state.get(WorkflowRecord.kind, _workflow_id(state, model, suite_version))
    assert workflow is not None, "models and suites refer only to what is there"
    return Inferred(session, state, workflow, version_id, suite_version)


def suite_rows(session: Session, suite: str | SuiteVersion) -> Inferred:
    """The samples and ground truths of a test suite, in its order, without inferences.

    Raises:
        NotFoundError: there is no such suite.
    """
    state = session.state()
    version = _suite_version(session, state, suite)
    row = state.get("test_suite", version.parent)
    workflow = None if row is None else state.get(WorkflowRecord.kind, str(row.fields["workflow"]))
    assert workflow is not None, "suites refer only to what is there"
    return Inferred(session, state, workflow, None, version)


def _suite_version(session: Session, state: State, suite: str | SuiteVersion) -> Row:
    if not isinstance(suite, str):
        id = getattr(suite, "version_id", None)
        if not isinstance(id, str):
            raise InvalidInputError(f"suite is {shown_value(suite)}; give the name of a test suite, or a TestSuite")
        row = state.get(TestSuiteVersionRecord.kind, id)
        if row is None:
            raise NotFoundError(f"{suite!r} is not in {session.namespace!r}; it was deleted, or lies elsewhere")
        return row
    found = state.find("test_suite", check_name(suite, what="test suite name"))
    if found is None:
        hint = did_you_mean(suite, state.names("test_suite"))
        raise NotFoundError(f"no test suite {suite!r} in namespace {session.namespace!r}{hint}")
    newest = state.find(TestSuiteVersionRecord.kind, str(found.fields["version"]), found.id)
    assert newest is not None, "a suite names only versions that exist"
    return newest


def _workflow_id(state: State, model: Row, suite_version: Row | None) -> str:
    suite = None if suite_version is None else state.get("test_suite", suite_version.parent)
    bound = model.fields.get("workflow")
    if suite is not None and bound not in (None, suite.fields["workflow"]):
        raise NotFoundError(
            f"model {model.name!r} and test suite {suite.name!r} belong to different workflows: there are no inferences"
        )
    if suite is None and bound is None:
        raise NotFoundError(f"model {model.name!r} belongs to no workflow yet: it has inferred nothing")
    return str(bound if suite is None else suite.fields["workflow"])


@dataclass(frozen=True, eq=False)
class Source:
    """One of a workflow's three types, and where its rows are.

    Attributes:
        column: the type, as it is recorded.
        names: the column that each field is shown as.
        beside: the columns of JSON text that are shown, too: under which name.
        errors: whether there is a column `error`.
    """

    column: TypedColumn
    names: Mapping[str, str]
    beside: Mapping[str, str]
    errors: bool = False

    @property
    def types(self) -> dict[str, pa.DataType]:
        """Of the columns of a part."""
        import pyarrow as pa

        types = {self.column.name: self.column.type, **dict.fromkeys(self.beside, pa.string())}
        return {**types, "error": error_type()} if self.errors else types

    @property
    def vector_types(self) -> dict[str, pa.DataType]:
        """Of the columns of the file beside it."""
        return {field.name: arrow_type(field.node) for field in vector_fields(self.column.node)}


class Inferred:
    """The rows. They are of one state for good, and read when they are asked for.

    Args:
        session: where they lie.
        state: what is there.
        workflow: of the model.
        version_id: of the model; None = samples and ground truths of a suite alone.
        suite_version: of the test suite; None = all samples that the version has a row of.

    Attributes:
        indices: `sample_idx` of each row, int64.
        types: of the workflow, as they are recorded.
        workflow_id: its id.
        state: what is there.
        cases: ids of the versions of test cases that the suite holds.
        sample, truth, inference: which columns each of the types has; None = it is not asked for.
    """

    def __init__(
        self, session: Session, state: State, workflow: Row, version_id: str | None, suite_version: Row | None
    ) -> None:
        import numpy as np

        self.state = state
        self.workflow_id = workflow.id
        self.types: Types = RecordedWorkflow(workflow.name).types(state)
        self._session = session
        self._inferences = None
        if version_id is not None:
            self._inferences = Inferences(session, state, version_id, sample_count(state, workflow.id))
        self._of_suite = suite_version is not None
        self.cases = [] if suite_version is None else suite_version.load(TestSuiteVersionRecord).test_cases
        held = [case_indices(session, state, id) for id in self.cases]
        self._ends = np.cumsum([len(each) for each in held])
        self.indices: Indices = np.concatenate([np.empty(0, np.int64), *held])
        if self._inferences is not None and not self._of_suite:
            self.indices = np.flatnonzero(self._inferences.status != MISSING)
        self._said = _Said(session, state, workflow.id)
        self.sample, self.truth, self.inference = self._sources()

    # --- which columns ------------------------------------------------------------------------------------------------

    def _parts(self, name: str) -> list[FilePointer]:
        """The parts of one of the three types, in the order of their rows."""
        if name == "sample":
            return files_of(self.state, self.workflow_id, "test_samples")
        if name == "inference":
            return [] if self._inferences is None else self._inferences.pointers
        return [pointer for case in self.cases for pointer in files_of(self.state, case, "ground_truths")]

    def _sources(self) -> tuple[Source, Source | None, Source | None]:
        """Inferences have the first choice of names, so that they are called as in SQL; ground truths the last."""
        columns = [*([] if self._inferences is None else [self.types.inference]), self.types.test_sample]
        taken = {name.lower() for name in OWN}
        made = {}
        for column in [*columns, *([self.types.ground_truth] if self._of_suite else [])]:
            fields = [field.name for field in column.node.fields]
            names = _free_names(fields, column.name, taken)
            beside = {name: _beside(column.name, name) for name in SAID if self._is_said(column.name, name)}
            taken |= {name.lower() for name in (*names.values(), *beside.values())}
            made[column.name] = Source(column, names, beside, errors=column.name == "inference")
        return made["sample"], made.get("ground_truth"), made.get("inference")

    def _is_said(self, name: str, said: str) -> bool:
        """Whether a column of JSON is shown: those of samples always, others where a part may have some."""
        return name == "sample" or any(said in _listed(pointer.details.get("columns")) for pointer in self._parts(name))

    # --- rows ---------------------------------------------------------------------------------------------------------

    def result(self) -> Result:
        """The rows, read when they are looked at."""
        return Result(self._table, stream=self.batches)

    def _table(self) -> pa.Table:
        import pyarrow as pa

        tables = list(self.tables(AT_ONCE, whole=True))
        return pa.concat_tables(tables) if len(tables) > 1 else tables[0]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in batches; memory is bounded by these, and by the row groups that they stand in."""
        for table in self.tables(BATCH):
            yield from table.combine_chunks().to_batches()

    def tables(self, at_once: int, *, whole: bool = False, only: Source | None = None) -> Iterator[pa.Table]:
        """The rows, some at once; at least one table, which may be empty.

        Args:
            at_once: how many rows a table has, but for the last.
            whole: read whole parts.
            only: without the columns of the other types.
        """
        shown = self._shown() if only is None else [only]
        read = [self._reader(source, whole=whole) for source in shown]
        for begin in range(0, max(1, len(self.indices)), at_once):
            indices = self.indices[begin : begin + at_once]
            columns = self._heads(indices, begin)
            for source, rows in zip(shown, read, strict=True):
                if source is self.truth:
                    columns |= rows(_range(begin, len(indices)))
                elif source is self.inference and self._inferences is not None:
                    columns["status"] = _statuses(self._inferences.status[indices])
                    columns |= rows(self._inferences.place[indices])
                else:
                    columns |= rows(indices)
                    columns |= self._said.laid_over(columns, indices, self.sample.beside)
            yield self._marked(columns)

    def _shown(self) -> list[Source]:
        return [source for source in (self.sample, self.truth, self.inference) if source is not None]

    def _reader(self, source: Source, *, whole: bool) -> Callable[[Indices], dict[str, pa.ChunkedArray]]:
        parts = self._parts(source.column.name)
        gathered = partial(Gathered, self._session.store, whole=whole)
        rows = gathered([Stretch(pointer, pointer.rows) for pointer in parts], source.types)
        vectors = None
        if source.vector_types:
            beside = vectors_beside(self.state, {pointer.owner for pointer in parts})
            vectors = gathered([Stretch(beside.get(part.path), part.rows) for part in parts], source.vector_types)

        def read(places: Indices) -> dict[str, pa.ChunkedArray]:
            return _columns(source, rows.rows(places), None if vectors is None else vectors.rows(places))

        return read

    def _heads(self, indices: Indices, begin: int) -> dict[str, pa.ChunkedArray]:
        import numpy as np
        import pyarrow as pa

        heads = {"sample_idx": pa.chunked_array([pa.array(indices, pa.int64())])}
        if self._of_suite:
            numbers = np.searchsorted(self._ends, _range(begin, len(indices)), side="right")
            names = pa.array([case_name(self.state, id) for id in self.cases], pa.string())
            heads["test_case"] = pa.chunked_array([names.take(pa.array(numbers))])
        return heads

    def _marked(self, columns: Mapping[str, pa.ChunkedArray]) -> pa.Table:
        """The columns, those of JSON text marked as such."""
        import pyarrow as pa

        json = {name for source in self._shown() for name in source.beside.values()}
        fields = [
            pa.field(name, column.type, metadata=IS_JSON if name in json else None) for name, column in columns.items()
        ]
        return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields))


def _statuses(codes: npt.NDArray[np.int8]) -> pa.ChunkedArray:
    import numpy as np
    import pyarrow as pa

    names = pa.array([*STATUSES, "missing"])
    return pa.chunked_array([names.take(pa.array(np.where(codes == MISSING, len(STATUSES), codes)))])


def _range(begin: int, count: int) -> Indices:
    import numpy as np

    return np.arange(begin, begin + count)


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _free_names(fields: Iterable[str], struct: str, taken: set[str]) -> dict[str, str]:
    """The column of each field: its name, after the struct's where that is taken."""
    names, taken = {}, set(taken)
    own = {field.lower() for field in fields}
    for field in fields:
        name = field
        while name.lower() in taken or (name != field and name.lower() in own):
            name = f"{struct}_{name}"
        taken.add(name.lower())
        names[field] = name
    return names


def _beside(struct: str, name: str) -> str:
    """The column of what is said beside a struct; of samples without its name, as in SQL."""
    return name if struct == "sample" else f"{struct}_{name}"


def _columns(source: Source, rows: pa.Table, vectors: pa.Table | None) -> dict[str, pa.ChunkedArray]:
    """The columns of fields, in the order of the fields, and of what is said beside them."""
    import pyarrow as pa

    struct, names = rows[source.column.name], source.names
    inner = {field.name: number for number, field in enumerate(struct.type)} if pa.types.is_struct(struct.type) else {}
    flat = struct.flatten() if inner else []
    values = {name: flat[number] for name, number in inner.items()}
    values |= {} if vectors is None else {name: vectors[name] for name in vectors.column_names}
    columns = {names[field.name]: values[field.name] for field in source.column.node.fields}
    columns |= {shown: rows[name] for name, shown in source.beside.items()}
    if source.errors:
        columns["error"] = rows["error"]
    return {name: unpacked(column) for name, column in columns.items()}


class _Said:
    """What was said of samples after they came: the last word of each."""

    def __init__(self, session: Session, state: State, workflow_id: str) -> None:
        self._store = session.store
        self._pointers = files_of(state, workflow_id, "sample_metadata")
        self._last: tuple[Indices, pa.Table] | None = None

    def laid_over(
        self, columns: Mapping[str, pa.ChunkedArray], indices: Indices, names: Mapping[str, str]
    ) -> dict[str, pa.ChunkedArray]:
        """Columns of samples, with what was said in place of what was there."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._pointers or not len(indices):
            return {}
        told, texts = self._told()
        places = np.minimum(np.searchsorted(told, indices), len(told) - 1)
        is_told = told[places] == indices
        if not is_told.any():
            return {}
        mask = pa.array(is_told)
        newer = texts.take(pa.array(places))
        return {shown: pc.if_else(mask, newer[name], columns[shown]) for name, shown in names.items()}

    def _told(self) -> tuple[Indices, pa.Table]:
        """`sample_idx`, ascending, and the texts."""
        import numpy as np
        import pyarrow as pa

        if self._last is None:
            parts = [read_part(self._store, pointer) for pointer in self._pointers]
            indices = np.concatenate(
                [
                    absolute_indices(part["sample_idx"].to_numpy(), pointer.details)
                    for part, pointer in zip(parts, self._pointers, strict=True)
                ]
            )
            newest_first, rows = indices[::-1], np.arange(len(indices))[::-1]
            told, first = np.unique(newest_first, return_index=True)
            texts = pa.concat_tables(part.select(list(SAID)) for part in parts)
            self._last = told, texts.take(pa.array(rows[first])).combine_chunks()
        return self._last
