"""Models and a suite as of a commit, ready to be compared, or to be looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from localreg.compare.asked import Asked, Settings
from localreg.compare.clusters import Sampling, clustered
from localreg.compare.evidence import Evidence
from localreg.compare.listing import SampleList
from localreg.compare.slices import Slices, sliced
from localreg.compare.suite_rows import SuiteRows
from localreg.compare.tasks import task_for
from localreg.log import Row, State
from localreg.records.workflows import TestSuiteRecord
from localreg.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from localreg.compare.task import Task
    from localreg.workflow.executors import Workers

__all__ = ["Opened"]


class Opened:
    """What is read of the suite before any model is.

    Args:
        session: where everything lies.
        state: as of which commit.
        suite: the test suite.
        version: of it.
        models: id and `name@version` of each, the baseline first; a model may be compared with itself.
        asked: what the comparison is asked for.
        settings: the same, checked.

    Attributes:
        rows: of the suite.
        clusters: of samples; None = each for itself.
        ids: of the model versions.
        settings: what was asked for, checked.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        suite: TestSuiteRecord,
        version: Row,
        models: Sequence[tuple[str, str]],
        asked: Asked,
        settings: Settings,
    ) -> None:
        self._session = session
        self._state = state
        self._models = dict(models)
        self._asked = asked
        self.ids = [id for id, _ in models]
        self.settings = settings
        self.rows = SuiteRows(session, state, suite, version)
        by = settings.group_by
        self.clusters = None if by is None else clustered(session, state, self.rows, by)

    def task(self, workers: Workers | None = None) -> Task:
        """The task that the models are compared by, made anew: what it reads need not stay in memory.

        Args:
            workers: count labels; None = this process does.
        """
        sampling = Sampling(self.clusters, self.settings.draws)
        return task_for(self._session, self._state, self.rows, self._models, self.settings, sampling, workers)

    @cached_property
    def slices(self) -> list[Slices]:
        """Of the rows, one for each expression."""
        expressions = self.settings.expressions
        return [sliced(self._session, self._state, self.rows, each, bins=self._asked.bins) for each in expressions]

    def samples(self, candidate: int, outcome: str | None, where: str | None = None) -> pa.Table:
        """See `SampleList.table`."""
        ids, strict = self.ids[1:], self._asked.strict
        return SampleList(self._session, self._state, self.rows, self.slices, self.task, ids, strict).table(
            candidate, outcome, where
        )

    def evidence(self) -> Evidence:
        """What lies behind the numbers."""
        return Evidence(self._session, self._state, self.rows, self.slices, self.task(), self.ids, self._asked.strict)
