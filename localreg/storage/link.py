"""The file system of fsspec behind a remote store, in the words of keys: paths from the root of the address.

Nothing is judged here: what a client library raises comes through, and the store above makes sense of it.
"""

from __future__ import annotations

import builtins
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsspec import AbstractFileSystem

    from localreg.storage.address import Address

__all__ = ["Link", "joined"]

_T = TypeVar("_T")

IN_ONE_PUT: Final = 64_000_000
"""Bytes up to which a streamed file is sent from memory, in one request."""

_abandoned: builtins.list[object] = []
"""File systems of the process that we were forked from: to close them would wait for threads that are not here."""


class _Connection(NamedTuple):
    process: int
    fs: AbstractFileSystem
    root: str
    lock: threading.Lock


class Link:
    """The file system behind a store and its scopes, in the words of keys: paths from the root of the address."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._made: _Connection | None = None

    def __getstate__(self) -> Address:
        return self.address

    def __setstate__(self, address: Address) -> None:
        self.__init__(address)  # type: ignore[misc]

    def _connected(self) -> _Connection:
        """This process's file system. Two threads may make one each at first; either serves."""
        made = self._made
        if made is None or made.process != os.getpid():
            _abandoned.append(made)
            made = self._made = _Connection(os.getpid(), *self.address.connect(), threading.Lock())
        return made

    def run(self, act: Callable[[], _T]) -> _T:
        """Carry out calls of this link; one at a time where all threads share one channel, which they would jam."""
        made = self._connected()
        if made.fs.async_impl:  # has a thread of its own, that deals with many at once
            return act()
        with made.lock:
            return act()

    def renew(self) -> None:
        """After a silence: connect anew when next asked, where there is one connection for all, which may be dead.

        Others may be waiting for its answers, so it is only let go of.
        """
        if not self.address.exclusive:
            self._made = None

    def _at(self, key: str) -> tuple[AbstractFileSystem, str]:
        made = self._connected()
        return made.fs, joined(made.root, key)

    @property
    def _is_s3(self) -> bool:
        return self.address.protocol in ("s3", "s3a")

    def read(self, key: str) -> bytes:
        """The whole content."""
        fs, path = self._at(key)
        # With more than one part at once, s3fs asks for the size first: a second round trip for each small file.
        return cast(bytes, fs.cat_file(path, **({"max_concurrency": 1} if self._is_s3 else {})))

    def size(self, key: str) -> int | None:
        """Length in bytes; None of a folder."""
        fs, path = self._at(key)
        if self._is_s3:  # of a missing file, s3fs would go on to ask whether it is a folder
            bucket, name, _ = fs.split_path(path)
            return int(fs.call_s3("head_object", Bucket=bucket, Key=name)["ContentLength"])
        fs.invalidate_cache()
        found: dict[str, Any] = fs.info(path)
        return int(found["size"]) if found["type"] == "file" else None

    def fetch(self, key: str, into: Path) -> None:
        """Copy a file to this machine."""
        fs, path = self._at(key)
        if not self._is_s3 and not self.address.protocol.startswith("http") and not fs.isfile(path):
            raise FileNotFoundError(path)  # some make a folder of a folder
        fs.get_file(path, os.fspath(into))

    def below(self, start: str) -> builtins.list[str]:
        """Keys of all files that begin with `start`, which is a folder with its `/`, or empty; perhaps others, too."""
        fs, path = self._at(start.rstrip("/"))
        fs.invalidate_cache()
        return [self._key_of(found) for found in fs.find(path)]

    def sizes_below(self, start: str) -> dict[str, int | None]:
        """Lengths of the files that `below` gives, by key; None where a listing does not tell."""
        fs, path = self._at(start.rstrip("/"))
        fs.invalidate_cache()
        found: dict[str, dict[str, Any]] = fs.find(path, detail=True)
        return {self._key_of(name): info.get("size") for name, info in found.items()}

    def folders(self, start: str) -> builtins.list[str]:
        """Names of the folders directly in a folder."""
        fs, path = self._at(start)
        fs.invalidate_cache()
        found = [each["name"].rstrip("/") for each in fs.ls(path, detail=True) if each["type"] == "directory"]
        below = f"{start}/" if start else ""
        return [name.rpartition("/")[2] for name in found if self._key_of(name).startswith(below)]

    def _key_of(self, found: str) -> str:
        """A path of the file system as a key; some give a leading `/` that others leave out."""
        root = self._connected().root.strip("/")
        return found.strip("/").removeprefix(f"{root}/" if root else "") + ("/" if found.endswith("/") else "")

    def write(self, key: str, data: bytes) -> None:
        """Put, in place of what is there."""
        fs, path = self._at(key)
        if self.address.exclusive:
            fs.pipe_file(path, data)
        else:
            self._replace(path, lambda temporary: fs.pipe_file(temporary, data))

    def _replace(self, path: str, send: Callable[[str], object]) -> None:
        """Send a file to beside where it belongs, and rename it, where puts do not appear whole by themselves."""
        fs = self._connected().fs
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/.{name}.{os.urandom(8).hex()}.tmp"
        fs.makedirs(folder, exist_ok=True)
        send(temporary)
        fs.mv(temporary, path)

    def create(self, key: str, data: bytes) -> None:
        """Put only if absent: `pipe_file`, since `open("xb")` overwrites in some libraries when nothing is written."""
        fs, path = self._at(key)
        if self.address.exclusive:
            fs.pipe_file(path, data, mode="create")
        elif fs.exists(path):
            raise FileExistsError(path)
        else:
            self.write(key, data)

    def create_from(self, key: str, file: Path) -> None:
        """`create`, of a file that may be too large for one request."""
        if file.stat().st_size <= IN_ONE_PUT:
            self.create(key, file.read_bytes())
            return
        fs, path = self._at(key)
        if self.address.exclusive:
            fs.put_file(os.fspath(file), path, mode="create")
        elif fs.exists(path):
            raise FileExistsError(path)
        else:
            self._replace(path, lambda temporary: fs.put_file(os.fspath(file), temporary))

    def delete(self, key: str) -> None:
        """Remove a file."""
        fs, path = self._at(key)
        fs.rm_file(path)


def joined(root: str, path: str) -> str:
    """A path below a root, either of which may be empty."""
    if not root or not path:
        return root or path
    return f"{root}{'' if root.endswith('/') else '/'}{path}"
