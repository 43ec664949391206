"""How ratios are measured: ours and the limit in turn, in one run, on a real disk; medians of each."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs", "devtmpfs"}


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        what: what is measured, ÷ what it is measured against.
        ratio: median of ours ÷ median of the limit.
        at_most: what it must reach; None = told for comparison only.
        ours: seconds, median.
        limit: seconds, median.
    """

    what: str
    ratio: float
    at_most: float | None
    ours: float = field(default=float("nan"))
    limit: float = field(default=float("nan"))


@dataclass(frozen=True)
class Bench:
    """Where to measure, and how thoroughly.

    Attributes:
        folder: empty, on a real disk.
        rounds: multiplies the number of repetitions.
        large: also what takes many minutes to set up.
    """

    folder: Path
    rounds: int
    large: bool = False

    def fresh(self) -> Path:
        """A path in the folder where nothing is yet."""
        return self.folder / uuid4().hex

    def compare(
        self, what: str, ours: Callable[[], object], limit: Callable[[], object], *, at_most: float | None, times: int
    ) -> Figure:
        """Both in turn, so that both see the same noise."""
        ours(), limit()
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(times * self.rounds):
            taken[0].append(seconds(ours))
            taken[1].append(seconds(limit))
        medians = [statistics.median(each) for each in taken]
        return Figure(what, medians[0] / medians[1], at_most, *medians)


def seconds(act: Callable[[], object]) -> float:
    """How long an act takes."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def process_seconds(code: str) -> float:
    """How long a piece of Python takes in a fresh process, without the start of the interpreter."""
    timed = f"import time; begin = time.perf_counter()\n{code}\nprint(time.perf_counter() - begin)"
    run = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(run.stdout.splitlines()[-1])


def raw_commit(folder: Path, data: bytes = b"x" * 4096) -> None:
    """The least that an atomic, durable commit takes: temp file, fsync, link, fsync of the folder, unlink."""
    name = uuid4().hex
    temporary = os.fspath(folder / f"{name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)
    os.link(temporary, folder / name)
    sync_folder(folder)
    os.unlink(temporary)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@contextmanager
def bench_folder(parent: Path) -> Iterator[Path]:
    """An empty folder on a real disk, removed afterwards."""
    kind = file_system(parent)
    if kind in MEMORY_FILE_SYSTEMS:
        raise SystemExit(f"{parent} is {kind}, where fsync costs nothing and no ratio means anything; pass --folder")
    folder = parent / f".benchmark-{uuid4().hex[:8]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def file_system(path: Path) -> str:
    """The kind of file system that a path lies on; "unknown" where /proc does not tell."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    inside = [(point, kind) for point, kind in found if path.resolve().is_relative_to(point)]
    return max(inside, key=lambda mount: len(mount[0]), default=("", "unknown"))[1]
