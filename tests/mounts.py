"""File systems of tests' own: in memory, or in a file of the disk.

They need root, and a kernel that lets them be mounted. A test that cannot have one skips, with what the system said.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["Disk", "loop_disk", "loop_ext4", "mounted", "remount", "tmpfs", "unmount"]

_MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}
_PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}

_SHUTDOWN = 0x8004587D
"""`FS_IOC_SHUTDOWN`, which ext4 and xfs have under names of their own, and the same number."""

_LOSE_THE_LOG = struct.pack("I", 2)
"""Not even what the journal holds in memory is written: as when the power goes."""


def _run(*command: str) -> str:
    """Run; what it complained of, "" if it did well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"{command[0]} ended with {done.returncode}"


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    """A file system at `folder`, which is made; gone afterwards.

    Args:
        folder: where.
        how: the rest of `mount`'s command line, such as `-t`, `tmpfs`, `tmpfs`.
    """
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir(parents=True, exist_ok=True)
    refusal = _run("mount", *how, str(folder))
    if refusal:
        pytest.skip(f"no mount is possible here: {refusal}")
    try:
        yield folder
    finally:
        if os.path.ismount(folder):
            unmount(folder)


def unmount(folder: Path) -> None:
    """Take a file system away; one that is still looked at goes when that ends, and fails the test."""
    refusal = _run("umount", str(folder))
    if refusal:
        _run("umount", "-l", str(folder))
        pytest.fail(f"{folder} could not be unmounted: {refusal}")


def remount(folder: Path, how: str) -> None:
    """Change how a file system is mounted: `ro`, or `rw`."""
    refusal = _run("mount", "-o", f"remount,{how}", str(folder))
    assert not refusal, refusal


@contextmanager
def tmpfs(folder: Path, **options: str | int) -> Iterator[Path]:
    """A file system in memory, with options such as `size="256k"`, `nr_inodes=20`."""
    told = ",".join(f"{name}={value}" for name, value in options.items())
    with mounted(folder, "-t", "tmpfs", *(["-o", told] if told else []), "tmpfs") as folder:
        yield folder


class Disk:
    """A file system in a file, whose power can be cut.

    Attributes:
        folder: where it is mounted.
        fails_when_cut: whether all calls fail after a cut. If not, they go on as if nothing had happened.
    """

    def __init__(self, image: Path, folder: Path, kind: str) -> None:
        self.folder = folder
        self.fails_when_cut = kind != "btrfs"
        self._image, self._kept = image, image.with_suffix(".kept")

    def mount(self) -> None:
        """Mount it; what it had begun before a cut is taken up or forgotten, as a journal does."""
        refusal = _run("mount", "-o", "loop", str(self._image), str(self.folder))
        assert not refusal, refusal

    def unmount(self) -> None:
        """Take it away, and with it what a cut has lost."""
        unmount(self.folder)
        if self._kept.exists():
            self._kept.replace(self._image)

    def cut(self, writers: Sequence[int] = ()) -> None:
        """From now on nothing reaches the disk that has not reached it yet.

        Args:
            writers: processes that write. Where a disk cannot be made to fail they stand still from now on.
        """
        if not self.fails_when_cut:
            for pid in writers:
                os.kill(pid, signal.SIGSTOP)
            refusal = _run("cp", "--sparse=always", str(self._image), str(self._kept))
            assert not refusal, refusal
            return
        root = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(root, _SHUTDOWN, _LOSE_THE_LOG)
        finally:
            os.close(root)


@contextmanager
def loop_disk(folder: Path, kind: str, mb: int) -> Iterator[Disk]:
    """A file system in a file beside `folder`, mounted there; both are gone afterwards.

    Args:
        folder: where.
        kind: `ext4`, `xfs` (from 300 MB), `btrfs` (from 110 MB).
        mb: its size. The file has holes: what is not written takes no room.
    """
    if shutil.which(_MAKE[kind][0]) is None:
        pytest.skip(f"{_MAKE[kind][0]} is not installed: it comes with {_PACKAGES[kind]}")
    image = folder.parent / f"{folder.name}.img"
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(mb * 2**20)
    try:
        refusal = _run(*_MAKE[kind], str(image))
        assert not refusal, refusal
        with mounted(folder, "-t", kind, "-o", "loop", str(image)):
            yield Disk(image, folder, kind)
    finally:
        image.unlink(missing_ok=True)
        image.with_suffix(".kept").unlink(missing_ok=True)


@contextmanager
def loop_ext4(folder: Path, mb: int = 32) -> Iterator[Path]:
    """A file system of Linux's usual kind; see `loop_disk`."""
    with loop_disk(folder, "ext4", mb) as disk:
        yield disk.folder
