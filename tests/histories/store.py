"""`Store`, as one machine of a simulated world sees it."""

from __future__ import annotations

import builtins
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from localreg.errors import AlreadyExistsError, NotFoundError, StorageError
from localreg.storage.near import NearStore
from localreg.storage.queue import LockQueue
from localreg.storage.store import STAGING, FileSize, check_path
from tests.histories.world import Machine, World

__all__ = ["SimulatedStore"]


class SimulatedStore(NearStore):
    """Files of a world. Every call is a turn; see `Weather` for what may go wrong."""

    def __init__(self, world: World, machine: Machine, base: str = "") -> None:
        self.world = world
        self.machine = machine
        self._base = base

    @property
    def uri(self) -> str:
        return f"simulated://{self._base.rstrip('/')}"

    @property
    def remote(self) -> bool:
        return self.world.weather.remote

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, path: str, *, fresh: bool = False) -> bytes | None:
        key = self._key(path)
        if self.remote and not fresh and key in self.machine.cached:
            return self.machine.cached[key]
        self._begin("get", path)
        data = None if self.machine.is_blind_to(key) else self.world.files.get(key)
        weather = self.world.weather
        if data is None and weather.blind and key not in self.machine.blind and self.world.happens(weather.blind):
            self.machine.blind[key] = self.world.turn + self.world.chance.randint(1, 30)
        if data is not None and self.remote and not path.endswith(".json"):
            self.machine.cached[key] = data
        return data

    def size(self, path: str) -> int | None:
        data = self.get(path, fresh=True)
        return None if data is None else len(data)

    def list(self, prefix: str) -> Iterator[str]:
        self._begin("list", prefix)
        hidden = f"{self._base}{STAGING}/" if self._base and not prefix else None
        keys = sorted(key for key in self._below(prefix) if hidden is None or not key.startswith(hidden))
        return iter([key[len(self._base) :] for key in keys])

    def sizes(self, prefix: str) -> Iterator[FileSize]:
        self._begin("sizes", prefix)
        return iter([FileSize(key[len(self._base) :], len(self.world.files[key])) for key in self._below(prefix)])

    def folders(self, prefix: str) -> builtins.list[str]:
        start = len(prefix) + 1 if prefix else 0
        rests = (path[start:].partition("/") for path in self.list(prefix))
        return sorted({name for name, slash, _ in rests if slash})

    def local_file(self, path: str, *, fresh: bool = False) -> Path:
        data = self.get(path, fresh=fresh)
        if data is None:
            raise NotFoundError(f"no file {path!r} in {self.uri}")
        return self.world.native(self._key(path), data)

    def _below(self, prefix: str) -> builtins.list[str]:
        start = f"{self._base}{prefix}/" if prefix else self._base
        return [key for key in self.world.files if key.startswith(start) and not self.machine.is_blind_to(key)]

    # --- writing ----------------------------------------------------------------------------------------------------

    def put_if_absent(
        self, path: str, data: bytes, *, make: bool = True, visible: Callable[[], None] | None = None
    ) -> bool:
        key, world = self._key(path), self.world
        self._begin("put_if_absent", path)
        self._lose(key, data, exclusive=True)
        if not world.create(key, data):
            world.tell(self.machine, "  exists")
            return False
        if visible is not None:
            visible()
        world.pause(self.machine, f"  {path} becomes durable")
        world.sync(key)
        if world.may_fail(self.machine) and world.happens(world.weather.lies):
            world.tell(self.machine, "  created, and told that it exists")
            return False
        return True

    def put(self, path: str, data: bytes) -> None:
        key = self._key(path)
        self._begin("put", path)
        self._lose(key, data, exclusive=False)
        self.world.replace(key, data)

    def sync(self, path: str) -> None:
        self._begin("sync", path)
        if self._key(path) not in self.world.files:
            raise NotFoundError(f"no file {path!r} in {self.uri}")
        if self.world.may_fail(self.machine) and self.world.happens(self.world.weather.lost):
            raise _silent(f"{path} may not be durable")
        self.world.sync(self._key(path))

    def delete(self, path: str) -> None:
        self._begin("delete", path)
        self.world.remove(self._key(path))

    def writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        check_path(path)
        return self._writer(path)

    @contextmanager
    def _writer(self, path: str) -> Iterator[BinaryIO]:
        self._begin("writer", path)
        if self._key(path) in self.world.files:
            raise AlreadyExistsError(f"{path!r} exists in {self.uri}")
        sink = _Sink()
        yield sink
        sink.close()
        self._begin("writer_close", path)
        self._lose(self._key(path), sink.content, exclusive=True)
        self.world.replace(self._key(path), sink.content)

    def _begin(self, verb: str, path: str) -> None:
        if self._base or path:
            check_path(path) if path else None
        self.world.pause(self.machine, f"{verb} {path}")
        self.world.refuse(self.machine)

    def _lose(self, key: str, data: bytes, *, exclusive: bool) -> None:
        """Perhaps leave a write without an answer, whatever has become of it."""
        world = self.world
        if not (world.weather.lost and world.may_fail(self.machine) and world.happens(world.weather.lost)):
            return
        what = world.chance.choice(["done", "not durable", "nothing", "late"])
        world.tell(self.machine, f"  no answer: {what}")
        if what == "late":
            world.postpone(key, data, exclusive=exclusive)
        elif what == "done" and not exclusive:
            world.replace(key, data)
        elif what != "nothing" and exclusive and world.create(key, data) and what == "done":
            world.sync(key)
        raise _silent(f"no answer about {key}")

    # --- about the place --------------------------------------------------------------------------------------------

    def queue(self) -> LockQueue | None:
        return None

    def commit_mode(self) -> str | None:
        return "link"

    def publishing(self, commit_mode: str) -> SimulatedStore:
        return self

    def forget(self, path: str) -> None:
        self.machine.cached.pop(self._key(path), None)

    def recall(self, name: str) -> bytes | None:
        return self.machine.notes.get(f"{self._base}{name}") if self.remote else None

    def remember(self, name: str, data: bytes) -> None:
        if self.remote:
            self.machine.notes[f"{self._base}{name}"] = data

    def spool_folder(self) -> None:
        return None

    def scope(self, folder: str) -> SimulatedStore:
        return SimulatedStore(self.world, self.machine, f"{self._base}{check_path(folder)}/")

    def writable(self) -> bool:
        return True

    def _key(self, path: str) -> str:
        return self._base + check_path(path)


def _silent(what: str) -> StorageError:
    return StorageError(what, code="doubtful")


class _Sink(io.BytesIO):
    """Keeps its content when a block closes it, as Parquet writers like to do."""

    content = b""

    def close(self) -> None:
        if not self.closed:
            self.content = self.getvalue()
        super().close()
