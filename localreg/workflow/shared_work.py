"""One process's share of a test run: it claims stretches of samples and infers them, beside others that do the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from localreg.log import State
from localreg.session import Session
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.progress import Progress, progress
from localreg.workflow.running import Runner, Stretches
from localreg.workflow.sharing import Claims

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["SharedWork"]

WAITED_S = 0.05
"""Between looks at the last samples that another process is inferring."""


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
        while (claimed := self._claim(sizes.count)) is not None:
            indices, samples = self._rows[claimed], self._samples(claimed)
            began = time.monotonic()
            self._runner.run(indices, samples)
            sizes.took(len(samples), time.monotonic() - began)
            self._done[claimed] = True
            count += len(claimed)
            shown.advance(len(claimed))
        return count

    def _claim(self, wanted: int) -> Indices | None:
        """Positions of the next samples to infer; None once all are inferred, by whomever."""
        import numpy as np

        while True:
            others = self._claims.others()
            self._refresh()
            free = ~self._done
            for claim in others:
                free[claim.begin : claim.end] = False
            places = np.flatnonzero(free)
            if len(places):
                end = int(places[min(wanted, len(places)) - 1]) + 1
                if self._claims.claim(int(places[0]), end):
                    self._refresh()  # what somebody made, and finished, between the look and the claim
                    mine = places[places < end]
                    mine = mine[~self._done[mine]]
                    if len(mine):
                        return mine
            elif self._done.all():
                return None
            else:
                time.sleep(WAITED_S)  # for what others are inferring, or until they are found dead

    def _refresh(self) -> None:
        """See what others have made: open parts first, so that what is committed between the looks shows in one."""
        import numpy as np

        for rows in self._parts.refresh():
            indices = rows["sample_idx"].to_numpy()
            indices = indices[np.asarray([status != "error" for status in rows["status"].to_pylist()])]
            places = self._place[indices[indices < len(self._place)]]
            self._done[places[places >= 0]] = True
        state = self._session.state()
        if not self._reset and state is not self._committed:
            self._committed = state
            self._done |= ~self._lacking(state)
