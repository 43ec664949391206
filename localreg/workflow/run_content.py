"""What stands in the registry for the samples of a test run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from localreg.canonical import JsonObject
from localreg.log import State
from localreg.session import Session
from localreg.workflow.inferences import ERROR, MISSING, OK, SKIPPED, STATUSES, Inferences
from localreg.workflow.local_files import changed_since, stored_files
from localreg.workflow.samples import objects_at, sample_count
from localreg.workflow.workflow import Workflow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["ChangedFile", "RunContent", "unique"]


class ChangedFile(NamedTuple):
    """A local file that holds other bytes than when a sample was inferred.

    Attributes:
        sample: the test sample that names it.
        locator: how.
        was: sha256 of its bytes then.
        now: sha256 of its bytes now.
    """

    sample: Any
    locator: str
    was: str
    now: str


class RunContent:
    """What became of the samples of a suite with one version of a model, whatever run inferred them.

    Args:
        session: where it lies.
        state: what is there.
        workflow: of the suite.
        workflow_id: the same, in this state.
        version_id: of the model.
        rows: `sample_idx` of each sample of the suite, each once.
    """

    def __init__(
        self, session: Session, state: State, workflow: Workflow, workflow_id: str, version_id: str, rows: Indices
    ) -> None:
        self._session = session
        self._state = state
        self._types = workflow.types(state)
        self._workflow_id = workflow_id
        self._rows = rows
        self._inferences = Inferences(session, state, version_id, sample_count(state, workflow_id))
        self._status = self._inferences.status[rows]

    def counts(self) -> dict[str, int]:
        """How many samples are `ok`, `skipped`, `error` and `missing`."""
        named = {**{name: code for code, name in enumerate(STATUSES)}, "missing": MISSING}
        return {name: int((self._status == code).sum()) for name, code in named.items()}

    def errors(self, offset: int = 0, limit: int | None = None) -> list[tuple[Any, JsonObject]]:
        """The samples for which `infer` raised, each with its `type`, `message` and `traceback`.

        Args:
            offset: how many are passed over first.
            limit: at most so many; None = all.
        """
        failed = self._rows[self._status == ERROR][offset : None if limit is None else offset + limit]
        if not len(failed):
            return []
        told = self._inferences.rows(self._types.inference, failed)["error"].to_pylist()
        samples = objects_at(self._session, self._state, self._workflow_id, self._types.test_sample, failed)
        return list(zip(samples, told, strict=True))

    def changed_files(self) -> list[ChangedFile]:
        """The local files that changed since a sample was inferred, sample by sample."""
        import numpy as np

        done = self._rows[(self._status == OK) | (self._status == SKIPPED)]
        stored = stored_files(self._inferences.files(done))
        found = {place: changed for place, changed in enumerate(changed_since(stored)) if changed}
        places = np.array(list(found), np.int64)
        samples = objects_at(self._session, self._state, self._workflow_id, self._types.test_sample, done[places])
        return [
            ChangedFile(sample, locator, stored[place][locator].sha256, now)
            for sample, (place, changed) in zip(samples, found.items(), strict=True)
            for locator, now in changed.items()
        ]


def unique(rows: Indices) -> Indices:
    """Each sample once, in order of its first row."""
    import numpy as np

    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]
