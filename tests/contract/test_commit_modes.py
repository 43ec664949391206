"""How entries are published where there are hard links, where there are none, and where there is nothing at all."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

import localreg
from localreg.errors import InvalidInputError, ReadOnlyError, StorageError
from localreg.storage import LocalStore, publishing
from localreg.storage.publishing import rename_noreplace
from tests.contract.test_local_store import files, mounted, renaming

PROCESSES, ROUNDS, PATIENCE_S = 4, 40, 60
REFUSALS = [errno.EPERM, errno.ENOTSUP, errno.ENOSYS]


def refuse(number: int) -> object:
    def fail(source: str, target: str) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def without_links(monkeypatch: pytest.MonkeyPatch, number: int = errno.EPERM) -> None:
    monkeypatch.setattr(os, "link", refuse(number))


def without_renames(monkeypatch: pytest.MonkeyPatch, number: int = errno.EINVAL) -> None:
    monkeypatch.setitem(publishing.PUBLISH, "rename-noreplace", refuse(number))


def race(root: Path, me: int, barrier: Barrier, won: SimpleQueue[tuple[int, int]]) -> None:
    store = LocalStore(root, commit_mode="rename-noreplace")
    for turn in range(ROUNDS):
        barrier.wait(PATIENCE_S)
        if store.put_if_absent(f"log/{turn}", f"{me} in {turn}".encode()):
            won.put((turn, me))


def make(folder: Path, links: bool, barrier: Barrier, made: SimpleQueue[tuple[int, str, bool]]) -> None:
    """One of the processes that make the same registries at the same moments."""
    if not links:
        os.link = refuse(errno.EPERM)  # type: ignore[assignment]
    for turn in range(ROUNDS):
        barrier.wait(PATIENCE_S)
        registry = localreg.open(folder / str(turn), actor="racer")
        made.put((turn, registry.id, registry.read_only))


# Renaming


def test_of_processes_that_rename_exactly_one_creates(tmp_path: Path) -> None:
    renaming(tmp_path)
    context = multiprocessing.get_context("spawn")
    barrier, won = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [context.Process(target=race, args=(tmp_path, me, barrier, won)) for me in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    winners = [won.get() for _ in range(ROUNDS)]
    assert won.empty()
    for turn, winner in winners:
        assert LocalStore(tmp_path).get(f"log/{turn}") == f"{winner} in {turn}".encode()


def test_a_rename_replaces_nothing_and_leaves_its_source(tmp_path: Path) -> None:
    renaming(tmp_path)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("old")
    with pytest.raises(FileExistsError):
        rename_noreplace(str(source), str(target))
    assert (source.read_text(), target.read_text()) == ("new", "old")
    target.unlink()
    rename_noreplace(str(source), str(target))
    assert target.read_text() == "new"
    assert not source.exists()
    with pytest.raises(FileNotFoundError):
        rename_noreplace(str(source), str(tmp_path / "other"))


@pytest.mark.skipif(os.name != "posix", reason="syncs folders")
def test_a_renamed_file_is_synced_before_and_its_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = renaming(tmp_path)
    store.put_if_absent("log/1", b"x")
    fsync, rename, seen = os.fsync, rename_noreplace, []

    def sync(descriptor: int) -> None:
        seen.append("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        fsync(descriptor)

    def publish(source: str, target: str) -> None:
        seen.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setitem(publishing.PUBLISH, "rename-noreplace", publish)
    assert store.put_if_absent("log/2", b"x")
    assert seen == ["fsync file", "rename", "fsync folder"]
    assert files(store) == ["log/1", "log/2"]


def test_a_lost_rename_leaves_nothing_behind(tmp_path: Path) -> None:
    store = renaming(tmp_path)
    assert store.put_if_absent("log/1", b"x")
    assert not store.put_if_absent("log/1", b"y")
    assert files(store) == ["log/1"]


# What a place allows


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_processes_that_make_one_registry_at_once_find_the_same_mode(tmp_path: Path, links: bool) -> None:
    renaming(tmp_path)
    context = multiprocessing.get_context("spawn")
    barrier, made = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [context.Process(target=make, args=(tmp_path, links, barrier, made)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    answers = {made.get() for _ in range(PROCESSES * ROUNDS)}
    assert len(answers) == ROUNDS  # one id for each, whoever asked
    assert not any(read_only for _, _, read_only in answers)
    wanted = '"commit_mode":"link"' if links else '"commit_mode":"rename-noreplace"'
    for turn in range(ROUNDS):
        assert wanted in (tmp_path / str(turn) / "localreg.json").read_text()
        assert [path.name for path in (tmp_path / str(turn)).iterdir()] == ["localreg.json"]


def test_links_are_preferred(tmp_path: Path) -> None:
    localreg.open(tmp_path).create_model("a")
    assert '"commit_mode":"link"' in (tmp_path / "localreg.json").read_text()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("number", REFUSALS)
def test_without_links_a_registry_is_made_with_renames_and_stays_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    renaming(tmp_path)
    with monkeypatch.context() as patch:
        without_links(patch, number)
        registry = localreg.open(tmp_path / "r", actor="ana")
        registry.create_model("a")
    assert '"commit_mode":"rename-noreplace"' in (tmp_path / "r/localreg.json").read_text()
    again = localreg.open(tmp_path / "r", actor="ben")
    assert not again.read_only
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", lambda *_: pytest.fail("linked"))
        again.create_model("b")
    assert registry.commit == 2
    assert registry.verify().ok
    record = registry.audit(kind="registry").dicts()[0]
    assert "rename-noreplace" in str(record["after"])


def test_without_the_system_call_for_links_a_registry_is_made_and_opened_again(tmp_path: Path) -> None:
    renaming(tmp_path)
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    program = "import sys, localreg; localreg.open(sys.argv[1]).create_model(sys.argv[2])"
    calls = "link,linkat"
    command = ["strace", "-f", "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={calls}:error=EPERM"]
    for name in "ab":
        run = subprocess.run(
            [*command, sys.executable, "-c", program, str(tmp_path / "r"), name], capture_output=True, text=True
        )
        if "ptrace" in run.stderr:
            pytest.skip(f"strace cannot be used here: {run.stderr.splitlines()[0]}")
        assert run.returncode == 0, run.stderr
    registry = localreg.open(tmp_path / "r")
    assert [row["name"] for row in registry.models()] == ["a", "b"]
    assert registry.verify().ok
    assert '"commit_mode":"rename-noreplace"' in (tmp_path / "r/localreg.json").read_text()


def test_where_nothing_is_exclusive_a_registry_is_refused_and_a_single_writer_must_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    without_renames(monkeypatch)
    with pytest.raises(StorageError, match=r"no hard links.*commit_mode='single-writer'") as caught:
        localreg.open(tmp_path)
    assert caught.value.code == "no_commit_mode"
    assert list(tmp_path.iterdir()) == []
    assert localreg.open(tmp_path, commit_mode="single-writer").commit == 0


def test_a_rename_that_replaces_in_spite_of_being_asked_not_to_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_links(monkeypatch)
    monkeypatch.setitem(publishing.PUBLISH, "rename-noreplace", os.replace)
    assert LocalStore(tmp_path, staging="").commit_mode() is None
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_replaces_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", lambda source, target: shutil.copy(source, target))
    without_renames(monkeypatch)
    assert LocalStore(tmp_path, staging="").commit_mode() is None


def test_a_link_that_always_finds_something_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: str, target: str) -> None:
        if target.endswith(".aside.tmp"):
            raise OSError(errno.ENOTSUP, "not supported")
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", link)
    without_renames(monkeypatch)
    assert LocalStore(tmp_path, staging="").commit_mode() is None


def test_a_registry_of_links_in_a_place_without_links_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = localreg.open(tmp_path)
    registry.create_model("a")
    with monkeypatch.context() as patch:
        without_links(patch)
        with pytest.raises(StorageError, match=r"hard links .*has none.*nothing was changed; copy it") as caught:
            registry.create_model("b")
        assert caught.value.code == "no_commit_mode"
        assert [row["name"] for row in registry.models()] == ["a"]
    registry.create_model("b")
    assert registry.commit == 2


def test_the_mode_of_a_registry_that_is_there_stays(tmp_path: Path) -> None:
    localreg.open(tmp_path, commit_mode="link")
    localreg.open(tmp_path, commit_mode="link")
    with pytest.raises(InvalidInputError, match="made with the commit mode 'link'"):
        localreg.open(tmp_path, commit_mode="single-writer")
    with pytest.raises(InvalidInputError, match="must be one of link, rename-noreplace, conditional, single-writer"):
        localreg.open(tmp_path, commit_mode="hope")
    with pytest.raises(InvalidInputError, match="such a place has 'link' or 'rename-noreplace' or 'single-writer'"):
        localreg.open(tmp_path, commit_mode="conditional")
    with pytest.raises(InvalidInputError, match="unknown commit mode"):
        LocalStore(tmp_path, commit_mode="hope")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions bind: not root")
def test_a_place_that_may_not_be_written_is_told_as_such(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(ReadOnlyError):
        LocalStore(tmp_path, staging="").commit_mode()


@pytest.mark.root
def test_a_registry_on_a_disk_without_links(tmp_path: Path) -> None:
    program = next((name for name in ("mkfs.vfat", "mkfs.exfat") if shutil.which(name)), None)
    if program is None:
        pytest.skip("no mkfs for a file system without links")
    image, folder = tmp_path / "image", tmp_path / "mount"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run([program, str(image)], check=True, capture_output=True)
    folder.mkdir()
    with mounted("-o", "loop", str(image), at=folder):
        registry = localreg.open(folder / "r")
        registry.create_model("a")
        assert '"commit_mode":"rename-noreplace"' in (folder / "r/localreg.json").read_text()
        assert registry.verify().ok
