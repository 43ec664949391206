"""Copies from place to place: memory, a folder, a bucket, and back; and an import on the page."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

import localreg
from localreg import Registry, StorageError
from localreg.log.entry import entry_path
from tests.crash.scenarios import upload_and_run, view
from tests.pages import Browser
from tests.remote import Server, options

_numbers = count()


@pytest.fixture
def original() -> Registry:
    """A registry in memory, with rows and an artifact."""
    registry = localreg.open(f"memory://copies-{next(_numbers)}", actor="ana")
    registry.create_model("yolor").upload(b"weights", name="weights")
    for step in upload_and_run():
        step(registry)
    return registry


def entries(registry: Registry) -> list[bytes | None]:
    store = registry._session.store
    return [store.get(entry_path(number), fresh=True) for number in range(1, registry.commit + 1)]


def test_a_mirror_goes_through_memory_a_folder_a_bucket_and_back(
    original: Registry, s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    bucket, rest = f"s3://{s3.bucket()}/copies", options(s3.endpoint)
    original.copy(tmp_path / "first")
    localreg.open(tmp_path / "first").copy(bucket, storage_options=rest)
    remote = localreg.open(bucket, storage_options=rest)
    remote.copy(tmp_path / "second")
    last = localreg.open(tmp_path / "second")
    for mirror in (remote, last):
        assert mirror.id == original.id
        assert entries(mirror) == entries(original)
        assert view(mirror._session.state()) == view(original._session.state())
        assert mirror.verify().ok
    original.create_model("later")
    assert original.copy(bucket, storage_options=rest).commits == 1
    assert localreg.open(bucket, storage_options=rest, actor="eve").get_model("later")
    assert remote.copy(tmp_path / "second").commits == 1
    assert last.get_model("later")


def test_an_import_into_a_bucket_is_at_work_there(
    original: Registry, s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    bucket, rest = f"s3://{s3.bucket()}/other", options(s3.endpoint)
    localreg.open(bucket, storage_options=rest).create_model("own")
    original.copy(bucket, name="team/copied", storage_options=rest)
    for _ in range(2):  # the second is opened by what this machine noted of the first
        copied = localreg.open(bucket, storage_options=rest, namespace="team/copied")
        copied.create_model(f"new {copied.commit}")
        assert copied.verify().ok
    offline = localreg.open(bucket, storage_options=rest, namespace="team/copied", offline=True)
    assert offline.commit == original.commit + 4
    assert sorted(localreg.open(bucket, storage_options=rest).namespaces()) == ["default", "team/copied"]


def test_a_place_without_conditional_puts_becomes_no_mirror(
    original: Registry, s3: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("localreg.storage.probe.probe", lambda store: "it ignores conditions")
    bucket = s3.bucket()
    with pytest.raises(StorageError, match="it ignores conditions") as raised:
        original.copy(f"s3://{bucket}/copies", storage_options=options(s3.endpoint))
    assert raised.value.code == "no_conditional_put"
    assert s3.keys(bucket) == []


def test_an_imported_namespace_is_shown_on_the_page(original: Registry, tmp_path: Path) -> None:
    other = localreg.open(tmp_path / "other", actor="ben")
    other.create_model("own")
    original.copy(other, name="copied")
    copied = other.namespace("copied")
    browser = Browser(copied)
    model = f"/models/{copied.get_model('yolor').id}"
    assert "yolor" in browser.get("/").main.text
    assert browser.get(model).status == 200
    assert copied.get_model("yolor").get_artifact("weights").download(tmp_path / "out").read_bytes() == b"weights"
    assert "import" in browser.get("/audit").main.text
    assert browser.get("/verify").status == 200
