"""Faults that a review found and that were mended, each by a test that failed before."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import localreg
from localreg import Registry
from localreg.errors import IntegrityError, StorageError, UnknownOutcomeError
from localreg.log import Change, Entry, Log, features, layer_writer, log, snapshot
from localreg.log.layer import Layer
from localreg.query.database import load
from localreg.session import Session
from localreg.storage import Lease
from tests.remote import Server, options

SECRET = "hunter2-of-the-review"


def folder(registry: Registry) -> Path:
    return Path(registry.uri) / "namespaces" / registry.namespace_name


def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """From now on, registries are opened as on another machine: with a cache and a state of its own."""
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / name))
    monkeypatch.setenv("LOCALREG_STATE", str(tmp_path / f"{name} state"))


def shows(registry: Registry, text: str) -> bool:
    return text in str(registry.audit().dicts())


# --- caches of a bucket -----------------------------------------------------------------------------------------------


def test_a_bucket_that_was_rolled_back_is_not_read_from_the_cache(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = s3.bucket()
    uri, access = f"s3://{bucket}/reg", options(s3.endpoint)
    machine(monkeypatch, tmp_path, "a")
    with localreg.open(uri, storage_options=access) as ours:
        for number in range(6):
            ours.create_model(f"m{number}")
    for number in (4, 5, 6):
        s3.client.delete_object(Bucket=bucket, Key=f"reg/namespaces/default/log/{number:020d}.parquet")
    machine(monkeypatch, tmp_path, "b")
    theirs = localreg.open(uri, storage_options=access)
    theirs.create_model("after the rollback")
    machine(monkeypatch, tmp_path, "a")
    again = localreg.open(uri, storage_options=access)
    assert again.commit == theirs.commit == 4
    with pytest.raises(IntegrityError, match=r"this machine saw commit 6.* it is gone"):
        again.create_model("one more")
    again.doctor(accept=True)
    again.create_model("one more")
    assert theirs.find_model("one more") is not None
    assert theirs.verify().ok


def test_another_machines_cache_does_not_bring_back_what_was_redacted(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, access = f"s3://{s3.bucket()}/reg", options(s3.endpoint)
    machine(monkeypatch, tmp_path, "a")
    ours = localreg.open(uri, storage_options=access)
    model = ours.create_model("m", metadata={"key": SECRET}).update(unset=["key"])
    machine(monkeypatch, tmp_path, "b")
    assert localreg.open(uri, storage_options=access).commit == 2
    ours.redact(model, reason="a key")
    theirs = localreg.open(uri, storage_options=access)
    theirs.create_model("n")
    theirs.snapshot()
    machine(monkeypatch, tmp_path, "c")
    fresh = localreg.open(uri, storage_options=access)
    assert not shows(fresh, SECRET)


def test_a_note_of_a_newer_release_does_not_hide_its_feature(
    s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, access = f"s3://{s3.bucket()}/reg", options(s3.endpoint)
    record = Change(
        "feature", "create", "f" * 32, "newer", after={"id": "f" * 32, "name": "newer", "needed_by": "readers"}
    )
    machine(monkeypatch, tmp_path, "made")
    with monkeypatch.context() as newer:  # a release that knows the feature
        newer.setattr(features, "KNOWN", frozenset({"newer"}))
        ours = localreg.open(uri, storage_options=access)
        ours.create_model("m")
        ours._session.change(lambda changes: changes.make(record))
        ours.snapshot()
        machine(monkeypatch, tmp_path, "shared by both releases")
        assert localreg.open(uri, storage_options=access).commit == 2
    with pytest.raises(localreg.FormatError):
        _ = localreg.open(uri, storage_options=access, read_only=True).commit


# --- history ----------------------------------------------------------------------------------------------------------


def test_verify_tells_a_history_that_shows_what_was_redacted(registry: Registry) -> None:
    model = registry.create_model("m", metadata={"key": SECRET}).update(unset=["key"])
    registry.snapshot()
    kept = {file: file.read_bytes() for file in (folder(registry) / "history").iterdir()}
    registry.redact(model, reason="a key")
    for file, data in kept.items():  # as a process leaves it that read the entries before, and writes after
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    again = localreg.open(registry.uri)
    assert not again.verify().ok or not shows(again, SECRET)


def test_history_goes_on_after_a_rollback_on_purpose(registry: Registry) -> None:
    for number in range(6):
        registry.create_model(f"m{number}")
    registry.snapshot()
    registry.close()
    for number in (5, 6):
        (folder(registry) / f"log/{number:020d}.parquet").unlink()
    assert localreg.open(registry.uri).doctor(accept=True).ok  # as the message says
    again = localreg.open(registry.uri)
    for number in range(4):
        again.create_model(f"n{number}")
    assert again.snapshot() == 8


def test_history_is_mended_where_an_older_segment_is_damaged(registry: Registry) -> None:
    def many(prefix: str, count: int) -> None:
        with registry.transaction():
            for number in range(count):
                registry.create_model(f"{prefix}{number}")
        registry.snapshot()

    many("a", 300)
    many("b", 30)
    first = min((folder(registry) / "history").iterdir())
    first.write_bytes(b"PAR1 torn")
    many("c", 30)
    assert len(registry._session.log.history.cover(3)) > 0
    assert registry._session.log._cover(3)[-1].last == 3


@pytest.mark.parametrize("frozen", [True, False])
def test_an_audit_outlives_the_history_files_that_it_read(registry: Registry, frozen: bool) -> None:
    registry.create_model("m")
    registry.snapshot()
    reader = registry.frozen() if frozen else localreg.open(registry.uri, read_only=True)
    before = reader.audit().dicts()
    for file in (folder(registry) / "history").iterdir():  # a cache; others merge and delete it, too
        file.unlink()
    assert reader.audit().dicts() == before


# --- commits ----------------------------------------------------------------------------------------------------------


def test_a_snapshot_that_fails_strangely_does_not_fail_the_commit(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise pa.ArrowInvalid("offset overflow while concatenating arrays")

    monkeypatch.setattr(snapshot, "save", fail)
    for number in range(log.SNAPSHOT_EVERY + 1):
        registry.create_model(f"m{number}")
    assert registry.commit == log.SNAPSHOT_EVERY + 1


def test_a_put_that_may_still_arrive_is_an_unknown_outcome(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    model = registry.create_model("m")
    store = registry._session.log.store
    kind, put = type(store), store.put_if_absent
    under_way: list[Callable[[], object]] = []

    def silent(_: object, path: str, data: bytes, **rest: Any) -> bool:
        under_way.append(lambda: put(path, data, make=True))
        raise StorageError("the store did not answer", code="doubtful")

    with monkeypatch.context() as slow:
        slow.setattr(kind, "put_if_absent", silent)
        with pytest.raises(UnknownOutcomeError):
            model.create_version("1")
    under_way[0]()
    assert [each.version for each in model.versions()] == ["1"]


def test_a_redaction_does_not_read_the_whole_log_for_each_lost_race(
    registry: Registry, other: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = registry.create_model("m", metadata={"key": SECRET}).update(unset=["key"])
    begun_at: list[int] = []
    entries, publish = Log.entries, Log.publish
    races = iter(range(5))

    def counted(self: Log, after: Any, **rest: Any) -> Any:
        if self is registry._session.log and "upto" in rest:
            begun_at.append(getattr(after, "head", after).commit)
        return entries(self, after, **rest)

    def raced(self: Log, *args: Any, **rest: Any) -> Entry | None:
        if self is registry._session.log and next(races, None) is not None:
            other.create_model(f"n{len(begun_at)}")
        return publish(self, *args, **rest)

    monkeypatch.setattr(Log, "entries", counted)
    monkeypatch.setattr(Log, "publish", raced)
    registry.redact(model, reason="a key")
    assert begun_at.count(0) == 2, "to find what to declare, and what to empty"


def test_a_commit_on_several_layers_reads_none_of_them(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "SMALL", 4)
    monkeypatch.setattr(layer_writer, "GROUP", 4)
    for prefix, count in (("a", 1_000), ("b", 100)):
        with registry.transaction():
            for number in range(count):
                registry.create_model(f"{prefix}{number}")
        registry.snapshot()
    model = registry.create_model("c")
    read: list[int] = []
    columns = Layer._columns

    def counted(self: Layer, group: int, names: Any) -> pa.Table:
        read.append(group)
        return columns(self, group, names)

    monkeypatch.setattr(Layer, "_columns", counted)
    model.update(metadata={"n": 1})
    read.clear()
    model.update(metadata={"n": 2})
    assert len(read) <= 2


# --- queries ----------------------------------------------------------------------------------------------------------


def test_a_namespace_that_turns_out_to_be_forbidden_is_left_out(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.create_model("m")
    registry.namespace("closed").create_model("n")
    committed = Session.committed

    def refused(self: Session) -> Any:
        if self.namespace == "closed":  # its files can be seen, and not read
            raise StorageError("may not read", code="forbidden")
        return committed(self)

    monkeypatch.setattr(Session, "committed", refused)
    assert [row["name"] for row in registry.all().models().dicts()] == ["m"]


def test_a_query_goes_on_when_its_snapshot_is_cleaned_up_meanwhile(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.create_model("m")
    registry.snapshot()

    def loaded(connection: Any, name: str, table: pa.Table) -> None:
        load(connection, name, table)
        if name.endswith(".found"):
            for file in (folder(registry) / "snapshots").iterdir():
                file.unlink()

    monkeypatch.setattr("localreg.query.engine.load", loaded)
    assert [row["name"] for row in registry.models(where="name = 'm'").dicts()] == ["m"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_another_thread_reads_a_layer_does_not_hang_the_child(registry: Registry) -> None:
    registry.create_model("m")
    registry.snapshot()
    registry.close()
    base = registry._session.committed().base
    assert isinstance(base, snapshot.LayeredBase)
    with base.layers[0]._lock:  # as a thread holds it while it decodes
        child = os.fork()
        if child == 0:
            signal.alarm(3)
            registry.find_model("m")
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_reads_go_on_while_a_commit_waits_for_its_lease(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry", commit_mode="single-writer")
    session = registry._session
    session._lease = Lease(session.store, actor="ana", host="here", settle_s=0)
    registry.create_model("first")
    registry.close()
    session.store.put("lease.json", b"somebody's")
    waits, goes = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        if seconds:  # for another's lease; a claim of one's own settles in no time here
            waits.set()
            assert goes.wait(60)
            session.store.delete("lease.json")

    session._lease = Lease(session.store, actor="ana", host="here", settle_s=0, sleep=sleep)
    writer = threading.Thread(target=registry.create_model, args=("second",))
    writer.start()
    try:
        assert waits.wait(60)
        reader = threading.Thread(target=lambda: seen.append(len(registry.models())))
        seen: list[int] = []
        reader.start()
        reader.join(60)
        assert seen == [1]
    finally:
        goes.set()
        writer.join(60)
    assert len(registry.models()) == 2
