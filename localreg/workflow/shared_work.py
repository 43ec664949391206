"""One process's share of a test run: it claims stretches of samples and infers them, beside others that do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from localreg.log import State
from localreg.progress import Progress, progress
from localreg.session import Session
from localreg.workflow.inferences import failed
from localreg.workflow.open_parts import OpenParts
from localreg.workflow.running import Source
from localreg.workflow.sharing import Claims, claim_next

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]

__all__ = ["SharedWork"]


class SharedWork:
    """The samples of one run that this process infers, stretch by stretch: a `Source` of them.

    Args:
        session: the namespace.
        rows: all samples of the run, by `sample_idx`, each once.
        claims: this process's, and what it sees of others'.
        parts: of the run.
        lacking: which of `rows` have nothing stored in a state.
        reset: all samples are inferred anew, whatever is stored.
    """

    def __init__(
        self,
        session: Session,
        rows: Indices,
        claims: Claims,
        parts: OpenParts,
        *,
        lacking: Callable[[State], npt.NDArray[np.bool_]],
        reset: bool,
    ) -> None:
        import numpy as np

        self._session = session
        self._rows = rows
        self._claims = claims
        self._parts = parts
        self._lacking = lacking
        self._reset = reset
        self._done = np.zeros(len(rows), bool)  # or being inferred here
        self._place = np.full(int(rows.max()) + 1, -1, np.int64)
        self._place[rows] = np.arange(len(rows))
        self._committed: State | None = None
        self._shown: Progress | None = None

    def run(self, what: str, work: Callable[[Source], int]) -> int:
        """Infer until nothing is missing; how many samples it were.

        Args:
            what: is being done, for the progress bar.
            work: takes samples from a source until there are none, and adds what comes of them to `parts`.
        """
        with self._claims.taking_part():
            if self._reset and not self._claims.others():
                self._parts.refresh()
                self._parts.discard(self._rows)  # of a reset that did not end, perhaps by other code
            self._refresh()
            with progress(what, int((~self._done).sum())) as shown:
                self._shown = shown
                count = work(self)
            self._claims.clear()
        return count

    def take(self, wanted: int, *, wait: bool = True) -> Indices | None:
        """See `Source`."""
        claimed = claim_next(self._claims, self._done, wanted, self._refresh, wait=wait)
        if claimed is not None:
            self._done[claimed] = True
        return claimed

    def left(self) -> int:
        """See `Source`."""
        return int((~self._done).sum())

    def advance(self, count: int) -> None:
        """See `Source`."""
        assert self._shown is not None, "it is being run"
        self._shown.advance(count)

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
