"""Many lives of one program: it loads everything once, and a fork of it does the work, and dies, each time.

The program calls `serve`; tests hold it by `forking`, which starts it once, and have a `child` for each life. That is
a process of its own, which shares nothing with the next one but what was in memory before either.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.crash.pipes import read_line

__all__ = ["Child", "Program", "forking", "hear", "say", "serve"]

PROJECT = Path(__file__).parents[2]
SEPARATOR = "\t"


# In the program


def say(text: str) -> None:
    """One write to the pipe: whole, and not in any buffer of ours when a kill comes.

    By a call of its own, as in `hear`: tests let the usual ones fail.
    """
    os.writev(1, [f"{text}\n".encode()])


def hear() -> str:
    """The next line of the standard input, and not a byte beyond: the rest may be for another process."""
    line, byte = bytearray(), bytearray(1)
    while not line.endswith(b"\n") and os.readv(0, [byte]):
        line += byte
    return line.decode().removesuffix("\n")


def serve(live: Callable[..., None]) -> None:
    """Fork for each line, and live with its words, separated by tabs; say how each life ended, as `wait` tells it."""
    while line := hear():
        child = os.fork()
        if child == 0:
            try:
                say(str(os.getpid()))
                live(*line.split(SEPARATOR))
                os._exit(0)
            except BaseException:
                with suppress(OSError):  # whatever fails in the child, it must not go on as its parent
                    traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(child, 0)
        say(f"{_ENDED}{os.waitstatus_to_exitcode(status)}")


_ENDED = "ended "


# In the test


@dataclass
class Child:
    """One life.

    Attributes:
        pid: of its process.
        code: how it ended, as `Popen.returncode`; None before `said` has come to its end.
    """

    program: subprocess.Popen[bytes]
    pid: int
    code: int | None = None

    @property
    def voice(self) -> IO[bytes]:
        """What it says, to be waited for; heard by `line`."""
        assert self.program.stdout is not None
        return self.program.stdout

    def tell(self, line: str = "go") -> None:
        """Send it a line."""
        assert self.program.stdin is not None
        self.program.stdin.write(f"{line}\n".encode())

    def line(self) -> str | None:
        """The next that it says, without the end of the line; None if it is dead and has said all."""
        if self.code is not None:
            return None
        line = read_line(self.voice)
        assert line.endswith("\n"), "the program itself has ended"
        if line.startswith(_ENDED):
            self.code = int(line.removeprefix(_ENDED))
            return None
        return line.removesuffix("\n")

    def rest(self) -> list[str]:
        """All that it still says until it is dead."""
        return list(iter(self.line, None))

    def kill(self) -> None:
        """As `kill -9` does; what it had said before can still be had. `code` tells if it was dead already."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Program:
    """A program that forks."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @contextmanager
    def child(self, *words: str) -> Iterator[Child]:
        """One life, dead and reaped afterwards whatever happens."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{SEPARATOR.join(words)}\n".encode())
        child = Child(self._process, int(read_line(self._process.stdout)))
        try:
            yield child
        finally:
            if child.code is None:
                child.kill()
                child.rest()


@contextmanager
def forking(module: str, *arguments: str, **environment: str) -> Iterator[Program]:
    """A program that has loaded all it needs, ended and reaped afterwards whatever happens."""
    command = [sys.executable, "-m", module, *arguments]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen(command, cwd=PROJECT, env=os.environ | environment, **pipes) as process:
        try:
            assert read_line(process.stdout) == "ready\n"
            yield Program(process)
        finally:
            process.kill()
