"""A test run's inferring: what is lacking is inferred, kept as it comes, and committed once at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from localreg.errors import InvalidInputError, StorageError
from localreg.log import State
from localreg.names import amount
from localreg.records.access import RUNNER
from localreg.session import Changes
from localreg.session.changes import Operation
from localreg.tables import read_part
from localreg.workflow.chunks import Job
from localreg.workflow.executors import Workers
from localreg.workflow.inferences import ERROR, MISSING, Inferences, failed, inference_pointers, inference_rows
from localreg.workflow.local_files import LocalFiles
from localreg.workflow.model import Model
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.run_record import RunRecord
from localreg.workflow.running import Listed, OnError, Runner, Source
from localreg.workflow.samples import absolute_indices, objects_at, sample_count, samples_at
from localreg.workflow.shared_work import SharedWork
from localreg.workflow.sharing import Claims
from localreg.workflow.spreading import Spreading
from localreg.workflow.test_suite import TestSuite
from localreg.workflow.typed import TypedColumn
from localreg.workflow.upload import Target, Upload, deduplicated
from localreg.workflow.workflow import Types

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Indices = npt.NDArray[np.int64]

__all__ = ["BATCH", "Inferring"]

BATCH = 10_000
KEPT_ROWS = 2_000_000
"""Samples of a run up to which their rows stay in memory."""


class Inferring:
    """The samples of one test run, on their way from the suite through `infer` into the log.

    Args:
        model: with `infer`, if anything is to be inferred.
        suite: the version of the suite.
        record: of the run.
        reset: all samples are inferred, and what is stored is replaced.
        on_error: what an exception in `infer` does.
        batch_size: how many samples `infer` is given at once; None = one, not in a list.
        hash_files: whether what is in the files that samples name is kept beside the inferences.
        committed_with: makes of the operation that stores inferences one that stores what belongs to them, too.

    Attributes:
        failed: for how many samples `infer` raised.
    """

    def __init__(
        self,
        model: Model[Any, Any, Any],
        suite: TestSuite,
        record: RunRecord,
        *,
        reset: bool,
        on_error: OnError,
        batch_size: int | None,
        hash_files: bool,
        committed_with: Callable[[Operation], Operation],
    ) -> None:
        self._model = model
        self._model_name = model.name  # as it was, for messages: it may be deleted meanwhile
        self._suite = suite
        self._record = record
        self._reset = reset
        self._on_error: OnError = on_error
        self._batch_size = batch_size
        self._hash_files = hash_files
        self._committed_with = committed_with
        self._session = model.session
        self.failed = 0

    # --- what there is ------------------------------------------------------------------------------------------------

    def lacking(self, state: State, rows: Indices) -> npt.NDArray[np.bool_]:
        """Which samples have neither an inference nor a skip."""
        import numpy as np

        version = self._model.version_id(state)
        if version is None:
            return np.ones(len(rows), bool)
        count = sample_count(state, self._model.workflow_id(state))
        status = Inferences(self._session, state, version, count).status[rows]
        return np.asarray((status == MISSING) | (status == ERROR))

    def samples(self, state: State, indices: Indices) -> list[Any]:
        """Test samples as objects."""
        column = self._types(state).test_sample
        return objects_at(self._session, state, self._model.workflow_id(state), column, indices)

    def _tables(self, state: State, rows: Indices) -> Callable[[Indices], pa.Table]:
        """What takes the rows of samples at some places of `rows`; they are read once, unless they are very many."""
        import pyarrow as pa

        column, workflow_id = self._types(state).test_sample, self._model.workflow_id(state)
        if len(rows) > KEPT_ROWS:
            return lambda places: samples_at(self._session, state, workflow_id, column, rows[places])
        table = samples_at(self._session, state, workflow_id, column, rows)
        return lambda places: table.take(pa.array(places))

    def _column(self, state: State) -> TypedColumn:
        return self._types(state).inference

    def _types(self, state: State) -> Types:
        return self._model.workflow.types(state).whole

    # --- inferring ----------------------------------------------------------------------------------------------------

    def at_once(self, state: State, rows: Indices, workers: Workers | None) -> int:
        """Infer all in one go, as part of a transaction: what is new in it has no final place to be written to yet.

        Args:
            state: what is there.
            rows: `sample_idx` of each sample of the suite, each once.
            workers: who infers; None = this thread.

        Returns:
            How many samples were inferred.
        """
        import numpy as np
        import pyarrow as pa

        lacking = rows if self._reset else rows[self.lacking(state, rows)]
        column, version = self._column(state), self._model.version_id(state)
        kept = [inference_rows(column, lacking[:0], [], {}, str)]
        if len(lacking):
            self._require_infer(len(lacking))
            self._work(state, lacking, kept.append, workers)(Listed(len(lacking)))
        merged = pa.concat_tables(kept, promote_options="default")
        # Where the samples stand in the suite stays the same, whatever numbers they get.
        order = np.argsort(suite := self._record.suite_indices(state), kind="stable")
        positions = order[np.searchsorted(suite, merged["sample_idx"].to_numpy(), sorter=order)]
        self.store(state, merged, version, places=lambda newer: self._record.suite_indices(newer)[positions])
        return len(lacking)

    def shared(self, state: State, rows: Indices, workers: Workers | None) -> int:
        """Infer with whoever else runs the same.

        Args:
            state: what is there.
            rows: `sample_idx` of each sample of the suite, each once.
            workers: who infers; None = this thread.

        Returns:
            How many samples were inferred here.
        """
        begun, due = state.head.commit, len(rows) if self._reset else int(self.lacking(state, rows).sum())
        self._require_infer(due)
        version = self._model.version_id(state)
        owners, area = self._record.owners(state), "resets" if self._reset else "inferences"
        claims = Claims(self._session.store, f"{area}-{owners[0]}-{self._suite.version_id}")
        parts = OpenParts(self._session.store, owners, area)
        keep = partial(parts.add, claims.writer)
        work = self._work(state, rows, keep, workers if due else None)  # refused, if at all, before anything is made
        shared = SharedWork(
            self._session,
            rows,
            claims,
            parts,
            lacking=lambda newer: self.lacking(newer, rows),
            reset=self._reset,
        )
        try:
            count = shared.run(f"{self._model_name} on {self._suite.name}", work)
        except StorageError:
            raise  # open parts stay for the next run: this is no time to write
        except BaseException:
            if not self._reset:  # what an unfinished reset has made takes the place of nothing
                self._commit(parts, rows=rows, version=version)
            raise
        self._commit(parts, rows=rows, version=version, begun=begun)
        return count

    def _require_infer(self, due: int) -> None:
        if due:
            self._session.refuse_without(RUNNER)
        if self._model.infer is None and due:
            raise InvalidInputError(
                f"model {self._model_name!r} was made without infer, and {due} samples lack an inference; pass infer="
            )

    def _work(
        self, state: State, rows: Indices, keep: Callable[[pa.Table], None], workers: Workers | None
    ) -> Callable[[Source], int]:
        """What infers the samples that a source gives, by their places in `rows`; how many it were."""
        tables, types = self._tables(state, rows), self._types(state)
        infer = self._model.infer or (lambda _: None)  # then it was seen that nothing is missing

        def counted(made: pa.Table) -> None:
            self.failed += int(failed(made).sum())
            keep(made)

        if workers is not None:
            job = Job(
                self._model_name,
                infer,
                types.test_sample,
                types.inference,
                self._on_error,
                self._batch_size,
                self._hash_files,
            )
            return Spreading(workers, job, rows=rows, tables=tables, keep=counted).work
        runner = Runner(
            self._model_name,
            infer,
            types.inference,
            on_error=self._on_error,
            batch_size=self._batch_size,
            keep=counted,
            files=LocalFiles(types.test_sample.node) if self._hash_files else None,
        )
        return lambda source: runner.work(source, rows, lambda places: types.test_sample.objects(tables(places)))

    # --- storing ------------------------------------------------------------------------------------------------------

    def _commit(self, parts: OpenParts, *, rows: Indices, version: str | None, begun: int | None = None) -> None:
        """Commit rows of the suite's samples; those of other samples are left to the run that they belong to.

        Args:
            parts: of the run.
            rows: all its samples.
            version: id of the model version; None = none yet.
            begun: the commit on which the run began, if all samples were done; None = it was broken off.

        Raises:
            StorageError: of code `"open_parts_gone"`; what had been done is not there any more.
        """
        import numpy as np
        import pyarrow as pa

        state = self._session.state()
        tables = list(parts.tables()) or [inference_rows(self._column(state), rows[:0], [], {}, str)]
        merged = pa.concat_tables(tables, promote_options="default")
        indices = merged["sample_idx"].to_numpy()
        lost = 0 if begun is None else self._lost(rows[~np.isin(rows, indices)], begun)
        if not (lost and self._reset):
            mine = np.isin(indices, rows)
            self.store(state, deduplicated(merged if mine.all() else merged.filter(pa.array(mine))), version)
            parts.discard(rows)
        if lost:
            kept = "nothing was stored" if self._reset else "the others are stored"
            raise StorageError(
                f"inferences of {amount(lost, 'sample')} that were made for {self._suite.name!r} are gone: their open "
                f"parts were deleted while the run went on; {kept}: run it again",
                code="open_parts_gone",
            )

    def _lost(self, absent: Indices, begun: int) -> int:
        """How many samples of which no open part has a row have none in the log, either.

        Asked after the parts were read: who commits them removes them then. Of a reset counts what came since it began.
        """
        import numpy as np

        state = self._session.state()
        version = self._model.version_id(state) if len(absent) else None
        if version is None:
            return len(absent)
        told = [absent[:0]]
        for pointer in inference_pointers(state, version):
            row = state.outline("file", pointer.path)
            if row is not None and (row.created[0] > begun or not self._reset):
                part = read_part(self._session.store, pointer, ["sample_idx"])
                told.append(absolute_indices(part["sample_idx"].to_numpy(), pointer.details))
        return int((~np.isin(absent, np.concatenate(told))).sum())

    def store(
        self,
        state: State,
        rows: pa.Table,
        version: str | None,
        *,
        places: Callable[[State], Indices] | None = None,
    ) -> None:
        """Put rows into the log, and what they belong to.

        Args:
            state: whose types they are of.
            rows: as `inference_rows` makes them, each sample once.
            version: id of the model version; None = none yet.
            places: as `Upload` takes it.
        """

        def ensure(changes: Changes) -> Target:
            return self._record.target(changes, version)

        column = self._column(state)
        upload = Upload(
            self._session, self._model_name, column, rows, replaces=self._reset, ensure=ensure, places=places
        )
        self._session.change(self._committed_with(upload))
