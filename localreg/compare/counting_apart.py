"""Joint counts on an executor: each worker counts the rows of some samples, and what they count is added up.

Cells of disjoint rows add up exactly, so that it does not matter who counted what: every number that follows is the
same to the last bit. A worker reads the parts itself, and of these the row groups that hold its samples, as of the same
commit; it is sent where to look and, row by row, the numbers of slices and clusters, which need a look at all rows at
once. Rows of one sample are counted by one worker: which of them repeat each other is seen there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.compare.cells import JointCells, put_together
from localreg.compare.classified import UNSAID, Classification, Counted
from localreg.compare.clusters import Clusters, Sampling
from localreg.compare.scores import Scoring
from localreg.compare.slices import Slices
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.units import WHOLE, Unit
from localreg.errors import InvalidInputError
from localreg.log import State
from localreg.progress import tell
from localreg.records.workflows import TestSuiteRecord
from localreg.session import Elsewhere, Session
from localreg.tables import Vocabulary
from localreg.workflow.chunks import answered, sent
from localreg.workflow.executors import Workers
from localreg.workflow.portable import loaded, portable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["ClassificationApart"]

STRETCHES_OF_A_WORKER = 2
"""So many for each worker: a slow one holds up less."""

LEAST_SAMPLES, MOST_SAMPLES = 2**17, 2**25
"""Of a stretch: fewer are counted sooner than they are sent for; more take up a worker's memory."""


class ClassificationApart(Classification):
    """Classification whose labels are counted by workers; all else, such as scores, is looked at here.

    Args:
        session: where everything lies.
        state: as of which commit.
        rows: of the suite.
        baseline: id of the model version.
        sampling: of the suite.
        scoring: what is said of scores.
        workers: who counts.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        rows: SuiteRows,
        baseline: str,
        sampling: Sampling,
        scoring: Scoring,
        workers: Workers,
    ) -> None:
        super().__init__(session, state, rows, baseline, sampling, scoring)
        self._workers = workers
        self._found: Counted | None = None

    def counted(self, candidate: str, slices: Sequence[Slices]) -> Counted:
        """The joint counts of baseline and candidate.

        Raises:
            InvalidInputError: a worker failed.
        """
        found = self._counted_apart(candidate, slices)
        self._found = super().counted(candidate, slices) if found is None else _added(found, self._units(slices))
        return self._found

    def twice(self) -> int:
        """How many samples have two different ground truths."""
        return super().twice() if self._found is None else self._found.repeated

    def _occurring(self) -> Sequence[str]:
        """Labels that truths of the suite have, or that the baseline says there."""
        if self._found is None:
            return super()._occurring()
        whole, labels = self._found.cells[WHOLE], self._found.labels
        codes = {*whole.truth.tolist(), *whole.a.tolist()}
        return [labels[code] for code in sorted(codes) if code >= 0]

    def _units(self, slices: Sequence[Slices]) -> list[Unit]:
        """All that there may be, in order."""
        of_slices = [Unit(by=each.by, slice=name) for each in slices for name in each.names]
        return [WHOLE, *map(Unit, self._rows.case_names), *of_slices]

    def _counted_apart(self, candidate: str, slices: Sequence[Slices]) -> list[Counted] | None:
        """What each worker counted; None if workers cannot see what is stored."""
        job = _Job(
            Elsewhere.of(self._session, self._state),
            self._rows.version.parent,
            self._rows.version.id,
            (self._version, candidate),
        )
        calls: list[Future[Any]] = []
        submit = self._workers.executor.submit
        try:
            if self._workers.shares_memory:
                opened = self._session, self._state
                calls += [submit(job.counted, *opened, each) for each in self._stretches(slices)]
                return [self._result(call) for call in calls]
            shared = self._sent(job)
            if shared is None:
                return None
            for number, each in enumerate(self._stretches(slices)):
                calls.append(submit(_counted, shared, portable(each, "rows to count"), number))
            return [self._result(call) for call in calls]
        finally:
            for call in calls:
                call.cancel()

    def _sent(self, job: _Job) -> bytes | None:
        """A job as bytes; None if other processes cannot see the registry."""
        if self._session.transaction_here() is not None:
            tell("Within a transaction labels are counted here: other processes do not see what it has not committed.")
            return None
        try:
            return portable(job, f"the registry at {self._session.root.uri}")
        except InvalidInputError as error:
            tell(f"{error}. Labels are counted here.")
            return None

    def _stretches(self, slices: Sequence[Slices]) -> Iterator[_Stretch]:
        """The samples of the suite, so many at a time; those of no row are passed over."""
        import numpy as np

        indices, clusters = self._rows.indices, self._sampling.clusters
        first, end = int(indices.min()), int(indices.max()) + 1
        share = -(-(end - first) // (STRETCHES_OF_A_WORKER * self._workers.width))
        size = min(max(share, LEAST_SAMPLES), MOST_SAMPLES)
        for begin in range(first, end, size):
            span = range(begin, min(end, begin + size))
            rows = np.flatnonzero((indices >= span.start) & (indices < span.stop))
            if len(rows):
                own = [Slices(each.by, each.names, each.codes[rows]) for each in slices]
                yield _Stretch(span, own, None if clusters is None else clusters.of_rows(rows))

    def _result(self, call: Future[Any]) -> Counted:
        name = self._workers.name
        failed = f"labels could not be counted on {name}"
        said = answered(call, f"counting on {name}", failed=failed, advice="compare without executor")
        assert isinstance(said, Counted)
        return said


class _Stretch(NamedTuple):
    """Samples that one worker counts.

    Attributes:
        span: their `sample_idx`.
        slices: of their rows.
        clusters: of their rows.
    """

    span: range
    slices: list[Slices]
    clusters: Clusters | None


class _Job(NamedTuple):
    """What all workers are told.

    Attributes:
        registry: where it lies.
        suite: id of the test suite.
        version: id of its version.
        models: ids of the versions of baseline and candidate.
    """

    registry: Elsewhere
    suite: str
    version: str
    models: tuple[str, str]

    def counted(self, session: Session, state: State, stretch: _Stretch) -> Counted:
        """The joint counts of a stretch."""
        suite, version = state.get("test_suite", self.suite), state.get("test_suite_version", self.version)
        assert suite is not None, "it was there at that commit"
        assert version is not None, "so was its version"
        rows = SuiteRows(session, state, suite.load(TestSuiteRecord), version, stretch.span)
        baseline, candidate = self.models
        task = Classification(session, state, rows, baseline, Sampling(stretch.clusters), UNSAID)
        return task.counted(candidate, stretch.slices)


@lru_cache(maxsize=1)
def _opened(shared: bytes) -> tuple[_Job, Session, State]:
    """A job in a worker, opened once for all of its stretches."""
    job = loaded(shared)
    assert isinstance(job, _Job)
    session = job.registry.opened()
    return job, session, session.state()


def _counted(shared: bytes, own: bytes, number: int) -> bytes:
    """A stretch, in a worker. `number` tells calls apart, which some executors make once if they are equal."""
    try:
        job, session, state = _opened(shared)
        return portable(job.counted(session, state, loaded(own)), "joint counts")
    except Exception as error:
        return portable(sent(error), "an exception")


def _added(found: Sequence[Counted], units: Sequence[Unit]) -> Counted:
    """What was counted apart as if it had been counted at once.

    Args:
        found: with codes of their own.
        units: those that there may be, in order.
    """
    vocabulary = Vocabulary()
    parts: dict[Unit, list[JointCells]] = {}
    for each in found:
        codes = vocabulary.codes(each.labels)
        for unit, own in each.cells.items():
            parts.setdefault(unit, []).append(own.recoded(codes))
    cells = {unit: put_together(parts[unit]) for unit in units if unit in parts}
    return Counted(cells, vocabulary.labels(), sum(each.repeated for each in found))
