"""Samples with their ground truths in bulk: a table becomes a test case of a test suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from localreg.errors import AlreadyExistsError, InvalidInputError
from localreg.log import State
from localreg.names import check_name
from localreg.progress import progress
from localreg.records.access import WRITER
from localreg.records.workflows import TestCaseRecord
from localreg.session import Changes
from localreg.tables import Fault, Fitting
from localreg.threads import in_threads
from localreg.workflow.bulk.columns import matched
from localreg.workflow.bulk.report import BulkReport, Leftovers, OnInvalid, check_on_invalid
from localreg.workflow.bulk.rows import Fitter
from localreg.workflow.bulk.source import Source, opened
from localreg.workflow.bulk.spool import Spool
from localreg.workflow.case_changes import CaseChange, CaseRequest
from localreg.workflow.case_content import CaseContent, different_rows, taken, version_rows
from localreg.workflow.look_up import LookUp, look_up
from localreg.workflow.samples import SAID, as_rows, complete_samples
from localreg.workflow.suite_change import SuiteChange
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.versioned import check_belongs
from localreg.workflow.workflow import Types

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["OnKnown", "add"]

OnKnown = Literal["raise", "skip", "replace"]

TRUTH = "truth."
"""Before the names of the columns of ground truths, where they stand beside those of samples."""


def add(
    suite: TestSuite,
    table: object,
    case: str | None,
    *,
    columns: Mapping[str, str] | None,
    metadata: Sequence[str],
    on_invalid: OnInvalid,
    on_known: OnKnown,
) -> tuple[BulkReport, State]:
    """See `TestSuite.add`; and the state that it led to."""
    suite.session.refuse_without(WRITER)  # before anything is read
    check_on_invalid(on_invalid)
    if on_known not in ("raise", "skip", "replace"):
        raise InvalidInputError(f"on_known is {on_known!r}; it must be 'raise', 'skip' or 'replace'")
    name = suite.name if case is None else check_name(case, what="test case name")
    state = suite.session.state()
    types = suite.workflow.types(state)
    source = opened(table)
    parts, unused = matched(
        source.schema, [types.test_sample, types.ground_truth], columns, what=source.what, metadata=metadata
    )
    source = source.with_objects(name for part in parts for name in part.objects())
    source = source.with_kinds(name for part in parts for name in part.values())
    fitters = [Fitter(part, source) for part in parts]
    leftovers = Leftovers(source.what, on_invalid)
    with Spool() as spool:
        rows, numbers, count = _read(source, types, fitters, leftovers, spool, suite.name)
        adding = _Adding(suite, state, name, types, rows, numbers, leftovers, on_known)
        newer = adding.commit()
    faults = tuple(sorted(leftovers.faults, key=lambda fault: fault.row))
    report = BulkReport(
        count,
        stored=adding.stored,
        unchanged=adding.unchanged,
        replaced=adding.replaced,
        invalid=leftovers.invalid,
        faults=faults,
        unused_columns=tuple(unused),
    )
    return report, newer


def _read(
    source: Source, types: Types, fitters: Sequence[Fitter], leftovers: Leftovers, spool: Spool, what: str
) -> tuple[pa.Table, Indices, int]:
    """All rows that can be stored, the number of each in the table, and how many rows there were."""
    import numpy as np
    import pyarrow as pa

    names = list(dict.fromkeys(each for fitter in fitters for each in fitter.names))
    count, numbers = 0, [np.empty(0, np.int64)]

    def fitted(batch: pa.Table) -> tuple[pa.Table, list[Fault]]:
        found = Fitting()
        return _row_table(types, fitters[0].table(batch, found), fitters[1].table(batch, found)), found.faults

    with progress(f"{what} from {source.what}", source.rows) as shown:
        for rows, faults in in_threads(fitted, source.batches(names), workers=1 if source.is_text else 2):
            is_good = np.ones(rows.num_rows, bool)
            is_good[leftovers.leave_out(faults, count)] = False
            spool.add(rows if is_good.all() else rows.filter(pa.array(is_good)))
            numbers.append(count + np.flatnonzero(is_good))
            count += rows.num_rows
            shown.advance(rows.num_rows)
    empty = _row_table(types, types.test_sample.table([], str), types.ground_truth.table([], str))
    return spool.table(empty), np.concatenate(numbers), count


def _row_table(types: Types, samples: pa.Table, truths: pa.Table) -> pa.Table:
    """Samples and ground truths side by side, always with the same columns."""
    import pyarrow as pa

    samples = complete_samples(as_rows(samples, "sample", types.test_sample))
    truths = as_rows(truths, "ground_truth", types.ground_truth)
    columns = {name: samples[name] for name in samples.column_names}
    return pa.table({**columns, **{f"{TRUTH}{name}": truths[name] for name in truths.column_names}})


@dataclass(eq=False)
class _Held:
    """What the newest version of a test case holds.

    Attributes:
        id: of the version; None = the case is not there, or empty.
        version: its number; None = the case is not there.
    """

    id: str | None
    version: int | None


class _Adding:
    """Rows on their way into a test case."""

    def __init__(
        self,
        suite: TestSuite,
        state: State,
        case: str,
        types: Types,
        rows: pa.Table,
        numbers: Indices,
        leftovers: Leftovers,
        on_known: OnKnown,
    ) -> None:
        names = rows.column_names
        self._suite = suite
        self._session = suite.session
        self._state = state
        self._case = case
        self._types = types
        self._samples = rows.select([name for name in names if not name.startswith(TRUTH)])
        truths = [name for name in names if name.startswith(TRUTH)]
        self._truths = rows.select(truths).rename_columns([name.removeprefix(TRUTH) for name in truths])
        self._numbers = numbers
        self._leftovers = leftovers
        self._on_known = on_known
        self.stored = self.unchanged = self.replaced = 0

    def commit(self) -> State:
        """Put what is new into the log: the next version of the test case, and of the suite; nothing if nothing is.

        Raises:
            InvalidInputError: a sample stands there twice.
            AlreadyExistsError: the test case holds a sample with another ground truth.
            ConflictError: the test case was edited meanwhile.
        """
        import numpy as np

        held = self._held()
        workflow = self._state.find("workflow", self._suite.workflow.name)
        workflow_id = "" if workflow is None else workflow.id
        known = look_up(self._session, self._state, workflow_id, self._samples)
        kept, telling = self._without_doubles(known), np.empty(0, np.int64)
        if held.id is not None:
            kept, telling = self._without_known(held.id, known, kept)
        self.stored = len(kept) - self.replaced
        rows = np.concatenate([kept, telling])
        content = CaseContent(
            taken(self._samples, rows),
            taken(self._truths, rows),
            None if held.id is None else np.ones(len(rows), bool),
            held.id,
            known=known if np.array_equal(rows, np.arange(self._samples.num_rows)) else None,
            told=None if held.id is None else np.arange(len(rows)) >= len(kept),
        )
        request = CaseRequest(self._case, None, content, is_new=held.version is None, edited=held.version)
        return _Addition(self._suite, request).commit()

    def _held(self) -> _Held:
        row = self._state.find("test_case", self._case)
        if row is None:
            return _Held(None, None)
        record = row.load(TestCaseRecord)
        check_belongs(self._state, record, self._suite.workflow)
        version = self._state.find("test_case_version", str(record.version), record.id)
        return _Held(version.id if version is not None and record.version else None, record.version)

    def _without_doubles(self, known: LookUp) -> Indices:
        """The rows whose sample stands in no earlier one."""
        import numpy as np

        is_first = known.first == np.arange(len(known.first))
        double = np.flatnonzero(~is_first)
        if len(double):
            first = double[:1000]
            reasons = [
                f"its sample stands in row {int(self._numbers[known.first[row]])}, too" for row in first.tolist()
            ]
            self._leftovers.double(self._numbers[first], reasons, len(double))
        return np.flatnonzero(is_first)

    def _without_known(self, version_id: str, known: LookUp, rows: Indices) -> tuple[Indices, Indices]:
        """The rows that change the test case; and those that only say something of a sample."""
        import numpy as np
        import pyarrow as pa

        base = version_rows(self._session, self._state, self._types, version_id)
        places = np.full(known.count, -1, np.int64)
        places[base.indices] = np.arange(len(base.indices))
        indices = known.known[rows]
        there = np.where(indices >= 0, places[indices], -1)
        held = rows[there >= 0]
        differ = different_rows(taken(self._truths, held), base.truths.take(pa.array(there[there >= 0])))
        self.unchanged = len(held) - len(differ)
        others = held[differ]
        if len(others) and self._on_known == "raise":
            sample = self._samples["sample"][int(others[0])].as_py()
            raise AlreadyExistsError(
                f"row {int(self._numbers[others[0]])} is of {sample}, which test case {self._case!r} holds with "
                f"another ground truth (such rows: {len(others):,}); pass on_known='replace' to take these instead, "
                "or 'skip' to keep what is there"
            )
        new = rows[there < 0]
        telling = held[self._is_said(held)]
        if self._on_known == "skip":
            self.unchanged += len(others)
            return new, telling
        self.replaced = len(others)
        return np.sort(np.concatenate([new, others])), np.setdiff1d(telling, others)

    def _is_said(self, rows: Indices) -> npt.NDArray[np.bool_]:
        """Whether rows have metadata, or fields beyond the declared ones."""
        import numpy as np

        said = np.zeros(len(rows), bool)
        for name in SAID:
            said |= taken(self._samples.select([name]), rows)[name].is_valid().to_numpy()
        return said


class _Addition:
    """An operation that gives a test case its next version, and the suite one that holds it."""

    def __init__(self, suite: TestSuite, request: CaseRequest) -> None:
        self._suite = suite
        self._name = suite.name  # when it is run again, no state but the draft has a suite that is new
        self._request = request
        self._change = CaseChange(suite.session, suite.workflow, [request])

    def commit(self) -> State:
        """Make it durable."""
        return self._change.commit(self)

    def __call__(self, changes: Changes) -> None:
        """Put the changes into the draft."""
        self._change(changes)
        case = changes.draft.find("test_case", self._request.name)
        assert case is not None, "it was made or edited just now"
        version = changes.draft.find("test_case_version", str(case.load(TestCaseRecord).version), case.id)
        assert version is not None, "a case names only versions that exist"
        held = self._suite.newest_content(changes.draft)
        others = [id for id in held if (row := changes.draft.get("test_case_version", id)) and row.parent != case.id]
        content = held if version.id in held else [*others, version.id]
        suite = SuiteChange(self._suite.session, self._suite.workflow, self._name, {}, content)
        suite.reset = True
        suite(changes)
