"""Whole registries in S3, as moto's server speaks it, and read from web servers and archives."""

from __future__ import annotations

import http.server
import json
import multiprocessing
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import fsspec
import pytest

import localreg
from localreg import (
    ConflictError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
    Registry,
    StorageError,
)
from localreg.handles.words import readable_bytes
from localreg.log import Change, features
from localreg.log.entry import entry_path
from localreg.log.loading import FEW_AFAR
from localreg.log.loss import GAP_PROBES
from localreg.storage.probe import RACERS
from tests.crash.wire import Fault, Wire
from tests.flow import compare_two_models
from tests.remote import KEY, SECRET, Server, options, served
from tests.world import World

WRITERS = 4
COMMITS_EACH = 5
COMMITS_OF_A_PROCESS = 25


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for this test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LOCALREG_CACHE", str(folder))
    return folder


@pytest.fixture
def uri(s3: Server, cache: Path) -> str:
    return f"s3://{s3.bucket()}/registries/first"


def opened(uri: str, s3: Server | Wire, **arguments: object) -> Registry:
    return localreg.open(uri, storage_options=options(s3.endpoint), **arguments)  # type: ignore[arg-type]


def bucket_of(uri: str) -> str:
    return uri.split("/")[2]


def test_what_is_committed_is_found_by_another_handle_and_leaves_nothing_else(uri: str, s3: Server) -> None:
    registry = opened(uri, s3, actor="ana")
    registry.create_model("meadow", metadata={"lr": 0.01})
    registry.create_model("forest", metadata={"lr": 0.5})
    other = opened(uri, s3)
    assert [row["name"] for row in other.models(where="metadata.lr < 0.1")] == ["meadow"]
    assert other.sql("SELECT count(*) AS n FROM audit_events WHERE actor = 'ana'").dicts() == [{"n": 4}]
    assert [row["name"] for row in other.at(commit=1).models()] == ["meadow"]
    assert other.verify().ok
    log = [f"namespaces/default/log/{number:020d}.parquet" for number in (1, 2)]
    assert s3.keys(bucket_of(uri)) == [f"registries/first/{name}" for name in ["localreg.json", *log]]


def test_a_remote_registry_says_how_it_commits(uri: str, s3: Server) -> None:
    opened(uri, s3)
    body = s3.client.get_object(Bucket=bucket_of(uri), Key="registries/first/localreg.json")["Body"].read()
    assert json.loads(body)["commit_mode"] == "conditional"


def test_racing_handles_lose_nothing_and_share_no_number(uri: str, s3: Server) -> None:
    opened(uri, s3)

    def write(writer: int) -> None:
        registry = opened(uri, s3, actor=f"writer {writer}")
        for number in range(COMMITS_EACH):
            registry.create_model(f"model {writer}.{number}")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    registry = opened(uri, s3)
    assert registry.commit == WRITERS * COMMITS_EACH
    assert len(registry.models()) == WRITERS * COMMITS_EACH
    assert registry.verify().ok


def write_from_a_process(uri: str, endpoint: str, writer: int, start: Barrier, done: SimpleQueue[list[str]]) -> None:
    """Commit through two handles in turn; tell what was acknowledged."""
    handles = [localreg.open(uri, storage_options=options(endpoint), actor=f"writer {writer}") for _ in range(2)]
    start.wait(60)
    names = [f"model {writer}.{number}" for number in range(COMMITS_OF_A_PROCESS)]
    for number, name in enumerate(names):
        handles[number % 2].create_model(name)
    done.put(names)


@pytest.mark.slow
def test_processes_with_two_handles_each_lose_nothing_and_double_nothing(uri: str, s3: Server) -> None:
    opened(uri, s3)
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(WRITERS), context.SimpleQueue()
    writers = [
        context.Process(target=write_from_a_process, args=(uri, s3.endpoint, writer, start, done), daemon=True)
        for writer in range(WRITERS)
    ]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert [each.exitcode for each in writers] == [0] * WRITERS
    acknowledged = [name for _ in writers for name in done.get()]
    with Wire(s3.endpoint) as another_cache:
        registry = opened(uri, another_cache)
        assert sorted(row["name"] for row in registry.models()) == sorted(acknowledged)
        assert registry.commit == len(acknowledged) == WRITERS * COMMITS_OF_A_PROCESS
        events = registry.sql("SELECT name FROM audit_events WHERE kind = 'model' AND action = 'create'").dicts()
        assert sorted(row["name"] for row in events) == sorted(acknowledged)
        assert registry.verify().ok


def test_models_are_tested_and_compared_as_in_a_folder(
    uri: str, s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = compare_two_models(opened(uri, s3))
    assert shown == compare_two_models(localreg.open(tmp_path / "local"))
    assert "improved" in shown
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "of another machine"))
    other = opened(uri, s3)
    assert other.sql("SELECT model, count(*) AS n FROM inferences GROUP BY ALL ORDER BY ALL").dicts() == [
        {"model": "new", "n": 20},
        {"model": "old", "n": 20},
    ]
    assert str(other.compare("old", "new", suite="animals")) == shown
    assert other.verify().ok


def test_what_was_read_once_can_be_read_offline(cache: Path) -> None:
    with served() as server:
        uri = f"s3://{server.bucket()}"
        online = opened(uri, server)
        shown = compare_two_models(online)
        past = online.at(commit=online.commit)
        assert len(past.sql("SELECT * FROM inferences")) == 40
    with pytest.raises(StorageError, match="offline=True") as caught:
        online.models()
    assert caught.value.code == "unreachable"
    assert len(past.sql("SELECT * FROM inferences")) == 40
    offline = opened(uri, server, offline=True)
    assert offline.commit == past.commit
    assert str(offline.compare("old", "new", suite="animals")) == shown
    assert len(offline.sql("SELECT * FROM inferences")) == 40
    with pytest.raises(ReadOnlyError, match="opened offline"):
        offline.create_model("x")


def test_offline_what_was_never_read_is_told(
    uri: str, s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_two_models(opened(uri, s3))
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "fresh"))
    with pytest.raises(NotFoundError, match="open it once without offline=True"):
        opened(uri, s3, offline=True)
    with pytest.raises(NotFoundError, match="give the same storage_options as online"):
        localreg.open(uri, offline=True)
    assert len(opened(uri, s3).models()) == 2
    offline = opened(uri, s3, offline=True)
    assert len(offline.models()) == 2
    with pytest.raises(StorageError, match="not in this machine's cache") as caught:
        offline.sql("SELECT * FROM inferences").dicts()
    assert caught.value.code == "offline"


def test_offline_a_hole_in_the_log_is_not_its_end(uri: str, s3: Server, cache: Path) -> None:
    registry = opened(uri, s3)
    for number in range(3):
        registry.create_model(f"model {number}")
    for kept in cache.glob("*/files/namespaces/default/log/*2.parquet"):
        kept.unlink()
    with pytest.raises(StorageError, match="not in this machine's cache"):
        assert opened(uri, s3, offline=True).commit


def test_a_store_that_ignores_conditions_gets_no_registry(uri: str, s3: Server) -> None:
    with Wire(s3.endpoint, dropped_header="if-none-match") as wire:
        with pytest.raises(StorageError, match=r"created twice.*choose another place") as caught:
            opened(uri, wire)
        assert caught.value.code == "no_conditional_put"
        with pytest.raises(NotFoundError):
            opened(uri, wire, read_only=True)
    assert s3.keys(bucket_of(uri)) == []


def test_a_registry_that_was_copied_to_a_store_that_ignores_conditions_is_only_read(uri: str, s3: Server) -> None:
    first = opened(uri, s3)
    first.create_model("meadow")
    before = s3.keys(bucket_of(uri))
    with Wire(s3.endpoint, dropped_header="if-none-match") as wire:
        registry = opened(uri, wire)
        assert [row["name"] for row in registry.models()] == ["meadow"]
        for _ in range(2):
            with pytest.raises(ReadOnlyError, match="overwrite each other's commits") as caught:
                registry.create_model("lost")
            assert caught.value.code == "no_conditional_put"
        with pytest.raises(ReadOnlyError):
            registry.namespace("other").create_model("lost")
        probes = [request for request in wire.requests if "probe" in request.path and request.verb == "PUT"]
        assert len(probes) == 2  # asked once, and found out by the second of two
    assert s3.keys(bucket_of(uri)) == before


def test_the_place_is_probed_once_before_the_first_commit_and_not_by_readers(uri: str, s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        opened(uri, wire).create_model("meadow")  # made now: tried when it was made, and not again
        assert len([request for request in wire.requests if request.verb == "PUT"]) == 2 + RACERS + 2
        wire.requests.clear()
        registry = opened(uri, wire)
        registry.models()
        assert not any("probe" in request.path for request in wire.requests)
        registry.create_model("forest")
        assert any("probe" in request.path for request in wire.requests)
        wire.requests.clear()
        registry.create_model("lake")
        registry.namespace("other").create_model("lake")
        assert not any("probe" in request.path for request in wire.requests)


def test_only_what_such_a_place_has_may_be_asked_for(uri: str, s3: Server) -> None:
    with pytest.raises(InvalidInputError, match="'conditional' or 'single-writer'; leave it out"):
        opened(uri, s3, commit_mode="link")
    with pytest.raises(InvalidInputError, match="must be one of"):
        opened(uri, s3, commit_mode="telepathy")
    assert s3.keys(bucket_of(uri)) == []
    opened(uri, s3, commit_mode="conditional").create_model("meadow")
    for _ in range(2):
        with pytest.raises(InvalidInputError, match="made with the commit mode 'conditional'"):
            opened(uri, s3, commit_mode="single-writer")
        assert opened(uri, s3).commit == 1  # noted from then on


def test_a_single_writer_needs_no_conditions(uri: str, s3: Server, quick: World) -> None:
    with Wire(s3.endpoint, dropped_header="if-none-match") as wire:
        with opened(uri, wire, actor="ana", commit_mode="single-writer") as registry:
            registry.create_model("a")
            quick.after(20, lambda: registry.create_model("b"))
            with pytest.raises(ConflictError, match="ana on"):
                opened(uri, wire, actor="ben").create_model("c")
        ben = opened(uri, wire, actor="ben")
        ben.create_model("c")
        assert not any("probe" in request.path for request in wire.requests)
        assert [row["name"] for row in ben.models()] == ["a", "b", "c"]
        assert ben.verify().ok


def test_a_foreign_bucket_is_never_adopted(s3: Server, cache: Path) -> None:
    bucket = s3.bucket()
    s3.client.put_object(Bucket=bucket, Key="photos/cat.png", Body=b"x")
    with pytest.raises(localreg.FormatError, match="not a registry and not empty"):
        opened(f"s3://{bucket}", s3)
    s3.client.put_object(Bucket=bucket, Key="empty/", Body=b"")  # as consoles make folders
    assert opened(f"s3://{bucket}/empty", s3).commit == 0


def test_a_registry_of_a_folder_goes_on_in_a_bucket_and_back(tmp_path: Path, s3: Server, cache: Path) -> None:
    folder, bucket = tmp_path / "registry", s3.bucket()
    local = localreg.open(folder)
    local.create_model("made in a folder")
    for file in folder.rglob("*.*"):
        s3.client.upload_file(str(file), bucket, file.relative_to(folder).as_posix())
    remote = opened(f"s3://{bucket}", s3)
    remote.create_model("made in a bucket")
    assert remote.verify().ok
    back = tmp_path / "back"
    for key in s3.keys(bucket):
        (back / key).parent.mkdir(parents=True, exist_ok=True)
        s3.client.download_file(bucket, key, str(back / key))
    again = localreg.open(back)
    again.create_model("back in a folder")
    assert again.commit == 3
    assert again.verify().ok


# --- how little is asked ----------------------------------------------------------------------------------------------

IN_NAMESPACE = "/registries/first/namespaces/default/"


def asked(wire: Wire) -> list[str]:
    """Verb and path of each request, without the bucket."""
    return [f"{each.verb} {'/'.join(['', *each.path.split('/')[2:]])}" for each in wire.requests]


def entries(first: int, last: int) -> list[str]:
    return [f"GET {IN_NAMESPACE}log/{number:020d}.parquet" for number in range(first, last + 1)]


def test_a_cold_opening_reads_the_snapshot_and_what_follows_it(uri: str, s3: Server) -> None:
    writer = opened(uri, s3)
    writer.create_model("behind the snapshot")
    writer.snapshot()
    for number in range(3):
        writer.create_model(f"model {number}")
    snapshot = next(key for key in s3.keys(bucket_of(uri)) if "snapshots/0" in key)
    with Wire(s3.endpoint) as wire:
        assert len(opened(uri, wire).models()) == 4
        assert asked(wire) == [
            "GET /registries/first/localreg.json",
            f"GET {IN_NAMESPACE}snapshots/latest.json",
            f"GET /{snapshot}",
            *entries(2, 5),
        ]


def test_a_warm_opening_looks_at_the_entry_seen_last_and_for_the_next(uri: str, s3: Server) -> None:
    writer = opened(uri, s3)
    writer.create_model("first")
    writer.snapshot()
    writer.create_model("second")
    with Wire(s3.endpoint) as wire:
        opened(uri, wire).models()
        wire.requests.clear()
        assert len(opened(uri, wire).models()) == 2
        assert asked(wire) == entries(2, 3)
        writer.create_model("third")
        wire.requests.clear()
        assert len(opened(uri, wire).models()) == 3
        assert asked(wire) == entries(2, 4)


def test_a_machine_that_fell_far_behind_goes_on_from_the_snapshot(uri: str, s3: Server) -> None:
    writer = opened(uri, s3)
    model = writer.create_model("the one")
    with Wire(s3.endpoint) as wire:
        idle = opened(uri, wire, read_only=True)
        assert idle.commit == 1
        for step in range(3 * FEW_AFAR):
            model.update(metadata={"step": step})
        writer.snapshot()
        model.tag("newest")
        snapshot = next(key for key in s3.keys(bucket_of(uri)) if "snapshots/0" in key)
        behind = [*entries(2, 1 + FEW_AFAR), f"GET {IN_NAMESPACE}snapshots/latest.json", f"GET /{snapshot}"]
        rest = entries(2 + 3 * FEW_AFAR, 3 + 3 * FEW_AFAR)
        wire.requests.clear()
        assert opened(uri, wire, read_only=True).commit == 2 + 3 * FEW_AFAR
        assert asked(wire) == [*entries(1, 1), *behind, *rest]
        wire.requests.clear()
        assert idle.commit == 2 + 3 * FEW_AFAR
        assert asked(wire) == [*behind[:-1], *rest], "the file is in this machine's cache by now"
        assert "newest" in idle.get_model("the one").tags


def test_a_machine_that_fell_a_little_behind_asks_for_no_snapshot(uri: str, s3: Server) -> None:
    writer = opened(uri, s3)
    writer.create_model("the one")
    with Wire(s3.endpoint) as wire:
        opened(uri, wire, read_only=True).models()
        for number in range(FEW_AFAR - 1):
            writer.create_model(f"new {number}")
        writer.snapshot()
        wire.requests.clear()
        assert opened(uri, wire, read_only=True).commit == FEW_AFAR
        assert asked(wire) == entries(1, 1 + FEW_AFAR)


def test_who_committed_opens_from_there(uri: str, s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        writer = opened(uri, wire)
        for number in range(3):
            writer.create_model(f"model {number}")
        wire.requests.clear()
        assert opened(uri, wire).commit == 3
        assert asked(wire) == entries(3, 4)


def test_a_lost_entry_is_not_filled_by_the_first_commit_of_an_opening(
    uri: str, s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = opened(uri, s3)
    for number in range(10):
        writer.create_model(f"model {number}")
    lost = next(key for key in s3.keys(bucket_of(uri)) if key.endswith(entry_path(7)))
    s3.client.delete_object(Bucket=bucket_of(uri), Key=lost)
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "another machine"))
    registry = opened(uri, s3)
    for _ in range(2):
        with pytest.raises(IntegrityError, match=entry_path(7)) as caught:
            registry.create_model("in its place")
        assert caught.value.code == "entry_missing"
    assert lost not in s3.keys(bucket_of(uri))


def test_beyond_the_end_it_is_looked_once_for_each_opening_and_not_by_readers(uri: str, s3: Server) -> None:
    opened(uri, s3).create_model("first")
    beyond = {f"GET {IN_NAMESPACE}{entry_path(1 + ahead)}" for ahead in GAP_PROBES}
    with Wire(s3.endpoint) as wire:
        registry = opened(uri, wire)
        registry.models()
        assert not beyond & set(asked(wire))
        registry.create_model("second")
        assert beyond <= set(asked(wire))
        wire.requests.clear()
        registry.create_model("third")
        assert asked(wire) == [*entries(3, 3), f"PUT {IN_NAMESPACE}{entry_path(3)}"]


def test_an_opening_knows_another_registry_of_the_same_length_from_the_one_it_saw(uri: str, s3: Server) -> None:
    registry = opened(uri, s3)
    registry.create_model("of the first")
    registry.snapshot()
    with Wire(s3.endpoint) as wire:  # another cache
        first = opened(uri, wire)
        assert first.commit == 1
        for key in s3.keys(bucket_of(uri)):
            s3.client.delete_object(Bucket=bucket_of(uri), Key=key)
        with pytest.raises(NotFoundError, match="no registry"):
            opened(uri, wire, read_only=True)
        opened(uri, s3).create_model("of the second")
        second = opened(uri, wire)
        assert second.id != first.id
        assert [row["name"] for row in second.models()] == ["of the second"]
        second.create_model("more of the second")
        assert second.verify().ok


def test_what_a_newer_release_noted_is_not_read_by_one_that_does_not_know_it(
    uri: str, s3: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(features, "KNOWN", frozenset({"streams"}))
        registry = opened(uri, s3)
        change = Change(features.FEATURE, "create", "f" * 32, "streams", after={"id": "f" * 32, "name": "streams"})
        registry._session.change(lambda changes: changes.made.append(change))
        registry.snapshot()
        assert opened(uri, s3).commit == 1
    with pytest.raises(localreg.FormatError, match="streams"):
        opened(uri, s3).models()


def test_an_opening_without_the_network_says_so_at_once(uri: str, s3: Server) -> None:
    with Wire(s3.endpoint) as wire:
        opened(uri, wire).create_model("meadow")
        wire.spoil(Fault.BUSY, at=1, times=100)
        with pytest.raises(StorageError, match="busy"):
            opened(uri, wire)
        assert len(wire.requests) == 3


def test_offline_a_snapshot_of_the_newest_commit_is_enough(uri: str, s3: Server) -> None:
    registry = opened(uri, s3)
    registry.create_model("meadow")
    registry.snapshot()
    opened(uri, s3).models()
    assert [row["name"] for row in opened(uri, s3, offline=True).models()] == ["meadow"]


# --- the cache --------------------------------------------------------------------------------------------------------


def test_another_registry_at_the_same_place_is_not_mixed_up_with_what_is_kept(uri: str, s3: Server) -> None:
    opened(uri, s3).create_model("of the first")
    for key in s3.keys(bucket_of(uri)):
        s3.client.delete_object(Bucket=bucket_of(uri), Key=key)
    second = opened(uri, s3)
    assert second.commit == 0
    second.create_model("of the second")
    assert [row["name"] for row in opened(uri, s3).models()] == ["of the second"]


def test_the_cache_may_be_deleted_under_an_open_registry(uri: str, s3: Server, cache: Path) -> None:
    registry = opened(uri, s3)
    compare_two_models(registry)
    query = "SELECT count(*) AS n FROM inferences"
    assert registry.sql(query).dicts() == [{"n": 40}]
    shutil.rmtree(cache)
    assert registry.sql(query).dicts() == [{"n": 40}]
    assert registry.verify().ok
    registry.create_model("after")
    assert opened(uri, s3).commit == registry.commit


def test_an_altered_copy_is_fetched_again(uri: str, s3: Server, cache: Path) -> None:
    registry = opened(uri, s3)
    compare_two_models(registry)
    copies = [file for file in cache.glob("*/files/**/*.parquet") if file.is_file()]
    assert len(copies) > 5
    for number, file in enumerate(copies):
        file.write_bytes(b"" if number % 2 else file.read_bytes()[:-9] + b"123456789")
    other = opened(uri, s3)
    assert other.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 40}]
    assert other.compare("old", "new", suite="animals")


def test_verify_looks_at_the_bucket_and_not_at_the_copies(uri: str, s3: Server) -> None:
    registry = opened(uri, s3)
    compare_two_models(registry)
    parts = [key for key in s3.keys(bucket_of(uri)) if "/data/inferences/" in key]
    s3.client.put_object(Bucket=bucket_of(uri), Key=parts[0], Body=b"something else")
    s3.client.delete_object(Bucket=bucket_of(uri), Key=parts[1])
    entry = next(key for key in s3.keys(bucket_of(uri)) if "/log/" in key)
    body = s3.client.get_object(Bucket=bucket_of(uri), Key=entry)["Body"].read()
    s3.client.put_object(Bucket=bucket_of(uri), Key=entry, Body=body.replace(b'"actor":"', b'"actor":"x', 1))
    codes = {problem.code for problem in registry.verify().problems}
    assert {"file_altered", "file_missing"} < codes
    assert any(problem.path.startswith("log/") for problem in registry.verify().problems)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_missing_bucket_a_refusal_and_silence_are_told_apart(uri: str, s3: Server) -> None:
    with pytest.raises(StorageError, match="no such bucket") as caught:
        opened("s3://there-is-none/folder", s3)
    assert caught.value.code == "no_bucket"
    opened(uri, s3).create_model("meadow")
    with Wire(s3.endpoint) as wire:
        wire.spoil(Fault.FORBIDDEN, at=1, times=100)
        with pytest.raises(StorageError, match="access is denied") as caught:
            opened(uri, wire)
        assert caught.value.code == "forbidden"
        wire.spoil(Fault.BUSY, at=1, times=100)
        with pytest.raises(StorageError, match="busy") as caught:
            opened(uri, wire)
        assert caught.value.code == "busy"
        assert len(wire.requests) == 3
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        opened(uri, wire)
    assert caught.value.code == "unreachable"


def test_missing_credentials_are_told(uri: str, s3: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="credentials are missing") as caught:
        localreg.open(uri, storage_options={"endpoint_url": s3.endpoint})
    assert caught.value.code == "bad_credentials"


def test_a_missing_package_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(fsspec.core.get_filesystem_class.__globals__["_registry"], "s3", raising=False)
    with pytest.raises(InvalidInputError, match=r"pip install 'localreg-registry\[s3\]'"):
        localreg.open("s3://bucket/registry")


def test_credentials_are_never_written_nor_shown(
    uri: str, s3: Server, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    registry = opened(uri, s3)
    compare_two_models(registry)
    registry.verify()
    shown = [repr(registry), registry.uri, repr(registry._session), repr(registry._session.root), caplog.text]
    address = registry._session.root._link.address  # type: ignore[attr-defined]
    shown += [repr(address), address.place]
    with Wire(s3.endpoint) as wire:
        for fault in (Fault.FORBIDDEN, Fault.CUT_BEFORE):
            wire.spoil(fault, at=1, times=100)
            with pytest.raises(StorageError) as caught:
                opened(uri, wire)
            shown.append(str(caught.value))
    files = [file for file in cache.rglob("*") if file.is_file()]
    bodies = [s3.client.get_object(Bucket=bucket_of(uri), Key=key)["Body"].read() for key in s3.keys(bucket_of(uri))]
    assert len(files) > 10
    assert len(bodies) > 10
    for secret in (SECRET, KEY):
        assert [text for text in shown if secret in text] == []
        assert [name for name in map(str, files) if secret in name] == []
        assert [data for data in (*bodies, *(file.read_bytes() for file in files)) if secret.encode() in data] == []


# --- processes and threads --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # that is what is tested
def test_a_forked_child_commits_through_the_same_handle(uri: str, s3: Server) -> None:
    registry = opened(uri, s3)
    registry.create_model("before")
    child = os.fork()
    if child == 0:
        try:
            registry.create_model("in the child")
            code = 0 if [row["name"] for row in registry.models()] == ["before", "in the child"] else 1
        except BaseException:
            code = 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    registry.create_model("after")
    assert registry.commit == 3


def test_threads_share_a_handle(uri: str, s3: Server) -> None:
    registry = opened(uri, s3)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: registry.create_model(f"model {number}"), range(8)))
    assert len(registry.models()) == 8


# --- places that can only be read -------------------------------------------------------------------------------------


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry in a folder, with a comparison in it."""
    compare_two_models(localreg.open(tmp_path / "made"))
    return tmp_path / "made"


def check_read_only(registry: Registry, folder: Path) -> None:
    local = localreg.open(folder, read_only=True)
    assert registry.id == local.id
    assert registry.commit == local.commit
    assert str(registry.compare("old", "new", suite="animals")) == str(local.compare("old", "new", suite="animals"))
    assert registry.sql("SELECT count(*) AS n FROM inferences").dicts() == [{"n": 40}]
    assert registry.verify().ok
    assert registry.read_only
    with pytest.raises(ReadOnlyError, match="can only be read"):
        registry.create_model("x")


def test_a_web_server_is_read(folder: Path, cache: Path) -> None:
    with web_server(folder.parent) as server:
        check_read_only(localreg.open(f"{server}/made"), folder)
        with pytest.raises(NotFoundError, match="no registry"):
            localreg.open(f"{server}/nothing")


def test_a_web_server_that_tells_no_lengths_is_not_said_to_be_empty(folder: Path, cache: Path) -> None:
    with web_server(folder.parent) as server:
        registry = localreg.open(f"{server}/made")
        with pytest.raises(StorageError, match="do not tell how long files are") as caught:
            registry.disk_usage().dicts()
        assert caught.value.code == "no_sizes"
        (told,) = (each.message for each in registry.doctor().findings if each.what == "default: disk use")
        files = [path for path in (folder / "namespaces/default").rglob("*") if path.is_file()]
        size = readable_bytes(sum(path.stat().st_size for path in files))
        assert told.startswith(f"{len(files)} files, {size};"), "each is asked for how long it is"


@pytest.mark.parametrize("form", ["zip://{}", "zip::{}", "zip://::{}", "zip://::file://{}"])
def test_an_archive_is_read(folder: Path, tmp_path: Path, form: str, cache: Path) -> None:
    archive = tmp_path / "registry.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for each in sorted(folder.rglob("*")):
            file.write(each, each.relative_to(folder))
    check_read_only(localreg.open(form.format(archive)), folder)


def test_an_archive_in_a_bucket_is_read(folder: Path, tmp_path: Path, s3: Server, cache: Path) -> None:
    archive, bucket = Path(shutil.make_archive(str(tmp_path / "a"), "zip", folder)), s3.bucket()
    s3.client.upload_file(str(archive), bucket, "a.zip")
    registry = localreg.open(f"zip::s3://{bucket}/a.zip", storage_options={"s3": options(s3.endpoint)})
    check_read_only(registry, folder)


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_the_doctor_tries_a_bucket_and_leaves_nothing_there(uri: str, s3: Server) -> None:
    registry = opened(uri, s3, actor="ana")
    registry.create_model("m")
    fs = fsspec.filesystem("s3", **options(s3.endpoint), skip_instance_cache=True, use_listings_cache=False)
    before = {path: info["size"] for path, info in fs.find(uri, detail=True).items()}
    report = registry.doctor()
    assert [str(each) for each in report.findings if each.level != "ok"] == []
    assert "commit mode: conditional; tried, and it holds" in str(report)
    assert {path: info["size"] for path, info in fs.find(uri, detail=True).items()} == before
    usage = registry.disk_usage()
    assert [(row["namespace"], row["what"], row["files"]) for row in usage] == [
        (None, "other", 1),
        ("default", "log", 1),
    ]
    assert sum(row["bytes"] for row in usage) == sum(before.values())


def test_offline_the_doctor_says_what_it_cannot_see(cache: Path) -> None:
    with served() as server:
        uri = f"s3://{server.bucket()}/r"
        opened(uri, server).create_model("m")

    offline = opened(uri, server, offline=True)
    report = offline.doctor()
    assert report.ok
    assert "default: log: 1 commits" in str(report)
    assert any(each.level == "note" and "open it online" in each.message for each in report.findings)
    with pytest.raises(StorageError, match="open it online") as caught:
        offline.disk_usage().dicts()
    assert caught.value.code == "offline"
