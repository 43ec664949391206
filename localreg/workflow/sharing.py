"""How several processes share one test run: each claims the next stretch of samples before it infers them.

Claims are numbered files that are created exclusively, so who makes number n has seen all before it. They lie in the
staging folder, decide nothing about what is stored, and are removed when the run is complete. A claim counts as long
as its writer lives (`session/presence.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import LocalregError
from localreg.names import new_id
from localreg.session.presence import Presence
from localreg.storage import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Claim", "Claims", "claim_next"]

WAITED_S = 0.05
"""Between looks at the last samples that another process is inferring."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A stretch of a run's samples that one writer infers.

    Attributes:
        writer: its id.
        begin: position of the first sample.
        end: position after the last.
    """

    writer: str
    begin: int
    end: int


class Claims:
    """This process's side of a shared run. Not for several threads at once.

    Attributes:
        writer: id of this side.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.writer = new_id()
        self._store = store
        self._folder = f"tmp/test_runs/{run_id}"
        self._claims: list[Claim] = []
        self._presence = Presence(store, f"{self._folder}/writers", self.writer)

    @contextmanager
    def taking_part(self) -> Iterator[Claims]:
        """Be alive in the eyes of others; what was claimed and not made is free for them afterwards."""
        with self._presence.shown():
            yield self

    def others(self) -> list[Claim]:
        """The claims of other writers that are alive."""
        self._read()
        alive = {writer: self._presence.is_alive(writer) for writer in {claim.writer for claim in self._claims}}
        return [claim for claim in self._claims if claim.writer != self.writer and alive[claim.writer]]

    def _read(self) -> None:
        while (data := self._store.get(self._path(len(self._claims) + 1), fresh=True)) is not None:
            told = cast(JsonObject, parse(data))
            self._claims.append(Claim(str(told["writer"]), cast(int, told["begin"]), cast(int, told["end"])))

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:020}.json"

    def claim(self, begin: int, end: int) -> bool:
        """Claim a stretch, as seen after the last look at the others; False if somebody claimed one since."""
        claim: JsonObject = {"writer": self.writer, "begin": begin, "end": end}
        if not self._store.put_if_absent(self._path(len(self._claims) + 1), canonical(claim).encode()):
            return False
        self._claims.append(Claim(self.writer, begin, end))
        return True

    def clear(self) -> None:
        """Remove all claims, once the run is complete."""
        with suppress(LocalregError):
            for path in list(self._store.list(self._folder)):
                self._store.delete(path)


def claim_next(
    claims: Claims, done: npt.NDArray[np.bool_], wanted: int, refresh: Callable[[], None], *, wait: bool = True
) -> npt.NDArray[np.int64] | None:
    """Claim the next positions that nobody has done or claimed.

    Args:
        claims: this side.
        done: which positions are done, by whomever.
        wanted: how many to claim at most.
        refresh: brings `done` up to date.
        wait: for what others have claimed and may leave.

    Returns:
        The positions (int64); None once all are done; empty if the rest is claimed by others, and it was not to wait.
    """
    import numpy as np

    while True:
        others = claims.others()
        refresh()
        free = ~done
        for claim in others:
            free[claim.begin : claim.end] = False
        places = np.flatnonzero(free)
        if len(places):
            end = int(places[min(wanted, len(places)) - 1]) + 1
            if claims.claim(int(places[0]), end):
                refresh()  # what somebody made, and finished, between the look and the claim
                mine = places[places < end]
                mine = mine[~done[mine]]
                if len(mine):
                    return mine
        elif done.all():
            return None
        elif not wait:
            return places
        else:
            time.sleep(WAITED_S)  # for what others are at, or until they are found dead
