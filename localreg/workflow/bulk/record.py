"""Inferences in bulk: a table of predictions becomes what a model version made of samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

import localreg.workflow.bulk.staged as staged
from localreg.errors import InvalidInputError, WorkflowMismatchError
from localreg.log import State
from localreg.names import check_flag, shown_value
from localreg.progress import progress
from localreg.records.access import RUNNER
from localreg.tables import Fault, Fitting
from localreg.threads import in_threads
from localreg.workflow.bulk.columns import PartColumns, matched
from localreg.workflow.bulk.keys import SampleKeys
from localreg.workflow.bulk.report import BulkReport, Leftovers, OnInvalid, check_on_invalid
from localreg.workflow.bulk.rows import Fitter
from localreg.workflow.bulk.sample_keys import Key, key_of
from localreg.workflow.bulk.source import Source, opened
from localreg.workflow.bulk.statuses import STATUS, is_status, told_of
from localreg.workflow.inferences import MISSING, OK, SKIPPED, Inferences
from localreg.workflow.run_content import unique
from localreg.workflow.run_record import RunRecord
from localreg.workflow.samples import sample_count
from localreg.workflow.test_suite import TestSuite

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from localreg.workflow.model import Model

    Indices = npt.NDArray[np.int64]

__all__ = ["OnUnknown", "record"]

OnUnknown = Literal["raise", "skip"]

NAMED = 3
"""Unknown samples that a message names."""


def record(
    model: Model[Any, Any, Any],
    table: object,
    *,
    on: str | Sequence[str] | None,
    suite: TestSuite | None,
    columns: Mapping[str, str] | None,
    on_invalid: OnInvalid,
    on_unknown: OnUnknown,
    reset: bool,
) -> BulkReport:
    """See `Model.record`."""
    _check(model, suite, on_invalid, on_unknown, reset)
    state = model.session.state()
    workflow_id = model.workflow_id(state)
    types = model.workflow.types(state)
    source = opened(table)
    key = key_of(types.test_sample, on, source.schema.names)
    only = {types.test_sample.name: key.fields}
    parts, unused = matched(source.schema, [types.test_sample, types.inference], columns, what=source.what, only=only)
    _refuse_missing_keys(key, parts[0], source)
    source = source.with_objects(name for part in parts for name in part.objects())
    source = source.with_kinds(name for part in parts for name in part.values())
    has_status = is_status(source.schema, unused)
    among = None if suite is None else unique(RunRecord(model, suite, None).suite_indices(state))
    work = _Recording(
        model,
        state,
        workflow_id,
        source,
        key,
        key.of_samples(model.session, state, workflow_id, types.test_sample, among),
        among,
        [Fitter(part, source) for part in parts],
        Leftovers(source.what, on_invalid),
        has_status=has_status,
        on_unknown=on_unknown,
        reset=reset,
    )
    with staged.StagedInferences(model.session, workflow_id, state) as out:
        work.read(out)
        out.commit(model, model.version_id(state), suite, stored=work.stored_before, reset=reset)
    return work.report(tuple(name for name in unused if name != STATUS or not has_status))


def _numbered(batches: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Each batch with the number of its first row."""
    first = 0
    for batch in batches:
        yield first, batch
        first += batch.num_rows


def _check(model: Model[Any, Any, Any], suite: object, on_invalid: object, on_unknown: object, reset: object) -> None:
    model.session.refuse_without(RUNNER)  # before anything is read
    check_on_invalid(on_invalid)
    check_flag(reset, what="reset")
    if on_unknown not in ("raise", "skip"):
        raise InvalidInputError(f"on_unknown is {on_unknown!r}; it must be 'raise' or 'skip'")
    if suite is None:
        return
    if not isinstance(suite, TestSuite):
        raise InvalidInputError(f"suite is {shown_value(suite)}; it must be a test suite of the workflow, or None")
    if suite.workflow.name != model.workflow.name:
        raise WorkflowMismatchError(
            f"test suite {suite.name!r} belongs to workflow {suite.workflow.name!r}, and model {model.name!r} to "
            f"{model.workflow.name!r}"
        )


def _refuse_missing_keys(key: Key, columns: PartColumns, source: Source) -> None:
    for name in key.fields:
        if columns.whole is None and name not in columns.tree:
            raise InvalidInputError(
                f"on names {name!r}, for which {source.what} has no column; its columns are "
                f"{', '.join(source.schema.names[:20])}; columns={{'{name}': …}} says which it is"
            )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A batch under the schema.

    Attributes:
        keys: of each row, by which its sample was looked up.
        made: the columns of the inferences; null where a row cannot be stored.
        faults: why.
        lacking: rows whose status says that there is no inference.
        indices: `sample_idx` of each row, -1 if its sample is not known.
        ambiguous: rows whose key several samples have.
    """

    keys: pa.Array
    made: pa.Table
    faults: list[Fault]
    lacking: Indices
    indices: Indices
    ambiguous: Indices


class _Recording:
    """One table on its way: each batch is fitted, its samples are found, and what is stored already is left out."""

    def __init__(
        self,
        model: Model[Any, Any, Any],
        state: State,
        workflow_id: str,
        source: Source,
        key: Key,
        keys: SampleKeys,
        among: Indices | None,
        fitters: Sequence[Fitter],
        leftovers: Leftovers,
        *,
        has_status: bool,
        on_unknown: OnUnknown,
        reset: bool,
    ) -> None:
        import numpy as np

        self._model = model
        self._state = state
        self._workflow_id = workflow_id
        self._source = source
        self._key = key
        self._keys = keys
        self._among = among
        self._samples, self._inferences = fitters
        self._leftovers = leftovers
        self._has_status = has_status
        self._on_unknown = on_unknown
        self._reset = reset
        count = sample_count(state, workflow_id)
        self._seen = np.zeros(count, bool)
        self._seen_count = 0
        self._batches: list[tuple[int, Indices | None, npt.NDArray[np.int32]]] = []
        version = model.version_id(state)
        self.stored_before = None if version is None else Inferences(model.session, state, version, count)
        self._column = model.workflow.types(state).inference
        self._rows = 0
        self._counts = {"stored": 0, "unchanged": 0, "replaced": 0, "unknown": 0, "lacking": 0}

    def report(self, unused: tuple[str, ...]) -> BulkReport:
        """What became of all rows."""
        faults = tuple(sorted(self._leftovers.faults, key=lambda fault: fault.row))
        return BulkReport(
            self._rows, invalid=self._leftovers.invalid, faults=faults, unused_columns=unused, **self._counts
        )

    def read(self, out: staged.StagedInferences) -> None:
        """Read the whole table, and hand on what is to be stored."""
        names = [*self._samples.names, *self._inferences.names, *([STATUS] if self._has_status else [])]
        batches = _numbered(self._source.batches(names))
        with progress(f"{self._model.name} from {self._source.what}", self._source.rows) as shown:
            for fitted in in_threads(self.fitted, batches, workers=1 if self._source.is_text else 2):
                out.add(self.rows(fitted))
                shown.advance(len(fitted.keys))

    def fitted(self, numbered: tuple[int, pa.Table]) -> _Fitted:
        """A batch under the schema, with the samples of its rows; it comes with the number of its first row."""
        import numpy as np

        first, batch = numbered
        found = Fitting()
        keys = self._key.column(self._samples.struct(batch, found, self._key.node))
        made, lacking = self._inferences.table(batch, found), np.empty(0, np.int64)
        if self._has_status:
            made, lacking = told_of(made, batch[STATUS].combine_chunks(), self._column.name)
        return _Fitted(keys, made, found.faults, lacking, *self._keys.find(keys, first))

    def rows(self, fitted: _Fitted) -> pa.Table:
        """The rows of a batch that are to be stored: `sample_idx`, and the columns of the inferences."""
        import numpy as np
        import pyarrow as pa

        keys, made, indices = fitted.keys, fitted.made, fitted.indices
        is_good = np.ones(len(keys), bool)
        is_good[self._leftovers.leave_out(fitted.faults, self._rows)] = False
        is_good[self._told(fitted.lacking[is_good[fitted.lacking]])] = False
        self._refuse_ambiguous(keys, fitted.ambiguous)
        is_good &= self._known(keys, indices, is_good)
        is_good[self._doubles(keys, indices, np.flatnonzero(is_good))] = False
        self._rows += len(keys)
        if not is_good.all():
            made, indices = made.filter(pa.array(is_good)), indices[is_good]
        columns = {name: made[name] for name in made.column_names}
        return self._new(pa.table({"sample_idx": pa.array(indices, pa.int64()), **columns}))

    def _told(self, lacking: Indices) -> Indices:
        """The rows of which there is no inference, told."""
        self._counts["lacking"] += len(lacking)
        self._leftovers.tell(self._rows + lacking[:1000], repeat("its status says that there is no inference"))
        return lacking

    def _refuse_ambiguous(self, keys: pa.Array, rows: Indices) -> None:
        if len(rows):
            raise InvalidInputError(
                f"{self._key.told(keys, rows[:1])} (row {self._rows + int(rows[0])} of {self._source.what}) is that of "
                f"several samples; give on= more fields, which tell them apart"
            )

    def _known(self, keys: pa.Array, indices: Indices, is_good: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which rows are of known samples; the others are refused, or told."""
        import numpy as np

        known = indices >= 0
        unknown = np.flatnonzero(~known & is_good)
        if len(unknown):
            whose = "the registry" if self._among is None else "the test suite"
            if self._on_unknown == "raise":
                more = f" and {len(unknown) - NAMED:,} more up to here" if len(unknown) > NAMED else ""
                raise InvalidInputError(
                    f"row {self._rows + int(unknown[0])} of {self._source.what} is of a sample that is not in {whose}: "
                    f"{self._key.told(keys, unknown[:NAMED])}{more}; add such samples to a test suite first, or pass "
                    "on_unknown='skip' to leave them out"
                )
            self._counts["unknown"] += len(unknown)
            first = unknown[:1000]
            reasons = (f"{self._key.told(keys, np.array([row]))} is not in {whose}" for row in first.tolist())
            self._leftovers.tell(self._rows + first, reasons)
        return known

    def _doubles(self, keys: pa.Array, indices: Indices, rows: Indices) -> Indices:
        """Rows whose sample stands in an earlier row, too; refused unless invalid rows are left out."""
        import numpy as np

        own = indices[rows]
        self._batches.append((self._rows, None if len(rows) == len(indices) else rows, own.astype(np.int32)))
        before = self._seen[own]
        self._seen[own] = True
        count = self._seen_count + len(own)
        self._seen_count = int(np.count_nonzero(self._seen))
        if count == self._seen_count:
            return np.empty(0, np.int64)
        _, firsts = np.unique(own, return_index=True)
        before[np.setdiff1d(np.arange(len(own)), firsts)] = True
        double = np.flatnonzero(before)
        first = rows[double[:1000]]
        reasons = [
            f"{self._key.told(keys, np.array([row]))} stands in row {self._first_row(indices[row])}, too"
            for row in first.tolist()
        ]
        self._leftovers.double(self._rows + first, reasons, len(double))
        return rows[double]

    def _first_row(self, index: int) -> int:
        """The row in which a sample stands first."""
        import numpy as np

        for first, rows, own in self._batches:
            there = np.flatnonzero(own == index)
            if len(there):
                return first + int(there[0] if rows is None else rows[there[0]])
        raise AssertionError("a sample that stands there twice stands there first")

    def _new(self, rows: pa.Table) -> pa.Table:
        """The rows that are not stored yet, or all if they replace what is.

        Raises:
            NonDeterministicError: something else is stored of a sample.
        """
        import pyarrow as pa

        stored = self.stored_before
        if stored is None:
            self._counts["stored"] += rows.num_rows
            return rows
        status = stored.status[rows["sample_idx"].to_numpy()]
        is_there = (status == OK) | (status == SKIPPED)
        if self._reset:
            replaced = int((status != MISSING).sum())
            self._counts["replaced"] += replaced
            self._counts["stored"] += rows.num_rows - replaced
            return rows
        if is_there.any():
            self._refuse_other_answers(stored, rows.filter(pa.array(is_there)))
            rows = rows.filter(pa.array(~is_there))
        self._counts["unchanged"] += int(is_there.sum())
        self._counts["stored"] += rows.num_rows
        return rows

    def _refuse_other_answers(self, stored: Inferences, mine: pa.Table) -> None:
        session, name = self._model.session, self._model.name
        staged.refuse_other_answers(session, self._state, self._workflow_id, name, self._column, stored, mine)
