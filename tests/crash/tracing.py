"""strace, for tests: the calls that a process makes, and those that it is killed at, or that fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.crash.pipes import PATIENCE_S, read_line

__all__ = [
    "CHANGING",
    "MAKING",
    "READING",
    "SAYING",
    "Call",
    "calls_of",
    "kill_at",
    "strace",
    "strace_refusal",
    "unsynced",
    "watched",
]

MAKING = ("write", "pwrite64", "link", "linkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "fsync")
"""Calls for which a full disk may have no room."""
CHANGING = (*MAKING, "fdatasync", "ftruncate", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat")
"""Calls that change what is on the disk, beside `openat`, which may."""
READING = (
    "openat",
    "read",
    "pread64",
    "getdents64",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "access",
    "close",
)

SAYING = ("writev",)
"""By which programs of tests say what was acknowledged."""

_CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)")


@dataclass(frozen=True)
class Call:
    """A call of the system that has to do with a folder.

    Attributes:
        name: of the call.
        number: which call of that name it is in its thread, from 1.
        text: how strace shows it.
        before: how many calls of each name its thread had made before it.
    """

    name: str
    number: int
    text: str
    before: Counter[str]

    def __str__(self) -> str:
        return f"{self.name} {self.number}: {self.text}"

    @property
    def is_change(self) -> bool:
        """Whether the disk may be another one afterwards."""
        return self.name in CHANGING or (self.name == "openat" and "O_CREAT" in self.text)


@contextmanager
def strace(pid: int, *how: str) -> Iterator[None]:
    """Follow a process and its threads; when the block ends they go on alone."""
    command = ["strace", "-f", "-p", str(pid), *how]
    with subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0) as tracer:
        try:
            told = read_line(tracer.stderr)
            assert re.search(r"Process \d+ attached", told), told
            yield
        finally:
            tracer.terminate()


def kill_at(calls: str, k: int) -> list[str]:
    """Options of strace that kill a process at its k-th call of some kinds, counted from now on."""
    return ["-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={k}"]


def strace_refusal() -> str:
    """Why strace cannot be used here; "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", str(PATIENCE_S)]) as sleeper:
        try:
            with strace(sleeper.pid, *kill_at("fsync", 1)):
                return ""
        except AssertionError as error:
            return f"strace cannot attach to a process here: {error}"
        finally:
            sleeper.kill()


def watched(names: tuple[str, ...]) -> str:
    """An expression for calls that this processor may have."""
    return ",".join(f"?{name}" for name in names)


def calls_of(log: Path, folder: Path) -> list[Call]:
    """The calls in a log of strace (`-f -y -s 0`) that name the folder or a file within, by path or by descriptor."""
    counts: dict[str, Counter[str]] = {}
    calls: dict[tuple[str, int], Call] = {}
    for line in log.read_text(errors="replace").splitlines():
        found = _CALL.match(line)
        if found is None:  # the end of a call that was shown already, or of a thread
            continue
        before = counts.setdefault(found["thread"], Counter())
        name, call_before = found["name"], Counter(before)
        before[name] += 1
        if os.fspath(folder) in found["rest"]:
            text = found["rest"].replace(os.fspath(folder), "…")
            calls.setdefault((name, before[name]), Call(name, before[name], text, call_before))
    return list(calls.values())


@dataclass
class _Disk:
    """What a file system need not have kept if the power went now, whatever its kind.

    Attributes:
        names: of files and folders, in a folder that was not synced since.
        contents: of files that were not synced since.
    """

    names: set[str]
    contents: set[str]

    def take(self, name: str, rest: str) -> None:
        """A call that did well."""
        quoted = re.findall(r'"([^"]*)"', rest)
        opened = re.match(r"\d+<([^>]*)>", rest)
        match name:
            case "openat" if "O_CREAT" in rest:
                self.names.add(quoted[0])
            case "mkdir" | "mkdirat":
                self.names.add(quoted[0])
            case "write" | "pwrite64" | "ftruncate" if opened:
                self.contents.add(opened[1])
            case "fsync" | "fdatasync" if opened:
                self.contents.discard(opened[1])
                self.names = {each for each in self.names if os.path.dirname(each) != opened[1]}
            case "link" | "linkat" | "rename" | "renameat" | "renameat2":
                self._appear(*quoted[:2], stays=name.startswith("link"))
            case "unlink" | "unlinkat" | "rmdir":
                self.names.discard(quoted[0])
                self.contents.discard(quoted[0])

    def _appear(self, source: str, target: str, *, stays: bool) -> None:
        self.names.add(target)
        if source in self.contents:
            self.contents.add(target)
        if not stays:
            self.names.discard(source)
            self.contents.discard(source)


def unsynced(log: Path, folder: Path) -> list[str]:
    """What was not synced when something was acknowledged, by a log of strace; what lies in a `tmp` need not be."""
    disk, found = _Disk(set(), set()), []
    for line in log.read_text(errors="replace").splitlines():
        call = _CALL.match(line)
        if call is None or " = -1 " in line:
            continue
        if call["name"] in SAYING:
            left = {
                os.path.relpath(path, folder) for path in disk.names | disk.contents if path.startswith(f"{folder}/")
            }
            found += sorted(path for path in left if "tmp" not in Path(path).parts)
        disk.take(call["name"], call["rest"])
    return found
