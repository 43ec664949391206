"""The simulated place: files in a dict, machines that look at it, and a scheduler that says whose turn it is.

Everything runs in one thread. Each client is a greenlet; each call on a store gives the turn back before it acts, and a
creation does so once more between the moment when others see the file and the one when it is durable. So any
interleaving of storage calls can come, and which one comes is decided by the seed alone.

What a place may do wrong, each with a chance of its own (`Weather`): see there. What a power cut leaves: of each folder
the durable files, and of later creations and deletions there a part from the beginning, as journals keep it.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from localreg.errors import StorageError
from localreg.testing import CrashedError

if TYPE_CHECKING:
    from tests.histories.store import SimulatedStore

__all__ = ["Late", "Machine", "Weather", "World"]

LONGEST = 20_000
"""Turns of one history; a safeguard against one without end."""

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Weather:
    """How likely each fault is, for each storage call that it can strike; 0 = never."""

    refused: float = 0.0
    """The call fails, and says so: nothing was done."""

    lost: float = 0.0
    """A write fails without an answer (code `doubtful`): it was done, done but not durable, not done, or comes late."""

    lies: float = 0.0
    """`put_if_absent` creates the file, and says that it was there already, as NFS does after a lost answer."""

    blind: float = 0.0
    """A file that was not there goes on to be missing for this machine after it was made, listings included."""

    killed: float = 0.0
    """A client dies; another one takes up its work."""

    power_cut: float = 0.0
    """All clients die, and what was not durable may vanish."""

    jumps: float = 0.0
    """A clock jumps by up to ten years, either way."""

    sleeps: float = 0.0
    """A client sleeps in the middle of what it does, for up to a hundred turns."""

    remote: bool = False
    """The place is far away: immutable files come from the machine's cache."""

    def __str__(self) -> str:
        shown = [f"{name} {value:g}" for name, value in vars(self).items() if value and value is not True]
        return ", ".join([*shown, *(["remote"] if self.remote else [])]) or "calm"


@dataclass
class Late:
    """A write that is under way still, though its caller has given up."""

    due: int
    path: str
    data: bytes
    exclusive: bool


@dataclass
class Machine:
    """What runs a client: what it has in its caches, and its clock. It dies with its client."""

    world: World
    name: str
    offset_s: float = 0.0
    dead: bool = False
    asleep_until: int = 0
    blind: dict[str, int] = field(default_factory=dict)
    """Until when a path is missing for it, in turns."""
    cached: dict[str, bytes] = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)

    def is_blind_to(self, path: str) -> bool:
        """Whether it does not see a file now, though it may be there."""
        return bool(self.blind) and self.blind.get(path, 0) > self.world.turn


class World:
    """One history's place, clients and chance.

    Attributes:
        chance: decides everything.
        files: what is there.
        durable: what a power cut leaves.
        turn: how many turns there have been: the time.
        told: what happened; None = nobody wants to know.
        power_cuts: how many there have been.
    """

    def __init__(self, seed: int, weather: Weather, *, told: list[str] | None = None) -> None:
        self.chance = Random(seed)
        self.weather = weather
        self.files: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.late: list[Late] = []
        self.turn = 0
        self.told = told
        self.power_cuts = 0
        self.lock = threading.Lock()  # for threads that the code under test starts
        self.sunny = False
        self._unsynced: dict[str, list[str]] = {}
        self._hub = getcurrent()
        self._running: dict[greenlet, Machine] = {}
        self._folder: Path | None = None
        self._copies: dict[tuple[str, bytes], Path] = {}
        self.current: Machine | None = None

    # --- turns ------------------------------------------------------------------------------------------------------

    def run(self, lives: dict[str, Callable[[Machine], None]]) -> None:
        """Let clients live, one call at a time, until all have ended; who dies is born again on another machine."""
        for name, live in lives.items():
            self._born(name, live)
        while self._running:
            self._next(lives)
        self.turn += LONGEST
        self._deliver()

    def _born(self, name: str, live: Callable[[Machine], None]) -> None:
        machine = Machine(self, name)
        if self.weather.jumps:
            machine.offset_s = self.chance.uniform(-1, 1) * 10 * 365 * 86_400
        self._running[greenlet(lambda: live(machine), parent=self._hub)] = machine

    def _next(self, lives: dict[str, Callable[[Machine], None]]) -> None:
        self.turn += 1
        if self.turn > LONGEST:
            raise AssertionError(f"after {LONGEST} turns some are at it still: {[*self._running.values()]}")
        self._deliver()
        if self.weather.power_cut and self.happens(self.weather.power_cut):
            self._cut_power(lives)
        client, machine = self.chance.choice(self._awake())
        if self.happens(self.weather.sleeps):
            machine.asleep_until = self.turn + self.chance.randint(1, 100)
            return
        if self.happens(self.weather.jumps):
            machine.offset_s = self.chance.uniform(-1, 1) * 10 * 365 * 86_400
        if self.happens(self.weather.killed):
            self.tell(machine, "is killed")
            self._kill(client, machine)
        else:
            self.current = machine
            client.switch()
            self.current = None
        if client.dead:
            del self._running[client]
            if machine.dead:
                self._born(machine.name, lives[machine.name])

    def _awake(self) -> list[tuple[greenlet, Machine]]:
        """Those whose turn may come; when all sleep, time goes on until one is awake."""
        crew = [*self._running.items()]
        if self.weather.sleeps:
            self.turn = max(self.turn, min(machine.asleep_until for _, machine in crew))
            crew = [each for each in crew if each[1].asleep_until <= self.turn]
        return crew

    def _kill(self, client: greenlet, machine: Machine) -> None:
        machine.dead = True
        self.current = machine
        with suppress(CrashedError):  # comes through if it had not begun
            client.throw(CrashedError("killed"))
        assert client.dead, "a client goes on after its death"

    def _cut_power(self, lives: dict[str, Callable[[Machine], None]]) -> None:
        for client, machine in list(self._running.items()):
            self._kill(client, machine)
            del self._running[client]
        self.late.clear()
        self.power_cuts += 1
        left = dict(self.durable)
        for folder, paths in self._unsynced.items():
            kept = paths[: self.chance.randint(0, len(paths))]
            self.tell(None, f"power cut: {folder} keeps {len(kept)} of {len(paths)} changes")
            for path in kept:
                if path in self.files:
                    left[path] = self.files[path]
                else:
                    left.pop(path, None)
        self.files, self.durable = left, dict(left)
        self._unsynced.clear()
        for name, live in lives.items():
            self._born(name, live)

    def pause(self, machine: Machine, what: str = "") -> None:
        """Give the turn back; called by clients only, elsewhere it does nothing."""
        if machine.dead:
            raise CrashedError("dead already")
        if getcurrent() not in self._running:
            return
        self._hub.switch()
        if self.told is not None and what:
            self.tell(machine, what)

    def may_fail(self, machine: Machine) -> bool:
        """Whether faults strike here: not those who check, nor threads of a client."""
        return not self.sunny and getcurrent() in self._running

    def happens(self, likelihood: float) -> bool:
        """Whether something so likely happens now."""
        return likelihood > 0 and not self.sunny and self.chance.random() < likelihood

    def tell(self, machine: Machine | None, what: str) -> None:
        """Note what happened, for whoever replays it."""
        if self.told is not None:
            self.told.append(f"{self.turn:5d}  {machine.name if machine else '*':4s} {what}")

    def now(self) -> datetime:
        """By the clock of the machine whose turn it is; a turn takes a second."""
        offset = self.current.offset_s if self.current else 0.0
        return START + timedelta(seconds=offset + self.turn)

    # --- files ------------------------------------------------------------------------------------------------------

    def create(self, path: str, data: bytes) -> bool:
        """Make a file, unless it is there; not durable yet."""
        with self.lock:
            if path in self.files:
                return False
            self.files[path] = data
        self._unsynced.setdefault(_folder(path), []).append(path)
        return True

    def replace(self, path: str, data: bytes) -> None:
        """Make a file hold something, durably."""
        self.files[path] = data
        self.sync(path)
        self.durable[path] = data

    def remove(self, path: str) -> None:
        """Take a file away; not durable yet."""
        if self.files.pop(path, None) is not None:
            self._unsynced.setdefault(_folder(path), []).append(path)

    def sync(self, path: str) -> None:
        """Make all names in a file's folder durable."""
        for each in self._unsynced.pop(_folder(path), ()):
            if each in self.files:
                self.durable[each] = self.files[each]
            else:
                self.durable.pop(each, None)

    def postpone(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Let a write come later."""
        self.late.append(Late(self.turn + self.chance.randint(1, 40), path, data, exclusive))

    def _deliver(self) -> None:
        due = [late for late in self.late if late.due <= self.turn] if self.late else []
        for late in due:
            self.late.remove(late)
            if not late.exclusive:
                self.replace(late.path, late.data)
            elif self.create(late.path, late.data):
                self.sync(late.path)
            self.tell(None, f"late: {late.path}")

    def native(self, path: str, data: bytes) -> Path:
        """A file of the machine that really runs this, with these bytes."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="localreg-histories-", dir=_memory()))
        key = (path, data)
        if key not in self._copies:
            self._copies[key] = self._folder / f"{len(self._copies)}-{path.rpartition('/')[2]}"
            self._copies[key].write_bytes(data)
        return self._copies[key]

    @contextmanager
    def cleaned(self) -> Iterator[World]:
        """Leaves nothing on disk."""
        try:
            yield self
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def store(self, machine: Machine) -> SimulatedStore:
        """The place as a machine sees it."""
        from tests.histories.store import SimulatedStore

        return SimulatedStore(self, machine)

    def checker(self) -> SimulatedStore:
        """The place as it is, without faults."""
        return self.store(Machine(self, "oracle"))

    def refuse(self, machine: Machine) -> None:
        """Fail before anything was done, if that happens now."""
        if self.weather.refused and self.may_fail(machine) and self.happens(self.weather.refused):
            self.tell(machine, "  refused")
            raise StorageError("planned refusal")


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
