"""Many processes on one namespace, killed at random, with upkeep beside; at the end the log is asked for everything.

`python -m tests.crash.many --minutes 10` goes on for so long; with `--operations 500` no process does more than that.
Each says in a pipe what it begins, under which ids it offers commits, and what was acknowledged; who is killed is
replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import localreg
from tests.crash.many_acts import Worker, keep, prepare
from tests.crash.many_checks import Told, check

__all__ = ["main", "run"]

PROCESSES, OPERATIONS = 8, 500
LIVES_FOR = 60
"""Lines between two kills, on average."""
PATIENCE_S = 120


@dataclass
class Process:
    """A worker as its parent sees it."""

    name: str
    pid: int
    pipe: int
    left: int
    rest: bytes = b""


@dataclass
class Crew:
    """All workers and the keeper, and what they said.

    Attributes:
        folder: of the registry.
        chance: who is killed, and when.
        told: all lines.
        until: when workers begin nothing more; None = when each has done its operations.
    """

    folder: Path
    chance: random.Random
    until: float | None
    told: list[Told] = field(default_factory=list)
    kills: int = 0
    _lives: int = 0

    def live(self, processes: int, operations: int) -> None:
        """Work until all is done."""
        selector = selectors.DefaultSelector()
        crew = {}
        for number in range(processes):
            process = self._begin(f"w{number}", operations)
            crew[process.pipe] = process
            selector.register(process.pipe, selectors.EVENT_READ)
        keeper = self._fork(lambda pipe: keep(localreg.open(self.folder, actor="keeper"), pipe))
        selector.register(keeper[1], selectors.EVENT_READ)
        kill_in = self._next_kill()
        try:
            while crew:
                ready = selector.select(PATIENCE_S)
                assert ready, "the workers came to a standstill"
                for key, _ in ready:
                    pipe = key.fd
                    if pipe == keeper[1]:
                        said = os.read(pipe, 65_536)
                        assert said, "the keeper has failed"
                        continue
                    process = crew[pipe]
                    kill_in -= self._hear(process)
                    if kill_in < 0:
                        kill_in = self._next_kill()
                        self.kills += 1
                        os.kill(self.chance.choice([*crew.values()]).pid, signal.SIGKILL)
                    if process.pid < 0:  # has come to its end
                        selector.unregister(pipe)
                        os.close(pipe)
                        del crew[pipe]
                        if process.left > 0:
                            again = self._begin(process.name, process.left)
                            crew[again.pipe] = again
                            selector.register(again.pipe, selectors.EVENT_READ)
        finally:
            for pid in (keeper[0], *(process.pid for process in crew.values() if process.pid > 0)):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _next_kill(self) -> int:
        return self.chance.randint(1, 2 * LIVES_FOR)

    def _begin(self, name: str, operations: int) -> Process:
        self._lives += 1
        life, seed = f"{name}.{self._lives}", self.chance.random()

        def work(pipe: int) -> None:
            Worker(localreg.open(self.folder, actor=life), random.Random(seed), pipe).work(operations, self.until)

        pid, pipe = self._fork(work)
        return Process(name, pid, pipe, operations)

    def _fork(self, work: object) -> tuple[int, int]:
        assert callable(work)
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(ours)
                work(theirs)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(theirs)
        return pid, ours

    def _hear(self, process: Process) -> int:
        """Take in what a worker has said; how many lines."""
        data = os.read(process.pipe, 65_536)
        *lines, process.rest = (process.rest + data).split(b"\n")
        for line in lines:
            told = Told(**json.loads(line))
            self.told.append(told)
            process.left -= told.what == "begin"
        if not data:
            _, status = os.waitpid(process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            assert code in (0, -signal.SIGKILL), f"{process.name} has failed"
            if code == 0:
                process.left = 0
            process.pid = -1
        return len(lines)


def run(folder: Path, *, seed: int, processes: int, operations: int, seconds: float | None) -> str:
    """Work and check; what was done, in words."""
    began = time.monotonic()
    prepare(folder)
    until = None if seconds is None else began + seconds
    crew = Crew(folder, random.Random(seed), until)
    crew.live(processes, operations)
    worked_s = time.monotonic() - began
    counts = check(folder, crew.told)
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    return f"{worked_s:.0f} s, {crew.kills} kills; {told}; all as it must be"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.many", description=__doc__)
    parser.add_argument("--minutes", type=float, help="for how long")
    parser.add_argument("--operations", type=int, help="of each process, at most; 500 if there is no time either")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--seed", type=int, default=20260301)
    parser.add_argument("--folder", type=Path, help="where; it stays there for a look")
    chosen = parser.parse_args()
    seconds = None if chosen.minutes is None else 60 * chosen.minutes
    operations = chosen.operations or (OPERATIONS if seconds is None else sys.maxsize)
    with tempfile.TemporaryDirectory(prefix="localreg-many-") as temporary:
        folder = chosen.folder or Path(temporary) / "registry"
        print(
            run(folder, seed=chosen.seed, processes=chosen.processes, operations=operations, seconds=seconds),
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
