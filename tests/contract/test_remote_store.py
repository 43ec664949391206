"""Remote stores, held to the contract of all stores: S3 as moto's server speaks it, and fsspec's memory."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from localreg.errors import AlreadyExistsError, NotFoundError, ReadOnlyError, StorageError
from localreg.storage import Store, address, link
from localreg.storage.address import Address, parse_address
from localreg.storage.link import Link
from localreg.storage.remote import RemoteStore
from tests.contract.store_contract import StoreContract
from tests.crash.wire import Fault, Wire
from tests.remote import Server, options, store_at


class ExclusiveMemory(MemoryFileSystem):  # type: ignore[misc]
    """fsspec's memory, whose check and write are one act here: what an object store does by itself."""

    protocol = "exclusive-memory"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    one_at_a_time: ClassVar[threading.RLock] = threading.RLock()

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        with self.one_at_a_time:
            if mode == "create" and self.exists(path):
                raise FileExistsError(path)
            if not self.isdir(path):
                super().pipe_file(path, value)

    def find(self, path: str, *arguments: Any, **options: Any) -> Any:
        with self.one_at_a_time:
            return super().find(path, *arguments, **options)


class TestS3(StoreContract):
    rounds = 5

    @pytest.fixture
    def store(self, s3: Server) -> Store:
        return store_at(f"s3://{s3.bucket()}/registries/first", options(s3.endpoint))


class TestScopeOnS3(StoreContract):
    rounds = 5

    @pytest.fixture
    def store(self, s3: Server) -> Store:
        return store_at(f"s3://{s3.bucket()}", options(s3.endpoint)).scope("namespaces/vision")


class TestAnotherObjectStore(StoreContract):
    """What is not particular to S3."""

    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
        fsspec.register_implementation("exclusive-memory", ExclusiveMemory, clobber=True)
        monkeypatch.setattr(address, "OBJECT_STORES", {"exclusive-memory"})
        yield store_at(f"exclusive-memory://{tmp_path.name}/registry")
        ExclusiveMemory.store.clear()
        ExclusiveMemory.pseudo_dirs[:] = [""]


@pytest.fixture
def bucket_store(s3: Server) -> RemoteStore:
    return store_at(f"s3://{s3.bucket()}/r", options(s3.endpoint))


def store_behind(wire: Wire, s3: Server, **changed: object) -> RemoteStore:
    """A store behind a proxy, that gives up waiting soon."""
    own = {**options(wire.endpoint), "config_kwargs": {"read_timeout": 1}, **changed}
    return store_at(f"s3://{s3.bucket()}/r", own)


def test_it_says_that_it_is_remote_and_exclusive(bucket_store: RemoteStore) -> None:
    assert bucket_store.remote
    assert bucket_store.exclusive
    assert bucket_store.scope("namespaces/vision").remote


def test_a_file_of_a_kind_that_changes_is_never_cached(bucket_store: RemoteStore) -> None:
    other = pickle.loads(pickle.dumps(bucket_store))
    bucket_store.put("snapshots/latest.json", b"first")
    assert bucket_store.get("snapshots/latest.json") == b"first"
    other._cache._top = Path(os.devnull) / "none"
    other.put("snapshots/latest.json", b"second")
    assert bucket_store.get("snapshots/latest.json") == b"second"


def test_an_immutable_file_is_asked_for_once(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        behind = store_at(store.uri, options(s3.endpoint))
        behind.put_if_absent("log/1.parquet", b"content")
        for _ in range(3):
            assert store.get("log/1.parquet") == b"content"
            assert store.local_file("log/1.parquet").read_bytes() == b"content"
        assert len(wire.requests) == 1
        assert store.get("log/1.parquet", fresh=True) == b"content"
        assert store.local_file("log/1.parquet", fresh=True).read_bytes() == b"content"
        assert len(wire.requests) == 3


def test_what_this_machine_wrote_it_need_not_fetch(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        store.put_if_absent("log/1.parquet", b"entry")
        with store.writer("data/part.parquet") as file:
            file.write(b"part")
        before = len(wire.requests)
        assert store.get("log/1.parquet") == b"entry"
        assert store.local_file("data/part.parquet").read_bytes() == b"part"
        assert len(wire.requests) == before


def test_who_loses_a_race_keeps_nothing_of_its_own(bucket_store: RemoteStore) -> None:
    other = store_at(bucket_store.uri, bucket_store._link.address.options)
    other.put_if_absent("log/1.parquet", b"theirs")
    bucket_store.forget("log/1.parquet")
    assert bucket_store.put_if_absent("log/1.parquet", b"ours") is False
    assert bucket_store.get("log/1.parquet") == b"theirs"


def test_forget_makes_the_twin_of_a_redacted_entry_visible(bucket_store: RemoteStore, s3: Server) -> None:
    bucket_store.put_if_absent("log/1.parquet", b"secret")
    bucket, key = bucket_store.uri.removeprefix("s3://").split("/")
    s3.client.put_object(Bucket=bucket, Key=f"{key}/log/1.parquet", Body=b"twin")
    assert bucket_store.get("log/1.parquet") == b"secret"
    bucket_store.forget("log/1.parquet")
    assert bucket_store.get("log/1.parquet") == b"twin"


def test_small_files_cost_one_request_each(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        store.put("hint", b"x")
        store.put_if_absent("log/1", b"x")
        store.get("hint")
        store.get("missing")
        store.size("missing")
        store.delete("hint")
        assert [request.verb for request in wire.requests] == ["PUT", "PUT", "GET", "GET", "HEAD", "DELETE"]


def test_missing_files_are_fetched_several_at_once(s3: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = [f"data/{number}.parquet" for number in range(4)]
    writer = store_at(f"s3://{s3.bucket()}/r", options(s3.endpoint))
    for path in paths:
        writer.put_if_absent(path, path.encode())
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "fresh"))
    reader = store_at(writer.uri, options(s3.endpoint))
    met, fetch = threading.Barrier(len(paths)), reader._link.fetch

    def fetch_together(key: str, into: Path) -> None:
        met.wait(30)  # passed only by all of them at the same time
        fetch(key, into)

    monkeypatch.setattr(reader._link, "fetch", fetch_together)
    assert [file.read_bytes().decode() for file in reader.local_files(paths)] == paths


def test_an_answer_that_got_lost_is_doubtful_and_the_put_is_not_sent_again(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        wire.spoil(Fault.SWALLOW, at=1)
        with pytest.raises(StorageError, match=r"cannot tell whether .* was written") as caught:
            store.put_if_absent("log/1.parquet", b"x")
        assert caught.value.code == "doubtful"
        assert len(wire.requests) == 1
        assert store.get("log/1.parquet") == b"x"


def test_a_busy_store_is_asked_again_and_its_late_success_is_told_as_exists(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        wire.spoil(Fault.BUSY, at=1)
        assert store.put_if_absent("log/1.parquet", b"x") is True
        wire.spoil(Fault.BUSY_AFTER, at=1)
        assert store.put_if_absent("log/2.parquet", b"x") is False
        wire.spoil(Fault.BUSY, at=1, times=9)
        with pytest.raises(StorageError) as caught:
            store.put_if_absent("log/3.parquet", b"x")
        assert (caught.value.code, len(wire.requests)) == ("busy", 3)


def test_a_refusal_to_write_is_a_matter_of_permissions(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        wire.spoil(Fault.FORBIDDEN, at=1, times=9)
        for act in (lambda: store.put("a", b""), lambda: store.put_if_absent("a", b""), lambda: store.delete("a")):
            with pytest.raises(ReadOnlyError, match="access is denied"):
                act()
        with pytest.raises(StorageError, match="access is denied") as caught:
            store.get("a")
        assert caught.value.code == "forbidden"


@pytest.mark.parametrize(
    "fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_ANSWER, Fault.SWALLOW, Fault.BUSY_AFTER]
)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_streamed_file_survives_one_fault_of_the_wire(s3: Server, fault: Fault, at: int) -> None:
    with Wire(s3.endpoint) as wire:
        store = store_behind(wire, s3)
        wire.spoil(fault, at=at)
        with store.writer("data/part.parquet") as file:
            file.write(b"content")
        wire.spoil(None, at=0)
        assert store.get("data/part.parquet", fresh=True) == b"content"


def test_a_streamed_file_of_a_name_that_another_took_meanwhile_is_refused(bucket_store: RemoteStore) -> None:
    with pytest.raises(AlreadyExistsError), bucket_store.writer("data/part") as file:  # noqa: PT012
        file.write(b"mine")
        bucket_store.put("data/part", b"of another")
    assert bucket_store.get("data/part") == b"of another"


def test_a_large_streamed_file_is_sent_in_parts_and_only_if_absent(
    bucket_store: RemoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "IN_ONE_PUT", 1_000)
    with bucket_store.writer("data/part") as file:
        file.write(b"x" * 10_000)
    assert bucket_store.size("data/part") == 10_000
    with pytest.raises(AlreadyExistsError), bucket_store.writer("data/other") as file:  # noqa: PT012
        file.write(b"x" * 10_000)
        bucket_store.put("data/other", b"of another")
    assert bucket_store.get("data/other", fresh=True) == b"of another"


def test_visible_is_called_when_the_file_is_there_and_not_when_it_was_before(bucket_store: RemoteStore) -> None:
    seen: list[bytes | None] = []

    def look() -> None:
        seen.append(bucket_store.get("log/1", fresh=True))

    assert bucket_store.put_if_absent("log/1", b"x", visible=look) is True
    assert bucket_store.put_if_absent("log/1", b"y", visible=look) is False
    assert seen == [b"x"]


def test_a_note_is_kept_for_each_scope_and_lost_with_the_cache(bucket_store: RemoteStore, tmp_path: Path) -> None:
    vision = bucket_store.scope("namespaces/vision")
    vision.remember("head", b"12")
    assert bucket_store.scope("namespaces/vision").recall("head") == b"12"
    assert bucket_store.recall("head") is None
    assert bucket_store.of_registry("another").scope("namespaces/vision").recall("head") is None


def test_it_can_be_sent_to_another_process(bucket_store: RemoteStore) -> None:
    bucket_store.put("a", b"x")
    assert pickle.loads(pickle.dumps(bucket_store)).get("a") == b"x"
    assert pickle.loads(pickle.dumps(bucket_store.scope("b"))).uri == bucket_store.scope("b").uri


def test_a_cache_that_cannot_be_written_costs_reading_nothing_but_time(
    bucket_store: RemoteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"")
    monkeypatch.setenv("LOCALREG_CACHE", str(blocked / "cache"))
    store = store_at(bucket_store.uri, bucket_store._link.address.options)
    store.put_if_absent("log/1.parquet", b"x")
    store.remember("head", b"x")
    assert store.get("log/1.parquet") == b"x"
    assert store.recall("head") is None
    for act in (lambda: store.local_file("log/1.parquet"), lambda: store.writer("data/a").__enter__()):
        with pytest.raises(StorageError, match="LOCALREG_CACHE") as caught:
            act()
        assert caught.value.code == "cache_unusable"


def test_a_place_of_another_kind_takes_files_but_is_not_exclusive(tmp_path: Path) -> None:
    """Such as SFTP: folders have to be made, and a file appears by a rename."""
    store = store_at(f"local://{tmp_path}/r")
    assert not store.exclusive
    assert store.put_if_absent("log/1.parquet", b"x") is True
    assert store.put_if_absent("log/1.parquet", b"y") is False
    store.put("snapshots/latest.json", b"1")
    store.put("snapshots/latest.json", b"2")
    assert store.get("snapshots/latest.json") == b"2"
    with store.writer("data/t/part.parquet") as file:
        file.write(b"part")
    assert store.local_file("data/t/part.parquet").read_bytes() == b"part"
    assert list(store.list("")) == ["data/t/part.parquet", "log/1.parquet", "snapshots/latest.json"]
    assert store.folders("") == ["data", "log", "snapshots"]
    store.delete("log/1.parquet")
    assert store.get("log/1.parquet") is None


def test_offline_nothing_is_asked(s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        online = store_behind(wire, s3)
        online.put_if_absent("log/1.parquet", b"x")
        wire.requests.clear()
        offline = store_at(online.uri, online._link.address.options, offline=True)
        assert offline.get("log/1.parquet") == b"x"
        assert offline.get("log/2.parquet") is None
        assert offline.size("log/1.parquet") == 1
        assert list(offline.list("")) == ["log/1.parquet"]
        assert offline.folders("") == ["log"]
        assert not offline.writable()
        with pytest.raises(NotFoundError):
            offline.local_file("snapshots/1.parquet")
        with pytest.raises(StorageError, match="not in this machine's cache"):
            offline.local_file("data/part.parquet")
        with pytest.raises(ReadOnlyError, match="opened offline"):
            offline.put("a", b"")
        assert wire.requests == []


@pytest.mark.parametrize("many_at_once", [True, False])
def test_threads_share_a_channel_one_at_a_time(monkeypatch: pytest.MonkeyPatch, many_at_once: bool) -> None:
    """Named for a bug: of several threads that asked one SFTP channel, each took the others' answers, for ever."""
    fs = SimpleNamespace(async_impl=many_at_once)
    monkeypatch.setattr(Address, "connect", lambda _: (fs, ""))
    link = Link(parse_address("sftp://host/folder"))
    meeting = threading.Barrier(2, timeout=0.2)

    def meet() -> bool:
        try:
            return meeting.wait() in (0, 1)
        except threading.BrokenBarrierError:
            return False

    with ThreadPoolExecutor(2) as pool:
        met = [each.result() for each in [pool.submit(link.run, meet) for _ in range(2)]]
    assert met == [many_at_once] * 2
