"""strace, for tests: the calls that a process makes, and those that it is killed at, or that fail."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.crash.pipes import read_line

__all__ = ["CHANGING", "MAKING", "READING", "Call", "calls_of", "strace"]

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
