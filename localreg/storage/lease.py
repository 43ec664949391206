"""One writer at a time, for stores where nothing makes a file appear for exactly one of two: sftp, webdav, mounts.

A lease is a file, `lease.json`, that names who writes. It is written and read plainly (`get`, `put`, `delete`), so it
is a convention among programs that keep it, and weaker than what other stores give. What holds:

* Who does not hold it does not publish. Who published reads it back, and tells when he may have been two.
* No clocks of two machines are compared. A holder counts his time from before his last renewal was written, a waiter
  from after he has first seen it, each on a clock of his own: so a waiter's count ends later.
* A holder publishes only while half of his time is left, and starts anew once it has run out, by suspension, say.

What remains unproven, and can lose a commit: a write that takes effect later than half of the lease's seconds after it
was begun (a stopped process, a request stuck in a proxy); two claims of which one takes longer than the settling to be
seen; a store that gives back old content; clocks that run at different speeds; writers that know no leases.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from localreg.canonical import canonical, parse
from localreg.errors import ConflictError, FormatError, StorageError, UnknownOutcomeError
from localreg.names import new_id

if TYPE_CHECKING:
    from localreg.storage.store import Store

__all__ = ["Lease", "LeaseInfo", "describe"]

LEASE: Final = "lease.json"
SECONDS: Final = 30.0
LONGEST_S: Final = 600.0
"""No lease is waited for longer than this, whatever its file says."""
SETTLE_S: Final = 2.0
LOOKS: Final = 10
"""Into a lease that is waited for, until it would be stale."""


@dataclass(frozen=True, slots=True)
class LeaseInfo:
    """What `lease.json` says.

    Attributes:
        holder: id of the one claim; nobody else's.
        host: the holder's machine.
        pid: its process.
        actor: whom it writes for.
        acquired: when it was claimed, by the holder's wall clock; for people.
        renewed: how often it was renewed since: a lease that is counted up is alive.
        seconds: how long it lasts from its last renewal.
    """

    holder: str
    host: str
    pid: int
    actor: str
    acquired: str
    renewed: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.actor} on {self.host} (process {self.pid}, since {self.acquired})"


class Lease:
    """This writer's side of a namespace's lease. Not for several threads at once: a session commits one by one."""

    def __init__(
        self,
        store: Store,
        *,
        actor: str,
        host: str,
        seconds: float = SECONDS,
        settle_s: float = SETTLE_S,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; nothing is read or written.

        Args:
            store: the namespace's.
            actor: named in refusals of others.
            host: likewise.
            seconds: how long the lease lasts without renewal.
            settle_s: how long a claim is left alone before it is believed: longer than any write takes to be seen.
            clock: seconds of this machine, those in which it sleeps included.
            sleep: waits.
        """
        self._store = store
        self._actor, self._host = actor, host
        self._seconds, self._settle_s = seconds, settle_s
        self._clock = clock or _clock
        self._sleep = sleep
        self._held: LeaseInfo | None = None
        self._ends = 0.0
        self._process = os.getpid()

    @contextmanager
    def hold(self, commit_id: str) -> Iterator[None]:
        """Be the only writer while the block publishes one commit.

        Enters with at least half of the lease's time left: claims it, waiting for one that nobody renews to run out,
        renews it, or just reads it back. Reads it back again when the block has ended well.

        Raises:
            ConflictError: of code `"lease_held"`: somebody else writes; nothing was done.
            UnknownOutcomeError: somebody else took over while the block ran, so what it published may be lost.
        """
        self._enter()
        yield
        held = self._held
        try:
            if held is not None and describe(self._store) == held:
                return
            self._held, why = None, "another writer took over the lease"
        except StorageError as error:
            why = f"the lease cannot be read back ({error})"
        raise UnknownOutcomeError(
            f"while commit {commit_id} was being published in {self._store.uri}, {why}; whether it stands is unknown: "
            "`registry.resolve` tells once the other one is done",
            commit_id=commit_id,
        )

    def release(self) -> None:
        """Let the next writer in, if this one is. A failure costs others the rest of the lease's time."""
        held, self._held = self._held, None
        if held is None or self._process != os.getpid() or self._clock() >= self._ends:
            return
        if describe(self._store) == held:
            self._store.delete(LEASE)

    def _enter(self) -> None:
        if self._process != os.getpid():  # the lease of the process that forked is not ours
            self._held, self._process = None, os.getpid()
        left = self._ends - self._clock()
        if self._held is None or left <= 0 or describe(self._store) != self._held:
            self._claim()
        elif left < self._seconds / 2:
            self._write(replace(self._held, renewed=self._held.renewed + 1))
            self._believe()

    def _claim(self) -> None:
        self._held = None
        self._wait_for_others()
        acquired = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._write(LeaseInfo(new_id(), self._host, os.getpid(), self._actor, acquired, 0, self._seconds))
        self._sleep(self._settle_s)
        self._believe()

    def _wait_for_others(self) -> None:
        """Return when nobody holds the lease; refuse when the holder shows to be alive."""
        seen = describe(self._store)
        if seen is None:
            return
        since = self._clock()
        lasts = min(seen.seconds, LONGEST_S)
        while self._clock() - since < lasts:
            self._sleep(lasts / LOOKS)
            now = describe(self._store)
            if now is None:
                return
            if now != seen:
                raise self._refused(now)

    def _write(self, info: LeaseInfo) -> None:
        self._ends = self._clock() + self._seconds  # counted from before others can see it
        self._store.put(LEASE, f"{canonical(asdict(info))}\n".encode())
        self._held = info

    def _believe(self) -> None:
        now = describe(self._store)
        if now != self._held or self._ends - self._clock() < self._seconds / 2:
            self._held = None
            raise self._refused(now)

    def _refused(self, holder: LeaseInfo | None) -> ConflictError:
        who = "another writer" if holder is None else str(holder)
        lasts = self._seconds if holder is None else holder.seconds
        return ConflictError(
            f"{self._store.uri} has one writer at a time, and that is {who}; nothing was written: try again when it "
            f"has closed the registry, or {lasts:g} seconds after its last commit, when its lease runs out",
            code="lease_held",
        )


def describe(store: Store) -> LeaseInfo | None:
    """Who holds, or last held, the lease of a namespace; None if nobody does; a damaged file has a holder."""
    data = store.get(LEASE)
    if data is None:
        return None
    try:
        value = cast("dict[str, object]", parse(data))
        return LeaseInfo(
            **{key: str(value[key]) for key in ("holder", "host", "actor", "acquired")},
            pid=int(cast(int, value["pid"])),
            renewed=int(cast(int, value["renewed"])),
            seconds=float(cast(float, value["seconds"])),
        )
    except (FormatError, KeyError, TypeError, ValueError):
        return LeaseInfo(data.hex(), "an unknown machine", 0, "somebody", "an unknown time", 0, SECONDS)


def _clock() -> float:
    """Seconds that pass also while the machine is suspended."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
