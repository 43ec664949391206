"""One process's share of a test run: it claims stretches of samples and infers them, beside others that do the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from localreg.log import State
from localreg.session import Session
from localreg.workflow.inferences import failed
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.progress import Progress, progress
from localreg.workflow.running import Runner, Stretches
from localreg.workflow.sharing import Claims, claim_next

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["SharedWork"]


class SharedWork:
    """The samples of one run that this process infers, stretch by stretch.

    Args:
        session: the namespace.
        rows: all samples of the run, by `sample_idx`, each once.
        runner: infers, and adds what comes to `parts`.
        claims: this process's, and what it sees of others'.
        parts: of the run.
        samples: the objects at some places of `rows`.
        lacking: which of `rows` have nothing stored in a state.
        reset: all samples are inferred anew, whatever is stored.
    """

    def __init__(
        self,
        session: Session,
        rows: Indices,
        runner: Runner,
        claims: Claims,
        parts: OpenParts,
        *,
        samples: Callable[[Indices], Sequence[Any]],
        lacking: Callable[[State], npt.NDArray[np.bool_]],
        reset: bool,
    ) -> None:
        import numpy as np

        self._session = session
        self._rows = rows
        self._runner = runner
        self._claims = claims
        self._parts = parts
        self._samples = samples
        self._lacking = lacking
        self._reset = reset
        self._done = np.zeros(len(rows), bool)
        self._place = np.full(int(rows.max()) + 1, -1, np.int64)
        self._place[rows] = np.arange(len(rows))
        self._committed: State | None = None

    def run(self, what: str) -> int:
        """Infer until nothing is missing; how many samples it were.

        Args:
            what: is being done, for the progress bar.
        """
        with self._claims.taking_part():
            if self._reset and not self._claims.others():
                self._parts.refresh()
                self._parts.discard(self._rows)  # of a reset that did not end, perhaps by other code
            self._refresh()
            with progress(what, int((~self._done).sum())) as shown:
                count = self._stretches(shown)
            self._claims.clear()
        return count

    def _stretches(self, shown: Progress) -> int:
        count, sizes = 0, Stretches()
        while (claimed := claim_next(self._claims, self._done, sizes.count, self._refresh)) is not None:
            indices, samples = self._rows[claimed], self._samples(claimed)
            began = time.monotonic()
            self._runner.run(indices, samples)
            sizes.took(len(samples), time.monotonic() - began)
            self._done[claimed] = True
            count += len(claimed)
            shown.advance(len(claimed))
        return count

    def _refresh(self) -> None:
        """See what others have made: open parts first, so that what is committed between the looks shows in one."""
        for rows in self._parts.refresh():
            indices = rows["sample_idx"].to_numpy()[~failed(rows)]
            places = self._place[indices[indices < len(self._place)]]
            self._done[places[places >= 0]] = True
        state = self._session.state()
        if not self._reset and state is not self._committed:
            self._committed = state
            self._done |= ~self._lacking(state)
