"""Whole registries behind OpenSSH: one writer at a time, since nothing there creates whole files only if absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg import ConflictError, ReadOnlyError, Registry, StorageError
from localreg.storage import asking, link
from tests.flow import compare_two_models
from tests.remote import store_at
from tests.sftp import SftpServer, sftp_served, why_not
from tests.world import World

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "it runs")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    with sftp_served(tmp_path_factory.mktemp("keys")) as server:
        yield server


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(asking, "FIRST_PAUSE_S", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


def opened(folder: Path, server: SftpServer, **arguments: object) -> Registry:
    return localreg.open(server.uri(folder), storage_options=server.options, **arguments)  # type: ignore[arg-type]


def test_a_registry_is_made_written_read_and_compared(
    folder: Path, server: SftpServer, quick: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(folder, server, commit_mode="single-writer") as registry:
        shown = compare_two_models(registry)
    assert shown == compare_two_models(localreg.open(tmp_path / "local"))
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "of another machine"))
    other = opened(folder, server)
    assert str(other.compare("old", "new", suite="animals")) == shown
    assert [row["name"] for row in other.models(where="name = 'new'")] == ["new"]
    other.snapshot()
    assert other.verify().ok
    assert not [file for file in folder.rglob("*") if file.name.endswith(".tmp") or file.name == "lease.json"]
    local = localreg.open(folder)  # the same folder, seen from the server itself
    assert local.commit == other.commit
    assert local.verify().ok


def test_a_second_writer_is_refused_while_the_first_is_alive_and_let_in_when_it_closed(
    folder: Path, server: SftpServer, quick: World
) -> None:
    with opened(folder, server, actor="ana", commit_mode="single-writer") as registry:
        registry.create_model("a")
        quick.after(20, lambda: registry.create_model("b"))
        ben = opened(folder, server, actor="ben")
        with pytest.raises(ConflictError, match="one writer at a time, and that is ana on") as caught:
            ben.create_model("c")
        assert caught.value.code == "lease_held"
        assert [row["name"] for row in ben.models()] == ["a", "b"]
        quick.after(10, registry.close)
        begin = quick.now
        ben.create_model("c")
        assert quick.now < begin + 30
    assert ben.commit == 3
    assert ben.verify().ok


def test_without_being_asked_nothing_is_made(folder: Path, server: SftpServer) -> None:
    with pytest.raises(StorageError, match=r"only if absent.*commit_mode='single-writer'") as caught:
        opened(folder, server)
    assert caught.value.code == "no_conditional_put"
    assert not folder.exists()


def test_a_registry_of_many_writers_is_only_read(folder: Path, server: SftpServer) -> None:
    localreg.open(folder).create_model("meadow")
    registry = opened(folder, server)
    assert [row["name"] for row in registry.models()] == ["meadow"]
    with pytest.raises(ReadOnlyError, match="cannot create files only if absent"):
        registry.create_model("x")


def test_a_connection_that_was_cut_is_made_anew(folder: Path, server: SftpServer, quick: World) -> None:
    registry = opened(folder, server, commit_mode="single-writer")
    registry.create_model("before")
    server.cut()
    registry.create_model("after")
    server.cut()
    assert [row["name"] for row in registry.models()] == ["before", "after"]
    assert registry.verify().ok


def test_a_large_file_appears_whole_and_once(folder: Path, server: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "IN_ONE_PUT", 10)
    store = store_at(server.uri(folder), server.options)
    with store.writer("data/t/part.parquet") as file:
        file.write(b"x" * 100)
    assert (folder / "data/t/part.parquet").read_bytes() == b"x" * 100
    store._link.create_from("data/t/other", folder / "data/t/part.parquet")
    with pytest.raises(FileExistsError):
        store._link.create_from("data/t/other", folder / "data/t/part.parquet")
    assert sorted(file.name for file in (folder / "data/t").iterdir()) == ["other", "part.parquet"]


def test_a_key_that_is_refused_and_a_host_that_is_not_there_are_told(
    folder: Path, server: SftpServer, tmp_path: Path
) -> None:
    other = shutil.copy(Path(server.options["key_filename"]).with_name("host"), tmp_path / "key")
    with pytest.raises(StorageError, match="credentials") as caught:
        localreg.open(server.uri(folder), storage_options={**server.options, "key_filename": str(other)})
    assert caught.value.code == "bad_credentials"
    (tmp_path / "keys").mkdir()
    with sftp_served(tmp_path / "keys") as gone:
        uri = gone.uri(folder)
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        localreg.open(uri, storage_options=gone.options)
    assert caught.value.code == "unreachable"
