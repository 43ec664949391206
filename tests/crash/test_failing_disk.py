"""Faults that were found by letting each system call fail in turn (`test_syscalls.py`), each by itself."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.errors import LocalregError, ReadOnlyError, StorageError
from localreg.session.presence import Presence


class Failing:
    """A call of the system that fails for some files, from now until `mended`.

    Attributes:
        count: how often it failed.
    """

    def __init__(self, patch: pytest.MonkeyPatch, name: str, when: Callable[[str], bool]) -> None:
        self.count = 0
        self.mended = False
        real = getattr(os, name)

        def failing(target: Any, *arguments: Any, **named: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else os.fspath(target)
            if not self.mended and when(str(path)):
                self.count += 1
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return real(target, *arguments, **named)

        patch.setattr(os, name, failing)


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux what a descriptor is of")


def values(registry: Registry, *, live: bool = False) -> list[float]:
    return [row["value"] for row in registry.get_experiment("e").points("x", live=live)]


def test_an_experiment_is_finished_though_nobody_could_remove_what_shows_its_process_alive(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stayed running, and was closed as killed once the process was gone."""
    experiment = registry.experiment("e", code=False)
    experiment.log({"x": 1.0})
    disk = Failing(monkeypatch, "unlink", lambda path: "/writers/" in path)
    experiment.finish()
    assert disk.count > 0
    assert (experiment.info.status, values(registry)) == ("finished", [1.0])


def test_an_experiment_goes_on_where_its_spool_cannot_be_removed(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign error came out of `flush` and `finish`, and points were kept waiting by it."""
    disk = Failing(monkeypatch, "unlink", lambda path: path.endswith(".jsonl"))
    experiment = registry.experiment("e", strict=True, flush_every=3_600.0, code=False)
    for value in (1.0, 2.0):
        experiment.log({"x": value})
        experiment.flush()
        assert values(other, live=True)[-1] == value
    experiment.finish()
    assert disk.count > 0
    assert values(registry) == values(registry, live=True) == [1.0, 2.0]


def test_points_come_through_after_a_disk_that_kept_half_a_part_of_them(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try met the remains of the first under its name, and so did all after it."""

    def is_part(path: str) -> bool:
        return "/open-" in path

    disks = [Failing(monkeypatch, call, is_part) for call in ("fsync", "unlink")]
    experiment = registry.experiment("e", strict=True, flush_every=3_600.0, code=False)
    experiment.log({"x": 1.0})
    for _ in range(2):
        with pytest.raises(StorageError):
            experiment.flush()
    for disk in disks:
        assert disk.count > 0
        disk.mended = True
    experiment.flush()
    experiment.finish()
    assert values(registry) == [1.0]
    assert registry.verify().ok


def test_an_experiment_that_was_begun_is_not_said_to_have_failed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commit was there, and the error said that nothing was changed."""
    with monkeypatch.context() as patch:
        failed: list[str] = []

        def refuse(presence: Presence, count: int) -> None:
            failed.append("once")
            raise StorageError("the disk does not answer")

        patch.setattr(Presence, "_renew", refuse)
        experiment = registry.experiment("e", code=False)
        assert failed
    experiment.log({"x": 1.0})
    experiment.finish()
    assert (experiment.info.status, values(registry)) == ("finished", [1.0])


def test_a_registry_is_made_though_the_sync_of_its_folder_fails_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`localreg.open` told that it could not tell whether its file was written, and did not look."""
    folder = tmp_path / "registry"
    folder.mkdir()
    failed: list[str] = []
    fsync = os.fsync

    def once(descriptor: int) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if path == str(folder) and not failed:
            failed.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", once)
    registry = localreg.open(folder)
    assert failed
    registry.create_model("new")
    assert localreg.open(folder).id == registry.id


def test_a_folder_that_cannot_be_looked_at_is_told_by_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "registry"
    folder.mkdir()
    disk = Failing(monkeypatch, "stat", lambda path: path == str(folder))
    with suppress(LocalregError):
        localreg.open(folder)
    assert disk.count > 0


def test_a_store_that_refuses_an_artifact_is_not_told_as_content_that_cannot_be_read(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code was lost, too, so that nobody could tell a full disk from a folder without permission."""
    version = registry.create_model("m").create_version("1")
    real = os.open

    def refusing(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_CREAT and "/artifacts/" in os.fspath(path):
            raise OSError(number, os.strerror(number), path)
        return real(path, flags, *arguments, **named)

    monkeypatch.setattr(os, "open", refusing)
    number = errno.ENOSPC
    with pytest.raises(StorageError, match="no room to write") as caught:
        version.upload(b"content", name="a")
    assert caught.value.code == "disk_full"
    number = errno.EACCES
    with pytest.raises(ReadOnlyError, match="may not write"):
        version.upload(b"content", name="a")


def test_an_artifact_is_stored_though_what_was_kept_meanwhile_cannot_be_removed(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign error came out of `upload`, which hid that of the store, or that all had gone well."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    version = registry.create_model("m").create_version("1")
    disk = Failing(monkeypatch, "rmdir", lambda path: "localreg-" in path)
    version.upload(b"content", name="a")
    assert disk.count > 0
    assert b"".join(version.get_artifact("a").stream()) == b"content"
