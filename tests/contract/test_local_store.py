from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localreg.errors import (
    AlreadyExistsError,
    InvalidInputError,
    LocalregError,
    ReadOnlyError,
    StorageError,
)
from localreg.storage import LocalStore, disk, publishing
from localreg.storage import local as local_module
from localreg.storage.publishing import rename_noreplace
from tests.contract.store_contract import StoreContract
from tests.users import open_folder, without_privileges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

    from localreg.storage import Store

PROCESSES = 4
ROUNDS = 40
PATIENCE_S = 30

posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX permissions and calls")


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path / "made" / "on demand")


class TestRootOfRegistry(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path, staging="")


class TestScopeOfLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(tmp_path, staging="").scope("namespaces/vision")


class TestScopeOfRegistry(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return registry(tmp_path).scope("namespaces/vision")


class TestStoreThatRenames(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return renaming(tmp_path)


class TestScopeOfStoreThatRenames(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return renaming(tmp_path).scope("namespaces/vision")


def renaming(folder: Path) -> LocalStore:
    store = LocalStore(folder, commit_mode="rename-noreplace")
    if not can_rename(folder):
        pytest.skip("this file system or platform has no exclusive rename")
    return store


def can_rename(folder: Path) -> bool:
    source, target = folder / "can.source", folder / "can.target"
    source.touch()
    try:
        rename_noreplace(str(source), str(target))
    except OSError:
        return False
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    return True


def registry(folder: Path) -> LocalStore:
    """A root known by its marker."""
    root = LocalStore(folder, staging="", marker="localreg.json")
    root.put_if_absent("localreg.json", b"{}")
    return root


@pytest.fixture(params=["tmp", ""], ids=["staging folder", "staged beside"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path, staging=request.param)


# Races


def race(root: Path, me: int, barrier: Barrier, won: SimpleQueue[tuple[int, int]]) -> None:
    store = LocalStore(root)
    for turn in range(ROUNDS):
        barrier.wait(PATIENCE_S)  # breaks when another process has failed: none is left hanging
        if store.put_if_absent(f"log/{turn}", f"{me} in {turn}".encode()):
            won.put((turn, me))


def test_of_racing_processes_exactly_one_creates_and_its_content_stays(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, won = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [context.Process(target=race, args=(tmp_path, me, barrier, won)) for me in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(2 * PATIENCE_S)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    winners = [won.get() for _ in range(ROUNDS)]
    assert won.empty()
    assert sorted(turn for turn, _ in winners) == list(range(ROUNDS))
    store = LocalStore(tmp_path)
    for turn, winner in winners:
        assert store.get(f"log/{turn}") == f"{winner} in {turn}".encode()
    assert temporaries(tmp_path) == []


# A root that vanishes


def move_away(folder: Path) -> None:
    folder.rename(folder.with_name("away"))


def unmount(folder: Path) -> None:
    move_away(folder)
    folder.mkdir()


VANISHING: dict[str, Callable[[Path], None]] = {"moved": move_away, "an empty folder in its place": unmount}


@pytest.mark.parametrize("vanish", VANISHING)
@pytest.mark.parametrize("verb", ["put", "put_if_absent", "writer"])
@pytest.mark.parametrize("folder", ["namespaces/vision", "namespaces/new"])
def test_nothing_is_made_where_the_registry_was(tmp_path: Path, vanish: str, verb: str, folder: str) -> None:
    place = tmp_path / "registry"
    root = registry(place)
    root.scope("namespaces/vision").put_if_absent("a/0", b"")
    VANISHING[vanish](place)
    was_there = place.exists()
    for scope in (root.scope(folder), root.scope("namespaces").scope(folder.rpartition("/")[2])):
        scope = pickle.loads(pickle.dumps(scope))
        with pytest.raises(StorageError, match=r"localreg\.json is not there any more.*put it back, or open") as caught:
            VERBS[verb](scope)
        assert caught.value.code == "registry_gone"
        assert "a/1" in str(caught.value)
    assert place.exists() == was_there
    assert not was_there or list(place.iterdir()) == []


def test_a_root_that_vanishes_while_folders_are_made_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "registry"
    scope = registry(place).scope("namespaces/vision")
    shutil.rmtree(place)
    monkeypatch.setattr(os.path, "isfile", lambda path: True)
    with pytest.raises(StorageError, match="nothing was changed"):
        scope.put_if_absent("a/1", b"")
    assert not place.exists()


def test_within_a_registry_that_is_there_folders_are_made(tmp_path: Path) -> None:
    scope = registry(tmp_path).scope("namespaces/vision")
    scope.put("a/1", b"x")
    shutil.rmtree(tmp_path / "namespaces")
    scope.put("a/1", b"y")
    assert scope.get("a/1") == b"y"


@pytest.mark.parametrize("staging", ["tmp", ""])
def test_a_folder_that_must_have_been_there_is_not_made(tmp_path: Path, staging: str) -> None:
    store = LocalStore(tmp_path / "r", staging=staging)
    with pytest.raises(StorageError, match="log is not there any more") as caught:
        store.put_if_absent("log/2", b"x", make=False)
    assert caught.value.code == "registry_gone"
    assert not (tmp_path / "r").exists()
    store.put_if_absent("log/1", b"x")
    shutil.rmtree(tmp_path / "r/tmp", ignore_errors=True)  # a copy may leave out what is empty
    assert store.put_if_absent("log/2", b"x", make=False)
    assert not store.put_if_absent("log/2", b"y", make=False)


# The order of calls, on which all durability rests


@posix
def test_a_commit_syncs_the_file_before_it_links_and_the_folder_before_it_returns(
    store: LocalStore, calls: list[str]
) -> None:
    store.put_if_absent("log/1", b"x")
    calls.clear()
    store.put_if_absent("log/2", b"x")
    assert calls == ["fsync file", "link log/2", "fsync folder log", "unlink temporary"]
    calls.clear()
    store.put_if_absent("log/2", b"x")
    assert calls == ["fsync file", "unlink temporary"]


@posix
def test_a_sync_is_that_of_the_folder_and_its_failure_is_told(
    store: LocalStore, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_if_absent("log/1", b"x")
    calls.clear()
    store.sync("log/1")
    assert calls == ["fsync folder log"]
    monkeypatch.setattr(os, "fsync", fail_for_folders(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(StorageError) as caught:
        store.sync("log/1")
    assert caught.value.code == "doubtful"


@posix
def test_a_put_syncs_the_file_before_it_replaces_and_the_folder_before_it_returns(
    store: LocalStore, calls: list[str]
) -> None:
    store.put("a/hint", b"x")
    calls.clear()
    store.put("a/hint", b"y")
    assert [call for call in calls if "unlink" not in call] == ["fsync file", "replace a/hint", "fsync folder a"]


@posix
def test_a_bulk_file_and_its_folder_are_synced_when_the_block_ends(store: LocalStore, calls: list[str]) -> None:
    store.put("data/other", b"x")
    calls.clear()
    with store.writer("data/part") as file:
        file.write(b"x")
        assert calls == []
    assert calls == ["fsync file", "fsync folder data"]


@posix
def test_every_new_folder_is_made_durable_in_the_one_above(tmp_path: Path, calls: list[str]) -> None:
    LocalStore(tmp_path / "r", staging="").put_if_absent("a/b/1", b"x")
    synced = [call for call in calls if "fsync folder" in call]
    assert synced == ["fsync folder r/a", "fsync folder r", "fsync folder .", "fsync folder r/a/b"]


def test_nothing_is_visible_before_it_is_synced(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    fsync = os.fsync

    def look(descriptor: int) -> None:
        seen.append(store.get("log/1"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    store.put_if_absent("log/1", b"x")
    assert seen[0] is None
    assert set(seen[1:]) <= {None, b"x"}


def test_a_commit_and_a_miss_ask_nothing_about_folders_that_are_there(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_if_absent("log/1", b"x")
    with monkeypatch.context() as patch:
        for name in ["stat", "lstat", "mkdir", "scandir", "access"]:
            patch.setattr(os, name, fail_always(AssertionError(name)))
        assert store.put_if_absent("log/2", b"x") is True
        assert store.get("log/3") is None
        assert store.get("log/2") == b"x"


def test_a_write_of_which_the_system_takes_only_parts_is_continued(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    store.put_if_absent("a", b"0123456789")
    assert store.get("a") == b"0123456789"


def test_windows_has_no_folders_to_sync_and_no_bits_to_grant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (disk, local_module):
        monkeypatch.setattr(module, "POSIX", False)
    monkeypatch.setattr(os, "chmod", fail_always(AssertionError("chmod")))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    assert LocalStore(tmp_path, shared="all").put_if_absent("log/1", b"x") is True
    assert len(synced) == 1


# Failures


VERBS: dict[str, Callable[[LocalStore], object]] = {
    "put": lambda store: store.put("a/1", b"x"),
    "put_if_absent": lambda store: store.put_if_absent("a/1", b"x"),
    "writer": lambda store: stream(store, "a/1", b"x"),
}

CHANGES: list[Callable[[LocalStore], object]] = [
    *VERBS.values(),
    lambda store: store.delete("a/0"),
    lambda store: store.scope("new/folder").put("1", b""),
]

FAILURES = [
    (errno.ENOSPC, StorageError, "disk_full", r"nothing was changed; free space"),
    (errno.EDQUOT, StorageError, "disk_full", r"nothing was changed; free space"),
    (errno.EROFS, ReadOnlyError, "read_only", r"may not write"),
    (errno.EACCES, ReadOnlyError, "read_only", r"may not write"),
    (errno.EPERM, ReadOnlyError, "read_only", r"may not write"),
    (errno.EIO, StorageError, "storage", r"nothing was changed"),
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("call", ["open", "write", "fsync"])
@pytest.mark.parametrize(("number", "kind", "code", "message"), FAILURES, ids=[errno.errorcode[f[0]] for f in FAILURES])
def test_a_failure_before_publishing_is_told_and_leaves_nothing(
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    call: str,
    number: int,
    kind: type[LocalregError],
    code: str,
    message: str,
) -> None:
    store.put("a/0", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail_always(OSError(number, os.strerror(number))))
        with pytest.raises(kind, match=message) as caught:
            VERBS[verb](store)
    assert caught.value.code == code
    assert "a/1" in str(caught.value)
    assert os.strerror(number) in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert list(store.list("")) == ["a/0"]
    assert files(store) == ["a/0"]


@pytest.mark.parametrize("call", ["write", "fsync", "link", "replace"])
def test_an_interrupt_leaves_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail_always(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            VERBS["put" if call == "replace" else "put_if_absent"](store)
    assert files(store) == []


def test_an_interrupt_at_the_end_of_a_stream_leaves_nothing(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fail_for_files(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        VERBS["writer"](store)
    assert files(store) == []


@pytest.mark.parametrize(("verb", "call"), [("put", "replace"), ("put_if_absent", "link")])
@pytest.mark.parametrize(("number", "kind", "code", "message"), FAILURES, ids=[errno.errorcode[f[0]] for f in FAILURES])
def test_a_refusal_to_publish_is_told_from_a_doubtful_answer(
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    call: str,
    number: int,
    kind: type[LocalregError],
    code: str,
    message: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail_at("a/1", OSError(number, os.strerror(number))))
        with pytest.raises(kind, match="read it back" if number == errno.EIO else message) as caught:
            VERBS[verb](store)
    assert caught.value.code == ("doubtful" if number == errno.EIO else code)
    assert files(store) == []


@posix
@pytest.mark.parametrize("verb", ["put", "put_if_absent"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EACCES])
def test_a_folder_that_cannot_be_synced_after_publishing_leaves_the_outcome_in_doubt(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, verb: str, number: int
) -> None:
    store.put("a/0", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_for_folders(OSError(number, os.strerror(number))))
        with pytest.raises(StorageError, match="read it back") as caught:
            VERBS[verb](store)
    assert caught.value.code == "doubtful"
    assert store.get("a/1") == b"x"
    assert files(store) == ["a/0", "a/1"]


@posix
def test_a_stream_whose_folder_cannot_be_synced_is_taken_back(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a/0", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail_for_folders(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(StorageError, match="nothing was changed"):
            VERBS["writer"](store)
    assert files(store) == ["a/0"]


@posix
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBADF])
def test_a_share_without_sync_of_folders_is_taken_as_it_is(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", fail_for_folders(OSError(number, os.strerror(number))))
    for act in VERBS.values():
        store.delete("a/1")
        act(store)
        assert store.get("a/1") == b"x"


def test_a_link_that_finds_the_name_taken_answers_false(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail_always(FileExistsError(errno.EEXIST, "File exists")))
        assert store.put_if_absent("a/1", b"x") is False
    assert files(store) == []


@posix
def test_a_dangling_link_in_the_place_of_an_entry_counts_as_taken(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "entry").symlink_to(tmp_path / "nowhere")
    assert store.put_if_absent("entry", b"x") is False
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("verb", ["put", "put_if_absent"])
def test_a_leftover_that_cannot_be_removed_hides_neither_success_nor_failure(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(os, "unlink", fail_always(OSError(errno.EIO, "no unlink")))
    VERBS[verb](store)
    assert store.get("a/1") == b"x"
    monkeypatch.setattr(os, "fsync", fail_always(OSError(errno.EIO, "no fsync")))
    with pytest.raises(StorageError, match="no fsync"):
        VERBS[verb](store)
    assert list(store.list("")) == ["a/1"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_failure_to_close_is_a_failure_to_write(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    close = os.close

    def close_badly(descriptor: int) -> None:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        close(descriptor)
        if is_file:
            raise OSError(errno.EDQUOT, "quota seen late")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close_badly)
        with pytest.raises(StorageError, match="quota seen late") as caught:
            VERBS[verb](store)
    assert caught.value.code == "disk_full"
    assert files(store) == []


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_second_failure_at_closing_does_not_hide_the_first(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store.put("a/0", b"")
    close = os.close

    def close_badly(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EIO, "second")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail_always(OSError(errno.ENOSPC, "first")))
        patch.setattr(os, "close", close_badly)
        with pytest.raises(StorageError, match="first"):
            VERBS["put_if_absent"](store)
    assert files(store) == ["a/0"]


@posix
@pytest.mark.parametrize("verb", VERBS)
def test_a_file_that_cannot_be_shared_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    store = LocalStore(tmp_path, shared="group")
    store.put("a/0", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "chmod", fail_always(PermissionError(errno.EPERM, "Operation not permitted")))
        with pytest.raises(ReadOnlyError):
            VERBS[verb](store)
    assert files(store) == ["a/0"]


@pytest.mark.parametrize(
    ("verb", "call"),
    [(verb, call) for verb in VERBS for call in ["chmod", "write", "fsync"]]
    + [("put", "replace"), ("put_if_absent", "link")],
)
def test_no_descriptor_is_left_open_by_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, call: str
) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("counts descriptors in /proc")
    store = LocalStore(tmp_path, shared="group")
    store.put("a/0", b"")
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, call, fail_always(OSError(errno.EIO, "planned")))
    with pytest.raises(StorageError, match="planned"):
        VERBS[verb](store)
    assert os.listdir("/proc/self/fd") == before


def test_other_errors_of_a_block_stay_what_they_are(store: LocalStore) -> None:
    with pytest.raises(FileNotFoundError), store.writer("a/1"):
        open("/nowhere/at all", "rb").close()
    assert files(store) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_in_the_place_of_a_folder_is_told(store: LocalStore, verb: str) -> None:
    store.put("a", b"")
    with pytest.raises(StorageError, match=r"a/1: .*nothing was changed"):
        VERBS[verb](store)
    assert files(store) == ["a"]


def test_a_folder_in_the_place_of_a_file_is_told(store: LocalStore) -> None:
    store.put("a/1/2", b"")
    with pytest.raises(StorageError, match="a/1"):
        store.put("a/1", b"x")
    assert store.put_if_absent("a/1", b"x") is False
    with pytest.raises(AlreadyExistsError):
        VERBS["writer"](store)
    assert files(store) == ["a/1/2"]


@pytest.mark.parametrize(
    ("call", "act"),
    [
        ("open", lambda store: store.get("a/0")),
        ("stat", lambda store: store.size("a/0")),
        ("stat", lambda store: store.local_file("a/0")),
        ("scandir", lambda store: list(store.list(""))),
        ("scandir", lambda store: store.folders("")),
    ],
    ids=["get", "size", "local_file", "list", "folders"],
)
def test_what_cannot_be_read_is_told_and_what_may_not_be_read_apart(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, act: Callable[[LocalStore], object]
) -> None:
    store.put("a/0", b"")
    with monkeypatch.context() as patch:
        patched = "builtins.open" if call == "open" else f"os.{call}"
        patch.setattr(patched, fail_always(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(StorageError, match=r"cannot read .*Input/output error") as broken:
            act(store)
        patch.setattr(patched, fail_always(PermissionError(errno.EACCES, "Permission denied")))
        with pytest.raises(StorageError, match=r"cannot read .*Permission denied") as refused:
            act(store)
    assert (broken.value.code, refused.value.code) == ("storage", "forbidden")


def test_what_cannot_be_deleted_is_told(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a/0", b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail_always(OSError(errno.EROFS, "Read-only file system")))
        with pytest.raises(ReadOnlyError, match="may not delete"):
            store.delete("a/0")


def test_errors_can_be_pickled(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fail_always(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(StorageError) as caught:
        store.put("a", b"")
    assert pickle.loads(pickle.dumps(caught.value)).code == "disk_full"


# Real disks and users


@pytest.mark.root
def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with mounted("-t", "tmpfs", "-o", "size=64k", "tmpfs", at=tmp_path):
        store = LocalStore(tmp_path)
        store.put_if_absent("log/1", b"first")
        large = bytes(100_000)
        acts: list[Callable[[], object]] = [
            lambda: store.put_if_absent("log/2", large),
            lambda: store.put("log/1", large),
            lambda: stream(store, "log/2", large),
        ]
        for act in acts:
            with pytest.raises(StorageError, match="free space") as caught:
                act()
            assert caught.value.code == "disk_full"
            assert files(store) == ["log/1"]
        assert store.get("log/1") == b"first"
        assert store.put_if_absent("log/2", bytes(20_000)) is True


@pytest.mark.root
def test_a_read_only_mount_is_told(tmp_path: Path) -> None:
    with mounted("-t", "tmpfs", "-o", "size=64k", "tmpfs", at=tmp_path):
        store = LocalStore(tmp_path)
        store.put("a/0", b"x")
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        for act in CHANGES:
            with pytest.raises(ReadOnlyError, match="may not"):
                act(store)
        assert not store.writable()
        assert store.get("a/0") == b"x"


@posix
def test_a_folder_of_somebody_else_is_read_only(open_place: Path) -> None:
    LocalStore(open_place).put("a/0", b"x")
    for folder in [open_place, open_place / "a", open_place / "tmp"]:
        folder.chmod(0o555)

    def try_all() -> None:
        store = LocalStore(open_place)
        for act in CHANGES:
            with pytest.raises(ReadOnlyError, match="may not"):
                act(store)
        assert not store.writable()
        assert not store.scope("new/folder").writable()
        assert store.get("a/0") == b"x"

    without_privileges(try_all)
    assert LocalStore(open_place).writable() == (os.geteuid() == 0)


@posix
def test_a_file_in_the_place_of_the_store_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o777)
    assert not LocalStore(tmp_path / "file").writable()
    assert not LocalStore(tmp_path / "file").scope("a").writable()
    assert LocalStore(tmp_path / "new" / "folder").writable()


@posix
@pytest.mark.parametrize(
    ("shared", "of_files", "of_folders"),
    [("umask", 0o600, 0o700), ("group", 0o660, 0o2770), ("all", 0o664, 0o2775)],
)
def test_files_and_folders_are_shared_as_asked_whatever_the_umask(
    tmp_path: Path, private_umask: None, shared: str, of_files: int, of_folders: int
) -> None:
    store = LocalStore(tmp_path / "r", staging="", shared=shared)
    scope = store.scope("namespaces/vision")
    store.put("localreg.json", b"{}")
    for act in VERBS.values():
        scope.delete("a/1")
        act(LocalStore(Path(scope.uri), shared=shared))
        assert mode(tmp_path / "r/namespaces/vision/a/1") == of_files
    scope.put_if_absent("log/1", b"x")
    assert mode(tmp_path / "r/localreg.json") == of_files
    assert mode(tmp_path / "r/namespaces/vision/log/1") == of_files
    for folder in ["r", "r/namespaces", "r/namespaces/vision", "r/namespaces/vision/tmp", "r/namespaces/vision/log"]:
        assert mode(tmp_path / folder) == of_folders


@posix
def test_sharing_takes_nothing_away_and_leaves_folders_of_others_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    previous = os.umask(0)
    try:
        LocalStore(tmp_path, shared="group").put("a/1", b"")
    finally:
        os.umask(previous)
    assert mode(tmp_path / "a/1") == 0o666
    assert mode(tmp_path / "a") == 0o2777
    assert mode(tmp_path) == 0o750


@posix
def test_a_shared_folder_is_met_by_nobody_without_its_permissions(
    tmp_path: Path, private_umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path / "r", shared="group")
    chmod, early = os.chmod, list[Path]()

    def look(target: int | str, bits: int) -> None:
        early.extend(path for path in (tmp_path / "r", tmp_path / "r/a", tmp_path / "r/tmp") if is_private(path))
        chmod(target, bits)

    monkeypatch.setattr(os, "chmod", look)
    store.put_if_absent("a/1", b"x")
    assert early == []
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["a", "tmp"]


def is_private(path: Path) -> bool:
    return path.exists() and mode(path) != 0o2770


@posix
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_shared_folders_are_made_without_exclusive_renames_too(
    tmp_path: Path, private_umask: None, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(publishing, "rename_noreplace", fail_always(OSError(number, "unsupported")))
    store = LocalStore(tmp_path / "r", shared="group")
    assert store.put_if_absent("a/1", b"x")
    assert store.put_if_absent("a/2", b"x")
    assert mode(tmp_path / "r/a") == 0o2770
    assert files(store) == ["a/1", "a/2"]
    (tmp_path / "staged").mkdir()
    with pytest.raises(FileExistsError):
        publishing.rename_folder(str(tmp_path / "staged"), str(tmp_path / "r/a"))


@posix
def test_a_folder_on_its_way_shows_in_no_listing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a/1", b"")
    (tmp_path / ".vision.0123456789abcdef.tmp").mkdir()
    assert store.folders("") == ["a"]
    assert list(store.list("")) == ["a/1"]


def test_an_unknown_shared_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="'umask', 'group' or 'all'"):
        LocalStore(tmp_path, shared="0664")


# Leftovers and strangers


def test_what_a_crash_leaves_behind_is_not_listed(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("log/1", b"x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail_always(KeyboardInterrupt()))
        patch.setattr(os, "unlink", fail_always(OSError("a dead process removes nothing")))
        with pytest.raises(KeyboardInterrupt):
            store.put_if_absent("log/2", b"y")
    assert len(temporaries(Path(store.uri))) == 1
    assert list(store.list("")) == ["log/1"]
    assert list(store.list("log")) == ["log/1"]
    assert store.folders("") == ["log"]
    assert store.put_if_absent("log/2", b"y") is True


@posix
def test_links_are_neither_listed_nor_followed(store: LocalStore, tmp_path: Path) -> None:
    store.put("a/1", b"x")
    outside = tmp_path.with_name(tmp_path.name + "-outside")
    outside.mkdir()
    (outside / "secret").touch()
    (tmp_path / "a/link").symlink_to(outside / "secret")
    (tmp_path / "folder").symlink_to(outside)
    (tmp_path / "circle").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert list(store.list("")) == ["a/1"]
    assert store.folders("") == ["a"]


def test_a_folder_that_another_process_makes_in_between_is_used(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = os.mkdir

    def lose_the_race(path: str) -> None:
        mkdir(path)
        mkdir(path)

    monkeypatch.setattr(os, "mkdir", lose_the_race)
    assert store.put_if_absent("a/b/1", b"x") is True
    assert store.get("a/b/1") == b"x"


def test_a_store_keeps_its_place_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalStore(Path("here"))
    monkeypatch.chdir("/")
    store.put("a", b"x")
    assert (tmp_path / "here" / "a").read_bytes() == b"x"
    assert store.uri == str(tmp_path / "here")
    assert repr(store) == f"LocalStore({store.uri!r})"


def test_a_store_can_be_sent_to_another_process(tmp_path: Path) -> None:
    store = pickle.loads(pickle.dumps(LocalStore(tmp_path, staging="", shared="group")))
    store.put("a", b"x")
    assert store.get("a") == b"x"
    assert not (tmp_path / "tmp").exists()


def test_the_local_file_is_the_file_itself(store: LocalStore, tmp_path: Path) -> None:
    store.put("a/1", b"x")
    assert store.local_file("a/1") == tmp_path / "a" / "1"


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "r").scope("a")
    assert store.get("b") is None
    assert list(store.list("")) == []
    store.delete("b")
    assert list(tmp_path.iterdir()) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, localreg.storage; "
        "print([name for name in ('fsspec', 'asyncio', 'tempfile', 'pyarrow', 'pydantic') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Tools


def stream(store: LocalStore, path: str, data: bytes) -> None:
    with store.writer(path) as file:
        file.write(data)


def files(store: LocalStore) -> list[str]:
    """All files on the disk, staging and temporary ones included."""
    root = Path(store.uri)
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def temporaries(root: Path) -> list[Path]:
    return list(root.rglob(".*.tmp"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fail_always(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def fail_at(end: str, error: OSError) -> Callable[[str, str], None]:
    """For the calls that publish: fails where the target is."""
    link = os.link

    def fail(source: str, target: str) -> None:
        if target.endswith(end):
            raise error
        link(source, target)

    return fail


def fail_for(is_kind: Callable[[int], bool], error: BaseException) -> Callable[[int], None]:
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        if is_kind(os.fstat(descriptor).st_mode):
            raise error
        fsync(descriptor)

    return fail


def fail_for_folders(error: BaseException) -> Callable[[int], None]:
    return fail_for(stat.S_ISDIR, error)


def fail_for_files(error: BaseException) -> Callable[[int], None]:
    return fail_for(stat.S_ISREG, error)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls on which durability hangs, as they happen, with paths relative to `tmp_path`."""
    calls: list[str] = []
    real = {name: getattr(os, name) for name in ["fsync", "link", "replace", "unlink"]}

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            folder = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            calls.append(f"fsync folder {folder.relative_to(tmp_path).as_posix()}")
        else:
            calls.append("fsync file")
        real["fsync"](descriptor)

    def publish(name: str) -> Callable[[str, str], None]:
        def act(source: str, target: str) -> None:
            real[name](source, target)
            calls.append(f"{name} {Path(target).relative_to(tmp_path).as_posix()}")

        return act

    def unlink(path: str) -> None:
        real["unlink"](path)
        calls.append("unlink temporary" if path.endswith(".tmp") else f"unlink {path}")

    if not Path("/proc/self/fd").exists():
        pytest.skip("names descriptors by /proc")
    for name, act in {"fsync": fsync, "link": publish("link"), "replace": publish("replace"), "unlink": unlink}.items():
        monkeypatch.setattr(os, name, act)
    return calls


@pytest.fixture
def private_umask() -> Iterator[None]:
    previous = os.umask(0o077)
    yield
    os.umask(previous)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that every user can reach, whatever a test does with what is directly in it."""
    with open_folder() as folder:
        yield folder
        for inner in folder.iterdir():
            inner.chmod(0o755)


@contextmanager
def mounted(*arguments: str, at: Path) -> Iterator[None]:
    try:
        subprocess.run(["mount", *arguments, str(at)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount here: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)
