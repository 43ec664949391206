"""Which writers are alive: each keeps a small file as long as it works, and others ask it.

Of a process on this machine the system tells; of another one a file that it renews does. Nothing that is stored hangs
on the answer: it decides who takes up what nobody is at any more.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from localreg.canonical import JsonObject, canonical, parse
from localreg.errors import LocalregError
from localreg.session.session import host
from localreg.storage import Store

__all__ = ["Presence"]

RENEWED_S = 5.0
STALE_S = 30.0
"""A writer elsewhere whose file was not renewed for so long, by this machine's clock, is dead."""


class Presence:
    """The writers at one thing, and this process among them.

    Args:
        store: the namespace's.
        folder: where writers keep their files.
        writer: id of this one.
    """

    def __init__(self, store: Store, folder: str, writer: str) -> None:
        self._store = store
        self._folder = folder
        self._writer = writer
        self._stop = threading.Event()
        self._looks: dict[str, tuple[int, float]] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Be alive in the eyes of others; what a fork has of this is its parent's to end."""
        pid = os.getpid()
        self._renew(0)
        renewing = threading.Thread(target=self._keep_renewing, name="localreg presence", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            if os.getpid() == pid:
                self._stop.set()
                renewing.join()
                with suppress(LocalregError):
                    self.forget(self._writer)

    def writers(self) -> list[str]:
        """All that are at work, or were and could not say that they end."""
        return [path.rpartition("/")[2].removesuffix(".json") for path in self._store.list(self._folder)]

    def forget(self, writer: str) -> None:
        """Remove what a dead writer left."""
        self._store.delete(self._file(writer))

    def _file(self, writer: str) -> str:
        return f"{self._folder}/{writer}.json"

    def _keep_renewing(self) -> None:
        count = 0
        while not self._stop.wait(RENEWED_S):
            count += 1
            with suppress(LocalregError):  # others wait for half a minute before they believe in a death
                self._renew(count)

    def _renew(self, count: int) -> None:
        self._store.put(self._file(self._writer), canonical({**_process(), "renewed": count}).encode())

    def is_alive(self, writer: str) -> bool:
        """Whether a writer is at work; of another machine a dead one is believed to be for a while."""
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

    def is_here(self, writer: str) -> bool:
        """Whether a writer is or was a process of this machine, so that `is_alive` is sure of it."""
        data = self._store.get(self._file(writer), fresh=True)
        return data is not None and _is_here(cast(JsonObject, parse(data)))


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
