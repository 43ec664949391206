"""A real server that takes conditional puts, says yes and overwrites: found out before it can cost a commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import localreg
from localreg import ReadOnlyError, StorageError
from localreg.storage.address import parse_address
from tests.npm import s3rver
from tests.remote import options, store_at

pytestmark = pytest.mark.npm


@pytest.fixture(scope="module")
def storage_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with s3rver(tmp_path_factory.mktemp("s3rver")) as endpoint:
        yield {**options(endpoint), "key": "S3RVER", "secret": "S3RVER"}


@pytest.fixture
def uri(storage_options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path / "cache"))
    uri = f"s3://bucket-{uuid4().hex}"
    fs, root = parse_address(uri, storage_options).connect()
    fs.mkdir(root)
    return f"{uri}/registry"


def test_it_gets_no_registry(uri: str, storage_options: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match=r"created twice.*nothing was made") as caught:
        localreg.open(uri, storage_options=storage_options)
    assert caught.value.code == "no_conditional_put"
    assert list(store_at(uri, storage_options).list("")) == []


def test_a_registry_that_was_copied_there_is_read_and_refuses_the_first_commit(
    uri: str, storage_options: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    localreg.open(folder).create_model("meadow")
    place = store_at(uri, storage_options)
    for file in folder.rglob("*.*"):
        place.put(file.relative_to(folder).as_posix(), file.read_bytes())
    before = list(place.list(""))
    registry = localreg.open(uri, storage_options=storage_options)
    assert [row["name"] for row in registry.models()] == ["meadow"]
    assert registry.verify().ok
    with pytest.raises(ReadOnlyError, match="overwrite each other's commits"):
        registry.create_model("lost")
    assert list(place.list("")) == before
