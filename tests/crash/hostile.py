"""What a person who may write a registry's folder may put there, to harm whoever opens it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PLACES", "SHAPES", "Place", "Shape", "namespace_of"]

Place = Callable[[Path], Path]
"""Where, in the folder of a registry."""
Shape = Callable[[Path], object]
"""What is put there; nothing is there before."""

TERABYTE = 1 << 40


def namespace_of(folder: Path) -> Path:
    return folder / "namespaces/default"


def entries(folder: Path) -> list[Path]:
    return sorted((namespace_of(folder) / "log").glob("*.parquet"))


def next_entry(folder: Path, ahead: int = 1) -> Path:
    last = entries(folder)[-1]
    return last.with_name(f"{int(last.stem) + ahead:020d}.parquet")


def of_table(folder: Path, table: str) -> Path:
    return sorted((namespace_of(folder) / "data" / table).rglob("*.parquet"))[0]


PLACES: dict[str, Place] = {
    "the registry's file": lambda folder: folder / "localreg.json",
    "the first entry": lambda folder: entries(folder)[0],
    "the newest entry": lambda folder: entries(folder)[-1],
    "the next entry": next_entry,
    "an entry ahead": lambda folder: next_entry(folder, 3),
    "a stray file of the log": lambda folder: namespace_of(folder) / "log/stray.parquet",
    "the hint": lambda folder: namespace_of(folder) / "snapshots/latest.json",
    "the newest snapshot": lambda folder: sorted((namespace_of(folder) / "snapshots").glob("*.parquet"))[-1],
    "a history segment": lambda folder: sorted((namespace_of(folder) / "history").glob("*.parquet"))[0],
    "a part of samples": lambda folder: of_table(folder, "test_samples"),
    "a part of inferences": lambda folder: of_table(folder, "inferences"),
    "a part of plots": lambda folder: of_table(folder, "plots"),
    "an artifact": lambda folder: sorted((namespace_of(folder) / "artifacts").rglob("*-*"))[0],
    "the queue's lock": lambda folder: namespace_of(folder) / "tmp/queue.lock",
    "the folder of staged files": lambda folder: namespace_of(folder) / "tmp",
    "the folder of snapshots": lambda folder: namespace_of(folder) / "snapshots",
    "the folder of history": lambda folder: namespace_of(folder) / "history",
    "the folder of the log": lambda folder: namespace_of(folder) / "log",
    "the folder of data": lambda folder: namespace_of(folder) / "data",
    "the namespace": lambda folder: namespace_of(folder),
    "the mark of protection": lambda folder: namespace_of(folder) / "protection.json",
    "the lease": lambda folder: namespace_of(folder) / "lease.json",
}


def a_terabyte(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(TERABYTE)


def a_socket(path: Path) -> None:
    """By a short relative name: those of sockets may have a hundred characters."""
    with socket.socket(socket.AF_UNIX) as made, _within(path.parent):
        made.bind(path.name[-60:])
        os.rename(path.name[-60:], path.name)


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("x")


SHAPES: dict[str, Shape] = {
    "a pipe": os.mkfifo,
    "a socket": a_socket,
    "a folder": full_folder,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link outward": lambda path: path.symlink_to("/etc/passwd"),
    "a sparse terabyte": a_terabyte,
}


def put(shape: Shape, path: Path) -> None:
    """In the place of whatever is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    shape(path)
