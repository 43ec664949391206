"""Disks that begin to refuse under an open handle, and stop: they are read-only, locked, or limited for a while."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest

import localreg
from localreg import Registry
from localreg.errors import LocalregError, ReadOnlyError, StorageError
from tests.crash.scenarios import view
from tests.mounts import loop_ext4, remount, tmpfs
from tests.pictures import Picture, TestCase, Truth

pytestmark = pytest.mark.skipif(os.name != "posix", reason="about what POSIX systems refuse")

Refusal: TypeAlias = Callable[[], AbstractContextManager[None]]


@contextmanager
def read_only(mount: Path) -> Iterator[None]:
    remount(mount, "ro")
    try:
        yield
    finally:
        remount(mount, "rw")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """As `chattr +i` does, with all that is in it: nobody may make or remove a name there, root neither."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    done = subprocess.run(["chattr", "+i", *map(str, folders)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file can be locked here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *map(str, folders)], check=True)


@contextmanager
def no_longer_than(size: int) -> Iterator[None]:
    """Files beyond so many bytes are refused to this process. Python has the signal that comes with it ignored."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_more_files(mount: Path) -> Iterator[None]:
    """All numbers for files are taken."""
    ballast = mount / "ballast"
    ballast.mkdir()
    try:
        with suppress(OSError):
            for number in range(10_000):
                (ballast / str(number)).touch()
        yield
    finally:
        for path in ballast.iterdir():
            path.unlink()
        ballast.rmdir()


def create(registry: Registry) -> None:
    registry.create_model("new")


def upload(registry: Registry) -> None:
    with localreg.use(registry):
        TestCase("case", test_samples=[(Picture(1), Truth("x"))])


def transact(registry: Registry) -> None:
    with registry.transaction():
        registry.create_model("one")
        registry.get_model("old").update(metadata={"note": "x" * 10_000})


def attach(registry: Registry) -> None:
    registry.get_version("old@1").upload(Path(__file__), name="weights")


def train(registry: Registry) -> None:
    with registry.experiment("e", strict=True, code=False) as experiment:
        experiment.log({"x": 1.0})


def take_a_snapshot(registry: Registry) -> None:
    registry.snapshot()


ACTS = [create, upload, transact, attach, train, take_a_snapshot]


def check(folder: Path, refusal: Refusal, expected: type[LocalregError], code: str | None = None) -> None:
    """While it lasts all is refused by our error and nothing changes; afterwards the same handle does it all."""
    registry = localreg.open(folder, actor="ana")
    registry.create_model("old").create_version("1")
    before = view(registry._session.state())
    with refusal():
        for act in ACTS:
            with pytest.raises(expected) as caught:
                act(registry)
            assert code in (None, caught.value.code)
            assert str(folder) in str(caught.value)
            assert view(registry._session.state()) == before
            with localreg.open(folder, read_only=True) as other:
                assert view(other._session.state()) == before
                assert other.verify().ok
    for act in ACTS:
        act(registry)
    (point,) = registry.get_experiment("e").points("x")
    assert (point["value"], registry.get_experiment("e").status) == (1.0, "finished")
    assert registry.verify().ok
    assert not [path for path in folder.rglob(".*.tmp") if path.is_file()]
    assert localreg.open(folder).commit == registry.commit
    registry.close()


@pytest.mark.root
def test_a_disk_in_memory_that_becomes_read_only_refuses_and_goes_on_when_it_may_be_written(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "mount") as mount:
        check(mount / "registry", lambda: read_only(mount), ReadOnlyError)


@pytest.mark.root
def test_a_disk_that_becomes_read_only_refuses_and_goes_on_when_it_may_be_written(tmp_path: Path) -> None:
    with loop_ext4(tmp_path / "mount") as mount:
        check(mount / "registry", lambda: read_only(mount), ReadOnlyError)


@pytest.mark.root
def test_folders_that_are_locked_refuse_and_go_on_when_they_are_not(tmp_path: Path) -> None:
    with loop_ext4(tmp_path / "mount") as mount:
        check(mount / "registry", lambda: locked(mount / "registry"), ReadOnlyError)


@pytest.mark.parametrize("size", [0, 100, 1_000])
def test_a_limit_on_the_length_of_files_refuses_and_leaves_no_half_of_one(tmp_path: Path, size: int) -> None:
    check(tmp_path / "registry", lambda: no_longer_than(size), StorageError)


def test_half_a_point_that_met_a_limit_is_none_and_those_before_and_after_are_there(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry", actor="ana")
    experiment = registry.experiment("e", strict=True, flush_every=3_600.0, code=False)
    experiment.log({"x": 1.0})
    (spool,) = tmp_path.rglob("*.jsonl")
    with no_longer_than(spool.stat().st_size + 5), pytest.raises(StorageError, match="free some room"):
        experiment.log({"x": 2.0})
    experiment.log({"x": 3.0})
    assert [row["value"] for row in localreg.open(registry.uri).get_experiment("e").points("x")] == [1.0, 3.0]
    experiment.finish()
    assert [row["value"] for row in experiment.points("x", live=False)] == [1.0, 3.0]


@pytest.mark.root
def test_a_disk_without_room_for_another_file_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "mount", nr_inodes=300) as mount:
        check(mount / "registry", lambda: no_more_files(mount), StorageError, "disk_full")
