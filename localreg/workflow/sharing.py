"""How several processes share one test run: each claims the next stretch of samples before it infers them.

Claims are numbered files that are created exclusively, so who makes number n has seen all before it. They lie in the
staging folder, decide nothing about what is stored, and are removed when the run is complete. A claim counts as long
as its writer lives: on this machine the system tells; of another one a file that it renews does.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import LocalregError
from localreg.names import new_id
from localreg.session.session import host
from localreg.storage import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Claim", "Claims", "claim_next"]

WAITED_S = 0.05
"""Between looks at the last samples that another process is inferring."""
RENEWED_S = 5.0
STALE_S = 30.0
"""A writer elsewhere whose file was not renewed for so long, by this machine's clock, is dead."""


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
        self._stop = threading.Event()
        self._looks: dict[str, tuple[int, float]] = {}

    @contextmanager
    def taking_part(self) -> Iterator[Claims]:
        """Be alive in the eyes of others; what was claimed and not made is free for them afterwards."""
        self._renew(0)
        renewing = threading.Thread(target=self._keep_renewing, name="localreg test run", daemon=True)
        renewing.start()
        try:
            yield self
        finally:
            self._stop.set()
            renewing.join()
            with suppress(LocalregError):
                self._store.delete(self._file(self.writer))

    def _file(self, writer: str) -> str:
        return f"{self._folder}/writers/{writer}.json"

    def _keep_renewing(self) -> None:
        count = 0
        while not self._stop.wait(RENEWED_S):
            count += 1
            with suppress(LocalregError):  # others wait for half a minute before they believe in a death
                self._renew(count)

    def _renew(self, count: int) -> None:
        self._store.put(self._file(self.writer), canonical({**_process(), "renewed": count}).encode())

    def others(self) -> list[Claim]:
        """The claims of other writers that are alive."""
        self._read()
        alive = {writer: self._is_alive(writer) for writer in {claim.writer for claim in self._claims}}
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

    def _is_alive(self, writer: str) -> bool:
        data = self._store.get(self._file(writer), fresh=True)
        if data is None:
            return False  # it ended, well or not
        told = cast(JsonObject, parse(data))
        if _is_here(told):
            return _runs(cast(int, told["pid"]), cast(int, told["started"]))
        renewed, now = cast(int, told["renewed"]), time.monotonic()
        seen = self._looks.get(writer)
        if seen is None or seen[0] != renewed:
            self._looks[writer] = renewed, now
            return True
        return now - seen[1] < STALE_S


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


def _process() -> JsonObject:
    """Which process this is, told apart from all others of all machines and of all times."""
    pid = os.getpid()
    return {"host": host(), "boot": _boot(), "pid": pid, "started": _started(pid) or 0}


def _is_here(told: JsonObject) -> bool:
    """Whether a process is one that this one can see."""
    # On Windows the question whether a process runs, `os.kill(pid, 0)`, would interrupt it.
    return os.name == "posix" and (told["host"], told["boot"]) == (host(), _boot())


def _boot() -> str:
    """Which start of the machine, and which of its process tables, this is; "" where the system does not tell."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(pid: int) -> int | None:
    """When a process began, in the system's ticks; None if it is not there, or the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return None


def _runs(pid: int, started: int) -> bool:
    if started:
        return _started(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
